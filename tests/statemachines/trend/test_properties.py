"""Properties of TREND over arbitrary markets, fills and restarts (DESIGN 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal as D
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from statemachines.messages.control import CycleDone, RiskState
from statemachines.messages.orders import Intent, MoveStop
from statemachines.trend.machine import TrendState
from statemachines.values import DAY_MS, HOUR_MS
from tests.statemachines.trend.bars import BTC, ETH, FAST, bars, next_day, scene

PARAMETERS = FAST.model_copy(update={"max_hold_closes": 6, "adx_threshold": D(5), "trailing_stop_atr": D("1.5")})
SYMBOLS = (BTC, ETH)


@dataclass(frozen=True)
class Day:
    """One day of a random market: both closes' growth, how far the day dips, funding, share of an order filled."""

    btc: float
    eth: float
    dip: float
    rate: D
    filled: D
    entries_allowed: bool
    risk: str


days = st.builds(
    Day,
    btc=st.sampled_from([0.9, 0.97, 0.99, 1.0, 1.01, 1.02, 1.05]),
    eth=st.sampled_from([0.9, 0.97, 0.99, 1.0, 1.01, 1.02, 1.05]),
    dip=st.sampled_from([0.0, 0.01, 0.05, 0.2]),
    rate=st.sampled_from([D(0), D("0.0001"), D("0.0015"), D("-0.0015")]),
    filled=st.sampled_from([D(0), D("0.37"), D(1)]),
    entries_allowed=st.booleans(),
    risk=st.sampled_from(["NORMAL"] * 4 + ["CAUTION", "REDUCE_ONLY", "PAUSED", "HALTED"]),
)
markets = st.lists(days, min_size=8, max_size=30)
BOUNDED = settings(max_examples=40, derandomize=True)
START = [100.0 * 1.01**i for i in range(8)]


class Watched:
    """Plays days and checks the invariants after each."""

    def __init__(self, *, restarts: bool = False) -> None:
        self.venue = scene(START, [v * 10 for v in START], capital=20_000, parameters=PARAMETERS)
        self.venue.restarts = restarts
        self.btc, self.eth = START[-1], START[-1] * 10
        self.stops: dict[str, tuple[str, D]] = {}

    def play(self, day: Day) -> None:
        venue, btc, eth = self.venue, self.btc * day.btc, self.eth * day.eth
        share = day.filled
        size = {"NORMAL": D(1), "CAUTION": D("0.5")}.get(day.risk, D(0))
        risk = {"scope": "GLOBAL", "state": day.risk, "size_factor": size, "reason": "test"}
        last = max(bar.start_ms for rows in venue.bars.values() for bar in rows)
        venue.tell(RiskState.model_validate(risk), last + DAY_MS + 23 * HOUR_MS)
        entries = len(self.entries())
        venue.fills = lambda intent, price: [
            (venue.instruments[SYMBOLS.index(intent.symbol)].floor_qty(intent.quantity * share), price)
        ]
        now = next_day(venue, btc, eth, entries_allowed=day.entries_allowed)
        venue.settle(now + 120_000)
        assert (size and day.entries_allowed) or len(self.entries()) == entries, "RM-2, OR-3: no new risk"
        self.check()
        venue.fills = lambda intent, price: [(intent.quantity, price)]
        venue.settlement({BTC: day.rate, ETH: -day.rate}, now + 8 * HOUR_MS)
        self.check()
        for symbol, price in ((BTC, btc), (ETH, eth)):
            for step, factor in enumerate((1 - day.dip, 1 + day.dip, 1.0)):
                venue.touch(symbol, D(str(round(price * factor, 2))), now + (9 + step) * HOUR_MS)
                self.check()
        self.btc, self.eth = btc, eth

    def entries(self) -> list[Intent]:
        return [body for body in self.venue.bodies(Intent) if body.purpose == "entry"]

    def check(self) -> None:
        venue = self.venue
        assert {venue.state(asset) for asset in ("BTC", "ETH")} <= {state.value for state in TrendState}, "TR-15"
        assert len(venue.positions) <= PARAMETERS.max_positions, "TR-10"
        for symbol, (quantity, _) in venue.positions.items():
            asset = symbol.removesuffix("USDT")
            trade = venue.trade(asset)
            assert D(trade["held"]) * trade["direction"] == quantity, "the book is the exchange's position"
            if venue.state(asset) == "IN_POSITION":
                resting = [s for s in venue.stops.values() if s[0].symbol == symbol]
                assert len(resting) == 1, "TR-5: every position has exactly one stop at the exchange"
                (intent, trigger, covered), direction = resting[0], trade["direction"]
                assert covered == abs(quantity) and intent.side.sign == -direction
                known, last = self.stops.get(intent.intent_id, ("", trigger))
                assert (trigger - last) * direction >= 0 or not known, "TR-6: the stop never loosens"
                self.stops[intent.intent_id] = (intent.intent_id, trigger)
        for intent_id, (intent, _, _) in venue.stops.items():
            assert intent.symbol in venue.positions, f"stop {intent_id} outlived its position"


