"""The API as a supervised actor: it decides nothing and takes no messages; its class is in `api/`, a higher layer."""

from __future__ import annotations

from actors.runtime.spec import ActorSpec, MachineSpec, Stage
from statemachines.backtests.run import RUN_TABLE
from statemachines.values import ActorName

SPECS = (
    ActorSpec(
        name=ActorName.API,
        about="The API: page and HTTP interface (IF-4).",
        stage=Stage.WAYS_IN,
        turn=2_000,
        section="api",
        machines=(
            MachineSpec(
                name="backtest",
                about="A backtest that was started from the console (IF-3).",
                table=lambda: RUN_TABLE,
                rows=None,
            ),
        ),
    ),
)
