"""Round trips from fills: from flat to flat, per engine, category and symbol, at average cost.

A leg is one category's round trip. A trade is what the engine meant by it: the leg itself, and in FUNDING the pair of
spot and perpetual that stand at the same time (each leg alone says nothing about carry), in TACTICAL the deployment
with all its coins, closed by their sale or by their return in kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from infra.backtest.records import ENGINES

FUNDING = "FUNDING"
TACTICAL = "TACTICAL"
IN_KIND = "in kind"
CORE = "CORE-HODL"
SPOT = "spot"
DUST = {SPOT: 0.01, "linear": 1e-9}
"""What is left of a position's largest size, as a share, and still counts as flat. On spot the fee is taken from the
coins bought, and what is below one lot stays behind."""


@dataclass(slots=True)
class Leg:
    """One round trip of one category; `closed_ms` is None while it is open."""

    engine: str
    category: str
    symbol: str
    is_long: bool
    opened_ms: int
    deployment: str = ""
    closed_ms: int | None = None
    held: float = 0.0
    largest: float = 0.0
    average: float = 0.0
    entered_usdt: float = 0.0
    entered: float = 0.0
    left_usdt: float = 0.0
    left: float = 0.0
    gross_usdt: float = 0.0
    fee_usdt: float = 0.0
    slippage_usdt: float = 0.0
    shortfall_usdt: float = 0.0
    why: str = ""
    has_returned: bool = False

    def enter(self, quantity: float, price: float, fill: dict[str, Any], share: float) -> None:
        """Open or add."""
        self.average = (self.average * self.held + price * quantity) / (self.held + quantity)
        self.held += quantity
        self.largest = max(self.largest, self.held)
        self.entered += quantity
        self.entered_usdt += quantity * price
        self._costs(fill, share)

    def leave(self, quantity: float, price: float, fill: dict[str, Any], share: float) -> None:
        """Reduce; what is left below the dust limit ends the leg."""
        self.gross_usdt += quantity * (price - self.average) * (1 if self.is_long else -1)
        self.held -= quantity
        self.left += quantity
        self.left_usdt += quantity * price
        self.why = str(fill["purpose"] or fill["kind"])
        self.has_returned = self.has_returned or fill["kind"] == IN_KIND
        self._costs(fill, share)
        if self.held <= DUST[self.category] * self.largest:
            self.closed_ms = int(fill["ts_ms"])

    def _costs(self, fill: dict[str, Any], share: float) -> None:
        self.fee_usdt += float(fill["fee_usdt"] or 0.0) * share
        self.slippage_usdt += float(fill["slippage_usdt"] or 0.0) * share
        self.shortfall_usdt += float(fill["shortfall_usdt"] or 0.0) * share


@dataclass(slots=True)
class Legs:
    """All legs of a run, and coins that were sold without a purchase on record (returned in kind, Earn rewards)."""

    legs: list[Leg] = field(default_factory=list)
    unmatched_usdt: float = 0.0


def legs_of(fills: pl.DataFrame, transfers: pl.DataFrame) -> Legs:
    """Round trips of every engine but CORE-HODL, which accumulates (see `accumulation`). Coins that leave TACTICAL in
    kind end its legs at their price of that instant."""
    found = Legs()
    last: dict[tuple[str, str, str, str], Leg] = {}
    own = [fill for fill in fills.filter(pl.col("engine") != CORE).iter_rows(named=True) if fill["quantity"] > 0]
    for fill in sorted([*own, *_in_kind(transfers)], key=lambda fill: int(fill["ts_ms"])):
        _take(found, last, fill)
    return found


def _in_kind(transfers: pl.DataFrame) -> Iterable[dict[str, Any]]:
    """Movements of a deployment's coins, as sales without costs."""
    moved = transfers.filter((pl.col("source") == TACTICAL) & (pl.col("coin") != "USDT") & (pl.col("deployment") != ""))
    for row in moved.iter_rows(named=True):
        yield {
            "ts_ms": row["ts_ms"],
            "engine": TACTICAL,
            "category": SPOT,
            "symbol": f"{row['coin']}USDT",
            "side": "Sell",
            "quantity": row["quantity"],
            "price": row["amount_usdt"] / row["quantity"],
            "fee_usdt": 0.0,
            "slippage_usdt": 0.0,
            "shortfall_usdt": 0.0,
            "kind": IN_KIND,
            "purpose": row["reason"],
            "deployment": row["deployment"],
        }


