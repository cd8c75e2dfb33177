"""OR-6, OR-9, RULINGS F11: every row of the exchange's transaction log reaches the ledger once, or suspense."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.execution.parameters import OrderParameters
from statemachines.facts import DiscrepancyFact, PostingFact, TransferFact
from statemachines.ledger.transaction_types import TRANSACTION_TYPES, BookedBy, Effect, Sign
from statemachines.messages.accounts import BalancesKnown, Reconciled, TransferEnded, TransferOrdered
from statemachines.messages.control import OperatorCommand
from statemachines.messages.market import DayClosed
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.requests import AccountSnapshot, ReadAccount, Refused, TransferFunds, TransferState, Unknown
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import DAY_MS, HOUR_MS, Account
from tests.statemachines.execution.fake_exchange import FakeExchange
from tests.statemachines.execution.rig import START_MS, Rig

D = Decimal
A = Account.TREND_1
BY_LOG = sorted(name for name, known in TRANSACTION_TYPES.items() if known.booked_by is BookedBy.LOG)


def rig_with_log(parameters: OrderParameters | None = None) -> Rig:
    """A system that runs for an hour on an exchange that keeps a transaction log."""
    rig = Rig(FakeExchange(START_MS, log=[]), parameters).start()
    rig.now_ms += HOUR_MS
    return rig


def reconcile(rig: Rig) -> Reconciled:
    """The daily pass, to its end."""
    rig.now_ms += 1_000
    rig.tell(DayClosed(day_ms=rig.now_ms - rig.now_ms % DAY_MS, close_ms=rig.now_ms, bars=()))
    rig.settle()
    return rig.bodies(Reconciled)[-1]


def assert_equal_to_the_exchange(rig: Rig) -> None:
    for account in Account:
        shown = {coin: amount for coin, amount in rig.exchange.wallets[account].items() if amount}
        assert rig.book(account).coins() == dict(sorted(shown.items())), account


def balances(rig: Rig, account: Account = A) -> dict[tuple[str, str], Decimal]:
    return {key: amount for key, amount in rig.book(account).balances.items() if amount}


def flows_and_equity(rig: Rig, account: Account = A) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """What the risk manager takes from the messages: flows, and balances."""
    holdings = AccountHoldings()
    told = [body for body in rig.bodies(BalancesKnown) if body.account == account]
    holdings.take_balances(told[0], "")
    holdings.clear_flows()
    for body in told[1:]:
        holdings.take_balances(body, "")
    data = holdings.account_data(account)
    net = {coin: Decimal(amount) for coin, amount in data["flows"]["inflows"].items()}
    for coin, amount in data["flows"]["outflows"].items():
        net[coin] = net.get(coin, Decimal(0)) - Decimal(amount)
    return {coin: amount for coin, amount in net.items() if amount}, dict(data["balances"])


def fitting(name: str) -> Decimal:
    return D("-1.25") if TRANSACTION_TYPES[name].sign is Sign.OUT else D("1.25")


@pytest.mark.parametrize("name", BY_LOG)
def test_or6_a_row_of_each_known_type_is_booked_to_its_account_and_is_no_mismatch(name: str) -> None:
    """Until now interest or a bonus showed up as an unexplained difference that counted as a mismatch (RM-4)."""
    rig = rig_with_log()
    known = TRANSACTION_TYPES[name]
    amount = fitting(name)
    rig.exchange.transact(A, name, "USDT", amount)
    done = reconcile(rig)
    assert_equal_to_the_exchange(rig)
    (posting,) = [one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]
    assert posting.kind == known.kind and sum(line.amount for line in posting.lines) == 0
    assert balances(rig)[(known.ledger_account, "USDT")] == -amount
    assert done.discrepancies == 0 and any("l1" in text for text in done.details)
    expected_flow = {} if known.effect is Effect.RESULT else {"USDT": amount}
    assert flows_and_equity(rig)[0] == expected_flow


def test_f11_interest_is_a_loss_and_a_deposit_is_none() -> None:
    rig = rig_with_log()
    rig.exchange.transact(A, "INTEREST", "USDT", D("-3"))
    reconcile(rig)
    rig.exchange.transact(A, "DBS_CASH_IN", "USDT", D("500"))
    reconcile(rig)
    flows, told = flows_and_equity(rig)
    assert flows == {"USDT": D(500)} and told["USDT"] == str(D(10000) - 3 + 500)


def test_c5_f11_what_comes_and_what_goes_is_told_apart_and_once() -> None:
    """Two deposits and a withdrawal in one reading; interest is neither, and a later reading has nothing of them."""
    rig = rig_with_log()
    for name, amount in (("TRANSFER_IN", "500"), ("DBS_CASH_IN", "40"), ("TRANSFER_OUT", "-90"), ("INTEREST", "-3")):
        rig.exchange.transact(A, name, "USDT", D(amount))
    reconcile(rig)
    rig.exchange.transact(A, "BONUS", "USDT", D("1"))
    reconcile(rig)
    told = [body for body in rig.bodies(BalancesKnown) if body.account == A]
    assert [(body.deposits, body.withdrawals) for body in told if body.deposits or body.withdrawals] == [
        ({"USDT": D(540)}, {"USDT": D(90)})
    ]


def test_a_fee_within_a_row_is_booked_as_a_fee_and_counts_as_a_loss() -> None:
    rig = rig_with_log()
    rig.exchange.transact(A, "DBS_CASH_OUT", "USDT", D("-101"), cash_flow=D(-100), fee=D(1))
    reconcile(rig)
    assert balances(rig)[("withdrawals", "USDT")] == 100 and balances(rig)[("fees", "USDT")] == 1
    assert flows_and_equity(rig)[0] == {"USDT": D(-100)}
    assert "withdrawal from TREND-1" in rig.titles()


SUSPECT: list[tuple[str, str, dict[str, Any]]] = [
    ("an unknown type", "SURPRISE_OF_2027", {}),
    ("no type", "", {}),
    ("interest that is received", "INTEREST", {}),
    ("a contradiction", "BONUS", {"problem": "field 'change' is 1.25; cashFlow + funding - fee = 2 is required."}),
    ("an unreadable instant", "BONUS", {"time_ms": None, "problem": "field 'transactionTime' is 'soon'"}),
    ("a hostile type", "A\u202e'; DROP TABLE postings; --" + "x" * 90, {}),
]


@pytest.mark.parametrize(("story", "name", "fields"), SUSPECT, ids=[story for story, _, _ in SUSPECT])
def test_or6_what_cannot_be_attributed_is_in_suspense_with_one_alert(
    story: str, name: str, fields: dict[str, Any]
) -> None:
    """Never dropped, never a fault, never a wrong equity."""
    rig = rig_with_log()
    for _ in range(3):
        rig.exchange.transact(A, name, "USDT", D("1.25"), **fields)
    done = reconcile(rig)
    assert_equal_to_the_exchange(rig)
    assert balances(rig)[("suspense", "USDT")] == D("-3.75") and done.discrepancies == 0, story
    postings = [one for one in rig.recorded(PostingFact) if one.kind == "suspense"]
    assert len(postings) == 3 and all("1.25 USDT" in one.description for one in postings)
    assert {one.description.rpartition("The row: ")[2] for one in postings} == {f"{name} 1.25 USDT"}, "preserved whole"
    told = [alert for alert in rig.alerts if alert.condition.startswith("suspense:")]
    assert len({alert.condition for alert in told}) == 1
    assert "3 rows" in told[-1].text and repr(name or "no type") in told[-1].text and "clarify" in told[-1].text
    assert reconcile(rig).discrepancies == 0 and len(rig.recorded(DiscrepancyFact)) == 3, "the second pass does nothing"


def test_an_amount_that_cannot_be_read_is_preserved_and_the_wallet_decides() -> None:
    rig = rig_with_log()
    rig.exchange.transact(A, "BONUS", "USDT", D("2"))
    assert rig.exchange.log is not None
    unread = {"change": None, "cash_flow": D(0), "problem": "field 'change' is 'two'", "raw": '{"change": "two"}'}
    rig.exchange.log[0] = rig.exchange.log[0].model_copy(update=unread)
    done = reconcile(rig)
    assert_equal_to_the_exchange(rig)
    (posting,) = [one for one in rig.recorded(PostingFact) if one.kind == "suspense"]
    assert posting.lines == () and '{"change": "two"}' in posting.description
    assert done.discrepancies == 1, "money moved and nobody says why"


def order_transfer(rig: Rig, number: int = 1, amount: str = "10") -> None:
    rig.tell(
        TransferOrdered(
            transfer_id=f"t{number}", request_id=f"r{number}", from_account=Account.FUNDING, to_account=A,
            coin="USDT", amount=D(amount), purpose="OR-4",
        )
    )  # fmt: skip


def test_rows_of_our_own_transfers_are_not_booked_again() -> None:
    rig = rig_with_log()
    order_transfer(rig, 1)
    order_transfer(rig, 2)
    rig.settle()
    rig.crash()
    rig.settle()
    assert reconcile(rig).discrepancies == 0 and reconcile(rig).details == ()
    assert_equal_to_the_exchange(rig)
    assert not [one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]


def test_a_transfer_made_by_hand_is_a_flow_of_both_accounts_and_no_mismatch() -> None:
    """The same amount as one of ours, so that only its being one too many tells."""
    rig = rig_with_log()
    order_transfer(rig)
    rig.settle()
    rig.exchange.transact(Account.FUNDING, "TRANSFER_OUT", "USDT", D(-10))
    rig.exchange.transact(A, "TRANSFER_IN", "USDT", D(10))
    assert reconcile(rig).discrepancies == 0
    assert_equal_to_the_exchange(rig)
    assert balances(rig)[("deposits", "USDT")] == -10
    assert balances(rig, Account.FUNDING)[("withdrawals", "USDT")] == 10
    assert flows_and_equity(rig)[0] == {"USDT": D(20)}, "ours and theirs alike are no profit"


def test_a_row_of_a_transfer_whose_outcome_is_unknown_waits_for_it() -> None:
    """Booked from the log and then again from its confirmation, the transfer would count twice."""
    rig = rig_with_log()
    order_transfer(rig)
    (key,) = rig.waiting("transfer:")
    rig.exchange.perform(Account.MASTER, rig.calls[key].request)
    rig.answer(key, Unknown(why="time-out"))
    look_up = rig.waiting("transfer-look:")[0]
    held = rig.calls.pop(look_up)
    reconcile(rig)
    assert not [one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]
    rig.calls[look_up] = held
    rig.settle()
    assert reconcile(rig).discrepancies == 0
    assert_equal_to_the_exchange(rig)
    assert not [one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]


def test_a_row_that_arrives_after_its_effect_explains_the_correction() -> None:
    """The log may lag behind the wallet: the difference is corrected against `unexplained` and reversed later."""
    rig = rig_with_log()
    row = rig.exchange.transact(A, "BONUS", "USDT", D(7))
    assert rig.exchange.log is not None
    rig.exchange.log.clear()
    assert reconcile(rig).discrepancies == 1 and balances(rig)[("unexplained", "USDT")] == -7
    rig.exchange.log.append(row)
    assert reconcile(rig).discrepancies == 0
    assert_equal_to_the_exchange(rig)
    assert ("unexplained", "USDT") not in balances(rig) and balances(rig)[("bonus", "USDT")] == -7
    assert flows_and_equity(rig)[0] == {}, "it was a result all along"


def test_several_late_rows_explain_one_correction_together() -> None:
    rig = rig_with_log()
    rows = [rig.exchange.transact(A, "BONUS", "USDT", D(amount)) for amount in (7, 5)]
    rig.exchange.log = []
    assert reconcile(rig).discrepancies == 1
    rig.exchange.log = rows
    assert reconcile(rig).discrepancies == 0
    assert ("unexplained", "USDT") not in balances(rig) and balances(rig)[("bonus", "USDT")] == -12


def test_two_rows_that_cancel_each_other_are_both_booked() -> None:
    """No balance differs, so that only the daily reading of the log finds them."""
    rig = rig_with_log()
    rig.exchange.transact(A, "BONUS", "USDT", D(5))
    rig.exchange.transact(A, "BONUS_RECOLLECT", "USDT", D(-5))
    reconcile(rig)
    assert len([one for one in rig.recorded(PostingFact) if one.kind == "bonus"]) == 2


def test_the_log_is_read_daily_and_when_a_balance_differs_but_not_every_minute() -> None:
    """In live the accounts are compared every minute; the log of a busy account has thousands of pages."""
    rig = rig_with_log(OrderParameters(reconcile_every_ms=60_000))
    before = len(rig.asked)
    rig.advance(10 * 60_000)
    asked = [one.request for one in rig.asked[before:] if isinstance(one.request, ReadAccount)]
    assert len(asked) >= 60 and all(request.transactions_since_ms is None for request in asked)
    rig.exchange.transact(A, "INTEREST", "USDT", D(-1))
    rig.advance(60_000)
    assert_equal_to_the_exchange(rig)
    assert rig.bodies(Reconciled)[-1].discrepancies == 0 and balances(rig)[("interest", "USDT")] == 1


def test_what_happened_before_the_first_start_is_in_the_opening_balance() -> None:
    exchange = FakeExchange(START_MS, log=[])
    exchange.transact(A, "BONUS", "USDT", D(3))
    rig = Rig(exchange).start()
    assert reconcile(rig).discrepancies == 0 and ("bonus", "USDT") not in balances(rig)
    assert_equal_to_the_exchange(rig)


def test_a_database_of_the_version_before_begins_at_its_last_comparison() -> None:
    """Its accounts have no row of the log; what it has compared is in its balances, what it moved since is expected."""
    exchange = FakeExchange(START_MS)
    rig = Rig(exchange).start()
    exchange.log = []
    exchange.transact(A, "INTEREST", "USDT", D(-2))
    rig.now_ms += HOUR_MS
    exchange.log = []
    reconcile(rig)
    exchange.log = [row(1, "INTEREST", D(-2), START_MS)]
    rig.now_ms += HOUR_MS
    order_transfer(rig)
    rig.settle()
    rig.rows = {key: one for key, one in rig.rows.items() if not key.startswith(("transaction-log:", "transactions:"))}
    rig.restart()
    rig.begin_again()
    rig.settle()
    assert reconcile(rig).discrepancies == 0
    assert_equal_to_the_exchange(rig)
    assert not [one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]


def row(number: int, name: str, change: Decimal, time_ms: int, coin: str = "USDT") -> TransactionRow:
    return TransactionRow(
        account=A, transaction_id=f"r{number}", transaction_type=name, coin=coin, change=change, cash_flow=change,
        time_ms=time_ms, raw=f"row {number}",
    )  # fmt: skip


MOVEMENTS = st.lists(
    st.tuples(
        st.sampled_from([*BY_LOG, "TRANSFER_IN", "TRANSFER_OUT", "UNKNOWN_1", "UNKNOWN_2"]),
        st.decimals(min_value=-1_000, max_value=1_000, places=8),
        st.sampled_from(["USDT", "BTC", "SOL"]),
        st.integers(min_value=0, max_value=HOUR_MS),
    ),
    max_size=12,
)


@given(movements=MOVEMENTS, data=st.data())
def test_or9_rows_in_any_order_any_number_of_times_and_over_restarts_give_one_ledger(
    movements: list[tuple[str, Decimal, str, int]], data: st.DataObject
) -> None:
    """A shuffled, duplicated, gappy log converges once it is whole; one pass more does nothing."""
    whole = [
        row(number, name, change, START_MS + HOUR_MS + at, coin)
        for number, (name, change, coin, at) in enumerate(movements)
    ]

    def run(readings: list[list[TransactionRow]], *, restarts: bool) -> Rig:
        rig = rig_with_log()
        for listed in readings:
            rig.exchange.log = listed
            wallet = {"USDT": D(10000), "BTC": D(5)}
            for one in {one.key: one for one in listed}.values():
                wallet[one.coin] = wallet.get(one.coin, D(0)) + (one.change or D(0))
            rig.exchange.wallets[A] = wallet
            reconcile(rig)
            if restarts:
                rig.crash()
                rig.settle()
        return rig

    straight = run([whole], restarts=False)
    seen: list[TransactionRow] = []
    readings = []
    for one in data.draw(st.permutations(whole)):
        seen.append(one)
        if data.draw(st.booleans()):
            readings.append(data.draw(st.permutations([*seen, *data.draw(st.lists(st.sampled_from(seen)))])))
    readings.append(list(whole))
    rig = run(readings, restarts=data.draw(st.booleans()))
    assert balances(rig) == balances(straight)
    assert_equal_to_the_exchange(rig)
    assert sum(amount for (_, coin), amount in balances(rig).items() if coin == "USDT") == 0
    before = balances(rig)
    assert reconcile(rig).details == () and balances(rig) == before
    assert not rig.bodies(OperatorCommand), "nothing was halted"


def test_the_rows_survive_a_snapshot_as_a_message() -> None:
    """The answer of the exchange travels and is stored as JSON."""
    rig = rig_with_log()
    rig.exchange.transact(A, "BONUS", "USDT", D("1.5"))
    snapshot = rig.exchange.snapshot(A, 0, 0)
    assert AccountSnapshot.model_validate_json(snapshot.model_dump_json()) == snapshot


def transfer(rig: Rig, name: str, source: Account = Account.FUNDING) -> None:
    rig.tell(
        TransferOrdered(
            transfer_id=name, request_id=name, from_account=source, to_account=Account.TACTICAL, coin="USDT",
            amount=D(10), purpose="FU-5",
        )
    )  # fmt: skip


def lost_transfer(rig: Rig, name: str = "t1") -> TransferFunds:
    """A transfer whose first request has no answer and that no look-up shows; sent again, it is refused for good."""
    transfer(rig, name)
    (key,) = [key for key in rig.calls if key.startswith(f"transfer:{name}:")]
    request = rig.calls[key].request
    assert isinstance(request, TransferFunds)
    rig.answer(key, Unknown(why="time-out"))
    (look,) = [key for key in rig.calls if key.startswith(f"transfer-look:{name}:")]
    rig.answer(look, TransferState(status="ABSENT"))
    (key,) = [key for key in rig.calls if key.startswith(f"transfer:{name}:")]
    rig.answer(key, Refused(code=131212, message="insufficient balance", fault="funds"))
    (end,) = [body for body in rig.bodies(TransferEnded) if body.transfer_id == name]
    assert not end.succeeded
    return request


@pytest.mark.parametrize("is_replaced", [False, True])
def test_or6_a_transfer_that_is_made_after_its_end_is_booked_as_the_transfer_that_it_is(is_replaced: bool) -> None:
    """An id of ours stays ours. Its rows were a withdrawal that "this system did not order" and a deposit."""
    rig = rig_with_log()
    request = lost_transfer(rig)
    if is_replaced:
        transfer(rig, "t2")
        rig.settle()
    rig.now_ms += 1_000
    rig.exchange.perform(Account.MASTER, request)
    reconcile(rig)
    assert_equal_to_the_exchange(rig)
    kinds = [(one.posting_id, one.kind) for one in rig.recorded(PostingFact) if one.kind != "opening"]
    assert sorted(kinds) == [("transfer:t1", "transfer"), *([("transfer:t2", "transfer")] if is_replaced else [])]
    assert {fact.state for fact in rig.recorded(TransferFact)} == {"DONE"}
    assert rig.titles().count("a transfer that counted as failed was made") == 1
    assert not rig.recorded(DiscrepancyFact) and rig.bodies(Reconciled)[-1].discrepancies == 0
    rig.crash()
    rig.settle()
    reconcile(rig)
    assert_equal_to_the_exchange(rig)
    assert len([one for one in rig.recorded(PostingFact) if one.kind != "opening"]) == len(kinds)


def test_or6_a_lost_transfer_takes_no_row_that_belongs_to_another() -> None:
    """The same amount is moved by its replacement, and by another account."""
    rig = rig_with_log()
    lost_transfer(rig)
    transfer(rig, "t2")
    rig.settle()
    rig.exchange.transact(Account.TREND_1, "TRANSFER_OUT", "USDT", D(-10))
    reconcile(rig)
    assert_equal_to_the_exchange(rig)
    states = {fact.transfer_id: fact.state for fact in rig.recorded(TransferFact)}
    assert states == {"t1": "FAILED", "t2": "DONE"}
    assert len([one for one in rig.recorded(PostingFact) if one.posting_id.startswith("log:")]) == 1
