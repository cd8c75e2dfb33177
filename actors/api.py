"""The API as a supervised actor: it decides nothing and takes no messages; its class is in `api/`, a higher layer."""

from __future__ import annotations

from actors.runtime.spec import ActorSpec, Stage
from statemachines.values import ActorName

SPECS = (
    ActorSpec(
        name=ActorName.API,
        about="The API: page and HTTP interface (IF-4).",
        stage=Stage.WAYS_IN,
        turn=2_000,
        section="api",
    ),
)
