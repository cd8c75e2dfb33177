"""Why an order exists, as people read it: bar, decision, intent, order, fill, effect (P3).

The chain that the interface gives holds every message and every decision that was taken on one, also those of other
engines that were decided at the same close. A story keeps what led to this order, one line per event: when, what, why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from api.wording.values import readable, rounded

Row = Mapping[str, Any]

ENDS = ("CANCELLED", "REJECTED", "DENIED", "EXPIRED")
USUAL = frozenset({"place", "validate", "send", "fill_all", "filled"})
"""What the order manager does with every order: the order's own line says its result."""

MOST_DECISIONS = 4
"""Decisions of one link in a story; of more the newest."""


class Event(NamedTuple):
    """One line: `at_ms` market time (None: not known), `kind` a word, `text` a sentence; `why` stands below it."""

    at_ms: int | None
    kind: str
    text: str
    why: str = ""


def story_of(chain: Sequence[Row], fills: Sequence[Row] = (), effects: Sequence[Row] = ()) -> list[Event]:
    """The events that led to the last order of the chain, oldest first; its `fills` and what was decided on them
    (`effects`), each oldest first."""
    if not chain:
        return []
    order = chain[-1]["body"] or {}
    events: list[Event] = []
    executed: set[str] = set()
    for at, link in enumerate(chain):
        body = link["body"] or {}
        if link["kind"] == "fill":  # as the exchange reports it, and as the order manager passes it on
            name = str(body.get("execution_id", link["id"]))
            if name not in executed:
                events.append(Event(link["market_ms"], "fill", fill_text(body)))
            executed.add(name)
        elif not _is_of_another_engine(body, order):
            events += _link_events(link, body, order)
        events += [_decided(one) for one in _belonging(chain, at, order)]
    events += [Event(one["executed_ms"], "fill", fill_text(one)) for one in fills]
    events += _sum_of(fills)
    events += [_decided(one) for one in effects if _is_about(one, order)]
    return events


def heading(chain: Sequence[Row]) -> str:
    """What the story is about."""
    order = chain[-1]["body"] or {}
    return f"Why {order.get('engine', 'an engine')} gave the order {order.get('client_order_id')}: {_terms(order)}"


# --- links ---


def _is_of_another_engine(body: Row, order: Row) -> bool:
    """The daily cycle runs the engines one after the other: the turn of one causes the next one's, and is no reason."""
    return "engine" in body and body["engine"] != order.get("engine") and "symbol" not in body


def _link_events(link: Row, body: Row, order: Row) -> list[Event]:
    at = link["market_ms"]
    match link["kind"]:
        case "bar":
            bar = f"{body.get('symbol')} {body.get('category')}, {_interval(body.get('interval'))}"
            return [Event(at, "bar", f"{bar}, closed at {_number(body.get('close'))}")]
        case "day_closed" | "bars_closed":
            close = _close_of(body.get("bars") or (), order)
            known = f"; {order.get('symbol')} at {close}" if close else ""
            return [Event(at, "close", f"all bars of this close have arrived{known}")]
        case "risk_assessed":
            return [Event(at, "risk", readable(str(body.get("reason") or body.get("state"))))]
        case "run_cycle":
            entries = "entries allowed" if body.get("entries_allowed") else "entries barred"
            shares = f"target {_money(body.get('target_usdt'))} of {_money(body.get('portfolio_usdt'))} USDT"
            return [Event(at, "cycle", f"{body.get('engine')} is asked to decide: {shares}, {entries}")]
        case "intent":
            purpose = f" ({body['purpose']})" if body.get("purpose") else ""
            return [Event(at, "intent", f"{body.get('engine')} asks{purpose}: {_terms(body)}",
                          readable(str(body.get("reason") or "")))]  # fmt: skip
        case "order":
            return [Event(at, "order", f"{body.get('client_order_id')}: {_terms(body)}", _fate(body))]
        case "deadline":
            return [Event(at, "deadline", f"a deadline of {link['sender']} was reached")]
        case "approved" | "assess_risk" | "cycle_done" | "place_order":
            return []  # a decision or the order beside it says the same
        case kind if link["link"] == "request":
            return [] if kind.startswith("read_") else [Event(at, "request", f"{link['sender']} asked: {kind}")]
        case kind:
            return [Event(at, kind.replace("_", " "), f"from {link['sender']}")]


