"""Executions that the streams missed are booked with the profit that the exchange's transaction log shows for them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.facts import DiscrepancyFact, ExecutionFact
from statemachines.messages.orders import StreamRestored
from statemachines.values import LINEAR, Account, Side
from tests.statemachines.execution.rig import Rig, stop

D = Decimal
ACCOUNT, SYMBOL = Account.TREND_1, "BTCUSDT"
BOOKED_BEFORE = 8
"""After so many executions the next two are e9 and e10, of which the later one comes first in a list of texts."""


@pytest.mark.parametrize("is_long", [True, False])
def test_or6_executions_of_one_instant_that_were_missed_are_booked_with_the_exchanges_profit(is_long: bool) -> None:
    """`make chaos-orders`: after the exchange was killed in the middle of a burst its reports of some fills were lost.
    The list shows them without their realised profit, and several of one instant in no order; our own average gave the
    opening fill the closing one's place, so that the ledger's entries differed from the exchange's and a difference of
    the wallet was booked that nothing explained."""
    rig = Rig()
    rig.exchange.tells_pnl = False
    rig.exchange.log = []
    rig.start()
    opening, closing = (Side.BUY, Side.SELL) if is_long else (Side.SELL, Side.BUY)
    for number in range(BOOKED_BEFORE):
        rig.exchange.trade(Account.FUNDING, LINEAR, SYMBOL, opening if number % 2 else closing, D(1), D(100))
        rig.settle()
    first = rig.exchange.trade(ACCOUNT, LINEAR, SYMBOL, opening, D("0.5"), D(100))
    second = rig.exchange.trade(ACCOUNT, LINEAR, SYMBOL, closing, D("0.5"), D(110))
    assert (first.execution_id, second.execution_id) == ("e9", "e10") and first.executed_ms == second.executed_ms
    rig.exchange.frames.clear()
    rig.tell(StreamRestored(stream="private:TREND-1"))
    rig.settle()
    booked = {fact.execution_id: fact.realized_pnl for fact in rig.recorded(ExecutionFact) if fact.account == ACCOUNT}
    assert booked == {"e9": D(0), "e10": second.realized_pnl} and second.realized_pnl
    assert rig.book(ACCOUNT).wallet("USDT") == rig.exchange.wallets[ACCOUNT]["USDT"]
    assert [fact for fact in rig.recorded(DiscrepancyFact) if fact.kind != "execution"] == []


def test_or9_a_log_that_cannot_be_read_holds_up_no_fill() -> None:
    """Without the log the reading is not repeated for ever: our own ledger's profit is booked."""
    rig = Rig().start()
    rig.exchange.tells_pnl = False
    rig.approve(**stop())
    rig.settle()
    rig.exchange.fill("abc123t11-1", D(1), D(90))
    rig.exchange.frames.clear()
    rig.tell(StreamRestored(stream="private:TREND-1"))
    rig.settle()
    assert [fact.quantity for fact in rig.recorded(ExecutionFact)] == [D("0.5")]
