"""Mutated answers and frames: no crash, no silently wrong value, no silence taken for success or absence.

The payloads come from the simulated exchange at work, and from the recordings where they are present. `make test` tries
a share; `pytest tests/infra/bybit/test_fuzz.py --fuzz=5000` all of it. The last tests prove that this fuzz notices.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest

from infra.bybit.exchange import BybitExchange
from infra.bybit.parsing import fields
from infra.bybit.parsing.envelope import checked
from infra.bybit.session import DirectSessions
from infra.bybit.streams.book import BookGapError
from infra.bybit.streams.frames import PublicFrames, moment_ms, parse_private_frame
from infra.simulator.api import ApiRequest
from statemachines.feeds.terms import FeedRead
from statemachines.messages.market import BarFrame, QuoteFrame, RowsSetAside
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
    ReadAccount,
    ReadBars,
    ReadFunding,
    ReadMarket,
    Refused,
    SetLeverage,
    TransferFunds,
    TransferState,
    Unknown,
)
from statemachines.values import Account
from tests.infra.bybit.mutations import mutated, wrong_value
from tests.infra.bybit.venue import adapter, order_of
from tests.infra.simulator.venue.world import START_MS, WAVE, World, at
from tests.shared import find_shared

A = Account.TREND_1
QUICK = 300
"""Cases of each test in `make test`: a few seconds each."""

LINK = "abcdefT1x-1"


@pytest.fixture
def cases(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--fuzz")) or QUICK


def trading_world() -> World:
    """An account with an open order, a filled one, a stop, a position, coins and a transfer; funding has settled."""
    world = World(WAVE, funding={0: "0.0001", 8: "0.0002"})
    world.order(side="Buy", qty="0.1", orderLinkId="abcdefT1f-1")
    world.order(side="Buy", qty="0.1", orderType="Limit", price="39700", orderLinkId=LINK)
    world.order(side="Sell", qty="0.1", triggerPrice="39000", triggerDirection=2, reduceOnly=True, orderLinkId="s-1")
    world.order(category="spot", side="Buy", qty="0.05", marketUnit="baseCoin", orderLinkId="abcdefT1s-1")
    transfer = {
        "transferId": "t-1",
        "coin": "USDT",
        "amount": "5",
        "fromAccountType": "UNIFIED",
        "toAccountType": "UNIFIED",
    }
    uids = {"fromMemberId": world.uids["TREND-1"], "toMemberId": world.uids["MASTER"]}
    world.post("/v5/asset/transfer/universal-transfer", "MASTER", **transfer, **uids)
    world.run_to(at(9))
    return world


class Venue:
    """The simulated exchange behind the gateway; the answer number `spoil` of a request is mutated on its way."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = random.Random(0)
        self.spoil = -1
        self.raw: list[Any] = []
        self.spoiled: list[Any] = []
        self.exchange = adapter(
            self._handle,
            symbols=(("spot", "BTCUSDT"), ("linear", "BTCUSDT")),
            uids={Account(name): uid for name, uid in world.uids.items()},
            clock=self,
        )

    def now_ms(self) -> int:
        return self.world.exchange.market_time

    def begin(self, rng: random.Random, spoil: int) -> None:
        self.rng, self.spoil, self.raw, self.spoiled = rng, spoil, [], []

    def _handle(self, method: str, path: str, params: Mapping[str, Any], account: Account | None) -> Any:
        uid = self.world.uids[account.value] if account is not None else None
        answer = copy.deepcopy(self.world.exchange.handle(ApiRequest(method, path, params, uid)))
        if len(self.raw) == self.spoil:
            answer = mutated(self.rng, answer)
            self.spoiled.append(answer)
        self.raw.append(answer)
        return answer


READS: tuple[tuple[Account, Any], ...] = (
    (A, ReadAccount(executions_since_ms=START_MS)),
    (A, LookUpOrder(client_order_id=LINK, category="linear", symbol="BTCUSDT")),
    (A, LookUpOrder(client_order_id="abcdefT1f-1", category="linear", symbol="BTCUSDT")),
    (Account.MASTER, LookUpTransfer(transfer_id="t-1")),
    (A, ReadMarket()),
    (
        A,
        ReadBars(category="linear", symbol="BTCUSDT", interval="60", from_ms=START_MS, until_ms=at(8)),
    ),
    (A, ReadFunding(symbols=("BTCUSDT",), from_ms=START_MS, until_ms=at(9))),
)


