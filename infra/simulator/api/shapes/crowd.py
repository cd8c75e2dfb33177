"""Public frames about risk and other participants: liquidations, price limits, insurance pool, auto-deleveraging."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from infra.simulator.api.shapes.topics import Topic
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument
from infra.simulator.venue.model import Liquidation
from infra.simulator.venue.money import text
from infra.simulator.venue.orders.checks import price_band
from infra.simulator.venue.state import Venue

ADL_LOSS_RATIO = Decimal("-0.3")
"""Auto-deleveraging begins when the pool has lost this share of its highest balance ..."""
ADL_STOP_RATIO = Decimal("-0.25")
"""... and ends when the loss is no more than this."""
ADL_TRIGGER_USDT = 10_000


def liquidation_frame(venue: Venue, topic: Topic, found: Iterable[Liquidation]) -> dict[str, Any] | None:
    """``allLiquidation``: what was liquidated since the last frame; None when nothing was."""
    data = [
        {"T": one.time_ms, "s": one.symbol, "S": one.side, "v": text(one.size), "p": text(one.price)} for one in found
    ]
    return _frame(venue, topic, data) if data else None


def price_limit_frame(venue: Venue, topic: Topic, spec: Instrument) -> dict[str, Any]:
    """``priceLimit``: the band of limit prices; without ``type``, as Bybit sends it."""
    high, low = price_band(venue, spec)
    data = {"symbol": spec.symbol, "buyLmt": text(high), "sellLmt": text(low)}
    return {"topic": topic.name, "data": data, "ts": venue.now_ms}


def insurance_frame(venue: Venue, topic: Topic, kind: str) -> dict[str, Any]:
    """``insurance``: the shared pool of USDT; the other pools have no contracts here."""
    data = [
        {
            "coin": "USDT",
            "symbols": ",".join(_perpetuals()),
            "balance": text(venue.insurance_usdt),
            "updateTime": str(venue.registry.insurance_ms or venue.now_ms),
        }
    ]
    return {"topic": topic.name, "type": kind, "ts": venue.now_ms, "data": data if topic.subject == "USDT" else []}


def adl_frame(venue: Venue, topic: Topic) -> dict[str, Any]:
    """``adlAlert``: how far each contract's pool is from auto-deleveraging; numbers, as Bybit sends them."""
    balance, peak = venue.insurance_usdt, venue.registry.insurance_peak_usdt
    ratio = float(((balance - peak) / peak).quantize(Decimal("0.000001"))) if peak else 0.0
    data = [
        {
            "c": "USDT", "s": symbol, "b": float(balance), "mb": float(peak), "i_pr": float(ADL_LOSS_RATIO),
            "pr": ratio, "adl_tt": ADL_TRIGGER_USDT, "adl_sr": float(ADL_STOP_RATIO),
        }
        for symbol in _perpetuals()
    ]  # fmt: skip
    return _frame(venue, topic, data if topic.subject == "USDT" else [])


def _perpetuals() -> list[str]:
    return [spec.symbol for spec in INSTRUMENTS.values() if not spec.is_spot]


def _frame(venue: Venue, topic: Topic, data: list[dict[str, Any]]) -> dict[str, Any]:
    return {"topic": topic.name, "type": "snapshot", "ts": venue.now_ms, "data": data}
