"""FU-4 when reality interferes: legs that fail, shorts that shrink, fills that come late (LESSONS, hedged pairs)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from statemachines.messages.accounts import BalancesKnown
from statemachines.messages.market import InstrumentsKnown
from statemachines.messages.orders import Intent, Withdraw
from statemachines.values import LINEAR, SECOND_MS, SPOT, Account, Side
from tests.statemachines.funding.synthetic import GOOD, PERIOD_MS, Market
from tests.statemachines.harness import Outcome, known_instruments

D = Decimal
DENIED = Outcome(denied="not today")


def first_times(count: int, test: Callable[[Intent], bool], outcome: Outcome) -> Callable[[Intent], Outcome]:
    """The outcome for the first `count` intents that pass the test; everything else is filled."""
    left = [count]

    def decide(intent: Intent) -> Outcome:
        if left[0] > 0 and test(intent):
            left[0] -= 1
            return outcome
        return Outcome()

    return decide


def is_perp(intent: Intent) -> bool:
    return intent.category == LINEAR


def is_spot(intent: Intent) -> bool:
    return intent.category == SPOT


def test_both_legs_denied_is_no_position() -> None:
    """FU-4, RM-1: ENTRY → MONITORING, judged afresh at the next settlement."""
    market = Market()
    market.world.decide = first_times(2, lambda intent: True, DENIED)
    market.open("BTC")
    assert market.triggers() == ["opportunity", "enter", "not_filled"]
    assert "not today" in market.world.notes[-1].reason
    market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"


def test_a_leg_behind_is_sent_again_after_ten_seconds() -> None:
    """FU-4: the difference is sent again, then the pair stands."""
    market = Market()
    market.world.decide = first_times(1, is_perp, Outcome(share=D("0.5")))
    market.open("BTC")
    settled_ms = market.now_ms
    assert market.state() == "ENTRY"
    market.world.advance_to(settled_ms + 10 * SECOND_MS - 1)
    assert market.state() == "ENTRY"
    market.world.advance_to(settled_ms + 10 * SECOND_MS)
    assert market.state() == "FUNDING_COLLECTION"
    assert [one.quantity for one in market.intents() if is_perp(one)] == [D("0.074"), D("0.037")]
    assert market.world.alerts == []


def test_a_leg_that_cannot_be_filled_unwinds_the_other() -> None:
    """FU-4: after the second try the filled leg is unwound; never naked for 60 s. Elsewhere a failed leg had no handler
    at all, and the filled one stayed alone."""
    for failing, held in ((is_perp, "coins"), (is_spot, "short")):
        market = Market()
        market.world.decide = first_times(2, failing, DENIED)
        market.open("BTC")
        start_ms = market.now_ms
        market.world.advance_to(start_ms + 60 * SECOND_MS)
        assert market.triggers()[-2:] == ["unwind", "closed"], held
        assert market.world.positions.get("BTCUSDT", (D(0), D(0)))[0] == 0
        assert market.world.coins.get("BTC", D(0)) < D("0.001")
        assert market.world.placed[-1].ms == start_ms + 20 * SECOND_MS
        assert market.world.alerts == []


def test_the_matched_part_stays_when_only_the_rest_cannot_be_filled() -> None:
    """FU-4: half of the short was filled; the spot above it is sold."""
    market = Market()
    outcomes = iter([Outcome(), Outcome(share=D("0.5")), DENIED])
    market.world.decide = lambda intent: next(outcomes, Outcome())
    market.open("BTC")
    market.world.advance_to(market.now_ms + 60 * SECOND_MS)
    assert market.state() == "FUNDING_COLLECTION"
    short = -market.world.short_or_long("BTCUSDT")
    assert short == D("0.037")
    assert abs(market.world.coins["BTC"] - short) <= D("0.000001")
    assert [one.purpose for one in market.intents()][-1] == "unwind"


def test_an_order_without_an_end_is_withdrawn_then_sent_again() -> None:
    """FU-4: one live order per leg; the next only after the end of the last."""
    market = Market()
    market.world.decide = first_times(1, is_perp, Outcome(hangs=True))
    market.open("BTC")
    market.world.advance_to(market.now_ms + 10 * SECOND_MS)
    assert any(isinstance(body, Withdraw) for _, body in market.world.sent)
    assert market.state() == "FUNDING_COLLECTION"


def test_naked_for_a_minute_is_alerted_and_worked_on() -> None:
    """FU-4: neither leg can be brought in line; the alert comes at 60 s, once; then it heals. Elsewhere a pair of which
    one leg could not be placed was opened and closed 15 times a minute, with a fee each time."""
    market = Market()
    spot_buys = [0]

    def decide(intent: Intent) -> Outcome:
        if is_spot(intent) and intent.side is Side.BUY:
            spot_buys[0] += 1
            return Outcome()
        return DENIED

    market.world.decide = decide
    market.open("BTC")
    start_ms = market.now_ms
    market.world.advance_to(start_ms + 3_600 * SECOND_MS)
    assert [ms for ms, _ in market.world.alerted] == [start_ms + 60 * SECOND_MS]
    assert "not hedged" in market.world.alerts[0].title
    assert spot_buys == [1]
    assert len(market.intents()) < 30  # it tries on, but never churns
    market.world.decide = lambda intent: Outcome()
    market.world.advance_to(start_ms + 4_200 * SECOND_MS)
    assert market.state() == "MONITORING"


def test_a_shrunk_short_sells_its_spot_at_once() -> None:
    """LESSONS: auto-deleveraging of a part of the short, without an order of ours. Elsewhere the spot of the vanished
    short stayed unhedged and unnoticed."""
    market = Market()
    market.open("BTC")
    market.world.execute("", LINEAR, "BTCUSDT", Side.BUY, D("0.004"), D(9_990))
    market.world.tell()
    last = market.world.placed[-1]
    assert last.intent.category == SPOT and last.intent.side is Side.SELL and last.intent.purpose == "trim"
    assert abs(market.world.coins["BTC"] - D("0.070")) <= D("0.000001")
    assert market.state() == "FUNDING_COLLECTION"


def test_a_lost_short_closes_the_pair_at_once() -> None:
    """LESSONS: liquidation of the whole short sells all of the spot, without waiting for fresh prices."""
    market = Market()
    market.open("BTC")
    market.stale.add((SPOT, "BTC"))
    market.hour()
    market.world.execute("", LINEAR, "BTCUSDT", Side.BUY, D("0.074"), D(20_000))
    market.world.tell()
    assert market.world.coins["BTC"] < D("0.000001")
    assert market.state() == "MONITORING"
    assert market.triggers()[-2:] == ["leave", "closed"]


def forced(market: Market, quantity: str, price: int) -> None:
    """The exchange buys back a part of the short: the order manager tells the account's new state, not a fill."""
    world = market.world
    world.positions["BTCUSDT"] = (world.short_or_long("BTCUSDT") + D(quantity), D(10_000))
    world.cash -= D(quantity) * (price - D(10_000))
    coins = {**world.coins, "USDT": world.cash}
    held = {symbol: position for symbol, position in world.positions.items() if position[0]}
    world.tell(BalancesKnown(account=Account.FUNDING, coins=coins, positions=held))


