"""`eternal top`: what the screen shows of values that are fresh, old, or not there."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from api.cli.asking.top import STALE_S, Seen, Watch, frame, read
from api.client.errors import UnansweredError
from tests.api.asking.conftest import Line


def shown(seen: Seen, now: float, view: str = "", width: int = 80, height: int = 40, **more: bool) -> str:
    out = Console(file=StringIO(), width=width, height=height, highlight=False, markup=False)
    out.print(frame(seen, now, view, width, height, **more))
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


@pytest.fixture(scope="module")
def seen(line: Line) -> Seen:
    from api.cli.asking.way import Asked, Way

    way = Way(Asked(url=line.place.address, token=line.reader), {})
    found = read(way.operations)
    found.at = 100.0
    return found


@pytest.mark.parametrize(("age", "is_stale"), [(0.0, False), (STALE_S - 0.1, False), (STALE_S, True), (90.0, True)])
def test_values_are_shown_with_their_age_and_old_ones_as_stale(seen: Seen, age: float, is_stale: bool) -> None:
    first = shown(seen, 100.0 + age).splitlines()[0]
    assert first.startswith("STALE: values are") is is_stale
    assert (f"{age:.1f} s old" in first) or is_stale


def test_what_does_not_answer_leaves_the_last_values_on_the_screen_and_says_why(seen: Seen) -> None:
    answers: list[Seen | Exception] = [seen, UnansweredError("nothing listens there"), OSError("the disk")]

    def answer() -> Seen:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    clock = iter([100.0])
    watch = Watch(answer, 1.0, lambda: next(clock))
    watch.look()
    assert watch.seen.trouble == "" and watch.seen.at == 100.0
    for why in ("nothing listens there", "the disk"):
        watch.look()
        text = " ".join(shown(watch.seen, 102.0).split())
        assert "STALE: values are 2 s old" in text and why in text and "trend-1" in text
        assert watch.seen.at == 100.0, "the values are not younger than they are"


def test_before_the_first_answer_there_is_a_sentence_and_no_value() -> None:
    assert "reading" in shown(Seen(), 5.0)
    assert "nothing listens" in shown(Seen(trouble="nothing listens there"), 5.0)


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("view", ["", "orders", "positions", "alerts"])
def test_every_view_fits(seen: Seen, view: str, width: int) -> None:
    text = shown(seen, 100.0, view, width)
    assert all(len(one) <= width for one in text.splitlines())
    assert ("Open orders" in text) is (view in ("", "orders")) and ("Positions" in text) is (view in ("", "positions"))


def test_a_pause_is_said(seen: Seen) -> None:
    assert "PAUSED" in shown(seen, 100.0, is_paused=True)


def test_without_a_terminal_one_picture_is_printed(line: Line) -> None:
    told = line("top")
    assert told.exit_code == 0 and "Eternal Engine" in told.stdout and "q quit" not in told.stdout
    assert json.loads(line("top", "--json").stdout)["overview"]["engines"]
