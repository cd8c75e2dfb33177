"""The machine of market data: nothing is announced before the history is complete (DA-1, OR-9)."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class MarketDataState(StrEnum):
    """How far the actor has come in this life."""

    STARTING = "STARTING"
    BACKFILLING = "BACKFILLING"
    READY = "READY"


_S = MarketDataState

MARKET_DATA_TABLE: Table[MarketDataState] = Table(
    "market-data",
    _S.STARTING,
    (
        Row("begin", _S.STARTING, _S.BACKFILLING, "OR-9: everything that is missing is asked for"),
        Row("backfilled", _S.BACKFILLING, _S.READY, "DA-1: the history is complete, closed bars are announced"),
    ),
    {
        _S.STARTING: "Запускается",
        _S.BACKFILLING: "Загрузка истории",
        _S.READY: "Готов",
    },
)


class MarketDataMachine(StateMachine[MarketDataState]):
    """One life of the market-data actor. A restart begins in STARTING again: what was missed is read first."""

    __slots__ = ()
    TABLE = MARKET_DATA_TABLE
    IS_BOOKKEEPING = True
