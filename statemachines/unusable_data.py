"""Unusable data from the exchange as conditions with a beginning and an end, each reported once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from statemachines.commands import Alert, AlertEnded, Commands, Send
from statemachines.fsm import Row, StateMachine, Table
from statemachines.messages.market import DataUnusable
from statemachines.requests import SetAside

Key = tuple[str, str, str]
"""Kind of row, category, symbol."""


class Usability(StrEnum):
    """Whether decisions may use a kind of data of one market or account."""

    USABLE = "USABLE"
    UNUSABLE = "UNUSABLE"


USABILITY_TABLE: Table[Usability] = Table(
    "usability",
    Usability.USABLE,
    (
        Row("set_aside", Usability.USABLE, Usability.UNUSABLE, "DA-3: the exchange sends unusable data"),
        Row("usable", Usability.UNUSABLE, Usability.USABLE, "DA-3: usable data has arrived"),
    ),
    {Usability.USABLE: "Пригодны", Usability.UNUSABLE: "Непригодны"},
)


class DataMachine(StateMachine[Usability]):
    """One kind of data of one market or account; it exists while the data is unusable."""

    __slots__ = ()
    TABLE = USABILITY_TABLE
    IS_BOOKKEEPING = True


class UnusableData:
    """The open conditions of one source (an account's private data, the public market). The risk manager halts entries
    on a market from a condition's beginning to its end; `dump` and `load` make the conditions durable."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.is_dirty = False
        self._open: dict[Key, str] = {}

    @property
    def open(self) -> Mapping[Key, str]:
        """The open conditions with their problems."""
        return self._open

    def begin(self, one: SetAside) -> Commands:
        """A row was set aside. Foreign rows (each reported once by its natural id) halt nothing; a condition that is
        already open is not reported again."""
        where = f"{one.category} {one.symbol}".strip() or self.source
        if one.is_foreign:
            text = f"{one.problem} The {one.kind} ({where}) was ignored; all other data of {self.source} is used."
            return [Alert("warning", f"{self.source}: a product that is not traded here", text)]
        key = (one.kind, one.category, one.symbol)
        if key in self._open:
            return []
        self._open[key] = one.problem
        self.is_dirty = True
        halted = "No new risk is taken on it until the exchange sends usable data." if one.symbol else ""
        text = f"{one.problem} The {one.kind} was set aside; the other rows are used. {halted}".rstrip()
        note = DataMachine(where).fire("set_aside", one.problem, {"kind": one.kind})
        alert = Alert("warning", f"{self.source}: data of {where} cannot be used", text, _condition(key))
        return [note, alert, *self._announce(one.category, one.symbol, one.problem)]

    def end(self, kind: str, category: str, symbol: str) -> Commands:
        """Usable data of this kind has arrived; no commands when no such condition is open."""
        key = (kind, category, symbol)
        if self._open.pop(key, None) is None:
            return []
        self.is_dirty = True
        where = f"{category} {symbol}".strip() or self.source
        reason = f"usable data ({kind}) of {where} has arrived"
        note = DataMachine.restored(where, Usability.UNUSABLE).fire("usable", reason, {"kind": kind})
        others = next((why for (_, c, s), why in self._open.items() if (c, s) == (category, symbol)), "")
        return [note, AlertEnded(_condition(key), reason), *self._announce(category, symbol, others)]

    def _announce(self, category: str, symbol: str, reason: str) -> Commands:
        if not symbol:
            return []
        return [Send(DataUnusable(source=self.source, category=category, symbol=symbol, reason=reason))]

    def dump(self) -> list[list[str]]:
        """For the state row."""
        self.is_dirty = False
        return [[*key, problem] for key, problem in sorted(self._open.items())]

    def load(self, rows: list[list[str]]) -> None:
        """Restore from the result of `dump`."""
        self._open = {(kind, category, symbol): problem for kind, category, symbol, problem in rows}


def _condition(key: Key) -> str:
    return "unusable:" + ":".join(key)
