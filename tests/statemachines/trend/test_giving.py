"""TREND gives capital (OR-2, OR-4, O4): free margin first, the rest by reducing positions pro rata."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.actor_logic import StateRow
from statemachines.messages.accounts import BalancesKnown, CapitalFreed
from statemachines.trend.engine import DIALECT, with_capital
from statemachines.trend.giving import free_usdt, reduction, required_usdt
from statemachines.trend.parameters import TREND_1
from statemachines.values import DAY_MS, ActorName, Side
from tests.kit.capital import RELEASE, free, moved
from tests.statemachines.trend.bars import BTC, ETH, next_day
from tests.statemachines.trend.test_engine import UP, in_position, intents
from tests.statemachines.trend.venue import Venue, as_schema_3

TREND = ActorName.TREND_1
NOW = 21 * DAY_MS + 1


def answers(venue: Venue) -> list[D]:
    return [body.freed_usdt for body in venue.bodies(CapitalFreed)]


def ask(venue: Venue, amount: D | int) -> None:
    venue.tell(free(TREND, amount), NOW)
    venue.settle(NOW)


def equity(venue: Venue) -> D:
    return venue.valued_at({("linear", symbol): close for symbol, close in venue.closes.items()})


def required(venue: Venue) -> D:
    return required_usdt([abs(q) * venue.closes[s] for s, (q, _) in venue.positions.items()], TREND_1)


def test_o4_free_margin_moves_first_and_positions_are_left_alone() -> None:
    venue = in_position()
    before = dict(venue.positions)
    amount = (equity(venue) - required(venue)) / 2
    ask(venue, amount.quantize(D("0.01")))
    assert answers(venue) == [amount.quantize(D("0.01"))]
    assert venue.positions == before and not intents(venue, "trim")


@pytest.mark.parametrize("restarts", [False, True])
def test_o4_the_rest_by_reducing_the_positions_whose_stops_follow(restarts: bool) -> None:
    """Half of the margin that the position requires is asked for beyond what is free: half of it is sold."""
    venue = in_position()
    venue.restarts = restarts
    held = venue.short_or_long(BTC)
    amount = (equity(venue) - required(venue) / 2).quantize(D("0.01"))
    ask(venue, amount)
    (cut,) = intents(venue, "trim")
    assert cut.side is Side.SELL and cut.reduce_only and cut.style == "market" and "O4" in cut.reason
    assert venue.short_or_long(BTC) == pytest.approx(held / 2, abs=D("0.001"))
    assert [quantity for _, _, quantity in venue.stops.values()] == [venue.short_or_long(BTC)]
    (freed,) = answers(venue)
    assert freed == pytest.approx(amount, rel=D("0.01")) and freed <= amount
    assert equity(venue) - freed >= required(venue), "what remains still carries the position (TR-9)"


def test_o4_what_is_not_ours_requires_margin_and_does_not_hold_up_the_answer() -> None:
    """The portfolio never showed what the engine compared with: the answer came with the next day only."""
    venue = in_position()
    quantity, price = venue.positions[BTC]
    venue.positions[BTC] = (quantity + D("0.5"), price)
    venue.tell(BalancesKnown(account=venue.account, coins={}, positions=dict(venue.positions)), NOW)
    venue.portfolio(NOW)
    ask(venue, 100)
    assert answers(venue) == [100] and not intents(venue, "trim")


def test_o4_all_of_it_closes_the_position() -> None:
    venue = in_position()
    ask(venue, equity(venue) * 2)
    assert venue.positions == {} and venue.state("BTC") == "SCANNING"
    assert answers(venue) == [pytest.approx(venue.cash, abs=D("0.0001"))]
    assert answers(venue)[0] <= venue.cash


def test_t7_entries_are_sized_without_what_is_kept_aside() -> None:
    """A new entry on the day after risks 1 % of the capital that stays."""
    plain, giving = in_position(), in_position()
    ask(giving, equity(giving) * 2)
    for venue in (plain, giving):
        next_day(venue, UP * 1.01, 1000)
    assert plain.positions and giving.positions == {}, "all of its capital is on its way out"


def test_or6_after_its_transfers_nothing_is_kept_aside() -> None:
    venue = in_position()
    ask(venue, 100)
    assert venue.rows["RELEASES"].data["kept"] == {RELEASE: "100"}
    venue.tell(moved(TREND, "70"), NOW)
    venue.tell(moved(TREND, "30", succeeded=False), NOW)
    assert venue.rows["RELEASES"].data["kept"] == {}


def test_tr13_a_reduction_that_is_not_filled_does_not_make_the_episode_cut_again() -> None:
    venue = in_position()
    venue.fills = lambda intent, price: []
    before = venue.trade("BTC")["halved_in"]
    ask(venue, (equity(venue) - required(venue) / 2).quantize(D("0.01")))
    assert venue.trade("BTC")["halved_in"] == before and venue.trade("BTC")["cut"] is None
    (freed,) = answers(venue)
    assert freed == pytest.approx(equity(venue) - required(venue), abs=D("0.001"))


NOTIONALS = st.lists(st.decimals(min_value=0, max_value=50_000, places=2), max_size=2)
MONEY = st.decimals(min_value=1, max_value=100_000, places=2)


@given(NOTIONALS, MONEY, MONEY, MONEY)
def test_o4_what_is_freed_leaves_what_the_reduced_positions_require(
    notionals: list[D], own: D, cash: D, amount: D
) -> None:
    """Pure: after the reduction the part that may leave covers the amount, or there is no position left."""
    part = reduction(amount, own, cash, notionals, TREND_1)
    assert 0 <= part <= 1
    assert (part == 0) == (free_usdt(own, cash, notionals, TREND_1) >= amount or not any(notionals))
    after = free_usdt(own, cash, [one * (1 - part) for one in notionals], TREND_1)
    assert min(amount, own, cash) - D("1e-6") <= after <= min(own, cash)


def test_rows_of_schema_1_are_read_back() -> None:
    """Version 1 stored no wallet balance and no reductions of its own; the balance is then unknown, never 0."""
    venue = in_position()
    for key, row in venue.rows.items():
        if key == "RELEASES":
            continue
        row = as_schema_3(row)
        old = {name: value for name, value in row.data.items() if name not in ("cash_usdt", "cut_gives")}
        found = with_capital(StateRow(key, row.state, 1, old))
        expected = {**row.data, "cash_usdt": None} if key == "portfolio" else row.data
        assert (found.schema, dict(found.data)) == (2, dict(expected))
    known = {key: as_schema_3(row) for key, row in venue.rows.items() if key != "RELEASES"}
    rows = {k: r._replace(schema=1, data={n: v for n, v in r.data.items() if n not in ("cash_usdt", "cut_gives")})
            for k, r in known.items()}  # fmt: skip
    assert DIALECT.read("trend-1", rows)["portfolio"].data["cash_usdt"] is None


def test_a_question_before_the_wallet_is_known_is_answered_with_nothing() -> None:
    venue = in_position()
    venue.rows["portfolio"] = venue.rows["portfolio"]._replace(data={**venue.rows["portfolio"].data, "cash_usdt": None})
    venue.restart()
    ask(venue, 100)
    assert answers(venue) == [0] and ETH not in venue.positions
