"""Database URLs: one form for psycopg, one for SQLAlchemy, one for logs."""

from __future__ import annotations

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

ALLOWED = ("postgresql", "postgres", "postgresql+psycopg")


class DatabaseUrlError(ValueError):
    """The URL names no PostgreSQL database."""


def psycopg_url(url: str) -> str:
    """The URL as libpq understands it (`postgresql://`).

    Raises:
        DatabaseUrlError: another kind of database, or no URL at all. The text never shows the password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUrlError(
            "DATABASE_URL is not a URL; allowed: postgresql://user:password@host:port/name"
        ) from error
    if parsed.drivername not in ALLOWED:
        raise DatabaseUrlError(f"DATABASE_URL has the scheme {parsed.drivername!r}; allowed: {', '.join(ALLOWED)}")
    place, mark, parameters = parsed.set(drivername="postgresql").render_as_string(hide_password=False).partition("?")
    return place + mark + parameters.replace("+", "%20")  # libpq takes a plus for a plus


def sqlalchemy_url(url: str) -> str:
    """The URL as SQLAlchemy understands it (driver psycopg 3)."""
    return make_url(psycopg_url(url)).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def shown_url(url: str) -> str:
    """The URL for people: without its password."""
    return make_url(psycopg_url(url)).render_as_string(hide_password=True)
