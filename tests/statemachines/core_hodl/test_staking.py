"""CH-10, C9, CH-11: when ETH is staked, how much, when it is redeemed, and how a sale waits for it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from statemachines.actor_logic import StateRow
from statemachines.core_hodl.engine import CoreHodlEngine
from statemachines.core_hodl.parameters import CoreHodlParameters, StakingParameters
from statemachines.core_hodl.staking import decision as staking
from statemachines.core_hodl.state import DIALECT, EarnRow
from statemachines.earn.terms import EarnPosition, EarnProduct
from statemachines.messages.accounts import BalancesKnown, EarnKnown, StakingForgone, StakingOrdered, StakingReported
from statemachines.messages.orders import Intent
from statemachines.values import DAY_MS, Account, Side
from tests.kit.restoring import restore_logic
from tests.statemachines.core_hodl.world import (
    CLOSES,
    ETH_UP,
    CoreWorld,
    built_world,
    day,
    hanging,
    hangs_if,
    risk,
    sides,
)

D = Decimal
P = StakingParameters()
NOW = 1_700_000_000_000
CALM = staking.Calm(True, "volatility of ETH 40.00%, 40 days to the calendar date: stable")
STORM = staking.Calm(False, "volatility of ETH 90.00%, 40 days to the calendar date: not stable, 60% or more")


def product(**changes: Any) -> EarnProduct:
    base = {
        "coin": "ETH", "product_id": "431", "yearly_yield": D("0.03"), "min_stake": D("0.001"), "max_stake": D(1000),
        "step": D("0.0001"), "min_redeem": None, "is_available": True,
    }  # fmt: skip
    return EarnProduct.model_validate(base | changes)


def earn(*products: EarnProduct, **changes: Any) -> EarnRow:
    base = {"read_ms": NOW, "has_access": True, "products": products or (product(),)}
    return EarnRow.model_validate(base | changes)


def decided(held: str, staked: str, offers: EarnRow | None = None, found: staking.Calm = CALM, **changes: Any) -> Any:
    parameters = P.model_copy(update=changes)
    return staking.decide(D(held), D(staked), found, offers or earn(), NOW, parameters)


def test_ch10_idle_coins_are_staked_up_to_80_percent_in_a_stable_period() -> None:
    first = decided("10", "0")
    assert (first.action, first.amount, first.product_id) == ("stake", D("8.0000"), "431")
    assert "3.00% a year" in first.reason and "80%" in first.reason
    assert decided("10.00009", "3").amount == D("5.0000")  # in whole steps of the product, rounded down
    assert decided("10", "0", earn(product(max_stake=D(5)))).amount == D(5)


@pytest.mark.parametrize(
    ("held", "staked", "offers", "found", "changes", "reason"),
    [
        ("10", "0", None, STORM, {}, "not stable"),
        ("10", "0", None, CALM, {"enabled": False}, "switched off"),
        ("10", "0", EarnRow(), CALM, {}, "has not been read yet: nothing is staked"),
        ("10", "0", earn(has_access=False), CALM, {}, "no Earn access configured: nothing is staked"),
        ("10", "0", earn(has_access=False, problem="code 10005"), CALM, {}, "code 10005"),
        ("10", "0", earn(read_ms=NOW - 3 * DAY_MS), CALM, {}, "3 days ago"),
        ("10", "0", earn(products=()), CALM, {}, "no flexible product"),
        ("10", "0", earn(product(is_available=False)), CALM, {}, "no flexible product"),
        ("10", "0", earn(product(coin="BTC")), CALM, {}, "no flexible product"),
        ("10", "0", earn(product(yearly_yield=D("0.0199"))), CALM, {}, "1.99% a year for ETH, less than 2.00%"),
        ("10", "7.91", None, CALM, {}, "below 1%"),
        ("10", "8.1", None, CALM, {}, "below 1%"),
        ("0", "0", None, CALM, {}, "below 1%"),
        ("0.001", "0", None, CALM, {}, "minimum"),
    ],
)
def test_ch10_it_waits_otherwise_and_says_why(
    held: str, staked: str, offers: EarnRow | None, found: staking.Calm, changes: dict[str, Any], reason: str
) -> None:
    one = decided(held, staked, offers, found, **changes)
    assert one.action == "wait" and reason in one.reason


def test_ch10_the_bounds_are_inclusive_and_strict_as_ruled() -> None:
    assert decided("10", "0", earn(product(yearly_yield=D("0.02")))).action == "stake"  # "at least 2.0 %"
    assert decided("10", "7.9").action == "stake"  # exactly 1 % of what is held does not wait
    assert decided("10", "8.1").action == "wait"  # more than one point is required
    over = decided("10", "8.1001", found=STORM)
    assert (over.action, over.amount) == ("redeem", D("0.1001"))  # whatever the market does, down to 80 %


def test_c9_the_product_that_holds_the_coins_is_used_even_if_another_offers_more() -> None:
    two = (product(), product(product_id="9", yearly_yield=D("0.05")))
    assert decided("10", "0", earn(*two)).product_id == "9"
    ours = EarnPosition(coin="ETH", product_id="431", amount=D(2), redeemable=D(2))
    assert decided("10", "2", earn(*two, positions=(ours,))).product_id == "431"
    assert decided("10", "9", earn(products=(), positions=(ours,))).product_id == "431"  # no longer offered


def test_c9_a_redemption_is_what_is_lacking_rounded_up_to_the_products_step() -> None:
    assert staking.redemption(D("0.12341"), D(5), earn(), P) == staking.Redemption(D("0.1235"), "431")
    assert staking.redemption(D("0.1"), D(5), earn(product(min_redeem=D(1))), P) == staking.Redemption(D(1), "431")
    assert staking.redemption(D(9), D(5), earn(), P) == staking.Redemption(D(5), "431")
    assert staking.redemption(D(1), D(5), earn(products=()), P) is None


def held_in(product_id: str, amount: str, redeemable: str) -> EarnPosition:
    return EarnPosition(coin="ETH", product_id=product_id, amount=D(amount), redeemable=D(redeemable))


def test_c9_no_product_is_asked_for_more_than_it_can_give() -> None:
    """Redemptions of the whole were ordered from one product that held a part, and refused day after day."""
    two = earn(positions=(held_in("431", "3", "3"), held_in("9", "3", "2")))
    assert staking.redemption(D(5), D(6), two, P) == staking.Redemption(D(3), "431")
    rest = staking.moved(two, "ETH", "431", D(-3))
    assert staking.redemption(D(2), D(3), rest, P) == staking.Redemption(D(2), "9")
    frozen = earn(positions=(held_in("431", "6", "1"),))
    assert staking.redemption(D(5), D(6), frozen, P) == staking.Redemption(D(1), "431")
    none = earn(product(min_redeem=D("0.5")), positions=(held_in("431", "6", "0.2"),))
    assert staking.redemption(D(5), D(6), none, P) == staking.Redemption(D(0), "431")
    assert decided("10", "9.6", none).action == "wait" and "redeemable" in decided("10", "9.6", none).reason
    refused = staking.frozen(two, "ETH", "431", D(6))
    assert staking.redemption(D(1), D(6), refused, P) == staking.Redemption(D(1), "9")


# --- the engine ---


def orders(made: CoreWorld) -> list[StakingOrdered]:
    return [body for _, body in made.sent if isinstance(body, StakingOrdered)]


def known(made: CoreWorld, staked: str, earned: str = "0") -> None:
    """The order manager reports: the offers of Earn, and how much of the ETH is staked."""
    made.tell(
        EarnKnown(account=Account.CORE_HODL, market_ms=made.now_ms, has_access=True, products=(product(),)),
        balances(made, staked, earned),
    )


def balances(made: CoreWorld, staked: str, earned: str = "0") -> BalancesKnown:
    return BalancesKnown(
        account=Account.CORE_HODL, coins={"USDT": made.cash, **made.coins}, positions={},
        staked={"ETH": D(staked)}, earned={"ETH": D(earned)},
    )  # fmt: skip


def report(made: CoreWorld, state: str, staked: str) -> None:
    """What became of the newest staking order."""
    one = orders(made)[-1]
    made.tell(
        StakingReported.model_validate(
            {**one.model_dump(include={"staking_id", "account", "action", "coin", "amount"}), "state": state,
             "staked": D(staked), "reason": "as the test says"}
        )
    )  # fmt: skip
    made.settle()


def sold(made: CoreWorld) -> list[Intent]:
    return [one for one in made.intents() if one.side is Side.SELL]


def staked_world(staked: str, **more: Any) -> CoreWorld:
    made = built_world(**more)
    known(made, staked)
    return made


def test_ch10_a_stable_period_stakes_80_percent_and_the_metrics_show_it() -> None:
    made = built_world()
    for number in range(1, 40):
        known(made, "0")
        made.run_day(day(number), CLOSES)
        if orders(made):
            break
    (one,) = orders(made)
    assert (one.action, one.coin, one.amount, one.product_id) == ("stake", "ETH", D("15.2"), "431")
    assert made.state == "ACCUMULATION" and "stable" in one.reason
    report(made, "DONE", "15.2")
    made.tell(balances(made, "15.2", "0.01"))
    made.run_day(day(40), CLOSES)
    assert len(orders(made)) == 1  # at 80 %: nothing more is staked
    data = [note.data for note in made.notes if note.trigger == "cycle"][-1]
    assert data["staked_share"] == "0.800000" and data["staking_yield_usdt"] == "10.00"
    assert data["staking_rate"] == "0.030000" and D(data["staking_forgone_usdt"]) > 0
    assert data["staking_forgone_usdt_a_year"] == "0.00"
    forgone = [body for _, body in made.sent if isinstance(body, StakingForgone)]
    assert forgone[-1].coin == "ETH" and D(data["staking_forgone_usdt"]) > 0
    assert [one.amount for one in forgone] == sorted({one.amount for one in forgone}), "the total, each day it grows"


def test_ch10_nothing_is_staked_twice_while_a_stake_is_under_way() -> None:
    made = built_world()
    for number in range(1, 45):
        known(made, "0")
        made.run_day(day(number), CLOSES)
    assert len(orders(made)) == 1
    report(made, "REJECTED", "0")
    known(made, "0")
    made.run_day(day(45), CLOSES)
    assert len(orders(made)) == 2 and orders(made)[0].staking_id != orders(made)[1].staking_id


def test_c9_a_sale_that_lacks_liquid_coins_redeems_exactly_those_and_waits() -> None:
    """Coins in Earn count as held, so a sale may be larger than the wallet; sent at once it would be refused for lack
    of funds."""
    made = staked_world("15.2")
    made.run_day(day(1), ETH_UP)
    (one,) = orders(made)
    assert one.action == "redeem" and not sold(made)
    wanted = D(made.row()["held_sales"][0]["quantity"])
    assert one.amount == (wanted - D("3.8")).quantize(D("0.0001")) and wanted > D("3.8")
    report(made, "DONE", str(D("15.2") - one.amount))
    assert [(sale.symbol, sale.quantity) for sale in sold(made)] == [("ETHUSDT", wanted)]
    assert sides(made.intents("rebalance")) == [("Sell", "ETH"), ("Buy", "BTC")]  # proceeds are spent after it


def test_c9_a_sale_within_what_is_liquid_redeems_nothing() -> None:
    made = staked_world("2")
    made.run_day(day(1), ETH_UP)
    assert not orders(made) and sides(made.intents("rebalance")) == [("Sell", "ETH"), ("Buy", "BTC")]


def test_c9_a_sale_waits_for_its_redemption_and_the_other_leg_does_not() -> None:
    """A redemption may take two days. Cash above the buffer buys BTC meanwhile; the proceeds follow when the sale has
    ended, although the day's cycle has long been over."""
    made = staked_world("15.2")
    made.cash += D(4000)
    known(made, "15.2")
    made.run_day(day(1), ETH_UP)
    assert not made.intents()
    report(made, "PENDING", "15.2")
    assert sides(made.intents("rebalance")) == [("Buy", "BTC")]  # the other leg does not wait
    assert not made.row()["cycle"]  # nor does the rest of the day
    report(made, "DONE", "5")
    assert sides(made.intents("rebalance")) == [("Buy", "BTC"), ("Sell", "ETH"), ("Buy", "BTC")]
    assert made.row()["rebalance"] is None and made.state == "EARN_OPTIMIZATION"
    made.run_day(day(2), ETH_UP)
    assert made.state == "ACCUMULATION"