@BOUNDED
@given(markets)
def test_limits_stops_and_books_hold_in_any_market(market: list[Day]) -> None:
    """TR-5, TR-6, TR-9, TR-10: after every event; every cycle ends; entries respect the exposure limits."""
    watched = Watched()
    for day in market:
        watched.play(day)
    venue = watched.venue
    assert len(venue.bodies(CycleDone)) == len(market)
    ids = [body.intent_id for body in venue.bodies(Intent)]
    assert len(ids) == len(set(ids))
    for body in venue.bodies(Intent):
        assert body.reduce_only == (body.purpose != "entry")
        if body.purpose == "entry":
            equity = D(body.reason.split("equity ")[1].split(" ")[0])
            assert body.quantity * body.reference_price <= equity + 1, "TR-9"


@BOUNDED
@given(markets)
def test_a_restart_at_any_point_gives_the_same_journal(market: list[Day]) -> None:
    """OR-9, DESIGN 1: a new engine from the saved rows after every message and tick decides the same."""
    steady, restarted = Watched(), Watched(restarts=True)
    for day in market:
        steady.play(day)
        restarted.play(day)
    assert restarted.venue.noted == steady.venue.noted
    assert restarted.venue.sent == steady.venue.sent
    assert restarted.venue.alerts == steady.venue.alerts


@BOUNDED
@given(markets, st.data())
def test_no_decision_depends_on_what_comes_later(market: list[Day], data: st.DataObject) -> None:
    """TR-1: cut the history anywhere and everything up to there is unchanged."""
    cut = data.draw(st.integers(min_value=1, max_value=len(market)))
    whole, part = Watched(), Watched()
    for day in market:
        whole.play(day)
    for day in market[:cut]:
        part.play(day)
    assert whole.venue.noted[: len(part.venue.noted)] == part.venue.noted
    assert whole.venue.sent[: len(part.venue.sent)] == part.venue.sent


def test_the_market_generator_reaches_every_state() -> None:
    """A run that traded nothing proves nothing (DESIGN 8): one long market with every kind of end."""
    watched, random = Watched(), Random(5)
    for _ in range(400):
        watched.play(
            Day(
                btc=random.choice([0.97, 0.995, 1.0, 1.005, 1.01, 1.02]),
                eth=random.choice([0.97, 0.995, 1.0, 1.005, 1.01, 1.02]),
                dip=random.choice([0.0, 0.0, 0.01, 0.08]),
                rate=random.choice([D(0)] * 9 + [D("0.0015")]),
                filled=random.choice([D(1), D(1), D("0.37"), D(0)]),
                entries_allowed=random.random() < 0.9,
                risk=random.choice(["NORMAL"] * 9 + ["CAUTION", "PAUSED"]),
            )
        )
    rules = {note.data["rule"] for _, note in watched.venue.noted if note.dest == "EXIT" and "rule" in note.data}
    assert rules == {"TR-4", "TR-5", "TR-6", "TR-7", "TR-14"}
    assert watched.venue.bodies(MoveStop) and any(i.purpose == "trim" for i in watched.venue.bodies(Intent))
    assert {note.dest for _, note in watched.venue.noted} >= {state.value for state in TrendState}


def test_warm_up_and_live_bars_give_the_same_episode_and_pause() -> None:
    """T10, TR-12: what the first start computes from history is what living through it gives."""
    closes = [100 * (1.01 if i % 4 else 0.98) ** i for i in range(30)]
    other = [c * 7 for c in closes]
    lived = scene(closes[:1], other[:1], parameters=PARAMETERS)
    for btc, eth in zip(closes[1:], other[1:], strict=True):
        next_day(lived, btc, eth, cycle=False)
    started = scene(closes, other, parameters=PARAMETERS)
    for name in ("episode", "pauses"):
        assert started.rows["engine"].data[name] == lived.rows["engine"].data[name]
    assert started.rows["engine"].data["episode"][0] is True
    assert bars(BTC, closes)[-1].start_ms == 29 * DAY_MS
