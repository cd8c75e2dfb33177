"""What a backtest is asked to run: market, period, capital, engines, costs; and how it differs from the defaults."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from infra.backtest.deposits import RegularDeposit
from infra.config import ConfigurationError, EternalConfig
from infra.simulator.config import AccountConfig, FeeConfig, SimConfig, default_accounts, with_further
from infra.simulator.market.port import Market
from infra.simulator.venue.money import USDT_UNIT
from statemachines.values import ACCOUNT_OF, ENGINES, IDENTITY_OF, LINEAR, SPOT, ActorName

DEFAULT_CAPITAL_USDT = Decimal(100_000)
DEFAULT_SLIPPAGE = Decimal("0.0002")
"""Share of the price that a taker is modelled to lose: 2 basis points."""


TREND_SYMBOLS = ("BTCUSDT", "ETHUSDT")
ALL_RATES = 1_000_000


@dataclass(frozen=True, slots=True)
class BacktestPlan:
    """`config` carries the rules' parameters, from whatever source.

    The engines that run share the whole capital in the proportions of OR-1; the others are switched off and have none.
    `slippage` is a fraction of the price, paid by takers; `deposit` comes into the master account from outside.
    `command` is what the user typed, `data_hash` the digest of the history files, `commit` the code's.

    Raises:
        ConfigurationError: the engines have no weight, so that there is nothing to share the capital by.
    """

    market: Market
    config: EternalConfig
    engines: tuple[ActorName, ...] = ENGINES
    capital_usdt: Decimal = DEFAULT_CAPITAL_USDT
    fees: FeeConfig = field(default_factory=FeeConfig)
    slippage: Decimal = DEFAULT_SLIPPAGE
    deposit: RegularDeposit | None = None
    missing_inputs: tuple[str, ...] = ()
    is_synthetic: bool = False
    command: str = ""
    data_hash: str = ""
    commit: str = ""

    def __post_init__(self) -> None:
        if not any(self.config.orchestrator.weights[engine] for engine in self.engines):
            names = ", ".join(self.engines) or "none"
            raise ConfigurationError(
                [f"The engines {names} cannot be run: their orchestrator.weights add up to 0; more than 0 is required."]
            )

    @property
    def weights(self) -> dict[ActorName, Decimal]:
        """Shares of the capital, summing to exactly 1; 0 for engines that are switched off."""
        given = self.config.orchestrator.weights
        whole = sum((given[engine] for engine in self.engines), Decimal(0))
        shares = {engine: given[engine] / whole if engine in self.engines else Decimal(0) for engine in ENGINES}
        largest = max(shares, key=lambda engine: shares[engine])
        shares[largest] += 1 - sum(shares.values(), Decimal(0))
        return shares

    def active_from_ms(self) -> dict[str, int]:
        """Since when the market has what each engine trades on, by the account's name: before, the engine can do
        nothing and has no figures. Engines for which it never has are missing."""
        listed = {pair: self.market.listed_from_ms(*pair) for pair in self.market.symbols()}
        spot = [at for (category, _), at in listed.items() if category == SPOT]
        trend = [listed[LINEAR, symbol] for symbol in TREND_SYMBOLS if (LINEAR, symbol) in listed]
        carry = [
            max(listed[SPOT, symbol], at, settled)
            for (category, symbol), at in listed.items()
            if category == LINEAR and (SPOT, symbol) in listed and (settled := self._first_settled(symbol)) is not None
        ]
        begins: dict[frozenset[str], list[int]] = {
            frozenset({SPOT}): spot,
            frozenset({LINEAR}): trend,
            frozenset({SPOT, LINEAR}): carry,
        }
        found = {}
        for engine in self.engines:
            traded = frozenset(series.partition(":")[0] for series in IDENTITY_OF[engine].universe)
            if since := begins.get(traded):
                found[ACCOUNT_OF[engine].value] = min(since)
        return found

    def _first_settled(self, symbol: str) -> int | None:
        end_ms = self.market.end_ms
        settled = self.market.funding_history(symbol, 0, end_ms, ALL_RATES, end_ms)
        return settled[-1][0] if settled else None

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
        return SimConfig(
            accounts=tuple(self._accounts()),
            fees=self.fees,
            slippage=self.slippage,
            rate_limits=False,
            earn_yield=self.config.engines.core_hodl.staking.replay_yield,
        )

    def _accounts(self) -> Sequence[AccountConfig]:
        amounts = {ACCOUNT_OF[engine].value: weight * self.capital_usdt for engine, weight in self.weights.items()}
        found = []
        for account in with_further(default_accounts(), tuple(amounts)):
            amount = amounts.get(account.name, Decimal(0)).quantize(USDT_UNIT)
            found.append(AccountConfig(account.name, account.uid, {"USDT": amount} if amount else {}))
        return found
