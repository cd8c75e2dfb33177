"""IF-2, DA-1: the gateway against the simulated exchange as a process of its own: REST, streams and lockstep.

The two share no code, so that one misreading of the API cannot hide in both.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from infra.bybit.credentials import AccountKey, Credentials, from_simulator
from infra.bybit.endpoints import Endpoints, endpoints
from infra.bybit.exchange import BybitExchange
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.lockstep import SimulatorLockstep, SimulatorUnavailableError
from infra.bybit.session import HttpSessions
from infra.bybit.streams.connection import StreamState
from infra.bybit.streams.subscriptions import PrivateStreams, PublicStreams
from infra.feeds.dvol import DvolFeed
from infra.feeds.fear_greed import FearGreedFeed
from infra.feeds.feeds import Feeds
from infra.feeds.source import HttpJson
from statemachines.actor_logic import NO_LOOKAHEAD
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.messages.envelope import Body
from statemachines.messages.market import BarFrame, QuoteFrame
from statemachines.messages.orders import ExecutionFrame, OrderFrame
from statemachines.requests import (
    Accepted,
    AccountSnapshot,
    AmendOrder,
    BarsRead,
    CancelOrder,
    FundingRead,
    LookUpOrder,
    LookUpTransfer,
    MarketSnapshot,
    OrderAbsent,
    OrderFound,
    PlaceOrder,
    Quote,
    ReadAccount,
    ReadBars,
    ReadFunding,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    TransferState,
    VenueOrderStatus,
)
from statemachines.solvency.terms import COINS, ReadSolvency, SolvencyRead
from statemachines.values import DAY_MS, HOUR_MS, Account, Category, Side
from tests.infra.bybit.venue import order_of

pytestmark = pytest.mark.slow

START = 1_706_745_600_000  # 2024-02-01
SYMBOLS: tuple[tuple[Category, str], ...] = tuple(
    (category, symbol) for category in ("spot", "linear") for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT")
)
T1 = Account.TREND_1


@dataclass
class Taken:
    """What a sink got, in order."""

    bodies: list[tuple[Body, str, int]] = field(default_factory=list)
    reconnected: list[str] = field(default_factory=list)

    def __call__(self, body: Body, natural_id: str, market_ms: int) -> None:
        self.bodies.append((body, natural_id, market_ms))

    def of(self, kind: type[Body]) -> list[Body]:
        return [body for body, _natural, _at in self.bodies if isinstance(body, kind)]


@dataclass
class Simulator:
    """A running exchange process with everything that talks to it."""

    process: subprocess.Popen[str]
    at: Endpoints
    held: Credentials
    lockstep: SimulatorLockstep
    exchange: BybitExchange

    def now_ms(self) -> int:
        return self.lockstep.status().market_ms

    def advance(self, until_ms: int | None, *streams: PrivateStreams | PublicStreams) -> int:
        """One micro-step once every frame has been handled; returns the market time after it."""
        step = self.lockstep.status().step
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            handled: dict[str, int] = {}
            for one in streams:
                handled |= one.received()
            answer = self.lockstep.advance(step, until_ms, NO_LOOKAHEAD, handled)
            if answer.settled:
                return answer.market_ms
            time.sleep(0.005)
        raise AssertionError("the frames sent were never all handled")


def launch(folder: Path) -> Simulator:
    command = [sys.executable, "-m", "infra.simulator", "--state", str(folder), "--seed", "7", "--ack-delay-ms", "1"]
    command += ["--from", "2024-02-01", "--to", "2024-02-20"]
    root = Path(__file__).resolve().parents[3]
    with (folder.parent / "simulator.log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=root)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the simulated exchange did not start"
    url = json.loads(line)["url"]
    held = from_simulator(folder / "keys.json")
    assert held.simulator_token is not None
    lockstep = SimulatorLockstep(url, held.simulator_token)
    feed = HttpJson(url)

    class Clock:
        def now_ms(self) -> int:
            return lockstep.status().market_ms

    exchange = BybitExchange(
        HttpSessions(held, url),
        symbols=SYMBOLS,
        uids=held.uids(),
        clock=Clock(),
        read_feed=Feeds(FearGreedFeed(feed), DvolFeed(feed)).read,
        limiter=RateLimiter(RateLimits()),
        look_up_pause_s=0.01,
    )
    return Simulator(process, endpoints("paper", {}, url), held, lockstep, exchange)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    running = launch(tmp_path / "exchange")
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(timeout=10)


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.01)


def market(
    client_order_id: str, quantity: str = "0.010", side: Side = Side.BUY, category: Category = "linear"
) -> PlaceOrder:
    """A market order within EX-3's slippage."""
    return order_of(
        client_order_id=client_order_id,
        category=category,
        side=side,
        quantity=Decimal(quantity),
        slippage_limit=Decimal("0.005"),
    )


