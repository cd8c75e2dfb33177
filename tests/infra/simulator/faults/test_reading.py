"""Faults and scenarios are read from data of strangers: what is wrong is one sentence with field, value and bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.simulator.faults.catalogue import CATALOGUE
from infra.simulator.faults.reading import FaultError, fault_of
from infra.simulator.faults.scenario import SHIPPED, find, read_data, read_scenario, shipped

FAULT: dict[str, Any] = {"kind": "latency"}
STEP: dict[str, Any] = {"at_s": 1, "fault": FAULT}
SCENARIO: dict[str, Any] = {"name": "mine", "teaches": "what happens when answers are slow", "step": [STEP]}


def step(**changed: Any) -> dict[str, Any]:
    return {**SCENARIO, "step": [{**STEP, **changed}]}


@pytest.mark.parametrize("kind", CATALOGUE)
def test_every_fault_is_made_from_its_kind_alone_and_survives_being_written(kind: str) -> None:
    made = fault_of({"kind": kind})
    assert type(made) is CATALOGUE[kind]
    assert fault_of(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (step(fault={"kind": "latency", "delay_ms": -1}), "step 1: fault latency: delay_ms is -1; it must be greater"),
        (step(fault={"kind": "laten"}), "fault.kind is 'laten'; it must be one of latency, lost-request"),
        (step(fault="latency"), "fault is 'latency'; it must be an object"),
        (step(fault={"kind": "latency", "until": 3}), "until is no field of it; allowed are kind, probability"),
        (step(fault={"kind": "refusal", "probability": 2}), "probability is 2; it must be less than or equal to 1"),
        (step(at_s=None), "exactly one of at_s and at must be given."),
        (step(at_s="soon"), "step 1: at_s is 'soon'; it must be a valid number"),
        (step(times=3), "times above 1 needs every_s."),
        (step(times=3, every_s=5), "for_s must be given and at most every_s"),
        ({**SCENARIO, "step": 5}, "mine.toml: step is 5; it must be a list of [[step]] tables."),
        ({**SCENARIO, "step": {}}, "mine.toml: step is {}; it must be a list of [[step]] tables."),
        ({**SCENARIO, "step": [5]}, "mine.toml: step 1: it is 5; it must be a table."),
        (step(for_s=True), "step 1: for_s is True; it must not be a boolean."),
        ({**SCENARIO, "step": []}, "step is []; it must have at least 1 item"),
        ({**SCENARIO, "name": "Two words"}, "name is 'Two words'; it must match pattern"),
        ({"name": "mine"}, "teaches is missing; it is required."),
    ],
)
def test_bad_input_is_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(FaultError) as raised:
        read_data(data, "mine.toml: ")
    assert str(raised.value).startswith("mine.toml: ") and sentence in str(raised.value)
    assert "\n" not in str(raised.value) and str(raised.value).endswith(".")


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="cannot be read: No such file"):
        find(str(tmp_path / "none.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("[[step]\n")
    with pytest.raises(FaultError, match="is no TOML file"):
        read_scenario(broken)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
        (".".join(["a"] * 3_000) + " = 1", ""),
        ("[[step]]\nat_s = " + "9" * 5_000, "too many digits"),
        ("[[step]]\nfault.kind = 'latency'\nat_s = 0x" + "f" * 5_000, ""),
        ("[[step]]\nat_s = 1\nfault = 0x" + "f" * 5_000, "a value too large to show"),
        ("[[step]]\nat_s = 1\nfault.kind." + ".".join(["a"] * 3_000) + " = 1", ""),
    ],
    ids=["nested", "dotted", "digits", "hex seconds", "hex fault", "dotted kind"],
)
def test_a_hostile_file_is_refused_in_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "hostile.toml"
    path.write_text(text)
    with pytest.raises(FaultError) as refused:
        find(str(path))
    assert sentence in str(refused.value) and "hostile.toml" in str(refused.value)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 1_000


@pytest.mark.parametrize("name", ["x" * 5_000, "x" * 5_000 + ".toml", "a\nb", "a\x00b", "a\x00b.toml"])
def test_a_name_that_no_file_can_have_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(FaultError) as refused:
        find(name)
    assert len(str(refused.value)) < 1_000 and "\n" not in str(refused.value)


def test_an_unknown_name_is_answered_with_the_list() -> None:
    with pytest.raises(FaultError, match=r"'lost-answer'.*one of: auto-deleveraging, .*, withdrawal-suspension"):
        find("lost-answer")
    with pytest.raises(FaultError, match="--scenario is ''; it must be a scenario file"):
        find("")
    with pytest.raises(FaultError, match=r"--scenario is '\.'; it must be a scenario file"):
        find(".")


def test_every_shipped_scenario_is_named_as_its_file_and_every_fault_is_in_one_of_them() -> None:
    assert len(shipped()) >= 16
    assert {path.stem for path in SHIPPED.glob("*.toml")} == set(shipped())
    assert {step.fault.kind for one in shipped().values() for step in one.step} == set(CATALOGUE)


def test_times_are_stretched_and_repeated() -> None:
    made = read_data(step(for_s=10, every_s=60, times=2))
    first, second = made.occurrences(1_000_000, stretch=60)
    assert (first.begin_ms, first.end_ms) == (1_060_000, 1_660_000)
    assert second.begin_ms - first.begin_ms == 3_600_000
    at = read_data(step(at_s=None, at="2026-01-01T00:00:00"))
    assert at.occurrences(1_000_000)[0].begin_ms == 1_767_225_600_000
