"""OR-9: passes over all accounts: at the start (nothing is sent before it has ended), daily, continuously in live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from actors.order_manager import comparing
from actors.order_manager.desk import Desk
from actors.order_manager.doubts import without_foreign_orders
from actors.order_manager.keys import Topic, other_key
from actors.order_manager.sending import patience_s
from actors.order_manager.unreadable import compare_unreadable, lacks_executions, unread_money, without_holdings
from statemachines.messages import Reconciled
from statemachines.plausibility import MOST_STREAMED_AGE_MS
from statemachines.reconciliation.findings import Finding
from statemachines.requests import (
    AccountSnapshot,
    ExecutionReport,
    MarketSnapshot,
    Outcome,
    ReadAccount,
    ReadMarket,
    Refused,
)
from statemachines.values import HOUR_MS, MINUTE_MS, Account

START = "start"
READINGS_TO_BELIEVE = 2
"""A difference in money or positions counts only when a second reading shows it too (RM-4: never on one)."""
MOST_DETAILS = 100
UNREAD_AGAIN_MS = MINUTE_MS
LONGEST_UNREAD_MS = HOUR_MS
"""An account of which something cannot be read is read again after a minute, then ever more rarely."""


@dataclass(slots=True)
class Reading:
    """The reading of one account that is awaited: its key, its number within the pass, the bookings before it, and the
    executions doubted then, by id."""

    key: str
    number: int
    activity: int
    failures: int = 0
    doubted: Mapping[str, None] = field(default_factory=dict)


@dataclass(slots=True)
class Pass:
    """One comparison of all accounts, in memory only: a crash simply starts another. After a gap in the streams
    nothing that was under way is waited for: what became of it has been told to nobody."""

    reason: str
    follows_gap: bool = False
    readings: dict[Account, Reading] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    changed: dict[Account, None] = field(default_factory=dict)


class Reconciler:
    """Runs the passes. `on_start_ended` is called once, when the first pass of this life has ended."""

    def __init__(self, desk: Desk, on_opened: Callable[[Account], None], on_start_ended: Callable[[], None]) -> None:
        self._desk = desk
        self._on_opened = on_opened
        self._on_start_ended = on_start_ended
        self._pass: Pass | None = None
        self._requested = ""
        self._gap_requested = False
        self._market_key = ""
        self._market_failures = 0
        self._unconfirmed: dict[str, None] = {}
        self._began_ms = 0
        self._next_ms: int | None = None
        self._unread = 0

    def begin(self) -> None:
        """Read the market and every account; confirm every order that may live at the exchange."""
        desk = self._desk
        self._began_ms = desk.now_ms
        for account in Account:
            for work in comparing.unsettled(desk, account):
                self._unconfirmed[work.intent.intent_id] = None
        self._read_market(0.0)
        self._start(START)

    def request(self, reason: str, *, follows_gap: bool = False) -> None:
        """Compare again; when a pass is under way, right after it."""
        if self._pass is not None:
            self._requested = "" if self._pass.reason == START else reason
            self._gap_requested |= follows_gap and bool(self._requested)
            return
        if self._desk.is_started:
            self._start(reason, follows_gap)

    def deadline(self) -> int | None:
        """When the next continuous pass is due (live)."""
        return self._next_ms if self._pass is None else None

    def tick(self) -> None:
        if self._pass is None and self._next_ms is not None and self._next_ms <= self._desk.now_ms:
            self._start("continuous")

    def confirmed(self, intent_id: str) -> None:
        """The exchange has told about the intent's order."""
        self._unconfirmed.pop(intent_id, None)

    def wants(self, topic: Topic, subject: str, key: str) -> bool:
        """Whether a delayed reading is still awaited."""
        if topic is Topic.MARKET:
            return key == self._market_key
        reading = self._pass.readings.get(Account(subject)) if self._pass else None
        return reading is not None and reading.key == key

    def take_market(self, key: str, outcome: Outcome) -> None:
        """The answer to ReadMarket."""
        if key != self._market_key:
            return
        if isinstance(outcome, MarketSnapshot):
            desk = self._desk
            self._market_key = ""
            self._answered("the market", self._market_failures)
            desk.instruments.update({(i.category, i.symbol): i for i in outcome.instruments})
            desk.quotes.update({(q.category, q.symbol): q for q in outcome.quotes})
            return  # what of it cannot be read is told and read again by market data, which reads the same
        self._market_failures += 1
        self._complain("the market", self._market_failures, outcome)
        self._read_market(patience_s(self._desk, self._market_failures))

    def take_account(self, account: Account, key: str, outcome: Outcome) -> None:
        """The answer to ReadAccount. A failed query is not an empty answer: it is asked again."""
        reading = self._pass.readings.get(account) if self._pass else None
        if self._pass is None or reading is None or reading.key != key:
            return
        if isinstance(outcome, AccountSnapshot) and not self._desk.books[account].is_opened and unread_money(outcome):
            # Books opened with half of the money would find the other half unexplained.
            compare_unreadable(self._desk, outcome)
            outcome = Refused(code=0, message=unread_money(outcome), fault="transient")
        if isinstance(outcome, AccountSnapshot):
            self._answered(f"account {account}", reading.failures)
            self._compare(self._pass, reading, outcome)
            return
        reading.failures += 1
        self._complain(f"account {account}", reading.failures, outcome)
        self._read(self._pass, account, reading.number, reading.failures, patience_s(self._desk, reading.failures))

    def finish_if_complete(self) -> None:
        """End the pass when nothing is awaited any more."""
        running = self._pass
        if running is None or running.readings:
            return
        if running.reason == START:
            works = self._desk.works
            for intent_id in list(self._unconfirmed):
                work = works.get(intent_id)
                if work is None or work.is_ended:
                    del self._unconfirmed[intent_id]
            if self._market_key or self._unconfirmed:
                return
        self._finish(running)

    # --- readings ---

    def _start(self, reason: str, follows_gap: bool = False) -> None:
        self._pass = Pass(reason, follows_gap)
        for account in Account:
            self._read(self._pass, account, 1, 0, 0.0)

    def _read_market(self, delay_s: float) -> None:
        self._market_key = other_key(Topic.MARKET, "", self._desk.control.next("market_readings"))
        self._desk.ask(self._market_key, Account.MASTER, ReadMarket(), None, delay_s)

    def _read(self, running: Pass, account: Account, number: int, failures: int, delay_s: float) -> None:
        desk = self._desk
        books = desk.books[account]
        key = other_key(Topic.ACCOUNT, account, desk.control.next("account_readings"))
        running.readings[account] = Reading(key, number, books.activity, failures, dict.fromkeys(books.doubted))
        since = books.reconciled_ms - desk.parameters.reconcile_overlap_ms if books.is_opened else self._began_ms
        since = min([since, *(self._oldest_ms(report) for report in books.doubted.values())])
        desk.ask(key, account, ReadAccount(executions_since_ms=max(since, 0)), None, delay_s)

    def _oldest_ms(self, report: ExecutionReport) -> int:
        """From when on the list is read for a doubted execution: its own instant may be what is wrong with it."""
        parts = self._desk.ours(report.link_id, report.exchange_id)
        work = self._desk.works.get(parts.intent_id) if parts else None
        first = self._desk.now_ms - MOST_STREAMED_AGE_MS if work is None else work.approved_ms
        return max(report.executed_ms, first)

    def _answered(self, what: str, failures: int) -> None:
        if failures >= self._desk.parameters.loop_limit:
            self._desk.calm(f"reading:{what}", "it was read")

    def _complain(self, what: str, failures: int, outcome: Outcome) -> None:
        if failures == self._desk.parameters.loop_limit:
            self._desk.alert(
                "critical",
                f"{what} cannot be read",
                f"{failures} readings failed, the last one was {outcome.model_dump(mode='json')}. Nothing that needs "
                "the reconciliation is sent; it is tried again until it succeeds. Check the exchange's connection.",
                f"reading:{what}",
            )

    # --- comparison ---

    def _compare(self, running: Pass, reading: Reading, snapshot: AccountSnapshot) -> None:
        desk, account = self._desk, snapshot.account
        books = desk.books[account]
        del running.readings[account]
        snapshot = without_holdings(desk, without_foreign_orders(desk, snapshot))
        if not books.is_opened:
            compare_unreadable(desk, snapshot)
            running.findings += comparing.open_account(desk, snapshot, self._began_ms)
            running.changed[account] = None
            books.reconciled_ms = snapshot.market_ms
            self._on_opened(account)
            return
        overlapped = books.activity != reading.activity
        late = comparing.apply_executions(desk, snapshot, reading.doubted)
        compare_unreadable(desk, snapshot)
        found = late + comparing.apply_orders(
            desk,
            snapshot,
            is_start=running.reason == START,
            follows_gap=running.follows_gap,
            confirmed=self.confirmed,
        )
        running.findings += found
        if late:
            running.changed[account] = None
        if books.doubted:
            # A second reading confirms or drops them; until then nobody can say what the money should be.
            if reading.number < desk.parameters.max_readings:
                self._read(running, account, reading.number + 1, 0, 0.0)
            return
        if books.alive_after_end - desk.revenants.keys() and reading.number < READINGS_TO_BELIEVE:
            self._read(running, account, reading.number + 1, 0, 0.0)
            return
        if lacks_executions(snapshot):
            text = f"{account} has executions that cannot be read; its money is compared once they can"
            desk.remark(str(account), "unread", text)
            return
        positions, balances = comparing.differences(desk, snapshot)
        if positions or balances:
            if self._read_again(running, reading, account, overlapped=overlapped):
                return
            running.findings += comparing.correct(desk, snapshot, positions, balances)
            running.changed[account] = None
        if snapshot.market_ms != books.reconciled_ms:
            books.reconciled_ms = snapshot.market_ms
            books.is_dirty = True

    def _read_again(self, running: Pass, reading: Reading, account: Account, *, overlapped: bool) -> bool:
        """Whether the difference found is not to be acted on (yet): a further reading was asked for, or the account
        is left for the next pass."""
        desk = self._desk
        is_moving = comparing.is_moving_money(desk, account)
        if running.reason == START:
            if is_moving:
                # What a transfer left open by a crash did must be known before money is compared.
                failures = reading.failures + 1
                self._read(running, account, reading.number, failures, patience_s(desk, failures))
                return True
            busy = overlapped
        else:
            busy = overlapped or is_moving or comparing.is_trading(desk, account)
        if reading.number < (desk.parameters.max_readings if busy else READINGS_TO_BELIEVE):
            self._read(running, account, reading.number + 1, 0, 0.0)
            return True
        if busy:
            text = f"{account} was busy during {reading.number} readings; its money is compared in the next pass"
            desk.remark(str(account), "busy", text)
        return busy

    def _finish(self, running: Pass) -> None:
        desk = self._desk
        self._pass = None
        every = desk.parameters.reconcile_every_ms
        self._unread = self._unread + 1 if any(books.unusable.open for books in desk.books.values()) else 0
        if self._unread:
            again_ms = min(UNREAD_AGAIN_MS * 2 ** min(self._unread - 1, 10), LONGEST_UNREAD_MS)
            every = min(every, again_ms) if every else again_ms
        self._next_ms = desk.now_ms + every if every else None
        for finding in running.findings:
            desk.record(finding.fact(desk.now_ms))
        mismatches = [finding for finding in running.findings if finding.is_mismatch]
        self._report(running, mismatches)
        details = [finding.sentence() for finding in (*mismatches, *_explained(running.findings))]
        desk.send(
            Reconciled(
                market_ms=desk.now_ms,
                reason=running.reason,
                discrepancies=len(mismatches),
                details=tuple(details[:MOST_DETAILS]),
            )
        )
        for account in Account if running.reason == START else running.changed:
            desk.tell_balances(account)
        if running.reason == START:
            desk.is_started = True
            self._on_start_ended()
        if self._requested:
            reason, self._requested = self._requested, ""
            follows_gap, self._gap_requested = self._gap_requested, False
            self._start(reason, follows_gap)

    def _report(self, running: Pass, mismatches: list[Finding]) -> None:
        desk = self._desk
        explained = len(running.findings) - len(mismatches)
        desk.remark(
            "reconciliation",
            running.reason,
            f"{len(Account)} accounts compared: {len(mismatches)} differences, {explained} late bookings",
        )
        if mismatches:
            desk.alert(
                "critical",
                f"reconciliation found {len(mismatches)} differences",
                "; ".join(finding.sentence() for finding in mismatches[:MOST_DETAILS])
                + ". The books now follow the exchange; find out why they differed.",
            )


def _explained(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if not finding.is_mismatch]
