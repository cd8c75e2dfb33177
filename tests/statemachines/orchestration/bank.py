"""The orchestrator among risk manager, engines and order manager that answer at once: a bank with one balance per
account, which refuses to be overdrawn and keeps every transfer it has made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from statemachines.commands import Command, JournalEntry, Send
from statemachines.facts import BarFact
from statemachines.messages.accounts import CapitalFreed, FreeCapital, Reconciled, TransferEnded, TransferOrdered
from statemachines.messages.control import AssessRisk, CycleDone, RiskAssessed, RiskState, RunCycle
from statemachines.messages.envelope import Body
from statemachines.messages.market import DayClosed
from statemachines.orchestration.allocation.parameters import AllocationParameters, RegimeParameters
from statemachines.orchestration.logic import OrchestratorLogic
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.portfolio.equity import Holdings
from statemachines.values import ACCOUNT_OF, DAY_MS, Account, ActorName
from tests.kit import builders
from tests.kit.core import recorded
from tests.statemachines.orchestration.allocation.bars import bar
from tests.statemachines.orchestration.answered import Answered

DAY0 = 20_000 * DAY_MS
ZERO = Decimal(0)
DEFAULTS = {"CORE-HODL": 60_000, "TREND-1": 15_000, "TREND-2": 5_000, "FUNDING": 15_000, "TACTICAL": 5_000}

QUICK = OrchestratorParameters(
    allocation=AllocationParameters(
        regime=RegimeParameters(
            fast_sma_bars=2, slow_sma_bars=3, adx_bars=2, volatility_returns=2, dwell_closes=2, kept_bars=100
        )
    )
)
"""A few closes make a regime."""


@dataclass
class Giving:
    """How an engine answers: with this part of what it is asked for, and only when told to if `is_silent`."""

    part: Decimal = Decimal(1)
    is_silent: bool = False


class Bank(Answered):
    """`bars` are what the store holds."""

    def __init__(
        self,
        parameters: OrchestratorParameters | None = None,
        restart_before: Callable[[int], bool] = lambda _n: False,
    ) -> None:
        self.balances = {account: Decimal(DEFAULTS.get(account, 0)) for account in Account}
        self.giving = {engine: Giving() for engine in ACCOUNT_OF}
        self.risk = "NORMAL"
        self.failing = False
        self.bars: list[BarFact] = []
        self.made: dict[str, TransferOrdered] = {}
        self.waiting: list[FreeCapital] = []
        self.version = 0
        super().__init__(lambda: OrchestratorLogic(parameters, "abc123"), DAY0, restart_before)
        self.tell(Reconciled(market_ms=self.now_ms, reason="start", discrepancies=0), self.portfolio())

    # --- driving ---

    def warm(self) -> None:
        self.logic.warm(recorded(self.bars, self.logic.history_needed()))

    def close_day(self, price: float | None = None) -> None:
        """A day closes at this price of BTC; without one its bar is missing."""
        day_ms = self.now_ms
        self.now_ms += DAY_MS
        bars = () if price is None else (bar(day_ms, price),)
        self.bars += bars
        self.tell(self.portfolio(), DayClosed(day_ms=day_ms, close_ms=self.now_ms, bars=bars))

    def set_risk(self, state: str) -> None:
        self.risk = state
        self.tell(RiskState(scope="GLOBAL", state=state, size_factor=Decimal(1), reason="as told"))  # type: ignore[arg-type]

    def answer_all(self) -> None:
        """The engines that were silent answer now."""
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            self.deliver(self._freed(one))
        self.tell()

    def portfolio(self) -> Body:
        self.version += 1
        accounts = {account: Holdings({"USDT": amount}, {}) for account, amount in self.balances.items()}
        return builders.portfolio(self.version, self.now_ms, accounts, {})

    # --- answering ---

    def act(self, command: Command) -> None:
        if not isinstance(command, Send):
            return
        match command.body:
            case AssessRisk() as body:
                self.inbox.append(RiskAssessed(day_ms=body.day_ms, state=self.risk, reason="as told"))  # type: ignore[arg-type]
            case RunCycle() as body:
                self.inbox.append(CycleDone(day_ms=body.day_ms, engine=body.engine, summary="nothing to do"))
            case FreeCapital() as body if self.giving[body.engine].is_silent:
                self.waiting.append(body)
            case FreeCapital() as body:
                self.inbox.append(self._freed(body))
            case TransferOrdered() as body:
                self._transfer(body)

    def _freed(self, body: FreeCapital) -> CapitalFreed:
        there = max(ZERO, self.balances[ACCOUNT_OF[body.engine]])
        freed = min(body.amount_usdt * self.giving[body.engine].part, there)
        freed = freed.quantize(Decimal("0.0001"), "ROUND_DOWN")
        return CapitalFreed(
            release_id=body.release_id,
            engine=body.engine,
            freed_usdt=freed if freed >= body.least_usdt else ZERO,
            reason="as told",
        )

    def _transfer(self, body: TransferOrdered) -> None:
        """OR-6: an id is used once; the exchange refuses what is not there."""
        assert body.transfer_id not in self.made, f"{body.transfer_id} was ordered twice"
        self.made[body.transfer_id] = body
        succeeded = not self.failing and self.balances[body.from_account] >= body.amount
        if succeeded:
            self.balances[body.from_account] -= body.amount
            self.balances[body.to_account] += body.amount
        self.inbox += [
            TransferEnded(**body.model_dump(), succeeded=succeeded, reason="" if succeeded else "refused"),
            self.portfolio(),
        ]

    # --- reading ---

    def share(self, *accounts: Account) -> float:
        """These accounts' part of all engines' capital, per cent."""
        whole = sum((amount for account, amount in self.balances.items() if account is not Account.MASTER), ZERO)
        return float(sum((self.balances[account] for account in accounts), ZERO) / whole * 100)

    def moves(self, rule: str = "") -> list[tuple[str, str, Decimal]]:
        """What was transferred, or ordered at least, for one rule."""
        return [(o.from_account, o.to_account, o.amount) for o in self.made.values() if o.purpose.startswith(rule)]

    def movements(self) -> list[JournalEntry]:
        return [note for note in self.notes if isinstance(note, JournalEntry) and note.table == "movement"]

    @property
    def is_freeing(self) -> set[ActorName]:
        return {body.engine for body in self.waiting}
