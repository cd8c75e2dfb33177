"""What a backtest is asked to run: market, period, capital, engines, costs; and how it differs from the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from infra.config import EternalConfig
from infra.simulator.config import AccountConfig, FeeConfig, SimConfig, default_accounts
from infra.simulator.market.port import Market
from infra.simulator.venue.money import USDT_UNIT
from statemachines.values import ACCOUNT_OF, ENGINES, ActorName

DEFAULT_CAPITAL_USDT = Decimal(100_000)
DEFAULT_SLIPPAGE = Decimal("0.0002")
"""Share of the price that a taker is modelled to lose: 2 basis points."""


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """`config` carries the rules' parameters; `settings` says which of them differ from the specification.

    The engines that run share the whole capital in the proportions of OR-1; the others are switched off and have none.
    `slippage` is a fraction of the price, paid by takers. `command` is what the user typed.
    """

    market: Market
    config: EternalConfig
    engines: tuple[ActorName, ...] = ENGINES
    capital_usdt: Decimal = DEFAULT_CAPITAL_USDT
    fees: FeeConfig = field(default_factory=FeeConfig)
    slippage: Decimal = DEFAULT_SLIPPAGE
    settings: dict[str, str] = field(default_factory=dict)
    missing_inputs: tuple[str, ...] = ()
    is_synthetic: bool = False
    command: str = ""

    @property
    def weights(self) -> dict[ActorName, Decimal]:
        """Shares of the capital, summing to exactly 1; 0 for engines that are switched off."""
        given = self.config.orchestrator.weights
        whole = sum((given[engine] for engine in self.engines), Decimal(0))
        shares = {engine: given[engine] / whole if engine in self.engines else Decimal(0) for engine in ENGINES}
        largest = max(shares, key=lambda engine: shares[engine])
        shares[largest] += 1 - sum(shares.values(), Decimal(0))
        return shares

    def configured(self) -> EternalConfig:
        """The configuration with the weights and the daily cycle of the engines that run."""
        old = self.config.orchestrator
        changes = {
            "weights": self.weights,
            "cycle": tuple(engine for engine in old.cycle if engine in self.engines),
            "protective": tuple(engine for engine in old.protective if engine in self.engines),
        }
        return self.config.model_copy(update={"orchestrator": old.model_copy(update=changes)})

    def exchange(self) -> SimConfig:
        """The simulated exchange: accounts with their share of the capital, fees, slippage; no quotas."""
        return SimConfig(accounts=tuple(self._accounts()), fees=self.fees, slippage=self.slippage, rate_limits=False)

    def _accounts(self) -> Sequence[AccountConfig]:
        amounts = {ACCOUNT_OF[engine].value: weight * self.capital_usdt for engine, weight in self.weights.items()}
        found = []
        for account in default_accounts():
            amount = amounts.get(account.name, Decimal(0)).quantize(USDT_UNIT)
            found.append(AccountConfig(account.name, account.uid, {"USDT": amount} if amount else {}))
        return found