def test_a_forced_fill_told_as_balances_sells_the_spot_of_what_is_gone() -> None:
    """FU-4: auto-deleveraging of a part, then of the rest; no leg is left naked, no time passes."""
    market = Market()
    market.open("BTC")
    forced(market, "0.030", 9_000)
    last = market.world.placed[-1].intent
    assert (last.category, last.side, last.purpose) == (SPOT, Side.SELL, "trim")
    assert abs(market.world.coins["BTC"] - D("0.044")) <= D("0.000001")
    assert market.state() == "FUNDING_COLLECTION"
    forced(market, "0.044", 20_000)
    assert market.world.coins["BTC"] < D("0.000001")
    assert market.state() == "MONITORING"
    assert market.world.alerts == []


def test_a_liquidation_told_as_balances_closes_the_pair_on_stale_prices_too() -> None:
    market = Market()
    market.open("BTC")
    market.stale.add((SPOT, "BTC"))
    market.hour()
    forced(market, "0.074", 20_000)
    assert market.world.coins["BTC"] < D("0.000001")
    assert market.triggers()[-2:] == ["leave", "closed"]


def test_an_exit_that_waits_for_a_price_waits_no_longer_when_the_short_is_gone() -> None:
    """F5 lets an exit wait for both legs; with one of them gone there is nothing left to wait for (FU-4)."""
    market = Market()
    market.open("BTC")
    for _ in range(7):
        market.hour()
    market.stale.add((SPOT, "BTC"))
    market.hour({"BTC": D("-0.0001")})
    assert market.state() == "EXIT" and market.intents("exit") == []
    forced(market, "0.074", 20_000)
    assert [(one.category, one.side) for one in market.intents("exit")] == [(SPOT, Side.SELL)]
    assert market.world.coins["BTC"] < D("0.000001")
    assert market.state() == "MONITORING"


