"""IF-4: what a message to the bot asks for, and the one-time codes of dangerous commands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.telegram.codes import CODE_S, MOST_WRONG, CodeRefused, Codes, Place
from api.telegram.commands import COMMANDS, DEFAULT_REASON, MOST_TEXT, Asked, Unreadable, listed, read
from statemachines.limits.operator_actions import ACTIONS

BOT = "eternal_bot"
HALT = Asked("halt", "GLOBAL", DEFAULT_REASON)
HERE, ELSEWHERE, OTHER = Place(7, 42), Place(8, 42), Place(7, 43)


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("/status", Asked("status")),
        ("/STATUS@Eternal_Bot", Asked("status")),
        ("  /equity  ", Asked("equity")),
        ("/start", Asked("help")),
        ("/why abc123t11-1", Asked("why", "abc123t11-1")),
        ("/pause", Asked("pause", "GLOBAL", DEFAULT_REASON)),
        ("/pause trend-1", Asked("pause", "trend-1", DEFAULT_REASON)),
        ("/pause TREND-1 maintenance tonight", Asked("pause", "trend-1", "maintenance tonight")),
        ("/halt global now please", Asked("halt", "GLOBAL", "now please")),
        ("/halt the exchange looks odd", Asked("halt", "GLOBAL", "the exchange looks odd")),
        ("/reduceonly funding", Asked("reduceonly", "funding", DEFAULT_REASON)),
        ("/ack risk-manager:7:1", Asked("ack", "risk-manager:7:1")),
        ("/ack risk-manager:7:1 looking at it", Asked("ack", "risk-manager:7:1", "looking at it")),
        ("/confirm 123456", Asked("confirm", "123456")),
    ],
)
def test_a_command_is_read(text: str, asked: Asked) -> None:
    assert read(text, BOT) == asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begin with '/'"),
        ("halt", "begin with '/'"),
        ("/", "no command '/'"),
        ("/sell everything", "no command '/sell'"),
        ("/status@other_bot", "no command"),
        ("/status now", "stands alone"),
        ("/why", "ID is missing: /why ID"),
        ("/why a b", "takes one word"),
        ("/confirm", "CODE is missing"),
        ("/halt trend-3", "'trend-3' is nearly the scope trend-1, and no scope"),
        ("/halt nonsense", "'nonsense' is no scope; allowed: GLOBAL"),
        ("/flatten tactical-2", "Allowed: GLOBAL, trend-1"),
        ("/halt trend-1 no", "too short"),
        ("/halt trend-1 ⠀⠀⠀⠀", "too short"),
        ("/pause the\u202ereason is", "U+202E"),
        ("/pause " + "x" * MOST_TEXT, f"{MOST_TEXT} are allowed"),
    ],
)
def test_what_cannot_be_carried_out_says_why(text: str, said: str) -> None:
    found = read(text, BOT)
    assert isinstance(found, Unreadable) and said in found.why


@pytest.mark.parametrize("action", ["pause", "reduceonly", "resume", "halt", "flatten"])
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((one, "trend-1") for one in ("trend1", "Trend_1", "trend-1:", "trend-1,", "tren-1", "trend", "trend-12")),
        *((one, "trend-1") for one in ("trend–1", "trd1", "tr\u0435nd-1")),
        *(("trend2", "trend-2"), ("globl", "GLOBAL"), ("GLOBAL:", "GLOBAL"), ("fundig", "funding")),
        *(("core", "core-hodl"), ("hodl", "core-hodl"), ("core_hodl", "core-hodl"), ("tactcal", "tactical")),
    ],
)
def test_a_typing_error_in_the_scope_is_not_the_first_word_of_a_reason(action: str, word: str, meant: str) -> None:
    """The reason behind it must not make everything of what was meant for one engine."""
    found = read(f"/{action} {word} maintenance tonight")
    assert isinstance(found, Unreadable) and f"is nearly the scope {meant}" in found.why


@pytest.mark.parametrize("word", ["the", "maintenance", "exchange", "funds", "landing", "trading", "now", "⚡", "1"])
def test_another_first_word_begins_a_reason(word: str) -> None:
    assert read(f"/pause {word} is over tonight") == Asked("pause", "GLOBAL", f"{word} is over tonight")


@given(st.text(max_size=MOST_TEXT + 50))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    found = read(text, BOT)
    assert isinstance(found, Asked) or found.why.rstrip()


@pytest.mark.parametrize("length", [MOST_TEXT, MOST_TEXT + 1])
def test_the_longest_text_is_read(length: int) -> None:
    text = "/pause trend-1 " + "r" * (length - len("/pause trend-1 "))
    assert isinstance(read(text), Asked) is (length <= MOST_TEXT)


def test_the_table_has_the_commands_of_the_issue_and_telegrams_names() -> None:
    wanted = "status equity positions orders why pause resume reduceonly halt flatten ack"
    assert set(wanted.split()) <= COMMANDS.keys()
    assert all(re.fullmatch(r"[a-z]{1,32}", name) for name in COMMANDS)
    assert {one.action for one in COMMANDS.values() if one.action} <= set(ACTIONS)
    assert {name for name, one in COMMANDS.items() if one.is_two_step} == {"resume", "halt", "flatten"}
    assert all(f"/{name}" in listed() for name in COMMANDS)


# --- codes ---


@pytest.fixture
def codes() -> Codes:
    drawn = iter(["111111", "222222", "333333"])
    return Codes(lambda: next(drawn))


def test_a_code_gives_its_command_once(codes: Codes) -> None:
    code = codes.issue(HERE, HALT, 1, 0.0)
    assert codes.redeem(HERE, code, 1.0) == HALT
    assert isinstance(codes.redeem(HERE, code, 1.0), CodeRefused)


@pytest.mark.parametrize(("after_s", "is_valid"), [(CODE_S - 1, True), (CODE_S, True), (CODE_S + 0.1, False)])
def test_a_code_expires(codes: Codes, after_s: float, is_valid: bool) -> None:
    code = codes.issue(HERE, HALT, 1, 100.0)
    found = codes.redeem(HERE, code, 100.0 + after_s)
    assert (found == HALT) is is_valid
    assert is_valid or (isinstance(found, CodeRefused) and "expired" in found.why)


@pytest.mark.parametrize("place", [ELSEWHERE, OTHER], ids=["in another chat", "by another person"])
def test_a_code_counts_where_and_for_whom_it_was_given(codes: Codes, place: Place) -> None:
    code = codes.issue(HERE, HALT, 1, 0.0)
    assert isinstance(codes.redeem(place, code, 1.0), CodeRefused)
    codes.issue(place, Asked("resume", "GLOBAL", "again"), 2, 1.0)
    assert isinstance(codes.redeem(place, code, 1.0), CodeRefused), "nor for the command that waits there"
    assert codes.redeem(HERE, code, 1.0) == HALT, "the tries of others do not harm"


def test_a_newer_command_replaces_the_older_one_and_its_code(codes: Codes) -> None:
    older = codes.issue(HERE, HALT, 1, 0.0)
    newer = codes.issue(HERE, Asked("flatten", "GLOBAL", "now please"), 2, 1.0)
    assert isinstance(codes.redeem(HERE, older, 1.0), CodeRefused)
    assert codes.redeem(HERE, newer, 1.0) == Asked("flatten", "GLOBAL", "now please")


def test_a_repeated_update_gets_the_same_code(codes: Codes) -> None:
    assert codes.issue(HERE, HALT, 1, 0.0) == codes.issue(HERE, HALT, 1, 5.0)


def test_guessing_ends_the_command(codes: Codes) -> None:
    code = codes.issue(HERE, HALT, 1, 0.0)
    for _ in range(MOST_WRONG):
        assert isinstance(codes.redeem(HERE, "999999", 1.0), CodeRefused)
    assert isinstance(codes.redeem(HERE, code, 1.0), CodeRefused)


def test_codes_have_six_digits_and_differ() -> None:
    drawn = {Codes().issue(HERE, HALT, 1, 0.0) for _ in range(20)}
    assert all(re.fullmatch(r"\d{6}", code) for code in drawn) and len(drawn) > 1


@pytest.mark.parametrize("text", ["/normal", "/reset trend-1"])
def test_what_another_door_gives_is_said_to_be_given_there(text: str) -> None:
    """A judge halted by Telegram "until your command 'normal'", and the bot did not know the command."""
    found = read(text, BOT)
    assert isinstance(found, Unreadable) and "console" in found.why and "eternal control" in found.why
