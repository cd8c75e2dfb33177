"""The TREND engine on synthetic days: entries, sizes, refusals and the daily cycle (TR-1 to TR-14, T1 to T12)."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from statemachines.messages.control import CycleDone, RiskState
from statemachines.messages.orders import Intent, MoveStop
from statemachines.values import DAY_MS, HOUR_MS, ActorName, Side
from tests.statemachines.trend.bars import BTC, ETH, FAST, FLAT, RISE, bar, bars, next_day, scene
from tests.statemachines.trend.venue import Venue

UP = RISE[-1] * 1.01
FALL = [100 * 0.99**i for i in range(20)]


def intents(venue: Venue, purpose: str) -> list[Intent]:
    return [body for body in venue.bodies(Intent) if body.purpose == purpose]


def in_position(venue: Venue | None = None) -> Venue:
    """A venue that is long BTC since the close of day 20."""
    venue = venue or scene(RISE, FLAT)
    next_day(venue, UP, 1000)
    assert venue.state("BTC") == "IN_POSITION"
    return venue


def decline_reason(venue: Venue) -> str:
    return next(note.reason for _, note in reversed(venue.noted) if note.trigger == "decline")


# --- entry ---


def test_tr3_tr5_tr15_an_entry_from_signal_to_position_with_its_stop_at_the_exchange() -> None:
    """TR-3, TR-5, TR-8, TR-15, T5, T12: market entry, 2×ATR stop from the fill, cycle done afterwards."""
    venue = in_position()
    assert venue.transitions("BTC") == [
        ("SCANNING", "SIGNAL_DETECTED"),
        ("SIGNAL_DETECTED", "ENTRY"),
        ("ENTRY", "IN_POSITION"),
    ]
    entry, stop = intents(venue, "entry")[0], intents(venue, "stop")[0]
    atr = D(venue.trade("BTC")["signal_atr"])
    assert (entry.style, entry.side, entry.reduce_only) == ("market", Side.BUY, False)
    assert entry.quantity == (D(100) / (2 * atr)).quantize(D("0.001"), rounding="ROUND_DOWN")
    assert (stop.style, stop.side, stop.reduce_only, stop.quantity) == ("stop", Side.SELL, True, entry.quantity)
    distance = venue.prices[BTC] - (stop.trigger_price or 0)
    assert 2 * atr - D("0.1") < distance <= 2 * atr
    assert [body.KIND for _, body in venue.sent] == ["intent", "intent", "cycle_done"]


def test_p5_intents_carry_ids_reason_reference_and_portfolio_version() -> None:
    """P5: deterministic ids, the sentence with its numbers, the closed price and the version that was seen."""
    entry = intents(in_position(), "entry")[0]
    assert entry.intent_id == "trend-1-1"
    assert "equity 10000.00 USDT" in entry.reason and "ATR" in entry.reason
    assert entry.reference_price == D(str(round(UP, 2)))
    assert entry.portfolio_version == 1


def test_tr3_short_is_mirrored() -> None:
    venue = scene(FALL, FLAT)
    next_day(venue, FALL[-1] * 0.99, 1000)
    entry, stop = intents(venue, "entry")[0], intents(venue, "stop")[0]
    assert (entry.side, stop.side) == (Side.SELL, Side.BUY)
    assert (stop.trigger_price or 0) > venue.prices[BTC]


def test_tr1_d2_no_signal_with_too_few_bars() -> None:
    venue = scene(RISE[:3], FLAT[:3])
    next_day(venue, RISE[3], 1000)
    assert venue.state("BTC") == "SCANNING" and intents(venue, "entry") == []
    assert len(venue.bodies(CycleDone)) == 1


def test_d1_a_hole_in_the_days_gives_no_signal() -> None:
    venue = scene(RISE, FLAT)
    venue.prices = {BTC: D(130), ETH: D(1000)}
    venue.day([bar(BTC, 21, 130), bar(ETH, 21, 1000)])
    assert intents(venue, "entry") == []


def test_d1_without_the_days_bar_nothing_is_decided_and_that_is_said() -> None:
    venue = in_position()
    venue.day([bar(ETH, 21, 1000)])
    assert [note.trigger for _, note in venue.noted if not note.is_bookkeeping][-1] == "no_bar"
    assert venue.state("BTC") == "IN_POSITION"


def test_t5_several_fills_move_the_stop_to_the_average_and_to_what_is_held() -> None:
    """TR-5: protected from the first fill on, exact after the last."""
    venue = scene(RISE, FLAT)
    venue.fills = lambda intent, price: (
        [(D(1), price), (D(2), price + 3)] if intent.purpose == "entry" else [(intent.quantity, price)]
    )
    in_position(venue)
    first = intents(venue, "stop")[0]
    move = venue.bodies(MoveStop)[-1]
    assert first.quantity == 1
    assert move.quantity == 3 and move.trigger_price == (first.trigger_price or 0) + 2
    (_, trigger, quantity) = next(iter(venue.stops.values()))
    assert (trigger, quantity) == (D(venue.trade("BTC")["stop_price"]), D(3))


def test_ex3_a_partly_filled_entry_is_a_position_of_what_was_filled() -> None:
    venue = scene(RISE, FLAT)
    venue.fills = lambda intent, price: [(D(5), price)]
    in_position(venue)
    assert D(venue.trade("BTC")["held"]) == 5
    assert intents(venue, "stop")[0].quantity == 5


def test_rm1_a_denied_entry_is_no_trade() -> None:
    """TR-15: ENTRY → NO_TRADE → SCANNING with the risk manager's reason; the cycle ends."""
    venue = scene(RISE, FLAT)
    venue.deny = lambda intent: ("RM-1: too large",)
    next_day(venue, UP, 1000)
    assert venue.transitions("BTC")[-2:] == [("ENTRY", "NO_TRADE"), ("NO_TRADE", "SCANNING")]
    assert any("RM-1: too large" in note.reason for _, note in venue.noted)
    assert len(venue.bodies(CycleDone)) == 1 and intents(venue, "stop") == []