def test_reads(simulator: Simulator) -> None:
    perform = simulator.exchange.perform
    seen = perform(Account.MASTER, ReadMarket())
    assert isinstance(seen, MarketSnapshot)
    assert [(i.category, i.symbol) for i in seen.instruments] == list(SYMBOLS)
    assert len(seen.quotes) == len(seen.fee_rates) == 6 and seen.market_ms == START
    assert all(q.next_funding_ms == START + 8 * HOUR_MS for q in seen.quotes if q.category == "linear")
    hours = ReadBars(category="linear", symbol="ETHUSDT", interval="60", from_ms=START - 48 * HOUR_MS, until_ms=START)
    bars = perform(Account.MASTER, hours)
    assert isinstance(bars, BarsRead)
    assert [bar.start_ms for bar in bars.bars] == list(range(START - 48 * HOUR_MS, START, HOUR_MS))
    days = ReadBars(category="spot", symbol="BTCUSDT", interval="D", from_ms=START - 450 * DAY_MS, until_ms=START)
    long = perform(Account.MASTER, days)
    assert isinstance(long, BarsRead) and len(long.bars) == 450
    rates = perform(Account.MASTER, ReadFunding(symbols=("BTCUSDT",), from_ms=START - 100 * DAY_MS, until_ms=START))
    assert isinstance(rates, FundingRead) and len(rates.rates) == 301
    feed = perform(Account.MASTER, ReadFeed(market_ms=START))
    assert isinstance(feed, FeedRead) and feed.reason == ""
    assert feed.fear_greed_ms == START - DAY_MS and feed.dvol_ms == START
    solvency = perform(Account.MASTER, ReadSolvency(coins=COINS, symbols=("BTCUSDT",)))
    assert isinstance(solvency, SolvencyRead) and not solvency.unread and not solvency.no_access
    assert solvency.insurance_usdt == 500_000_000 and len(solvency.withdrawals) == len(COINS)


