"""Keys of the exchange's accounts: the keys file, and the check of signatures and receive windows.

Secrets live only in the keys file (mode 0600) and in memory; they are never logged nor shown by repr.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.files import write_secret
from infra.simulator.api.keys import OF_DEAD_MAN, OF_OWNER, ORDERS, TRADE, TRANSFER, WITHDRAW, ApiKey
from infra.simulator.config import MASTER, AccountConfig, default_accounts, with_further
from infra.simulator.venue.errors import VenueError

KEYS_FILE = "keys.json"
MAX_RECV_WINDOW_MS = 60_000
LONGEST_MILLISECONDS = 16
CLOCK_AHEAD_MS = 1_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who this exchange is (``instance``), its accounts, their keys by key text, and the control token."""

    instance: str
    sim_token: str = field(repr=False)
    accounts: tuple[AccountConfig, ...]
    keys: Mapping[str, ApiKey]


def load_or_create(folder: Path, further: Sequence[str] = ()) -> Credentials:
    """Read the folder's keys file; in a new folder make one with random instance, UIDs, keys and token.

    `further` names sub-accounts beside the usual ones, that open without money.

    Raises:
        ValueError: the folder's exchange was opened without one of them.
    """
    path = folder / KEYS_FILE
    if not path.exists():
        write_secret(path, json.dumps(_new(further), indent=1), replace=False)
    data = json.loads(path.read_text())
    if "dead_man" not in data:  # folders of earlier versions
        data["dead_man"] = _of_dead_man(data["accounts"])
        write_secret(path, json.dumps(data, indent=1))
    opened = {one["name"] for one in data["accounts"]}
    if lacking := [name for name in further if name not in opened]:
        raise ValueError(
            f"The exchange in the state folder {folder} was opened without the account {lacking[0]}; "
            "accounts are opened with a new state folder only."
        )
    balances = {one.name: one.balances for one in default_accounts()}
    accounts = tuple(AccountConfig(one["name"], one["uid"], balances.get(one["name"], {})) for one in data["accounts"])
    keys: dict[str, ApiKey] = {}
    for one in data["accounts"]:
        scopes = TRANSFER if one["name"] == MASTER else TRADE
        keys[one["api_key"]] = ApiKey(one["name"], one["uid"], one["api_key"], one["api_secret"], False, scopes)
    reader = data["read_only"]
    keys[reader["api_key"]] = ApiKey(
        reader["name"], reader["uid"], reader["api_key"], reader["api_secret"], True, dict(TRADE) | dict(TRANSFER)
    )
    # Folders of earlier versions have no owner's key.
    if (owner := data.get("owner")) is not None:
        scopes = dict(TRADE) | dict(WITHDRAW)
        keys[owner["api_key"]] = ApiKey(
            owner["name"], owner["uid"], owner["api_key"], owner["api_secret"], False, scopes, OF_OWNER
        )
    for one in data["dead_man"]:
        keys[one["api_key"]] = ApiKey(
            one["name"], one["uid"], one["api_key"], one["api_secret"], False, ORDERS, OF_DEAD_MAN
        )
    return Credentials(data["instance"], data["sim_token"], accounts, keys)


def _pair() -> dict[str, str]:
    return {"api_key": secrets.token_hex(9), "api_secret": secrets.token_hex(18)}


def _of_dead_man(accounts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A second key of every sub-account, for a dead-man switch."""
    return [{"name": one["name"], "uid": one["uid"], **_pair()} for one in accounts if one["name"] != MASTER]


def _new(further: Sequence[str]) -> dict[str, Any]:
    accounts = with_further(default_accounts(10_000_000 + secrets.randbelow(80_000_000)), further)
    master = next(one for one in accounts if one.is_master)
    opened = [{"name": one.name, "uid": one.uid, **_pair()} for one in accounts]
    return {
        "instance": secrets.token_hex(8),
        "sim_token": secrets.token_hex(16),
        "accounts": opened,
        "dead_man": _of_dead_man(opened),
        "read_only": {"name": master.name, "uid": master.uid, **_pair()},
        # For people who try out withdrawals; the trading system is given none of it.
        "owner": {"name": master.name, "uid": master.uid, **_pair()},
    }


def _same(key: ApiKey, message: bytes, signature: str) -> bool:
    expected = hmac.new(key.secret.encode(), message, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _is_milliseconds(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= LONGEST_MILLISECONDS


def check_request(keys: Mapping[str, ApiKey], headers: Mapping[str, str], payload: bytes, wall_ms: int) -> ApiKey:
    """The key of a signed request; ``payload`` is the raw query string or the raw body, byte for byte.

    Raises ``VenueError`` 10003 (key), 10002 (time), 10004 (signature), 10001 (missing or malformed header).
    """
    key = keys.get(headers.get("X-BAPI-API-KEY", ""))
    if key is None:
        raise VenueError(10003, "API key is invalid.")
    stamp, window = _times(headers)
    message = (stamp + key.key + window).encode() + payload
    if not _same(key, message, headers.get("X-BAPI-SIGN", "")):
        raise VenueError(10004, "error sign! please check your signature generation algorithm.")
    check_time(headers, wall_ms)
    return key


def _times(headers: Mapping[str, str]) -> tuple[str, str]:
    stamp, window = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-RECV-WINDOW", "5000")
    if not _is_milliseconds(stamp) or not _is_milliseconds(window):
        raise VenueError(10001, "X-BAPI-TIMESTAMP and X-BAPI-RECV-WINDOW must be integers of milliseconds.")
    return stamp, window


def check_time(headers: Mapping[str, str], wall_ms: int) -> None:
    """10002 for a request from outside its receive window, 10001 for a malformed header."""
    stamp, window = _times(headers)
    if not wall_ms - min(int(window), MAX_RECV_WINDOW_MS) <= int(stamp) < wall_ms + CLOCK_AHEAD_MS:
        raise VenueError(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{stamp}],server_timestamp[{wall_ms}],recv_window[{window}]",
        )


def check_stream_auth(keys: Mapping[str, ApiKey], args: object, wall_ms: int) -> ApiKey:
    """The key of a WebSocket ``auth`` request ``[key, expires_ms, signature]``; ``VenueError`` otherwise."""
    if not isinstance(args, list) or len(args) != 3:
        raise VenueError(10001, "Params Error")
    key = keys.get(str(args[0]))
    if key is None:
        raise VenueError(10003, "API key is invalid.")
    expires = str(args[1])
    if not _is_milliseconds(expires) or int(expires) <= wall_ms:
        raise VenueError(10001, "Params Error")
    if not _same(key, f"GET/realtime{expires}".encode(), str(args[2])):
        raise VenueError(10004, "error sign!")
    return key
