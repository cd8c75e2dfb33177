"""The assembly: picklable addresses and configuration from which every actor makes its parts in its own process.

Secrets do not travel in it: each actor fetches its own from the launch (`infra.secrets`), so that keys reach only the
actors that sign with them, and nothing secret stands in Ray's tables. Libraries are imported where they are needed:
an actor pays for what it uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.runtime.ports import (
    BeatPort,
    HeldCommandsPort,
    LeaseRegister,
    LockstepPort,
    MarketClock,
    Store,
    StreamsPort,
)
from infra.config import EternalConfig, Profile
from infra.secrets.server import fetch
from statemachines.notifications.message import ChannelName
from statemachines.supervision.policy import SupervisionPolicy
from statemachines.values import ACCOUNT_OF, Account, ActorName

if TYPE_CHECKING:
    from actors.notifications.ports import NotifierParts
    from actors.runtime.actor_runner import Parts
    from actors.runtime.outbox_dispatcher import Peers
    from actors.runtime.policies.ports import Document, PolicyPort, PolicyWatchPort
    from infra.bybit.clock import LiveClock
    from infra.bybit.credentials import Credentials
    from infra.bybit.endpoints import Endpoints
    from infra.bybit.exchange import BybitExchange
    from infra.bybit.session import HttpSessions
    from orchestrator.exchange_watch import ExchangeWatch
    from statemachines.actor_logic import ActorLogic
    from statemachines.risk.parameters import ReadingPolicies

ALTERNATIVE_ME = "https://api.alternative.me"
DERIBIT = "https://www.deribit.com"

TRADING: tuple[Account, ...] = tuple(ACCOUNT_OF.values())
LIVE_QUOTE_GAP_S = 1.0
LIVE_STALE_S = 60.0
PAPER_LOOK_UP_PAUSE_S = 0.2
"""The simulated exchange has no lagging copies to wait for; Bybit's history has (bybit-v5 4.2)."""


CONDUCTING = frozenset({ActorName.ORCHESTRATOR, ActorName.MARKET_DATA, ActorName.ORDER_MANAGER})
"""Actors that ask the simulated exchange for market time: they get the token of its control interface."""


NOTIFICATIONS = "notifications"
"""The key under which an actor receives the channels that it uses."""

CHANNELS_OF: Mapping[ActorName, tuple[ChannelName, ...]] = {
    ActorName.NOTIFIER: tuple(ChannelName),
    ActorName.API: (ChannelName.TELEGRAM,),
}
"""Who uses which channels: the notifier sends over all, the API takes commands from Telegram."""


def accounts_signed_for(actor: ActorName, config: EternalConfig) -> tuple[Account, ...]:
    """The accounts whose keys this actor signs with: all for the order manager, one for market data, which reads fee
    rates; none for the others."""
    if actor is ActorName.ORDER_MANAGER:
        return (Account.MASTER, *TRADING)
    return (config.market_data.account,) if actor is ActorName.MARKET_DATA else ()


def secrets_of(name: str, config: EternalConfig, database_url: str, credentials: Credentials) -> Mapping[str, Any]:
    """What the launch hands to the actor of this name. Raises KeyError for a name that is no actor's."""
    if name not in frozenset(ActorName):
        raise KeyError(name)
    actor = ActorName(name)
    found: dict[str, Any] = {"database_url": database_url}
    if actor in CONDUCTING and credentials.simulator_token is not None:
        found["simulator_token"] = credentials.simulator_token.get_secret_value()
    if channels := config.notifications.opened(*CHANNELS_OF.get(actor, ()), proxy=config.live.proxy_url):
        found[NOTIFICATIONS] = channels
    if accounts := accounts_signed_for(actor, config):
        found["keys"] = credentials.to_plain(accounts)
    return found


