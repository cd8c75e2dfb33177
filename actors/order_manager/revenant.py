"""An order of ours that lives at the exchange after its end here, while it is being cancelled."""

from __future__ import annotations

from dataclasses import dataclass, field

from statemachines.backoff import Tries
from statemachines.values import Account, Category


@dataclass(slots=True)
class Revenant:
    """One such order while it is being cancelled, in memory only: a restart reads the open orders and finds it anew.

    `pending` is the key of the cancellation whose answer is awaited.
    """

    account: Account
    category: Category
    symbol: str
    is_conditional: bool
    pending: str = ""
    tries: Tries = field(default_factory=Tries)
