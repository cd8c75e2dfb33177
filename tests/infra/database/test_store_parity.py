"""The memory store and PostgreSQL give back the same after any sequence of commits (parity of the runtimes)."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.runtime.memory_store import MemoryStore
from infra.database.store import PostgresStore
from statemachines.actor_logic import StateRow
from statemachines.values import ActorName
from tests.kit.rows import Pen, bar, envelope, place, switch

PEERS = ("risk-manager", "trend-1", "orchestrator")
NUMBERS = itertools.count(1)

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
states = st.tuples(st.sampled_from("abc"), texts, st.dictionaries(texts, values, max_size=4))
steps = st.fixed_dictionaries(
    {
        "states": st.lists(states, max_size=3),
        "to": st.lists(st.sets(st.sampled_from(PEERS), min_size=1), max_size=3),
        "acknowledge": st.dictionaries(st.sampled_from(PEERS), st.just(True), max_size=2),
        "cursors": st.dictionaries(st.sampled_from(PEERS), st.integers(0, 2**40), max_size=3),
        "known": st.lists(texts, max_size=3),
        "calls": st.lists(st.sampled_from([None, ActorName.TREND_1, ActorName.FUNDING]), max_size=2),
        "answer": st.booleans(),
        "switch": st.none() | st.tuples(st.sampled_from(["GLOBAL", "trend-1"]), st.sampled_from(["NORMAL", "PAUSED"])),
        "bars": st.lists(st.integers(0, 30), max_size=4),
        "new_life": st.booleans(),
    }
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=st.lists(steps, min_size=1, max_size=6))
def test_any_script_leaves_both_stores_equal(database_url: str, script: list[dict[str, Any]]) -> None:
    postgres = PostgresStore(database_url)
    actor = f"actor-{next(NUMBERS)}"
    try:
        memory = MemoryStore()
        Pen(postgres, "risk").write(facts=[switch("GLOBAL", "NORMAL"), switch("trend-1", "NORMAL")])
        pens = [Pen(memory, actor), Pen(postgres, actor)]
        sequence, symbol = 0, actor
        for number, step in enumerate(script):
            if step["new_life"]:
                pens = [Pen(pen.store, actor) for pen in pens]
            loaded = pens[0].store.load(actor, pens[0].epoch)
            messages = []
            for to in step["to"]:
                sequence += 1
                messages.append(envelope(sequence, *sorted(to), actor=actor))
            parts: dict[str, Any] = {
                "market_ms": number,
                "next_seq": sequence + 1,
                "states": list({key: StateRow(key, text, 1, data) for key, text, data in step["states"]}.values()),
                "outbox": messages,
                "acknowledged": {n: loaded.last_sent[n] for n in step["acknowledge"] if n in loaded.last_sent},
                "cursors": step["cursors"],
                "known": step["known"],
                "calls": [place(f"{actor}:{number}:{n}", gate) for n, gate in enumerate(step["calls"])],
                "answered": [row.call.key for row in loaded.pending] if step["answer"] else [],
                "facts": [bar(hour, str(Decimal(hour) + number), symbol) for hour in step["bars"]]
                + ([switch(*step["switch"])] if step["switch"] else []),
            }
            first, second = (pen.write(**parts) for pen in pens)
            assert first == second
            assert pens[0].store.load(actor, pens[0].epoch) == pens[1].store.load(actor, pens[1].epoch)
            known = step["known"] + ["never seen"]
            assert memory.is_known(actor, known) == postgres.is_known(actor, known)
        bars = [pen.store.closed_bars("spot", symbol, "60", 2**40, 20) for pen in pens]
        assert bars[0] == bars[1]
    finally:
        postgres.close()