def test_an_entry_without_a_fill_is_no_trade_and_tried_at_the_next_close() -> None:
    """T1: the level is read again at every close while flat."""
    venue = scene(RISE, FLAT)
    venue.fills = lambda intent, price: []
    next_day(venue, UP, 1000)
    assert venue.state("BTC") == "SCANNING"
    venue.fills = lambda intent, price: [(intent.quantity, price)]
    next_day(venue, UP * 1.01, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_or3_no_entry_when_the_cycle_allows_none() -> None:
    venue = scene(RISE, FLAT)
    next_day(venue, UP, 1000, entries_allowed=False)
    assert venue.transitions("BTC")[1] == ("SIGNAL_DETECTED", "NO_TRADE")
    assert "OR-3" in decline_reason(venue)


def risk(scope: str, state: str, factor: str = "1", until_ms: int | None = None) -> RiskState:
    return RiskState.model_validate(
        {
            "scope": scope,
            "state": state,
            "size_factor": factor,
            "entries_blocked_until_ms": until_ms,
            "reason": "test",
        }
    )


@pytest.mark.parametrize("state", ["REDUCE_ONLY", "HALTED", "PAUSED"])
def test_rm2_no_entry_unless_normal_or_caution(state: str) -> None:
    venue = scene(RISE, FLAT)
    venue.tell(risk("GLOBAL", state), 0)
    next_day(venue, UP, 1000)
    assert "RM-2" in decline_reason(venue)


def test_rm3_caution_halves_the_size_before_rounding() -> None:
    """RM-3, T7: the strictest factor in force; another engine's state means nothing here."""
    venue = scene(RISE, FLAT)
    venue.tell(risk("trend-1", "CAUTION", "0.5"), 0)
    venue.tell(risk("trend-2", "HALTED", "0"), 0)
    in_position(venue)
    atr = D(venue.trade("BTC")["signal_atr"])
    assert intents(venue, "entry")[0].quantity == (D(50) / (2 * atr)).quantize(D("0.001"), rounding="ROUND_DOWN")


def test_rm3_f11_blocked_entries_end_excluded() -> None:
    venue = scene(RISE, FLAT)
    venue.tell(risk("GLOBAL", "NORMAL", until_ms=22 * DAY_MS), 0)
    next_day(venue, UP, 1000)
    assert "RM-3" in decline_reason(venue)
    next_day(venue, UP * 1.01, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_t7_no_lot_is_no_trade() -> None:
    venue = scene(RISE, FLAT, capital=1)
    next_day(venue, UP, 1000)
    assert "below the exchange's minimum" in decline_reason(venue)


def test_tr9_an_entry_above_one_times_equity_is_refused_not_shrunk() -> None:
    """TR-9, T8: tiny ranges make a stop so near that 1 % of risk needs more than the equity."""
    venue = scene(RISE, FLAT)
    venue.bars = {BTC: [], ETH: []}
    end_alert = [100 * 1.001**i for i in range(21)]
    history = {
        BTC: [bar(BTC, i, c, c * 1.0002, c * 0.9998) for i, c in enumerate(end_alert[:20])],
        ETH: bars(ETH, FLAT),
    }
    venue = Venue(ActorName.TREND_1, FAST, D(10_000), history)
    venue.prices = {BTC: D(102), ETH: D(1000)}
    venue.day([bar(BTC, 20, end_alert[20], end_alert[20] * 1.0002, end_alert[20] * 0.9998), bar(ETH, 20, 1000)])
    assert "TR-9: notional" in decline_reason(venue)
    assert venue.state("BTC") == "SCANNING"


def test_tr10_no_third_position() -> None:
    venue = scene(RISE, [v * 10 for v in RISE], parameters=FAST.model_copy(update={"max_positions": 1}))
    next_day(venue, UP, UP * 10)
    assert (venue.state("BTC"), venue.state("ETH")) == ("IN_POSITION", "SCANNING")
    assert "TR-10" in decline_reason(venue)


def test_tr12_a_quiet_market_pauses_entries() -> None:
    """TR-12: from the history at the first start; here every ADX counts as quiet."""
    quiet = FAST.model_copy(update={"quiet_adx": D(101)})
    venue = scene(RISE, FLAT, parameters=quiet)
    next_day(venue, UP, 1000)
    assert "TR-12" in decline_reason(venue)


def test_t7_both_assets_are_sized_on_the_same_equity() -> None:
    venue = scene(RISE, [v * 10 for v in FALL])
    next_day(venue, UP, FALL[-1] * 9.9)
    reasons = [entry.reason for entry in intents(venue, "entry")]
    assert len(reasons) == 2 and all("equity 10000.00 USDT" in reason for reason in reasons)


# --- exits at the daily close ---


def test_tr4_exit_at_market_then_the_stop_is_withdrawn_and_no_entry_that_day() -> None:
    """TR-4, T2, TR-15: the stop rests until the position is flat; the same close opens nothing."""
    venue = in_position()
    before = len(venue.sent)
    next_day(venue, UP * 0.98, 1000)  # below the average of five closes, above the stop
    tail = [(body.KIND, getattr(body, "purpose", "")) for _, body in venue.sent[before:]]
    assert tail == [("intent", "exit"), ("withdraw", ""), ("cycle_done", "")]
    assert venue.transitions("BTC")[-2:] == [("IN_POSITION", "EXIT"), ("EXIT", "SCANNING")]
    assert intents(venue, "exit")[0].reduce_only and venue.positions == {} and venue.stops == {}


def test_tr7_t2_thirty_closes_then_a_new_entry_at_the_next_close() -> None:
    """TR-7, T4: the closes are counted from the fill; the same trend may be entered again a day later."""
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"max_hold_closes": 3})))
    price = UP
    for day in range(1, 4):
        price *= 1.01
        next_day(venue, price, 1000)
        assert venue.state("BTC") == ("IN_POSITION" if day < 3 else "SCANNING")
    assert venue.noted[-2][1].data["rule"] == "TR-7"
    next_day(venue, price * 1.01, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_tr6_the_stop_follows_the_best_close_and_never_loosens() -> None:
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("1.5")})))
    price, triggers = UP, [D(venue.trade("BTC")["stop_price"])]
    for factor in (1.01, 1.02, 0.997, 1.03):
        price *= factor
        next_day(venue, price, 1000)
        triggers.append(D(venue.trade("BTC")["stop_price"]))
    assert triggers == sorted(triggers) and triggers[-1] > triggers[0]
    assert venue.trade("BTC")["stop_rule"] == "TR-6"
    (_, resting, _) = next(iter(venue.stops.values()))
    assert resting == triggers[-1]


