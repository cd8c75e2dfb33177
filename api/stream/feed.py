"""What has happened since a place, read from the database: decisions, orders, fills, equity, alerts.

A place is a number in each of three sequences. The journal's numbers are given before a transaction commits, so that a
row may become visible after one with a higher number: behind a gap nothing is read until the gap is filled or so old
that its transaction cannot come any more. Orders and fills are read when one of their transitions is, an acknowledged
alert when the line about that is.

Alerts have no number, and market time is no order of commits: an actor that lags raises one that is older than what
was sent. Their place is a transaction: everything below it had ended when it was taken, so that what is committed later
was written by it or a later one, which the row says (`xmin`).
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, LiteralString, NamedTuple

from api.json_values import plain
from api.views.arguments import BadValueError
from infra.database.queries import Queries
from infra.database.reading.alerts import JOINED
from statemachines.execution.orders.child_order import intent_of
from statemachines.notifications.acknowledging import ACKNOWLEDGE
from statemachines.values import ActorName

Row = dict[str, Any]

MAX_ROWS = 500
"""Rows of the journal in one reading; who reads more slowly than it grows is informed (`skipped`)."""

MAX_BEHIND = 5_000
"""Who is further behind than this begins anew at the present: to see what was, the lists are there."""

GAP_S = 3.0
"""A transaction that took a number of the journal has committed within this time, or never will."""

REMEMBERED = 2 * MAX_BEHIND
"""So many orders, fills and alerts are remembered as sent."""

ALL_ALERTS_S = 5.0
"""How often all alerts are compared with the place; in between the newest alone are, at a cost that does not grow with
their number."""

REPEATED = frozenset({"order", "fill", "alert"})
"""Kinds that a reading finds again: earlier orders and fills of an intent of which one changes, alerts that were
committed while an older transaction was under way."""

SKIPPED = "skipped"
ORDER_TABLE = "order"


class StreamPlace(NamedTuple):
    """How far a reader is: the newest row of the journal, the newest portfolio, the oldest transaction
    that may still change an alert."""

    journal: int
    portfolio: int
    alerts_transaction: int

    def __str__(self) -> str:
        return f"{self.journal}-{self.portfolio}-{self.alerts_transaction}"


def place_from(text: str) -> StreamPlace:
    """The place that an event's id names. Raises BadValueError."""
    found = re.fullmatch(r"([0-9]{1,18})-([0-9]{1,18})-([0-9]{1,18})", text)
    if found is None:
        raise BadValueError("Last-Event-ID", text, hint="the `id` of an event of this stream is")
    return StreamPlace(*(int(number) for number in found.groups()))


class Happening(NamedTuple):
    """One event: its kind, a key that is the same if it is sent twice, what it is about."""

    kind: str
    key: str
    data: Row


class Batch(NamedTuple):
    """What one reading found, oldest first, and the place behind it. `known` are keys that a later reading would find
    again although they need not be sent;
    `has_all_alerts`: all of them were compared."""

    happenings: list[Happening]
    place: StreamPlace
    known: tuple[str, ...] = ()
    has_all_alerts: bool = False


NEWEST: LiteralString = """SELECT (SELECT coalesce(max(id), 0) FROM journal) AS journal,
    (SELECT coalesce(max(version), 0) FROM portfolio_versions) AS portfolio,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS alerts,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next_transaction"""

JOURNAL: LiteralString = """
SELECT id, actor, kind, market_ms, recorded_at, machine_table, machine, trigger, source, dest, reason, data, cause,
    trace, is_bookkeeping, extract(epoch FROM now() - recorded_at)::double precision AS age_s
FROM journal WHERE id > %(after)s ORDER BY id LIMIT %(limit)s"""

ORDERS: LiteralString = "SELECT * FROM orders WHERE client_order_id = ANY(%(ids)s)"

FILLS: LiteralString = (
    "SELECT * FROM executions WHERE client_order_id = ANY(%(ids)s) ORDER BY executed_ms, execution_id"
)

