"""The real adapter over answers of the test's own making, shared by the tests of what answers mean; no socket in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from actors.runtime.ports import MarketClock
from infra.bybit.exchange import BybitExchange
from infra.bybit.session import DirectSessions, Handle
from statemachines.feeds.terms import FeedRead
from statemachines.requests import (
    PlaceOrder,
)
from statemachines.values import DAY_MS, Account, Category, Side
from tests.kit.peers import StandingClock

A = Account.TREND_1
NOW = 1_700_000_000_000 // DAY_MS * DAY_MS


SYMBOLS: tuple[tuple[Category, str], ...] = (("linear", "BTCUSDT"),)


def adapter(
    handle: Handle,
    *,
    clock: MarketClock | None = None,
    symbols: Sequence[tuple[Category, str]] = SYMBOLS,
    uids: Mapping[Account, int] | None = None,
    pause: Callable[[float], None] = lambda _s: None,
) -> BybitExchange:
    """The adapter as the in-process runtime builds it: `handle` answers, nothing waits, no feed is configured."""
    return BybitExchange(
        DirectSessions(handle),
        symbols=symbols,
        uids=uids or {account: 1 + number for number, account in enumerate(Account)},
        clock=clock or StandingClock(NOW),
        read_feed=lambda _ms: FeedRead(reason="none"),
        pause=pause,
    )


def order_of(**changes: Any) -> PlaceOrder:
    """A market buy of 0.01 BTC in the perpetual, or what the changes make of it."""
    base: dict[str, Any] = {
        "client_order_id": "abcdefT1x-1",
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "quantity": Decimal("0.010"),
        "style": "market",
    }
    return PlaceOrder(**(base | changes))


class Venue:
    """A scripted exchange: `script(path, params)` answers with a result, an (code, message) or an exception."""

    def __init__(self, script: Callable[[str, Any], Any], symbols: Sequence[tuple[Category, str]] = SYMBOLS) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.pauses: list[float] = []
        self._script = script
        self.exchange = adapter(
            self._handle,
            symbols=symbols,
            uids={Account.FUNDING: 11, Account.TACTICAL: 12},
            pause=self.pauses.append,
        )

    def _handle(self, method: str, path: str, params: Any, account: Account | None) -> dict[str, Any]:
        self.calls.append((path, dict(params)))
        answer = self._script(path, params)
        if isinstance(answer, Exception):
            raise answer
        code, message, result = (*answer, {}) if isinstance(answer, tuple) else (0, "OK", answer)
        return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": 1}


def refusing(code: int) -> Callable[[str, Any], Any]:
    return lambda path, params: (code, "no")
