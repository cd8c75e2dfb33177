"""What the simulated exchange itself says that was executed and is open, held against what we have on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from infra.bybit.credentials import from_simulator
from infra.bybit.session import HttpSessions
from infra.simulator.market.port import Market
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.values import ACCOUNT_OF, DAY_MS, Account
from tests.chaos.rig import Drill

WINDOW_MS = 7 * DAY_MS
PAGE = 50


class Record(NamedTuple):
    """Executions as (account, execution id, our order id, quantity) and ids of open orders, each as often as it is
    there."""

    executions: Counter[tuple[str, str, str, str]]
    open_orders: Counter[str]


def differences(ours: Record, theirs: Record) -> list[str]:
    """A sentence for everything that is lost, doubled or different; empty when both say the same."""
    found = [
        f"the exchange has execution {one} {number} times" for one, number in theirs.executions.items() if number > 1
    ]
    found += [f"execution {one} is on record {number} times" for one, number in ours.executions.items() if number > 1]
    found += [
        f"the exchange has execution {one}, which is not on record" for one in theirs.executions - ours.executions
    ]
    found += [f"execution {one} is on record, the exchange has none" for one in ours.executions - theirs.executions]
    found += [f"order {one} is open at the exchange only" for one in theirs.open_orders - ours.open_orders]
    found += [f"order {one} is open on record only" for one in ours.open_orders - theirs.open_orders]
    return found


def assert_same_at_the_exchange(market: Market, drill: Drill) -> int:
    """Nothing is lost, nothing is doubled; the number of executions that were compared."""
    ours, theirs = on_record(drill), at_the_exchange(market, drill)
    assert theirs.executions, "a run that traded nothing proves nothing"
    assert differences(ours, theirs) == []
    return theirs.executions.total()


def on_record(drill: Drill) -> Record:
    """Ours."""
    with drill.database() as connection:
        executions = connection.execute(
            "SELECT account, execution_id, client_order_id, quantity FROM executions"
        ).fetchall()
        orders = connection.execute("SELECT client_order_id, state FROM orders").fetchall()
    return Record(
        Counter((account, execution, order, plain(quantity)) for account, execution, order, quantity in executions),
        Counter(order for order, state in orders if not OrderState(state).is_terminal),
    )


def at_the_exchange(market: Market, drill: Drill) -> Record:
    """The exchange's, asked with each account's own key."""
    exchange = drill.system.exchange
    assert exchange is not None
    sessions = HttpSessions(from_simulator(exchange.keys_file), exchange.url)
    executions: Counter[tuple[str, str, str, str]] = Counter()
    open_orders: Counter[str] = Counter()
    for account in ACCOUNT_OF.values():
        session = sessions.session(account)
        for category in ("spot", "linear"):
            for first_ms in range(market.start_ms, market.end_ms + DAY_MS, WINDOW_MS):
                window = {"category": category, "startTime": first_ms, "endTime": first_ms + WINDOW_MS - 1}
                executions.update(_execution(account, row) for row in _pages(session.get_executions, window))
            coin = {"settleCoin": "USDT"} if category == "linear" else {}
            open_orders.update(
                str(row["orderLinkId"]) for row in _pages(session.get_open_orders, {"category": category, **coin})
            )
    del executions[("", "", "", "")]
    return Record(executions, open_orders)


def _execution(account: Account, row: dict[str, Any]) -> tuple[str, str, str, str]:
    if row["execType"] != "Trade":
        return "", "", "", ""
    return account.value, str(row["execId"]), str(row["orderLinkId"]), plain(row["execQty"])


def _pages(ask: Any, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cursor = ""
    while True:
        result = ask(**parameters, limit=PAGE, **_at(cursor))["result"]
        rows: Sequence[dict[str, Any]] = result["list"]
        yield from rows
        cursor = result["nextPageCursor"]
        if not cursor or not rows:
            return


def _at(cursor: str) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def plain(number: object) -> str:
    """A quantity in one form."""
    return format(Decimal(str(number)).normalize(), "f")
