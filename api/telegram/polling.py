"""Reads the bot's messages by long polling, and answers them one after the other.

An update is processed at least once: the offset, by which Telegram drops what was read, moves only after the update's
command is committed. All failures end here: none reaches the process around it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from telegram import Bot, Update
from telegram.error import Conflict, Forbidden, InvalidToken, RetryAfter, TelegramError, TimedOut
from telegram.request import HTTPXRequest

from api.telegram.desk import Incoming, NotCommittedError
from infra.notifications.http import client_proxy
from infra.proxy import ProxyAddress

_log = logging.getLogger(__name__)

POLL_S = 25
"""How long Telegram holds a question open when there is nothing new."""

ANSWER_S = 10.0
"""Least time-out of a call, beyond the time that Telegram may hold it."""

PAUSES_S = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between failed calls in a row."""

CONFLICT_S, REFUSED_S, LONGEST_S = 30.0, 300.0, 600.0

COMMIT_AGAIN_S = (1.0, 2.0, 4.0, 8.0)
"""A command that forbids new risk and was not committed is tried again after these pauses; then its sender gets a
sentence."""

REPORTED_AFTER_S = 300.0
"""Commands that cannot be read for so long are an alert, once per episode."""

REPLY_TRIES = 3
MOST_REPLY_WAIT_S = 20.0


class Answering(Protocol):
    """`api.telegram.desk.Desk`."""

    def introduce(self, bot_id: int, bot_name: str) -> None: ...

    async def answer(self, incoming: Incoming) -> str | None: ...


def make_bot(token: str, api_url: str, proxy: ProxyAddress | None = None) -> Bot:
    """A bot of its own connections. Its address holds the token, so no library may log the calls."""
    for name in ("httpx", "httpcore", "telegram"):
        logging.getLogger(name).setLevel(logging.WARNING)
    way = client_proxy(api_url, proxy)
    return Bot(token, f"{api_url.rstrip('/')}/bot", request=_request(way), get_updates_request=_request(way))


def _request(proxy: str | None) -> HTTPXRequest:
    return HTTPXRequest(
        connect_timeout=ANSWER_S,
        read_timeout=ANSWER_S,
        write_timeout=ANSWER_S,
        pool_timeout=ANSWER_S,
        httpx_kwargs={"trust_env": False},
        proxy=proxy,
    )


def _nothing(_: str) -> None:
    """Reports to no one."""