def check_read(outcome: Any, venue: Venue) -> None:
    """What the gateway says it read is what the answers say."""
    match outcome:
        case AccountSnapshot():
            reports = [*outcome.open_orders, *outcome.executions, *outcome.positions]
        case OrderFound():
            reports = [outcome.report, *outcome.executions]
        case MarketSnapshot():
            reports = [*outcome.instruments, *outcome.quotes, *outcome.fee_rates]
            assert all(quote.bid < quote.ask for quote in outcome.quotes)
        case BarsRead():
            reports = list(outcome.bars)
        case FundingRead():
            reports = list(outcome.rates)
            assert all(rate.interval_min in (60, 120, 240, 480, 1440) for rate in outcome.rates)
        case TransferState():
            reports = []
            if outcome.status == "ABSENT":
                assert venue.spoiled and venue.spoiled[0]["result"]["list"] == [], "absent only on an empty list"
        case OrderAbsent():
            raise AssertionError("an order that the exchange holds is not absent, whatever one answer looks like")
        case Refused() | Unknown():
            return
        case _:
            raise AssertionError(f"{outcome} answers no read")
    for report in reports:
        problem = wrong_value(report, venue.raw)
        assert not problem, problem


def test_a_mutated_answer_to_a_query_is_read_right_or_not_at_all(cases: int) -> None:
    fuzz_queries(cases, READS)


def fuzz_queries(cases: int, reads: tuple[tuple[Account, Any], ...]) -> None:
    venue = Venue(trading_world())
    for number in range(cases):
        rng = random.Random(number)
        account, request = reads[number % len(reads)]
        venue.begin(rng, rng.randrange(6))
        check_read(venue.exchange.perform(account, request), venue)


def test_unmutated_answers_are_read_completely() -> None:
    """Else the fuzz would prove nothing: everything could be set aside."""
    venue = Venue(trading_world())
    snapshot = venue.exchange.perform(A, READS[0][1])
    assert isinstance(snapshot, AccountSnapshot) and not snapshot.set_aside
    assert len(snapshot.open_orders) == 2 and len(snapshot.executions) >= 3 and len(snapshot.positions) == 1
    for account, request in READS:
        venue.begin(random.Random(0), -1)
        outcome = venue.exchange.perform(account, request)
        assert not isinstance(outcome, Refused | Unknown | OrderAbsent), request
        check_read(outcome, venue)


def writes() -> tuple[tuple[Account, Any], ...]:
    order: dict[str, Any] = {"category": "linear", "symbol": "BTCUSDT"}
    return (
        (A, order_of(client_order_id="n-1", quantity=Decimal("0.001"))),
        (A, AmendOrder(client_order_id=LINK, price=Decimal("39600"), **order)),
        (A, CancelOrder(client_order_id=LINK, **order)),
        (A, SetLeverage(symbol="BTCUSDT", leverage=Decimal(7))),
        (
            Account.MASTER,
            TransferFunds(transfer_id="t-2", coin="USDT", amount=Decimal(1), from_account=A, to_account=Account.MASTER),
        ),
    )


def sound_answers(world: World) -> list[tuple[Account, Any, Any]]:
    """Each write with the answer that the simulated exchange really gave to it."""
    venue = Venue(world)
    found = []
    for account, request in writes():
        venue.begin(random.Random(0), -1)
        assert isinstance(venue.exchange.perform(account, request), Accepted), request
        found.append((account, request, venue.raw[0]))
    return found


def test_a_mutated_answer_to_a_write_is_success_only_if_it_says_so(cases: int) -> None:
    answers, clock = sound_answers(trading_world()), Venue(World())
    for number in range(cases):
        rng = random.Random(number)
        account, request, sound = answers[number % len(answers)]
        spoiled = mutated(rng, sound)
        exchange = BybitExchange(
            DirectSessions(lambda *_call, answer=spoiled: answer),
            symbols=(),
            uids={one: 1 for one in Account},
            clock=clock,
            read_feed=lambda _ms: FeedRead(reason="none"),
        )
        outcome = exchange.perform(account, request)
        if isinstance(outcome, Accepted):
            assert type(spoiled) is dict and type(spoiled["retCode"]) is int, spoiled
            assert isinstance(spoiled["retMsg"], str) and isinstance(spoiled["result"], dict), spoiled
            if outcome.already:
                assert spoiled["retCode"] != 0
            else:
                assert spoiled["retCode"] == 0
                told = spoiled["result"].get("orderId", spoiled["result"].get("transferId", ""))
                assert outcome.venue_order_id in (told, ""), spoiled
        else:
            assert isinstance(outcome, Refused | Unknown), outcome
            if isinstance(outcome, Refused):
                assert isinstance(spoiled, dict), "only the exchange's own word refuses"


def frames_of(world: World) -> tuple[list[tuple[str, Any]], list[Any]]:
    """Public frames by category, private frames of the account, as they came."""
    public: list[tuple[str, Any]] = []
    private: list[Any] = []
    for category in ("spot", "linear"):
        topics = [f"{kind}.BTCUSDT" for kind in ("tickers", "orderbook.50", "publicTrade", "kline.60", "kline.D")]
        public += [(category, one.frame) for one in world.exchange.subscribe(topics, category=category)]
    world.order(side="Buy", qty="0.1", orderLinkId=LINK)
    world.order(side="Buy", qty="0.1", orderType="Limit", price="39800")
    world.order(category="spot", side="Buy", qty="0.05", marketUnit="baseCoin")
    drained = world.exchange.drain()
    for result in world.run_to(at(10)):
        drained += result.frames
    for frame in drained:
        if frame.account == "TREND-1":
            private.append(frame.frame)
        elif frame.account is None:
            public.append((frame.category, frame.frame))
    return public, private


