"""What the exchange tells about our orders and cannot be: refused, told, entries halted; its own list settles it.

Each execution here carried the id of our order and was booked without a word.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from statemachines.facts import DiscrepancyFact, ExecutionFact
from statemachines.messages.accounts import Reconciled
from statemachines.messages.market import DataUnusable, DayClosed
from statemachines.messages.orders import ExecutionFrame, Fill, IntentEnded, OrderFrame
from statemachines.requests import AccountSnapshot, ExecutionReport, ReadAccount, VenueOrderStatus
from statemachines.values import Account, Side
from tests.statemachines.execution.fake_exchange import FakeOrder
from tests.statemachines.execution.rig import START_MS, Rig, maker

D = Decimal
A = Account.CORE_HODL
CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "another side": {"side": Side.SELL},
    "another symbol": {"symbol": "ETHUSDT", "fee_coin": "ETH"},
    "another category": {"category": "linear", "fee_coin": "USDT"},
    "another account": {"account": Account.TACTICAL},
    "another id of the exchange": {"venue_order_id": "another-777"},
    "more than was ordered": {"quantity": D("1.001")},
    "ten times the limit of a purchase": {"price": D(1000)},
    "one tick above the limit": {"price": D(100)},
    "a price of a billion": {"price": D(10) ** 9},
    "a tenth of the limit": {"price": D(10)},
    "executed years before its order": {"executed_ms": 1_262_304_000_000},
    "executed in the future": {"executed_ms": 4_000_000_000_000},
    "a quantity off the lot": {"quantity": D("0.1234567")},
    "more closed than executed": {"closed_quantity": D(50)},
    "a fee above 1 % in the coin": {"fee": D("0.0041"), "fee_coin": "BTC"},
    "a fee above 1 % in USDT": {"fee": D("0.41"), "fee_coin": "USDT"},
    "a rebate above 1 %": {"fee": D("-0.41"), "fee_coin": "USDT"},
    "a fee that cannot be valued": {"fee": D("0.0001"), "fee_coin": "XYZ"},
    "a fee above 1 % beside a tax": {"fee": D("0.0051"), "tax_in_fee": D("0.001")},
    "a tax above the value in the coin": {"fee": D("0.4005"), "tax_in_fee": D("0.4001")},
    "a tax above the value in another coin": {"extra_fees": (("USDT", D(5000)),)},
    "a tax that cannot be valued": {"extra_fees": (("XYZ", D("0.0001")),)},
}


def quoting() -> tuple[Rig, FakeOrder]:
    """A buy of 1 BTC for CORE-HODL rests at 100."""
    rig = Rig().start()
    rig.price("100")
    rig.approve(**maker(quantity=D(1)))
    rig.settle()
    (order,) = rig.exchange.orders.values()
    return rig, order


def execution(order: FakeOrder, name: str = "odd", **changes: Any) -> ExecutionReport:
    sound = ExecutionReport(
        account=A,
        execution_id=name,
        client_order_id=order.request.client_order_id,
        venue_order_id=order.venue_order_id,
        category="spot",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=D("0.4"),
        price=D("99.9"),
        fee=D("0.0004"),
        fee_coin="BTC",
        fee_rate=D("0.001"),
        is_maker=True,
        realized_pnl=D(0),
        execution_type="Trade",
        executed_ms=START_MS + 50,
    )
    return sound.model_copy(update=changes)


def wallets(rig: Rig) -> dict[Account, dict[str, Decimal]]:
    return {account: dict(rig.book(account).coins()) for account in Account}


def day(rig: Rig) -> None:
    rig.tell(DayClosed(day_ms=START_MS, close_ms=START_MS, bars=()))
    rig.settle()


@pytest.mark.parametrize("changes", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_an_execution_that_contradicts_its_order_is_not_booked_and_halts_its_market(changes: dict[str, Any]) -> None:
    rig, order = quoting()
    before = wallets(rig)
    odd = execution(order, **changes)
    rig.tell(ExecutionFrame(report=odd))
    assert wallets(rig) == before and not rig.bodies(Fill) and not rig.recorded(ExecutionFact)
    halted = {(body.category, body.symbol) for body in rig.bodies(DataUnusable) if body.reason}
    assert {(odd.category, odd.symbol), ("spot", "BTCUSDT")} == halted
    (alert, *_further) = [one for one in rig.alerts if "cannot be used" in one.title]
    assert "odd" in alert.text and order.request.client_order_id in alert.text
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)], "what is true is read"
    rig.settle()
    assert wallets(rig) == before, "the exchange's list does not show it: it never happened"
    assert not any(body.discrepancies for body in rig.bodies(Reconciled))
    last = {(body.category, body.symbol): body.reason for body in rig.bodies(DataUnusable)}
    assert not any(last.values()), "the market is free again"


def test_the_true_row_of_the_list_replaces_what_the_stream_mangled() -> None:
    rig, order = quoting()
    rig.exchange.fill(order.request.client_order_id, D("0.4"), maker=True)
    true = rig.exchange.frames.pop(0)
    assert isinstance(true, ExecutionFrame)
    rig.tell(ExecutionFrame(report=true.report.model_copy(update={"side": Side.SELL})))
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert (fill.side, fill.quantity) == (Side.BUY, D("0.4"))
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}
    assert not any(body.discrepancies for body in rig.bodies(Reconciled)), "a row that came late is no difference"


def listed(rig: Rig, odd: ExecutionReport) -> None:
    """The exchange really has it: in its list and in its wallet."""
    rig.exchange.executions.append(odd)
    wallet = rig.exchange.wallets[odd.account]
    base = odd.symbol.removesuffix("USDT")
    wallet[base] = wallet.get(base, D(0)) + odd.side.sign * odd.quantity
    wallet["USDT"] = wallet.get("USDT", D(0)) - odd.side.sign * odd.quantity * odd.price
    for coin, amount in ((odd.fee_coin, odd.fee), *odd.extra_fees):
        wallet[coin] = wallet.get(coin, D(0)) - amount


def test_an_overfill_that_the_list_confirms_is_booked_once_and_reported_as_a_difference() -> None:
    """What was really executed is never lost: the engine gets its fill, and RM-4 halts it for the difference."""
    rig, order = quoting()
    odd = execution(order, quantity=D("1.5"))
    listed(rig, odd)
    order.status, order.filled_quantity = VenueOrderStatus.FILLED, D(1)
    rig.tell(ExecutionFrame(report=odd))
    assert not rig.bodies(Fill)
    rig.settle()
    (fill,) = rig.bodies(Fill)
    assert fill.quantity == D("1.5")
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}
    assert [fact.kind for fact in rig.recorded(DiscrepancyFact)] == ["contradiction"]
    assert rig.bodies(Reconciled)[-1].discrepancies == 1
    day(rig)
    assert rig.bodies(Reconciled)[-1].discrepancies == 0, "a second pass changes nothing"
    assert len(rig.bodies(Fill)) == 1


@pytest.mark.parametrize(
    "taxes",
    [
        {"fee": D("0.0704"), "tax_in_fee": D("0.07")},
        {"extra_fees": (("USDT", D("7.5")),)},
        {"fee": D("0.1104"), "tax_in_fee": D("0.11"), "extra_fees": (("USDT", D("0.75")),)},
    ],
)
def test_a_tax_far_above_1_percent_of_the_value_is_booked_from_the_stream(taxes: dict[str, Any]) -> None:
    """Where the exchange withholds a part of the gain. The tax was judged by the bound of the fee: the market was set
    aside and the engine halted."""
    rig, order = quoting()
    taxed = execution(order, **taxes)
    listed(rig, taxed)
    rig.tell(ExecutionFrame(report=taxed))
    (fill,) = rig.bodies(Fill)
    assert fill.fee == taxed.fee and not [body for body in rig.bodies(DataUnusable) if body.reason]
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}


def test_a_tax_in_doubt_that_the_list_confirms_is_booked_and_no_difference() -> None:
    """Nothing of ours says how high a tax is: RM-4 has nothing to halt for."""
    rig, order = quoting()
    taxed = execution(order, extra_fees=(("USDT", D(50)),))
    listed(rig, taxed)
    rig.tell(ExecutionFrame(report=taxed))
    assert not rig.bodies(Fill), "50 USDT are more than what was bought"
    rig.settle()
    assert len(rig.bodies(Fill)) == 1
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}
    assert not any(body.discrepancies for body in rig.bodies(Reconciled))
    last = {(body.category, body.symbol): body.reason for body in rig.bodies(DataUnusable)}
    assert not any(last.values()), "the market is free again"


def test_what_the_list_confirms_of_another_side_is_booked_as_external_and_not_as_our_fill() -> None:
    rig, order = quoting()
    odd = execution(order, side=Side.SELL, fee=D("0.04"), fee_coin="USDT")
    listed(rig, odd)
    rig.tell(ExecutionFrame(report=odd))
    rig.settle()
    assert not rig.bodies(Fill)
    (fact,) = rig.recorded(ExecutionFact)
    assert fact.engine == "EXTERNAL"
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}
    assert rig.bodies(Reconciled)[-1].discrepancies == 1


def test_the_list_alone_is_believed_at_its_second_reading() -> None:
    """The stream was silent: one reading could be mangled, two in the same words are the exchange's truth."""
    rig, order = quoting()
    odd = execution(order, quantity=D("1.5"))
    listed(rig, odd)
    read: list[int] = []
    perform = rig.exchange.perform

    def watched(account: Account, request: Any) -> Any:
        if isinstance(request, ReadAccount) and account is A:
            read.append(len(rig.bodies(Fill)))
        return perform(account, request)

    rig.exchange.perform = watched  # type: ignore[method-assign]
    day(rig)
    assert read == [0, 0], "not booked by the first reading"
    assert len(rig.bodies(Fill)) == 1
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}


