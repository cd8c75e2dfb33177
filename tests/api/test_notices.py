"""What the live table shows of the guard: resolved things leave it."""

from __future__ import annotations

from api.launch.notices import MOST, SHOWN_S, Notices


def test_what_is_over_leaves_and_what_lasts_stays() -> None:
    """ "The database server had died; it runs again." stood in the live table until the end of the run."""
    wall = [0.0]
    notices = Notices(lambda: wall[0])
    notices.say("The database server had died; it runs again.")
    notices.begin("ray", "Ray is gone; Ray is started anew.")
    wall[0] = SHOWN_S - 1
    assert notices.shown() == ["The database server had died; it runs again.", "Ray is gone; Ray is started anew."]
    wall[0] = SHOWN_S
    assert notices.shown() == ["Ray is gone; Ray is started anew."]
    notices.end("ray")
    notices.end("ray")
    assert notices.shown() == []


def test_no_more_than_the_newest_are_kept() -> None:
    notices = Notices(lambda: 0.0)
    for number in range(MOST + 3):
        notices.say(str(number))
    assert notices.shown() == [str(number) for number in range(3, MOST + 3)]
