"""TA-1 .. TA-10 on synthetic cases, each by its ID."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from statemachines.messages.control import RiskState
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.rules import (
    Capital,
    Conditions,
    ExitKind,
    Trigger,
    VolatilitySource,
    anniversary,
    deployment_candidates,
    exit_due,
    gain,
    payable,
)
from statemachines.values import DAY_MS, SECOND_MS, SPOT, Account, Side
from tests.statemachines.harness import Outcome
from tests.statemachines.tactical.synthetic import CASH, Market

D = Decimal
P = TacticalParameters()


def conditions(
    fall: str = "-0.3", fear: int | None = None, mean: str | None = None, vol: str | None = None
) -> Conditions:
    return Conditions(
        D(fall),
        None if fear is None else D(fear),
        None if mean is None else D(mean),
        None if vol is None else D(vol),
        VolatilitySource.DVOL,
    )


@pytest.mark.parametrize(
    ("seen", "fired", "first", "amount"),
    [
        (conditions("-0.5"), frozenset(), Trigger.LEVEL_1, 500),  # ≤ includes the level itself
        (conditions("-0.4999"), frozenset(), None, 0),
        (conditions("-0.7"), frozenset({1}), Trigger.LEVEL_2, 800),  # reserve 600 + half of the other 400
        (conditions("-0.7"), frozenset(), Trigger.LEVEL_1, 500),  # A2: level 2 only after level 1
        (conditions("-0.9"), frozenset({1, 2}), None, 0),
        (conditions("0", fear=19), frozenset(), Trigger.FEAR, 100),  # a quarter of 1000 - 600
        (conditions("0", fear=20), frozenset(), None, 0),
        (conditions("-0.2", mean="-0.000501"), frozenset(), Trigger.FUNDING, 100),
        (conditions("-0.2", mean="-0.0005"), frozenset(), None, 0),
        (conditions("-0.19", mean="-0.01", vol="200"), frozenset(), None, 0),  # A6: no panic at a peak
        (conditions("-0.2", vol="80.1"), frozenset(), Trigger.VOLATILITY, 100),
        (conditions("-0.2", vol="80"), frozenset(), None, 0),
        (conditions("-0.75", fear=5, mean="-0.01", vol="200"), frozenset({1}), Trigger.LEVEL_2, 800),  # A4
        (conditions("-0.6", fear=5, mean="-0.01", vol="200"), frozenset({1}), Trigger.FEAR, 100),
        (conditions("-0.6", mean="-0.01", vol="200"), frozenset({1}), Trigger.FUNDING, 100),
    ],
)
def test_ta_1_ta_2_ta_3_triggers_and_amounts(
    seen: Conditions, fired: frozenset[int], first: Trigger | None, amount: int
) -> None:
    """TA-1, TA-2, TA-3, A2, A3, A4, A6: which trigger counts, and how much it deploys of 1,000 with 600 in reserve."""
    found = deployment_candidates(seen, Capital(D(1000), D(600)), fired, P)
    assert (found[0].trigger if found else None) is first
    if found:
        assert found[0].amount_usdt == amount
        assert all(later.amount_usdt <= found[0].amount_usdt for later in found)


def test_ta_1_levels_fire_once_until_a_new_high() -> None:
    """TA-1, A1, A2: level 1, the reserve, level 2, nothing more; after a close above the high all begins anew."""
    market = Market()
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"]
    assert market.amounts() == [CASH / 2]
    market.days(30, 3_100)
    assert market.deployed() == ["TA-1 level 1"]
    market.close(3_000)
    assert market.deployed() == ["TA-1 level 1", "TA-1 level 2"]
    assert CASH * D("0.49") < market.amounts()[1] <= CASH / 2
    market.days(40, 2_500)
    assert len(market.deployed()) == 2
    market.world.cash += CASH
    market.close(10_000)  # the high itself is no new high
    market.close(10_001)
    market.days(1, 5_000)
    assert market.deployed()[2:] == ["TA-1 level 1"]


def test_ta_1_level_2_takes_the_reserve_and_half_of_new_cash() -> None:
    """A2."""
    market = Market()
    market.close(5_000)
    market.world.cash += 2_000
    market.days(29, 4_900)
    market.close(2_900)
    left = D(market.world.rows["ENGINE"].data["reserve_usdt"])
    assert left == 0
    assert abs(market.amounts()[1] - (CASH / 2 + 1_000)) < 5


def test_ta_1_level_2_without_other_cash_leaves_what_slippage_and_fee_may_take() -> None:
    """A2: a deployment of all cash is cash / 1.005 less the fee; one that leaves more than that is not cut."""
    parameters = TacticalParameters()
    assert payable(D(1_005), D(1_005), parameters) == D(999)
    assert payable(D(999), D(1_005), parameters) == D(999)
    assert payable(D("998.5"), D(1_005), parameters) == D("998.5")


def test_ta_3_nine_settlements() -> None:
    """TA-3, A6: the mean of nine; eight are no signal."""
    market = Market()
    market.settle(D("-0.001"), times=8)
    market.close(8_000)
    assert market.deployed() == []
    market.settle(D("-0.001"), times=9)
    market.close(8_000)
    assert market.deployed() == ["TA-3 funding"]


def test_ta_3_volatility_from_dvol_else_realised() -> None:
    """TA-3, A6, D4: DVOL up to 48 h old stands; else realised of 30 returns; both only 20 % below the high."""
    market = Market()
    market.close(8_000, market.volatile(81, 48))
    assert market.deployed() == ["TA-3 volatility"]
    stale = Market()
    stale.close(8_000, stale.volatile(81, 49))
    assert stale.deployed() == []  # and 31 closes are not there
    wild = [10_000 if day % 2 else 9_000 for day in range(31)]
    market = Market(history=wild)
    market.close(7_900)
    assert market.deployed() == ["TA-3 volatility"]
    assert "realised" in next(note for note in market.world.notes if note.trigger == "deploy").reason
    market = Market(history=wild)
    market.close(7_900, market.volatile(40))  # DVOL is there and calm: it decides
    assert market.deployed() == []


def test_ta_4_eighty_twenty_at_market() -> None:
    """TA-4: two market orders in whole lots, worth no more than the amount."""
    market = Market()
    market.close(5_000)
    btc, eth = market.intents()
    assert (btc.symbol, eth.symbol) == ("BTCUSDT", "ETHUSDT")
    assert {one.style for one in (btc, eth)} == {"market"} and {one.side for one in (btc, eth)} == {Side.BUY}
    assert (btc.quantity, eth.quantity) == (D("0.8"), D(2))


def test_ta_5_thirty_days_between_any_two_and_nothing_is_latched() -> None:
    """TA-5, A4: a trigger within 30 days waits and is forgotten when it ends."""
    market = Market()
    market.close(10_000, market.fear(10))
    market.close(10_000, market.fear(10))
    assert len(market.deployed()) == 1
    assert any(note.trigger == "waits" and "TA-5" in note.reason for note in market.world.notes)
    market.days(28, 10_000)
    market.close(10_000, market.fear(30))
    market.days(3, 10_000)
    assert len(market.deployed()) == 1
    market.close(10_000, market.fear(10))
    assert len(market.deployed()) == 2


def test_ta_5_exactly_thirty_days_are_enough() -> None:
    """TA-5, A4: from bar date to bar date."""
    market = Market()
    market.close(10_000, market.fear(10))
    market.days(28, 10_000)
    market.close(10_000, market.fear(10))
    assert len(market.deployed()) == 1
    market.close(10_000, market.fear(10))
    assert len(market.deployed()) == 2


def test_ta_5_less_than_the_smallest_deployment_waits() -> None:
    """A3: 100 USDT or 1 % of the engine's target."""
    market = Market(cash=D(199))
    market.close(5_000)
    assert market.deployed() == []
    market.world.cash = D(201)
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"]
    market = Market(cash=D(2_000))
    market.target = D(100_001)
    market.close(5_000)
    assert market.deployed() == []
    assert market.triggers() == ["funded"]


