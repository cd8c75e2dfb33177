"""The engines that exist: the facts that the core needs about each, stated once, in the engine's own folder.

A folder of `statemachines/` with an `identity.py` belongs to an engine: its `ENGINES` names the actors that run it. The
names of actors and accounts, the client order ids, the weights and the limits derive from here, so a new engine does
not have to be added to any list by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import statemachines

IDENTITY = "identity"
"""The module of an engine's folder that defines its identity."""

_KEY = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*")
_CODE = re.compile(r"[0-9a-z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIdentity:
    """The identity of one engine.

    Raises:
        ValueError: `key`, `code` or `sleeve` does not have the form described.
    """

    key: str
    """Its member in `ActorName` and `Account`: capitals, digits, underscores. Both names derive from it."""

    code: str
    """Two characters of 0-9 and a-z with which the client ids of its orders begin (EX-5)."""

    order: int
    """Its position among the engines: in lists, in the start order, in the daily cycle (O7)."""

    universe: frozenset[str]
    """What it may trade, as `category:SYMBOL` (RM-1)."""

    weight: Decimal = Decimal(0)
    """Its target weight, a fraction of the portfolio, unless the configuration overrides it (OR-1)."""

    sleeve: str = ""
    """The part of the portfolio that it belongs to, when it shares one with another engine (OR-2, O4); else its own."""

    is_in_daily_cycle: bool = True
    """Whether the daily cycle runs it (OR-3)."""

    def __post_init__(self) -> None:
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"engine key {self.key!r} is not allowed; it must be like TREND_1")
        if not _CODE.fullmatch(self.code):
            raise ValueError(f"code {self.code!r} of {self.key} is not allowed; it must be two characters of 0-9, a-z")
        if self.sleeve and not _KEY.fullmatch(self.sleeve):
            raise ValueError(f"sleeve {self.sleeve!r} of {self.key} is not allowed; it must be like TREND")

    @property
    def name(self) -> str:
        """The actor's name: `trend-1` for the key TREND_1."""
        return self.key.lower().replace("_", "-")

    @property
    def sleeve_key(self) -> str:
        """The key of its sleeve: TREND for TREND_1, otherwise its own key."""
        return self.sleeve or self.key

    @property
    def trades_perpetuals(self) -> bool:
        """Whether its account holds derivatives, so that leverage and position mode matter (TR-9)."""
        return any(series.startswith("linear:") for series in self.universe)

    @property
    def account(self) -> str:
        """The sub-account's name: `TREND-1` for the key TREND_1."""
        return self.key.replace("_", "-")


def discovered() -> tuple[EngineIdentity, ...]:
    """The engines of all folders, in their order.

    Raises:
        ValueError: two engines share a key or a code.
    """
    found = sorted(_identities(), key=lambda engine: (engine.order, engine.key))
    for what in ("key", "code"):
        values = [getattr(engine, what) for engine in found]
        repeated = sorted({value for value in values if values.count(value) > 1})
        if repeated:
            raise ValueError(f"{what} {repeated[0]!r} is used by two engines; each engine needs its own")
    return tuple(found)


def _identities() -> Iterator[EngineIdentity]:
    for folder in iter_modules(statemachines.__path__):
        has_identity = folder.ispkg and any(
            (Path(place) / folder.name / f"{IDENTITY}.py").is_file() for place in statemachines.__path__
        )
        if has_identity:
            yield from import_module(f"{statemachines.__name__}.{folder.name}.{IDENTITY}").ENGINES
