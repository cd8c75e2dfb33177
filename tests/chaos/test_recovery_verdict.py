"""The judge of `make recovery`."""

from __future__ import annotations

from tests.chaos.recovery import LIMIT_S, verdict


def test_one_recovery_beyond_the_limit_fails_and_names_its_part() -> None:
    lines, is_within = verdict({"engine": [1.0, 2.0], "database": [3.0, LIMIT_S + 0.1]}, LIMIT_S)
    assert not is_within
    assert lines == [
        "engine             2 trials: median   1.5 s, worst   2.0 s",
        "database           2 trials: median   6.5 s, worst  10.1 s: longer than 10 s",
    ]
    assert verdict({"engine": [1.0, 2.0]}, LIMIT_S)[1]
