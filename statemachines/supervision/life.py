"""The life cycle of a component as the orchestrator sees it (OR-8, OR-9)."""

from __future__ import annotations

from enum import StrEnum

from statemachines.fsm import Row, StateMachine, Table


class ComponentState(StrEnum):
    """The states of a component's life cycle."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RECOVERING = "RECOVERING"
    RUNNING = "RUNNING"
    SUSPECT = "SUSPECT"
    FAILED = "FAILED"
    BACKOFF = "BACKOFF"
    FAULTED = "FAULTED"


_C = ComponentState

ALIVE = frozenset({_C.STARTING, _C.RECOVERING, _C.RUNNING, _C.SUSPECT})
"""States in which a process of the component exists, as far as is known."""


def _rows() -> tuple[Row[ComponentState], ...]:
    stops = tuple(Row("stop", s, _C.STOPPED, "the operator or the end of the run") for s in _C if s is not _C.STOPPED)
    deaths = tuple(
        Row("fail", s, _C.FAILED, "OR-8: died, hung or too slow; its process is killed") for s in sorted(ALIVE)
    )
    return (
        Row("start", _C.STOPPED, _C.STARTING, "OR-9: start and recovery are the same path"),
        Row("adopt", _C.STOPPED, _C.SUSPECT, "a restarted orchestrator finds it alive; a health report confirms it"),
        Row("created", _C.STARTING, _C.RECOVERING, "OR-9: load state, reconcile"),
        Row("resumed", _C.RECOVERING, _C.RUNNING, "OR-9: resume with its epoch"),
        Row("miss", _C.RUNNING, _C.SUSPECT, "OR-8: a health report or progress is missing"),
        Row("answer", _C.SUSPECT, _C.RUNNING, "OR-8: it responds and makes progress again"),
        *deaths,
        Row("delay", _C.FAILED, _C.BACKOFF, "OR-8: growing delay"),
        Row("delay_over", _C.BACKOFF, _C.STARTING, "OR-8: restart"),
        Row("exhaust", _C.FAILED, _C.FAULTED, "OR-8: restart intensity exceeded"),
        Row("reset", _C.FAULTED, _C.STARTING, "OR-8: the operator acts"),
        *stops,
    )


COMPONENT_TABLE: Table[ComponentState] = Table(
    "component",
    _C.STOPPED,
    _rows(),
    {
        _C.STOPPED: "Остановлен",
        _C.STARTING: "Запускается",
        _C.RECOVERING: "Восстанавливается",
        _C.RUNNING: "Работает",
        _C.SUSPECT: "Под подозрением",
        _C.FAILED: "Отказал",
        _C.BACKOFF: "Выдержка перед перезапуском",
        _C.FAULTED: "Неисправен",
    },
)


class ComponentLife(StateMachine[ComponentState]):
    """The life cycle of one component."""

    __slots__ = ()
    TABLE = COMPONENT_TABLE
    IS_BOOKKEEPING = True
