"""RM-1: every pre-trade check refuses exactly what it is there for, with its numbers; reductions always pass."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from statemachines.limits.leverage import Exposure, liquidation_buffer
from statemachines.portfolio.equity import Holdings
from statemachines.risk.checks import judge
from statemachines.risk.machine import RiskStateName
from statemachines.risk.order_view import OpenIntent, OrderView, Pending
from statemachines.risk.parameters import RiskParameters
from statemachines.values import ACCOUNT_OF, HOUR_MS, Account, ActorName, Category, Instrument, Side
from tests.kit import builders

NOW = 1_700_000_000_000
P = RiskParameters()
PRICES = {f"{c}:{s}": Decimal(p) for c in ("spot", "linear") for s, p in (("BTCUSDT", 50000), ("ETHUSDT", 2500))}


def instrument(category: Category, symbol: str) -> Instrument:
    rate = Decimal("0.005") if category == "linear" else Decimal(0)
    return builders.instrument(category, symbol, maintenance_margin_rate=rate)


def holdings() -> dict[Account, Holdings]:
    found = {account: Holdings({"USDT": Decimal(10_000)}, {}) for account in ACCOUNT_OF.values()}
    found[Account.CORE_HODL] = Holdings({"USDT": Decimal(60_000)}, {})
    return found


def order(
    engine: ActorName = ActorName.TREND_1,
    side: Side = Side.BUY,
    quantity: str = "0.1",
    category: Category = "linear",
    symbol: str = "BTCUSDT",
    accounts: dict[Account, Holdings] | None = None,
    intent: dict[str, Any] | None = None,
    **changes: Any,
) -> OrderView:
    """A view that passes every check unless something is changed."""
    accounts = accounts or holdings()
    account = ACCOUNT_OF[engine]
    body = builders.intent(
        1,
        engine,
        account=account,
        category=category,
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        reference_price=PRICES[f"{category}:{symbol}"],
    ).model_copy(update=intent or {})
    held = accounts[account].balances.get(symbol.removesuffix("USDT"), Decimal(0))
    if category == "linear":
        held = accounts[account].positions.get(symbol, (Decimal(0), Decimal(0)))[0]
    view = OrderView(
        intent=body,
        now_ms=NOW,
        parameters=P,
        limits=P.engines[engine],
        global_state=RiskStateName.NORMAL,
        engine_state=RiskStateName.NORMAL,
        entries_blocked_until_ms=None,
        instrument=instrument(category, symbol),
        maintenance_margin={"BTCUSDT": Decimal("0.005"), "ETHUSDT": Decimal("0.01")},
        price=PRICES[f"{category}:{symbol}"],
        price_ms=NOW - HOUR_MS,
        portfolio=builders.portfolio(7, NOW, accounts, PRICES),
        unknown=(),
        held=held,
        pending=Pending(),
        orders_this_minute=0,
        is_repeat=False,
    )
    return replace(view, **changes)


def refused(view: OrderView) -> set[str]:
    verdict = judge(view)
    assert all(any(ch.isdigit() for ch in r.reason) or r.check in SAYS_NAMES for r in verdict.refusals)
    return {refusal.check for refusal in verdict.refusals}


SAYS_NAMES = {"ownership", "instrument", "engine_active", "portfolio_known", "fresh_data"}


def pending(**changes: Any) -> Pending:
    fields: dict[str, Any] = {
        "intent_id": "x-1",
        "account": Account.TREND_1,
        "category": "linear",
        "symbol": "BTCUSDT",
        "side": Side.BUY,
        "remaining": Decimal("0.15"),
        "price": Decimal(50000),
        "reduce_only": False,
        "is_reducing": False,
    }
    found = Pending()
    found.add(OpenIntent(**(fields | changes)))
    return found


def with_position(quantity: str, symbol: str = "BTCUSDT") -> dict[Account, Holdings]:
    price = PRICES[f"linear:{symbol}"]
    return holdings() | {Account.TREND_1: Holdings({"USDT": Decimal(10_000)}, {symbol: (Decimal(quantity), price)})}


def test_rm1_an_order_within_all_limits_passes() -> None:
    verdict = judge(order())
    assert not verdict.refusals and not verdict.is_reducing


@pytest.mark.parametrize("state", [RiskStateName.REDUCE_ONLY, RiskStateName.HALTED, RiskStateName.PAUSED])
def test_rm1_engine_active(state: RiskStateName) -> None:
    assert refused(order(engine_state=state)) == {"engine_active"}
    assert refused(order(global_state=state)) == {"engine_active"}


def test_rm1_caution_still_takes_entries() -> None:
    assert refused(order(engine_state=RiskStateName.CAUTION)) == set()


def test_rm3_the_block_after_a_one_day_fall_excludes_its_end() -> None:
    assert refused(order(entries_blocked_until_ms=NOW + 1)) == {"one_day_fall"}
    assert refused(order(entries_blocked_until_ms=NOW)) == set()


def test_rm1_missing_is_never_zero() -> None:
    assert refused(order(portfolio=None, unknown=("the balances of TREND-1 are not known",))) == {"portfolio_known"}


def test_rm1_instrument_rules() -> None:
    assert refused(order(quantity="0.1005")) == {"instrument_rules"}
    assert refused(order(intent={"quantity": Decimal("0.001"), "reference_price": Decimal(4999)})) >= {
        "instrument_rules"
    }
    assert "instrument_rules" not in refused(order(quantity="101")), "X4: it is worked in slices"
    assert refused(order(quantity="0.0001")) == {"instrument"}
    assert refused(order(instrument=None)) == {"instrument"}
    assert refused(order(intent={"style": "stop"})) == {"instrument"}


def test_rm1_price_collar() -> None:
    assert refused(order(intent={"reference_price": Decimal("55000")}, quantity="0.1")) == set()
    assert refused(order(intent={"reference_price": Decimal("55000.1")}, quantity="0.1")) == {"price_collar"}
    assert refused(order(intent={"reference_price": Decimal("44999")}, quantity="0.1")) == {"price_collar"}


def test_rm1_fresh_data() -> None:
    assert refused(order(price_ms=NOW - 2 * HOUR_MS)) == set()
    assert refused(order(price_ms=NOW - 2 * HOUR_MS - 1)) == {"fresh_data"}
    assert "fresh_data" in refused(order(price=None, price_ms=None))
    assert refused(order(intent={"expires_ms": NOW})) == {"fresh_data"}


def test_rm1_sub_account_equity() -> None:
    accounts = holdings() | {Account.TREND_1: Holdings({"USDT": Decimal(0)}, {})}
    assert "equity" in refused(order(accounts=accounts))


def test_rm1_size() -> None:
    view = order(engine=ActorName.TACTICAL, category="spot", quantity="0.201")
    assert refused(view) == {"size", "cash_buffer"}


def test_rm1_position_funding_stays_within_its_share_of_the_engine() -> None:
    """FU-7 seen from outside: 5 % passes, noticeably more does not, in one order or with what is pending."""
    assert refused(order(engine=ActorName.FUNDING, category="spot", quantity="0.010")) == set()
    assert refused(order(engine=ActorName.FUNDING, category="spot", quantity="0.011")) == {"position"}
    more = pending(account=Account.FUNDING, remaining=Decimal("0.002"))
    assert refused(order(engine=ActorName.FUNDING, quantity="0.009", pending=more)) == {"position"}


def test_rm1_position_no_sale_of_coins_that_are_not_there() -> None:
    assert refused(order(engine=ActorName.CORE_HODL, category="spot", side=Side.SELL)) == {"position"}


def test_pending_perpetuals_are_those_of_the_account_alone() -> None:
    """R4's other half: what TREND-2 has approved moves no position of TREND-1, and spot moves none at all."""
    assert pending().linear_symbols(Account.TREND_1) == {"BTCUSDT"}
    assert pending().linear_symbols(Account.TREND_2) == set()
    assert pending(category="spot").linear_symbols(Account.TREND_1) == set()


