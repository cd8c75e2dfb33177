"""The drill of issue 10 in one process: the market falls 40 % in a day, the exchange is away for ten minutes of it; the
operator halts, flattens, restarts everything and resumes (RM-4, RM-5, R2, R3, OR-6).

`make drills` runs the same day on the real system (`tests/chaos/test_crash_day.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from infra.simulator.faults.scenario import read_scenario
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.facts import OrderFact, TransferFact
from statemachines.risk.parameters import Switch
from statemachines.values import DERIVATIVE_ENGINES, Account, ActorName
from tests.simulation.crash_day.ledger_checks import check, entries_of
from tests.simulation.crash_day.world import WatchedWorld
from tests.simulation.faults.defects import settlements_are_not_posted
from tests.simulation.faults.invariants import Invariants, ViolationError, is_healthy
from tests.simulation.faults.world import opening
from tests.simulation.operator.defects import halted_calms_down
from tests.simulation.whole import instant

CRASH_DAY = Path(__file__).with_name("crash-day.toml")
BEFORE = "the tranches are quoted again"
"""All three engines that trade derivatives hold some then."""

FALL = Decimal("-0.40")
TRENDS = (ActorName.TREND_1, ActorName.TREND_2)


class Drill:
    """The steps of the drill, each with what must hold after it."""

    def __init__(self) -> None:
        self.world = WatchedWorld(opening(BEFORE), read_scenario(CRASH_DAY))
        self.invariants = Invariants()
        self.world.watch_write = self.invariants.at_each_write

    def run(self) -> WatchedWorld:
        """All of it; raises ViolationError or AssertionError."""
        self.fall_and_outage()
        self.halt_and_flatten()
        self.resume()
        self.invariants.at_rest(self.world)
        return self.world

    def fall_and_outage(self) -> None:
        """The morning's fall, and the ten minutes without the exchange, in which the operator halts."""
        world = self.world
        world.until(instant("2025-01-03T00:00"))
        self.begin_price = world.price("BTCUSDT")
        world.until(instant("2025-01-03T12:54"))
        assert all([*world.left(engine)] for engine in DERIVATIVE_ENGINES), "nothing at stake: nothing is proven"
        price = world.price("BTCUSDT")
        world.until(instant("2025-01-03T12:57"))
        assert world.is_tripped(Switch.EXCHANGE_UNREACHABLE), "the silence is not measured"
        assert world.in_force().get("GLOBAL") == "REDUCE_ONLY", "RM-4 trips nothing"
        world.until(instant("2025-01-03T13:02"))
        world.command("halt", "GLOBAL")
        world.until(instant("2025-01-03T13:04"))
        assert world.in_force()["GLOBAL"] == "HALTED"
        assert world.price("BTCUSDT") < price * Decimal("0.9"), "the market does not wait"
        unseen = [engine for engine in TRENDS if not [*world.left(engine)]]
        assert unseen == [*TRENDS], "their stops are at the exchange, and were filled there"
        assert self.open_orders_on_record(), "we cannot have seen it yet"
        world.until(instant("2025-01-03T13:20"))
        assert not world.is_tripped(Switch.EXCHANGE_UNREACHABLE)
        assert world.in_force()["GLOBAL"] == "HALTED", "the reading is good again; the operator's halt stays"
        assert not self.open_orders_on_record()

    def halt_and_flatten(self) -> None:
        """The operator flattens, and everything of ours dies before it is proven; the day ends HALTED and flat."""
        world = self.world
        world.until(instant("2025-01-03T15:00"))
        world.command("flatten", "GLOBAL")
        world.restart()
        world.until(instant("2025-01-04T00:00"))
        assert world.price("BTCUSDT") / self.begin_price - 1 <= FALL
        assert [*world.stages().values()] == ["FLAT"] * 3, "not proven flat"
        assert [one for engine in DERIVATIVE_ENGINES for one in world.left(engine)] == []
        world.restart()
        world.until(instant("2025-01-04T06:00"))
        halted = {scope for scope, state in world.in_force().items() if state == "HALTED"}
        assert halted == {"GLOBAL", *map(str, DERIVATIVE_ENGINES)}, "neither a restart nor a day's cycle lifts it"
        self.orders = self.exchange_orders()

    def resume(self) -> None:
        """The operator resumes; the system trades again and is in order."""
        world = self.world
        for scope, state in dict(world.in_force()).items():
            if state != "NORMAL":
                world.command("normal", scope)
        world.until(instant("2025-01-05T12:00"))
        assert set(world.in_force().values()) == {"NORMAL"}
        assert is_healthy(world)
        assert len(self.exchange_orders() - self.orders) > 5, "it does not trade again"

    def open_orders_on_record(self) -> list[str]:
        """Stops that are open by our own record and not at the exchange any more."""
        theirs = {o.link_id for a in self.world.exchange.venue.accounts.values() for o in a.open.values()}
        facts = [fact for fact in self.world.store.memory.facts("orders") if isinstance(fact, OrderFact)]
        ours = [one.client_order_id for one in facts if not OrderState(one.state).is_terminal]
        return [one for one in ours if one not in theirs]

    def exchange_orders(self) -> frozenset[str]:
        """Every order that ever was at the exchange."""
        accounts = self.world.exchange.venue.accounts.values()
        return frozenset(order.link_id for account in accounts for order in account.orders.values())


