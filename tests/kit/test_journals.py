"""Two journals side by side (P3, parity): what differs first is said in a sentence with both sides."""

from __future__ import annotations

import pytest

from actors.runtime.memory_store import MemoryStore
from actors.runtime.ports import Commit, JournalRow
from infra.database.store import PostgresStore
from statemachines.commands import JournalEntry
from statemachines.values import DAY_MS, ActorName
from tests.database import database_url, postgres_server  # noqa: F401
from tests.kit.journals import (
    Journals,
    Line,
    first_difference,
    from_database,
    from_memory,
    without_versions,
)


def _line(day: int, reason: str = "portfolio 7: close above") -> Line:
    return Line(day * DAY_MS, "BTC", "entry", "FLAT", "LONG", reason)


def _journals(**lines: list[Line]) -> Journals:
    return {name.replace("_", "-"): found for name, found in lines.items()}


def test_equal_journals_have_no_difference() -> None:
    both = _journals(trend_1=[_line(1), _line(2)], funding=[])
    assert first_difference(both, dict(both)) == ""


def test_the_earliest_difference_of_all_actors_is_told_with_both_sides() -> None:
    ours = _journals(trend_1=[_line(1), _line(9)], funding=[_line(3, "rate 0.02 % above 0.01 %")])
    theirs = _journals(trend_1=[_line(1), _line(8)], funding=[_line(3, "rate 0.03 % above 0.01 %")])
    assert first_difference(ours, theirs) == (
        "Decision 1 of funding differs: "
        "one run has [1970-01-04 00:00:00 BTC: entry FLAT -> LONG (rate 0.02 % above 0.01 %)], "
        "the other has [1970-01-04 00:00:00 BTC: entry FLAT -> LONG (rate 0.03 % above 0.01 %)]."
    )


@pytest.mark.parametrize("is_ours_longer", [True, False])
def test_a_journal_that_ends_early_differs(is_ours_longer: bool) -> None:
    long, short = _journals(trend_1=[_line(1), _line(2)]), _journals(trend_1=[_line(1)])
    said = first_difference(long, short) if is_ours_longer else first_difference(short, long)
    assert "Decision 2 of trend-1" in said
    assert "nothing more" in said


def test_an_actor_that_one_side_does_not_know_differs_unless_left_out() -> None:
    ours, theirs = _journals(trend_1=[_line(1)], funding=[_line(1)]), _journals(trend_1=[_line(1)])
    assert "funding" in first_difference(ours, theirs)
    assert first_difference(ours, theirs, leave_out=frozenset({"funding"})) == ""


def test_what_lies_at_or_after_the_end_is_not_compared() -> None:
    ours, theirs = _journals(trend_1=[_line(1), _line(2)]), _journals(trend_1=[_line(1)])
    assert first_difference(ours, theirs, 2 * DAY_MS) == ""
    assert first_difference(ours, theirs, 2 * DAY_MS + 1) != ""


def test_versions_of_the_portfolio_are_not_part_of_a_reason() -> None:
    ours, theirs = _journals(trend_1=[_line(1, "portfolio 7: x")]), _journals(trend_1=[_line(1, "portfolio 9: x")])
    assert first_difference(ours, theirs) != ""
    assert first_difference(without_versions(ours), without_versions(theirs)) == ""


def test_memory_and_database_give_the_same_journal_without_component_lines(
    database_url: str,  # noqa: F811
) -> None:
    decision = JournalEntry("BTC", "entry", "FLAT", "LONG", "close above", {})
    recovery = JournalEntry("trend-1", "fail", "RUNNING", "FAILED", "died", {}, is_bookkeeping=True)
    lines = [JournalRow(DAY_MS, "c", "t", note) for note in (decision, recovery, decision)]
    memory, database = MemoryStore(), PostgresStore(database_url)
    for store in (memory, database):
        epoch = store.grant(ActorName.TREND_1, "test")
        store.commit(
            Commit(
                actor=ActorName.TREND_1,
                epoch=epoch,
                number=1,
                market_ms=DAY_MS,
                next_seq=1,
                journal=lines,
            )
        )
    database.close()
    assert from_memory(memory) == from_database(database_url)
    assert from_memory(memory)["trend-1"] == [Line(DAY_MS, "BTC", "entry", "FLAT", "LONG", "close above")] * 2