@pytest.mark.parametrize(
    "changes",
    [
        lambda number: {"quantity": D(2) + number},
        lambda number: {"extra_fees": (("USDT", D(5000) + number),)},
        lambda number: {"fee": D(1), "tax_in_fee": D(2) + number},
    ],
    ids=["quantity", "taxes beside the fee", "taxes in the fee"],
)
def test_a_list_that_tells_it_differently_each_time_is_never_booked_and_money_is_not_corrected(
    changes: Callable[[int], dict[str, Any]],
) -> None:
    rig, order = quoting()
    before = wallets(rig)
    perform = rig.exchange.perform
    told = iter(range(1, 1000))

    def shifting(account: Account, request: Any) -> Any:
        outcome = perform(account, request)
        if isinstance(outcome, AccountSnapshot) and account is A:
            odd = execution(order, **changes(next(told)))
            return outcome.model_copy(update={"executions": (odd,), "balances": {"BTC": D(99)}})
        return outcome

    rig.exchange.perform = shifting  # type: ignore[method-assign]
    day(rig)
    assert wallets(rig) == before
    assert rig.bodies(DataUnusable)[-1].reason, "entries stay halted"
    due = rig.logic.deadline()
    assert due is not None and due <= rig.exchange.now_ms + 60_000, "it is read again"