def test_ta_6_plus_100_percent_is_sold_and_returned_to_core() -> None:
    """TA-6, A7: strictly above, on average cost before fees; sold at market, the USDT goes to CORE-HODL."""
    market = Market()
    market.close(5_000)
    market.eth = D(1_000)
    market.days(100, 5_000)
    market.close(10_000)
    assert market.state() == "DEPLOYMENT"  # exactly +100 %
    market.eth = D(1_001)
    market.close(10_000)
    assert market.triggers()[-2:] == ["profit", "sold"]
    (wanted,) = market.returns()
    assert (wanted.from_account, wanted.to_account, wanted.coin) == (Account.TACTICAL, Account.CORE_HODL, "USDT")
    assert abs(wanted.amount - D("0.7992") * 9_990 - D("1.998") * 1_001 * D("0.999")) < D("0.01")
    market.world.complete_transfers()
    assert market.triggers()[-1] == "returned"
    assert market.state() == "CASH_ACCUMULATION"
    assert market.world.coins["BTC"] < D("0.000001")


def test_ta_6_proceeds_are_not_deployed_again() -> None:
    """TA-6: what is on its way to CORE-HODL is not cash, even when the movement fails; it is asked for again."""
    market = Market()
    market.close(5_000)
    market.eth = D(1_001)
    market.close(10_000)
    market.world.complete_transfers(succeeded=False)
    market.days(29, 9_999)
    asked = market.returns()
    assert len(asked) == 2 and asked[0].amount == asked[1].amount and asked[0].request_id != asked[1].request_id
    market = Market()
    market.close(5_000)
    market.eth = D(1_001)
    market.close(10_000)
    for _ in range(30):
        market.close(9_999)
    market.close(9_999, market.fear(10))
    assert market.world.cash > CASH  # the proceeds are still in the account
    assert len(market.deployed()) == 1  # but all cash of ours is the reserve of level 1