def _belonging(chain: Sequence[Row], at: int, order: Row) -> list[Row]:
    """The decisions on a link that led on: of the sender of what follows, about the intent that follows; on an intent,
    and on its approval, about that one."""
    if at + 1 == len(chain):
        return []
    link, following = chain[at], chain[at + 1]
    intent = _intent_at(chain, at) or order
    own = [one for one in link["decisions"] if one["actor"] == following["sender"] and _is_about(one, intent)]
    if following["kind"] == "intent":
        named = [one for one in own if one["data"].get("intent_id") == intent.get("intent_id")]
        # The decision that gave the intent has the intent's own reason: said once.
        own = named or [one for one in own if one["reason"] != intent.get("reason")]
    elif following["sender"] not in ("risk-manager", "order-manager", order.get("engine")):
        return []  # the steps of the daily cycle: the line of what follows says it
    elif following["kind"] == "risk_assessed":
        return []
    return [one for one in own if one["trigger"] not in USUAL][-MOST_DECISIONS:]


def _intent_at(chain: Sequence[Row], at: int) -> Row | None:
    if chain[at]["kind"] == "approved":
        near = (link["body"] for link in reversed(chain[:at]) if link["kind"] == "intent")
    else:
        near = (link["body"] for link in chain[at:] if link["kind"] == "intent")
    return next(near, None)


def _is_about(decision: Row, intent: Row) -> bool:
    """Whether a decision concerns this intent or order: not when it names another coin, another intent or is a step of
    the engine's day."""
    named = decision["data"].get("intent_id")
    if named and intent.get("intent_id") and named != intent["intent_id"]:
        return False
    engine, machine = str(intent.get("engine", "")), str(decision["machine"])
    if decision["actor"] == engine:
        coin = str(intent.get("symbol", "")).removesuffix("USDT")
        if machine in ("DAY", "cycle") or decision["trigger"] == "cycle":
            return False
        return machine == coin or not machine.isalpha() or machine == "ENGINE"
    return True


def _decided(one: Row) -> Event:
    stays = one["source"] == one["dest"]
    step = str(one["trigger"]).replace("_", " ") if stays else f"{one['source']} → {one['dest']}"
    return Event(
        one["market_ms"], "decision", f"{one['actor']} {one['machine']}  {step}", readable(str(one["reason"] or ""))
    )


# --- orders and fills ---


def _terms(body: Row) -> str:
    """What is bought or sold and how."""
    style = str(body.get("order_type") or body.get("style") or "").replace("_", " ")
    parts = [str(body.get("side")), _number(body.get("quantity")), str(body.get("symbol")), style]
    if body.get("trigger_price") is not None:
        parts.append(f"with trigger {_number(body['trigger_price'])}")
    elif body.get("price") is not None:
        parts.append(f"at {_number(body['price'])}")
    if body.get("reduce_only"):
        parts.append("that only reduces")
    return " ".join(part for part in parts if part)


def _fate(order: Row) -> str:
    state = str(order.get("state"))
    filled = Decimal(str(order.get("filled_quantity") or 0))
    average = order.get("average_price")
    done = f"{state}: {_number(order.get('filled_quantity'))} executed" if filled else state
    price = f" at {_number(average)} on average" if filled and average is not None else ""
    reason = f"; {readable(str(order['reason']))}" if state in ENDS and order.get("reason") else ""
    return f"{done}{price}{reason}"


def fill_text(one: Row) -> str:
    """A fill in a sentence."""
    what = f"{one.get('side')} {_number(one.get('quantity'))} {one.get('symbol')} at {_number(one.get('price'))}"
    return f"{what}, fee {_number(one.get('fee'))} {one.get('fee_coin')}"


def _sum_of(fills: Sequence[Row]) -> list[Event]:
    """What the order's fills came to; nothing while there is none."""
    if not fills:
        return []
    realised = sum((Decimal(str(one["realized_pnl"])) for one in fills), Decimal(0))
    quantity = sum((Decimal(str(one["quantity"])) for one in fills), Decimal(0))
    value = sum((Decimal(str(one["quantity"])) * Decimal(str(one["price"])) for one in fills), Decimal(0))
    gained = f"; realised {_money(realised)} USDT before fees" if realised else ""
    text = f"{_number(quantity)} {fills[-1]['symbol']} for {_money(value)} USDT in {len(fills)} fill(s){gained}"
    return [Event(fills[-1]["executed_ms"], "effect", text)]


def _close_of(bars: Sequence[Row], order: Row) -> str:
    own = [one for one in bars if one.get("symbol") == order.get("symbol")]
    best = next((one for one in own if one.get("category") == order.get("category")), own[0] if own else None)
    return "" if best is None else _number(best.get("close"))


def _interval(value: object) -> str:
    return {"D": "1 day", "60": "1 hour", "240": "4 hours"}.get(str(value), str(value))


def _number(value: object) -> str:
    if value is None:
        return "–"
    number = Decimal(str(value)).normalize()
    return rounded(f"{number:f}") if number % 1 else f"{number:f}"


def _money(value: object) -> str:
    return "–" if value is None else f"{Decimal(str(value)):,.2f}"
