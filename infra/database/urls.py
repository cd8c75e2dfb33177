"""Database URLs: one form for psycopg, one for SQLAlchemy, one for logs, by the standard library alone."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from infra.faults import OperatorError

APPLICATION = "eternal_app"
RETENTION = "eternal_retention"
READER = "eternal_reader"
ROLES = (APPLICATION, RETENTION, READER)
"""The roles that log in (`infra.database.roles` makes them)."""

ALLOWED = ("postgresql", "postgres", "postgresql+psycopg")


class DatabaseUrlError(OperatorError, ValueError):
    """The URL names no PostgreSQL database."""


def psycopg_url(url: str) -> str:
    """The URL as libpq understands it (`postgresql://`).

    Raises:
        DatabaseUrlError: another kind of database, or no URL at all. The text never shows the password.
    """
    scheme = _split(url).scheme
    if scheme not in ALLOWED:
        raise DatabaseUrlError(f"DATABASE_URL has the scheme {scheme!r}; allowed: {', '.join(ALLOWED)}")
    place, mark, parameters = url.strip().partition("://")[2].partition("?")
    return f"postgresql://{place}{mark}{parameters.replace('+', '%20')}"  # libpq takes a plus for a plus


def sqlalchemy_url(url: str) -> str:
    """The URL as SQLAlchemy understands it (driver psycopg 3)."""
    return f"postgresql+psycopg://{psycopg_url(url).partition('://')[2]}"


def shown_url(url: str) -> str:
    """The URL for people: without its password."""
    parts = _split(psycopg_url(url))
    user, _, place = parts.netloc.rpartition("@")
    name, separator, _password = user.partition(":")
    hidden = f"{name}{':***' if separator else ''}@" if user else ""
    return f"postgresql://{hidden}{place}{parts.path}"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        parts.port  # noqa: B018 - raises for what is no port
        is_url = bool(parts.scheme) and "://" in url
    except ValueError:
        is_url = False
    if not is_url:
        raise DatabaseUrlError("DATABASE_URL is not a URL; allowed: postgresql://user:password@host:port/name")
    return parts
