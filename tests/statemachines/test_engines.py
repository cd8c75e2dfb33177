"""The engines' identities: one statement per engine, from which names, accounts and codes follow."""

from __future__ import annotations

import pytest

from statemachines import engines
from statemachines.engines import EngineIdentity, discovered


def identity(key: str = "NEW_1", code: str = "n1", order: int = 90) -> EngineIdentity:
    return EngineIdentity(key=key, code=code, order=order, universe=frozenset({"spot:BTCUSDT"}))


def test_the_engines_of_the_specification_are_found_in_their_order() -> None:
    assert [(engine.name, engine.account, engine.code) for engine in discovered()] == [
        ("core-hodl", "CORE-HODL", "ch"),
        ("trend-1", "TREND-1", "t1"),
        ("trend-2", "TREND-2", "t2"),
        ("funding", "FUNDING", "fu"),
        ("tactical", "TACTICAL", "ta"),
    ]


def test_who_trades_perpetuals_follows_from_the_universe() -> None:
    assert [engine.key for engine in discovered() if engine.trades_perpetuals] == ["TREND_1", "TREND_2", "FUNDING"]


@pytest.mark.parametrize("key", ["trend-1", "TREND 1", "", "_TREND"])
def test_a_key_of_another_form_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"is not allowed; it must be like TREND_1"):
        identity(key=key)


def test_a_code_has_two_characters() -> None:
    with pytest.raises(ValueError, match=r"code 'abc' of NEW_1 is not allowed; it must be two characters"):
        identity(code="abc")


@pytest.mark.parametrize(
    ("other", "what"),
    [(identity(key="NEW_2"), "code 'n1'"), (identity(code="n2"), "key 'NEW_1'")],
)
def test_two_engines_share_neither_key_nor_code(
    monkeypatch: pytest.MonkeyPatch, other: EngineIdentity, what: str
) -> None:
    monkeypatch.setattr(engines, "_identities", lambda: iter((identity(), other)))
    with pytest.raises(ValueError, match=rf"{what} is used by two engines; each engine needs its own"):
        discovered()
