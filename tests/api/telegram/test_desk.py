"""IF-4, RM-5: who is answered what, what is committed in whose name, and what is not carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.telegram import texts
from api.telegram.commands import DEFAULT_REASON
from api.telegram.desk import OLDEST_S, Desk, Incoming, NotCommittedError
from infra.database.queries import Queries
from statemachines.values import ActorName
from tests.api.records import ENTRY, write_history
from tests.api.telegram.world import ALLOWED, CHAT, OTHER, USER, World
from tests.api.test_http import STATUS
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures

Answer = TypeVar("Answer")


def run(work: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(work)


@pytest.mark.parametrize(
    ("chat", "user"), [(CHAT, 99), (8, USER), (8, 99)], ids=["a stranger", "another chat", "a stranger elsewhere"]
)
def test_nobody_else_is_answered_and_the_operator_is_alerted(chat: int, user: int) -> None:
    world = World()
    for number in range(5):
        for text in ("/status", "/halt", "/pause", "nonsense"):
            assert run(world.desk.answer(Incoming(number, chat, user, text, world.now_s))) is None
    assert world.sent == []
    found = world.failures.look()
    assert found is not None and found.is_open and f"Telegram user {user} in chat {chat}" in found.text


def test_a_restriction_is_given_at_once_in_the_persons_name() -> None:
    world = World()
    answer = run(world.ask("/pause trend-1 maintenance tonight", update_id=5))
    assert world.commands == [("pause", "trend-1", "maintenance tonight", "alice")]
    assert list(world.register) == ["telegram-99-5"]
    assert "pause of trend-1 is committed" in answer and "alice" in answer


def test_a_repeated_update_is_carried_out_once() -> None:
    world = World()
    first = run(world.ask("/pause", update_id=5))
    world.restarted()
    assert run(world.ask("/pause", update_id=5)) == first
    assert len(world.sent) == 1


@pytest.mark.parametrize("name", ["halt", "flatten", "resume"])
def test_a_dangerous_command_needs_its_code(name: str) -> None:
    world = World()
    asked = run(world.ask(f"/{name}", update_id=1))
    assert world.sent == [] and "/confirm 111111 within 60 s" in asked
    assert "cancel 2 open orders and close 1 positions" in asked
    assert "wrong" in run(world.ask("/confirm 999999", update_id=2))
    assert "No command of yours" in run(world.ask("/confirm 111111", update_id=3, user=OTHER))
    assert world.sent == []
    run(world.ask("/confirm 111111", update_id=4))
    assert world.commands == [(name, "GLOBAL", DEFAULT_REASON, "alice")]
    assert list(world.register) == ["telegram-99-4"]
    run(world.ask("/confirm 111111", update_id=5))
    assert len(world.sent) == 1, "a code counts once"


def test_an_expired_code_does_nothing() -> None:
    world = World()
    run(world.ask("/halt", update_id=1))
    world.now_s += 61
    assert "expired" in run(world.ask("/confirm 111111", update_id=2))
    assert world.sent == []


def test_a_restart_between_commit_and_answer_gives_the_command_once() -> None:
    world = World()
    run(world.ask("/halt", update_id=1))
    run(world.ask("/confirm 111111", update_id=2))
    world.restarted()
    assert "carried out already" in run(world.ask("/confirm 111111", update_id=2))
    assert len(world.sent) == 1


def test_a_restart_before_the_code_drops_the_command() -> None:
    world = World()
    run(world.ask("/halt", update_id=1))
    world.restarted()
    assert "Give the command again" in run(world.ask("/confirm 111111", update_id=2))
    assert world.sent == []


def test_with_the_risk_manager_dead_a_restriction_is_held_by_the_orchestrator() -> None:
    world = World()
    world.down = {ActorName.RISK_MANAGER}
    run(world.ask("/pause", update_id=1))
    assert [actor for actor, *_ in world.sent] == ["orchestrator"]


def test_what_is_not_committed_is_to_be_processed_again() -> None:
    world = World()
    world.down = {ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR}
    with pytest.raises(NotCommittedError):
        run(world.ask("/pause", update_id=1))
    run(world.ask("/halt", update_id=2))
    with pytest.raises(NotCommittedError):
        run(world.ask("/confirm 111111", update_id=3))
    world.down = set()
    run(world.ask("/confirm 111111", update_id=3))  # the code was right; it is not asked for again
    assert [action for action, *_ in world.commands] == ["halt"]


@pytest.mark.parametrize(("age_s", "is_done"), [(OLDEST_S, True), (OLDEST_S + 1, False)])
def test_an_old_message_is_answered_and_not_carried_out(age_s: float, is_done: bool) -> None:
    world = World()
    answer = run(world.ask("/pause", age_s=age_s))
    assert bool(world.sent) is is_done
    assert is_done or "5 min ago" in answer


def test_a_refused_scope_names_what_is_allowed() -> None:
    world = World()
    answer = run(world.ask("/flatten core-hodl", update_id=1))
    run(world.ask("/confirm 111111", update_id=2))
    assert world.sent == [] and answer


def test_an_alert_is_acknowledged_in_the_persons_name() -> None:
    world = World()
    assert "acknowledged by alice" in run(world.ask("/ack risk-manager:7:1 on it"))
    assert world.acknowledged == [("risk-manager:7:1", "on it", "alice")]


def test_the_status_has_units_market_time_and_what_waits_first() -> None:
    answer = run(World().ask("/status"))
    for part in (
        "Action is required of you (2):\n- trend-1 is HALTED: by alice\n- a:1:1: Stop missing. It is gone.",
        "Equity 100,000.50 USDT",
        "Market time: 2025-01-01 00:00 UTC (synthetic, seed 2)",
        "trend-1: 15,000.00 USDT; HALTED, BTC SCANNING",
        "funding: not known; FAILED, not begun",
    ):
        assert part in answer


def test_a_database_that_is_away_is_said() -> None:
    world = World()
    world.is_database_away = True
    assert "cannot be read" in run(world.ask("/halt"))


@pytest.mark.parametrize("count", [texts.MOST_LINES, texts.MOST_LINES + 3])
def test_an_answer_is_bounded(count: int) -> None:
    text = texts.bounded([f"line {number}" for number in range(count)])
    assert ("… and 3 more lines" in text) is (count > texts.MOST_LINES)
    assert len(texts.bounded(["x" * 10_000] * 100)) < 4_096


def test_the_answers_read_the_database(database_url: str) -> None:  # noqa: F811
    """Over the real service: every reading command has an answer, of real rows and without any."""
    world = World()
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    desk = Desk(service, world.desk._carrier, world._acknowledge, ALLOWED, world.failures, now_s=lambda: world.now_s)  # noqa: SLF001

    async def ask(text: str) -> str:
        return await desk.answer(Incoming(1, CHAT, USER, text, world.now_s)) or ""

    async def all_of_them() -> dict[str, str]:
        return {text: await ask(text) for text in ("/status", "/equity", "/positions", "/orders", f"/why {ENTRY}")}

    empty = run(all_of_them())
    assert "There is no portfolio yet" in empty["/equity"] and "No order is open" in empty["/orders"]
    assert "no order" in empty[f"/why {ENTRY}"].lower() or "order" in empty[f"/why {ENTRY}"]
    write_history(database_url)
    full = run(all_of_them())
    service.close()
    assert "USDT" in full["/equity"] and "Market time" in full["/equity"]
    assert "close 58,420.5 above SMA200: entry" in full[f"/why {ENTRY}"]
    assert "bar: BTCUSDT linear, 1 day, closed at 58420.5" in full[f"/why {ENTRY}"]
    assert "BTCUSDT" in full["/positions"] and "stop" in full["/positions"]
