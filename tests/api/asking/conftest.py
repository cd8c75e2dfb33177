"""A running interface with a small history, reached by its address as from another machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.access.scopes import Scope
from api.cli.main import app
from infra.database.server.embedded import EmbeddedPostgres
from tests.api.access.doors import OWNERS
from tests.browser.place import Place
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture


@dataclass
class Line:
    """The command line, and the interface that it asks."""

    place: Place
    reader: str
    """The token of a person who may only read."""
    environment: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, token: str = OWNERS, columns: int = 80) -> Result:
        environment = {"ETERNAL_URL": self.place.address, "ETERNAL_TOKEN": token, "COLUMNS": str(columns)}
        return CliRunner().invoke(app, list(arguments), env={**environment, **self.environment})


@pytest.fixture(scope="package")
def line(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:  # noqa: F811
    folder: Path = tmp_path_factory.mktemp("access")
    with fresh_database(postgres_server) as url:
        place = Place(folder, url)
        try:
            yield Line(place, place.doors.register.add("alice", Scope.READ, "a test").token)
        finally:
            place.close()
