"""What a backtest may be asked to run: the one judge of its options, for the command line and the console alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

from api.views.days import OptionError, parse_day, start_ms
from infra.backtest.deposits import Period, RegularDeposit
from infra.config import EternalConfig
from infra.simulator.config import FeeConfig
from infra.simulator.venue.money import USDT_UNIT
from statemachines.values import DAY_MS, ENGINES, ActorName

NAMES: dict[str, tuple[ActorName, ...]] = {
    **{str(engine): (engine,) for engine in ENGINES},
    "core": (ActorName.CORE_HODL,),
    "trend": (ActorName.TREND_1, ActorName.TREND_2),
}
"""What `--engines` takes: every engine's name, and two short ones."""

CAPITAL_USDT = "100000"
SLIPPAGE_BPS = "2"
SEED = 2
LEAST_CAPITAL_USDT, MOST_CAPITAL_USDT = Decimal(1_000), Decimal(10**9)
MAX_SLIPPAGE_BPS = 1_000
SYNTHETIC_DAYS = 365
SYNTHETIC_START = date(2025, 1, 1)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user gave, as text."""

    history: Path | None
    first: str | None
    last: str | None
    engines: str | None
    capital: str
    deposit: str | None
    fees: str | None
    slippage_bps: str
    seed: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What `checked` has read: instants in milliseconds UTC, the end excluded; None: as the market has it. `slippage`
    is a fraction of the price."""

    start_ms: int | None
    end_ms: int | None
    engines: tuple[ActorName, ...]
    capital_usdt: Decimal
    deposit: RegularDeposit | None
    fees: FeeConfig
    slippage: Decimal


def checked(options: Options, config: EternalConfig) -> Checked:
    """The options, read and judged; the market's own content is judged when it is opened. Raises OptionError."""
    start, end = _period(options)
    return Checked(
        start_ms=start,
        end_ms=end,
        engines=_engines(options.engines, config.orchestrator.weights),
        capital_usdt=_decimal("--capital", options.capital, LEAST_CAPITAL_USDT, MOST_CAPITAL_USDT),
        deposit=_deposit(options.deposit),
        fees=_fees(options.fees),
        slippage=_decimal("--slippage-bps", options.slippage_bps, Decimal(0), Decimal(MAX_SLIPPAGE_BPS)) / 10_000,
    )


def _period(options: Options) -> tuple[int | None, int | None]:
    start = None if options.first is None else start_ms(parse_day("--from", options.first))
    end = None if options.last is None else start_ms(parse_day("--to", options.last)) + DAY_MS
    if start is not None and end is not None and start >= end:
        raise OptionError(
            f"--from {options.first} must not be after --to {options.last}.",
            option="--from",
            value=str(options.first),
            allowed=[f"until {options.last}"],
        )
    if options.history is not None:
        return start, end
    if start is None:
        start = start_ms(SYNTHETIC_START)
    if end is None:
        return start, start + SYNTHETIC_DAYS * DAY_MS
    if start >= end:
        raise OptionError(
            f"--to {options.last} must not be before {SYNTHETIC_START}, where the market begins without --from.",
            option="--to",
            value=str(options.last),
            allowed=[f"from {SYNTHETIC_START} on"],
        )
    return start, end


def _engines(text: str | None, weights: Mapping[ActorName, Decimal]) -> tuple[ActorName, ...]:
    if text is None:
        return ENGINES
    chosen: set[ActorName] = set()
    for name in (one.strip() for one in text.split(",")):
        if name not in NAMES:
            allowed = tuple(NAMES)
            raise OptionError(
                f"--engines {name!r} is no engine; allowed are {', '.join(allowed)}.",
                option="--engines",
                value=name,
                allowed=allowed,
            )
        if not any(weights[engine] for engine in NAMES[name]):  # as every further engine has at first
            setting = f"orchestrator.weights.{NAMES[name][0]}"
            raise OptionError(
                f"--engines {name!r} is refused: its weight {setting} is 0, so that it has no capital. Give it one by "
                f"--set {setting}=0.1, for example, and another engine so much less: all weights add up to 1 (OR-1).",
                option="--engines",
                value=name,
            )
        chosen.update(NAMES[name])
    return tuple(engine for engine in ENGINES if engine in chosen)


def _deposit(text: str | None) -> RegularDeposit | None:
    if text is None:
        return None
    amount, slash, period = text.partition("/")
    if not slash or period not in set(Period):
        raise OptionError(
            f"--deposit {text!r} is refused; an amount of USDT per {', '.join(Period)} is allowed, e.g. 1000/month.",
            option="--deposit",
            value=text,
            allowed=[f"AMOUNT/{one}" for one in Period],
        )
    usdt = _decimal("--deposit", amount, Decimal(1), Decimal(10**9))
    if usdt != usdt.quantize(USDT_UNIT):
        raise OptionError(
            f"--deposit {usdt} has more than the eight decimals that USDT has.", option="--deposit", value=text
        )
    return RegularDeposit(usdt, Period(period))


def _fees(text: str | None) -> FeeConfig:
    if text is None:
        return FeeConfig()
    parts = text.split(",")
    if len(parts) != 4:
        raise OptionError(
            f"--fees {text!r} has {len(parts)} parts; four fractions are required: spot taker, spot maker, perpetual "
            "taker, perpetual maker, e.g. 0.001,0.001,0.00055,0.0002.",
            option="--fees",
            value=text,
        )
    return FeeConfig(*(_decimal("--fees", part, Decimal("-0.001"), Decimal("0.05")) for part in parts))


def _decimal(name: str, text: str, least: Decimal, most: Decimal) -> Decimal:
    allowed = f"{least} to {most:,}"
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise OptionError(
            f"{name} {text!r} is no number; allowed is {allowed}.", option=name, value=text, allowed=[allowed]
        ) from None
    if not value.is_finite() or not least <= value <= most:
        raise OptionError(
            f"{name} {text} is refused; allowed is {allowed}.", option=name, value=text, allowed=[allowed]
        )
    return value
