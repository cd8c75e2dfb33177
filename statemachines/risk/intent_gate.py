"""The part of the risk manager that decides on intents: approved ones not yet done, repeats, order rate (RM-1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.commands import Commands, Send
from statemachines.intent_ids import parse_intent_id
from statemachines.limits.slices import slice_of
from statemachines.messages.orders import Approved, Fill, Intent, MoveStop, OrderDenied, Withdraw
from statemachines.risk.checks import Verdict, judge
from statemachines.risk.duplicates import RepeatWindow
from statemachines.risk.intent_verdict import IntentVerdict
from statemachines.risk.order_view import OpenIntent, OrderView, Pending, Refusal
from statemachines.risk.parameters import RiskParameters
from statemachines.values import ACCOUNT_OF, ENGINES, MINUTE_MS, Account, ActorName, Instrument, Side

Surroundings = Callable[[Intent, bool, int, Pending], OrderView]
"""Builds the view of one intent from: the intent, whether it is a repeat, orders this minute, pending intents."""


class IntentGate:
    """Approved intents until they end, per account; ids seen and orders per minute, per engine."""

    def __init__(self, parameters: RiskParameters) -> None:
        self._parameters = parameters
        self._open: dict[str, OpenIntent] = {}
        self._pending = Pending()
        self._seen: dict[ActorName, RepeatWindow] = {}
        self._minute: dict[ActorName, tuple[int, int]] = {}

    # --- deciding ---

    def decide(
        self,
        intent: Intent,
        instrument: Instrument | None,
        now_ms: int,
        view: Surroundings,
        mean_volume: Decimal | None = None,
    ) -> Commands:
        """Approve or refuse one intent; exactly one verdict per intent, each with a note of the reason. `mean_volume`
        is V of X4 in base coin, None while it is unknown."""
        try:
            counter = parse_intent_id(intent.intent_id).number
        except ValueError as error:
            return denied(intent, (Refusal("duplicate", "an id of this engine", intent.intent_id, str(error)),))
        window = self._seen.setdefault(intent.engine, RepeatWindow())
        order = view(intent, window.is_repeat(counter), self._this_minute(intent.engine, now_ms), self._pending)
        verdict = judge(order)
        if order.is_repeat:
            # The first verdict is final. A second one would end the intent for its engine while its order is working.
            return [verdict_on(intent).remark("repeat", verdict.refusals[0].reason, {"intent_id": intent.intent_id})]
        window.take(counter)
        if verdict.refusals:
            return denied(intent, verdict.refusals)
        assert instrument is not None
        return self._approve(intent, verdict, instrument, order, now_ms, mean_volume)

    def recheck(self, intent: Intent, view: Surroundings) -> Sequence[Refusal]:
        """What would be refused of an approved intent if it were proposed now; nothing changes. What the others may
        still fill counts, its own part does not, and neither does the rate of orders."""
        others = Pending()
        for one in self._open.values():
            if one.intent_id != intent.intent_id:
                others.add(one)
        return judge(view(intent, False, 0, others)).refusals

    def _approve(
        self,
        intent: Intent,
        verdict: Verdict,
        instrument: Instrument,
        order: OrderView,
        now_ms: int,
        mean_volume: Decimal | None,
    ) -> Commands:
        if not verdict.is_reducing:
            self._minute[intent.engine] = (now_ms // MINUTE_MS, self._this_minute(intent.engine, now_ms) + 1)
        quantity = intent.quantity if intent.closes_rest else instrument.floor_qty(intent.quantity)
        approved_intent = OpenIntent(
            intent.intent_id,
            intent.account,
            intent.category,
            intent.symbol,
            intent.side,
            quantity,
            intent.trigger_price or intent.reference_price,  # a stop is decided at its trigger
            intent.reduce_only,
            verdict.is_reducing,
        )
        self._keep(approved_intent)
        limit = None if verdict.is_reducing else _worst_price(intent, instrument, self._parameters.price_collar)
        version = 0 if order.portfolio is None else order.portfolio.version_no
        kind = "reduces risk" if verdict.is_reducing else "new risk within all limits"
        reason = (
            f"{intent.side} {quantity} {intent.category} {intent.symbol} ({intent.purpose}) {kind}; worst price "
            f"{'unbounded' if limit is None else limit}"
        )
        piece = _slice(intent, quantity, mean_volume, instrument)
        if piece is not None:
            reason += f"; worked in slices of {piece} (X4)"
        data = {"quantity": str(quantity), "price_limit": None if limit is None else str(limit), "version": version}
        approved = Approved(
            intent=intent,
            max_quantity=quantity,
            price_limit=limit,
            slippage_limit=self._parameters.slippage_limit,
            expires_ms=intent.expires_ms,
            portfolio_version=version,
            slice_quantity=piece,
        )
        return [verdict_on(intent).fire("approve", reason, {"intent_id": intent.intent_id, **data}), Send(approved)]

    def withdrawals(self, engines: tuple[ActorName, ...], reason: str) -> Commands:
        """Cancels for every approved intent of new risk of these engines (RM-5: resting entries must not fill)."""
        return [
            Send(Withdraw(intent_id=i.intent_id, engine=engine, reason=reason), to=(ActorName.ORDER_MANAGER,))
            for engine in engines
            for i in self._open.values()
            if i.account == ACCOUNT_OF[engine] and not i.is_reducing
        ]

    def has_new_risk(self, engine: ActorName) -> bool:
        """Whether an approved intent of this engine may still open or enlarge something."""
        return any(i.account == ACCOUNT_OF[engine] and not i.is_reducing for i in self._open.values())

    # --- progress of approved intents ---

    def take_fill(self, fill: Fill) -> Decimal | None:
        """Part of an approved intent is now part of the holdings instead. Returns the price at which the intent was
        decided; None for one that is not open."""
        open_intent = self._open.get(fill.intent_id)
        if open_intent is None:
            return None
        left = max(Decimal(0), open_intent.remaining - fill.quantity)
        self._keep(open_intent._replace(remaining=left))
        return open_intent.price

    def take_move(self, body: MoveStop) -> None:
        """A stop has another trigger from now on: that is the price it was decided at."""
        moved = self._open.get(body.intent_id)
        if moved is not None and body.trigger_price is not None:
            self._keep(moved._replace(price=body.trigger_price))

    def take_done(self, intent_id: str) -> None:
        """The intent has ended: it no longer counts as exposure."""
        ended = self._open.pop(intent_id, None)
        if ended is not None:
            self._pending.remove(ended)

    def _keep(self, open_intent: OpenIntent) -> None:
        before = self._open.get(open_intent.intent_id)
        if before is not None:
            self._pending.remove(before)
        self._open[open_intent.intent_id] = open_intent
        self._pending.add(open_intent)

    def _this_minute(self, engine: ActorName, now_ms: int) -> int:
        minute, count = self._minute.get(engine, (0, 0))
        return count if minute == now_ms // MINUTE_MS else 0

    # --- durability, one row per engine ---

    def to_data(self, engine: ActorName) -> dict[str, Any]:
        """The durable state of one engine's intents."""
        window = self._seen.get(engine, RepeatWindow())
        return {
            "high": window.high,
            "mask": f"{window.mask:x}",
            "minute": list(self._minute.get(engine, (0, 0))),
            "open": [_row(i) for i in self._open.values() if i.account == ACCOUNT_OF[engine]],
        }

    def restore(self, engine: ActorName, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`."""
        self._seen[engine] = RepeatWindow(int(data["high"]), int(data["mask"], 16))
        minute, count = data["minute"]
        self._minute[engine] = (int(minute), int(count))
        for row in data["open"]:
            self._keep(_open_intent(row, ACCOUNT_OF[engine]))


def _slice(intent: Intent, quantity: Decimal, mean_volume: Decimal | None, instrument: Instrument) -> Decimal | None:
    """X4: what is at the exchange at once. A stop rests whole, up to the venue's maximum: it must protect the position,
    and its volume is not known before it fires. FUNDING sizes its pairs so that both legs are one order each."""
    is_whole = intent.style == "stop" or intent.engine is ActorName.FUNDING
    volume = None if is_whole else mean_volume
    return slice_of(quantity, intent.reference_price, intent.style == "maker", volume, instrument)


def _worst_price(intent: Intent, instrument: Instrument, collar: Decimal) -> Decimal:
    """The furthest price a fill may have: the collar around the reference price, on the tick inside it."""
    if intent.side is Side.BUY:
        return instrument.floor_price(intent.reference_price * (1 + collar))
    return instrument.ceil_price(intent.reference_price * (1 - collar))


def denied(intent: Intent, refusals: Sequence[Refusal]) -> Commands:
    """The refusal of an intent: a note and the message that ends it, with every reason."""
    reasons = tuple(f"{refusal.check}: {refusal.reason}" for refusal in refusals)
    checks = tuple(dict.fromkeys(refusal.check for refusal in refusals))
    body = OrderDenied(
        intent_id=intent.intent_id, engine=intent.engine, retry_of=intent.retry_of, reasons=reasons, checks=checks
    )
    data = {
        "intent_id": intent.intent_id,
        "checks": list(checks),
        "refusals": [refusal.as_data() for refusal in refusals],
    }
    note = verdict_on(intent).fire("deny", "; ".join(reasons), data)
    return [note, Send(body)]


def gate_rows(issuer: ActorName) -> tuple[str, ...]:
    """The key of an engine's row; none for orders that belong to no engine (adopted ones)."""
    return (f"engine:{issuer}",) if issuer in ENGINES else ()


def verdict_on(intent: Intent) -> IntentVerdict:
    """The machine of one proposal; its name in the journal is its engine's."""
    return IntentVerdict(str(intent.engine))


def _row(i: OpenIntent) -> dict[str, Any]:
    return {
        "id": i.intent_id,
        "category": i.category,
        "symbol": i.symbol,
        "side": i.side,
        "remaining": str(i.remaining),
        "price": str(i.price),
        "reduce_only": i.reduce_only,
        "is_reducing": i.is_reducing,
    }


def _open_intent(row: Mapping[str, Any], account: Account) -> OpenIntent:
    return OpenIntent(
        row["id"],
        account,
        row["category"],
        row["symbol"],
        Side(row["side"]),
        Decimal(row["remaining"]),
        Decimal(row["price"]),
        bool(row["reduce_only"]),
        bool(row["is_reducing"]),
    )
