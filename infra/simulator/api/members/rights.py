"""Who may manage accounts and keys: the master's key, with a permission that concerns money or accounts."""

from __future__ import annotations

from infra.simulator.api.context import Context
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.model import Account

MANAGING = ("AccountTransfer", "SubMemberTransfer", "Withdraw")


def denied() -> VenueError:
    """10005."""
    return VenueError(10005, "Permission denied, please check your API key permissions.")


def of_master(ctx: Context, *, writes: bool = False) -> None:
    """10005 unless the master's key asks; one that ``writes`` must also be able to move money (Bybit's rule)."""
    if not ctx.account.is_master:
        raise denied()
    if writes and (ctx.key.read_only or not set(MANAGING) & set(ctx.key.permissions.get("Wallet", ()))):
        raise denied()


def sub_account(ctx: Context, name: str) -> Account:
    """The sub-account whose UID the parameter names; 10001 for the master's and for a deleted one."""
    account = ctx.venue.account(ctx.params.integer(name))
    member = ctx.venue.registry.members.get(account.name)
    if account.is_master or (member is not None and member.is_deleted):
        raise params_error(f"params error: {name} {account.uid} is not a sub-account of this master.")
    return account
