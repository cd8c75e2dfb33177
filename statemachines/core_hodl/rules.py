"""The rules of CORE-HODL as pure functions (CH-1 .. CH-8, RULINGS C1 .. C4, C7, C8). All comparisons are strict."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.outlook.terms import Term, all_hold
from statemachines.values import DAY_MS, Instrument

ZERO = Decimal(0)
ONE = Decimal(1)

Amounts = dict[str, Decimal]
"""Per asset: a value or an amount in USDT, or a share."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """The engine's holdings at last closed prices. Cash and values in USDT; `coins` includes staked coins.

    `tactical_coins` also count toward the 45 % (C7); `portfolio_usdt` is the equity of all accounts.
    """

    cash_usdt: Decimal
    coins: Mapping[str, Decimal]
    prices: Mapping[str, Decimal]
    tactical_coins: Mapping[str, Decimal]
    portfolio_usdt: Decimal

    def value(self, asset: str) -> Decimal:
        return self.coins.get(asset, ZERO) * self.prices[asset]

    @property
    def invested_usdt(self) -> Decimal:
        return sum((self.value(asset) for asset in self.prices), ZERO)

    @property
    def equity_usdt(self) -> Decimal:
        return self.cash_usdt + self.invested_usdt

    def counted(self, asset: str) -> Decimal:
        """CORE's and TACTICAL's spot together (C7), in USDT."""
        return self.value(asset) + self.tactical_coins.get(asset, ZERO) * self.prices[asset]


# --- targets ---


def weights(p: CoreHodlParameters) -> Amounts:
    """CH-1, C1: 2/3 and 1/3 at every size of the engine."""
    whole = sum(p.weights.values())
    return {asset: Decimal(part) / whole for asset, part in p.weights.items()}


def cap_usdt(books: Valuation, asset: str, p: CoreHodlParameters) -> Decimal:
    """CH-7, C7: the value of the asset that CORE may hold beside TACTICAL's, at 45 % of the whole portfolio."""
    tactical = books.counted(asset) - books.value(asset)
    return max(ZERO, p.max_share * books.portfolio_usdt - tactical)


def targets(books: Valuation, planned_usdt: Decimal, p: CoreHodlParameters) -> Amounts:
    """CH-7, C4: per asset weight × (95 % of the engine − planned cash), within the 45 %."""
    base = max(ZERO, (ONE - p.cash_buffer) * books.equity_usdt - planned_usdt)
    return {asset: min(weight * base, cap_usdt(books, asset, p)) for asset, weight in weights(p).items()}


# --- CH-2: drift and calendar ---


def drifts(books: Valuation, aims: Mapping[str, Decimal], p: CoreHodlParameters) -> Amounts:
    """C2: per asset its weight minus the renormalised target weight, as shares of the invested value.

    All drifts are 0 while nothing is invested or CH-7 allows nothing.
    """
    invested, whole = books.invested_usdt, sum(aims.values(), ZERO)
    if invested <= 0 or whole <= 0:
        return dict.fromkeys(p.assets, ZERO)
    return {asset: books.value(asset) / invested - aims[asset] / whole for asset in p.assets}


def largest(shares: Mapping[str, Decimal]) -> Decimal:
    """The largest drift, without its sign."""
    return max((abs(share) for share in shares.values()), default=ZERO)


def drift_due(drift: Decimal, day_ms: int, last_drift_day_ms: int | None, p: CoreHodlParameters) -> bool:
    """CH-2, C2: whether the drift is above 10 points, at least 3 days after the last drift rebalance."""
    return all_hold(drift_terms(drift, day_ms, last_drift_day_ms, p))


def drift_terms(drift: Decimal, day_ms: int, last_drift_day_ms: int | None, p: CoreHodlParameters) -> tuple[Term, ...]:
    """CH-2, C2: what a daily close must show for a drift rebalance."""
    drifted = Term("largest drift from the target weights", drift, "above", p.max_drift, "share", p.max_drift)
    if last_drift_day_ms is None:
        return (drifted,)
    since, spacing = Decimal(day_ms - last_drift_day_ms) / DAY_MS, Decimal(p.drift_spacing_days)
    return drifted, Term("days since the last drift rebalance", since, "at_least", spacing, "days", spacing)


