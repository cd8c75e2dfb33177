"""The mechanics of one asset's position: its stop is kept at the exchange, and closing continues until it is flat
(TR-5, TR-6, TR-15). The decision to enter or to exit is made elsewhere (`decisions`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

from statemachines.commands import Alert, Commands, Send
from statemachines.limits.slices import MAX_CONDITIONAL_ORDERS
from statemachines.trend import rules
from statemachines.trend.machine import TrendMachine, TrendState
from statemachines.trend.order_messages import Orders, plain
from statemachines.trend.parameters import TrendAsset, TrendParameters
from statemachines.trend.trade import StopOrder, Trade
from statemachines.trend.view import View
from statemachines.values import SECOND_MS, Account, ActorName

STOP_REPAIRS = 1
"""Number of times a day that a lost stop is replaced, each of those that stand side by side, and that an audit leads to
a repair; when a replacement is lost too, or the next audit fails, the position is closed and the engine HALTED."""

STOP_PARTS_MS = 2 * SECOND_MS
"""How long after the first of several stops has filled the others may still fire, before what is left is closed."""


class Position:
    """One asset of one TREND sub-account: its holding, its machine, its stop and its exit."""

    def __init__(
        self, engine: ActorName, account: Account, asset: TrendAsset, parameters: TrendParameters, view: View
    ) -> None:
        self._parameters = parameters
        self._view = view
        self._orders = Orders(engine, account, asset, view)
        self.asset = asset
        self.trade = Trade()
        self.machine = TrendMachine(asset.asset)

    # --- views ---

    @property
    def signed_quantity(self) -> Decimal:
        """Position at the exchange, negative when short."""
        return self.trade.direction * self.trade.held

    @property
    def account_quantity(self) -> Decimal:
        """The account's holding: the position, the dust of earlier ones (X1) and what is not ours (OR-9)."""
        return self.signed_quantity + self.trade.dust + self.trade.outside

    @property
    def is_free(self) -> bool:
        return self.machine.state is TrendState.SCANNING

    @property
    def is_held(self) -> bool:
        return self.machine.state is TrendState.IN_POSITION

    @property
    def is_leaving(self) -> bool:
        return self.machine.state in (TrendState.STOP_TRIGGERED, TrendState.TRAILING_STOP, TrendState.EXIT)

    @property
    def is_reducing(self) -> bool:
        """Whether an exit or a cut of this instant is still open (T7 waits for it)."""
        t = self.trade
        return t.cut is not None or t.exit is not None or (self.is_leaving and t.held > 0 and t.retry_ms is None)

    def deadline(self) -> int | None:
        """Market time of the next check of stop or exit; None when nothing is pending."""
        checks = [self.trade.retry_ms, *(stop.check_ms for stop in self.trade.stops)]
        return min((check for check in checks if check is not None), default=None)

    # --- exit ---

    def leave(self, rule: str, reason: str, decided_ms: int, now_ms: int) -> Commands:
        """Close the position at market; the stop rests until it is flat. No further entry at `decided_ms` (T2).

        `rule` is the rule's ID (RM-5: the operator), UNPROTECTED (the stop cannot be held) or EXTERNAL (not caused by
        this system).
        """
        t = self.trade
        t.blocked_through_ms = max(t.blocked_through_ms, decided_ms)
        t.exit_rule, t.exit_reason = rule, reason
        data = {"rule": rule, "held": plain(t.held), "direction": t.direction}
        arrows: Commands
        if rule == "TR-5":
            arrows = [self.machine.hard_stop(reason, data), self.machine.close(reason, data)]
        elif rule == "TR-6":
            arrows = [self.machine.trailing_stop(reason, data), self.machine.close(reason, data)]
        else:
            arrows = [self.machine.exit(reason, data)]
        return [*arrows, *self._settle(now_ms)]

    def _settle(self, now_ms: int) -> Commands:
        """Continue the exit: entry withdrawn, remainder closed at market, then the stop withdrawn, then SCANNING.

        The stop is withdrawn last: until the position is flat it is protected at every instant, and a stop that fires
        in between is reduce-only.
        """
        t = self.trade
        if t.entry is not None:
            if t.entry_withdrawn:
                return []
            t.entry_withdrawn = True
            return [self._orders.withdraw(t.entry, t.exit_reason)]
        if t.exit is not None or t.cut is not None:
            return []
        if t.held > 0:
            if t.retry_ms is not None or t.has_fired:
                return []  # a pause between attempts, or the stop is still filling: its end shows the remainder
            lots = self._in_lots(t.held)
            t.closes_rest = lots == 0
            if t.closes_rest and (t.rest_is_refused or t.outside):  # quantity 0 closes what is not ours too
                return [*self._keep_dust(), *self._settle(now_ms)]
            intent = self._orders.exit(t, lots or t.held)
            t.exit = intent.intent_id
            t.exit_first = t.exit_first or intent.intent_id
            return [Send(intent)]
        t.retry_ms = None
        if t.stops:
            return [] if t.has_fired else self._withdraw_stops(t.stops, f"flat after {t.exit_rule}")
        if t.ending:
            return []
        rule = t.exit_rule
        end_alert = self._end_alerts()
        self.trade = t.flat()
        return [self.machine.closed(f"flat after {rule}, no order is open", {"rule": rule}), *end_alert]

    def _in_lots(self, quantity: Decimal) -> Decimal:
        """The part that the venue accepts as a reduce-only order; 0 when the quantity is below a lot."""
        instrument = self._view.instrument(self.asset.symbol)
        if instrument is None:
            return quantity
        lots = instrument.floor_qty(quantity)
        return lots if lots >= instrument.min_qty else Decimal(0)

    def _keep_dust(self) -> Commands:
        """X1: the remainder cannot be traded at all: it stays in the account and no longer counts as a position."""
        t = self.trade
        t.dust, t.held = t.direction * t.held, Decimal(0)
        price = self._view.price(self.asset.symbol)
        why = "the exchange refuses to close it" if t.rest_is_refused else "cannot be closed without what is not ours"
        text = (
            f"{plain(t.dust)} {self.asset.symbol}, {abs(t.dust) * price:.2f} USDT, is below a lot and {why}. "
            "It stays in the account, counts in equity, and the engine continues without it. No "
            "action is required."
        )
        data = {"dust": plain(t.dust)}
        return [self.machine.remark("dust", text, data), self._orders.alert("info", "dust is left", text)]

    def _hold(self, position: Decimal) -> bool:
        """Take the account's holding after a fill, without what is not ours: dust on the position's side becomes part
        of it, dust on the other side is offset first. False when the position has flipped."""
        t = self.trade
        position -= t.outside
        own = position * t.direction
        if own < 0 and abs(position) > abs(t.dust):
            return False
        if own < 0 or (t.rest_is_refused and t.held == 0):
            t.held, t.dust = Decimal(0), position
        else:
            t.held, t.dust = own, Decimal(0)
        return True

    # --- alerts ---

    def _raise_alert(self, condition: str, title: str, text: str) -> Alert:
        if condition not in self.trade.alerted:
            self.trade.alerted.append(condition)
        return self._orders.alert("critical", title, text, condition)

    def _end_alert(self, condition: str, text: str) -> Commands:
        if condition not in self.trade.alerted:
            return []
        self.trade.alerted.remove(condition)
        return [self._orders.end_alert(condition, text)]

    def _end_alerts(self) -> Commands:
        """What is not ours stays reported."""
        over = (one for one in tuple(self.trade.alerted) if one != "position" or not self.trade.outside)
        return [command for condition in over for command in self._end_alert(condition, "it is flat")]

    # --- stop ---

    def _set_hard_stop(self) -> None:
        """TR-5, T5: set the hard stop from the average fill price; final when the entry has ended."""
        t, symbol = self.trade, self.asset.symbol
        instrument = self._view.instrument(symbol)
        if instrument is None:
            raise ValueError(f"instrument of {symbol} is not known; an entry requires it")
        t.stop_price = rules.hard_stop(
            t.direction, t.average_price, t.signal_atr, self._parameters, instrument.tick_size
        )

    def _guard(self, now_ms: int, reason: str) -> Commands:
        """Bring the stop at the exchange to `stop_price` and to the quantity held, one request at a time for each of
        the orders that it consists of."""
        t = self.trade
        if t.held == 0 or t.stop_price is None or self.machine.state not in (TrendState.ENTRY, TrendState.IN_POSITION):
            return []
        out = self._report_uncovered()
        kept, missing, surplus = assigned(t.stops, self._parts())
        room = MAX_CONDITIONAL_ORDERS - len(t.stops) - len(t.ending)
        for quantity in missing[: max(room, 0)]:
            out.append(self._place_stop(quantity, t.stop_price, now_ms))
        if len(missing) <= room:
            t.unreplaced = []
        for stop, quantity in kept:
            if stop.check_ms is not None or stop.confirmed_price is None:
                continue  # the last request is still pending; its confirmation calls this again
            if (stop.asked_price, stop.asked_quantity) == (t.stop_price, quantity):
                continue
            stop.asked_price, stop.asked_quantity = t.stop_price, quantity
            stop.check_ms = self._confirm_by(now_ms)
            out.append(self._orders.move(stop, reason))
        for stop in surplus:
            t.stops.remove(stop)
            t.ending.append(stop.intent_id)
            out.append(self._orders.withdraw(stop.intent_id, reason))
        return out

    def _parts(self) -> list[Decimal]:
        """The quantities of the orders that the stop consists of: the position in whole lots, none above the venue's
        largest order, and no more orders than the venue takes."""
        t = self.trade
        asked = [stop.asked_quantity for stop in t.stops]
        if sum(asked) == t.held:
            return asked  # for more than whole lots too (the lot step has increased): it is kept
        return rules.stop_parts(self._in_lots(t.held) or t.held, self._view.instrument(self.asset.symbol))

    def _place_stop(self, quantity: Decimal, price: Decimal, now_ms: int) -> Send:
        t = self.trade
        text = f"{t.stop_rule}: stop {plain(price)} for {plain(quantity)} {self.asset.symbol}"
        intent = self._orders.stop(t.direction, quantity, price, text)
        stop = StopOrder(intent_id=intent.intent_id, asked_price=price, asked_quantity=quantity)
        stop.repairs = t.unreplaced.pop(0) if t.unreplaced else 0
        stop.check_ms = self._confirm_by(now_ms)
        t.stops.append(stop)
        return Send(intent)

    def _confirm_by(self, now_ms: int) -> int:
        return now_ms + self._parameters.stop_confirm_s * SECOND_MS

    def _report_uncovered(self) -> Commands:
        """TR-5: a position for which the venue takes too few stops is protected in part only while we are down."""
        t = self.trade
        covered = sum(self._parts(), Decimal(0))
        if self._in_lots(t.held) <= covered:
            return self._end_alert("uncovered", f"stops for all of {plain(t.held)} are possible again")
        if "uncovered" in t.alerted:
            return []
        text = (
            f"The exchange takes {MAX_CONDITIONAL_ORDERS} stops of {self.asset.symbol} at once, for {plain(covered)} "
            f"of the {plain(t.held)} held. The rest is closed at market as soon as they have filled, for which this "
            "system must run. Reduce the position or the engine's capital."
        )
        return [self._raise_alert("uncovered", "position is larger than its stops", text)]

    def _withdraw_stops(self, stops: Sequence[StopOrder], reason: str) -> Commands:
        t = self.trade
        gone = [stop.intent_id for stop in stops]
        t.stops = [stop for stop in t.stops if stop.intent_id not in gone]
        t.ending += gone
        return [self._orders.withdraw(intent_id, reason) for intent_id in gone]

    def _check_stop(self, stop: StopOrder, now_ms: int) -> Commands:
        """The exchange has not confirmed in time: raise an alert, and repeat the request once (DESIGN 6)."""
        seconds = self._parameters.stop_confirm_s
        text = f"stop {stop.intent_id} at {plain(stop.asked_price)} is not confirmed after {seconds} s"
        stop.check_ms = None
        if self.is_leaving:
            return [self._raise_alert("stop", "stop not confirmed while closing", text)]
        if stop.confirmed_price is None:
            self.trade.ending.append(stop.intent_id)
            self.trade.stops.remove(stop)
            return [*self._replace_stops([stop], text, now_ms), self._orders.withdraw(stop.intent_id, text)]
        text = f"{text}; the one at {plain(stop.confirmed_price)} still rests"
        alert = self._raise_alert("stop", "stop not moved", text)
        if stop.repeated:
            return [alert]
        stop.repeated = True
        stop.check_ms = now_ms + seconds * SECOND_MS
        return [alert, self._orders.move(stop, text)]

    def _replace_stops(self, lost: Sequence[StopOrder], why: str, now_ms: int) -> Commands:
        t = self.trade
        t.unreplaced += [stop.repairs + 1 for stop in lost]
        if max(t.audit_repairs, *t.unreplaced) > STOP_REPAIRS:
            text = (
                f"TR-5: {why}; the stop cannot be held at the exchange, so the position is closed and the engine stops"
            )
            alert = self._raise_alert("stop", "position without stop is closed", text)
            return [alert, *self.leave("UNPROTECTED", text, now_ms, now_ms), self._orders.halt(text, now_ms)]
        alert = self._raise_alert("stop", "stop is missing", f"{why}; it is replaced once")
        return [alert, *self._guard(now_ms, why)]


