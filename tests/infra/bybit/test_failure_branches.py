"""The gateway when something fails: lists without end, limits, gaps, markets that are not there, half answers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pybit.exceptions import FailedRequestError
from pydantic import SecretStr

from infra.bybit.account import AccountReader
from infra.bybit.admission import mode_problems
from infra.bybit.caller import MAX_PAGES, Caller
from infra.bybit.endpoints import endpoints
from infra.bybit.errors import Fault, GatewayError
from infra.bybit.limits import RateLimiter, RateLimits
from infra.bybit.listing import is_unlisted
from infra.bybit.lockstep import SimulatorLockstep, SimulatorUnavailableError
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.parsing.rows import parse_kline, parse_level
from infra.bybit.session import DirectSessions
from infra.bybit.streams.book import OrderBook
from infra.bybit.streams.frames import PublicFrames, moment_ms
from infra.bybit.streams.subscriptions import PublicStreams
from statemachines.messages.envelope import Body
from statemachines.messages.market import DayClosed, QuoteFrame
from statemachines.requests import (
    BarsRead,
    CancelOrder,
    MarketSnapshot,
    ReadAccount,
    ReadBars,
    ReadFunding,
    ReadMarket,
    Refused,
    Unknown,
)
from statemachines.values import HOUR_MS, Account
from tests.infra.answering import answering
from tests.infra.bybit.parsing.test_frames import LINEAR, T, book, ticker
from tests.infra.bybit.parsing.test_rows import order_row
from tests.infra.bybit.venue import NOW, A, Venue
from tests.kit.peers import StandingClock
from tests.kit.streams import Unconnected, unconnected  # noqa: F401 - fixture
from tests.waiting import until


def envelope(result: Any, code: int = 0, message: str = "OK") -> dict[str, Any]:
    return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": NOW}


# --- lists and limits ---


def test_a_list_without_end_is_a_failure_not_a_part_of_it() -> None:
    """Each page names a further one."""
    pages: list[str] = []

    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        pages.append(params.get("cursor", ""))
        return envelope({"list": [order_row(orderId=str(len(pages)))], "nextPageCursor": f"c{len(pages)}"})

    reader = AccountReader(Caller(DirectSessions(handle), None), StandingClock(NOW))
    with pytest.raises(GatewayError, match=f"more than {MAX_PAGES} pages") as raised:
        reader.open_orders(A, "linear", orderLinkId="abc-1")
    assert raised.value.fault is Fault.TRANSIENT and len(pages) == MAX_PAGES


@pytest.mark.parametrize("log", [False, True])
def test_a_cursor_that_runs_in_a_circle_is_noticed_at_once(log: bool) -> None:
    """The pages were read over and over, up to the most that are read; of the transaction log then each half of the
    span, and again each half of that: 15,000 requests, for which the cancels of the account waited."""
    pages: list[str] = []

    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        pages.append(params.get("cursor", ""))
        return envelope({"list": [], "nextPageCursor": "b" if pages[-1] == "a" else "a"})

    reader = AccountReader(Caller(DirectSessions(handle), None), StandingClock(NOW))
    with pytest.raises(UnparsableError, match="another cursor than those of the pages before"):
        if log:
            reader.transactions(A, NOW - 5, [])
        else:
            reader.open_orders(A, "linear", orderLinkId="abc-1")
    assert pages == ["", "a", "b"]


class Limiter(RateLimiter):
    """Notes what it was told."""

    def __init__(self) -> None:
        super().__init__(RateLimits())
        self.told: list[str] = []

    def refused(self, account: Account, group: str) -> None:
        self.told.append(f"refused {account} {group}")

    def banned(self) -> None:
        self.told.append("banned")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (envelope({}, 10006, "Too many visits!"), [f"refused {A} cancel.linear"]),
        (envelope({}, 10016, "busy"), []),
        (
            FailedRequestError(request="x", message="access too frequent", status_code=403, time="", resp_headers=None),
            ["banned"],
        ),
        (FailedRequestError(request="x", message="busy", status_code=502, time="", resp_headers=None), []),
    ],
    ids=["10006", "10016", "403", "502"],
)
def test_the_limiter_hears_of_a_refusal_by_the_limit_and_of_a_ban(answer: Any, told: list[str]) -> None:
    def handle(*_: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    limiter = Limiter()
    with pytest.raises(GatewayError):
        Caller(DirectSessions(handle), limiter).result(A, "cancel.linear", lambda s: s.cancel_order(category="linear"))
    assert limiter.told == told


# --- symbols that are not listed ---


@pytest.mark.parametrize("code", [10029, 170121, 170151])
def test_a_code_that_says_no_such_symbol_needs_no_list(code: int) -> None:
    venue = Venue(lambda path, params: (code, "no"), symbols=(("spot", "NEWUSDT"),))
    request = ReadBars(category="spot", symbol="NEWUSDT", interval="60", from_ms=NOW - HOUR_MS, until_ms=NOW)
    assert venue.exchange.perform(A, request) == BarsRead(bars=())
    read = venue.exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot) and read.instruments == () and read.set_aside == ()
    assert all("symbol" in params for _path, params in venue.calls), "the list was never asked for"


def test_the_list_is_read_to_its_last_page_before_a_symbol_is_unlisted() -> None:
    pages = {"": (["AUSDT"], "p2"), "p2": (["BTCUSDT"], "")}

    def handle(_method: str, _path: str, params: Any, _account: Any) -> Any:
        names, cursor = pages[params.get("cursor", "")]
        return envelope({"category": "linear", "list": [{"symbol": name} for name in names], "nextPageCursor": cursor})

    caller = Caller(DirectSessions(handle), None)
    refused = GatewayError(10001, "params error", Fault.PERMANENT)
    assert not is_unlisted(caller, A, "linear", "BTCUSDT", refused)
    assert is_unlisted(caller, A, "linear", "NEWUSDT", refused)
    assert not is_unlisted(caller, A, "linear", "NEWUSDT", GatewayError(10016, "symbol", Fault.UNKNOWN))
    pages[""] = ([], "")
    assert is_unlisted(caller, A, "linear", "BTCUSDT", refused), "a market of an early year has no perpetuals at all"
    http = GatewayError(10001, "HTTP", Fault.UNKNOWN, http_status=10001)
    assert not is_unlisted(caller, A, "linear", "NEWUSDT", http), "not the exchange's own code"


@pytest.mark.parametrize("rows", [[{}], [None], [{"symbol": ""}], ["BTCUSDT"]], ids=repr)
def test_a_list_that_names_no_symbol_is_no_evidence(rows: list[Any]) -> None:
    caller = Caller(DirectSessions(lambda *_: envelope({"category": "linear", "list": rows})), None)
    with pytest.raises(UnparsableError, match="names no symbol"):
        is_unlisted(caller, A, "linear", "NEWUSDT", GatewayError(10001, "x", Fault.PERMANENT))


def test_admission_passes_over_a_perpetual_that_is_not_listed_and_fails_on_any_other_refusal() -> None:
    def handle(_method: str, path: str, params: Any, _account: Any) -> Any:
        if path == "/v5/market/instruments-info":
            return envelope({"category": "linear", "list": [{"symbol": "BTCUSDT"}]})
        return envelope({}, 10001, "params error")

    caller = Caller(DirectSessions(handle), None)
    assert mode_problems(A, caller, ("NEWUSDT",)) == []
    with pytest.raises(GatewayError):
        mode_problems(A, caller, ("BTCUSDT",))


def test_two_instruments_for_one_symbol_are_a_contradiction() -> None:
    rows = [{"symbol": "BTCUSDT", "status": status} for status in ("Trading", "Closed")]
    read = Venue(lambda path, params: {"category": "linear", "list": rows}).exchange.perform(A, ReadMarket())
    assert isinstance(read, MarketSnapshot) and not read.instruments
    assert [one.kind for one in read.set_aside] == ["instrument"] and "2 instruments" in read.set_aside[0].problem


def test_a_failure_of_the_way_to_the_exchange_is_one_of_the_whole_market() -> None:
    read = Venue(lambda path, params: (10016, "busy")).exchange.perform(A, ReadMarket())
    assert isinstance(read, Refused) and read.fault == "transient"


def test_a_lone_rate_of_a_symbol_that_is_not_listed_has_no_interval() -> None:
    def script(path: str, params: Any) -> Any:
        if path == "/v5/market/funding/history":
            rate = {"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": str(NOW)}
            return {"category": "linear", "list": [rate]}
        return 10029, "no"

    request = ReadFunding(symbols=("BTCUSDT",), from_ms=NOW, until_ms=NOW)
    read = Venue(script).exchange.perform(A, request)
    assert isinstance(read, Refused) and "interval" in read.message


def test_rates_after_the_span_that_was_asked_for_do_not_turn_the_pages_for_ever() -> None:
    asked: list[int] = []

    def script(path: str, params: Any) -> Any:
        asked.append(int(params["endTime"]))
        later = range(NOW + HOUR_MS, NOW + 201 * HOUR_MS, HOUR_MS)
        rows = [{"symbol": "BTCUSDT", "fundingRate": "0", "fundingRateTimestamp": str(at)} for at in later]
        return {"category": "linear", "list": rows}

    Venue(script).exchange.perform(A, ReadFunding(symbols=("BTCUSDT",), from_ms=NOW, until_ms=NOW))
    assert asked == [NOW]


# --- rows and frames ---


def kline(**changes: Any) -> dict[str, Any]:
    return {"start": T, "end": T + HOUR_MS - 1, "interval": "60", "open": "1", "close": "1", "high": "1", "low": "1",
            "volume": "1", "turnover": "1", "confirm": True, "timestamp": T + HOUR_MS} | changes  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"end": T + HOUR_MS}, "end"), ({"interval": "D"}, "interval"), ({"confirm": "true"}, "confirm")],
)
def test_a_bar_of_the_stream_that_contradicts_its_topic_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(UnparsableError, match=f"'{named}'"):
        parse_kline("linear", "BTCUSDT", "60", kline(**changes))


def test_a_closed_bar_has_ended() -> None:
    end = T + HOUR_MS
    assert parse_kline("linear", "BTCUSDT", "60", kline(), end) is not None
    with pytest.raises(UnparsableError, match="'start'"):
        parse_kline("linear", "BTCUSDT", "60", kline(), end - 1)


@pytest.mark.parametrize("level", [None, [], ["1"], ["1", "2", "3"], {"price": "1"}, ["0", "1"], ["1", "-1"]], ids=repr)
def test_a_level_of_a_book_is_a_price_and_a_size(level: Any) -> None:
    with pytest.raises(UnparsableError):
        parse_level(level, "book")


@pytest.mark.parametrize(
    "frame",
    [
        book("update", 1, [["99", "1"]], [["101", "1"]]),
        book("snapshot", 1, [["99", "1"]], [["101", "1"]]) | {"data": {"s": "ETHUSDT", "b": [], "a": []}},
        ticker("update", **LINEAR),
        ticker("snapshot", **LINEAR) | {"data": [LINEAR, LINEAR]},
        ticker("snapshot", **(LINEAR | {"symbol": "ETHUSDT"})),
    ],
    ids=["book type", "book symbol", "ticker type", "two tickers", "ticker symbol"],
)
def test_a_frame_that_contradicts_its_topic_makes_no_quote(frame: dict[str, Any]) -> None:
    frames = PublicFrames()
    assert frames.take("linear", ticker("snapshot", **LINEAR))
    ((body, _),) = frames.take("linear", frame)
    assert isinstance(body, QuoteFrame) and body.withdrawn and not body.quotes


def test_a_book_without_a_kind_is_not_ready_any_more() -> None:
    subject = OrderBook("orderbook.50.BTCUSDT")
    subject.take(book("snapshot", 1, [["99", "1"]], [["101", "1"]]))
    assert subject.touch() == (Decimal(99), Decimal(101))
    with pytest.raises(UnparsableError, match="'type'"):
        subject.take(book("update", 2, [], []))
    assert subject.touch() is None


def test_only_what_streams_deliver_has_a_moment() -> None:
    with pytest.raises(TypeError, match="day_closed"):
        moment_ms(DayClosed(day_ms=T, close_ms=T, bars=()))


# --- the streams ---


class Sink:
    """What was handed over, in order."""

    def __init__(self) -> None:
        self.bodies: list[Body] = []

    def __call__(self, body: Body, natural_id: str, market_ms: int) -> None:
        self.bodies.append(body)

    def quotes(self) -> list[QuoteFrame]:
        return [body for body in self.bodies if isinstance(body, QuoteFrame)]


def test_a_gap_withdraws_the_quote_and_asks_once_for_a_fresh_snapshot(
    unconnected: list[Unconnected],  # noqa: F811
) -> None:
    """Deltas still on their way must not ask again each: the exchange would count them against us."""
    sink = Sink()
    PublicStreams("ws://127.0.0.1:9", (("linear", "BTCUSDT"),)).start(sink, lambda _name: None)
    (connection,) = unconnected
    connection.take(ticker("snapshot", **LINEAR))
    connection.take(book("snapshot", 1, [["99", "1"]], [["101", "1"]]))
    for update in (5, 6, 7):
        connection.take(book("delta", update, [["98", "1"]], []))
    assert connection.asked_again == ["orderbook.50.BTCUSDT"]
    assert sink.quotes()[-1].withdrawn == (("linear", "BTCUSDT"),)
    connection.take(book("snapshot", 9, [["98", "1"]], [["101", "1"]]))
    assert sink.quotes()[-1].quotes[0].bid == Decimal(98)
    connection.take(book("delta", 12, [["97", "1"]], []))
    assert len(connection.asked_again) == 2, "the next gap is a new one"


def test_a_valve_hands_over_the_newest_quote_and_every_withdrawal_at_once(
    unconnected: list[Unconnected],  # noqa: F811
) -> None:
    sink = Sink()
    streams = PublicStreams("ws://127.0.0.1:9", (("linear", "BTCUSDT"),), quote_gap_s=0.3)
    streams.start(sink, lambda _name: None)
    try:
        (connection,) = unconnected
        for last in ("100", "100.1", "100.2"):
            connection.take(ticker("snapshot", **(LINEAR | {"lastPrice": last})))
        assert sink.bodies == [], "held back"
        until(lambda: bool(sink.quotes()))
        assert [quote.last for frame in sink.quotes() for quote in frame.quotes] == [Decimal("100.2")]
        connection.take(ticker("snapshot", **LINEAR))
        connection.take(ticker("delta", bid1Price="500"))
        assert sink.quotes()[-1].withdrawn == (("linear", "BTCUSDT"),), "not held back"
        connection.take(ticker("snapshot", ts=T + 1, **(LINEAR | {"lastPrice": "100.3"})))
        until(lambda: bool(sink.quotes()[-1].quotes))
        lasts = [quote.last for frame in sink.quotes() for quote in frame.quotes]
        assert lasts == [Decimal("100.2"), Decimal("100.3")], "nor is what it withdraws handed over later"
    finally:
        streams.stop()


# --- the simulated exchange's control interface, addresses ---


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, b"{}", SimulatorUnavailableError),
        (200, b"<html>", UnparsableError),
        (200, b"[" * 100_000, UnparsableError),
        (200, b"[]", UnparsableError),
        (200, b'{"step": 1, "market_time": "soon", "ended": false}', UnparsableError),
    ],
)
def test_a_half_answer_of_the_control_interface_is_no_step(status: int, body: bytes, error: type[Exception]) -> None:
    with answering(status, body) as (url, _asked), pytest.raises(error):
        SimulatorLockstep(url, SecretStr("token")).status()


def test_the_identity_and_period_of_the_simulated_exchange_are_read() -> None:
    with answering(200, b'{"instance": "i", "market": "synthetic", "start": 1, "end": 2}') as (url, _asked):
        lockstep = SimulatorLockstep(url, SecretStr("token"))
        assert (lockstep.identity(), lockstep.period()) == (("i", "synthetic"), (1, 2))
        assert "token" not in repr(lockstep)
        lockstep.close()


def test_addresses_of_each_environment() -> None:
    assert endpoints("live", {}).rest == "https://api.bybit.com"
    assert endpoints("demo", {}).public_stream == endpoints("live", {}).public_stream, "demo has private streams only"
    assert endpoints("paper", {}, "http://127.0.0.1:9/").private_stream == "ws://127.0.0.1:9"
    for url in ("", "https://127.0.0.1:9", "127.0.0.1:9"):
        with pytest.raises(ValueError, match="http://HOST:PORT"):
            endpoints("paper", {}, url)


def test_a_cancel_whose_answer_is_lost_is_unknown_and_an_account_is_not_read_by_half() -> None:
    venue = Venue(lambda path, params: (10016, "busy") if "order" in path else {"list": [], "nextPageCursor": ""})
    cancel = CancelOrder(client_order_id="x", category="linear", symbol="BTCUSDT")
    assert isinstance(venue.exchange.perform(A, cancel), Unknown)
    assert isinstance(venue.exchange.perform(A, ReadAccount(executions_since_ms=NOW)), Refused)
