"""FUNDING gives capital (OR-2, OR-4): free cash first, then whole pairs, the lowest priority first (FU-1)."""

from __future__ import annotations

import pytest

from statemachines.messages.accounts import CapitalFreed
from statemachines.values import ActorName
from tests.kit.capital import RELEASE, free, moved
from tests.statemachines.funding.synthetic import GOOD, D, Market
from tests.statemachines.harness import Outcome

FUNDING = ActorName.FUNDING
ALL = ("BTC", "ETH", "SOL")


def opened(**more: object) -> Market:
    market = Market(**more)  # type: ignore[arg-type]
    market.open(*ALL)
    assert [market.state(asset) for asset in ALL] == ["FUNDING_COLLECTION"] * 3
    return market


def ask(market: Market, amount: str, least: str = "0") -> None:
    market.world.tell(free(FUNDING, amount, least))
    market.world.settle()


def answers(market: Market) -> list[D]:
    return [body.freed_usdt for body in market.world.bodies(CapitalFreed)]


def test_or2_free_cash_is_given_and_the_pairs_stay() -> None:
    market = opened()
    ask(market, "6000")
    assert answers(market) == [D(6_000)]
    assert [market.state(asset) for asset in ALL] == ["FUNDING_COLLECTION"] * 3


@pytest.mark.parametrize("restarts", [False, True])
def test_or2_fu1_pairs_are_closed_from_the_lowest_priority_on(restarts: bool) -> None:
    """15,000 with 750 in each pair: what SOL binds is not enough, with ETH it is; BTC stays."""
    market = opened(restarts=restarts)
    ask(market, "13000")
    market.hour()
    assert [market.state(asset) for asset in ALL] == ["FUNDING_COLLECTION", "MONITORING", "MONITORING"]
    assert answers(market) == [D(13_000)]
    assert "not free" in market.intents("exit")[0].reason


def test_or2_more_than_there_is_closes_all_pairs_and_gives_what_is_there() -> None:
    market = opened()
    ask(market, "20000")
    market.hour()
    assert [market.state(asset) for asset in ALL] == ["MONITORING"] * 3
    (given,) = answers(market)
    assert given == pytest.approx(market.world.cash - D(market.world.rows["ENGINE"].data["owed_usdt"]), abs=D("0.0001"))


def test_fu5_what_is_owed_to_tactical_is_not_given() -> None:
    market = opened()
    market.period(BTC=GOOD, ETH=GOOD, SOL=GOOD)
    owed = D(market.world.rows["ENGINE"].data["owed_usdt"])
    ask(market, "20000")
    market.hour()
    (given,) = answers(market)
    assert owed > 0 and market.world.cash - given == pytest.approx(owed, abs=D("0.0001"))


def test_fu7_no_pair_is_entered_with_what_is_kept_aside() -> None:
    """All but 300 is to leave: a pair is at most 5 % of what stays, also before the money has left."""
    market = Market()
    ask(market, "14700")
    market.open("BTC")
    (bought,) = [intent for intent in market.intents("entry") if intent.category == "spot"]
    assert bought.quantity * 10_000 <= D(15)
    market.world.cash -= 14_700
    market.world.tell(moved(FUNDING, "14700"), market.world.portfolio())
    assert market.world.rows["RELEASES"].data["kept"] == {}


def test_or2_the_end_of_the_day_answers_with_what_is_free_by_then() -> None:
    """The exits hang at the exchange: the day ends before they do."""
    market = opened(decide=lambda intent: Outcome(hangs=intent.purpose == "exit"))
    ask(market, "20000")
    assert answers(market) == []
    while not answers(market):
        market.hour()
    assert market.now_ms % 86_400_000 == 0 and 0 < answers(market)[0] < 15_000
    assert list(market.world.rows["RELEASES"].data["kept"]) == [RELEASE]


def test_o7_less_than_the_least_is_given_as_nothing() -> None:
    market = opened()
    ask(market, "20000", "19000")
    market.hour()
    assert answers(market) == [0]