def _take(found: Legs, last: dict[tuple[str, str, str, str], Leg], fill: dict[str, Any]) -> None:
    key = (str(fill["engine"]), str(fill["category"]), str(fill["symbol"]), str(fill["deployment"] or ""))
    quantity, price, is_buy = float(fill["quantity"]), float(fill["price"]), fill["side"] == "Buy"
    leg = last.get(key)
    rest = quantity
    if leg is not None and leg.is_long != is_buy and leg.held > 0 and (leg.closed_ms is None or key[1] == SPOT):
        taken = min(rest, leg.held)
        leg.leave(taken, price, fill, taken / quantity)
        rest -= taken
    if rest <= DUST["linear"] * quantity:
        return
    if key[1] == SPOT and not is_buy:
        found.unmatched_usdt += rest * price
        return
    if leg is None or leg.closed_ms is not None:
        leg = Leg(*key[:3], is_long=is_buy, opened_ms=int(fill["ts_ms"]), deployment=key[3])
        last[key] = leg
        found.legs.append(leg)
    leg.enter(rest, price, fill, rest / quantity)


@dataclass(frozen=True, slots=True)
class Trade:
    """One round trip as the engine meant it. Net = gross - fees + funding; slippage and makers' shortfall are inside
    gross already. Prices and quantity are None where a trade has several coins."""

    engine: str
    symbol: str
    kind: str
    opened_ms: int
    closed_ms: int | None
    entry_price: float | None
    exit_price: float | None
    quantity: float | None
    notional_usdt: float
    gross_usdt: float
    fee_usdt: float
    slippage_usdt: float
    shortfall_usdt: float
    funding_usdt: float
    why: str

    @property
    def net_usdt(self) -> float:
        """After all costs; of an open trade only what is realised so far."""
        return self.gross_usdt - self.fee_usdt + self.funding_usdt


def trades_of(legs: Sequence[Leg], funding: pl.DataFrame) -> list[Trade]:
    """Trades in the order of their opening; funding between a trade's opening (excluded) and its end counts to it."""
    payments: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for row in funding.sort("ts_ms").iter_rows(named=True):
        payments.setdefault((row["engine"], row["symbol"]), []).append((row["ts_ms"], row["amount_usdt"]))
    groups: list[list[Leg]] = [[leg] for leg in legs if leg.engine != FUNDING and not leg.deployment]
    for deployment in dict.fromkeys(leg.deployment for leg in legs if leg.deployment):
        groups.append([leg for leg in legs if leg.deployment == deployment])
    for symbol in sorted({leg.symbol for leg in legs if leg.engine == FUNDING}):
        groups += _overlapping(leg for leg in legs if leg.engine == FUNDING and leg.symbol == symbol)
    trades = [_trade(group, payments.get((group[0].engine, group[0].symbol), [])) for group in groups]
    return sorted(trades, key=lambda trade: (trade.opened_ms, trade.engine, trade.symbol))


def _overlapping(legs: Iterable[Leg]) -> list[list[Leg]]:
    groups: list[list[Leg]] = []
    until_ms: float = float("-inf")
    for leg in sorted(legs, key=lambda leg: leg.opened_ms):
        if groups and leg.opened_ms < until_ms:
            groups[-1].append(leg)
        else:
            groups.append([leg])
            until_ms = float("-inf")
        until_ms = max(until_ms, float("inf") if leg.closed_ms is None else leg.closed_ms)
    return groups


