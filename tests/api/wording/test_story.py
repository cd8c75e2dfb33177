"""P3: why an order exists, for people: only what led to it, in order, without raw values."""

from __future__ import annotations

import re

import pytest

from api.wording.story import story_of
from api.wording.values import readable
from tests.api.wording.chains import CLOSE_MS, FILL, chain_of_stop, decision

MOST_LINES = 30
"""What a screen holds; each event has a line and perhaps its reason below."""


def test_a_stop_is_told_from_the_bar_over_its_entry_to_its_end() -> None:
    kinds = [event.kind for event in story_of(chain_of_stop())]
    assert kinds == ["bar", "close", "cycle", "decision", "intent", "decision", "order", "fill", "intent", "order"]
    assert sum(1 + bool(event.why) for event in story_of(chain_of_stop())) <= MOST_LINES


@pytest.mark.parametrize("stranger", ["core-hodl", "ETH", "regime", "the filters allow it", "read_feed"])
def test_what_belongs_to_another_engine_coin_or_intent_is_left_out(stranger: str) -> None:
    assert stranger not in repr(story_of(chain_of_stop()))


def test_no_raw_instant_or_float_reaches_a_person() -> None:
    told = repr(story_of(chain_of_stop())).replace(str(CLOSE_MS), "")
    told = re.sub(r"at_ms=\d+", "", told)
    assert not re.search(r"\d{13}|\.\d{7,}", told), told
    assert "long since 2025-01-02 00:00 UTC: SMA50 47759.71" in told


def test_fills_are_summed_and_what_the_engine_decided_on_them_is_the_effect() -> None:
    fills = [{**FILL, "side": "Sell", "realized_pnl": "-1.5"}, {**FILL, "side": "Sell", "realized_pnl": "0.5"}]
    effects = [
        decision("trend-1", "BTC", "stopped IN_POSITION COOLDOWN", "flat (TR-14)"),
        decision("trend-1", "ETH", "wait IN_POSITION IN_POSITION", "of another coin"),
    ]
    told = story_of(chain_of_stop(), fills, effects)[-4:]
    assert [event.kind for event in told] == ["fill", "fill", "effect", "decision"]
    assert "0.058 BTCUSDT for 3,537.67 USDT in 2 fill(s); realised -1.00 USDT before fees" in told[2].text
    assert told[3].text == "trend-1 BTC  IN_POSITION → COOLDOWN"


def test_no_chain_has_no_story() -> None:
    assert story_of([]) == []


READABLE = [
    ("the day 1735689600000 has closed", "the day 2025-01-01 00:00 UTC has closed"),
    ("the settlement at 1735747200000 ms; entries", "the settlement at 2025-01-01 16:00 UTC; entries"),
    ("of bar:spot:SOLUSDT:60:1735743600000", "of bar:spot:SOLUSDT:60:1735743600000"),
    ("an average of 60994.30000000;", "an average of 60994.30;"),
    ("target 14999.5771331948250 of", "target 14999.58 of"),
    ("999.99999", "1000"),
    ("basis 0.000797512345 (FU-2)", "basis 0.000797512 (FU-2)"),
    ("rate -0.00031588 per 8 h", "rate -0.00031588 per 8 h"),
    ("0.012013 BTC at 60940.1", "0.012013 BTC at 60940.1"),
    ("3,000.12345", "3,000.12345"),
    ("version 1.2.3", "version 1.2.3"),
    ("0.00000", "0"),
]


@pytest.mark.parametrize(("raw", "said"), READABLE)
def test_a_recorded_sentence_is_read_with_instants_and_rounded_numbers(raw: str, said: str) -> None:
    assert readable(raw) == said
