"""What the size of the orders costs: fills as a share of the market's volume, slippage and shortfall against size."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

CLASSES: tuple[tuple[str, float], ...] = (
    ("up to 0.1 %", 0.001),
    ("0.1 to 1 %", 0.01),
    ("1 to 10 %", 0.1),
    ("above 10 %", float("inf")),
)
"""Names and upper bounds of the classes: an order's executed quantity in parts of the market's mean hourly volume."""

UNKNOWN = "volume unknown"


@dataclass(frozen=True, slots=True)
class CapacityLine:
    """One engine's orders of one size class. `parts`: orders at the exchange that they were worked in; costs are in
    parts of the notional, positive when paid."""

    engine: str
    size: str
    orders: int
    parts: int
    notional_usdt: float
    mean_share: float | None
    largest_share: float | None
    slippage: float
    shortfall: float


def capacity_of(fills: pl.DataFrame) -> list[CapacityLine]:
    """Engines in alphabetical order, sizes ascending; only trades, since a liquidation is the exchange's."""
    trades = fills.filter(pl.col("kind") == "trade")
    if trades.is_empty():
        return []
    # A client id ends in the number of the order at the exchange; what precedes it is the decision's.
    orders = (
        trades.with_columns(decision=pl.col("order_id").str.replace(r"-\d+$", ""))
        .group_by("engine", "decision", maintain_order=True)
        .agg(
            pl.col("order_id").n_unique().alias("parts"),
            pl.col("volume_share").sum().alias("share"),
            pl.col("volume_share").null_count().alias("unknown"),
            pl.col("notional_usdt", "slippage_usdt", "shortfall_usdt").sum(),
        )
        .with_columns(size=_size())
    )
    names = [*(name for name, _ in CLASSES), UNKNOWN]
    lines = [_line(engine, size, found) for (engine, size), found in orders.group_by("engine", "size")]
    return sorted(lines, key=lambda line: (line.engine, names.index(line.size)))


def _size() -> pl.Expr:
    named = pl.lit(CLASSES[-1][0])
    for name, most in reversed(CLASSES[:-1]):
        named = pl.when(pl.col("share") <= most).then(pl.lit(name)).otherwise(named)
    return pl.when(pl.col("unknown") > 0).then(pl.lit(UNKNOWN)).otherwise(named)


def _line(engine: object, size: object, orders: pl.DataFrame) -> CapacityLine:
    notional = float(orders["notional_usdt"].sum())
    is_known = size != UNKNOWN
    return CapacityLine(
        engine=str(engine),
        size=str(size),
        orders=orders.height,
        parts=int(orders["parts"].sum()),
        notional_usdt=notional,
        mean_share=float(orders["share"].sum()) / orders.height if is_known else None,
        largest_share=max(orders["share"].to_list()) if is_known else None,
        slippage=float(orders["slippage_usdt"].sum()) / notional,
        shortfall=float(orders["shortfall_usdt"].sum()) / notional,
    )
