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

_POWERS = """
SELECT session_user, (SELECT rolsuper FROM pg_roles WHERE rolname = session_user),
    array(SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY(%s::text[])
        AND relkind = 'r' AND pg_has_role(session_user, relowner, 'MEMBER') ORDER BY relname),
    coalesce((SELECT pg_has_role(session_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = %s), false)"""

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
    """How whoever has this URL could undo what is append-only, in sentences; empty when they could not. `variable` is
    where the URL was given.

    It is the login that counts and not the role that its connections take: SET ROLE NONE ends that.
    """
    with connect(url, "roles") as connection:
        row = connection.execute(_POWERS, (sorted(APPEND_ONLY), RETENTION)).fetchone()
    assert row is not None
    login, is_superuser, owned, deletes = row
    powers = []
    if is_superuser:
        powers.append("is a superuser")
    elif owned:
        powers.append(f"owns the tables {', '.join(owned)}, or may act as their owner")
    if deletes and not is_superuser:
        powers.append(f"may act as {RETENTION}, which deletes what is archived")
    if not powers:
        return []
    return [
        f"The database login {login} of {variable} {' and '.join(powers)}: whoever has it can undo that journal and "
        "ledger are append-only. Give that login the right to create roles (the program then logs in as roles of its "
        "own), or name the owner in DATABASE_OWNER_URL and a login that owns nothing in DATABASE_URL; see README."
    ]


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
