"""OR-6, EX-2, FU-5, FU-6: transfers, funding, forced and foreign executions in the ledger."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.execution.parameters import OrderParameters
from statemachines.facts import ExecutionFact, PositionFact, PostingFact, TransferFact
from statemachines.messages.accounts import BalancesKnown, FundingPaid, TransferEnded, TransferOrdered
from statemachines.messages.orders import ExecutionFrame, Fill, IntentEnded, StreamRestored, Withdraw
from statemachines.requests import Blocked, LookUpTransfer, Refused, TransferFunds, TransferState, Unknown
from statemachines.values import DAY_MS, Account, ActorName, Side
from tests.statemachines.execution.rig import Rig, maker

D = Decimal


def order(rig: Rig, amount: str = "10") -> None:
    rig.tell(
        TransferOrdered(
            transfer_id="t1", request_id="r1", from_account=Account.FUNDING, to_account=Account.TACTICAL,
            coin="USDT", amount=D(amount), purpose="FU-5",
        )
    )  # fmt: skip


def ended(rig: Rig) -> TransferEnded:
    (body,) = rig.bodies(TransferEnded)
    return body


def test_or6_a_transfer_is_recorded_sent_posted_and_told() -> None:
    rig = Rig().start()
    order(rig)
    (fact,) = rig.recorded(TransferFact)
    (key,) = rig.waiting("transfer:")
    assert fact.state == "SENT" and rig.calls[key].account == Account.MASTER and rig.calls[key].gate is None
    rig.settle()
    assert ended(rig).succeeded and rig.recorded(TransferFact)[0].state == "DONE"
    posting = next(fact for fact in rig.recorded(PostingFact) if fact.kind == "transfer")
    assert posting.posting_id == "transfer:t1" and sum(line.amount for line in posting.lines) == 0
    told = {body.account: body.coins["USDT"] for body in rig.bodies(BalancesKnown)[6:]}
    assert told == {Account.FUNDING: D(9990), Account.TACTICAL: D(10010)}


def test_or6_a_repeated_order_moves_nothing_twice() -> None:
    rig = Rig().start()
    order(rig)
    order(rig)
    rig.settle()
    order(rig)
    rig.settle()
    assert rig.exchange.wallets[Account.TACTICAL]["USDT"] == D(10010) and len(rig.bodies(TransferEnded)) == 1


@pytest.mark.parametrize("landed", [True, False])
def test_or6_a_lost_outcome_is_looked_up(landed: bool) -> None:
    rig = Rig().start()
    order(rig)
    key = rig.waiting("transfer:")[0]
    if landed:
        rig.exchange.perform(Account.MASTER, rig.calls[key].request)
    requested_ms = rig.exchange.now_ms
    rig.exchange.now_ms += 10 * DAY_MS
    rig.answer(key, Unknown(why="time-out"))
    assert rig.recorded(TransferFact)[0].state == "UNKNOWN"
    (asked,) = [one.request for one in rig.calls.values() if isinstance(one.request, LookUpTransfer)]
    assert (asked.coin, asked.amount) == ("USDT", D(10)), "a record of another amount is not of this transfer"
    assert asked.since_ms == requested_ms, "it is listed by when it was made"
    rig.settle()
    assert ended(rig).succeeded and rig.exchange.wallets[Account.TACTICAL]["USDT"] == D(10010)


def test_or6_a_known_id_means_it_landed() -> None:
    rig = Rig().start()
    order(rig)
    rig.exchange.perform(Account.MASTER, rig.calls[rig.waiting("transfer:")[0]].request)
    rig.settle()
    assert ended(rig).succeeded and rig.exchange.wallets[Account.TACTICAL]["USDT"] == D(10010)


def test_or6_a_refused_transfer_books_nothing() -> None:
    rig = Rig().start()
    order(rig, "1000000")
    rig.settle()
    assert not ended(rig).succeeded and "131212" in ended(rig).reason
    assert not [fact for fact in rig.recorded(PostingFact) if fact.kind == "transfer"]
    assert "a transfer failed" in rig.titles()


def test_ex4_a_busy_exchange_gets_the_transfer_again_three_times() -> None:
    rig = Rig().start()
    order(rig)
    for _ in range(4):
        rig.answer(rig.waiting("transfer:")[0], Refused(code=10006, message="busy", fault="transient"))
    delays = [ask.delay_s for ask in rig.asked if ask.key.startswith("transfer:")]
    assert delays == [0.0, 1.0, 5.0, 15.0] and not ended(rig).succeeded


def test_or6_a_pending_transfer_is_asked_about_until_it_has_ended() -> None:
    rig = Rig().start()
    order(rig)
    rig.answer(rig.waiting("transfer:")[0], Unknown(why="time-out"))
    for _ in range(5):
        rig.answer(rig.waiting("transfer-look:")[0], TransferState(status="PENDING"))
    assert "a transfer's outcome is not known" in rig.titles() and not rig.bodies(TransferEnded)
    rig.answer(rig.waiting("transfer-look:")[0], TransferState(status="FAILED"))
    assert not ended(rig).succeeded


@pytest.mark.parametrize("is_busy", [False, True])
def test_or6_a_transfer_that_lands_after_many_look_ups_without_it_is_made_once(is_busy: bool) -> None:
    """It was given up after the fourth, and its engine asked for it again under another id: both landed. An exchange
    that is busy by then says nothing about what was sent before."""
    rig = Rig().start()
    order(rig)
    first = rig.calls[rig.waiting("transfer:")[0]].request
    for attempt in range(6):
        refused = Refused(code=10006, message="busy", fault="transient")
        rig.answer(rig.waiting("transfer:")[0], refused if is_busy and attempt else Unknown(why="time-out"))
        if looks := rig.waiting("transfer-look:"):
            rig.answer(looks[0], TransferState(status="ABSENT"))
    assert not rig.bodies(TransferEnded) and "a transfer's outcome is not known" in rig.titles()
    rig.crash()
    rig.exchange.perform(Account.MASTER, first)
    rig.settle()
    assert ended(rig).succeeded and rig.exchange.wallets[Account.TACTICAL]["USDT"] == D(10010)
    assert all(one.request == first for one in rig.asked if isinstance(one.request, TransferFunds))
    assert "transfer:t1" in rig.ended


@pytest.mark.parametrize("blocked", ["look-up", "repetition", "repetition after a duplicate"])
def test_or6_what_was_blocked_says_nothing_about_an_earlier_request(blocked: str) -> None:
    """The database could not confirm our epoch while a transfer was looked up, or sent on: it counted as failed, its
    engine asked for it again under another id, and both were made."""
    rig = Rig().start()
    order(rig)
    (key,) = rig.waiting("transfer:")
    first = rig.calls[key].request
    is_duplicate = blocked.endswith("duplicate")
    lost = Refused(code=131214, message="known", fault="duplicate") if is_duplicate else Unknown(why="time-out")
    rig.answer(key, lost)
    if blocked != "look-up":
        rig.answer(rig.waiting("transfer-look:")[0], TransferState(status="ABSENT"))
    (key,) = rig.waiting("transfer")
    rig.answer(key, Blocked(why="the database is away"))
    assert not rig.bodies(TransferEnded) and rig.recorded(TransferFact)[0].state == "UNKNOWN"
    rig.exchange.perform(Account.MASTER, first)
    rig.settle()
    assert ended(rig).succeeded and rig.exchange.wallets[Account.TACTICAL]["USDT"] == D(10010)
    assert len([fact for fact in rig.recorded(PostingFact) if fact.kind == "transfer"]) == 1


@pytest.mark.parametrize("refusals", [0, 1])
def test_or6_a_transfer_that_was_blocked_and_never_made_has_failed(refusals: int) -> None:
    rig = Rig().start()
    order(rig)
    for _ in range(refusals):
        rig.answer(rig.waiting("transfer:")[0], Refused(code=10006, message="busy", fault="transient"))
    rig.answer(rig.waiting("transfer:")[0], Blocked(why="the database is away"))
    assert not ended(rig).succeeded and "the database is away" in ended(rig).reason


def held_position(rig: Rig) -> None:
    rig.approve(engine=ActorName.FUNDING, side=Side.SELL)
    rig.settle()


@pytest.mark.parametrize(("paid", "amount"), [("1.5", "-1.5"), ("-2.25", "2.25")])
def test_fu6_funding_goes_to_the_ledger_and_never_to_the_position(paid: str, amount: str) -> None:
    """nautilus_trader #4937: settlements arrive on the execution stream, sized like the whole position. Elsewhere they
    were booked as fills."""
    rig = Rig().start()
    held_position(rig)
    cash = rig.exchange.wallets[Account.FUNDING]["USDT"]
    rig.exchange.settle_funding(Account.FUNDING, "BTCUSDT", D(paid), D("0.0003"))
    rig.settle()
    (body,) = rig.bodies(FundingPaid)
    assert (body.amount_usdt, body.rate, body.cash_usdt) == (D(amount), D("0.0003"), cash - D(paid))
    assert rig.recorded(PositionFact)[0].quantity == D("-0.5") and len(rig.bodies(Fill)) == 1
    assert len(rig.recorded(ExecutionFact)) == 1
    rig.crash()
    rig.settle()
    assert len(rig.bodies(FundingPaid)) == 1


def test_a_forced_execution_shrinks_the_position_alarms_and_tells_the_engine() -> None:
    """hummingbot #3103: auto-deleveraging of the short left naked spot, and nobody noticed."""
    rig = Rig().start()
    held_position(rig)
    rig.exchange.trade(Account.FUNDING, "linear", "BTCUSDT", Side.BUY, D("0.3"), D(100), kind="AdlTrade")
    rig.settle()
    assert rig.recorded(PositionFact)[0].quantity == D("-0.2")
    assert "forced execution on FUNDING" in rig.titles()
    assert rig.bodies(BalancesKnown)[-1].positions["BTCUSDT"][0] == D("-0.2")
    external = [fact for fact in rig.recorded(ExecutionFact) if fact.engine == "EXTERNAL"]
    assert len(external) == 1 and len(rig.bodies(Fill)) == 1


