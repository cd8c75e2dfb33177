"""The conditions that hold now, by the id of their fault, and what each question about the exchange answers then."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, TypeVar

from infra.simulator.faults.catalogue import (
    Delisting,
    ExchangeFault,
    FilterChange,
    InsuranceFundFall,
    Maintenance,
    WithdrawalSuspension,
)
from infra.simulator.faults.reading import fault_of
from infra.simulator.venue.conditions.shocks import Shock
from infra.simulator.venue.instruments import Instrument

INSURANCE_USDT = Decimal(500_000_000)
F = TypeVar("F", bound=ExchangeFault)


@dataclass(slots=True)
class Conditions:
    """``active``: faults by id with the exchange time at which each began. ``shocks`` stay after their end: bars of
    the past show them."""

    active: dict[str, tuple[int, ExchangeFault]] = field(default_factory=dict)
    shocks: dict[str, Shock] = field(default_factory=dict)

    def of(self, kind: type[F]) -> list[F]:
        """The active ones of a kind, oldest first."""
        return [fault for _, fault in self.active.values() if isinstance(fault, kind)]

    def instrument(self, spec: Instrument) -> Instrument:
        """The instrument with its present filters."""
        for change in self.of(FilterChange):
            if (change.category, change.symbol) == (spec.category, spec.symbol):
                changed: dict[str, Any] = dict(change.filters())
                spec = replace(spec, **changed)
        return spec

    def is_delisted(self, category: str, symbol: str) -> bool:
        """Whether the instrument has been delisted."""
        return any((one.category, one.symbol) == (category, symbol) for one in self.of(Delisting))

    def is_suspended(self, coin: str) -> bool:
        """Whether withdrawals of the coin are suspended."""
        return any(one.coin == coin for one in self.of(WithdrawalSuspension))

    def insurance_usdt(self) -> Decimal:
        """What the insurance fund holds."""
        left = INSURANCE_USDT
        for fall in self.of(InsuranceFundFall):
            left *= 1 - fall.share
        return left

    def maintenance(self) -> list[tuple[int, Maintenance]]:
        """The maintenance that is going on, with its begin."""
        return [(begin_ms, one) for begin_ms, one in self.active.values() if isinstance(one, Maintenance)]

    def dump(self) -> dict[str, Any]:
        """As JSON-ready data."""
        rows = {key: [begin_ms, fault.model_dump(mode="json")] for key, (begin_ms, fault) in self.active.items()}
        return {"active": rows, "shocks": {key: one.dump() for key, one in self.shocks.items()}}

    @classmethod
    def load(cls, data: dict[str, Any]) -> Conditions:
        """What ``dump`` gave; nothing from a snapshot of an earlier version, which has none."""
        active: dict[str, tuple[int, ExchangeFault]] = {}
        for key, (begin_ms, fault) in data.get("active", {}).items():
            made = fault_of(fault)
            assert isinstance(made, ExchangeFault), "only faults of the exchange are part of its state"
            active[key] = (begin_ms, made)
        return cls(active, {key: Shock.load(one) for key, one in data.get("shocks", {}).items()})
