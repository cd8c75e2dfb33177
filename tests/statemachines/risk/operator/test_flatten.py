"""R3, RM-5: flat is proven against the exchange's own lists, twice, 5 s apart; anything else is an alert, retried."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from statemachines.actor_logic import StateRow
from statemachines.messages.control import FlatnessRead, FlatnessWanted, FlattenOrdered
from statemachines.messages.orders import IntentDone
from statemachines.risk.operator.flatten_machine import (
    ANSWER_MS,
    FLATTEN_TABLE,
    OVERDUE_MS,
    PROOF_MS,
    RETRY,
    FlattenState,
)
from statemachines.values import ACCOUNT_OF, HOUR_MS, LINEAR, MINUTE_MS, SECOND_MS, Account, ActorName, Side
from tests.kit.builders import intent
from tests.statemachines.risk.operator.test_commands import TREND, command
from tests.statemachines.risk.world import T0, World

LOT = Decimal("0.001")
"""Of the perpetuals of this world; less than that is dust (X1)."""
S = FlattenState
ENTRY_ENDED = IntentDone(
    intent_id="trend-1-1",
    engine=ActorName.TREND_1,
    account=Account.TREND_1,
    category=LINEAR,
    symbol="BTCUSDT",
    side=Side.BUY,
    outcome="CANCELLED",
    reason="withdrawn",
)


class Operated(World):
    """The risk manager, and the operator who flattens TREND-1 at the begin."""

    def open_and_flatten(self, scope: str = TREND, *, working: bool = False) -> Operated:
        self.open()
        if working:
            self.tell(intent(1), T0)
        self.tell(command("flatten", scope), T0)
        return self

    def stage(self, engine: str = TREND) -> str:
        return self.rows[f"flatten:{engine}"].state

    def wanted(self) -> list[tuple[Account, int]]:
        return [(body.account, body.number) for body in self.bodies(FlatnessWanted)]

    def answer(
        self,
        now_ms: int,
        positions: Mapping[str, str] | None = None,
        coins: Mapping[str, str] | None = None,
        engine: ActorName = ActorName.TREND_1,
        **changes: Any,
    ) -> None:
        """The newest reading of the engine's account, made and answered at `now_ms`."""
        account = ACCOUNT_OF[engine]
        numbers = [number for one, number in self.wanted() if one is account]
        body = FlatnessRead(
            account=account,
            number=numbers[-1],
            market_ms=now_ms,
            positions={symbol: Decimal(size) for symbol, size in (positions or {}).items()},
            coins={coin: Decimal(amount) for coin, amount in (coins or {}).items()},
        )
        self.tell(body.model_copy(update=changes), now_ms)


@pytest.mark.parametrize("restarts", [False, True])
def test_r3_flat_is_said_after_two_queries_five_seconds_apart(restarts: bool) -> None:
    world = Operated(restarts=restarts).open_and_flatten()
    assert world.stage() == "CLOSING" and world.wanted() == [(Account.TREND_1, 1)]
    (order,) = world.bodies(FlattenOrdered)
    assert (order.engine, order.command_id) == (ActorName.TREND_1, "c")
    world.answer(T0, {"BTCUSDT": "-0.5"})
    world.settle(T0 + PROOF_MS)
    world.answer(T0 + PROOF_MS)
    assert world.stage() == "VERIFYING"
    world.settle(T0 + 2 * PROOF_MS)
    world.answer(T0 + 2 * PROOF_MS)
    assert world.stage() == "FLAT" and "trend-1 is flat" in world.titles()
    assert world.state(TREND) == "HALTED", "the scope stands HALTED after it"
    assert world.logic.deadline() is None, "nothing is read any more"


@pytest.mark.parametrize(
    ("apart_ms", "stage"), [(PROOF_MS - 1, "VERIFYING"), (PROOF_MS, "FLAT"), (PROOF_MS + 1, "FLAT")]
)
def test_r3_the_second_query_counts_from_five_seconds_on(apart_ms: int, stage: str) -> None:
    """What counts is when the exchange was read, not when the answer came."""
    world = Operated().open_and_flatten()
    world.answer(T0)
    world.settle(T0 + PROOF_MS)
    world.answer(T0 + PROOF_MS, market_ms=T0 + apart_ms)
    assert world.stage() == stage