def test_an_unknown_execution_type_is_never_booked_as_a_fill() -> None:
    """Elsewhere every row of the execution stream was a fill, settlements of funding included. Here only listed types
    are fills; any other one is an alert."""
    rig = Rig().start()
    rig.exchange.trade(Account.TREND_1, "linear", "BTCUSDT", Side.BUY, D(1), D(100), kind="Settle")
    rig.settle()
    assert not rig.recorded(ExecutionFact) and not rig.recorded(PositionFact)
    assert "execution of unknown type on TREND-1" in rig.titles()


def test_realised_profit_comes_from_the_exchanges_record() -> None:
    rig = Rig().start()
    rig.approve(1)
    rig.settle()
    rig.exchange.last = D(110)
    rig.approve(2, side=Side.SELL, reduce_only=True)
    rig.settle()
    assert rig.bodies(Fill)[-1].realized_pnl == D(5)
    assert rig.bodies(Fill)[-1].cash_usdt == rig.exchange.wallets[Account.TREND_1]["USDT"]


def test_a_fill_of_an_order_forgotten_long_ago_still_finds_its_intent() -> None:
    rig = Rig()
    rig.parameters = rig.parameters.model_copy(update={"recent_orders": 2})
    rig.logic = type(rig.logic)("abc123", rig.parameters)
    rig.start()
    rig.exchange.market_fill = D("0.4")
    for number in range(1, 8):
        rig.approve(number)
        rig.settle()
    rig.exchange.trade(Account.TREND_1, "linear", "BTCUSDT", Side.BUY, D("0.1"), D(100), "abc123t11-1", "x1")
    rig.settle()
    assert rig.bodies(Fill)[-1].intent_id == "trend-1-1"
    assert len(rig.bodies(IntentEnded)) == 7 and not rig.titles()


