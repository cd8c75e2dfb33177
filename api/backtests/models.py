"""What the interface answers about backtests. Money is text in USDT, rounded to cents: a run computes its statistics in
floats. Fractions are of 1. `_at` is wall time, ISO 8601, UTC; `_ms` are milliseconds UTC of the run's market."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from api.backtests.history import HistoryState
from api.backtests.wanted import BacktestWanted
from statemachines.backtests.run import RunState

Usdt = Annotated[str, Field(description="USDT, to cents", examples=["102345.67"])]
Fraction = Annotated[float, Field(description="a fraction of 1", examples=[0.184])]
WallTime = Annotated[str, Field(description="wall time, ISO 8601, UTC", examples=["2025-01-31T12:00:00.000+00:00"])]
MarketMs = Annotated[int, Field(description="milliseconds UTC, market time of the run", examples=[1735689600000])]


class Answer(BaseModel):
    """Base: what is not described does not occur."""

    model_config = ConfigDict(extra="forbid")


class BacktestProgress(Answer):
    """How far the run is."""

    from_ms: MarketMs
    to_ms: MarketMs = Field(description="end of the period, itself excluded; milliseconds UTC, market time of the run")
    reached_ms: MarketMs = Field(description="the end of the last day that was run; milliseconds UTC")
    part: Fraction = Field(description="the fraction of the period that has been run, 0 to 1")


class KeyFigures(Answer):
    """The figures that matter most. null: they cannot be computed from so few days or trades."""

    from_ms: MarketMs
    ended_ms: MarketMs = Field(description="the last instant that was run; milliseconds UTC")
    is_complete: bool = Field(description="false: the run was ended before the period was")
    days: int = Field(description="count of days with a return")
    capital_usdt: Usdt
    end_equity_usdt: Usdt
    profit_usdt: Usdt
    total_return: Fraction | None = Field(description="of the whole period, deposits taken out; a fraction of 1")
    annual_return: Fraction | None = Field(description="compounded, a year; null for less than a year; a fraction of 1")
    worst_drawdown: Fraction | None = Field(description="0 or less, from the high before; a fraction of 1")
    sharpe: float | None = Field(description="of daily returns, annualised, over cash at 0 %; a number without unit")
    volatility: Fraction | None = Field(description="of daily returns, annualised; a fraction of 1")
    trades: int = Field(description="count of round trips that were closed")
    fills: int = Field(description="count of executions")


class EngineFigures(Answer):
    """What one engine did. A name as the run has it; TOTAL is all of them."""

    engine: str
    profit_usdt: Usdt
    total_return: Fraction | None
    worst_drawdown: Fraction | None
    sharpe: float | None = Field(description="annualised; a ratio, a number without unit")
    trades: int = Field(description="count of round trips that were closed")
    fees_usdt: Usdt
    slippage_usdt: Usdt
    funding_usdt: Usdt = Field(description="funding received less paid; USDT, to cents")


class Benchmark(Answer):
    """What holding would have brought in the same period."""

    name: str
    total_return: Fraction | None
    annual_return: Fraction | None
    worst_drawdown: Fraction | None
    sharpe: float | None = Field(description="annualised; a ratio, a number without unit")


class CurvePoint(Answer):
    """The close of a day. Growth begins at 1 and leaves deposits out."""

    at_ms: MarketMs
    equity_usdt: Usdt
    growth: float = Field(description="of 1 unit of capital since the start; without unit")
    btc_growth: float | None = Field(
        description="of 1 unit in BTC that is held; null before BTC has a price; without unit"
    )


class BacktestFinding(Answer):
    """A sentence that the report says about the run."""

    weight: str = Field(examples=["FAULT", "LOSS", "NOTE"])
    text: str


class Backtest(Answer):
    """A backtest that was started here. Every figure of a synthetic market shows that the machinery works, and says
    nothing about what the strategies would have earned."""

    run_id: str
    name: str = Field(description="as it was named by the person who started it; may be empty")
    who: str = Field(description="who started it")
    state: RunState
    russian: str
    reason: str = Field(description="why it is in this state; empty while it waits")
    created_at: WallTime
    started_at: WallTime | None
    ended_at: WallTime | None
    waits_for: int = Field(description="count of runs before it, while it waits; else 0")
    is_cancelling: bool = Field(description="cancelled, and not ended yet")
    canceller: str = Field(description="who cancelled it; empty when it is not cancelled")
    is_synthetic: bool
    market: str
    policy_version: int = Field(description="version of the policy; 0: the configuration's parameters")
    settings: list[str] = Field(description="every parameter that is not the specification's, as section.field=value")
    wanted: BacktestWanted | None = Field(description="what was asked for; null when it cannot be read any more")
    progress: BacktestProgress | None
    has_report: bool
    figures: KeyFigures | None


class BacktestDetail(Answer):
    """What a run has brought: its figures, its engines, what holding would have brought, and its equity curve."""

    run_id: str
    figures: KeyFigures
    engines: list[EngineFigures]
    benchmarks: list[Benchmark]
    findings: list[BacktestFinding]
    missing_inputs: list[str]
    paid_in_usdt: Usdt
    market: str
    is_synthetic: bool
    version: str = Field(description="of the program that ran it")
    commit: str = Field(description="of its code; unknown outside of a checkout")
    data_hash: str = Field(description="SHA-256 of the history files; empty for an invented market")
    curve: list[CurvePoint] = Field(
        description="at most 600 points, oldest first; the first and the last are always in"
    )


class ComparedBacktest(Answer):
    """One run of a comparison."""

    run: Backtest
    detail: BacktestDetail


class BacktestComparison(Answer):
    """Runs side by side, in the order in which they were asked for. `differences` says what must be known to read it:
    other markets, periods or versions."""

    runs: list[ComparedBacktest]
    differences: list[str]


class HistoryOffered(Answer):
    """The price history that runs can use."""

    state: HistoryState
    folder: str = Field(description="its name, without the path; empty when there is none")
    first_day: str | None = Field(description="where a run begins without from_day; UTC", examples=["2019-11-28"])
    earliest_day: str | None = Field(description="the earliest day at which a run can begin; UTC")
    last_day: str | None = Field(description="the last day; UTC")
    text: str = Field(description="a sentence about it")


class BacktestOptions(Answer):
    """What a backtest can be asked for here, and whether another one can be taken now."""

    history: HistoryOffered
    defaults: BacktestWanted
    engines: list[str] = Field(description="what `engines` takes")
    policy_version: int = Field(description="the version of the policy that a run would use; 0: the configuration's")
    kept: int = Field(description="count of runs that are kept")
    most_kept: int = Field(description="count of runs that can be kept")
    most_waiting: int = Field(description="count of runs that can wait")
    obstacle: str = Field(description="why no further run can be taken now; empty when one can")


class BacktestRemoved(Answer):
    """That a run is gone, with its report."""

    run_id: str
    text: str
