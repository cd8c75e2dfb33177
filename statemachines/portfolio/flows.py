"""Flows of capital, and what capital became in a period without them (RM-3, RULINGS F11, ADR 0026).

The one rule of all results: of a period's flows, what came in counts as present from the period's start and what went
out as present until its end. So neither a deposit nor a withdrawal makes a large result out of a small one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from statemachines.portfolio.amounts import Amounts, decimals_of, texts_of
from statemachines.values import Account

ZERO = Decimal(0)

SMALLEST_BASE_USDT = Decimal("0.01")
"""With less capital than this a period has no return."""


class Flows(NamedTuple):
    """What came in and what went out in one period, summed apart, each 0 or more, in USDT."""

    inflow_usdt: Decimal = ZERO
    outflow_usdt: Decimal = ZERO

    @property
    def net_usdt(self) -> Decimal:
        """What came in less what went out."""
        return self.inflow_usdt - self.outflow_usdt


def period_factor(start_usdt: Decimal, flows: Flows, end_usdt: Decimal) -> Decimal | None:
    """What one unit of capital became: (end + outflows) / (start + inflows), never below 0 (F11).

    None where there was no capital to earn anything: less than `SMALLEST_BASE_USDT` at the start and from inflows.
    """
    base = start_usdt + flows.inflow_usdt
    return max(ZERO, (end_usdt + flows.outflow_usdt) / base) if base >= SMALLEST_BASE_USDT else None


def period_return(start_usdt: Decimal, flows: Flows, end_usdt: Decimal) -> Decimal | None:
    """The period's return as a fraction: `period_factor` less 1, never below -1."""
    factor = period_factor(start_usdt, flows, end_usdt)
    return None if factor is None else factor - 1


class AccountFlows:
    """What came to one account and left it since the last close, in coins; transfers by the account on the other side,
    so that those within a group of accounts are no flow of the group. Mutable."""

    def __init__(self) -> None:
        self.inflows: Amounts = {}
        self.outflows: Amounts = {}
        self.received: dict[Account, Amounts] = {}
        self.sent: dict[Account, Amounts] = {}

    def add(self, coin: str, amount: Decimal) -> None:
        """From outside (positive) or to outside (negative)."""
        _add(self.inflows if amount > ZERO else self.outflows, coin, abs(amount))

    def transferred(self, other: Account, coin: str, amount: Decimal) -> None:
        """From (positive) or to (negative) another account of ours."""
        _add((self.received if amount > ZERO else self.sent).setdefault(other, {}), coin, abs(amount))

    def take_back(self, coin: str, amount: Decimal) -> None:
        """What `add` was given, alone or netted with something else, was a transfer between accounts."""
        same, opposite = (self.inflows, self.outflows) if amount > ZERO else (self.outflows, self.inflows)
        left = same.pop(coin, ZERO) - abs(amount)
        _add(same if left > ZERO else opposite, coin, abs(left))

    def totals(self, group: Collection[Account], value: Callable[[str, Decimal], Decimal]) -> Flows:
        """The flows over the border of the group; `value` is an amount of a coin in USDT."""

        def summed(outside: Amounts, others: Mapping[Account, Amounts]) -> Decimal:
            parts = [outside, *(amounts for other, amounts in others.items() if other not in group)]
            return sum((value(coin, amount) for part in parts for coin, amount in part.items()), ZERO)

        return Flows(summed(self.inflows, self.received), summed(self.outflows, self.sent))

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "inflows": texts_of(self.inflows),
            "outflows": texts_of(self.outflows),
            "received": {account.value: texts_of(amounts) for account, amounts in sorted(self.received.items())},
            "sent": {account.value: texts_of(amounts) for account, amounts in sorted(self.sent.items())},
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> AccountFlows:
        """From the result of `to_data`."""
        found = cls()
        found.inflows, found.outflows = decimals_of(data["inflows"]), decimals_of(data["outflows"])
        found.received = {Account(name): decimals_of(texts) for name, texts in data["received"].items()}
        found.sent = {Account(name): decimals_of(texts) for name, texts in data["sent"].items()}
        return found


def _add(amounts: Amounts, coin: str, amount: Decimal) -> None:
    if amount:
        amounts[coin] = amounts.get(coin, ZERO) + amount
