"""Exact money: wallets, fees, funding, realised P&L, margin, liquidation, transfers (F9, T8, FA-1)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.simulator.market.path import DAY_MS
from tests.infra.simulator.venue.world import FLAT, World, at

FUND = "/v5/asset/transfer/universal-transfer"


def test_a_spot_buy_pays_its_fee_in_the_coin_and_a_sell_in_usdt() -> None:
    """F9."""
    world = World()
    bought = world.order("FUNDING", category="spot", side="Buy", qty="0.01", marketUnit="baseCoin")
    assert bought["cumFeeDetail"] == {"BTC": "0.00001"}
    assert world.wallet("FUNDING", "BTC") == Decimal("0.00999")
    paid, received = Decimal("400.001"), Decimal("39999.9") * Decimal("0.00999")
    assert world.wallet("FUNDING") == 15000 - paid
    world.order("FUNDING", category="spot", side="Sell", qty="0.00999")
    assert world.wallet("FUNDING", "BTC") == 0
    assert world.wallet("FUNDING") == 15000 - paid + received - (received / 1000).quantize(Decimal("1e-8"))


def test_a_spot_buy_sized_in_quote_ends_partially_filled_cancelled() -> None:
    """The default of Bybit for a spot market buy; a remainder below one step is cancelled."""
    world = World([("30001", "30001", "30001", "30001")])
    order = world.order("FUNDING", category="spot", side="Buy", qty="100")
    assert (order["orderStatus"], order["marketUnit"]) == ("PartiallyFilledCanceled", "quoteCoin")
    assert Decimal(order["cumExecQty"]) == Decimal("0.003333")


def test_realised_profit_goes_into_the_wallet_and_entry_value_is_split_without_loss() -> None:
    world = World([FLAT, ("40000", "40100.1", "40000", "40100.1")])
    world.order(side="Buy", qty="0.003")
    world.run_to(at(1, 40))
    for _ in range(3):
        world.order(side="Sell", qty="0.001", reduceOnly=True)
    rows = world.exchange.venue.accounts["TREND-1"].log
    assert sum(Decimal(row.data["cashFlow"]) for row in rows[1:]) == Decimal("0.2997"), (
        "bought at the ask, sold at the bid"
    )
    assert world.position()["size"] == "0"


def test_funding_is_size_times_mark_times_rate_and_longs_pay() -> None:
    world = World(funding={8: "0.0002", 16: "-0.0001"})
    world.order("TREND-1", side="Buy", qty="0.1")
    world.order("FUNDING", side="Sell", qty="0.1")
    before = {name: world.wallet(name) for name in ("TREND-1", "FUNDING")}
    world.run_to(at(7, 59, 59))
    results = world.run_to(at(8))
    assert [(f.account, f.frame["topic"]) for r in results for f in r.frames][:3] == [
        ("TREND-1", "execution"),
        ("TREND-1", "position"),
        ("TREND-1", "wallet"),
    ]
    assert world.wallet("TREND-1") == before["TREND-1"] - Decimal("0.8")
    assert world.wallet("FUNDING") == before["FUNDING"] + Decimal("0.8")
    row = world.get("/v5/execution/list", "FUNDING", category="linear", execType="Funding")["list"][0]
    assert (row["execFee"], row["feeRate"], row["orderType"], row["execQty"]) == ("-0.8", "0.0002", "UNKNOWN", "0.1")
    entry = world.get("/v5/account/transaction-log", "FUNDING", category="linear", type="SETTLEMENT")["list"][0]
    assert (entry["funding"], entry["feeRate"], entry["size"]) == ("0.8", "-0.0002", "-0.1")
    world.run_to(at(16))
    assert world.wallet("TREND-1") == before["TREND-1"] - Decimal("0.4")


def test_funding_comes_before_the_new_price_and_is_settled_with_the_last_mark() -> None:
    world = World([FLAT] * 8 + [("50000", "50000", "50000", "50000")], funding={8: "0.001"})
    world.order(side="Buy", qty="0.1")
    world.run_to(at(8))
    entry = world.get("/v5/account/transaction-log", "TREND-1", category="linear", type="SETTLEMENT")["list"][0]
    assert (entry["funding"], entry["tradePrice"]) == ("-4", "40000")


def test_margin_figures_and_liquidation_price_follow_the_first_tier() -> None:
    """T8: margin balance - size x (mark - p) = size x p x 0.5 %."""
    world = World()
    world.order(side="Buy", qty="0.5")
    row = world.position()
    assert (row["positionIM"], row["positionMM"]) == ("2000", "100")
    balance = Decimal(15000) - Decimal(11)
    expected = (Decimal(20000) - balance) / (Decimal("0.5") * (1 - Decimal("0.005")))
    assert abs(Decimal(row["liqPrice"]) - expected) <= Decimal("0.1")


def test_an_exhausted_account_is_liquidated_where_margin_meets_maintenance() -> None:
    world = World([FLAT, ("40000", "40000", "20000", "20000")])
    world.post("/v5/position/set-leverage", "TREND-2", category="linear", symbol="BTCUSDT", buyLeverage="20",
               sellLeverage="20")  # fmt: skip
    world.order("TREND-2", side="Buy", qty="0.5")
    liquidation = Decimal(world.position("TREND-2")["liqPrice"])
    resting = world.order("TREND-2", side="Buy", qty="0.01", price="39700", orderType="Limit")
    world.run_to(at(2))
    row = world.get("/v5/execution/list", "TREND-2", category="linear", execType="BustTrade")["list"][0]
    # The resting order filled on the way, so the account met its end a little earlier than shown before.
    assert abs(Decimal(row["execPrice"]) - liquidation) < 200
    assert world.position("TREND-2")["size"] == "0"
    assert world.show(resting["orderId"], "TREND-2")["orderStatus"] in ("Filled", "Cancelled")
    assert 0 <= world.wallet("TREND-2") < 110
    assert world.wallet("TREND-2") == world.log_total("TREND-2")


def test_a_gap_beyond_bankruptcy_leaves_nothing_but_no_debt() -> None:
    world = World([FLAT, ("10000", "10000", "10000", "10000")])
    world.order("TREND-2", side="Buy", qty="0.5")
    world.order("TREND-2", side="Sell", qty="0.5", triggerPrice="9000", triggerDirection=2, reduceOnly=True)
    world.run_to(at(1, 30))
    assert world.position("TREND-2")["size"] == "0"
    assert 0 <= world.wallet("TREND-2") < Decimal("0.01")
    assert world.get("/v5/order/realtime", "TREND-2", category="linear", symbol="BTCUSDT")["list"] == []


def test_a_liquidation_closes_winners_before_losers_so_that_their_profit_covers_the_loss() -> None:
    """Were the loser closed first, its loss would be booked whole and the winner be given away for it."""
    fall = {"BTCUSDT": [FLAT, ("10000",) * 4], "ETHUSDT": [("2000",) * 4, ("1900",) * 4]}
    world = World(fall)
    world.order("TREND-2", side="Buy", qty="0.5")
    world.order("TREND-2", side="Sell", qty="1", symbol="ETHUSDT")
    world.run_to(at(1, 30))
    rows = world.get("/v5/execution/list", "TREND-2", category="linear", execType="BustTrade")["list"][::-1]
    assert [row["symbol"] for row in rows] == ["ETHUSDT", "BTCUSDT"]
    assert Decimal(rows[0]["execPrice"]) == 1900, "the winner's profit is counted at the market"
    assert Decimal(rows[1]["execPrice"]) > 10000, "the loser is closed where the account has nothing left"
    assert 0 <= world.wallet("TREND-2") < Decimal("0.01")


def test_only_the_master_moves_money_and_a_transfer_id_counts_once() -> None:
    world = World()
    uids = world.uids
    body = {"transferId": "t-1", "coin": "USDT", "amount": "1000.5", "fromMemberId": uids["FUNDING"],
            "toMemberId": uids["TACTICAL"], "fromAccountType": "UNIFIED", "toAccountType": "UNIFIED"}  # fmt: skip
    assert world.refused(FUND, "FUNDING", **body) == 10005
    assert world.post(FUND, "MASTER", **body) == {"transferId": "t-1", "status": "SUCCESS"}
    assert {frame.account for frame in world.exchange.drain()} == {"FUNDING", "TACTICAL"}
    assert world.refused(FUND, "MASTER", **body) == 131214
    assert world.refused(FUND, "MASTER", **body | {"transferId": "t-2", "amount": "99999"}) == 131228
    assert (world.wallet("FUNDING"), world.wallet("TACTICAL")) == (Decimal("13999.5"), Decimal("6000.5"))
    rows = world.get("/v5/asset/transfer/query-universal-transfer-list", "MASTER", transferId="t-1")["list"]
    assert rows[0]["toMemberId"] == str(uids["TACTICAL"])
    log = world.get("/v5/account/transaction-log", "TACTICAL", type="TRANSFER_IN")["list"]
    assert log[0]["change"] == "1000.5"


def test_a_transfer_older_than_a_week_is_listed_only_with_a_window_even_by_its_id() -> None:
    world = World(days=9)
    listed = "/v5/asset/transfer/query-universal-transfer-list"
    body = {"transferId": "t-1", "coin": "USDT", "amount": "1000.5", "fromMemberId": world.uids["FUNDING"],
            "toMemberId": world.uids["TACTICAL"], "fromAccountType": "UNIFIED", "toAccountType": "UNIFIED"}  # fmt: skip
    world.post(FUND, "MASTER", **body)
    made_ms = world.exchange.market_time
    for later_ms, shown in ((7 * DAY_MS, 1), (7 * DAY_MS + 1, 0)):
        world.run_to(made_ms + later_ms)
        assert len(world.get(listed, "MASTER", transferId="t-1")["list"]) == shown
    window = {"startTime": str(made_ms), "endTime": str(made_ms + 7 * DAY_MS)}
    assert world.get(listed, "MASTER", transferId="t-1", **window)["list"][0]["amount"] == "1000.5"


def test_margin_in_use_cannot_be_transferred_away() -> None:
    world = World()
    world.order("FUNDING", side="Sell", qty="2")
    answer = world.get("/v5/account/withdrawal", "FUNDING", coinName="USDT")
    bid = Decimal("39999.9")
    fee, margin, loss = bid * 2 * Decimal("0.00055"), 8000, (40000 - bid) * 2
    assert Decimal(answer["availableWithdrawal"]) == 15000 - fee - margin - loss


def test_trade_only_and_transfer_only_keys() -> None:
    world = World()
    body = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "0.01"}
    assert world.refused("/v5/order/create", "MASTER", **body) == 10005
    inner = {"transferId": "i", "coin": "USDT", "amount": "1", "fromAccountType": "UNIFIED", "toAccountType": "FUND"}
    assert world.refused("/v5/asset/transfer/inter-transfer", "TREND-1", **inner) == 10005
    key = world.get("/v5/user/query-api", "TREND-1")
    assert key["permissions"]["Wallet"] == [] and not key["isMaster"]
    assert len(world.get("/v5/user/query-sub-members", "MASTER")["subMembers"]) == 5


def test_a_deposit_is_in_wallet_log_and_deposit_records() -> None:
    world = World()
    world.exchange.deposit("MASTER", "USDT", Decimal("2500"))
    assert world.wallet("MASTER") == world.log_total("MASTER") == 2500
    assert world.get("/v5/asset/deposit/query-record", "MASTER")["rows"][0]["amount"] == "2500"


PRICES = st.integers(min_value=38000, max_value=42000).map(str)
HOURS = st.lists(st.tuples(PRICES, PRICES, PRICES, PRICES), min_size=4, max_size=10).map(
    lambda rows: [(r[0], str(max(map(int, r))), str(min(map(int, r))), r[3]) for r in rows]
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["linear", "spot"]),
        st.sampled_from(["Buy", "Sell"]),
        st.sampled_from(["Market", "Limit", "Stop"]),
        st.integers(min_value=1, max_value=4000),
        st.integers(min_value=-300, max_value=300),
        st.integers(min_value=0, max_value=90),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(hours=HOURS, actions=ACTIONS)
def test_every_wallet_is_the_sum_of_its_log_to_the_last_unit(
    hours: list[tuple[str, str, str, str]], actions: list[tuple[str, str, str, int, int, int]]
) -> None:
    """FA-1: whatever is done, log rows obey change = cashFlow + funding - fee and add up to the wallet."""
    world = World(hours, funding={h: "0.00031" for h in range(1, 12)}, days=1)
    for category, side, kind, qty, offset, minutes in actions:
        price = str(40000 + offset)
        body: dict[str, object] = {"category": category, "symbol": "BTCUSDT", "side": side, "orderType": "Market"}
        body["qty"] = f"{qty / 1000:.3f}"
        if category == "spot":
            body["marketUnit"] = "baseCoin"
        if kind == "Limit":
            body |= {"orderType": "Limit", "price": price}
        elif kind == "Stop":
            body |= {"triggerPrice": price, "triggerDirection": 1 if offset > 0 else 2}
        world.call("POST", "/v5/order/create", "TREND-1", **body)
        world.run_to(min(world.exchange.market_time + minutes * 60_000, at(23)))
    account = world.exchange.venue.accounts["TREND-1"]
    for coin in ("USDT", "BTC"):
        assert world.wallet("TREND-1", coin) == world.log_total("TREND-1", coin)
    assert account.balance("BTC") >= 0
    balances: dict[str, Decimal] = {}
    for row in account.log:
        data = row.data
        change = Decimal(data["cashFlow"]) + Decimal(data["funding"] or 0) - Decimal(data["fee"])
        assert change == Decimal(data["change"])
        balances[data["currency"]] = balances.get(data["currency"], Decimal(0)) + change
        assert balances[data["currency"]] == Decimal(data["cashBalance"])
    filled = {order.id: order.filled for order in account.orders.values()}
    executed: dict[str, Decimal] = {}
    for row in account.executions:
        if row.data["execType"] == "Trade":
            executed[row.data["orderId"]] = executed.get(row.data["orderId"], Decimal(0)) + Decimal(row.data["execQty"])
    for order_id, quantity in executed.items():
        assert filled[order_id] == quantity


@pytest.mark.parametrize("category", ["spot", "linear"])
def test_fee_rates_are_those_charged(category: str) -> None:
    world = World()
    row = world.get("/v5/account/fee-rate", "TREND-1", category=category, symbol="BTCUSDT")["list"][0]
    assert row["takerFeeRate"] == {"spot": "0.001", "linear": "0.00055"}[category]
