"""A connection that only reads: every statement ends within `READ_TIMEOUT_MS`, so that a page never hangs on it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from infra.database.connection import connect_for_reading
from infra.database.outage import LOST_CONNECTION, outage_of, reason_of
from infra.database.reading.paging import ALL_TIME, MAX_ROWS, PageKey, Place, Span
from infra.faults import OperatorError

LOG = logging.getLogger(__name__)

Row = dict[str, Any]


class QueryUnavailableError(OperatorError):
    """The database cannot be reached or did not answer in time; the page shows it."""


class Reader:
    """Thread-safe; connects again after a loss. All methods raise QueryUnavailableError."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def close(self) -> None:
        """Give up the connection."""
        with self._guard:
            self._close()

    def page(
        self, key: PageKey, select: LiteralString, before: Place, limit: int, span: Span, **parameters: Any
    ) -> list[Row]:
        """The rows of a span behind a place, as a page shows them; `select` ends in its WHERE clause."""
        cut: LiteralString = ""
        if span != ALL_TIME:
            cut = f" AND {key.time} >= %(from_ms)s AND {key.time} < %(to_ms)s"
        query: LiteralString = f"{select} AND {key.before}{cut} ORDER BY {key.order} LIMIT %(limit)s"
        places = {f"p{at}": value for at, value in enumerate(before)}
        bounds = {"from_ms": span.from_ms, "to_ms": span.to_ms}
        return self.rows(query, limit=bounded(limit), **bounds, **places, **parameters)

    def rows(self, query: LiteralString, **parameters: Any) -> list[Row]:
        """What one statement finds."""

        def read(connection: psycopg.Connection[Any]) -> list[Row]:
            with connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()

        return self.perform(read)

    def perform(self, work: Callable[[psycopg.Connection[Any]], list[Row]]) -> list[Row]:
        """What several statements on the connection find."""
        with self._guard:
            is_used = self._connection is not None and not self._connection.closed
            try:
                return self._attempt(work)
            except psycopg.Error as error:
                if not is_used or outage_of(error) not in LOST_CONNECTION:
                    raise _unavailable(error) from error
            try:  # the connection had died while idle, which says nothing about the database now
                return self._attempt(work)
            except psycopg.Error as error:
                raise _unavailable(error) from error

    def _attempt(self, work: Callable[[psycopg.Connection[Any]], list[Row]]) -> list[Row]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect_for_reading(self._url, "api")
            return work(self._connection)
        except psycopg.Error:
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _unavailable(error: psycopg.Error) -> QueryUnavailableError:
    """A failed query never ends the reader: what the database refuses for a fault of our own is logged and reported."""
    outage = outage_of(error)
    if outage is None:
        LOG.error("the database refuses a query of this program", exc_info=error)
    return QueryUnavailableError(f"the database {outage or 'refuses a query of this program'}: {reason_of(error)}")


def bounded(limit: int) -> int:
    """A number of rows that a statement may read."""
    return max(1, min(limit, MAX_ROWS + 1))  # one more shows whether there is a further page
