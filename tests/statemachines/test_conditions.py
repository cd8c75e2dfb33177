"""An alert is a condition with a beginning, changes and an end; an event ends at once (DESIGN 5, 8)."""

from __future__ import annotations

from dataclasses import replace

from statemachines.commands import Alert, AlertEnded
from statemachines.conditions import Conditions
from statemachines.state_store import restore
from statemachines.values import ActorName


def closed(text: str = "BTCUSDT is closed for trading") -> Alert:
    return Alert("critical", "position cannot be closed", text, "exit:BTC")


def test_a_condition_told_again_in_the_same_words_writes_nothing() -> None:
    """An exit of a perpetual that was closed for trading raised 480 critical alerts a day."""
    book = Conditions(ActorName.TREND_1)
    begun = book.take(closed(), "a", 1)
    assert begun is not None and (begun.state, begun.market_ms, begun.ended_ms) == ("open", 1, None)
    book.is_dirty = False
    assert [book.take(closed(), "b", now_ms) for now_ms in range(2, 500)] == [None] * 498 and not book.is_dirty


def test_other_words_are_a_change_of_the_same_alert_and_its_end_is_told_once() -> None:
    book = Conditions(ActorName.TREND_1)
    book.take(closed(), "a", 1)
    changed = book.take(closed("the funds are missing"), "b", 5)
    assert changed is not None
    assert (changed.alert_id, changed.state, changed.changes, changed.market_ms) == ("a", "changed", 1, 1)
    ended = book.take(AlertEnded("exit:BTC", "it is flat"), "c", 9)
    assert ended is not None and (ended.alert_id, ended.state, ended.ended_ms) == ("a", "ended", 9)
    assert ended.text == "the funds are missing Ended: it is flat"
    assert book.take(AlertEnded("exit:BTC"), "d", 10) is None
    again = book.take(closed(), "e", 11)
    assert again is not None and (again.alert_id, again.state) == ("e", "open")


def test_open_conditions_survive_a_restart() -> None:
    book = Conditions(ActorName.TREND_1)
    book.take(closed(), "a", 1)
    later = Conditions(ActorName.TREND_1)
    restore("trend-1", later, {row.key: row for row in book.rows()})
    assert later.take(closed(), "b", 2) is None
    ended = later.take(AlertEnded("exit:BTC"), "c", 3)
    assert ended is not None and ended.alert_id == "a"


def test_an_alert_without_a_condition_is_an_event_each_time() -> None:
    book = Conditions(ActorName.TREND_1)
    for alert_id in ("a", "b"):
        event = book.take(Alert("info", "t", "x"), alert_id, 4)
        assert event is not None and (event.alert_id, event.state, event.ended_ms) == (alert_id, "ended", 4)
    assert not book.is_dirty


def test_what_changes_the_book_must_be_written_and_what_does_not_must_not() -> None:
    """A change that is not written is told again after a restart; an end that is not written never ends."""
    book = Conditions(ActorName.TREND_1)
    for command, dirty in (
        (closed(), True),
        (closed(), False),
        (closed("the funds are missing"), True),
        (AlertEnded("exit:ETH"), False),
        (AlertEnded("exit:BTC"), True),
        (AlertEnded("exit:BTC"), False),
    ):
        book.is_dirty = False
        book.take(command, "a", 1)
        assert book.is_dirty is dirty, command


def test_another_severity_or_title_alone_is_a_change() -> None:
    book = Conditions(ActorName.TREND_1)
    book.take(closed(), "a", 1)
    for count, told in enumerate((replace(closed(), severity="warning"), replace(closed(), title="closing")), 1):
        changed = book.take(told, "b", 1 + count)
        assert changed is not None
        assert (changed.state, changed.changes, changed.changed_ms, changed.market_ms) == (
            "changed",
            count,
            1 + count,
            1,
        )
        assert (changed.severity, changed.title, changed.ended_ms) == (told.severity, told.title, None)


def test_an_end_without_words_keeps_the_text_and_conditions_do_not_mix() -> None:
    book = Conditions(ActorName.TREND_1)
    book.take(closed(), "a", 1)
    book.take(Alert("info", "t", "x", "exit:ETH"), "b", 2)
    ended = book.take(AlertEnded("exit:BTC"), "c", 3)
    assert ended is not None and (ended.text, ended.changed_ms) == ("BTCUSDT is closed for trading", 3)
    assert list(book.open) == ["exit:ETH"]
