"""Read-only queries for the API: plain dicts with Decimal for money and milliseconds for instants.

Lists come newest first, at most `limit` rows; pass the last row's place in the list's unique key as `before` for the
page after. A `span` keeps the rows of a part of market time.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import LiteralString

from infra.database.chain import chain_of_order
from infra.database.reading import alerts, notifications, policies
from infra.database.reading.journal import REMARKS, TRANSITIONS
from infra.database.reading.market import CLOSED, bars_of
from infra.database.reading.operator import COMMANDED, HELD, SWITCHES, in_force
from infra.database.reading.paging import (
    ALERTS,
    ALL_TIME,
    COMMANDS,
    DELIVERIES,
    DISCREPANCIES,
    EVENTS,
    EXECUTIONS,
    JOURNAL,
    ORDERS,
    PERFORMANCE,
    POSTINGS,
    SUMMARIES,
    SWITCH_TRIPS,
    TRANSFERS,
    Place,
    Span,
)
from infra.database.reading.reader import Reader, Row, bounded
from statemachines.actor_logic import StateRow
from statemachines.facts import BarFact


def state_row(row: Row) -> StateRow:
    """A row of `machine_states` as the logics restore it."""
    return StateRow(row["key"], row["state"], row["schema"], row["data"])


class Queries(Reader):
    """Everything the ways in may read."""

    # --- actors and machines ---

    def actors(self) -> list[Row]:
        """Every actor's epoch, place in the protocol, newest commit and newest sign of life."""
        return self.rows(
            """SELECT actor, epoch, commit_no, holder, a.market_ms, next_seq, granted_at, committed_at,
                   h.state AS heartbeat_state, h.beat_at, h.detail AS heartbeat_detail,
                   extract(epoch FROM now() - committed_at)::double precision AS committed_age_s,
                   extract(epoch FROM now() - h.beat_at)::double precision AS heartbeat_age_s
               FROM actors a LEFT JOIN heartbeats h ON h.component = actor ORDER BY actor"""
        )

    def heartbeats(self) -> list[Row]:
        return self.rows(
            """SELECT component, state, market_ms, beat_at, detail,
                   extract(epoch FROM now() - beat_at)::double precision AS age_s
               FROM heartbeats ORDER BY component"""
        )

    def states(self, actor: str | None = None) -> list[Row]:
        """The durable states of the machines, of one actor or of all."""
        return self.rows(
            """SELECT actor, key, state, schema, version, market_ms, data FROM machine_states
               WHERE %(actor)s::text IS NULL OR actor = %(actor)s ORDER BY actor, key""",
            actor=actor,
        )

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        """The newest `count` closed bars that start at or before `last_start_ms`, oldest first."""
        key = {"category": category, "symbol": symbol, "interval": interval}
        return bars_of(self.rows(CLOSED, **key, last_start_ms=last_start_ms, count=count))

    def journal(
        self,
        actor: str | None = None,
        machine: str | None = None,
        trace: str | None = None,
        kind: str | None = None,
        before: Place = JOURNAL.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
    ) -> list[Row]:
        """Decisions."""
        return self.page(
            JOURNAL,
            """SELECT id, actor, commit_no, market_ms, recorded_at, kind, machine_table, machine, trigger, source, dest,
                   reason, data, is_bookkeeping, cause, trace
               FROM journal WHERE (%(actor)s::text IS NULL OR actor = %(actor)s)
               AND (%(machine)s::text IS NULL OR machine = %(machine)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)""",
            before,
            limit,
            span,
            actor=actor,
            machine=machine,
            trace=trace,
            kind=kind,
        )

    def transitions(
        self,
        actor: str,
        machine: str | None = None,
        before: Place = JOURNAL.newest,
        limit: int = 100,
        table: str | None = None,
        span: Span = ALL_TIME,
    ) -> list[Row]:
        """Only those lines of the journal that are a row of a machine's table, of one table or of all. Rows of earlier
        versions do not name their table and count for every one."""
        return self.page(JOURNAL, TRANSITIONS, before, limit, span, actor=actor, machine=machine, table=table)

    def remarks(
        self,
        actor: str,
        subject: str | None = None,
        before: Place = JOURNAL.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
    ) -> list[Row]:
        """What the actor decided, measured or noted without a change of state; what depends on the network is left
        out."""
        return self.page(JOURNAL, REMARKS, before, limit, span, actor=actor, subject=subject)

    # --- orders, fills, positions ---

    def orders(
        self,
        engine: str | None = None,
        state: str | Sequence[str] | None = None,
        symbol: str | None = None,
        before: Place = ORDERS.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
    ) -> list[Row]:
        """Orders; of several states in one reading, so that an order whose state changes meanwhile is there once."""
        return self.page(
            ORDERS,
            """SELECT * FROM orders WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(states)s::text[] IS NULL OR state = ANY(%(states)s))
               AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)""",
            before,
            limit,
            span,
            engine=engine,
            states=[state] if isinstance(state, str) else state and list(state),
            symbol=symbol,
        )

    def order(self, client_order_id: str) -> Row | None:
        """One order by our client id (EX-5)."""
        return _first(
            self.rows(
                "SELECT * FROM orders WHERE client_order_id = %(client_order_id)s", client_order_id=client_order_id
            )
        )

    def order_chain(self, client_order_id: str) -> list[Row]:
        """From the fact that caused an order to the order, step by step (P3); empty when there is no such order."""
        return self.perform(lambda connection: chain_of_order(connection, client_order_id))

    def executions(
        self,
        engine: str | None = None,
        client_order_id: str | None = None,
        before: Place = EXECUTIONS.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
        symbol: str | None = None,
    ) -> list[Row]:
        """Fills."""
        return self.page(
            EXECUTIONS,
            """SELECT * FROM executions WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(client_order_id)s::text IS NULL OR client_order_id = %(client_order_id)s)
               AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)""",
            before,
            limit,
            span,
            engine=engine,
            client_order_id=client_order_id,
            symbol=symbol,
        )

    def positions(self) -> list[Row]:
        """Derivative positions that are not flat."""
        return self.rows("SELECT * FROM positions WHERE quantity <> 0 ORDER BY account, symbol")

    # --- money ---

    def ledger_balances(self, account: str | None = None) -> list[Row]:
        """The balance of every ledger account, per exchange account and coin; debit positive."""
        return self.rows(
            """SELECT account, ledger_account, coin, sum(amount) AS balance, count(*) AS lines FROM posting_lines
               WHERE %(account)s::text IS NULL OR account = %(account)s
               GROUP BY account, ledger_account, coin ORDER BY account, ledger_account, coin""",
            account=account,
        )

    def trial_balance(self) -> Row:
        """Debits and credits per coin; `balanced` only if every single posting sums to zero (OR-6)."""
        coins = self.rows(
            """SELECT coin, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS debit,
                   coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS credit, sum(amount) AS difference
               FROM posting_lines GROUP BY coin ORDER BY coin"""
        )
        crooked = self.rows(
            """SELECT posting_id, coin, sum(amount) AS difference FROM posting_lines
               GROUP BY posting_id, coin HAVING sum(amount) <> 0 ORDER BY posting_id LIMIT 100"""
        )
        postings = self.rows("SELECT count(*) AS count FROM postings")[0]["count"]
        balanced = not crooked and all(row["difference"] == Decimal(0) for row in coins)
        return {"balanced": balanced, "postings": postings, "coins": coins, "unbalanced": crooked}

    def postings(
        self, kind: str | None = None, before: Place = POSTINGS.newest, limit: int = 100, span: Span = ALL_TIME
    ) -> list[Row]:
        """Postings with their lines."""
        return self.page(
            POSTINGS,
            """SELECT p.*, (SELECT json_agg(json_build_object('account', account, 'ledger_account', ledger_account,
                   'coin', coin, 'amount', amount::text) ORDER BY line_no) FROM posting_lines l
                   WHERE l.posting_id = p.posting_id) AS lines
               FROM postings p WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)""",
            before,
            limit,
            span,
            kind=kind,
        )

    def portfolio(self) -> Row | None:
        """The newest version of the portfolio."""
        return _first(self.rows("SELECT * FROM portfolio_versions ORDER BY version DESC LIMIT 1"))

    def transfers(
        self,
        before: Place = TRANSFERS.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
        state: str | None = None,
    ) -> list[Row]:
        """Movements between accounts."""
        return self.page(
            TRANSFERS,
            "SELECT * FROM transfers WHERE (%(state)s::text IS NULL OR state = %(state)s)",
            before,
            limit,
            span,
            state=state,
        )

    # --- what the operator looks at ---

    def alerts(
        self,
        before: Place = ALERTS.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
        sought: alerts.Asked = alerts.EVERY,
    ) -> list[Row]:
        """Texts for the operator, with who has acknowledged them."""
        return self.page(ALERTS, alerts.ALERTS, before, limit, span, **alerts.parameters(sought))

    def alert(self, alert_id: str) -> Row | None:
        """The alert of this number, with who has acknowledged it; None when there is none."""
        return _first(self.rows(alerts.ONE, alert_id=alert_id))

    def deliveries(
        self,
        before: Place = DELIVERIES.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
        alert_id: str | None = None,
        channel: str | None = None,
        state: str | None = None,
    ) -> list[Row]:
        """Messages to people, and what became of them."""
        return self.page(
            DELIVERIES, notifications.DELIVERIES, before, limit, span, alert_id=alert_id, channel=channel, state=state
        )

    def channels(self) -> list[Row]:
        """The channels to people, as the notifier has them."""
        return self.rows(notifications.CHANNELS)

    def unacknowledged(self) -> int:
        """How many critical alerts stand and were not acknowledged."""
        return int(self.rows(notifications.UNACKNOWLEDGED)[0]["count"])

    def discrepancies(self, before: Place = DISCREPANCIES.newest, limit: int = 100, span: Span = ALL_TIME) -> list[Row]:
        """Differences between our books and the exchange (OR-9)."""
        return self.page(DISCREPANCIES, "SELECT * FROM discrepancies WHERE true", before, limit, span)

    def summaries(self, before: Place = SUMMARIES.newest, limit: int = 100, span: Span = ALL_TIME) -> list[Row]:
        """Daily summaries (OR-3)."""
        return self.page(SUMMARIES, "SELECT * FROM daily_summaries WHERE true", before, limit, span)

    def performance(
        self, engine: str | None = None, before: Place = PERFORMANCE.newest, limit: int = 100, span: Span = ALL_TIME
    ) -> list[Row]:
        """What every engine and "total" achieved, by day (P4)."""
        return self.page(
            PERFORMANCE,
            "SELECT * FROM performance WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)",
            before,
            limit,
            span,
            engine=engine,
        )

    def all_performance(self) -> list[Row]:
        """Every day of every engine, newest first."""
        return self.rows("SELECT * FROM performance ORDER BY day_ms DESC, engine")

    def operator_command(self, command_id: str) -> Row | None:
        """The operator's command of this id, as it was carried out; None when there was none."""
        return _first(self.rows(f"SELECT * FROM {COMMANDED} WHERE command_id = %(command_id)s", command_id=command_id))

    def operator_commands(self, before: Place = COMMANDS.newest, limit: int = 100, span: Span = ALL_TIME) -> list[Row]:
        """The operator's commands, and those that actors gave in his place (RM-5)."""
        return self.page(COMMANDS, f"SELECT * FROM {COMMANDED} WHERE true", before, limit, span)

    def switch_trips(self, before: Place = SWITCH_TRIPS.newest, limit: int = 100, span: Span = ALL_TIME) -> list[Row]:
        """Automatic switches that have tripped, with the readings that tripped them (RM-4)."""
        return self.page(SWITCH_TRIPS, "SELECT * FROM switch_trips WHERE true", before, limit, span)

    def policies(self) -> Row:
        """The newest versions of the policy, and what every actor holds of them (RM-6)."""
        return policies.policies(self.rows)

    def switches(self) -> list[Row]:
        """The control states in force, each with the procedure that makes its engine flat, if there was one (R3)."""
        return in_force(self.rows(SWITCHES), self.rows(f"SELECT * FROM {HELD} ORDER BY given_ms, scope"))

    def events(
        self,
        kind: str | None = None,
        trace: str | None = None,
        before: Place = EVENTS.newest,
        limit: int = 100,
        span: Span = ALL_TIME,
    ) -> list[Row]:
        """Messages between actors."""
        return self.page(
            EVENTS,
            """SELECT id, sender, seq, recipients, kind, market_ms, cause, trace, envelope -> 'body' AS body FROM outbox
               WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s)""",
            before,
            limit,
            span,
            kind=kind,
            trace=trace,
        )

    def config_versions(self, limit: int = 20) -> list[Row]:
        query: LiteralString = "SELECT * FROM config_versions ORDER BY version DESC LIMIT %(limit)s"
        return self.rows(query, limit=bounded(limit))

    # --- figures for reports ---

    def order_counts(self) -> list[Row]:
        """How many orders each engine has in each state."""
        return self.rows("SELECT engine, state, count(*) FROM orders GROUP BY engine, state ORDER BY 1, 2")

    def counts(self) -> Row:
        """Figures of a run: orders by end state, fills, fees, funding, transfers, transitions."""
        return {
            "orders": self.order_counts(),
            "fills": self.rows("SELECT engine, count(*) FROM executions GROUP BY engine ORDER BY 1"),
            "fees": self.rows(
                "SELECT engine, fee_coin, sum(fee) AS fee FROM executions GROUP BY engine, fee_coin ORDER BY 1, 2"
            ),
            "postings": self.rows("SELECT kind, count(*) FROM postings GROUP BY kind ORDER BY kind"),
            "transfers": self.rows(
                """SELECT from_account, to_account, state, count(*), sum(amount) AS amount FROM transfers
                   GROUP BY from_account, to_account, state ORDER BY 1, 2, 3"""
            ),
            "transitions": self.rows(
                """SELECT actor, machine, count(*) FROM journal WHERE kind = 'transition' AND NOT is_bookkeeping
                   GROUP BY actor, machine ORDER BY 1, 2"""
            ),
        }

    def run_days(self) -> Row:
        """How many market days were completed, and the first and last of them."""
        return self.rows(
            "SELECT count(*) AS days, min(day_ms) AS first_ms, max(day_ms) AS last_ms FROM daily_summaries"
        )[0]

    def funding_total(self) -> Decimal:
        """Funding received less paid, USDT, as booked in the wallets."""
        total = self.rows(
            """SELECT coalesce(sum(l.amount), 0) AS total FROM posting_lines l JOIN postings p USING (posting_id)
               WHERE p.kind = 'funding' AND l.ledger_account = 'wallet' AND l.coin = 'USDT'"""
        )[0]["total"]
        return Decimal(total)

    def refusals(self) -> list[Row]:
        """Refused intents by the check that refused them (RM-1)."""
        return self.rows(
            """SELECT value #>> '{}' AS check, count(*) FROM outbox,
                   json_array_elements((envelope -> 'body') -> 'checks') AS value
               WHERE kind = 'denied' GROUP BY 1 ORDER BY 1"""
        )


def _first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None