def test_orders_and_transfers(simulator: Simulator) -> None:
    perform = simulator.exchange.perform
    assert perform(T1, SetLeverage(symbol="BTCUSDT", leverage=Decimal(3))) == Accepted()
    assert perform(T1, SetLeverage(symbol="BTCUSDT", leverage=Decimal(3))) == Accepted(already=True)
    entry = perform(T1, market("entry-1"))
    assert isinstance(entry, Accepted) and entry.venue_order_id
    again = perform(T1, market("entry-1"))
    assert isinstance(again, Refused) and again.fault == "duplicate"
    stop = PlaceOrder(
        client_order_id="stop-1",
        category="linear",
        symbol="BTCUSDT",
        side=Side.SELL,
        quantity=Decimal("0.010"),
        style="stop_market",
        trigger_price=Decimal(1000),
        reduce_only=True,
    )
    assert isinstance(perform(T1, stop), Accepted)
    amend = AmendOrder(client_order_id="stop-1", category="linear", symbol="BTCUSDT", trigger_price=Decimal(1100))
    assert isinstance(perform(T1, amend), Accepted)
    assert perform(T1, amend) == Accepted(already=True)
    seen = perform(T1, ReadAccount(executions_since_ms=START - DAY_MS))
    assert isinstance(seen, AccountSnapshot)
    (resting,), (fill,), (position,) = seen.open_orders, seen.executions, seen.positions
    assert (resting.client_order_id, resting.status) == ("stop-1", VenueOrderStatus.UNTRIGGERED)
    assert (resting.trigger_price, resting.reduce_only) == (Decimal(1100), True)
    assert (fill.client_order_id, fill.quantity, fill.fee_coin) == ("entry-1", Decimal("0.01"), "USDT")
    assert (position.quantity, position.leverage) == (Decimal("0.01"), Decimal(3))
    assert seen.balances["USDT"] == Decimal(15000) - fill.fee
    found = perform(T1, LookUpOrder(client_order_id="entry-1", category="linear", symbol="BTCUSDT"))
    assert isinstance(found, OrderFound)
    assert found.report.status is VenueOrderStatus.FILLED and found.executions == (fill,)
    missing = perform(T1, LookUpOrder(client_order_id="never-1", category="linear", symbol="BTCUSDT"))
    assert missing == OrderAbsent()
    cancel = CancelOrder(client_order_id="stop-1", category="linear", symbol="BTCUSDT", is_conditional=True)
    assert isinstance(perform(T1, cancel), Accepted)
    assert perform(T1, cancel) == Accepted(already=True)
    poor = perform(Account.CORE_HODL, market("spot-1", "5", category="spot"))
    assert isinstance(poor, Refused) and poor.fault == "funds"
    move = TransferFunds(
        transfer_id="0b3b0f6a-0f39-4a8d-8f3c-3f1f0f6a0f39",
        coin="USDT",
        amount=Decimal("10.50"),
        from_account=Account.FUNDING,
        to_account=Account.TACTICAL,
    )
    assert isinstance(perform(Account.MASTER, move), Accepted)
    twice = perform(Account.MASTER, move)
    assert isinstance(twice, Refused) and twice.fault == "duplicate"
    state = perform(Account.MASTER, LookUpTransfer(transfer_id=move.transfer_id))
    assert state == TransferState(status="SUCCESS")
    denied = perform(T1, move.model_copy(update={"transfer_id": "1b3b0f6a-0f39-4a8d-8f3c-3f1f0f6a0f39"}))
    assert isinstance(denied, Refused) and denied.fault == "halt", "a sub-account's key may not move money"


def test_ex_7_batches_of_orders_have_an_outcome_for_each(simulator: Simulator) -> None:
    """Bounded market orders, one that the account cannot pay for among them; amended and cancelled together."""
    exchange = simulator.exchange
    exchange.perform(T1, SetLeverage(symbol="BTCUSDT", leverage=Decimal(3)))
    seen = exchange.perform(Account.MASTER, ReadMarket())
    assert isinstance(seen, MarketSnapshot)
    (ask,) = [quote.ask for quote in seen.quotes if (quote.category, quote.symbol) == ("linear", "BTCUSDT")]
    bound = {"worst_price": (ask * Decimal("1.005")).quantize(Decimal("0.1"))}
    entries = [market("leg-1"), market("leg-2", "20"), market("leg-3")]
    outcomes = exchange.perform_batch(T1, [one.model_copy(update=bound) for one in entries])
    assert [one.kind for one in outcomes] == ["accepted", "refused", "accepted"]
    assert isinstance(outcomes[1], Refused) and outcomes[1].fault == "funds"
    found = exchange.perform(T1, LookUpOrder(client_order_id="leg-3", category="linear", symbol="BTCUSDT"))
    assert isinstance(found, OrderFound) and found.report.status is VenueOrderStatus.FILLED
    assert found.executions[0].price < bound["worst_price"]
    again = exchange.perform_batch(T1, [one.model_copy(update=bound) for one in entries[:1]])
    assert isinstance(again[0], Refused) and again[0].fault == "duplicate"
    resting = [
        order_of(client_order_id=link, style="post_only", price=Decimal(1000), quantity=Decimal("0.01"))
        for link in ("quote-1", "quote-2")
    ]
    price = (ask * Decimal("0.99")).quantize(Decimal(1))
    resting = [one.model_copy(update={"price": price}) for one in resting]
    assert [one.kind for one in exchange.perform_batch(T1, resting)] == ["accepted"] * 2
    amends = [
        AmendOrder(client_order_id=link, category="linear", symbol="BTCUSDT", price=price - 1)
        for link in ("quote-1", "quote-2", "never-1")
    ]
    assert [one.kind for one in exchange.perform_batch(T1, amends)] == ["accepted", "accepted", "refused"]
    cancels = [CancelOrder(client_order_id=one.client_order_id, category="linear", symbol="BTCUSDT") for one in amends]
    done = exchange.perform_batch(T1, cancels)
    assert [getattr(one, "already", None) for one in done] == [False, False, True]