class Poller:
    """One reader of one bot."""

    def __init__(
        self,
        bot: Bot,
        desk: Answering,
        pauses_s: tuple[float, ...] = PAUSES_S,
        commit_again_s: tuple[float, ...] = COMMIT_AGAIN_S,
        conflict_s: float = CONFLICT_S,
        report: Callable[[str], None] = _nothing,
        reported_after_s: float = REPORTED_AFTER_S,
    ) -> None:
        """`report` hands a sentence for the operator over; blocks, and raises when that failed."""
        self._bot, self._desk = bot, desk
        self._pauses_s, self._commit_again_s, self._conflict_s = pauses_s, commit_again_s, conflict_s
        self._offset: int | None = None
        self._failures = 0
        self._is_introduced = False
        self._said = ""
        self._report, self._reported_after_s = report, reported_after_s
        self._failing_since_s: float | None = None
        self._is_reported = False

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Read and answer until it is over. Raises nothing but a cancellation."""
        try:
            while not is_over():
                pause_s = await self._turn()
                await self._watch()
                while pause_s > 0 and not is_over():
                    step_s = min(pause_s, 0.5)
                    await asyncio.sleep(step_s)
                    pause_s -= step_s
        finally:
            await self._end()

    async def _turn(self) -> float:
        """One question to Telegram; the pause after it, in seconds."""
        try:
            await self._round()
        except TimedOut:
            return self._pauses_s[0]
        except RetryAfter as slower:
            return min(_seconds(slower), LONGEST_S)
        except Conflict as error:
            return self._failed(
                error, "another program reads this bot's messages, or a webhook is set", self._conflict_s
            )
        except (InvalidToken, Forbidden) as error:
            return self._failed(error, "the token is refused: set notifications.telegram.bot_token", REFUSED_S)
        except Exception as error:  # noqa: BLE001 - whatever a network or a library brings, it is tried again
            self._failures += 1
            pause_s = self._pauses_s[min(self._failures, len(self._pauses_s)) - 1]
            return self._failed(error, "Telegram cannot be used", pause_s)
        if self._said:
            _log.warning("the commands by Telegram can be used again")
        self._failures, self._said, self._failing_since_s, self._is_reported = 0, "", None, False
        return 0.0

    async def _watch(self) -> None:
        """An episode in which nothing could be read for long is reported once."""
        if self._failing_since_s is None or self._is_reported:
            return
        if time.monotonic() - self._failing_since_s < self._reported_after_s:
            return
        try:
            await asyncio.to_thread(self._report, self._said)
            self._is_reported = True
        except Exception as error:  # noqa: BLE001 - whatever keeps it away, it is offered again at the next turn
            _log.info("that Telegram cannot be used could not be reported: %s", type(error).__name__)

    async def _round(self) -> None:
        if not self._is_introduced:
            await self._bot.initialize()
            self._desk.introduce(self._bot.id, self._bot.username)
            self._is_introduced = True
        updates = await self._bot.get_updates(
            offset=self._offset, timeout=POLL_S, allowed_updates=["message"], read_timeout=ANSWER_S
        )
        for update in updates:
            if (incoming := incoming_of(update)) is not None:
                answer = await self._decided(incoming)
                if answer is not None:
                    await self._reply(incoming, answer)
            self._offset = update.update_id + 1

    async def _decided(self, incoming: Incoming) -> str | None:
        """The answer, once what it says is committed."""
        for pause_s in (*self._commit_again_s, None):
            try:
                return await self._desk.answer(incoming)
            except NotCommittedError as error:
                if not error.is_pressing:
                    return f"{error} It is not tried again by itself, so that it holds no command back; give it again."
                if pause_s is None:
                    return f"{error} It was tried {len(self._commit_again_s) + 1} times and is not tried any further."
                await asyncio.sleep(pause_s)
            except Exception:  # noqa: BLE001 - a fault in one answer must not stop the next ones
                _log.exception("update %d could not be answered", incoming.update_id)
                return "This could not be answered, by a fault of the program; its log has it. /status may show more."
        raise AssertionError("unreachable")

    async def _reply(self, incoming: Incoming, answer: str) -> None:
        """What is said is done already: an answer that cannot be delivered is dropped, with a line in the log."""
        for _ in range(REPLY_TRIES):
            try:
                await self._bot.send_message(incoming.chat, answer, disable_web_page_preview=True)
                return
            except RetryAfter as slower:
                await asyncio.sleep(min(_seconds(slower), MOST_REPLY_WAIT_S))
            except (Forbidden, InvalidToken) as error:
                self._failed(error, "an answer was refused", 0.0)
                return
            except TelegramError as error:
                self._failed(error, "an answer could not be delivered", 0.0)
                await asyncio.sleep(self._pauses_s[0])

    def _failed(self, error: Exception, what: str, pause_s: float) -> float:
        """Log it once per kind; the token is in no line."""
        if pause_s and self._failing_since_s is None:
            self._failing_since_s = time.monotonic()
        said = f"{what} ({type(error).__name__})"
        if said != self._said:
            self._said = said
            text = " ".join(str(error).split())[:200].replace(self._bot.token, "***")
            _log.warning("commands by Telegram: %s: %s", said, text)
        return pause_s

    async def _end(self) -> None:
        try:
            await self._bot.shutdown()
        except Exception as error:  # noqa: BLE001 - the connections end with the process at the latest
            _log.info("the connections to Telegram did not end in order: %s", type(error).__name__)


def incoming_of(update: Update) -> Incoming | None:
    """The text message of an update; None for anything else (edited messages, pictures, posts of a channel)."""
    message = update.message
    if message is None or not message.text:
        return None
    sender = message.sender_chat or message.from_user  # who writes in the name of a chat has its number, not a person's
    user = 0 if sender is None else sender.id
    is_own = message.forward_origin is None and message.via_bot is None and not message.is_automatic_forward
    return Incoming(update.update_id, message.chat.id, user, message.text, message.date.timestamp(), is_own)


def _seconds(slower: RetryAfter) -> float:
    wait = slower._retry_after  # noqa: SLF001 - the public one warns that its type is going to be another
    return max(wait.total_seconds() if isinstance(wait, timedelta) else float(wait), 1.0)


class TelegramDoor:
    """The poller on a thread and a loop of its own: nothing it does can hold up its process."""

    def __init__(self, make: Callable[[], Poller], again_s: float = 30.0) -> None:
        self._make, self._again_s = make, again_s
        self._over = threading.Event()

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._run, name="telegram", daemon=True).start()

    def stop(self) -> None:
        """Read no more; a question under way may last until Telegram answers it."""
        self._over.set()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                asyncio.run(self._make().run(self._over.is_set))
            except Exception:  # noqa: BLE001 - the boundary of the thread; the process around it must not notice
                _log.exception("the commands by Telegram have failed; they begin anew in %.0f s", self._again_s)
            self._over.wait(self._again_s)
