"""OR-9: start and recovery are one path: read, compare, correct, report; nothing is sent before that has ended."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.actor_logic import StateRow
from statemachines.execution.context import DIALECT
from statemachines.execution.parameters import OrderParameters
from statemachines.facts import DiscrepancyFact, ExecutionFact, OrderFact, PositionFact, PostingFact
from statemachines.messages.accounts import BalancesKnown, Reconciled, TransferOrdered
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import Fill, IntentEnded, StreamRestored, Withdraw
from statemachines.requests import (
    PlaceOrder,
    ReadAccount,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    Unknown,
    VenueOrderStatus,
)
from statemachines.values import Account, ActorName, Side
from tests.statemachines.execution.fake_exchange import FakeExchange
from tests.statemachines.execution.rig import START_MS, Rig, maker, stop

D = Decimal
LINK = "abc123t11-1"


def day(rig: Rig) -> None:
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    rig.settle()


def writes(rig: Rig) -> list[str]:
    return [ask.request.kind for ask in rig.asked if isinstance(ask.request, PlaceOrder | TransferFunds | SetLeverage)]


def order_transfer(rig: Rig, name: str = "t1", amount: str = "10") -> None:
    rig.tell(
        TransferOrdered(
            transfer_id=name, request_id="r", from_account=Account.TREND_1, to_account=Account.CORE_HODL,
            coin="USDT", amount=D(amount), purpose="OR-4",
        )
    )  # fmt: skip


def test_or9_a_start_reads_the_market_and_all_six_accounts() -> None:
    rig = Rig().begun()
    read = [ask.account for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)]
    assert read == list(Account)
    assert [ask.account for ask in rig.calls.values() if isinstance(ask.request, ReadMarket)] == [Account.MASTER]


def test_or9_nothing_is_sent_before_the_reconciliation_has_ended() -> None:
    """Whichever answer comes last, orders and transfers wait for it. Elsewhere buffered orders were replayed after a
    reconnect, before the session had authenticated."""
    for last in range(7):
        rig = Rig().begun()
        rig.approve()
        order_transfer(rig)
        keys = list(rig.calls)
        held_back = keys.pop(last)
        for key in keys:
            rig.perform(key)
        assert writes(rig) == [] and not rig.bodies(Reconciled)
        rig.perform(held_back)
        assert len(rig.bodies(Reconciled)) == 1
        assert sorted(set(writes(rig))) == ["place_order", "set_leverage", "transfer_funds"]


def test_or9_the_first_start_posts_opening_balances_and_tells_everyone() -> None:
    rig = Rig().start()
    openings = [fact for fact in rig.recorded(PostingFact) if fact.kind == "opening"]
    assert {fact.posting_id for fact in openings} == {f"opening:{account}" for account in Account}
    assert {body.account: body.coins for body in rig.bodies(BalancesKnown)} == {
        account: {"BTC": D(5), "USDT": D(10000)} for account in Account
    }
    (reconciled,) = rig.bodies(Reconciled)
    assert (reconciled.reason, reconciled.discrepancies) == ("start", 0)


def test_tr9_leverage_is_set_once_for_ever() -> None:
    rig = Rig().start()
    asked = [(ask.account, ask.request.symbol) for ask in rig.asked if isinstance(ask.request, SetLeverage)]
    assert set(asked) == {(account, "BTCUSDT") for account in (Account.TREND_1, Account.TREND_2, Account.FUNDING)}
    assert all(ask.request.leverage == 2 for ask in rig.asked if isinstance(ask.request, SetLeverage))
    rig.crash()
    rig.settle()
    assert len([ask for ask in rig.asked if isinstance(ask.request, SetLeverage)]) == len(asked)


def test_rm6_another_leverage_is_set_and_the_same_is_not() -> None:
    """Only that a pair was set was kept, not to what: a change of the policy or of the configuration never reached the
    exchange."""
    rig = Rig().start()

    def asked() -> list[Decimal]:
        return [ask.request.leverage for ask in rig.asked if isinstance(ask.request, SetLeverage)]

    for leverage in (D(1), D("1.0"), D(2)):
        rig.parameters = rig.parameters.model_copy(update={"leverage": leverage})
        rig.crash()
        rig.settle()
    assert asked() == [D(2)] * 3 + [D(1)] * 3 + [D(2)] * 3


def test_what_an_earlier_version_has_set_is_set_again() -> None:
    """It kept the pairs without their leverage; the exchange answers that nothing was modified."""
    old = StateRow("control", "", 1, {"numbers": {"parents": 3}, "leverage": ["TREND-1:BTCUSDT"]})
    read = DIALECT.read("order-manager", {"control": old})["control"]
    assert read.data == {"numbers": {"parents": 3}, "leverage": {}}


def start_without_leverage(rig: Rig) -> None:
    """Begin and settle, but the exchange refuses every leverage, until nobody asks again."""
    rig.begin()
    while rig.calls:
        key = next(iter(rig.calls))
        if key.startswith("leverage:"):
            rig.answer(key, Refused(code=10006, message="too many visits", fault="transient"))
        else:
            rig.perform(key)


def leverage_alerts(rig: Rig) -> set[str]:
    return {one.condition for one in rig.alerts if one.condition.startswith("leverage:")}


def test_tr9_leverage_that_could_not_be_set_is_tried_again_each_day_and_its_alert_ends() -> None:
    """The whole-system simulation (seeds 346, 381): four refusals in a row at the first start, and the leverage stayed
    the exchange's until somebody restarted the system."""
    rig = Rig()
    start_without_leverage(rig)
    assert len(leverage_alerts(rig)) == 3 and not leverage_alerts(rig) & set(rig.ended)
    day(rig)
    assert leverage_alerts(rig) <= set(rig.ended)


