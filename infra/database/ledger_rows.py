"""The whole ledger, read in order for export and check: one read-only transaction, in pages, so that a ledger of
millions of lines needs little memory and every page shows the same instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from infra.database.connection import connect_for_reading
from infra.database.outage import reason_of
from infra.faults import OperatorError
from statemachines.values import HOUR_MS

PAGE = 2_000
"""Postings per query."""

Row = dict[str, Any]


class LedgerUnreadableError(OperatorError):
    """The database does not answer, or has no ledger yet."""


@dataclass(frozen=True, slots=True)
class PostingRow:
    """A posting with its lines (account, ledger account, coin, amount) and, for a fill, its execution."""

    posting_id: str
    kind: str
    posted_ms: int
    description: str
    lines: tuple[tuple[str, str, str, Decimal], ...]
    execution: Mapping[str, Any] | None = None


@contextmanager
def reading(url: str) -> Iterator[LedgerRows]:
    """The ledger as of now.

    Raises:
        LedgerUnreadableError: the database cannot be read.
    """
    try:
        with connect_for_reading(url, "ledger") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield LedgerRows(connection)
    except psycopg.errors.UndefinedTable:
        raise LedgerUnreadableError("The database has no ledger yet; `eternal run` makes it.") from None
    except psycopg.Error as error:
        raise LedgerUnreadableError(f"The ledger cannot be read: {reason_of(error)}.") from None


class LedgerRows:
    """All methods show the same instant. They raise psycopg.Error, which `reading` turns into a sentence."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def postings(self, from_ms: int = 0, until_ms: int = 2**62, account: str | None = None) -> Iterator[PostingRow]:
        """Postings with `from_ms` <= time < `until_ms`, oldest first; with `account` only those that move something of
        it, and rows of its log that move nothing."""
        place: tuple[int, str] = (from_ms - 1, "\U0010ffff")
        while True:
            rows = self._rows(
                """SELECT p.posting_id, p.kind, p.posted_ms, p.description,
                       coalesce(l.lines, '[]') AS lines, to_jsonb(e) AS execution
                   FROM (SELECT * FROM postings
                         WHERE (posted_ms, posting_id COLLATE "C") > (%(ms)s, %(id)s) AND posted_ms < %(until)s
                         AND (%(account)s::text IS NULL OR starts_with(posting_id, 'log:' || %(account)s || ':')
                              OR EXISTS (SELECT 1 FROM posting_lines own WHERE own.posting_id = postings.posting_id
                                         AND own.account = %(account)s))
                         ORDER BY posted_ms, posting_id COLLATE "C" LIMIT %(limit)s) p
                   LEFT JOIN LATERAL (
                       SELECT json_agg(json_build_array(account, ledger_account, coin, amount::text) ORDER BY line_no)
                           AS lines FROM posting_lines WHERE posting_id = p.posting_id) l ON true
                   LEFT JOIN LATERAL (
                       SELECT client_order_id, venue_order_id, execution_id, category, symbol, side,
                           quantity::text, price::text, realized_pnl::text, engine
                       FROM executions x WHERE p.kind = 'fill'
                       AND x.account = split_part(p.posting_id, ':', 2)
                       AND x.execution_id = substr(p.posting_id, length(split_part(p.posting_id, ':', 2)) + 7)
                   ) e ON true
                   ORDER BY p.posted_ms, p.posting_id COLLATE "C" """,
                ms=place[0],
                id=place[1],
                until=until_ms,
                account=account,
                limit=PAGE,
            )
            for row in rows:
                lines = tuple((a, name, coin, Decimal(amount)) for a, name, coin, amount in row["lines"])
                yield PostingRow(
                    row["posting_id"], row["kind"], row["posted_ms"], row["description"], lines, row["execution"]
                )
            if len(rows) < PAGE:
                return
            place = (rows[-1]["posted_ms"], rows[-1]["posting_id"])

    def balances_before(self, until_ms: int) -> list[Row]:
        """The balance of every ledger account before an instant: account, ledger account, coin, amount; none that is
        zero."""
        return self._rows(
            """SELECT account, ledger_account, coin, sum(amount) AS amount FROM posting_lines WHERE posted_ms < %(ms)s
               GROUP BY account, ledger_account, coin HAVING sum(amount) <> 0 ORDER BY 1, 2, 3""",
            ms=until_ms,
        )

    def accounts_used(self, from_ms: int, until_ms: int) -> list[Row]:
        """Every ledger account that lines between two instants move: account, ledger account, coin."""
        return self._rows(
            """SELECT DISTINCT account, ledger_account, coin FROM posting_lines
               WHERE posted_ms >= %(from)s AND posted_ms < %(until)s ORDER BY 1, 2, 3""",
            **{"from": from_ms, "until": until_ms},
        )

    def positions(self) -> list[Row]:
        """Linear positions that are not flat: account, symbol, quantity, average price."""
        return self._rows(
            "SELECT account, symbol, quantity, average_price FROM positions WHERE quantity <> 0 ORDER BY 1, 2"
        )

    def prices(self) -> dict[str, Decimal]:
        """The prices of the newest version of the portfolio, by key; empty before the first."""
        rows = self._rows("SELECT data -> 'prices' AS prices FROM portfolio_versions ORDER BY version DESC LIMIT 1")
        return {key: Decimal(str(price)) for key, price in (rows[0]["prices"] if rows else {}).items()}

    def closed_price(self, coin: str, at_ms: int) -> Decimal | None:
        """The coin's last spot price in USDT that had closed by an instant (hourly bars); None when none is stored."""
        rows = self._rows(
            """SELECT close FROM bars WHERE category = 'spot' AND symbol = %(symbol)s AND interval = '60'
               AND start_ms <= %(latest)s ORDER BY start_ms DESC LIMIT 1""",
            symbol=f"{coin}USDT",
            latest=at_ms - HOUR_MS,
        )
        return rows[0]["close"] if rows else None

    def _rows(self, query: str, **parameters: Any) -> list[Row]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query.encode(), parameters).fetchall()
