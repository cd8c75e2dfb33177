"""IF-4: the bot against a stand-in of the Bot API, with its ways to fail: at least once, in order, without harm."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from api.telegram.desk import Incoming, NotCommittedError
from api.telegram.polling import Poller, TelegramDoor, make_bot
from statemachines.values import ActorName
from tests.api.telegram.bot_api import BOT_ID, TOKEN, BotApi, page, refusal, running
from tests.api.telegram.world import CHAT, World

PAUSES = (0.01,)


def poller(api: BotApi, world: World, token: str = TOKEN) -> Poller:
    return Poller(make_bot(token, api.url), world.desk, PAUSES, (0.05, 0.05), conflict_s=0.05)


@asynccontextmanager
async def reading(api: BotApi, world: World) -> AsyncIterator[None]:
    """The bot reads; ended as a killed process is: without another word to Telegram."""
    task = asyncio.create_task(poller(api, world).run(lambda: False))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(what: str, condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what} did not happen")


async def answered(api: BotApi, count: int = 1) -> None:
    await until(f"answer {count}", lambda: len(api.sent) >= count)


def test_a_command_is_in_force_and_answered_within_a_second() -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            await until("the first question", lambda: api.offsets)
            begun = time.monotonic()
            number = api.write("/pause trend-1 maintenance tonight")
            await answered(api)
            assert time.monotonic() - begun < 1
            assert world.commands == [("pause", "trend-1", "maintenance tonight", "alice")]
            assert list(world.register) == [f"telegram-{BOT_ID}-{number}"]
            await until("the offset", lambda: api.offsets[-1] == number + 1)

    asyncio.run(go())


def test_in_two_steps_over_the_wire() -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            api.write("/halt")
            await answered(api)
            api.write("/confirm 111111")
            await answered(api, 2)
        assert [one[0] for one in world.commands] == ["halt"]

    asyncio.run(go())


def test_strangers_and_other_messages_get_no_answer() -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            api.write("/halt", user=1)
            api.write("/halt", chat=1)
            api.write("/halt", sender_chat={"id": -100, "type": "supergroup", "title": "alice"})
            api.write("", photo=[])
            api.updates.append({"update_id": 200, "edited_message": api.updates[0]["message"]})
            api._number = 300  # noqa: SLF001
            api.write("nonsense")
            await answered(api)
        assert [chat for chat, _ in api.sent] == [CHAT] and "begin with '/'" in api.sent[0][1]
        assert world.sent == []

    asyncio.run(go())


@pytest.mark.parametrize(
    "failures",
    [
        [refusal(429, "Too Many Requests: retry after 1", retry_after=1)],
        [refusal(409, "Conflict: terminated by other getUpdates request")],
        [refusal(500, "Internal Server Error"), page(), page(503)],
        [page(200)],
        [web.json_response({"ok": True, "result": [{"no": "update"}]})],
        [refusal(400, "Bad Request")],
    ],
    ids=["429", "409", "outage", "a page of a proxy", "nonsense", "refused"],
)
def test_a_failure_is_waited_out_and_the_command_comes(failures: list[web.Response]) -> None:
    async def go() -> None:
        world = World()
        async with running() as api:
            api.fail("getUpdates", *failures)
            api.write("/pause")
            async with reading(api, world):
                await answered(api)
            assert [one[0] for one in world.commands] == ["pause"]

    asyncio.run(go())


def test_a_failed_answer_does_not_repeat_the_command() -> None:
    async def go() -> None:
        world = World()
        async with running() as api:
            api.fail("sendMessage", page(), refusal(429, "Too Many Requests: retry after 1", retry_after=1))
            number = api.write("/pause")
            async with reading(api, world):
                await answered(api)
                await until("the offset", lambda: api.offsets[-1] == number + 1)
        assert len(world.sent) == 1 and len(api.sent) == 1

    asyncio.run(go())


def test_a_bot_that_was_blocked_goes_on_with_the_next() -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            api.fail("sendMessage", refusal(403, "Forbidden: bot was blocked by the user"))
            api.write("/pause")
            api.write("/help")
            await answered(api)
        assert len(world.sent) == 1 and "/halt" in api.sent[0][1]

    asyncio.run(go())


def test_killed_between_commit_and_answer_it_is_answered_again_and_done_once() -> None:
    async def go() -> None:
        world = World()
        async with running() as api:
            never = asyncio.Event()

            api.write("/pause")
            answer = world.desk.answer

            async def hang(incoming: Incoming) -> str | None:
                await answer(incoming)
                await never.wait()
                return ""

            world.desk.answer = hang  # type: ignore[method-assign]
            async with reading(api, world):
                await until("the commit", lambda: world.sent)
            assert api.sent == []
            world.restarted()
            async with reading(api, world):
                await answered(api)
            assert len(world.sent) == 1 and "pause of GLOBAL is committed" in api.sent[0][1]

    asyncio.run(go())


def test_the_offset_waits_for_the_commit() -> None:
    async def go() -> None:
        world = World()
        world.down = {ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR}
        async with running() as api:
            number = api.write("/pause")
            async with reading(api, world):
                await until("the question", lambda: api.offsets)
                await asyncio.sleep(0.05)
                assert number + 1 not in api.offsets
                world.down = set()
                await answered(api)
                await until("the offset", lambda: number + 1 in api.offsets)
        assert len(world.sent) == 1

    asyncio.run(go())


def test_what_cannot_be_committed_is_said_after_some_tries() -> None:
    async def go() -> None:
        world = World()
        world.down = {ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR}
        async with running() as api, reading(api, world):
            api.write("/pause")
            api.write("/help")
            await answered(api, 2)
        assert "may not be in force" in api.sent[0][1] and "tried 3 times" in api.sent[0][1]
        assert "/halt" in api.sent[1][1]

    asyncio.run(go())


@pytest.mark.parametrize("waiting", ["/resume trend-1", "/ack risk-manager:7:1"])
def test_what_permits_more_risk_does_not_hold_back_a_restriction(waiting: str) -> None:
    """With the risk manager dead, a confirmed resume held everyone's next command back for all of its tries."""

    async def go() -> None:
        world = World()
        async with running() as api:
            tried_again_s = (30.0,)
            door = Poller(make_bot(TOKEN, api.url), world.desk, PAUSES, tried_again_s)
            task = asyncio.create_task(door.run(lambda: False))
            if waiting.startswith("/resume"):
                api.write(waiting)
                await answered(api)
                waits = api.write("/confirm 111111")
            else:
                world.is_notifier_away = True
                waits = api.write(waiting)
            world.down = {ActorName.RISK_MANAGER}
            said = len(api.sent)
            number = api.write("/pause")
            await answered(api, said + 2)
            assert number == waits + 1
            assert "may not" in api.sent[said][1] and "not tried again by itself" in api.sent[said][1]
            assert [one[:2] for one in world.commands] == [("pause", "GLOBAL")]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())