def test_tr9_the_alert_about_leverage_ends_in_another_incarnation_too() -> None:
    """Its attempts are counted in memory, its alert is durable: after a restart nobody ended it."""
    rig = Rig()
    start_without_leverage(rig)
    rig.crash()
    rig.settle()
    assert leverage_alerts(rig) <= set(rig.ended)


def test_or9_a_failed_query_is_not_an_empty_answer() -> None:
    rig = Rig().begun()
    rig.answers["account:TREND-1"] = Unknown(why="time-out")
    rig.answers["account:FUNDING"] = Refused(code=10006, message="busy", fault="transient")
    rig.answers["market:"] = Unknown(why="time-out")
    for key in list(rig.calls):
        rig.perform(key)
    assert not rig.bodies(Reconciled)
    assert sorted(ask.delay_s for ask in rig.calls.values()) == [1.0, 1.0, 1.0]
    rig.settle()
    assert rig.bodies(Reconciled)[0].discrepancies == 0


def test_or9_a_stop_that_triggered_while_we_were_down_is_booked_as_if_streamed() -> None:
    rig = Rig().start()
    rig.approve(**stop())
    rig.settle()
    rig.exchange.tells_pnl = False
    rig.exchange.fill(LINK, D(1), D("89.5"))
    rig.exchange.frames.clear()
    rig.crash()
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert fill.intent_id == "trend-1-1" and rig.bodies(IntentEnded)[0].ended_as == "FILLED"
    reconciled = rig.bodies(Reconciled)[-1]
    assert reconciled.discrepancies == 0 and "booked from the exchange's list" in reconciled.details[0]


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.fault_matrix(point="after effect, answer lost", fault="actor killed")
def test_ex5_a_crash_between_sending_and_the_answer_neither_loses_nor_doubles(landed: bool) -> None:
    """Elsewhere an open entry order was taken for a position after a restart. Here the intent is committed before the
    order leaves, and its id is looked up."""
    rig = Rig().start()
    rig.approve()
    key = rig.waiting(":place:")[0]
    if landed:
        rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
        rig.exchange.frames.clear()
    rig.crash()
    assert len(writes(rig)) == 1 + 3  # leverage apart, the order itself: not sent again before it was looked up
    rig.settle()
    assert len(rig.exchange.orders) == 1
    (done,) = rig.bodies(IntentEnded)
    assert done.ended_as == "FILLED" and len(rig.bodies(Fill)) == 1


def test_ex5_an_approval_taken_before_the_crash_is_worked_after_it() -> None:
    rig = Rig().begun()
    rig.approve()
    rig.crash()
    rig.settle()
    assert rig.bodies(IntentEnded)[0].ended_as == "FILLED" and len(rig.exchange.orders) == 1


def test_or9_a_withdrawal_taken_before_the_start_has_ended_holds() -> None:
    rig = Rig().start()
    intent_id = rig.approve(**stop())
    rig.settle()
    rig.crash()
    rig.tell(Withdraw(intent_id=intent_id, engine=ActorName.TREND_1, reason="r"))
    assert not rig.waiting(":cancel:")
    rig.settle()
    assert rig.exchange.orders[LINK].status is VenueOrderStatus.CANCELLED


def test_or9_a_resting_maker_is_taken_back_and_goes_on() -> None:
    rig = Rig().start()
    rig.approve(**maker())
    rig.settle()
    rig.crash()
    rig.settle()
    rig.price("101")
    rig.advance(31_000)
    assert rig.exchange.orders["abc123ch1-1"].price == D("100.9")


