"""The lease on PostgreSQL: the common suite, and what only a real database can do (OR-8, ADR 0006)."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from actors.runtime.ports import FencedError, LeaseHeldError, LeaseRegister, Store
from infra.database.lease import PostgresLease
from infra.database.store import PostgresStore
from statemachines.values import ActorName
from tests.actors.runtime.lease_suite import LONG_S, ONE, OTHER, LeaseSuite, OpenBoth
from tests.kit.rows import ACTOR


@pytest.fixture
def open_both(database_url: str) -> Iterator[OpenBoth]:
    opened: list[PostgresLease | PostgresStore] = []

    def make() -> tuple[LeaseRegister, Store]:
        lease, store = PostgresLease(database_url), PostgresStore(database_url)
        opened.extend((lease, store))
        return lease, store

    yield make
    for one in opened:
        one.close()


class TestPostgresLease(LeaseSuite):
    pass


def test_a_grant_under_way_waits_for_a_claim_under_way_and_is_refused(open_both: OpenBoth, database_url: str) -> None:
    """It read the lease before the claim was committed: without the row's lock both would have had their way."""
    register, store = open_both()
    register.claim(ONE, LONG_S)
    epoch = register.succeed(ONE.run, LONG_S)
    given = store.grant(ACTOR, "old", epoch)
    failures: list[Exception] = []

    def grant() -> None:
        try:
            store.grant(ACTOR, "old", epoch)
        except FencedError as error:
            failures.append(error)

    with psycopg.connect(database_url) as claiming:
        claiming.execute("UPDATE leases SET run = 'another', epoch = 0")
        granting = threading.Thread(target=grant)
        granting.start()
        granting.join(0.5)
        assert granting.is_alive(), "it waits for the claim"
        claiming.commit()
    granting.join(10.0)
    assert len(failures) == 1
    assert store.holds(ACTOR, given)


def test_of_many_that_claim_at_once_one_gets_it(open_both: OpenBoth) -> None:
    start, won = threading.Barrier(8), list[str]()

    def claim(number: int) -> None:
        register, _ = open_both()
        claimant = type(ONE)(f"run-{number}", f"place-{number}", f"host {number}")
        start.wait(10.0)
        try:
            register.claim(claimant, LONG_S)
        except LeaseHeldError:
            return
        won.append(claimant.run)

    threads = [threading.Thread(target=claim, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20.0)
    assert len(won) == 1


def test_looking_changes_nothing_and_does_without_the_table(open_both: OpenBoth, database_url: str) -> None:
    """It is asked before a database is migrated that another system may be working on."""
    register, _ = open_both()
    looking = PostgresLease(database_url)
    looking.look(OTHER, LONG_S)
    register.claim(ONE, LONG_S)
    epoch = register.succeed(ONE.run, LONG_S)
    with pytest.raises(LeaseHeldError, match="the first host"):
        looking.look(OTHER, LONG_S)
    register.renew(epoch, LONG_S)
    with psycopg.connect(database_url) as owner:
        row = owner.execute("SELECT run, epoch FROM leases").fetchone()
        assert row == (ONE.run, epoch)
        assert owner.execute("SELECT epoch FROM actors WHERE actor = %s", (ActorName.ORCHESTRATOR,)).fetchone() == (
            epoch,
        )
        owner.execute("DROP TABLE leases")
        owner.commit()
        looking.look(OTHER, LONG_S)
    looking.close()
