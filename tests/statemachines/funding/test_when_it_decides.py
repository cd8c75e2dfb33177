"""When FUNDING decides: risk states, late settlements, the basis between them, what may come late (F3, F5, RM-2)."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from statemachines.actor_logic import ENDLESS_LOOKAHEAD, FOREVER_MS, NO_LOOKAHEAD, Lookahead
from statemachines.funding.engine import FundingEngine
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.rules import (
    pair_size,
)
from statemachines.messages.accounts import FundingPaid
from statemachines.messages.control import RiskState
from statemachines.messages.market import FundingSettled, QuotesSeen
from statemachines.requests import Quote
from statemachines.values import HOUR_MS, LINEAR, MINUTE_MS, SPOT, Account, ActorName
from tests.statemachines.funding.synthetic import GOOD, PERIOD_MS, Market
from tests.statemachines.funding.test_rules import D
from tests.statemachines.harness import Outcome, instrument


def test_rm_2_rm_3_entries_follow_the_risk_state() -> None:
    """RM-2, RM-3: no entry in REDUCE_ONLY; half the size in CAUTION."""
    market = Market()
    blocked = RiskState(scope="funding", state="REDUCE_ONLY", size_factor=D(0), reason="test")
    market.world.tell(blocked)
    market.open("BTC")
    assert market.intents() == []
    market.world.tell(RiskState(scope="funding", state="CAUTION", size_factor=D("0.5"), reason="test"))
    market.period(BTC=GOOD)
    spot = next(one for one in market.intents() if one.category == SPOT)
    assert D(360) < spot.quantity * 10_000 <= D(375)


def test_a_settlement_learnt_late_opens_nothing() -> None:
    """F3: an entry belongs right after its settlement; caught-up rates only tell the past."""
    market = Market()
    market.period(BTC=GOOD)
    market.world.advance_to(market.now_ms + PERIOD_MS)
    settled_ms = market.now_ms
    market.world.advance_to(settled_ms + HOUR_MS)
    late = {"BTCUSDT": GOOD}
    market.world.tell(FundingSettled(settle_ms=settled_ms, rates=late, predicted=late, interval_min={"BTCUSDT": 480}))
    market.report()
    assert market.intents() == []
    assert market.state() == "MONITORING"


def test_fu_3_live_the_basis_is_read_every_minute_from_young_quotes() -> None:
    """F3, F5: two readings a minute apart on last prices no older than 60 s; old quotes break the row."""
    market = Market(parameters=FundingParameters(basis_check="minute"))

    def quotes(perp: int) -> None:
        seen = tuple(
            Quote(category=c, symbol=f"{a}USDT", bid=D(p), ask=D(p), last=D(p), market_ms=market.now_ms)
            for a in ("BTC",)
            for c, p in ((SPOT, 10_000), (LINEAR, perp))
        )
        market.world.tell(QuotesSeen(quotes=seen))

    for _ in range(2):
        for _ in range(8 * 60 - 1):
            market.world.advance_to(market.now_ms + MINUTE_MS)
            quotes(10_000)
        market.world.advance_to(market.now_ms + MINUTE_MS)
        market.report({"BTC": GOOD})
    assert market.state() == "FUNDING_COLLECTION"
    quotes(10_300)
    market.world.advance_to(market.now_ms + MINUTE_MS)
    market.world.advance_to(market.now_ms + MINUTE_MS)  # the quotes are older than 60 s now
    assert market.state() == "FUNDING_COLLECTION"
    for _ in range(2):
        quotes(10_300)
        market.world.advance_to(market.now_ms + MINUTE_MS)
    assert market.state() == "MONITORING"
    assert market.triggers()[-2:] == ["leave", "closed"]


def test_a_flat_engine_waits_for_settlements_a_hedged_pair_for_the_basis_and_a_pair_in_work_for_nothing() -> None:
    """F5, DESIGN 3: which hourly bars may come late; that they change nothing meanwhile, every test here checks."""
    market = Market()
    assert isinstance(market.world.logic, FundingEngine)
    assert market.world.logic.lookahead() == ENDLESS_LOOKAHEAD
    market.open("BTC")
    assert market.world.logic.lookahead() == Lookahead(FOREVER_MS, {"BTCUSDT": D("0.02")})
    market.world.decide = lambda intent: Outcome(hangs=True)
    market.perp["BTC"] = market.spot["BTC"] * D("1.03")
    market.hour()
    market.hour()
    assert market.state() == "EXIT"
    assert market.world.logic.lookahead() == NO_LOOKAHEAD


def test_fu_8_a_positive_period_ends_the_row_of_negative_ones() -> None:
    """FU-8, F10: − − + − is no row of three, whether or not the asset is held meanwhile."""
    market = Market()
    market.open("BTC", "ETH")
    market.stale.add((SPOT, "BTC"))
    for rate in (D("-0.0001"), D("-0.0001"), GOOD, D("-0.0001")):
        market.period(BTC=rate, ETH=GOOD)
    assert (market.state("BTC"), market.state("ETH")) == ("EXIT", "FUNDING_COLLECTION")
    for _ in range(2):
        market.period(BTC=D("-0.0001"), ETH=GOOD)
    assert market.state("ETH") == "MONITORING"


@given(
    st.decimals("1", "60000", places=2),
    st.decimals("0.5", "70000", places=2),
    st.sampled_from(["0", "0.001", "0.0018"]),
    st.sampled_from(["0.000001", "0.00001", "0.001"]),
    st.sampled_from(["0.001", "0.01", "0.1"]),
)
def test_fu_7_a_pair_never_costs_more_than_its_room(
    room: Decimal, price: Decimal, fee: str, spot_step: str, lot: str
) -> None:
    """FU-4, FU-7: rounding the spot order up to cover whole lots of the short does not break the limit."""
    spot = instrument(SPOT, "BTC").model_copy(update={"qty_step": D(spot_step), "min_qty": D(spot_step)})
    perp = instrument(LINEAR, "BTC").model_copy(update={"qty_step": D(lot), "min_qty": D(lot)})
    size = pair_size(room, price, D(fee), spot, perp)
    if size is not None:
        assert size.spot_order * price <= room and size.spot_order * (1 - D(fee)) >= size.short
        assert size.short % D(lot) == 0 and size.spot_order % D(spot_step) == 0


def test_fu_5_cash_that_is_owed_to_tactical_buys_nothing() -> None:
    """F8: half of the free cash owed halves the largest pair; all of it owed leaves none."""

    def spent_on_eth(owed_usdt: Decimal) -> Decimal:
        """Of 600 USDT of cash beside 20,000 USDT of coins, so that the cash decides and not the limit of 5 %."""
        market = Market(cash=D(600), coins={"SOL": D(1_000)})
        market.world.tell(
            FundingPaid(
                execution_id="earlier",
                engine=ActorName.FUNDING,
                account=Account.FUNDING,
                symbol="BTCUSDT",
                amount_usdt=2 * owed_usdt,
                rate=GOOD,
                settle_ms=market.now_ms,
                cash_usdt=market.world.cash,
            )
        )
        market.open("ETH")
        return sum((one.quantity * market.spot["ETH"] for one in market.intents() if one.category == SPOT), D(0))

    assert 0 < spent_on_eth(D(0)) <= 600
    assert abs(spent_on_eth(D(300)) / spent_on_eth(D(0)) - D("0.5")) < D("0.05")
    assert spent_on_eth(D(600)) == 0