def test_a_short_that_is_liquidated_while_the_pair_grows_is_not_left_naked() -> None:
    """FU-4, FU-5: the order under way ends first; then the difference is worked off."""
    market = Market()
    market.open("BTC")
    market.world.decide = first_times(1, is_perp, Outcome(hangs=True))
    while not market.intents("compound"):
        market.spot["BTC"] = market.perp["BTC"] = market.spot["BTC"] * D("0.97")
        market.period(BTC=D("0.01"))
    forced(market, str(-market.world.short_or_long("BTCUSDT")), 20_000)
    market.world.advance_to(market.now_ms + 60 * SECOND_MS)
    assert abs(market.world.coins["BTC"] + market.world.short_or_long("BTCUSDT")) <= D("0.001")
    assert market.world.alerts == []


def test_coins_that_vanish_leave_no_naked_short() -> None:
    """FU-4: they are bought again; where nothing can be bought the short is closed."""
    for decide in (lambda intent: Outcome(), lambda intent: DENIED if is_spot(intent) else Outcome()):
        market = Market()
        market.open("BTC")
        market.world.decide = decide
        market.world.coins["BTC"] = D(0)
        balances = BalancesKnown(
            account=Account.FUNDING, coins={"USDT": market.world.cash}, positions=dict(market.world.positions)
        )
        market.world.tell(balances)
        market.world.advance_to(market.now_ms + 60 * SECOND_MS)
        assert abs(market.world.coins["BTC"] + market.world.short_or_long("BTCUSDT")) <= D("0.000002")
        assert market.world.alerts == []


@pytest.mark.parametrize("gone", ["coins", "short"])
def test_after_a_restart_both_legs_are_compared_with_the_exchange(gone: str) -> None:
    """Elsewhere only the perpetual was looked at after a restart: its spot leg might be anything."""
    market = Market()
    market.open("BTC")
    market.world.restart()
    if gone == "short":
        forced(market, "0.074", 9_000)
    else:
        market.world.coins["BTC"] = D(0)
        held = {"USDT": market.world.cash, "BTC": D(0)}
        market.world.tell(BalancesKnown(account=Account.FUNDING, coins=held, positions=dict(market.world.positions)))
    market.world.advance_to(market.now_ms + 60 * SECOND_MS)
    assert abs(market.world.coins["BTC"] + market.world.short_or_long("BTCUSDT")) <= D("0.000002")
    assert market.state() == ("MONITORING" if gone == "short" else "FUNDING_COLLECTION")
    assert market.world.alerts == []


def test_a_fill_after_the_end_of_its_order_is_closed() -> None:
    """EX-1: legal, and never left alone."""
    market = Market()
    market.world.decide = first_times(2, lambda intent: True, DENIED)
    market.open("BTC")
    market.world.execute("funding-1", SPOT, "BTCUSDT", Side.BUY, D("0.05"), D(10_000))
    market.world.tell()
    assert market.triggers()[-2:] == ["stray_fill", "closed"]
    assert market.world.coins["BTC"] < D("0.000001")


def test_delta_beyond_one_percent_is_trimmed_on_the_spot_leg() -> None:
    """FU-4, F9: below 1 % nothing happens; beyond, the spot goes to zero delta within its step."""
    market = Market()
    market.open("BTC")
    market.world.coins["BTC"] -= D("0.0007")
    balances = BalancesKnown(
        account=Account.FUNDING, coins={"BTC": market.world.coins["BTC"]}, positions=dict(market.world.positions)
    )
    market.world.tell(balances)
    market.hour()
    assert market.intents("trim") == []
    market.world.coins["BTC"] -= D("0.0003")
    market.world.tell(balances.model_copy(update={"coins": {"BTC": market.world.coins["BTC"]}}))
    assert [(one.category, one.side) for one in market.intents("trim")] == [(SPOT, Side.BUY)]
    assert abs(market.world.coins["BTC"] - D("0.074")) <= D("0.000002")
    forced(market, "0.002", 10_000)
    assert [(one.category, one.side) for one in market.intents("trim")][1:] == [(SPOT, Side.SELL)]
    assert abs(market.world.coins["BTC"] - D("0.072")) <= D("0.000002")


def test_the_fee_is_learnt_from_fills() -> None:
    """F9: a fee of 2 % leaves too few coins; the difference is bought, with the fee that is charged. Elsewhere the
    hedge was as large as the order, not as what was received net of the fee in coins."""
    market = Market(spot_fee=D("0.02"))
    market.open("BTC")
    market.world.advance_to(market.now_ms + 10 * SECOND_MS)
    assert market.state() == "FUNDING_COLLECTION"
    assert abs(market.world.coins["BTC"] - D("0.074")) <= D("0.000002")
    assert D(market.row()["spot_fee"]) == D("0.02")


