"""TR-5, P2: the audit of positions against the stops that the exchange lists, independent of engine and order
records."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.execution.parameters import OrderParameters
from statemachines.execution.reconciliation.protection import Unprotected, unprotected
from statemachines.messages.orders import PositionUnprotected
from statemachines.requests import AccountSnapshot, OrderReport, PositionReport, ReadAccount, SetAside, VenueOrderStatus
from statemachines.values import Account, ActorName, Side
from tests.kit import builders
from tests.statemachines.execution.rig import Rig, stop

D = Decimal
SYMBOL = "BTCUSDT"


def position(quantity: Decimal, account: Account = Account.TREND_1) -> PositionReport:
    return PositionReport(
        account=account, symbol=SYMBOL, quantity=quantity, average_price=D(100), mark_price=D(100),
        liquidation_price=None, leverage=D(2), unrealized_pnl=D(0),
    )  # fmt: skip


def order(side: Side, quantity: Decimal) -> OrderReport:
    return OrderReport(
        account=Account.TREND_1, client_order_id="abc123t11-1", venue_order_id="v1", category="linear", symbol=SYMBOL,
        side=side, status=VenueOrderStatus.UNTRIGGERED, quantity=quantity, filled_quantity=D(0), average_price=None,
        price=None, trigger_price=D(90), reduce_only=True, reject_reason="", cancel_type="", created_ms=1, updated_ms=1,
    )  # fmt: skip


def reading(
    positions: tuple[PositionReport, ...], orders: tuple[OrderReport, ...], account: Account = Account.TREND_1
) -> AccountSnapshot:
    return AccountSnapshot(
        account=account, market_ms=1, open_orders=orders, executions=(), positions=positions, balances={}
    )


def unprotected_in(snapshot: AccountSnapshot) -> tuple[Unprotected, ...]:
    return unprotected(snapshot, {})


QUANTITIES = st.decimals(min_value="0.001", max_value=100, places=3)


@given(QUANTITIES, st.lists(QUANTITIES, max_size=4), st.sampled_from([1, -1]))
def test_a_position_is_protected_by_as_much_as_its_stops_cover(
    held: Decimal, stops: list[Decimal], direction: int
) -> None:
    closing = Side.SELL if direction > 0 else Side.BUY
    found = unprotected_in(reading((position(direction * held),), tuple(order(closing, one) for one in stops)))
    covered = sum(stops, D(0))
    listed = tuple(order(closing, one) for one in stops)
    assert found == (() if covered >= held else (Unprotected(SYMBOL, direction * held, covered, listed),))


@pytest.mark.parametrize(
    "changes",
    [
        {"side": Side.BUY},
        {"reduce_only": False},
        {"symbol": "ETHUSDT"},
        {"status": VenueOrderStatus.DEACTIVATED},
        {"status": VenueOrderStatus.NEW},
        {"filled_quantity": D("0.1")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_does_not_close_the_whole_position_is_no_protection(changes: dict[str, object]) -> None:
    assert not unprotected_in(reading((position(D(1)),), (order(Side.SELL, D(1)),)))
    assert unprotected_in(reading((position(D(1)),), (order(Side.SELL, D(1)).model_copy(update=changes),)))


def test_engines_without_stops_and_unreadable_rows_are_not_judged() -> None:
    naked = position(D(-1), Account.FUNDING)
    assert not unprotected_in(reading((naked,), (), Account.FUNDING))
    unread = SetAside(kind="order", category="linear", symbol=SYMBOL, problem="quantity is not a number")
    lacking = reading((position(D(1)),), ())
    assert unprotected_in(lacking)
    assert not unprotected_in(lacking.model_copy(update={"set_aside": (unread,)}))


def held() -> Rig:
    """TREND-1 holds half a coin behind its stop; the account is read every minute, as in live."""
    rig = Rig(parameters=OrderParameters(reconcile_every_ms=60_000)).start()
    rig.exchange.trade(Account.TREND_1, "linear", SYMBOL, Side.BUY, D("0.5"), D(100), "", "")
    rig.approve(**stop())
    return rig.settle()


def test_what_two_readings_show_without_protection_is_reported_to_the_engine() -> None:
    """The position grows by a hand other than ours: the engine, which knows only of its own, hears of the rest."""
    rig = held()
    rig.advance(60_000)
    assert not rig.bodies(PositionUnprotected)
    rig.exchange.trade(Account.TREND_1, "linear", SYMBOL, Side.BUY, D("0.3"), D(100), "", "")
    rig.settle()
    read = len(readings(rig))
    rig.advance(60_000)
    (found,) = rig.bodies(PositionUnprotected)
    assert (found.engine, found.symbol, found.held, found.covered) == (ActorName.TREND_1, SYMBOL, D("0.8"), D("0.5"))
    assert found.stops == ("trend-1-1",), "the engine learns which of its stops rest"
    assert len(readings(rig)) - read == 2, "one reading alone proves nothing"


def test_a_stop_that_the_exchange_has_made_too_small_is_amended_before_the_audit_reports_it() -> None:
    rig = held()
    rig.exchange.orders["abc123t11-1"].quantity = D("0.2")
    rig.advance(120_000)
    assert rig.exchange.orders["abc123t11-1"].quantity == D("0.5") and not rig.bodies(PositionUnprotected)


def readings(rig: Rig) -> list[str]:
    return [ask.key for ask in rig.asked if isinstance(ask.request, ReadAccount) and ask.account == Account.TREND_1]


@pytest.mark.parametrize(
    ("covered", "is_protected"), [("9.999", False), ("10", True), ("25", True)], ids=["less", "all it takes", "more"]
)
def test_a_position_is_protected_as_far_as_the_venue_takes_stops(covered: str, is_protected: bool) -> None:
    """TR-5: ten stops of the largest order; an audit that demanded only one of them would miss nine tenths."""
    instruments = {("linear", SYMBOL): builders.instrument("linear", SYMBOL, max_market_qty=D(1))}
    found = unprotected(reading((position(D(25)),), (order(Side.SELL, D(covered)),)), instruments)  # type: ignore[arg-type]
    assert (not found) is is_protected