def test_a_confirmed_halt_is_tried_again() -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            api.write("/halt")
            await answered(api)
            world.down = {ActorName.RISK_MANAGER, ActorName.ORCHESTRATOR}
            api.write("/confirm 111111")
            await asyncio.sleep(0.07)
            world.down = set()
            await answered(api, 2)
        assert [one[0] for one in world.commands] == ["halt"]

    asyncio.run(go())


ANOTHER = {"id": 5, "is_bot": False, "first_name": "bob"}


@pytest.mark.parametrize(
    "marks",
    [
        {"forward_origin": {"type": "user", "date": 1, "sender_user": ANOTHER}},
        {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "bob"}},
        {"via_bot": {"id": 6, "is_bot": True, "first_name": "other", "username": "other_bot"}},
        {"is_automatic_forward": True},
    ],
    ids=["forwarded", "forwarded, hidden", "by another bot", "forwarded by itself"],
)
def test_what_the_person_has_not_written_is_not_carried_out(marks: dict[str, Any]) -> None:
    async def go() -> None:
        world = World()
        async with running() as api, reading(api, world):
            api.write("/pause", **marks)
            api.write("/pause", user=1, **marks)
            api.write("/help")
            await answered(api, 2)
        assert "is not carried out" in api.sent[0][1] and len(api.sent) == 2 and world.sent == []

    asyncio.run(go())


def test_a_fault_in_an_answer_does_not_stop_the_next(caplog: pytest.LogCaptureFixture) -> None:
    async def go() -> None:
        world = World()
        answer = world.desk.answer

        async def faulty(incoming: Incoming) -> str | None:
            if incoming.text == "/status":
                raise RuntimeError("a fault")
            return await answer(incoming)

        world.desk.answer = faulty  # type: ignore[method-assign]
        async with running() as api, reading(api, world):
            api.write("/status")
            api.write("/help")
            await answered(api, 2)
        assert "fault of the program" in api.sent[0][1]

    asyncio.run(go())


def test_a_long_failure_is_reported_once_per_episode() -> None:
    async def go() -> None:
        world, reported = World(), list[str]()
        is_away = True

        def report(what: str) -> None:
            if is_away:
                raise ConnectionError("the orchestrator is not there")
            reported.append(what)

        async with running() as api:
            api.fail("getUpdates", *(refusal(409, "Conflict") for _ in range(30)))
            bot = make_bot(TOKEN, api.url)
            task = asyncio.create_task(
                Poller(bot, world.desk, PAUSES, conflict_s=0.01, report=report, reported_after_s=0.05).run(
                    lambda: False
                )
            )
            await asyncio.sleep(0.2)
            is_away = False
            await until("the report", lambda: reported)
            api.write("/help")
            await answered(api)
            assert len(reported) == 1 and "another program reads" in reported[0]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())


def test_the_token_reaches_no_log(caplog: pytest.LogCaptureFixture) -> None:
    wrong = "987654321:AAWrongWrongWrongWrongWrongWrong_12345"

    async def go() -> None:
        async with running() as api:
            for token in (TOKEN, wrong):
                task = asyncio.create_task(poller(api, World(), token).run(lambda: False))
                await asyncio.sleep(0.3)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("httpx").setLevel(logging.DEBUG)
        asyncio.run(go())
    assert "the token is refused" in caplog.text
    assert TOKEN not in caplog.text and wrong not in caplog.text


def test_a_door_that_fails_harms_nothing_and_begins_anew() -> None:
    made: list[int] = []

    def make() -> Poller:
        made.append(1)
        raise NotCommittedError("it cannot be made", is_pressing=True)

    door = TelegramDoor(make, again_s=0.01)
    door.start()
    until_s = time.monotonic() + 5
    while len(made) < 3 and time.monotonic() < until_s:
        time.sleep(0.01)
    door.stop()
    assert len(made) >= 3