def test_a_wrong_secret_halts(simulator: Simulator) -> None:
    key = simulator.held.keys[T1]
    wrong = Credentials({T1: AccountKey(key.api_key, SecretStr("wrong"), key.uid)})
    sessions = HttpSessions(wrong, simulator.at.rest)
    exchange = BybitExchange(sessions, symbols=(), uids={}, clock=simulator, read_feed=lambda _ms: FeedRead())
    outcome = exchange.perform(T1, ReadAccount(executions_since_ms=START))
    assert isinstance(outcome, Refused) and (outcome.fault, outcome.code) == ("halt", 10004)


def test_lockstep_moves_only_when_every_frame_was_handled(simulator: Simulator) -> None:
    """DESIGN 3: frames sent = frames handled, on public and private connections."""
    public, private = Taken(), Taken()
    streams = PublicStreams(simulator.at.public_stream, SYMBOLS, book_depth=1)
    orders = PrivateStreams(simulator.at.private_stream, simulator.held, (T1, Account.FUNDING))
    try:
        streams.start(public, public.reconnected.append)
        orders.start(private, private.reconnected.append)
        wait_for(lambda: not streams.faults() and not orders.faults())
        wait_for(lambda: len(streams.received()) == 2 and len(orders.received()) == 2)

        status = simulator.lockstep.status()
        behind = {connection: count + 1 for connection, count in ({**streams.received(), **orders.received()}).items()}
        assert not simulator.lockstep.advance(status.step, None, NO_LOOKAHEAD, behind).settled

        assert isinstance(simulator.exchange.perform(T1, market("entry-1")), Accepted)
        while simulator.advance(None, streams, orders) < START + DAY_MS + HOUR_MS:
            pass
        simulator.advance(None, streams, orders)  # every frame of the last step was handled, or this would wait

        bars = [bar for body in public.of(BarFrame) for bar in body.bars]  # type: ignore[attr-defined]
        day = [bar for bar in bars if bar.interval == "60" and bar.start_ms < START + DAY_MS]
        hours = {(bar.category, bar.symbol, bar.start_ms) for bar in day}
        # The exchange opens with the boundary at its start: the bars that ended there come first.
        assert hours == {(c, s, START + hour * HOUR_MS) for c, s in SYMBOLS for hour in range(-1, 24)}
        assert len([bar for bar in bars if bar.interval == "D"]) == 12

        def quotes_seen() -> list[Quote]:
            return [quote for body in public.of(QuoteFrame) for quote in body.quotes]  # type: ignore[attr-defined]

        def are_whole() -> bool:
            newest = {(quote.category, quote.symbol): quote for quote in quotes_seen()}
            return newest.keys() == set(SYMBOLS) and all(q.bid < q.last < q.ask for q in newest.values())

        # The last step's own frames are still coming: a spot ticker has no bid and ask until its book follows.
        wait_for(are_whole)
        quotes = quotes_seen()
        assert max(quote.market_ms for quote in quotes) >= START + DAY_MS
        executions = [body.report for body in private.of(ExecutionFrame)]  # type: ignore[attr-defined]
        assert [(e.account, e.execution_type) for e in executions] == [(T1, "Trade")] + [(T1, "Funding")] * 3
        states = [body.report.status for body in private.of(OrderFrame)]  # type: ignore[attr-defined]
        assert states[-1] is VenueOrderStatus.FILLED
        ids = [natural_id for _body, natural_id, _at in private.bodies]
        assert len(ids) == len(set(ids))
        assert public.reconnected == [] and private.reconnected == []
    finally:
        streams.stop()
        orders.stop()


