"""`eternal policy diff` and `set --dry-run`: what a change would do now, decided on the rows in the database (RM-6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from actors.runtime.policies.ports import Document, UnusablePolicyError
from actors.runtime.policies.switch import bring_back
from actors.runtime.ports import ClosedBars
from actors.runtime.registry import START_ORDER
from api.logics import PolicyLogics
from infra.config import EternalConfig
from infra.config.policy import Policy
from infra.database.installation import installation_id
from infra.database.queries import Queries, state_row
from infra.faults import OperatorError
from statemachines.actor_logic import ActorLogic, StateRow
from statemachines.policy.trial import RefusedOrder, capital_moves, capital_rests, open_intents, refused_orders
from statemachines.risk.logic import RiskManagerLogic
from statemachines.state_store import UnreadableRowError, cause_of
from statemachines.values import ActorName


class TrialError(OperatorError):
    """What a change would do cannot be found out from these rows."""


class Effects(NamedTuple):
    """What a change would do now. `cannot` names the actors that could not apply it, with the reason; `moves` and
    `moves_now` are the capital that a daily close would move with the change and without it; `rests` is the state of
    GLOBAL in which a close moves none, "" in NORMAL; `unusable` says why the version in force cannot be compared with,
    and the configuration is instead."""

    orders: int
    refused: list[RefusedOrder]
    moves: list[str]
    moves_now: list[str]
    cannot: dict[str, str]
    rests: str = ""
    unusable: str = ""

    def lines(self) -> list[str]:
        """For people."""
        found = [] if not self.unusable else [f"{self.unusable} The change is compared with the configuration instead."]
        found += self.obstacles()
        found.append(f"Orders under way: {self.orders}; it would refuse {len(self.refused)}.")
        for intent, refusals in self.refused:
            what = f"{intent.engine} {intent.side} {intent.quantity:f} {intent.category} {intent.symbol}"
            found.append(f"  {what}: " + "; ".join(f"{one.check}: {one.reason}" for one in refusals))
        close = "A daily close now"
        if self.rests:
            found.append(f"GLOBAL is {self.rests}: a daily close now moves no capital.")
            close = "In a NORMAL state it"
        if self.moves == self.moves_now:
            found.append(f"{close} would move the same capital as without it.")
        else:
            found.append(f"{close} would move: {'; '.join(self.moves) or 'nothing'}.")
            found.append(f"Without the change: {'; '.join(self.moves_now) or 'nothing'}.")
        return found

    def obstacles(self) -> list[str]:
        """The actors that could not apply the change."""
        return [f"{name} could not apply it: {why}" for name, why in self.cannot.items()]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "orders": self.orders,
            "refused": [
                {
                    "intent_id": one.intent.intent_id,
                    "engine": str(one.intent.engine),
                    "refusals": [refusal.as_data() for refusal in one.refusals],
                }
                for one in self.refused
            ],
            "moves": self.moves,
            "moves_now": self.moves_now,
            "capital_rests": self.rests,
            "cannot_apply": self.cannot,
            "unusable": self.unusable,
        }


def effects(url: str, config: EternalConfig, before: Policy, after: Policy) -> Effects | None:
    """What the change would do now; None when no actor has ever run on this database.

    Raises:
        QueryUnavailableError: the database cannot be read now.
        TrialError: the rows are of another version of the program.
    """
    queries = Queries(url)
    try:
        states = queries.states()
        if not states:
            return None
        rows: dict[str, dict[str, StateRow]] = {}
        for row in states:
            rows.setdefault(row["actor"], {})[row["key"]] = state_row(row)
        market_ms = {row["actor"]: int(row["market_ms"]) for row in queries.actors()}
        logics = PolicyLogics(config, installation_id(url), 0)
        return _effects(queries, logics, before, after, rows, market_ms)
    except UnreadableRowError as error:
        raise TrialError(f"What the change would do now cannot be found out: {cause_of(error)}") from None
    finally:
        queries.close()


def _effects(
    bars: ClosedBars,
    logics: PolicyLogics,
    before: Policy,
    after: Policy,
    rows: Mapping[str, Mapping[str, StateRow]],
    market_ms: Mapping[str, int],
) -> Effects:
    """Raises UnreadableRowError."""
    present, unusable = _usable(logics, before)

    def made(name: ActorName, policy: Document) -> ActorLogic:
        logic = logics.logic(name, policy)
        bring_back(logic, rows.get(name, {}), bars, market_ms.get(name, 0))
        return logic

    cannot: dict[str, str] = {}
    risk: list[RiskManagerLogic] = []
    for name in START_ORDER:
        try:
            if name is ActorName.RISK_MANAGER:
                risk = [cast(RiskManagerLogic, made(name, policy)) for policy in (present, after)]
            elif logics.concerns(name, present, after):
                made(name, after)
        except UnreadableRowError as error:
            cannot[str(name)] = cause_of(error)
    intents = open_intents(rows.get(ActorName.ORDER_MANAGER, {}))
    refused = refused_orders(risk[0], risk[1], intents, market_ms.get(ActorName.RISK_MANAGER, 0)) if risk else []
    own = rows.get(ActorName.ORCHESTRATOR, {})
    now, then = (_moves(logics, policy, own) for policy in (present, after))
    return Effects(len(intents), refused, then, now, cannot, capital_rests(own), unusable)


def _usable(logics: PolicyLogics, policy: Policy) -> tuple[Document, str]:
    """The policy, or None (that of the configuration) and why this program cannot use it: the change that repairs it is
    tried before it is made."""
    try:
        logics.parameters(ActorName.RISK_MANAGER, policy)
    except UnusablePolicyError as error:
        return None, f"The newest version cannot be used: {error}"
    return policy, ""


def _moves(logics: PolicyLogics, policy: Document, rows: Mapping[str, StateRow]) -> list[str]:
    return [
        f"{move.amount_usdt:.2f} USDT from {move.giver or 'the master account'} to {move.receiver} ({move.rule})"
        for move in capital_moves(logics.parameters(ActorName.ORCHESTRATOR, policy), rows)
    ]
