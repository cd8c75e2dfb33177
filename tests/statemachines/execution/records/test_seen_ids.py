"""EX-2, OR-6: the ids that were taken, in a ring whose size may change from one start to the next (RM-6)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.actor_logic import StateRow
from statemachines.execution.parameters import OrderParameters
from statemachines.execution.records.seen_ids import SeenIds
from statemachines.messages.orders import Fill, IntentEnded
from statemachines.values import Account
from tests.kit.restoring import restore_logic
from tests.statemachines.execution.rig import Rig

PREFIX = "executions:TREND-1:"


class Kept:
    """A ring and its durable rows; `restart` is a new incarnation, perhaps with a ring of another size."""

    def __init__(self, buckets: int, per_bucket: int) -> None:
        self.ring = SeenIds("executions", Account.TREND_1, buckets, per_bucket)
        self.rows: dict[str, StateRow] = {}
        self.count = 0

    def add(self, number: int) -> None:
        for _ in range(number):
            self.count += 1
            self.ring.add(f"e{self.count}", self.count)
            self.rows |= {row.key: row for row in self.ring.dirty()}

    def restart(self, buckets: int, per_bucket: int) -> None:
        self.ring = SeenIds("executions", Account.TREND_1, buckets, per_bucket)
        for key, row in self.rows.items():
            self.ring.restore(int(key.removeprefix(PREFIX)), row.data)

    def known(self) -> set[int]:
        return {number for number in range(1, self.count + 1) if f"e{number}" in self.ring}


def test_ex2_the_oldest_bucket_is_discarded_and_its_time_kept() -> None:
    kept = Kept(buckets=2, per_bucket=3)
    kept.add(7)
    assert kept.known() == {4, 5, 6, 7} and kept.ring.horizon_ms == 3


def test_an_id_that_must_stay_is_carried_over_until_it_may_go() -> None:
    stays = {"e1", "e2", "e4"}
    ring = SeenIds("executions", Account.TREND_1, 2, 2, lambda fact_id, _time_ms: fact_id in stays)
    for number in range(1, 20):
        ring.add(f"e{number}", number)
        assert all(name in ring for name in stays if int(name[1:]) <= number)
    assert ring.horizon_ms < 19 and "e19" in ring and "e3" not in ring
    stays.clear()
    for number in range(20, 30):
        ring.add(f"e{number}", number)
    assert "e1" not in ring and sum(len(row.data["ids"]) for row in ring.rows()) <= 4


@pytest.mark.parametrize(("before", "after"), [(4, 2), (2, 4), (4, 1), (1, 4), (3, 3)])
def test_rm6_a_ring_of_another_size_begins_with_what_is_kept(before: int, after: int) -> None:
    kept = Kept(before, 2)
    kept.add(21)
    held = kept.known()
    kept.restart(after, 2)
    assert kept.known() == held, "nothing is lost by the restart itself"
    kept.add(20)
    assert kept.known() == set(range(43 - 2 * after, 42)), "the newest bucket has one of two"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6), st.integers(1, 4)), min_size=1, max_size=8),
)
def test_rm6_whatever_the_sizes_the_newest_ids_are_known_and_every_other_is_before_the_horizon(
    steps: list[tuple[int, int, int]],
) -> None:
    kept = Kept(3, 2)
    for number, buckets, per_bucket in steps:
        kept.restart(buckets, per_bucket)
        assert {row.key: row for row in kept.ring.rows()}.keys() == kept.rows.keys()
        kept.add(number)
        known = kept.known()
        assert known == set(range(kept.count - len(known) + 1, kept.count + 1)), "the newest, without a gap"
        assert kept.ring.horizon_ms >= kept.count - len(known)
        filled = [row for row in kept.rows.values() if row.data["ids"]]
        assert len(known) == sum(len(row.data["ids"]) for row in filled)
        if number > per_bucket:  # a bucket was begun under this size
            assert len(filled) <= buckets


@pytest.mark.parametrize(
    "size",
    [{"seen_buckets": 1}, {"seen_buckets": 9}, {"seen_per_bucket": 1}, {"recent_orders": 1}, {"recent_transfers": 1}],
)
def test_rm6_the_settings_can_be_changed_after_the_first_run(size: dict[str, int]) -> None:
    """The rows of a run under another size were none of this version's, or read otherwise than they were written: the
    next start stopped, and a running system refused the policy."""
    rig = Rig(parameters=OrderParameters(seen_buckets=3, seen_per_bucket=2)).start()
    for number in range(1, 12):
        rig.approve(number)
        rig.settle()
    rig.parameters = rig.parameters.model_copy(update=size)
    rig.logic = type(rig.logic)("abc123", rig.parameters)
    restore_logic(rig.logic, rig.rows)
    rig.crash()
    rig.settle()
    rig.approve(12)
    rig.settle()
    assert len(rig.bodies(Fill)) == 12 and len(rig.bodies(IntentEnded)) == 12 and not rig.repeated
    assert rig.book(Account.TREND_1).wallet("USDT") == D(rig.exchange.wallets[Account.TREND_1]["USDT"])
