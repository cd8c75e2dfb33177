"""Capital that an engine is to give: asked once, answered once, kept aside until its transfers have ended (OR-6)."""

from __future__ import annotations

from decimal import Decimal as D

from hypothesis import given
from hypothesis import strategies as st

from statemachines.portfolio.release import LEAST_USDT, Releases
from statemachines.values import ActorName
from tests.kit.capital import RELEASE, free, moved

CORE = ActorName.CORE_HODL
MONEY = st.decimals(min_value=0, max_value=100_000, places=6)


@given(MONEY, MONEY, MONEY)
def test_what_is_reported_free_is_kept_aside_and_at_most_what_was_asked_for(wanted: D, there: D, least: D) -> None:
    asked = Releases().asked(free(CORE, wanted, str(least)), 0)
    releases, body = asked.answered(CORE, there, "as it is")
    assert body is not None and releases.open is None
    assert body.freed_usdt == releases.aside_usdt <= min(wanted, there)
    assert body.freed_usdt == 0 or body.freed_usdt >= max(least, LEAST_USDT)


@given(st.lists(st.tuples(st.decimals(0, 500, places=4), st.booleans()), max_size=6))
def test_every_end_of_a_transfer_lowers_what_is_kept_aside_and_never_below_0(parts: list[tuple[D, bool]]) -> None:
    releases, _ = Releases().asked(free(CORE, 1_000), 0).answered(CORE, D(1_000), "as it is")
    for amount, succeeded in parts:
        after = releases.transferred(moved(CORE, amount, succeeded=succeeded))
        assert 0 <= after.aside_usdt <= releases.aside_usdt
        releases = after


def test_a_question_is_taken_once_and_another_ones_transfers_change_nothing() -> None:
    asked = Releases().asked(free(CORE, 100), 0)
    assert asked.asked(free(CORE, 900), 0) is asked
    answered, _ = asked.answered(CORE, D(100), "as it is")
    assert answered.asked(free(CORE, 100), 0) is answered
    assert answered.answered(CORE, D(100), "again") == (answered, None)
    assert answered.transferred(moved(CORE, 50, release_id=f"{RELEASE}-2")) is answered


def test_two_releases_are_kept_aside_together() -> None:
    """The first one's transfers wait for a NORMAL state of risk while the next day asks again."""
    first, _ = Releases().asked(free(CORE, 100), 0).answered(CORE, D(100), "")
    both, _ = first.asked(free(CORE, 70, release_id="other"), 0).answered(CORE, D(60), "")
    assert both.aside_usdt == 160 and both.claimed_usdt == 160
    assert both.transferred(moved(CORE, 100)).kept == {"other": D(60)}