def test_c9_a_redemption_longer_than_a_day_lets_the_next_cycle_decide_again() -> None:
    made = staked_world("15.2")
    made.run_day(day(1), ETH_UP)
    report(made, "PENDING", "15.2")
    made.run_day(day(2), ETH_UP)
    assert len(orders(made)) == 1 and not sold(made) and len(made.row()["held_sales"]) == 1
    report(made, "DONE", "5")
    assert sides(sold(made)) == [("Sell", "ETH")]


def test_c9_a_redemption_that_fails_is_alerted_and_the_next_cycle_tries_again() -> None:
    made = staked_world("15.2")
    made.run_day(day(1), ETH_UP)
    report(made, "REJECTED", "15.2")
    assert [one.quantity for one in sold(made)] == [D("3.8")], "what is liquid is sold: the day was lost for it, too"
    assert not made.row()["held_sales"]
    assert any("cannot sell staked coins" in alert.title for alert in made.alerts)
    known(made, "15.2")
    positions = (held_in("431", "15.2", "15.2"),)
    made.tell(EarnKnown(account=Account.CORE_HODL, market_ms=made.now_ms, has_access=True, positions=positions))
    made.run_day(day(2), ETH_UP)
    assert [one.action for one in orders(made)] == ["redeem", "redeem"]
    report(made, "DONE", "5")
    assert sides(made.intents("rebalance")) == [("Sell", "ETH"), ("Sell", "ETH"), ("Buy", "BTC")]