EQUITY: LiteralString = """
SELECT version, market_ms, equity_usdt, data FROM portfolio_versions
WHERE version > %(after)s ORDER BY version DESC LIMIT 1"""

_WRITTEN_SINCE: LiteralString = """(a.xmin::text::bigint - %(after)s) & 4294967295
    < pg_snapshot_xmax(pg_current_snapshot())::text::bigint - %(after)s"""
"""A row has the lower half of its transaction's number: its distance from the place is below that of the present."""

ALL_ALERTS: LiteralString = f"""
{JOINED} WHERE {_WRITTEN_SINCE} ORDER BY a.changed_ms, a.alert_id LIMIT %(limit)s"""

NEWEST_ALERTS: LiteralString = f"""
{JOINED} WHERE a.alert_id IN (SELECT alert_id FROM alerts ORDER BY changed_ms DESC LIMIT {MAX_ROWS})
    AND {_WRITTEN_SINCE} ORDER BY a.changed_ms, a.alert_id LIMIT %(limit)s"""

ALERTS_OF: LiteralString = f"{JOINED} WHERE a.alert_id = ANY(%(ids)s) ORDER BY a.changed_ms, a.alert_id"

UNSHOWN = ("is_bookkeeping", "age_s")


class Feed:
    """One reader's view: `after` reads, blocking, and changes nothing; `take` remembers what was sent. A reading whose
    answer came too late is so simply repeated. Methods that read raise QueryUnavailableError."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._all_alerts_at: float | None = None

    def present(self) -> Batch:
        """The place behind everything that has happened."""
        return self._present(self._queries.rows(NEWEST)[0])

    def take(self, batch: Batch) -> None:
        """Remember what the batch has."""
        if batch.has_all_alerts:
            self._all_alerts_at = time.monotonic()
        if any(one.kind == SKIPPED for one in batch.happenings):
            self._sent.clear()
        for key in (*batch.known, *(one.key for one in batch.happenings if one.kind in REPEATED)):
            self._sent[key] = None
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def after(self, place: StreamPlace) -> Batch:
        """What has happened since, at most `MAX_ROWS` rows of the journal with what belongs to them."""
        newest = self._queries.rows(NEWEST)[0]
        if is_ahead(place, newest):
            text = (
                "This place is ahead of the database, which was restored or is another one; the stream continues at "
                "the present, and the lists have what is there."
            )
            return self._present(newest, _skipped(place, newest["journal"], text))
        rows = self._queries.rows(JOURNAL, after=place.journal, limit=MAX_ROWS)
        if len(rows) == MAX_ROWS and newest["journal"] - place.journal > MAX_BEHIND:
            text = (
                f"{newest['journal'] - place.journal} rows of the journal have been written since this place; the "
                "stream continues at the present, and the lists have what was in between."
            )
            return self._present(newest, _skipped(place, newest["journal"], text))
        rows = settled(rows, place.journal)
        found = [
            Happening("decision", f"decision:{row['id']}", {k: v for k, v in row.items() if k not in UNSHOWN})
            for row in rows
            if not row["is_bookkeeping"]
        ]
        found += self._orders(intent_of(row["machine"]) for row in rows if row["machine_table"] == ORDER_TABLE)
        found += self._acknowledged(row["machine"] for row in rows if is_acknowledgement(row))
        journal = rows[-1]["id"] if rows else place.journal
        portfolio, equity = self._equity(place.portfolio)
        has_all = self._all_alerts_at is None or time.monotonic() - self._all_alerts_at >= ALL_ALERTS_S
        alerts = self._alerts(place.alerts_transaction, has_all=has_all)
        if not has_all and len(alerts) >= MAX_ROWS:  # there may be more
            has_all, alerts = True, self._alerts(place.alerts_transaction, has_all=True)
        if len(alerts) > MAX_BEHIND:
            text = (
                f"More than {MAX_BEHIND} alerts have changed since this place; the stream continues at the present, "
                "and the lists have what was in between."
            )
            return self._present(newest, _skipped(place, newest["journal"], text))
        new = {one.key: one for one in (*found, *equity, *alerts) if one.key not in self._sent}
        transaction = newest["alerts"] if has_all else place.alerts_transaction
        return Batch(list(new.values()), StreamPlace(journal, portfolio, transaction), has_all_alerts=has_all)

    def _present(self, newest: Row, *happenings: Happening) -> Batch:
        place = StreamPlace(newest["journal"], newest["portfolio"], newest["alerts"])
        known = self._alerts(place.alerts_transaction, has_all=True)
        if len(known) > MAX_BEHIND:  # beside a transaction that does not end; what it writes is in the lists
            place = place._replace(alerts_transaction=newest["next_transaction"])
        return Batch([*happenings], place, tuple(one.key for one in known), has_all_alerts=True)

    def _orders(self, intents: Iterable[str]) -> list[Happening]:
        wanted = sorted(set(intents))
        if not wanted:
            return []
        orders = self._queries.rows(ORDERS, ids=wanted)
        fills = self._queries.rows(FILLS, ids=[row["client_order_id"] for row in orders])
        return [
            *(Happening("order", _order_key(row), row) for row in orders),
            *(Happening("fill", f"fill:{row['account']}:{row['execution_id']}", row) for row in fills),
        ]

    def _acknowledged(self, alert_ids: Iterable[str]) -> list[Happening]:
        wanted = sorted(set(alert_ids))
        found = self._queries.rows(ALERTS_OF, ids=wanted) if wanted else []
        return [Happening("alert", _alert_key(row), row) for row in found]

    def _equity(self, after: int) -> tuple[int, list[Happening]]:
        rows = self._queries.rows(EQUITY, after=after)
        if not rows:
            return after, []
        row = rows[0]
        accounts = {name: one["equity_usdt"] for name, one in row["data"].get("accounts", {}).items()}
        data = {name: row[name] for name in ("version", "market_ms", "equity_usdt")} | {"accounts": accounts}
        return row["version"], [Happening("equity", f"equity:{row['version']}", data)]

    def _alerts(self, after: int, *, has_all: bool) -> list[Happening]:
        """Those written since; one more than are sent at once shows that there are too many."""
        rows = self._queries.rows(ALL_ALERTS if has_all else NEWEST_ALERTS, after=after, limit=MAX_BEHIND + 1)
        return [Happening("alert", _alert_key(row), row) for row in rows]


def is_ahead(place: StreamPlace, newest: Mapping[str, int]) -> bool:
    """Whether a place lies behind the newest of the database that it is to be continued in: it is another's."""
    return (
        place.journal > newest["journal"]
        or place.portfolio > newest["portfolio"]
        or place.alerts_transaction > newest["next_transaction"]
    )


