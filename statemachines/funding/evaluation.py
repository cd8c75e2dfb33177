"""FUNDING's decisions on the market: exits, compounding and entries after a settlement, the basis in between (F3)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.funding.machine import FundingState
from statemachines.funding.pair import Action, is_hedged, is_naked, opening_orders, pair_slice
from statemachines.funding.pair_orders import PairOrders
from statemachines.funding.rules import (
    ExitReason,
    PairSize,
    entry_terms,
    hold_term,
    leg_room_usdt,
    pair_size,
    spot_order_for,
)
from statemachines.funding.state import Evaluation
from statemachines.limits.entry_gate import ScopeState, barring_scope, entry_size_factor, scopes_of
from statemachines.limits.insurance_fund import is_insurance_fund_depleted
from statemachines.outlook.terms import all_hold
from statemachines.values import SECOND_MS, ActorName

ZERO = Decimal(0)
SCOPES = scopes_of(ActorName.FUNDING)


class Evaluator:
    """Applies the rules to the open pairs. Stateless: all state is in the rows of `PairOrders`."""

    def __init__(self, pair_orders: PairOrders) -> None:
        self.pair_orders = pair_orders
        self.parameters = pair_orders.parameters

    # --- exits ---

    def rule_exits(self, now_ms: int, settle_ms: int | None) -> str:
        """FU-9, FU-8, FU-3 for every open pair; returns why no pair may be opened at this instant ("" when one may)."""
        all_out = self._all_out(settle_ms)
        for asset in self.parameters.assets:
            if not self.pair_orders.held(asset) or self.pair_orders.assets[asset].exit_reason is not None:
                continue
            found = all_out or self._own_exit(asset, settle_ms)
            if found is not None and found[0] is ExitReason.MAX_HOLD and self.parameters.on_max_hold == "roll":
                self._roll(asset, now_ms, found[1])
            elif found is not None:
                self.pair_orders.leave(asset, found[0], found[1], now_ms)
        for asset in self.parameters.assets:
            if self.pair_orders.assets[asset].turned_negative:
                self.pair_orders.set(asset, turned_negative=False)
        return all_out[1] if all_out else ""

    def _all_out(self, settle_ms: int | None) -> tuple[ExitReason, str] | None:
        """FU-9, then FU-8: the reason to close all pairs, if any."""
        if self.pair_orders.engine.insurance_alarm:
            readings = self.pair_orders.engine.insurance
            sentence = (
                f"insurance fund at {readings[-1].balance_usdt if readings else 'unknown'} USDT, a fall of more than "
                f"{self.parameters.insurance_fall} within {self.parameters.insurance_window_h} h (FU-9)"
            )
            return ExitReason.INSURANCE, sentence
        if settle_ms is None:
            return None
        limit = self.parameters.negative_periods_all_out
        for asset in self.parameters.assets:
            row = self.pair_orders.assets[asset]
            holds = self.pair_orders.held(asset) or row.state is FundingState.EXIT
            if holds and row.negative_run >= limit and row.settle_ms >= settle_ms:
                return (
                    ExitReason.ALL_OUT,
                    f"{asset}: {row.negative_run} negative periods in a row: all pairs close (FU-8)",
                )
        return None

    def _own_exit(self, asset: str, settle_ms: int | None) -> tuple[ExitReason, str] | None:
        """FU-3: the reason to close this pair, if any, in the order of D5."""
        row = self.pair_orders.assets[asset]
        if row.turned_negative:
            return ExitReason.NEGATIVE, f"{asset}: settled rate {row.settled[-1]} per 8 h is below 0 (FU-3)"
        if row.basis_run >= self.parameters.basis_readings and row.basis is not None:
            return (
                ExitReason.BASIS,
                f"{asset}: basis {row.basis:.6f} above {self.parameters.max_basis} in {row.basis_run} readings (FU-3)",
            )
        settled_now = settle_ms is not None and row.settle_ms >= settle_ms
        if settled_now and hold_term(row.entered_ms, row.settle_ms, row.interval_min, self.parameters).holds:
            return ExitReason.MAX_HOLD, f"{asset}: held for {self.parameters.max_hold_days} days (FU-3)"
        return None

    def _roll(self, asset: str, now_ms: int, sentence: str) -> None:
        self.pair_orders.noted(asset, self.pair_orders.machine(asset).roll(f"{sentence}; rolled without a trade (F6)"))
        self.pair_orders.set(asset, entered_ms=now_ms)

    def waiting_exits(self, now_ms: int) -> None:
        """F5: send exits that waited for a fresh price of both legs."""
        for asset in self.parameters.assets:
            self.pair_orders.close_if_fresh(asset, now_ms)

    def trims(self, now_ms: int) -> None:
        """FU-4: a delta beyond 1 % of the position is trimmed when both legs have a fresh price."""
        for asset in self.parameters.assets:
            row, market = self.pair_orders.assets[asset], self.pair_orders.market(asset)
            if market is None or not row.fresh or not self.pair_orders.held(asset) or row.pair.operation is not None:
                continue
            if is_naked(row.pair, market, self.parameters.delta_tolerance):
                self.pair_orders.trim(
                    asset, now_ms, f"delta {row.pair.residual} beyond {self.parameters.delta_tolerance}"
                )

    def work_due(self) -> bool:
        """Whether the newest prices require a tick: for an exit, a waiting exit, or a trim."""
        return any(self._asset_due(asset) for asset in self.parameters.assets)

    def _asset_due(self, asset: str) -> bool:
        row, market = self.pair_orders.assets[asset], self.pair_orders.market(asset)
        if market is None or row.pair.operation is not None:
            return False
        if row.state is FundingState.EXIT:
            return row.fresh
        if not self.pair_orders.held(asset):
            return False
        delta = row.fresh and is_naked(row.pair, market, self.parameters.delta_tolerance)
        return delta or row.basis_run >= self.parameters.basis_readings

    def is_patient(self, asset: str) -> bool:
        """Whether only a bar with a basis above the limit would require a tick (when flat: no bar at all)."""
        row = self.pair_orders.assets[asset]
        if row.pair.operation is not None:
            return False
        return row.state is FundingState.MONITORING or (
            self.pair_orders.held(asset) and is_hedged(row.pair, self.parameters.delta_tolerance)
        )

    # --- entries and compounding ---

    def entries_barred(self, now_ms: int) -> str:
        """RM-2, RM-3: why new risk may not be taken now; "" when it may."""
        engine = self.pair_orders.engine
        views = [(scope, engine.risk[scope]) for scope in SCOPES if scope in engine.risk]
        bar = barring_scope((ScopeState(scope, view.state, view.blocked_until_ms) for scope, view in views), now_ms)
        if bar is not None and bar.is_barred_by_state:
            return f"risk state {bar.state} of {bar.scope}"
        if bar is not None:
            return f"entries of {bar.scope} are blocked until {bar.blocked_until_ms} ms"
        if engine.portfolio_version == 0:
            return "no portfolio is known yet"
        return ""

    def compound(self, evaluation: Evaluation, now_ms: int) -> None:
        """FU-5, F8: the carry of an open pair buys whole lots of both legs as far as FU-7 permits."""
        if self.entries_barred(now_ms):
            return
        equity = self.pair_orders.own_equity_usdt
        planned = ZERO
        for asset in self.parameters.assets:
            row, market = self.pair_orders.assets[asset], self.pair_orders.market(asset)
            if market is None or not self.pair_orders.held(asset) or row.pair.operation is not None or not row.fresh:
                continue
            if row.settle_ms < evaluation.settle_ms or row.exit_reason is not None:
                continue
            room = leg_room_usdt(equity, row.pair.coins * market.spot_price, self._factor(), self.parameters)
            size = self._affordable(asset, min(row.carry_usdt, room), planned)
            if size is None:
                continue
            reason = (
                f"carry {row.carry_usdt} USDT and room {room:.2f} USDT buy {size.short} {asset} of both legs at "
                f"{market.spot_price} (FU-5)"
            )
            self.pair_orders.out.append(self.pair_orders.machine(asset).remark("compound", reason, {}))
            piece = pair_slice(size, market)  # what the carry buys beyond a slice waits for the next settlement
            orders = opening_orders(piece.short, piece.spot_order)
            self.pair_orders.send(asset, Action.COMPOUND, orders, reason, now_ms, books_carry=True)
            planned += self._cost(asset, size)

    def enter(self, evaluation: Evaluation, now_ms: int) -> None:
        """FU-2, FU-7: open pairs, in order of priority (FU-1)."""
        planned = ZERO
        for asset in self.parameters.assets:
            row = self.pair_orders.assets[asset]
            if row.state is not FundingState.MONITORING or row.settle_ms < evaluation.settle_ms:
                continue
            if row.closed_ms >= evaluation.settle_ms:
                continue  # F6: no exit and entry of one asset at one instant
            if not all_hold(entry_terms(row.predicted, row.settled, row.basis, self.parameters)):
                continue
            planned += self._try(asset, evaluation, planned, now_ms)

    def _try(self, asset: str, evaluation: Evaluation, planned: Decimal, now_ms: int) -> Decimal:
        row, market, machine = (
            self.pair_orders.assets[asset],
            self.pair_orders.market(asset),
            self.pair_orders.machine(asset),
        )
        settled = ", ".join(str(rate) for rate in row.settled)
        sentence = f"{asset}: predicted {row.predicted} per 8 h, last settled {settled}, basis {row.basis:.6f} (FU-2)"
        data = {"predicted": str(row.predicted), "basis": f"{row.basis:.8f}", "settle_ms": evaluation.settle_ms}
        self.pair_orders.noted(asset, machine.detect(sentence, data))
        late = now_ms > evaluation.settle_ms + self.parameters.entry_window_s * SECOND_MS
        barred = evaluation.entries_barred or self.entries_barred(now_ms)
        if late:
            barred = f"the settlement is older than {self.parameters.entry_window_s} s"
        elif row.outside_position != 0:
            barred = f"a position of {row.outside_position} {asset} in the account is not ours"
        if barred or market is None:
            self.pair_orders.noted(asset, machine.decline(barred or "instrument or price not known"))
            return ZERO
        equity = self.pair_orders.own_equity_usdt
        room = leg_room_usdt(equity, ZERO, self._factor(), self.parameters)
        size = self._affordable(asset, room, planned)
        if size is None:
            cash = self.pair_orders.free_cash_usdt - planned
            self.pair_orders.noted(
                asset, machine.decline(f"room {room:.2f} USDT, free cash {cash:.2f} USDT: no whole lot (FU-7)")
            )
            return ZERO
        reason = (
            f"{sentence}; {size.short} {asset} short against {size.spot_order} spot at {market.spot_price}, "
            f"limit {room:.2f} USDT of equity {equity:.2f} (FU-7)"
        )
        piece = pair_slice(size, market)
        if piece != size:
            reason += f"; worked in slices of {piece.short} (X4)"
        self.pair_orders.noted(asset, machine.enter(reason, {"short": str(size.short), "spot": str(size.spot_order)}))
        goal = size.short if piece != size else ZERO
        self.pair_orders.set(asset, entered_ms=0, pair=row.pair.model_copy(update={"goal_short": goal}))
        self.pair_orders.send(asset, Action.ENTRY, opening_orders(piece.short, piece.spot_order), reason, now_ms)
        return self._cost(asset, size)

    def next_slices(self, now_ms: int) -> None:
        """X4: the due slices of entries under way, as far as cash, FU-7 and the risk state still permit."""
        for asset in self.parameters.assets:
            row, market = self.pair_orders.assets[asset], self.pair_orders.market(asset)
            pair = row.pair
            if pair.next_slice_ms is None or pair.next_slice_ms > now_ms or pair.operation is not None:
                continue
            if not self.pair_orders.held(asset) or row.exit_reason is not None or market is None:
                self.pair_orders.end_slices(asset, "the pair is being closed")
                continue
            if barred := self.entries_barred(now_ms):
                self.pair_orders.end_slices(asset, barred)
                continue
            equity = self.pair_orders.own_equity_usdt
            room = leg_room_usdt(equity, pair.coins * market.spot_price, self._factor(), self.parameters)
            missing = spot_order_for(pair.goal_short - pair.short, market.spot_fee, market.spot.qty_step)
            size = self._affordable(asset, min(room, missing * market.spot_price), ZERO)
            if size is None:
                self.pair_orders.end_slices(asset, f"room {room:.2f} USDT and the free cash buy no whole lot (FU-7)")
                continue
            piece = pair_slice(size, market)
            self.pair_orders.set(asset, pair=pair.model_copy(update={"next_slice_ms": None}))
            reason = f"{asset}: {pair.short} of {pair.goal_short} are short; next slice {piece.short} (X4)"
            self.pair_orders.send(asset, Action.ENTRY, opening_orders(piece.short, piece.spot_order), reason, now_ms)

    def _factor(self) -> Decimal:
        """RM-3: the smallest size factor in force, never above 1."""
        risk = self.pair_orders.engine.risk
        return entry_size_factor(risk[scope].size_factor for scope in SCOPES if scope in risk)

    def _cost(self, asset: str, size: PairSize) -> Decimal:
        """Cash that a pair requires: its spot order and the margin of its short."""
        row = self.pair_orders.assets[asset]
        return size.spot_order * row.spot_price + self.parameters.margin_fraction * size.short * row.perp_price

    def _affordable(self, asset: str, room: Decimal, planned: Decimal) -> PairSize | None:
        """The largest pair within the room and the free cash (excluding cash owed to TACTICAL)."""
        market = self.pair_orders.market(asset)
        if market is None or room <= 0:
            return None
        bound = self.pair_orders.free_cash_usdt - planned
        per_spot_usdt = 1 + self.parameters.margin_fraction * market.perp_price / market.spot_price
        room = min(room, bound / per_spot_usdt)
        if room <= 0:
            return None
        return pair_size(room, market.spot_price, market.spot_fee, market.spot, market.perp)

    # --- insurance fund ---

    def judge_insurance(self) -> None:
        """FU-9: update the alarm from the readings; it ends when the fall is no longer within the window."""
        self.pair_orders.set_engine(
            insurance_alarm=is_insurance_fund_depleted(
                self.pair_orders.engine.insurance, self.parameters.insurance_limits
            )
        )
