"""What would make an engine act next: asked of its own logic, restored from the rows and bars that it committed."""

from __future__ import annotations

import time
from typing import Any

from actors.runtime.policies.ports import UnusablePolicyError
from actors.runtime.policies.switch import bring_back
from api.json_values import plain
from api.logics import PolicyLogics
from api.views.arguments import one_of
from api.views.reading import Reading, Row
from infra.database.queries import state_row
from statemachines.outlook.terms import HasOutlook, Prospect, Term
from statemachines.policy.held import policy_of
from statemachines.state_store import UnreadableRowError, cause_of
from statemachines.values import ENGINES, ActorName

FRESH_S = 1.0
"""Several pages at once share one restored logic."""


class Outlook:
    """Raises UnknownNameError and DatabaseAwayError. `logics` None: this way in does not know the parameters."""

    def __init__(self, reading: Reading, logics: PolicyLogics | None) -> None:
        self._reading = reading
        self._logics = logics
        self._found: dict[ActorName, tuple[float, Row]] = {}

    async def of(self, engine: str) -> Row:
        """The engine's prospects, the closest first; those of which a number is not known come last."""
        one_of("engine", engine, frozenset(str(one) for one in ENGINES))
        name = ActorName(engine)
        known = self._found.get(name)
        if known is None or time.monotonic() - known[0] > FRESH_S:
            found: Row = plain(await self._reading.read(lambda: self._look(name)))
            known = self._found[name] = (time.monotonic(), found)
        return known[1]

    def _look(self, name: ActorName) -> Row:
        queries = self._reading.queries
        states = {row["key"]: state_row(row) for row in queries.states(name)}
        market_ms = next((int(row["market_ms"]) for row in queries.actors() if row["actor"] == name), 0)
        answer: Row = {"engine": name, "market_ms": market_ms, "prospects": [], "problem": ""}
        if self._logics is None or not states:
            return {**answer, "problem": "the engine has not committed anything yet"}
        try:
            logic = self._logics.logic(name, policy_of(states))
            bring_back(logic, states, queries, market_ms)
        except (UnusablePolicyError, UnreadableRowError) as error:
            return {**answer, "problem": cause_of(error) if isinstance(error, UnreadableRowError) else str(error)}
        if not isinstance(logic, HasOutlook):
            raise TypeError(f"the logic of {name} has no outlook")
        found = sorted(logic.outlook(market_ms), key=_order)
        return {**answer, "prospects": [_prospect(one) for one in found]}


def _order(prospect: Prospect) -> tuple[bool, Any]:
    closeness = prospect.closeness
    return bool(prospect.barred) or closeness is None, 0 if closeness is None else -closeness


def _prospect(one: Prospect) -> Row:
    return {
        "subject": one.subject,
        "event": one.event,
        "rule": one.rule,
        "judged_ms": one.judged_ms,
        "barred": one.barred,
        "closeness": _rounded(one.closeness),
        "terms": [_term(term) for term in one.terms],
    }


def _term(term: Term) -> Row:
    return {
        "what": term.what,
        "value": term.value,
        "side": term.side,
        "limit": term.limit,
        "unit": term.unit,
        "distance": term.distance,
        "holds": term.holds,
        "closeness": _rounded(term.closeness),
    }


def _rounded(closeness: Any) -> float | None:
    return None if closeness is None else round(float(closeness), 4)