def test_c9_what_one_product_refuses_comes_from_the_next_and_a_sale_is_made_of_what_there_is() -> None:
    """Coins staked by hand stood in a second product and a part was frozen: ten identical redemptions in eleven days,
    every one refused, and not even the liquid coins were sold."""
    made = staked_world("15.2")
    positions = (held_in("431", "10", "0.5"), held_in("9", "5.2", "0.2"))
    made.tell(EarnKnown(account=Account.CORE_HODL, market_ms=made.now_ms, has_access=True, positions=positions))
    made.run_day(day(1), ETH_UP)
    report(made, "DONE", "14.7")
    report(made, "REJECTED", "14.7")
    assert [(one.product_id, one.amount) for one in orders(made)] == [("431", D("0.5")), ("9", D("0.2"))]
    assert [one.quantity for one in sold(made)] == [D("4.3")]
    assert any("cannot sell staked coins" in alert.title for alert in made.alerts)


def test_ch10_a_reading_without_offers_or_positions_leaves_what_is_known() -> None:
    """One failed reading at the close of a day cleared both, and the sales of the day were given up."""
    made = staked_world("15.2")
    made.tell(EarnKnown(account=Account.CORE_HODL, market_ms=made.now_ms, has_access=True, problem="HTTP 502"))
    made.run_day(day(1), ETH_UP)
    assert [one.product_id for one in orders(made)] == ["431"]