def test_or9_orders_and_positions_unknown_to_us_are_adopted_and_left_alone() -> None:
    exchange = FakeExchange(START_MS)
    exchange.trade(Account.TREND_1, "linear", "BTCUSDT", Side.BUY, D(1), D(100))
    exchange.perform(
        Account.TREND_1,
        PlaceOrder(client_order_id="by-hand", category="linear", symbol="BTCUSDT", side=Side.SELL, quantity=D(1),
                   style="post_only", price=D(120)),
    )  # fmt: skip
    exchange.frames.clear()
    rig = Rig(exchange).start()
    (position,) = rig.recorded(PositionFact)
    assert (position.account, position.quantity) == ("TREND-1", D(1))
    (order,) = rig.recorded(OrderFact)
    assert order.engine == "EXTERNAL" and order.state == "New"
    assert {(fact.kind, fact.subject) for fact in rig.recorded(DiscrepancyFact)} == {
        ("external_position", "BTCUSDT"), ("order", "by-hand")}  # fmt: skip
    assert rig.bodies(Reconciled)[0].discrepancies == 0, "R2: what is none of ours alerts, it is no mismatch"
    assert any("positions are none of ours" in alert.title for alert in rig.alerts)
    assert exchange.orders["by-hand"].status is VenueOrderStatus.NEW
    day(rig)
    rig.crash()
    rig.settle()
    assert [body.discrepancies for body in rig.bodies(Reconciled)] == [0, 0, 0]


def test_frames_before_the_first_reading_wait_and_count_once() -> None:
    rig = Rig().begun()
    key = rig.waiting("account:TREND-1")[0]
    before = rig.exchange.trade(Account.TREND_1, "linear", "BTCUSDT", Side.BUY, D(1), D(100))
    rig.tell(rig.exchange.frames.pop())
    rig.perform(key)
    assert before.execution_id not in {fact.execution_id for fact in rig.recorded(ExecutionFact)}
    rig.settle()
    day(rig)
    assert rig.bodies(Reconciled)[-1].discrepancies == 0


def test_or9_the_daily_pass_says_balances_only_when_something_changed() -> None:
    rig = Rig().start()
    told = len(rig.bodies(BalancesKnown))
    day(rig)
    assert rig.bodies(Reconciled)[-1].reason == "day" and len(rig.bodies(BalancesKnown)) == told


@pytest.mark.parametrize("reason", ["day", "stream"])
def test_or9_an_execution_the_stream_lost_is_found_by_the_next_pass(reason: str) -> None:
    rig = Rig().start()
    rig.approve(**stop())
    rig.settle()
    rig.exchange.fill(LINK, D(1), D(90))
    rig.exchange.frames.clear()
    if reason == "day":
        day(rig)
    else:
        rig.tell(StreamRestored(stream="private:TREND-1"))
        rig.settle()
    assert len(rig.bodies(Fill)) == 1 and rig.bodies(IntentEnded)[0].ended_as == "FILLED"
    assert [body.account for body in rig.bodies(BalancesKnown)[6:]] == [Account.TREND_1]


def test_or9_a_balance_that_differs_is_believed_on_the_second_reading_corrected_and_reported_once() -> None:
    rig = Rig().start()
    rig.exchange.wallets[Account.FUNDING]["USDT"] += D("0.00000001")
    day(rig)
    assert len([ask for ask in rig.asked if ask.key.startswith("account:FUNDING")]) == 3
    (fact,) = rig.recorded(DiscrepancyFact)
    assert (fact.kind, fact.subject, fact.ours, fact.theirs) == ("balance", "USDT", "10000", "10000.00000001")
    assert rig.bodies(Reconciled)[-1].discrepancies == 1
    assert "reconciliation found 1 differences" in rig.titles()
    day(rig)
    assert rig.bodies(Reconciled)[-1].discrepancies == 0 and len(rig.recorded(DiscrepancyFact)) == 1


def test_or9_a_difference_seen_once_only_is_no_difference() -> None:
    rig = Rig().start()
    rig.exchange.wallets[Account.FUNDING]["USDT"] += 1
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    rig.perform(rig.waiting("account:FUNDING")[0])
    rig.exchange.wallets[Account.FUNDING]["USDT"] -= 1
    rig.settle()
    assert rig.bodies(Reconciled)[-1].discrepancies == 0


def test_or5_a_deposit_to_the_master_account_is_booked_and_told() -> None:
    rig = Rig().start()
    rig.exchange.wallets[Account.MASTER]["USDT"] += 500
    day(rig)
    deposit = next(fact for fact in rig.recorded(PostingFact) if fact.kind == "deposit")
    assert deposit.lines[0].amount == D(500)
    assert rig.bodies(Reconciled)[-1].discrepancies == 0
    assert rig.bodies(BalancesKnown)[-1].coins["USDT"] == D(10500)


