"""Read-only queries for the API: plain dicts with Decimal for money and milliseconds for instants.

The connection cannot write and every statement ends within `READ_TIMEOUT_MS`, so a page never hangs on it. Lists come
newest first, at most `limit` rows; pass the last row's own key as `before` to go on.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row

from infra.database.chain import chain_of_order
from infra.database.connection import connect_for_reading
from infra.database.outage import is_outage, told

Row = dict[str, Any]
NEVER_MS = 2**62
"""Later than every instant: the start of a list."""

MOST_ROWS = 1000


class QueryUnavailableError(Exception):
    """The database cannot be reached or did not answer in time; the page says so."""


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
        before: int = NEVER_MS,
        limit: int = 100,
    ) -> list[Row]:
        """Decisions; `before` is the id of the last row of the page before."""
        return self._rows(
            """SELECT id, actor, commit_no, market_ms, recorded_at, machine, trigger, source, dest, reason, data, kind,
                   cause, trace
               FROM journal WHERE id < %(before)s AND (%(actor)s::text IS NULL OR actor = %(actor)s)
               AND (%(machine)s::text IS NULL OR machine = %(machine)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s) AND (%(kind)s::text IS NULL OR kind = %(kind)s)
               ORDER BY id DESC LIMIT %(limit)s""",
            actor=actor,
            machine=machine,
            trace=trace,
            kind=kind,
            before=before,
            limit=_bounded(limit),
        )

    def transitions(
        self, actor: str, machine: str | None = None, before: int = NEVER_MS, limit: int = 100
    ) -> list[Row]:
        """Only those lines of the journal in which a machine changed its state."""
        return self._rows(
            """SELECT id, actor, market_ms, recorded_at, machine, trigger, source, dest, reason, data, cause, trace
               FROM journal WHERE id < %(before)s AND actor = %(actor)s AND source <> dest
               AND (%(machine)s::text IS NULL OR machine = %(machine)s) ORDER BY id DESC LIMIT %(limit)s""",
            actor=actor,
            machine=machine,
            before=before,
            limit=_bounded(limit),
        )

    # --- orders, fills, positions ---

    def orders(
        self,
        engine: str | None = None,
        state: str | None = None,
        symbol: str | None = None,
        before: int = NEVER_MS,
        limit: int = 100,
    ) -> list[Row]:
        """Orders; `before` is a `created_ms`."""
        return self._rows(
            """SELECT * FROM orders WHERE created_ms < %(before)s AND (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(state)s::text IS NULL OR state = %(state)s) AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
               ORDER BY created_ms DESC, link_id DESC LIMIT %(limit)s""",
            engine=engine,
            state=state,
            symbol=symbol,
            before=before,
            limit=_bounded(limit),
        )

    def order(self, link_id: str) -> Row | None:
        """One order by our client id (EX-5)."""
        return _first(self._rows("SELECT * FROM orders WHERE link_id = %(link_id)s", link_id=link_id))

    def order_chain(self, link_id: str) -> list[Row]:
        """From the fact that caused an order to the order, step by step (P3); empty when there is no such order."""
        return self._perform(lambda connection: chain_of_order(connection, link_id))

    def executions(self, engine: str | None = None, link_id: str | None = None, before: int = NEVER_MS,
                   limit: int = 100) -> list[Row]:  # fmt: skip
        """Fills; `before` is an `executed_ms`."""
        return self._rows(
            """SELECT * FROM executions WHERE executed_ms < %(before)s
               AND (%(engine)s::text IS NULL OR engine = %(engine)s)
               AND (%(link_id)s::text IS NULL OR link_id = %(link_id)s)
               ORDER BY executed_ms DESC, execution_id DESC LIMIT %(limit)s""",
            engine=engine,
            link_id=link_id,
            before=before,
            limit=_bounded(limit),
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

    def postings(self, kind: str | None = None, before: int = NEVER_MS, limit: int = 100) -> list[Row]:
        """Postings with their lines; `before` is a `posted_ms`."""
        return self._rows(
            """SELECT p.*, (SELECT json_agg(json_build_object('account', account, 'ledger_account', ledger_account,
                   'coin', coin, 'amount', amount::text) ORDER BY line_no) FROM posting_lines l
                   WHERE l.posting_id = p.posting_id) AS lines
               FROM postings p WHERE posted_ms < %(before)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)
               ORDER BY posted_ms DESC, posting_id DESC LIMIT %(limit)s""",
            kind=kind,
            before=before,
            limit=_bounded(limit),
        )

    def portfolio(self) -> Row | None:
        """The newest version of the portfolio."""
        return _first(self._rows("SELECT * FROM portfolio_versions ORDER BY version DESC LIMIT 1"))

    def portfolio_history(self, from_ms: int = 0, until_ms: int = NEVER_MS, limit: int = MOST_ROWS) -> list[Row]:
        """The last version of each market day with its equity, newest day first."""
        return self._rows(
            """SELECT DISTINCT ON (market_ms / 86400000) market_ms / 86400000 * 86400000 AS day_ms, version, market_ms,
                   equity_usdt, data
               FROM portfolio_versions WHERE market_ms >= %(from_ms)s AND market_ms < %(until_ms)s
               ORDER BY market_ms / 86400000 DESC, version DESC LIMIT %(limit)s""",
            from_ms=from_ms,
            until_ms=until_ms,
            limit=_bounded(limit),
        )

    def transfers(self, before: int = NEVER_MS, limit: int = 100) -> list[Row]:
        """Movements between accounts; `before` is a `requested_ms`."""
        return self._page("transfers", "requested_ms", "transfer_id", before, limit)

    # --- what the operator looks at ---

    def alerts(self, before: int = NEVER_MS, limit: int = 100) -> list[Row]:
        return self._page("alerts", "market_ms", "alert_id", before, limit)

    def discrepancies(self, before: int = NEVER_MS, limit: int = 100) -> list[Row]:
        return self._page("discrepancies", "found_ms", "discrepancy_id", before, limit)

    def summaries(self, before: int = NEVER_MS, limit: int = 100) -> list[Row]:
        """Daily summaries (OR-3)."""
        return self._page("daily_summaries", "day_ms", "day_ms", before, limit)

    def switches(self) -> list[Row]:
        return self._rows("SELECT * FROM switches ORDER BY scope")

    def open_asks(self) -> list[Row]:
        """Requests to the exchange without an answer yet."""
        return self._rows(
            """SELECT actor, key, account, kind, request, gate, status, blocked_by, market_ms, cause, trace FROM asks
               WHERE status <> 'ANSWERED' ORDER BY actor, commit_no, position"""
        )

    def events(
        self, kind: str | None = None, trace: str | None = None, before: int = NEVER_MS, limit: int = 100
    ) -> list[Row]:
        """Messages between actors; `before` is a `market_ms`."""
        return self._rows(
            """SELECT id, sender, recipients, kind, market_ms, cause, trace, wire -> 'body' AS body FROM outbox
               WHERE market_ms < %(before)s AND (%(kind)s::text IS NULL OR kind = %(kind)s)
               AND (%(trace)s::text IS NULL OR trace = %(trace)s)
               ORDER BY market_ms DESC, sender, seq DESC LIMIT %(limit)s""",
            kind=kind,
            trace=trace,
            before=before,
            limit=_bounded(limit),
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
                """SELECT actor, machine, count(*) FROM journal WHERE source <> dest AND kind = 'decision'
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
                   json_array_elements((wire -> 'body') -> 'checks') AS value
               WHERE kind = 'denied' GROUP BY 1 ORDER BY 1"""
        )

    # --- how it is done ---

    def _page(
        self, table: LiteralString, instant: LiteralString, key: LiteralString, before: int, limit: int
    ) -> list[Row]:
        query: LiteralString = (
            f"SELECT * FROM {table} WHERE {instant} < %(before)s ORDER BY {instant} DESC, {key} DESC LIMIT %(limit)s"
        )
        return self._rows(query, before=before, limit=_bounded(limit))

    def _rows(self, query: LiteralString, **parameters: Any) -> list[Row]:
        def read(connection: psycopg.Connection[Any]) -> list[Row]:
            with connection.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()

        return self._perform(read)

    def _perform(self, work: Any) -> list[Row]:
        with self._guard:
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = connect_for_reading(self._url, "api")
                rows: list[Row] = work(self._connection)
                return rows
            except psycopg.Error as error:
                self._close()
                if is_outage(error):
                    raise QueryUnavailableError(f"the database cannot be used now: {told(error)}") from error
                raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _bounded(limit: int) -> int:
    return max(1, min(limit, MOST_ROWS))


def _first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None
