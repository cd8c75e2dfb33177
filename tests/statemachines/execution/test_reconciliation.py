"""OR-9: comparisons of books and exchange: one pass converges, the second does nothing."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from statemachines.execution.reconciliation.balances import compare_balances
from statemachines.execution.reconciliation.executions import missing_executions
from statemachines.execution.reconciliation.orders import compare_orders
from statemachines.execution.reconciliation.positions import compare_positions
from statemachines.ledger.account_ledger import AccountLedger
from statemachines.ledger.positions import Position, adopted
from statemachines.ledger.postings import opening_posting
from statemachines.requests import OrderReport, PositionReport, VenueOrderStatus
from statemachines.values import Account, Side
from tests.statemachines.ledger.test_ledger import row

D = Decimal
ACCOUNT = Account.TREND_1
COINS = st.dictionaries(
    st.sampled_from(["USDT", "BTC", "ETH"]), st.decimals(min_value=-(10**6), max_value=10**6, places=18)
)
HELD = st.dictionaries(
    st.sampled_from(["BTCUSDT", "ETHUSDT", "SOLUSDT"]),
    st.tuples(
        st.decimals(min_value=-100, max_value=100, places=3),
        st.decimals(min_value=1, max_value=100_000, places=1),
    ),
)


def position(symbol: str, quantity: Decimal, average: Decimal) -> PositionReport:
    return PositionReport(
        account=ACCOUNT, symbol=symbol, quantity=quantity, average_price=average, mark_price=average,
        liquidation_price=None, leverage=D(2), unrealized_pnl=D(0),
    )  # fmt: skip


def open_order(link: str, venue_order_id: str) -> OrderReport:
    return OrderReport(
        account=ACCOUNT,
        client_order_id=link,
        venue_order_id=venue_order_id,
        category="linear",
        symbol="BTCUSDT",
        side=Side.BUY,
        status=VenueOrderStatus.NEW,
        quantity=D(1),
        filled_quantity=D(0),
        average_price=None,
        price=D(1),
        trigger_price=None,
        reduce_only=False,
        reject_reason="",
        cancel_type="",
        created_ms=1,
        updated_ms=1,
    )


@given(COINS, COINS, st.sampled_from(list(Account)))
def test_or9_one_pass_over_balances_converges(
    ours: dict[str, Decimal], theirs: dict[str, Decimal], account: Account
) -> None:
    book = AccountLedger(account)
    opening = opening_posting(account, ours, 1)
    if opening is not None:
        book.post(opening)
    for correction in compare_balances(account, book.coins(), theirs, 2):
        book.post(correction.posting)
    assert book.coins() == {coin: amount for coin, amount in theirs.items() if amount}
    assert compare_balances(account, book.coins(), theirs, 3) == ()


@given(HELD, HELD)
def test_or9_one_pass_over_positions_converges(
    ours: dict[str, tuple[Decimal, Decimal]], theirs: dict[str, tuple[Decimal, Decimal]]
) -> None:
    book = AccountLedger(ACCOUNT)
    for symbol, (quantity, average) in ours.items():
        book.set_position(symbol, adopted(quantity, average))
    reports = [position(symbol, quantity, average) for symbol, (quantity, average) in theirs.items()]
    for correction in compare_positions(ACCOUNT, book.positions, reports):
        book.set_position(correction.symbol, correction.position)
    assert {s: held.quantity for s, held in book.positions.items()} == {s: q for s, (q, _p) in theirs.items() if q}
    assert compare_positions(ACCOUNT, book.positions, reports) == ()


@given(st.lists(st.integers(0, 20)), st.sets(st.integers(0, 20)))
def test_or9_one_pass_over_executions_converges(listed: list[int], booked: set[int]) -> None:
    deduplicator = {f"e{number}" for number in booked}
    rows = [row(execution_id=f"e{number}", executed_ms=number) for number in listed]
    missing = missing_executions(lambda report: report.execution_id in deduplicator, rows)
    assert [report.executed_ms for report in missing] == sorted({number for number in listed} - booked)
    deduplicator |= {report.execution_id for report in missing}
    assert missing_executions(lambda report: report.execution_id in deduplicator, rows) == ()


def test_or9_balances_are_compared_to_the_last_unit() -> None:
    (found,) = compare_balances(ACCOUNT, {"USDT": D("1.00000000")}, {"USDT": D("1.00000001")}, 5)
    assert found.finding.kind == "balance" and found.finding.is_mismatch
    assert found.posting.kind == "adjustment"


def test_or5_an_increase_of_the_master_account_is_a_deposit() -> None:
    (found,) = compare_balances(Account.MASTER, {"USDT": D(1)}, {"USDT": D(1001)}, 5)
    assert found.posting.kind == "deposit" and not found.finding.is_mismatch


def test_or9_a_decrease_of_the_master_account_is_a_mismatch() -> None:
    (found,) = compare_balances(Account.MASTER, {"USDT": D(1001)}, {"USDT": D(1)}, 5)
    assert found.finding.is_mismatch and "withdrawal" in found.finding.resolution


def test_or9_orders_are_split_into_shown_absent_and_external() -> None:
    found = compare_orders(["a", "b"], {"x9"}, [open_order("a", "x1"), open_order("", "x9"), open_order("c", "x3")])
    assert [report.client_order_id for report in found.shown] == ["a"]
    assert found.absent == ("b",)
    assert [report.venue_order_id for report in found.external] == ["x3"]


def test_or9_a_flat_position_is_not_a_difference() -> None:
    assert compare_positions(ACCOUNT, {}, [position("BTCUSDT", D(0), D(1))]) == ()
    (gone,) = compare_positions(ACCOUNT, {"BTCUSDT": Position(D(1), D(100))}, [])
    assert gone.position.quantity == 0
