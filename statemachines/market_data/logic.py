"""The market-data logic: groups bars by their closing instant, repairs gaps and announces market events in order.

At a closing instant T: wait for all bars, at most 5 s of market time; read missing bars from REST; read settled
rates and, at 00:00, the external values; then send FundingSettled, BarsClosed, DayClosed. Only one instant is open at
a time, so that after a downtime every missed hour and day is announced in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

from statemachines.actor_logic import ENDLESS_LOOKAHEAD, NO_LOOKAHEAD, HistoryNeed, Lookahead, StateRow
from statemachines.commands import Alert, AlertEnded, Commands, ExchangeCall, Record, Send
from statemachines.facts import BarFact
from statemachines.feeds.terms import FeedRead, ReadFeed
from statemachines.market_data.backfill import bars_to_read, funding_to_read
from statemachines.market_data.bars import PendingBars
from statemachines.market_data.external_values import ExternalValues
from statemachines.market_data.instruments import InstrumentRules
from statemachines.market_data.machine import MarketDataMachine, MarketDataState
from statemachines.market_data.parameters import INTERVALS, MarketDataParameters, Series, series_name
from statemachines.market_data.progress import BACKFILL, OF_INSTANT, Instant, Pending, Purpose
from statemachines.market_data.quality import Counters, Defect
from statemachines.market_data.quotes import NewestQuotes
from statemachines.market_data.repeats import READING, ended, failing, next_attempt, refresh_delay_s
from statemachines.market_data.settlements import Settlements
from statemachines.market_data.solvency import SolvencyWatch
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import (
    BarFrame,
    BarsClosed,
    DayClosed,
    FeedFrame,
    FiltersRefused,
    InstrumentsKnown,
    QuoteFrame,
    RowsSetAside,
)
from statemachines.messages.orders import ResponseReceived, StreamRestored
from statemachines.refusals import is_undecided, outcome_in_words
from statemachines.requests import (
    BarsRead,
    ExchangeRequest,
    FundingRead,
    MarketSnapshot,
    ReadFunding,
    ReadMarket,
    SetAside,
)
from statemachines.solvency.terms import SolvencyRead
from statemachines.state_store import StateDialect
from statemachines.unusable_data import UnusableData
from statemachines.values import DAILY, DAY_MS, HOUR_MS, HOURLY, LINEAR, ActorName, Instrument

STATE_KEY = "market"
MACHINE = "market-data"
"""The name of the actor's machine in the journal."""
INSTRUMENTS_KEY = "instruments"
MARKET_SOURCE = "market data"
RULES = "rules"
UNREADABLE_HISTORY = "Nothing starts without it. Check the connection to the exchange, then start the system again."
"""Condition: the instrument rules cannot be read."""


