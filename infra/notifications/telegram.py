"""Alerts by a bot of Telegram (IF-4)."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import timedelta

from telegram import Bot
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from infra.config.notifications import TelegramConfig
from infra.notifications.asynchronous import finished
from infra.notifications.http import client_proxy
from infra.notifications.text import footing, heading, left_out, paragraph
from infra.proxy import ProxyAddress
from statemachines.notifications.message import Delivered, Message, Outcome, Part, RefusedForGood, TryAgain
from statemachines.notifications.plain import one_line, shortened

MOST = 4_096
"""Characters of one message of Telegram, counted after its entities are parsed; here before, which is stricter."""

MOST_OF_TITLE, MOST_OF_FOOTING = 300, 200
TIMEOUT_S = 10.0
REMEMBERED = 10_000
"""Alerts that a chat has and another one does not have yet; of more, the oldest may come to a chat again."""

ABOUT_CHAT = re.compile(
    "right|topic|thread|peer|chat|group|channel|user|member|admin|owner|restrict|forbidden|deactivated|kicked|banned",
    re.IGNORECASE,
)
"""A bad request of this kind is due to the chat or the bot's place in it, which people can repair; not to the text."""


_Had = tuple[str, str, str, str]


class TelegramChannel:
    """Sends to every chat. A chat that has an alert is not sent it again when another one fails."""

    def __init__(self, config: TelegramConfig, proxy: ProxyAddress | None = None) -> None:
        assert config.bot_token is not None
        self._token = config.bot_token.get_secret_value()
        self._base_url = f"{config.api_url}/bot"
        self._proxy = client_proxy(config.api_url, proxy)
        self._chats = config.chat_ids or ()
        self._sent: dict[_Had, str] = {}

    def __repr__(self) -> str:
        return "TelegramChannel()"

    def send(self, message: Message) -> Outcome:
        """Send it to all chats; one after the other, so that a failure is known by its chat."""
        return finished(self._send(message))

    async def _send(self, message: Message) -> Outcome:
        # The client ignores proxy variables; the configured proxy only carries the encrypted connection.
        request = HTTPXRequest(
            connection_pool_size=1,
            connect_timeout=TIMEOUT_S,
            read_timeout=TIMEOUT_S,
            write_timeout=TIMEOUT_S,
            httpx_kwargs={"trust_env": False},
            proxy=self._proxy,
        )
        bot = Bot(self._token, base_url=self._base_url, request=request, get_updates_request=request)
        outcomes: dict[str, Outcome] = {}
        async with request:
            for chat in self._chats:
                parts = tuple(part for part in message.parts if _had(part, chat) not in self._sent)
                if parts:
                    outcomes[chat] = await self._send_to(bot, chat, as_html(replace(message, parts=parts)))
                    if isinstance(found := outcomes[chat], Delivered):
                        self._sent |= {_had(part, chat): found.remote_id for part in parts}
        while len(self._sent) > REMEMBERED:
            del self._sent[next(iter(self._sent))]
        return self._outcome(message, outcomes)

    async def _send_to(self, bot: Bot, chat: str, text: str) -> Outcome:
        try:
            sent = await bot.send_message(chat, text, parse_mode="HTML", disable_web_page_preview=True)
        except RetryAfter as error:
            after = error._retry_after if isinstance(error._retry_after, timedelta) else timedelta(seconds=60)  # noqa: SLF001
            return TryAgain("Telegram asks for a slower pace", after.total_seconds(), is_pace=True)
        except InvalidToken:
            return TryAgain("Telegram refuses the bot's token; set notifications.telegram.bot_token")
        except (Forbidden, ChatMigrated) as error:
            return TryAgain(f"chat {chat} does not take messages of this bot ({self._shown(error)})")
        except BadRequest as error:
            if "chat not found" in str(error).lower():
                return TryAgain(f"chat {chat} does not exist for this bot; open it and send /start")
            if ABOUT_CHAT.search(str(error)):
                return TryAgain(f"chat {chat} does not take messages of this bot ({self._shown(error)})")
            return RefusedForGood(self._shown(error))
        except TimedOut:
            return TryAgain("Telegram did not answer in time; whether the message arrived is not known")
        except (NetworkError, TelegramError) as error:
            return TryAgain(f"Telegram cannot be reached ({self._shown(error)})")
        return Delivered(f"{chat}:{sent.message_id}")

    def _outcome(self, message: Message, outcomes: dict[str, Outcome]) -> Outcome:
        """Delivered only when every chat has it; what can be repaired counts before what cannot."""
        failed = [one for one in outcomes.values() if not isinstance(one, Delivered)]
        again = [one for one in failed if isinstance(one, TryAgain)]
        if again:
            pauses = [one.after_s for one in again if one.after_s is not None]
            worst = next((one for one in again if not one.is_pace), again[0])
            return TryAgain(worst.reason, max(pauses, default=None), is_pace=worst.is_pace)
        if failed and len(message.parts) > 1:
            return failed[0]  # its alerts are sent again one by one
        # It has its end: a later message of this content is another one.
        had = [self._sent.pop(_had(part, chat), "") for chat in self._chats for part in message.parts]
        return failed[0] if failed else Delivered(", ".join(dict.fromkeys(one for one in had if one)))

    def _shown(self, error: Exception) -> str:
        return shortened(one_line(str(error).replace(self._token, "***")), 200)


def as_html(message: Message) -> str:
    """The message within Telegram's limit, in its subset of HTML; whatever an alert contains is text."""
    tail = f"\n\n{html.escape(left_out(message))}" if message.omitted else ""
    room = MOST - len(tail)
    each = room // len(message.parts) - 2
    return "\n\n".join(_part(part, each) for part in message.parts) + tail


def _part(part: Part, most: int) -> str:
    """Within `most` characters; the text gives way first, then the title."""
    below = f"\n<i>{_escaped(footing(part), min(MOST_OF_FOOTING, most // 3))}</i>"
    room = most - len(below) - len("<b></b>\n")
    above = _escaped(heading(part), min(MOST_OF_TITLE, max(room // 2, 20)))
    text = _escaped(paragraph(part.text), max(room - len(above), 0))
    return f"<b>{above}</b>" + (f"\n{text}" if text else "") + below


def _escaped(text: str, most: int) -> str:
    """Escaped and within `most` characters; no entity is cut."""
    if len(escaped := html.escape(text, quote=False)) <= most:
        return escaped
    low, high = 0, min(len(text), most)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if len(html.escape(shortened(text, middle), quote=False)) <= most:
            low = middle
        else:
            high = middle - 1
    return html.escape(shortened(text, low), quote=False) if low else ""


def _had(part: Part, chat: str) -> _Had:
    return chat, part.alert_id, part.action, part.text
