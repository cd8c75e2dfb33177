"""How the operator service reads the database: on threads of its own, within a time, as JSON values, in pages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from api.json_values import plain
from api.views.arguments import limit_of, span_of
from api.views.paging import decode, page_of
from infra.database.queries import Queries
from infra.database.reading.paging import PageKey, Place, Span
from infra.database.reading.reader import QueryUnavailableError

Row = dict[str, Any]

READ_TIMEOUT_S = 6.0


class DatabaseAwayError(Exception):
    """The database did not answer in time (HTTP 503)."""


class PageRequest(NamedTuple):
    """The part of a list that is asked for: at most `limit` rows behind the cursor `before`, from the instant `since`
    on, earlier than `until`; as they were given."""

    before: str | None = None
    limit: int = 100
    since: str | None = None
    until: str | None = None


class PagePlace(NamedTuple):
    """A request for a page as the database is asked: `rows` are those of the page."""

    start: Place
    rows: int
    span: Span


def place_of(key: PageKey, asked: PageRequest) -> PagePlace:
    """Raises BadValueError."""
    return PagePlace(decode(asked.before, key), limit_of(asked.limit), span_of(asked.since, asked.until))


class Reading:
    """Raises BadValueError for a page, a limit or a span that is not allowed, and DatabaseAwayError (all methods)."""

    def __init__(self, queries: Queries) -> None:
        self.queries = queries
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="reading")

    def close(self) -> None:
        """Give up the database connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.queries.close()

    async def page(self, key: PageKey, asked: PageRequest, read: Callable[[Place, int, Span], list[Row]]) -> Row:
        """One page of a list: `{"rows", "next"}`."""
        place = place_of(key, asked)
        found: Row = plain(
            page_of(await self.read(lambda: read(place.start, place.rows + 1, place.span)), place.rows, key)
        )
        return found

    async def rows(self, work: Callable[[], list[Row]]) -> list[Row]:
        """All rows of a short list."""
        rows: list[Row] = plain(await self.read(work))
        return rows

    async def read(self, work: Callable[[], Any], timeout_s: float = READ_TIMEOUT_S) -> Any:
        """What blocking work on the database answers."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise DatabaseAwayError(f"the database did not answer within {timeout_s:.0f} s") from None
        except QueryUnavailableError as error:
            raise DatabaseAwayError(str(error)) from error