def test_what_is_not_ours_is_never_traded() -> None:
    """OR-9: coins that were in the account before stay there, through entry and exit."""
    market = Market()
    market.hour()
    market.world.coins["BTC"] = D(1)
    market.world.tell(BalancesKnown(account=Account.FUNDING, coins={"BTC": D(1)}, positions={}))
    for _ in range(3):
        market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"
    market.period(BTC=D("-0.0001"))
    assert market.state() == "MONITORING"
    assert D(1) <= market.world.coins["BTC"] < D("1.0001")


def test_an_exit_that_is_refused_is_repeated_until_flat() -> None:
    """FU-3, RM-2: closing never gives up; both legs stay hedged meanwhile, so that nobody is alarmed."""
    market = Market()
    market.open("BTC")
    market.world.decide = first_times(4, lambda intent: True, DENIED)
    market.period(BTC=D("-0.0001"))
    assert market.state() == "EXIT"
    market.world.advance_to(market.now_ms + 60 * SECOND_MS)
    assert market.state() == "MONITORING"
    assert market.world.alerts == []


def test_the_short_is_closed_reduce_only_with_what_the_exchange_holds() -> None:
    """LESSONS: an exit can shrink a position, never flip it. Elsewhere a close that was repeated opened the opposite
    position."""
    market = Market()
    market.open("BTC")
    market.world.decide = first_times(1, is_perp, Outcome(share=D("0.5")))
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + PERIOD_MS // 8)
    closing = [one for one in market.intents("exit") if is_perp(one)]
    assert [one.quantity for one in closing] == [D("0.074"), D("0.037")]
    assert all(one.reduce_only for one in closing)
    assert market.world.short_or_long("BTCUSDT") == 0


def grown_lot(market: Market) -> None:
    """The lot of BTC's perpetual grows tenfold, to 0.01, while 0.074 are short."""
    known = [
        one.model_copy(update={"qty_step": D("0.01"), "min_qty": D("0.01")})
        if (one.category, one.symbol) == (LINEAR, "BTCUSDT")
        else one
        for one in known_instruments().instruments
    ]
    market.world.tell(InstrumentsKnown(instruments=tuple(known)))


def test_x1_the_rest_of_a_short_below_a_lot_is_closed_whole() -> None:
    market = Market()
    market.open("BTC")
    grown_lot(market)
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 60 * SECOND_MS)
    closing = [(one.quantity, one.closes_rest) for one in market.intents("exit") if is_perp(one)]
    assert closing == [(D("0.07"), False), (D("0.004"), True)]
    assert market.state() == "MONITORING" and market.world.alerts == []


def test_x1_a_short_that_cannot_be_closed_is_dust_told_once_and_the_asset_is_traded_again() -> None:
    """Each exit was denied for ever; the pair never left EXIT. The dust stays in the account and counts in the delta of
    the next pair."""
    market = Market()
    market.open("BTC")
    grown_lot(market)
    market.world.decide = lambda intent: DENIED if intent.closes_rest else Outcome()
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 600 * SECOND_MS)
    assert market.state() == "MONITORING" and market.world.logic.deadline() is None
    assert len([one for one in market.intents("exit") if one.closes_rest]) == 1
    (alert,) = market.world.alerts
    assert "dust is left" in alert.title and alert.severity == "info"
    assert D(market.row()["pair"]["short"]) == D("0.004") == D(market.row()["pair"]["dust_short"])
    balances = BalancesKnown(account=Account.FUNDING, coins={}, positions={"BTCUSDT": (D("-0.004"), D(1))})
    market.world.tell(balances)
    for _ in range(3):
        market.period(BTC=GOOD)
    assert market.state() == "FUNDING_COLLECTION"
    assert abs(D(market.row()["pair"]["coins"]) - D(market.row()["pair"]["short"])) <= D("0.01") * D(
        market.row()["pair"]["short"]
    )


def test_tries_of_one_leg_carry_the_first_ones_id_and_pause_longer_each_time() -> None:
    """RM-4, R2: one order that is refused again and again is one rejection."""
    market = Market()
    market.open("BTC")
    market.world.decide = lambda intent: DENIED if is_perp(intent) else Outcome()
    market.period(BTC=D("-0.0001"))
    market.world.advance_to(market.now_ms + 86_400 * SECOND_MS)
    closing = [one for one in market.intents("exit") if is_perp(one)]
    assert 100 < len(closing) < 160
    assert {one.retry_of for one in closing[1:]} == {closing[0].intent_id}
