"""The one operator service under HTTP interface, page, command line and live table, so that all of them agree.

It reads the database and the orchestrator's cached status; it never calls an actor that trades and never writes.
Every answer comes within `READ_TIMEOUT_S`, even when an actor hangs. Money is text, instants are milliseconds UTC.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from api import machines
from api.health import Limits, Trouble, reasons, troubles
from api.json_values import plain
from api.logics import PolicyLogics
from api.overview import actor_row, engine_rows, market_view
from api.snapshot import SnapshotSource
from api.views.arguments import BadValueError, UnknownNameError
from api.views.indicators import Indicators
from api.views.installation import Installation
from api.views.lists import ACTORS, ENGINE_NAMES, WAITING, Lists, actor_name, open_orders, tracks_of
from api.views.market import Market
from api.views.money import Money
from api.views.notifications import Notifications
from api.views.outlook import Outlook
from api.views.preview import Preview
from api.views.reading import DatabaseAwayError, Reading, Row
from api.wording.alerts import with_present
from api.wording.expected import expected_of
from infra.database.queries import Queries
from statemachines.values import ActorName

HEALTH_TIMEOUT_S = 2.0
OVERVIEW_FRESH_S = 0.8
"""Several pages at once share one reading of the database."""

MOST_WAITING = 200
"""Alerts that wait for a person, of which an overview weighs so many at most, the newest."""


class _Durable(NamedTuple):
    """Rows of the database; `actors` is None when it does not answer, and `error` says why."""

    actors: list[Row] | None
    switches: list[Row]
    error: str = ""


class OperatorService:
    """Everything an operator may see. Raises UnknownNameError, BadValueError and DatabaseAwayError (all methods)."""

    def __init__(
        self,
        queries: Queries,
        source: SnapshotSource,
        market_label: Callable[[], str],
        is_simulated: bool,
        limits: Limits | None = None,
        logics: PolicyLogics | None = None,
    ) -> None:
        self._queries = queries
        self.reading = Reading(queries)
        self.lists = Lists(self.reading)
        self.money = Money(self.reading)
        self.market = Market(self.reading)
        self.installation = Installation(self.reading)
        self.notifications = Notifications(self.reading)
        self.outlook = Outlook(self.reading, logics)
        self.indicators = Indicators(self.reading, logics)
        self.preview = Preview(self.reading, self.money)
        self._source = source
        self._market_label = market_label
        self._is_simulated = is_simulated
        self._limits = limits or Limits()
        self._overview: Row = {}
        self._overview_at = 0.0

    def close(self) -> None:
        """Give up the database connection."""
        self.reading.close()

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
        found = troubles(snapshot, actors, durable.switches, durable.error, self._limits)
        facts = self._no_facts()
        if actors is not None:
            try:
                facts = await self.reading.read(self._engine_facts)
            except DatabaseAwayError as away:
                found.append(Trouble(str(away)))
        engines = engine_rows(snapshot, facts)
        overview = {
            "expected": expected_of(found, engines, facts["waiting"]),
            "health": {"ok": not found, "reasons": [one.text for one in found]},
            "market": market_view(snapshot, actors, self._market_label(), self._is_simulated),
            "engines": engines,
            "components": [actor_row(name, snapshot, actors or []) for name in ACTORS],
            "equity_usdt": None if facts["portfolio"] is None else facts["portfolio"]["equity_usdt"],
            "equity_ms": None if facts["portfolio"] is None else facts["portfolio"]["market_ms"],
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
        known = actor_name(name)
        snapshot, durable = await asyncio.gather(self._source.snapshot(), self._durable(HEALTH_TIMEOUT_S))
        rows = durable.actors
        found: Row = plain(actor_row(known, snapshot, rows or []))
        states = await self.reading.read(lambda: self._queries.states(known)) if rows is not None else []
        machine_of = {row["key"]: machines.machine_of_row(ActorName(known), row["key"], row["state"]) for row in states}
        found["machines"] = [_machine_state(row, machine_of[row["key"]]) for row in states if machine_of[row["key"]]]
        found["records"] = [_record(row) for row in states if not machine_of[row["key"]]]
        return found

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

    # --- control ---

    def operator_command(self, command_id: str) -> Row | None:
        """The command that this id belongs to; None when it is free. Blocks; raises QueryUnavailableError."""
        return self._queries.operator_command(command_id)

    def switches(self) -> list[Row]:
        """The states in force. Blocks; raises QueryUnavailableError."""
        return self._queries.switches()

    def alert(self, alert_id: str) -> Row | None:
        """The alert of this number, with who has acknowledged it. Blocks; raises QueryUnavailableError."""
        return self._queries.alert(alert_id)

    # --- inside ---

    def _engine_facts(self) -> Row:
        """Everything of the database that the overview needs (blocking)."""
        return {
            "portfolio": self._queries.portfolio(),
            "switches": {row["scope"]: row for row in self._queries.switches()},
            "states": {engine: self._queries.states(engine) for engine in ENGINE_NAMES},
            "transitions": {
                engine: self._queries.transitions(engine, limit=1, table=machines.engine_table(engine))
                for engine in ENGINE_NAMES
            },
            "open_orders": open_orders(self._queries),
            "orders": self._queries.order_counts(),
            "waiting": with_present(self._queries.alerts(limit=MOST_WAITING, sought=WAITING), tracks_of(self._queries)),
        }

    def _no_facts(self) -> Row:
        unknown = {"portfolio": None, "open_orders": None}
        return {**unknown, "switches": {}, "states": {}, "transitions": {}, "orders": [], "waiting": []}

    async def _durable(self, timeout_s: float) -> _Durable:
        """What the database says of the actors and of the states in force."""
        try:
            found: _Durable = await self.reading.read(
                lambda: _Durable(self._queries.actors(), self._queries.switches()), timeout_s
            )
        except DatabaseAwayError as error:
            return _Durable(None, [], str(error))
        return found


def _machine_state(row: Mapping[str, Any], machine: str | None) -> Row:
    russian = None if machine is None else machines.russian(machine, row["state"])
    return {"state": row["state"], "machine": machine, "russian": russian, **_record(row)}


def _record(row: Mapping[str, Any]) -> Row:
    kept = ("key", "version", "market_ms")
    return {**{name: row[name] for name in kept}, "data": plain(row["data"])}
