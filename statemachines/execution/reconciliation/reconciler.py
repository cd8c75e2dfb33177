"""OR-9: passes over all accounts: at the start (nothing is sent before it has ended), daily, continuously in live."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.request_keys import Topic, other_key
from statemachines.execution.reconciliation import comparison
from statemachines.execution.reconciliation.earn import wanted_coins
from statemachines.execution.reconciliation.earn_reports import EarnReports
from statemachines.execution.reconciliation.findings import Finding
from statemachines.execution.reconciliation.pass_reports import (
    MAX_DETAILS,
    by_account,
    explained,
    report_pass,
    report_uncompared,
)
from statemachines.execution.reconciliation.protection import unprotected
from statemachines.execution.reconciliation.transactions import (
    apply_transactions,
    log_since_ms,
    yields_since_ms,
)
from statemachines.execution.reconciliation.unreadable import (
    compare_unreadable,
    is_log_unread,
    lacks_executions,
    unread_money,
    without_holdings,
)
from statemachines.execution.submission import patience_s
from statemachines.execution.suspect_reports import without_foreign_orders
from statemachines.limits.plausibility import MAX_STREAMED_AGE_MS
from statemachines.messages.accounts import Reconciled
from statemachines.messages.orders import PositionUnprotected
from statemachines.requests import (
    AccountSnapshot,
    ExchangeResponse,
    ExecutionReport,
    MarketSnapshot,
    ReadAccount,
    ReadMarket,
    Refused,
)
from statemachines.values import EARN_ACCOUNT, ENGINE_OF, HOUR_MS, MINUTE_MS, Account

START = "start"
DAY = "day"
READINGS_TO_ACCEPT = 2
"""A difference in money or positions counts only when a second reading shows it too (RM-4: never on one)."""
UNREAD_AGAIN_MS = MINUTE_MS
LONGEST_UNREAD_MS = HOUR_MS
"""An account with unreadable rows is read again after a minute, then with growing pauses."""


@dataclass(slots=True)
class Reading:
    """A pending reading of one account: its key, its number within the pass, the bookings before it, and the executions
    doubted at that time, by id. `with_log`: the transaction log is read with it, whatever its number."""

    key: str
    number: int
    activity: int
    failures: int = 0
    doubted: Mapping[str, None] = field(default_factory=dict)
    with_log: bool = False
    waits: int = 0
    """Readings that a start has repeated for the outcome of what moves the account's money."""


@dataclass(slots=True)
class Run:
    """One comparison of all accounts, in memory only: after a crash a new one starts. After a gap in the streams
    (`follows_gap`) no report of a request under way is expected: it may have been lost in the gap."""

    reason: str
    follows_gap: bool = False
    readings: dict[Account, Reading] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    changed: dict[Account, None] = field(default_factory=dict)
    left: set[Account] = field(default_factory=set)
    """Accounts whose money could not be compared: busy, or with unreadable rows."""


