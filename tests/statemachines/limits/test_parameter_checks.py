"""The checks that parameter models state as data: each refuses what it is for, and takes what stands at its limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar

import pytest
from pydantic import Field, ValidationError

from statemachines.limits.parameter_checks import MAX_DECIMAL_PLACES, Distinct, Growing, OneOf, Order, in_words
from statemachines.parameters import EngineNames, ParameterModel, SetBy, with_shared
from statemachines.risk.machine import Level
from statemachines.values import ENGINES, ActorName

D = Decimal


class Planted(ParameterModel):
    """One field per check."""

    engines: EngineNames = (ActorName.CORE_HODL,)
    level: Annotated[Level, OneOf((Level.CAUTION, Level.HALTED))] = Level.CAUTION
    names: Annotated[frozenset[str], Distinct()] = frozenset()
    pauses: Annotated[tuple[int, ...], Growing()] = (1, 1, 2)
    least: D = D(1)
    most: D = D(2)
    below: int | None = None
    longest: int = 2
    bound: Annotated[D, Field(le=2), SetBy("elsewhere.bound")] = D(1)

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("least", "at most", "most", "T-1"),
        Order("below", "below", "longest", "T-2"),
        Order("pauses", "at most", "longest", "T-3"),
        Order("bound", "at most", "most", "T-4"),
    )


def refusal(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Planted(**values)  # type: ignore[arg-type]
    return "; ".join(one["msg"].removeprefix("Value error, ") for one in caught.value.errors())


def test_what_stands_at_the_limit_is_taken() -> None:
    made = Planted(engines=ENGINES, least=D(2), below=1, pauses=(2, 2), level=Level.HALTED, names=frozenset("ab"))
    assert made.engines == ENGINES


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"engines": [ActorName.API]}, "not one of the values"),
        ({"engines": []}, "at least 1"),
        ({"engines": ["funding", "funding"]}, "funding stands there twice; each entry may stand once"),
        ({"level": Level.NORMAL}, "not one of the values"),
        ({"names": ["a", "b", "a"]}, "a stands there twice"),
        ({"pauses": [1, 2, 1]}, "1 stands after 2; no entry may be below the one before"),
        ({"least": D("2.1")}, "least 2.1 must be at most most 2 (T-1)"),
        ({"below": 2}, "below 2 must be below longest 2 (T-2)"),
        ({"longest": 1}, "the largest of pauses, 2, must be at most longest 1 (T-3)"),
        ({"least": True}, "a truth value is not allowed here"),
        ({"pauses": [1, True]}, "a truth value is not allowed here"),
        ({"least": D("1e-2000000")}, "it has 2000000 decimal places"),
        ({"least": D("1.00000000000010")}, f"it has 13 decimal places; at most {MAX_DECIMAL_PLACES} are allowed"),
    ],
)
def test_what_breaks_a_check_is_told(values: dict[str, object], told: str) -> None:
    assert told in refusal(**values)


def test_all_contradictions_are_told_at_once() -> None:
    assert refusal(least=D(3), below=2).count("must be") == 2


def test_a_shared_limit_is_checked_when_it_is_given_and_not_before() -> None:
    """`model_copy` took any value; and the default of a field that is set elsewhere is no reason to refuse another."""
    early = Planted(most=D("0.5"), least=D("0.1"))
    assert early.bound == 1
    with pytest.raises(ValueError, match=r"elsewhere\.bound 1 must be at most most 0\.5 \(T-4\)"):
        with_shared(early, lambda _: D(1))
    with pytest.raises(ValueError, match=r"elsewhere\.bound gives bound 3, and that should be less than or equal to 2"):
        with_shared(Planted(most=D(9)), lambda _: D(3))
    assert with_shared(Planted(), lambda _: D(2)).bound == 2
    assert with_shared(early, lambda _: None) is early


def test_a_value_that_follows_from_others_may_have_more_places() -> None:
    assert with_shared(Planted(), lambda _: D(1) / D(3)).bound == D(1) / D(3)


def test_values_are_written_for_people() -> None:
    assert in_words({"BTC": D("0.70"), "ETH": D("1E-7")}) == "BTC 0.70, ETH 0.0000001"
    assert in_words(frozenset({"b", "a"})) == "a, b"
    assert in_words((ActorName.CORE_HODL, None, True, ())) == "core-hodl, nothing, true, nothing"
    assert in_words(D("1e-400")) == "1E-400"
