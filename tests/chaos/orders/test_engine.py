"""The bursting engine's tally survives a restart at any point, and an end told twice does not pass unseen."""

from __future__ import annotations

from decimal import Decimal

from statemachines.commands import Commands, Send
from statemachines.messages.control import OperatorCommand
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.orders import Intent, OrderDenied
from statemachines.state_store import PLAIN, restore
from statemachines.values import ActorName
from tests.chaos.orders.engine import COUNTER, KEPT_SIGNALS, BurstingEngine


def handed(engine: BurstingEngine, body: Body) -> Commands:
    return engine.handle(Envelope("id", "sender", 0, "", "", body))


def signal(count: int) -> OperatorCommand:
    return OperatorCommand(command_id="one", who="test", action="normal", scope="", reason=str(count))


def intents(commands: Commands) -> list[str]:
    return [one.body.intent_id for one in commands if isinstance(one, Send) and isinstance(one.body, Intent)]


def denied(intent: str) -> OrderDenied:
    return OrderDenied(intent_id=intent, engine=ActorName.TREND_1, reasons=("no",), checks=("size",))


def restarted(engine: BurstingEngine) -> BurstingEngine:
    again = BurstingEngine(ActorName.TREND_1)
    restore("trend-1", again, {row.key: row for row in engine.rows()}, PLAIN)
    return again


def test_ids_go_on_after_a_restart_and_every_end_is_kept() -> None:
    engine = BurstingEngine(ActorName.TREND_1)
    first = intents(handed(engine, signal(2)))
    handed(engine, denied(first[0]))
    engine = restarted(engine)
    later = intents(handed(engine, signal(2)))
    assert len({*first, *later}) == 4
    for one in (first[1], *later):
        handed(engine, denied(one))
    rows = {row.key: row.data for row in engine.rows()}
    assert rows[COUNTER] == {"signals": 2, "intents": 4, "ended": 4, "repeated": []}
    assert {one for row in rows.values() for one in row.get("ends", {})} == {*first, *later}


def test_an_end_told_again_is_recorded_also_after_a_restart() -> None:
    engine = BurstingEngine(ActorName.TREND_1)
    (one,) = intents(handed(engine, signal(1)))
    handed(engine, denied(one))
    engine = restarted(engine)
    handed(engine, denied(one))
    assert {row.key: row.data for row in engine.rows()}[COUNTER]["repeated"] == [one]


def test_only_the_newest_signals_are_kept() -> None:
    engine = BurstingEngine(ActorName.TREND_1)
    for _ in range(KEPT_SIGNALS + 3):
        for one in intents(handed(engine, signal(1))):
            handed(engine, denied(one).model_copy(update={"filled_quantity": Decimal(0)}))
    assert len(list(engine.rows())) == KEPT_SIGNALS + 1
    assert restarted(engine).rows() == engine.rows()