def test_rows_stay_bounded_however_many_orders_there_were() -> None:
    rig = Rig()
    rig.parameters = rig.parameters.model_copy(
        update={"recent_orders": 4, "recent_transfers": 2, "seen_buckets": 2, "seen_per_bucket": 4}
    )
    rig.logic = type(rig.logic)("abc123", rig.parameters)
    rig.start()
    for number in range(1, 60):
        rig.approve(number)
        rig.settle()
    parents = [key for key in rig.rows if key.startswith("parent:")]
    deduplicator = [key for key in rig.rows if key.startswith("executions:")]
    assert len(parents) == 5 and len(deduplicator) == 2
    rig.crash()
    rig.settle()
    rig.approve(60)
    rig.settle()
    assert len(rig.bodies(Fill)) == 60 and len(rig.bodies(IntentEnded)) == 60


@pytest.mark.parametrize(("closed", "profit"), [(None, D(1)), (D("0.1"), D(1)), (D(0), D(0))])
def test_an_unreported_profit_is_our_own_unless_nothing_was_closed(closed: Decimal | None, profit: Decimal) -> None:
    """REST's list has no profit, and for some rows no `closedSize`: it follows from our own average price. An
    execution that closed nothing has none, whatever our record of the position was when it came."""
    rig = Rig().start()
    rig.approve()
    rig.settle()
    order = rig.exchange.orders["abc123t11-1"]
    rig.exchange.trade(order.account, "linear", "BTCUSDT", Side.SELL, D("0.1"), D(110), "", "x-other")
    row = rig.exchange.executions[-1]
    rig.exchange.frames.clear()
    unreported = row.model_copy(update={"realized_pnl": None, "closed_quantity": closed})
    rig.tell(ExecutionFrame(report=unreported))
    facts = (fact for fact in rig.facts.values() if isinstance(fact, ExecutionFact))
    (fact,) = [fact for fact in facts if fact.execution_id == row.execution_id]
    assert fact.realized_pnl == profit