def _trade(group: list[Leg], payments: list[tuple[int, float]]) -> Trade:
    lead = next((leg for leg in group if leg.category == SPOT), group[0])
    ends = [leg.closed_ms for leg in group]
    known = [end for end in ends if end is not None]
    closed_ms = max(known) if len(known) == len(ends) else None
    opened_ms = min(leg.opened_ms for leg in group)
    has_perpetual = any(leg.category != SPOT for leg in group)
    received = sum(a for ts_ms, a in payments if opened_ms < ts_ms and (closed_ms is None or ts_ms <= closed_ms))
    symbols = list(dict.fromkeys(leg.symbol for leg in group))
    is_single = len(symbols) == 1
    return Trade(
        engine=lead.engine,
        symbol="+".join(symbols),
        kind=_kind(group, lead, closed_ms),
        opened_ms=opened_ms,
        closed_ms=closed_ms,
        entry_price=lead.entered_usdt / lead.entered if is_single else None,
        exit_price=lead.left_usdt / lead.left if is_single and lead.left else None,
        quantity=lead.largest if is_single else None,
        notional_usdt=sum(leg.entered_usdt for leg in group) if lead.deployment else lead.entered_usdt,
        gross_usdt=sum(leg.gross_usdt for leg in group),
        fee_usdt=sum(leg.fee_usdt for leg in group),
        slippage_usdt=sum(leg.slippage_usdt for leg in group),
        shortfall_usdt=sum(leg.shortfall_usdt for leg in group),
        funding_usdt=received if has_perpetual else 0.0,
        why=next((leg.why for leg in reversed(group) if leg.why), ""),
    )


def _kind(group: Sequence[Leg], lead: Leg, closed_ms: int | None) -> str:
    if lead.deployment:
        end = "held" if closed_ms is None else "returned in kind" if any(leg.has_returned for leg in group) else "sold"
        return f"deployment, {end}"
    if lead.engine == FUNDING and len(group) > 1:
        return "pair"
    return "long" if lead.is_long else "short"


@dataclass(frozen=True, slots=True)
class TradeStats:
    """Closed trades of one kind; None where a figure is not defined."""

    engine: str
    label: str
    closed: int
    still_open: int
    hit_rate: float | None
    profit_factor: float | None
    expectancy_usdt: float | None
    expectancy_share: float | None
    average_win_usdt: float | None
    average_loss_usdt: float | None
    best_usdt: float | None
    worst_usdt: float | None
    mean_days: float | None
    net_usdt: float


def stats(engine: str, label: str, trades: Sequence[Trade]) -> TradeStats:
    """Hit rate (share of trades above 0 after costs), profit factor (won over lost), expectancy (mean result)."""
    done = [trade for trade in trades if trade.closed_ms is not None]
    results = [trade.net_usdt for trade in done]
    wins, losses = [r for r in results if r > 0], [r for r in results if r < 0]
    notional = sum(trade.notional_usdt for trade in done)
    days = [(trade.closed_ms - trade.opened_ms) / 86_400_000 for trade in done if trade.closed_ms is not None]
    return TradeStats(
        engine=engine,
        label=label,
        closed=len(done),
        still_open=len(trades) - len(done),
        hit_rate=len(wins) / len(done) if done else None,
        profit_factor=sum(wins) / -sum(losses) if losses else None,
        expectancy_usdt=_mean(results),
        expectancy_share=sum(results) / notional if notional else None,
        average_win_usdt=_mean(wins),
        average_loss_usdt=_mean(losses),
        best_usdt=max(results, default=None),
        worst_usdt=min(results, default=None),
        mean_days=_mean(days),
        net_usdt=sum(results),
    )


def stats_by_engine(trades: Sequence[Trade]) -> list[TradeStats]:
    """Per engine: all its trades, then each symbol and direction when there are several."""
    rows: list[TradeStats] = []
    for engine in ENGINES:
        own = [trade for trade in trades if trade.engine == engine]
        if not own:
            continue
        rows.append(stats(engine, "all", own))
        kinds = sorted({(trade.symbol, trade.kind) for trade in own})
        if len(kinds) > 1:
            rows += [stats(engine, f"{s} {k}", [t for t in own if (t.symbol, t.kind) == (s, k)]) for s, k in kinds]
    return rows


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def accumulation(fills: pl.DataFrame) -> pl.DataFrame:
    """CORE-HODL's spot purchases and sales per symbol: coins, USDT, average prices, fees, first and last day."""
    side = {"bought": pl.col("side") == "Buy", "sold": pl.col("side") == "Sell"}
    sums = [
        expression
        for name, where in side.items()
        for expression in (
            where.sum().alias(f"{name}_fills"),
            pl.col("quantity").filter(where).sum().alias(f"{name}_coins"),
            pl.col("notional_usdt").filter(where).sum().alias(f"{name}_usdt"),
        )
    ]
    own = fills.filter((pl.col("engine") == CORE) & (pl.col("category") == SPOT))
    sums += [pl.col("fee_usdt").sum(), pl.col("ts_ms").max().alias("last_ms")]
    return own.group_by("symbol").agg(*sums).sort("symbol")