@pytest.mark.parametrize(
    ("positions", "coins", "changes", "is_flat"),
    [
        ({"BTCUSDT": "0.000999"}, {}, {}, True),
        ({"BTCUSDT": "0.001"}, {}, {}, False),
        ({"BTCUSDT": "-0.001"}, {}, {}, False),
        ({"DOGEUSDT": "0.000001"}, {}, {}, False),  # its lot is not known: it counts as held
        ({}, {"USDT": "9"}, {}, True),
        ({}, {"BTC": "3"}, {}, True),  # TREND holds no coins against its derivatives
        ({}, {}, {"orders": ("Buy 1 linear BTCUSDT, x",), "order_count": 1}, False),
    ],
)
def test_r3_what_counts_as_flat(
    positions: dict[str, str], coins: dict[str, str], changes: dict[str, Any], is_flat: bool
) -> None:
    world = Operated().open_and_flatten()
    world.answer(T0, positions, coins, **changes)
    assert (world.stage() == "VERIFYING") is is_flat


@pytest.mark.parametrize(
    ("coins", "is_flat"),
    [({"BTC": "0.001"}, True), ({"BTC": "0.005"}, False), ({"SOL": "0.1"}, False), ({"DOGE": "100"}, True)],
)
def test_r3_the_hedged_pairs_coins_are_sold_with_them(coins: dict[str, str], is_flat: bool) -> None:
    """Below 5 USDT at 1,000 they are dust; a coin that no pair holds is not FUNDING's business."""
    world = Operated().open_and_flatten("funding")
    world.answer(T0, {}, coins, ActorName.FUNDING)
    assert (world.stage("funding") == "VERIFYING") is is_flat


def test_rm5_what_is_open_for_new_risk_ends_before_it_counts_as_closing() -> None:
    world = Operated().open_and_flatten(working=True)
    assert world.stage() == "CANCELLING" and world.wanted() == []
    assert world.bodies(FlattenOrdered), "the engine is ordered at once; its own machine waits for the entry's end"
    world.tell(ENTRY_ENDED, T0 + SECOND_MS)
    assert world.stage() == "CLOSING" and len(world.wanted()) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_rm5_not_flat_in_time_is_an_alert_and_is_retried_until_it_is(restarts: bool) -> None:
    """The engine hangs, or the position is not its own. A minute is the limit: not a millisecond earlier."""
    world = Operated(restarts=restarts).open_and_flatten()
    world.answer(T0, {"BTCUSDT": "1"})
    for at_ms in range(T0 + PROOF_MS, T0 + OVERDUE_MS, PROOF_MS):
        world.settle(at_ms)
        world.answer(at_ms, {"BTCUSDT": "1"})
    world.settle(T0 + OVERDUE_MS - 1)
    assert world.stage() == "CLOSING" and "trend-1 is not flat" not in world.titles()
    orders = len(world.bodies(FlattenOrdered))
    world.settle(T0 + OVERDUE_MS)
    assert world.stage() == "FAILED" and "flatten:trend-1" in world.conditions.open
    assert "position 1 BTCUSDT" in world.alerts[-1].text
    assert len(world.bodies(FlattenOrdered)) == orders + 1, "the engine is ordered again"
    now_ms = T0 + OVERDUE_MS
    world.answer(now_ms, {"BTCUSDT": "0.5"})
    assert "position 0.5 BTCUSDT" in world.alerts[-1].text
    for number in (1, 2, 3):
        now_ms += int(RETRY.pause_s(number) * SECOND_MS)
        world.settle(now_ms - 1)
        assert len(world.bodies(FlattenOrdered)) == orders + number
        world.settle(now_ms)
        assert len(world.bodies(FlattenOrdered)) == orders + number + 1
        world.answer(now_ms, {"BTCUSDT": "0.5"} if number < 3 else {})
    world.settle(now_ms + PROOF_MS)
    world.answer(now_ms + PROOF_MS)
    assert world.stage() == "FLAT" and "flatten:trend-1" not in world.conditions.open