class MarketDataLogic:
    """Implements `actor_logic.ActorLogic` and `HasLookahead`. Its row "market" has the state READY once the history is
    complete."""

    name = ActorName.MARKET_DATA
    dialect = StateDialect(unchecked=frozenset({"state", "active", "missed_hours"}))

    def __init__(self, parameters: MarketDataParameters | None = None) -> None:
        self._parameters = parameters or MarketDataParameters()
        self._linear = tuple(symbol for category, symbol in self._parameters.symbols if category == LINEAR)
        self._machine = MarketDataMachine(MACHINE)
        self._has_history = False
        self._announced_ms = 0
        self._now_ms = 0
        self._read_until_ms = 0
        self._asked = 0
        self._counters = Counters()
        self._unusable = UnusableData(MARKET_SOURCE)
        self._pending_bars = PendingBars(self._parameters, self._counters, self._unusable)
        self._settlements = Settlements()
        self._rules = InstrumentRules(self._parameters.symbols, self._unusable)
        age_ms = self._parameters.stale_quote_ms
        self._quotes = NewestQuotes(self._counters, self._unusable, self._settlements, age_ms)
        self._external = ExternalValues()
        self._solvency = SolvencyWatch(self._linear, self._parameters.solvency_every_ms, self._unusable)
        self._recorded: dict[tuple[Series, str], int] = {}
        self._pending: dict[str, Pending] = {}
        self._instant: Instant | None = None
        self._dirty: set[str] = set()
        self._missed_frames = False

    # --- start and state ---

    @property
    def is_ready(self) -> bool:
        """Whether the history is complete up to the last announced instant."""
        return self._machine.state is MarketDataState.READY

    @property
    def counts(self) -> dict[str, int]:
        """Defects counted so far (DA-3)."""
        return self._counters.as_dict()

    def history_needed(self) -> Sequence[HistoryNeed]:
        """The newest recorded bar of each series, from which the backfill resumes."""
        return [HistoryNeed(*series, interval, 1) for series in self._parameters.symbols for interval in INTERVALS]

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        for need, found in bars.items():
            if found:
                series: Series = (need.category, need.symbol)
                self._recorded[(series, need.interval)] = found[-1].start_ms
                self._pending_bars.remember(series, need.interval, found[-1])

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore both rows. Raises UnreadableRowError."""
        row = rows.get(STATE_KEY)
        if row is not None:
            MarketDataMachine.restored(STATE_KEY, row.state)  # on the table; every incarnation begins in STARTING
            data = row.data
            known = {series_name(series): series for series in self._parameters.symbols}
            self._asked = int(data["asked"])
            self._counters.load(data["counts"])
            self._settlements.load(data["last_rates"])
            self._external.reason = str(data["feed_reason"])
            self._unusable.load(data["unusable"])
            # An initial backfill that never ended starts over: nothing was announced yet.
            self._has_history = bool(data["has_history"])
            self._announced_ms = int(data["announced_ms"])
            self._pending_bars.active = {known[name] for name in data["active"] if name in known}
            self._pending_bars.missed_hours = {known[n]: int(v) for n, v in data["missed_hours"].items() if n in known}
        row = rows.get(INSTRUMENTS_KEY)
        if row is not None:
            self._rules.restore(Instrument.model_validate(item) for item in row.data["instruments"])
            self._settlements.intervals_min = self._rules.intervals_min()

    def begin(self, now_ms: int) -> Commands:
        """Request the market and all data missing up to now; nothing is announced before it has arrived."""
        self._now_ms = now_ms
        self._read_until_ms = now_ms // HOUR_MS * HOUR_MS
        announced = self._announced_ms if self._has_history else None
        commands: Commands = [self._ask("market", ReadMarket())]
        requests = bars_to_read(self._parameters, self._recorded, announced, now_ms)
        commands += [self._ask("bars", request) for request in requests]
        funding = funding_to_read(self._parameters, announced, self._read_until_ms)
        if funding is not None:
            commands.append(self._ask("funding", funding))
        if announced is None:
            self._announced_ms = self._read_until_ms
        since = "the configured depth" if announced is None else str(announced)
        reason = f"reads {len(requests)} series of bars from {since} up to {self._read_until_ms}"
        data = {"series": len(requests), "until_ms": self._read_until_ms}
        over = AlertEnded(READING, "a new start reads everything")
        return [*commands, over, self._machine.fire("begin", reason, data)]

    def deadline(self) -> int | None:
        """Five seconds after the next close; None while responses are pending, as their arrival continues the work."""
        if not self.is_ready or (self._instant is not None and self._instant.waiting):
            return None
        close_ms = self._announced_ms + HOUR_MS + self._parameters.missing_after_ms
        return min(close_ms, self._solvency.due_ms or close_ms)

    def tick(self, now_ms: int) -> Commands:
        """The time limit for late bars has passed, or the exchange's solvency is to be read."""
        self._now_ms = max(self._now_ms, now_ms)
        asked: Commands = []
        if self._solvency.is_due(now_ms):
            asked.append(self._ask("solvency", self._solvency.request))
        return asked + self._advance(waited=True)

    def lookahead(self) -> Lookahead:
        """Once ready, an hour's bars may arrive late and together with later ones, as long as all of them arrive. The
        exchange delays no hour that lacks a bar, in which a rate settles or in which a day closes."""
        return ENDLESS_LOOKAHEAD if self.is_ready and self._solvency.due_ms is None else NO_LOOKAHEAD

    def still_needed(self, ask: ExchangeCall) -> bool:
        return ask.key in self._pending

    def rows(self) -> Iterable[StateRow]:
        return self._rows({STATE_KEY, INSTRUMENTS_KEY})

    def dirty(self) -> Sequence[StateRow]:
        if self._unusable.is_dirty:
            self._dirty.add(STATE_KEY)
        rows = self._rows(self._dirty)
        self._dirty.clear()
        return rows

    def _rows(self, keys: Set[str]) -> list[StateRow]:
        rows: list[StateRow] = []
        if STATE_KEY in keys:
            data: dict[str, Any] = {
                "has_history": self._has_history,
                "announced_ms": self._announced_ms,
                "asked": self._asked,
                "counts": self._counters.as_dict(),
                "last_rates": self._settlements.dump(),
                "feed_reason": self._external.reason,
                "unusable": self._unusable.dump(),
                "active": sorted(series_name(series) for series in self._pending_bars.active),
                "missed_hours": {series_name(s): n for s, n in sorted(self._pending_bars.missed_hours.items())},
            }
            rows.append(StateRow(STATE_KEY, self._machine.state.value, 1, data))
        if INSTRUMENTS_KEY in keys:
            listed = [instrument.model_dump(mode="json") for instrument in self._rules.known]
            rows.append(StateRow(INSTRUMENTS_KEY, "", 1, {"instruments": listed}))
        return rows

    def handle(self, message: Envelope) -> Commands:
        """Frames of the streams and responses of the exchange; other messages are ignored."""
        body = message.body
        if isinstance(body, QuoteFrame):
            # Ephemeral, except for the end of a condition.
            return self._quotes.see(body.quotes, body.withdrawn, self._announced_ms)
        self._now_ms = max(self._now_ms, message.market_ms)
        if isinstance(body, BarFrame):
            before = self._counters.total
            commands: Commands = []
            for bar in body.bars:
                commands += self._pending_bars.take(bar, self._announced_ms, self._now_ms)
            if self._counters.total != before:
                self._dirty.add(STATE_KEY)
            return commands + self._advance()
        if isinstance(body, StreamRestored):
            # Frames were lost with the connection: bars that closed meanwhile are read immediately, without a wait.
            self._missed_frames = True
            return self._advance()
        if isinstance(body, RowsSetAside):
            return self._set_aside(body.rows)
        if isinstance(body, FiltersRefused):
            return self._refresh(f"{body.category} {body.symbol}: {body.reason}")
        return self._take_answer(body) if isinstance(body, ResponseReceived) else []

    def _set_aside(self, rows: Sequence[SetAside]) -> Commands:
        """Rows that cannot be used are reported once and halt entries on their markets; a bar is read from REST like
        any other missing bar."""
        if rows:
            self._counters.add(Defect.UNREADABLE, len(rows))
            self._dirty.add(STATE_KEY)
        return [command for one in rows for command in self._unusable.begin(one)]

    # --- responses ---

    def _take_answer(self, answer: ResponseReceived) -> Commands:
        pending = self._pending.pop(answer.key, None)
        if pending is None:
            return []  # requested by a previous incarnation; this one has sent its own request
        self._dirty.add(STATE_KEY)
        if self._instant is not None:
            self._instant.waiting.discard(answer.key)
        outcome = answer.outcome
        match pending.purpose, outcome:
            case "bars", BarsRead():
                commands = self._set_aside(outcome.set_aside)
                commands += self._pending_bars.take_past(outcome.bars, self._announced_ms, self._now_ms)
            case "repair", BarsRead():
                commands = self._set_aside(outcome.set_aside)
                commands += self._pending_bars.take_repair(outcome.bars, self._announced_ms, self._now_ms)
            case "funding", FundingRead():
                commands = self._take_rates(outcome)
            case "settlement", FundingRead():
                commands = self._take_rates(outcome)
                if self._instant and self._settlements.lacking(self._instant.close_ms, self._instant.due):
                    # The exchange publishes a rate a moment after it settled.
                    commands += self._ask_again(pending, "a settled rate is not published yet")
            case (("market" | "refresh"), MarketSnapshot()):
                commands = self._take_market(outcome, pending)
            case "solvency", SolvencyRead():
                commands = self._solvency.take(outcome, self._now_ms)
            case "solvency", _:
                commands = self._solvency.failed(outcome_in_words(outcome), self._now_ms)
            case "feed", FeedRead():
                commands = self._take_feed(outcome)
            case _:
                return self._ask_again(pending, outcome_in_words(outcome), is_undecided(outcome)) + self._advance()
        return ended(pending, self._pending.values(), self._parameters) + commands + self._advance()

    def _take_rates(self, read: FundingRead) -> Commands:
        for rate in read.rates:
            if rate.settle_ms <= self._announced_ms:
                self._settlements.learn(rate)
            else:
                self._settlements.take(rate)
        commands: Commands = [Record(rate) for rate in read.rates]
        aside = {one.symbol for one in read.set_aside}
        for symbol in dict.fromkeys(rate.symbol for rate in read.rates):
            if symbol not in aside:
                commands += self._unusable.end("funding_rate", LINEAR, symbol)
        return commands + self._set_aside(read.set_aside)

    def _take_market(self, snapshot: MarketSnapshot, pending: Pending) -> Commands:
        """Symbol by symbol: readable rules replace the old ones, unreadable ones leave them in force and the reading is
        repeated."""
        ended = self._rules.take(snapshot)
        self._settlements.intervals_min = self._rules.intervals_min()
        commands: Commands = []
        if self._rules.is_dirty or pending.purpose == "market":
            commands.append(Send(InstrumentsKnown(instruments=self._rules.known)))
        if self._rules.is_dirty:
            self._rules.is_dirty = False
            self._dirty.add(INSTRUMENTS_KEY)
        commands += ended
        commands += self._quotes.see(snapshot.quotes, (), self._announced_ms)
        if snapshot.set_aside:
            commands += self._set_aside(snapshot.set_aside)
            unreadable = [one.problem for one in snapshot.set_aside if one.kind != "status"]
            commands += self._read_market_again(pending, unreadable[0] if unreadable else "")
            if unreadable:
                return commands
        return [*commands, AlertEnded(RULES, "all of them could be read")]

    def _refresh(self, reason: str) -> Commands:
        """Read the market again, unless a reading is under way."""
        if not self.is_ready or any(one.purpose in ("refresh", "market") for one in self._pending.values()):
            return []
        return [self._machine.remark("refresh", reason, {}), self._ask("refresh", ReadMarket())]

    def _read_market_again(self, pending: Pending, why: str) -> Commands:
        """Repeat the reading with growing delays until it succeeds: a day is too long to trade by outdated rules. `why`
        "": everything was readable, and the reading is repeated to detect changes."""
        delay_s = refresh_delay_s(pending.attempt, self._parameters)
        commands: Commands = [self._again(replace(pending, purpose="refresh", attempt=pending.attempt + 1), delay_s)]
        if pending.attempt == len(self._parameters.retry_delays_s) and why:
            text = f"The instrument rules could not be read completely {pending.attempt} times: {why} It is retried."
            commands.append(Alert("warning", "Market data cannot be read", text, RULES))
        return commands

    def _take_feed(self, read: FeedRead) -> Commands:
        if self._instant is not None:
            self._instant.feed = read
        return self._external.take(read, self._machine)

    def _ask_again(self, pending: Pending, why: str, undecided: bool = False) -> Commands:
        """Repeat the request after a delay, or report what it would have read as missing."""
        self._counters.add(Defect.FAILED_READ)
        if pending.purpose == "refresh":
            return self._read_market_again(pending, f"{why}.")
        repeat = next_attempt(pending, self._parameters, undecided)
        if repeat is not None:
            return [self._again(*repeat), *failing(pending, self._parameters, why)]
        reason = f"the request {pending.request.kind} is abandoned after {pending.tried} attempts: {why}"
        if pending.purpose == "feed":
            return self._take_feed(FeedRead(reason=reason))
        if pending.purpose in BACKFILL:
            self._pending["given up"] = pending  # this incarnation never becomes READY: the operator must act
            return [Alert("critical", "The market's history cannot be read", f"{reason}. {UNREADABLE_HISTORY}")]
        text = f"{reason}. Rules that need it are inactive. No action is required."
        note = self._machine.remark("give_up", reason, {})
        over = ended(pending, self._pending.values(), self._parameters)
        return [note, *over, Alert("warning", "Market data is incomplete", text)]

    # --- the open instant ---

    def _advance(self, waited: bool = False) -> Commands:
        """Advance the next closing instants as far as possible; a repeated call changes nothing. `waited`: the deadline
        has passed, so bars that have not arrived are read."""
        commands: Commands = []
        is_backfilling = self._machine.state is MarketDataState.BACKFILLING
        if is_backfilling and not any(p.purpose in BACKFILL for p in self._pending.values()):
            reason = f"the history is complete up to {self._read_until_ms}"
            commands.append(self._machine.fire("backfilled", reason, {"until_ms": self._read_until_ms}))
            commands.append(self._ask("solvency", self._solvency.request))
            self._has_history = True
        while self.is_ready:
            if self._instant is None or self._instant.close_ms <= self._announced_ms:
                self._instant = Instant(self._announced_ms + HOUR_MS)
            instant = self._instant
            if instant.close_ms > self._now_ms:
                self._missed_frames = False
                break
            if instant.waiting or not self._has_bars(instant, commands, waited):
                break
            self._read_more(instant, commands)
            if instant.waiting:
                break
            commands += self._announce(instant)
        return commands

    def _has_bars(self, instant: Instant, commands: Commands, waited: bool) -> bool:
        """Whether all expected bars have arrived or could not be obtained; requests the ones that are overdue."""
        missing = self._pending_bars.missing(instant.close_ms)
        if not missing or instant.is_repaired or instant.close_ms <= self._read_until_ms:
            return True
        is_late = waited and self._now_ms >= instant.close_ms + self._parameters.missing_after_ms
        if self._missed_frames or is_late:
            instant.is_repaired = True
            commands += [self._ask("repair", request) for request in missing]
        return False

    def _read_more(self, instant: Instant, commands: Commands) -> None:
        """Settled rates and external values that this instant needs; each is requested once."""
        if not instant.is_settled:
            instant.is_settled = True
            instant.due = self._settlements.due(instant.close_ms, self._announced_ms, self._linear)
            is_past = instant.close_ms <= self._read_until_ms
            if instant.due and (not is_past or self._settlements.lacking(instant.close_ms, instant.due)):
                since = self._announced_ms + 1
                request = ReadFunding(symbols=self._linear, from_ms=since, until_ms=instant.close_ms)
                commands.append(self._ask("settlement", request))
        if instant.close_ms % DAY_MS == 0 and instant.feed is None:
            commands.append(self._ask("feed", ReadFeed(market_ms=instant.close_ms)))

    def _announce(self, instant: Instant) -> Commands:
        at = instant.close_ms
        commands: Commands = [Send(message) for message in self._settlements.announce(at)]
        bars, missing = self._pending_bars.listed(at, HOURLY)
        commands.append(Send(BarsClosed(close_ms=at, bars=bars, missing=missing)))
        if at % DAY_MS == 0:
            feed = instant.feed or FeedRead()
            values = FeedFrame(
                fear_greed=feed.fear_greed, fear_greed_ms=feed.fear_greed_ms, dvol=feed.dvol, dvol_ms=feed.dvol_ms
            )
            bars, missing = self._pending_bars.listed(at, DAILY)
            day = DayClosed(day_ms=at - DAY_MS, close_ms=at, bars=bars, missing=missing, feed=values)
            # A reading that is still being repeated for the previous day is superseded.
            self._pending = {key: one for key, one in self._pending.items() if one.purpose != "refresh"}
            commands += [Send(day), self._ask("refresh", ReadMarket())]
        if self._solvency.is_due_at_close(at):
            commands.append(self._ask("solvency", self._solvency.request))
        commands += self._pending_bars.close(at)
        self._quotes.count_stale(self._pending_bars.active, at)
        self._announced_ms = at
        self._dirty.add(STATE_KEY)
        return commands

    # --- small helpers ---

    def _ask(self, purpose: Purpose, request: ExchangeRequest) -> ExchangeCall:
        return self._again(Pending(purpose, request), 0.0)

    def _again(self, pending: Pending, delay_s: float) -> ExchangeCall:
        self._asked += 1
        self._dirty.add(STATE_KEY)
        key = f"market-data:{self._asked}:{pending.request.kind}"
        self._pending[key] = pending
        if pending.purpose in OF_INSTANT and self._instant is not None:
            self._instant.waiting.add(key)
        return ExchangeCall(key, self._parameters.account.value, pending.request, delay_s=delay_s)
