"""A database belongs to one profile, one exchange and its accounts, and refuses others."""

from __future__ import annotations

import re

import pytest

from infra.database.connection import connect
from infra.database.installation import WrongDatabaseError, bind
from infra.database.registers import Heartbeats, record_configuration

UIDS = {"MASTER": "24000000", "TREND-1": "24000002"}


def test_the_installation_id_is_random_short_and_stays(database_url: str) -> None:
    """EX-5: it begins every order id, so it must never change and needs six plain characters."""
    first = bind(database_url, "paper", "sim-1", UIDS)
    assert re.fullmatch("[0-9a-z]{6}", first.installation_id)
    assert bind(database_url, "paper", "sim-1", UIDS) == first


def test_the_same_owner_may_come_again(database_url: str) -> None:
    first = bind(database_url, "paper", "sim-1", UIDS)
    assert bind(database_url, "paper", "sim-1", dict(reversed(UIDS.items()))) == first


def test_another_owner_is_refused_with_every_difference(database_url: str) -> None:
    """Elsewhere a dry run and live trading shared a database (LESSONS: freqtrade #5334). Refusing to start is right."""
    bind(database_url, "paper", "sim-1", UIDS)
    with pytest.raises(WrongDatabaseError) as caught:
        bind(database_url, "live", "bybit", {"MASTER": "1", "FUNDING": "2"})
    text = str(caught.value)
    for part in ("'paper'", "'live'", "'sim-1'", "'bybit'", "MASTER has UID 24000000", "FUNDING has UID none"):
        assert part in text
    assert bind(database_url, "paper", "sim-1", UIDS).profile == "paper"


def test_a_configuration_is_kept_once_per_change(database_url: str) -> None:
    """DA-5, RM-6: versioned, with who and why."""
    assert record_configuration(database_url, {"trend": {"adx": "25"}}, "start", "first start") == 1
    assert record_configuration(database_url, {"trend": {"adx": "25"}}, "start", "restart") == 1
    assert record_configuration(database_url, {"trend": {"adx": "20"}}, "operator", "tuning") == 2
    assert record_configuration(database_url, {"trend": {"adx": "25"}}, "operator", "back") == 3


def test_the_newest_sign_of_life_replaces_the_one_before(database_url: str) -> None:
    beats = Heartbeats(database_url)
    assert beats.beat("trend-1", "RUNNING", 5)
    assert beats.beat("trend-1", "FAULTED", 6, {"error": "a sentence"})
    beats.close()
    with connect(database_url, "test") as connection:
        rows = connection.execute("SELECT component, state, market_ms, detail FROM heartbeats").fetchall()
    assert rows == [("trend-1", "FAULTED", 6, {"error": "a sentence"})]


def test_a_sign_of_life_to_a_lost_database_is_answered_false() -> None:
    assert Heartbeats("postgresql://nobody@127.0.0.1:1/none").beat("trend-1", "RUNNING", 5) is False