def not_resting(stops: Sequence[StopOrder], listed: Collection[str], missing: Decimal) -> list[StopOrder]:
    """The stops behind a gap of `missing` coins in the cover: those that the exchange does not list, else (it is not
    known which) as few as make up the gap. The others protect meanwhile."""
    lost = [stop for stop in stops if stop.intent_id not in listed]
    if listed and lost:
        return lost
    lost = []
    for stop in sorted(stops, key=lambda one: one.repairs):
        if missing <= 0:
            break
        lost.append(stop)
        missing -= stop.asked_quantity
    return lost


def assigned(
    stops: Sequence[StopOrder], parts: Sequence[Decimal]
) -> tuple[list[tuple[StopOrder, Decimal]], list[Decimal], list[StopOrder]]:
    """The stops with the quantity that each is to have, the quantities for which there is none yet, and the stops that
    are not needed any more. One that has its quantity already keeps it."""
    left, kept, others = list(parts), list[tuple[StopOrder, Decimal]](), list[StopOrder]()
    for stop in stops:
        if stop.asked_quantity in left:
            left.remove(stop.asked_quantity)
            kept.append((stop, stop.asked_quantity))
        else:
            others.append(stop)
    changed = list(zip(others, left, strict=False))
    return kept + changed, left[len(changed) :], others[len(changed) :]
