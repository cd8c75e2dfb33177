"""Read-only queries for the API: plain dicts with Decimal for money and milliseconds for instants.

The connection cannot write and every statement ends within `READ_TIMEOUT_MS`, so a page never hangs on it. Lists come
newest first, at most `limit` rows; pass the last row's place in the list's unique key as `before` for the page after.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from infra.database.chain import chain_of_order
from infra.database.connection import connect_for_reading
from infra.database.outage import LOST_CONNECTION, outage_of, reason_of
from infra.database.reading import policies
from infra.database.reading.journal import REMARKS, TRANSITIONS
from infra.database.reading.operator import COMMANDED, HELD, SWITCHES, in_force
from infra.faults import OperatorError

LOG = logging.getLogger(__name__)

Row = dict[str, Any]
NEVER_MS = 2**62
"""Later than every instant: the start of a list."""

MAX_ROWS = 1000

Place = tuple[int | str, ...]
"""Where a page ends or begins: values of the columns of a `PageKey`."""


@dataclass(frozen=True, slots=True)
class PageKey:
    """What a list is ordered by, newest first: columns that together are unique, so that no row is lost or repeated
    between two pages. `types` of their values, in the same order; the first is a number."""

    columns: tuple[LiteralString, ...]
    types: tuple[type, ...]

    @property
    def newest(self) -> Place:
        """A place before the newest row."""
        return tuple(NEVER_MS if kind is int else "" for kind in self.types)

    @property
    def before(self) -> LiteralString:
        """The condition that a row lies behind the place given as `p0`, `p1`, ..."""
        marks: list[LiteralString] = ["%(p0)s", "%(p1)s", "%(p2)s"]
        return "(" + ", ".join(self.columns) + ") < (" + ", ".join(marks[: len(self.columns)]) + ")"

    @property
    def order(self) -> LiteralString:
        """The list's order, newest first."""
        return ", ".join([column + " DESC" for column in self.columns])


def _key(*columns: LiteralString, numbers: int = 1) -> PageKey:
    return PageKey(columns, tuple(int if at < numbers else str for at in range(len(columns))))


JOURNAL = _key("id")
ORDERS = _key("created_ms", "client_order_id")
EXECUTIONS = _key("executed_ms", "account", "execution_id")
POSTINGS = _key("posted_ms", "posting_id")
TRANSFERS = _key("requested_ms", "transfer_id")
ALERTS = _key("market_ms", "alert_id")
DISCREPANCIES = _key("found_ms", "discrepancy_id")
SWITCH_TRIPS = _key("tripped_ms", "trip_id")
SUMMARIES = _key("day_ms")
COMMANDS = _key("given_ms", "command_id")
PERFORMANCE = _key("day_ms", "engine")
EVENTS = PageKey(("market_ms", "sender", "seq"), (int, str, int))


class QueryUnavailableError(OperatorError):
    """The database cannot be reached or did not answer in time; the page shows it."""


