"""What the venue of the simulated exchange asks of a market: bars, the price path, funding and feeds.

Every instant is an ``int`` of milliseconds since the epoch, UTC. Prices and rates are ``Decimal``; a rate is a
fraction (0.0001 = 0.01 %). Methods that take ``now_ms`` answer only with what was known at that instant: closed
bars, path points with ``point time <= now_ms``, settlements and publications with ``time <= now_ms``.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple, Protocol

PriceKind = Literal["last", "mark", "index"]
"""Which price a bar is made of. ``index`` is the spot price of the same symbol."""


class Bar(NamedTuple):
    """One bar. ``start_ms`` is its opening instant; volume in coins, turnover in USDT (0 where unknown)."""

    start_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    turnover: Decimal


class UnsupportedInterval(ValueError):
    """The interval of a bar query cannot be built from hourly bars; the query is answered with an error."""


class Market(Protocol):
    """A market that can be replayed: the only source of prices of the simulated exchange."""

    @property
    def label(self) -> str:
        """What the market is, for people: ``synthetic, seed 7`` or ``history, folder NAME``."""
        ...

    @property
    def start_ms(self) -> int:
        """First tradable instant, an exact UTC day. Earlier bars are warm-up: known from the beginning."""
        ...

    @property
    def end_ms(self) -> int:
        """End of the tradable period, exclusive."""
        ...

    def symbols(self) -> Sequence[tuple[str, str]]:
        """The traded ``(category, symbol)`` pairs; category is ``spot`` or ``linear``."""
        ...

    def listed_from_ms(self, category: str, symbol: str) -> int:
        """Start of the first hourly bar: before it the symbol cannot be traded."""
        ...

    def hour(self, category: str, symbol: str, start_ms: int) -> Bar | None:
        """The whole last-price bar that starts at ``start_ms``; None in a gap. Not to be shown before it closes."""
        ...

    def mark_hour(self, symbol: str, start_ms: int) -> Bar | None:
        """The whole mark-price bar of the perpetual; its last-price bar where no mark is recorded; None in a gap."""
        ...

    def bars(
        self,
        category: str,
        symbol: str,
        interval: str,
        start_ms: int,
        end_ms: int,
        limit: int,
        kind: PriceKind,
        now_ms: int,
    ) -> list[Bar]:
        """The newest ``limit`` bars known at ``now_ms`` with ``start_ms <= bar start <= end_ms``, oldest first.

        ``interval`` is Bybit's name: minutes (``1`` ... ``720``), ``D``, ``W`` or ``M``. The bar that
        contains ``now_ms`` is built from the points of the path passed so far (the open point at the bar's own
        start included); the running hour adds no volume, since its volume is not known before its end.
        Raises ``UnsupportedInterval`` for any other interval.
        """
        ...

    def path_point(self, category: str, symbol: str, hour_start_ms: int, index: int) -> Decimal | None:
        """Last price at path point ``index`` (0..3) of the hour; None in a gap."""
        ...

    def mark_point(self, symbol: str, hour_start_ms: int, index: int) -> Decimal:
        """Mark price at path point ``index`` of the hour; in a gap the mark last known before it.

        Raises ``LookupError`` when the perpetual has no price at or before that hour.
        """
        ...

    def funding_rate(self, symbol: str, settle_ms: int) -> Decimal | None:
        """The rate that settles at exactly ``settle_ms``; None when nothing settles then."""
        ...

    def funding_history(
        self, symbol: str, start_ms: int, end_ms: int, limit: int, now_ms: int
    ) -> list[tuple[int, Decimal]]:
        """Settled ``(settle_ms, rate)`` with ``start_ms <= settle_ms <= min(end_ms, now_ms)``, newest first."""
        ...

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:
        """The next settlement strictly after ``now_ms``."""
        ...

    def predicted_rate(self, symbol: str, now_ms: int) -> Decimal:
        """The rate shown before settlement: premium so far or the last settled rate, never the one about to settle.

        A rate that settled at exactly ``now_ms`` counts as settled (funding is first in the order of an instant);
        0 while nothing has ever settled, which neither enters nor exits anything.
        """
        ...

    def fear_greed(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        """``(published_ms, value)`` with ``published_ms <= now_ms``, newest first; value 0..100.

        The value stamped D is published at D 00:00 (A5). Whether a value published at the very instant of a
        decision counts is for the reader to say.
        """
        ...

    def dvol(self, now_ms: int) -> list[tuple[int, Decimal]]:
        """``(day start, close)`` of the volatility index (in percent) for days closed at ``now_ms``, newest first."""
        ...
