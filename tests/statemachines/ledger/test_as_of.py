"""OR-6: positions and Earn at an instant that lies behind the reading."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from statemachines.earn.terms import EarnYield
from statemachines.ledger.check import Traded, earn_at, positions_at
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account

D = Decimal
AMOUNTS = st.decimals(min_value=-5, max_value=5, places=8)
EVENTS = st.lists(st.tuples(st.integers(0, 10), AMOUNTS), max_size=12)


@given(EVENTS, st.integers(-1, 11))
def test_a_position_at_an_instant_is_what_was_traded_until_then(events: list[tuple[int, Decimal]], at_ms: int) -> None:
    traded = [Traded("BTCUSDT", quantity, time_ms) for time_ms, quantity in events]
    now = sum((one.quantity for one in traded), D(0))
    then = sum((one.quantity for one in traded if one.time_ms <= at_ms), D(0))
    assert positions_at(at_ms, {"BTCUSDT": now}, traded).get("BTCUSDT", D(0)) == then


@given(EVENTS, EVENTS, st.integers(-1, 11))
def test_what_earn_held_at_an_instant_is_what_was_moved_and_paid_until_then(
    moves: list[tuple[int, Decimal]], payments: list[tuple[int, Decimal]], at_ms: int
) -> None:
    """A subscription takes from the wallet what it adds to Earn."""
    rows = [
        TransactionRow(
            account=Account.CORE_HODL, transaction_id=str(number), coin="ETH", change=-into_earn, time_ms=time_ms,
            transaction_type="FLEXIBLE_STAKING_SUBSCRIPTION" if into_earn > 0 else "FLEXIBLE_STAKING_REDEMPTION",
        )
        for number, (time_ms, into_earn) in enumerate(moves)
    ]  # fmt: skip
    yields = [
        EarnYield(yield_id=str(number), coin="ETH", amount=amount, paid_ms=paid_ms)
        for number, (paid_ms, amount) in enumerate(payments)
    ]
    now = sum((amount for _at, amount in (*moves, *payments)), D(0))
    then = sum((amount for at, amount in (*moves, *payments) if at <= at_ms), D(0))
    other = TransactionRow(
        account=Account.CORE_HODL,
        transaction_id="x",
        transaction_type="TRANSFER_IN",
        coin="ETH",
        change=D(1),
        time_ms=99,
    )
    assert earn_at(at_ms, {"ETH": now}, [*rows, other], yields).get("ETH", D(0)) == then
