"""The durable actor: one class under every stateful actor (DESIGN 1).

Per step: drop what is known, decide, **commit state, journal, cursors, outbox and requests in one transaction;
only then act**. The durable actor is synchronous and owns no thread; a runtime feeds it and performs what it returns.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Any

from actors.runtime.envelopes import as_json, message_of
from actors.runtime.policies.ports import PolicyPort
from actors.runtime.policies.switch import PolicySwitch, bring_back, warm
from actors.runtime.ports import Commit, EnvelopeDict, ExchangeCallRow, Fence, JournalRow, Store
from actors.runtime.routing import EPHEMERAL, recipients
from actors.runtime.step import GROUP_LIMIT, Batch, Effects, Item, Source, is_needed, number_messages, replace_older
from statemachines.actor_logic import (
    ENDLESS_LOOKAHEAD,
    ActorLogic,
    HasLookahead,
    LoadsHistoryLate,
    Lookahead,
    StateRow,
)
from statemachines.commands import Alert, AlertEnded, Commands, ExchangeCall, JournalEntry, Record, Remark, Send
from statemachines.conditions import KEY as CONDITIONS_KEY
from statemachines.conditions import Conditions
from statemachines.messages.control import ParametersChanged
from statemachines.messages.envelope import Body, Envelope
from statemachines.messages.market import QuotesSeen
from statemachines.messages.orders import ResponseReceived
from statemachines.policy.held import KEY as POLICY_KEY
from statemachines.requests import Blocked, Unknown
from statemachines.state_store import restore
from statemachines.values import ActorName

KNOWN_IDS_KEPT = 20_000
"""Natural ids of outside facts remembered in memory; older repeats are dropped by the logics' own keys."""


class SequenceGapError(Exception):
    """A delivery skipped a message; the sender must go back to `cursor`."""

    def __init__(self, sender: str, cursor: int) -> None:
        super().__init__(f"messages of {sender} after {cursor} are missing; nothing of the delivery was taken")
        self.cursor = cursor


