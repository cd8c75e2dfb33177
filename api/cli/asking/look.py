"""`eternal status`: from the interface, else from `eternal run` itself, else from the database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from api.cli.asking.options import Json, asking
from api.cli.asking.output import console, print_json
from api.cli.asking.way import Way
from api.client import models
from api.client.errors import UnansweredError
from api.client.running_system import OVERVIEW, Place
from api.live_table import render
from api.wording.expected import NONE, READ
from infra.secrets.server import SOCKET, SecretsUnavailableError, fetch


@asking
def status(way: Way, *, as_json: Json = False) -> None:
    """What the running system is doing: from its API, else from `eternal run` itself, else from its database."""
    overview, source = look(way)
    if as_json:
        print_json({**overview, "source": source})
        return
    console().print(render(overview, {}, []))


def look(way: Way) -> tuple[models.Overview, str]:
    """The overview and where it comes from: interface, launch or database. Raises what `Way` raises, and for a system
    elsewhere UnansweredError."""
    try:
        return way.operations.overview(), "interface"
    except UnansweredError as error:
        if way.place is None:
            raise
        from_launch = read_launch_overview(way.place, str(error))
        if from_launch is not None:
            return from_launch, "launch"
        return _from_database(way, f"the API does not answer ({error})"), "database"


def read_launch_overview(place: Place, why: str) -> models.Overview | None:
    """The overview from `eternal run` itself, for when the interface does not answer (`why`); None when it does not
    either. It costs no more than asking the interface, whereas the database takes seconds of loading."""
    try:
        answer: Mapping[str, Any] = fetch(place.data_folder / SOCKET, OVERVIEW, patience_s=0.0)
    except SecretsUnavailableError:
        return None
    away = f"The API does not answer ({why.rstrip('.')}); this comes from `eternal run` itself."
    expected = answer["expected"]
    urgency = READ if expected["urgency"] == NONE else expected["urgency"]
    items = [*expected["items"], {"urgency": READ, "text": away, "alert_id": None}]
    health = {"ok": False, "reasons": [away, *answer["health"]["reasons"]]}
    return cast(models.Overview, {**answer, "health": health, "expected": {"urgency": urgency, "items": items}})


def _from_database(way: Way, why: str) -> models.Overview:
    from api.cli.status import overview_from_database
    from infra.config import load_config

    data = way.asked.data
    config = load_config({} if data is None else {"data_folder": str(data)}, (), way.asked.config_file)
    return cast(models.Overview, overview_from_database(config, why))