def test_a_reported_profit_of_0_is_0_in_any_order_of_the_reports() -> None:
    """A reported 0 was taken for "not reported" and computed from our own average price, which one that overtook it
    had moved: money that nobody had earned was booked, and taken back as unexplained by the next reconciliation."""
    rig = Rig().start()
    for side, price in ((Side.BUY, D(100)), (Side.SELL, D(100)), (Side.BUY, D(90))):
        rig.exchange.trade(Account.TREND_1, "linear", "BTCUSDT", side, D("0.1"), price)
    opened, closed, opened_again = rig.exchange.frames
    rig.exchange.frames.clear()
    for frame in (opened, opened_again, closed):
        rig.tell(frame)
    assert rig.book(Account.TREND_1).wallet("USDT") == rig.exchange.wallets[Account.TREND_1]["USDT"]
    rig.tell(StreamRestored(stream="private"))
    rig.settle()
    assert not [posting for posting in rig.recorded(PostingFact) if posting.kind == "adjustment"]


def test_ex2_a_look_up_books_nothing_again_that_the_account_has_forgotten() -> None:
    """The account remembers a bounded number of ids; an order that rests while thousands of others fill outlives them.
    Its look-up shows all its executions, and those that were forgotten were booked a second time."""
    rig = Rig(parameters=OrderParameters(seen_buckets=2, seen_per_bucket=2)).start()
    rig.approve(**maker(1))
    rig.settle()
    (link,) = rig.exchange.orders
    rig.exchange.fill(link, D("0.1"), maker=True)
    rig.settle()
    for number in range(2, 10):
        rig.approve(number, engine=ActorName.CORE_HODL, category="spot")
        rig.settle()
    rig.tell(Withdraw(intent_id="core-hodl-1", engine=ActorName.CORE_HODL, reason="test"))
    rig.answer(rig.waiting(f"{link}:cancel")[0], Unknown(why="time-out"))
    rig.settle()
    account = Account.CORE_HODL
    assert rig.book(account).coins() == {c: a for c, a in rig.exchange.wallets[account].items() if a}
    assert len(rig.bodies(Fill)) == 9 and not rig.repeated
    (end,) = [body for body in rig.bodies(IntentEnded) if body.intent_id == "core-hodl-1"]
    assert end.filled_quantity == D("0.1")


def test_or9_a_missed_fill_of_a_resting_order_is_booked_however_many_fills_came_after_it() -> None:
    """It was older than what the account remembers, and so "older than any that could be missing": the order waited for
    it until its end, and the comparison found a difference."""
    rig = Rig(parameters=OrderParameters(seen_buckets=2, seen_per_bucket=2)).start()
    rig.approve(**maker(1))
    rig.settle()
    (link,) = rig.exchange.orders
    rig.exchange.fill(link, D("0.1"), maker=True)
    rig.exchange.frames.clear()  # the stream is down
    for number in range(2, 10):
        rig.approve(number, engine=ActorName.CORE_HODL, category="spot")
        rig.settle()
    rig.tell(StreamRestored(stream="private CORE-HODL"))
    rig.settle()
    account = Account.CORE_HODL
    assert rig.book(account).coins() == {c: a for c, a in rig.exchange.wallets[account].items() if a}
    assert rig.order(link).filled_quantity == D("0.1")
    assert not [posting for posting in rig.recorded(PostingFact) if posting.kind == "adjustment"]
