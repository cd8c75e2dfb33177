"""The order manager's logic: the dispatch of messages, and the end of every step (DESIGN 1, 5, 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall
from statemachines.execution import (
    fills,
    flatness,
    lifecycle,
    order_reports,
    responses,
    resurrected_orders,
    staking,
    transfers,
)
from statemachines.execution.completion import finish
from statemachines.execution.context import DIALECT, ExecutionContext
from statemachines.execution.orders.order_ids import client_order_id
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import ORDER_TOPICS, Topic, parse_key
from statemachines.execution.parameters import OrderParameters
from statemachines.execution.placement import LeverageSetter
from statemachines.execution.reconciliation import unreadable
from statemachines.execution.reconciliation.reconciler import DAY, Reconciler
from statemachines.execution.styles import stops
from statemachines.facts import BarFact
from statemachines.messages.accounts import StakingOrdered, TransferOrdered
from statemachines.messages.control import FlatnessWanted
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import DayClosed, InstrumentsKnown, QuotesSeen, RowsSetAside
from statemachines.messages.orders import (
    Approved,
    ExecutionFrame,
    MoveStop,
    OrderFrame,
    ResponseReceived,
    StreamRestored,
    Withdraw,
)
from statemachines.requests import Dropped, OrderAbsent, OrderFound, Refused
from statemachines.values import Account, ActorName


class OrderManagerLogic:
    """Implements `actor_logic.ActorLogic`. `installation` is the six-character code of this database (EX-5)."""

    name = ActorName.ORDER_MANAGER
    dialect = DIALECT

    def __init__(self, installation: str, parameters: OrderParameters | None = None) -> None:
        self._context = ExecutionContext(installation, parameters or OrderParameters())
        self._reconciler = Reconciler(self._context, self._release_frames, self._start_ended)
        self._leverage = LeverageSetter(self._context)
        self._held: dict[Account, list[OrderFrame | ExecutionFrame]] = {}

    # --- ActorLogic ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        return None

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        self._context.restore(rows)

    def begin(self, now_ms: int) -> Commands:
        """Reconcile; nothing is sent before the reconciliation has ended (OR-9)."""
        self._context.now_ms = now_ms
        self._reconciler.begin()
        for parent in self._context.parents.live():
            self._context.parents.schedule(parent, lifecycle.due_ms(self._context, parent))
        return self._finish()

    def handle(self, message: Envelope) -> Commands:
        context = self._context
        context.now_ms = max(context.now_ms, message.market_ms)
        context.trace = message.trace
        body = message.body
        match body:
            case ResponseReceived():
                self._answer(body)
            case OrderFrame() | ExecutionFrame():
                self._frame(body)
            case QuotesSeen():
                self._quotes(body)
            case Approved():
                take_approved(context, body)
            case Withdraw():
                take_withdraw(context, body)
            case MoveStop():
                take_move_stop(context, body)
            case TransferOrdered():
                transfers.take_order(context, body)
            case StakingOrdered():
                staking.take_order(context, body)
            case FlatnessWanted():
                flatness.take_wanted(context, body)
            case DayClosed():
                self._reconciler.request(DAY)
                if context.is_started:
                    self._leverage.begin()
            case RowsSetAside():
                if unreadable.take_rows(context, body):
                    self._reconciler.request(f"rows of {body.source} could not be read")
            case StreamRestored():
                self._reconciler.request(f"stream {body.stream} restored", follows_gap=True)
            case InstrumentsKnown():
                context.instruments.update({(i.category, i.symbol): i for i in body.instruments})
                if context.is_started:
                    self._leverage.begin()
            case _:
                context.remark("order-manager", "ignored", f"{body.KIND} is not for the order manager")
        return self._finish()

    def tick(self, now_ms: int) -> Commands:
        self._context.now_ms = max(self._context.now_ms, now_ms)
        for parent in self._context.parents.due(now_ms):
            lifecycle.on_due(self._context, parent)
        if self._context.is_started:
            staking.on_due(self._context)
        self._reconciler.tick()
        return self._finish()

    def deadline(self) -> int | None:
        staked_ms = self._context.stakings.earliest() if self._context.is_started else None
        dues = (self._context.parents.earliest(), staked_ms, self._reconciler.deadline())
        return min((at for at in dues if at is not None), default=None)

    def rows(self) -> Iterable[StateRow]:
        return self._context.rows()

    def dirty(self) -> Sequence[StateRow]:
        return self._context.dirty()

    def still_needed(self, ask: ExchangeCall) -> bool:
        """EX-4: a delayed request is needed only while its response is still awaited."""
        topic, subject = parse_key(ask.key)
        if topic in ORDER_TOPICS:
            parts = self._context.ours(subject, "")
            parent = self._context.parents.get(parts.intent_id) if parts else None
            return parent is not None and parent.requests.pending.get(topic) == ask.key
        if topic in (Topic.TRANSFER, Topic.TRANSFER_LOOK):
            return self._context.transfers.awaits(subject, ask.key)
        if topic in (Topic.STAKE, Topic.STAKE_LOOK):
            return self._context.stakings.awaits(subject, ask.key)
        if topic is Topic.LEVERAGE:
            return self._leverage.still_needed(subject, ask.key)
        if topic is Topic.RESURRECTED:
            return resurrected_orders.still_needed(self._context, subject, ask.key)
        return self._reconciler.still_needed(topic, subject, ask.key)

    # --- parts ---

    def _answer(self, body: ResponseReceived) -> None:
        topic, subject = parse_key(body.key)
        if topic in ORDER_TOPICS:
            if isinstance(body.outcome, Refused):
                unreadable.report_filter_refusal(self._context, subject, body.outcome)
            responses.take_answer(self._context, subject, topic, body.key, body.outcome)
            parts = self._context.ours(subject, "")
            if parts and topic is Topic.LOOK and isinstance(body.outcome, OrderFound | OrderAbsent):
                self._reconciler.confirmed(parts.intent_id)
        elif topic is Topic.RESURRECTED:
            resurrected_orders.take_answer(self._context, subject, body.key, body.outcome)
        elif topic in (Topic.TRANSFER, Topic.TRANSFER_LOOK):
            transfers.take_answer(self._context, subject, body.key, body.outcome)
        elif topic in (Topic.STAKE, Topic.STAKE_LOOK):
            staking.take_answer(self._context, subject, body.key, body.outcome)
        elif topic is Topic.FLATNESS:
            flatness.take_answer(self._context, subject, body.outcome)
        elif isinstance(body.outcome, Dropped):
            return
        elif topic is Topic.LEVERAGE:
            self._leverage.take_answer(subject, body.key, body.outcome)
        elif topic is Topic.MARKET:
            self._reconciler.take_market(body.key, body.outcome)
        else:
            self._reconciler.take_account(Account(subject), body.key, body.outcome)

    def _frame(self, body: OrderFrame | ExecutionFrame) -> None:
        """Private frames; held until the account's very first reading, which may already contain them."""
        account = body.report.account
        if not self._context.books[account].is_opened:
            self._held.setdefault(account, []).append(body)
        elif isinstance(body, ExecutionFrame):
            fills.take_execution(self._context, body.report)
        else:
            order_reports.take_order(self._context, body.report)

    def _release_frames(self, account: Account) -> None:
        for body in self._held.pop(account, []):
            self._frame(body)

    def _start_ended(self) -> None:
        """The first reconciliation of this incarnation has ended: held requests may be sent."""
        self._leverage.begin()
        for parent in self._context.parents.live():
            self._context.touch(parent)
        transfers.release(self._context)
        staking.release(self._context)

    def _quotes(self, body: QuotesSeen) -> None:
        """The newest quote wins; maker orders on these symbols may have to be re-quoted, which the next tick does."""
        for market in body.withdrawn:
            self._context.quotes.pop(market, None)
        newest = {(quote.category, quote.symbol): quote for quote in body.quotes}
        self._context.quotes.update(newest)
        for parent in self._context.parents.live_makers():
            if (parent.intent.category, parent.intent.symbol) in newest:
                self._context.parents.schedule(parent, lifecycle.due_ms(self._context, parent))

    def _finish(self) -> Commands:
        """The end of a step: end a complete reconciliation pass, advance the intents that were touched."""
        context = self._context
        if context.reading_needed:
            reason, context.reading_needed = context.reading_needed, ""
            self._reconciler.request(reason)
        self._reconciler.finish_if_complete()
        for parent in sorted(context.touched.values(), key=lambda parent: parent.number):
            lifecycle.advance(context, parent)
        touched = list(context.touched.values())
        commands = context.finish_step()
        for parent in touched:
            context.parents.schedule(parent, lifecycle.due_ms(context, parent))
        return commands


