"""Answers what people write to the bot: a thin handler over the operator service, as page and HTTP are.

Only a person of the allow-list, in a chat of the allow-list, is answered. Who gave a command is that person's name in
the configuration, never what Telegram calls him. A command's id is made of Telegram's number of the update, so an
update that arrives twice is carried out once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from api.access.failures import FailureDesk
from api.control import (
    TELEGRAM,
    CommandIdTakenError,
    ControlAnswer,
    ControlRequest,
    ControlUnavailableError,
    NumberedRequest,
)
from api.service import OperatorService
from api.telegram import texts
from api.telegram.codes import CodeRefused, Codes, Place
from api.telegram.commands import COMMANDS, CONFIRM, HELP, Asked, Unreadable, listed, read
from api.views.arguments import BadValueError, UnknownNameError
from api.views.lists import OPEN_ANY
from api.views.reading import DatabaseAwayError, PageRequest, Row
from infra.database.reading.reader import QueryUnavailableError
from statemachines.limits.operator_scopes import RESTRICTS

_log = logging.getLogger(__name__)

OLDEST_S = 300.0
"""A message older than this is not carried out: it was sent while nothing read it."""

STRANGER = "telegram"
"""The kind of a stranger's message in the count of failed attempts to get in."""


class Incoming(NamedTuple):
    """One message. `update_id` is Telegram's number of it, `sent_s` its own time (wall time, since 1970). `is_own`: the
    sender has written it, and neither forwarded it nor had another bot write it."""

    update_id: int
    chat: int
    user: int
    text: str
    sent_s: float
    is_own: bool = True


class NotCommittedError(Exception):
    """A command is not in force, or it is not known whether it is. `is_pressing`: it may forbid new risk, and the same
    update must be processed again; any other must not hold back what comes behind it."""

    def __init__(self, why: str, *, is_pressing: bool) -> None:
        self.is_pressing = is_pressing
        super().__init__(why)


class Carrier(Protocol):
    """Carries commands out (`api.control.CommandService`)."""

    def carry_out(self, request: ControlRequest, holder: str) -> ControlAnswer: ...


Acknowledge = Callable[[str, str, str], str]
"""`acknowledge(alert_id, text, holder)`: what was done, as a sentence. Raises as `OperatorService`'s methods, and
ControlUnavailableError."""


class Allowed(NamedTuple):
    """Who is answered where. `people`: the names by Telegram's number of the user."""

    chats: frozenset[int]
    people: Mapping[int, str]

    def person(self, incoming: Incoming) -> str | None:
        """The person's name; None for any other user, and in any other chat."""
        return self.people.get(incoming.user) if incoming.chat in self.chats else None


