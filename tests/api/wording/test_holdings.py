"""P4: what is held as coins and cash; a coin without a price has no value, never 0."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from api.wording.holdings import Holding, holdings_of

PORTFOLIO: dict[str, Any] = {
    "prices": {"spot:BTCUSDT": "60000", "linear:ETHUSDT": "3000"},
    "accounts": [
        {"account": "CORE-HODL", "cash_usdt": "10.5", "coins": {"ETH": "2", "BTC": "0.5", "SOL": "0"}},
        {"account": "TREND-1", "cash_usdt": "-3", "coins": {}},
    ],
}


def test_coins_are_valued_at_the_portfolios_spot_prices_and_cash_is_its_own_value() -> None:
    assert holdings_of(PORTFOLIO) == [
        Holding("CORE-HODL", "BTC", Decimal("0.5"), Decimal(60_000), Decimal("30000.0")),
        Holding("CORE-HODL", "ETH", Decimal(2), None, None),
        Holding("CORE-HODL", "USDT", Decimal("10.5"), None, Decimal("10.5")),
        Holding("TREND-1", "USDT", Decimal(-3), None, Decimal(-3)),
    ]


def test_before_the_first_portfolio_nothing_is_held() -> None:
    assert holdings_of({"prices": {}, "accounts": []}) == []
