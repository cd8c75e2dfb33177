"""Fixtures: one embedded PostgreSQL per test session, a fresh migrated database per test.

A test file takes them by `from tests.database import database_url, postgres_server  # noqa: F401`
(or its conftest does).
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from infra.database.migrations import upgrade
from infra.database.roles import secure
from infra.database.server.embedded import EmbeddedPostgres
from infra.database.urls import ROLES

_NUMBERS = itertools.count(1)


def open_temporary_folder() -> Path:
    """A temporary folder that an unprivileged user may pass through (pytest's own are closed for others)."""
    folder = Path(tempfile.mkdtemp(prefix="eternal-test-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A running server whose main database is migrated and serves as the template of the others."""
    folder = open_temporary_folder()
    server = EmbeddedPostgres(folder / "database")
    try:
        upgrade(server.start())
        secure(server.url, {role: server.password_of(role) for role in ROLES})
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder)


@contextmanager
def fresh_database(server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty, migrated database that is dropped afterwards."""
    base, _, template = server.url.rpartition("/")
    name = f"test_{next(_NUMBERS)}"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        try:
            yield f"{base}/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """The URL of an empty, migrated database of its own."""
    with fresh_database(postgres_server) as url:
        yield url
