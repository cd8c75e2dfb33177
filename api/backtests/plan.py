"""From what the console asks to the command that carries it out: pure, judged by the command's own rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.backtests.folder import PROGRESS, REPORT, Request
from api.backtests.options import Checked, Options, checked
from api.backtests.parameters import config_of, settings_for
from api.backtests.wanted import BacktestWanted
from api.text import shown
from api.views.arguments import BadValueError
from api.views.days import OptionError
from infra.backtest.plan import BacktestPlan
from infra.config import EternalConfig
from infra.faults import ConfigurationError
from infra.simulator.market.findings import Bounds, HistoryError, period

FIELDS = {
    "--from": "from_day",
    "--to": "to_day",
    "--engines": "engines",
    "--capital": "capital_usdt",
    "--deposit": "deposit",
    "--fees": "fees",
    "--slippage-bps": "slippage_bps",
    "--set": "settings",
}
"""The fields of the console by the options of the command."""

NO_HISTORY = (
    "This installation has no price history for backtests. Fetch it with `eternal history download FOLDER`, set "
    "api.backtest_history = FOLDER, and start the system again; or run on the synthetic market."
)


class RefusedRequestError(BadValueError):
    """A backtest that cannot be asked for so (HTTP 422); the sentence is the command's own, with our fields' names."""

    def __init__(self, field: str, value: object, sentence: str, allowed: tuple[str, ...] = ()) -> None:
        super().__init__(field, value, allowed)
        for option, name in FIELDS.items():
            sentence = sentence.replace(option, name)
        self.sentence = sentence
        self.args = (sentence,)


@dataclass(frozen=True, slots=True)
class Place:
    """What a plan depends on beside the request: the configuration, the policy in force (`policy` None and version 0:
    there is none yet), the folder of price history and which periods it allows (None: not known yet, the run itself
    judges then)."""

    config: EternalConfig
    policy: Mapping[str, Any] | None
    policy_version: int
    history: Path | None
    bounds: Bounds | None


def planned(wanted: BacktestWanted, who: str, place: Place) -> Request:
    """The request of a run. Raises RefusedRequestError."""
    history = place.history if wanted.market == "history" else None
    if wanted.market == "history" and history is None:
        raise RefusedRequestError("market", wanted.market, NO_HISTORY, ("synthetic",))
    try:
        settings = settings_for(place.config, place.policy, wanted.settings)
        config = config_of(settings)
    except ConfigurationError as error:
        sentence = str(error).replace(" (set in the command line)", "")
        raise RefusedRequestError("settings", ", ".join(wanted.settings), f"settings: {sentence}") from None
    options = _options(wanted, history)
    try:
        asked = checked(options, config)
    except OptionError as error:
        field = FIELDS.get(error.option, error.option)
        raise RefusedRequestError(field, error.value, str(error), error.allowed) from None
    _demand_capital(wanted, config, asked)
    if history is not None and place.bounds is not None:
        _demand_period(wanted, asked, place.bounds)
    return Request(
        name=wanted.name.strip(),
        who=who,
        is_synthetic=history is None,
        market=f"synthetic, seed {wanted.seed}" if history is None else f"history, folder {history.name}",
        policy_version=place.policy_version,
        wanted=wanted.model_dump(mode="json"),
        settings=settings,
        arguments=tuple(_arguments(options, settings)),
    )


def _options(wanted: BacktestWanted, history: Path | None) -> Options:
    return Options(
        history=history,
        first=wanted.from_day,
        last=wanted.to_day,
        engines=wanted.engines,
        capital=wanted.capital_usdt,
        deposit=wanted.deposit,
        fees=wanted.fees,
        slippage_bps=wanted.slippage_bps,
        seed=wanted.seed,
    )


def _demand_capital(wanted: BacktestWanted, config: EternalConfig, asked: Checked) -> None:
    """The engines must have weights: `BacktestPlan` judges."""
    try:
        BacktestPlan(market=_NO_MARKET, config=config, engines=asked.engines)
    except ConfigurationError as error:
        raise RefusedRequestError("engines", wanted.engines or "", str(error)) from None


_NO_MARKET: Any = None
"""A plan reads its market only once it is run."""


def _demand_period(wanted: BacktestWanted, asked: Checked, bounds: Bounds) -> None:
    for field, start_ms, end_ms in (("from_day", asked.start_ms, None), ("to_day", asked.start_ms, asked.end_ms)):
        try:
            period(bounds, start_ms, end_ms)
        except HistoryError as error:
            raise RefusedRequestError(field, shown(getattr(wanted, field)), str(error)) from None


def _arguments(options: Options, settings: tuple[str, ...]) -> list[str]:
    """The command's words; each value stands with its option, so that none is taken for an option itself."""
    values: dict[str, object] = {
        "--history": options.history,
        "--from": options.first,
        "--to": options.last,
        "--engines": options.engines,
        "--capital": options.capital,
        "--deposit": options.deposit,
        "--fees": options.fees,
        "--slippage-bps": options.slippage_bps,
        "--seed": options.seed if options.history is None else None,
        "--out": REPORT,
        "--progress": PROGRESS,
    }
    given = [f"{option}={value}" for option, value in values.items() if value is not None]
    return ["backtest", *given, *(f"--set={one}" for one in settings)]
