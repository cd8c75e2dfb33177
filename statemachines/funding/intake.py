"""Applies incoming messages to FUNDING's state: prices, rates, payments, reports of its orders, balances."""

from __future__ import annotations

from decimal import Decimal

from statemachines.commands import Alert, AlertEnded, Remark
from statemachines.engine_rows import ENGINE_KEY
from statemachines.funding.machine import FundingState
from statemachines.funding.pair import shared_out
from statemachines.funding.pair_orders import PairOrders
from statemachines.funding.rules import basis, basis_run, split_payment
from statemachines.funding.state import AssetRow, RiskView
from statemachines.limits.funding_rates import rate_per_8h
from statemachines.limits.insurance_fund import InsuranceReading
from statemachines.messages.accounts import BalancesKnown, FundingPaid, Portfolio, TransferEnded
from statemachines.messages.control import RiskState
from statemachines.messages.market import BarsClosed, FundingSettled, InstrumentsKnown, InsuranceSeen, QuotesSeen
from statemachines.messages.orders import Fill, IntentEnded, OrderDenied
from statemachines.requests import Quote
from statemachines.values import HOUR_MS, LINEAR, SECOND_MS, SPOT, Account, Side

ZERO = Decimal(0)
_FEE_PLACES = Decimal("0.000001")


