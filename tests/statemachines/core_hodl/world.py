"""A world for CORE-HODL: the whole portfolio around the engine, daily bars, transfers, one day after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from statemachines.actor_logic import ActorLogic, HistoryNeed
from statemachines.commands import Command, Commands, Send
from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.facts import BarFact
from statemachines.messages.accounts import AccountView, BalancesKnown, Portfolio, TransferEnded
from statemachines.messages.control import CycleDone, RiskState, RunCycle
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import Intent
from statemachines.values import DAY_MS, SPOT, Account, ActorName, Side
from tests.kit import builders
from tests.statemachines.harness import ZERO, Outcome, World, known_instruments

ASSETS = ("BTC", "ETH")
COLLAR = Decimal("0.1")


def ms_of(day: str) -> int:
    """Start of a UTC day."""
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp() * 1000)


def bar(asset: str, day_ms: int, close: Decimal) -> BarFact:
    """A daily spot bar of which only the close matters."""
    return builders.bar(SPOT, f"{asset}USDT", day_ms, close)


@dataclass(frozen=True)
class Check:
    """What an intent would do to the engine at its reference price, taken when it was sent."""

    intent: Intent
    cash_after: Decimal
    buffer: Decimal
    counted_after: Decimal
    limit: Decimal


class CoreWorld(World):
    """`share` is the engine's part of the whole portfolio; `tactical` are TACTICAL's coins."""

    def __init__(
        self,
        make: Callable[[], CoreHodlEngine],
        *,
        cash: Decimal,
        share: Decimal = Decimal("0.6"),
        tactical: Mapping[str, Decimal] | None = None,
        **more: Any,
    ) -> None:
        self.share = share
        self.tactical = dict(tactical or {})
        self.checks: list[Check] = []
        self.told_closes: dict[int, dict[str, Decimal]] = {}
        super().__init__(make, Account.CORE_HODL, cash, **more)

    def portfolio(self) -> Portfolio:
        own = super().portfolio()
        tactical = AccountView(account=Account.TACTICAL, equity_usdt=ZERO, cash_usdt=ZERO, coins=self.tactical)
        accounts = {**own.accounts, Account.TACTICAL: tactical}
        return own.model_copy(update={"equity_usdt": own.equity_usdt / self.share, "accounts": accounts})

    def step(self, decide: Callable[[], Commands]) -> Commands:
        """Purchases are checked against what the engine had when it decided, orders of one decision together."""
        self._pending = [one for one in self.hanging.values() if one.side is Side.BUY]
        self._before = (self.cash, dict(self.coins), self.equity())
        return super().step(decide)

    def act(self, command: Command) -> None:
        if isinstance(command, Send) and isinstance(command.body, Intent):
            self._check(command.body)
        super().act(command)

    def _check(self, intent: Intent) -> None:
        """CH-7 at the reference prices of this intent and of those before it that are not filled."""
        cash, held, equity = self._before
        if intent.side is Side.BUY:
            self._pending.append(intent)
        committed = sum((i.quantity * i.reference_price for i in self._pending), ZERO)
        added = sum((i.quantity for i in self._pending if i.symbol == intent.symbol), ZERO)
        asset = intent.symbol.removesuffix("USDT")
        coins = held.get(asset, ZERO) + self.tactical.get(asset, ZERO) + added
        counted, limit = coins * intent.reference_price, equity / self.share * Decimal("0.45")
        self.checks.append(Check(intent, cash - committed, equity * Decimal("0.05"), counted, limit))

    # --- days ---

    def run_day(
        self,
        day_ms: int,
        closes: Mapping[str, Decimal],
        opens: Mapping[str, Decimal] | None = None,
        missing: Sequence[str] = (),
        entries_allowed: bool = True,
    ) -> None:
        """The daily cycle of the bar `day_ms`: orders fill at `opens` (by default at the closes)."""
        now_ms = day_ms + DAY_MS
        self.advance_to(max(self.now_ms, now_ms))
        for asset, close in closes.items():
            self.closes[SPOT, f"{asset}USDT"] = close
            self.prices[SPOT, f"{asset}USDT"] = (opens or closes)[asset]
        bars = tuple(bar(asset, day_ms, close) for asset, close in closes.items() if asset not in missing)
        self.told_closes[now_ms] = {b.symbol.removesuffix("USDT"): b.close for b in bars}
        self.tell(DayClosed(day_ms=day_ms, close_ms=now_ms, bars=bars), self.portfolio())
        self.tell(self.cycle(day_ms, entries_allowed))
        self.settle()

    def cycle(self, day_ms: int, entries_allowed: bool = True) -> RunCycle:
        """The orchestrator's order to decide on a day."""
        return RunCycle(
            day_ms=day_ms,
            close_ms=day_ms + DAY_MS,
            engine=ActorName.CORE_HODL,
            target_usdt=self.equity(),
            portfolio_usdt=self.equity() / self.share,
            entries_allowed=entries_allowed,
        )

    def flow(self, coin: str, amount: Decimal, purpose: str = "test") -> None:
        """Money or coins come (positive) or go (negative)."""
        if coin == "USDT":
            self.cash += amount
        else:
            self.coins[coin] = self.coins.get(coin, ZERO) + amount
        other, name = Account.TACTICAL, f"transfer-{len(self.sent)}-{self.now_ms}"
        self.tell(
            TransferEnded(
                transfer_id=name,
                request_id=name,
                from_account=other if amount > 0 else Account.CORE_HODL,
                to_account=Account.CORE_HODL if amount > 0 else other,
                coin=coin,
                amount=abs(amount),
                purpose=purpose,
                succeeded=True,
            ),
            self.portfolio(),
        )

    def outside(self, amount: Decimal) -> None:
        """USDT comes to the engine's own account from outside (positive), or leaves it: the balances say so."""
        self.cash += amount
        known = {"deposits" if amount > 0 else "withdrawals": {"USDT": abs(amount)}}
        coins = {"USDT": self.cash, **self.coins}
        self.tell(BalancesKnown(account=Account.CORE_HODL, coins=coins, positions={}, **known), self.portfolio())

    def finish(self, share: str = "1") -> None:
        """End every working order with this part of it filled, and let the engine go on.

        Nothing fills further than the price collar of 10 % from the order's reference price (RM-1).
        """
        for intent_id in list(self.hanging):
            intent = self.hanging.pop(intent_id)
            moved = self.prices[intent.category, intent.symbol] / intent.reference_price - 1
            self.fill(intent, Decimal(share) if abs(moved) <= COLLAR else ZERO)
        self.tell()
        self.settle()

    # --- what happened ---

    def triggers(self, *names: str) -> list[tuple[int, str]]:
        """(day, trigger) of journal lines with one of these triggers, the day being that of the cycle."""
        return [(ms // DAY_MS * DAY_MS - DAY_MS, note.trigger) for ms, note in self.noted if note.trigger in names]

    def intents(self, purpose: str = "") -> list[Intent]:
        """All intents sent, or those of one purpose."""
        bodies = [body for _, body in self.sent if isinstance(body, Intent)]
        return [one for one in bodies if not purpose or one.purpose == purpose]

    def done(self) -> list[CycleDone]:
        return [body for _, body in self.sent if isinstance(body, CycleDone)]

    @property
    def state(self) -> str:
        """The machine's state as its row tells it."""
        return self.rows["ENGINE"].state

    def row(self) -> Mapping[str, Any]:
        """The engine's row."""
        return dict(json.loads(json.dumps(dict(self.rows["ENGINE"].data))))


def world(
    cash: str | Decimal = "60000",
    parameters: CoreHodlParameters | None = None,
    start: str = "2021-01-10",
    history: Mapping[HistoryNeed, Sequence[BarFact]] | None = None,
    decide: Callable[[Intent], Outcome] | None = None,
    **more: Any,
) -> CoreWorld:
    """A world that has told the engine its instruments, at the beginning of the day `start`."""

    def warm(engine: ActorLogic) -> None:
        engine.warm(history or {})

    made = CoreWorld(
        lambda: CoreHodlEngine(parameters),
        cash=Decimal(cash),
        warm=warm,
        now_ms=ms_of(start),
        **(more if decide is None else more | {"decide": decide}),
    )
    made.tell(known_instruments())
    return made


CLOSES = {"BTC": Decimal(10_000), "ETH": Decimal(1_000)}


def built_world(start: str = "2021-01-10", **more: Any) -> CoreWorld:
    """An engine of 60,000 USDT that has its targets already: 3.8 BTC, 19 ETH and 3,000 USDT of cash (C5)."""
    made = world("3000", start=start, coins={"BTC": Decimal("3.8"), "ETH": Decimal(19)}, **more)
    made.run_day(ms_of(start), CLOSES)
    assert made.state == "ACCUMULATION" and not made.intents()
    return made


START = ms_of("2021-01-10")
ETH_UP = {"BTC": Decimal(10_000), "ETH": Decimal(2_000)}
"""ETH 38,000 against BTC 38,000: 16.7 points of drift."""

Decide = Callable[[Intent], Outcome]


def hanging(*purposes: str) -> Decide:
    """Orders for these purposes work until the test ends them."""
    return lambda intent: Outcome(hangs=intent.purpose in purposes)


def hangs_if(side: Side) -> Decide:
    return lambda intent: Outcome(hangs=intent.side is side)


def day(number: int) -> int:
    return START + number * DAY_MS


def risk(
    state: Literal["NORMAL", "CAUTION", "HALTED", "REDUCE_ONLY", "PAUSED"], scope: str = "GLOBAL", reason: str = "test"
) -> RiskState:
    return RiskState(scope=scope, state=state, size_factor=Decimal(1), reason=reason)


def sides(intents: Sequence[Intent]) -> list[tuple[str, str]]:
    return [(one.side.value, one.symbol[:3]) for one in intents]


def sum_of(intents: Sequence[Intent], asset: str) -> Decimal:
    return sum((one.quantity for one in intents if one.symbol == f"{asset}USDT"), Decimal(0))
