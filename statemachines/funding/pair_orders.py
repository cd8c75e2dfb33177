"""FUNDING's durable state and the orders of its pairs, from intent to completion (FU-4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, JournalEntry, Send
from statemachines.engine_rows import ENGINE_KEY, EngineRows
from statemachines.facts import BarFact
from statemachines.funding.machine import FundingMachine, FundingState
from statemachines.funding.pair import (
    Action,
    Leg,
    Next,
    Operation,
    Order,
    PairMarket,
    closing_orders,
    in_lots,
    is_naked,
    next_step,
    trim_orders,
    unwind_orders,
)
from statemachines.funding.parameters import FundingParameters
from statemachines.funding.rules import ExitReason
from statemachines.funding.state import SCHEMA, AssetRow, EngineRow
from statemachines.intent_ids import intent_id
from statemachines.limits.slices import SLICE_PACE_MS, largest_order
from statemachines.messages.orders import Intent, Withdraw
from statemachines.portfolio.release import RELEASES_KEY, Releases
from statemachines.portfolio.volumes import HourlyVolumes
from statemachines.values import LINEAR, SECOND_MS, SPOT, Account, ActorName, Instrument

_NO_SLICES: Mapping[str, Any] = {"goal_short": Decimal(0), "next_slice_ms": None}


class PairOrders(EngineRows[EngineRow]):
    """The engine's rows and the orders of its pairs."""

    def __init__(self, parameters: FundingParameters) -> None:
        super().__init__(EngineRow(), SCHEMA)
        self.parameters = parameters
        self.assets = {asset: AssetRow(spot_fee=parameters.spot_fee_rate) for asset in parameters.assets}
        self._machines = {asset: FundingMachine(asset) for asset in parameters.assets}
        self._instruments: dict[tuple[str, str], Instrument] = {}
        self._volumes = HourlyVolumes()

    # --- durable rows ---

    def set(self, asset: str, **changes: Any) -> AssetRow:
        """Change an asset's row; its state follows its machine (`noted`)."""
        if "state" in changes:
            raise AssertionError(f"the state of {asset} can only be changed by a decision of its machine")
        return self._set(asset, **changes)

    def _set(self, asset: str, **changes: Any) -> AssetRow:
        row = self.assets[asset] = self.assets[asset].model_copy(update=changes)
        self._dirty.add(asset)
        return row

    def _further_keys(self) -> Iterable[str]:
        return self.assets

    def _further(self, key: str) -> AssetRow:
        return self.assets[key]

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        for key, row in rows.items():
            if key == ENGINE_KEY:
                self.engine = EngineRow.model_validate(row.data)
            elif key == RELEASES_KEY:
                self.releases = Releases.model_validate(row.data)
            elif key in self.assets:
                self.assets[key] = AssetRow.model_validate(row.data)
                self._machines[key] = FundingMachine.restored(key, self.assets[key].state.value)
        self.set_instruments(self.engine.instruments)
        self._dirty.clear()

    def set_instruments(self, instruments: Sequence[Instrument]) -> None:
        self._instruments = {(one.category, one.symbol): one for one in instruments}

    def take_volumes(self, bars: Iterable[BarFact]) -> None:
        """X4: the volumes of both legs' closed hours."""
        symbols = {f"{asset}USDT" for asset in self.assets}
        self._volumes.take(bar for bar in bars if bar.symbol in symbols)

    # --- views ---

    def machine(self, asset: str) -> FundingMachine:
        return self._machines[asset]

    def noted(self, asset: str, notes: JournalEntry | Sequence[JournalEntry]) -> None:
        """Store the machine's new state and its journal lines."""
        self.out.extend([notes] if isinstance(notes, JournalEntry) else notes)
        self._set(asset, state=self._machines[asset].state)

    def market(self, asset: str) -> PairMarket | None:
        """None as long as an instrument or a price is not known."""
        row, symbol = self.assets[asset], f"{asset}USDT"
        spot, perp = self._instruments.get((SPOT, symbol)), self._instruments.get((LINEAR, symbol))
        if spot is None or perp is None or row.spot_price <= 0 or row.perp_price <= 0:
            return None
        return PairMarket(
            spot,
            perp,
            row.spot_price,
            row.perp_price,
            row.spot_fee,
            self._most(spot, row.spot_price),
            self._most(perp, row.perp_price),
        )

    def _most(self, instrument: Instrument, price: Decimal) -> Decimal:
        volume = self._volumes.mean(instrument.category, instrument.symbol)
        most = largest_order(price, is_maker=False, mean_volume=volume, instrument=instrument)
        return Decimal("Infinity") if most is None else most

    def held(self, asset: str) -> bool:
        """Whether the rules for open pairs apply."""
        return self.assets[asset].state is FundingState.FUNDING_COLLECTION

    # --- capital ---

    @property
    def own_equity_usdt(self) -> Decimal:
        """Equity without what is owed to TACTICAL (F8) and what is to be given (OR-2, OR-4)."""
        return self.engine.equity_usdt - self.engine.owed_usdt - self.releases.claimed_usdt

    @property
    def free_cash_usdt(self) -> Decimal:
        """Cash for new pairs: without what is owed or to be given, and the margin of the open shorts."""
        margin = sum((self.margin_usdt(asset) for asset in self.assets), Decimal(0))
        return self.engine.cash_usdt - self.engine.owed_usdt - self.releases.claimed_usdt - margin

    def margin_usdt(self, asset: str) -> Decimal:
        """Cash that the short of a pair binds."""
        row = self.assets[asset]
        return self.parameters.margin_fraction * row.pair.short * row.perp_price

    # --- sending ---

    def send(self, asset: str, action: Action, orders: Sequence[Order], reason: str, now_ms: int, **more: Any) -> None:
        """Send orders as a new operation, or as the next attempt of the same one."""
        row = self.assets[asset]
        before = row.pair.operation
        again = before is not None and before.action is action
        first = (
            {(leg.category, leg.side): leg.first_id or leg.intent_id for leg in before.legs} if again and before else {}
        )
        legs = []
        for order in orders:
            legs.append(self._send_leg(asset, action, order, reason, first.get((order.category, order.side), "")))
        operation = Operation(
            action=action,
            started_ms=before.started_ms if again and before else now_ms,
            sent_ms=now_ms,
            attempt=before.attempt + 1 if again and before else 1,
            legs=tuple(legs),
            any_fill=bool(again and before and before.any_fill),
            books_carry=bool(more.get("books_carry") or (before and before.books_carry and action is not Action.EXIT)),
        )
        self.set(asset, pair=row.pair.model_copy(update={"operation": operation}))
        if not legs:
            self.advance(asset, now_ms)

    def _send_leg(self, asset: str, action: Action, order: Order, reason: str, first_id: str) -> Leg:
        row = self.assets[asset]
        self.set_engine(counter=self.engine.counter + 1)
        intent = Intent(
            intent_id=intent_id(ActorName.FUNDING, self.engine.counter),
            engine=ActorName.FUNDING,
            account=Account.FUNDING,
            category=order.category,
            symbol=f"{asset}USDT",
            side=order.side,
            quantity=order.quantity,
            style="market",
            reference_price=row.spot_price if order.category == SPOT else row.perp_price,
            reduce_only=order.reduce_only,
            purpose=action.value,
            reason=reason,
            portfolio_version=self.engine.portfolio_version,
            retry_of=first_id,
            closes_rest=order.closes_rest,
        )
        self.out.append(Send(intent))
        return Leg(
            intent_id=intent.intent_id,
            category=order.category,
            side=order.side,
            quantity=order.quantity,
            first_id=first_id,
            closes_rest=order.closes_rest,
        )

    # --- reports ---

    def set_holdings(self, asset: str, now_ms: int, **quantities: Decimal) -> None:
        """Set the legs' quantities as reported by the exchange; starts or ends the period of a naked leg."""
        pair = self.assets[asset].pair.model_copy(update=quantities)
        market = self.market(asset)
        naked = market is not None and is_naked(pair, market, self.parameters.delta_tolerance)
        if not naked and pair.alerted:
            self.out.append(AlertEnded(f"hedge:{asset}", f"spot {pair.coins} against short {pair.short}"))
        if not naked:
            pair = pair.model_copy(update={"naked_since_ms": None, "alerted": False})
        elif pair.naked_since_ms is None:
            pair = pair.model_copy(update={"naked_since_ms": now_ms})
        self.set(asset, pair=pair)

    def alert_if_naked(self, asset: str, now_ms: int) -> None:
        """FU-4: raise an alert when an exposure has been naked for 60 s."""
        pair = self.assets[asset].pair
        if pair.naked_since_ms is None or pair.alerted:
            return
        if now_ms < pair.naked_since_ms + self.parameters.naked_alert_s * SECOND_MS:
            return
        self.set(asset, pair=pair.model_copy(update={"alerted": True}))
        doing = pair.operation.action.value if pair.operation else "nothing"
        self.out.append(
            Alert(
                "critical",
                f"FUNDING {asset} is not hedged",
                f"{asset}: spot {pair.coins} against short {pair.short} for more than "
                f"{self.parameters.naked_alert_s} s (FU-4). The system continues to correct it ({doing}); check the "
                "exchange and the account, and close the difference by hand if it persists.",
                f"hedge:{asset}",
            )
        )

    def advance(self, asset: str, now_ms: int) -> None:
        """Take the operation's next step, if one is due."""
        self._spare_what_is_not_ours(asset, now_ms)
        row, market = self.assets[asset], self.market(asset)
        operation = row.pair.operation
        if operation is None or market is None:
            return
        if operation.ended and row.exit_reason is ExitReason.FLATTEN and row.state is not FundingState.EXIT:
            self._fire_exit(asset, now_ms)  # what the operation would do next is not wanted any more
            return
        step = next_step(row.pair, market, now_ms, self.parameters)
        if step.what is Next.WITHDRAW:
            self.withdraw(asset, operation, f"not filled within {self.parameters.leg_timeout_s} s (FU-4)")
        elif step.what is Next.SEND:
            self.send(asset, operation.action, step.orders, self._again(asset), now_ms)
        elif step.what is Next.UNWIND:
            self._unwind(asset, market, now_ms)
        elif step.what in (Next.DONE, Next.NOTHING_FILLED):
            self._end(asset, operation, step.what, now_ms)

    def withdraw(self, asset: str, operation: Operation, reason: str) -> None:
        """Cancel what is still working of the operation."""
        for leg in operation.legs:
            if leg.ended or leg.withdrawn:
                continue
            operation = operation.with_leg(leg.model_copy(update={"withdrawn": True}))
            self.out.append(Send(Withdraw(intent_id=leg.intent_id, engine=ActorName.FUNDING, reason=reason)))
        pair = self.assets[asset].pair
        self.set(asset, pair=pair.model_copy(update={"operation": operation}))

    def _again(self, asset: str) -> str:
        pair = self.assets[asset].pair
        return f"spot {pair.coins} against short {pair.short}: the difference is sent again (FU-4)"

    def _unwind(self, asset: str, market: PairMarket, now_ms: int) -> None:
        """One leg cannot be filled: reduce the other; without a tradable matched quantity the pair is closed."""
        row = self.assets[asset]
        matched = min(row.pair.coins, row.pair.short)
        reason = f"spot {row.pair.coins} against short {row.pair.short}: the larger leg is unwound (FU-4)"
        whole = market.spot.tradable(matched, market.spot_price) and market.perp.tradable(matched, market.perp_price)
        if row.state is FundingState.ENTRY and whole:
            self._start_collecting(asset, now_ms)
        if row.state in (FundingState.ENTRY, FundingState.FUNDING_COLLECTION) and not whole:
            self.leave(asset, ExitReason.NAKED_LEG, reason, now_ms, immediately=True)
            return
        self.end_slices(asset, "a leg cannot be filled")
        pair = self.assets[asset].pair
        self.send(asset, Action.UNWIND, unwind_orders(pair, market), reason, now_ms)

    def _start_collecting(self, asset: str, now_ms: int) -> None:
        pair = self.assets[asset].pair
        data = {"coins": str(pair.coins), "short": str(pair.short)}
        self.noted(asset, self.machine(asset).hedged(f"spot {pair.coins} hedged by short {pair.short}", data))
        if self.assets[asset].entered_ms == 0:
            self.set(asset, entered_ms=now_ms)

    def _end(self, asset: str, operation: Operation, how: Next, now_ms: int) -> None:
        row = self.set(asset, pair=self.assets[asset].pair.model_copy(update={"operation": None}))
        if row.state is FundingState.ENTRY and how is Next.NOTHING_FILLED:
            why = "; ".join(sorted({leg.end_reason for leg in operation.legs if leg.end_reason}))
            self.noted(asset, self.machine(asset).not_filled(f"neither leg was filled: {why}"))
            pair = self.assets[asset].pair.model_copy(update=_NO_SLICES)
            self.set(asset, pair=pair, exit_reason=None, exit_sentence="")
        elif row.state is FundingState.ENTRY:
            self._start_collecting(asset, now_ms)
        elif row.state is FundingState.FUNDING_COLLECTION and how is Next.NOTHING_FILLED:
            self.end_slices(asset, "neither leg of the last slice was filled")
        elif row.state is FundingState.EXIT:
            sentence = f"flat after: {row.exit_sentence}"
            self.noted(asset, self.machine(asset).closed(sentence))
            self.set(asset, exit_reason=None, exit_sentence="", entered_ms=0, closed_ms=now_ms)
        if row.exit_reason is not None and self.assets[asset].state is FundingState.FUNDING_COLLECTION:
            self._fire_exit(asset, now_ms)
        elif operation.action is Action.ENTRY and how is Next.DONE:
            self._plan_slice(asset, operation)

    def _plan_slice(self, asset: str, operation: Operation) -> None:
        """X4: an entry in slices places one pair of them a minute."""
        pair = self.assets[asset].pair
        if pair.goal_short > pair.short:
            self.set(asset, pair=pair.model_copy(update={"next_slice_ms": operation.sent_ms + SLICE_PACE_MS}))
        else:
            self.set(asset, pair=pair.model_copy(update=_NO_SLICES))

    def end_slices(self, asset: str, why: str) -> None:
        """What is held stays as it is; the rest of the entry is not placed."""
        pair = self.assets[asset].pair
        if pair.goal_short == 0:
            return
        reason = f"{why}: {pair.short} of {pair.goal_short} {asset} are short, no further slice is placed (X4)"
        self.out.append(self.machine(asset).remark("slices_end", reason, {}))
        self.set(asset, pair=pair.model_copy(update=_NO_SLICES))

    # --- exit and repair ---

    def leave(self, asset: str, why: ExitReason, sentence: str, now_ms: int, immediately: bool = False) -> None:
        """Decide to close the pair; the orders wait for a fresh price of both legs (F5), unless a leg no longer
        exists."""
        self.set(asset, exit_reason=why, exit_sentence=sentence)
        operation = self.assets[asset].pair.operation
        if operation is not None and not operation.ended:
            return  # the exit follows when the operation under way has ended
        self._fire_exit(asset, now_ms, immediately)

    def _fire_exit(self, asset: str, now_ms: int, immediately: bool = False) -> None:
        row = self.set(asset, pair=self.assets[asset].pair.model_copy(update={"operation": None, **_NO_SLICES}))
        if row.exit_reason is None:
            return
        self.noted(asset, self.machine(asset).leave(row.exit_reason, row.exit_sentence))
        self.close_if_fresh(asset, now_ms, immediately)

    def close_if_fresh(self, asset: str, now_ms: int, immediately: bool = False) -> None:
        """Send the closing orders of a pair in EXIT that has none under way."""
        self._spare_what_is_not_ours(asset, now_ms)
        row, market = self.assets[asset], self.market(asset)
        if row.state is not FundingState.EXIT or row.pair.operation is not None or market is None:
            return
        if not (row.fresh or immediately or row.exit_reason is ExitReason.FLATTEN):
            return
        self.send(asset, Action.EXIT, closing_orders(row.pair, market), row.exit_sentence, now_ms)

    def protect(self, asset: str, short_before: Decimal, now_ms: int) -> None:
        """A report changed a leg while no operation was under way: hedge or close immediately.

        If the exchange has reduced the short (liquidation, auto-deleveraging), the corresponding spot is sold, however
        small; any other difference is trimmed beyond the tolerance; a late fill without a pair is closed; an exit that
        waits for fresh prices is sent without them once a leg no longer exists.
        """
        row, market = self.assets[asset], self.market(asset)
        if market is None or row.pair.operation is not None:
            return
        if row.state is FundingState.FUNDING_COLLECTION:
            if row.pair.short == 0:
                sentence = f"the exchange closed the short; spot {row.pair.coins} is sold immediately"
                self.leave(asset, ExitReason.SHORT_LOST, sentence, now_ms, immediately=True)
            elif row.pair.short < short_before:
                self.trim(
                    asset, now_ms, f"the exchange reduced the short from {short_before}: its spot is sold immediately"
                )
            elif is_naked(row.pair, market, self.parameters.delta_tolerance):
                self.trim(asset, now_ms, "the account differs from the pair")
        elif row.state is FundingState.EXIT and is_naked(row.pair, market, self.parameters.delta_tolerance):
            self.close_if_fresh(asset, now_ms, immediately=True)
        elif row.state is FundingState.MONITORING and (not row.pair.is_dust or closing_orders(row.pair, market)):
            sentence = f"a late fill left spot {row.pair.coins} and short {row.pair.short}: closed immediately"
            self.leave(asset, ExitReason.STRAY_FILL, sentence, now_ms, immediately=True)

    def trim(self, asset: str, now_ms: int, why: str) -> None:
        """FU-4, F9: bring the spot leg to zero delta."""
        row, market = self.assets[asset], self.market(asset)
        if market is None:
            return
        orders = trim_orders(row.pair, market)
        if not orders:
            return
        reason = f"spot {row.pair.coins} against short {row.pair.short}: {why} (FU-4)"
        self.out.append(self.machine(asset).remark("trim", reason, {}))
        self.send(asset, Action.TRIM, orders, reason, now_ms)

    def _spare_what_is_not_ours(self, asset: str, now_ms: int) -> None:
        """X1, OR-9: quantity 0 closes the whole position, also what is not ours."""
        row, market = self.assets[asset], self.market(asset)
        is_leaving = row.state is FundingState.EXIT and (row.pair.operation is None or row.pair.operation.ended)
        if not is_leaving or market is None or row.outside_position == 0 or row.pair.is_dust:
            return
        if not in_lots(row.pair.short, market.perp):
            self.keep_dust(asset, now_ms, "cannot be closed without what is not ours")

    def keep_dust(self, asset: str, now_ms: int, why: str = "the exchange refuses to close it") -> None:
        """X1: a short below a lot that cannot be closed stays in the account and is no longer traded."""
        row = self.assets[asset]
        short = row.pair.short
        self.set_holdings(asset, now_ms, dust_short=short)
        text = (
            f"A short of {short} {asset}, {short * row.perp_price:.2f} USDT, is below a lot and {why}. "
            "It stays in the account, counts in equity and delta, and the engine continues without it. No "
            "action is required."
        )
        self.out.append(self.machine(asset).remark("dust", text, {"short": str(short)}))
        self.out.append(Alert("info", f"FUNDING {asset}: dust is left", text))

    def due_ms(self, asset: str) -> int | None:
        """When this pair must be checked next; None when nothing is due."""
        row = self.assets[asset]
        due = []
        if row.pair.operation is not None and (market := self.market(asset)) is not None:
            step = next_step(row.pair, market, row.pair.operation.sent_ms, self.parameters)
            if step.what is Next.WAIT and step.until_ms is not None:
                withdrawn = all(leg.ended or leg.withdrawn for leg in row.pair.operation.legs)
                if row.pair.operation.ended or not withdrawn:
                    due.append(step.until_ms)
        elif row.pair.operation is None and row.pair.next_slice_ms is not None:
            due.append(row.pair.next_slice_ms)
        if row.pair.naked_since_ms is not None and not row.pair.alerted:
            due.append(row.pair.naked_since_ms + self.parameters.naked_alert_s * SECOND_MS)
        return min(due, default=None)
