"""Entries on a market are halted from the first to the last source that says its data cannot be used."""

from __future__ import annotations

import pytest

from statemachines.messages.market import DataUnusable
from statemachines.requests import WHOLE_ACCOUNT
from tests.kit.builders import intent
from tests.statemachines.risk.world import T0, World, sent


def unusable(source: str, reason: str) -> DataUnusable:
    return DataUnusable(source=source, category="linear", symbol="BTCUSDT", reason=reason)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_market_is_closed_for_entries_while_any_source_says_so(restarts: bool) -> None:
    world = World(restarts).open()
    world.tell(unusable("market data", "a bar of 1E+300"), T0)
    world.tell(unusable("account TREND-1", "a fill of -1"), T0)
    denied = sent(world.tell(intent(1), T0, "trend-1"), "order_denied")
    assert denied and "1E+300" in denied[0].reasons[0] and "-1" in denied[0].reasons[0]
    world.tell(unusable("market data", ""), T0)
    assert sent(world.tell(intent(2), T0, "trend-1"), "order_denied")
    world.tell(unusable("account TREND-1", ""), T0)
    assert sent(world.tell(intent(3), T0, "trend-1"), "approved")


def test_a_balance_that_cannot_be_read_halts_what_is_paid_with_it() -> None:
    """Case 7: a wallet of 1E+300 was stored with health green. Elsewhere a missing field of the balance became 0 or
    None, and trading continued."""
    world = World().open()
    told = {"source": "account TREND-1", "category": "", "symbol": "USDT"}
    world.tell(DataUnusable(**told, reason="field 'walletBalance' is '1E+300'"), T0)
    assert sent(world.tell(intent(1), T0, "trend-1"), "order_denied")
    world.tell(DataUnusable(**told, reason=""), T0)
    assert sent(world.tell(intent(2), T0, "trend-1"), "approved")


def test_an_account_that_contradicts_itself_takes_no_new_risk_and_the_others_do() -> None:
    world = World().open()
    told = {"source": "account TREND-1", "category": WHOLE_ACCOUNT, "symbol": "TREND-1"}
    world.tell(DataUnusable(**told, reason="field 'accountType' is 'CONTRACT'"), T0)
    denied = sent(world.tell(intent(1), T0, "trend-1"), "order_denied")
    assert denied and "accountType" in denied[0].reasons[0]
    world.tell(DataUnusable(**told, reason=""), T0)
    assert sent(world.tell(intent(2), T0, "trend-1"), "approved")
    world.tell(DataUnusable(**(told | {"symbol": "TREND-2"}), reason="field 'accountType' is 'CONTRACT'"), T0)
    assert sent(world.tell(intent(3), T0, "trend-1"), "approved")
