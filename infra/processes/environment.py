"""The one place that makes a child's environment: clean, marked, and with the secrets that this child needs only.

A variable that is not named here does not reach a child. So neither API keys (BYBIT_*) nor DATABASE_URL nor a proxy of
the operator's shell ever stand in the environment of the database, of the exchange, of Ray or of an actor.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.files import whole_path

MARK = "ETERNAL_PROCESS"
"""Carried by every process of a run, however deep: `<data folder's hash>:<run>:<role>`."""

PASSED_ON = frozenset(
    {
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "SHELL",
        "LANG",
        "LANGUAGE",
        "TZ",
        "TMPDIR",
        "TEMP",
        "TMP",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "VIRTUAL_ENV",
        "XDG_RUNTIME_DIR",
    }
)
"""What a program needs to find its files and to write in the operator's language; none of it is a secret."""

PASSED_ON_PREFIXES = ("LC_",)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the system on one data folder: the mark that all its processes carry."""

    data_folder: Path
    number: str = field(default_factory=lambda: secrets.token_hex(4))

    def mark(self, role: str) -> str:
        """The value of `MARK` for a child of this role."""
        return f"{folder_mark(self.data_folder)}{self.number}:{role}"

    @property
    def prefix(self) -> str:
        """What the marks of all processes of this run begin with."""
        return f"{folder_mark(self.data_folder)}{self.number}:"


def folder_mark(data_folder: Path) -> str:
    """What the marks of all runs on this data folder begin with."""
    return f"{hashlib.sha256(str(whole_path(data_folder)).encode()).hexdigest()[:16]}:"


def child_environment(run: Run | None, role: str, own: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a child: what every program needs, the run's mark, and `own`, which is meant for it."""
    kept = {name: value for name, value in os.environ.items() if _is_passed_on(name)}
    mark = {MARK: run.mark(role)} if run is not None else {}
    return kept | mark | dict(own or {})


def _is_passed_on(name: str) -> bool:
    return name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
