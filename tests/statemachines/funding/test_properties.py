"""FUNDING under any sequence of fills, refusals, prices and rates: what always holds (FU-4, FU-7, OR-9)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.funding.machine import FundingState
from statemachines.messages.orders import Intent
from statemachines.values import HOUR_MS, LINEAR, SECOND_MS, SPOT, Side
from tests.statemachines.funding.synthetic import Market
from tests.statemachines.harness import Outcome, World, risk_state

D = Decimal
ASSETS = ("BTC", "ETH")
RATES = [D(text) for text in ("-0.0003", "0", "0.0001", "0.0002", "0.003")]

outcomes = st.sampled_from(
    [Outcome()] * 6 + [Outcome(share=D("0.4")), Outcome(share=D(0)), Outcome(denied="no"), Outcome(hangs=True)]
)


@dataclass(frozen=True)
class Period:
    """Eight hours: the rates at their end, the moves of prices within, the risk state set by rules or the operator."""

    rates: tuple[Decimal, ...]
    move: Decimal
    spread: Decimal
    stale: bool
    risk: str


periods = st.builds(
    Period,
    rates=st.tuples(*[st.sampled_from(RATES) for _ in ASSETS]),
    move=st.sampled_from([D("0.8"), D("0.97"), D(1), D(1), D("1.03"), D("1.3")]),
    spread=st.sampled_from([D(1), D(1), D("0.97"), D("1.01"), D("1.03")]),
    stale=st.sampled_from([False, False, False, True]),
    risk=st.sampled_from(["NORMAL"] * 4 + ["REDUCE_ONLY", "PAUSED", "HALTED"]),
)


class Watch:
    """Checks after every single call of the engine."""

    def __init__(self) -> None:
        self.naked_since: dict[str, int] = {}
        self.checked = 0

    def __call__(self, world: World) -> None:
        for asset in ASSETS:
            if asset in world.rows:
                assert world.rows[asset].state in FundingState.__members__, "FU-10"
            coins = world.coins.get(asset, D(0))
            short = -world.positions.get(f"{asset}USDT", (D(0), D(0)))[0]
            assert short >= 0, "a short never becomes a long"
            assert coins >= 0, "never more sold than held"
            delta = abs(coins - short)
            price = world.closes[SPOT, f"{asset}USDT"]
            naked = delta > D("0.01") * max(coins, short) and delta * price >= 5 and delta >= D("0.001")
            if not naked:
                self.naked_since.pop(asset, None)
                continue
            since = self.naked_since.setdefault(asset, world.now_ms)
            if world.now_ms > since + 60 * SECOND_MS:
                alerted = [ms for ms, alert in world.alerted if ms >= since and asset in alert.title]
                assert alerted, f"{asset} naked since {since} without an alert at {world.now_ms}"
        for ms, body in world.sent[self.checked :]:
            if isinstance(body, Intent) and body.side is Side.BUY and body.purpose in ("entry", "compound"):
                self._limit(world, body, ms)
            if isinstance(body, Intent) and body.purpose in ("entry", "compound") and ms % HOUR_MS == 0:
                assert world.rows["ENGINE"].data["risk"]["GLOBAL"]["state"] == "NORMAL", "RM-2: no new risk"
        self.checked = len(world.sent)

    def _limit(self, world: World, intent: Intent, ms: int) -> None:
        """FU-7 at order time; a second sending only makes up for what the first did not get."""
        if intent.category != SPOT or ms % 3_600_000:
            return
        engine = world.rows["ENGINE"].data
        equity = D(engine["equity_usdt"]) - D(engine["owed_usdt"])
        assert intent.quantity * intent.reference_price <= equity * D("0.05")


def run(plan: list[Period], fates: list[Outcome], restarts: bool) -> Market:
    """The plan, then a quiet market in which every order is filled."""
    left = iter(fates)

    def decide(intent: Intent) -> Outcome:
        return next(left, Outcome())

    more: dict[str, Any] = {"restarts": restarts, "decide": decide}
    market = Market(**more)
    market.world.on_call = Watch()
    for period in plan:
        market.world.tell(risk_state(period.risk))
        for asset in ASSETS:
            market.spot[asset] *= period.move
            market.perp[asset] = market.spot[asset] * period.spread
        if period.stale:
            market.stale = {(LINEAR, "BTC")}
        market.period(**dict(zip(ASSETS, period.rates, strict=True)))
        market.stale.clear()
        if market.now_ms % 86_400_000 == 0:
            market.world.complete_transfers()
    for asset in ASSETS:
        market.perp[asset] = market.spot[asset]
    market.world.tell(risk_state("NORMAL"))
    market.world.decide = lambda intent: Outcome()
    for intent_id, intent in list(market.world.hanging.items()):
        assert intent_id == intent.intent_id
    market.period(BTC=D("-0.0001"), ETH=D("-0.0001"))
    market.period(BTC=D("-0.0001"), ETH=D("-0.0001"))
    market.world.advance_to(market.now_ms + 3_600_000 - 1)
    return market


@settings(max_examples=60)
@given(plan=st.lists(periods, min_size=3, max_size=8), fates=st.lists(outcomes, max_size=12))
def test_invariants_hold_and_it_always_gets_flat(plan: list[Period], fates: list[Outcome]) -> None:
    """FU-4, FU-7: sizes within the limit, no flip, no silent nakedness; once orders fill again it is flat."""
    market = run(plan, fates, restarts=False)
    for asset in ASSETS:
        assert market.state(asset) == "MONITORING"
        assert market.world.positions.get(f"{asset}USDT", (D(0), D(0)))[0] == 0
        assert market.world.coins.get(asset, D(0)) * market.spot[asset] < 5
    assert market.world.logic.deadline() is None


@settings(max_examples=25)
@given(plan=st.lists(periods, min_size=3, max_size=6), fates=st.lists(outcomes, max_size=10))
def test_a_restore_after_every_call_gives_the_same_journal(plan: list[Period], fates: list[Outcome]) -> None:
    """DA-5, OR-9: state rows hold everything that matters."""
    through = run(plan, fates, restarts=False)
    restored = run(plan, fates, restarts=True)
    assert restored.world.noted == through.world.noted
    assert restored.world.sent == through.world.sent
    assert restored.world.alerted == through.world.alerted
    assert restored.world.rows == through.world.rows
