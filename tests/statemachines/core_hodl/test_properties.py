"""Any sequence of days, outcomes, flows and states keeps CORE-HODL's promises (CH-6, CH-7, CH-8, OR-9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal as D
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.core_hodl.machine import DAY_TABLE, TABLE
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.messages.control import RiskState
from statemachines.messages.orders import Intent
from statemachines.values import DAY_MS, Side
from tests.statemachines.core_hodl.world import ASSETS, CoreWorld, ms_of, world
from tests.statemachines.harness import Outcome

START = ms_of("2021-03-20")
PARAMETERS = CoreHodlParameters(tranches=4, rebalance_days=2)
"""Short plans, so that few days reach every state; the days pass a quarter's end."""

RiskName = Literal["NORMAL", "CAUTION", "REDUCE_ONLY", "HALTED"]


@dataclass(frozen=True)
class Day:
    """What happens on one day: moves of both prices, what orders become, a flow, a risk state, a missing bar."""

    moves: tuple[str, str]
    outcome: str
    ends: str
    flow: tuple[str, str]
    risk: RiskName
    missing: str
    entries: bool
    repeats: bool


def days(count: int) -> st.SearchStrategy[list[Day]]:
    move = st.sampled_from(["1", "1", "1.03", "0.97", "1.02", "0.98", "1.6", "0.7", "2.2", "0.5"])
    day = st.builds(
        Day,
        moves=st.tuples(move, move),
        outcome=st.sampled_from(["fill", "fill", "fill", "fill", "half", "none", "hang", "hang", "deny"]),
        ends=st.sampled_from(["0", "0.3", "1"]),
        flow=st.sampled_from(
            [("", "0")] * 6 + [("USDT", "9000"), ("USDT", "120"), ("USDT", "-4000"), ("BTC", "0.2"), ("ETH", "3")]
        ),
        risk=st.sampled_from(["NORMAL"] * 9 + ["CAUTION", "REDUCE_ONLY", "HALTED"]),
        missing=st.sampled_from([""] * 10 + ["BTC", "ETH"]),
        entries=st.sampled_from([True] * 6 + [False]),
        repeats=st.booleans(),
    )
    return st.lists(day, min_size=count // 2, max_size=count)


OUTCOMES: dict[str, Outcome] = {
    "fill": Outcome(),
    "half": Outcome(share=D("0.5")),
    "none": Outcome(share=D(0)),
    "hang": Outcome(hangs=True),
    "deny": Outcome(denied="size: test"),
}


def play(made: CoreWorld, script: list[Day]) -> None:
    """Live through the script."""
    closes = {"BTC": D(10_000), "ETH": D(1_000)}
    for number, one in enumerate(script):
        day_ms = START + number * DAY_MS
        made.decide = _always(OUTCOMES[one.outcome])
        coin, amount = one.flow
        if coin and (coin != "USDT" or made.cash + D(amount) > 0):
            made.flow(coin, D(amount))
        made.tell(RiskState(scope="GLOBAL", state=one.risk, size_factor=D(1), reason="script"))
        made.settle()
        closes = {a: (closes[a] * D(one.moves[i])).quantize(D("0.01")) for i, a in enumerate(ASSETS)}
        made.run_day(day_ms, closes, missing=[one.missing] if one.missing else [], entries_allowed=one.entries)
        if one.repeats:
            made.tell(made.cycle(day_ms))
            made.settle()
        made.finish(one.ends)


def _always(outcome: Outcome) -> Callable[[Intent], Outcome]:
    return lambda intent: outcome


HELD = {"none": {}, "targets": {"BTC": D("3.8"), "ETH": D(19)}, "too much BTC": {"BTC": D(5), "ETH": D(1)}}
"""With what the engine starts: its 60,000 USDT in cash, at its targets, or far from them."""


def start(held: str, **more: Any) -> CoreWorld:
    coins = dict(HELD[held])
    cash = D(60_000) - coins.get("BTC", D(0)) * 10_000 - coins.get("ETH", D(0)) * 1_000
    return world(cash, PARAMETERS, start="2021-03-20", coins=coins, **more)


class Watch:
    """Looks at the engine's rows after every single call of the engine."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def __call__(self, made: CoreWorld) -> None:
        row: dict[str, Any] = dict(made.rows["ENGINE"].data) if "ENGINE" in made.rows else {}
        if not row:
            return
        self.seen[made.rows["ENGINE"].state] += 1
        plans = row["plans"]
        assert all(D(str(p["cash_usdt"])) >= 0 and p["tranches_left"] >= 0 for p in plans)
        assert D(str(row["small_usdt"])) >= 0
        assert row["build_tranches_left"] is None or 0 <= row["build_tranches_left"] <= PARAMETERS.tranches
        assert made.cash >= 0
        assert all(made.coins.get(a, D(0)) >= 0 for a in ASSETS)
        tables = {table.name: table for table in (TABLE, DAY_TABLE)}
        arrows = {(t.name, r.source.name, r.trigger, r.dest.name) for t in tables.values() for r in t.rows}
        for note in made.notes[-8:]:
            assert note.KIND == "remark" or (note.table, note.source, note.trigger, note.dest) in arrows


@settings(max_examples=60)
@given(days(30), st.sampled_from(sorted(HELD)))
def test_ch6_ch7_ch8_the_limits_never_break_and_no_tranche_is_bought_twice(script: list[Day], held: str) -> None:
    made = start(held)
    watch = Watch()
    made.on_call = watch  # type: ignore[assignment]
    play(made, script)
    for check in made.checks:
        if check.intent.side is Side.BUY:
            assert check.cash_after >= check.buffer, check
            assert check.counted_after <= check.limit, check
    _no_asset_twice_a_day(made)
    _no_fallen_asset_sold(made)
    assert len(made.done()) == len(script) + sum(one.repeats for one in script)
    assert len({one.intent_id for one in made.intents()}) == len(made.intents())


def _no_asset_twice_a_day(made: CoreWorld) -> None:
    """CH-6: per cycle and asset at most one purchase of the first build, and one of each plan."""
    per_cycle: Counter[tuple[int, str, str]] = Counter()
    cycle = 0
    for note in made.notes:
        if note.trigger == "cycle":
            cycle += 1
        elif note.trigger.startswith("buy_") and note.data["purpose"] in ("build", "plan"):
            subject = "build" if note.data["purpose"] == "build" else note.reason.split(" releases")[0]
            per_cycle[cycle, note.trigger, subject.split(": ")[-1]] += 1
    assert not per_cycle or max(per_cycle.values()) == 1


def _no_fallen_asset_sold(made: CoreWorld) -> None:
    """C8, told again from the closes: highs, suspension, and what was sold when."""
    high: dict[str, D] = dict.fromkeys(ASSETS, D(0))
    for placed in made.placed:
        assert placed.filled <= placed.intent.quantity
    suspended = False
    sent = [(ms, body) for ms, body in made.sent if isinstance(body, Intent) and body.side is Side.SELL]
    fallen_at: dict[int, set[str]] = {}
    known: dict[str, D] = {}
    for close_ms, closes in sorted(made.told_closes.items()):
        known |= closes
        for a, close in closes.items():
            high[a] = max(high[a], close)
        falls = {a: 1 - known[a] / high[a] for a in known}
        suspended = any(f > D("0.7") for f in falls.values()) or (
            suspended and any(f > D("0.65") for f in falls.values())
        )
        fallen_at[close_ms] = {a for a, f in falls.items() if suspended and f > D("0.65")}
    for ms, intent in sent:
        assert intent.symbol[:3] not in fallen_at[ms // DAY_MS * DAY_MS], (ms, intent)


@settings(max_examples=25)
@given(days(20), st.sampled_from(sorted(HELD)))
def test_or9_a_restart_between_any_two_steps_gives_the_same_journal(script: list[Day], held: str) -> None:
    plain, restored = start(held), start(held, restarts=True)
    play(plain, script)
    play(restored, script)
    assert restored.noted == plain.noted
    assert restored.sent == plain.sent
    assert restored.rows == plain.rows
