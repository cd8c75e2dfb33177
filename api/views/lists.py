"""The lists that an operator may read: decisions, orders, fills, transfers, messages, alerts, commands (P3, P5)."""

from __future__ import annotations

from api import machines
from api.views.arguments import LINK_ID, BadValueError, UnknownNameError, identifier, one_of
from api.views.reading import PageRequest, Reading, Row
from api.wording.alerts import Tracks, with_present
from infra.database.queries import Queries
from infra.database.reading import alerts, decisions, money, paging
from infra.database.reading.paging import Place, Span
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.messages.kinds import BODIES
from statemachines.notifications.message import SEVERITIES
from statemachines.values import ENGINES, ActorName, Foundation

NEWEST = PageRequest()
ACTORS = tuple(str(name) for name in ActorName)
ENGINE_NAMES = frozenset(str(engine) for engine in ENGINES)
ORDER_STATES = frozenset(state.value for state in OrderState)
OPEN_ANY = "OPEN_ANY"
"""Stands for every state of an order that is not an end."""
OPEN_STATES = tuple(state.value for state in OrderState if not state.is_terminal)
STANDING = "standing"
"""Stands for the states of an alert that has not ended."""
WAITING = alerts.Asked(state=STANDING, acknowledged=False)
"""Alerts that stand, and that no person has acknowledged."""
ALERT_STATES = frozenset({"open", "changed", "ended", STANDING})
ALERTING = frozenset({*map(str, ActorName), str(Foundation.DEAD_MAN)})
"""Who raises alerts."""
DECISION_KINDS = frozenset({"transition", "remark"})


def tracks_of(queries: Queries) -> Tracks:
    """The risk manager's track record of each group (RM-3)."""
    rows = queries.rows(money.TRACKS)
    return rows[0]["tracks"] if rows else {}


def actor_name(name: str) -> str:
    """The name of an actor. Raises UnknownNameError."""
    if name not in ACTORS:
        raise UnknownNameError("actor", name, ACTORS)
    return name


def open_orders(
    queries: Queries,
    engine: str | None = None,
    symbol: str | None = None,
    before: Place = paging.ORDERS.newest,
    limit: int = paging.MAX_ROWS,
    span: Span = paging.ALL_TIME,
) -> list[Row]:
    """Orders in every state that is no end, newest first. One reading: between two of them an order may change its
    state, and would be there twice or not at all."""
    return queries.orders(engine, OPEN_STATES, symbol, before, limit, span)