def next_quarter_end_ms(day_ms: int) -> int:
    """Start of the first bar on or after `day_ms` that is dated the last day of a quarter (C3)."""
    day = datetime.fromtimestamp(day_ms / 1000, UTC)
    month = (day.month - 1) // 3 * 3 + 3
    first = datetime(day.year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return int((first - timedelta(days=1)).timestamp()) * 1000


def calendar_due_ms(day_ms: int, before_ms: int | None) -> int | None:
    """C3: the quarter's end that falls on this bar, or on a day without a cycle since the bar `before_ms`."""
    since_ms = day_ms if before_ms is None else before_ms + DAY_MS
    due_ms = next_quarter_end_ms(since_ms)
    return due_ms if due_ms <= day_ms else None


# --- CH-8: suspension ---


def fall(close: Decimal, high: Decimal) -> Decimal:
    """How far a close is below the highest close, as a share of it."""
    return ZERO if high <= 0 else max(ZERO, ONE - close / high)


def is_suspended(before: bool, falls: Mapping[str, Decimal], p: CoreHodlParameters) -> bool:
    """CH-8, C8: begins with a close more than 70 % below the high, ends when none is more than 65 % below."""
    if any(suspension_term(asset, one, p).holds for asset, one in falls.items()):
        return True
    return before and any(one > p.resume_fall for one in falls.values())


def suspension_term(asset: str, fall_now: Decimal, p: CoreHodlParameters) -> Term:
    """CH-8, C8: a close more than 70 % below the high."""
    return Term(f"fall of {asset} from its high", fall_now, "above", p.suspend_fall, "share", p.suspend_fall)


def fallen(suspended: bool, falls: Mapping[str, Decimal], p: CoreHodlParameters) -> frozenset[str]:
    """C8: the assets that must not be sold now."""
    return frozenset(asset for asset, one in falls.items() if suspended and one > p.resume_fall)


# --- CH-7: limits ---


def trims(books: Valuation, protected: frozenset[str], unfinished: Collection[str], p: CoreHodlParameters) -> Amounts:
    """C7: above 50 % of the portfolio at a close, CORE sells down to 45 %; never a fallen asset (C8).

    An asset in `unfinished` had such a sale that was not completely filled: it continues down to 45 %.
    """
    found: Amounts = {}
    for asset in p.assets:
        counted = books.counted(asset)
        if trim_term(books, asset, asset in unfinished, p).holds and asset not in protected:
            found[asset] = min(counted - p.max_share * books.portfolio_usdt, books.value(asset))
    return found


def trim_term(books: Valuation, asset: str, is_unfinished: bool, p: CoreHodlParameters) -> Term:
    """C7: the value of CORE's and TACTICAL's coins against 50 % of the portfolio; 45 % once a sale is unfinished."""
    limit = (p.max_share if is_unfinished else p.trim_share) * books.portfolio_usdt
    return Term(f"value of {asset} held", books.counted(asset), "above", limit, "USDT", limit)


def spendable_usdt(books: Valuation, p: CoreHodlParameters) -> Decimal:
    """CH-7: cash above the buffer of 5 % of the engine."""
    return max(ZERO, books.cash_usdt - p.cash_buffer * books.equity_usdt)


def is_buffer_thin(books: Valuation, p: CoreHodlParameters) -> bool:
    """C7: whether less than 2.5 % of the engine is cash."""
    return books.cash_usdt < p.cash_alert * books.equity_usdt


def affordable(wanted: Mapping[str, Decimal], rooms: Mapping[str, Decimal], budget_usdt: Decimal) -> Amounts:
    """CH-7: purchases capped at each asset's room, then scaled pro rata to the cash available."""
    cut = {asset: max(ZERO, min(amount, rooms[asset])) for asset, amount in wanted.items()}
    whole, budget = sum(cut.values(), ZERO), max(ZERO, budget_usdt)
    if whole <= budget:
        return cut
    return {asset: amount * budget / whole for asset, amount in cut.items()}


# --- CH-4: legs ---


def lots(amount_usdt: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
    """The quantity that `amount_usdt` buys at `price`, in whole lots; 0 when the exchange would refuse it."""
    quantity = instrument.floor_qty(amount_usdt / price)
    return quantity if instrument.tradable(quantity, price) else ZERO


def over(books: Valuation, aims: Mapping[str, Decimal], p: CoreHodlParameters) -> Amounts:
    """CH-4, C4: the amounts to sell; a leg below 0.1 % of the engine is left out."""
    least = p.min_leg_share * books.equity_usdt
    return {a: x for a in p.assets if (x := books.value(a) - aims[a]) > 0 and x >= least}


def under(books: Valuation, aims: Mapping[str, Decimal], p: CoreHodlParameters) -> Amounts:
    """CH-4: the amounts to buy, limited by the proceeds."""
    return {a: x for a in p.assets if (x := aims[a] - books.value(a)) > 0}
