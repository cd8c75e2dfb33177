"""The third step of the daily cycle (OR-3, O7): one engine is run, or skipped with the reason."""

from __future__ import annotations

from decimal import Decimal

from statemachines.commands import Commands, Send
from statemachines.limits.entry_gate import permits_entries
from statemachines.messages.control import RunCycle
from statemachines.orchestration.daily_cycle import DailyCycle, Stage
from statemachines.values import ActorName


def run(cycle: DailyCycle, engine: ActorName, own_state: str, weight: Decimal) -> Commands:
    """Ask the engine to decide on the day; its target is `weight` (a fraction) of the cycle's equity. `own_state` is
    its risk state."""
    assert cycle.equity_usdt is not None
    entries_allowed = cycle.stage is Stage.ENGINES and permits_entries(own_state)
    target = weight * cycle.equity_usdt
    cycle.waiting_for = str(engine)
    body = RunCycle(
        day_ms=cycle.day_ms,
        close_ms=cycle.close_ms,
        engine=engine,
        target_usdt=target,
        portfolio_usdt=cycle.equity_usdt,
        entries_allowed=entries_allowed,
    )
    may = "entries allowed" if entries_allowed else f"no entries (risk {cycle.risk_state}, its own state {own_state})"
    reason = f"{engine}: target {target:f} of {cycle.equity_usdt:f} USDT, {may}"
    return [cycle.stay("run_engine", reason, engine=str(engine), target_usdt=str(target)), Send(body)]


def skip(cycle: DailyCycle, engine: ActorName, why: str) -> Commands:
    """The engine takes no part in this cycle."""
    cycle.outcomes[str(engine)] = f"skipped: {why}"
    return [cycle.stay("skip_engine", f"{engine} is skipped: {why}", engine=str(engine))]
