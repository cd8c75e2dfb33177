"""EX-1, EX-2, EX-4, EX-5, OR-6, OR-9: any order of answers, reports, losses and crashes keeps the books exact.

Each execution is booked exactly once, ledger and exchange agree to the last unit, no intent fills more than was
intended, and every intent ends with exactly one IntentEnded.
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from statemachines.execution.parameters import OrderParameters
from statemachines.facts import ExecutionFact, PostingFact
from statemachines.ledger.account_ledger import AccountLedger, trial_balance
from statemachines.messages.accounts import FundingPaid, TransferEnded, TransferOrdered
from statemachines.messages.orders import Fill, IntentEnded, MoveStop
from statemachines.messages.orders import Withdraw as WithdrawBody
from statemachines.requests import Refused, Unknown
from statemachines.values import Account, ActorName, Side
from tests.statemachines.execution.fake_exchange import OPEN, FakeExchange
from tests.statemachines.execution.rig import START_MS, Rig, maker, stop

D = Decimal
PRICES = st.sampled_from(["96", "98.3", "100", "101.7", "104"])
QUANTITIES = st.sampled_from([D("0.2"), D("0.5"), D("0.701")])


class AnyOrderOfEvents(RuleBasedStateMachine):
    """The fake exchange behaves; the network and the process do not."""

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig(FakeExchange(START_MS), OrderParameters(recent_orders=3, seen_buckets=4, seen_per_bucket=8))
        self.rig.start()
        self.intents: dict[str, Decimal] = {}
        self.transfers: list[str] = []
        self.delivered: list[Any] = []

    # --- what is wanted ---

    def _approve(self, quantity: Decimal, **changes: Any) -> None:
        number = len(self.intents) + 1
        intent_id = self.rig.approve(**{"number": number, "quantity": quantity, **changes})
        self.intents[intent_id] = quantity

    @rule(
        quantity=QUANTITIES,
        side=st.sampled_from(list(Side)),
        spot=st.booleans(),
        liquidity=st.sampled_from([None, D("0.1"), D(0)]),
    )
    def market(self, quantity: Decimal, side: Side, spot: bool, liquidity: Decimal | None) -> None:
        self.rig.exchange.market_fill = liquidity
        self._approve(quantity, side=side, category="spot" if spot else "linear")

    @rule(quantity=QUANTITIES, side=st.sampled_from(list(Side)))
    def maker(self, quantity: Decimal, side: Side) -> None:
        self._approve(**{**maker(len(self.intents) + 1), "quantity": quantity, "side": side})

    @rule(quantity=QUANTITIES)
    def stop(self, quantity: Decimal) -> None:
        self._approve(**{**stop(len(self.intents) + 1), "quantity": quantity})

    @precondition(lambda self: self.intents)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        intent_id = data.draw(st.sampled_from(sorted(self.intents)))
        self.rig.tell(WithdrawBody(intent_id=intent_id, engine=ActorName.TREND_1, reason="test"))

    @precondition(lambda self: self.intents)
    @rule(data=st.data(), trigger=st.sampled_from([D(91), D(93)]))
    def move_stop(self, data: st.DataObject, trigger: Decimal) -> None:
        intent_id = data.draw(st.sampled_from(sorted(self.intents)))
        body = MoveStop(intent_id=intent_id, engine=ActorName.TREND_1, trigger_price=trigger, reason="ratchet")
        self.rig.tell(body)

    @rule(amount=st.sampled_from([D(10), D(20000)]))
    def transfer(self, amount: Decimal) -> None:
        name = f"00000000-0000-4000-8000-{len(self.transfers):012d}"
        self.transfers.append(name)
        self.rig.tell(
            TransferOrdered(
                transfer_id=name, request_id="r", from_account=Account.TREND_1, to_account=Account.CORE_HODL,
                coin="USDT", amount=amount, purpose="test",
            )
        )  # fmt: skip

    # --- the network ---

    @precondition(lambda self: self.rig.calls)
    @rule(data=st.data(), fate=st.sampled_from(["ok", "ok", "ok", "lost before", "lost after", "busy"]))
    def answer(self, data: st.DataObject, fate: str) -> None:
        rig = self.rig
        key = data.draw(st.sampled_from(sorted(rig.calls)))
        ask = rig.calls[key]
        if fate == "ok" or (ask.delay_s and not rig.logic.still_needed(ask)):
            rig.perform(key)
        elif fate == "busy":
            rig.answer(key, Refused(code=10006, message="too many visits", fault="transient"))
        else:
            if fate == "lost after":
                rig.exchange.perform(Account(ask.account), ask.request)
            rig.answer(key, Unknown(why=fate))

    @precondition(lambda self: self.rig.calls)
    @rule(count=st.integers(1, 20))
    def answer_many(self, count: int) -> None:
        for key in list(self.rig.calls)[:count]:
            self.rig.perform(key)

    @precondition(lambda self: self.rig.exchange.frames)
    @rule(count=st.integers(1, 5), newest_first=st.booleans())
    def deliver_many(self, count: int, newest_first: bool) -> None:
        for _ in range(min(count, len(self.rig.exchange.frames))):
            frame = self.rig.exchange.frames.pop(-1 if newest_first else 0)
            self.delivered.append(frame)
            self.rig.tell(frame)

    @rule()
    def end_alert(self) -> None:
        self.rig.settle()

    @precondition(lambda self: self.rig.exchange.frames)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        frames = self.rig.exchange.frames
        frame = frames.pop(data.draw(st.integers(0, len(frames) - 1)))
        self.delivered.append(frame)
        self.rig.tell(frame)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        self.rig.tell(data.draw(st.sampled_from(self.delivered[-10:])))

    @precondition(lambda self: self.rig.exchange.frames)
    @rule(data=st.data())
    def lose_frame(self, data: st.DataObject) -> None:
        frames = self.rig.exchange.frames
        frames.pop(data.draw(st.integers(0, len(frames) - 1)))

    @rule()
    def crash(self) -> None:
        self.rig.crash()

    # --- the market ---

    def _open(self) -> list[str]:
        return [link for link, order in self.rig.exchange.orders.items() if order.status in OPEN]

    @precondition(lambda self: self._open())
    @rule(data=st.data(), part=st.sampled_from([D("0.1"), D("0.2"), D(5)]))
    def fill(self, data: st.DataObject, part: Decimal) -> None:
        self.rig.exchange.fill(data.draw(st.sampled_from(self._open())), part, maker=True)

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def exchange_cancels(self, data: st.DataObject) -> None:
        self.rig.exchange.end(data.draw(st.sampled_from(self._open())), cancel_type="CancelByAdmin")

    @rule(last=PRICES)
    def price(self, last: str) -> None:
        self.rig.price(last)

    @rule(ms=st.sampled_from([1, 2_000, 31_000, 61_000]))
    def time_passes(self, ms: int) -> None:
        self.rig.exchange.now_ms += ms
        due = self.rig.logic.deadline()
        if due is not None and due <= self.rig.exchange.now_ms:
            self.rig.tick()
            after = self.rig.logic.deadline()
            assert after is None or after > self.rig.exchange.now_ms, f"the deadline {after} does not move on"

    # --- what always holds ---

    @invariant()
    def each_execution_at_most_once(self) -> None:
        assert not [fact for fact in self.rig.repeated if isinstance(fact, ExecutionFact | PostingFact)]
        told = [body.execution_id for body in self.rig.bodies(Fill)]
        told += [body.execution_id for body in self.rig.bodies(FundingPaid)]
        assert len(told) == len(set(told))

    @invariant()
    def at_most_one_end(self) -> None:
        counts = Counter(body.intent_id for body in self.rig.bodies(IntentEnded))
        assert not [name for name, count in counts.items() if count > 1]

    @invariant()
    def never_more_than_intended(self) -> None:
        filled: Counter[str] = Counter()
        for order in self.rig.exchange.orders.values():
            if order.request.client_order_id.startswith("abc123"):
                filled[_intent_of(order.request.client_order_id)] += order.filled_quantity  # type: ignore[assignment]
        for tail, total in filled.items():
            intended = next(q for name, q in self.intents.items() if name.rsplit("-", 1)[1] == tail)
            assert total <= intended

    @invariant()
    def one_live_order_per_intent(self) -> None:
        counts = Counter(_intent_of(link) for link in self._open())
        assert not [name for name, count in counts.items() if count > 1]

    def teardown(self) -> None:
        """The network heals: everything ends, and the books are the exchange's."""
        rig = self.rig
        rig.exchange.market_fill = None
        rig.settle()
        rig.advance(120_000)
        for intent_id in self.intents:
            rig.tell(WithdrawBody(intent_id=intent_id, engine=ActorName.TREND_1, reason="end of test"))
        rig.settle()
        rig.advance(120_000)
        rig.crash()
        rig.settle()
        rig.advance(120_000)
        self.each_execution_at_most_once()
        ended = Counter(body.intent_id for body in rig.bodies(IntentEnded))
        assert ended == Counter(list(self.intents))
        assert Counter(body.transfer_id for body in rig.bodies(TransferEnded)) == Counter(self.transfers)
        assert not self._open()
        booked = {fact.execution_id for fact in rig.recorded(ExecutionFact)}
        assert booked == {row.execution_id for row in rig.exchange.executions}
        self._assert_fills_are_told()
        self._assert_ledger()

    def _assert_fills_are_told(self) -> None:
        told = {body.execution_id: body.quantity for body in self.rig.bodies(Fill)}
        for done in self.rig.bodies(IntentEnded):
            fills = [body.quantity for body in self.rig.bodies(Fill) if body.intent_id == done.intent_id]
            assert done.filled_quantity == sum(fills, D(0)) <= self.intents[done.intent_id]
        assert sum(told.values(), D(0)) == sum((row.quantity for row in self.rig.exchange.executions), D(0))

    def _assert_ledger(self) -> None:
        books = {account: AccountLedger(account) for account in Account}
        for posting in self.rig.recorded(PostingFact):
            for book in books.values():
                book.post(posting)
        assert not [coin for coin, total in trial_balance(books.values()).items() if total]
        for account, book in books.items():
            wallet = {coin: amount for coin, amount in self.rig.exchange.wallets[account].items() if amount}
            assert book.coins() == wallet
        kinds = Counter(posting.kind for posting in self.rig.recorded(PostingFact))
        assert kinds["adjustment"] == 0 and kinds["deposit"] == 0, kinds


def _intent_of(link: str) -> str:
    return link[8:].split("-")[0]


AnyOrderOfEvents.TestCase.settings = settings(
    max_examples=settings().max_examples,
    stateful_step_count=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestAnyOrderOfEvents = AnyOrderOfEvents.TestCase
