"""What of an account cannot be read is set aside, told once, and never taken for absent or for a difference."""

from __future__ import annotations

from decimal import Decimal

import pytest

from statemachines.execution.reconciliation.unreadable import is_filter_refusal
from statemachines.messages.accounts import Reconciled
from statemachines.messages.market import DataUnusable, DayClosed, FiltersRefused, QuotesSeen, RowsSetAside
from statemachines.messages.orders import IntentEnded
from statemachines.requests import (
    WHOLE_ACCOUNT,
    AccountSnapshot,
    LookUpOrder,
    ReadAccount,
    Refused,
    SetAside,
)
from statemachines.values import Account
from tests.statemachines.execution.rig import START_MS, Rig, maker

D = Decimal
A = Account.TREND_1


def aside(kind: str = "execution", symbol: str = "BTCUSDT", *, foreign: bool = False) -> SetAside:
    problem = "field 'execQty' is '-1'."
    return SetAside.model_validate(
        {"kind": kind, "category": "linear", "symbol": symbol, "problem": problem, "is_foreign": foreign}
    )


def rows(*one: SetAside) -> RowsSetAside:
    return RowsSetAside(source=f"private {A}", account=A, rows=one)


def day(rig: Rig) -> None:
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    rig.settle()


def spoil(rig: Rig, *one: SetAside, **changes: object) -> None:
    """The next reading of the account cannot read these rows."""
    snapshot = rig.exchange.perform(A, ReadAccount(executions_since_ms=0))
    assert isinstance(snapshot, AccountSnapshot)
    rig.answers[f"account:{A}"] = snapshot.model_copy(update={"set_aside": one, **changes})


def test_a_product_that_is_not_traded_is_told_once_and_halts_nothing() -> None:
    """Case 6: an option order beside ours."""
    rig = Rig().start()
    for _repeat in range(3):
        rig.tell(rows(aside("order", "ETH-30DEC22-1400-C", foreign=True)))
        rig.settle()
    assert len([title for title in rig.titles() if "not traded here" in title]) == 1
    assert not rig.bodies(DataUnusable)
    rig.crash()
    rig.settle()
    rig.tell(rows(aside("order", "ETH-30DEC22-1400-C", foreign=True)))
    assert len([title for title in rig.titles() if "not traded here" in title]) == 1, "a restart tells nothing anew"


def test_a_row_that_cannot_be_read_halts_its_symbol_until_the_account_was_read() -> None:
    """Case 7: the actor lives, entries are halted, and the account is read, since the row said something."""
    rig = Rig().start()
    rig.tell(rows(aside()))
    (begun,) = rig.bodies(DataUnusable)
    assert (begun.category, begun.symbol) == ("linear", "BTCUSDT") and "execQty" in begun.reason
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)]
    rig.settle()
    assert [body.reason for body in rig.bodies(DataUnusable)][-1] == "", "the reading was complete"
    assert len([title for title in rig.titles() if "cannot be used" in title]) == 1


def test_a_position_that_cannot_be_read_is_not_taken_for_flat() -> None:
    """Case 10: size "-5" is refused; the books must not be corrected to nothing because of it."""
    rig = Rig().start()
    rig.approve()
    rig.settle()
    held = rig.exchange.positions[(A, "BTCUSDT")][0]
    assert held
    for _reading in range(3):
        spoil(rig, aside("position"), positions=())
        day(rig)
    assert rig.book(A).position("BTCUSDT").quantity == held
    assert all(body.discrepancies == 0 for body in rig.bodies(Reconciled))
    assert rig.bodies(DataUnusable)[-1].reason


def test_a_balance_that_cannot_be_read_is_not_taken_for_zero() -> None:
    rig = Rig().start()
    one = aside("balance", "USDT").model_copy(update={"category": ""})
    spoil(rig, one, balances={"BTC": D(5)})
    day(rig)
    assert rig.book(A).wallet("USDT") == D(10000)


@pytest.mark.parametrize("beside", [(), (aside("order", "ETH-30DEC22-1400-C", foreign=True),)], ids=["alone", "beside"])
def test_a_wallet_without_any_coin_is_not_taken_for_an_empty_account(beside: tuple[SetAside, ...]) -> None:
    """An empty list of coins became a balance of zero; only a listed coin makes the wallet believable again. Elsewhere
    trading continued on it."""
    rig = Rig().start()
    for _reading in range(6):
        spoil(rig, *beside, balances={})
        day(rig)
    assert rig.book(A).wallet("USDT") == D(10000)
    day(rig)
    told = [body for body in rig.bodies(DataUnusable) if body.category == WHOLE_ACCOUNT]
    assert [(body.symbol, bool(body.reason)) for body in told] == [(A, True), (A, False)], "until coins are listed"
    assert "USDT" in told[0].reason
    assert all(body.discrepancies == 0 for body in rig.bodies(Reconciled))


def test_a_wallet_that_contradicts_itself_halts_its_account_and_changes_nothing() -> None:
    rig = Rig().start()
    one = aside("balance", A).model_copy(update={"category": WHOLE_ACCOUNT})
    spoil(rig, one, balances={})
    day(rig)
    assert rig.book(A).wallet("USDT") == D(10000)
    assert (rig.bodies(DataUnusable)[-1].category, rig.bodies(DataUnusable)[-1].symbol) == (WHOLE_ACCOUNT, A)


