"""Run inside the extended house: the toy under Ray, killed once, as JSON on standard output."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from api.tokens import read_token
from infra.config import EternalConfig
from statemachines.values import ActorName
from tests.chaos.rig import START, Drill, drill_folder, make_config, running

TOY = ActorName("toy-1")


def asked(drill: Drill, path: str) -> Any:
    """What the API answers."""
    header = read_token(drill.system.config.token_file).header()
    answer = httpx.get(f"{drill.system.api_url}{path}", headers=header, timeout=30, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _config(folder: Path) -> EternalConfig:
    """Two months at two seconds a day: the market lasts through the fault."""
    return make_config(folder, START + timedelta(days=60), pace_s=Decimal(2))


def main() -> None:
    with drill_folder() as folder, running(_config(folder)) as drill:
        first = drill.pid(TOY)
        drill.strike(TOY)
        second = drill.pid(TOY)
        rows = "SELECT dest, reason FROM journal WHERE actor = %s AND kind = 'transition'"
        with drill.database() as connection:
            drill.wait("the toy's transition", lambda: connection.execute(rows, (TOY,)).fetchone() is not None)
            journal = connection.execute(rows, (TOY,)).fetchall()
        seen = {
            "pids": [first, second],
            "restarts": drill.component(TOY)["restarts"],
            "journal": journal,
            "actors": asked(drill, "/api/v1/actors"),
            "detail": asked(drill, f"/api/v1/actors/{TOY}"),
            "engines": asked(drill, "/api/v1/overview")["engines"],
            "machines": asked(drill, "/api/v1/machines"),
        }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
