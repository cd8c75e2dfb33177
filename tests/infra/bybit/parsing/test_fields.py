"""The border's judge at its edges: the last value that is taken and the first one that is not (IF-2)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError

from infra.bybit.parsing.envelope import checked
from infra.bybit.parsing.fields import (
    FIRST_INSTANT_MS,
    LAST_INSTANT_MS,
    LONGEST_LIST,
    LONGEST_TEXT,
    ForeignError,
    Row,
    UnparsableError,
    shown_text,
)
from infra.bybit.parsing.judging import judged

Read = Callable[[Row], Any]


def row(value: Any) -> Row:
    return Row({"x": value}, "row")


@pytest.mark.parametrize(
    ("read", "taken", "refused"),
    [
        (lambda r: r.price("x"), ["0.000000000000000001", "1000000000"], ["0", "-1", "1000000000.1", ""]),
        (lambda r: r.quantity("x"), ["0", "1000000000000"], ["-0.1", "1000000000000.1", ""]),
        (lambda r: r.rate("x"), ["-1", "1", "0"], ["1.0000001", "-1.0000001"]),
        (lambda r: r.positive("x"), ["1E-18", "1E+15"], ["0", "-1", "1.1E+15"]),
        (lambda r: r.within("x", Decimal(2), Decimal(3)), ["2", "3"], ["1.9", "3.1"]),
        (lambda r: r.decimal("x"), ["-1E+15", "1E-18", "0", 5], ["1E-19", "-1.1E+15", "1.1E+15", 1.5, True, None, "٣"]),
        (lambda r: r.decimal("x"), ["1" * 15], ["0" * 51, " 1", "1 ", "+1", ".5", "5.", "NaN", "inf", "1_0"]),
        (lambda r: r.integer("x", 1, 5), [1, 5, "1", "5"], [0, 6, "0", "6", True, 1.0, "-1", "", "²"]),
        (lambda r: r.integer("x"), [0, 2**63 - 1], [-1, 2**63, None]),
        (
            lambda r: r.instant("x"),
            [FIRST_INSTANT_MS, str(LAST_INSTANT_MS)],
            [FIRST_INSTANT_MS - 1, LAST_INSTANT_MS + 1],
        ),
        (
            lambda r: r.instant("x", FIRST_INSTANT_MS + 5),
            [FIRST_INSTANT_MS + 5],
            [FIRST_INSTANT_MS + 6, LAST_INSTANT_MS],
        ),
        (lambda r: r.text("x"), ["a", "a" * LONGEST_TEXT], ["", "a" * (LONGEST_TEXT + 1), "a\n", 5, None]),
        (lambda r: r.text_or_empty("x"), [""], [None, "\x00"]),
        (lambda r: r.symbol("x"), ["BTCUSDT", "A" * 40], ["", "btc", "A" * 41, "-A", "A B"]),
        (lambda r: r.coin("x"), ["BTC", "1INCH", "A" * 20], ["", "btc", "A" * 21, "A-B"]),
        (lambda r: r.boolean("x"), [True, False], [0, 1, "true", None]),
        (lambda r: r.items("x"), [[], [1] * LONGEST_LIST], [[1] * (LONGEST_LIST + 1), {}, "x", None]),
    ],
)
def test_edges_are_taken_and_the_next_value_is_refused_by_name(
    read: Read, taken: list[Any], refused: list[Any]
) -> None:
    for value in taken:
        read(row(value))
    for value in refused:
        with pytest.raises(UnparsableError, match="field 'x'"):
            read(row(value))
    with pytest.raises(UnparsableError, match="field 'x' is missing"):
        read(Row({}, "row"))


def test_no_price_is_none_and_never_zero() -> None:
    assert row("").price_or_none("x") is None and row("0").price_or_none("x") is None
    assert row("0.5").price_or_none("x") == Decimal("0.5")
    assert row("").decimal_or_none("x") is None and row("0").decimal_or_none("x") == 0
    for value in ("-1", "1E+10", None):
        with pytest.raises(UnparsableError):
            row(value).price_or_none("x")


def test_a_zero_with_a_huge_exponent_is_a_plain_zero() -> None:
    assert str(row("0E+9999").decimal("x")) == "0"


def test_a_foreign_text_is_cut_and_made_printable() -> None:
    assert shown_text("a" * 10, 10) == "a" * 10
    assert shown_text("a" * 11, 10) == "a" * 7 + "..."
    assert shown_text("a\nb\x00") == "a?b?"


@pytest.mark.parametrize(
    "answer",
    [
        *(
            None,
            [],
            "x",
            {},
            {"retCode": 0},
            {"retCode": 0, "retMsg": "OK"},
            {"retCode": 0, "retMsg": "OK", "result": []},
        ),
        *({"retCode": code, "retMsg": "OK", "result": {}} for code in (True, "0", None, 0.0, 10**9 + 1, -(10**9) - 1)),
        {"retCode": 0, "retMsg": None, "result": {}},
        {"retCode": 110001, "retMsg": None, "result": {}},
    ],
)
def test_what_is_no_whole_envelope_says_nothing(answer: Any) -> None:
    with pytest.raises(UnparsableError):
        checked(answer, "GET /x")


def test_a_whole_envelope_says_success_or_refusal() -> None:
    good = {"retCode": 0, "retMsg": "OK", "result": {"a": 1}}
    assert checked(good, "GET /x") == good
    for code in (1, -1, 10**9, -(10**9)):
        with pytest.raises(InvalidRequestError) as refused:
            checked({"retCode": code, "retMsg": "no\n", "result": {}}, "GET /x")
        assert (refused.value.status_code, refused.value.message) == (code, "no?")


def test_rows_set_aside_name_what_they_are_about_as_far_as_they_can() -> None:
    def parse(one: Any) -> str:
        if one == "good":
            return "read"
        raise (ForeignError if one.get("foreign") else UnparsableError)("broken.")

    rows = ["good", {"symbol": "BTCUSDT", "category": "linear"}, {"coin": "ETH", "foreign": 1}, {"symbol": "A" * 41}]
    good, bad = judged("order", rows, parse)
    assert good == [("good", "read")]
    told = [(one.category, one.symbol, one.is_foreign) for _, one in bad]
    assert told == [("linear", "BTCUSDT", False), ("", "ETH", True), ("", "", False)]
    assert [one for one, _ in bad] == rows[1:]
    _, ((_, given),) = judged("bar", [{"symbol": "X", "category": "option"}], parse, "spot", "SOLUSDT")
    assert (given.kind, given.category, given.symbol, given.problem) == ("bar", "spot", "SOLUSDT", "broken.")
