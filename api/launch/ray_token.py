"""Ray's token: its job interface executes code, so Ray never runs without one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.faults import OperatorError
from infra.files import write_whole

DEFAULT_FILE = Path(".ray") / "auth_token"
MIN_LENGTH = 20


class RayError(OperatorError):
    """Ray does not start or cannot be joined; the text says what to do."""


def own_token_file(data_folder: Path) -> Path:
    """The file (0600) with the token of our own head; made when it is missing or unreadable."""
    path = data_folder / "ray-token"
    try:
        known = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        known = ""
    if len(known) < MIN_LENGTH:
        write_whole(path, _write_new)
    path.chmod(0o600)
    return path


def _write_new(draft: Path) -> None:
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))


def cluster_token(environment: Mapping[str, str], home: Path) -> dict[str, str]:
    """How a running cluster's token is given to Ray: from RAY_AUTH_TOKEN, RAY_AUTH_TOKEN_PATH or ~/.ray/auth_token.

    Raises:
        RayError: none of them is there; the sentence says what to set.
    """
    token, named = environment.get("RAY_AUTH_TOKEN", ""), environment.get("RAY_AUTH_TOKEN_PATH", "")
    if token:
        return {"RAY_AUTH_TOKEN": token}
    path = Path(named) if named else home / DEFAULT_FILE
    try:
        is_there = bool(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        origin = f"the file {path} that RAY_AUTH_TOKEN_PATH names" if named else f"{path}"
        raise RayError(
            f"there is no token for the Ray cluster: {origin} is missing or empty. Make one with `ray get-auth-token "
            "--generate` before `ray start`, or set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the cluster's."
        )
    return {"RAY_AUTH_TOKEN_PATH": str(path.resolve())}
