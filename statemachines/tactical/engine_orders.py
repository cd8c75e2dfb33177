"""TACTICAL's durable state and its open orders, from intent to completion (TA-4, TA-9)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Remark, Send
from statemachines.engine_rows import ENGINE_KEY, EngineRows
from statemachines.intent_ids import intent_id
from statemachines.messages.orders import Fill, Intent, IntentEnded, OrderDenied, Withdraw
from statemachines.portfolio.release import RELEASES_KEY, Releases
from statemachines.tactical.machine import TacticalMachine
from statemachines.tactical.parameters import TacticalParameters
from statemachines.tactical.state import SCHEMA, Deployment, EngineRow, Holding, Leg, Work
from statemachines.values import SECOND_MS, SPOT, Account, ActorName, Instrument, Side

ZERO = Decimal(0)


class EngineOrders(EngineRows[EngineRow]):
    """The engine's rows and open orders."""

    def __init__(self, parameters: TacticalParameters) -> None:
        super().__init__(EngineRow(), SCHEMA)
        self.parameters = parameters
        self.deployments: dict[str, Deployment] = {}
        self._machines: dict[str, TacticalMachine] = {}
        self.add_upcoming()

    # --- durable rows ---

    def set(self, key: str, **changes: Any) -> Deployment:
        """Change a deployment's row; its state follows its machine (`decide`)."""
        if "state" in changes:
            raise AssertionError(f"the state of deployment {key} can only be changed by a decision of its machine")
        return self._set(key, **changes)

    def _set(self, key: str, **changes: Any) -> Deployment:
        found = self.deployments[key] = self.deployments[key].model_copy(update=changes)
        self._dirty.add(key)
        return found

    def add_upcoming(self) -> None:
        """Add the next deployment and its machine."""
        upcoming = Deployment(number=len(self.deployments) + 1)
        self.deployments[upcoming.key] = upcoming
        self._machines[upcoming.key] = TacticalMachine(upcoming.key)
        self._dirty.add(upcoming.key)

    @property
    def upcoming(self) -> Deployment:
        """The newest deployment, which is monitoring or being bought."""
        return self.deployments[f"D{len(self.deployments)}"]

    def opened(self) -> list[Deployment]:
        """Deployments that were bought and have not ended, oldest first."""
        made = (one for one in self.deployments.values() if one.trigger is not None)
        return [one for one in made if not one.retired and not one.void]

    def _further_keys(self) -> Iterable[str]:
        return self.deployments

    def _further(self, key: str) -> Deployment:
        return self.deployments[key]

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        found = []
        for key, row in rows.items():
            if key == ENGINE_KEY:
                self.engine = EngineRow.model_validate(row.data)
            elif key == RELEASES_KEY:
                self.releases = Releases.model_validate(row.data)
            else:
                found.append(Deployment.model_validate(row.data))
        if found:
            self.deployments = {one.key: one for one in sorted(found, key=lambda one: one.number)}
            self._machines = {one.key: TacticalMachine.restored(one.key, one.state.value) for one in found}
        self._dirty.clear()
        self._demand_shares()

    def _demand_shares(self) -> None:
        """Raises ValueError when a deployment holds or trades a coin that `shares` do not name: it has no price."""
        for one in self.opened():
            coins = {coin for coin, holding in one.holdings.items() if holding.net}
            coins |= set() if one.work is None else {leg.coin for leg in one.work.legs}
            if unseen := sorted(coins - set(self.parameters.shares)):
                named = ", ".join(self.parameters.shares)
                raise ValueError(f"{one.key} holds or trades {unseen[0]}, and shares name only {named}")

    # --- views ---

    def instrument(self, coin: str) -> Instrument | None:
        """The spot instrument of a coin; None until the exchange has reported it."""
        symbol = f"{coin}USDT"
        return next((one for one in self.engine.instruments if (one.category, one.symbol) == (SPOT, symbol)), None)

    def decide(self, key: str, decision: str, *values: Any) -> None:
        """Apply a decision (a method name of the deployment's machine) and add its journal line to the commands."""
        machine = self._machines[key]
        self.out.append(getattr(machine, decision)(*values))
        self._set(key, state=machine.state)

    def remark(self, key: str, trigger: str, reason: str) -> None:
        """A decision without a transition."""
        machine = self._machines.get(key)
        self.out.append(Remark(key, trigger, reason) if machine is None else machine.remark(trigger, reason, {}))

    # --- orders ---

    def start(
        self, key: str, side: Side, purpose: str, wanted: Mapping[str, Decimal], reason: str, now_ms: int
    ) -> None:
        """Send one market order per coin (TA-4)."""
        work = Work(side=side, purpose=purpose, missing=dict(wanted), sent_ms=now_ms)
        self.set(key, work=work)
        self._send(key, reason, now_ms)

    def possible(self, wanted: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """The part that the exchange would accept now, in whole lots."""
        found = {}
        for coin, quantity in wanted.items():
            one, price = self.instrument(coin), self.engine.prices.get(coin)
            if one is not None and price is not None and one.tradable(one.floor_qty(quantity), price):
                found[coin] = one.floor_qty(quantity)
        return found

    def take_wallet(self, coins: Mapping[str, Decimal]) -> None:
        """The coins that the account holds, as the order manager reports them."""
        self.set_engine(wallet={**self.engine.wallet, **{coin: max(held, ZERO) for coin, held in coins.items()}})

    def in_wallet(self, coin: str, quantity: Decimal) -> Decimal:
        """The part of a quantity that the account holds: what left it by other hands can be neither sold nor returned
        (OR-9). All of it as long as nothing was reported."""
        return min(quantity, self.engine.wallet.get(coin, quantity))

    def outstanding(self, work: Work) -> dict[str, Decimal]:
        """What is still to be bought or sold, as far as the exchange would accept it now."""
        if work.side is Side.BUY:
            return self.possible(work.missing)
        return self.possible({coin: self.in_wallet(coin, quantity) for coin, quantity in work.missing.items()})

    def _send(self, key: str, reason: str, now_ms: int) -> None:
        work = self.deployments[key].work
        if work is None:
            return
        first = {leg.coin: leg.first_id or leg.intent_id for leg in work.legs}
        legs = []
        for coin, quantity in self.outstanding(work).items():
            self.set_engine(counter=self.engine.counter + 1)
            intent = Intent(
                intent_id=intent_id(ActorName.TACTICAL, self.engine.counter),
                engine=ActorName.TACTICAL,
                account=Account.TACTICAL,
                category=SPOT,
                symbol=f"{coin}USDT",
                side=work.side,
                quantity=quantity,
                style="market",
                reference_price=self.engine.prices[coin],
                purpose=work.purpose,
                reason=reason,
                portfolio_version=self.engine.portfolio_version,
                retry_of=first.get(coin, ""),
            )
            self.out.append(Send(intent))
            leg = Leg(
                intent_id=intent.intent_id,
                coin=coin,
                quantity=quantity,
                side=work.side,
                first_id=first.get(coin, ""),
            )
            legs.append(leg)
        past = (*self.deployments[key].past_legs, *work.legs)
        self.set(key, past_legs=past, work=work.model_copy(update={"legs": tuple(legs), "sent_ms": now_ms}))

    def close_work(self, key: str) -> Work | None:
        """The orders of a purpose have ended; they are kept for late fills."""
        one = self.deployments[key]
        if one.work is not None:
            self.set(key, work=None, past_legs=(*one.past_legs, *one.work.legs))
        return one.work

    def fill(self, body: Fill) -> str | None:
        """Book an execution into the deployment of its order; returns the deployment if the order had already ended."""
        for key, one in self.deployments.items():
            leg = one.work.leg_of(body.intent_id) if one.work is not None else None
            if one.work is not None and leg is not None:
                self._hold(key, leg.coin, body)
                left = max(ZERO, one.work.missing[leg.coin] - body.quantity)
                proceeds = one.work.proceeds_usdt + body.proceeds_usdt
                work = one.work.with_leg(leg.model_copy(update={"filled": leg.filled + body.quantity}))
                missing = {**work.missing, leg.coin: left}
                self.set(key, work=work.model_copy(update={"missing": missing, "proceeds_usdt": proceeds}))
                return None
            late = next((past for past in one.past_legs if past.intent_id == body.intent_id), None)
            if late is not None:
                self._hold(key, late.coin, body)
                return key
        return None

    def _hold(self, key: str, coin: str, body: Fill) -> None:
        holdings = self.deployments[key].holdings
        holding = holdings.get(coin, Holding())
        if body.side is Side.BUY:
            holding = Holding(
                gross=holding.gross + body.quantity,
                cost_usdt=holding.cost_usdt + body.quantity * body.price,
                net=holding.net + body.quantity - (body.fee if body.fee_coin == coin else ZERO),
            )
        else:
            holding = holding.without(min(body.quantity, holding.net))
        self.set(key, holdings={**holdings, coin: holding})

    def ended(self, body: IntentEnded) -> str | None:
        """Record the end of an order; returns the deployment once all its orders have ended."""
        for key, one in self.deployments.items():
            leg = one.work.leg_of(body.intent_id) if one.work is not None else None
            if one.work is None or leg is None:
                continue
            work = one.work.with_leg(leg.model_copy(update={"ended": True}))
            if isinstance(body, OrderDenied):
                work = work.model_copy(update={"refusals": (*work.refusals, *body.reasons)})
            self.set(key, work=work)
            return key if work.ended else None
        return None

    def retry_ms(self, one: Deployment) -> int | None:
        """When orders of a deployment are to be cancelled or sent again (TA-9); None when nothing is pending."""
        if one.work is None:
            return None
        if not one.work.ended and all(leg.ended or leg.withdrawn for leg in one.work.legs):
            return None
        return one.work.sent_ms + self.parameters.retry_s * SECOND_MS

    def withdraw(self, key: str) -> None:
        """TA-9: cancel the open orders."""
        work = self.deployments[key].work
        if work is None:
            return
        for leg in work.legs:
            if leg.ended or leg.withdrawn:
                continue
            reason = f"not ended within {self.parameters.retry_s} s (TA-9)"
            self.out.append(Send(Withdraw(intent_id=leg.intent_id, engine=ActorName.TACTICAL, reason=reason)))
            work = work.with_leg(leg.model_copy(update={"withdrawn": True}))
        self.set(key, work=work)

    def again(self, key: str, now_ms: int) -> None:
        """TA-9: send the missing quantity again, under new ids, after the end of the previous orders.

        It counts as a further attempt unless the previous orders were filled: then they were only limited by the
        venue's largest market order.
        """
        work = self.deployments[key].work
        if work is None:
            return
        attempt = work.attempt if work.filled else work.attempt + 1
        self.set(key, work=work.model_copy(update={"attempt": attempt}))
        missing = ", ".join(f"{quantity} {coin}" for coin, quantity in work.missing.items() if quantity > 0)
        self._send(key, f"attempt {attempt}: {missing} still missing (TA-9)", now_ms)