def test_tr9_asset_leverage_counts_what_is_held_and_pending() -> None:
    assert refused(order(quantity="0.2")) == set()
    assert refused(order(quantity="0.201")) == {"size", "leverage"}
    assert refused(order(quantity="0.1", accounts=with_position("0.1"))) == set()
    assert refused(order(quantity="0.101", accounts=with_position("0.1"))) == {"leverage"}
    assert refused(order(quantity="0.05", pending=pending())) == set()
    assert refused(order(quantity="0.051", pending=pending())) == {"leverage"}


def test_tr9_total_leverage_is_1_9() -> None:
    accounts = with_position("4", "ETHUSDT")
    assert refused(order(quantity="0.18", accounts=accounts)) == set()
    assert refused(order(quantity="0.181", accounts=accounts)) == {"leverage"}


def test_tr9_liquidation_buffer() -> None:
    """T8: 1.9 × leaves more than 50 %, 2.0 × just under."""
    rate = Decimal("0.005")
    at = {n: liquidation_buffer(Decimal(100), [Exposure(Decimal(1), Decimal(n), rate)]) for n in ("190", "200")}
    assert at["190"] is not None and at["190"] > Decimal("0.5")
    assert at["200"] is not None and Decimal("0.49") < at["200"] < Decimal("0.5")
    high = {"BTCUSDT": Decimal("0.06"), "ETHUSDT": Decimal("0.06")}
    view = order(quantity="0.18", accounts=with_position("4", "ETHUSDT"), maintenance_margin=high)
    assert refused(view) == {"leverage"}