class Queries:
    """Everything the ways in may read. Thread-safe; connects again after a loss."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection[Any] | None = None
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return "Queries()"

    def close(self) -> None:
        with self._guard:
            self._close()

    # --- actors and machines ---

    def actors(self) -> list[Row]:
        """Every actor's epoch, place in the protocol, newest commit and newest sign of life."""
        return self._rows(
            """SELECT actor, epoch, commit_no, holder, a.market_ms, next_seq, granted_at, committed_at,
                   h.state AS heartbeat_state, h.beat_at, h.detail AS heartbeat_detail,
                   extract(epoch FROM now() - committed_at)::double precision AS committed_age_s,
                   extract(epoch FROM now() - h.beat_at)::double precision AS heartbeat_age_s
               FROM actors a LEFT JOIN heartbeats h ON h.component = actor ORDER BY actor"""
        )

    def heartbeats(self) -> list[Row]:
        return self._rows(
            """SELECT component, state, market_ms, beat_at, detail,
                   extract(epoch FROM now() - beat_at)::double precision AS age_s
               FROM heartbeats ORDER BY component"""
        )

    def states(self, actor: str | None = None) -> list[Row]:
        """The durable states of the machines, of one actor or of all."""
        return self._rows(
            """SELECT actor, key, state, schema, version, market_ms, data FROM machine_states
               WHERE %(actor)s::text IS NULL OR actor = %(actor)s ORDER BY actor, key""",
            actor=actor,
        )

    def journal(
        self,
        actor: str | None = None,
        machine: str | None = None,
        trace: str | None = None,
        kind: str | None = None,
        before: Place = JOURNAL.newest,
        limit: int = 100,
    ) -> list[Row]:
        """Decisions."""
        return self._page(
            JOURNAL,
            """SELECT id, actor, commit_no, market_ms, recorded_at, kind, machine_table, machine, trigger, source, dest,
                   reason, data, is_bookkeeping, cause, trace
               FROM journal WHERE (%(actor)s::text IS NULL OR actor = %(actor)s)
               AND (%(machine)s::text IS NULL OR machine = %(machine)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)""",
            before,
            limit,
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
    ) -> list[Row]:
        """Only those lines of the journal that are a row of a machine's table, of one table or of all. Rows of earlier
        versions do not name their table and count for every one."""
        return self._page(JOURNAL, TRANSITIONS, before, limit, actor=actor, machine=machine, table=table)

    def remarks(
        self, actor: str, subject: str | None = None, before: Place = JOURNAL.newest, limit: int = 100
    ) -> list[Row]:
        """What the actor decided, measured or noted without a change of state; what depends on the network is left
        out."""
        return self._page(JOURNAL, REMARKS, before, limit, actor=actor, subject=subject)

    # --- orders, fills, positions ---

    def orders(
        self,
        engine: str | None = None,
        state: str | None = None,
        symbol: str | None = None,
        before: Place = ORDERS.newest,
        limit: int = 100,
    ) -> list[Row]:
        """Orders."""
        return self._page(
            ORDERS,
            """SELECT * FROM orders WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(state)s::text IS NULL OR state = %(state)s)
               AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)""",
            before,
            limit,
            engine=engine,
            state=state,
            symbol=symbol,
        )

    def order(self, client_order_id: str) -> Row | None:
        """One order by our client id (EX-5)."""
        return _first(
            self._rows(
                "SELECT * FROM orders WHERE client_order_id = %(client_order_id)s", client_order_id=client_order_id
            )
        )

    def order_chain(self, client_order_id: str) -> list[Row]:
        """From the fact that caused an order to the order, step by step (P3); empty when there is no such order."""
        return self._perform(lambda connection: chain_of_order(connection, client_order_id))

    def executions(
        self,
        engine: str | None = None,
        client_order_id: str | None = None,
        before: Place = EXECUTIONS.newest,
        limit: int = 100,
    ) -> list[Row]:
        """Fills."""
        return self._page(
            EXECUTIONS,
            """SELECT * FROM executions WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(client_order_id)s::text IS NULL OR client_order_id = %(client_order_id)s)""",
            before,
            limit,
            engine=engine,
            client_order_id=client_order_id,
        )

    def positions(self) -> list[Row]:
        """Derivative positions that are not flat."""
        return self._rows("SELECT * FROM positions WHERE quantity <> 0 ORDER BY account, symbol")

    # --- money ---

    def ledger_balances(self, account: str | None = None) -> list[Row]:
        """The balance of every ledger account, per exchange account and coin; debit positive."""
        return self._rows(
            """SELECT account, ledger_account, coin, sum(amount) AS balance, count(*) AS lines FROM posting_lines
               WHERE %(account)s::text IS NULL OR account = %(account)s
               GROUP BY account, ledger_account, coin ORDER BY account, ledger_account, coin""",
            account=account,
        )

    def trial_balance(self) -> Row:
        """Debits and credits per coin; `balanced` only if every single posting sums to zero (OR-6)."""
        coins = self._rows(
            """SELECT coin, coalesce(sum(amount) FILTER (WHERE amount > 0), 0) AS debit,
                   coalesce(-sum(amount) FILTER (WHERE amount < 0), 0) AS credit, sum(amount) AS difference
               FROM posting_lines GROUP BY coin ORDER BY coin"""
        )
        crooked = self._rows(
            """SELECT posting_id, coin, sum(amount) AS difference FROM posting_lines
               GROUP BY posting_id, coin HAVING sum(amount) <> 0 ORDER BY posting_id LIMIT 100"""
        )
        postings = self._rows("SELECT count(*) AS count FROM postings")[0]["count"]
        balanced = not crooked and all(row["difference"] == Decimal(0) for row in coins)
        return {"balanced": balanced, "postings": postings, "coins": coins, "unbalanced": crooked}

    def postings(self, kind: str | None = None, before: Place = POSTINGS.newest, limit: int = 100) -> list[Row]:
        """Postings with their lines."""
        return self._page(
            POSTINGS,
            """SELECT p.*, (SELECT json_agg(json_build_object('account', account, 'ledger_account', ledger_account,
                   'coin', coin, 'amount', amount::text) ORDER BY line_no) FROM posting_lines l
                   WHERE l.posting_id = p.posting_id) AS lines
               FROM postings p WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)""",
            before,
            limit,
            kind=kind,
        )

    def portfolio(self) -> Row | None:
        """The newest version of the portfolio."""
        return _first(self._rows("SELECT * FROM portfolio_versions ORDER BY version DESC LIMIT 1"))

    def transfers(self, before: Place = TRANSFERS.newest, limit: int = 100) -> list[Row]:
        """Movements between accounts."""
        return self._page(TRANSFERS, "SELECT * FROM transfers WHERE true", before, limit)

    # --- what the operator looks at ---

    def alerts(self, before: Place = ALERTS.newest, limit: int = 100) -> list[Row]:
        """Texts for the operator."""
        return self._page(ALERTS, "SELECT * FROM alerts WHERE true", before, limit)

    def discrepancies(self, before: Place = DISCREPANCIES.newest, limit: int = 100) -> list[Row]:
        """Differences between our books and the exchange (OR-9)."""
        return self._page(DISCREPANCIES, "SELECT * FROM discrepancies WHERE true", before, limit)

    def summaries(self, before: Place = SUMMARIES.newest, limit: int = 100) -> list[Row]:
        """Daily summaries (OR-3)."""
        return self._page(SUMMARIES, "SELECT * FROM daily_summaries WHERE true", before, limit)

    def performance(self, engine: str | None = None, before: Place = PERFORMANCE.newest, limit: int = 100) -> list[Row]:
        """What every engine and "total" achieved, by day (P4)."""
        return self._page(
            PERFORMANCE,
            "SELECT * FROM performance WHERE (%(engine)s::text IS NULL OR engine = %(engine)s)",
            before,
            limit,
            engine=engine,
        )

    def all_performance(self) -> list[Row]:
        """Every day of every engine, newest first."""
        return self._rows("SELECT * FROM performance ORDER BY day_ms DESC, engine")

    def operator_command(self, command_id: str) -> Row | None:
        """The operator's command of this id, as it was carried out; None when there was none."""
        return _first(self._rows(f"SELECT * FROM {COMMANDED} WHERE command_id = %(command_id)s", command_id=command_id))

    def operator_commands(self, before: Place = COMMANDS.newest, limit: int = 100) -> list[Row]:
        """The operator's commands, and those that actors gave in his place (RM-5)."""
        return self._page(COMMANDS, f"SELECT * FROM {COMMANDED} WHERE true", before, limit)

    def switch_trips(self, before: Place = SWITCH_TRIPS.newest, limit: int = 100) -> list[Row]:
        """Automatic switches that have tripped, with the readings that tripped them (RM-4)."""
        return self._page(SWITCH_TRIPS, "SELECT * FROM switch_trips WHERE true", before, limit)

    def policies(self) -> Row:
        """The newest versions of the policy, and what every actor holds of them (RM-6)."""
        return policies.policies(self._rows)

    def switches(self) -> list[Row]:
        """The control states in force, each with the procedure that makes its engine flat, if there was one (R3)."""
        return in_force(self._rows(SWITCHES), self._rows(f"SELECT * FROM {HELD} ORDER BY given_ms, scope"))

    def events(
        self, kind: str | None = None, trace: str | None = None, before: Place = EVENTS.newest, limit: int = 100
    ) -> list[Row]:
        """Messages between actors."""
        return self._page(
            EVENTS,
            """SELECT id, sender, seq, recipients, kind, market_ms, cause, trace, envelope -> 'body' AS body FROM outbox
               WHERE (%(kind)s::text IS NULL OR kind = %(kind)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s)""",
            before,
            limit,
            kind=kind,
            trace=trace,
        )

    def config_versions(self, limit: int = 20) -> list[Row]:
        query: LiteralString = "SELECT * FROM config_versions ORDER BY version DESC LIMIT %(limit)s"
        return self._rows(query, limit=_bounded(limit))

    # --- figures for reports ---

    def order_counts(self) -> list[Row]:
        """How many orders each engine has in each state."""
        return self._rows("SELECT engine, state, count(*) FROM orders GROUP BY engine, state ORDER BY 1, 2")

    def counts(self) -> Row:
        """Figures of a run: orders by end state, fills, fees, funding, transfers, transitions."""
        return {
            "orders": self.order_counts(),
            "fills": self._rows("SELECT engine, count(*) FROM executions GROUP BY engine ORDER BY 1"),
            "fees": self._rows(
                "SELECT engine, fee_coin, sum(fee) AS fee FROM executions GROUP BY engine, fee_coin ORDER BY 1, 2"
            ),
            "postings": self._rows("SELECT kind, count(*) FROM postings GROUP BY kind ORDER BY kind"),
            "transfers": self._rows(
                """SELECT from_account, to_account, state, count(*), sum(amount) AS amount FROM transfers
                   GROUP BY from_account, to_account, state ORDER BY 1, 2, 3"""
            ),
            "transitions": self._rows(
                """SELECT actor, machine, count(*) FROM journal WHERE kind = 'transition' AND NOT is_bookkeeping
                   GROUP BY actor, machine ORDER BY 1, 2"""
            ),
        }

    def run_days(self) -> Row:
        """How many market days were completed, and the first and last of them."""
        return self._rows(
            "SELECT count(*) AS days, min(day_ms) AS first_ms, max(day_ms) AS last_ms FROM daily_summaries"
        )[0]

    def funding_total(self) -> Decimal:
        """Funding received less paid, USDT, as booked in the wallets."""
        total = self._rows(
            """SELECT coalesce(sum(l.amount), 0) AS total FROM posting_lines l JOIN postings p USING (posting_id)
               WHERE p.kind = 'funding' AND l.ledger_account = 'wallet' AND l.coin = 'USDT'"""
        )[0]["total"]
        return Decimal(total)

    def refusals(self) -> list[Row]:
        """Refused intents by the check that refused them (RM-1)."""
        return self._rows(
            """SELECT value #>> '{}' AS check, count(*) FROM outbox,
                   json_array_elements((envelope -> 'body') -> 'checks') AS value
               WHERE kind = 'denied' GROUP BY 1 ORDER BY 1"""
        )

    # --- how it is done ---

    def _page(self, key: PageKey, select: LiteralString, before: Place, limit: int, **parameters: Any) -> list[Row]:
        """The rows behind a place; `select` ends in its WHERE clause."""
        query: LiteralString = f"{select} AND {key.before} ORDER BY {key.order} LIMIT %(limit)s"
        places = {f"p{at}": value for at, value in enumerate(before)}
        return self._rows(query, limit=_bounded(limit), **places, **parameters)

    def _rows(self, query: LiteralString, **parameters: Any) -> list[Row]:
        def read(connection: psycopg.Connection[Any]) -> list[Row]:
            with connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()

        return self._perform(read)

    def _perform(self, work: Callable[[psycopg.Connection[Any]], list[Row]]) -> list[Row]:
        with self._guard:
            is_used = self._connection is not None and not self._connection.closed
            try:
                return self._attempt(work)
            except psycopg.Error as error:
                if not is_used or outage_of(error) not in LOST_CONNECTION:
                    raise _unavailable(error) from error
            try:  # the connection had died while idle, which says nothing about the database now
                return self._attempt(work)
            except psycopg.Error as error:
                raise _unavailable(error) from error

    def _attempt(self, work: Callable[[psycopg.Connection[Any]], list[Row]]) -> list[Row]:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect_for_reading(self._url, "api")
            return work(self._connection)
        except psycopg.Error:
            self._close()
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _unavailable(error: psycopg.Error) -> QueryUnavailableError:
    """A failed query never ends the reader: what the database refuses for a fault of our own is logged and reported."""
    outage = outage_of(error)
    if outage is None:
        LOG.error("the database refuses a query of this program", exc_info=error)
    return QueryUnavailableError(f"the database {outage or 'refuses a query of this program'}: {reason_of(error)}")


def _bounded(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS + 1))  # one more shows whether there is a further page


def _first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None
