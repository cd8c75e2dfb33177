"""The regime as a machine (OR-2): five regimes, each of which follows any other once it has won for the dwell (O1)."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class Regime(StrEnum):
    """The regimes in their order of precedence: the first whose condition holds wins the close (OR-2)."""

    BEAR = "BEAR"
    HIGH_VOLATILITY = "HIGH_VOLATILITY"
    STRONG_BULL = "STRONG_BULL"
    PRE_HALVING = "PRE_HALVING"
    DEFAULT = "DEFAULT"


_R = Regime
_BEAR = "OR-2, O1: close and SMA50 below SMA200 on 14 closes running"
_VOLATILE = "OR-2, O1: volatility above 80 % on 14 closes running, and no bear market"
_BULL = "OR-2, O1: ADX above 40 and close above SMA200 on 14 closes running, and none of the former"
_HALVING = "OR-2, O1: within 180 days of a halving on 14 closes running, and none of the former"
_NONE = "OR-1, O1: no regime's condition holds on 14 closes running"

REGIME_TABLE: Table[Regime] = Table(
    "regime",
    _R.DEFAULT,
    (
        Row("bear", _R.DEFAULT, _R.BEAR, _BEAR),
        Row("bear", _R.HIGH_VOLATILITY, _R.BEAR, _BEAR),
        Row("bear", _R.STRONG_BULL, _R.BEAR, _BEAR),
        Row("bear", _R.PRE_HALVING, _R.BEAR, _BEAR),
        Row("high_volatility", _R.DEFAULT, _R.HIGH_VOLATILITY, _VOLATILE),
        Row("high_volatility", _R.BEAR, _R.HIGH_VOLATILITY, _VOLATILE),
        Row("high_volatility", _R.STRONG_BULL, _R.HIGH_VOLATILITY, _VOLATILE),
        Row("high_volatility", _R.PRE_HALVING, _R.HIGH_VOLATILITY, _VOLATILE),
        Row("strong_bull", _R.DEFAULT, _R.STRONG_BULL, _BULL),
        Row("strong_bull", _R.BEAR, _R.STRONG_BULL, _BULL),
        Row("strong_bull", _R.HIGH_VOLATILITY, _R.STRONG_BULL, _BULL),
        Row("strong_bull", _R.PRE_HALVING, _R.STRONG_BULL, _BULL),
        Row("pre_halving", _R.DEFAULT, _R.PRE_HALVING, _HALVING),
        Row("pre_halving", _R.BEAR, _R.PRE_HALVING, _HALVING),
        Row("pre_halving", _R.HIGH_VOLATILITY, _R.PRE_HALVING, _HALVING),
        Row("pre_halving", _R.STRONG_BULL, _R.PRE_HALVING, _HALVING),
        Row("default", _R.BEAR, _R.DEFAULT, _NONE),
        Row("default", _R.HIGH_VOLATILITY, _R.DEFAULT, _NONE),
        Row("default", _R.STRONG_BULL, _R.DEFAULT, _NONE),
        Row("default", _R.PRE_HALVING, _R.DEFAULT, _NONE),
    ),
    {
        _R.BEAR: "Медвежий рынок",
        _R.HIGH_VOLATILITY: "Высокая волатильность",
        _R.STRONG_BULL: "Сильный бычий рынок",
        _R.PRE_HALVING: "Перед халвингом",
        _R.DEFAULT: "Базовая аллокация",
    },
)

MACHINE = "regime"
"""Its key in the journal: there is one."""


class RegimeMachine(StateMachine[Regime]):
    """The regime that rules; its trigger is the winner's name in lower case."""

    __slots__ = ()
    TABLE = REGIME_TABLE