class Lists:
    """Newest row first, in pages. Raises UnknownNameError, BadValueError and DatabaseAwayError (all methods)."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._queries = reading.queries

    # --- decisions ---

    async def transitions(
        self, name: str, machine: str | None = None, machine_table: str | None = None, asked: PageRequest = NEWEST
    ) -> Row:
        """The actor's changes of state: of the machine of this key, of this table, or all."""
        known, which = actor_name(name), identifier("machine", machine)
        one_of("machine_table", machine_table, machines.MACHINES)
        return await self._reading.page(
            paging.JOURNAL,
            asked,
            lambda start, size, span: self._queries.transitions(known, which, start, size, machine_table, span),
        )

    async def remarks(self, name: str, subject: str | None = None, asked: PageRequest = NEWEST) -> Row:
        """What the actor noted without a change of state: about this subject, or all."""
        known, which = actor_name(name), identifier("subject", subject)
        return await self._reading.page(
            paging.JOURNAL, asked, lambda start, size, span: self._queries.remarks(known, which, start, size, span)
        )

    async def decisions(self, sought: decisions.Sought, asked: PageRequest = NEWEST) -> Row:
        """What all actors decided, one stream."""
        one_of("actor", sought.actor, ACTORS)
        one_of("kind", sought.kind, DECISION_KINDS)
        for name in ("machine", "state", "trace"):
            identifier(name, getattr(sought, name))
        identifier("text", sought.text)
        return await self._reading.page(
            paging.JOURNAL,
            asked,
            lambda start, size, span: self._queries.page(
                paging.JOURNAL, decisions.DECISIONS, start, size, span, **decisions.parameters(sought)
            ),
        )

    # --- orders ---

    async def orders(
        self,
        engine: str | None = None,
        state: str | None = None,
        symbol: str | None = None,
        asked: PageRequest = NEWEST,
    ) -> Row:
        """Orders. State OPEN_ANY means every state that is not an end."""
        one_of("engine", engine, ENGINE_NAMES)
        which = identifier("symbol", symbol)
        one_of("state", state, ORDER_STATES | {OPEN_ANY})

        def read(start: Place, size: int, span: Span) -> list[Row]:
            if state == OPEN_ANY:
                return open_orders(self._queries, engine, which, start, size, span)
            return self._queries.orders(engine, state, which, start, size, span)

        return await self._reading.page(paging.ORDERS, asked, read)

    async def order_chain(self, client_order_id: str) -> list[Row]:
        """From the fact that caused an order (a bar, a settlement) to the order, decision by decision (P3)."""
        if not LINK_ID.fullmatch(client_order_id):
            raise BadValueError(
                "client_order_id", client_order_id, hint="an order's client_order_id has letters, digits, '-' and '_'"
            )
        chain = await self._reading.rows(lambda: self._queries.order_chain(client_order_id))
        if not chain:
            raise UnknownNameError(
                "order", client_order_id, hint="`eternal orders` lists the client_order_id of every order"
            )
        return chain

    async def executions(
        self,
        engine: str | None = None,
        client_order_id: str | None = None,
        symbol: str | None = None,
        asked: PageRequest = NEWEST,
    ) -> Row:
        """Fills."""
        one_of("engine", engine, ENGINE_NAMES)
        order, which = identifier("client_order_id", client_order_id), identifier("symbol", symbol)
        return await self._reading.page(
            paging.EXECUTIONS,
            asked,
            lambda start, size, span: self._queries.executions(engine, order, start, size, span, which),
        )

    # --- what happened ---

    async def transfers(self, state: str | None = None, asked: PageRequest = NEWEST) -> Row:
        """Movements between accounts."""
        which = identifier("state", state)
        return await self._reading.page(
            paging.TRANSFERS, asked, lambda start, size, span: self._queries.transfers(start, size, span, which)
        )

    async def events(self, kind: str | None = None, trace: str | None = None, asked: PageRequest = NEWEST) -> Row:
        """Messages between the actors."""
        one_of("kind", kind, BODIES)
        which = identifier("trace", trace)
        return await self._reading.page(
            paging.EVENTS, asked, lambda start, size, span: self._queries.events(kind, which, start, size, span)
        )

    async def alerts(self, asked: PageRequest = NEWEST, sought: alerts.Asked = alerts.EVERY) -> Row:
        """Texts for the operator: of this severity, state, actor, acknowledged or not, or all."""
        one_of("severity", sought.severity, SEVERITIES)
        one_of("state", sought.state, ALERT_STATES)
        one_of("actor", sought.actor, ALERTING)
        found = await self._reading.page(
            paging.ALERTS, asked, lambda start, size, span: self._queries.alerts(start, size, span, sought)
        )
        tracks = await self._reading.read(lambda: tracks_of(self._queries)) if found["rows"] else {}
        return {**found, "rows": with_present(found["rows"], tracks)}

    async def summaries(self, asked: PageRequest = NEWEST) -> Row:
        """Daily summaries (OR-3)."""
        return await self._reading.page(paging.SUMMARIES, asked, self._queries.summaries)

    async def discrepancies(self, asked: PageRequest = NEWEST) -> Row:
        """Differences between our books and the exchange (OR-9)."""
        return await self._reading.page(paging.DISCREPANCIES, asked, self._queries.discrepancies)

    async def switch_trips(self, asked: PageRequest = NEWEST) -> Row:
        """Automatic switches that have tripped, with the readings that tripped them (RM-4)."""
        return await self._reading.page(paging.SWITCH_TRIPS, asked, self._queries.switch_trips)

    async def operator_commands(self, asked: PageRequest = NEWEST) -> Row:
        """What was commanded, by whom, when and why (RM-5)."""
        return await self._reading.page(paging.COMMANDS, asked, self._queries.operator_commands)

    async def switches(self) -> list[Row]:
        """The control state of everything (GLOBAL) and of each engine (RM-2, RM-5)."""
        return await self._reading.rows(self._queries.switches)
