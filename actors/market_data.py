"""Market data: closed bars, settled rates, quotes, instrument rules, external values, all checked (DA-1, DA-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.runtime.actor import Actor
from actors.runtime.spec import ActorSpec, Stage
from statemachines.messages import (
    BarsClosed,
    DataUnusable,
    DayClosed,
    FiltersRefused,
    FundingSettled,
    InstrumentsKnown,
    InsuranceSeen,
    QuotesSeen,
)
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.market_data.parameters import MarketDataParameters


class MarketData(Actor):
    """Closed bars, funding, quotes, feeds."""


def _logic(parameters: MarketDataParameters, _installation: str) -> ActorLogic:
    from statemachines.market_data.logic import MarketDataLogic

    return MarketDataLogic(parameters)


SPECS = (
    ActorSpec(
        name=ActorName.MARKET_DATA,
        about="Market data: closed bars, funding, quotes, feeds (DA-1).",
        stage=Stage.MARKET_DATA,
        turn=1,
        waits_for=(),
        section="market_data",
        logic=_logic,
        actor_class=MarketData,
        subscribes=(FiltersRefused,),
        sends=(
            BarsClosed,
            DayClosed,
            FundingSettled,
            InsuranceSeen,
            QuotesSeen,
            InstrumentsKnown,
            DataUnusable,
        ),
    ),
)
