"""Market data: closed bars, settled rates, quotes, instrument rules, external values, all checked (DA-1, DA-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from actors.runtime.actor import Actor
from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.messages.market import (
    BarsClosed,
    DataUnusable,
    DayClosed,
    FiltersRefused,
    FundingSettled,
    InstrumentsKnown,
    InsuranceSeen,
    QuotesSeen,
    WithdrawalsSeen,
)
from statemachines.values import ActorName

if TYPE_CHECKING:
    from statemachines.actor_logic import ActorLogic
    from statemachines.fsm import Table
    from statemachines.market_data.parameters import MarketDataParameters


class MarketData(Actor):
    """Closed bars, funding, quotes, feeds."""


def _logic(parameters: MarketDataParameters, _installation: str) -> ActorLogic:
    from statemachines.market_data.logic import MarketDataLogic

    return MarketDataLogic(parameters)


def _table() -> Table[Any]:
    from statemachines.market_data.machine import MARKET_DATA_TABLE

    return MARKET_DATA_TABLE


def _usability_table() -> Table[Any]:
    from statemachines.unusable_data import USABILITY_TABLE

    return USABILITY_TABLE


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
            WithdrawalsSeen,
            QuotesSeen,
            InstrumentsKnown,
            DataUnusable,
        ),
        machines=(
            MachineSpec(
                name="market-data",
                about="DA-1, OR-9: nothing is announced before the history is complete.",
                table=_table,
                rows="market",
            ),
            MachineSpec(
                name="usability",
                about="DA-3: whether one kind of data of a market or account may be used.",
                table=_usability_table,
                rows=None,
            ),
        ),
    ),
)
