"""The daily summary (OR-3): what happened since the last one, per engine, with idle cash and refusals by reason."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from statemachines.messages.accounts import FundingPaid, Portfolio
from statemachines.messages.orders import Fill, IntentDone, OrderDenied, OrderRejected
from statemachines.portfolio.equity import USDT
from statemachines.values import ACCOUNT_OF, ENGINES, ActorName

ZERO = Decimal(0)


class Tally:
    """Counts per engine since the last summary. Mutable; `counts` and `sums` are its whole state."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}
        self.sums: dict[str, dict[str, Decimal]] = {}

    def take_fill(self, body: Fill) -> None:
        """A fill, its turnover, and its fee in USDT (a fee in coin is valued at the fill's price)."""
        self._count(body.engine, "fills")
        self._sum(body.engine, "turnover_usdt", body.quantity * body.price)
        fee = body.fee if body.fee_coin == USDT else body.fee * body.price
        self._sum(body.engine, "fees_usdt", fee)

    def take_done(self, body: IntentDone | OrderRejected) -> None:
        """The end of an intent at the exchange, by outcome."""
        self._count(body.engine, f"orders_{body.ended_as.lower()}")

    def take_denied(self, body: OrderDenied) -> None:
        """A refusal (RM-1), by every check that refused."""
        self._count(body.engine, "refusals")
        for check in body.checks:
            self._count(body.engine, f"refused_{check}")

    def take_funding(self, body: FundingPaid) -> None:
        """A funding settlement: received positive, paid negative."""
        self._sum(body.engine, "funding_usdt", body.amount_usdt)

    def clear(self) -> None:
        """A summary has been written."""
        self.counts.clear()
        self.sums.clear()

    def of(self, engine: ActorName) -> dict[str, Any]:
        """Counts and sums of one engine, as JSON values."""
        sums = {name: str(value) for name, value in sorted(self.sums.get(engine, {}).items())}
        return {**dict(sorted(self.counts.get(engine, {}).items())), **sums}

    def total(self, name: str) -> int:
        """A count over all engines."""
        return sum(counts.get(name, 0) for counts in self.counts.values())

    def refusals(self) -> dict[str, int]:
        """Refusals of all engines by check."""
        found: dict[str, int] = {}
        for counts in self.counts.values():
            for name, count in counts.items():
                if name.startswith("refused_"):
                    check = name.removeprefix("refused_")
                    found[check] = found.get(check, 0) + count
        return dict(sorted(found.items()))

    def total_usdt(self, name: str) -> Decimal:
        """A sum over all engines."""
        return sum((sums.get(name, ZERO) for sums in self.sums.values()), ZERO)

    def _count(self, engine: str, name: str) -> None:
        counts = self.counts.setdefault(str(engine), {})
        counts[name] = counts.get(name, 0) + 1

    def _sum(self, engine: str, name: str, amount: Decimal) -> None:
        sums = self.sums.setdefault(str(engine), {})
        sums[name] = sums.get(name, ZERO) + amount

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "counts": {engine: dict(counts) for engine, counts in self.counts.items()},
            "sums": {e: {n: str(v) for n, v in sums.items()} for e, sums in self.sums.items()},
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`."""
        self.counts = {engine: dict(counts) for engine, counts in data["counts"].items()}
        self.sums = {e: {n: Decimal(v) for n, v in sums.items()} for e, sums in data["sums"].items()}


def summary_data(
    portfolio: Portfolio | None,
    tally: Tally,
    weights: Mapping[ActorName, Decimal],
    outcomes: Mapping[str, str],
    states: Mapping[str, str],
    components: Mapping[str, str],
) -> dict[str, Any]:
    """The JSON of a `SummaryFact`; equity is None when no portfolio is known (missing is never zero)."""
    engines: dict[str, Any] = {}
    idle = ZERO
    for engine in ENGINES:
        view = None if portfolio is None else portfolio.accounts[ACCOUNT_OF[engine]]
        idle += ZERO if view is None else view.cash_usdt
        engines[str(engine)] = {
            "equity_usdt": None if view is None else str(view.equity_usdt),
            "cash_usdt": None if view is None else str(view.cash_usdt),
            "weight": str(weights[engine]),
            "cycle": outcomes.get(str(engine), "not driven by the cycle"),
            "risk_state": states.get(str(engine), "NORMAL"),
            "component": components.get(str(engine), "not reported"),
            **tally.of(engine),
        }
    return {
        "equity_usdt": None if portfolio is None else str(portfolio.equity_usdt),
        "cash_idle_usdt": None if portfolio is None else str(idle),
        "portfolio_version": None if portfolio is None else portfolio.version_no,
        "engines": engines,
        "fills": tally.total("fills"),
        "orders_filled": tally.total("orders_filled"),
        "refusals": tally.refusals(),
        "fees_usdt": str(tally.total_usdt("fees_usdt")),
        "funding_usdt": str(tally.total_usdt("funding_usdt")),
        "turnover_usdt": str(tally.total_usdt("turnover_usdt")),
    }
