"""One connection to the database for one caller at a time, made when it is wanted and again after it was lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg

from actors.runtime.ports import StoreUnavailableError
from infra.database.connection import connect
from infra.database.outage import outage_of, reason_of

T = TypeVar("T")


class Line:
    """A connection that is made again after it was lost; one caller at a time."""

    def __init__(self, url: str, application: str) -> None:
        self._url = url
        self._application = application
        self._connection: psycopg.Connection[Any] | None = None
        self._guard = threading.RLock()

    def close(self) -> None:
        """Give the connection back."""
        with self._guard:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def perform(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """Do some work on the connection. Raises StoreUnavailableError when it is lost, and what the work raises."""
        with self._guard:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = connect(self._url, self._application)
                return work(self._connection)
            except BaseException as error:
                # a connection left inside a transaction would take the next call's statements with it
                self.close()
                if (outage := outage_of(error)) is not None:
                    raise StoreUnavailableError(outage, reason_of(error)) from error
                raise