def test_ta_6_twelve_months_return_in_kind() -> None:
    """TA-6, A7: on the first close on or after the anniversary the coins themselves move; nothing is sold."""
    market = Market()
    market.close(5_000)
    market.days(364, 5_000)
    assert market.state() == "DEPLOYMENT"
    market.close(5_000)
    assert market.triggers()[-1] == "time_limit"
    assert {(one.coin, one.amount) for one in market.returns()} == {("BTC", D("0.7992")), ("ETH", D("1.998"))}
    assert all(one.side is Side.BUY for one in market.intents())
    market.world.complete_transfers()
    assert market.state() == "CASH_ACCUMULATION"


def test_ta_6_anniversaries() -> None:
    """TA-6: also of 29 February and of months without the day."""
    assert anniversary(date(2020, 2, 29), 12) == date(2021, 3, 1)
    assert anniversary(date(2021, 12, 31), 12) == date(2022, 12, 31)
    assert anniversary(date(2021, 12, 31), 2) == date(2022, 3, 1)
    assert anniversary(date(2021, 8, 31), 1) == date(2021, 10, 1)


def test_ta_7_fast_profit_sells_half_once() -> None:
    """TA-7, A7: strictly above 50 %, up to the 90th day, once; the rest keeps its average cost."""
    market = Market()
    market.close(5_000)
    market.eth = D(751)
    market.close(7_500)
    assert market.state() == "DEPLOYMENT"
    sold = [one for one in market.intents() if one.side is Side.SELL]
    assert {one.symbol: one.quantity for one in sold} == {"BTCUSDT": D("0.399600"), "ETHUSDT": D("0.99900")}
    market.world.complete_transfers()
    market.days(5, 7_600)
    assert len([one for one in market.intents() if one.side is Side.SELL]) == 2
    assert [one.purpose for one in market.returns()] == ["ta-7"]
    market.eth = D(1_100)
    market.close(10_000)
    assert market.triggers()[-2:] == ["profit", "sold"]
    assert exit_due(D("0.51"), 0, 90 * DAY_MS, False, P) is ExitKind.FAST
    assert exit_due(D("0.51"), 0, 91 * DAY_MS, False, P) is None
    assert exit_due(D("0.5"), 0, 1 * DAY_MS, False, P) is None
    assert exit_due(D("1.01"), 0, 1 * DAY_MS, False, P) is ExitKind.TARGET


