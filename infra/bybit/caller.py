"""One call to the exchange: the right session, within the rate limits, errors as GatewayError, paging."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from pybit.unified_trading import HTTP

from infra.bybit.errors import TOO_MANY_VISITS, Fault, GatewayError, classify
from infra.bybit.limits import RateLimiter
from infra.bybit.parsing.fields import Row
from infra.bybit.session import Sessions
from statemachines.values import Account

MAX_PAGES = 500
"""A list longer than this is taken for one without end."""

Call = Callable[[HTTP], Any]


class TooManyPagesError(GatewayError):
    """A list has more pages than are read; a shorter span of time may have fewer."""


class Caller:
    """Performs calls of one process; `limiter` None (in-process) does not limit."""

    def __init__(self, sessions: Sessions, limiter: RateLimiter | None) -> None:
        self._sessions = sessions
        self._limiter = limiter
        self._reserved = threading.local()

    def result(self, account: Account, group: str, call: Call) -> Row:
        """The `result` object of one call.

        Raises:
            GatewayError: refused, failed, or its answer cannot be read.
        """
        return self._performed(
            account, group, 1, lambda session: Row(call(session), f"answer to {group}").row("result")
        )

    def answer(self, account: Account, group: str, orders: int, call: Call) -> Row:
        """The whole answer of one call that counts as so many orders.

        Raises:
            GatewayError: refused, failed, or its answer cannot be read.
        """
        return self._performed(account, group, orders, lambda session: Row(call(session), f"answer to {group}"))

    def most_together(self, account: Account, group: str) -> int | None:
        """How many orders of one call are within the group's limit; None without limits."""
        return None if self._limiter is None else self._limiter.quota(account, group)

    def reserve(self, account: Account, group: str, orders: int) -> None:
        """Wait now until a call of this thread is within all limits; that call does not wait again.

        Raises:
            GatewayError: transient; the wait would be too long.
        """
        if self._limiter is not None:
            self._limiter.acquire(account, group, orders)
            self._reserved.next = (account, group)

    def exceeded(self, account: Account, group: str) -> None:
        """The exchange has refused some orders of a batch for the group's limit: it counted more than we did."""
        if self._limiter is not None:
            self._limiter.refused(account, group)

    def _performed(self, account: Account, group: str, orders: int, read: Callable[[HTTP], Row]) -> Row:
        session = self._sessions.session(account)
        reserved, self._reserved.next = getattr(self._reserved, "next", None), None
        if self._limiter is not None and reserved != (account, group):
            self._limiter.acquire(account, group, orders)
        try:
            return read(session)
        except Exception as error:  # noqa: BLE001 - classify raises again whatever is not the exchange's
            fault = classify(error)
            if self._limiter is not None and fault.code == TOO_MANY_VISITS:
                self._limiter.refused(account, group)
            if self._limiter is not None and fault.http_status == 403:
                self._limiter.banned()
            raise fault from None
        finally:
            headers = getattr(session, "headers_seen", None)
            if self._limiter is not None and headers:
                self._limiter.correct(account, group, headers)

    def pages(
        self, account: Account, group: str, call: Callable[[HTTP, str], Any], category: str | None = None
    ) -> list[Any]:
        """All rows of a paged list; `call` gets the cursor ("" first), which is passed back unchanged. An answer that
        names another category than the one asked for says nothing about it."""
        rows: list[Any] = []
        for result in self.each_page(account, group, call):
            if category is not None:
                result.repeats_if_told("category", category)
            rows.extend(result.items("list"))
        return rows

    def each_page(self, account: Account, group: str, call: Callable[[HTTP, str], Any]) -> Iterator[Row]:
        """The pages of a list as they are answered; `call` gets the cursor ("" first). Raises TooManyPagesError."""
        cursor, given = "", set[str]()
        for _page in range(MAX_PAGES):
            result = self.result(account, group, lambda session, at=cursor: call(session, at))  # type: ignore[misc]
            yield result
            cursor = _next_cursor(result, given)
            if not cursor:
                return
        raise TooManyPagesError(0, f"the list of {group} has more than {MAX_PAGES} pages", Fault.TRANSIENT)


def at_cursor(at: str) -> dict[str, str]:
    """The parameter that asks for the page at a cursor; none for the first page."""
    return {"cursor": at} if at else {}


LONGEST_CURSOR = 2_000


def _next_cursor(result: Row, given: set[str]) -> str:
    """Where the next page begins; "" on the last one. It is opaque and goes back unchanged. `given` are those of the
    pages before: one that comes again leads in a circle."""
    cursor = result.raw("nextPageCursor") if result.has("nextPageCursor") else ""
    if not isinstance(cursor, str) or len(cursor) > LONGEST_CURSOR or not cursor.isprintable():
        raise result.error("nextPageCursor", cursor, f"a text of at most {LONGEST_CURSOR} printable characters")
    if cursor in given:
        raise result.error("nextPageCursor", cursor, "another cursor than those of the pages before")
    given.add(cursor)
    return cursor
