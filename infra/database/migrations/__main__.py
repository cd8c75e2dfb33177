"""For developers: `python -m infra.database.migrations "what changes"` writes the next revision.

It compares the newest revision with `infra.database.schema` on a temporary embedded server.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from sqlalchemy import NullPool, create_engine

from infra.database.migrations import make_config, upgrade
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.urls import sqlalchemy_url


def main(message: str) -> None:
    config = make_config()
    versions = Path(__file__).parent / "versions"
    number = 1 + len(list(versions.glob("[0-9]*.py")))
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        server = EmbeddedPostgres(Path(folder) / "database")
        url = server.start()
        try:
            if number > 1:
                upgrade(url)
            engine = create_engine(sqlalchemy_url(url), poolclass=NullPool)
            with engine.begin() as connection:
                config.attributes["connection"] = connection
                command.revision(config, message, autogenerate=True, rev_id=f"{number:04d}")
        finally:
            server.stop()


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "change")
