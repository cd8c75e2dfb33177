"""What a running cluster must be before it is joined: it answers, takes our token, and turns away who has none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

ANSWER_S = 30.0
STRANGER = """
import sys
from ray._raylet import GcsClient
GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None, timeout=10)
"""


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
