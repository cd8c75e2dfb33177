"""What the console may ask of a backtest. The options' own judge (`api.backtests.options`) judges the values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.backtests.options import CAPITAL_USDT, SEED, SLIPPAGE_BPS
from api.control import Printable
from api.policy_changes import Settings

Short = Annotated[Printable, Field(max_length=40)]
MAX_SEED = 2**32 - 1


class BacktestWanted(BaseModel):
    """A backtest to be run. A field that is absent or null takes the command's own default."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Printable, Field(max_length=80)] = Field(
        default="", description="a name of your own, to know it again", examples=["slower trend"]
    )
    market: Literal["history", "synthetic"] = Field(
        default="history", description="the recorded prices of this installation, or an invented market"
    )
    from_day: Short | None = Field(default=None, description="first market day, UTC", examples=["2020-01-01"])
    to_day: Short | None = Field(default=None, description="last market day, UTC, itself included")
    engines: Annotated[Printable, Field(max_length=120)] | None = Field(
        default=None,
        description="names of the engines that run, separated by commas; null: all",
        examples=["trend,funding"],
    )
    capital_usdt: Short = Field(default=CAPITAL_USDT, description="USDT at the start, a decimal, 1000 to 1,000,000,000")
    deposit: Short | None = Field(
        default=None, description="USDT that comes in each day, week or month", examples=["1000/month"]
    )
    fees: Annotated[Printable, Field(max_length=120)] | None = Field(
        default=None,
        description="fractions of the notional: spot taker, spot maker, perpetual taker, perpetual maker",
        examples=["0.001,0.001,0.00055,0.0002"],
    )
    slippage_bps: Short = Field(
        default=SLIPPAGE_BPS, description="what a taker pays, hundredths of a per cent of the price, 0 to 1000"
    )
    seed: int = Field(
        default=SEED, ge=0, le=MAX_SEED, description="seed of the synthetic market, a number without unit"
    )
    settings: Settings = Field(
        default=[],
        description="section.field=value on top of the policy in force",
        examples=[["trend.adx_threshold=20"]],
    )