def _skipped(place: StreamPlace, newest: int, text: str) -> Happening:
    return Happening(SKIPPED, f"skipped:{place.journal}:{newest}", {"text": text})


def settled(rows: list[Row], after: int) -> list[Row]:
    """The rows up to the first gap that may still be filled."""
    expected = after + 1
    for at, row in enumerate(rows):
        if row["id"] != expected and row["age_s"] < GAP_S:
            return rows[:at]
        expected = row["id"] + 1
    return rows


def is_acknowledgement(row: Mapping[str, Any]) -> bool:
    """Whether a row of the journal is about the acknowledgement of the alert that it names."""
    return (row["actor"], row["trigger"]) == (ActorName.NOTIFIER, ACKNOWLEDGE)


def _order_key(row: Mapping[str, Any]) -> str:
    figures = "/".join(str(row[name]) for name in ("state", "quantity", "price", "trigger_price", "filled_quantity"))
    return f"order:{row['client_order_id']}:{row['updated_ms']}:{figures}"


def _alert_key(row: Mapping[str, Any]) -> str:
    acknowledged = ":acknowledged" if row["acknowledged_by"] else ""
    return f"alert:{row['alert_id']}:{row['state']}:{row['changes']}{acknowledged}"


def shown(happening: Happening) -> Row:
    """What is sent of it."""
    found: Row = plain({"key": happening.key, **happening.data})
    return found