def test_ch7_concentration_counts_core_and_tactical_but_not_funding() -> None:
    """45 % of 100,000 USDT is 0.9 BTC at 50,000."""
    base = holdings() | {
        Account.CORE_HODL: Holdings({"USDT": Decimal(25_000), "BTC": Decimal("0.7")}, {}),
        Account.TACTICAL: Holdings({"USDT": Decimal(5_000), "BTC": Decimal("0.1")}, {}),
        Account.FUNDING: Holdings({"USDT": Decimal(5_000), "BTC": Decimal("0.1")}, {}),
    }
    buy: dict[str, Any] = {"engine": ActorName.CORE_HODL, "category": "spot", "accounts": base}
    assert refused(order(quantity="0.1", **buy)) == set()
    assert refused(order(quantity="0.101", **buy)) == {"concentration"}
    bought = pending(account=Account.CORE_HODL, category="spot", remaining=Decimal("0.01"))
    assert refused(order(quantity="0.1", pending=bought, **buy)) == {"concentration"}


def test_x2_limits_that_contain_a_price_let_a_tenth_of_a_percent_pass() -> None:
    """2021-04-01: CORE's purchase up to the 45 % was refused for 0.53 USDT of 126,636, because another order's fee had
    changed the portfolio in between. Limits of TR-9 stay exact."""
    base = holdings() | {Account.CORE_HODL: Holdings({"USDT": Decimal(60_000), "BTC": Decimal("0.8")}, {})}
    base |= {account: Holdings({"USDT": Decimal(0)}, {}) for account in Account if account is not Account.CORE_HODL}
    buy: dict[str, Any] = {"engine": ActorName.CORE_HODL, "category": "spot", "accounts": base}
    assert refused(order(quantity="0.1", **buy)) == set()  # 45,000 of 100,000
    assert refused(order(quantity="0.101", **buy)) == {"concentration"}
    for price, refusals in (("50050", set()), ("50051", {"concentration"})):  # at most 45,045, at the order's price
        assert refused(order(quantity="0.1", intent={"reference_price": Decimal(price)}, **buy)) == refusals
    exact = {"reference_price": Decimal("50000.1")}
    assert refused(order(quantity="0.2", intent=exact)) == {"leverage"}


def test_c7_concentration_does_not_refuse_tactical() -> None:
    base = holdings() | {
        Account.CORE_HODL: Holdings({"USDT": Decimal(5_000), "BTC": Decimal("1.1")}, {}),
    }
    assert refused(order(engine=ActorName.TACTICAL, category="spot", accounts=base)) == set()


def test_ch7_cash_buffer_of_core() -> None:
    """5 % of 60,000 USDT must stay: 57,000 may be spent, less what is committed already."""
    base = holdings() | {Account.TACTICAL: Holdings({"USDT": Decimal(1_000_000)}, {})}
    buy: dict[str, Any] = {"engine": ActorName.CORE_HODL, "category": "spot", "accounts": base}
    assert refused(order(quantity="1.14", **buy)) == set()
    assert refused(order(quantity="1.141", **buy)) == {"cash_buffer"}
    bought = pending(account=Account.CORE_HODL, category="spot", symbol="ETHUSDT", remaining=Decimal("0.04"))
    assert refused(order(quantity="1.11", pending=bought, **buy)) == {"cash_buffer"}


