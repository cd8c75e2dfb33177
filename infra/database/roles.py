"""Who may do what in the database: the application appends and keeps its state, and may neither delete nor rewrite.

Three roles beside the owner (who migrates and owns the tables, and whose password no actor has):

| Role | May |
|---|---|
| `eternal_app` | read all, insert all, replace rows of state; journal and ledger: append only |
| `eternal_retention` | read all, delete what has been archived |
| `eternal_reader` | read all: the HTTP interface and the command line |

Append-only holds twice: by grants, and by triggers that refuse a change even to the owner of a table. None of the roles
is a superuser (DE-3, P5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from infra.database.connection import connect
from infra.database.schema import METADATA
from infra.database.urls import APPLICATION, RETENTION, ROLES, psycopg_url
from infra.faults import OperatorError

APPEND_ONLY = frozenset(
    {"journal", "postings", "posting_lines", "executions", "config_versions", "policy_versions"}
    | {"operator_commands", "held_commands", "acknowledgements"}
)
"""What was decided, traded, booked, configured and commanded: rows that no part of the application ever changes."""

REPLACED = frozenset(
    {"actors", "leases", "machine_states", "exchange_calls", "heartbeats", "installation"}
    | {"orders", "positions", "transfers", "discrepancies", "switches", "switch_trips", "alerts"}
    | {"notices", "deliveries"}
)
"""Tables whose rows the application replaces by a newer version; into every other one it only inserts."""

ARCHIVED = frozenset({"journal", "outbox", "exchange_calls", "known_ids", "portfolio_versions", "deliveries"})
"""Tables from which retention deletes."""

_ROLES_LOCK = 7_315_004

_SERVER_POWERS = (
    "pg_execute_server_program",
    "pg_write_server_files",
    "pg_read_server_files",
    "pg_write_all_data",
    "pg_create_subscription",
)
"""Roles of PostgreSQL itself that reach past every grant: programs and files of the server, rows of every table."""

_POWERS = """
WITH taken AS (SELECT * FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER')),
kept AS (SELECT * FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%(kept)s::text[])
    AND relkind = 'r')
SELECT session_user AS login, (SELECT bool_or(rolsuper) FROM taken) AS is_superuser,
    array(SELECT relname::text FROM kept WHERE pg_has_role(session_user, relowner, 'MEMBER') ORDER BY relname) AS owned,
    array(SELECT relname::text FROM kept
        WHERE has_table_privilege(session_user, oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER') ORDER BY relname) AS changed,
    (SELECT pg_has_role(session_user, datdba, 'MEMBER') FROM pg_database WHERE datname = current_database())
        AS has_database,
    (SELECT pg_has_role(session_user, nspowner, 'MEMBER') FROM pg_namespace WHERE nspname = 'public') AS has_schema,
    EXISTS (SELECT FROM pg_proc WHERE proname = 'refuse_change' AND pronamespace = 'public'::regnamespace
        AND pg_has_role(session_user, proowner, 'MEMBER')) AS has_guard,
    EXISTS (SELECT FROM taken WHERE rolname = %(retention)s) AS deletes,
    (SELECT bool_or(rolcreaterole) FROM taken) AS makes_roles,
    (SELECT bool_or(rolreplication) FROM taken) AS replicates,
    (SELECT bool_or(rolbypassrls) FROM taken) AS bypasses,
    array(SELECT rolname::text FROM taken WHERE rolname = ANY(%(server)s::text[]) ORDER BY rolname) AS server"""

_GUARD = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_ARGV[0] = 'archived' AND current_user = '{retention}' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of % is refused: %', TG_OP, TG_TABLE_NAME,
        CASE TG_ARGV[0] WHEN 'bound' THEN 'it is bound to its owner once' ELSE 'its rows are only ever appended' END
        USING ERRCODE = 'insufficient_privilege';
END $$"""


class DatabaseRolesError(OperatorError):
    """The roles cannot be made with this login; the text says what to run as an administrator."""


def secure(owner_url: str, passwords: Mapping[str, str] | None = None, login: str | None = None) -> None:
    """Make the roles, their rights and the guards; repeating it changes nothing. To be run after every migration.

    With `passwords` (by role) the roles may log in themselves; without them they are taken by `SET ROLE` by the login
    of `owner_url`, which then needs the right to create roles once, or an administrator who makes them. With `login`
    that one takes the application's and the reader's instead, and the owner only retention's.

    Raises:
        DatabaseRolesError: a role is missing and may not be made by this login.
    """
    with connect(owner_url, "roles", is_patient=True) as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ROLES_LOCK,))
        for role in ROLES:
            taker = None if role == RETENTION else login
            _make(connection, role, None if passwords is None else passwords[role], taker)
        _grant(connection)
        _guard(connection)


def own_logins(url: str) -> Mapping[str, str] | None:
    """A password for each role, derived from the password in the URL: the same at every start, kept nowhere, and of no
    use to find that one. None without a password in the URL."""
    password = make_url(psycopg_url(url)).password
    if not password:
        return None
    made = {}
    for role in ROLES:
        key = hashlib.scrypt(str(password).encode(), salt=f"eternal-engine:{role}".encode(), n=2**14, r=8, p=1)
        made[role] = key[:24].hex()
    return made


