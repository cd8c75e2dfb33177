"""The public topics by their names: which exist in which category, and what a name says."""

from __future__ import annotations

from typing import NamedTuple

from infra.simulator.market.bars.intervals import ALL_INTERVALS
from infra.simulator.venue.instruments import INSTRUMENTS, Instrument

STATUS = "status"
"""The category of the stream of system messages."""

DEPTHS = ("1", "50", "200", "1000")
POOLS = ("USDT", "USDC", "inverse")
ALERT_COINS = ("USDT", "USDC", "inverse")
KINDS = (
    "tickers", "orderbook", "publicTrade", "allLiquidation", "priceLimit", "insurance", "adlAlert", "kline", "system",
)  # fmt: skip
"""The order in which the topics of one step are sent."""

_OF_SYMBOL = ("tickers", "publicTrade", "allLiquidation", "priceLimit")
_LINEAR_ONLY = ("allLiquidation", "insurance", "adlAlert")


class InvalidTopic(ValueError):
    """A topic this exchange does not stream; the subscription is refused with its text."""


class Topic(NamedTuple):
    """A public topic: ``kind``, what stands between kind and subject (depth, interval), and the subject: a symbol with
    its instrument, or a coin."""

    category: str
    name: str
    kind: str
    detail: str
    subject: str
    spec: Instrument | None

    @property
    def key(self) -> tuple[str, str]:
        """Category and name, which no two topics share."""
        return self.category, self.name

    @property
    def rank(self) -> tuple[int, str, str]:
        """Its place among the topics of a step."""
        return KINDS.index(self.kind), self.name, self.category


def read_topic(category: str, name: str) -> Topic:
    """Raises ``InvalidTopic`` unless the topic is one this exchange streams in the category."""
    if category == STATUS and name == "system.status":
        return Topic(category, name, "system", "", "status", None)
    kind, *rest = name.split(".")
    subject, detail = rest[-1] if rest else "", rest[0] if len(rest) == 2 else ""
    spec = INSTRUMENTS.get((category, subject))
    one = len(rest) == 1
    exists = (
        (kind in _OF_SYMBOL and one and spec is not None)
        or (kind == "orderbook" and detail in DEPTHS and spec is not None)
        or (kind == "kline" and detail in ALL_INTERVALS and spec is not None)
        or (kind == "insurance" and one and subject in POOLS)
        or (kind == "adlAlert" and one and subject in ALERT_COINS)
    )
    if not exists or category not in ("spot", "linear") or (kind in _LINEAR_ONLY and category != "linear"):
        raise InvalidTopic(f"error:handler not found,topic:{name}")
    return Topic(category, name, kind, detail, subject, spec)


def public_names(category: str) -> tuple[str, ...]:
    """Every topic of a category by its name."""
    symbols = [symbol for one, symbol in INSTRUMENTS if one == category]
    names = [f"{kind}.{symbol}" for kind in _OF_SYMBOL for symbol in symbols]
    names += [f"orderbook.{depth}.{symbol}" for depth in DEPTHS for symbol in symbols]
    names += [f"kline.{interval}.{symbol}" for interval in ALL_INTERVALS for symbol in symbols]
    names += [f"insurance.{pool}" for pool in POOLS] + [f"adlAlert.{coin}" for coin in ALERT_COINS]
    return tuple(name for name in names if category == "linear" or name.partition(".")[0] not in _LINEAR_ONLY)
