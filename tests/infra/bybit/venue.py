"""A scripted exchange behind the real adapter, shared by the tests of what its answers mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.bybit.exchange import BybitExchange
from infra.bybit.session import DirectSessions
from statemachines.requests import FeedRead
from statemachines.values import DAY_MS, Account, Category

A = Account.TREND_1
NOW = 1_700_000_000_000 // DAY_MS * DAY_MS


class Clock:
    def now_ms(self) -> int:
        return NOW


class Venue:
    """A scripted exchange: `script(path, params)` answers with a result, an (code, message) or an exception."""

    def __init__(
        self, script: Callable[[str, Any], Any], symbols: tuple[tuple[Category, str], ...] = (("linear", "BTCUSDT"),)
    ) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.pauses: list[float] = []
        self._script = script
        self.exchange = BybitExchange(
            DirectSessions(self._handle),
            symbols=symbols,
            uids={Account.FUNDING: 11, Account.TACTICAL: 12},
            clock=Clock(),
            read_feed=lambda _ms: FeedRead(reason="none"),
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