@cache
def drilled() -> Drill:
    drill = Drill()
    drill.run()
    return drill


def test_the_drill_ends_in_order() -> None:
    """Executions, orders, stops and ledger are the exchange's; nothing is open; every transition is of its table."""
    assert is_healthy(drilled().world)


@pytest.mark.parametrize("account", Account)
def test_or6_after_the_drill_the_ledger_is_the_exchanges(account: Account) -> None:
    """Entry by entry, as `eternal ledger check` compares."""
    world = drilled().world
    result = check(world.exchange, entries_of(world.store.memory, account), account)
    assert result.differences == [] and all(figure.is_equal for figure in result.figures)
    assert result.entries or account is Account.MASTER, "nothing was compared"


def test_or6_no_transfer_of_the_drill_is_doubled_and_no_balance_is_negative() -> None:
    world = drilled().world
    facts = [fact for fact in world.store.memory.facts("transfers") if isinstance(fact, TransferFact)]
    made = [row.data["transferId"] for row in world.exchange.venue.transfers.values()]
    assert len(made) == len(set(made)) and set(made) == {fact.transfer_id for fact in facts if fact.state == "DONE"}
    assert min(account.balance("USDT") for account in world.exchange.venue.accounts.values()) >= 0


def test_rm4_what_tripped_and_ended_is_on_record_with_its_evidence() -> None:
    reported = [(one.switch, one.is_bad) for one in drilled().world.readings]
    away = [is_bad for switch, is_bad in reported if switch == Switch.EXCHANGE_UNREACHABLE]
    assert away == [False, True, False], "good at first, bad in the outage, good after it"
    bad = next(one for one in drilled().world.readings if one.is_bad)
    assert len(bad.readings) == 2 and "30 s" in bad.readings[0].limit


# --- planted defects: the drill finds each ---


def the_reading_is_not_sent_on() -> AbstractContextManager[Any]:
    """RM-4 off: the exchange's silence trips nothing."""
    return patch("statemachines.risk.readings.switchboard.Switchboard.take_changed", lambda *_: [])


def engines_are_never_asked_to_close() -> AbstractContextManager[Any]:
    """R3 off for FUNDING: its hedged pairs stay."""
    return patch("statemachines.funding.engine.flatten", lambda *_: None)


@pytest.mark.parametrize(
    ("defect", "said"),
    [
        (the_reading_is_not_sent_on, "RM-4 trips nothing"),
        (engines_are_never_asked_to_close, "not proven flat"),
        (halted_calms_down, "HALTED is left by the operator only"),
        (settlements_are_not_posted, "ledger"),
    ],
)
def test_a_planted_defect_is_found(defect: Callable[[], AbstractContextManager[Any]], said: str) -> None:
    opening(BEFORE)  # calm, so without the defect
    with defect(), pytest.raises((ViolationError, AssertionError), match=said):
        Drill().run()