def test_or9_a_reading_that_overlaps_trading_is_not_taken_for_a_difference() -> None:
    rig = Rig().start()
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    key = rig.waiting("account:TREND-1")[0]
    old = rig.exchange.snapshot(Account.TREND_1, 0)
    rig.approve()
    rig.perform(rig.waiting(":place:")[0])
    while rig.exchange.frames:
        rig.tell(rig.exchange.frames.pop(0))
    rig.answer(key, old)
    rig.settle()
    assert rig.bodies(Reconciled)[-1].discrepancies == 0


def test_or9_a_shrunk_position_is_taken_over_from_the_exchange() -> None:
    rig = Rig().start()
    rig.approve()
    rig.settle()
    rig.exchange.positions[(Account.TREND_1, "BTCUSDT")] = (D("0.3"), D(30))
    day(rig)
    (position,) = rig.recorded(PositionFact)
    assert position.quantity == D("0.3") and rig.bodies(Reconciled)[-1].discrepancies == 1
    assert rig.bodies(BalancesKnown)[-1].positions == {"BTCUSDT": (D("0.3"), D(100))}


def test_or9_continuous_reconciliation_in_live() -> None:
    rig = Rig(parameters=OrderParameters(reconcile_every_ms=60_000)).start()
    assert rig.logic.deadline() == rig.exchange.now_ms + 60_000
    rig.advance(185_000)
    assert [body.reason for body in rig.bodies(Reconciled)] == ["start", "continuous", "continuous", "continuous"]


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.fault_matrix(point="during transfer", fault="actor killed")
def test_or6_a_crash_during_a_transfer_neither_loses_nor_doubles_it(landed: bool) -> None:
    rig = Rig().start()
    order_transfer(rig)
    key = rig.waiting("transfer:")[0]
    if landed:
        rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    rig.crash()
    rig.settle()
    assert rig.exchange.wallets[Account.CORE_HODL]["USDT"] == D(10010)
    assert len([fact for fact in rig.recorded(PostingFact) if fact.kind == "transfer"]) == 1
    assert rig.bodies(Reconciled)[-1].discrepancies == 0
    assert not [fact for fact in rig.recorded(PostingFact) if fact.kind == "adjustment"]


def test_or6_money_is_not_compared_while_a_transfer_is_open_from_an_earlier_life() -> None:
    rig = Rig().start()
    order_transfer(rig)
    key = rig.waiting("transfer:")[0]
    rig.exchange.perform(rig.calls[key].account, rig.calls[key].request)  # type: ignore[arg-type]
    rig.crash()
    look = rig.waiting("transfer-look:")[0]
    for _ in range(3):
        for reading in rig.waiting("account:"):
            rig.perform(reading)
    rig.perform(look)
    rig.settle()
    assert rig.bodies(Reconciled)[-1].discrepancies == 0


def test_or9_an_order_that_never_arrived_is_sent_again_only_after_the_reconciliation() -> None:
    rig = Rig().start()
    rig.approve()
    rig.crash()
    rig.perform(rig.waiting(":look:")[0])
    assert not rig.waiting(":place:")
    rig.settle()
    assert rig.bodies(IntentEnded)[0].ended_as == "FILLED"


def test_an_unknown_order_is_reported_once_however_often_it_is_shown() -> None:
    rig = Rig().start()
    rig.exchange.perform(
        Account.TREND_1,
        PlaceOrder(
            client_order_id="by-hand",
            category="linear",
            symbol="BTCUSDT",
            side=Side.SELL,
            quantity=D(1),
            style="post_only",
            price=D(120),
        ),
    )
    rig.tell(rig.exchange.frames[0])
    rig.settle()
    day(rig)
    rig.crash()
    rig.settle()
    assert rig.titles() == ["unknown order on TREND-1"]


@pytest.mark.parametrize("is_start", [False, True])
def test_or6_the_days_pass_is_not_replaced_by_one_that_is_requested_after_it(is_start: bool) -> None:
    """Only the day's pass reads the transaction log whatever the balances say. A row that could not be read, or a
    stream that came back, took its place while another pass was under way: no log until the next day."""
    rig = Rig(FakeExchange(START_MS, log=[])).start()
    if is_start:
        rig.crash()
    else:
        rig.tell(StreamRestored(stream="private TREND-1"))
    before = len(rig.asked)
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    rig.tell(StreamRestored(stream="private TREND-2"))
    rig.settle()
    assert [body.reason for body in rig.bodies(Reconciled)][-1] == "day"
    asked = [one.request for one in rig.asked[before:] if isinstance(one.request, ReadAccount)]
    assert len([one for one in asked if one.transactions_since_ms is not None]) == len(Account)
