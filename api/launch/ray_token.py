"""Ray's token: its job interface executes code, so Ray never runs without one, and a running cluster is joined only if
it answers, takes our token and turns away who has none."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.faults import OperatorError
from infra.files import write_whole

DEFAULT_FILE = Path(".ray") / "auth_token"
MIN_LENGTH = 20
ANSWER_S = 30.0
STRANGER = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None, timeout=10)
"""


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


class RefusedError(Exception):
    """The cluster and we do not go together; a sentence without Ray's own words."""


def require_our_token(address: str) -> None:
    """Ray itself repeats a refusal for a minute and then raises it from its depths.

    Raises:
        RefusedError: the cluster does not answer, refuses our token, or requires none.
    """
    import ray
    from ray._private.services import canonicalize_bootstrap_address_or_die
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    try:
        found = canonicalize_bootstrap_address_or_die(address)
        host, _, port = found.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_S).close()
        GcsClient(address=found).internal_kv_keys(b"", None, timeout=ANSWER_S)
    except ray.exceptions.AuthenticationError:
        raise RefusedError("it refuses our token") from None
    except (OSError, ValueError, ray.exceptions.RayError) as error:
        raise RefusedError(f"it does not answer ({type(error).__name__})") from None
    if not _wants_a_token(found):
        raise RefusedError(
            "it runs without a token, so that anyone who reaches it executes code as its user; run `ray get-auth-token "
            "--generate`, then `ray start` again"
        )


def _wants_a_token(address: str) -> bool:
    """Whether the cluster turns away who shows none; asked by a process that has none."""
    hidden = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    stranger = hidden | {"RAY_AUTH_MODE": "disabled", "HOME": "/nonexistent"}
    try:
        done = subprocess.run(
            [sys.executable, "-c", STRANGER, address], env=stranger, capture_output=True, timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0