@pytest.mark.parametrize("kind", ["balance", "position"])
def test_books_are_not_opened_with_half_of_the_money(kind: str) -> None:
    """What could not be read at the first start was opened as nothing; its later balance stood there unexplained."""
    rig = Rig()
    spoil(rig, aside(kind, "USDT" if kind == "balance" else "BTCUSDT"), balances={})
    rig.start()
    assert rig.book(A).wallet("USDT") == D(10000), "it was read again"
    assert all(body.discrepancies == 0 for body in rig.bodies(Reconciled))


def test_books_that_cannot_be_opened_are_complained_about_until_they_are() -> None:
    """The complaint was taken back by the very reading that could not be used."""
    rig = Rig().begun()
    for _reading in range(rig.parameters.loop_limit + 2):
        (key,) = rig.waiting(f"account:{A}")
        snapshot = rig.exchange.perform(A, ReadAccount(executions_since_ms=0))
        assert isinstance(snapshot, AccountSnapshot)
        one = aside("balance", "USDT").model_copy(update={"category": ""})
        rig.answer(key, snapshot.model_copy(update={"set_aside": (one,), "balances": {}}))
    assert rig.titles().count(f"account {A} cannot be read") == 1
    assert f"reading:account {A}" not in rig.ended
    rig.settle()
    assert f"reading:account {A}" in rig.ended
    assert rig.book(A).wallet("USDT") == D(10000)


def test_money_is_not_compared_while_fills_cannot_be_read() -> None:
    """Else the books would follow the balance, and the fill would be booked a second time once it can be read."""
    rig = Rig().start()
    spoil(rig, aside("execution"), balances={"BTC": D(5), "USDT": D(9000)})
    day(rig)
    assert rig.book(A).wallet("USDT") == D(10000)
    due = rig.logic.deadline()
    assert due is not None and due <= rig.exchange.now_ms + 60_000, "it is read again"
    rig.advance(61_000)
    assert rig.bodies(DataUnusable)[-1].reason == ""


def test_an_order_whose_row_cannot_be_read_is_looked_up_not_ended() -> None:
    rig = Rig().start()
    rig.price("100")
    rig.approve(**maker(quantity=D(1)))
    rig.settle()
    account = Account.CORE_HODL
    snapshot = rig.exchange.perform(account, ReadAccount(executions_since_ms=0))
    assert isinstance(snapshot, AccountSnapshot) and snapshot.open_orders
    one = aside("order").model_copy(update={"category": "spot"})
    rig.answers[f"account:{account}"] = snapshot.model_copy(update={"open_orders": (), "set_aside": (one,)})
    day(rig)
    assert [ask for ask in rig.asked if isinstance(ask.request, LookUpOrder)]
    assert not rig.bodies(IntentEnded), "it is alive at the exchange and here"


@pytest.mark.parametrize(
    ("code", "message", "doubted"),
    [
        (170134, "Order price decimal too long.", True),
        (110094, "Order does not meet minimum order value 5USDT", True),
        (10001, "Qty invalid", True),
        (10001, "position idx not match position mode", False),
        (110007, "ab not enough for new order", False),
        (170193, "Buy order price cannot be higher than 1.", False),
    ],
)
def test_a_refusal_by_a_filter_makes_the_filters_be_read_again(code: int, message: str, doubted: bool) -> None:
    """Case 5: tick sizes had changed, and every order was refused until the next midnight. Elsewhere orders were
    refused for as long as the old tick size stayed in memory."""
    rig = Rig().start()
    rig.answers["place:"] = Refused(code=code, message=message, fault="permanent")
    rig.approve()
    for key in rig.waiting("place"):
        rig.answers[key] = Refused(code=code, message=message, fault="permanent")
    rig.settle()
    assert bool(rig.bodies(FiltersRefused)) is doubted


CODES_OF_FILTERS = (110094, 170124, 170134, 170136, 170137, 170140, 170148, 170341, 170381, 170382)


@pytest.mark.parametrize(
    ("code", "message", "is_filter"),
    [
        *((code, "", True) for code in CODES_OF_FILTERS),
        (10001, "Qty invalid", True),
        (10001, "symbol invalid", False),
        (170131, "Insufficient balance.", False),
        (110007, "ab not enough for new order", False),
    ],
)
def test_only_refusals_by_lot_tick_minimum_or_maximum_are_of_the_filters(
    code: int, message: str, is_filter: bool
) -> None:
    """Each such code of the exchange's list makes market data read the rules of its instruments again."""
    assert is_filter_refusal(Refused(code=code, message=message, fault="permanent")) is is_filter


def test_a_withdrawn_quote_is_used_no_more() -> None:
    """Case 9: nothing is quoted from a crossed market."""
    rig = Rig().start()
    rig.price("100")
    rig.tell(QuotesSeen(quotes=(), withdrawn=(("spot", "BTCUSDT"),)))
    rig.approve(**maker())
    rig.settle()
    assert not rig.exchange.writes or all(one.kind != "place_order" for one in rig.exchange.writes)
    rig.price("101")
    rig.advance(1)
    assert [one for one in rig.exchange.writes if one.kind == "place_order"]