class Reconciler:
    """Runs the passes. `on_start_ended` is called once, when the first pass of this incarnation has ended."""

    def __init__(
        self, context: ExecutionContext, on_opened: Callable[[Account], None], on_start_ended: Callable[[], None]
    ) -> None:
        self._context = context
        self._on_opened = on_opened
        self._on_start_ended = on_start_ended
        self._pass: Run | None = None
        self._requested = ""
        self._gap_requested = False
        self._market_key = ""
        self._market_failures = 0
        self._unconfirmed: dict[str, None] = {}
        self._began_ms = 0
        self._next_ms: int | None = None
        self._unread = 0
        self._uncompared: set[Account] = set()
        """Accounts whose money the start left uncompared: they are read again soon. In memory: a new start compares."""
        self._earn = EarnReports(context)

    def begin(self) -> None:
        """Read the market and every account; confirm every order that may be open at the exchange."""
        context = self._context
        self._began_ms = context.now_ms
        for account in Account:
            for parent in comparison.unsettled(context, account):
                self._unconfirmed[parent.intent.intent_id] = None
        self._read_market(0.0)
        self._start(START)

    def request(self, reason: str, *, follows_gap: bool = False) -> None:
        """Compare again; if a pass is under way, directly after it."""
        if self._pass is not None:
            if self._pass.reason != START or reason == DAY:
                # The day's pass reads the transaction log and what Earn offers; no other one stands in for it.
                self._requested = DAY if self._requested == DAY else reason
                self._gap_requested |= follows_gap
            return
        if self._context.is_started:
            self._start(reason, follows_gap)

    def deadline(self) -> int | None:
        """When the next continuous pass is due (live)."""
        return self._next_ms if self._pass is None else None

    def tick(self) -> None:
        if self._pass is None and self._next_ms is not None and self._next_ms <= self._context.now_ms:
            self._start("continuous")

    def confirmed(self, intent_id: str) -> None:
        """The exchange has reported the state of the intent's order."""
        self._unconfirmed.pop(intent_id, None)

    def still_needed(self, topic: Topic, subject: str, key: str) -> bool:
        """Whether a delayed reading is still awaited."""
        if topic is Topic.MARKET:
            return key == self._market_key
        reading = self._pass.readings.get(Account(subject)) if self._pass else None
        return reading is not None and reading.key == key

    def take_market(self, key: str, outcome: ExchangeResponse) -> None:
        """The response to ReadMarket."""
        if key != self._market_key:
            return
        if isinstance(outcome, MarketSnapshot):
            context = self._context
            self._market_key = ""
            self._reading_succeeded("the market", self._market_failures)
            context.instruments.update({(i.category, i.symbol): i for i in outcome.instruments})
            context.quotes.update({(q.category, q.symbol): q for q in outcome.quotes})
            return  # market data makes the same reading; it reports unreadable rows and reads them again
        self._market_failures += 1
        self._reading_failed("the market", self._market_failures, outcome)
        self._read_market(patience_s(self._context, self._market_failures))

    def take_account(self, account: Account, key: str, outcome: ExchangeResponse) -> None:
        """The response to ReadAccount. A failed query is not an empty result: it is repeated."""
        reading = self._pass.readings.get(account) if self._pass else None
        if self._pass is None or reading is None or reading.key != key:
            return
        if (
            isinstance(outcome, AccountSnapshot)
            and not self._context.books[account].is_opened
            and unread_money(outcome)
        ):
            # An account opened with part of its money would later show the rest as an unexplained difference.
            compare_unreadable(self._context, outcome)
            outcome = Refused(code=0, message=unread_money(outcome), fault="transient")
        if isinstance(outcome, AccountSnapshot):
            self._reading_succeeded(f"account {account}", reading.failures)
            self._compare(self._pass, reading, outcome)
            return
        reading.failures += 1
        self._reading_failed(f"account {account}", reading.failures, outcome)
        self._read(
            self._pass,
            account,
            reading.number,
            reading.failures,
            patience_s(self._context, reading.failures),
            with_log=reading.with_log,
        )

    def finish_if_complete(self) -> None:
        """End the pass when no response is pending any more."""
        running = self._pass
        if running is None or running.readings:
            return
        if running.reason == START:
            parents = self._context.parents
            for intent_id in list(self._unconfirmed):
                parent = parents.get(intent_id)
                if parent is None or parent.is_ended:
                    del self._unconfirmed[intent_id]
            if self._market_key or self._unconfirmed:
                return
        self._finish(running)

    # --- readings ---

    def _start(self, reason: str, follows_gap: bool = False) -> None:
        self._pass = Run(reason, follows_gap)
        self._earn.wants_offers = self._earn.wants_offers or reason in (START, DAY)
        for account in Account:
            self._read(self._pass, account, 1, 0, 0.0)

    def _read_market(self, delay_s: float) -> None:
        self._market_key = other_key(Topic.MARKET, "", self._context.control.next("market_readings"))
        self._context.call_exchange(self._market_key, Account.MASTER, ReadMarket(), None, delay_s)

    def _read(
        self,
        running: Run,
        account: Account,
        number: int,
        failures: int,
        delay_s: float,
        *,
        with_log: bool = False,
        waits: int = 0,
    ) -> None:
        context = self._context
        books = context.books[account]
        key = other_key(Topic.ACCOUNT, account, context.control.next("account_readings"))
        reading = Reading(key, number, books.activity, failures, dict.fromkeys(books.doubted), with_log, waits)
        running.readings[account] = reading
        since = books.reconciled_ms - context.parameters.reconcile_overlap_ms if books.is_opened else self._began_ms
        since = min([since, *(self._oldest_ms(report) for report in books.doubted.values())])
        reads_earn = account is EARN_ACCOUNT
        log_since_ms = self._log_since_ms(running, account, reading)
        paid_since_ms = yields_since_ms(context, books) if books.is_opened else self._began_ms
        request = ReadAccount(
            executions_since_ms=max(since, 0),
            transactions_since_ms=log_since_ms,
            reads_earn=reads_earn,
            yields_since_ms=paid_since_ms if reads_earn and log_since_ms is not None else None,
            earn_coins=wanted_coins(context) if reads_earn and self._earn.wants_offers else (),
            is_opening=not books.is_opened,
        )
        context.call_exchange(key, account, request, None, delay_s)

    def _log_since_ms(self, running: Run, account: Account, reading: Reading) -> int | None:
        """From when on the transaction log is read; None when it is not. It is long, so it is read at the first start,
        once a day, when a balance differs, and when executions were missed whose profit it shows."""
        books = self._context.books[account]
        if not books.is_opened:
            return self._began_ms
        since_ms = log_since_ms(self._context, books)
        is_needed = running.reason == DAY or reading.number >= READINGS_TO_ACCEPT or is_log_unread(books)
        return since_ms if is_needed or reading.with_log else None

    def _oldest_ms(self, report: ExecutionReport) -> int:
        """The start of the list to read for a doubted execution; its own time may be the wrong figure."""
        parts = self._context.ours(report.client_order_id, report.venue_order_id)
        parent = self._context.parents.get(parts.intent_id) if parts else None
        first = self._context.now_ms - MAX_STREAMED_AGE_MS if parent is None else parent.approved_ms
        return max(report.executed_ms, first)

    def _reading_succeeded(self, what: str, failures: int) -> None:
        if failures >= self._context.parameters.loop_limit:
            self._context.end_alert(f"reading:{what}", "it was read")

    def _reading_failed(self, what: str, failures: int, outcome: ExchangeResponse) -> None:
        if failures == self._context.parameters.loop_limit:
            self._context.alert(
                "critical",
                f"{what} cannot be read",
                f"{failures} readings failed, the last response was {outcome.model_dump(mode='json')}. Nothing that "
                "needs the reconciliation is sent; it is retried until it succeeds. Check the connection to the "
                "exchange.",
                f"reading:{what}",
            )

    # --- comparison ---

    def _compare(self, running: Run, reading: Reading, snapshot: AccountSnapshot) -> None:
        context, account = self._context, snapshot.account
        books = context.books[account]
        del running.readings[account]
        snapshot = without_holdings(context, without_foreign_orders(context, snapshot))
        if not reading.with_log and snapshot.transactions is None and comparison.lacks_profit(context, snapshot):
            self._read(running, account, reading.number, 0, 0.0, with_log=True)
            return
        self._earn.take(snapshot)
        if not books.is_opened:
            compare_unreadable(context, snapshot)
            running.findings += comparison.open_account(context, snapshot, self._began_ms)
            running.changed[account] = None
            books.reconciled_ms = snapshot.market_ms
            self._on_opened(account)
            return
        overlapped = books.activity != reading.activity
        late = comparison.apply_executions(context, snapshot, reading.doubted)
        compare_unreadable(context, snapshot)
        found = late + comparison.apply_orders(
            context,
            snapshot,
            is_start=running.reason == START,
            follows_gap=running.follows_gap,
            confirmed=self.confirmed,
        )
        found += apply_transactions(context, snapshot)
        running.findings += found
        if late:
            running.changed[account] = None
        if books.doubted:
            # A second reading confirms or drops them; until then the correct balances are unknown.
            if reading.number < context.parameters.max_readings:
                self._read(running, account, reading.number + 1, 0, 0.0)
            else:
                running.left.add(account)
            return
        if self._is_audited_again(running, reading, snapshot):
            return
        if books.alive_after_end - context.resurrected.keys() and reading.number < READINGS_TO_ACCEPT:
            self._read(running, account, reading.number + 1, 0, 0.0)
            return
        if lacks_executions(snapshot):
            text = f"{account} has unreadable executions; its money is compared once they can be read"
            context.remark(str(account), "unread", text)
            running.left.add(account)
            return
        compared = comparison.differences(context, snapshot)
        if compared.is_found or compared.moving:
            if self._read_again(running, reading, account, compared, overlapped=overlapped):
                return
            if compared.is_found:
                running.findings += comparison.correct(context, snapshot, compared.positions, compared.balances)
                running.changed[account] = None
            if compared.moving:
                return
        self._uncompared.discard(account)
        if snapshot.market_ms != books.reconciled_ms:
            books.reconciled_ms = snapshot.market_ms
            books.is_dirty = True

    def _is_audited_again(self, running: Run, reading: Reading, snapshot: AccountSnapshot) -> bool:
        """TR-5: positions and stops are compared as the exchange lists them; what a second reading shows too is
        reported to the engine. True when that reading was requested."""
        context, account = self._context, snapshot.account
        if comparison.is_trading(context, account):
            return False  # a stop is being placed or moved, or a position is being closed
        found = unprotected(snapshot, context.instruments)
        if found and reading.number < READINGS_TO_ACCEPT:
            self._read(running, account, reading.number + 1, 0, 0.0)
            return True
        for one in found:
            text = f"the exchange lists stops over {one.covered} for {one.held} {one.symbol}"
            context.remark(str(account), "unprotected", text)
            ours = (context.ours(stop.client_order_id, stop.venue_order_id) for stop in one.stops)
            context.send(
                PositionUnprotected(
                    engine=ENGINE_OF[account],
                    symbol=one.symbol,
                    held=one.held,
                    covered=one.covered,
                    reason=text,
                    stops=tuple(parts.intent_id for parts in ours if parts is not None),
                )
            )
        return False

    def _read_again(
        self, running: Run, reading: Reading, account: Account, found: comparison.Differences, *, overlapped: bool
    ) -> bool:
        """Whether the difference found must not be corrected yet: a further reading was requested, or the account is
        left for the next pass. Of money under way only what it moves is left, never the positions beside it (RM-4)."""
        context = self._context
        is_start = running.reason == START
        if is_start and found.moving and reading.waits < context.parameters.loop_limit:
            # The outcome of a transfer interrupted by a crash should be known before money is compared.
            waits = reading.waits + 1
            self._read(running, account, reading.number, 0, patience_s(context, waits), waits=waits)
            return True
        busy = overlapped or (not is_start and comparison.is_trading(context, account))
        if busy or (found.moving and not is_start):
            readings = context.parameters.max_readings
        else:
            readings = READINGS_TO_ACCEPT if found.is_found else 1
        if reading.number < readings:
            self._read(running, account, reading.number + 1, 0, 0.0, waits=reading.waits)
            return True
        if found.moving:
            running.left.add(account)
            if is_start:
                self._uncompared.add(account)
                report_uncompared(context, account)
        if busy:
            running.left.add(account)
            text = f"{account} was busy during {reading.number} readings; its money is compared in the next pass"
            context.remark(str(account), "busy", text)
        elif found.moving and not is_start:
            text = f"{', '.join(found.moving)} of {account} is under way; it is compared in the next pass"
            context.remark(str(account), "moving", text)
        return busy

    def _finish(self, running: Run) -> None:
        context = self._context
        self._pass = None
        every = context.parameters.reconcile_every_ms
        is_incomplete = bool(self._uncompared) or any(books.unusable.open for books in context.books.values())
        self._unread = self._unread + 1 if is_incomplete else 0
        if self._unread:
            again_ms = min(UNREAD_AGAIN_MS * 2 ** min(self._unread - 1, 10), LONGEST_UNREAD_MS)
            every = min(every, again_ms) if every else again_ms
        self._next_ms = context.now_ms + every if every else None
        for finding in running.findings:
            context.record(finding.fact(context.now_ms))
        mismatches = [finding for finding in running.findings if finding.is_mismatch]
        report_pass(context, running.reason, running.findings)
        details = [finding.sentence() for finding in (*mismatches, *explained(running.findings))]
        context.send(
            Reconciled(
                market_ms=context.now_ms,
                reason=running.reason,
                discrepancies=len(mismatches),
                details=tuple(details[:MAX_DETAILS]),
                by_account=by_account(running.left, running.findings),
            )
        )
        for account in Account if running.reason == START else running.changed:
            context.publish_balances(account)
        self._earn.publish()
        if running.reason == START:
            context.is_started = True
            self._on_start_ended()
        if self._requested:
            reason, self._requested = self._requested, ""
            follows_gap, self._gap_requested = self._gap_requested, False
            self._start(reason, follows_gap)
