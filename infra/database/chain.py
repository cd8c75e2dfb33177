"""The chain from an order back to the fact that caused it (P3): ask, messages, decisions, bar."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
LONGEST = 100
"""A chain has about ten links; this only stops a circle that must not exist."""


def chain_of_order(connection: psycopg.Connection[Any], client_order_id: str) -> list[Row]:
    """The links from the first cause to the order, each with the decisions that were taken on it.

    A link is `{id, link, kind, sender, market_ms, body, decisions}`; `link` is "outside" (a bar, a fill, a deadline),
    "message", "request" or "order". Where a fill or report of another order began it (a stop follows its entry), the
    chain continues with that order, back to a bar, a settlement or a deadline. Links whose rows have been archived
    appear as "outside" with their id.
    """
    links: list[Row] = []
    seen: set[str] = set()
    order: str | None = client_order_id
    with connection.cursor(row_factory=dict_row) as cursor:
        while order is not None and order not in seen and len(links) < LONGEST:
            seen.add(order)
            part = _part(cursor, order)
            links += part
            order = _order_behind(cursor, part[-1]["id"]) if part and part[-1]["link"] == "outside" else None
    return links[::-1]


def _part(cursor: psycopg.Cursor[Row], client_order_id: str) -> list[Row]:
    """The links from one order back to what came from outside, newest first; empty when there is no such order."""
    order = cursor.execute("SELECT * FROM orders WHERE client_order_id = %s", (client_order_id,)).fetchone()
    if order is None:
        return []
    call = cursor.execute(
        """SELECT actor, key, kind, request, market_ms, cause FROM exchange_calls
           WHERE trace = %s AND request ->> 'client_order_id' = %s ORDER BY commit_no, position LIMIT 1""",
        (order["trace"], client_order_id),
    ).fetchone()
    decisions = cursor.execute(
        """SELECT actor, machine, trigger, source, dest, reason, data, market_ms, cause FROM journal
           WHERE trace = %s ORDER BY id""",
        (order["trace"],),
    ).fetchall()
    links = [_link(client_order_id, "order", "order", "order-manager", order["created_ms"], order)]
    cause = order["trace"] if call is None else call["cause"]
    if call is not None:
        links.append(_link(call["key"], "request", call["kind"], call["actor"], call["market_ms"], call["request"]))
    seen: set[str] = set()
    while cause and cause not in seen and len(links) < LONGEST:
        seen.add(cause)
        link, cause = _look_up(cursor, cause)
        links.append(link)
    for link in links:
        link["decisions"] = [line for line in decisions if line["cause"] == link["id"]]
    return links


def _order_behind(cursor: psycopg.Cursor[Row], fact: str) -> str | None:
    """The order that a fact from outside was about: `execution:ACCOUNT:ID` or `order:ACCOUNT:EXCHANGE ID:...`."""
    kind, _, rest = fact.partition(":")
    account, _, rest = rest.partition(":")
    if kind == "execution":
        query = "SELECT client_order_id FROM executions WHERE account = %s AND execution_id = %s"
        row = cursor.execute(query, (account, rest)).fetchone()
    elif kind == "order":
        query = "SELECT client_order_id FROM orders WHERE account = %s AND venue_order_id = %s LIMIT 1"
        row = cursor.execute(query, (account, rest.partition(":")[0])).fetchone()
    else:
        return None
    return None if row is None else str(row["client_order_id"])


def _look_up(cursor: psycopg.Cursor[Row], cause: str) -> tuple[Row, str]:
    """The link with this id and what caused it in turn ("" at the beginning)."""
    message = cursor.execute(
        "SELECT sender, kind, market_ms, cause, envelope -> 'body' AS body FROM outbox WHERE id = %s", (cause,)
    ).fetchone()
    if message is not None:
        link = _link(cause, "message", message["kind"], message["sender"], message["market_ms"], message["body"])
        return link, message["cause"]
    actor, separator, key = cause.partition("!")
    if separator:
        call = cursor.execute(
            "SELECT kind, request, market_ms, cause FROM exchange_calls WHERE actor = %s AND key = %s", (actor, key)
        ).fetchone()
        if call is not None:
            return _link(cause, "request", call["kind"], actor, call["market_ms"], call["request"]), call["cause"]
    actor, separator, due = cause.rpartition("@")
    if separator and due.isdigit():
        return _link(cause, "outside", "deadline", actor, int(due), None), ""
    return _fact(cursor, cause), ""


def _fact(cursor: psycopg.Cursor[Row], identity: str) -> Row:
    """A fact from outside with its row, where it has one: a closed bar or a fill."""
    parts = identity.split(":")
    if parts[0] == "bar" and len(parts) == 5 and parts[4].isdigit():
        row = cursor.execute(
            "SELECT * FROM bars WHERE category = %s AND symbol = %s AND interval = %s AND start_ms = %s",
            (*parts[1:4], int(parts[4])),
        ).fetchone()
        if row is not None:
            return _link(identity, "outside", "bar", "exchange", row["start_ms"], row)
    if parts[0] == "execution" and len(parts) >= 3:
        row = cursor.execute(
            "SELECT * FROM executions WHERE account = %s AND execution_id = %s", (parts[1], ":".join(parts[2:]))
        ).fetchone()
        if row is not None:
            return _link(identity, "outside", "fill", "exchange", row["executed_ms"], row)
    return _link(identity, "outside", "fact", "exchange", None, None)


def _link(identity: str, link: str, kind: str, sender: str, market_ms: int | None, body: Any) -> Row:
    return {"id": identity, "link": link, "kind": kind, "sender": sender, "market_ms": market_ms, "body": body}
