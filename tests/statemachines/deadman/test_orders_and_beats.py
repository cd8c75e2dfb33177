"""RM-4: which orders the dead-man switch cancels, and which texts are beats."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.deadman.beats import LONGEST_TEXT, Beat, BeatState, parse_beat, parse_text, text_of
from statemachines.deadman.orders import RestingOrder, is_entry
from statemachines.execution.orders.order_ids import client_order_id

OURS = client_order_id("abc123", "trend-1-5", 1)
INSTALLATION = "abc123"


def order(
    link: str = OURS,
    *,
    category: str = "linear",
    reduces: bool = False,
    waits: bool = False,
    closes: bool = False,
) -> RestingOrder:
    return RestingOrder(link, category, "BTCUSDT", reduces, waits, closes)


TABLE = (
    (order(), True),
    (order(category="spot"), True),
    (order(client_order_id("abc123", "funding-zz", 12)), True),
    (order(client_order_id("abc123", "risk-manager-1", 1)), True),
    (order(reduces=True), False),
    (order(waits=True), False),
    (order(waits=True, category="spot"), False),
    (order(closes=True), False),
    (order(reduces=True, waits=True, closes=True), False),
    (order(""), False),
    (order("my-own-order-1"), False),
    (order(client_order_id("abc124", "trend-1-5", 1)), False),
    (order(OURS + "x"), False),
    (order("abc123zz5-1"), False),
)


@pytest.mark.parametrize(("one", "expected"), TABLE)
def test_rm4_entry_orders_of_ours_and_no_others(one: RestingOrder, expected: bool) -> None:
    """Never a stop, never a reduce-only order, never an order of anyone else: a person's, another installation's."""
    assert is_entry(INSTALLATION, one) is expected


PLANTED: dict[str, Callable[[RestingOrder], bool]] = {
    "stops are cancelled": lambda one: is_entry(INSTALLATION, one._replace(is_conditional=False)),
    "reduce-only orders are cancelled": lambda one: is_entry(INSTALLATION, one._replace(is_reduce_only=False)),
    "closing orders are cancelled": lambda one: is_entry(INSTALLATION, one._replace(closes_position=False)),
    "another installation's are cancelled": lambda one: is_entry(one.client_order_id[:6] or "abc123", one),
    "whatever begins as ours is cancelled": lambda one: is_entry(
        INSTALLATION, one._replace(client_order_id=OURS if one.client_order_id[:6] == INSTALLATION else "")
    ),
    "spot stands": lambda one: one.category != "spot" and is_entry(INSTALLATION, one),
    "nothing is cancelled": lambda _one: False,
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_defect_in_what_is_cancelled_is_found(name: str) -> None:
    def wrong(one: RestingOrder) -> bool:
        try:
            return PLANTED[name](one)
        except ValueError:
            return False

    assert any(wrong(one) is not expected for one, expected in TABLE)


@given(st.text(max_size=40), st.booleans(), st.booleans(), st.booleans())
def test_no_foreign_order_is_ever_an_entry_of_ours(link: str, reduces: bool, waits: bool, closes: bool) -> None:
    one = order(link, reduces=reduces, waits=waits, closes=closes)
    if is_entry(INSTALLATION, one):
        assert link.startswith(INSTALLATION) and not (reduces or waits or closes)


@pytest.mark.parametrize("state", BeatState)
def test_a_beat_is_read_as_it_was_written(state: BeatState) -> None:
    beat = Beat("12:345", state)
    assert parse_text(text_of(beat)) == beat


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "7",
        '"7:1"',
        "{}",
        '{"beat_id": "7:1"}',
        '{"state": "RUNNING"}',
        '{"beat_id": "", "state": "RUNNING"}',
        '{"beat_id": 7, "state": "RUNNING"}',
        '{"beat_id": "7:1", "state": "running"}',
        '{"beat_id": "7:1", "state": null}',
        '{"beat_id": "7:1", "state": ["RUNNING"]}',
        '{"beat_id": "7 1", "state": "RUNNING"}',
        '{"beat_id": "' + "7" * 81 + '", "state": "RUNNING"}',
        "[" * 900,
        " " * (LONGEST_TEXT + 1),
        '{"beat_id": "7:1", "state": "RUNNING"}' + " " * LONGEST_TEXT,
        "\0\0\0\0",
    ],
)
def test_a_damaged_beat_is_none_and_the_refusal_is_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"beat|allowed"):
        parse_text(text)


@given(st.one_of(st.text(max_size=60), st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5)))
def test_whatever_a_file_holds_is_a_beat_or_a_value_error(content: object) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    try:
        beat = parse_text(text)
    except ValueError:
        return
    assert parse_beat(beat.beat_id, beat.state.value) == beat
