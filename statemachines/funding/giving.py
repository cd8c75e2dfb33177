"""FUNDING gives capital (OR-2, OR-4): free cash first, then pairs are closed, those of the lowest priority first."""

from __future__ import annotations

from decimal import Decimal

from statemachines.funding.machine import FundingState
from statemachines.funding.pair import Action
from statemachines.funding.pair_orders import PairOrders
from statemachines.funding.rules import ExitReason
from statemachines.values import ActorName

ZERO = Decimal(0)


class Giving:
    """Frees what the orchestrator has asked for, and answers once it is free or no pair is left to close."""

    def __init__(self, pair_orders: PairOrders) -> None:
        self.pair_orders = pair_orders

    def advance(self, now_ms: int) -> None:
        """Close what is missing; answer when nothing is under way any more."""
        self.pair_orders.begins_to_give(now_ms)
        release = self.pair_orders.releases.open
        if release is None:
            return
        if any(row.pair.operation is not None for row in self.pair_orders.assets.values()):
            return  # an entry, an exit or a trim is under way and changes what is free
        missing = release.wanted_usdt - self._free_usdt()
        closing = [a for a, row in self.pair_orders.assets.items() if row.state is FundingState.EXIT]
        for asset in reversed(self.pair_orders.parameters.assets):
            if missing > 0 and not closing and self.pair_orders.held(asset):
                sentence = f"{missing:.2f} of the {release.wanted_usdt:.2f} USDT to be given are not free"
                missing -= self._bound_usdt(asset)
                self.pair_orders.leave(asset, ExitReason.CAPITAL, sentence, now_ms)
        if not self._is_closing():
            engine = self.pair_orders.engine
            why = f"cash {engine.cash_usdt:f} USDT, {engine.owed_usdt:f} of it owed to TACTICAL, the rest less margin"
            self.pair_orders.answer(ActorName.FUNDING, self._free_usdt(), why)

    def end(self) -> None:
        """A new day has closed: what is free is given, the rest is left to the next decision."""
        if self.pair_orders.releases.open is not None:
            self.pair_orders.answer(ActorName.FUNDING, self._free_usdt(), "the day is over")

    def _is_closing(self) -> bool:
        rows = self.pair_orders.assets.values()
        return any(
            row.state is FundingState.EXIT
            or row.exit_reason is not None
            or (row.pair.operation is not None and row.pair.operation.action is Action.EXIT)
            for row in rows
        )

    def _free_usdt(self) -> Decimal:
        """What may be given: free cash, in which the open release itself still counts."""
        release = self.pair_orders.releases.open
        wanted = ZERO if release is None else release.wanted_usdt
        return max(ZERO, self.pair_orders.free_cash_usdt + wanted)

    def _bound_usdt(self, asset: str) -> Decimal:
        """What closing a pair frees."""
        row = self.pair_orders.assets[asset]
        return row.pair.coins * row.spot_price + self.pair_orders.margin_usdt(asset)
