"""Building the messages about one asset's position: intents, stop moves, withdrawals and alerts."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from statemachines.commands import Alert, AlertEnded, Send
from statemachines.messages.control import OperatorCommand
from statemachines.messages.orders import Intent, MoveStop, Withdraw
from statemachines.trend.parameters import TrendAsset
from statemachines.trend.trade import StopOrder, Trade
from statemachines.trend.view import View
from statemachines.values import LINEAR, Account, ActorName, Side


def plain(value: Decimal) -> str:
    """A number for a sentence, without exponent and without trailing zeros."""
    return f"{value.normalize():f}"


class Orders:
    """Builds the messages of one asset, with the names of its engine, account and asset."""

    def __init__(self, engine: ActorName, account: Account, asset: TrendAsset, view: View) -> None:
        self._engine = engine
        self._account = account
        self._asset = asset
        self._view = view

    def is_ours(self, intent_id: str) -> bool:
        """Whether this engine has issued the id (for an open or an ended order)."""
        return intent_id.startswith(f"{self._engine}-")

    def entry(self, direction: int, quantity: Decimal, reason: str) -> Intent:
        """TR-8, T12: urgent market order."""
        return self._intent(direction, quantity, "market", "entry", reason, None)

    def reduction(self, direction: int, quantity: Decimal, purpose: Literal["exit", "trim"], reason: str) -> Intent:
        """T12: urgent market order that can only reduce a position of `direction`."""
        return self._intent(-direction, quantity, "market", purpose, reason, None)

    def exit(self, trade: Trade, quantity: Decimal) -> Intent:
        """The exit of a position, or a further attempt; a remainder below a lot is closed completely (X1)."""
        intent = self.reduction(trade.direction, quantity, "exit", trade.exit_reason)
        return intent.model_copy(update={"retry_of": trade.exit_first, "closes_rest": trade.closes_rest})

    def stop(self, direction: int, quantity: Decimal, price: Decimal, reason: str) -> Intent:
        """TR-5: reduce-only conditional order held at the exchange for a position of `direction`."""
        return self._intent(-direction, quantity, "stop", "stop", reason, price)

    def move(self, stop: StopOrder, reason: str) -> Send:
        """TR-6, TR-13: amend a working stop to the requested terms; unchanged fields are omitted."""
        price = None if stop.asked_price == stop.confirmed_price else stop.asked_price
        quantity = None if stop.asked_quantity == stop.confirmed_quantity else stop.asked_quantity
        return Send(
            MoveStop(
                intent_id=stop.intent_id, engine=self._engine, trigger_price=price, quantity=quantity, reason=reason
            )
        )

    def withdraw(self, intent_id: str, reason: str) -> Send:
        return Send(Withdraw(intent_id=intent_id, engine=self._engine, reason=reason))

    def halt(self, reason: str, now_ms: int) -> Send:
        """RM-2: the engine cannot hold its stops: it asks the risk manager to stop it until the operator has looked."""
        command = OperatorCommand(
            command_id=f"{self._engine}:{self._asset.asset}:halt:{now_ms}",
            who=self._engine,
            action="halt",
            scope=self._engine,
            reason=reason,
        )
        return Send(command, to=(ActorName.RISK_MANAGER,))

    def alert(
        self, severity: Literal["info", "warning", "critical"], title: str, text: str, condition: str = ""
    ) -> Alert:
        """An event, or a condition of this asset that stays open until `end_alert`."""
        key = f"{condition}:{self._asset.asset}" if condition else ""
        return Alert(severity, f"{self._engine} {self._asset.asset}: {title}", text, key)

    def end_alert(self, condition: str, text: str) -> AlertEnded:
        """The end of such a condition."""
        return AlertEnded(f"{condition}:{self._asset.asset}", text)

    def _intent(
        self,
        direction: int,
        quantity: Decimal,
        style: Literal["market", "stop"],
        purpose: str,
        reason: str,
        trigger_price: Decimal | None,
    ) -> Intent:
        return Intent(
            intent_id=self._view.next_intent_id(),
            engine=self._engine,
            account=self._account,
            category=LINEAR,
            symbol=self._asset.symbol,
            side=Side.BUY if direction > 0 else Side.SELL,
            quantity=quantity,
            style=style,
            reference_price=self._view.price(self._asset.symbol),
            trigger_price=trigger_price,
            reduce_only=purpose != "entry",
            purpose=purpose,
            reason=reason,
            portfolio_version=self._view.portfolio.version_no,
        )
