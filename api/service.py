"""The one operator service under HTTP interface, page, command line and live table, so that all of them agree.

It reads the database and the orchestrator's cached status; it never calls an actor that trades and never writes.
Every answer comes within `READ_TIMEOUT_S`, even when an actor hangs. Money is text, instants are milliseconds UTC.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from api import machines
from api.health import Limits, reasons
from api.json_values import plain
from api.overview import actor_row, engine_rows, market_view, portfolio_view
from api.paging import decode, page_of
from api.query_arguments import LINK_ID, BadValueError, UnknownNameError, identifier, limit_of, one_of
from api.snapshot import Snapshot, SnapshotSource
from infra.database import queries as lists
from infra.database.queries import PageKey, Place, Queries, QueryUnavailableError
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.facts import PostingFact
from statemachines.messages.kinds import BODIES
from statemachines.performance.tracker import TOTAL
from statemachines.values import ENGINES, Account, ActorName

Row = dict[str, Any]

READ_TIMEOUT_S = 6.0
HEALTH_TIMEOUT_S = 2.0
OVERVIEW_FRESH_S = 0.8
"""Several pages at once share one reading of the database."""

ACTORS = tuple(str(name) for name in ActorName)
ENGINE_NAMES = frozenset(str(engine) for engine in ENGINES)
RECORDED = ENGINE_NAMES | {TOTAL}
"""Whose performance is on record."""

ORDER_STATES = frozenset(state.value for state in OrderState)
OPEN_ANY = "OPEN_ANY"
"""Stands for every state of an order that is not an end."""
OPEN_STATES = tuple(state.value for state in OrderState if not state.is_terminal)
POSTING_KINDS = frozenset(PostingFact.model_fields["kind"].annotation.__args__)  # type: ignore[union-attr]


class _Durable(NamedTuple):
    """Rows of the database; `actors` is None when it does not answer, and `error` says why."""

    actors: list[Row] | None
    switches: list[Row]
    error: str = ""


class DatabaseAwayError(Exception):
    """The database did not answer in time (HTTP 503)."""


class OperatorService:
    """Everything an operator may see. Raises UnknownNameError, BadValueError and DatabaseAwayError (all methods)."""

    def __init__(
        self,
        queries: Queries,
        source: SnapshotSource,
        market_label: Callable[[], str],
        is_simulated: bool,
        limits: Limits | None = None,
    ) -> None:
        self._queries = queries
        self._source = source
        self._market_label = market_label
        self._is_simulated = is_simulated
        self._limits = limits or Limits()
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="reading")
        self._overview: Row = {}
        self._overview_at = 0.0

    def close(self) -> None:
        """Give up the database connection."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._queries.close()

    # --- health ---

    async def health(self) -> Row:
        """`{"ok", "reasons"}`: healthy only if the orchestrator answers, every component runs, time moves, the database
        answers, nothing is stale and trading is allowed."""
        snapshot, durable = await asyncio.gather(self._source.snapshot(), self._durable(HEALTH_TIMEOUT_S))
        found = reasons(snapshot, durable.actors, durable.switches, durable.error, self._limits)
        return {"ok": not found, "reasons": found}

    async def overview(self) -> Row:
        """All that the page's head and the live table show, from one reading. Never raises: what cannot be read is
        missing, and the health says why."""
        if self._overview and time.monotonic() - self._overview_at < OVERVIEW_FRESH_S:
            return self._overview
        snapshot, durable = await asyncio.gather(self._source.snapshot(), self._durable(HEALTH_TIMEOUT_S))
        actors = durable.actors
        found = reasons(snapshot, actors, durable.switches, durable.error, self._limits)
        facts = self._no_facts()
        if actors is not None:
            try:
                facts = await self._read(self._engine_facts)
            except DatabaseAwayError as away:
                found.append(str(away))
        overview = {
            "health": {"ok": not found, "reasons": found},
            "market": market_view(snapshot, actors, self._market_label(), self._is_simulated),
            "engines": engine_rows(snapshot, facts),
            "components": [actor_row(name, snapshot, actors or []) for name in ACTORS],
            "equity_usdt": None if facts["portfolio"] is None else facts["portfolio"]["equity_usdt"],
            "orders": facts["orders"],
        }
        self._overview, self._overview_at = plain(overview), time.monotonic()
        return self._overview

    async def engines(self) -> list[Row]:
        """The engines with their machines' states, equity, last transition and open orders."""
        return list((await self.overview())["engines"])

    # --- actors and machines ---

    async def actors(self) -> list[Row]:
        """Every actor with its state, sign of life, restarts and last error."""
        snapshot, durable = await asyncio.gather(self._source.snapshot(), self._durable(HEALTH_TIMEOUT_S))
        rows = durable.actors
        return [plain(actor_row(name, snapshot, rows or [])) for name in ACTORS]

    async def actor(self, name: str) -> Row:
        """One actor, with the durable states of its machines. Works while the actor hangs or is dead."""
        known = self._actor_name(name)
        snapshot, durable = await asyncio.gather(self._source.snapshot(), self._durable(HEALTH_TIMEOUT_S))
        rows = durable.actors
        found: Row = plain(actor_row(known, snapshot, rows or []))
        states = await self._read(lambda: self._queries.states(known)) if rows is not None else []
        machine_of = {row["key"]: machines.machine_of_row(ActorName(known), row["key"], row["state"]) for row in states}
        found["machines"] = [_machine_state(row, machine_of[row["key"]]) for row in states if machine_of[row["key"]]]
        found["records"] = [_record(row) for row in states if not machine_of[row["key"]]]
        return found

    async def transitions(
        self,
        name: str,
        machine: str | None = None,
        machine_table: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Row:
        """The actor's changes of state, newest first: of the machine of this key, of this table, or all."""
        known, which = self._actor_name(name), identifier("machine", machine)
        if machine_table is not None and machine_table not in machines.MACHINES:
            raise UnknownNameError("machine_table", machine_table, machines.MACHINES)
        return await self._page(
            lists.JOURNAL,
            before,
            limit,
            lambda start, size: self._queries.transitions(known, which, start, size, machine_table),
        )

    async def remarks(self, name: str, subject: str | None = None, before: str | None = None, limit: int = 100) -> Row:
        """What the actor noted without a change of state, newest first: about this subject, or all."""
        known, which = self._actor_name(name), identifier("subject", subject)
        return await self._page(
            lists.JOURNAL, before, limit, lambda start, size: self._queries.remarks(known, which, start, size)
        )

    def machines(self) -> list[Row]:
        """Every state machine with its states and arrows."""
        return [machines.description(name) for name in machines.MACHINES]

    def diagram(self, name: str, form: str = "mermaid") -> str:
        """The machine's diagram as Mermaid text or as a plain HTML page."""
        if name not in machines.MACHINES:
            raise UnknownNameError("machine", name, machines.MACHINES)
        if form not in ("mermaid", "html"):
            raise BadValueError("format", form, ("mermaid", "html"))
        return machines.html(name) if form == "html" else machines.mermaid(name)

    # --- orders and positions ---

    async def orders(
        self,
        engine: str | None = None,
        state: str | None = None,
        symbol: str | None = None,
        before: str | None = None,
        limit: int = 100,
    ) -> Row:
        """Orders, newest first. State OPEN_ANY means every state that is not an end."""
        one_of("engine", engine, ENGINE_NAMES)
        which = identifier("symbol", symbol)
        one_of("state", state, ORDER_STATES | {OPEN_ANY})

        def read(start: Place, size: int) -> list[Row]:
            if state == OPEN_ANY:
                return self._open_orders(engine, which, start, size)
            return self._queries.orders(engine, state, which, start, size)

        return await self._page(lists.ORDERS, before, limit, read)

    async def order_chain(self, client_order_id: str) -> list[Row]:
        """From the fact that caused an order (a bar, a settlement) to the order, decision by decision (P3)."""
        if not LINK_ID.fullmatch(client_order_id):
            raise BadValueError(
                "client_order_id", client_order_id, hint="an order's client_order_id has letters, digits, '-' and '_'"
            )
        chain = await self._list(lambda: self._queries.order_chain(client_order_id))
        if not chain:
            raise UnknownNameError(
                "order", client_order_id, hint="the list at /orders has the client_order_id of every order"
            )
        return chain

    async def executions(
        self, engine: str | None = None, client_order_id: str | None = None, before: str | None = None, limit: int = 100
    ) -> Row:
        """Fills, newest first."""
        one_of("engine", engine, ENGINE_NAMES)
        which = identifier("client_order_id", client_order_id)
        return await self._page(
            lists.EXECUTIONS, before, limit, lambda start, size: self._queries.executions(engine, which, start, size)
        )

    async def positions(self) -> list[Row]:
        """Derivative positions that are not flat."""
        return await self._list(self._queries.positions)

    # --- control ---

    def operator_command(self, command_id: str) -> Row | None:
        """The command that this id belongs to; None when it is free. Blocks; raises QueryUnavailableError."""
        return self._queries.operator_command(command_id)

    # --- money ---

    async def portfolio(self) -> Row:
        """The newest portfolio with equity per engine; `version` is None before the first one."""
        found: Row = plain(portfolio_view(await self._read(self._queries.portfolio)))
        return found

    async def ledger(
        self, account: str | None = None, kind: str | None = None, before: str | None = None, limit: int = 50
    ) -> Row:
        """Trial balance, the balance of every ledger account, and the newest postings."""
        one_of("account", account, frozenset(Account))
        one_of("kind", kind, POSTING_KINDS)
        start, size = decode(before, lists.POSTINGS), limit_of(limit)
        found: Row = plain(
            await self._read(
                lambda: {
                    "trial_balance": self._queries.trial_balance(),
                    "balances": self._queries.ledger_balances(account),
                    "postings": page_of(self._queries.postings(kind, start, size + 1), size, lists.POSTINGS),
                }
            )
        )
        return found

    async def transfers(self, before: str | None = None, limit: int = 100) -> Row:
        """Movements between accounts."""
        return await self._page(lists.TRANSFERS, before, limit, self._queries.transfers)

    # --- what happened ---

    async def events(
        self, kind: str | None = None, trace: str | None = None, before: str | None = None, limit: int = 100
    ) -> Row:
        """Messages between the actors."""
        one_of("kind", kind, BODIES)
        which = identifier("trace", trace)
        return await self._page(
            lists.EVENTS, before, limit, lambda start, size: self._queries.events(kind, which, start, size)
        )

    async def alerts(self, before: str | None = None, limit: int = 100) -> Row:
        """Texts for the operator."""
        return await self._page(lists.ALERTS, before, limit, self._queries.alerts)

    async def summaries(self, before: str | None = None, limit: int = 100) -> Row:
        """Daily summaries (OR-3)."""
        return await self._page(lists.SUMMARIES, before, limit, self._queries.summaries)

    async def equity(self, engine: str | None = None, before: str | None = None, limit: int = 100) -> Row:
        """Equity, flows and return of every engine and of the whole, by day (P4)."""
        one_of("engine", engine, RECORDED)
        return await self._page(
            lists.PERFORMANCE, before, limit, lambda start, size: self._queries.performance(engine, start, size)
        )

    async def performance(self) -> list[Row]:
        """The rolling figures of every engine and of the whole (P4)."""
        from infra.rolling import by_policy, rolling  # numpy: only who asks needs it

        rows = await self._read(self._queries.all_performance)
        of = {name: [row for row in rows if row["engine"] == name] for name in sorted({row["engine"] for row in rows})}
        found: list[Row] = plain(
            [{"engine": name, "windows": rolling(own), "policies": by_policy(own)} for name, own in of.items()]
        )
        return found

    async def discrepancies(self, before: str | None = None, limit: int = 100) -> Row:
        """Differences between our books and the exchange (OR-9)."""
        return await self._page(lists.DISCREPANCIES, before, limit, self._queries.discrepancies)

    async def switch_trips(self, before: str | None = None, limit: int = 100) -> Row:
        """Automatic switches that have tripped, with the readings that tripped them (RM-4)."""
        return await self._page(lists.SWITCH_TRIPS, before, limit, self._queries.switch_trips)

    async def operator_commands(self, before: str | None = None, limit: int = 100) -> Row:
        """What was commanded, by whom, when and why (RM-5)."""
        return await self._page(lists.COMMANDS, before, limit, self._queries.operator_commands)

    async def switches(self) -> list[Row]:
        """The control state of everything (GLOBAL) and of each engine (RM-2, RM-5)."""
        return await self._list(self._queries.switches)

    async def policies(self) -> Row:
        """The newest versions of the policy, the newest one's settings, and the version in force at every actor
        (RM-6)."""
        found: Row = plain(await self._read(self._queries.policies))
        return found

    # --- inside ---

    def _actor_name(self, name: str) -> str:
        if name not in ACTORS:
            raise UnknownNameError("actor", name, ACTORS)
        return name

    def _open_orders(self, engine: str | None, symbol: str | None, before: Place, limit: int) -> list[Row]:
        rows = [row for state in OPEN_STATES for row in self._queries.orders(engine, state, symbol, before, limit)]
        return sorted(rows, key=lambda row: (row["created_ms"], row["client_order_id"]), reverse=True)[:limit]

    def _engine_facts(self) -> Row:
        """Everything of the database that the overview needs (blocking)."""
        open_orders = self._open_orders(None, None, lists.ORDERS.newest, lists.MAX_ROWS)
        return {
            "portfolio": self._queries.portfolio(),
            "switches": {row["scope"]: row for row in self._queries.switches()},
            "states": {engine: self._queries.states(engine) for engine in ENGINE_NAMES},
            "transitions": {
                engine: self._queries.transitions(engine, limit=1, table=machines.engine_table(engine))
                for engine in ENGINE_NAMES
            },
            "open_orders": open_orders,
            "orders": self._queries.order_counts(),
        }

    def _no_facts(self) -> Row:
        return {"portfolio": None, "switches": {}, "states": {}, "transitions": {}, "open_orders": None, "orders": []}

    async def _durable(self, timeout_s: float) -> _Durable:
        """What the database says of the actors and of the states in force."""
        try:
            found: _Durable = await self._read(
                lambda: _Durable(self._queries.actors(), self._queries.switches()), timeout_s
            )
        except DatabaseAwayError as error:
            return _Durable(None, [], str(error))
        return found

    async def _page(self, key: PageKey, before: str | None, limit: int, read: Callable[[Place, int], list[Row]]) -> Row:
        """One page of a list; `before` is the `next` of the page before it."""
        start, size = decode(before, key), limit_of(limit)
        found: Row = plain(page_of(await self._read(lambda: read(start, size + 1)), size, key))
        return found

    async def _list(self, work: Callable[[], list[Row]]) -> list[Row]:
        rows: list[Row] = plain(await self._read(work))
        return rows

    async def _read(self, work: Callable[[], Any], timeout_s: float = READ_TIMEOUT_S) -> Any:
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise DatabaseAwayError(f"the database did not answer within {timeout_s:.0f} s") from None
        except QueryUnavailableError as error:
            raise DatabaseAwayError(str(error)) from error


def _machine_state(row: Mapping[str, Any], machine: str | None) -> Row:
    russian = None if machine is None else machines.russian(machine, row["state"])
    return {"state": row["state"], "machine": machine, "russian": russian, **_record(row)}


def _record(row: Mapping[str, Any]) -> Row:
    kept = ("key", "version", "market_ms")
    return {**{name: row[name] for name in kept}, "data": plain(row["data"])}


__all__ = ["DatabaseAwayError", "OperatorService", "Snapshot"]