class DurableActor:
    """Makes one logic durable. Not thread-safe: the runtime calls it from one worker.

    Life: construct (cheap, cannot fail) → `start(now)` (load, restore, warm, begin) → `deliver` / `take_fact` /
    `answer` / `tick` fill the inbox → `step()` decides and commits → the runtime acts and calls `acknowledged`.
    """

    def __init__(
        self,
        logic: ActorLogic,
        store: Store,
        epoch: int,
        probe: Callable[[str], None] | None = None,
        encode: Callable[[Body], Any] = as_json,
        policies: PolicyPort | None = None,
    ) -> None:
        self.name: ActorName = logic.name
        self.epoch = epoch
        self.market_ms = 0
        self.number = 0
        self.next_seq = 1
        self.cursors: dict[str, int] = {}
        self.accepted: dict[str, int] = {}
        self.last_sent: dict[str, int] = {}
        self.acked: dict[str, int] = {}
        self.outbox: deque[EnvelopeDict] = deque()
        self._waiting: dict[str, deque[EnvelopeDict]] = {}
        self.pending: dict[str, ExchangeCallRow] = {}
        self.restored: dict[str, StateRow] = {}
        self.quotes_taken: dict[str, int] = {}
        self.policy = PolicySwitch(self.name, policies)
        self._adopt(logic)
        self._store = store
        self._encode = encode
        self._inbox: deque[Item] = deque()
        self._known: OrderedDict[str, None] = OrderedDict()
        self._check_store_for_known = False
        self._unsaved_acks: dict[str, int] = {}
        self._retry: Commit | None = None
        self._retry_effects: Effects | None = None
        self._begun: Batch | None = None
        self._due_since: tuple[int | None, str, str] = (None, "", "")
        self._batch = Batch(1)
        self._probe = probe
        self._conditions = Conditions(self.name)

    def _adopt(self, logic: ActorLogic) -> None:
        self.logic = logic
        self._patient = logic if isinstance(logic, HasLookahead) else None
        self._late = logic if isinstance(logic, LoadsHistoryLate) else None

    # --- life ---

    def start(self, now_ms: int) -> None:
        """Load the durable state, bring the logic back, and queue what was left open.

        `now_ms` is market time. Requests found without an answer are answered `Unknown`: the durable actor never
        performs them again. Raises FencedError, StoreUnavailableError, UnreadableRowError and UnusablePolicyError.
        """
        loaded = self._store.load(self.name, self.epoch)
        self.number, self.next_seq = loaded.number, loaded.next_seq
        self.market_ms = max(now_ms, loaded.market_ms)
        self.cursors = dict(loaded.cursors)
        self.accepted = dict(loaded.cursors)
        self.acked = dict(loaded.acknowledged)
        self.last_sent = dict(loaded.last_sent)
        self._post(loaded.outbox)
        self.pending = {row.call.key: row for row in loaded.pending}
        self._check_store_for_known = loaded.number > 0
        self.restored = dict(loaded.states)
        if (logic := self.policy.started(loaded.states.get(POLICY_KEY))) is not None:
            self._adopt(logic)
        conditions = {key: row for key, row in loaded.states.items() if key == CONDITIONS_KEY}
        restore(self.name, self._conditions, conditions)
        bring_back(self.logic, loaded.states, self._store, self.market_ms)
        batch = Batch(self.next_seq)
        self._take(batch, self.logic.begin(self.market_ms), f"begin:{self.epoch}", f"begin:{self.epoch}")
        for row in loaded.pending:
            why = "the system stopped before the answer was recorded; the exchange is asked what became of it"
            self.answer(
                row.call.key, ResponseReceived(key=row.call.key, account=row.call.account, outcome=Unknown(why=why))
            )
        self._begun = batch
        self._due_since = (self.logic.deadline(), "", "")

    # --- inbox ---

    def deliver(self, batch: Sequence[EnvelopeDict]) -> None:
        """Take messages of one peer in order. Repeats are dropped.

        Raises:
            SequenceGapError: an earlier message is missing; what came before it in the batch was taken.
        """
        for envelope in batch:
            sender, sequence = str(envelope["sender"]), int(envelope["seq"])
            cursor = self.accepted.get(sender, 0)
            if sequence <= cursor:
                continue
            if int(envelope["prev"][self.name]) != cursor:
                raise SequenceGapError(sender, cursor)
            self.accepted[sender] = sequence
            self._inbox.append(Item(Source.PEER, message_of(envelope), int(envelope["market_time"]), sequence))

    def take_fact(self, body: Body, natural_id: str, market_ms: int) -> None:
        """Take a fact from outside; `natural_id` "" marks an ephemeral one."""
        identity = natural_id or f"{body.KIND}@{market_ms}"
        message = Envelope(identity, "exchange", market_ms, "", identity, body)
        self._inbox.append(Item(Source.FACT, message, market_ms, natural_id=natural_id))

    def notify(self, envelope: EnvelopeDict) -> None:
        """Take an ephemeral message of a peer."""
        sender = str(envelope["sender"])
        self.quotes_taken[sender] = self.quotes_taken.get(sender, 0) + 1
        self._inbox.append(Item(Source.FACT, message_of(envelope), int(envelope["market_time"])))

    def answer(self, key: str, body: ResponseReceived) -> None:
        """Take the outcome of a request; a second answer to the same request is dropped."""
        row = self.pending.get(key)
        if row is None:
            return
        message = Envelope(f"{self.name}!{key}", "exchange", self.market_ms, row.cause, row.trace, body)
        self._inbox.append(Item(Source.ANSWER, message, self.market_ms))

    def tick(self, now_ms: int) -> None:
        """Market time has reached a published deadline."""
        self._inbox.append(Item(Source.TICK, None, now_ms))

    @property
    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        is_pending = self._retry is not None or self._begun is not None
        return bool(self._inbox) or is_pending or self.policy.is_due(is_at_rest=not self.pending)

    def awaits(self, natural_id: str) -> bool:
        """Whether a fact given to this actor is still in the inbox, neither committed nor dropped as a repeat."""
        return any(item.natural_id == natural_id for item in self._inbox)

    @property
    def inbox_length(self) -> int:
        return len(self._inbox)

    def deadline(self) -> int | None:
        """Market time at which the logic requires a tick, as of the last decision: nothing else changes it."""
        return self._due_since[0]

    def lookahead(self) -> Lookahead:
        """How long closed hourly bars may come late; until the deadline, if the logic says nothing."""
        if self._patient is not None:
            return self._patient.lookahead()
        due = self._due_since[0]
        return ENDLESS_LOOKAHEAD if due is None else Lookahead(due)

    # --- the step ---

    def step(self) -> Effects:
        """Drain the inbox, decide, commit; answer what is to be done now.

        Raises:
            FencedError: another incarnation has taken over; stop.
            StoreUnavailableError: not committed as far as known; call `step` again: what was decided is committed,
                what was not is still in the inbox.
        """
        if self._retry is None:
            batch = self._decide()
            self._retry = self._commit_of(batch)
            self._retry_effects = Effects(calls=[row.call for row in batch.calls], ephemeral=batch.ephemeral)
            self._batch = batch
        commit, effects, batch = self._retry, self._retry_effects, self._batch
        assert effects is not None
        if self._probe is not None:
            self._probe("before commit")
        is_durable = is_needed(commit)
        blocked = self._store.commit(commit) if is_durable else frozenset()
        if self._probe is not None:
            self._probe("after commit")
        self._retry = self._retry_effects = None
        self._apply(commit, batch, is_durable)
        for key in sorted(blocked):
            row = self.pending[key]
            why = f"a switch forbids new risk for {row.call.gate}; the request was not sent"
            self.answer(key, ResponseReceived(key=key, account=row.call.account, outcome=Blocked(why=why)))
        effects.calls = [call for call in effects.calls if call.key not in blocked]
        return effects

    def _decide(self) -> Batch:
        if self._begun is None and self.policy.is_due(is_at_rest=not self.pending):
            return self._change_policy()
        items = list(islice(self._inbox, GROUP_LIMIT))
        # The store may be away: nothing is taken out of the inbox before it has answered.
        repeats = self._repeats(items)
        batch = self._begun or Batch(self.next_seq)
        self._begun = None
        for item in items:
            self._inbox.popleft()
            self.market_ms = max(self.market_ms, item.market_ms)
            if item.natural_id and item.natural_id in repeats:
                continue
            if item.source is Source.TICK:
                due = self.logic.deadline()
                if due is None or due > item.market_ms:
                    continue
                cause, trace = self._origin_of(due)
                self._take(batch, self.logic.tick(item.market_ms), cause, trace)
                self._remember_origin(cause, trace)
                continue
            message = item.message
            assert message is not None
            if item.source is Source.ANSWER:
                key = getattr(message.body, "key", "")
                if key not in self.pending or key in batch.answered:
                    continue
                batch.answered.append(key)
            elif item.source is Source.PEER:
                batch.cursors[message.sender] = item.sequence
            elif item.natural_id:
                batch.known.append(item.natural_id)
                repeats.add(item.natural_id)
            trace = message.trace or message.id
            if isinstance(message.body, ParametersChanged):
                self._take(batch, self.policy.take(message), message.id, trace)
                break  # it is in force before the messages behind it, unless a request is under way
            if self._late is not None and (last_start_ms := self._late.history_before(message.body)) is not None:
                warm(self.logic, self._store, last_start_ms)
            self._take(batch, self.logic.handle(message), message.id, trace)
            self._remember_origin(message.id, trace)
        if batch.quotes is not None:
            # One message for all quotes of the step: each would cost a call per recipient.
            self._address(batch, Send(batch.quotes), batch.quotes_cause, batch.quotes_cause)
        return self._gathered(batch)

    def _gathered(self, batch: Batch) -> Batch:
        number_messages(batch, self.name, self.last_sent, self._encode)
        batch.states = [*self.logic.dirty(), *self.policy.dirty()]
        if self._conditions.is_dirty:
            self._conditions.is_dirty = False
            batch.states.extend(self._conditions.rows())
        return batch

    def _change_policy(self) -> Batch:
        """A step of its own: what the logic before has decided is committed, and nothing of its rows is unsaved."""
        batch, (cause, trace) = Batch(self.next_seq), self.policy.origin
        logic, commands = self.policy.change(self._store, self.epoch, self.market_ms)
        if logic is not None:
            self._adopt(logic)
            self._due_since = (logic.deadline(), cause, trace)
        self._take(batch, commands, cause, trace)
        return self._gathered(batch)

    def _remember_origin(self, cause: str, trace: str) -> None:
        """What set the present deadline: a tick is caused by the message that asked for it (P5)."""
        due = self.logic.deadline()
        if due != self._due_since[0]:
            self._due_since = (due, cause, trace)

    def _origin_of(self, due: int) -> tuple[str, str]:
        since, cause, trace = self._due_since
        if since == due and cause:
            return cause, trace
        identity = f"{self.name}@{due}"
        return identity, identity

    def _repeats(self, items: Sequence[Item]) -> set[str]:
        fresh = [i.natural_id for i in items if i.natural_id]
        repeats = {name for name in fresh if name in self._known}
        if self._check_store_for_known and fresh:
            unseen = [name for name in fresh if name not in repeats]
            repeats |= self._store.is_known(self.name, unseen)
        return repeats

    def _take(self, batch: Batch, commands: Commands, cause: str, trace: str) -> None:
        """Turn one decision into rows."""
        for command in commands:
            match command:
                case Send(body=QuotesSeen() as quotes) if not command.to:
                    batch.quotes = quotes.after(batch.quotes) if batch.quotes is not None else quotes
                    batch.quotes_cause = cause
                case Send():
                    self._address(batch, command, cause, trace)
                    if isinstance(command.body, ParametersChanged):
                        own = Envelope(cause, self.name, self.market_ms, cause, trace, command.body)
                        self._take(batch, self.policy.take(own), cause, trace)
                case ExchangeCall():
                    batch.calls.append(ExchangeCallRow(command, cause, trace, self.market_ms))
                case JournalEntry() | Remark():
                    batch.journal.append(JournalRow(self.market_ms, cause, trace, self.policy.quoted(command)))
                case Record():
                    batch.facts.append(self.policy.stamped(command.fact))
                case Alert() | AlertEnded():
                    batch.alerts += 1
                    alert_id = f"{self.name}:{self.number + 1}:{batch.alerts}"
                    fact = self._conditions.take(command, alert_id, self.market_ms)
                    if fact is not None:
                        batch.facts.append(fact)

    def _address(self, batch: Batch, send: Send, cause: str, trace: str) -> None:
        to = recipients(send, self.name)
        kind = send.body.KIND
        envelope: EnvelopeDict = {
            "id": "",
            "sender": str(self.name),
            "seq": 0,
            "prev": {},
            "to": [str(name) for name in to],
            "kind": kind,
            "version": send.body.VERSION,
            "market_time": self.market_ms,
            "cause": cause,
            "trace": trace,
            "body": send.body,
        }
        if kind in EPHEMERAL:
            envelope["id"] = f"{self.name}~{kind}@{self.market_ms}"
            envelope["body"] = self._encode(send.body)
            batch.ephemeral.append((to, envelope))
        elif to:
            if send.body.REPLACES_OLDER:
                replace_older(batch.outbox, envelope)
            batch.outbox.append(envelope)

    def _commit_of(self, batch: Batch) -> Commit:
        return Commit(
            actor=self.name,
            epoch=self.epoch,
            number=self.number + 1,
            market_ms=self.market_ms,
            next_seq=batch.next_seq,
            states=batch.states,
            cursors=batch.cursors,
            known=batch.known,
            acknowledged=dict(self._unsaved_acks),
            outbox=batch.outbox,
            calls=batch.calls,
            answered=batch.answered,
            journal=batch.journal,
            facts=batch.facts,
        )

    def _apply(self, commit: Commit, batch: Batch, is_durable: bool) -> None:
        if is_durable:
            self.number = commit.number
            for recipient, sequence in commit.acknowledged.items():
                if self._unsaved_acks.get(recipient) == sequence:
                    del self._unsaved_acks[recipient]
        self.next_seq = batch.next_seq
        self.cursors.update(batch.cursors)
        self.last_sent.update(batch.last_sent)
        self._post(batch.outbox)
        for key in batch.answered:
            self.pending.pop(key, None)
        for row in batch.calls:
            self.pending[row.call.key] = row
        for identity in batch.known:
            self._known[identity] = None
        while len(self._known) > KNOWN_IDS_KEPT:
            self._known.popitem(last=False)

    # --- outbox ---

    def _post(self, envelopes: Iterable[EnvelopeDict]) -> None:
        for envelope in envelopes:
            self.outbox.append(envelope)
            for name in envelope["to"]:
                if envelope["seq"] > self.acked.get(name, 0):
                    self._waiting.setdefault(name, deque()).append(envelope)

    def unacknowledged(self, recipient: str) -> list[EnvelopeDict]:
        """Messages the recipient has not acknowledged, oldest first, at most one delivery's worth."""
        return list(islice(self._waiting.get(recipient, ()), GROUP_LIMIT))

    def waiting_recipients(self) -> list[str]:
        """Recipients with messages outstanding, in a fixed order."""
        return sorted(name for name, waiting in self._waiting.items() if waiting)

    def acknowledged(self, recipient: str, cursor: int) -> None:
        """The recipient has committed everything of ours up to `cursor` (or asks to go back to it)."""
        if cursor <= self.acked.get(recipient, 0):
            return
        self.acked[recipient] = cursor
        self._unsaved_acks[recipient] = cursor
        waiting = self._waiting.get(recipient)
        while waiting and waiting[0]["seq"] <= cursor:
            waiting.popleft()
        while self.outbox and all(self.acked.get(name, 0) >= self.outbox[0]["seq"] for name in self.outbox[0]["to"]):
            self.outbox.popleft()

    @property
    def last_step(self) -> Batch:
        """What the last step committed."""
        return self._batch

    def still_needed(self, call: ExchangeCall) -> bool:
        """Whether a delayed request is still needed, by the logic of the policy in force."""
        return self.logic.still_needed(call)

    def fence(self, gates: Collection[str] = ()) -> Fence:
        """Whether this incarnation may still write to the exchange, and which switches forbid new risk of `gates`;
        asked before every write."""
        return self._store.fence(self.name, self.epoch, gates)
