"""The machine of market data: nothing is announced before the history is complete (DA-1, OR-9)."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class MarketDataState(StrEnum):
    """The progress of the actor's current incarnation."""

    STARTING = "STARTING"
    BACKFILLING = "BACKFILLING"
    READY = "READY"


_S = MarketDataState

MARKET_DATA_TABLE: Table[MarketDataState] = Table(
    "market-data",
    _S.STARTING,
    (
        Row("begin", _S.STARTING, _S.BACKFILLING, "OR-9: all missing data is requested"),
        Row("backfilled", _S.BACKFILLING, _S.READY, "DA-1: the history is complete, closed bars are announced"),
    ),
    {
        _S.STARTING: "Запускается",
        _S.BACKFILLING: "Загрузка истории",
        _S.READY: "Готов",
    },
)


class MarketDataMachine(StateMachine[MarketDataState]):
    """One incarnation of the market-data actor. A restart begins in STARTING again: missed data is read first."""

    __slots__ = ()
    TABLE = MARKET_DATA_TABLE
    IS_BOOKKEEPING = True
