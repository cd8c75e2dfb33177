"""CORE-HODL's durable rows and its open orders, from intent to completion (CH-3)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, JournalEntry, Send
from statemachines.conditions import ONCE
from statemachines.core_hodl.formatting import usdt
from statemachines.core_hodl.machine import CoreHodlMachine
from statemachines.core_hodl.parameters import CoreHodlParameters
from statemachines.core_hodl.rules import Valuation, fall, fallen, lots
from statemachines.core_hodl.state import (
    HOLDINGS_KEY,
    SCHEMA,
    ZERO,
    EarnRow,
    EngineRow,
    HeldSale,
    HoldingsRow,
    MarketRow,
    Order,
    Purpose,
)
from statemachines.engine_rows import ENGINE_KEY, EngineRows
from statemachines.intent_ids import intent_id
from statemachines.messages.orders import Fill, Intent, IntentEnded, Withdraw
from statemachines.portfolio.release import RELEASES_KEY, Releases
from statemachines.values import SPOT, Account, ActorName, Side

NAME = ActorName.CORE_HODL
MARKET_KEY, EARN_KEY = "MARKET", "EARN"
_KINDS: dict[Purpose, str] = {
    "trim": "trim",
    "rebalance": "rebalance",
    "build": "tranche",
    "plan": "tranche",
    "small": "tranche",
    "outflow": "rebalance",
}


class EngineOrders(EngineRows[EngineRow]):
    """The engine's rows and orders."""

    def __init__(self, parameters: CoreHodlParameters) -> None:
        super().__init__(EngineRow(), SCHEMA)
        self.parameters = parameters
        self.machine = CoreHodlMachine(ENGINE_KEY)
        self.market = MarketRow(highs=dict(parameters.high_seeds_usdt))
        self.holdings = HoldingsRow()
        self.earn = EarnRow()

    # --- durable rows ---

    def set_market(self, **changes: Any) -> None:
        self.market = self.market.model_copy(update=changes)
        self._dirty.add(MARKET_KEY)

    def set_holdings(self, **changes: Any) -> None:
        self.holdings = self.holdings.model_copy(update=changes)
        self._dirty.add(HOLDINGS_KEY)

    def set_earn(self, earn: EarnRow) -> None:
        self.earn = earn
        self._dirty.add(EARN_KEY)

    def _further_keys(self) -> Iterable[str]:
        return (MARKET_KEY, HOLDINGS_KEY, EARN_KEY)

    def _further(self, key: str) -> MarketRow | HoldingsRow | EarnRow:
        if key == EARN_KEY:
            return self.earn
        return self.market if key == MARKET_KEY else self.holdings

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        """Restore the rows of a previous incarnation.

        Raises:
            UnreadableRowError: a row has a schema that this version cannot read.
        """
        if ENGINE_KEY in rows:
            self.engine = EngineRow.model_validate(rows[ENGINE_KEY].data)
            self.machine = CoreHodlMachine.restored(ENGINE_KEY, self.engine.state.value)
        if RELEASES_KEY in rows:
            self.releases = Releases.model_validate(rows[RELEASES_KEY].data)
        if MARKET_KEY in rows:
            self.market = MarketRow.model_validate(rows[MARKET_KEY].data)
        if HOLDINGS_KEY in rows:
            self.holdings = HoldingsRow.model_validate(rows[HOLDINGS_KEY].data)
        if EARN_KEY in rows:
            self.earn = EarnRow.model_validate(rows[EARN_KEY].data)
        self._dirty.clear()
        self._demand_weights()

    def _demand_weights(self) -> None:
        """Raises ValueError when a coin is held or ordered that `weights` do not name: it would not be seen any more,
        neither valued nor ever sold. Dust may stay (X1)."""
        engine, known = self.engine, self.holdings
        seen = {one.asset for one in engine.orders} | {one.asset for one in engine.held_sales}
        for coin, amount in known.coins.items():
            instrument, price = self.market.instruments.get(coin), known.prices.get(coin)
            is_dust = instrument and price and not instrument.tradable(instrument.floor_qty(amount), price)
            if amount and not is_dust:
                seen.add(coin)
        if unseen := sorted(seen - set(self.parameters.assets)):
            named = ", ".join(self.parameters.assets)
            raise ValueError(f"{unseen[0]} is held or ordered, and weights name only {named}")

    # --- journal ---

    def noted(self, *notes: JournalEntry) -> None:
        """Store the machine's new state and its journal lines."""
        self.out.extend(notes)
        if self.machine.state is not self.engine.state:
            self.set_engine(state=self.machine.state)

    def remark(self, trigger: str, reason: str, data: Mapping[str, Any] | None = None) -> None:
        self.out.append(self.machine.remark(trigger, reason, data or {}))

    def alert(self, severity: Any, title: str, text: str, condition: str = ONCE) -> None:
        """Raise an alert; with a `condition` it stays open until `alert_ended` with the same key."""
        self.out.append(Alert(severity, title, text, condition))

    def alert_ended(self, condition: str, text: str) -> None:
        self.out.append(AlertEnded(condition, text))

    # --- views ---

    def books(self) -> Valuation | None:
        """None as long as balances or a price are not known. Cash that is kept aside to be given is left out."""
        return self._valued(self.releases.aside_usdt)

    def _account(self) -> Valuation | None:
        """The whole account. What guards purchases that are working looks at it: what is kept aside was left out when
        they were sized, and leaves the account at another instant than it is reported to have left."""
        return self._valued(ZERO)

    def _valued(self, aside_usdt: Decimal) -> Valuation | None:
        known, assets = self.holdings, self.parameters.assets
        if not known.known or any(asset not in known.prices for asset in assets):
            return None
        return Valuation(
            cash_usdt=known.cash_usdt - aside_usdt,
            coins={asset: known.coins.get(asset, ZERO) for asset in assets},
            prices={asset: known.prices[asset] for asset in assets},
            tactical_coins=known.tactical_coins,
            portfolio_usdt=known.portfolio_usdt,
        )

    def falls(self) -> dict[str, Decimal]:
        """CH-8: how far each asset's newest close is below its highest."""
        market = self.market
        return {a: fall(closes[-1], market.highs[a]) for a, closes in market.closes.items() if closes}

    def protected(self) -> frozenset[str]:
        """C8: assets that must not be sold now."""
        return fallen(self.market.suspended, self.falls(), self.parameters)

    def liquid(self, asset: str) -> Decimal:
        """The coins that can be sold now: not staked, and not about to be."""
        under_way = self.engine.staking
        leaving = ZERO
        if under_way is not None and under_way.action == "stake" and under_way.coin == asset:
            leaving = under_way.amount
        known = self.holdings
        return known.coins.get(asset, ZERO) - known.staked.get(asset, ZERO) - leaving

    # --- sending ---

    def send(
        self, purpose: Purpose, asset: str, side: Side, amount_usdt: Decimal, reason: str, now_ms: int, plan: int = 0
    ) -> Decimal:
        """Send one maker order for about `amount_usdt` at the last close; returns the quantity, 0 when it is too
        small. A sale of more than is liquid waits for the redemption of what it lacks (C9)."""
        price = self.holdings.prices[asset]
        quantity = lots(amount_usdt, price, self.market.instruments[asset])
        if quantity <= 0:
            return ZERO
        lacking = quantity - self.liquid(asset) if side is Side.SELL else ZERO
        if lacking > 0 and self.liquid(asset) < self.holdings.coins.get(asset, ZERO):
            self.set_engine(
                held_sales=(
                    *self.engine.held_sales,
                    HeldSale(asset=asset, quantity=quantity, purpose=purpose, reason=reason),
                )
            )
            text = f"the sale of {quantity} {asset} waits: {lacking} of it are staked and must be redeemed first (C9)"
            self.remark(f"held_{asset}", text, {"quantity": str(quantity), "lacking": str(lacking), "purpose": purpose})
            return quantity
        self.send_quantity(purpose, asset, side, quantity, reason, now_ms, plan)
        return quantity

    def send_quantity(
        self, purpose: Purpose, asset: str, side: Side, quantity: Decimal, reason: str, now_ms: int, plan: int = 0
    ) -> None:
        """Send one maker order for a quantity that the exchange accepts."""
        price = self.holdings.prices[asset]
        intent = Intent(
            intent_id=self.next_id(),
            engine=NAME,
            account=Account.CORE_HODL,
            category=SPOT,
            symbol=self.market.instruments[asset].symbol,
            side=side,
            quantity=quantity,
            style="maker",
            reference_price=price,
            expires_ms=now_ms + self.parameters.maker_life_ms,
            purpose=_KINDS[purpose],
            reason=reason,
            portfolio_version=self.holdings.version_no,
        )
        order = Order(
            intent_id=intent.intent_id,
            asset=asset,
            side=side,
            quantity=quantity,
            price=price,
            purpose=purpose,
            plan=plan,
        )
        self.set_engine(orders=(*self.engine.orders, order))
        self.out.append(Send(intent))
        data = {"intent_id": intent.intent_id, "quantity": str(quantity), "price": str(price), "purpose": purpose}
        self.remark(f"{side.value.lower()}_{asset}", reason, data)

    def next_id(self) -> str:
        """The id of the engine's next order."""
        self.set_engine(counter=self.engine.counter + 1)
        return intent_id(NAME, self.engine.counter)

    def drop_held(self, reason: str, purposes: tuple[Purpose, ...] = ("trim", "rebalance", "outflow")) -> None:
        """Sales that wait for a redemption are given up for now; the next cycle decides on them again."""
        dropped = [one for one in self.engine.held_sales if one.purpose in purposes]
        if not dropped:
            return
        self.set_engine(held_sales=tuple(one for one in self.engine.held_sales if one not in dropped))
        for one in dropped:
            self.leave_unfilled(one.purpose, one.asset)
            text = f"the sale of {one.quantity} {one.asset} no longer waits: {reason}; the next cycle decides again"
            self.remark("not_held", text, {"quantity": str(one.quantity)})

    def withdraw(self, intent_ids: Sequence[str], reason: str) -> None:
        """Cancel the working orders of these intents; the messages of their ends follow."""
        orders = []
        for order in self.engine.orders:
            if order.intent_id in intent_ids and not order.withdrawn:
                order = order.model_copy(update={"withdrawn": True})
                self.out.append(Send(Withdraw(intent_id=order.intent_id, engine=NAME, reason=reason)))
            orders.append(order)
        self.set_engine(orders=tuple(orders))

    # --- reports ---

    def filled(self, fill: Fill) -> None:
        """One execution: balances are those of the account after it, and its plan is reduced by the amount spent
        (CH-6)."""
        asset = fill.symbol.removesuffix("USDT")
        coins = {**self.holdings.coins, asset: fill.position_quantity}
        self.set_holdings(coins=coins, cash_usdt=fill.cash_usdt, as_of_ms=max(self.holdings.as_of_ms, fill.executed_ms))
        order = self._order(fill.intent_id)
        if order is None:
            text = f"{fill.side} {fill.quantity} {fill.symbol} at {fill.price} ({fill.intent_id or 'no intent'}) "
            self.remark("late_fill", f"{text}was filled without an open order of ours (EX-1)")
            return
        self._count(order, fill.quantity, fill.quantity * fill.price, fill.proceeds_usdt)
        if order.side is Side.BUY:
            self._guard_buffer()

    def ended(self, body: IntentEnded) -> bool:
        """The end of an order; True when it was one of ours. A remainder that can still be traded is carried over."""
        order = self._order(body.intent_id)
        if order is None:
            return False
        missing = body.filled_quantity - order.filled
        if missing > 0 and body.average_price is not None:
            # Without its execution it is not known what the wallet got of a sale: nothing of it is ready (C10).
            order = self._count(order, missing, missing * body.average_price, ZERO)
        why = f"{body.ended_as} {body.why}".strip()
        self.set_engine(orders=tuple(o for o in self.engine.orders if o.intent_id != order.intent_id))
        self._carry_over(order, why)
        return True

    def _order(self, intent_id: str) -> Order | None:
        return next((order for order in self.engine.orders if order.intent_id == intent_id), None)

    def _count(self, order: Order, quantity: Decimal, paid_usdt: Decimal, got_usdt: Decimal) -> Order:
        """`paid_usdt` is the amount traded, `got_usdt` what a sale brought to the wallet after its fee."""
        changed = order.model_copy(
            update={"filled": order.filled + quantity, "paid_usdt": order.paid_usdt + paid_usdt}
        )  # fmt: skip
        engine = self.engine
        self.set_engine(orders=tuple(changed if o.intent_id == order.intent_id else o for o in engine.orders))
        if order.purpose == "plan":
            plans = [
                p.model_copy(update={"cash_usdt": max(ZERO, p.cash_usdt - paid_usdt)}) if p.number == order.plan else p
                for p in engine.plans
            ]
            self.set_engine(plans=tuple(plans))
        elif order.purpose == "small":
            self.set_engine(small_usdt=max(ZERO, engine.small_usdt - paid_usdt))
        elif order.purpose == "outflow" and self.releases.open is not None:
            self.set_releases(self.releases.ready(self.releases.open.ready_usdt + got_usdt))
        elif order.purpose == "rebalance" and engine.rebalance is not None:
            key = f"{order.side.value} {order.asset}"
            done = {**engine.rebalance.done_usdt, key: engine.rebalance.done_usdt.get(key, ZERO) + paid_usdt}
            self.set_engine(rebalance=engine.rebalance.model_copy(update={"done_usdt": done}))
        return changed

    def _guard_buffer(self) -> None:
        """CH-7: prices that rise while purchases are working must not bring the cash below the buffer."""
        books, buying = self._account(), self._buying()
        if books is None or not buying:
            return
        least = self.parameters.cash_buffer * books.equity_usdt
        if books.cash_usdt >= least:
            return
        reason = f"cash {usdt(books.cash_usdt)} is below the buffer of {usdt(least)}: no more is bought (CH-7)"
        self.remark("buffer", reason)
        self.withdraw(buying, reason)

    def _buying(self) -> list[str]:
        """Intents of the purchases that are still working."""
        return [
            o.intent_id
            for o in self.engine.orders
            if o.side is Side.BUY and not o.withdrawn and o.filled < o.quantity
        ]  # fmt: skip

    @property
    def committed_usdt(self) -> Decimal:
        """What working purchases may still take, at the prices at which they were decided."""
        working = (o for o in self.engine.orders if o.side is Side.BUY and not o.withdrawn)
        return sum(((o.quantity - o.filled) * o.price for o in working), ZERO)

    def guard_commitments(self) -> None:
        """CH-7: withdraw purchases whose cash was used otherwise meanwhile (an outflow, a fee).

        The limit is the alert's 2.5 %, not the buffer: rising prices alone must not withdraw purchases sized to the
        buffer.
        """
        books, p = self._account(), self.parameters
        buying = self._buying()
        if books is None or not buying:
            return
        committed = self.committed_usdt
        least = p.cash_alert * books.equity_usdt
        if books.cash_usdt - committed >= least:
            return
        reason = (
            f"cash {usdt(books.cash_usdt)} less working purchases of {usdt(committed)} is below {usdt(least)}: "
            "they are withdrawn (CH-7)"
        )
        self.remark("buffer", reason)
        self.withdraw(buying, reason)

    def _carry_over(self, order: Order, why: str) -> None:
        left = order.quantity - order.filled
        instrument = self.market.instruments[order.asset]
        if order.side is Side.BUY:
            # X2: a purchase at a higher price buys less; it is complete when its amount has been spent.
            left = min(left, instrument.floor_qty((order.quantity * order.price - order.paid_usdt) / order.price))
        if left <= 0 or order.purpose == "outflow" or not instrument.tradable(left, order.price):
            return
        self.leave_unfilled(order.purpose, order.asset, order.plan)
        text = f"{order.side} {order.asset}: {order.filled} of {order.quantity} filled ({why}); {left} is carried over"
        self.remark("unfilled", text, {"intent_id": order.intent_id, "left": str(left)})

    def leave_unfilled(self, purpose: Purpose, asset: str, plan: int = 0) -> None:
        """What was not filled belongs to the next cycle."""
        engine = self.engine
        if purpose == "rebalance" and engine.rebalance is not None:
            self.set_engine(rebalance=engine.rebalance.model_copy(update={"unfilled": True}))
        elif purpose == "build":
            self.set_engine(build_unfilled=True)
        elif purpose == "plan":
            self.set_engine(plans_unfilled=(*engine.plans_unfilled, plan))
        elif purpose == "trim":
            self.set_engine(trimming=(*engine.trimming, asset))
