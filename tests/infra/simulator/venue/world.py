"""A tiny market of hand-written hours, and short ways to talk to an exchange over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from infra.simulator.api import AdvanceResult, ApiRequest, Exchange
from infra.simulator.config import SimConfig
from infra.simulator.market.path import DAY_MS, HOUR_MS, merged, points, running_bar
from infra.simulator.market.port import Bar, PriceKind, UnsupportedInterval
from infra.simulator.venue.stepper import next_ms

START_MS = 1_704_067_200_000  # 2024-01-01 00:00
PRIVATE = ("execution", "order", "position", "wallet")
Hour = tuple[str, str, str, str]
FLAT: Hour = ("40000", "40000", "40000", "40000")
WAVE: Sequence[Hour] = [("40000", "40300", "39800", "40200"), ("40200", "40500", "39900", "40000")] * 24
"""Two days of prices that go up and down by the hour."""


class TinyMarket:
    """The same hourly bars (open, high, low, close) for spot and perpetual of each symbol; mark = last."""

    label = "tiny"

    def __init__(
        self,
        hours: Sequence[Hour] | Mapping[str, Sequence[Hour]],
        funding: Mapping[int, str] | None = None,
        days: int = 2,
    ) -> None:
        named = hours if isinstance(hours, Mapping) else {"BTCUSDT": hours}
        self.start_ms = START_MS
        self.end_ms = START_MS + days * DAY_MS
        self._funding = {START_MS + hour * HOUR_MS: Decimal(rate) for hour, rate in (funding or {}).items()}
        self.rows: dict[str, dict[int, Bar]] = {}
        for symbol, rows in named.items():
            rows = [*rows, *[(rows[-1][3],) * 4] * (days * 24 - len(rows))]
            self.rows[symbol] = {
                START_MS + index * HOUR_MS: Bar(
                    START_MS + index * HOUR_MS,
                    Decimal(opened),
                    Decimal(high),
                    Decimal(low),
                    Decimal(closed),
                    Decimal(10),
                    Decimal(400000),
                )
                for index, (opened, high, low, closed) in enumerate(rows)
            }

    def symbols(self) -> Sequence[tuple[str, str]]:
        return [(category, symbol) for symbol in self.rows for category in ("spot", "linear")]

    def listed_from_ms(self, category: str, symbol: str) -> int:
        return START_MS

    def hour(self, category: str, symbol: str, start_ms: int) -> Bar | None:
        return self.rows[symbol].get(start_ms)

    def mark_hour(self, symbol: str, start_ms: int) -> Bar | None:
        return self.rows[symbol].get(start_ms)

    def bars(
        self, category: str, symbol: str, interval: str, start_ms: int, end_ms: int, limit: int, kind: PriceKind,
        now_ms: int,
    ) -> list[Bar]:  # fmt: skip
        if interval not in ("60", "D"):
            raise UnsupportedInterval(interval)
        seen = [running_bar(bar, now_ms) if bar.start_ms + HOUR_MS > now_ms else bar
                for bar in self.rows[symbol].values() if bar.start_ms <= now_ms]  # fmt: skip
        found = [bar for bar in seen if bar is not None]
        if interval == "D":
            days = sorted({bar.start_ms // DAY_MS * DAY_MS for bar in found})
            whole = [merged(day, [bar for bar in found if bar.start_ms // DAY_MS * DAY_MS == day]) for day in days]
            found = [bar for bar in whole if bar is not None]
        return [bar for bar in found if start_ms <= bar.start_ms <= end_ms][-limit:]

    def path_point(self, category: str, symbol: str, hour_start_ms: int, index: int) -> Decimal | None:
        bar = self.rows[symbol].get(hour_start_ms)
        return None if bar is None else points(bar)[index]

    def mark_point(self, symbol: str, hour_start_ms: int, index: int) -> Decimal:
        price = self.path_point("linear", symbol, hour_start_ms, index)
        if price is None:
            raise LookupError(symbol)
        return price

    def funding_rate(self, symbol: str, settle_ms: int) -> Decimal | None:
        return self._funding.get(settle_ms)

    def funding_history(
        self, symbol: str, start_ms: int, end_ms: int, limit: int, now_ms: int
    ) -> list[tuple[int, Decimal]]:
        rows = [row for row in self._funding.items() if start_ms <= row[0] <= min(end_ms, now_ms)]
        return sorted(rows, reverse=True)[:limit]

    def next_funding_ms(self, symbol: str, now_ms: int) -> int:
        return now_ms // (8 * HOUR_MS) * 8 * HOUR_MS + 8 * HOUR_MS

    def predicted_rate(self, symbol: str, now_ms: int) -> Decimal:
        return Decimal("0.0001")

    def fear_greed(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        day = now_ms // DAY_MS * DAY_MS
        return [(day, 20), (day - DAY_MS, 80)][:limit]

    def dvol(self, now_ms: int) -> list[tuple[int, Decimal]]:
        return [(now_ms // DAY_MS * DAY_MS - DAY_MS, Decimal("55.5"))]


class World:
    """An exchange over a tiny market, with every private topic of every account subscribed."""

    def __init__(
        self,
        hours: Any = (FLAT,),
        *,
        config: SimConfig | None = None,
        state: dict[str, Any] | None = None,
        **market: Any,
    ) -> None:
        self.exchange = Exchange(TinyMarket(hours, **market), config, state=state)
        self.uids = {one.name: one.uid for one in self.exchange.config.accounts}
        for name in self.uids:
            self.exchange.subscribe(PRIVATE, account=name)

    def call(self, method: str, path: str, account: str | None, **params: Any) -> dict[str, Any]:
        """The whole envelope."""
        uid = self.uids[account] if account else None
        return self.exchange.handle(ApiRequest(method, path, params, uid))

    def get(self, path: str, account: str | None = None, **params: Any) -> dict[str, Any]:
        """The result of a GET that must succeed."""
        answer = self.call("GET", path, account, **params)
        assert answer["retCode"] == 0, answer
        result: dict[str, Any] = answer["result"]
        return result

    def post(self, path: str, account: str, **params: Any) -> dict[str, Any]:
        """The result of a POST that must succeed."""
        answer = self.call("POST", path, account, **params)
        assert answer["retCode"] == 0, answer
        result: dict[str, Any] = answer["result"]
        return result

    def refused(self, path: str, account: str, **params: Any) -> int:
        """The retCode of a POST."""
        code = self.call("POST", path, account, **params)["retCode"]
        assert isinstance(code, int)
        return code

    def order(self, account: str = "TREND-1", **params: Any) -> dict[str, Any]:
        """Create an order (BTCUSDT perpetual, market, unless said otherwise) and show it as it is now."""
        params = {"category": "linear", "symbol": "BTCUSDT", "orderType": "Market"} | params
        made = self.post("/v5/order/create", account, **params)
        return self.show(made["orderId"], account, params["category"])

    def show(self, order_id: str, account: str = "TREND-1", category: str = "linear") -> dict[str, Any]:
        """An order by id."""
        rows = self.get("/v5/order/realtime", account, category=category, orderId=order_id)["list"]
        assert len(rows) == 1
        row: dict[str, Any] = rows[0]
        return row

    def position(self, account: str = "TREND-1", symbol: str = "BTCUSDT") -> dict[str, Any]:
        """The position row."""
        row: dict[str, Any] = self.get("/v5/position/list", account, category="linear", symbol=symbol)["list"][0]
        return row

    def step(self, until: int | None = None) -> AdvanceResult:
        """One micro-step."""
        return self.exchange.advance(self.exchange.step, until)

    def run_to(self, instant_ms: int) -> list[AdvanceResult]:
        """Micro-steps until this instant is reached and nothing of it is pending."""
        venue = self.exchange.venue
        results: list[AdvanceResult] = []
        while venue.queue or next_ms(venue) <= instant_ms or venue.now_ms < instant_ms:
            results.append(self.step(instant_ms))
        return results

    def wallet(self, account: str, coin: str = "USDT") -> Decimal:
        """Wallet balance of a coin."""
        return self.exchange.venue.accounts[account].balance(coin)

    def log_total(self, account: str, coin: str = "USDT") -> Decimal:
        """The sum of the account's transaction-log changes."""
        rows = self.exchange.venue.accounts[account].log
        return sum((Decimal(row.data["change"]) for row in rows if row.data["currency"] == coin), Decimal(0))


def at(hour: int, minute: int = 0, second: int = 0) -> int:
    """Market time of the first days, in ms."""
    return START_MS + hour * HOUR_MS + (minute * 60 + second) * 1000
