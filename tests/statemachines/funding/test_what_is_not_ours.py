"""OR-9, FU-4: what somebody else brings into FUNDING's account is set aside: never sold, never hedged, never closed."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.funding.pair import shared_out
from statemachines.messages.accounts import BalancesKnown
from statemachines.values import LINEAR, SPOT, Account, Side
from tests.statemachines.funding.synthetic import Market
from tests.statemachines.funding.test_faults import DENIED, first_times, grown_lot, is_perp
from tests.statemachines.harness import Outcome

D = Decimal
CHANGES = st.integers(-5, 5).map(D)


def tell(market: Market) -> None:
    """The order manager reports the account's new state."""
    world = market.world
    held = {symbol: position for symbol, position in world.positions.items() if position[0]}
    coins = {**world.coins, "USDT": world.cash}
    world.tell(BalancesKnown(account=Account.FUNDING, coins=coins, positions=held))


def by_hand(market: Market, coins: str = "0", position: str = "0") -> None:
    """Somebody moves coins into or out of the account, and changes the position."""
    world = market.world
    world.coins["BTC"] = world.coins.get("BTC", D(0)) + D(coins)
    held, average = world.positions.get("BTCUSDT", (D(0), D(10_000)))
    world.positions["BTCUSDT"] = (held + D(position), average)
    tell(market)


def outside(market: Market) -> tuple[Decimal, Decimal]:
    row: Mapping[str, str] = market.row()
    return D(row["outside_coins"]), D(row["outside_position"])


def opened(restarts: bool = False) -> Market:
    market = Market(restarts=restarts)
    market.open("BTC")
    assert market.state() == "FUNDING_COLLECTION"
    return market


@pytest.mark.parametrize("restarts", [False, True])
def test_coins_added_beside_a_pair_are_not_sold(restarts: bool) -> None:
    """They counted as a residual of the hedge, and the whole of them was sold as a trim at once."""
    market = opened(restarts)
    by_hand(market, coins="0.5")
    market.hour()
    assert market.intents("trim") == [] and outside(market) == (D("0.5"), 0)
    assert [alert.title for alert in market.world.alerts] == ["FUNDING BTC: holdings are not ours"]
    market.period(BTC=D("-0.0001"))
    assert market.state() == "MONITORING" and D("0.5") <= market.world.coins["BTC"] < D("0.5001")
    by_hand(market, coins="-0.5")
    assert outside(market) == (0, 0) and market.world.ended == ["outside:BTC"]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_short_added_beside_a_pair_is_neither_hedged_nor_closed(restarts: bool) -> None:
    """Spot was bought for it; the exit then closed all of it."""
    market = opened(restarts)
    by_hand(market, position="-0.3")
    market.hour()
    assert market.intents("trim") == [] and outside(market) == (0, D("-0.3"))
    market.period(BTC=D("-0.0001"))
    assert market.state() == "MONITORING"
    assert market.world.short_or_long("BTCUSDT") == D("-0.3") and market.world.coins["BTC"] < D("0.0001")


def test_what_is_taken_away_is_first_what_was_added() -> None:
    market = opened()
    by_hand(market, coins="0.5", position="-0.3")
    by_hand(market, coins="-0.2", position="0.1")
    assert market.intents("trim") == [] and outside(market) == (D("0.3"), D("-0.2"))
    by_hand(market, position="0.21")
    (trim,) = market.intents("trim")
    assert (trim.category, trim.side) == (SPOT, Side.SELL), "0.01 of our short is gone, and its spot with it"
    assert abs(market.world.coins["BTC"] - D("0.364")) <= D("0.000002") and outside(market) == (D("0.3"), 0)


def test_coins_that_arrive_while_a_leg_is_sent_again_do_not_count_as_its_fill() -> None:
    """FU-4: the leg behind was the spot one; what somebody added hid that, and the short stayed without its hedge."""
    market = Market()
    market.world.decide = first_times(1, lambda one: one.category == SPOT, Outcome(share=D("0.5")))
    market.open("BTC")
    assert market.state() == "ENTRY"
    by_hand(market, coins="0.037")
    market.world.advance_to(market.now_ms + 60_000)
    assert market.state() == "FUNDING_COLLECTION" and outside(market) == (D("0.037"), 0)
    short = -market.world.short_or_long("BTCUSDT")
    assert abs(market.world.coins["BTC"] - D("0.037") - short) <= D("0.01") * short


def test_a_fill_that_is_reported_before_the_balances_shows_what_is_not_ours_too() -> None:
    """The order manager's figure after the fill contains it already."""
    market = opened()
    market.world.coins["BTC"] += D("0.5")
    market.world.decide = first_times(1, is_perp, DENIED)
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 60_000)
    assert market.state() == "MONITORING" and D("0.5") <= market.world.coins["BTC"] < D("0.5001")