def test_tr6_only_once_in_profit() -> None:
    """T6: a better close than the fill must have been seen; before that only TR-5 works."""
    venue = scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("0.1")}))
    venue.fills = lambda intent, price: [(intent.quantity, price * D("1.02"))]
    in_position(venue)
    next_day(venue, UP * 1.005, 1000)
    assert venue.trade("BTC")["stop_rule"] == "TR-5" and venue.bodies(MoveStop) == []


def test_tr6_a_new_stop_already_crossed_is_a_market_exit_now() -> None:
    """T6, TR-15: IN_POSITION → TRAILING_STOP → EXIT at the close itself."""
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("0.2")})))
    next_day(venue, UP * 1.03, 1000)
    assert venue.state("BTC") == "IN_POSITION"
    next_day(venue, UP * 1.02, 1000)
    assert venue.transitions("BTC")[-3:] == [
        ("IN_POSITION", "TRAILING_STOP"),
        ("TRAILING_STOP", "EXIT"),
        ("EXIT", "SCANNING"),
    ]
    assert len(intents(venue, "exit")) == 1


def test_d5_the_first_reason_counts() -> None:
    """D5: a close below the average on the last allowed day is TR-4, not TR-7."""
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"max_hold_closes": 1})))
    next_day(venue, UP * 0.95, 1000)
    assert next(n for _, n in reversed(venue.noted) if n.dest == "EXIT").data["rule"] == "TR-4"


