"""What one actor's committed steps show for people: its machines' states, and what its metrics count. The worker
writes, the metrics' thread reads."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

from actors.runtime.registry import machine_of_row
from statemachines.actor_logic import StateRow
from statemachines.facts import OrderFact, PortfolioFact
from statemachines.limits.operator_scopes import SCOPES
from statemachines.values import ENGINE_OF, Account, ActorName

if TYPE_CHECKING:
    from actors.runtime.step import Batch
    from statemachines.commands import ExchangeCall

TIMES_KEPT = 64
"""Times of steps and of answers that one period of the metrics shows; more of them in between are not observed."""

ENDED_KEPT = 10_000
"""Ended orders remembered, so that a late fill does not count an order twice."""

Result = TypeVar("Result")

TOTAL = "total"
_SCOPE = "scope:"
_RESULTS = "results"


def timed(step: Callable[[], Result]) -> tuple[Result, float]:
    """What the call returns, and how many seconds of wall time it took; an error passes through."""
    begun_s = time.monotonic()
    return step(), time.monotonic() - begun_s


class Seen:
    """`states`: every durable row with the state of its machine, "" for a row without one."""

    def __init__(self, actor: ActorName) -> None:
        self.states: dict[str, str] = {}
        self.machines: Counter[tuple[str, str]] = Counter()
        self.risk: dict[str, str] = {}
        self.drawdown: dict[str, Decimal] = {}
        self.equity_usdt: dict[str, Decimal] = {}
        self.orders: Counter[tuple[str, str]] = Counter()
        self.step_s: deque[float] = deque(maxlen=TIMES_KEPT)
        self.answer_s: deque[float] = deque(maxlen=TIMES_KEPT)
        self.commits = 0
        self._actor = actor
        self._machine_of: dict[str, str] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._asked_s: dict[str, float] = {}

    def restored(self, rows: Mapping[str, StateRow]) -> None:
        """The rows that this incarnation starts from. A scope that never left its first state has none."""
        if self._actor is ActorName.RISK_MANAGER:
            self.risk = dict.fromkeys(SCOPES, "NORMAL")
        self._rows(rows.values())

    def committed(self, step: Batch, number: int, took_s: float) -> None:
        """A step has been committed; `number` is the actor's commit number after it."""
        self.commits = number
        self.step_s.append(took_s)
        self._rows(step.states)
        for fact in step.facts:
            if isinstance(fact, OrderFact):
                self._order(fact)
            elif isinstance(fact, PortfolioFact):
                self._portfolio(fact)

    def asked(self, calls: Iterable[ExchangeCall], now_s: float) -> None:
        """Requests have been handed over; one that is to wait (EX-4) says nothing about the exchange."""
        self._asked_s.update((call.key, now_s) for call in calls if not call.delay_s)

    def answered(self, key: str, now_s: float) -> None:
        """A request has its answer."""
        since_s = self._asked_s.pop(key, None)
        if since_s is not None:
            self.answer_s.append(now_s - since_s)

    def _rows(self, rows: Iterable[StateRow]) -> None:
        for row in rows:
            before, self.states[row.key] = self.states.get(row.key, ""), row.state
            if row.key == _RESULTS and self._actor is ActorName.RISK_MANAGER:
                self._results(row)
            if row.state == before:
                continue
            if row.key.startswith(_SCOPE) and self._actor is ActorName.RISK_MANAGER:
                self.risk[row.key.removeprefix(_SCOPE)] = row.state
            for state, change in ((before, -1), (row.state, 1)):
                if state and (machine := self._machine(row.key, state)):
                    self.machines[machine, state] += change

    def _machine(self, key: str, state: str) -> str:
        """The machine of a row, "" when it is none; rows of one kind begin alike."""
        kind = key.partition(":")[0]
        machine = self._machine_of.get(kind)
        if machine is None:
            machine = self._machine_of[kind] = machine_of_row(self._actor, key, state) or ""
        return machine

    def _results(self, row: StateRow) -> None:
        from statemachines.risk.drawdown import Track, fall_from_peak

        for group, (result, peak, _) in row.data["tracks"].items():
            self.drawdown[group] = fall_from_peak(Track(Decimal(result), Decimal(peak)))

    def _order(self, fact: OrderFact) -> None:
        from statemachines.execution.orders.child_order_machine import OrderState

        if not OrderState(fact.state).is_terminal or fact.client_order_id in self._ended:
            return
        self.orders[fact.engine, fact.state] += 1
        self._ended[fact.client_order_id] = None
        if len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

    def _portfolio(self, fact: PortfolioFact) -> None:
        self.equity_usdt[TOTAL] = fact.equity_usdt
        for account, view in fact.data["accounts"].items():
            owner = ENGINE_OF.get(Account(account), account.lower())
            self.equity_usdt[str(owner)] = Decimal(view["equity_usdt"])
