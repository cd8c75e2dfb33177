"""How full each limit is, against figures worked out by hand; what is not known is left out, never shown as empty."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from api.views.limits import Known, limit_views
from infra.config import EternalConfig
from infra.config.policy import policy_of
from statemachines.messages.accounts import AccountView
from statemachines.values import Account

D = Decimal
POLICY: Any = policy_of(EternalConfig())


def account(name: Account, equity: str, cash: str, **coins: str) -> AccountView:
    return AccountView(
        account=name,
        equity_usdt=D(equity),
        cash_usdt=D(cash),
        coins={coin: D(amount) for coin, amount in coins.items()},
    )


def known(**changes: Any) -> Known:
    sound = Known(
        POLICY,
        {"TREND": ["0.90", "1.20", "1"], "CORE-HODL": ["0.7", "1", "1"]},
        {
            Account.CORE_HODL: account(Account.CORE_HODL, "60000", "6000", BTC="0.4", ETH="2"),
            Account.TACTICAL: account(Account.TACTICAL, "5000", "5000", BTC="0.05"),
            Account.TREND_1: account(Account.TREND_1, "15000", "15000"),
            Account.FUNDING: account(Account.FUNDING, "15000", "14000", BTC="0.005"),
        },
        {"spot:BTCUSDT": D(100_000), "spot:ETHUSDT": D(3_000), "spot:SOLUSDT": D(100)},
        D(100_000),
        [{"engine": "trend-1", "notional_usdt": D(14_250)}],
    )
    return sound._replace(**changes)


def found(one: Known) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["name"], row["subject"]): row for row in limit_views(one)}


def test_figures_by_hand() -> None:
    rows = found(known())
    trend = rows["drawdown", "TREND"]
    assert (trend["now"], trend["limit"], trend["steps"]) == (D("0.25"), D("0.25"), (D("0.15"),))
    assert trend["effect"] == "REDUCE_ONLY"
    assert rows["drawdown", "CORE-HODL"]["effect"] == "alert only" and rows["drawdown", "CORE-HODL"]["part"] == 1
    assert rows["share of the portfolio", "BTC"]["now"] == D("0.45"), "CORE's and TACTICAL's, not FUNDING's (C7)"
    assert rows["leverage", "trend-1"]["now"] == D("0.95") and rows["leverage", "trend-1"]["part"] == D("0.5")
    assert rows["hedged pair", "BTC"]["now"].quantize(D("0.0001")) == D("0.0333")
    cash = rows["cash buffer", "core-hodl"]
    assert cash["is_least"] and cash["now"] == D("0.1") and cash["part"] == D("0.5")


def test_the_fullest_comes_first() -> None:
    parts = [row["part"] for row in limit_views(known())]
    assert parts == sorted(parts, reverse=True)


def test_what_is_not_known_is_left_out() -> None:
    rows = found(known(tracks={}, prices={}, positions=[{"engine": "trend-1", "notional_usdt": None}],
                       accounts={Account.TREND_1: account(Account.TREND_1, "15000", "15000")}))  # fmt: skip
    assert set(rows) == {("net exposure", "all accounts")}
    nothing = found(known(equity_usdt=D(0), accounts={Account.CORE_HODL: account(Account.CORE_HODL, "0", "0")}))
    assert ("cash buffer", "core-hodl") not in nothing and ("net exposure", "all accounts") not in nothing
