"""DA-2: an external source that is down, stale or unreadable gives nothing and says why; it is never wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from infra.feeds.dvol import DvolFeed, parse_dvol
from infra.feeds.fear_greed import FearGreedFeed, parse_fear_greed
from infra.feeds.feeds import Feeds
from infra.feeds.source import FeedUnavailableError, HttpJson
from tests.infra.answering import answering

DAY_MS = 86_400_000
NOW = 1_700_006_400_000 // DAY_MS * DAY_MS


def fear(*values: tuple[int, int]) -> Any:
    return {"data": [{"value": str(v), "timestamp": str(at // 1000)} for at, v in values], "metadata": {"error": None}}


def dvol(*closes: tuple[int, float]) -> Any:
    return {"jsonrpc": "2.0", "result": {"data": [[at, 1.0, 1.0, 1.0, c] for at, c in closes], "continuation": None}}


def test_the_newest_value_before_the_instant_counts() -> None:
    """A5: one published at the cycle's instant is not before it."""
    feed = FearGreedFeed(lambda path, parameters: fear((NOW, 80), (NOW - DAY_MS, 20), (NOW - 2 * DAY_MS, 50)))
    assert feed.read(NOW) == (20, NOW - DAY_MS, "")
    assert feed.read(NOW + 1).value == 80


def test_an_old_value_is_passed_on_with_its_time() -> None:
    """A5, A6: the rule that reads a value decides how old it may be, by its own setting."""
    feed = FearGreedFeed(lambda path, parameters: fear((NOW - 9 * DAY_MS, 20)))
    assert feed.read(NOW) == (20, NOW - 9 * DAY_MS, "")
    old = DvolFeed(lambda path, parameters: dvol((NOW - 10 * DAY_MS, 50.5)))
    assert old.read(NOW) == (Decimal("50.5"), NOW - 9 * DAY_MS, "")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"data": [{"value": "20"}]},
        {"data": [{"value": "", "timestamp": "1"}]},
        {"data": [{"value": "101", "timestamp": "1"}]},
        {"data": [{"value": 20, "timestamp": "1"}]},
    ],
)
def test_an_unreadable_answer_is_refused_whole(answer: Any) -> None:
    with pytest.raises(FeedUnavailableError):
        parse_fear_greed(answer)
    reading = FearGreedFeed(lambda path, parameters: answer).read(NOW)
    assert reading.value is None and reading.reason


def test_dvol_is_the_close_of_the_newest_ended_day() -> None:
    """A6: the running day has no close."""
    feed = DvolFeed(lambda path, parameters: dvol((NOW - 2 * DAY_MS, 50.5), (NOW - DAY_MS, 61.25), (NOW, 99.0)))
    assert feed.read(NOW) == (Decimal("61.25"), NOW, "")


def test_an_unreadable_dvol_row_is_refused() -> None:
    for data in ([[1, 2, 3]], [[1, 1, 1, 1, 0]], [["1", 1, 1, 1, 5]], [[1, 1, 1, 1, None]]):
        with pytest.raises(FeedUnavailableError):
            parse_dvol({"result": {"data": data}})


def test_one_source_down_does_not_hide_the_other() -> None:
    def down(path: str, parameters: Any) -> Any:
        raise FeedUnavailableError("no answer")

    read = Feeds(FearGreedFeed(down), DvolFeed(lambda p, q: dvol((NOW - DAY_MS, 61.25)))).read(NOW)
    assert (read.fear_greed, read.dvol) == (None, Decimal("61.25"))
    assert "no answer" in read.reason
    assert Feeds().read(NOW).reason == "Fear & Greed is not configured; DVOL is not configured"


@pytest.mark.parametrize(("status", "body"), [(503, b"{}"), (200, b"<html>"), (200, b"[" * 100_000), (200, b"")])
def test_http_failures_are_unavailability(status: int, body: bytes) -> None:
    with answering(status, body) as (url, _asked), pytest.raises(FeedUnavailableError):
        HttpJson(url)("/fng/", {"limit": 1})


def test_a_source_that_is_not_there_is_unavailable() -> None:
    with answering(200, b"{}") as (url, _asked):
        pass
    with pytest.raises(FeedUnavailableError, match="does not answer"):
        HttpJson(url)("/fng/", {"limit": 1})


def test_http_query_of_the_fear_and_greed_source() -> None:
    with answering(200, json.dumps(fear((NOW - DAY_MS, 20))).encode()) as (url, asked):
        assert FearGreedFeed(HttpJson(f"{url}/")).read(NOW).value == 20
    assert [one.path for one in asked] == ["/fng/?limit=10&format=json"]
