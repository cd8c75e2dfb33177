"""CH-10, IF-2: Earn through the gateway: read strictly, and never a reason not to trade."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import requests

from infra.backtest.system import DirectExchange
from infra.bybit.exchange import BybitExchange
from infra.simulator.api import Exchange
from infra.simulator.config import SimConfig
from infra.simulator.market.synthetic import SyntheticMarket
from statemachines.earn.terms import EarnReading, LookUpStaking, StakeCoins, StakingStatus
from statemachines.requests import Accepted, AccountSnapshot, ReadAccount, Refused, Unknown
from statemachines.values import DAY_MS, Account
from tests.infra.bybit.venue import NOW, adapter

CORE = Account.CORE_HODL
STAKE = StakeCoins(client_order_id="abcdefch1-1", action="stake", coin="ETH", product_id="431", amount=Decimal("1.50"))
LOOK = LookUpStaking(**STAKE.model_dump(exclude={"kind"}))
OFFER = {
    "category": "FlexibleSaving", "estimateApr": "3.5%", "coin": "ETH", "minStakeAmount": "0.001",
    "maxStakeAmount": "10", "precision": "8", "productId": "431", "status": "Available",
}  # fmt: skip
HELD = {"coin": "ETH", "productId": "431", "amount": "4", "totalPnl": "0.1", "claimableYield": "0"}
PAID = {
    "productId": "431", "coin": "ETH", "id": "7", "amount": "0.01", "yieldType": "Normal", "status": "Success",
    "distributionMode": "Reinvest", "effectiveStakingAmount": "4", "orderId": "", "createdAt": str(NOW - 5),
}  # fmt: skip
RECORD = {
    "coin": "ETH", "orderValue": "1.5", "orderType": "Stake", "orderId": "e", "orderLinkId": "abcdefch1-1",
    "status": "Success", "createdAt": "1", "productId": "431", "updatedAt": "1",
}  # fmt: skip
EMPTY = {"list": [], "nextPageCursor": ""}


def gateway(**answers: Any) -> tuple[BybitExchange, list[tuple[str, dict[str, Any]]]]:
    """Each Earn endpoint (`place_order` for `/v5/earn/place-order`) gives its result, an (code, message) or raises."""
    calls: list[tuple[str, dict[str, Any]]] = []
    usual = {
        "product": {"list": [OFFER]}, "position": {"list": [HELD]}, "yield": {"yield": [PAID]},
        "order": {"list": [RECORD]}, "place_order": {"orderId": "e", "orderLinkId": "abcdefch1-1"},
    }  # fmt: skip

    def handle(_method: str, path: str, params: Any, _account: Account | None) -> dict[str, Any]:
        if not path.startswith("/v5/earn/"):
            wallet = {"list": [{"accountType": "UNIFIED", "coin": [{"coin": "USDT", "walletBalance": "5"}]}]}
            return {"retCode": 0, "retMsg": "OK", "result": wallet if "wallet" in path else EMPTY, "time": 1}
        calls.append((path, dict(params)))
        answer = (usual | answers)[path.removeprefix("/v5/earn/").replace("-", "_")]
        if isinstance(answer, Exception):
            raise answer
        code, message, result = (*answer, {}) if isinstance(answer, tuple) else (0, "", answer)
        return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": 1}

    return adapter(handle), calls


def read(exchange: BybitExchange) -> EarnReading:
    asked = ReadAccount(executions_since_ms=NOW, yields_since_ms=NOW - 10, reads_earn=True, earn_coins=("ETH",))
    snapshot = exchange.perform(CORE, asked)
    assert isinstance(snapshot, AccountSnapshot) and snapshot.balances == {"USDT": Decimal(5)}, snapshot
    assert snapshot.earn is not None
    return snapshot.earn


def test_positions_offers_and_yield_are_read() -> None:
    found = read(gateway()[0])
    assert found.access == "granted" and found.products is not None and found.positions is not None
    assert found.products[0].yearly_yield == Decimal("0.035") and found.products[0].step == Decimal("1E-8")
    assert found.positions[0].amount == found.positions[0].redeemable == 4
    assert found.yields is not None and found.yields[0].amount == Decimal("0.01")


def test_offers_for_coins_that_are_not_ours_are_not_judged() -> None:
    odd = {"list": [OFFER, {"coin": "XYZ", "estimateApr": "up to 3%"}]}
    products = read(gateway(product=odd)[0]).products
    assert products is not None and [one.coin for one in products] == ["ETH"]


def test_yield_not_paid_yet_is_no_yield_and_both_names_of_the_list_are_read() -> None:
    pending = {"yield": [PAID | {"id": "8", "status": "Pending"}, PAID | {"id": "9", "status": "Fail"}]}
    assert read(gateway(**{"yield": pending})[0]).yields == ()
    assert len(read(gateway(**{"yield": {"list": [PAID]}})[0]).yields or ()) == 1


@pytest.mark.parametrize(("age_ms", "is_awaited"), [(5, True), (7 * DAY_MS - 1, True), (8 * DAY_MS, False)])
def test_yield_that_is_still_to_be_paid_is_awaited_for_a_week(age_ms: int, is_awaited: bool) -> None:
    row = PAID | {"status": "Pending", "createdAt": str(NOW - age_ms)}
    found = read(gateway(**{"yield": {"yield": [row]}})[0])
    assert (found.yields, found.has_pending_yields) == ((), is_awaited)
    assert not read(gateway()[0]).has_pending_yields


@pytest.mark.parametrize("code", [10005, 10032, 10017])
def test_ch10_a_key_without_the_permission_or_a_site_without_earn_is_no_failure(code: int) -> None:
    """Demo trading has no Earn, and a key may lack it: everything else of the account is read as ever."""
    found = read(gateway(position=(code, "Permission denied"))[0])
    assert found.access == "denied" and str(code) in found.problem and found.positions is None


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        ("position", {"list": [HELD | {"amount": "-1"}]}),
        ("position", {"list": [HELD | {"amount": "many"}]}),
        ("position", {"list": [{key: value for key, value in HELD.items() if key != "amount"}]}),
        ("position", {"list": [HELD, HELD]}),
        ("position", {"list": "none"}),
        ("position", {}),
        ("position", (180018, "internal error")),
        ("position", requests.exceptions.ReadTimeout()),
        ("yield", {"yield": [PAID | {"status": "Maybe"}]}),
        ("yield", {"yield": [PAID, PAID | {"amount": "2"}]}),
        ("yield", {"rows": []}),
    ],
)
def test_ch10_what_cannot_be_read_is_unknown_and_never_zero(where: str, answer: Any) -> None:
    found = read(gateway(**{where: answer})[0])
    assert found.access == "unknown" and found.positions is None and found.problem


@pytest.mark.parametrize(
    "changes",
    [
        {"estimateApr": "3"}, {"estimateApr": "1%~3%"}, {"estimateApr": ""}, {"estimateApr": 3}, {"status": "Open"},
        {"precision": "-1"}, {"minStakeAmount": ""}, {"maxStakeAmount": "0"}, {"productId": ""},
        {"minRedeemAmount": "-1"},
    ],
)  # fmt: skip
def test_ch10_an_offer_that_cannot_be_read_is_none(changes: dict[str, Any]) -> None:
    found = read(gateway(product={"list": [OFFER | changes]})[0])
    assert found.products is None and found.products_problem and found.positions is not None


def test_a_staking_order_is_sent_in_plain_numbers_and_acknowledged() -> None:
    exchange, calls = gateway()
    assert exchange.perform(CORE, STAKE) == Accepted(venue_order_id="e")
    (sent,) = calls
    assert sent == (
        "/v5/earn/place-order",
        {
            "category": "FlexibleSaving", "orderType": "Stake", "accountType": "UNIFIED", "amount": "1.5",
            "coin": "ETH", "productId": "431", "orderLinkId": "abcdefch1-1",
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind", "fault"),
    [
        ((180016, "balance"), Refused, "funds"),
        ((180012, "share"), Refused, "permanent"),
        ((180014, "share"), Refused, "permanent"),
        ((180015, "quota"), Refused, "permanent"),
        ((180001, "param"), Refused, "permanent"),
        ((180007, "product"), Refused, "permanent"),
        ((180023, "maintenance"), Refused, "transient"),
        ((180025, "duplicate"), Refused, "duplicate"),
        ((180031, "duplicate"), Refused, "duplicate"),
        ((180018, "internal"), Unknown, None),
        ((180099, "new code"), Unknown, None),
        (requests.exceptions.ReadTimeout(), Unknown, None),
        ({"orderId": "e", "orderLinkId": "another"}, Unknown, None),
        ({"orderLinkId": "abcdefch1-1"}, Unknown, None),
    ],
)
def test_what_an_answer_to_a_staking_order_means(answer: Any, kind: type, fault: str | None) -> None:
    outcome = gateway(place_order=answer)[0].perform(CORE, STAKE)
    assert isinstance(outcome, kind), outcome
    assert getattr(outcome, "fault", None) == fault


@pytest.mark.parametrize(
    ("rows", "status"),
    [
        ([], "ABSENT"),
        ([RECORD], "SUCCESS"),
        ([RECORD | {"status": "Pending"}], "PENDING"),
        ([RECORD | {"status": "Fail"}], "FAILED"),
    ],
)
def test_a_staking_order_is_looked_up_by_its_id(rows: list[dict[str, Any]], status: str) -> None:
    exchange, calls = gateway(order={"list": rows})
    outcome = exchange.perform(CORE, LOOK)
    assert isinstance(outcome, StakingStatus) and outcome.status == status
    assert calls[0][1]["orderLinkId"] == "abcdefch1-1"


@pytest.mark.parametrize(
    "rows",
    [
        [RECORD | {"orderLinkId": "another"}],
        [RECORD | {"orderValue": "2"}],
        [RECORD | {"orderType": "Redeem"}],
        [RECORD | {"coin": "BTC"}],
        [RECORD | {"productId": "1"}],
        [RECORD | {"status": "Done"}],
        [RECORD, RECORD | {"status": "Fail"}],
    ],
)
def test_a_record_of_anything_else_is_not_an_answer(rows: list[dict[str, Any]]) -> None:
    outcome = gateway(order={"list": rows})[0].perform(CORE, LOOK)
    assert isinstance(outcome, Refused) and outcome.fault == "transient"  # the look-up is repeated


def test_the_simulated_exchange_is_read_by_the_gateway() -> None:
    exchange = Exchange(SyntheticMarket(7, NOW, 4), SimConfig(rate_limits=False))
    exchange.deposit("CORE-HODL", "ETH", Decimal(3))
    direct = DirectExchange(exchange).gateway()
    assert isinstance(direct.perform(CORE, STAKE), Accepted)
    assert direct.perform(CORE, LOOK) == StakingStatus(status="SUCCESS")
    while exchange.market_time < NOW + 2 * 86_400_000:
        exchange.advance(exchange.step, None)
    asked = ReadAccount(executions_since_ms=NOW, yields_since_ms=NOW, reads_earn=True, earn_coins=("ETH",))
    snapshot = direct.perform(CORE, asked)
    assert isinstance(snapshot, AccountSnapshot) and snapshot.earn is not None and snapshot.earn.positions is not None
    paid = sum((one.amount for one in snapshot.earn.yields or ()), Decimal(0))
    assert paid > 0 and snapshot.earn.positions[0].amount == Decimal("1.5") + paid
    assert snapshot.balances["ETH"] == Decimal("1.5")