class Desk:
    """Answers one message after the other."""

    def __init__(
        self,
        service: OperatorService,
        carrier: Carrier,
        acknowledge: Acknowledge,
        allowed: Allowed,
        failures: FailureDesk,
        codes: Codes | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._service = service
        self._carrier = carrier
        self._acknowledge = acknowledge
        self._allowed = allowed
        self._failures = failures
        self._codes = codes or Codes()
        self._now_s = now_s
        self._bot_name, self._bot_id = "", 0
        self._redeemed: tuple[int, Asked] | None = None
        """The newest update whose code was right, with its command: the code is not asked for again."""

    def introduce(self, bot_id: int, bot_name: str) -> None:
        """The bot's own number and name at Telegram."""
        self._bot_id, self._bot_name = bot_id, bot_name

    async def answer(self, incoming: Incoming) -> str | None:
        """The answer; None for a stranger, who gets none.

        Raises NotCommittedError: nothing was answered; a pressing one is to be processed again.
        """
        person = self._allowed.person(incoming)
        if person is None:
            self._failures.failed(STRANGER, f"Telegram user {incoming.user} in chat {incoming.chat}")
            return None
        if not incoming.is_own:
            return "A forwarded message, or one by another bot, is not carried out. Write the command yourself."
        asked = read(incoming.text, self._bot_name)
        if isinstance(asked, Unreadable):
            return asked.why
        age_s = self._now_s() - incoming.sent_s
        if age_s > OLDEST_S:
            return texts.too_old(asked, age_s)
        try:
            return await self._carried_out(asked, incoming, person)
        except (UnknownNameError, BadValueError, CommandIdTakenError) as error:
            return texts.bounded([str(error)])
        except (ControlUnavailableError, QueryUnavailableError) as error:
            raise NotCommittedError(str(error), is_pressing=asked.name == CONFIRM) from error
        except DatabaseAwayError as error:
            return f"{str(error)[:1].upper()}{str(error)[1:]}. Nothing can be read just now; commands are taken."

    # --- what is asked for ---

    async def _carried_out(self, asked: Asked, incoming: Incoming, person: str) -> str:
        if asked.name == CONFIRM:
            return await self._confirmed(asked.subject, incoming, person)
        if asked.command.is_two_step:
            code = self._codes.issue(_place(incoming), asked, incoming.update_id, self._now_s())
            return texts.asks_for_code(asked, code, await self._effect(asked))
        if asked.command.action:
            return await self._give(asked, incoming, person)
        if asked.name == "ack":
            return await asyncio.to_thread(self._acknowledge, asked.subject, asked.text, person)
        return await self._read(asked)

    async def _read(self, asked: Asked) -> str:
        service = self._service
        match asked.name:
            case "status":
                return texts.status(await service.overview())
            case "equity":
                portfolio = await service.money.portfolio()
                return texts.equity(portfolio, (await service.money.equity(asked=PageRequest(limit=50)))["rows"])
            case "positions":
                portfolio = await service.money.portfolio()
                return texts.positions(await service.money.positions(), portfolio, await self._market_ms())
            case "orders":
                found = await service.lists.orders(state=OPEN_ANY, asked=PageRequest(limit=texts.MOST_LINES))
                return texts.orders(found["rows"], await self._market_ms())
            case "why":
                return texts.why(await service.lists.order_chain(asked.subject))
            case _:
                assert asked.name == HELP, f"{asked.name} of {sorted(COMMANDS)} has no handler"
                return listed()

    async def _confirmed(self, code: str, incoming: Incoming, person: str) -> str:
        earlier = await asyncio.to_thread(self._service.operator_command, self._command_id(incoming))
        if earlier is not None:  # this very update was carried out; the answer was lost
            return f"{earlier['action']} of {earlier['scope']} was carried out already; /status shows what is in force."
        if self._redeemed is None or self._redeemed[0] != incoming.update_id:
            found = self._codes.redeem(_place(incoming), code, self._now_s())
            if isinstance(found, CodeRefused):
                _log.warning("a code of %s for a command by Telegram was refused: %s", person, found.why)
                return found.why
            self._redeemed = incoming.update_id, found
        return await self._give(self._redeemed[1], incoming, person)

    async def _give(self, asked: Asked, incoming: Incoming, person: str) -> str:
        request = NumberedRequest(
            action=asked.command.action,
            scope=asked.subject,
            reason=asked.text,
            command_id=self._command_id(incoming),
        )
        try:
            answer = await asyncio.to_thread(self._carrier.carry_out, request, person)
        except (ControlUnavailableError, QueryUnavailableError) as error:
            raise NotCommittedError(str(error), is_pressing=request.action in RESTRICTS) from error
        return f"{answer.text} In the name of {person}, command {answer.command_id}."

    def _command_id(self, incoming: Incoming) -> str:
        return f"{TELEGRAM}{self._bot_id}-{incoming.update_id}"

    # --- readings ---

    async def _effect(self, asked: Asked) -> Row | None:
        try:
            return await self._service.preview.control(asked.command.action, asked.subject)
        except DatabaseAwayError:
            return None

    async def _market_ms(self) -> int | None:
        market_ms: int | None = (await self._service.overview())["market"]["market_ms"]
        return market_ms


def _place(incoming: Incoming) -> Place:
    return Place(incoming.chat, incoming.user)
