"""The parameters of the dead-man switch (RM-4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from statemachines.parameters import ParameterModel


class DeadManParameters(ParameterModel):
    """The dead-man switch: a process of its own that cancels open entry orders when the system has fallen silent."""

    silence_s: Annotated[int, Field(ge=15, le=3_600)] = 300
    """Wall time without a beat of the orchestrator, in the file and in the database, after which our open orders that
    are neither reduce-only nor stops are cancelled (RM-4)."""

    started_by_run: bool = True
    """Whether `eternal run` starts and supervises it; false: the operator runs `eternal deadman` on another machine,
    as recommended for profile live (RM-4)."""
