"""A durable row that is not exactly what its actor wrote stops the start with a sentence; nothing becomes a default.

Rows of a held position whose document was empty or had lost a field were once restored as flat: the position was lost
without a word. The rows are those that a run of 40 synthetic days leaves behind.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from api.logics import logics
from infra.config import EternalConfig
from statemachines.actor_logic import StateRow
from statemachines.conditions import KEY as CONDITIONS_KEY
from statemachines.conditions import Conditions
from statemachines.state_store import UnreadableRowError, restore
from statemachines.values import ActorName
from tests.kit.restoring import restore_logic
from tests.simulation.whole import INSTALLATION, run, synthetic

LOGICS = logics(EternalConfig(), INSTALLATION)


@pytest.fixture(scope="module")
def rows() -> dict[ActorName, dict[str, StateRow]]:
    """All durable rows of every actor at the end of a run."""
    store = run(synthetic(40))[0]
    return {actor: dict(store.load(actor, store.grant(actor, "test")).states) for actor in LOGICS}


def read(actor: ActorName, row: StateRow) -> None:
    """As the durable actor reads it at its start."""
    if row.key == CONDITIONS_KEY:
        restore(actor, Conditions(actor), {row.key: row})
    else:
        restore_logic(LOGICS[actor](), {row.key: row})


def one_of_each(rows: Mapping[ActorName, Mapping[str, StateRow]]) -> Iterator[tuple[ActorName, StateRow]]:
    """The fullest row of each prefix of each actor."""
    for actor, found in rows.items():
        kinds: dict[str, StateRow] = {}
        for key, row in found.items():
            kind = key.partition(":")[0]
            if kind not in kinds or len(json.dumps(kinds[kind].data)) < len(json.dumps(row.data)):
                kinds[kind] = row
        yield from ((actor, row) for row in kinds.values())


def is_map(actor: ActorName, key: str) -> bool:
    """Whether the fields of the row are themselves data (prices by market), so that one less is no other shape."""
    return key == CONDITIONS_KEY or (actor is ActorName.RISK_MANAGER and key in ("prices", "instruments", "unusable"))


def taken(actor: ActorName, row: StateRow) -> bool:
    try:
        read(actor, row)
    except UnreadableRowError as error:
        sentence = str(error)
        assert row.key in sentence and str(actor) in sentence and "\n" not in sentence, sentence
        return False
    return True


def test_every_row_is_read_as_it_was_written(rows: dict[ActorName, dict[str, StateRow]]) -> None:
    assert sum(map(len, rows.values())) > 40
    for actor, found in rows.items():
        own = {key: row for key, row in found.items() if key != CONDITIONS_KEY}
        restore_logic(LOGICS[actor](), own)
        for row in found.values():
            read(actor, row)


def test_a_missing_field_an_unknown_one_and_an_empty_document_are_refused(
    rows: dict[ActorName, dict[str, StateRow]],
) -> None:
    accepted = []
    for actor, row in one_of_each(rows):
        if is_map(actor, row.key):
            continue
        changed: list[tuple[str, Any]] = [
            ("empty", {}),
            ("a list", []),
            ("null", None),
            ("extra", {**row.data, "zzz": 1}),
        ]
        changed += [(f"without {name}", {k: v for k, v in row.data.items() if k != name}) for name in row.data]
        accepted += [f"{actor} {row.key}: {what}" for what, data in changed if taken(actor, row._replace(data=data))]
    assert accepted == []


def test_a_field_of_another_kind_is_refused_or_means_the_same(rows: dict[ActorName, dict[str, StateRow]]) -> None:
    """What is not refused would be written as it was read: free text, or a value that may be null."""
    for actor, row in one_of_each(rows):
        for name in row.data:
            for value in (None, "zzz", {"zzz": 1}, [1]):
                data = {**row.data, name: value}
                if taken(actor, row._replace(data=data)):
                    logic = LOGICS[actor]()
                    restore_logic(logic, {row.key: row._replace(data=data)})
                    written = next(one for one in logic.rows() if one.key == row.key)
                    assert name in logic.dialect.unchecked or json.loads(json.dumps(written.data))[name] == value


def test_a_state_that_is_none_or_not_the_documents_is_refused(rows: dict[ActorName, dict[str, StateRow]]) -> None:
    accepted = [f"{actor} {row.key}" for actor, row in one_of_each(rows) if taken(actor, row._replace(state="BOGUS"))]
    assert accepted == []


def test_a_row_that_is_none_of_the_actors_is_refused(rows: dict[ActorName, dict[str, StateRow]]) -> None:
    """Also a position in an asset that is no longer configured; one that is flat may be left behind."""
    for actor in LOGICS:
        assert not taken(actor, StateRow("nonsense", "", LOGICS[actor]().rows().__iter__().__next__().schema, {})), (
            actor
        )
    idle = next(row for row in rows[ActorName.TREND_1].values() if row.state == "SCANNING")
    assert taken(ActorName.TREND_1, idle._replace(key="SOL", data={**idle.data, "held": "0"}))
    assert not taken(ActorName.TREND_1, idle._replace(key="SOL", data={**idle.data, "held": "0.5"}))
