"""The staking order under way, and the sales that wait for a redemption (CH-10, C9)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.commands import Send
from statemachines.core_hodl.engine_orders import EngineOrders
from statemachines.core_hodl.staking import decision as staking
from statemachines.core_hodl.state import ZERO, EarnRow, StakingUnderWay
from statemachines.earn.terms import StakingAction
from statemachines.messages.accounts import EarnKnown, StakingOrdered, StakingReported
from statemachines.values import Account, Side

NOT_REDEEMED = "redeem"
"""The condition of a sale that cannot be made because its coins are not redeemed."""


class StakingOrders:
    """Sends staking orders, at most one at a time, and the sales once their coins are liquid."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters.staking

    def known(self, body: EarnKnown) -> None:
        """What Earn offers and holds now; what was not read stays as it was. `read_ms` is the age of the offers."""
        known = self.engine_orders.earn
        is_read = body.products is not None or not body.has_access
        self.engine_orders.set_earn(
            EarnRow(
                read_ms=body.market_ms if is_read else known.read_ms,
                has_access=body.has_access,
                problem=body.problem,
                products=known.products if body.products is None else body.products,
                positions=known.positions if body.positions is None else body.positions,
            )
        )

    def order(self, action: StakingAction, amount: Decimal, product_id: str, reason: str) -> None:
        """Send one staking order; the caller has made sure that none is under way."""
        staking_id = self.engine_orders.next_id()
        coin = self.parameters.asset
        self.engine_orders.set_engine(
            staking=StakingUnderWay(
                staking_id=staking_id, action=action, coin=coin, product_id=product_id, amount=amount
            )
        )
        ordered = StakingOrdered(
            staking_id=staking_id,
            account=Account.CORE_HODL,
            action=action,
            coin=coin,
            product_id=product_id,
            amount=amount,
            reason=reason,
        )
        self.engine_orders.out.append(Send(ordered))
        self.engine_orders.remark(f"{action}_{coin}", reason, {"staking_id": staking_id, "amount": str(amount)})

    def reported(self, body: StakingReported) -> bool:
        """The state of a staking order; True when it is the one under way. `staked` is what the ledger then has."""
        staked = {**self.engine_orders.holdings.staked, body.coin: body.staked}
        self.engine_orders.set_holdings(staked=staked)
        under_way = self.engine_orders.engine.staking
        if under_way is None or under_way.staking_id != body.staking_id:
            return False
        if body.state == "PENDING":
            pending = under_way.model_copy(update={"is_pending": True})
            self.engine_orders.set_engine(staking=pending)
            text = f"to {body.action} {body.amount} {body.coin} takes time at the exchange: the other legs do not wait"
            self.engine_orders.remark("staking_pending", text)
            return True
        self.engine_orders.set_engine(staking=None)
        earn, product_id = self.engine_orders.earn, under_way.product_id
        if body.state == "DONE":
            done = -body.amount if body.action == "redeem" else body.amount
            self.engine_orders.set_earn(staking.moved(earn, body.coin, product_id, done))
            self.engine_orders.alert_ended(NOT_REDEEMED, f"{body.amount} {body.coin} were redeemed")
            return True
        self.engine_orders.remark(
            "staking_failed", f"to {body.action} {body.amount} {body.coin} was not done: {body.reason}"
        )
        if body.action == "redeem":
            self.engine_orders.set_earn(staking.frozen(earn, body.coin, product_id, body.staked))
            self._report(f"the redemption of {body.amount} {body.coin} was not done: {body.reason}")
        return True

    def advance(self, now_ms: int) -> None:
        """Redeem what the waiting sales lack, or send them once they lack nothing."""
        engine, asset = self.engine_orders.engine, self.parameters.asset
        if not engine.held_sales or engine.staking is not None:
            return
        if engine.stopped:
            self.engine_orders.drop_held(f"{engine.stopped} (CH-9)")
            return
        wanted = sum((one.quantity for one in engine.held_sales if one.asset == asset), ZERO)
        lacking = wanted - self.engine_orders.liquid(asset)
        staked = self.engine_orders.holdings.staked.get(asset, ZERO)
        if lacking > 0 and staked > 0:
            back = staking.redemption(lacking, staked, self.engine_orders.earn, self.parameters)
            if back is None:
                self._report(
                    f"{staking.shown(lacking)} {asset} must be redeemed and the Earn product they are in is not known"
                )
            elif back.amount <= 0:
                self._report(f"{staking.shown(lacking)} {asset} must be redeemed and Earn shows none as redeemable now")
            else:
                short, more = staking.shown(lacking), staking.shown(back.amount)
                reason = f"a sale of {wanted} {asset} lacks {short}: {more} are redeemed (C9)"
                self.order("redeem", back.amount, back.product_id, reason)
                return
        self._send_held(now_ms)

    def _send_held(self, now_ms: int) -> None:
        """The coins are liquid as far as they can be. What is still lacking is left out of the sale (C9)."""
        held = self.engine_orders.engine.held_sales
        self.engine_orders.set_engine(held_sales=())
        for sale in held:
            instrument = self.engine_orders.market.instruments[sale.asset]
            quantity = min(sale.quantity, instrument.floor_qty(self.engine_orders.liquid(sale.asset)))
            if quantity < instrument.floor_qty(sale.quantity):
                self.engine_orders.leave_unfilled(sale.purpose, sale.asset)
            if instrument.tradable(quantity, self.engine_orders.holdings.prices[sale.asset]):
                self.engine_orders.send_quantity(sale.purpose, sale.asset, Side.SELL, quantity, sale.reason, now_ms)

    def _report(self, why: str) -> None:
        if self.engine_orders.engine.held_sales:
            self.engine_orders.alert(
                "warning",
                "CORE-HODL cannot sell staked coins",
                f"{why}. What is liquid or comes from another product is sold; the rest is decided again in the next "
                "cycle. Check the account's Earn page at the exchange.",
                NOT_REDEEMED,
            )
