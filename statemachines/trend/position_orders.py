"""The orders of one asset's position: entry, stop at the exchange, cut and exit (TR-5, TR-6, TR-13, TR-15).

The engine's rules decide; this module carries the decision out and ensures that a position is never left
without a stop (position.py). It reacts to reports of the exchange and never to prices.
"""

from __future__ import annotations

from decimal import Decimal

from statemachines.backoff import Tries, order_pause_s
from statemachines.commands import Commands, Send
from statemachines.messages.orders import Fill, IntentEnded, IntentWorking, MoveRefused, PositionUnprotected
from statemachines.refusals import RefusalCause
from statemachines.trend import rules
from statemachines.trend.machine import TrendMachine, TrendState
from statemachines.trend.order_messages import plain
from statemachines.trend.position import STOP_PARTS_MS, Position, not_resting
from statemachines.trend.trade import StopOrder, Trade
from statemachines.values import SECOND_MS


class PositionOrders(Position):
    """One asset of one TREND sub-account: carries out the engine's decisions and handles the exchange's reports."""

    # --- state ---

    def load(self, trade: Trade) -> None:
        """Restore the state of a previous incarnation."""
        self.trade = trade
        self.machine = TrendMachine.restored(self.asset.asset, trade.state)

    def saved(self) -> Trade:
        """The state to be made durable."""
        self.trade.state = self.machine.state
        return self.trade

    # --- decisions of the engine ---

    def enter(
        self, direction: int, quantity: Decimal, atr: Decimal, close_ms: int, halved_in: int, reason: str
    ) -> Commands:
        """TR-8: request the entry of a detected signal."""
        intent = self._orders.entry(direction, quantity, reason)
        self.trade = self.trade.anew(
            direction=direction,
            signal_close_ms=close_ms,
            signal_atr=atr,
            halved_in=halved_in,
            entry=intent.intent_id,
        )
        data = {"direction": direction, "quantity": plain(quantity), "atr": plain(atr), "close_ms": close_ms}
        return [self.machine.order(reason, data), Send(intent)]

    def ratchet(self, price: Decimal, reason: str, now_ms: int) -> Commands:
        """TR-6: the trailing stop has become the tighter one."""
        t = self.trade
        data = {"from": plain(t.stop_price or Decimal(0)), "to": plain(price)}
        t.stop_price, t.stop_rule = price, "TR-6"
        return [self.machine.remark("stop_moved", reason, data), *self._guard(now_ms, reason)]

    def protect(self, now_ms: int) -> Commands:
        """TR-5: check daily that the stop at the exchange has the required terms."""
        return self._guard(now_ms, "the stop at the exchange does not have the required terms")

    def cut(self, quantity: Decimal, episode: int, reason: str) -> Commands:
        """TR-13: sell half; a quantity of 0 only marks the position as halved in this episode."""
        self.trade.halved_in = episode
        note = self.machine.remark("cut", reason, {"quantity": plain(quantity), "episode": episode})
        if quantity == 0:
            return [note]
        intent = self._orders.reduction(self.trade.direction, quantity, "trim", reason)
        self.trade.cut = intent.intent_id
        return [note, Send(intent)]

    def give(self, quantity: Decimal, reason: str) -> Commands:
        """O4: sell a part of the position so that its margin can be given."""
        intent = self._orders.reduction(self.trade.direction, quantity, "trim", reason)
        self.trade.cut, self.trade.cut_gives = intent.intent_id, True
        return [self.machine.remark("give", reason, {"quantity": plain(quantity)}), Send(intent)]

    def flatten(self, reason: str, now_ms: int) -> Commands:
        """RM-5, R3: close the position now; an exit that pauses between two attempts is tried again at once."""
        if self.machine.state in (TrendState.ENTRY, TrendState.IN_POSITION):
            return self.leave("RM-5", reason, now_ms, now_ms)
        if not self.is_leaving or self.trade.retry_ms is None:
            return []
        self.trade.retry_ms = None
        return self._settle(now_ms)

    def close_day(self, close: Decimal, close_ms: int) -> None:
        """T4, T6: one more daily close since the entry."""
        t = self.trade
        if not self.is_held or t.signal_close_ms >= close_ms:
            return
        t.closes += 1
        t.best_close = rules.better(t.direction, t.best_close, close)
        t.has_been_in_profit = t.has_been_in_profit or rules.is_profit(t.direction, close, t.average_price)
        t.unreplaced, t.audit_repairs = [], 0
        for stop in t.stops:
            stop.repairs = 0
            if stop.check_ms is None and stop.confirmed_price and stop.confirmed_quantity:
                stop.asked_price, stop.asked_quantity = stop.confirmed_price, stop.confirmed_quantity
                stop.repeated = False  # a move that was abandoned is requested again on the new day

    # --- reports of the exchange ---

    def on_fill(self, fill: Fill, now_ms: int) -> Commands:
        """One execution of this symbol, ours or not; the position is the one that the exchange reports."""
        t = self.trade
        if self.is_free:
            return self._on_stray(fill, now_ms)
        if not self._hold(fill.position_quantity):
            text = f"the exchange reports {plain(fill.position_quantity)} after {fill.execution_id}"
            return [self._orders.alert("critical", "position has flipped", text)]
        stop = t.stop_of(fill.intent_id)
        is_stop = stop is not None or fill.intent_id in t.ending
        if stop is not None:
            stop.fired = True
        if fill.intent_id == t.entry:
            t.bought += fill.quantity
            t.cost += fill.quantity * fill.price
            if self.machine.state is TrendState.ENTRY:
                self._set_hard_stop()
        if self.is_leaving:
            return self._settle(now_ms)
        if is_stop:
            rule = t.stop_rule if self.is_held else "TR-5"
            reason = f"{rule}: stop {plain(t.stop_price or Decimal(0))} filled at {plain(fill.price)}"
            return self.leave(rule, reason, fill.executed_ms - 1, now_ms)
        if t.held == 0 and self.is_held and t.cut is None:
            return self.leave("EXTERNAL", "the position no longer exists at the exchange", fill.executed_ms - 1, now_ms)
        return self._guard(now_ms, f"{plain(t.held)} held, entered at {plain(t.average_price)}")

    def on_working(self, working: IntentWorking, now_ms: int) -> Commands:
        """The exchange confirms that a stop rests."""
        stop = self.trade.stop_of(working.intent_id)
        if stop is None:
            return []
        stop.confirmed_price = stop.asked_price if working.trigger_price is None else working.trigger_price
        stop.confirmed_quantity = stop.asked_quantity if working.quantity is None else working.quantity
        if not stop.is_settled:
            return []
        stop.check_ms, stop.repeated = None, False
        end_alert: Commands = []
        if all(one.is_settled for one in self.trade.stops):
            end_alert = self._end_alert("stop", f"the exchange confirms the stop at {plain(stop.asked_price)}")
        return [*end_alert, *self._guard(now_ms, "the position changed while the stop request was pending")]

    def on_move_refused(self, refused: MoveRefused, now_ms: int) -> Commands:
        """The exchange does not move a stop; T6: one that the market has passed closes the position."""
        stop, is_leaving = self.trade.stop_of(refused.intent_id), self.is_leaving or self.trade.held == 0
        if stop is None or is_leaving or refused.refusal is not RefusalCause.CROSSED:
            return []
        return self._leave_crossed(refused.trigger_price, now_ms)

    def on_unprotected(self, found: PositionUnprotected, now_ms: int) -> Commands:
        """TR-5: the exchange lists too little protection for what is held, though our stop counts as confirmed."""
        t = self.trade
        if self.machine.state not in (TrendState.ENTRY, TrendState.IN_POSITION) or t.exit is not None:
            return []
        if any(stop.check_ms is not None or stop.fired for stop in t.stops):
            return []  # a request is pending, which its confirmation or its time limit ends
        needed = min(sum(self._parts(), Decimal(0)), self._in_lots(min(t.held, abs(found.held))))
        if needed <= found.covered:
            return []  # what is not covered is less than a lot, not ours, or more than the venue takes stops for
        lost = not_resting(t.stops, found.stops, needed - found.covered)
        withdrawn = self._withdraw_stops(lost, found.reason)
        t.audit_repairs += 1
        return [*self._replace_stops(lost, found.reason, now_ms), *withdrawn]

    def on_ended(self, done: IntentEnded, now_ms: int) -> Commands:
        """An intent of this asset has ended, with any outcome."""
        t = self.trade
        if done.intent_id == t.entry:
            t.entry = None
            return self._on_entry_done(done, now_ms)
        if done.intent_id == t.exit:
            t.exit = None
            return self._on_exit_done(done, now_ms)
        if done.intent_id == t.cut:
            t.cut = None
            return self._on_cut_done(done, now_ms)
        if done.intent_id in t.ending:
            t.ending.remove(done.intent_id)
            return self._settle(now_ms) if self.is_leaving else self._guard(now_ms, "another stop has ended")
        if (stop := t.stop_of(done.intent_id)) is not None:
            t.stops.remove(stop)
            return self._on_stop_done(stop, done, now_ms)
        return []

    def adopt(self, quantity: Decimal, now_ms: int) -> Commands:
        """Adopt the exchange's position after a reconciliation or an external fill (OR-9). What is missing is gone,
        also while orders are under way: their fills are reported before. What is more, or of the other sign, is not
        ours: it is reported, set aside and never traded."""
        t = self.trade
        surplus = quantity - t.dust
        if self.is_free and quantity * t.dust >= 0 and abs(quantity) < abs(t.dust):
            t.dust, surplus = quantity, Decimal(0)  # the dust, or part of it, was closed externally
        held = min(max(surplus * t.direction, Decimal(0)), t.held)
        t.outside = surplus - t.direction * held or Decimal(0)
        if t.outside:
            text = f"the exchange holds {plain(quantity)}, this engine {plain(quantity - t.outside)}"
            told: Commands = [self._raise_alert("position", "position is not ours", text)]
        else:
            told = self._end_alert("position", "the positions agree again")
        if held == t.held:
            return told
        t.held = held
        if self.is_leaving:
            return [*told, *self._settle(now_ms)]
        if t.held == 0:
            reason = "the position no longer exists at the exchange"
            return [*told, *self.leave("EXTERNAL", reason, now_ms - 1, now_ms)]
        return [*told, *self._guard(now_ms, f"the exchange holds only {plain(t.held)}")]

    def tick(self, now_ms: int) -> Commands:
        """Perform the checks that are due: the stop's confirmation, the next attempt of an exit."""
        t = self.trade
        out: Commands = []
        if t.retry_ms is not None and t.retry_ms <= now_ms:
            t.retry_ms = None
            out += self._settle(now_ms)
        for stop in list(t.stops):
            if stop in t.stops and stop.check_ms is not None and stop.check_ms <= now_ms:
                out += self._check_stop(stop, now_ms)
        return out

    # --- entry and cut ---

    def _on_entry_done(self, done: IntentEnded, now_ms: int) -> Commands:
        t = self.trade
        if self.is_leaving:
            return self._settle(now_ms)
        if t.held == 0 and (t.stops or t.ending):
            return self.leave("EXTERNAL", "the position no longer exists at the exchange", now_ms - 1, now_ms)
        if t.held == 0:
            reason = f"entry {done.ended_as}: {done.why}"
            refused = self.machine.refuse(reason, {"outcome": done.ended_as})
            end_alert = self._end_alerts()
            self.trade = t.flat()
            return [refused, self.machine.rescan(), *end_alert]
        self._set_hard_stop()
        t.best_close = t.average_price
        stop = plain(t.stop_price or Decimal(0))
        reason = f"{plain(t.held)} filled at {plain(t.average_price)}, hard stop {stop} (TR-5)"
        data = {"quantity": plain(t.held), "price": plain(t.average_price), "stop": stop}
        return [self.machine.fill(reason, data), *self._guard(now_ms, reason)]

    def _on_stray(self, fill: Fill, now_ms: int) -> Commands:
        """EX-1: a fill after the end of its intent is legal. Ours is closed immediately, an external one only
        reported."""
        text = f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)} ({fill.intent_id or 'no intent'}) while flat"
        if not self._orders.is_ours(fill.intent_id):
            return [self._orders.alert("critical", "fill is not ours", text)]
        position = fill.position_quantity - self.trade.outside
        if position in (0, self.trade.dust):
            return []
        self.trade = self.trade.anew(
            blocked_through_ms=max(self.trade.blocked_through_ms, fill.executed_ms),
            dust=Decimal(0),  # it is part of what is closed now
            direction=1 if position > 0 else -1,
            held=abs(position),
            exit_rule="STRAY",
            exit_reason=text,
        )
        note = self.machine.stray(text, {"position": plain(position)})
        return [note, self._orders.alert("warning", "late fill is closed", text), *self._settle(now_ms)]

    def _on_cut_done(self, done: IntentEnded, now_ms: int) -> Commands:
        t = self.trade
        if self.is_leaving:
            return self._settle(now_ms)
        if t.held == 0:
            return self.leave("EXTERNAL", "the position no longer exists at the exchange", now_ms - 1, now_ms)
        gives, t.cut_gives = t.cut_gives, False
        if gives:
            return self._guard(now_ms, "O4: the position was reduced to give capital")
        if done.filled_quantity == 0:
            t.halved_in = 0  # nothing was sold: the next daily close of the episode cuts again
        return self._guard(now_ms, "TR-13: the position was cut")

    # --- stop and exit ---

    def _on_stop_done(self, stop: StopOrder, done: IntentEnded, now_ms: int) -> Commands:
        t = self.trade
        if self.is_leaving:
            if done.filled_quantity > 0 and t.held > 0 and t.exit is None and t.stops and t.retry_ms is None:
                t.retry_ms = now_ms + STOP_PARTS_MS  # the others have the same trigger: what they close is not sent
            elif not t.stops and t.exit_tries == 0:
                t.retry_ms = None  # it was the last of them
            return self._settle(now_ms)
        if t.held == 0:
            return []
        if done.filled_quantity > 0:  # its fill has not been reported yet
            return self.leave(t.stop_rule, f"{t.stop_rule}: stop {done.ended_as}", now_ms - 1, now_ms)
        if done.refusal_cause is RefusalCause.CROSSED:
            return self._leave_crossed(stop.asked_price, now_ms)
        return self._replace_stops([stop], f"the stop ended {done.ended_as}: {done.why}", now_ms)

    def _leave_crossed(self, stop_price: Decimal, now_ms: int) -> Commands:
        """T6: the market has passed the stop before the exchange held it there; what it would have done is done now."""
        rule = self.trade.stop_rule
        reason = f"{rule}: the market passed the stop {plain(stop_price)} before the exchange held it; closed at market"
        return self.leave(rule, reason, now_ms - 1, now_ms)

    def _on_exit_done(self, done: IntentEnded, now_ms: int) -> Commands:
        t = self.trade
        if t.held == 0 or t.has_fired:
            return self._settle(now_ms)
        if t.closes_rest and done.is_refused_for_good:
            t.rest_is_refused = True
            return self._settle(now_ms)
        cause = done.refusal_cause or "unfilled"
        tries = Tries(t.exit_cause, t.exit_tries).failed(cause)
        t.exit_cause, t.exit_tries = tries
        pause_s = order_pause_s(tries)
        if pause_s == 0:
            return self._settle(now_ms)
        t.retry_ms = now_ms + int(pause_s * SECOND_MS)
        text = (
            f"{plain(t.held)} {self.asset.symbol} remains after an exit that ended {done.ended_as}: {done.why}. The "
            "exit is retried with growing pauses; check the instrument at the exchange if this persists."
        )
        return [self._raise_alert("exit", "position cannot be closed", text)]
