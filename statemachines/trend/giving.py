"""TREND gives capital (OR-2, OR-4, O4): free margin moves first, the rest by reducing the positions pro rata."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from statemachines.commands import Commands, Remark, Send
from statemachines.messages.accounts import FreeCapital, TransferEnded
from statemachines.portfolio.release import RELEASES_KEY, Release
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

    def asked(self, body: FreeCapital, now_ms: int) -> Commands:
        """Take the question; the engine acts on it in its tick."""
        releases = self._view.releases.asked(body, now_ms)
        if releases is self._view.releases:
            return []
        self._view.releases = releases
        return [self._remark("asked", f"{body.amount_usdt:f} USDT are to be given: {body.reason}")]

    def tick(self, positions: Sequence[PositionOrders], now_ms: int) -> Commands:
        """Reduce what free margin does not cover, once (O4); answer when the portfolio shows the reductions."""
        release, due_ms = self._view.releases.open, self._view.releases.due_ms
        if release is None or due_ms is None or due_ms > now_ms:
            return []
        self._view.releases = self._view.releases.begun()
        out = [] if release.is_begun else self._reduce_all(release, positions, now_ms)
        if self._is_shown(positions):
            out += self._freed(positions, "free margin, positions reduced where it did not suffice (O4)")
        return out

    def report(self, positions: Sequence[PositionOrders], now_ms: int) -> None:
        """After a message: once no reduction is under way and the portfolio shows what is held, the answer is due."""
        release = self._view.releases.open
        if release is not None and release.is_begun and self._is_shown(positions):
            self._view.releases = self._view.releases.due(now_ms)

    def end(self, positions: Sequence[PositionOrders]) -> Commands:
        """Nothing more is freed, since a new day is decided or it would be too little: what is free now is given."""
        return [] if self._view.releases.open is None else self._freed(positions, "no more is freed")

    def transferred(self, body: TransferEnded) -> None:
        """A transfer has ended: what was kept aside for it is no longer."""
        self._view.releases = self._view.releases.transferred(body)

    def _reduce_all(self, release: Release, positions: Sequence[PositionOrders], now_ms: int) -> Commands:
        capital, notionals = self._capital(), self._notionals(positions)
        if capital is None or min(capital) < release.least_usdt:
            return self.end(positions)
        part = reduction(release.wanted_usdt, *capital, notionals, self._parameters)
        if part == 0:
            return []
        free, wanted = free_usdt(*capital, notionals, self._parameters), release.wanted_usdt
        text = f"{free:.2f} of {wanted:.2f} USDT are free margin: positions are reduced by {part:.2%} (O4)"
        out: Commands = [self._remark("reduce", text)]
        for position in [one for one in positions if one.is_held and not one.is_reducing]:
            out += self._reduce(position, part, text, now_ms)
        return out

    def _is_shown(self, positions: Sequence[PositionOrders]) -> bool:
        """Whether no order is under way and the portfolio shows what is held."""
        if any(position.is_reducing or position.trade.entry for position in positions):
            return False
        held = {position.asset.symbol: position.account_quantity for position in positions}
        return self._view.shows(held, self._view.portfolio.market_ms)

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
