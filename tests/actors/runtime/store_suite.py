"""What every `ports.Store` must do: one suite for the memory store and for PostgreSQL (DESIGN 1, DA-5).

A test class inherits `StoreSuite` and provides the fixture `open_store`: a function that opens another handle on
the same durable rows, which are empty at the test's begin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

import pytest

from actors.runtime.ports import ExchangeCallRow, FencedError, JournalRow, Store
from statemachines.actor_logic import StateRow
from statemachines.commands import JournalEntry
from statemachines.requests import (
    CancelOrder,
    LookUpOrder,
    ReadAccount,
    ReadBars,
    TransferFunds,
)
from statemachines.values import HOUR_MS, Account, ActorName
from tests.kit.rows import ACTOR, Pen, bar, carried_out, envelope, held, place, row, switch

OpenStore = Callable[[], Store]


def keys(rows: Sequence[ExchangeCallRow]) -> list[str]:
    return [found.call.key for found in rows]


class StoreSuite:
    """Inherit and provide `open_store`."""

    # --- epochs ---

    def test_an_unknown_actor_begins_empty(self, open_store: OpenStore) -> None:
        store = open_store()
        epoch = store.grant(ACTOR, "test")
        loaded = store.load(ACTOR, epoch)
        assert (loaded.number, loaded.market_ms, loaded.next_seq) == (0, 0, 1)
        assert (loaded.states, loaded.cursors, loaded.acknowledged, loaded.last_sent) == ({}, {}, {}, {})
        assert (list(loaded.outbox), list(loaded.pending)) == ([], [])

    def test_every_grant_raises_the_epoch_and_fences_the_older_ones(self, open_store: OpenStore) -> None:
        first, second = open_store(), open_store()
        old = first.grant(ACTOR, "one")
        new = second.grant(ACTOR, "two")
        assert new > old
        assert second.holds(ACTOR, new)
        assert not first.holds(ACTOR, old)
        with pytest.raises(FencedError):
            first.load(ACTOR, old)

    def test_a_commit_that_had_landed_may_be_repeated_and_tells_the_same(self, open_store: OpenStore) -> None:
        """Its outcome was lost on the way: the memory store took the repetition for another incarnation's commit."""
        Pen(open_store(), "risk-manager").write(facts=[switch("trend-1", "PAUSED")])
        pen = Pen(open_store())
        commit = pen.make(states=[StateRow("a", "1", 1, {})], calls=[place("one", ActorName.TREND_1)])
        assert pen.store.commit(commit) == {"one"}
        Pen(open_store(), "risk-manager").write(facts=[switch("trend-1", "NORMAL")])
        assert pen.store.commit(commit) == {"one"}, "what was blocked the first time"
        assert pen.store.load(ACTOR, pen.epoch).number == 1
        Pen(open_store())
        with pytest.raises(FencedError):
            pen.store.commit(commit)

    def test_epochs_of_different_actors_do_not_touch_each_other(self, open_store: OpenStore) -> None:
        store = open_store()
        one = Pen(store, "trend-1")
        Pen(store, "trend-2").write(states=[StateRow("BTC", "FLAT", 1, {})])
        one.write(states=[StateRow("BTC", "LONG", 1, {})])
        assert store.load("trend-1", one.epoch).states["BTC"].state == "LONG"

    def test_a_stale_twin_cannot_commit_and_leaves_nothing_behind(self, open_store: OpenStore) -> None:
        stale = Pen(open_store())
        stale.write(states=[StateRow("a", "OLD", 1, {})])
        fresh = Pen(open_store())
        with pytest.raises(FencedError):
            stale.write(
                states=[StateRow("a", "STALE", 1, {}), StateRow("b", "STALE", 1, {})],
                known=["x"],
                outbox=[envelope(1, "risk-manager")],
                calls=[place("stale")],
                facts=[bar(1)],
                cursors={"risk-manager": 9},
            )
        store = fresh.store
        loaded = store.load(ACTOR, fresh.epoch)
        assert loaded.states == {"a": StateRow("a", "OLD", 1, {})}
        assert (list(loaded.outbox), list(loaded.pending), loaded.cursors) == ([], [], {})
        assert store.is_known(ACTOR, ["x"]) == frozenset()
        assert list(store.closed_bars("spot", "BTCUSDT", "60", 10 * HOUR_MS, 10)) == []
        fresh.write(states=[StateRow("a", "NEW", 1, {})])

    def test_a_stale_twin_is_fenced_also_when_the_new_one_stands_at_the_same_number(
        self, open_store: OpenStore
    ) -> None:
        """An equal commit number is no evidence that a commit has landed: the epoch must be equal too."""
        stale = Pen(open_store())
        stale.write(states=[StateRow("a", "OLD", 1, {})])
        fresh = Pen(open_store())
        fresh.write(states=[StateRow("a", "NEW", 1, {})])
        assert fresh.number == stale.number + 1, "the stale one's next commit bears the number that is there now"
        with pytest.raises(FencedError):
            stale.write(states=[StateRow("a", "STALE", 1, {})])
        assert fresh.store.load(ACTOR, fresh.epoch).states == {"a": StateRow("a", "NEW", 1, {})}

    @pytest.mark.parametrize("skip", [-1, 1, 5])
    def test_a_commit_with_a_wrong_number_is_refused(self, open_store: OpenStore, skip: int) -> None:
        pen = Pen(open_store())
        for _ in range(3):
            pen.write()
        pen.number += skip if skip > 0 else skip - 1
        with pytest.raises(FencedError):
            pen.write(states=[StateRow("a", "WRONG", 1, {})])
        assert pen.store.load(ACTOR, pen.epoch).states == {}

    # --- what comes back ---

    def test_a_commit_comes_back_as_it_was_written(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        data = {"zebra": "1.50", "ape": {"b": 1, "a": [1.25, None]}, "1": True}
        note = JournalEntry("BTC", "bar", "FLAT", "LONG", "close 58,420.0 above SMA200", {"close": Decimal("58420.0")})
        pen.write(
            market_ms=77_000,
            next_seq=3,
            states=[StateRow("BTC", "LONG", 2, data), StateRow("ETH", "FLAT", 1, {})],
            cursors={"market-data": 12, "risk-manager": 4},
            outbox=[envelope(1, "risk-manager"), envelope(2, "trend-1", "risk-manager")],
            journal=[JournalRow(77_000, "market-data:12", "bar:1", note)],
            calls=[place("one", ActorName.TREND_1)],
        )
        loaded = open_store().load(ACTOR, pen.epoch)
        assert (loaded.number, loaded.market_ms, loaded.next_seq) == (1, 77_000, 3)
        assert loaded.states["BTC"] == StateRow("BTC", "LONG", 2, data)
        assert list(loaded.states["BTC"].data) == list(data), "the order of the keys is part of the state"
        assert loaded.cursors == {"market-data": 12, "risk-manager": 4}
        assert list(loaded.outbox) == [envelope(1, "risk-manager"), envelope(2, "trend-1", "risk-manager")]
        assert list(loaded.pending) == [place("one", ActorName.TREND_1)]

    def test_newer_states_and_cursors_replace_older_ones_and_leave_the_others(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        pen.write(states=[StateRow("a", "1", 1, {}), StateRow("b", "1", 1, {})], cursors={"x": 1, "y": 1})
        pen.write(states=[StateRow("a", "2", 1, {"n": 2})], cursors={"x": 5})
        pen.write()
        loaded = pen.store.load(ACTOR, pen.epoch)
        assert {key: row.state for key, row in loaded.states.items()} == {"a": "2", "b": "1"}
        assert loaded.cursors == {"x": 5, "y": 1}
        assert loaded.number == 3

    def test_a_new_incarnation_goes_on_from_the_old_ones_commit(self, open_store: OpenStore) -> None:
        old = Pen(open_store())
        old.write(states=[StateRow("a", "1", 1, {})])
        new = Pen(open_store())
        assert new.number == 1
        new.write(states=[StateRow("a", "2", 1, {})])
        assert new.store.load(ACTOR, new.epoch).states["a"].state == "2"

    def test_natural_ids_are_remembered_per_actor(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        pen.write(known=["execution:1", "execution:2"])
        pen.write(known=["execution:2", "execution:3"])
        store = open_store()
        assert store.is_known(ACTOR, ["execution:1", "execution:3", "execution:4"]) == {"execution:1", "execution:3"}
        assert store.is_known("trend-1", ["execution:1"]) == frozenset()
        assert store.is_known(ACTOR, []) == frozenset()

    # --- outbox ---

    def test_only_what_somebody_has_not_acknowledged_is_sent_again(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        pen.write(outbox=[envelope(1, "a"), envelope(2, "a", "b"), envelope(3, "b"), envelope(4, "a")])
        pen.write(acknowledged={"a": 2})
        loaded = open_store().load(ACTOR, pen.epoch)
        assert [w["seq"] for w in loaded.outbox] == [2, 3, 4]
        assert loaded.acknowledged == {"a": 2}
        assert loaded.last_sent == {"a": 4, "b": 3}
        pen.write(acknowledged={"b": 3})
        assert [w["seq"] for w in pen.store.load(ACTOR, pen.epoch).outbox] == [4]
        pen.write(acknowledged={"a": 4})
        loaded = pen.store.load(ACTOR, pen.epoch)
        assert list(loaded.outbox) == []
        assert loaded.last_sent == {"a": 4, "b": 3}, "the chain of sequences outlives the messages"

    def test_messages_and_acknowledgements_of_one_commit_work_together(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        pen.write(outbox=[envelope(1, "a")])
        pen.write(outbox=[envelope(2, "a")], acknowledged={"a": 1})
        assert [w["seq"] for w in pen.store.load(ACTOR, pen.epoch).outbox] == [2]

    # --- requests and switches ---

    def test_requests_stay_pending_until_answered_in_the_order_they_were_asked(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        transfer = TransferFunds(
            transfer_id="7f0c6f6e-0000-4000-8000-000000000001",
            coin="USDT",
            amount=Decimal("1500.000000"),
            from_account=Account.FUNDING,
            to_account=Account.TACTICAL,
        )
        asked = [
            row("z", CancelOrder(client_order_id="z", category="spot", symbol="ETHUSDT")),
            row("a", transfer, delay_s=1.5),
            row("m", LookUpOrder(client_order_id="m", category="spot", symbol="ETHUSDT")),
        ]
        later = [
            row("c", ReadAccount(executions_since_ms=5)),
            row("b", ReadBars(category="spot", symbol="ETHUSDT", interval="60", from_ms=0, until_ms=9)),
        ]
        pen.write(calls=asked)
        pen.write(calls=later)
        assert list(open_store().load(ACTOR, pen.epoch).pending) == asked + later
        pen.write(answered=["a", "c"])
        assert keys(pen.store.load(ACTOR, pen.epoch).pending) == ["z", "m", "b"]

    @pytest.mark.parametrize("state", ["PAUSED", "REDUCE_ONLY", "HALTED"])
    @pytest.mark.parametrize("scope", ["GLOBAL", "trend-1"])
    def test_a_switch_blocks_gated_requests(
        self, open_store: OpenStore, scope: str, state: Literal["PAUSED", "REDUCE_ONLY", "HALTED"]
    ) -> None:
        """RM-2, RM-5: global switches and the engine's own; never requests that reduce risk (no gate)."""
        Pen(open_store(), "risk-manager").write(facts=[switch(scope, state)])
        pen = Pen(open_store())
        blocked = pen.write(
            calls=[place("free"), place("one", ActorName.TREND_1), place("two", ActorName.TREND_2)],
        )
        assert blocked == ({"one", "two"} if scope == "GLOBAL" else {"one"})

    def test_a_blocked_request_stays_pending_until_its_answer_is_recorded(self, open_store: OpenStore) -> None:
        Pen(open_store(), "risk-manager").write(facts=[switch("GLOBAL", "HALTED")])
        pen = Pen(open_store())
        assert pen.write(calls=[place("one", ActorName.TREND_1)]) == {"one"}
        assert keys(pen.store.load(ACTOR, pen.epoch).pending) == ["one"]
        pen.write(answered=["one"])
        assert keys(pen.store.load(ACTOR, pen.epoch).pending) == []

    @pytest.mark.parametrize("state", ["NORMAL", "CAUTION"])
    def test_calm_states_block_nothing(self, open_store: OpenStore, state: Literal["NORMAL", "CAUTION"]) -> None:
        risk = Pen(open_store(), "risk-manager")
        risk.write(facts=[switch("GLOBAL", "HALTED"), switch("trend-1", "PAUSED")])
        risk.write(facts=[switch("GLOBAL", state), switch("trend-1", "NORMAL")])
        assert Pen(open_store()).write(calls=[place("one", ActorName.TREND_1)]) == frozenset()

    def test_the_newest_of_two_turns_in_one_commit_is_in_force(self, open_store: OpenStore) -> None:
        risk = Pen(open_store(), "risk-manager")
        risk.write(facts=[switch("GLOBAL", "HALTED"), switch("GLOBAL", "NORMAL")])
        assert Pen(open_store()).write(calls=[place("one", ActorName.TREND_1)]) == frozenset()

    def test_a_switch_turned_in_the_same_commit_counts(self, open_store: OpenStore) -> None:
        pen = Pen(open_store())
        assert pen.write(facts=[switch("GLOBAL", "PAUSED")], calls=[place("one", ActorName.FUNDING)]) == {"one"}

    # --- bars ---

    # --- the fence before each write ---

    @pytest.mark.parametrize(
        ("scope", "state", "refuses"),
        [
            ("GLOBAL", "HALTED", True),
            ("trend-1", "HALTED", True),
            ("trend-1", "PAUSED", True),
            ("trend-1", "REDUCE_ONLY", True),
            ("trend-1", "CAUTION", False),
            ("trend-1", "NORMAL", False),
            ("trend-2", "HALTED", False),
        ],
    )
    def test_rm5_the_fence_names_the_switch_that_forbids_a_request_that_was_durable_before_it(
        self,
        open_store: OpenStore,
        scope: str,
        state: Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED", "PAUSED"],
        refuses: bool,
    ) -> None:
        pen = Pen(open_store())
        assert pen.write(calls=[place("one", ActorName.TREND_1)]) == frozenset()
        assert pen.store.fence(ACTOR, pen.epoch, ("trend-1",)).refusal("trend-1") is None
        Pen(open_store(), "risk-manager").write(facts=[switch(scope, state)])
        fence = pen.store.fence(ACTOR, pen.epoch, ("trend-1",))
        assert fence.is_held
        why = fence.refusal("trend-1")
        assert (why is not None) is refuses and (why is None or f"{scope} is {state}" in why)
        assert fence.refusal(None) is None, "what reduces risk always passes"
        assert pen.store.fence(ACTOR, pen.epoch).switches == {}, "without a gate no switch is read"

    def test_a_stale_epoch_is_not_held_whatever_is_asked(self, open_store: OpenStore) -> None:
        old = Pen(open_store())
        Pen(open_store())
        assert not old.store.fence(ACTOR, old.epoch).is_held
        assert not old.store.fence(ACTOR, old.epoch, ("trend-1", "funding")).is_held
        assert not old.store.fence("nobody", 1, ("trend-1",)).is_held

    def test_rm5_a_held_command_is_in_force_until_the_risk_manager_has_carried_it_out(
        self, open_store: OpenStore
    ) -> None:
        """Accepted by the orchestrator while the risk manager was away; its own switch row says NORMAL meanwhile."""
        pen, risk = Pen(open_store()), Pen(open_store(), "risk-manager")
        risk.write(facts=[switch("trend-1", "NORMAL")])
        Pen(open_store(), "orchestrator").write(facts=[held("c-1", "trend-1", "HALTED")])
        assert pen.write(calls=[place("one", ActorName.TREND_1)]) == {"one"}
        assert pen.store.fence(ACTOR, pen.epoch, ("trend-1",)).switches == {"trend-1": "HALTED"}
        assert pen.write(calls=[place("two", ActorName.TREND_2)]) == frozenset()
        risk.write(facts=[carried_out("c-2"), switch("trend-1", "NORMAL")])
        assert pen.write(calls=[place("three", ActorName.TREND_1)]) == {"three"}, "another command was carried out"
        risk.write(facts=[carried_out("c-1"), switch("trend-1", "NORMAL")])
        assert pen.write(calls=[place("four", ActorName.TREND_1)]) == frozenset()
        assert pen.store.fence(ACTOR, pen.epoch, ("trend-1",)).switches == {}

    def test_the_newest_closed_bars_come_oldest_first(self, open_store: OpenStore) -> None:
        pen = Pen(open_store(), "market-data")
        pen.write(facts=[bar(3), bar(1), bar(2, symbol="ETHUSDT")])
        pen.write(facts=[bar(2), bar(5), bar(4)])
        store = open_store()
        found = store.closed_bars("spot", "BTCUSDT", "60", 4 * HOUR_MS, 3)
        assert list(found) == [bar(2), bar(3), bar(4)]
        assert list(store.closed_bars("linear", "BTCUSDT", "60", 4 * HOUR_MS, 3)) == []
        assert len(store.closed_bars("spot", "BTCUSDT", "60", 9 * HOUR_MS, 100)) == 5

    def test_a_bar_is_written_once_and_never_changed(self, open_store: OpenStore) -> None:
        pen = Pen(open_store(), "market-data")
        pen.write(facts=[bar(1, "100.5")])
        pen.write(facts=[bar(1, "777")])
        (found,) = pen.store.closed_bars("spot", "BTCUSDT", "60", HOUR_MS, 5)
        assert found.close == Decimal("100.5")
