"""One process, one thread: actors, gateway and simulated exchange, moved by the same rule as under Ray."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from actors.runtime.durable_actor import DurableActor
from actors.runtime.in_process import InProcessRuntime, StreamEvent
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.ports import Store
from actors.runtime.registry import TURN_ORDER
from infra.backtest.view import MarketView
from infra.bybit.exchange import BybitExchange
from infra.bybit.session import DirectSessions, Handle
from infra.bybit.streams.frames import moment_ms, parse_private_frame
from infra.feeds.dvol import DvolFeed
from infra.feeds.fear_greed import FearGreedFeed
from infra.feeds.feeds import Feeds
from infra.simulator.api import AdvanceResult, ApiRequest, Exchange, Frame
from infra.simulator.venue.stepper import Public
from statemachines.actor_logic import ActorLogic, Lookahead, shared_lookahead
from statemachines.lockstep import LockstepRule, Next, StepSeen
from statemachines.values import LINEAR, SPOT, Account, ActorName, Category

SYMBOLS: tuple[tuple[Category, str], ...] = tuple(
    (category, symbol) for category in (SPOT, LINEAR) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
)
PRIVATE_TOPICS = ("order", "execution")


class DirectExchange:
    """The simulated exchange of this process as the gateway calls it; its market time is the `MarketClock`."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._uids = {Account(one.name): one.uid for one in exchange.config.accounts}

    def now_ms(self) -> int:
        return self._exchange.market_time

    def handle(self, method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Mapping[str, Any]:
        """Perform one request with the account's key; None is the public interface."""
        uid = self._uids[account] if account is not None else None
        return self._exchange.handle(ApiRequest(method, path, params, uid))

    def gateway(self, handle: Handle | None = None) -> BybitExchange:
        """The gateway over this exchange; its accounts' requests go through `handle` (default: directly)."""
        get = partial(self.handle, "GET", account=None)
        return BybitExchange(
            DirectSessions(handle or self.handle),
            symbols=SYMBOLS,
            uids=self._uids,
            clock=self,
            read_feed=Feeds(FearGreedFeed(get), DvolFeed(get)).read,
            look_up_pause_s=0.0,
            pause=lambda _seconds: None,
        )

    def subscribe(self) -> None:
        """Subscribe to every account's reports, as the private streams would."""
        for account in self._uids:
            self._exchange.subscribe(PRIVATE_TOPICS, account=account.value)


def move(
    exchange: Exchange,
    rule: LockstepRule,
    durables: Mapping[ActorName, DurableActor],
    lookahead: Callable[[], Lookahead],
    asked: int,
    until_ms: int | None,
) -> tuple[AdvanceResult, Next] | None:
    """One move of a settled system, passing over no hour beyond `until_ms`: what the exchange has shown and what
    follows from it; None when an actor was ticked instead. `asked` counts the requests performed so far."""
    now_ms = exchange.market_time
    deadlines = {name: due for name, durable in durables.items() if (due := durable.deadline()) is not None}
    chosen = rule.choose(deadlines, lookahead, now_ms, {}, asked)
    if chosen.tick is not None and chosen.is_at_rest:
        durables[chosen.tick].tick(now_ms)
        return None
    ahead = chosen.lookahead if until_ms is None else chosen.lookahead.and_of(Lookahead(until_ms))
    result = exchange.advance(exchange.step, chosen.until_ms, ahead.until_ms, ahead.max_basis)
    is_quiet = not result.frames and result.public is Public.NOTHING
    return result, rule.stepped(chosen, asked, StepSeen(is_quiet, bool(result.queued), result.end))


class InProcessSystem:
    """All logics on an in-process exchange. `run` continues to the end of the market or until `until_ms`."""

    def __init__(
        self,
        exchange: Exchange,
        logics: Mapping[ActorName, Callable[[], ActorLogic]],
        store: Store,
        probe: Callable[[ActorName, str], None] | None = None,
        policies: PolicyPort | None = None,
    ) -> None:
        self.exchange = exchange
        self._direct = DirectExchange(exchange)
        self._view = MarketView(exchange, SYMBOLS)
        self._early: list[StreamEvent] = []
        self._is_subscribed = False
        self._rule = LockstepRule(TURN_ORDER)
        self.runtime = InProcessRuntime(logics, store, self._direct.gateway(), self._frames, probe, policies)

    def start(self) -> None:
        """Subscribe as the streams would, then start and settle every actor; also after a crash of all of them."""
        if self._is_subscribed:
            self.runtime.start(self.exchange.market_time)
            return
        self._is_subscribed = True
        self._see(Public.POINT)
        self._direct.subscribe()
        self.runtime.start(self.exchange.market_time)

    def run(self, until_ms: int | None = None) -> None:
        """Settle, tick who is due, else let the exchange make a step; again and again."""
        while True:
            self.runtime.settle()
            if until_ms is not None and self.exchange.market_time >= until_ms:
                return
            if not self.step(until_ms):
                return

    def lose_frames(self) -> None:
        """What a crash loses: frames on their way. The restarted actors read what they missed."""
        self._early.clear()
        self.exchange.drain()

    def step(self, until_ms: int | None = None) -> bool:
        """One move of the settled system, passing over no hour beyond `until_ms`; False when the market has ended."""
        durables = self.runtime.durables
        made = move(self.exchange, self._rule, durables, self._lookahead, self.runtime.performed, until_ms)
        if made is None:
            return True
        result, follows = made
        if result.frames:
            self._early += _private(result.frames)
        self._see(result.public, result.passed_ms)
        if follows.tick is not None:
            durables[follows.tick].tick(self.exchange.market_time)
        return not follows.is_end

    def _lookahead(self) -> Lookahead:
        return shared_lookahead(durable.lookahead() for durable in self.runtime.durables.values())

    def _see(self, public: Public, passed_ms: Sequence[int] = ()) -> None:
        now_ms = self.exchange.market_time
        seen = self._view.see(public, passed_ms)
        self._early += [StreamEvent(ActorName.MARKET_DATA, *one, now_ms) for one in seen]

    def _frames(self) -> list[StreamEvent]:
        frames = self.exchange.drain()
        if not frames and not self._early:
            return []
        events, self._early = [*self._early, *_private(frames)], []
        return events


def _private(frames: Sequence[Frame]) -> list[StreamEvent]:
    return [
        StreamEvent(ActorName.ORDER_MANAGER, body, natural_id, moment_ms(body))
        for frame in frames
        for body, natural_id in parse_private_frame(Account(str(frame.account)), frame.frame)
    ]
