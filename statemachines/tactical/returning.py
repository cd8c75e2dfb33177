"""Ends of deployments: profit, time limit, and the return to CORE-HODL (TA-6 .. TA-8)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.commands import Alert, Send
from statemachines.messages.accounts import TransferEnded, TransferWanted
from statemachines.outlook.terms import Prospect
from statemachines.tactical.engine_orders import EngineOrders
from statemachines.tactical.machine import ReturnState, TacticalState
from statemachines.tactical.rules import ExitKind, exit_due, exit_terms, gain
from statemachines.tactical.state import Deployment, Holding, Return
from statemachines.values import DAY_MS, Account, ActorName, Side, floor_to_step

ZERO = Decimal(0)


class Returning:
    """Decides on the open deployments."""

    def __init__(self, engine_orders: EngineOrders) -> None:
        self.engine_orders = engine_orders
        self.parameters = engine_orders.parameters

    def owed_usdt(self) -> Decimal:
        """Proceeds that have not reached CORE-HODL yet, and capital that is kept aside for a transfer; they must not be
        deployed."""
        total = self.engine_orders.engine.dust_usdt + self.engine_orders.releases.aside_usdt
        for one in self.engine_orders.deployments.values():
            if one.work is not None and one.work.side is Side.SELL:
                total += one.work.proceeds_usdt
            total += sum((r.amount for r in one.returns if r.coin == "USDT" and r.state is not ReturnState.DONE), ZERO)
        return total

    def decide(self, day_ms: int, now_ms: int) -> None:
        """TA-6, TA-7, TA-8 for each deployment at this close."""
        for one in self.engine_orders.opened():
            if one.work is not None or one.state is TacticalState.RETURN_TO_CORE:
                continue
            if one.state is TacticalState.PROFIT_TARGET_REACHED:
                self._sell(one, one.exit or ExitKind.TARGET, "the rest of the previous sale is sold (TA-9)", now_ms)
            elif one.day_ms < day_ms and any(holding.net > 0 for holding in one.holdings.values()):
                self._judge(one, day_ms, now_ms)

    def outlook(self, judged_ms: int) -> list[Prospect]:
        """TA-6, TA-7: what the end of each open deployment lacks at the newest close."""
        found = []
        for one in self.engine_orders.opened():
            idle = one.work is None and any(holding.net > 0 for holding in one.holdings.values())
            if not idle or one.state in (TacticalState.RETURN_TO_CORE, TacticalState.PROFIT_TARGET_REACHED):
                continue
            terms = exit_terms(self._gain(one), one.day_ms, judged_ms - DAY_MS, self.parameters)
            halved = "half of it has been sold" if one.halved else ""
            for kind, its in terms.items():
                rule, _, name = kind.value.partition(" ")
                bar = halved if kind is ExitKind.FAST else ""
                found.append(Prospect(one.key, f"exit: {name}", rule, its, judged_ms, bar))
        return found

    def _gain(self, one: Deployment) -> Decimal:
        gross = {coin: holding.gross for coin, holding in one.holdings.items()}
        cost = {coin: holding.cost_usdt for coin, holding in one.holdings.items()}
        return gain(gross, cost, self.engine_orders.engine.prices)

    def _judge(self, one: Deployment, day_ms: int, now_ms: int) -> None:
        result = self._gain(one)
        kind = exit_due(result, one.day_ms, day_ms, one.halved, self.parameters)
        data = {"gain": f"{result:.6f}", "day_ms": day_ms}
        if kind is ExitKind.TARGET:
            reason = f"gain {result:.4f} above {self.parameters.profit_target}: sold (TA-6)"
            self.engine_orders.set(one.key, exit=kind)
            self.engine_orders.decide(one.key, "profit", reason, data)
            self._sell(one, kind, reason, now_ms)
        elif kind is ExitKind.FAST:
            share = self.parameters.fast_profit_sells
            reason = f"gain {result:.4f} within {self.parameters.fast_profit_days} days: {share} is sold (TA-7)"
            self.engine_orders.set(one.key, halved=True)
            self.engine_orders.remark(one.key, "fast_profit", reason)
            self._sell(one, kind, reason, now_ms)
        elif kind is ExitKind.TIME:
            self._in_kind(
                one, f"{self.parameters.hold_months} months at a gain of {result:.4f}: the coins return (TA-6)", data
            )
        elif result < self.parameters.hold_fall and not one.fell:
            self.engine_orders.set(one.key, fell=True)
            self.engine_orders.remark(
                one.key, "hold", f"gain {result:.4f} below {self.parameters.hold_fall}: held (TA-8)"
            )

    def _sell(self, one: Deployment, kind: ExitKind, reason: str, now_ms: int) -> None:
        self._report_missing(one)
        share = self.parameters.fast_profit_sells if kind is ExitKind.FAST else Decimal(1)
        wanted = self.engine_orders.possible(self._held(one, share))
        if wanted:
            self.engine_orders.start(one.key, Side.SELL, "exit", wanted, reason, now_ms)
        elif kind is ExitKind.TARGET:
            self._all_sold(one.key)

    def end_sale(self, key: str) -> None:
        """A sale has ended: its proceeds go to CORE-HODL (A7); an unsold remainder is left for the next cycle."""
        work = self.engine_orders.close_work(key)
        if work is None:
            return
        one = self.engine_orders.deployments[key]
        purpose = "ta-6" if one.state is TacticalState.PROFIT_TARGET_REACHED else "ta-7"
        self._return_usdt(key, work.proceeds_usdt, purpose)
        if one.state is TacticalState.PROFIT_TARGET_REACHED and not self._sellable(one):
            self._all_sold(key)

    def late_sale(self, key: str, proceeds_usdt: Decimal) -> None:
        """Proceeds of a fill after the end of its order also return to CORE-HODL."""
        self._return_usdt(key, proceeds_usdt, "ta-6")

    def _return_usdt(self, key: str, proceeds_usdt: Decimal, purpose: str) -> None:
        total = proceeds_usdt + self.engine_orders.engine.dust_usdt
        amount = floor_to_step(total, self.parameters.usdt_transfer_step)
        self.engine_orders.set_engine(dust_usdt=total - amount)
        if amount > 0:
            self._request(key, "USDT", amount, purpose)

    def _sellable(self, one: Deployment) -> bool:
        return bool(self.engine_orders.possible(self._held(one)))

    def _held(self, one: Deployment, share: Decimal = Decimal(1)) -> dict[str, Decimal]:
        """A share of the deployment's coins, as far as the account holds them."""
        return {coin: self.engine_orders.in_wallet(coin, holding.net * share) for coin, holding in one.holdings.items()}

    def _report_missing(self, one: Deployment) -> None:
        """OR-9: what the deployment had bought and the account no longer holds, once it is to be sold or returned."""
        held = self._held(one)
        gone = {coin: holding.net - held[coin] for coin, holding in one.holdings.items() if holding.net > held[coin]}
        if not gone:
            return
        listed = ", ".join(f"{quantity.normalize():f} {coin}" for coin, quantity in gone.items())
        text = f"{listed} of {one.key} left the account without an order or transfer of this system"
        self.engine_orders.remark(one.key, "missing", text)
        self.engine_orders.out.append(
            Alert(
                "warning",
                f"TACTICAL {one.key}: coins are missing",
                f"{text}. Only what is there is sold or returned (OR-9). Find out who moved them.",
            )
        )

    def _all_sold(self, key: str) -> None:
        """X1: a remainder that the exchange would not accept at the last price is dust: it stays, and is reported
        once."""
        held = self._held(self.engine_orders.deployments[key])
        dust = {coin: net for coin, net in held.items() if net > 0}
        if dust:
            listed = ", ".join(
                f"{net} {coin} ({net * self.engine_orders.engine.prices[coin]:.2f} USDT)" for coin, net in dust.items()
            )
            text = f"{listed} of {key} is below the exchange's minimum order and stays in the account as dust (X1)"
            self.engine_orders.remark(key, "dust", text)
            self.engine_orders.out.append(
                Alert("info", f"TACTICAL {key}: dust is left", f"{text}. No action is required.")
            )
        self.engine_orders.set(key, holdings={})
        self.engine_orders.decide(key, "sold", "everything is sold; the proceeds return to CORE-HODL (TA-6)")
        self._retire_if_returned(key)

    def _in_kind(self, one: Deployment, reason: str, data: dict[str, object]) -> None:
        """A7: at 12 months the coins themselves return; nothing is sold."""
        self._report_missing(one)
        self.engine_orders.set(one.key, exit=ExitKind.TIME)
        self.engine_orders.decide(one.key, "time_limit", reason, data)
        for coin, held in self._held(one).items():
            amount = floor_to_step(held, self.parameters.coin_transfer_step)
            if amount > 0:
                self._request(one.key, coin, amount, "ta-6-in-kind")
        self._retire_if_returned(one.key)

    # --- transfers ---

    def _request(self, key: str, coin: str, amount: Decimal, purpose: str) -> None:
        one = self.engine_orders.deployments[key]
        request_id = f"{ActorName.TACTICAL}-{key}-{len(one.returns) + 1}"
        wanted = Return(request_id=request_id, coin=coin, amount=amount, purpose=purpose)
        self.engine_orders.set(key, returns=(*one.returns, wanted))
        self._send(wanted)

    def _send(self, wanted: Return) -> None:
        self.engine_orders.out.append(
            Send(
                TransferWanted(
                    request_id=wanted.request_id,
                    engine=ActorName.TACTICAL,
                    from_account=Account.TACTICAL,
                    to_account=Account.CORE_HODL,
                    coin=wanted.coin,
                    amount=wanted.amount,
                    purpose=wanted.purpose,
                )
            )
        )

    def request_again(self) -> None:
        """Request failed transfers again, under new ids, at the next cycle."""
        for key, one in list(self.engine_orders.deployments.items()):
            if not any(r.state is ReturnState.FAILED for r in one.returns):
                continue
            renewed = []
            for wanted in one.returns:
                wanted = self._possible(wanted)
                if wanted.state is ReturnState.FAILED:
                    reason = f"{wanted.amount} {wanted.coin} were not transferred and are requested again"
                    wanted, entry = wanted.moved("ask_again", reason, request_id=f"{wanted.request_id}r")
                    self.engine_orders.out.append(entry)
                    self._send(wanted)
                renewed.append(wanted)
            self.engine_orders.set(key, returns=tuple(renewed))
            self._retire_if_returned(key)

    def _possible(self, wanted: Return) -> Return:
        """A failed transfer of coins as far as the account holds them."""
        if wanted.state is not ReturnState.FAILED or wanted.coin == "USDT":
            return wanted
        held = self.engine_orders.in_wallet(wanted.coin, wanted.amount)
        left = floor_to_step(held, self.parameters.coin_transfer_step)
        if left > 0:
            return wanted.model_copy(update={"amount": left})
        wanted, entry = wanted.moved("waive", f"{wanted.amount} {wanted.coin} are no longer in the account")
        self.engine_orders.out.append(entry)
        return wanted

    def moved(self, body: TransferEnded) -> None:
        """The end of one of our transfers; other transfers are ignored."""
        for key, one in list(self.engine_orders.deployments.items()):
            if not any(self._is_awaited(wanted, body) for wanted in one.returns):
                continue
            trigger = "done" if body.succeeded else "failed"
            reason = "it has arrived" if body.succeeded else body.reason or "not transferred"
            returns = []
            for wanted in one.returns:
                if self._is_awaited(wanted, body):
                    wanted, entry = wanted.moved(trigger, f"{wanted.amount} {wanted.coin}: {reason}")
                    self.engine_orders.out.append(entry)
                returns.append(wanted)
            holdings = one.holdings
            if body.succeeded and body.coin in holdings:
                left = holdings[body.coin].without(min(body.amount, holdings[body.coin].net))
                holdings = {**holdings, body.coin: left if left.net > 0 else Holding()}
            self.engine_orders.set(key, returns=tuple(returns), holdings=holdings)
            self._retire_if_returned(key)
            return

    def _is_awaited(self, wanted: Return, body: TransferEnded) -> bool:
        return wanted.request_id == body.request_id and wanted.state is ReturnState.REQUESTED

    def _retire_if_returned(self, key: str) -> None:
        one = self.engine_orders.deployments[key]
        if one.state is not TacticalState.RETURN_TO_CORE:
            return
        if all(wanted.state is ReturnState.DONE for wanted in one.returns):
            self.engine_orders.decide(key, "returned", "the whole deployment has returned to CORE-HODL")
            self.engine_orders.set(key, retired=True)
