"""The judges of `make drill-cluster`: each names what is wrong, and a drill without Redis says what to install."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from tests.chaos.cluster.__main__ import MISSING, main
from tests.chaos.cluster.at_the_exchange import Record, differences, plain
from tests.chaos.cluster.two_systems import Picture, changes

ONE = ("TREND-1", "e-1", "abc123t17-1", "0.4")
TWO = ("TREND-1", "e-2", "abc123t17-1", "0.2")


def test_the_same_executions_and_open_orders_are_no_difference() -> None:
    same = Record(Counter([ONE, TWO]), Counter(["abc123t18-1"]))
    assert differences(same, same) == []
    assert plain("0.400") == "0.4" and plain("10") == "10"


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        (Record(Counter([ONE]), Counter()), Record(Counter([ONE, TWO]), Counter()), "which is not on record"),
        (Record(Counter([ONE, TWO]), Counter()), Record(Counter([ONE]), Counter()), "the exchange has none"),
        (Record(Counter([ONE, ONE]), Counter()), Record(Counter([ONE]), Counter()), "is on record 2 times"),
        (Record(Counter([ONE]), Counter()), Record(Counter([ONE, ONE]), Counter()), "2 times"),
        (Record(Counter([ONE]), Counter()), Record(Counter([(*ONE[:3], "0.8")]), Counter()), "which is not on record"),
        (Record(Counter(), Counter(["a"])), Record(Counter(), Counter()), "order a is open on record only"),
        (Record(Counter(), Counter()), Record(Counter(), Counter(["a"])), "order a is open at the exchange only"),
    ],
)
def test_what_is_lost_doubled_or_different_is_named(ours: Record, theirs: Record, named: str) -> None:
    assert any(named in sentence for sentence in differences(ours, theirs))


BEFORE = Picture({"orchestrator": 3, "order-manager": 2}, "run-1", 1, "0007")


@pytest.mark.parametrize(
    ("after", "named"),
    [
        (BEFORE._replace(epochs={"orchestrator": 3, "order-manager": 3}), "order-manager had epoch 2, now it has 3"),
        (BEFORE._replace(epochs={**BEFORE.epochs, "trend-1": 1}), "trend-1 had epoch None"),
        (BEFORE._replace(run="run-2"), "the lease was of run run-1"),
        (BEFORE._replace(configurations=2), "there were 1 configurations, now there are 2"),
        (BEFORE._replace(revision="0008"), "was migrated"),
    ],
)
def test_whatever_the_second_system_changes_is_named(after: Picture, named: str) -> None:
    assert changes(BEFORE, BEFORE) == []
    assert any(named in sentence for sentence in changes(BEFORE, after))


def test_without_redis_the_drill_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    monkeypatch.setattr("sys.argv", ["tests.chaos.cluster"])
    assert main() == MISSING
    assert "apt-get install redis-server" in capsys.readouterr().out
