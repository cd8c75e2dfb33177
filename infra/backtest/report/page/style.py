"""Colours and style of the page: one colour per engine, everywhere."""

from __future__ import annotations

from importlib.resources import files
from itertools import cycle

from infra.backtest.records import ENGINES, TOTAL
from infra.backtest.report.series import BTC_HOLD, CASH, MASTER, MIX_HOLD

INK = "#1d2733"
MUTED = "#66727f"
RULE = "#e3e7eb"
OF_FURTHER_ENGINES = ("#2c9aa0", "#8c6d46", "#5a5fcf", "#a0a13a")
COLOURS = {
    **dict(zip(ENGINES, cycle(OF_FURTHER_ENGINES), strict=False)),
    TOTAL: INK,
    "CORE-HODL": "#2b6cb0",
    "TREND-1": "#2f855a",
    "TREND-2": "#74ad5b",
    "FUNDING": "#c9821c",
    "TACTICAL": "#b83a5e",
    MASTER: "#9aa5b1",
    BTC_HOLD: "#7b55c4",
    MIX_HOLD: "#b39ddb",
    CASH: "#9aa5b1",
}
DASHES = {BTC_HOLD: "dash", MIX_HOLD: "dash", CASH: "dot"}
STATES = (
    ("#dbe2e8", ("SCANNING", "MONITORING", "CASH_ACCUMULATION", "ACCUMULATION", "NORMAL", "RUNNING", "IDLE")),
    ("#b9cfe4", ("MARKET_MONITORING", "EARN_OPTIMIZATION", "INITIALIZATION")),
    ("#e0b44c", ("SIGNAL_DETECTED", "OPPORTUNITY_DETECTED", "TRIGGER_DETECTED", "ENTRY", "REBALANCING", "CAUTION")),
    ("#2f855a", ("IN_POSITION", "FUNDING_COLLECTION", "DEPLOYMENT")),
    ("#c9821c", ("TRAILING_STOP", "MAX_HOLD_DAYS", "EXIT", "RETURN_TO_CORE", "PROFIT_TARGET_REACHED", "PAUSED")),
    ("#b83a5e", ("STOP_TRIGGERED", "FUNDING_NEGATIVE", "REDUCE_ONLY", "HALTED", "FAULTED")),
)
"""Colour per kind of state: at rest, getting ready, deciding, at work, leaving, in trouble."""
OTHER_STATE = "#8795a3"


def state_colour(state: str) -> str:
    """The colour of a state by its kind; grey for one that is not known here."""
    return next((colour for colour, states in STATES if state in states), OTHER_STATE)


CSS = (files(__package__) / "style.css").read_text(encoding="utf-8")
SCRIPT = (files(__package__) / "script.js").read_text(encoding="utf-8")