def as_login(url: str, role: str, password: str) -> str:
    """The URL with which `role` itself logs in."""
    return psycopg_url(
        make_url(psycopg_url(url)).set(username=role, password=password).render_as_string(hide_password=False)
    )


def may_make_roles(url: str) -> bool:
    """Whether the login has the right to create roles."""
    query = "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = session_user"
    with connect(url, "roles") as connection:
        row = connection.execute(query).fetchone()
    return row is not None and bool(row[0])


def weaknesses(url: str, variable: str) -> list[str]:
    """How the holder of this URL could undo what is append-only, or its powers that no actor needs, in sentences;
    empty when there is nothing of the kind. `variable` is where the URL was given.

    It is the login that counts and not the role that its connections take: SET ROLE NONE ends that.
    """
    given = {"kept": sorted(APPEND_ONLY), "retention": RETENTION, "server": list(_SERVER_POWERS)}
    with connect(url, "roles") as connection, connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(_POWERS, given).fetchone()
    assert row is not None
    powers = _powers(row)
    if not powers:
        return []
    return [
        f"The database login {row['login']} of {variable} {' and '.join(powers)}: its holder can undo that journal "
        "and ledger are append-only, or reach more than the program needs. Give that login the right to create roles "
        "(the program then logs in as roles of its own), or name the owner in DATABASE_OWNER_URL and a login that owns "
        "nothing and has no such right in DATABASE_URL; see README."
    ]


def _powers(row: Mapping[str, Any]) -> list[str]:
    """What the login of these facts may do beside appending and replacing, as phrases."""
    if row["is_superuser"]:
        return ["is a superuser, or may act as one"]
    powers = []
    if row["owned"]:
        powers.append(f"owns the tables {', '.join(row['owned'])}, or may act as their owner")
    elif row["changed"]:
        powers.append(f"may change, empty or put triggers on the tables {', '.join(row['changed'])}")
    if row["has_database"] or row["has_schema"]:
        powers.append(f"owns the {'database' if row['has_database'] else 'schema public'}, so that it may drop it")
    if row["has_guard"] and not row["owned"]:
        powers.append("owns the function that refuses changes")
    if row["deletes"]:
        powers.append(f"may act as {RETENTION}, which deletes what is archived")
    if row["makes_roles"]:
        powers.append("may make roles (CREATEROLE) and give itself others")
    if row["replicates"]:
        powers.append("may read every row as a replica does (REPLICATION)")
    if row["bypasses"]:
        powers.append("passes by row security (BYPASSRLS)")
    if row["server"]:
        powers.append(f"has {', '.join(row['server'])}, past every grant")
    return powers


def as_role(url: str, role: str) -> str:
    """The URL whose connections act as `role` from their first statement on."""
    parsed = make_url(psycopg_url(url))
    given = parsed.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    query = {**parsed.query, "options": f"{options} -c role={role}".strip()}
    return psycopg_url(parsed.set(query=query).render_as_string(hide_password=False))


def _make(connection: psycopg.Connection[object], role: str, password: str | None, taker: str | None) -> None:
    found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    name = sql.Identifier(role)
    try:
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
        if password is not None:
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password)))
        else:
            is_member = "SELECT pg_has_role(coalesce(%s, current_user), %s, 'SET')"
            row = connection.execute(is_member, (taker, role)).fetchone()
            if row is None or not row[0]:  # type: ignore[index]
                whom = sql.SQL("CURRENT_USER") if taker is None else sql.Identifier(taker)
                connection.execute(sql.SQL("GRANT {} TO {}").format(name, whom))
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRolesError(
            f"the login of DATABASE_URL may not make or take the role {role}. Run once as an administrator of that "
            f"server: CREATE ROLE {role}; GRANT {role} TO {taker or 'the login of DATABASE_URL'}; and start again."
        ) from error


def _grant(connection: psycopg.Connection[object]) -> None:
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(_names(ROLES)))
    connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    connection.execute(sql.SQL("GRANT SELECT ON alembic_version TO {}").format(_names(ROLES)))
    for table in METADATA.tables:
        name, application = sql.Identifier(table), sql.Identifier(APPLICATION)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, _names(ROLES)))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(name, _names(ROLES)))
        rights = "INSERT, UPDATE" if table in REPLACED else "INSERT"
        connection.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), name, application))
        if table in ARCHIVED:
            connection.execute(sql.SQL("GRANT DELETE ON {} TO {}").format(name, sql.Identifier(RETENTION)))


def _guard(connection: psycopg.Connection[object]) -> None:
    connection.execute(_GUARD.format(retention=RETENTION).encode())
    for table in sorted(APPEND_ONLY):
        connection.execute(
            sql.SQL(
                "CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change({})"
            ).format(sql.Identifier(table), sql.Literal("archived" if table in ARCHIVED else "kept"))
        )

    # The row is locked while it is bound, and is bound once: books of a paper account never become those of a live one.
    connection.execute(
        "CREATE OR REPLACE TRIGGER bound_once BEFORE UPDATE ON installation FOR EACH ROW "
        "WHEN (OLD.profile IS NOT NULL) EXECUTE FUNCTION refuse_change('bound')"
    )


def _names(roles: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, roles))