def test_c9_a_sale_of_the_other_asset_is_sent_at_once() -> None:
    made = staked_world("15.2", decide=hangs_if(Side.SELL))
    made.run_day(day(1), {"BTC": D(90_000), "ETH": D(1_000)})
    assert not orders(made) and {one.symbol for one in sold(made)} == {"BTCUSDT"}


def test_ch9_a_stop_sells_nothing_when_the_redemption_arrives() -> None:
    made = staked_world("15.2")
    made.run_day(day(1), ETH_UP)
    made.tell(risk("HALTED"))
    report(made, "DONE", "5")
    assert not sold(made) and not made.row()["held_sales"]


def test_c9_what_exceeds_80_percent_by_more_than_a_point_is_redeemed_in_any_market() -> None:
    made = staked_world("16")
    made.run_day(day(1), CLOSES)
    (one,) = orders(made)
    assert (one.action, one.amount) == ("redeem", D("0.8"))


def test_ch10_switched_off_nothing_is_staked_and_a_sale_still_redeems() -> None:
    off = CoreHodlParameters(staking=StakingParameters(enabled=False))
    made = built_world(parameters=off)
    for number in range(1, 40):
        known(made, "0")
        made.run_day(day(number), CLOSES)
    assert not orders(made)
    known(made, "15.2")
    made.run_day(day(40), ETH_UP)
    assert [one.action for one in orders(made)] == ["redeem"]


def test_a_crash_while_a_sale_waits_loses_and_doubles_nothing() -> None:
    made = staked_world("15.2", decide=hanging("rebalance"))
    made.run_day(day(1), ETH_UP)
    made.restart()
    assert len(orders(made)) == 1 and len(made.row()["held_sales"]) == 1
    report(made, "DONE", "5")
    made.restart()
    made.tell()
    made.settle()
    assert len(orders(made)) == 1 and len(sold(made)) == 1


def test_rows_of_the_version_before_staking_are_read() -> None:
    made = built_world()
    made.run_day(day(1), ETH_UP)
    old: dict[str, StateRow] = {}
    for key, row in made.rows.items():
        if key == "EARN":
            continue
        data = dict(row.data)
        for name in ("held_sales", "staking", "staking_forgone", "staked", "earned"):
            data.pop(name, None)
        if data.get("rebalance"):
            data["rebalance"] = {name: value for name, value in data["rebalance"].items() if name != "is_ahead"}
        old[key] = row._replace(schema=2, data=data)
    engine = CoreHodlEngine()
    restore_logic(engine, old)
    written = {row.key: row for row in engine.rows()}
    assert {row.schema for row in written.values()} == {3}
    assert written["ENGINE"].data["held_sales"] == [] and written["HOLDINGS"].data["staked"] == {}
    assert DIALECT.read("core-hodl", old)["ENGINE"].data["staking"] is None
