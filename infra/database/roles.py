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

from collections.abc import Mapping

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from infra.database.connection import connect
from infra.database.schema import METADATA
from infra.database.urls import psycopg_url
from infra.faults import OperatorError

APPLICATION = "eternal_app"
RETENTION = "eternal_retention"
READER = "eternal_reader"
ROLES = (APPLICATION, RETENTION, READER)

APPEND_ONLY = frozenset({"journal", "postings", "posting_lines", "executions", "config_versions", "operator_commands"})
"""What was decided, traded, booked, configured and commanded: rows that no part of the application ever changes."""

ARCHIVED = frozenset({"journal", "outbox", "asks", "known_ids", "portfolio_versions"})
"""Tables from which retention deletes."""

_ROLES_LOCK = 7_315_004

_GUARD = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_ARGV[0] = 'archived' AND current_user = '{retention}' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of % is refused: its rows are only ever appended', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$"""


class DatabaseRolesError(OperatorError):
    """The roles cannot be made with this login; the text says what to run as an administrator."""


def secure(owner_url: str, passwords: Mapping[str, str] | None = None) -> None:
    """Make the roles, their rights and the guards; repeating it changes nothing. To be run after every migration.

    With `passwords` (by role) the roles may log in themselves; without them they are taken by `SET ROLE` by the login
    of `owner_url`, which then needs the right to create roles once, or an administrator who makes them.

    Raises:
        DatabaseRolesError: a role is missing and may not be made by this login.
    """
    with connect(owner_url, "roles") as connection, connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ROLES_LOCK,))
        for role in ROLES:
            _make(connection, role, None if passwords is None else passwords[role])
        _grant(connection)
        _guard(connection)


def as_role(url: str, role: str) -> str:
    """The URL whose connections act as `role` from their first statement on."""
    parsed = make_url(psycopg_url(url))
    given = parsed.query.get("options", "")
    options = given if isinstance(given, str) else " ".join(given)
    query = {**parsed.query, "options": f"{options} -c role={role}".strip()}
    return psycopg_url(parsed.set(query=query).render_as_string(hide_password=False))


def _make(connection: psycopg.Connection[object], role: str, password: str | None) -> None:
    found = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    name = sql.Identifier(role)
    try:
        if found is None:
            connection.execute(sql.SQL("CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
        if password is not None:
            connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(password)))
        else:
            is_member = "SELECT pg_has_role(current_user, %s, 'SET')"
            row = connection.execute(is_member, (role,)).fetchone()
            if row is None or not row[0]:  # type: ignore[index]
                connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRolesError(
            f"the login of DATABASE_URL may not make or take the role {role}. Run once as an administrator of that "
            f"server: CREATE ROLE {role}; GRANT {role} TO the login of DATABASE_URL; and start again."
        ) from error


def _grant(connection: psycopg.Connection[object]) -> None:
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(_names(ROLES)))
    connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
    for table in METADATA.tables:
        name, application = sql.Identifier(table), sql.Identifier(APPLICATION)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, _names(ROLES)))
        connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(name, _names(ROLES)))
        rights = "INSERT" if table in APPEND_ONLY else "INSERT, UPDATE"
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


def _names(roles: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, roles))
