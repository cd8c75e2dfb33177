"""OR-9, DESIGN 6: a shuffled, duplicated, gappy set of reports converges in one pass; the second one does nothing.

Orders and executions that this system did not place are EXTERNAL: reported, booked, never traded against.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.execution.reconciliation import comparison, reconciler
from statemachines.execution.reconciliation.executions import missing_executions
from statemachines.execution.records.seen_ids import SeenIds
from statemachines.facts import DiscrepancyFact, ExecutionFact, Fact
from statemachines.messages.accounts import Reconciled
from statemachines.messages.market import DayClosed
from statemachines.messages.orders import StreamRestored
from statemachines.requests import PlaceOrder, ReadAccount, ReadMarket
from statemachines.values import DAY_MS, Account, ActorName, Side
from tests.statemachines.execution.fake_exchange import OPEN, FakeExchange, FakeOrder
from tests.statemachines.execution.rig import START_MS, Rig

D = Decimal
A = Account.TREND_1
READS = (ReadAccount, ReadMarket)

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["ours", "ours spot", "foreign trade", "foreign spot", "foreign order", "funding", "bonus"]),
        st.sampled_from(list(Side)),
        st.sampled_from([D("0.1"), D("0.25"), D("0.7")]),
    ),
    min_size=1,
    max_size=8,
)


def happen(rig: Rig, events: list[tuple[str, Side, Decimal]]) -> None:
    """What happens at the exchange; its reports are not delivered yet."""
    exchange = rig.exchange
    for number, (kind, side, quantity) in enumerate(events, 1):
        rig.now_ms += 1_000
        match kind:
            case "ours" | "ours spot":
                category = "spot" if kind.endswith("spot") else "linear"
                rig.approve(number=number, side=side, quantity=quantity, category=category)
                for key in list(rig.calls):
                    rig.perform(key)
            case "foreign trade" | "foreign spot":
                exchange.trade(A, "spot" if kind.endswith("spot") else "linear", "BTCUSDT", side, quantity, D(100))
            case "foreign order":
                foreign(exchange, f"by-hand-{number}", side, quantity)
            case "funding" if exchange.positions.get((A, "BTCUSDT"), (D(0), D(0)))[0]:
                exchange.settle_funding(A, "BTCUSDT", quantity, D("0.0001"))
            case "bonus":
                exchange.transact(A, "BONUS", "USDT", quantity)


def foreign(exchange: FakeExchange, name: str, side: Side, quantity: Decimal) -> None:
    """An order placed by hand, resting far from the market."""
    request = PlaceOrder(
        client_order_id=name, category="linear", symbol="BTCUSDT", side=side, quantity=quantity, style="post_only",
        price=D(1) if side is Side.BUY else D(1_000),
    )  # fmt: skip
    order = FakeOrder(
        account=A, request=request, venue_order_id=f"v-{name}", created_ms=exchange.now_ms, quantity=quantity,
        price=request.price, trigger_price=None, updated_ms=exchange.now_ms,
    )  # fmt: skip
    exchange.orders[name] = order
    exchange.show(order)


def reconcile(rig: Rig) -> Reconciled:
    rig.tell(DayClosed(day_ms=rig.now_ms - rig.now_ms % DAY_MS, close_ms=rig.now_ms, bars=()))
    rig.settle()
    return rig.bodies(Reconciled)[-1]


def state(rig: Rig) -> dict[str, Any]:
    """The durable rows that say something about orders and money."""
    return {key: (row.state, row.data) for key, row in rig.rows.items() if key.startswith(("book:", "parent:"))}


def check_convergence(events: list[tuple[str, Side, Decimal]], deliver: list[int], restarts: bool) -> None:
    rig = Rig(FakeExchange(START_MS, log=[])).start()
    happen(rig, events)
    frames, rig.exchange.frames = list(rig.exchange.frames), []
    for at in deliver:
        if frames:
            rig.tell(frames[at % len(frames)])
    if restarts:
        rig.crash()
    else:
        rig.tell(StreamRestored(stream="private"))
    rig.settle()
    reconcile(rig)
    shown = {coin: amount for coin, amount in rig.exchange.wallets[A].items() if amount}
    assert rig.book(A).coins() == dict(sorted(shown.items()))
    held = {symbol: size for (owner, symbol), (size, _cost) in rig.exchange.positions.items() if owner == A and size}
    assert {symbol: position.quantity for symbol, position in rig.book(A).positions.items()} == held
    booked = sorted(fact.execution_id for fact in rig.recorded(ExecutionFact))
    made = sorted(row.execution_id for row in rig.exchange.executions if row.execution_type != "Funding")
    assert booked == made and not rig.repeated, "each execution once"
    assert not [fact for fact in rig.recorded(DiscrepancyFact) if fact.kind in ("balance", "position")]
    open_by_hand = {name for name, order in rig.exchange.orders.items() if name.startswith("by-hand")}
    assert all(rig.exchange.orders[name].status in OPEN for name in open_by_hand), "never touched"
    told = " ".join(alert.text for alert in rig.alerts)
    assert all(f"v-{name}" in told for name in open_by_hand), "reported"
    assert {fact.engine for fact in rig.recorded(ExecutionFact)} <= {ActorName.TREND_1, "EXTERNAL"}
    before, writes, facts = state(rig), len(rig.exchange.writes), facts_of(rig)
    asked = len(rig.asked)
    second = reconcile(rig)
    assert second.discrepancies == 0 and second.details == ()
    assert state(rig) == before and len(rig.exchange.writes) == writes and facts_of(rig) == facts
    assert all(isinstance(one.request, READS) or "leverage" in one.key for one in rig.asked[asked:])


def facts_of(rig: Rig) -> list[Fact]:
    return list(rig.facts.values())


@given(events=EVENTS, deliver=st.lists(st.integers(0, 40), max_size=30), restarts=st.booleans())
def test_or9_one_pass_converges_and_the_second_does_nothing(
    events: list[tuple[str, Side, Decimal]], deliver: list[int], restarts: bool
) -> None:
    check_convergence(events, deliver, restarts)


SCENARIO: list[tuple[str, Side, Decimal]] = [
    ("ours", Side.BUY, D("0.7")),
    ("foreign trade", Side.SELL, D("0.25")),
    ("funding", Side.BUY, D("0.1")),
    ("foreign order", Side.BUY, D("0.1")),
    ("bonus", Side.BUY, D("0.25")),
    ("foreign spot", Side.BUY, D("0.1")),
]


def _defects() -> Iterator[tuple[str, AbstractContextManager[Any]]]:
    yield (
        "an execution that the stream lost is not booked",
        patch(
            f"{comparison.__name__}.missing_executions",
            lambda is_booked, listed: missing_executions(is_booked, listed)[:-1],
        ),
    )
    yield "an execution is booked again", patch.object(SeenIds, "__contains__", lambda _self, _name: False)
    yield "the log is not booked", patch.object(reconciler, "apply_transactions", lambda _context, _snapshot: [])
    yield "foreign orders are not adopted", patch.object(comparison, "adopt_external", lambda _context, _report: False)
    yield "no execution is booked late", patch.object(comparison, "apply_executions", lambda *_: [])


@pytest.mark.parametrize(("story", "defect"), [pytest.param(*one, id=one[0]) for one in _defects()])
def test_a_planted_defect_does_not_survive(story: str, defect: AbstractContextManager[Any]) -> None:
    check_convergence(SCENARIO, [0, 0, 3], restarts=False)
    with defect, pytest.raises(AssertionError):
        check_convergence(SCENARIO, [0, 0, 3], restarts=False)
