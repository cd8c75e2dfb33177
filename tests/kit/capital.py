"""The orchestrator's side of capital that an engine is asked to give, for tests of one engine (OR-2, OR-4)."""

from __future__ import annotations

from decimal import Decimal

from statemachines.messages.accounts import FreeCapital, TransferEnded
from statemachines.portfolio.release import request_id_of
from statemachines.values import ACCOUNT_OF, Account, ActorName

RELEASE = "capital-release"


def free(
    engine: ActorName, amount: str | int | Decimal, least: str | int = 0, release_id: str = RELEASE
) -> FreeCapital:
    """The question."""
    return FreeCapital(
        release_id=release_id,
        engine=engine,
        amount_usdt=Decimal(amount),
        least_usdt=Decimal(least),
        reason="OR-2 regime",
    )


def moved(
    engine: ActorName,
    amount: str | int | Decimal,
    to: Account = Account.FUNDING,
    *,
    succeeded: bool = True,
    release_id: str = RELEASE,
) -> TransferEnded:
    """The end of one of its transfers."""
    return TransferEnded(
        transfer_id=f"{release_id}-{to}-id",
        request_id=request_id_of(release_id, to),
        from_account=ACCOUNT_OF[engine],
        to_account=to,
        coin="USDT",
        amount=Decimal(amount),
        purpose="OR-2 regime",
        succeeded=succeeded,
    )