def test_x1_a_rest_below_a_lot_beside_a_foreign_short_becomes_dust() -> None:
    """Quantity 0 closes the whole position, also the part that is not ours."""
    market = opened()
    by_hand(market, position="-0.3")
    grown_lot(market)
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 600_000)
    assert not [one for one in market.intents("exit") if one.closes_rest]
    assert market.state() == "MONITORING" and market.world.short_or_long("BTCUSDT") == D("-0.304")
    assert D(market.row()["pair"]["dust_short"]) == D("0.004") and market.world.logic.deadline() is None


def with_dust(restarts: bool = False) -> Market:
    """The exchange has refused to close a remainder of 0.004 BTC below the lot; no pair is open."""
    market = opened(restarts)
    grown_lot(market)
    market.world.decide = lambda intent: DENIED if intent.closes_rest else Outcome()
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 600_000)
    tell(market)
    assert market.state() == "MONITORING" and dust(market) == D("0.004") and outside(market) == (0, 0)
    return market


def dust(market: Market) -> Decimal:
    pair: Mapping[str, str] = market.row()["pair"]
    assert D(pair["short"]) == D(pair["dust_short"])
    return D(pair["dust_short"])


@pytest.mark.parametrize("restarts", [False, True])
def test_x1_dust_stays_ours_while_no_pair_is_open_and_the_asset_is_opened_again(restarts: bool) -> None:
    """A foreign short that came and went took our dust with it: as what is not ours it barred the asset for ever."""
    market = with_dust(restarts)
    by_hand(market, position="-0.3")
    assert outside(market) == (0, D("-0.3")) and dust(market) == D("0.004")
    by_hand(market, position="0.3")
    assert outside(market) == (0, 0) and dust(market) == D("0.004")
    market.open("BTC")
    market.hour()
    assert market.state() == "FUNDING_COLLECTION" and outside(market) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "expected_outside", "expected_dust"),
    [
        (("0.003",), "0", "0.001"),
        (("0.004",), "0", "0"),
        (("0.005",), "0.001", "0"),
        (("-0.3", "0.304"), "0", "0"),
        (("0.304", "-0.3"), "0", "0"),
    ],
)
def test_x1_dust_that_is_closed_by_hand_is_gone(
    changes: tuple[str, ...], expected_outside: str, expected_dust: str
) -> None:
    market = with_dust()
    for change in changes:
        by_hand(market, position=change)
    assert (outside(market), dust(market)) == ((0, D(expected_outside)), D(expected_dust))


def test_dust_of_coins_stays_ours_beside_coins_that_are_not() -> None:
    market = opened()
    market.period(BTC=D("-0.0001"))
    left = market.world.coins["BTC"]
    assert market.state() == "MONITORING" and 0 < left < D("0.0001")
    by_hand(market, coins="0.5")
    assert outside(market) == (D("0.5"), 0) and D(market.row()["pair"]["coins"]) == left
    by_hand(market, coins="-0.2", position="-0.3")
    assert outside(market) == (D("0.3"), D("-0.3")) and D(market.row()["pair"]["coins"]) == left
    by_hand(market, coins="-0.3", position="0.3")
    assert outside(market) == (0, 0) and D(market.row()["pair"]["coins"]) == left


@given(st.lists(CHANGES, max_size=20), st.lists(CHANGES, max_size=20))
def test_what_others_do_never_enlarges_our_part_and_the_sum_is_always_the_account(
    ours: list[Decimal], theirs: list[Decimal]
) -> None:
    """Orders of ours and changes by others in turn."""
    own = outside_ours = total = D(0)
    for number in range(max(len(ours), len(theirs))):
        order = max(ours[number], -own) if number < len(ours) else D(0)
        total += order
        own, outside_ours = shared_out(own + order, outside_ours, total)
        if number < len(theirs):
            total += theirs[number]
            before = own
            own, outside_ours = shared_out(own, outside_ours, total)
            assert own <= before
            if theirs[number] > 0:
                assert own == before
        assert own + outside_ours == total and own >= 0


def test_it_is_the_perpetual_and_the_spot_leg_of_one_account() -> None:
    """A deposit of coins together with a position of the other sign: a foreign hedge beside ours."""
    market = opened()
    by_hand(market, coins="1", position="-1")
    assert [one for one in market.intents() if one.purpose != "entry"] == [] and outside(market) == (1, -1)
    assert {one.category for one in market.intents("entry")} == {SPOT, LINEAR}
