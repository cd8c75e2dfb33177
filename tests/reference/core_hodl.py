"""An independent computation of the CORE-HODL rules (SPEC chapter 2, RULINGS C1-C8, D1, D3) on daily spot bars.

It imports nothing of this project. Exact fractions, one loop over days: decisions on the day's closes, every order
filled whole at the open of the next bar, the maker fee of a purchase taken in the coin and of a sale in USDT. The whole
portfolio is the engine divided by `share`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl

DAY = 86_400_000
ASSETS = ("BTC", "ETH")
WEIGHT = {"BTC": Fraction(2, 3), "ETH": Fraction(1, 3)}
STEP = {"BTC": Fraction(1, 1_000_000), "ETH": Fraction(1, 100_000)}
LEAST = {"BTC": Fraction("0.000011"), "ETH": Fraction("0.0001")}
MIN_USDT = Fraction(5)
FEE = Fraction(1, 1000)
ZERO = Fraction(0)


@dataclass(frozen=True)
class Bars:
    """Daily bars of both assets on the same days; `day` holds open times in ms."""

    day: list[int]
    open: dict[str, list[Fraction]]
    close: dict[str, list[Fraction]]


@dataclass(frozen=True)
class Flow:
    """Money or coins that reach (positive) or leave (negative) the engine between two daily cycles."""

    coin: str
    amount: Fraction


@dataclass(frozen=True)
class Trade:
    """One order, filled whole. `kind` is trim, rebalance, build, plan or small."""

    day: int
    kind: str
    asset: str
    side: str
    quantity: Fraction


@dataclass
class Plan:
    """DCA of one inflow."""

    cash: Fraction
    left: int


@dataclass
class Result:
    """What the rules did: orders, dates and causes of rebalances, days of suspension, plans opened."""

    trades: list[Trade] = field(default_factory=list)
    rebalances: list[tuple[int, str]] = field(default_factory=list)
    suspended: list[int] = field(default_factory=list)
    plans: list[tuple[int, Fraction]] = field(default_factory=list)
    built_day: int = 0
    cash: Fraction = ZERO
    coins: dict[str, Fraction] = field(default_factory=dict)


def load(folder: Path) -> Bars:
    """Both assets' daily spot bars from the recorded history."""
    tables = {a: pl.read_parquet(folder / f"{a.lower()}_usdt_spot_1d.parquet") for a in ASSETS}
    days = [int(ts.timestamp() * 1000) for ts in tables["BTC"]["ts"].to_list()]
    assert days == [int(ts.timestamp() * 1000) for ts in tables["ETH"]["ts"].to_list()]
    opened, closed = (
        {a: [Fraction(repr(x)) for x in tables[a][name].to_list()] for a in ASSETS} for name in ("open", "close")
    )
    return Bars(days, opened, closed)


def quarter_end(day: int) -> bool:
    """Whether the bar's date is the last of a quarter."""
    now, after = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (day, day + DAY))
    return after.day == 1 and after.month in (1, 4, 7, 10) and now.month != after.month