def test_ta_8_a_further_fall_is_held() -> None:
    """TA-8: noted once, nothing sold."""
    market = Market()
    market.close(5_000)
    market.days(5, 3_050)
    assert [note.trigger for note in market.world.notes if note.trigger == "hold"] == ["hold"]
    assert all(one.side is Side.BUY for one in market.intents())


def test_ta_9_partial_and_denied_orders_are_tried_again_but_never_deployed_twice() -> None:
    """TA-9: what is missing is sent again; the level has fired."""
    market = Market()
    fates = iter([Outcome(share=D("0.25")), Outcome(denied="no")])
    market.world.decide = lambda intent: next(fates, Outcome())
    market.close(5_000)
    market.world.advance_to(market.world.now_ms + 60 * SECOND_MS)
    bought = {one.intent.symbol: D(0) for one in market.world.placed}
    for placed in market.world.placed:
        bought[placed.intent.symbol] += placed.filled
    assert bought == {"BTCUSDT": D("0.8"), "ETHUSDT": D(2)}
    market.days(60, 5_000)
    assert len(market.deployed()) == 1


def test_ta_9_one_filled_order_of_two_does_not_spare_an_attempt() -> None:
    """TA-9: only a volley that was filled as a whole was limited by the venue's largest order and counts no attempt."""
    market = Market()
    fates = iter([Outcome(), Outcome(share=D("0.25"))])
    market.world.decide = lambda intent: next(fates, Outcome())
    market.close(5_000)
    market.world.advance_to(market.world.now_ms + 60 * SECOND_MS)
    assert [intent.symbol for intent in market.intents()] == ["BTCUSDT", "ETHUSDT", "ETHUSDT"]
    assert market.intents()[-1].reason.startswith("attempt 2: ")


def test_ta_9_nothing_bought_at_all_is_judged_afresh() -> None:
    """TA-9, A4: after the last attempt level, reserve and date are as before; the next cycle may deploy."""
    market = Market()
    market.world.decide = lambda intent: Outcome(denied="exchange in trouble")
    market.close(5_000)
    market.world.advance_to(market.world.now_ms + 600 * SECOND_MS)
    assert market.triggers()[-1] == "nothing_bought"
    assert len(market.world.placed) == 6
    assert D(market.world.rows["ENGINE"].data["reserve_usdt"]) == 0
    market.world.decide = lambda intent: Outcome()
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"] * 2
    assert market.world.coins["BTC"] == D("0.7992")


def test_ta_9_open_orders_are_cancelled_before_the_next_try() -> None:
    """TA-9: one live order; the cycle is done only when no order is open."""
    market = Market()
    fates = iter([Outcome(hangs=True), Outcome()])
    market.world.decide = lambda intent: next(fates, Outcome())
    market.close(5_000)
    assert market.cycles_done() == []
    market.world.advance_to(market.world.now_ms + 60 * SECOND_MS)
    assert market.cycles_done() == [market.day_ms]
    assert market.world.coins["BTC"] == D("0.7992")


def test_ta_9_a_late_fill_revives_the_deployment() -> None:
    """TA-9, EX-1: the order given up was filled after all: the trigger has deployed."""
    market = Market()
    market.world.decide = lambda intent: Outcome(share=D(0))
    market.close(5_000)
    market.world.advance_to(market.world.now_ms + 600 * SECOND_MS)
    market.world.execute(market.intents()[0].intent_id, SPOT, "BTCUSDT", Side.BUY, D("0.8"), D(5_000))
    market.world.tell()
    assert market.triggers()[-1] == "late_fill"
    assert [alert.title for alert in market.world.alerts if not alert.condition] == [
        "TACTICAL D1: fill after the end of its order"
    ]
    market.world.decide = lambda intent: Outcome()
    market.days(60, 5_000)
    assert len(market.deployed()) == 1


