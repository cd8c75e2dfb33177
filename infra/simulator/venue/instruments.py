"""The instruments and their filters, with the values Bybit publishes for them (orders of magnitude of 2025)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infra.simulator.venue.errors import VenueError, params_error


@dataclass(frozen=True, slots=True)
class Instrument:
    """Filters of one symbol. Quantities in the base coin, prices and notionals in USDT, ratios as fractions.

    ``mm_rate`` (maintenance margin) and ``risk_limit_usdt`` are the first tier's; ``funding_minutes`` is the interval
    of settlements.
    """

    category: str
    symbol: str
    base: str
    symbol_id: int
    tick: Decimal
    qty_step: Decimal
    min_qty: Decimal
    max_limit_qty: Decimal
    max_market_qty: Decimal
    min_notional: Decimal
    limit_ratio_x: Decimal
    limit_ratio_y: Decimal
    max_notional: Decimal = Decimal("8000000")
    quote_step: Decimal = Decimal("0.0000001")
    max_leverage: Decimal = Decimal(100)
    mm_rate: Decimal = Decimal("0.005")
    risk_limit_usdt: Decimal = Decimal("2000000")
    max_price: Decimal = Decimal("1999999.8")
    funding_minutes: int = 480
    funding_cap: Decimal = Decimal("0.005")
    quote: str = "USDT"

    @property
    def is_spot(self) -> bool:
        """True for spot, False for a USDT perpetual."""
        return self.category == "spot"


def _d(value: str) -> Decimal:
    return Decimal(value)


_ALL = (
    Instrument("linear", "BTCUSDT", "BTC", 5, _d("0.10"), _d("0.001"), _d("0.001"), _d("1190"), _d("500"), _d("5"),
               _d("0.01"), _d("0.02"), max_leverage=_d("100"), mm_rate=_d("0.005"), risk_limit_usdt=_d("2000000")),
    Instrument("linear", "ETHUSDT", "ETH", 6, _d("0.01"), _d("0.01"), _d("0.01"), _d("7240"), _d("3500"), _d("5"),
               _d("0.01"), _d("0.02"), max_leverage=_d("100"), mm_rate=_d("0.005"), risk_limit_usdt=_d("1200000"),
               max_price=_d("199999.98")),
    Instrument("linear", "SOLUSDT", "SOL", 24, _d("0.010"), _d("0.1"), _d("0.1"), _d("79770"), _d("40000"), _d("5"),
               _d("0.03"), _d("0.06"), max_leverage=_d("100"), mm_rate=_d("0.005"), risk_limit_usdt=_d("500000"),
               max_price=_d("19999.98")),
    Instrument("spot", "BTCUSDT", "BTC", 9, _d("0.1"), _d("0.000001"), _d("0.000011"), _d("83"), _d("41.5"), _d("5"),
               _d("0.01"), _d("0.02")),
    Instrument("spot", "ETHUSDT", "ETH", 10, _d("0.01"), _d("0.00001"), _d("0.0001"), _d("2100"), _d("1050"), _d("5"),
               _d("0.01"), _d("0.02")),
    Instrument("spot", "SOLUSDT", "SOL", 11, _d("0.01"), _d("0.001"), _d("0.001"), _d("45000"), _d("22500"), _d("5"),
               _d("0.03"), _d("0.06")),
)  # fmt: skip

INSTRUMENTS: dict[tuple[str, str], Instrument] = {(one.category, one.symbol): one for one in _ALL}


def unknown_symbol(category: str, symbol: str) -> VenueError:
    """Bybit's refusal of a symbol that does not exist (or is not listed yet) in the category."""
    if category == "spot":
        return VenueError(170121, f"Invalid symbol: {symbol[:40]}.")
    return params_error(f"params error: symbol invalid {symbol[:40]}")


def instrument(category: str, symbol: str) -> Instrument:
    """The instrument, or ``VenueError`` (10001 / 170121) when the exchange does not have it."""
    found = INSTRUMENTS.get((category, symbol))
    if found is None:
        raise unknown_symbol(category, symbol)
    return found
