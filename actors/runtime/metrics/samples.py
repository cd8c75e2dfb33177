"""The values of the metrics at one moment: pure, from what an actor or the supervision says of itself. What is not
known has no sample; it is never zero."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from actors.runtime.metrics import table
from actors.runtime.metrics.seen import Seen
from actors.runtime.metrics.table import Metric


class Sample(NamedTuple):
    """One series' value; `tags` are the values of the metric's labels, in their order. A counter's is its total."""

    metric: Metric
    tags: tuple[str, ...]
    value: float


def of_actor(health: Mapping[str, Any], seen: Seen, now_s: float) -> Iterator[Sample]:
    """An actor with a logic. `now_s` is wall time."""
    own = (str(health["name"]),)
    yield Sample(table.COMMITS, own, float(health["commits"]))
    yield Sample(table.INBOX, own, float(health["inbox"]))
    yield Sample(table.OUTBOX, own, float(health["undelivered"]))
    yield Sample(table.REQUESTS, own, float(health["pending_requests"]))
    if health["market_ms"]:
        yield Sample(table.MARKET_TIME, own, health["market_ms"] / 1000)
    outage = health["outage"]
    yield Sample(table.OUTAGE, own, 0.0 if outage is None else max(now_s - outage["since_s"], 0.0))
    for metric, ages in ((table.SILENCE, health["silence_s"]), (table.DATA_AGE, health["data_age_s"])):
        for stream, age_s in ages.items():
            yield Sample(metric, (*own, stream), float(age_s))
    for (machine, state), count in seen.machines.copy().items():
        if count:
            yield Sample(table.MACHINES, (*own, machine, state), float(count))
    for scope, state in dict(seen.risk).items():
        yield Sample(table.RISK_STATE, (scope, state), 1.0)
    for engine, equity_usdt in dict(seen.equity_usdt).items():
        yield Sample(table.EQUITY, (engine,), float(equity_usdt))
    for group, fall in dict(seen.drawdown).items():
        yield Sample(table.DRAWDOWN, (group,), float(fall))
    for (engine, state), count in seen.orders.copy().items():
        yield Sample(table.ORDERS, (engine, state), float(count))


def of_components(rows: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """The supervision's picture of every component."""
    for row in rows:
        name = (str(row["name"]),)
        yield Sample(table.COMPONENT_STATE, (*name, str(row["state"])), 1.0)
        yield Sample(table.COMPONENT_RESTARTS, name, float(row["restarts"]))
        if row["recovered_in_ms"] is not None:
            yield Sample(table.COMPONENT_RECOVERY, name, row["recovered_in_ms"] / 1000)


def observations(actor: str, seen: Seen) -> Iterator[Sample]:
    """The times since the last call, each once."""
    for metric, times in ((table.STEP, seen.step_s), (table.ANSWER, seen.answer_s)):
        for _ in range(len(times)):
            yield Sample(metric, (actor,), times.popleft())
