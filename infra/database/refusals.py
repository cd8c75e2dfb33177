"""What a database refuses, as a sentence for the person who starts or asks. Light: without the migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from actors.runtime.ports import StoreUnavailableError
from infra.database.outage import outage_of, reason_of
from infra.faults import OperatorError


class DatabaseUnreachableError(OperatorError):
    """The database that DATABASE_URL names does not answer or refuses the login; the text never shows the password."""


@contextmanager
def told_as_sentence() -> Iterator[None]:
    """What the database refuses during the start because of an outage is reported as one.

    Raises:
        DatabaseUnreachableError: in place of the driver's error.
    """
    try:
        yield
    except StoreUnavailableError as error:
        raise _unreachable(error.what, error.why) from error
    except psycopg.Error as error:
        outage = outage_of(error)
        if outage is None:
            raise
        raise _unreachable(outage, reason_of(error)) from error


def _unreachable(what: str, why: str) -> DatabaseUnreachableError:
    return DatabaseUnreachableError(
        f"The database {what}: {why}. Nothing was started; see what else uses that database, and start again."
    )
