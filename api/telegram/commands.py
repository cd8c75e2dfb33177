"""What a message to the bot asks for. Pure: the commands as one table, and the reading of a text."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import NamedTuple

from api.text import first_refused, is_reason, shown
from statemachines.limits.entry_gate import GLOBAL_SCOPE
from statemachines.limits.operator_actions import EFFECTS, FLATTEN, LEAST_REASON
from statemachines.limits.operator_scopes import SCOPES, allowed_scopes

CONFIRM = "confirm"
HELP = "help"
MOST_TEXT = 500
"""Characters of a message that is read; no command needs more."""

NEARLY = 0.8
"""Likeness (difflib's ratio, 0 to 1) from which a word is a typing error of a scope."""

DEFAULT_REASON = "by Telegram, without a reason"


class Command(NamedTuple):
    """One command: how it is written behind its name, and what it does. `action` is the operator's action that it is,
    "" for one that only reads. `is_two_step`: it needs a code first."""

    form: str
    about: str
    action: str = ""
    is_two_step: bool = False


def _control(action: str, *, is_two_step: bool = False) -> Command:
    return Command("[SCOPE] [REASON]", EFFECTS[action], action, is_two_step)


ELSEWHERE = frozenset({"normal", "reset"})
"""Commands that permit more than was: they need another door than a phone in someone else's hands."""

COMMANDS: dict[str, Command] = {
    "status": Command("", "health, market time, engines, what is expected of you"),
    "equity": Command("", "equity of every engine and of the whole"),
    "positions": Command("", "what is held: derivative positions with stop and distance, coins and cash"),
    "orders": Command("", "open orders"),
    "why": Command("ID", "why an order exists, from its first cause"),
    "pause": _control("pause"),
    "reduceonly": _control("reduce_only"),
    "resume": _control("resume", is_two_step=True),
    "halt": _control("halt", is_two_step=True),
    FLATTEN: _control(FLATTEN, is_two_step=True),
    CONFIRM: Command("CODE", "gives the command that waits for this code"),
    "ack": Command("ID [TEXT]", "acknowledges an alert; it is repeated no more"),
    HELP: Command("", "this list"),
}
"""Every command; the names are those of Telegram (letters only)."""


class Asked(NamedTuple):
    """A command that can be carried out. `subject`: the scope, the order, the alert or the code; `text`: reason or
    remark."""

    name: str
    subject: str = ""
    text: str = ""

    @property
    def command(self) -> Command:
        """Its row of the table."""
        return COMMANDS[self.name]


class Unreadable(NamedTuple):
    """What cannot be carried out, as a sentence for the person."""

    why: str


def read(text: str, bot: str = "") -> Asked | Unreadable:
    """What a message asks for. `bot` is the bot's own name: in a group `/status@other` is another one's."""
    if len(text) > MOST_TEXT:
        return Unreadable(f"A message of {len(text)} characters is not read; {MOST_TEXT} are allowed.")
    words = text.split()
    if not words or not words[0].startswith("/"):
        return Unreadable(f"Commands begin with '/'. {_hint()}")
    name, _, addressee = words[0][1:].partition("@")
    name = name.lower()
    if name == "start":
        name = HELP
    if (addressee and bot and addressee.lower() != bot.lower()) or name not in COMMANDS:
        if name in ELSEWHERE:
            return Unreadable(
                f"'{name}' is given in the console (Risk & controls) or by `eternal control {name}`, not by Telegram."
            )
        return Unreadable(f"There is no command '{shown(words[0])}'. {_hint()}")
    if refused := first_refused(" ".join(words)):
        return Unreadable(f"The character {refused} is not allowed; printable characters are.")
    return _with(name, words[1:])


def _with(name: str, rest: list[str]) -> Asked | Unreadable:
    command = COMMANDS[name]
    if command.action:
        return _control_of(name, command.action, rest)
    if not command.form:
        return Asked(name) if not rest else Unreadable(f"/{name} stands alone; '{shown(' '.join(rest))}' is too much.")
    if not rest:
        return Unreadable(f"{command.form.split()[0]} is missing: /{name} {command.form}.")
    if name != "ack" and len(rest) > 1:
        return Unreadable(f"/{name} takes one word; '{shown(' '.join(rest[1:]))}' is too much.")
    return Asked(name, rest[0], " ".join(rest[1:]))


def _control_of(name: str, action: str, rest: list[str]) -> Asked | Unreadable:
    """The first word is the scope if it is one; else all of it is the reason, and the scope GLOBAL. A first word that
    is nearly a scope is refused: a halt of everything must not come of a typing error."""
    scope, reason = GLOBAL_SCOPE, " ".join(rest)
    if rest:
        found = next((one for one in SCOPES if one.lower() == rest[0].lower()), None)
        if found is not None:
            scope, reason = found, " ".join(rest[1:])
        elif meant := _nearly(rest[0]):
            return Unreadable(
                f"'{shown(rest[0])}' is nearly the scope {meant}, and no scope. Write the scope as it is, or begin the "
                f"reason with another word. Allowed: {', '.join(allowed_scopes(action))}."
            )
        elif len(rest) == 1:
            return Unreadable(
                f"'{shown(rest[0])}' is no scope; allowed: {', '.join(allowed_scopes(action))}. A reason has two words "
                f"at least, or stands behind a scope."
            )
    if reason and not is_reason(reason):
        return Unreadable(f"The reason '{shown(reason)}' is too short; {LEAST_REASON} characters at least.")
    return Asked(name, scope, reason or DEFAULT_REASON)


def _nearly(word: str) -> str:
    """The scope that a word is a typing error of, or a part of its name; "" for any other word."""
    plain = _plain(word)
    likeness = {scope: SequenceMatcher(None, plain, _plain(scope)).ratio() for scope in SCOPES}
    nearest = max(SCOPES, key=likeness.__getitem__)
    if likeness[nearest] >= NEARLY:
        return nearest
    return next((scope for scope in SCOPES if plain.isalpha() and plain in scope.lower().split("-")), "")


def _plain(word: str) -> str:
    """Its letters and digits."""
    return "".join(character for character in word.casefold() if character.isalnum())


def listed() -> str:
    """All commands, one per line."""
    lines = [f"/{name}{f' {one.form}' if one.form else ''}: {one.about}" for name, one in COMMANDS.items()]
    two = ", ".join(f"/{name}" for name, one in COMMANDS.items() if one.is_two_step)
    scopes = f"SCOPE: {', '.join(SCOPES)}; {GLOBAL_SCOPE} if none is given."
    return "\n".join([*lines, "", scopes, f"{two} ask for a code first."])


def _hint() -> str:
    return "/help lists all commands."
