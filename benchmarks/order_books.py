"""Whether a burst was executed exactly once: the exchange's own list of orders against our database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import psycopg
from pybit.unified_trading import HTTP

from infra.bybit.credentials import from_simulator
from statemachines.values import LINEAR, Account

FINAL = ("FILLED", "CANCELLED", "REJECTED", "DENIED", "EXPIRED")
PAGE = 50


class Kept(NamedTuple):
    """One order as it is on record: of which intent, its state, what is executed of it."""

    intent_id: str
    state: str
    filled: Decimal


class Judgement(NamedTuple):
    """Intents of which no order was executed, of which more than one was, and whose two records differ."""

    lost: int
    doubled: int
    differing: int


def our_orders(database_url: str, engines: Sequence[str]) -> dict[str, Kept]:
    """Per client id the orders of these engines."""
    query = "SELECT client_order_id, intent_id, state, filled_quantity FROM orders WHERE engine = ANY(%s)"
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(query, (list(engines),)).fetchall()
    return {link: Kept(intent, state, filled) for link, intent, state, filled in rows}


def session_of(url: str, keys_file: Path, account: Account) -> HTTP:
    """Bare pybit on the simulated exchange."""
    key = from_simulator(keys_file).key(account)
    session = HTTP(api_key=key.api_key.get_secret_value(), api_secret=key.api_secret.get_secret_value())
    session.endpoint = url
    session.client.trust_env = False
    return session


def exchange_orders(session: HTTP) -> dict[str, Decimal]:
    """Per client id what the exchange has executed of it; orders still open included."""
    found: dict[str, Decimal] = {}
    for ask in (session.get_order_history, session.get_open_orders):
        cursor = ""
        while True:
            asked = {"category": LINEAR, "limit": PAGE, "settleCoin": "USDT"} | ({"cursor": cursor} if cursor else {})
            result = ask(**asked)["result"]
            found |= {row["orderLinkId"]: Decimal(row["cumExecQty"]) for row in result["list"]}
            cursor = result["nextPageCursor"]
            if not cursor:
                break
    return found


def judged(ours: dict[str, Kept], theirs: dict[str, Decimal], intents: Sequence[str]) -> Judgement:
    """Each intent must have been executed by exactly one order, and both sides must say the same of each order."""
    executed = Counter(ours[link].intent_id for link, filled in theirs.items() if link in ours and filled)
    unknown = [link for link, filled in theirs.items() if link not in ours and filled]
    differing = [link for link, one in ours.items() if one.filled != theirs.get(link, Decimal(0))]
    return Judgement(
        lost=sum(1 for intent in intents if not executed[intent]),
        doubled=sum(1 for count in executed.values() if count > 1),
        differing=len(differing) + len(unknown),
    )
