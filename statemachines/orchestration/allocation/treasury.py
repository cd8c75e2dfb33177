"""The treasury's decision of one day (O7): OR-2, then OR-4, then OR-5, on the one marked equity and the paced weights.

What is already on its way counts where it is going, so that nothing is decided twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

from statemachines.commands import Commands, Remark
from statemachines.messages.accounts import Portfolio
from statemachines.orchestration.allocation.moves import (
    EngineMove,
    SleeveMove,
    Trim,
    between_engines,
    contributions,
    regime_moves,
    trim_moves,
    trims,
)
from statemachines.orchestration.allocation.parameters import AllocationParameters
from statemachines.orchestration.allocation.tracker import WeightStep
from statemachines.orchestration.allocation.weights import ZERO, Weights, shares_within
from statemachines.values import ACCOUNT_OF, ENGINE_OF, SLEEVE_OF, Account, ActorName, Sleeve

MACHINE = "treasury"
"""The name under which its decisions stand in the journal."""


class OnTheWay(NamedTuple):
    """Capital that has been decided on and has not arrived, valued in USDT."""

    from_account: Account
    to_account: Account
    amount_usdt: Decimal


class Standing(NamedTuple):
    """What the day's decision is based on. `undistributed_usdt` lies in the master account (OR-5)."""

    equities: dict[Sleeve, Decimal]
    undistributed_usdt: Decimal

    @property
    def total_usdt(self) -> Decimal:
        """The portfolio's value: the engines and what is to be distributed to them."""
        return sum(self.equities.values(), ZERO) + self.undistributed_usdt


class Decision(NamedTuple):
    """The moves of the day and the journal lines with the numbers that made them."""

    moves: list[EngineMove]
    notes: Commands


class Treasury:
    """Decides on the moves of capital. Stateless: `engines` are the default weights of OR-1."""

    def __init__(self, parameters: AllocationParameters, engines: Mapping[ActorName, Decimal]) -> None:
        self._p = parameters
        self._shares = shares_within(engines)

    def decide(
        self, step: WeightStep | None, weights: Weights, portfolio: Portfolio, on_the_way: Iterable[OnTheWay]
    ) -> Decision:
        """O7: the day's moves. `step` is what its close has done to the weights, None when it had no bar."""
        standing = self._standing(portfolio, on_the_way)
        notes: Commands = [_standing_note(standing, weights, portfolio)]
        moves: list[SleeveMove] = []
        if step is not None and step.is_moving:
            moves = regime_moves(step.before, step.after, standing.total_usdt)
        else:
            found = trims(standing.equities, weights, standing.total_usdt, self._p)
            moves = trim_moves(found, standing.equities, weights, standing.total_usdt, self._p)
            notes += [_trim_note(one, moves) for one in found]
        if standing.undistributed_usdt > 0 and standing.undistributed_usdt >= self._p.min_contribution_usdt:
            after = _after(standing.equities, moves)
            moves += contributions(standing.undistributed_usdt, after, weights, standing.total_usdt)
        notes += [_move_note(move) for move in moves]
        return Decision(between_engines(moves, self._shares, self._p.transfer_step_usdt), notes)

    def least_usdt(self, move: EngineMove, portfolio_usdt: Decimal) -> Decimal:
        """O7: the smallest part of a move worth making: of a trim, 1 % of the portfolio, shared as the sleeve is."""
        if move.rule != "OR-4" or move.giver is None:
            return ZERO
        return self._p.min_trim * portfolio_usdt * self._shares[move.giver]

    def _standing(self, portfolio: Portfolio, on_the_way: Iterable[OnTheWay]) -> Standing:
        equities = dict.fromkeys(Sleeve, ZERO)
        for engine, sleeve in SLEEVE_OF.items():
            equities[sleeve] += portfolio.accounts[ACCOUNT_OF[engine]].equity_usdt
        master = portfolio.accounts.get(Account.MASTER)
        undistributed = (ZERO if master is None else master.cash_usdt) - self._p.kept_in_master_usdt
        for move in on_the_way:
            for account, amount in ((move.from_account, -move.amount_usdt), (move.to_account, move.amount_usdt)):
                if account is Account.MASTER:
                    undistributed += amount
                else:
                    equities[SLEEVE_OF[ENGINE_OF[account]]] += amount
        return Standing(equities, max(ZERO, undistributed))


def _after(equities: Mapping[Sleeve, Decimal], moves: Iterable[SleeveMove]) -> dict[Sleeve, Decimal]:
    after = dict(equities)
    for move in moves:
        after[move.receiver] += move.amount_usdt
        if move.giver is not None:
            after[move.giver] -= move.amount_usdt
    return after


def _standing_note(standing: Standing, weights: Weights, portfolio: Portfolio) -> Remark:
    total = standing.total_usdt
    parts = [
        f"{sleeve} {equity:.2f} USDT ({_percent(equity, total)}, weight {weights[sleeve] * 100:.2f} %)"
        for sleeve, equity in standing.equities.items()
        if equity or weights[sleeve]
    ]
    text = (
        f"portfolio {total:.2f} USDT: {', '.join(parts)}; {standing.undistributed_usdt:.2f} USDT to distribute "
        f"(portfolio version {portfolio.version_no})"
    )
    data = {
        "portfolio_version": portfolio.version_no,
        "total_usdt": f"{total:f}",
        "undistributed_usdt": f"{standing.undistributed_usdt:f}",
        **{f"{sleeve}_usdt": f"{equity:f}" for sleeve, equity in standing.equities.items()},
        **{f"{sleeve}_weight": f"{weight:f}" for sleeve, weight in weights.items()},
    }
    return Remark(MACHINE, "standing", text, data)


def _percent(part: Decimal, total: Decimal) -> str:
    return f"{part / total * 100:.2f} %" if total else "0 %"


def _trim_note(trim: Trim, moves: Iterable[SleeveMove]) -> Remark:
    over = (
        f"{trim.giver} is {trim.weight_now * 100:.2f} % of the portfolio against a weight of {trim.weight * 100:.2f} %"
    )
    data = {"sleeve": trim.giver.value, "excess_usdt": f"{trim.excess_usdt:f}", "weight_now": f"{trim.weight_now:f}"}
    if trim.waits:
        text = f"{over}: its excess of {trim.excess_usdt:.2f} USDT is below the smallest trim and waits (O7)"
        return Remark(MACHINE, "trim_waits", text, data)
    shared = ", ".join(f"{m.amount_usdt:.2f} to {m.receiver}" for m in moves if m.giver is trim.giver)
    text = f"{over}: its excess of {trim.excess_usdt:.2f} USDT is harvested: {shared} (OR-4)"
    return Remark(MACHINE, "volatility_harvest", text, data)


def _move_note(move: SleeveMove) -> Remark:
    giver = "the master account" if move.giver is None else str(move.giver)
    data = {
        "from": "MASTER" if move.giver is None else move.giver.value,
        "to": move.receiver.value,
        "amount_usdt": f"{move.amount_usdt:f}",
        "rule": move.rule,
    }
    return Remark(MACHINE, "move", f"{move.amount_usdt:.2f} USDT from {giver} to {move.receiver} ({move.rule})", data)