class Intake:
    """Applies reports to the rows of `PairOrders`; decides only what must follow a report immediately. FU-6's count is
    based on the settled rate (F10)."""

    def __init__(self, pair_orders: PairOrders) -> None:
        self.pair_orders = pair_orders
        self.parameters = pair_orders.parameters
        self._quotes: dict[tuple[str, str], Quote] = {}  # ephemeral: the newest wins, empty after a restart

    def _asset(self, symbol: str) -> str | None:
        asset = symbol.removesuffix("USDT")
        return asset if asset in self.pair_orders.assets else None

    # --- market ---

    def bars(self, body: BarsClosed) -> None:
        """F5: last prices of both legs; a leg is fresh when its last closed hour has volume."""
        found = {
            (bar.category, bar.symbol): bar
            for bar in body.bars
            if bar.interval == "60" and bar.start_ms == body.close_ms - HOUR_MS
        }
        for asset, row in self.pair_orders.assets.items():
            spot, perp = found.get((SPOT, f"{asset}USDT")), found.get((LINEAR, f"{asset}USDT"))
            fresh = spot is not None and perp is not None and spot.volume > 0 and perp.volume > 0
            spot_price = row.spot_price if spot is None else spot.close
            perp_price = row.perp_price if perp is None else perp.close
            if self.parameters.basis_check == "minute":
                self.pair_orders.set(asset, spot_price=spot_price, perp_price=perp_price)
            else:
                self._read_basis(asset, spot_price, perp_price, fresh)
        self.pair_orders.take_volumes(body.bars)
        self.pair_orders.set_engine(bars_ms=body.close_ms)

    def _read_basis(self, asset: str, spot_price: Decimal, perp_price: Decimal, fresh: bool) -> None:
        value = basis(perp_price, spot_price) if fresh else None
        run = basis_run(self.pair_orders.assets[asset].basis_run, value, self.parameters)
        self.pair_orders.set(
            asset, spot_price=spot_price, perp_price=perp_price, fresh=fresh, basis=value, basis_run=run
        )  # fmt: skip

    def quotes(self, body: QuotesSeen) -> None:
        """Keep the newest quote of each leg (live only)."""
        for market in body.withdrawn:
            self._quotes.pop(market, None)
        for quote in body.quotes:
            self._quotes[quote.category, quote.symbol] = quote

    def read_quotes(self, now_ms: int) -> None:
        """F3, F5 live: one reading a minute, from last prices no older than 60 s."""
        for asset, row in self.pair_orders.assets.items():
            spot = self._quotes.get((SPOT, f"{asset}USDT"))
            perp = self._quotes.get((LINEAR, f"{asset}USDT"))
            oldest_ms = now_ms - self.parameters.quote_max_age_s * SECOND_MS
            fresh = all(quote is not None and quote.market_ms >= oldest_ms for quote in (spot, perp))
            spot_price = spot.last if spot is not None else row.spot_price
            perp_price = perp.last if perp is not None else row.perp_price
            self._read_basis(asset, spot_price, perp_price, fresh)

    def settled(self, body: FundingSettled) -> None:
        """FU-2, FU-8, F4, F10: the rates just settled, with or without a pair; older rates than the last change
        nothing."""
        for symbol, rate in body.rates.items():
            asset = self._asset(symbol)
            if asset is None or body.settle_ms <= self.pair_orders.assets[asset].settle_ms:
                continue
            row = self.pair_orders.assets[asset]
            interval_min = body.interval_min.get(symbol, row.interval_min)
            normal = rate_per_8h(rate, interval_min)
            predicted = body.predicted.get(symbol)
            self.pair_orders.set(
                asset,
                settled=(*row.settled, normal)[-max(2, self.parameters.positive_periods) :],
                settle_ms=body.settle_ms,
                interval_min=interval_min,
                predicted=normal if predicted is None else rate_per_8h(predicted, interval_min),
                negative_run=row.negative_run + 1 if rate < 0 else 0,
                turned_negative=row.turned_negative or (rate < 0 and self.pair_orders.held(asset)),
            )

    def insurance(self, body: InsuranceSeen) -> None:
        """FU-9: readings of the window; the first one activates the rule."""
        readings = self.pair_orders.engine.insurance
        if readings and body.market_ms <= readings[-1].market_ms:
            return
        if not readings:
            text = "FU-9 is active: the insurance fund is being read"
            self.pair_orders.out.append(Remark(ENGINE_KEY, "fu9_active", text, is_bookkeeping=True))
        since_ms = body.market_ms - self.parameters.insurance_window_h * HOUR_MS
        kept = tuple(one for one in readings if one.market_ms >= since_ms)
        self.pair_orders.set_engine(insurance=(*kept, InsuranceReading(body.market_ms, body.balance_usdt)))

    # --- the engine's own figures ---

    def portfolio(self, body: Portfolio) -> None:
        view = body.accounts.get(Account.FUNDING)
        if view is not None:
            self.pair_orders.set_engine(
                equity_usdt=view.equity_usdt, cash_usdt=view.cash_usdt, portfolio_version=body.version_no
            )

    def risk(self, body: RiskState) -> None:
        view = RiskView(
            state=body.state, size_factor=body.size_factor, blocked_until_ms=body.entries_blocked_until_ms
        )  # fmt: skip
        self.pair_orders.set_engine(risk={**self.pair_orders.engine.risk, body.scope: view})

    def instruments(self, body: InstrumentsKnown) -> None:
        wanted = {f"{asset}USDT" for asset in self.parameters.assets}
        mine = {(one.category, one.symbol): one for one in self.pair_orders.engine.instruments}
        mine |= {(one.category, one.symbol): one for one in body.instruments if one.symbol in wanted}
        self.pair_orders.set_engine(instruments=tuple(mine[key] for key in sorted(mine)))
        self.pair_orders.set_instruments(self.pair_orders.engine.instruments)

    def paid(self, body: FundingPaid) -> None:
        """FU-5, F8: half of a payment received to the asset's carry, half owed to TACTICAL; FU-6: a cost is booked."""
        asset = self._asset(body.symbol)
        if asset is None:
            return
        row, engine, amount = self.pair_orders.assets[asset], self.pair_orders.engine, body.amount_usdt
        if amount > 0:
            carry, owed = split_payment(amount, self.parameters)
            self.pair_orders.set(asset, carry_usdt=row.carry_usdt + carry)
            self.pair_orders.set_engine(owed_usdt=engine.owed_usdt + owed, received_usdt=engine.received_usdt + amount)
            reason = f"received {amount} USDT: {carry} to the carry, {owed} owed to TACTICAL (FU-5)"
        else:
            self.pair_orders.set_engine(paid_usdt=engine.paid_usdt - amount)
            reason = f"paid {-amount} USDT: a cost (FU-6)"
        self.pair_orders.out.append(self.pair_orders.machine(asset).remark("funding", reason, {}))

    def transferred(self, body: TransferEnded) -> None:
        """FU-5: a transferred amount is no longer owed; a failed one is requested again with the next day's sum."""
        amount = self.pair_orders.engine.requested.get(body.request_id)
        if amount is None:
            return
        requested = {key: value for key, value in self.pair_orders.engine.requested.items() if key != body.request_id}
        owed = self.pair_orders.engine.owed_usdt - (amount if body.succeeded else ZERO)
        self.pair_orders.set_engine(requested=requested, owed_usdt=owed)

    # --- reports of orders ---

    def fill(self, body: Fill, now_ms: int) -> None:
        """Quantities are the exchange's figures after the fill, never the requested ones."""
        asset = self._asset(body.symbol)
        if asset is None:
            return
        row = self.pair_orders.assets[asset]
        pair, short_before = row.pair, row.pair.short
        if body.category == SPOT:
            self._learn_fee(asset, body)
            fee = body.fee if body.fee_coin == asset else ZERO
            own = pair.coins + body.side.sign * body.quantity - fee
            self._hold(asset, now_ms, coins=(own, body.position_quantity))
        else:
            own = max(ZERO, pair.short - body.side.sign * body.quantity)
            self._hold(asset, now_ms, short=(own, -body.position_quantity))
        self._report_outside(asset, row)
        self.pair_orders.set_engine(cash_usdt=body.cash_usdt)
        self._book(asset, body)
        if self.pair_orders.assets[asset].pair.operation is None:
            self.pair_orders.protect(asset, short_before, now_ms)

    def _learn_fee(self, asset: str, body: Fill) -> None:
        """F9: the fee that a spot buy pays in the coin; 0 when the fee is charged in another coin."""
        if body.side is Side.BUY and body.quantity > 0:
            fee = body.fee if body.fee_coin == asset else ZERO
            self.pair_orders.set(asset, spot_fee=max(ZERO, (fee / body.quantity).quantize(_FEE_PLACES)))

    def _book(self, asset: str, body: Fill) -> None:
        """Count the fill in its leg; deduct purchases made with the carry from the carry (FU-5)."""
        row: AssetRow = self.pair_orders.assets[asset]
        operation = row.pair.operation
        leg = operation.leg_of(body.intent_id) if operation is not None else None
        if operation is None or leg is None:
            return
        operation = operation.with_leg(leg.model_copy(update={"filled": leg.filled + body.quantity}), any_fill=True)
        carry = row.carry_usdt
        if operation.books_carry and body.category == SPOT:
            carry -= body.side.sign * body.quantity * body.price
        entered_ms = row.entered_ms
        if row.state is FundingState.ENTRY:
            entered_ms = max(entered_ms, body.executed_ms)
        pair = row.pair.model_copy(update={"operation": operation})
        self.pair_orders.set(asset, pair=pair, carry_usdt=carry, entered_ms=entered_ms)

    def ended(self, body: IntentEnded, now_ms: int) -> None:
        """The end of one leg's order."""
        for asset, row in self.pair_orders.assets.items():
            operation = row.pair.operation
            leg = operation.leg_of(body.intent_id) if operation is not None else None
            if operation is None or leg is None:
                continue
            why = body.why if isinstance(body, OrderDenied) else f"{body.ended_as} {body.why}".strip()
            update = {"ended": True, "end_reason": why, "refusal": body.refusal_cause}
            operation = operation.with_leg(leg.model_copy(update=update))
            self.pair_orders.set(asset, pair=row.pair.model_copy(update={"operation": operation}))
            if leg.closes_rest and body.is_refused_for_good:
                self.pair_orders.keep_dust(asset, now_ms)
            self.pair_orders.advance(asset, now_ms)
            return

    def balances(self, body: BalancesKnown, now_ms: int) -> None:
        """OR-9: both legs are compared with the pair. What no order or fee of ours explains is set aside; what is gone
        is gone, also while orders are under way: their fills are reported before."""
        for asset, row in list(self.pair_orders.assets.items()):
            coins = body.coins.get(asset, ZERO)
            position = body.positions.get(f"{asset}USDT", (ZERO, ZERO))[0]
            idle = row.state is FundingState.MONITORING and row.pair.operation is None
            if idle:
                self._set_aside(asset, coins, position)
            else:
                self._hold(asset, now_ms, coins=(row.pair.coins, coins), short=(row.pair.short, -position))
            self._report_outside(asset, row)
            if not idle and row.pair.operation is None:
                self.pair_orders.protect(asset, row.pair.short, now_ms)

    def _hold(self, asset: str, now_ms: int, **legs: tuple[Decimal, Decimal]) -> None:
        """Per leg what should be ours and what the account holds (a short counts as positive)."""
        row = self.pair_orders.assets[asset]
        outside = {"coins": row.outside_coins, "short": -row.outside_position}
        own = {}
        for leg, (expected, total) in legs.items():
            own[leg], outside[leg] = shared_out(expected, outside[leg], total)
        if "short" in own:
            own["short"] = max(ZERO, own["short"])  # an exact zero, by which a row is recognised as idle
        self.pair_orders.set(asset, outside_coins=outside["coins"], outside_position=-outside["short"])
        self.pair_orders.set_holdings(asset, now_ms, **own)

    def _report_outside(self, asset: str, before: AssetRow) -> None:
        """OR-9: what is not ours is reported as long as it is there, and never traded."""
        row, symbol = self.pair_orders.assets[asset], f"{asset}USDT"
        was = (before.outside_coins, before.outside_position)
        if was == (row.outside_coins, row.outside_position):
            return
        condition = f"outside:{asset}"
        text = f"{row.outside_coins:f} {asset} and a position of {row.outside_position:f} {symbol}"
        self.pair_orders.out.append(self.pair_orders.machine(asset).remark("set_aside", f"not ours: {text}", {}))
        if row.outside_coins == 0 and row.outside_position == 0:
            self.pair_orders.out.append(AlertEnded(condition, "the account holds nothing that is not ours any more"))
            return
        self.pair_orders.out.append(
            Alert(
                "warning",
                f"FUNDING {asset}: holdings are not ours",
                f"No order of this system explains {text} in FUNDING's account. They are set aside, shown and never "
                "traded (OR-9). Find out who trades in this account.",
                condition,
            )
        )

    def _set_aside(self, asset: str, coins: Decimal, position: Decimal) -> None:
        """Coins or a position found while no pair is open are EXTERNAL: never traded; the dust that our own orders
        left, in coins and in the short (X1), stays ours."""
        market, row = self.pair_orders.market(asset), self.pair_orders.assets[asset]
        known = row.outside_coins + row.pair.coins
        is_held = position == row.outside_position - row.pair.dust_short
        if coins == known and is_held:
            return
        own, outside = coins, ZERO
        if market is None or market.spot.tradable(coins, market.spot_price):
            own, outside = shared_out(row.pair.coins, row.outside_coins, coins)
        short, outside_position = row.pair.dust_short, row.outside_position
        if not is_held:
            short, outside_short = shared_out(short, -outside_position, -position)
            outside_position = -outside_short
        pair = row.pair.model_copy(update={"coins": own, "short": short, "dust_short": short})
        self.pair_orders.set(asset, outside_coins=outside, outside_position=outside_position, pair=pair)
