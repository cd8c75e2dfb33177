"""What the page and the live table show of engines, components and market: pure views over what was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

from api import machines
from api.json_values import day_of
from api.snapshot import Snapshot
from statemachines.messages.accounts import AccountView
from statemachines.portfolio.exposure import exposure_usdt_by_coin
from statemachines.risk.machine import GLOBAL, RiskStateName, stricter
from statemachines.values import ACCOUNT_OF, ENGINES, Account, ActorName

Row = dict[str, Any]

MAX_MACHINES = 4
"""An engine with more machines (TACTICAL's old deployments) shows those away from their first state and the newest."""


def market_view(snapshot: Snapshot, actors: Sequence[Mapping[str, Any]] | None, label: str, is_simulated: bool) -> Row:
    """Which market this is and where its time stands."""
    lockstep = snapshot.status.get("lockstep") or {}
    known = [int(lockstep.get("market_ms") or 0), *(int(row["market_ms"]) for row in actors or [])]
    market_ms = max(known) or None
    return {
        "label": label,
        "is_simulated": is_simulated,
        "market_ms": market_ms,
        "day": day_of(market_ms),
        "state": lockstep.get("state"),
        "why": lockstep.get("why", ""),
        "step": lockstep.get("step"),
    }


def actor_row(name: str, snapshot: Snapshot, actors: Sequence[Mapping[str, Any]]) -> Row:
    """One actor as the supervision and the database know it; UNKNOWN where neither can say."""
    durable = next((row for row in actors if row["actor"] == name), {})
    seen = _seen(name, snapshot) or _last_sign(durable)
    health: Mapping[str, Any] = seen.get("health") or {}
    heartbeat_s = durable.get("heartbeat_age_s")
    if heartbeat_s is None and seen.get("state") == "RUNNING":
        heartbeat_s = snapshot.age_s  # the supervision has its answer, or it would not be RUNNING
    return {
        "name": name,
        "state": seen.get("state", "UNKNOWN"),
        "russian": seen.get("state_ru", "Неизвестно"),
        "since_s": seen.get("since_s"),
        "reason": seen.get("reason") or "",
        "heartbeat_age_s": heartbeat_s,
        "committed_age_s": durable.get("committed_age_s"),
        "commit_no": durable.get("commit_no"),
        "epoch": durable.get("epoch"),
        "restarts": seen.get("restarts", 0),
        "recovered_in_ms": seen.get("recovered_in_ms"),
        "last_error": health.get("last_error") or "",
        "stream_faults": list(health.get("stream_faults") or []),
        "silence_s": dict(health.get("silence_s") or {}),
        "data_age_s": dict(health.get("data_age_s") or {}),
        "pid": health.get("pid"),
        "inbox": health.get("inbox"),
        "pending_requests": health.get("pending_requests"),
        "undelivered": health.get("undelivered"),
        "policy_version": health.get("policy_version"),
        "market_ms": durable.get("market_ms") or health.get("market_ms"),
    }


def _seen(name: str, snapshot: Snapshot) -> Mapping[str, Any]:
    if name == ActorName.ORCHESTRATOR and snapshot.age_s is not None:
        health: Mapping[str, Any] = snapshot.status.get("orchestrator") or {}
        state = str(health.get("state", "BOOTING"))
        names = {"RUNNING": "Работает", "BOOTING": "Запускается"}
        detail = {"last_error": snapshot.status.get("boot_error") or health.get("last_error", "")}
        return {
            "state": state,
            "state_ru": names.get(state, state),
            "health": {**health, **detail},
            "reason": snapshot.error,
        }
    return next((row for row in snapshot.components if row["name"] == name), {})


def _last_sign(durable: Mapping[str, Any]) -> Mapping[str, Any]:
    """The actor's last sign of life in the database: what is known when the orchestrator cannot be asked."""
    state, age_s = durable.get("heartbeat_state"), durable.get("heartbeat_age_s")
    if state is None or age_s is None:
        return {}
    return {
        "state": state,
        "state_ru": machines.russian("component", state) or state,
        "reason": f"as of {age_s:.0f} s ago; the orchestrator cannot be reached",
        "health": durable.get("heartbeat_detail") or {},
    }


def portfolio_view(row: Mapping[str, Any] | None) -> Row:
    """The newest portfolio, with the exposure of all accounts per coin and in total (R4)."""
    if row is None:
        return {
            "version": None,
            "market_ms": None,
            "equity_usdt": None,
            "exposure_usdt": None,
            "exposure_by_coin": {},
            "accounts": [],
            "prices": {},
        }
    accounts, prices = row["data"].get("accounts", {}), row["data"].get("prices", {})
    views = {Account(name): AccountView.model_validate(one) for name, one in accounts.items()}
    by_coin = exposure_usdt_by_coin(views, {key: Decimal(price) for key, price in prices.items()})
    return {
        "version": row["version"],
        "market_ms": row["market_ms"],
        "equity_usdt": row["equity_usdt"],
        "exposure_usdt": sum(by_coin.values(), Decimal(0)),
        "exposure_by_coin": dict(sorted(by_coin.items())),
        "accounts": [views[Account(name)].model_dump() for name in sorted(accounts)],
        "prices": prices,
    }


def engine_rows(snapshot: Snapshot, facts: Mapping[str, Any]) -> list[Row]:
    """The engines in their fixed order."""
    accounts = {} if facts["portfolio"] is None else facts["portfolio"]["data"].get("accounts", {})
    return [_engine(engine, snapshot, facts, accounts.get(ACCOUNT_OF[engine].value, {})) for engine in ENGINES]


def _engine(engine: ActorName, snapshot: Snapshot, facts: Mapping[str, Any], account: Mapping[str, Any]) -> Row:
    name = str(engine)
    shown = _machines(machines.MACHINE_OF[engine], facts["states"].get(name, []))
    newest = (facts["transitions"].get(name) or [None])[0]
    orders = facts["open_orders"]
    seen = _seen(name, snapshot)
    return {
        "name": name,
        "component": seen.get("state", "UNKNOWN"),
        "component_russian": seen.get("state_ru", "Неизвестно"),
        "machines": shown,
        "state": ", ".join(f"{one['key']} {one['state']}" for one in shown) or "not begun",
        "russian": ", ".join(f"{one['key']} {one['russian']}" for one in shown) or "не начат",
        **_risk(name, facts["switches"]),
        "equity_usdt": account.get("equity_usdt"),
        "cash_usdt": account.get("cash_usdt"),
        "open_orders": None if orders is None else sum(order["engine"] == name for order in orders),
        "last_transition": None if newest is None else _transition(machines.MACHINE_OF[engine], newest),
    }


def _risk(engine: str, switches: Mapping[str, Mapping[str, Any]]) -> Row:
    """The state in force for an engine: the stricter of GLOBAL and its own (RM-2)."""
    rows = [switches[scope] for scope in (GLOBAL, engine) if scope in switches]
    if not rows:
        return {"risk_state": RiskStateName.NORMAL.value, "risk_scope": engine, "risk_reason": ""}
    state = reduce(stricter, (RiskStateName(row["state"]) for row in rows))
    row = next(row for row in rows if row["state"] == state)
    return {"risk_state": state.value, "risk_scope": row["scope"], "risk_reason": row["reason"]}


def _machines(table: str, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows that are machines of this table; other rows of the actor (views, counters) are left out."""
    found = []
    for row in rows:
        russian = machines.russian(table, row["state"])
        if russian is not None:
            found.append({"key": row["key"], "state": row["state"], "russian": russian, "market_ms": row["market_ms"]})
    if len(found) > MAX_MACHINES:
        first = machines.table_of(table).initial
        away = [one for one in found if one["state"] not in (first.name, first.value)]
        newest = max(found, key=lambda one: int(one["market_ms"]))
        found = away if newest in away else [*away, newest]
    return found


def _transition(table: str, row: Mapping[str, Any]) -> Row:
    return {
        "machine": row["machine"],
        "trigger": row["trigger"],
        "source": row["source"],
        "dest": row["dest"],
        "dest_russian": machines.russian(table, row["dest"]),
        "reason": row["reason"],
        "market_ms": row["market_ms"],
        "recorded_at": row["recorded_at"],
    }
