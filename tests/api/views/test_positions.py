"""What an operator sees of a derivative position: figures against an independent computation, and what is unknown."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.views.money import Money
from api.views.positions import Mark, position_views
from api.views.reading import Reading
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from statemachines.facts import PortfolioFact, PositionFact
from statemachines.values import HOUR_MS
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit import builders
from tests.kit.rows import Pen

PRICE = "linear:BTCUSDT"


def position(quantity: str, symbol: str = "BTCUSDT", account: str = "TREND-1") -> dict[str, Any]:
    return {
        "account": account,
        "symbol": symbol,
        "quantity": Decimal(quantity),
        "average_price": Decimal(50_000),
        "updated_ms": 1,
    }


def portfolio(equity: str = "10000", **prices: str) -> dict[str, Any]:
    return {
        "market_ms": 7,
        "data": {"prices": {f"linear:{name}": value for name, value in prices.items()},
                 "accounts": {"TREND-1": {"equity_usdt": equity}}},
    }  # fmt: skip


def instruments(**rates: str) -> list[dict[str, Any]]:
    return [{"data": {f"linear:{name}": {"maintenance_margin_rate": rate} for name, rate in rates.items()}}]


def stop(price: str, side: str = "Sell", quantity: str = "0.1", **changes: Any) -> dict[str, Any]:
    found = {"account": "TREND-1", "symbol": "BTCUSDT", "side": side, "client_order_id": f"s-{price}",
             "trigger_price": Decimal(price), "quantity": Decimal(quantity), "filled_quantity": Decimal(0)}  # fmt: skip
    return found | changes


def test_a_long_position_with_its_stop() -> None:
    (view,) = position_views(
        [position("0.1")], portfolio(BTCUSDT="60000"), [stop("55000")], instruments(BTCUSDT="0.005")
    )
    assert view["engine"] == "trend-1" and view["mark_ms"] == 7
    assert view["unrealised_pnl_usdt"] == 1_000 and view["notional_usdt"] == 6_000
    assert (view["stop_price"], view["stop_quantity"], view["stop_order"]) == (55_000, Decimal("0.1"), "s-55000")
    assert view["stop_distance"] == Decimal("0.08333333")
    assert view["maintenance_margin_usdt"] == 30
    assert view["liquidation_price"] == 0, "equity of 10,000 carries 6,000 to the end"


def test_a_short_position_is_the_mirror() -> None:
    (view,) = position_views(
        [position("-0.1")], portfolio("3000", BTCUSDT="60000"), [stop("66000", "Buy")], instruments(BTCUSDT="0.005")
    )
    assert view["unrealised_pnl_usdt"] == -1_000
    assert view["stop_price"] == 66_000
    assert view["liquidation_price"] > 60_000


def test_of_several_stops_the_nearest_and_all_that_they_cover() -> None:
    stops = [stop("54000"), stop("55000", quantity="0.05", filled_quantity=Decimal("0.02")), stop("70000", "Buy")]
    (view,) = position_views([position("0.2")], portfolio(BTCUSDT="60000"), stops, instruments(BTCUSDT="0"))
    assert view["stop_price"] == 55_000 and view["stop_quantity"] == Decimal("0.13")
    other = stop("56000", account="TREND-2")
    (view,) = position_views([position("0.2")], portfolio(BTCUSDT="60000"), [other], [])
    assert view["stop_price"] is None and view["stop_quantity"] == 0


def test_what_is_not_known_is_none_and_never_zero() -> None:
    """No portfolio yet; no price; no margin rate of one symbol, which leaves the liquidation of the account unknown."""
    unknown = ("mark_price", "mark_ms", "notional_usdt", "unrealised_pnl_usdt", "stop_distance", "liquidation_price")
    for known in (None, portfolio(ETHUSDT="1")):
        (view,) = position_views([position("0.1")], known, [stop("5")], instruments(BTCUSDT="0.005"))
        assert {name: view[name] for name in unknown} == dict.fromkeys(unknown)
    both = [position("0.1"), position("1", "ETHUSDT")]
    views = position_views(both, portfolio(BTCUSDT="60000", ETHUSDT="3000"), [], instruments(BTCUSDT="0.005"))
    assert [view["liquidation_price"] for view in views] == [None, None]
    assert [view["maintenance_margin_usdt"] is None for view in views] == [False, True]


@given(
    st.decimals("0.01", "2", places=2),
    st.sampled_from((1, -1)),
    st.decimals("1000", "200000", places=2),
    st.decimals("0.001", "0.02", places=3),
)
def test_at_the_liquidation_price_equity_is_the_maintenance_margin(
    size: Decimal, sign: int, equity: Decimal, rate: Decimal
) -> None:
    """T8, computed anew: the account's equity at that price equals the margin at that price."""
    mark = Decimal(60_000)
    row = position(str(sign * size))
    (view,) = position_views([row], portfolio(str(equity), BTCUSDT=str(mark)), [], instruments(BTCUSDT=str(rate)))
    price = view["liquidation_price"]
    left = equity + sign * size * (price - mark)
    if price > 0:
        assert abs(left - rate * size * price) < Decimal("0.01")
    else:
        assert left >= 0


def test_a_younger_price_moves_profit_and_distances_but_not_the_liquidation() -> None:
    """A judge saw a mark of 00:00 at 23:00, with a profit and a distance to the stop that were a day old."""
    given = [position("0.1")], portfolio("3000", BTCUSDT="60000"), [stop("55000")], instruments(BTCUSDT="0.005")
    (before,) = position_views(*given)
    (now,) = position_views(*given, {"BTCUSDT": Mark(Decimal(58_000), 9)})
    assert (now["mark_price"], now["mark_ms"], now["unrealised_pnl_usdt"]) == (58_000, 9, 800)
    assert now["stop_distance"] == Decimal("0.05172414") and now["notional_usdt"] == 5_800
    assert now["liquidation_price"] == before["liquidation_price"]
    assert now["liquidation_distance"] < before["liquidation_distance"]
    (older,) = position_views(*given, {"BTCUSDT": Mark(Decimal(58_000), 6)})
    assert older == before


def test_the_newest_hourly_close_of_what_is_held_is_the_mark(database_url: str) -> None:  # noqa: F811
    store = PostgresStore(database_url)
    held = PositionFact(
        account="TREND-1", symbol="BTCUSDT", quantity=Decimal(1), average_price=Decimal(90), updated_ms=1
    )
    view = PortfolioFact(
        version=1, market_ms=HOUR_MS, equity_usdt=Decimal(1_000), data={"accounts": {}, "prices": {PRICE: "100"}}
    )
    bars = [builders.bar("linear", "BTCUSDT", hour * HOUR_MS, str(100 + hour), "60") for hour in (3, 5, 4)]
    Pen(store, "risk-manager").write(facts=[held, view, *bars])
    store.close()
    reading = Reading(Queries(database_url))
    (found,) = asyncio.run(Money(reading).positions())
    reading.close()
    assert (found["mark_price"], found["mark_ms"], found["unrealised_pnl_usdt"]) == ("105", 6 * HOUR_MS, "15")