def test_r3_what_shows_up_again_between_the_two_queries_is_an_alert_and_closed_again() -> None:
    world = Operated().open_and_flatten()
    world.answer(T0)
    world.settle(T0 + PROOF_MS)
    orders = len(world.bodies(FlattenOrdered))
    world.answer(T0 + PROOF_MS, {"BTCUSDT": "2"})
    assert world.stage() == "CLOSING" and "trend-1 is not flat any more" in world.titles()
    assert len(world.bodies(FlattenOrdered)) == orders + 1
    world.settle(T0 + 2 * PROOF_MS)
    world.answer(T0 + 2 * PROOF_MS)
    assert world.stage() == "VERIFYING", "the five seconds begin again"
    world.settle(T0 + 3 * PROOF_MS)
    world.answer(T0 + 3 * PROOF_MS)
    assert world.stage() == "FLAT"


def test_a_query_that_failed_proves_nothing() -> None:
    """An outage of the exchange in the middle: it is neither flat nor not flat."""
    world = Operated().open_and_flatten()
    world.answer(T0, problem="unknown: the time-out")
    assert world.stage() == "CLOSING"
    world.settle(T0 + PROOF_MS)
    world.answer(T0 + PROOF_MS)
    world.settle(T0 + 2 * PROOF_MS)
    world.answer(T0 + 2 * PROOF_MS, problem="refused with 10016")
    assert world.stage() == "VERIFYING"
    world.settle(T0 + 3 * PROOF_MS)
    world.answer(T0 + 3 * PROOF_MS)
    assert world.stage() == "FLAT"


def test_an_answer_that_is_lost_is_asked_for_again_and_a_late_one_counts_no_more() -> None:
    """The order manager died with the reading."""
    world = Operated().open_and_flatten()
    world.settle(T0 + ANSWER_MS - 1)
    assert world.wanted() == [(Account.TREND_1, 1)]
    world.settle(T0 + ANSWER_MS)
    assert world.wanted() == [(Account.TREND_1, 1), (Account.TREND_1, 2)]
    world.answer(T0 + ANSWER_MS, number=1)
    assert world.stage() == "CLOSING", "the late one"
    world.answer(T0 + ANSWER_MS)
    assert world.stage() == "VERIFYING"


def test_a_second_command_while_it_is_under_way_orders_again_and_starts_nothing_twice() -> None:
    world = Operated().open_and_flatten()
    world.tell(command("flatten", TREND, "c2"), T0 + SECOND_MS)
    assert [body.command_id for body in world.bodies(FlattenOrdered)] == ["c", "c"]
    assert world.stage() == "CLOSING" and world.rows["flatten:trend-1"].data["requested_ms"] == T0


def test_the_operators_normal_ends_the_procedure_and_a_new_command_begins_it_anew() -> None:
    world = Operated().open_and_flatten()
    world.tell(command("normal", TREND, "c2"), T0 + SECOND_MS)
    assert world.stage() == "ABANDONED" and world.logic.deadline() is None
    world.answer(T0 + SECOND_MS)
    assert world.stage() == "ABANDONED", "its answer is not awaited any more"
    world.tell(command("flatten", TREND, "c3"), T0 + 2 * SECOND_MS)
    assert world.stage() == "CLOSING" and world.rows["flatten:trend-1"].data["command_id"] == "c3"


def test_normal_of_another_scope_leaves_it_alone() -> None:
    world = Operated().open_and_flatten()
    world.tell(command("normal", "GLOBAL", "c2"), T0 + SECOND_MS)
    world.tell(command("normal", "trend-2", "c3"), T0 + SECOND_MS)
    assert world.stage() == "CLOSING"


