"""Keys and JSON types of the exchange's answers against recorded payloads of Bybit (documentation examples)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.played import REST, STREAMS, Played
from tests.shared import shared_path

ALREADY_SO = {"position-switch-mode": 110025}
NOTHING_TO_SHOW = {"announcements-index", "system-status", "account-set-margin-mode", "position-switch-mode"}
"""Nothing is announced, under maintenance, or wrong with an account; the position mode is fixed."""

# Keys of an example that only its own case has, or that are about the exchange's own account of fees in MNT.
NOT_OURS = {
    "result.list[].cumFeeDetail.MNT",
    "data[].cumFeeDetail.MNT",
    "data[].extraFees[]",
    "data[].extraFees[].feeCoin",
    "data[].extraFees[].feeType",
    "data[].extraFees[].subFeeType",
    "data[].extraFees[].feeRate",
    "data[].extraFees[].fee",
    "result.list[].freezeDetails[]",
    "result.list[].freezeDetails[].amount",
    "result.list[].freezeDetails[].description",
    "result.availableWithdrawalMap.BTC",
    "result.availableWithdrawalMap.ETH",
    "result.availableWithdrawalMap.SOL",
    "result.availableWithdrawalMap.XRP",
}


def _paths(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}
    if isinstance(value, dict):
        yield at, "object"
        for key, one in value.items():
            yield from _paths(one, f"{at}.{key}" if at else key)
    elif isinstance(value, list):
        yield at, "array"
        for one in value:
            yield from _paths(one, f"{at}[]")
    else:
        yield at, kinds[type(value)]


def _compare(name: str, ours: dict[str, Any]) -> None:
    folder, _, file = name.partition("/")
    recorded = shared_path("bybit", "recorded")
    schema = json.loads((recorded / "SCHEMA.json").read_text())[folder]
    example_file = recorded / folder / f"{file}.json" if file else next((recorded / folder).glob("docs-*.json"))
    example = dict(_paths(json.loads(example_file.read_text())))
    paths = list(_paths(ours))
    missing = {path for path in example if path not in dict(paths)} - NOT_OURS
    # Which permissions a key has is its own affair: an empty list is of the right type.
    missing = {path for path in missing if not path.startswith("result.permissions.")}
    assert not missing, f"keys of {example_file.name} that are missing: {sorted(missing)}"
    wrong = {
        (path, kind, tuple(schema[path]))
        for path, kind in paths
        if path in schema and kind not in schema[path] and not (kind == "integer" and "number" in schema[path])
    }
    assert not wrong, f"types that differ from the recorded ones: {sorted(wrong)}"


@pytest.mark.parametrize("name", REST)
def test_answers_have_the_recorded_keys_and_types(name: str, played: Played) -> None:
    answer = played.rest[name]
    assert answer["retCode"] == ALREADY_SO.get(name, 0), answer
    if name not in NOTHING_TO_SHOW:
        _compare(name, answer)


@pytest.mark.parametrize("name", STREAMS)
def test_frames_have_the_recorded_keys_and_types(name: str, played: Played) -> None:
    _compare(name, played.frames[STREAMS[name]])