@dataclass(frozen=True)
class SystemAssembly:
    """Implements `ray_runtime.Assembly` for one actor after another: `secrets` are fetched by the process that
    needs them."""

    config: EternalConfig
    run: str
    secrets_socket: Path
    installation_id: str
    exchange_url: str
    api_port: int
    ray_dashboard: str
    market_label: str
    policy_version: int
    """The version of the policy in `config` (RM-6); 0: there are none, and nothing changes while the system runs."""

    # --- Assembly ---

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        """What one actor needs: only market data and the order manager reach the exchange."""
        from actors.runtime.actor_runner import Parts

        exchange = self._exchange(name) if name in (ActorName.MARKET_DATA, ActorName.ORDER_MANAGER) else None
        return Parts(
            self.logic(name),
            self.store(name),
            exchange,
            self._streams(name),
            peers,
            self.clock(name),
            is_lockstep=self.config.is_simulated,
            policies=self.policies(),
        )

    def logic(self, name: ActorName) -> ActorLogic:
        from api.logics import logics

        return logics(self.config, self.installation_id)[name]()

    def policies(self) -> PolicyPort | None:
        from api.logics import PolicyLogics

        version = self.policy_version
        return PolicyLogics(self.config, self.installation_id, version) if version else None

    def policy_watch(self) -> PolicyWatchPort | None:
        if not self.policy_version:
            return None
        from api.policies import PolicyWatch

        return PolicyWatch(self.database_url(ActorName.ORCHESTRATOR), self.config, self.policy_version)

    def held_commands(self) -> HeldCommandsPort:
        from infra.database.registers import HeldCommands

        return HeldCommands(self.database_url(ActorName.ORCHESTRATOR))

    def store(self, name: ActorName) -> Store:
        from infra.database.store import PostgresStore

        return PostgresStore(self.database_url(name))

    def lease(self) -> LeaseRegister:
        from infra.database.lease import PostgresLease

        return PostgresLease(self.database_url(ActorName.ORCHESTRATOR))

    def beats(self) -> BeatPort:
        from infra.deadman.beats import BeatWriter

        return BeatWriter(self.config.data_folder, self.database_url(ActorName.ORCHESTRATOR))

    def lockstep(self, name: ActorName) -> LockstepPort | None:
        if not self.config.is_simulated:
            return None
        from infra.bybit.lockstep import SimulatorLockstep

        token = self._credentials(name).simulator_token
        if token is None:
            raise RuntimeError(f"{name} gets no token of the simulated exchange's control interface")
        return SimulatorLockstep(self.exchange_url, token)

    def clock(self, name: ActorName) -> MarketClock:
        if self.config.is_simulated:
            return _LockstepClock(self, name)
        return self._live_clock()

    def exchange_watch(self) -> ExchangeWatch | None:
        """RM-4's readings, taken by the one process that asks for them: often, so that they are alive."""
        if self.config.is_simulated:
            return None
        from api.logics import PolicyLogics
        from infra.bybit.clock import READING_PERIOD_S
        from orchestrator.exchange_watch import ExchangeWatch
        from statemachines.orchestration.exchange_readings import ExchangeReadings

        clock = self._live_clock()
        clock.keep(READING_PERIOD_S)
        port = PolicyLogics(self.config, self.installation_id, self.policy_version)

        def limits(policy: Document) -> ReadingPolicies:
            found: ReadingPolicies = port.parameters(ActorName.RISK_MANAGER, policy).switches.readings
            return found

        return ExchangeWatch(ExchangeReadings(limits(None)), clock, limits)

    def _live_clock(self) -> LiveClock:
        """The process's one clock of the exchange: each would measure on a thread of its own."""
        from infra.bybit.clock import of_this_process
        from infra.bybit.credentials import Credentials

        return of_this_process(lambda: self._sessions(Credentials({})))  # the exchange's time needs no key

    def pace_s(self) -> float:
        return float(self.config.exchange.pace_s) / 24

    def channels(self, name: ActorName) -> Mapping[str, Any]:
        """The channels to people that this actor uses, with their secrets in the open: not to be stored or shown."""
        found: Mapping[str, Any] = self._secrets(name).get(NOTIFICATIONS, {})
        return found

    def notifier(self) -> NotifierParts:
        from actors.notifications.ports import NotifierParts
        from infra.config.notifications import restored
        from infra.database.notifications.book import PostgresBook
        from infra.notifications.channels import channels_of

        opened = self.channels(ActorName.NOTIFIER)
        return NotifierParts(
            PostgresBook(self.database_url(ActorName.NOTIFIER)),
            self.config.notifications.rules,
            self.installation_id,
            self.config.notifications.zone,
            channels_of(restored(opened), self.installation_id),
        )

    def actor_class(self, name: ActorName) -> type:
        if name is ActorName.ORCHESTRATOR:
            from orchestrator.actor import Orchestrator

            return Orchestrator
        if name is ActorName.API:
            from api.http.actor import Api

            return Api
        from actors.runtime.registry import SPEC_OF

        found = SPEC_OF[name].actor_class
        if found is None:
            raise KeyError(f"{name} has no class in its spec, and none is known for it here")
        return found

    def supervision(self) -> SupervisionPolicy:
        return self.config.supervision

    def is_frozen(self, pid: int) -> bool:
        from infra.processes.table import is_stopped_kin

        return is_stopped_kin(pid)

    # --- pieces ---

    def database_url(self, name: ActorName) -> str:
        """The database's URL for this actor, with its password: never to be shown."""
        return str(self._secrets(name)["database_url"])

    def _secrets(self, name: ActorName) -> Mapping[str, Any]:
        return fetch(self.secrets_socket, str(name))

    def _credentials(self, name: ActorName) -> Credentials:
        """What this actor may use: keys, the control interface's token, or neither."""
        from infra.bybit.credentials import from_plain

        secrets = self._secrets(name)
        return from_plain(secrets.get("keys", {}), secrets.get("simulator_token"))

    def _endpoints(self) -> Endpoints:
        from infra.bybit.endpoints import endpoints

        return endpoints(self.config.profile.value, self.config.addresses.exchange, self.exchange_url)

    def _sessions(self, credentials: Credentials) -> HttpSessions:
        from infra.bybit.session import HttpSessions

        return HttpSessions(credentials, self._endpoints().rest, proxy=self.config.live.proxy())

    def _exchange(self, name: ActorName) -> BybitExchange:
        from infra.bybit.exchange import BybitExchange
        from infra.bybit.limits import RateLimiter, RateLimits
        from infra.feeds.dvol import DvolFeed
        from infra.feeds.fear_greed import FearGreedFeed
        from infra.feeds.feeds import Feeds
        from infra.feeds.source import HttpJson

        is_paper, proxy = self.config.profile is Profile.PAPER, self.config.live.proxy()
        others = self.config.addresses
        sources = (others.fear_greed or ALTERNATIVE_ME, others.dvol or DERIBIT)
        if is_paper:
            sources = (self.exchange_url, self.exchange_url)
        credentials = self._credentials(name)
        return BybitExchange(
            self._sessions(credentials),
            symbols=self.config.market_data.symbols,
            uids=credentials.uids(),
            clock=self.clock(name),
            read_feed=Feeds(
                FearGreedFeed(HttpJson(sources[0], proxy=proxy)), DvolFeed(HttpJson(sources[1], proxy=proxy))
            ).read,
            limiter=None if is_paper else RateLimiter(RateLimits()),
            look_up_pause_s=PAPER_LOOK_UP_PAUSE_S if is_paper else 2.0,
        )

    def _streams(self, name: ActorName) -> StreamsPort | None:
        if name not in (ActorName.MARKET_DATA, ActorName.ORDER_MANAGER):
            return None
        from infra.bybit.streams.subscriptions import PrivateStreams, PublicStreams

        addresses, is_paper = self._endpoints(), self.config.is_simulated
        proxy = self.config.live.proxy()
        now = None if is_paper else self.clock(name).now_ms
        if name is ActorName.MARKET_DATA:
            return PublicStreams(
                addresses.public_stream,
                self.config.market_data.symbols,
                kinds=("kline", "tickers", "orderbook"),
                book_depth=1 if is_paper else 50,
                quote_gap_s=0.0 if is_paper else LIVE_QUOTE_GAP_S,
                stale_s=None if is_paper else LIVE_STALE_S,
                now_ms=now,
                proxy=proxy,
            )
        return PrivateStreams(addresses.private_stream, self._credentials(name), TRADING, now, proxy)


class _LockstepClock:
    """Market time of the simulated exchange, asked when it is wanted: for query windows only, by actors in
    `CONDUCTING`. The others take the time of their messages."""

    def __init__(self, assembly: SystemAssembly, name: ActorName) -> None:
        self._assembly = assembly
        self._name = name

    @cached_property
    def _lockstep(self) -> LockstepPort:
        lockstep = self._assembly.lockstep(self._name)
        assert lockstep is not None
        return lockstep

    def now_ms(self) -> int:
        return self._lockstep.status().market_ms