def test_rm5_the_table_has_no_way_to_flat_but_the_second_proof() -> None:
    assert [(row.trigger, row.source) for row in FLATTEN_TABLE.rows if row.dest is S.FLAT] == [("prove", S.VERIFYING)]
    assert {row.source for row in FLATTEN_TABLE.rows if row.dest is S.VERIFYING} == {S.CLOSING, S.FAILED}


def test_a_restart_changes_nothing_at_any_step() -> None:
    """The row as it is written is the row that a new incarnation would write."""
    world = Operated().open_and_flatten(working=True)
    row: StateRow = world.rows["flatten:trend-1"]
    world.restart()
    assert next(one for one in world.logic.rows() if one.key == row.key) == row


def test_planted_one_query_is_not_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time demanded between the two, the second answer of the same instant would be a proof."""
    monkeypatch.setattr("statemachines.risk.operator.flatten_machine.PROOF_MS", 0)
    world = Operated().open_and_flatten()
    world.answer(T0)
    world.answer(T0)
    assert world.stage() == "FLAT", "this is what the test of 4.999 s would show"


def test_a_leap_of_market_time_after_the_command_is_no_time_that_the_engine_took() -> None:
    """Played back, the first instant after the command can be hours later: three critical alerts were raised and ended
    at once. A minute counts from there."""
    world = Operated()
    world.open()
    world.deliver(command("flatten", TREND), sender="kit")
    later = T0 + 3 * HOUR_MS
    world.settle(later)
    assert world.stage() == "CLOSING" and "trend-1 is not flat" not in world.titles()
    world.answer(later, {"BTCUSDT": "1"})
    world.settle(later + OVERDUE_MS - 1)
    assert world.stage() == "CLOSING"
    world.settle(later + OVERDUE_MS)
    assert world.stage() == "FAILED" and "trend-1 is not flat" in world.titles()


def test_rows_of_schema_1_count_from_the_command() -> None:
    world = Operated().open_and_flatten()
    row = world.rows["flatten:trend-1"]
    data = {key: value for key, value in row.data.items() if key != "patience_ms"}
    world.rows["flatten:trend-1"] = row._replace(schema=1, data=data)
    world.restart()
    world.begin()
    world.settle(T0 + OVERDUE_MS - 1)
    assert world.stage() == "CLOSING"
    world.settle(T0 + OVERDUE_MS)
    assert world.stage() == "FAILED"


def test_r3_an_order_for_new_risk_whose_end_is_not_known_keeps_flat_from_being_said() -> None:
    """Its placement was answered "unknown": it is in none of the exchange's lists, and landed after FLAT was said."""
    world = Operated().open_and_flatten(working=True)
    world.settle(T0 + OVERDUE_MS)
    assert world.stage() == "FAILED"
    now_ms = T0 + OVERDUE_MS
    for _ in range(3):
        world.answer(now_ms)
        now_ms += int(RETRY.pause_s(4) * SECOND_MS)
        world.settle(now_ms)
    assert world.stage() == "FAILED" and "order for new risk" in world.alerts[-1].text
    world.tell(ENTRY_ENDED, now_ms)
    world.answer(now_ms)
    world.settle(now_ms + PROOF_MS)
    world.answer(now_ms + PROOF_MS)
    assert world.stage() == "FLAT"


@pytest.mark.parametrize("restarts", [False, True])
def test_an_engine_that_may_enter_again_is_not_said_to_be_flat(restarts: bool) -> None:
    """/api/v1/switches showed FLAT beside the positions that it took after the command `normal`."""
    world = Operated(restarts=restarts).open_and_flatten()
    world.answer(T0)
    world.settle(T0 + PROOF_MS)
    world.answer(T0 + PROOF_MS)
    world.tell(command("reduce_only", command_id="c2"), T0 + MINUTE_MS)
    assert world.stage() == "FLAT", "nothing can have been opened"
    world.tell(command("normal", command_id="c3"), T0 + MINUTE_MS)
    assert world.stage() == "IDLE" and world.state(TREND) == "NORMAL"
    world.tell(command("flatten", command_id="c4"), T0 + 2 * MINUTE_MS)
    assert world.stage() == "CLOSING"
