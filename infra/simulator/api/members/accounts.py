"""Sub-accounts: made, frozen, deleted and listed with the master's key."""

from __future__ import annotations

import re
from typing import Any

from infra.simulator.api.context import Answer, Context
from infra.simulator.api.members.rights import of_master, sub_account
from infra.simulator.config import AccountConfig
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.model import Account

USERNAME = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])[A-Za-z0-9]{6,16}")
"""6 to 16 characters, letters and digits, at least one of each (Bybit's rule)."""

CUSTODIAL = 6
ORDINARY = 1
FROZEN, ACTIVE = 4, 1
UNIFIED_2 = 5
PAGE = 100
LAST_PAGE = "0"


def create_sub_member(ctx: Context) -> Answer:
    """POST /v5/user/create-sub-member: a unified account without money; a password is not kept."""
    of_master(ctx, writes=True)
    name, kind = ctx.params.required("username"), ctx.params.integer("memberType")
    if not USERNAME.fullmatch(name):
        raise params_error("params error: username must have 6 to 16 letters and digits, at least one of each.")
    if kind not in (ORDINARY, CUSTODIAL):
        raise params_error(f"params error: memberType {kind} is not one of {ORDINARY}, {CUSTODIAL}.")
    if name in ctx.venue.accounts:
        raise params_error(f"params error: username {name} already exists.")
    account = ctx.venue.open_account(AccountConfig(name, max(ctx.venue.by_uid) + 1, {}))
    member = ctx.venue.registry.member(name)
    member.kind, member.remark = kind, ctx.params.text("note")
    row = _row(ctx, account)
    del row["accountMode"]
    return Answer(row, message="")


def freeze_sub_member(ctx: Context) -> Answer:
    """POST /v5/user/frozen-sub-member: `frozen` 1 freezes (its keys are refused with 10008), 0 releases."""
    of_master(ctx, writes=True)
    account = sub_account(ctx, "subuid")
    frozen = ctx.params.integer("frozen")
    if frozen not in (0, 1):
        raise params_error(f"params error: frozen {frozen} is not one of 0, 1.")
    ctx.venue.registry.member(account.name).is_frozen = bool(frozen)
    return Answer({}, message="")


def delete_sub_member(ctx: Context) -> Answer:
    """POST /v5/user/del-submember: only an account without assets, positions and orders; its keys end with it."""
    of_master(ctx, writes=True)
    account = sub_account(ctx, "subMemberId")
    if account.open or account.has_position or any(account.wallet.values()) or any(account.fund.values()):
        raise params_error(f"params error: sub-account {account.uid} still has assets, positions or orders.")
    registry = ctx.venue.registry
    registry.member(account.name).is_deleted = True
    registry.keys = {number: one for number, one in registry.keys.items() if one.account != account.name}
    ctx.keys.refresh(ctx.venue)
    return Answer({}, message="")


def sub_members(ctx: Context) -> Answer:
    """GET /v5/user/query-sub-members: all of them."""
    of_master(ctx)
    return Answer({"subMembers": [_row(ctx, account) for account in _subs(ctx)]}, message="")


def submembers(ctx: Context) -> Answer:
    """GET /v5/user/submembers: the same in pages, newest first; the cursor of the last page is "0"."""
    of_master(ctx)
    size = ctx.params.integer("pageSize")
    size = PAGE if size is None else size
    if not 1 <= size <= PAGE:
        raise params_error(f"params error: pageSize {size} is not in 1..{PAGE}.")
    after = ctx.params.integer("nextCursor")
    found = [one for one in reversed(_subs(ctx)) if not after or one.uid < after]
    cursor = str(found[size - 1].uid) if len(found) > size else LAST_PAGE
    return Answer({"subMembers": [_row(ctx, one) for one in found[:size]], "nextCursor": cursor}, message="")


def member_type(ctx: Context) -> Answer:
    """GET /v5/user/get-member-type: which wallets an account has; without memberIds the one that asks."""
    account = ctx.account
    wanted = [text.strip() for text in ctx.params.text("memberIds", str(account.uid)).split(",")]
    rows: list[dict[str, Any]] = []
    for text in wanted:
        if not (text.isascii() and text.isdigit()):
            raise params_error(f"params error: memberIds {text[:40]!r} is not a UID.")
        found = ctx.venue.account(int(text))
        if found is not account:
            of_master(ctx)
        rows.append({"uid": str(found.uid), "accountType": ["UNIFIED", "FUND"]})
    return Answer({"accounts": rows}, message="")


def transferable_members(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-sub-member-list: every sub-account may take part in universal transfers."""
    of_master(ctx)
    uids = [str(account.uid) for account in _subs(ctx)]
    return Answer({"subMemberIds": uids, "transferableSubMemberIds": list(uids)}, message="success")


def _subs(ctx: Context) -> list[Account]:
    registry = ctx.venue.registry
    return [
        one
        for one in ctx.venue.accounts.values()
        if not one.is_master and not (one.name in registry.members and registry.members[one.name].is_deleted)
    ]


def _row(ctx: Context, account: Account) -> dict[str, Any]:
    member = ctx.venue.registry.members.get(account.name)
    return {
        "uid": str(account.uid),
        "username": account.name,
        "memberType": member.kind if member else ORDINARY,
        "status": FROZEN if member and member.is_frozen else ACTIVE,
        "remark": member.remark if member else "",
        "accountMode": UNIFIED_2,
    }
