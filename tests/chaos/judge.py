"""What must be true after any faults: engines decided as in a calm run, and the books are the exchange's."""

from __future__ import annotations

from infra.simulator.market.port import Market
from tests.chaos.rig import Drill
from tests.kit.journals import from_database
from tests.simulation.books import assert_same_run, books_in_database
from tests.simulation.whole import run


def assert_as_calm(market: Market, drill: Drill) -> None:
    """Engines decide as in a calm run in process; orders, fills, transfers and ledger end the same, row for row, and
    the ledger agrees with the exchange to the last unit. An execution that a reconciliation booked from the
    exchange's list is the recovery itself; every other difference that it found fails (`Books.faults`)."""
    url = drill.system.database_url
    calm, _ = run(market, drill.installation())
    books = books_in_database(url)
    assert_same_run(calm, from_database(url), books)
