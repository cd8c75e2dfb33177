"""The capital stage of the daily cycle (OR-3, O7): regime and weights at each close, the day's moves, their transfers.

It joins what decides (`allocation`) with what carries out (`transfers`); the cycle calls it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, Remark
from statemachines.facts import BarFact
from statemachines.messages.accounts import Portfolio
from statemachines.messages.market import DayClosed
from statemachines.orchestration.allocation.moves import EngineMove
from statemachines.orchestration.allocation.tracker import RegimeTracker
from statemachines.orchestration.allocation.treasury import MACHINE, OnTheWay, Treasury
from statemachines.orchestration.allocation.weights import by_sleeve, shares_within
from statemachines.orchestration.parameters import SYMBOL, OrchestratorParameters
from statemachines.orchestration.transfers.movement import Movement
from statemachines.orchestration.transfers.requests import TransferRequests
from statemachines.portfolio.equity import coin_value_usdt
from statemachines.values import ACCOUNT_OF, DAILY, ENGINES, SLEEVE_OF, SPOT, ActorName

NORMAL = "NORMAL"
ALLOCATION_SCHEMA = 1
ALLOCATION_KEY = "allocation"
"""Of the row with regime, dwell and weights."""


class Capital:
    """Regime, weights and every movement that has not ended. Mutable; durable as the rows `allocation` and
    `transfers`."""

    def __init__(self, parameters: OrchestratorParameters, installation: str) -> None:
        own = parameters.allocation
        self._own = own
        self._shares = shares_within(parameters.weights)
        self._treasury = Treasury(own, parameters.weights)
        self.tracker = RegimeTracker(own, by_sleeve(parameters.weights))
        self.transfers = TransferRequests(installation, own.transfer_step_usdt)

    # --- regime and weights ---

    def history_needed(self) -> Sequence[HistoryNeed]:
        """O3: all supplied history of BTC's daily bars of spot."""
        regime = self._own.regime
        return (HistoryNeed(SPOT, SYMBOL, DAILY, max(regime.history_days, regime.kept_bars)),)

    def warm(self, bars: Mapping[HistoryNeed, Sequence[BarFact]]) -> None:
        """O3: the recorded bars, oldest first."""
        for need in self.history_needed():
            self.tracker.warm(bars.get(need, ()))

    def day_closed(self, body: DayClosed) -> None:
        """OR-2: one daily close, whatever the state of risk: dwell and pace continue (O6). It is judged in the tick."""
        own = (
            bar
            for bar in body.bars
            if (bar.category, bar.symbol, bar.interval, bar.start_ms) == (SPOT, SYMBOL, DAILY, body.day_ms)
        )
        self.tracker.take(next(own, None), body.day_ms)

    def weights(self, day_ms: int | None = None) -> dict[ActorName, Decimal]:
        """The engines' weights; with `day_ms` those at the start of that day's cycle, before its step (O7)."""
        step = self.tracker.step
        sleeves = step.before if step is not None and step.day_ms == day_ms else self.tracker.weights
        return {engine: sleeves[SLEEVE_OF[engine]] * self._shares[engine] for engine in ENGINES}

    # --- the day's moves ---

    def decide(self, day_ms: int, portfolio: Portfolio | None, faulted: frozenset[str]) -> Commands:
        """O7: decide on the day's moves, ask the givers to free them and request what is free already."""
        if portfolio is None:
            return [Remark(MACHINE, "no_portfolio", "the portfolio is not known: no capital is moved", {})]
        step = self.tracker.step if self.tracker.step is not None and self.tracker.step.day_ms == day_ms else None
        on_the_way = [_on_the_way(movement, portfolio) for movement in self.transfers.open()]
        decision = self._treasury.decide(step, self.tracker.weights, portfolio, on_the_way)
        commands = list(decision.notes)
        by_giver: dict[ActorName | None, list[EngineMove]] = {}
        for move in decision.moves:
            by_giver.setdefault(move.giver, []).append(move)
        for giver, moves in by_giver.items():
            commands += self._request(day_ms, giver, moves, portfolio.equity_usdt, faulted)
        return commands

    def preview(self, portfolio: Portfolio, faulted: frozenset[str]) -> list[EngineMove]:
        """What a close now would move in a NORMAL state if the regime stayed (RM-6: a change on trial); nothing
        changes."""
        step = self.tracker.next_step(0)
        on_the_way = [_on_the_way(movement, portfolio) for movement in self.transfers.open()]
        moves = self._treasury.decide(step, step.after, portfolio, on_the_way).moves
        return [move for move in moves if not self._bar(move.giver, faulted)]

    def _bar(self, giver: ActorName | None, faulted: frozenset[str]) -> str:
        """Why an engine is not asked to give; "" when it is."""
        if giver is None:
            return ""
        if giver in faulted:
            return "it is FAULTED"
        return "it is still freeing what it was asked for before" if self.transfers.is_freeing(giver) else ""

    def _request(
        self,
        day_ms: int,
        giver: ActorName | None,
        moves: Sequence[EngineMove],
        portfolio_usdt: Decimal,
        faulted: frozenset[str],
    ) -> Commands:
        rule = moves[0].rule
        if giver is None:
            return [
                command
                for move in moves
                for command in self.transfers.take_contribution(
                    f"capital-MASTER-{day_ms}-{ACCOUNT_OF[move.receiver]}",
                    ACCOUNT_OF[move.receiver],
                    move.amount_usdt,
                    f"{rule} contribution",
                )
            ]
        if bar := self._bar(giver, faulted):
            total = sum((move.amount_usdt for move in moves), Decimal(0))
            text = f"{giver} is not asked for {total:f} USDT ({rule}): {bar}"
            return [Remark(MACHINE, "not_asked", text, {"engine": str(giver), "amount_usdt": f"{total:f}"})]
        parts = [(ACCOUNT_OF[move.receiver], move.amount_usdt) for move in moves]
        least = self._treasury.least_usdt(moves[0], portfolio_usdt)
        what = "regime" if rule == "OR-2" else "trim"
        return self.transfers.release(f"capital-{giver}-{day_ms}", giver, parts, least, f"{rule} {what}")

    def judge_answers(self, risk_state: str) -> tuple[list[str], Commands]:
        """OR-2, OR-4: what the engines have freed moves at once, so that it is available in the next cycle (O7);
        outside NORMAL it waits for the next NORMAL cycle. Returns the requests that are ordered."""
        releases, commands = self.transfers.judge_answers()
        if risk_state != NORMAL:
            return [], commands
        free = [request for release in releases for request in self.transfers.due_of(release)]
        return free, commands + self.transfers.order(free)

    # --- durability ---

    def allocation_row(self, key: str) -> StateRow:
        """Regime, dwell and weights; the row's state is the regime's machine."""
        return StateRow(key, self.tracker.regime.value, ALLOCATION_SCHEMA, self.tracker.to_data())


def _on_the_way(movement: Movement, portfolio: Portfolio) -> OnTheWay:
    value = coin_value_usdt(movement.coin, movement.amount, portfolio.prices)
    return OnTheWay(movement.from_account, movement.to_account, value)
