"""DA-3 and F2 as pure functions: which bar cannot be true, which settlement is due, what is predicted after it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.facts import BarFact, FundingRateFact
from statemachines.market_data.quality import Counters, Defect, close_ms, inconsistency, jump
from statemachines.market_data.settlements import Settlements
from statemachines.requests import Quote
from statemachines.values import DAY_MS, HOUR_MS

DAY = 1_700_000_000_000 // DAY_MS * DAY_MS
BTC = "BTCUSDT"


def bar(**changes: Any) -> BarFact:
    fields: dict[str, Any] = {
        "category": "spot",
        "symbol": BTC,
        "interval": "60",
        "start_ms": DAY,
        **{"open": Decimal(100), "high": Decimal(110), "low": Decimal(90), "close": Decimal(105), "volume": Decimal(1)},
    }
    return BarFact(**{**fields, **changes})


def test_a_bar_is_true_from_the_instant_of_its_close() -> None:
    assert inconsistency(bar(), DAY + HOUR_MS) == ""
    assert "after the current market time" in inconsistency(bar(), DAY + HOUR_MS - 1)
    assert close_ms(bar()) == DAY + HOUR_MS and close_ms(bar(interval="D")) == DAY + DAY_MS


@pytest.mark.parametrize(
    "changes",
    [
        {"interval": "15"},
        {"start_ms": DAY + 1},
        {"interval": "D", "start_ms": DAY + HOUR_MS},
        {"low": Decimal(0)},
        {"low": Decimal("100.1")},
        {"low": Decimal(102), "open": Decimal(103), "close": Decimal(101)},
        {"high": Decimal("104.9")},
        {"high": Decimal(106), "open": Decimal(107)},
        {"volume": Decimal("-0.1")},
    ],
)
def test_a_bar_that_cannot_be_true_is_refused(changes: dict[str, Any]) -> None:
    assert inconsistency(bar(**changes), DAY + 10 * DAY_MS).endswith(".")


def test_a_bar_of_one_price_without_volume_can_be_true() -> None:
    still = bar(open=Decimal(5), high=Decimal(5), low=Decimal(5), close=Decimal(5), volume=Decimal(0))
    assert inconsistency(still, DAY + DAY_MS) == ""


def test_a_jump_is_the_relative_change_in_either_direction() -> None:
    assert jump(bar(), Decimal(100)) == Decimal("0.05")
    assert jump(bar(close=Decimal(95)), Decimal(100)) == Decimal("0.05")
    assert jump(bar(), None) == 0


def test_defects_are_counted_across_lives() -> None:
    counters = Counters()
    counters.add(Defect.GAP, 2)
    counters.add(Defect.GAP)
    counters.add(Defect.OUTLIER, 0)
    assert counters.as_dict() == {"gap": 3}
    later = Counters()
    later.load(counters.as_dict())
    later.add(Defect.OUTLIER)
    assert (later.as_dict(), later.total) == ({"gap": 3, "outlier": 1}, 4)


def quote(at_ms: int, next_ms: int | None, rate: str | None = "0.0003") -> Quote:
    return Quote(
        category="linear",
        symbol=BTC,
        market_ms=at_ms,
        last=Decimal(100),
        bid=Decimal(100),
        ask=Decimal(101),
        next_funding_ms=next_ms,
        predicted_funding_rate=None if rate is None else Decimal(rate),
    )


def settled(at_ms: int, rate: str = "0.0001") -> FundingRateFact:
    return FundingRateFact(symbol=BTC, settle_ms=at_ms, rate=Decimal(rate), interval_min=480)


EIGHT = 8 * HOUR_MS


def test_a_settlement_is_due_at_its_instant_until_it_is_announced() -> None:
    subject = Settlements()
    subject.see(quote(DAY + 1, DAY + EIGHT), DAY)
    assert subject.due(DAY + EIGHT - 1, DAY, (BTC,)) == ()
    assert subject.due(DAY + EIGHT, DAY, (BTC, "ETHUSDT")) == (BTC,)
    subject.see(quote(DAY + EIGHT, DAY + 2 * EIGHT), DAY)
    assert subject.due(DAY + EIGHT, DAY, (BTC,)) == (BTC,), "the ticker has moved on; what is not announced stays due"
    subject.take(settled(DAY + EIGHT))
    assert [one.settle_ms for one in subject.announce(DAY + EIGHT)] == [DAY + EIGHT]
    assert subject.announce(DAY + EIGHT) == [], "each is given out once"
    assert subject.due(DAY + EIGHT, DAY + EIGHT, (BTC,)) == ()
    assert subject.due(DAY + 2 * EIGHT, DAY + EIGHT, (BTC,)) == (BTC,)


def test_an_earlier_settlement_than_the_one_known_is_followed() -> None:
    subject = Settlements()
    subject.see(quote(DAY + 1, DAY + EIGHT), DAY)
    subject.see(quote(DAY + 2, DAY + 4 * HOUR_MS), DAY)
    assert subject.due(DAY + 4 * HOUR_MS, DAY, (BTC,)) == (BTC,)


@pytest.mark.parametrize(
    ("at_ms", "next_ms", "rate", "predicted"),
    [
        (DAY, DAY + EIGHT, "0.0003", "0.0003"),
        (DAY - 1, DAY + EIGHT, "0.0003", "0.0001"),
        (DAY, DAY, "0.0003", "0.0001"),
        (DAY, DAY + EIGHT + 1, "0.0003", "0.0001"),
        (DAY, DAY + EIGHT, None, "0.0001"),
        (DAY, None, "0.0003", "0.0001"),
    ],
)
def test_only_a_quote_of_the_interval_that_begins_with_the_settlement_predicts(
    at_ms: int, next_ms: int | None, rate: str | None, predicted: str
) -> None:
    subject = Settlements()
    subject.see(quote(at_ms, next_ms, rate), DAY - 1)
    subject.take(settled(DAY))
    (told,) = subject.announce(DAY)
    assert told.predicted == {BTC: Decimal(predicted)} and told.rates == {BTC: Decimal("0.0001")}
    assert told.interval_min == {BTC: 480}


def test_a_rate_is_lacking_only_of_a_symbol_that_had_some_and_has_none_by_now() -> None:
    subject = Settlements()
    assert subject.lacking(DAY, (BTC,)) == ()
    subject.load({BTC: "0.0002"})
    assert subject.lacking(DAY, (BTC,)) == (BTC,)
    subject.take(settled(DAY + 1))
    assert subject.lacking(DAY, (BTC,)) == (BTC,), "one of a later settlement is another one"
    subject.take(settled(DAY))
    assert subject.lacking(DAY, (BTC,)) == ()
    subject.announce(DAY)
    assert subject.dump() == {BTC: "0.0001"}