@pytest.mark.fault_matrix(point="during reconciliation", fault="stream breaks")
def test_streams_are_rebuilt_after_the_exchange_was_killed(simulator: Simulator, tmp_path: Path) -> None:
    """DA-3: a fallen connection is visible at once, rebuilt, and a gap fill is asked for."""
    taken = Taken()
    orders = PrivateStreams(simulator.at.private_stream, simulator.held, (T1,))
    try:
        orders.start(taken, taken.reconnected.append)
        wait_for(lambda: not orders.faults())
        simulator.process.kill()
        simulator.process.wait(timeout=10)
        wait_for(lambda: bool(orders.faults()))
        assert orders.received() == {} and "TREND-1" in orders.faults()[0]
        with pytest.raises(SimulatorUnavailableError):
            simulator.lockstep.status()
        port = simulator.at.rest.rpartition(":")[2]
        command = [sys.executable, "-m", "infra.simulator", "--state", str(tmp_path / "exchange"), "--port", port]
        root = Path(__file__).resolve().parents[3]
        simulator.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=root
        )
        assert simulator.process.stdout is not None and simulator.process.stdout.readline()
        wait_for(lambda: not orders.faults() and taken.reconnected == ["TREND-1"], 30)
        assert isinstance(simulator.exchange.perform(T1, market("entry-2")), Accepted)
        wait_for(lambda: len(taken.of(ExecutionFrame)) == 1)
    finally:
        orders.stop()


def test_a_refused_authentication_is_visible_and_does_not_spin(simulator: Simulator) -> None:
    """IF-2: pybit would die silently here."""
    key = simulator.held.keys[T1]
    wrong = Credentials({T1: AccountKey(key.api_key, SecretStr("wrong"), key.uid)})
    taken = Taken()
    orders = PrivateStreams(simulator.at.private_stream, wrong, (T1,))
    try:
        orders.start(taken, taken.reconnected.append)
        wait_for(lambda: any("refused" in fault for fault in orders.faults()))
        assert orders.received() == {}
        assert "wrong" not in " ".join(orders.faults())
        assert orders.states() == {f"private {T1}": StreamState.DOWN}
    finally:
        orders.stop()


def test_a_sink_that_fails_breaks_the_connection_visibly_and_the_frame_is_not_counted(simulator: Simulator) -> None:
    """With pybit an exception in the callback ends the stream silently: the connection lives, and no frame arrives any
    more."""
    failed = threading.Event()

    def sink(body: Body, natural_id: str, market_ms: int) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("the inbox is closed")

    reconnected: list[str] = []
    streams = PublicStreams(simulator.at.public_stream, SYMBOLS[3:4], kinds=("kline", "tickers"))
    try:
        streams.start(sink, reconnected.append)
        wait_for(failed.is_set)
        wait_for(lambda: any("inbox is closed" in fault for fault in streams.faults()) or bool(reconnected))
        wait_for(lambda: not streams.faults())
    finally:
        streams.stop()


def test_a_proxy_variable_of_the_shell_does_not_keep_the_streams_from_loopback(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 13: with HTTP_PROXY set the WebSocket library asked the proxy, and the streams never connected."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    taken = Taken()
    streams = PublicStreams(simulator.at.public_stream, SYMBOLS, book_depth=1)
    try:
        streams.start(taken, taken.reconnected.append)
        wait_for(lambda: not streams.faults())
        wait_for(lambda: bool(taken.of(QuoteFrame)))
    finally:
        streams.stop()