def test_ta_9_a_sale_that_was_refused_goes_on_in_the_next_cycle() -> None:
    """TA-6, TA-9: the decision stands though the price has fallen back."""
    market = Market()
    market.close(5_000)
    market.world.decide = lambda intent: Outcome(denied="no")
    market.eth = D(1_001)
    market.close(10_000)
    market.world.advance_to(market.world.now_ms + 600 * SECOND_MS)
    assert market.state() == "PROFIT_TARGET_REACHED"
    market.world.decide = lambda intent: Outcome()
    market.close(8_000)
    assert market.triggers()[-1] == "sold"


def test_ta_10_the_high_comes_from_the_seed_or_the_longest_history() -> None:
    """TA-10, A1."""
    market = Market(history=(20_000, 9_000, 9_500))
    market.close(10_000)
    assert market.deployed() == ["TA-1 level 1"]
    seeded = Market(history=(9_500,), parameters=TacticalParameters(ath_seed_usdt=D(20_000)))
    seeded.close(10_000)
    assert seeded.deployed() == ["TA-1 level 1"]
    fresh = Market(history=(9_500,))
    fresh.close(10_000)
    assert fresh.deployed() == []


def test_risk_states_bar_deployments() -> None:
    """RM-2, OR-3: no new risk in REDUCE_ONLY or in a cycle without entries; judged afresh afterwards."""
    market = Market()
    market.close(5_000, entries_allowed=False)
    market.world.tell(RiskState(scope="GLOBAL", state="HALTED", size_factor=D(0), reason="test"))
    market.close(5_000)
    assert market.deployed() == []
    market.world.tell(RiskState(scope="GLOBAL", state="NORMAL", size_factor=D(1), reason="test"))
    market.close(5_000)
    assert market.deployed() == ["TA-1 level 1"]


def test_r2_in_caution_half_is_deployed() -> None:
    """The other half is free cash: level 1's reserve is what it would have been."""
    sizes = []
    for state in ("NORMAL", "CAUTION"):
        market = Market()
        market.world.tell(RiskState(scope="GLOBAL", state=state, size_factor=D(1), reason="test"))
        market.close(5_000)
        assert market.deployed() == ["TA-1 level 1"]
        (reserve,) = [D(str(n.data["reserve_usdt"])) for n in market.world.notes if n.trigger == "deploy"]
        sizes.append((sum(one.quantity * one.reference_price for one in market.intents()), reserve))
    (whole, reserve), (half, same_reserve) = sizes
    assert half == pytest.approx(whole / 2, rel=D("0.001")) and reserve == same_reserve > 0


def test_every_cycle_is_answered_once() -> None:
    """OR-3."""
    market = Market()
    market.days(3, 10_000)
    market.close(5_000)
    assert len(market.cycles_done()) == len(set(market.cycles_done())) == 4


def test_gain_is_on_cost_before_fees() -> None:
    """A7."""
    assert gain({"BTC": D(2)}, {"BTC": D(100)}, {"BTC": D(75)}) == D("0.5")
    with pytest.raises(ValueError, match="cost 0"):
        gain({}, {}, {})


def test_parameters_that_contradict_each_other_are_refused() -> None:
    """RM-6: a configuration is validated."""
    with pytest.raises(ValidationError, match="add up"):
        TacticalParameters(shares={"BTC": D("0.5"), "ETH": D("0.2")})
    with pytest.raises(ValidationError, match="level_2_fall"):
        TacticalParameters(level_2_fall=D("-0.4"))


@pytest.mark.parametrize("has_failed", [False, True])
def test_a_7_proceeds_on_their_way_to_core_hodl_are_not_cash_to_deploy(has_failed: bool) -> None:
    """TA-6: what is owed to CORE-HODL stays owed until it has arrived, also after a transfer that failed."""
    market = Market()
    market.close(4_000)
    market.days(30, 4_100)
    market.close(9_000)  # more than twice the cost: sold, its proceeds are asked for
    (wanted,) = market.returns()
    if has_failed:
        market.world.complete_transfers(succeeded=False)
    before = market.world.cash
    market.close(1_000)
    deployed = [note for note in market.world.notes if note.trigger == "deploy"]
    assert market.deployed() == ["TA-1 level 1", "TA-1 level 2"]
    assert f" of {before - wanted.amount:.2f} USDT" in deployed[-1].reason
