"""The adapter at T + 1 h, and an envelope around a result, for the tests of the border to the exchange."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.bybit.exchange import BybitExchange
from statemachines.values import HOUR_MS, Account, Category
from tests.infra.bybit.parsing.test_frames import T
from tests.infra.bybit.venue import adapter
from tests.kit.peers import StandingClock

A = Account.TREND_1
NOW = T + HOUR_MS


def exchange(handle: Callable[[str, str, Any, Any], Any]) -> BybitExchange:
    symbols: tuple[tuple[Category, str], ...] = (("linear", "BTCUSDT"), ("spot", "ETHUSDT"), ("linear", "SOLUSDT"))
    return adapter(handle, clock=StandingClock(NOW), symbols=symbols)


def envelope(result: Any, code: Any = 0) -> dict[str, Any]:
    return {"retCode": code, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW}


def position(**changes: Any) -> dict[str, Any]:
    row = {
        "symbol": "BTCUSDT", "positionIdx": 0, "side": "Sell", "size": "5", "avgPrice": "100", "markPrice": "101",
        "liqPrice": "", "leverage": "10", "unrealisedPnl": "-5",
    }  # fmt: skip
    return row | changes