def take_approved(context: ExecutionContext, body: Approved) -> None:
    """Start working an intent. It is durable immediately and sent as soon as the first reconciliation has ended."""
    intent = body.intent
    if context.parents.get(intent.intent_id) is not None:
        context.remark(intent.intent_id, "repeated", "the intent is already known; nothing is repeated")
        return
    slot, discarded = context.parents.free_slot()
    if discarded is not None and discarded.order is not None:
        context.discard_venue_order_id(discarded.order)
    expiries = [at for at in (body.expires_ms, intent.expires_ms) if at is not None]
    if intent.style == "maker":
        # CH-3: this bound applies to every maker order; the intent's own expiry may be earlier.
        expiries.append(context.now_ms + context.parameters.maker_expiry_ms)
    parent = ParentOrder(
        slot=slot,
        number=context.control.next("intents"),
        approved=body,
        approved_ms=context.now_ms,
        trace=context.trace,
        quantity=min(intent.quantity, body.max_quantity),
        trigger_price=intent.trigger_price,
        expires_ms=min(expiries, default=None),
    )
    context.parents.add(parent)
    context.touch(parent)
    try:
        client_order_id(context.installation, intent.intent_id, 1)
    except ValueError as error:
        finish(context, parent, "DENIED", str(error))


def take_withdraw(context: ExecutionContext, body: Withdraw) -> None:
    """Cancel the orders that are still working; an intent that has ended is left unchanged."""
    parent = context.parents.get(body.intent_id)
    if parent is None or parent.is_ended:
        context.remark(body.intent_id, "withdraw", "the intent has already ended; nothing to withdraw")
        return
    context.notes([parent.fire("withdraw", body.reason or "no reason given", filled=str(parent.filled))])
    parent.withdrawn = parent.withdrawn or body.reason or "no reason given"
    context.touch(parent)


def take_move_stop(context: ExecutionContext, body: MoveStop) -> None:
    """Give a working stop new terms; the engine of a stop that has ended receives its IntentDone."""
    parent = context.parents.get(body.intent_id)
    if parent is None or parent.is_ended:
        context.remark(body.intent_id, "move_stop", "the stop has already ended; nothing to move")
        return
    stops.move_stop(context, parent, body)