def test_rm1_order_rate() -> None:
    assert refused(order(orders_this_minute=119)) == set()
    assert refused(order(orders_this_minute=120)) == {"order_rate"}


def test_rm1_duplicates() -> None:
    assert refused(order(is_repeat=True)) == {"duplicate"}


def test_rm1_an_engine_trades_only_its_own_account_and_products() -> None:
    """Elsewhere several strategies shared one account: one's recovery took another's orders, and each booked the
    funding of the net position."""
    assert refused(order(intent={"account": Account.TREND_2})) == {"ownership"}
    assert refused(order(engine=ActorName.CORE_HODL)) == {"ownership"}


def test_rm1_every_reason_is_given() -> None:
    view = order(engine_state=RiskStateName.HALTED, price_ms=NOW - 3 * HOUR_MS, orders_this_minute=500)
    assert refused(view) == {"engine_active", "fresh_data", "order_rate"}


EVERYTHING_WRONG: dict[str, Any] = {
    "engine_state": RiskStateName.HALTED,
    "global_state": RiskStateName.REDUCE_ONLY,
    "entries_blocked_until_ms": NOW + 1,
    "price": None,
    "price_ms": None,
    "orders_this_minute": 10_000,
    "portfolio": None,
    "unknown": ("prices are missing",),
}


def test_rm1_reductions_are_never_refused() -> None:
    """DESIGN 5: reduce-only orders, and sales of what is held, pass whatever state the rest is in."""
    stop = {"style": "stop", "reduce_only": True, "trigger_price": Decimal(1)}
    assert judge(order(side=Side.SELL, quantity="5", intent=stop, **EVERYTHING_WRONG)).is_reducing
    closing = order(side=Side.SELL, quantity="0.1", accounts=with_position("0.1"), **EVERYTHING_WRONG)
    assert judge(closing) == ((), True)
    coins = holdings() | {Account.CORE_HODL: Holdings({"USDT": Decimal(1), "BTC": Decimal(1)}, {})}
    sale = order(ActorName.CORE_HODL, Side.SELL, "1", "spot", accounts=coins, **EVERYTHING_WRONG)
    assert judge(sale) == ((), True)


def test_rm1_an_order_beside_a_stop_of_the_same_position_is_no_reduction_unless_it_is_reduce_only() -> None:
    """The stop fills first, and the order that was let through as a reduction opens the opposite position."""
    stop = pending(side=Side.SELL, remaining=Decimal("0.1"), reduce_only=True, is_reducing=True)
    accounts = with_position("0.1")
    closing = order(side=Side.SELL, quantity="0.1", accounts=accounts, pending=stop, **EVERYTHING_WRONG)
    assert "engine_active" in refused(closing)
    assert judge(replace(closing, intent=closing.intent.model_copy(update={"reduce_only": True}))).is_reducing
    smaller = pending(side=Side.SELL, remaining=Decimal("0.04"), reduce_only=True, is_reducing=True)
    rest = order(side=Side.SELL, quantity="0.06", accounts=accounts, pending=smaller, **EVERYTHING_WRONG)
    assert judge(rest).is_reducing


def test_rm1_what_is_held_of_an_instrument_that_the_policy_has_taken_away_is_closed_and_nothing_is_opened() -> None:
    """The engine keeps the version before, since it holds the asset; its exits and stops were refused by the newer one
    of the risk manager."""
    narrowed = P.engines[ActorName.TREND_1].model_copy(update={"universe": frozenset({"linear:ETHUSDT"})})
    stop = {"style": "stop", "reduce_only": True, "trigger_price": Decimal(1)}
    for intent in (stop, {"reduce_only": True}, {}):
        closing = order(side=Side.SELL, accounts=with_position("0.1"), limits=narrowed, intent=intent)
        assert judge(closing).is_reducing
    assert refused(order(limits=narrowed)) == {"ownership"}
    assert refused(order(side=Side.SELL, limits=narrowed)) == {"ownership"}