def test_a_restart_forgets_no_doubt() -> None:
    """The doubt is in memory, the execution on the exchange's list: the next life judges it anew."""
    rig, order = quoting()
    odd = execution(order, quantity=D("1.5"))
    listed(rig, odd)
    rig.tell(ExecutionFrame(report=odd))
    rig.crash()
    rig.settle()
    assert len(rig.bodies(Fill)) == 1
    assert wallets(rig)[A] == {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}


def test_a_funding_payment_above_5_percent_of_the_position_is_not_booked() -> None:
    rig = Rig().start()
    rig.approve()
    rig.settle()
    account = Account.TREND_1
    before = rig.book(account).wallet("USDT")
    row = ExecutionReport(
        account=account,
        execution_id="funding",
        client_order_id="",
        venue_order_id="f",
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=D("0.5"),
        price=D(100),
        fee=D("2.51"),
        fee_coin="USDT",
        fee_rate=D("0.05"),
        is_maker=False,
        realized_pnl=D(0),
        execution_type="Funding",
        executed_ms=START_MS + 99,
    )
    rig.tell(ExecutionFrame(report=row))
    assert rig.book(account).wallet("USDT") == before
    rig.tell(ExecutionFrame(report=row.model_copy(update={"execution_id": "sound", "fee": D("2.5")})))
    assert rig.book(account).wallet("USDT") == before - D("2.5")


@pytest.mark.parametrize(
    "changes",
    [{"side": Side.SELL}, {"symbol": "ETHUSDT"}, {"category": "linear"}, {"account": Account.TACTICAL}],
    ids=str,
)
def test_a_report_of_another_order_under_our_id_changes_nothing(changes: dict[str, Any]) -> None:
    """It ended our order: "Filled" of a sale counted for the purchase."""
    rig, order = quoting()
    report = order.report().model_copy(
        update={"status": VenueOrderStatus.CANCELLED, "updated_ms": START_MS + 99} | changes
    )
    rig.tell(OrderFrame(report=report))
    assert not rig.bodies(IntentEnded)
    assert {(body.category, body.symbol) for body in rig.bodies(DataUnusable) if body.reason} == {
        (report.category, report.symbol),
        ("spot", "BTCUSDT"),
    }
    assert [ask for ask in rig.calls.values() if isinstance(ask.request, ReadAccount)]
    rig.settle()
    assert not rig.bodies(IntentEnded), "it rests at the exchange"
    last = {(body.category, body.symbol): body.reason for body in rig.bodies(DataUnusable)}
    assert not any(last.values())


def test_an_open_order_of_the_list_that_is_none_of_ours_under_our_id_is_not_taken() -> None:
    rig, order = quoting()
    snapshot = rig.exchange.perform(A, ReadAccount(executions_since_ms=0))
    assert isinstance(snapshot, AccountSnapshot)
    other = tuple(one.model_copy(update={"side": Side.SELL, "price": D(5)}) for one in snapshot.open_orders)
    rig.answers[f"account:{A}"] = snapshot.model_copy(update={"open_orders": other})
    day(rig)
    assert rig.order(order.request.client_order_id).price == order.price != D(5)
    assert rig.bodies(DataUnusable)[0].symbol == "BTCUSDT"
    assert order.status is VenueOrderStatus.NEW