def recorded_frames() -> list[Any]:
    """Private frames of the recordings, where they are present."""
    found: list[Any] = []
    for topic in ("ws-order", "ws-execution"):
        folder = find_shared("bybit", "recorded", topic)
        if folder is not None:
            found += [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    return [frame for frame in found if isinstance(frame, dict)]


def check_private(parsed: Any, frame: Any) -> None:
    for body, natural_id in parsed:
        assert natural_id and isinstance(moment_ms(body), int)
        if isinstance(body, RowsSetAside):
            assert all(one.problem.isprintable() and len(one.problem) <= 400 for one in body.rows)
            continue
        assert isinstance(body, OrderFrame | ExecutionFrame)
        problem = wrong_value(body.report, [frame])
        assert not problem, problem


def test_a_mutated_private_frame_is_read_right_or_set_aside(cases: int) -> None:
    _public, private = frames_of(World(WAVE))
    private += recorded_frames()
    assert len(private) > 4
    for number in range(cases):
        rng = random.Random(number)
        frame = mutated(rng, rng.choice(private))
        check_private(parse_private_frame(A, frame), frame)


def test_unmutated_private_frames_are_read_completely() -> None:
    _public, private = frames_of(World(WAVE))
    bodies = [body for frame in private for body, _ in parse_private_frame(A, frame)]
    assert {type(body) for body in bodies} == {OrderFrame, ExecutionFrame}


def test_mutated_public_frames_are_read_right_or_set_aside(cases: int) -> None:
    """A sequence of frames of which some are mutated, since deltas need what came before them."""
    public, _private = frames_of(World(WAVE))
    seen_quotes = 0
    for number in range(max(1, cases // len(public))):
        rng = random.Random(number)
        frames, raw = PublicFrames(), []
        for category, sound in public:
            frame = mutated(rng, sound) if rng.random() < 0.2 else sound
            raw.append(frame)
            if not isinstance(frame, dict) or "topic" not in frame:
                continue  # the connection takes such a frame for an acknowledgement
            try:
                parsed = frames.take("spot" if category == "spot" else "linear", frame)
            except BookGapError:
                continue
            for body, _natural_id in parsed:
                assert isinstance(moment_ms(body), int)
                if isinstance(body, BarFrame):
                    assert not any(wrong_value(bar, [frame]) for bar in body.bars)
                elif isinstance(body, QuoteFrame):
                    for quote in body.quotes:
                        seen_quotes += 1
                        check_quote(quote, raw)
    assert seen_quotes


def check_quote(quote: Any, raw: list[Any]) -> None:
    """Each price of a quote stood in a frame, and the quote is one."""
    assert 0 < quote.bid < quote.ask < 10**9
    texts = json.dumps(raw[-60:])
    for value in (quote.bid, quote.ask, quote.last, quote.mark, quote.index):
        assert value is None or (0 < value < 10**9 and f"{value:f}".rstrip("0").rstrip(".") in texts), quote


# --- the fuzz notices ---


def zero_for_missing(self: fields.Row, key: str) -> Decimal:
    """The planted defect: a missing or unreadable number is 0."""
    try:
        return fields.to_decimal(self.raw(key), key, self.what)
    except fields.UnparsableError:
        return Decimal(0)


def unsigned(self: fields.Row, key: str) -> Decimal:
    """The planted defect of case 10: a sign is dropped."""
    return abs(self.decimal(key))


@pytest.mark.parametrize(("name", "defect"), [("decimal", zero_for_missing), ("quantity", unsigned)])
def test_the_fuzz_of_frames_notices_a_planted_defect(
    monkeypatch: pytest.MonkeyPatch, name: str, defect: Callable[..., Any]
) -> None:
    monkeypatch.setattr(fields.Row, name, defect)
    with pytest.raises(AssertionError):
        test_a_mutated_private_frame_is_read_right_or_set_aside(3000)


def test_the_fuzz_of_queries_notices_an_answer_without_a_code_taken_for_success(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The planted defect of case 8, as pybit has it: no truthy retCode is a success, no list an empty one."""

    def lenient(answer: Any, request: str) -> Any:
        if not isinstance(answer, dict) or not answer.get("retCode"):
            result = answer.get("result") if isinstance(answer, dict) else None
            return {"result": result if isinstance(result, dict) and "list" in result else {"list": []}}
        return checked(answer, request)

    monkeypatch.setattr("infra.bybit.session.checked", lenient)
    with pytest.raises((AssertionError, TypeError, KeyError)):
        fuzz_queries(500, READS[1:4])
