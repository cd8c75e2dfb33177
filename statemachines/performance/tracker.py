"""The daily record of every engine and of the whole (P4): equity without flows, costs, yields.

The risk manager gives it what it receives in any case and asks for the records at each daily close, before its flows
are reset; so equity and flows are those of RM-3.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple, Self

from statemachines.actor_logic import StateRow
from statemachines.facts import PerformanceFact
from statemachines.messages.accounts import BalancesKnown, FundingPaid, Portfolio, StakingForgone, TransferEnded
from statemachines.messages.orders import Fill
from statemachines.performance.tally import ZERO, Tally
from statemachines.portfolio.amounts import decimals_of, texts_of
from statemachines.portfolio.equity import USDT, coin_value_usdt, spot_key
from statemachines.portfolio.flows import Flows, period_return
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.state_store import RowKind
from statemachines.values import ACCOUNT_OF, DAY_MS, ENGINE_OF, ENGINES, ActorName, Side

TOTAL = "total"
"""The whole: all accounts, with what lies in the master account."""

HARVEST = "OR-4"
"""How the purpose of a transfer begins that trims an engine back to its weight."""


class Staking(NamedTuple):
    """What is staked at the close, what it has earned since the last one, and what was forgone, USDT (CH-11)."""

    staked_usdt: Decimal = ZERO
    earned_usdt: Decimal = ZERO
    forgone_usdt: Decimal = ZERO


class Yield:
    """Coins that an engine's staking has earned, or that it has forgone, since its first start."""

    def __init__(self) -> None:
        self.total: dict[str, Decimal] = {}
        self.counted: dict[str, Decimal] = {}
        """Those up to the last close."""

    def since(self) -> dict[str, Decimal]:
        """Those after the last close."""
        return {coin: amount - self.counted.get(coin, ZERO) for coin, amount in self.total.items()}

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {"total": texts_of(self.total), "counted": texts_of(self.counted)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """From the result of `to_data`."""
        found = cls()
        found.total, found.counted = decimals_of(data["total"]), decimals_of(data["counted"])
        return found


class PerformanceTracker:
    """Mutable; durable as one row for each engine and one for the closes."""

    def __init__(self) -> None:
        self._tallies: dict[ActorName, Tally] = {}
        self._staked: dict[ActorName, dict[str, Decimal]] = {}
        self._earned: dict[ActorName, Yield] = {}
        self._forgone: dict[ActorName, Yield] = {}
        self._equity_usdt: dict[str, Decimal] = {}

    # --- what happens between two closes ---

    def take_fill(self, body: Fill, decided_price: Decimal | None) -> None:
        """A fill; `decided_price` is the price at which its order was decided, None where that is not known."""
        if body.engine not in ENGINES:
            return
        tally, value = self._tally(body.engine), body.quantity * body.price
        tally.turnover_usdt += value
        tally.fees_usdt += body.fee if body.fee_coin == USDT else body.fee * body.price
        if decided_price is not None:
            tally.decided_usdt += value
            tally.slippage_usdt += (body.price - decided_price) * body.quantity * (1 if body.side is Side.BUY else -1)

    def take_funding(self, body: FundingPaid) -> None:
        """A funding settlement."""
        if body.engine in ENGINES:
            self._tally(body.engine).funding_usdt += body.amount_usdt

    def take_transfer(self, body: TransferEnded, prices: Mapping[str, Decimal]) -> None:
        """A movement between accounts; `prices` value a coin that moved."""
        if not body.succeeded or not body.purpose.startswith(HARVEST):
            return
        if body.coin != USDT and spot_key(body.coin) not in prices:
            return
        value = coin_value_usdt(body.coin, body.amount, prices)
        for account, amount in ((body.from_account, value), (body.to_account, -value)):
            if account in ENGINE_OF:
                self._tally(ENGINE_OF[account]).harvest_usdt += amount

    def take_balances(self, body: BalancesKnown) -> None:
        """What is staked, and what staking has earned since the first start; it is valued at the close."""
        engine = ENGINE_OF.get(body.account)
        if engine is None or not (body.staked or body.earned or engine in self._earned):
            return
        self._staked[engine] = dict(body.staked)
        self._earned.setdefault(engine, Yield()).total = dict(body.earned)

    def take_forgone(self, body: StakingForgone) -> None:
        """What coins that are not staked would have earned since the first start; it is valued at the next close."""
        self._forgone.setdefault(ENGINE_OF[body.account], Yield()).total[body.coin] = body.amount

    # --- the close ---

    def close(self, portfolio: Portfolio, book: AccountHoldings, close_ms: int) -> list[PerformanceFact]:
        """The records of the day that has ended, and a new beginning. `book` still has the flows since the last one."""
        facts, whole, whole_staking = [], Tally(), Staking()
        for engine in ENGINES:
            account = ACCOUNT_OF[engine]
            tally = self._tallies.get(engine, Tally())
            staking = Staking(
                _value(self._staked.get(engine, {}), portfolio.prices),
                _value(self._earned.get(engine, Yield()).since(), portfolio.prices),
                _value(self._forgone.get(engine, Yield()).since(), portfolio.prices),
            )
            equity_usdt = portfolio.accounts[account].equity_usdt
            flows = book.flows_of([account])
            facts.append(self._record(str(engine), equity_usdt, flows, tally, staking, close_ms))
            whole.add(tally)
            whole_staking = Staking(*(x + y for x, y in zip(whole_staking, staking, strict=True)))
        flows = book.flows_of(portfolio.accounts)
        facts.append(self._record(TOTAL, portfolio.equity_usdt, flows, whole, whole_staking, close_ms))
        self._tallies.clear()
        for one in (*self._earned.values(), *self._forgone.values()):
            one.counted = dict(one.total)
        return facts

    def _record(
        self, name: str, equity_usdt: Decimal, flows: Flows, tally: Tally, staking: Staking, close_ms: int
    ) -> PerformanceFact:
        before, self._equity_usdt[name] = self._equity_usdt.get(name), equity_usdt
        return PerformanceFact(
            day_ms=close_ms - DAY_MS,
            engine=name,
            equity_usdt=equity_usdt,
            flow_usdt=flows.net_usdt,
            day_return=None if before is None else period_return(before, flows, equity_usdt),
            staked_usdt=staking.staked_usdt,
            earned_usdt=staking.earned_usdt,
            forgone_usdt=staking.forgone_usdt,
            turnover_usdt=tally.turnover_usdt,
            decided_usdt=tally.decided_usdt,
            slippage_usdt=tally.slippage_usdt,
            fees_usdt=tally.fees_usdt,
            funding_usdt=tally.funding_usdt,
            harvest_usdt=tally.harvest_usdt,
        )

    def _tally(self, engine: ActorName) -> Tally:
        return self._tallies.setdefault(engine, Tally())

    # --- durability ---

    def engine_data(self, engine: ActorName) -> dict[str, Any]:
        """The durable state of one engine since the last close."""
        return {
            "tally": self._tallies.get(engine, Tally()).to_data(),
            "staked": texts_of(self._staked.get(engine, {})),
            "earned": self._earned.get(engine, Yield()).to_data(),
            "forgone": self._forgone.get(engine, Yield()).to_data(),
        }

    def restore_engine(self, engine: ActorName, data: Mapping[str, Any]) -> None:
        """Restore from the result of `engine_data`."""
        if data["tally"]:
            self._tallies[engine] = Tally.of(data["tally"])
        if data["staked"]:
            self._staked[engine] = decimals_of(data["staked"])
        for kept, name in ((self._earned, "earned"), (self._forgone, "forgone")):
            if data[name]["total"]:
                kept[engine] = Yield.of(data[name])

    def closes_data(self) -> dict[str, Any]:
        """The durable state of the last close."""
        return {"equity_usdt": texts_of(self._equity_usdt)}

    def restore_closes(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `closes_data`."""
        self._equity_usdt = decimals_of(data["equity_usdt"])


def _value(coins: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> Decimal:
    return sum((coin_value_usdt(coin, amount, prices) for coin, amount in coins.items()), ZERO)


def _before_forgone(row: StateRow) -> StateRow:
    """Schema 1 had what was earned and what of it was counted side by side, and nothing of what was forgone."""
    data = {name: row.data[name] for name in ("tally", "staked")}
    data["earned"] = {"total": row.data["earned"], "counted": row.data["counted"]}
    data["forgone"] = {"total": {}, "counted": {}}
    return StateRow(row.key, row.state, 2, data)


PREFIX = "performance:"
PERFORMANCE = RowKind(PREFIX, 2, {1: _before_forgone})
"""The rows of the engines, and their former shape."""


def rows_of(*engines: ActorName | None) -> tuple[str, ...]:
    """The keys of the rows of these; none for an actor that is no engine."""
    return tuple(f"{PREFIX}{one}" for one in engines if one in ENGINES)