def test_rm1_the_resulting_absolute_position_is_tested() -> None:
    """LESSONS: a reducing state must not let a flip or a new position through. Elsewhere it did: new positions from
    flat, and closes beyond what was held."""
    flip = order(side=Side.SELL, quantity="0.21", accounts=with_position("0.2"), engine_state=RiskStateName.REDUCE_ONLY)
    assert "engine_active" in refused(flip)
    twice = order(
        side=Side.SELL,
        quantity="0.2",
        accounts=with_position("0.2"),
        engine_state=RiskStateName.REDUCE_ONLY,
        pending=pending(side=Side.SELL, remaining=Decimal("0.1")),
    )
    assert "engine_active" in refused(twice)
    assert "engine_active" in refused(order(engine_state=RiskStateName.REDUCE_ONLY, side=Side.SELL))


def test_rm1_coins_being_bought_may_be_sold_again() -> None:
    """The engine may know of a fill before we do: its unwinding sale is no new risk."""
    bought = pending(account=Account.FUNDING, category="spot", remaining=Decimal("0.01"))
    view = order(ActorName.FUNDING, Side.SELL, "0.01", "spot", pending=bought)
    assert judge(view) == ((), True)


# --- the canary of profile live ---


def limited(limit: str) -> RiskParameters:
    return P.model_copy(update={"capital_limit_usdt": Decimal(limit)})


def test_capital_limit_counts_what_all_engines_hold_and_may_still_take() -> None:
    """The canary: 0.1 BTC at 50,000 with 0.02 held elsewhere and 0.01 under way are 6,500 USDT."""
    accounts = holdings()
    accounts[Account.CORE_HODL] = Holdings({"USDT": Decimal(59_000), "BTC": Decimal("0.02")}, {})
    under_way = pending(remaining=Decimal("0.01"), price=Decimal(50_000))
    just_enough = order(accounts=accounts, pending=under_way, parameters=limited("6500"))
    assert "capital_limit" not in refused(just_enough)
    too_little = order(accounts=accounts, pending=under_way, parameters=limited("6499.99"))
    (refusal,) = [r for r in judge(too_little).refusals if r.check == "capital_limit"]
    assert "6500.0000 USDT" in refusal.reason
    assert "6499.9900 USDT" in refusal.reason
    assert "live.canary_limit_usdt" in refusal.reason


def test_capital_limit_never_refuses_what_reduces_risk() -> None:
    accounts = holdings()
    accounts[Account.CORE_HODL] = Holdings({"USDT": Decimal(0), "BTC": Decimal(2)}, {})
    sale = order(ActorName.CORE_HODL, Side.SELL, "1", "spot", accounts=accounts, parameters=limited("100"))
    assert refused(sale) == set()


def test_capital_limit_is_off_unless_it_is_set() -> None:
    accounts = holdings()
    accounts[Account.CORE_HODL] = Holdings({"USDT": Decimal(0), "BTC": Decimal(100)}, {})
    assert "capital_limit" not in refused(order(accounts=accounts))


def test_no_new_risk_on_a_market_whose_data_cannot_be_used_and_reductions_go_on() -> None:
    """Cases 5 to 7: missing or unparsable exchange data halts entries; it is never zero, never success."""
    why = ("account TREND-1: field 'execQty' is '-1'.",)
    assert refused(order(unusable=why)) == {"fresh_data"}
    exit_ = order(side=Side.SELL, intent={"reduce_only": True}, unusable=why)
    assert refused(exit_) == set()


def test_x1_a_rest_below_a_lot_passes_as_the_close_of_a_position_only() -> None:
    """The rest of an exit, 0.0004 with a lot of 0.001, was denied 17,460 times."""
    rest: dict[str, Any] = {"side": Side.SELL, "quantity": "0.0004", "accounts": with_position("0.0004")}
    closing = {"reduce_only": True, "purpose": "exit"}
    assert refused(order(**rest, intent=closing)) == {"instrument"}
    assert refused(order(**rest, intent={**closing, "closes_rest": True})) == set()
    assert refused(order(**rest, intent={"closes_rest": True})) == {"instrument"}
