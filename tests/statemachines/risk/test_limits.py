"""RM-1, check by check: at its limit, just below and just above, with the code, limit and value of each refusal.

The table names every check that exists; a check without a row, or one whose comparison is planted wrong, is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statemachines.portfolio.equity import Holdings
from statemachines.risk import checks, exposure_checks
from statemachines.risk.checks import INTEGRITY, LIMITS, Check, judge
from statemachines.risk.machine import RiskStateName
from statemachines.risk.order_view import OpenIntent, OrderView, Pending, Refusal, position_after
from statemachines.values import HOUR_MS, LINEAR, SPOT, Account, ActorName, Side
from tests.statemachines.risk.test_checks import NOW, P, holdings, limited, order, pending, with_position

D = Decimal
FUNDED = Account.FUNDING
Build = Callable[[Any], OrderView]


@dataclass(frozen=True)
class Limit:
    """A check with three inputs: `below` and `at` pass, `above` is refused with `limit` and `value`."""

    check: Check
    code: str
    build: Build
    below: Any
    at: Any
    above: Any
    limit: object
    value: object
    """None: the value is `above` itself."""


def reference(price: Any) -> OrderView:
    return order(intent={"reference_price": D(price)})


def spot_buy(engine: ActorName, quantity: str, cash: str, btc: str = "0") -> OrderView:
    accounts = holdings() | {
        {ActorName.TACTICAL: Account.TACTICAL, ActorName.CORE_HODL: Account.CORE_HODL}[engine]: Holdings(
            {"USDT": D(cash), "BTC": D(btc)}, {}
        )
    }
    return order(engine, quantity=quantity, category="spot", accounts=accounts)


def margin(rate: str) -> OrderView:
    """1.8 × the equity in one asset and 0.1 × in another: the rate alone decides on the buffer."""
    high = {"BTCUSDT": D(rate), "ETHUSDT": D(rate)}
    return order(quantity="0.18", accounts=with_position("4", "ETHUSDT"), maintenance_margin=high)


def exposed(btc: str) -> OrderView:
    """Equity 100,000: CORE holds 1 BTC at 50,000, TREND-2 is long `btc` without a profit, TREND-1 wants 0.1 more."""
    accounts = holdings() | {
        Account.CORE_HODL: Holdings({"USDT": D(10_000), "BTC": D(1)}, {}),
        Account.TREND_2: Holdings({"USDT": D(10_000)}, {"BTCUSDT": (D(btc), D(50_000))}),
    }
    return order(quantity="0.1", accounts=accounts)


def concentration(quantity: str) -> OrderView:
    """45 % of 100,000 USDT is 0.9 BTC at 50,000; CORE and TACTICAL hold 0.8 of it."""
    accounts = holdings() | {
        Account.CORE_HODL: Holdings({"USDT": D(25_000), "BTC": D("0.7")}, {}),
        Account.TACTICAL: Holdings({"USDT": D(5_000), "BTC": D("0.1")}, {}),
        Account.MASTER: Holdings({}, {}),
    }
    return order(ActorName.CORE_HODL, quantity=quantity, category="spot", accounts=accounts)


TABLE = (
    Limit(
        checks.check_duplicate, "duplicate", lambda repeat: order(is_repeat=repeat),
        False, False, True, "one decision per intent", "trend-1-1",
    ),
    Limit(
        checks.check_ownership, "ownership", lambda account: order(intent={"account": account}),
        Account.TREND_1, Account.TREND_1, Account.TREND_2, "TREND-1", "TREND-2",
    ),
    Limit(
        checks.check_universe, "ownership", lambda engine: order(engine, quantity="0.01"),
        ActorName.TREND_1, ActorName.FUNDING, ActorName.CORE_HODL, "spot:BTCUSDT, spot:ETHUSDT", "linear:BTCUSDT",
    ),
    Limit(
        checks.check_instrument_known, "instrument", lambda quantity: order(quantity=quantity),
        "0.002", "0.001", "0.0009", D("0.001"), D("0.0009"),
    ),
    Limit(
        checks.check_portfolio_known, "portfolio_known",
        lambda missing: order(portfolio=None, unknown=(missing,)) if missing else order(),
        "", "", "the balances of TREND-1 are not known", "all balances and prices", None,
    ),
    Limit(
        checks.check_engine_active, "engine_active", lambda state: order(engine_state=state),
        RiskStateName.NORMAL, RiskStateName.CAUTION, RiskStateName.PAUSED, "NORMAL or CAUTION", "PAUSED",
    ),
    Limit(
        checks.check_one_day_fall, "one_day_fall", lambda until: order(entries_blocked_until_ms=until),
        NOW - 1, NOW, NOW + 1, NOW + 1, NOW,
    ),
    Limit(
        checks.check_fresh_data, "fresh_data", lambda age: order(price_ms=NOW - age),
        2 * HOUR_MS - 1, 2 * HOUR_MS, 2 * HOUR_MS + 1, 2 * HOUR_MS, None,
    ),
    Limit(
        checks.check_fresh_data, "fresh_data", lambda expires: order(intent={"expires_ms": expires}),
        NOW + 2, NOW + 1, NOW, NOW, NOW,
    ),
    Limit(
        checks.check_instrument_rules, "instrument_rules", lambda quantity: order(quantity=quantity),
        "0.099", "0.1", "0.1005", D("0.001"), D("0.1005"),
    ),
    Limit(
        checks.check_instrument_rules, "instrument_rules",
        lambda price: order(quantity="0.001", price=D(price), intent={"reference_price": D(price)}),
        "5001", "5000", "4999", D(5), D("4.999"),
    ),
    Limit(
        checks.check_price_collar, "price_collar", reference, "54999", "55000", "55000.5", D("0.10"), D("0.10001"),
    ),
    Limit(
        checks.check_price_collar, "price_collar", reference, "45001", "45000", "44999.5", D("0.10"), D("0.10001"),
    ),
    Limit(
        exposure_checks.check_equity, "equity",
        lambda cash: order(accounts=holdings() | {Account.TREND_1: Holdings({"USDT": D(cash)}, {})}, quantity="0.001"),
        "1000", "51", "0", D(0), D(0),
    ),
    Limit(
        exposure_checks.check_capital_limit, "capital_limit", lambda limit: order(parameters=limited(limit)),
        "5001", "5000", "4999", D(4999), D(5000),
    ),
    Limit(
        exposure_checks.check_size, "size", lambda quantity: order(quantity=quantity),
        "0.199", "0.2", "0.201", D(10_000), D(10_050),
    ),
    Limit(
        exposure_checks.check_position, "position", lambda quantity: order(ActorName.FUNDING, quantity=quantity),
        "0.009", "0.010", "0.011", D(510), D(550),
    ),
    Limit(
        exposure_checks.check_asset_leverage, "leverage",
        lambda quantity: order(quantity=quantity, accounts=with_position("0.1")),
        "0.099", "0.1", "0.101", D(10_000), D(10_050),
    ),
    Limit(
        exposure_checks.check_total_leverage, "leverage",
        lambda quantity: order(quantity=quantity, accounts=with_position("4", "ETHUSDT")),
        "0.179", "0.18", "0.181", D(19_000), D(19_050),
    ),
    Limit(
        exposure_checks.check_exposure, "exposure", exposed, "1.39", "1.4", "1.41", D(125_000), D(125_500),
    ),
    Limit(
        exposure_checks.check_concentration, "concentration", concentration,
        "0.09", "0.1", "0.101", D(45_000), D(45_050),
    ),
    Limit(
        exposure_checks.check_cash_buffer, "cash_buffer", lambda cash: spot_buy(ActorName.TACTICAL, "0.1", cash),
        "5001", "5000", "4999", D(0), D(-1),
    ),
    Limit(
        checks.check_order_rate, "order_rate", lambda orders: order(orders_this_minute=orders),
        118, 119, 120, P.max_orders_per_minute, None,
    ),
)  # fmt: skip


def _row(code: str) -> Limit:
    return next(row for row in TABLE if row.code == code)


def refusals(row: Limit, given: Any) -> list[Refusal]:
    return [one for one in judge(row.build(given)).refusals if one.check == row.code]


def wrong(row: Limit) -> list[str]:
    """What a row finds wrong with its check."""
    found = [f"{row.code} refuses {given!r}" for given in (row.below, row.at) if refusals(row, given)]
    above = refusals(row, row.above)
    if not above:
        return [*found, f"{row.code} lets {row.above!r} pass"]
    expected = (row.limit, row.above if row.value is None else row.value)
    return found if (above[0].limit, above[0].value) == expected else [*found, f"{above[0]} is not {expected}"]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.check.__name__}-{row.above}")
def test_at_the_limit_just_below_and_just_above(row: Limit) -> None:
    assert wrong(row) == []


def test_every_check_has_a_row_or_a_table_of_its_own() -> None:
    """The liquidation buffer's limit is no round number: `test_the_liquidation_buffer_at_its_limit`."""
    named = {row.check for row in TABLE} | {exposure_checks.check_liquidation_buffer}
    assert {*INTEGRITY, *LIMITS} == named


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.check.__name__}-{row.above}")
def test_a_check_that_is_planted_out_is_found(row: Limit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table is worth something only if it fails without the check."""
    monkeypatch.setattr(checks, "LIMITS", tuple(one for one in LIMITS if one is not row.check))
    monkeypatch.setattr(checks, "INTEGRITY", tuple(one for one in INTEGRITY if one is not row.check))
    view = row.build(row.above)
    others = [check for check in (*INTEGRITY, *LIMITS) if check is not row.check]
    same_code = [check for check in others if (refusal := check(view)) is not None and refusal.check == row.code]
    assert wrong(row) or same_code


def test_the_liquidation_buffer_at_its_limit() -> None:
    """T8: at or below 50 % refused. With notionals of 9,000 and 10,000 on an equity of 10,000 the buffer is
    (10,000 - 19,000 r) / (19,000 (1 - r)), which is 50 % at r = 1/19."""
    at = D(1) / D(19)
    for rate, codes in ((at - D("0.0001"), set()), (at + D("0.0001"), {"leverage"})):
        assert {one.check for one in judge(margin(str(rate))).refusals} == codes, rate
    (refusal,) = judge(margin(str(at + D("0.0001")))).refusals
    assert refusal.limit == D("0.5") and isinstance(refusal.value, Decimal) and refusal.value < D("0.5")


def test_x2_a_limit_with_a_price_has_a_tolerance_of_a_thousandth_and_tr9_has_none() -> None:
    """X2: prices move between both judgements of one limit; TR-9 and R4 are refused, not shrunk."""
    just = order(ActorName.CORE_HODL, quantity="1.2", category="spot", intent={"reference_price": D("50050")})
    assert "size" not in {one.check for one in judge(just).refusals}, "60,060 of 60,000 is a thousandth"
    more = order(ActorName.CORE_HODL, quantity="1.2", category="spot", intent={"reference_price": D("50050.1")})
    assert "size" in {one.check for one in judge(more).refusals}
    leveraged = order(quantity="0.2", intent={"reference_price": D("50000.1")})
    assert {one.check for one in judge(leveraged).refusals} == {"leverage"}


def test_every_refusal_is_typed_and_goes_into_the_journal() -> None:
    for row in TABLE:
        for refusal in judge(row.build(row.above)).refusals:
            data = refusal.as_data()
            assert data["check"] == refusal.check and data["limit"] and data["value"], refusal
            assert refusal.reason and "Decimal(" not in str(data)


# --- R4 ---


def test_r4_two_engines_long_btc_count_together_and_a_hedged_pair_counts_nothing() -> None:
    view = exposed("1.41")
    assert refusals(_row("exposure"), "1.41")
    assert view.portfolio is not None
    accounts = dict(view.portfolio.accounts)
    hedged = accounts[Account.FUNDING].model_copy(
        update={"coins": {"BTC": D(1)}, "positions": {"BTCUSDT": (D(-1), D(50_000))}}
    )
    same = order(
        quantity="0.1", portfolio=view.portfolio.model_copy(update={"accounts": accounts | {Account.FUNDING: hedged}})
    )
    (before,) = [one for one in judge(view).refusals if one.check == "exposure"]
    (after,) = [one for one in judge(same).refusals if one.check == "exposure"]
    assert after.value == before.value


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        ({"account": Account.TREND_2}, True),
        ({"account": Account.CORE_HODL, "category": "spot"}, True),
        ({"account": Account.TREND_2, "side": Side.SELL}, False),  # it may not fill: not counted against the entry
        ({"account": Account.TREND_2, "reduce_only": True}, False),
        ({"account": Account.CORE_HODL, "category": "spot", "is_reducing": True}, False),
    ],
)
def test_r4_approved_orders_of_all_engines_count_on_their_side(change: dict[str, Any], is_refused: bool) -> None:
    view = exposed("1.39")
    under_way = pending(**({"remaining": D("0.011")} | change))
    found = judge(order(quantity="0.1", portfolio=view.portfolio, pending=under_way)).refusals
    assert ("exposure" in {one.check for one in found}) is is_refused


def test_r4_the_legs_of_a_pair_under_way_net_out() -> None:
    view, half = exposed("1.39"), D("0.5")
    legs = [
        OpenIntent("funding-1", Account.FUNDING, SPOT, "BTCUSDT", Side.BUY, half, D(50_000), False, False),
        OpenIntent("funding-2", Account.FUNDING, LINEAR, "BTCUSDT", Side.SELL, half, D(50_000), False, False),
    ]
    both = Pending()
    both.add(legs[0])
    assert both.exposure_usdt(Side.BUY) == D(25_000) and both.exposure_usdt(Side.SELL) == 0
    both.add(legs[1])
    assert both.exposure_usdt(Side.BUY) == 0 == both.exposure_usdt(Side.SELL)
    assert "exposure" not in {
        one.check for one in judge(order(quantity="0.1", portfolio=view.portfolio, pending=both)).refusals
    }
    both.remove(legs[0])
    both.remove(legs[1])
    assert both.exposure_usdt(Side.BUY) == 0 == both.exposure_usdt(Side.SELL)


def test_r4_binds_trend_alone_and_a_short_that_brings_the_exposure_back_passes() -> None:
    view = exposed("1.41")
    short = order(side=Side.SELL, quantity="0.1", portfolio=view.portfolio)
    assert "exposure" not in {one.check for one in judge(short).refusals}
    core = order(ActorName.CORE_HODL, quantity="0.01", category="spot", portfolio=view.portfolio)
    assert "exposure" not in {one.check for one in judge(core).refusals}


LEG = st.tuples(
    st.sampled_from([Account.TREND_1, Account.TREND_2, Account.FUNDING, Account.CORE_HODL]),
    st.sampled_from([SPOT, LINEAR]),
    st.sampled_from([*Side]),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
)


@given(st.lists(LEG, max_size=12), st.sets(st.integers(0, 11)), st.integers(-9, 9))
def test_the_sums_of_what_is_under_way_are_those_of_a_count_from_the_beginning(
    legs: list[tuple[Account, Any, Side, int, bool, bool]], ended: set[int], held: int
) -> None:
    """The sums are kept up with every order; whatever began and ended, they equal a fresh count."""
    opened = [
        OpenIntent(f"x-{n}", account, category, "BTCUSDT", side, D(size), D(100), only, reducing)
        for n, (account, category, side, size, only, reducing) in enumerate(legs)
    ]
    under_way = Pending()
    for one in opened:
        under_way.add(one)
    left = [one for n, one in enumerate(opened) if n not in ended]
    for n, one in enumerate(opened):
        if n in ended:
            under_way.remove(one)
    counted = [one for one in left if not one.reduce_only and not one.is_reducing]
    for side in Side:
        plain = sum((one.remaining * 100 for one in counted if one.account != FUNDED and one.side is side), D(0))
        pairs = sum((side.sign * one.side.sign * one.remaining * 100 for one in counted if one.account == FUNDED), D(0))
        assert under_way.exposure_usdt(side) == plain + max(D(0), pairs)
    view = order(quantity="2", accounts=with_position(str(held)), pending=under_way)
    reach = {side: D(2) if side is Side.BUY else D(0) for side in Side}
    for one in left:
        if (one.account, one.category) == (Account.TREND_1, LINEAR) and not one.reduce_only:
            reach[one.side] += one.remaining
    moving = [one for one in left if (one.account, one.category) == (Account.TREND_1, LINEAR) and not one.reduce_only]
    assert under_way.linear_symbols(Account.TREND_1) == {one.symbol for one in moving}
    possible = (D(held), held + reach[Side.BUY], held - reach[Side.SELL])
    assert position_after(view, "BTCUSDT") == max(possible, key=lambda size: (abs(size), size < 0))
