"""API keys per account, never shown: not in repr, not in errors, not in logs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from infra.faults import OperatorError
from statemachines.values import Account

SYSTEM, DEAD_MAN = "BYBIT", "BYBIT_DEAD_MAN"
"""What the variables of the system's own keys and of the dead-man switch's begin with."""


class CredentialsError(OperatorError):
    """Keys are missing or unreadable; the program does not start. The text names places, never values."""


@dataclass(frozen=True, slots=True)
class AccountKey:
    """One account's API key. `uid` is the exchange's number of the account, needed for transfers."""

    api_key: SecretStr
    api_secret: SecretStr
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """Keys of all accounts we have keys for. `simulator_token` opens the simulated exchange's control interface."""

    keys: Mapping[Account, AccountKey]
    simulator_token: SecretStr | None = field(default=None)

    def key(self, account: Account) -> AccountKey:
        """The account's key. Raises CredentialsError when there is none."""
        try:
            return self.keys[account]
        except KeyError:
            raise CredentialsError(
                f"there is no API key for the account {account}; the system needs one each."
            ) from None

    def uids(self) -> dict[Account, int]:
        """UIDs of the accounts, as far as known."""
        return {account: key.uid for account, key in self.keys.items() if key.uid is not None}

    def to_plain(self, accounts: Collection[Account]) -> dict[str, dict[str, Any]]:
        """These accounts' keys in the open, for the process that signs with them: never to be stored or shown."""
        return {
            account.value: {
                "api_key": key.api_key.get_secret_value(),
                "api_secret": key.api_secret.get_secret_value(),
                "uid": key.uid,
            }
            for account, key in self.keys.items()
            if account in accounts
        }


def from_plain(keys: Mapping[str, Mapping[str, Any]], simulator_token: str | None) -> Credentials:
    """Take `Credentials.to_plain` back at the other end."""
    return Credentials(
        {
            Account(name): AccountKey(SecretStr(key["api_key"]), SecretStr(key["api_secret"]), key["uid"])
            for name, key in keys.items()
        },
        None if simulator_token is None else SecretStr(simulator_token),
    )


def from_simulator(path: Path, of: str = "accounts") -> Credentials:
    """Keys from the simulated exchange's `keys.json`; with `of` "dead_man" those of the dead-man switch.

    Raises:
        CredentialsError: the file is missing or not of the expected form.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CredentialsError(f"the key file {path} cannot be read: {type(error).__name__}.") from None
    accounts = data.get(of) if isinstance(data, dict) else None
    if not isinstance(accounts, list):
        raise CredentialsError(f"the key file {path} has no list {of!r}.")
    known = {account.value for account in Account}
    keys: dict[Account, AccountKey] = {}
    for position, row in enumerate(accounts):
        try:
            if row["name"] in known:
                keys[Account(row["name"])] = AccountKey(
                    SecretStr(str(row["api_key"])), SecretStr(str(row["api_secret"])), int(row["uid"])
                )
        except (KeyError, TypeError, ValueError):
            raise CredentialsError(
                f"the key file {path}: account {position} needs name, uid, api_key and api_secret."
            ) from None
    token = data.get("sim_token") if of == "accounts" else None
    return Credentials(keys, SecretStr(token) if isinstance(token, str) else None)


def from_environment(environment: Mapping[str, str], prefix: str = SYSTEM) -> Credentials:
    """Keys from variables `BYBIT_<ACCOUNT>_API_KEY`, `_API_SECRET` and `_UID` (account with `_` for `-`); with another
    prefix (`DEAD_MAN`) those that begin with it.

    Accounts without variables are left out; half a pair is an error (CredentialsError).
    """
    keys: dict[Account, AccountKey] = {}
    for account in Account:
        stem = f"{prefix}_{account.value.replace('-', '_')}"
        key, secret = environment.get(f"{stem}_API_KEY", ""), environment.get(f"{stem}_API_SECRET", "")
        uid = environment.get(f"{stem}_UID", "")
        if bool(key) != bool(secret):
            raise CredentialsError(f"{stem}_API_KEY and {stem}_API_SECRET must both be set or both be absent.")
        if uid and not uid.isdigit():
            raise CredentialsError(f"{stem}_UID is not a whole number.")
        if key:
            keys[account] = AccountKey(SecretStr(key), SecretStr(secret), int(uid) if uid else None)
    return Credentials(keys)
