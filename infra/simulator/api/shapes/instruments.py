"""Instruments as /v5/market/instruments-info and /v5/account/instruments-info show them."""

from __future__ import annotations

from typing import Any

from infra.simulator.venue.instruments import Instrument
from infra.simulator.venue.money import text


def linear_row(spec: Instrument, launch_ms: int) -> dict[str, Any]:
    """A USDT perpetual."""
    tick = format(spec.tick, "f")
    scale = max(-int(spec.tick.normalize().as_tuple().exponent), 0)
    return {
        "symbol": spec.symbol,
        "symbolId": spec.symbol_id,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "symbolType": "",
        "launchTime": str(launch_ms),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(scale),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": f"{spec.max_leverage:.2f}", "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": tick,
            "maxPrice": text(spec.max_price),
            "tickSize": tick,
        },
        "lotSizeFilter": {
            "minNotionalValue": text(spec.min_notional),
            "maxOrderQty": text(spec.max_limit_qty),
            "maxMktOrderQty": text(spec.max_market_qty),
            "minOrderQty": text(spec.min_qty),
            "qtyStep": text(spec.qty_step),
            "postOnlyMaxOrderQty": text(spec.max_limit_qty),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": spec.funding_minutes,
        "settleCoin": "USDT",
        "copyTrading": "none",
        "upperFundingRate": text(spec.funding_cap),
        "lowerFundingRate": text(-spec.funding_cap),
        "displayName": "",
        "forbidUplWithdrawal": False,
        "riskParameters": {
            "priceLimitRatioX": text(spec.limit_ratio_x),
            "priceLimitRatioY": text(spec.limit_ratio_y),
        },
        "isPreListing": False,
        "preListingInfo": None,
    }


def spot_row(spec: Instrument) -> dict[str, Any]:
    """A spot pair."""
    return {
        "symbolId": spec.symbol_id,
        "symbol": spec.symbol,
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "innovation": "0",
        "symbolType": "",
        "xstockMultiplier": "",
        "status": "Trading",
        "marginTrading": "utaOnly",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": text(spec.qty_step),
            "quotePrecision": text(spec.quote_step),
            "minOrderQty": text(spec.min_qty),
            "maxOrderQty": text(spec.max_limit_qty),
            "minOrderAmt": text(spec.min_notional),
            "maxOrderAmt": text(spec.max_notional),
            "maxLimitOrderQty": text(spec.max_limit_qty),
            "maxMarketOrderQty": text(spec.max_market_qty),
            "postOnlyMaxLimitOrderSize": "60000",
        },
        "priceFilter": {"tickSize": format(spec.tick, "f")},
        "riskParameters": {
            "priceLimitRatioX": text(spec.limit_ratio_x),
            "priceLimitRatioY": text(spec.limit_ratio_y),
        },
    }
