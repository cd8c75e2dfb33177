"""The assembly: picklable addresses and configuration from which every actor makes its parts in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from actors.courier import Peers
from actors.host import Parts
from actors.ports import LockstepPort, MarketClock, Store, StreamsPort
from actors.ray_runtime import CLASSES
from infra.bybit.clock import LiveClock
from infra.bybit.credentials import Credentials, from_environment, from_simulator
from infra.bybit.endpoints import Endpoints, endpoints
from infra.bybit.exchange import BybitExchange
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.lockstep import SimulatorLockstep
from infra.bybit.session import HttpSessions
from infra.bybit.streams import PrivateStreams, PublicStreams
from infra.config import EternalConfig, Profile
from infra.database.store import PostgresStore
from infra.feeds.dvol import DvolFeed
from infra.feeds.fear_greed import FearGreedFeed
from infra.feeds.feeds import Feeds
from infra.feeds.source import HttpJson
from statemachines.brain import Brain
from statemachines.component.policy import SupervisionPolicy
from statemachines.values import Account, ActorName

ALTERNATIVE_ME = "https://api.alternative.me"
DERIBIT = "https://www.deribit.com"

TRADING = (Account.CORE_HODL, Account.TREND_1, Account.TREND_2, Account.FUNDING, Account.TACTICAL)
LIVE_QUOTE_GAP_S = 1.0
LIVE_STALE_S = 60.0
PAPER_LOOK_UP_PAUSE_S = 0.2
"""The simulated exchange has no lagging copies to wait for; Bybit's history has (bybit-v5 4.2)."""


@dataclass(frozen=True)
class SystemAssembly:
    """Implements `actors.ray_runtime.Assembly`. Keys travel as the path of their file, never as values."""

    config: EternalConfig
    database_url: str = field(repr=False)
    reader_url: str = field(repr=False)
    installation_id: str
    exchange_url: str
    keys_file: Path | None
    api_port: int
    ray_dashboard: str
    market_label: str

    # --- Assembly ---

    def parts(self, name: ActorName, peers: Peers) -> Parts:
        """What one actor needs: only market data and the order manager reach the exchange."""
        exchange = self._exchange() if name in (ActorName.MARKET_DATA, ActorName.ORDER_MANAGER) else None
        return Parts(
            self.brain(name),
            self.store(),
            exchange,
            self._streams(name),
            peers,
            self.clock(),
            is_lockstep=self.config.is_simulated,
        )

    def brain(self, name: ActorName) -> Brain:
        from api.brains import brains

        return brains(self.config, self.installation_id)[name]()

    def store(self) -> Store:
        return PostgresStore(self.database_url)

    def lockstep(self) -> LockstepPort | None:
        if not self.config.is_simulated:
            return None
        token = self.credentials().simulator_token
        if token is None:
            raise RuntimeError(f"the key file {self.keys_file} carries no token for the simulated exchange")
        return SimulatorLockstep(self.exchange_url, token)

    def clock(self) -> MarketClock:
        lockstep = self.lockstep()
        if lockstep is not None:
            return _LockstepClock(lockstep)
        live = LiveClock(self._sessions())
        live.synchronise()
        live.keep()
        return live

    def pace_s(self) -> float:
        return float(self.config.exchange.pace_s) / 24

    def actor_class(self, name: ActorName) -> type:
        if name is ActorName.ORCHESTRATOR:
            from orchestrator.actor import Orchestrator

            return Orchestrator
        if name is ActorName.API:
            from api.actor import Api

            return Api
        return CLASSES[name]

    def further_components(self) -> Sequence[ActorName]:
        return (ActorName.API,)

    def supervision(self) -> SupervisionPolicy:
        return self.config.supervision

    # --- pieces ---

    def credentials(self) -> Credentials:
        """Keys of all accounts: the simulator's file for paper, the environment elsewhere."""
        if self.keys_file is not None:
            return from_simulator(self.keys_file)
        import os

        return from_environment(os.environ)

    def _endpoints(self) -> Endpoints:
        return endpoints(self.config.profile.value, self.exchange_url)

    def _sessions(self) -> HttpSessions:
        return HttpSessions(self.credentials(), self._endpoints().rest, proxy=self.config.live.proxy())

    def _exchange(self) -> BybitExchange:
        is_paper, proxy = self.config.profile is Profile.PAPER, self.config.live.proxy()
        sources = (self.exchange_url, self.exchange_url) if is_paper else (ALTERNATIVE_ME, DERIBIT)
        return BybitExchange(
            self._sessions(),
            symbols=self.config.market_data.symbols,
            uids=self.credentials().uids(),
            clock=self.clock(),
            read_feed=Feeds(
                FearGreedFeed(HttpJson(sources[0], proxy=proxy)), DvolFeed(HttpJson(sources[1], proxy=proxy))
            ).read,
            limiter=None if is_paper else RateLimiter(RateLimits()),
            look_up_pause_s=PAPER_LOOK_UP_PAUSE_S if is_paper else 2.0,
        )

    def _streams(self, name: ActorName) -> StreamsPort | None:
        addresses, is_paper = self._endpoints(), self.config.is_simulated
        proxy = self.config.live.proxy()
        is_listening = name in (ActorName.MARKET_DATA, ActorName.ORDER_MANAGER)
        now = self.clock().now_ms if is_listening and not is_paper else None
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
        if name is ActorName.ORDER_MANAGER:
            return PrivateStreams(addresses.private_stream, self.credentials(), TRADING, now, proxy)
        return None


class _LockstepClock:
    """Market time of the simulated exchange, asked when it is wanted: for query windows only."""

    def __init__(self, lockstep: LockstepPort) -> None:
        self._lockstep = lockstep

    def now_ms(self) -> int:
        return self._lockstep.status().market_ms
