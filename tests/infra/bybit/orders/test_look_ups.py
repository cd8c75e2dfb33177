"""EX-1: what became of an order is looked up: found, absent after two rounds, or not known; never guessed."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from statemachines.requests import LookUpOrder, OrderAbsent, OrderFound, Refused, Unknown
from tests.infra.bybit.parsing.test_rows import execution_row, order_row
from tests.infra.bybit.venue import A, Venue

LOOK_UP = LookUpOrder(client_order_id="abc-1", category="linear", symbol="BTCUSDT")


def test_a_look_up_asks_three_places_twice_with_a_pause_before_absence() -> None:
    """Elsewhere one "order not found" meant "does not exist", but that list is short, lags, and is empty after the
    exchange restarts."""
    venue = Venue(lambda path, params: {"list": [], "nextPageCursor": ""})
    assert venue.exchange.perform(A, LOOK_UP) == OrderAbsent()
    round_of_three = ["/v5/order/realtime", "/v5/order/history", "/v5/execution/list"]
    assert [path for path, _params in venue.calls] == round_of_three * 2
    assert len(venue.pauses) == 1
    assert all(params["orderLinkId"] == "abc-1" for _path, params in venue.calls)


def test_a_look_up_finds_a_closed_order_in_the_history_with_its_executions() -> None:
    def script(path: str, params: Any) -> dict[str, Any]:
        if path == "/v5/order/history":
            return {"list": [order_row(orderStatus="Filled", cumExecQty="0.5", avgPrice="100")], "nextPageCursor": ""}
        if path == "/v5/execution/list" and params.get("orderId") == "1":
            return {"list": [execution_row(category="linear", feeCurrency="USDT", execQty="0.5")], "nextPageCursor": ""}
        return {"list": [], "nextPageCursor": ""}

    outcome = Venue(script).exchange.perform(A, LOOK_UP)
    assert isinstance(outcome, OrderFound)
    assert outcome.report.client_order_id == "abc-1" and len(outcome.executions) == 1


def test_orders_looked_up_together_share_one_pause_and_each_has_its_own_answer() -> None:
    """After the order manager was killed in a burst 60 orders of an account were looked up one by one, each with a
    pause of its own: on paper 18 s, live two minutes, and every cancel of the account behind them."""

    def script(path: str, params: Any) -> Any:
        link = params.get("orderLinkId", "")
        if link == "abc-3":
            return 10016, "internal error"
        rows = (
            [order_row(orderLinkId=link, orderStatus="New")] if (path, link) == ("/v5/order/realtime", "abc-2") else []
        )
        return {"list": rows, "nextPageCursor": ""}

    venue = Venue(script)
    asked = [LOOK_UP.model_copy(update={"client_order_id": f"abc-{number}"}) for number in (1, 2, 3, 4)]
    absent, found, failed, absent_too = venue.exchange.look_up_orders(A, asked)
    assert (absent, absent_too) == (OrderAbsent(), OrderAbsent())
    assert isinstance(found, OrderFound) and found.report.client_order_id == "abc-2"
    assert isinstance(failed, Refused) and failed.fault == "transient"
    assert venue.pauses == [2.0]
    again = [params.get("orderLinkId") for _path, params in venue.calls]
    assert again[-6:] == ["abc-1"] * 3 + ["abc-4"] * 3, "what was answered is not asked for again"


def test_executions_without_an_order_are_not_absence() -> None:
    def script(path: str, params: Any) -> dict[str, Any]:
        rows = (
            [execution_row(category="linear", feeCurrency="USDT", execQty="0.5")]
            if path == "/v5/execution/list"
            else []
        )
        return {"list": rows, "nextPageCursor": ""}

    assert isinstance(Venue(script).exchange.perform(A, LOOK_UP), Unknown)


@pytest.mark.parametrize("failing", ["/v5/order/realtime", "/v5/order/history", "/v5/execution/list"])
def test_a_failed_look_up_is_not_absence(failing: str) -> None:
    def script(path: str, params: Any) -> Any:
        return requests.exceptions.ReadTimeout() if path == failing else {"list": [], "nextPageCursor": ""}

    outcome = Venue(script).exchange.perform(A, LOOK_UP)
    assert isinstance(outcome, Refused) and outcome.fault == "transient"


def test_an_order_that_shows_itself_in_the_second_round_is_found() -> None:
    """The history lags behind; executions alone in the first round are not the last word."""
    rounds = {"history": 0}

    def script(path: str, params: Any) -> dict[str, Any]:
        if path == "/v5/order/history":
            rounds["history"] += 1
            if rounds["history"] == 2:
                return {
                    "list": [order_row(orderStatus="Filled", cumExecQty="0.5", avgPrice="100")],
                    "nextPageCursor": "",
                }
        rows = (
            [execution_row(category="linear", feeCurrency="USDT", execQty="0.5")]
            if path == "/v5/execution/list"
            else []
        )
        return {"list": rows, "nextPageCursor": ""}

    venue = Venue(script)
    assert isinstance(venue.exchange.perform(A, LOOK_UP), OrderFound)
    assert venue.pauses == [2.0]
