"""How often each rule acted, by its requirement ID, and why orders were refused."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from infra.backtest.records import RULE_ID, RunRecord

RULES: dict[str, str] = {
    "P1": "No single point of failure",
    "P2": "Defence in depth",
    "P3": "Mechanical execution: the same rules and code on history",
    "P4": "Adaptation: what loses its edge is replaced",
    "P5": "Everything is recorded and traceable",
    "CH-1": "Targets 2/3 BTC, 1/3 ETH",
    "CH-2": "Rebalance on drift or at the quarter's end",
    "CH-3": "Spot, post-only",
    "CH-4": "Sell what is over target first, then buy",
    "CH-5": "States of the engine",
    "CH-6": "Build the position in daily tranches",
    "CH-7": "No asset above 45 %, cash buffer of 5 %",
    "CH-8": "Suspend rebalancing more than 70 % below the high",
    "CH-9": "Stop while withdrawals are suspended",
    "CH-10": "Idle ETH to Earn",
    "CH-11": "Metrics of drift, rebalancing and staking",
    "TR-1": "Closed daily bars of the perpetuals",
    "TR-2": "SMA, ADX and ATR",
    "TR-3": "Entry with the trend",
    "TR-4": "Exit when the close crosses the slow average",
    "TR-5": "Hard stop 2×ATR, held at the exchange",
    "TR-6": "Trailing stop 3×ATR, once in profit",
    "TR-7": "Time stop after 30 days",
    "TR-8": "Size: 1 % at risk",
    "TR-9": "Leverage at most 2×, liquidation buffer",
    "TR-10": "At most two positions",
    "TR-11": "TREND-2 runs alternative parameters",
    "TR-12": "No entries after ADX < 20 for 14 days",
    "TR-13": "Correlation > 0.9: half size",
    "TR-14": "Close when funding against it exceeds 0.1 %",
    "TR-15": "States per asset",
    "FU-1": "BTC, ETH, SOL; BTC and ETH first",
    "FU-2": "Entry: funding > 0.01 %, basis < 2 %",
    "FU-3": "Exit: negative funding, basis, 14 days",
    "FU-4": "Both legs together, no naked exposure",
    "FU-5": "Half of the funding compounds, half to TACTICAL",
    "FU-6": "Funding paid is a cost",
    "FU-7": "At most 5 % of the engine per asset",
    "FU-8": "Three negative periods: close all",
    "FU-9": "Insurance fund depleted: emergency exit",
    "FU-10": "States per asset",
    "TA-1": "Deploy at -50 % and -70 % from the high",
    "TA-2": "Deploy on Fear & Greed < 20",
    "TA-3": "Deploy on negative funding or volatility",
    "TA-4": "BTC 80 %, ETH 20 %, at market",
    "TA-5": "Half of the cash at most, 30 days apart",
    "TA-6": "Exit at +100 % or after 12 months",
    "TA-7": "Fast +50 %: sell half",
    "TA-8": "A further fall: hold",
    "TA-9": "Trouble while deploying: try again, never twice",
    "TA-10": "The all-time high is remembered",
    "TA-11": "States of a deployment",
    "OR-1": "Weights of the engines",
    "OR-2": "Weights by regime",
    "OR-3": "One daily cycle",
    "OR-4": "Trim an engine far above its target",
    "OR-5": "Deposits to the most underweight engine",
    "OR-6": "Transfers are recorded and idempotent",
    "OR-7": "Rotation of parameter sets",
    "OR-8": "Supervision with limited restarts",
    "OR-9": "Recovery in five steps",
    "DA-1": "Bybit V5: streams and REST",
    "DA-2": "Feeds from outside, inactive when stale",
    "DA-3": "Cleaning of market data",
    "DA-4": "Time-series store",
    "DA-5": "State in the database",
    "RM-1": "Checks before every order",
    "RM-2": "Risk states",
    "RM-3": "Drawdown limits",
    "RM-4": "Automatic switches",
    "RM-5": "Operator's switches",
    "RM-6": "Policies are versioned",
    "EX-1": "States of an order",
    "EX-2": "Illegal transitions change nothing",
    "EX-3": "Urgent at market, else post-only",
    "EX-4": "Retries",
    "EX-5": "Recorded before it is sent",
    "EX-6": "Rate limits",
    "EX-7": "Throughput",
    "EX-8": "Large orders in slices",
    "IF-1": "Messages that do not block",
    "IF-2": "Bybit through pybit",
    "IF-3": "Telegram, e-mail, PagerDuty, web page",
    "IF-4": "API with separate scopes",
    "DE-1": "AWS, as code",
    "DE-2": "Availability, backups, restore drill",
    "DE-3": "Security",
    "DE-4": "Scale",
    "DE-5": "Python and SQL",
}

UNBUILT = frozenset({"P4", "OR-7", "DA-4", "DE-1", "DE-2", "DE-4"})
"""The rules that docs/specification.md marks "Not built" (a test compares them): no run can show them act."""

ALWAYS_IN_FORCE = frozenset(
    {"CH-1", "CH-3", "CH-5", "CH-11", "TR-1", "TR-2", "TR-11", "TR-15", "FU-1", "FU-6", "FU-10", "TA-4", "TA-8"}
    | {"TA-10", "TA-11", "P1", "P2", "P3", "P5", "OR-1", "OR-8", "OR-9", "DA-1", "DA-3", "DA-5", "EX-7"}
    | {"IF-1", "IF-2", "IF-4", "DE-3", "DE-5"}
)
"""Rules that describe how things are rather than when to act; the journal seldom names them."""

OWN_CHAPTERS = ("CH", "TR", "FU", "TA")
"""SPEC chapters 2 to 5: what the engines do."""


@dataclass(frozen=True, slots=True)
class RuleCount:
    """`lines` counts journal lines that name the rule, `orders` filled orders whose purpose names it."""

    rule: str
    text: str
    lines: int
    orders: int
    first_ms: int | None
    last_ms: int | None
    by_actor: str

    @property
    def never_acted(self) -> bool:
        """Neither a line nor an order."""
        return not self.lines and not self.orders

    @property
    def is_unbuilt(self) -> bool:
        """There is no code for it."""
        return self.rule in UNBUILT


def count_rules(record: RunRecord) -> list[RuleCount]:
    """Every rule of `RULES` in its order, then any other that the journal names."""
    named = (
        record.transitions.select("ts_ms", "actor", pl.col("rules").list.unique().alias("rule"))
        .explode("rule")
        .filter(pl.col("rule").is_not_null())
    )
    lines = {
        str(rule): (len(rows), int(rows["ts_ms"].min()), int(rows["ts_ms"].max()), _actors(rows))  # type: ignore[arg-type]
        for (rule,), rows in named.group_by(["rule"])
    }
    orders = _orders(record.fills)
    others = sorted((set(lines) | set(orders)) - set(RULES))
    found = []
    for rule in (*RULES, *others):
        count, first_ms, last_ms, actors = lines.get(rule, (0, None, None, ""))
        found.append(RuleCount(rule, RULES.get(rule, ""), count, orders.get(rule, 0), first_ms, last_ms, actors))
    return found


def _actors(rows: pl.DataFrame) -> str:
    counts = rows["actor"].value_counts(sort=True)
    return ", ".join(f"{actor} {count:,}" for actor, count in counts.iter_rows())


def _orders(fills: pl.DataFrame) -> dict[str, int]:
    counts: dict[str, int] = {}
    for purpose, orders in (
        fills.group_by("purpose").agg(pl.col("order_id").n_unique()).drop_nulls("purpose").iter_rows()
    ):
        for rule in set(RULE_ID.findall(purpose)):
            counts[rule] = counts.get(rule, 0) + int(orders)
    return counts


def never_acted(counts: list[RuleCount]) -> tuple[list[RuleCount], list[RuleCount]]:
    """Rules of the engines' chapters that never acted: those that wait for their moment, and those always in force."""
    silent = [count for count in counts if count.never_acted and count.rule.split("-")[0] in OWN_CHAPTERS]
    return (
        [count for count in silent if count.rule not in ALWAYS_IN_FORCE],
        [count for count in silent if count.rule in ALWAYS_IN_FORCE],
    )


def refusals_by_reason(refusals: pl.DataFrame) -> pl.DataFrame:
    """Refused orders per engine and reason, most frequent first. Numbers within reasons are levelled, so that the same
    reason with other figures counts as one; `example` keeps the first in full."""
    return (
        refusals.with_columns(kind=pl.col("reason").str.replace_all(r"-?\d[\d,]*(\.\d+)?", "#"))
        .group_by("engine", "kind")
        .agg(
            pl.len().alias("refusals"),
            pl.col("ts_ms").min().alias("first_ms"),
            pl.col("ts_ms").max().alias("last_ms"),
            pl.col("reason").first().alias("example"),
        )
        .sort("refusals", "engine", "kind", descending=[True, False, False])
    )
