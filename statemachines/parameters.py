"""What all models of parameters share: each field carries its meaning, its unit and what is allowed, so that the
documented configuration (`docs/eternal.example.toml`) and its JSON Schema are generated from the models.

The text below a field is its meaning and names the rules behind it, for example `(TR-3, T1)`. Units come from the
field's name (`_ms`, `_usdt`, ...) or from a `Unit`; what is allowed comes from the type and its bounds, for text from
an `Allowed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from statemachines.values import Frozen


class ParameterModel(Frozen):
    """Base of the parameters that can be configured: immutable, refuses unknown fields, documents each field."""

    model_config = ConfigDict(use_attribute_docstrings=True)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number counts, where its field's name does not say it."""

    name: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """What a text may be, in words for people; a pattern or validator enforces it."""

    text: str


Coin = Annotated[str, Field(pattern=r"^[A-Z0-9]+$"), Allowed("a coin in capitals, for example BTC")]
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9-]+$"), Allowed("a symbol in capitals, for example BTCUSDT")]
SeriesName = Annotated[
    str, Field(pattern=r"^(spot|linear):[A-Z0-9-]+$"), Allowed('category and symbol, for example "spot:BTCUSDT"')
]
FeeRate = Annotated[Decimal, Field(ge=0, lt=Decimal("0.1")), Unit("fraction of the traded value")]
PositiveUsdt = Annotated[Decimal, Field(gt=0), Unit("USDT")]
