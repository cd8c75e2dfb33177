"""The order manager's brain: who takes which message, and the end of every step (DESIGN 1, 5, 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.order_manager import booking, intake, lifecycle, reports, retries, revenants, transfers, unreadable
from actors.order_manager.desk import Desk
from actors.order_manager.keys import ORDER_TOPICS, Topic, parse_key
from actors.order_manager.leverage import LeverageSetter
from actors.order_manager.parameters import OrderParameters
from actors.order_manager.passes import Reconciler
from statemachines.brain import HistoryNeed, StateRow
from statemachines.commands import Ask, Commands
from statemachines.facts import BarFact
from statemachines.messages import (
    Answer,
    Approved,
    DayClosed,
    ExecutionFrame,
    InstrumentsKnown,
    Message,
    MoveStop,
    OrderFrame,
    QuotesSeen,
    RowsSetAside,
    StreamRestored,
    TransferOrdered,
    Withdraw,
)
from statemachines.requests import Dropped, OrderAbsent, OrderFound, Refused
from statemachines.values import Account, ActorName


class OrderManagerBrain:
    """Implements `statemachines.brain.Brain`. `installation` is the six-character code of this database (EX-5)."""

    name = ActorName.ORDER_MANAGER

    def __init__(self, installation: str, parameters: OrderParameters | None = None) -> None:
        self._desk = Desk(installation, parameters or OrderParameters())
        self._reconciler = Reconciler(self._desk, self._release_frames, self._start_ended)
        self._leverage = LeverageSetter(self._desk)
        self._held: dict[Account, list[OrderFrame | ExecutionFrame]] = {}

    # --- Brain ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        return ()

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        return None

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        self._desk.restore(rows)

    def begin(self, now_ms: int) -> Commands:
        """Reconcile; nothing is sent before that has ended (OR-9)."""
        self._desk.now_ms = now_ms
        self._reconciler.begin()
        for work in self._desk.works.live():
            self._desk.works.schedule(work, lifecycle.due_ms(self._desk, work))
        return self._finish()

    def handle(self, message: Message) -> Commands:
        desk = self._desk
        desk.now_ms = max(desk.now_ms, message.market_ms)
        desk.trace = message.trace
        body = message.body
        match body:
            case Answer():
                self._answer(body)
            case OrderFrame() | ExecutionFrame():
                self._frame(body)
            case QuotesSeen():
                self._quotes(body)
            case Approved():
                intake.take_approved(desk, body)
            case Withdraw():
                intake.take_withdraw(desk, body)
            case MoveStop():
                intake.take_move_stop(desk, body)
            case TransferOrdered():
                transfers.take_order(desk, body)
            case DayClosed():
                self._reconciler.request("day")
            case RowsSetAside():
                if unreadable.take_rows(desk, body):
                    self._reconciler.request(f"rows of {body.source} could not be read")
            case StreamRestored():
                self._reconciler.request(f"stream {body.stream} restored", follows_gap=True)
            case InstrumentsKnown():
                desk.instruments.update({(i.category, i.symbol): i for i in body.instruments})
                if desk.is_started:
                    self._leverage.begin()
            case _:
                desk.remark("order-manager", "ignored", f"{body.KIND} is not for the order manager")
        return self._finish()

    def tick(self, now_ms: int) -> Commands:
        self._desk.now_ms = max(self._desk.now_ms, now_ms)
        for work in self._desk.works.due(now_ms):
            lifecycle.on_due(self._desk, work)
        self._reconciler.tick()
        return self._finish()

    def deadline(self) -> int | None:
        found = [at for at in (self._desk.works.earliest(), self._reconciler.deadline()) if at is not None]
        return min(found, default=None)

    def dirty(self) -> Sequence[StateRow]:
        return self._desk.dirty()

    def wants(self, ask: Ask) -> bool:
        """EX-4: a delayed request counts only while its answer is still awaited."""
        topic, subject = parse_key(ask.key)
        if topic in ORDER_TOPICS:
            parts = self._desk.ours(subject, "")
            work = self._desk.works.get(parts.intent_id) if parts else None
            return work is not None and work.requests.pending.get(topic) == ask.key
        if topic in (Topic.TRANSFER, Topic.TRANSFER_LOOK):
            return transfers.is_wanted(self._desk, subject, ask.key)
        if topic is Topic.LEVERAGE:
            return self._leverage.wants(subject, ask.key)
        if topic is Topic.REVENANT:
            return revenants.wants(self._desk, subject, ask.key)
        return self._reconciler.wants(topic, subject, ask.key)

    # --- parts ---

    def _answer(self, body: Answer) -> None:
        topic, subject = parse_key(body.key)
        if topic in ORDER_TOPICS:
            if isinstance(body.outcome, Refused):
                unreadable.tell_filter_refusal(self._desk, subject, body.outcome)
            retries.take_answer(self._desk, subject, topic, body.key, body.outcome)
            parts = self._desk.ours(subject, "")
            if parts and topic is Topic.LOOK and isinstance(body.outcome, OrderFound | OrderAbsent):
                self._reconciler.confirmed(parts.intent_id)
        elif topic is Topic.REVENANT:
            revenants.take_answer(self._desk, subject, body.key, body.outcome)
        elif topic in (Topic.TRANSFER, Topic.TRANSFER_LOOK):
            transfers.take_answer(self._desk, subject, body.key, body.outcome)
        elif isinstance(body.outcome, Dropped):
            return
        elif topic is Topic.LEVERAGE:
            self._leverage.take_answer(subject, body.key, body.outcome)
        elif topic is Topic.MARKET:
            self._reconciler.take_market(body.key, body.outcome)
        else:
            self._reconciler.take_account(Account(subject), body.key, body.outcome)

    def _frame(self, body: OrderFrame | ExecutionFrame) -> None:
        """Private frames; before the account's first reading ever they wait, since it may contain them already."""
        account = body.report.account
        if not self._desk.books[account].is_opened:
            self._held.setdefault(account, []).append(body)
        elif isinstance(body, ExecutionFrame):
            booking.take_execution(self._desk, body.report)
        else:
            reports.take_order(self._desk, body.report)

    def _release_frames(self, account: Account) -> None:
        for body in self._held.pop(account, []):
            self._frame(body)

    def _start_ended(self) -> None:
        """The first reconciliation of this life has ended: what was held may be sent."""
        self._leverage.begin()
        for work in self._desk.works.live():
            self._desk.touch(work)
        transfers.release(self._desk)

    def _quotes(self, body: QuotesSeen) -> None:
        """Newest wins; makers on these symbols may want to move, which the next tick does."""
        for market in body.withdrawn:
            self._desk.quotes.pop(market, None)
        seen = {(quote.category, quote.symbol): quote for quote in body.quotes}
        self._desk.quotes.update(seen)
        for work in self._desk.works.live_makers():
            if (work.intent.category, work.intent.symbol) in seen:
                self._desk.works.schedule(work, lifecycle.due_ms(self._desk, work))

    def _finish(self) -> Commands:
        """The end of a step: passes that are complete end, touched intents take their next step."""
        desk = self._desk
        if desk.reading_wanted:
            reason, desk.reading_wanted = desk.reading_wanted, ""
            self._reconciler.request(reason)
        self._reconciler.finish_if_complete()
        for work in sorted(desk.touched.values(), key=lambda work: work.number):
            lifecycle.advance(desk, work)
        touched = list(desk.touched.values())
        commands = desk.finish_step()
        for work in touched:
            desk.works.schedule(work, lifecycle.due_ms(desk, work))
        return commands
