"""What every `ports.LeaseRegister` must do with the store that belongs to it: one suite for memory and PostgreSQL.

A test class inherits `LeaseSuite` and provides the fixture `open_both`: a function that opens another handle on the
same register and the same store, in which nothing has been claimed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.runtime.ports import Claimant, FencedError, LeaseHeldError, LeaseRegister, Store
from statemachines.actor_logic import StateRow
from statemachines.values import ActorName
from tests.kit.rows import ACTOR, Pen
from tests.waiting import until

OpenBoth = Callable[[], tuple[LeaseRegister, Store]]

LONG_S = 60.0
SHORT_S = 0.2
ONE = Claimant("run-1", "place-1", "the first host, data folder /one, process 1")
AGAIN = Claimant("run-2", "place-1", "the first host, data folder /one, process 2")
OTHER = Claimant("run-3", "place-3", "the second host, data folder /two, process 3")


class LeaseSuite:
    """Inherit and provide `open_both`."""

    def test_of_two_runs_one_has_the_lease_and_the_other_is_told_who(self, open_both: OpenBoth) -> None:
        register, _ = open_both()
        register.claim(ONE, LONG_S)
        with pytest.raises(LeaseHeldError, match="the first host, data folder /one") as refused:
            open_both()[0].claim(OTHER, LONG_S)
        assert "60 s" in str(refused.value) and refused.value.lease_s == LONG_S
        register.claim(ONE, LONG_S)  # renewed

    def test_an_orchestrator_succeeds_within_its_run_only(self, open_both: OpenBoth) -> None:
        register, store = open_both()
        with pytest.raises(LeaseHeldError):
            register.succeed(ONE.run, LONG_S)  # its launch has not claimed it
        register.claim(ONE, LONG_S)
        with pytest.raises(LeaseHeldError):
            register.succeed(OTHER.run, LONG_S)
        epoch = register.succeed(ONE.run, LONG_S)
        assert store.holds(ActorName.ORCHESTRATOR, epoch)

    def test_the_newer_orchestrator_of_a_run_has_it_and_the_older_one_gets_nothing(self, open_both: OpenBoth) -> None:
        """Ray restarts an orchestrator whose node it takes for dead; the node comes back, and there are two."""
        register, store = open_both()
        register.claim(ONE, LONG_S)
        old = register.succeed(ONE.run, LONG_S)
        given = store.grant(ACTOR, "old", old)
        new = register.succeed(ONE.run, LONG_S)
        with pytest.raises(FencedError):
            register.renew(old, LONG_S)
        with pytest.raises(FencedError):
            store.grant(ACTOR, "old", old)
        assert store.holds(ACTOR, given), "a refused grant must not fence the living actor"
        register.renew(new, LONG_S)
        assert store.grant(ACTOR, "new", new) == given + 1

    def test_a_lease_that_is_not_renewed_is_taken_over_and_all_actors_of_the_old_run_are_fenced(
        self, open_both: OpenBoth
    ) -> None:
        register, store = open_both()
        register.claim(ONE, SHORT_S)
        old = register.succeed(ONE.run, SHORT_S)
        pen = Pen(store, ACTOR, store.grant(ACTOR, "old", old))
        pen.write(states=[StateRow("a", "1", 1, {})])
        until(lambda: _claims(open_both()[0], OTHER))
        for act in (lambda: register.renew(old, SHORT_S), lambda: store.grant(ACTOR, "old", old)):
            with pytest.raises(FencedError):
                act()
        with pytest.raises(LeaseHeldError):
            register.succeed(ONE.run, SHORT_S)
        with pytest.raises(LeaseHeldError):
            register.claim(ONE, SHORT_S)
        with pytest.raises(FencedError):
            pen.write(states=[StateRow("a", "2", 1, {})])
        assert not store.holds(ACTOR, pen.epoch)

    def test_a_lease_whose_time_is_over_is_still_renewed_while_nobody_else_has_claimed_it(
        self, open_both: OpenBoth
    ) -> None:
        """A machine under load renews late; that alone must not end a system."""
        register, _ = open_both()
        register.claim(ONE, 0.0)
        epoch = register.succeed(ONE.run, 0.0)
        register.renew(epoch, LONG_S)
        with pytest.raises(LeaseHeldError):
            open_both()[0].claim(OTHER, LONG_S)

    def test_the_next_run_on_the_same_data_folder_need_not_wait(self, open_both: OpenBoth) -> None:
        """The lock on the folder shows that the earlier launch is gone, whatever it renewed before it was killed."""
        register, store = open_both()
        register.claim(ONE, LONG_S)
        old = register.succeed(ONE.run, LONG_S)
        given = store.grant(ACTOR, "old", old)
        open_both()[0].claim(AGAIN, LONG_S)
        assert not store.holds(ACTOR, given)
        with pytest.raises(FencedError):
            register.renew(old, LONG_S)
        with pytest.raises(LeaseHeldError):
            register.succeed(ONE.run, LONG_S)

    def test_a_released_lease_is_free_at_once_and_only_its_holder_releases_it(self, open_both: OpenBoth) -> None:
        register, _ = open_both()
        register.claim(ONE, LONG_S)
        register.release(OTHER.run)
        with pytest.raises(LeaseHeldError):
            register.claim(OTHER, LONG_S)
        register.release(ONE.run)
        register.claim(OTHER, LONG_S)


def _claims(register: LeaseRegister, claimant: Claimant) -> bool:
    try:
        register.claim(claimant, LONG_S)
    except LeaseHeldError:
        return False
    return True
