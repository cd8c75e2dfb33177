"""How this program connects to PostgreSQL."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
import psycopg
from psycopg.types.json import set_json_loads

from actors.runtime.ports import StoreUnavailableError
from infra.database.outage import outage_of, reason_of
from infra.database.urls import psycopg_url

T = TypeVar("T")

CONNECT_TIMEOUT_S = 5
UNANSWERED_MS = 10_000
"""After so long without a sign from the server's machine a connection is lost."""

LOCK_TIMEOUT_MS = 5_000
"""Longest wait for a lock that another session holds; then it is an outage, which is reported."""

STATEMENT_TIMEOUT_MS = 10_000
"""With the wait for a lock well below the 15 s after which a worker that stands still counts as hung."""

PATIENT_TIMEOUT_MS = 60_000
"""For what no supervision watches: the roles and rights at the start, beside sessions that still work."""

READ_TIMEOUT_MS = 5_000
"""A page must not wait longer than this for its rows."""

READ_LOCK_TIMEOUT_MS = 1_500
"""Below the time in which /health answers, so that the cause of the wait is reported."""


def connect(url: str, application: str, *, is_patient: bool = False) -> psycopg.Connection[Any]:
    """A connection for writing, in autocommit: transactions are written out where they are needed."""
    settings = {
        "lock_timeout": str(PATIENT_TIMEOUT_MS if is_patient else LOCK_TIMEOUT_MS),
        "statement_timeout": str(PATIENT_TIMEOUT_MS if is_patient else STATEMENT_TIMEOUT_MS),
        "plan_cache_mode": "force_generic_plan",
    }
    return _connect(url, application, settings)


def connect_for_reading(url: str, application: str) -> psycopg.Connection[Any]:
    """A connection that cannot write and gives up early."""
    settings = {
        "lock_timeout": str(READ_LOCK_TIMEOUT_MS),
        "statement_timeout": str(READ_TIMEOUT_MS),
        "default_transaction_read_only": "on",
        "plan_cache_mode": "force_custom_plan",  # with optional filters the plan must fit those that are given
    }
    return _connect(url, application, settings)


def _connect(url: str, application: str, settings: dict[str, str]) -> psycopg.Connection[Any]:
    options = {"timezone": "UTC", **settings}
    given = psycopg.conninfo.conninfo_to_dict(psycopg_url(url)).get("options") or ""
    connection: psycopg.Connection[Any] = psycopg.connect(
        psycopg_url(url),
        autocommit=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        application_name=application[:63],
        options=" ".join([str(given), *(f"-c {name}={value}" for name, value in options.items())]).strip(),
        keepalives_idle=10,
        keepalives_interval=5,
        keepalives_count=3,
        tcp_user_timeout=UNANSWERED_MS,  # keepalives are not sent while bytes of ours are on their way
    )
    connection.prepare_threshold = 0  # every statement here is used again and again
    connection.prepared_max = 200
    set_json_loads(orjson.loads, connection)
    return connection


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
