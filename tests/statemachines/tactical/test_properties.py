"""TACTICAL under any sequence of closes, feeds and fates of orders: what always holds (TA-1, TA-5, TA-9, OR-9)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.messages.market import FeedFrame
from statemachines.messages.orders import Intent
from statemachines.values import DAY_MS, Side
from tests.statemachines.harness import Outcome, risk_state
from tests.statemachines.tactical.synthetic import Market

D = Decimal

outcomes = st.sampled_from(
    [Outcome()] * 5 + [Outcome(share=D("0.4")), Outcome(share=D(0)), Outcome(denied="no"), Outcome(hangs=True)]
)


@dataclass(frozen=True)
class Spell:
    """Some days at one price, in a risk state that rules or the operator have set."""

    close: int
    days: int
    fear: int
    inflow: int
    risk: str


spells = st.builds(
    Spell,
    close=st.sampled_from([2_000, 2_900, 3_100, 4_900, 5_100, 7_900, 9_000, 10_500, 12_000, 21_000]),
    days=st.sampled_from([1, 1, 2, 15, 31]),
    fear=st.sampled_from([10, 50, 50]),
    inflow=st.sampled_from([0, 0, 0, 3_000]),
    risk=st.sampled_from(["NORMAL"] * 4 + ["REDUCE_ONLY", "PAUSED", "HALTED"]),
)


def run(plan: list[Spell], fates: list[Outcome], restarts: bool) -> Market:
    left = iter(fates)
    more: dict[str, Any] = {"restarts": restarts, "decide": lambda intent: next(left, Outcome())}
    market = Market(**more)
    for spell in plan:
        market.world.cash += spell.inflow
        market.world.tell(risk_state(spell.risk))
        for _ in range(spell.days):
            before = market.world.cash, len(market.deployed())
            market.eth = D(spell.close) / 20
            feed: FeedFrame = market.fear(spell.fear)
            market.close(spell.close, feed)
            if len(market.deployed()) > before[1]:
                assert spell.risk == "NORMAL", "RM-2: no new risk"
                check_size(market, before[0])
            market.world.complete_transfers()
    market.world.advance_to(market.world.now_ms + DAY_MS // 2)
    return market


def check_size(market: Market, cash: Decimal) -> None:
    """TA-5: at most half of the cash in one event, level 2 apart; never more than there is."""
    trigger, amount = market.deployed()[-1], market.amounts()[-1]
    assert amount <= cash
    if trigger != "TA-1 level 2":
        assert amount <= cash / 2


@settings(max_examples=60)
@given(plan=st.lists(spells, min_size=1, max_size=8), fates=st.lists(outcomes, max_size=12))
def test_never_twice_for_one_trigger(plan: list[Spell], fates: list[Outcome]) -> None:
    """TA-1, TA-5, TA-9, A2, A4: deployments that bought are 30 days apart, a level fires once per high, level 2 after
    level 1; cash is never negative; every cycle is answered."""
    market = run(plan, fates, restarts=False)
    bought: list[tuple[int, str]] = []
    levels: set[str] = set()
    pending: dict[str, tuple[int, str]] = {}
    filled = {placed.intent.intent_id for placed in market.world.placed if placed.filled > 0}
    assert market.world.cash >= 0
    for _, note in market.world.noted:
        if note.trigger == "new_high":
            levels.clear()
        elif note.trigger == "deploy":
            trigger = str(note.data["trigger"])
            assert trigger not in levels
            assert trigger != "TA-1 level 2" or "TA-1 level 1" in levels
            pending[note.machine] = (int(note.data["day_ms"]), trigger)
            if "level" in trigger:
                levels.add(trigger)
            bought.append(pending[note.machine])
        elif note.trigger == "nothing_bought":
            entry = pending.pop(note.machine)
            bought.remove(entry)
            levels.discard(entry[1])
    assert all(later[0] - earlier[0] >= 30 * DAY_MS for earlier, later in pairwise(bought))
    buys = [b for _, b in market.world.sent if isinstance(b, Intent) and b.side is Side.BUY]
    assert bool(filled & {one.intent_id for one in buys}) == bool(bought)
    days = sum(spell.days for spell in plan)
    assert len(market.cycles_done()) == days


@settings(max_examples=20)
@given(plan=st.lists(spells, min_size=1, max_size=5), fates=st.lists(outcomes, max_size=10))
def test_a_restore_after_every_call_gives_the_same_journal(plan: list[Spell], fates: list[Outcome]) -> None:
    """DA-5, OR-9: state rows hold everything that matters."""
    through, restored = run(plan, fates, restarts=False), run(plan, fates, restarts=True)
    assert restored.world.noted == through.world.noted
    assert restored.world.sent == through.world.sent
    assert restored.world.rows == through.world.rows
