"""The procedures of all engines that hold derivatives: messages and alerts while they become flat (RM-5, R3)."""

from __future__ import annotations

from collections.abc import Sequence

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, Send
from statemachines.messages.control import FlatnessRead, FlatnessWanted, FlattenOrdered, OperatorCommand
from statemachines.portfolio.current import CurrentPortfolio
from statemachines.risk.intent_gate import IntentGate
from statemachines.risk.operator.flatness import paired_coins, what_is_left
from statemachines.risk.operator.flatten_machine import OVERDUE_MS, READING, FlattenMachine, FlattenState
from statemachines.state_store import RowKind
from statemachines.values import ACCOUNT_OF, DERIVATIVE_ENGINES, ENGINE_OF, ActorName


def _with_patience(row: StateRow) -> StateRow:
    """Schema 1: the time limit counted from the command."""
    return row._replace(schema=2, data={**row.data, "patience_ms": row.data["requested_ms"] + OVERDUE_MS})


FLATTEN_ROWS = RowKind("flatten:", 2, {1: _with_patience})
"""The rows of the procedures, and their former shape."""


class Flattening:
    """One machine per engine that holds derivatives."""

    def __init__(self, gate: IntentGate, current: CurrentPortfolio) -> None:
        self._gate = gate
        self._current = current
        self.machines = {engine: FlattenMachine(engine) for engine in DERIVATIVE_ENGINES}
        self._dirty: set[ActorName] = set()

    def begin(self, command: OperatorCommand, engines: Sequence[ActorName], now_ms: int) -> Commands:
        """The operator's command: the engines are ordered to close all they hold, and the exchange is read until it
        shows that they do not hold anything any more."""
        reason = f"{command.who}: {command.reason}"
        commands: Commands = []
        for engine in engines:
            machine = self._changed(engine)
            is_working = self._gate.has_new_risk(engine)
            commands += machine.request(command.command_id, reason, now_ms, is_working=is_working)
            commands.append(self._order(machine))
        return commands

    def halt_ended(self, scope: str, reason: str, *, may_enter: bool) -> Commands:
        """The operator has ended HALTED: what is not proven flat yet is abandoned; an engine that was proven flat and
        may make entries again is not said to be flat any more."""
        engine = next((one for one in self.machines if one == scope), None)
        if engine is None:
            return []
        if may_enter and self.machines[engine].state is FlattenState.FLAT:
            return [self._changed(engine).end(reason)]
        if not self.machines[engine].is_under_way:
            return []
        note = self._changed(engine).abandon(reason)
        return [note, AlertEnded(_condition(engine), "the operator has ended HALTED; nothing is verified any more")]

    def progress(self, now_ms: int) -> Commands:
        """Orders have ended: engines without an open order for new risk continue with closing."""
        commands: Commands = []
        for engine, machine in self.machines.items():
            if machine.state is FlattenState.CANCELLING and not self._gate.has_new_risk(engine):
                commands.append(self._changed(engine).cancelled(now_ms))
        return commands

    def tick(self, now_ms: int) -> Commands:
        """What is due: the end of patience, the next reading."""
        commands = self.progress(now_ms)
        for engine, machine in self.machines.items():
            if machine.is_impatient and machine.patience_ms is None:
                self._changed(engine).begin_patience(now_ms)
            if machine.is_overdue(now_ms):
                note = self._changed(engine).overdue(now_ms)
                commands += [note, _alert(machine, note.reason)]
            if machine.state not in READING or machine.due_ms is None or machine.due_ms > now_ms:
                continue
            if machine.state is FlattenState.FAILED:
                commands.append(self._order(machine))
            number = self._changed(engine).next_reading(now_ms)
            commands.append(Send(FlatnessWanted(account=ACCOUNT_OF[engine], number=number)))
        return commands

    def take_reading(self, read: FlatnessRead, now_ms: int) -> Commands:
        """The exchange's own lists of one account; an answer that is not awaited changes nothing."""
        engine = ENGINE_OF.get(read.account)
        if engine is None or engine not in self.machines or not self.machines[engine].awaits(read.number):
            return []
        machine = self._changed(engine)
        if read.problem:
            return [machine.unread(read.problem, now_ms)]
        current = self._current
        left = what_is_left(read, paired_coins(engine), current.instruments, current.holdings.prices)
        if self._gate.has_new_risk(engine):
            # Its outcome is not known yet: it can reach the exchange after both readings.
            left.append("an order for new risk whose end is not known")
        was_verifying = machine.state is FlattenState.VERIFYING
        notes = machine.judge(left, read.market_ms, now_ms)
        commands: Commands = [*notes]
        if machine.state is FlattenState.FLAT:
            text = f"{notes[-1].reason}. {engine} stands HALTED until your command 'normal'."
            commands += [AlertEnded(_condition(engine), "it is flat"), Alert("info", f"{engine} is flat", text)]
        elif left and was_verifying:
            text = (
                f"A first query showed {engine} flat, the second one shows {'; '.join(left)}. Closing continues; check "
                "whether another program or person trades this account."
            )
            commands.append(Alert("warning", f"{engine} is not flat any more", text))
            commands.append(self._order(machine))
        elif machine.state is FlattenState.FAILED:
            commands.append(_alert(machine, f"still not flat: {'; '.join(left)}"))
        return commands

    def deadline(self) -> int | None:
        """The earliest of all procedures."""
        return min((due for one in self.machines.values() if (due := one.deadline()) is not None), default=None)

    # --- durability ---

    def rows(self) -> list[StateRow]:
        """One row per engine."""
        return [self._row(engine) for engine in self.machines]

    def dirty(self) -> list[StateRow]:
        """Rows changed since the last call, in a fixed order."""
        changed, self._dirty = self._dirty, set()
        return [self._row(engine) for engine in self.machines if engine in changed]

    def _row(self, engine: ActorName) -> StateRow:
        machine = self.machines[engine]
        return StateRow(f"{FLATTEN_ROWS.prefix}{engine}", machine.state.value, FLATTEN_ROWS.schema, machine.to_data())

    def restore(self, engine: ActorName, row: StateRow) -> None:
        """Restore one engine's row. Raises UnknownStateError."""
        self.machines[engine] = FlattenMachine.from_row(engine, row.state, row.data)

    # --- internals ---

    def _changed(self, engine: ActorName) -> FlattenMachine:
        self._dirty.add(engine)
        return self.machines[engine]

    def _order(self, machine: FlattenMachine) -> Send:
        reason = f"RM-5: flatten: {machine.reason}"
        return Send(FlattenOrdered(engine=ActorName(machine.key), command_id=machine.command_id, reason=reason))


def _condition(engine: ActorName) -> str:
    return f"flatten:{engine}"


def _alert(machine: FlattenMachine, what: str) -> Alert:
    text = (
        f"{machine.key}: {what}. The engine is ordered to close again and the exchange is read, after 30 s and "
        "then with growing pauses, until it is flat. Check that the engine and the exchange work. What the engine does "
        "not know as its own it does not close: close that by hand at the exchange."
    )
    return Alert("critical", f"{machine.key} is not flat", text, _condition(ActorName(machine.key)))