# --- stops ---


def test_tr5_t3_a_hard_stop_and_a_new_entry_at_that_days_close() -> None:
    """TR-5, TR-15, T3: STOP_TRIGGERED → EXIT → SCANNING; the day's close may open again."""
    venue = in_position()
    trigger = D(venue.trade("BTC")["stop_price"])
    venue.touch(BTC, trigger, 21 * DAY_MS + HOUR_MS)
    assert venue.transitions("BTC")[-3:] == [
        ("IN_POSITION", "STOP_TRIGGERED"),
        ("STOP_TRIGGERED", "EXIT"),
        ("EXIT", "SCANNING"),
    ]
    assert intents(venue, "exit") == [] and venue.positions == {}
    next_day(venue, UP * 1.01, 1000)
    assert venue.state("BTC") == "IN_POSITION"


def test_tr6_a_trailing_stop_goes_through_its_own_state() -> None:
    venue = in_position(scene(RISE, FLAT, parameters=FAST.model_copy(update={"trailing_stop_atr": D("1.5")})))
    next_day(venue, UP * 1.03, 1000)
    venue.touch(BTC, D(venue.trade("BTC")["stop_price"]), 22 * DAY_MS + HOUR_MS)
    assert venue.transitions("BTC")[-3:] == [
        ("IN_POSITION", "TRAILING_STOP"),
        ("TRAILING_STOP", "EXIT"),
        ("EXIT", "SCANNING"),
    ]
