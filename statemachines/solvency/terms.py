"""The request for the exchange's insurance fund and withdrawal status, and the response (FU-9, CH-9)."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from statemachines.values import Frozen


class CoinWithdrawals(Frozen):
    """On how many of a coin's chains that allow withdrawals at all they are open now (CH-9)."""

    coin: str
    chains: int = Field(ge=0)
    open_chains: int = Field(ge=0)

    @property
    def is_suspended(self) -> bool:
        """R2: withdrawals of the coin are suspended on all of its chains."""
        return self.open_chains == 0


class ReadSolvency(Frozen):
    """Read the insurance fund that covers these perpetuals, and whether these coins can be withdrawn."""

    kind: Literal["read_solvency"] = "read_solvency"
    coins: tuple[str, ...]
    symbols: tuple[str, ...]


class SolvencyRead(Frozen):
    """The exchange's answer at `market_ms`; what it does not say is absent, never zero and never open.

    `unread` says why, by coin or `INSURANCE`; `no_access` why the exchange answers none of it to this key or on this
    site (demo trading), "" when it does.
    """

    kind: Literal["solvency_read"] = "solvency_read"
    market_ms: int
    insurance_usdt: Decimal | None = None
    withdrawals: tuple[CoinWithdrawals, ...] = ()
    unread: dict[str, str] = Field(default_factory=dict)
    no_access: str = ""


COINS: tuple[str, ...] = ("BTC", "ETH", "USDT")
"""R2: the coins whose withdrawals count."""

INSURANCE = "insurance"
"""The key of the insurance fund among what is `unread`."""