class Engine:
    """The engine's books and memory at one day; `run` drives it."""

    def __init__(self, cash: Fraction, share: Fraction, tactical: Mapping[str, Fraction]) -> None:
        self.cash, self.share, self.tactical = cash, share, tactical
        self.coins = dict.fromkeys(ASSETS, ZERO)
        self.high = dict.fromkeys(ASSETS, ZERO)
        self.suspended = False
        self.plans: list[Plan] = []
        self.small = ZERO
        self.build_left: int | None = None
        self.built = False
        self.pending = False
        self.drift_day: int | None = None
        self.close: dict[str, Fraction] = {}
        self.fill: dict[str, Fraction] = {}
        self.day = 0
        self.out = Result()

    # --- books ---

    def value(self, a: str) -> Fraction:
        return self.coins[a] * self.close[a]

    def equity(self) -> Fraction:
        return self.cash + sum(map(self.value, ASSETS), ZERO)

    def planned(self) -> Fraction:
        return sum((p.cash for p in self.plans), ZERO)

    def cap(self, a: str) -> Fraction:
        """What CH-7 lets CORE hold of the asset."""
        return max(ZERO, Fraction(45, 100) * self.equity() / self.share - self.tactical.get(a, ZERO) * self.close[a])

    def targets(self, planned: Fraction) -> dict[str, Fraction]:
        base = max(ZERO, Fraction(95, 100) * self.equity() - planned)
        return {a: min(WEIGHT[a] * base, self.cap(a)) for a in ASSETS}

    def fallen(self) -> set[str]:
        return {a for a in ASSETS if self.suspended and self.close[a] < Fraction(35, 100) * self.high[a]}

    # --- orders ---

    def order(self, kind: str, a: str, side: str, amount: Fraction) -> Fraction:
        """Trade about `amount` USDT at the close's size; the answer is what was spent or received."""
        quantity = amount / self.close[a] // STEP[a] * STEP[a]
        if quantity < LEAST[a] or quantity * self.close[a] < MIN_USDT:
            return ZERO
        paid = quantity * self.fill[a]
        if side == "buy":
            self.coins[a] += quantity * (1 - FEE)
            self.cash -= paid
        else:
            self.coins[a] -= quantity
            self.cash += paid * (1 - FEE)
        self.out.trades.append(Trade(self.day, kind, a, side, quantity))
        return paid

    def buy(self, kind: str, wanted: Mapping[str, Fraction], budget: Fraction, least: Fraction = ZERO) -> Fraction:
        """Purchases inside the 45 % and the cash they may use; returns what was spent."""
        clipped = {a: max(ZERO, min(x, self.cap(a) - self.value(a))) for a, x in wanted.items()}
        total = sum(clipped.values(), ZERO)
        if total > budget:
            clipped = {a: x * max(ZERO, budget) / total for a, x in clipped.items()}
        return sum((self.order(kind, a, "buy", x) for a, x in clipped.items() if x >= least), ZERO)

    # --- the daily cycle ---

    def learn(self, close: Mapping[str, Fraction]) -> None:
        """CH-8 on one daily close."""
        for a in ASSETS:
            self.high[a] = max(self.high[a], close[a])
        if any(close[a] < Fraction(30, 100) * self.high[a] for a in ASSETS):
            self.suspended = True
        elif not any(close[a] < Fraction(35, 100) * self.high[a] for a in ASSETS):
            self.suspended = False

    def take(self, flows: Sequence[Flow]) -> None:
        usdt = [f.amount for f in flows if f.coin == "USDT"]
        inflow, outflow = sum((x for x in usdt if x > 0), ZERO), -sum((x for x in usdt if x < 0), ZERO)
        if self.build_left is None and not self.built:
            return
        equity = self.equity()
        if outflow:
            free = self.cash + outflow - inflow - equity / 20 - self.planned()
            self.shrink(outflow - max(ZERO, free))
        if inflow >= equity / 100 and inflow > 0:
            self.plans.append(Plan(inflow, 30))
            self.out.plans.append((self.day, inflow))
        else:
            self.small += inflow
        self.shrink(self.planned() - self.cash)

    def shrink(self, amount: Fraction) -> None:
        for plan in reversed(self.plans):
            cut = min(plan.cash, max(ZERO, amount))
            plan.cash, amount = plan.cash - cut, amount - cut

    def trim(self) -> None:
        whole = self.equity() / self.share
        limit, wanted = Fraction(45, 100) * whole, {}
        for a in ASSETS:
            held = (self.coins[a] + self.tactical.get(a, ZERO)) * self.close[a]
            if held > whole / 2 and a not in self.fallen():
                wanted[a] = min(held - limit, self.value(a))
        for a, x in wanted.items():
            self.order("trim", a, "sell", x)

    def cause(self) -> str:
        if self.suspended or not self.built:
            return ""
        invested = sum(map(self.value, ASSETS), ZERO)
        aim = self.targets(self.planned())
        whole = sum(aim.values(), ZERO)
        drift = abs(self.value("BTC") / invested - aim["BTC"] / whole) if invested and whole else ZERO
        if drift > Fraction(1, 10) and (self.drift_day is None or self.day - self.drift_day >= 3 * DAY):
            return "drift"
        return "calendar" if self.pending else ""

    def rebalance(self, cause: str) -> None:
        self.out.rebalances.append((self.day, cause))
        self.pending = False
        if cause == "drift":
            self.drift_day = self.day
        least, aim = self.equity() / 1000, self.targets(self.planned())
        over = {a: self.value(a) - aim[a] for a in ASSETS if self.value(a) - aim[a] >= least}
        sold = {a for a, x in over.items() if self.order("rebalance", a, "sell", x)}
        least, aim = self.equity() / 1000, self.targets(self.planned())
        under = {a: aim[a] - self.value(a) for a in ASSETS if a not in sold and aim[a] > self.value(a)}
        self.buy("rebalance", under, self.cash - self.equity() / 20 - self.planned(), least)

    def tranches(self) -> None:
        self.small = min(self.small, max(ZERO, self.cash - self.equity() / 20 - self.planned()))
        full, equity = self.targets(ZERO), self.equity()
        gaps = {a: max(ZERO, full[a] - self.value(a)) for a in ASSETS}
        whole = sum(gaps.values(), ZERO)
        part = dict(WEIGHT) if self.suspended or not whole else {a: gaps[a] / whole for a in ASSETS}
        caps = {a: self.cap(a) - self.value(a) for a in ASSETS}
        free = self.cash - equity / 20
        spent_on = dict.fromkeys(ASSETS, ZERO)
        orders: list[tuple[str, str, Fraction, Plan | None]] = []

        def decide(kind: str, wanted: Mapping[str, Fraction], reserve: Fraction, plan: Plan | None) -> None:
            nonlocal free
            clipped = {a: max(ZERO, min(x, caps[a] - spent_on[a])) for a, x in wanted.items()}
            total, budget = sum(clipped.values(), ZERO), max(ZERO, free - reserve)
            if total > budget:
                clipped = {a: x * budget / total for a, x in clipped.items()}
            for a, x in clipped.items():
                quantity = x / self.close[a] // STEP[a] * STEP[a]
                if quantity >= LEAST[a] and quantity * self.close[a] >= MIN_USDT:
                    orders.append((kind, a, x, plan))
                    spent_on[a] += quantity * self.close[a]
                    free -= quantity * self.close[a]

        if self.build_left:
            aim = self.targets(self.planned())
            lot = {a: max(ZERO, aim[a] - self.value(a)) / self.build_left for a in ASSETS}
            decide("build", lot, self.planned(), None)
            self.build_left -= 1
        for plan in self.plans:
            amount = plan.cash / plan.left
            decide("plan", {a: amount * part[a] for a in ASSETS}, ZERO, plan)
            plan.left -= 1
        if self.small:
            decide("small", {a: self.small * part[a] for a in ASSETS}, ZERO, None)
        for kind, a, x, bought_by in orders:
            paid = self.order(kind, a, "buy", x)
            if bought_by is not None:
                bought_by.cash -= min(paid, bought_by.cash)
            elif kind == "small":
                self.small -= min(paid, self.small)
        self.plans = [p for p in self.plans if p.left]
        if self.build_left == 0:
            self.end_build()

    def within(self) -> bool:
        aim = self.targets(self.planned())
        return all(aim[a] - self.value(a) < aim[a] / 100 for a in ASSETS)

    def end_build(self) -> None:
        self.build_left, self.built, self.out.built_day = None, True, self.day

    def cycle(self, flows: Sequence[Flow]) -> None:
        self.take(flows)
        if self.build_left is None and not self.built and self.equity() > 0:
            self.build_left = 30
        if self.build_left is not None and self.within():
            self.end_build()
        self.pending = self.pending or quarter_end(self.day)
        self.trim()
        if cause := self.cause():
            self.rebalance(cause)
        self.tranches()


def run(
    bars: Bars,
    start: int,
    end: int,
    cash: Fraction,
    share: Fraction = Fraction(60, 100),
    tactical: Mapping[str, Fraction] | None = None,
    flows: Mapping[int, Sequence[Flow]] | None = None,
) -> Result:
    """The rules from the cycle of bar `start` up to and including bar `end` (both open times in ms).

    `flows` happen during the named bar's day, before the cycle at its close.
    """
    engine = Engine(cash, share, tactical or {})
    for i, day in enumerate(bars.day):
        if day > end:
            break
        close = {a: bars.close[a][i] for a in ASSETS}
        engine.learn(close)
        if day < start:
            continue
        engine.day, engine.close = day, close
        engine.fill = {a: bars.open[a][min(i + 1, len(bars.day) - 1)] for a in ASSETS}
        happened = (flows or {}).get(day, ())
        for flow in happened:
            if flow.coin == "USDT":
                engine.cash += flow.amount
            else:
                engine.coins[flow.coin] += flow.amount
        if engine.suspended:
            engine.out.suspended.append(day)
        engine.cycle(happened)
    engine.out.cash, engine.out.coins = engine.cash, engine.coins
    return engine.out
