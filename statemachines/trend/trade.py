"""The durable state of one asset: the position, its stop and its open orders."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from statemachines.trend.machine import TrendState

StopRule = Literal["TR-5", "TR-6"]


class StopOrder(BaseModel):
    """One stop at the exchange: the terms last requested and the terms that the exchange has confirmed.

    `confirmed_price` is None until the exchange has first confirmed that the order rests; `check_ms` is the market time
    by which the last request must be confirmed, None once it is. `repairs` counts how often today a lost stop was
    replaced in this place.
    """

    model_config = ConfigDict(extra="forbid")

    intent_id: str
    asked_price: Decimal
    asked_quantity: Decimal
    confirmed_price: Decimal | None = None
    confirmed_quantity: Decimal | None = None
    check_ms: int | None = None
    repeated: bool = False
    fired: bool = False
    repairs: int = 0

    @property
    def is_settled(self) -> bool:
        """Whether the exchange has confirmed the terms last requested."""
        return (self.confirmed_price, self.confirmed_quantity) == (self.asked_price, self.asked_quantity)


class Trade(BaseModel):
    """One trade from signal to flat; quantities in coins, prices in USDT.

    `stops` are the orders at the exchange that together are the position's stop: one, or as many as the venue's largest
    order requires. `held` is the position that the exchange reports (never negative, `direction` carries the sign);
    `entry`, `exit` and `cut` are the ids of intents that have not ended; `ending` those of stops that were withdrawn
    and have not ended. `unreplaced` holds the `repairs` of the stops that are to be placed for lost ones;
    `audit_repairs` counts today's repairs after an audit. `exit_tries` counts consecutive exits that failed for
    `exit_cause`, `exit_first` is the first of them; `closes_rest`: the last one was for a remainder below a lot,
    `rest_is_refused`: the exchange refuses that. `dust` is the signed remainder of earlier positions; it is not a
    position (X1). `outside` is the signed part of the account's position that is not ours (EXTERNAL): it is never
    traded (OR-9). `alerted` holds the conditions with an open alert. `cut_gives`: the cut gives capital (O4) and is
    not TR-13's. No entry is made at a daily close at or before `blocked_through_ms` (T2, T3).
    """

    model_config = ConfigDict(extra="forbid")

    state: TrendState = TrendState.SCANNING
    blocked_through_ms: int = 0
    direction: int = 0
    signal_close_ms: int = 0
    signal_atr: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    closes: int = 0
    best_close: Decimal = Decimal(0)
    has_been_in_profit: bool = False
    halved_in: int = 0
    stop_price: Decimal | None = None
    stop_rule: StopRule = "TR-5"
    unreplaced: list[int] = Field(default_factory=list)
    audit_repairs: int = 0
    stops: list[StopOrder] = Field(default_factory=list)
    ending: list[str] = Field(default_factory=list)
    entry: str | None = None
    entry_withdrawn: bool = False
    exit: str | None = None
    exit_rule: str = ""
    exit_reason: str = ""
    exit_tries: int = 0
    exit_cause: str = ""
    exit_first: str = ""
    closes_rest: bool = False
    rest_is_refused: bool = False
    dust: Decimal = Decimal(0)
    outside: Decimal = Decimal(0)
    alerted: list[str] = Field(default_factory=list)
    retry_ms: int | None = None
    cut: str | None = None
    cut_gives: bool = False

    def flat(self) -> Trade:
        """The state without a position."""
        return self.anew()

    def anew(self, **fields: Any) -> Trade:
        """The next trade with these fields; of this one only what outlasts a trade is kept: alerts that have not ended,
        too."""
        kept: dict[str, Any] = {"blocked_through_ms": self.blocked_through_ms, "dust": self.dust}
        kept |= {"outside": self.outside, "alerted": self.alerted}
        return Trade(**kept | fields)

    def stop_of(self, intent_id: str) -> StopOrder | None:
        """The stop with this id among those that stand."""
        return next((stop for stop in self.stops if stop.intent_id == intent_id), None)

    @property
    def has_fired(self) -> bool:
        """Whether a stop is filling: its end shows the remainder."""
        return any(stop.fired for stop in self.stops)

    @property
    def average_price(self) -> Decimal:
        """Average fill price of the entry (T5); 0 before the first fill."""
        return self.cost / self.bought if self.bought else Decimal(0)
