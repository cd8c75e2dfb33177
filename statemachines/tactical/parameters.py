"""Configuration of TACTICAL with the specification's numbers as defaults. Shares, falls and gains are fractions."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from statemachines.limits.parameter_checks import Order, in_words
from statemachines.limits.shared_defaults import CAUTION_SIZE_FACTOR, MAX_SLIPPAGE, SPOT_TAKER_FEE
from statemachines.parameters import Coin, FeeRate, ParameterModel, PositiveUsdt, SetBy, Unit
from statemachines.values import SPOT

Fraction = Annotated[Decimal, Field(ge=0, le=1), Unit("fraction of 1")]
Fall = Annotated[Decimal, Field(gt=-1, lt=0), Unit("negative fraction of 1")]
Gain = Annotated[Decimal, Field(gt=0, le=100), Unit("fraction of the cost")]
DAYS_OF_A_MONTH = 30

Hours = Annotated[int, Field(gt=0, le=8_760), Unit("hours")]


class TacticalParameters(ParameterModel):
    """All thresholds of TA-1 to TA-10."""

    ath_seed_usdt: PositiveUsdt | None = Field(default=None, examples=[Decimal(19_666)])
    """Highest daily close of BTC from before the supplied history; not set, the history decides (TA-10, A1)."""

    history_days: Annotated[int, Field(ge=31, le=10_000)] = 3_000
    """Daily closes of BTC that are read to find the highest one (TA-10, A1)."""

    level_1_fall: Fall = Decimal("-0.50")
    """BTC's fall from its highest daily close at which level 1 deploys (TA-1)."""

    level_1_share: Fraction = Decimal("0.50")
    """Part of the cash that level 1 deploys; the rest is reserved for level 2 (TA-1, A2)."""

    level_2_fall: Fall = Decimal("-0.70")
    """BTC's fall from its highest daily close at which level 2 deploys (TA-1)."""

    level_2_share_of_other_cash: Fraction = Decimal("0.50")
    """Part of the cash outside the reserve that level 2 deploys beside the reserve (TA-1, A2)."""

    fear_greed_below: Annotated[int, Field(ge=0, le=100), Unit("index points")] = 20
    """A Fear & Greed index below it triggers a deployment (TA-2)."""

    fear_greed_max_age_h: Hours = 48
    """Oldest value of the index that counts (TA-2, A5)."""

    funding_below: Annotated[Decimal, Field(ge=-1, le=1), Unit("fraction of the notional per 8 hours")] = Decimal(
        "-0.0005"
    )
    """A mean funding rate of BTC below it triggers a deployment (TA-3, A6)."""

    funding_settlements: Annotated[int, Field(ge=1, le=100), Unit("settlements")] = 9
    """Number of settlements that the mean covers (TA-3, A6)."""

    volatility_above_pct: Annotated[Decimal, Field(gt=0, le=1_000)] = Decimal(80)
    """A volatility of BTC above it triggers a deployment (TA-3, A6)."""

    dvol_max_age_h: Hours = 48
    """Oldest close of DVOL that counts; without one the realised volatility does (TA-3, A6)."""

    panic_fall: Fall = Decimal("-0.20")
    """Funding and volatility count only while BTC has fallen at least this far from its highest close (TA-3, A6)."""

    panic_share: Fraction = Decimal("0.25")
    """Part of the cash outside the reserve that a trigger of TA-2 or TA-3 deploys (TA-2, TA-3, A3)."""

    shares: dict[Coin, Fraction] = Field(default_factory=lambda: {"BTC": Decimal("0.80"), "ETH": Decimal("0.20")})
    """How a deployment is split; the shares add up to 1 and name BTC (TA-4)."""

    max_share_per_event: Fraction = Decimal("0.50")
    """Largest part of the cash in one deployment; level 2 is not bound by it (TA-5, A2)."""

    days_between: Annotated[int, Field(ge=0, le=3_650), Unit("days")] = 30
    """Least time between two deployments (TA-5, A4)."""

    max_slippage: Annotated[Fraction, SetBy("orders.max_slippage")] = MAX_SLIPPAGE
    """A purchase must be payable at a price so much worse than the last one (EX-3, A2)."""

    spot_fee_rate: Annotated[FeeRate, SetBy("engines.funding.spot_fee_rate")] = SPOT_TAKER_FEE
    """The venue's taker fee on spot; what it may take stays in cash (A2)."""

    caution_size_factor: Annotated[Fraction, SetBy("risk.caution_size_factor")] = CAUTION_SIZE_FACTOR
    """What a deployment is multiplied by in CAUTION (R2)."""

    min_deployment_usdt: Annotated[Decimal, Field(ge=0, le=10**12)] = Decimal(100)
    """Smallest deployment; a smaller one waits (A3)."""

    min_deployment_share_of_target: Fraction = Decimal("0.01")
    """Smallest deployment as a part of the engine's target; the larger of the two minimums counts (A3)."""

    profit_target: Gain = Decimal(1)
    """Gain at which a deployment is sold and returns to CORE-HODL (TA-6, A7)."""

    fast_profit: Gain = Decimal("0.50")
    """Gain at which a part of a young deployment is sold, once (TA-7)."""

    fast_profit_days: Annotated[int, Field(ge=0, le=3_650)] = 90
    """Until what age a deployment counts as young (TA-7)."""

    fast_profit_sells: Fraction = Decimal("0.50")
    """Part of the young deployment that is sold (TA-7)."""

    hold_months: Annotated[int, Field(ge=1, le=120)] = 12
    """Age at which the coins of a deployment return to CORE-HODL (TA-6, A7)."""

    hold_fall: Fall = Decimal("-0.30")
    """A result below this is recorded; the deployment is held (TA-8)."""

    retry_s: Annotated[int, Field(gt=0, le=3_600)] = 60
    """An order of a deployment that has not ended within this market time is cancelled and tried again (TA-9)."""

    attempts: Annotated[int, Field(ge=1, le=20), Unit("attempts")] = 3
    """How often an order of a deployment is tried (TA-9)."""

    coin_transfer_step: Annotated[Decimal, Field(gt=0, le=1), Unit("coins")] = Decimal("0.00000001")
    """Coins that return to CORE-HODL are rounded down to multiples of it (TA-6)."""

    usdt_transfer_step: Annotated[Decimal, Field(gt=0, le=1), Unit("USDT")] = Decimal("0.0001")
    """USDT that return to CORE-HODL are rounded down to multiples of it (TA-6)."""

    RELATIONS: ClassVar[tuple[Order, ...]] = (
        Order("level_2_fall", "below", "level_1_fall", "TA-1"),
        Order("level_1_share", "at most", "max_share_per_event", "TA-1, TA-5"),
        Order("panic_share", "at most", "max_share_per_event", "TA-2, TA-3, TA-5"),
        Order("fast_profit", "below", "profit_target", "TA-6, TA-7"),
    )

    @property
    def traded(self) -> Mapping[str, frozenset[str]]:
        return {"shares": frozenset(f"{SPOT}:{coin}USDT" for coin, share in self.shares.items() if share)}

    @model_validator(mode="after")
    def _ends_youth_before_the_return(self) -> Self:
        most_days = self.hold_months * DAYS_OF_A_MONTH
        if self.fast_profit_days > most_days:
            raise ValueError(
                f"fast_profit_days {self.fast_profit_days} must be at most hold_months {self.hold_months}, which is "
                f"{most_days} days (TA-6, TA-7)"
            )
        return self

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(self.shares.values()) != 1:
            total = sum(self.shares.values())
            raise ValueError(
                f"shares {in_words(self.shares)} add up to {total}; they must add up to 1, and a coin that is not "
                "bought has 0 (TA-4)"
            )
        if "BTC" not in self.shares:
            raise ValueError(f"shares {in_words(self.shares)} lack BTC, whose high the levels are measured from (TA-1)")
        return self
