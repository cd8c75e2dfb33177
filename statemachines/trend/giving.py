"""TREND gives capital (OR-2, OR-4, O4): free margin moves first, the rest by reducing the positions pro rata."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemachines.commands import Commands, Remark, Send
from statemachines.messages.accounts import FreeCapital, TransferEnded
from statemachines.portfolio.release import RELEASES_KEY
from statemachines.trend.parameters import TrendParameters
from statemachines.trend.position_orders import PositionOrders
from statemachines.trend.view import View
from statemachines.values import ActorName, ceil_to_step

ZERO, ONE = Decimal(0), Decimal(1)


def required_usdt(notionals: Sequence[Decimal], parameters: TrendParameters) -> Decimal:
    """TR-9, T8: the equity that these positions require within the limits of leverage; what is above it is free."""
    limits = parameters.exposure_limits
    total, largest = sum(notionals, ZERO), max(notionals, default=ZERO)
    return max(total / limits.max_total, largest / limits.max_asset)


def free_usdt(equity: Decimal, cash: Decimal, notionals: Sequence[Decimal], parameters: TrendParameters) -> Decimal:
    """O4: what may leave at once. Unrealised profit cannot leave, unrealised loss is covered; never negative."""
    return max(ZERO, min(equity, cash) - required_usdt(notionals, parameters))


def reduction(
    amount: Decimal, equity: Decimal, cash: Decimal, notionals: Sequence[Decimal], parameters: TrendParameters
) -> Decimal:
    """O4: the part by which every position is reduced so that `amount` becomes free; at most all of it, 0 where free
    margin suffices."""
    required = required_usdt(notionals, parameters)
    missing = amount - (min(equity, cash) - required)
    return min(ONE, missing / required) if required > 0 and missing > 0 else ZERO


class Giving:
    """Frees what the orchestrator has asked for and answers when the portfolio shows the reductions."""

    def __init__(self, name: ActorName, view: View, parameters: TrendParameters) -> None:
        self._name = name
        self._view = view
        self._parameters = parameters

    def asked(self, body: FreeCapital, positions: Sequence[PositionOrders], now_ms: int) -> Commands:
        """Take the question: reduce what free margin does not cover (O4)."""
        releases = self._view.releases.asked(body, now_ms)
        if releases is self._view.releases:
            return []
        self._view.releases = releases
        out: Commands = [self._remark("asked", f"{body.amount_usdt:f} USDT are to be given: {body.reason}")]
        capital, notionals = self._capital(), self._notionals(positions)
        if capital is None or min(capital) < body.least_usdt:
            return out + self.end(positions)
        part = reduction(body.amount_usdt, *capital, notionals, self._parameters)
        if part > 0:
            free = free_usdt(*capital, notionals, self._parameters)
            text = (
                f"{free:.2f} of {body.amount_usdt:.2f} USDT are free margin: positions are reduced by {part:.2%} (O4)"
            )
            out.append(self._remark("reduce", text))
            for position in [one for one in positions if one.is_held and not one.is_reducing]:
                out += self._reduce(position, part, text, now_ms)
        return out + self.advance(positions)

    def advance(self, positions: Sequence[PositionOrders]) -> Commands:
        """Answer once no reduction is under way and the portfolio shows what is held."""
        if self._view.releases.open is None or any(p.is_reducing or p.trade.entry for p in positions):
            return []
        held = {position.asset.symbol: position.account_quantity for position in positions}
        if not self._view.shows(held, self._view.portfolio.market_ms):
            return []
        return self._freed(positions, "free margin, positions reduced where it did not suffice (O4)")

    def end(self, positions: Sequence[PositionOrders]) -> Commands:
        """Nothing more is freed, since a new day is decided or it would be too little: what is free now is given."""
        return [] if self._view.releases.open is None else self._freed(positions, "no more is freed")

    def transferred(self, body: TransferEnded) -> None:
        """A transfer has ended: what was kept aside for it is no longer."""
        self._view.releases = self._view.releases.transferred(body)

    def _reduce(self, position: PositionOrders, part: Decimal, reason: str, now_ms: int) -> Commands:
        instrument = self._view.instrument(position.asset.symbol)
        if instrument is None:
            return []
        quantity = max(ceil_to_step(position.trade.held * part, instrument.qty_step), instrument.min_qty)
        if quantity >= position.trade.held:
            return position.leave("O4", reason, now_ms - 1, now_ms)
        return position.give(quantity, reason)

    def _freed(self, positions: Sequence[PositionOrders], why: str) -> Commands:
        capital, notionals = self._capital(), self._notionals(positions)
        if capital is None:
            return self._answer(ZERO, "the portfolio is not known")
        required = required_usdt(notionals, self._parameters)
        figures = f"equity {capital[0]:.2f} USDT, {required:.2f} of it required by positions (TR-9)"
        return self._answer(free_usdt(*capital, notionals, self._parameters), f"{figures}; {why}")

    def _answer(self, free: Decimal, why: str) -> Commands:
        self._view.releases, body = self._view.releases.answered(self._name, free, why)
        return [] if body is None else [self._remark("freed", body.reason), Send(body)]

    def _capital(self) -> tuple[Decimal, Decimal] | None:
        """Equity and wallet balance without what is kept aside already; None while the wallet is not known."""
        seen, kept = self._view.portfolio, self._view.releases.aside_usdt
        return None if seen.cash_usdt is None else (seen.equity_usdt - kept, seen.cash_usdt - kept)

    def _notionals(self, positions: Sequence[PositionOrders]) -> list[Decimal]:
        return [abs(p.account_quantity) * self._view.price(p.asset.symbol) for p in positions]

    def _remark(self, trigger: str, reason: str) -> Remark:
        return Remark(RELEASES_KEY, trigger, reason)
