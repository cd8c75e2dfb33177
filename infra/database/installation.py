"""What a database belongs to: one installation, one profile, one exchange, its accounts.

Elsewhere a dry run and live trading shared a database and mixed their books; here a database refuses another owner.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from infra.database.connection import connect
from infra.faults import OperatorError

ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 6


class WrongDatabaseError(OperatorError):
    """The database belongs to another profile, exchange or set of accounts; the program must not start."""


@dataclass(frozen=True, slots=True)
class Installation:
    """The database's identity. `installation_id` begins every order id (EX-5); the rest is None until bound."""

    installation_id: str
    profile: str | None
    exchange_instance: str | None
    account_uids: Mapping[str, str]


READ = "SELECT installation_id, profile, exchange_instance, account_uids FROM installation"
CREATE = "INSERT INTO installation (installation_id) VALUES (%s) ON CONFLICT DO NOTHING"
BIND = "UPDATE installation SET profile = %s, exchange_instance = %s, account_uids = %s, bound_at = now()"


def bind(url: str, profile: str, exchange_instance: str, account_uids: Mapping[str, str]) -> Installation:
    """Bind the database to its owner the first time; afterwards make sure that it is the same one.

    `exchange_instance` is the simulated exchange's instance id or the name of Bybit's environment; `account_uids`
    the exchange's UID per account name.

    Raises:
        WrongDatabaseError: it is bound to something else; the text names each difference.
    """
    wanted = {name: str(uid) for name, uid in sorted(account_uids.items())}
    with connect(url, "installation", is_patient=True) as connection, connection.transaction():
        found = _read(connection, for_update=True)
        if found.profile is None:
            connection.execute(BIND, (profile, exchange_instance, psycopg.types.json.Jsonb(wanted)))
            return Installation(found.installation_id, profile, exchange_instance, wanted)
    differences = []
    if found.profile != profile:
        differences.append(f"it belongs to profile {found.profile!r}, this start has profile {profile!r}")
    if found.exchange_instance != exchange_instance:
        differences.append(
            f"it belongs to exchange {found.exchange_instance!r}, this start is connected to {exchange_instance!r}"
        )
    for name in sorted({*found.account_uids, *wanted}):
        ours, theirs = found.account_uids.get(name, "none"), wanted.get(name, "none")
        if ours != theirs:
            differences.append(f"its account {name} has UID {ours}, this start's has UID {theirs}")
    if differences:
        raise WrongDatabaseError(
            f"this database must not be used here: {'; '.join(differences)}. Give every profile and exchange a data "
            "folder or DATABASE_URL of its own, or discard this one (`make reset` for the simulated exchange)."
        )
    return found


def installation_id(url: str) -> str:
    """The id of this database's installation."""
    with connect(url, "installation") as connection:
        return _read(connection).installation_id


def _read(connection: psycopg.Connection[tuple[object, ...]], *, for_update: bool = False) -> Installation:
    query = f"{READ} FOR UPDATE" if for_update else READ
    row = connection.execute(query).fetchone()
    if row is None:
        connection.execute(CREATE, ("".join(secrets.choice(ID_ALPHABET) for _ in range(ID_LENGTH)),))
        row = connection.execute(query).fetchone()
    assert row is not None
    uids = row[3]
    assert isinstance(uids, dict)
    return Installation(str(row[0]), _text(row[1]), _text(row[2]), uids)


def _text(value: object) -> str | None:
    return None if value is None else str(value)
