"""DA-2: which rules of TACTICAL are inactive for lack of an external value, and the alerts about it.

Market data reports a source that does not respond; the effect of a missing or old value is decided here, by the rules
that read the values (A5, A6).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from statemachines.commands import Alert, AlertEnded
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.rules import Conditions, Published, VolatilitySource

FEAR_GREED, VOLATILITY = "fear_greed", "volatility"


def source_alerts(
    conditions: Conditions, fear_greed: Sequence[Published], dvol: Sequence[Published], parameters: TacticalParameters
) -> list[Alert | AlertEnded]:
    """One condition per source, open or ended, at every cycle; the text is the same while nothing changes."""
    return [
        _fear_greed(conditions, fear_greed, parameters.fear_greed_max_age_h),
        _volatility(conditions, dvol, parameters.dvol_max_age_h),
    ]


def _fear_greed(conditions: Conditions, values: Sequence[Published], max_age_h: int) -> Alert | AlertEnded:
    if conditions.fear_greed is not None:
        return AlertEnded(FEAR_GREED, "a valid value has arrived; TA-2 is active")
    text = (
        f"{_newest('Fear & Greed', values)}; a value is valid for {max_age_h} h (A5). TA-2 is inactive until a newer "
        "value arrives; the other rules are unaffected. Check the source if this persists."
    )
    return Alert("warning", "TACTICAL: no valid Fear & Greed index", text, FEAR_GREED)


def _volatility(conditions: Conditions, closes: Sequence[Published], max_age_h: int) -> Alert | AlertEnded:
    if conditions.volatility_source is VolatilitySource.DVOL:
        return AlertEnded(VOLATILITY, "a valid close of DVOL has arrived")
    missing = f"{_newest('DVOL', closes)}; a close is valid for {max_age_h} h (A6)."
    if conditions.volatility_source is VolatilitySource.REALISED:
        text = f"{missing} TA-3 uses BTC's realised volatility instead. No action is required."
        return Alert("info", "TACTICAL: realised volatility in place of DVOL", text, VOLATILITY)
    text = (
        f"{missing} BTC's realised volatility is not known either, since daily closes are missing. The volatility "
        "rule of TA-3 is inactive until one of them is known. Check the sources if this persists."
    )
    return Alert("warning", "TACTICAL: no volatility is known", text, VOLATILITY)


def _newest(name: str, values: Sequence[Published]) -> str:
    if not values:
        return f"No value of {name} has been received"
    newest_ms = max(one.market_ms for one in values)
    return f"The newest value of {name} is of {datetime.fromtimestamp(newest_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
