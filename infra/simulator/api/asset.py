"""Asset and user endpoints: transfers, balances, coins, deposits, keys, sub-accounts."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.account import member_coins
from infra.simulator.api.context import Answer, Context
from infra.simulator.api.keys import ALL_GROUPS
from infra.simulator.api.paging import WEEK_MS, page, window, within
from infra.simulator.venue import treasury
from infra.simulator.venue.errors import VenueError
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Account, Row
from infra.simulator.venue.money import ZERO, text

KINDS = ("UNIFIED", "FUND")
DAYS_30_MS = 30 * 86_400_000


def universal_transfer(ctx: Context) -> Answer:
    """POST /v5/asset/transfer/universal-transfer: between any two accounts, with the master's key only."""
    ctx.key.require("Wallet", "SubMemberTransfer")
    if not ctx.account.is_master:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    params = ctx.params
    source = ctx.venue.account(params.integer("fromMemberId"))
    target = ctx.venue.account(params.integer("toMemberId"))
    row = treasury.universal_transfer(
        ctx.venue,
        params.required("transferId"),
        params.required("coin"),
        params.required_decimal("amount"),
        (source, params.choice("fromAccountType", KINDS)),
        (target, params.choice("toAccountType", KINDS)),
    )
    return _accepted(row)


def inter_transfer(ctx: Context) -> Answer:
    """POST /v5/asset/transfer/inter-transfer: between the two wallets of one account."""
    ctx.key.require("Wallet", "AccountTransfer")
    params = ctx.params
    row = treasury.inter_transfer(
        ctx.venue,
        params.required("transferId"),
        params.required("coin"),
        params.required_decimal("amount"),
        ctx.account,
        params.choice("fromAccountType", KINDS),
        params.choice("toAccountType", KINDS),
    )
    return _accepted(row)


def _accepted(row: Row) -> Answer:
    return Answer({"transferId": row.data["transferId"], "status": row.data["status"]}, message="success")


def _transfer_list(ctx: Context, rows: list[Row]) -> Answer:
    params = ctx.params
    wanted = {name: params.text(name) for name in ("transferId", "coin", "status") if params.text(name)}
    if "transferId" not in wanted or params.text("startTime") or params.text("endTime"):
        rows = list(within(rows, *window(params, ctx.venue.now_ms, WEEK_MS)))
    found, cursor = page(
        rows, params, 20, 50, lambda row: all(row.data[name] == value for name, value in wanted.items())
    )
    shown = [{key: value for key, value in row.data.items() if key != "memberId"} for row in found]
    return Answer({"list": shown, "nextPageCursor": cursor}, message="success")


def universal_transfers(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-universal-transfer-list: the master sees all, a sub-account its own."""
    account = ctx.account
    uid = str(account.uid)
    rows = [
        row
        for row in ctx.venue.transfers.values()
        if account.is_master or uid in (row.data["fromMemberId"], row.data["toMemberId"])
    ]
    return _transfer_list(ctx, rows)


def inter_transfers(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-inter-transfer-list."""
    uid = str(ctx.account.uid)
    return _transfer_list(ctx, [row for row in ctx.venue.inter_transfers.values() if row.data["memberId"] == uid])


def _member(ctx: Context) -> Account:
    wanted = ctx.params.integer("memberId")
    if wanted is None or wanted == ctx.account.uid:
        return ctx.account
    if not ctx.account.is_master:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    return ctx.venue.account(wanted)


def _amounts(ctx: Context, account: Account, kind: str, coin: str) -> tuple[str, str]:
    if kind == "FUND":
        held = text(account.fund.get(coin, ZERO))
        return held, held
    return text(account.balance(coin)), text(transferable(ctx.venue, account, coin))


def coin_balance(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-account-coin-balance."""
    account = _member(ctx)
    kind = ctx.params.choice("accountType", KINDS)
    coin = member_coins(ctx.params.required("coin"))[0]
    balance, movable = _amounts(ctx, account, kind, coin)
    safe = ctx.params.flag("withTransferSafeAmount")
    entry = {
        "coin": coin,
        "walletBalance": balance,
        "transferBalance": movable,
        "bonus": "0",
        "transferSafeAmount": movable if safe else "",
        "ltvTransferSafeAmount": "",
    }
    uid = str(account.uid)
    return Answer(
        {"accountType": kind, "bizType": 1, "accountId": uid, "memberId": uid, "balance": entry}, message="success"
    )


def coins_balance(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-account-coins-balance."""
    account = _member(ctx)
    kind = ctx.params.choice("accountType", KINDS)
    rows = []
    for coin in member_coins(ctx.params.text("coin")):
        balance, movable = _amounts(ctx, account, kind, coin)
        rows.append({"coin": coin, "walletBalance": balance, "transferBalance": movable, "bonus": "0"})
    return Answer({"accountType": kind, "memberId": str(account.uid), "balance": rows}, message="success")


def coin_info(ctx: Context) -> Answer:
    """GET /v5/asset/coin/query-info: one chain a coin, open unless withdrawals of the coin are suspended."""
    rows = []
    for coin in member_coins(ctx.params.text("coin")):
        chain = {
            "chain": "SIM", "chainType": "Simulated", "confirmation": "1", "withdrawFee": "", "depositMin": "0",
            "withdrawMin": "0", "minAccuracy": "8", "chainDeposit": "1",
            "chainWithdraw": "0" if ctx.venue.conditions.is_suspended(coin) else "1",
            "withdrawPercentageFee": "0", "contractAddress": "", "safeConfirmNumber": "1", "withdrawMax": "0",
        }  # fmt: skip
        rows.append({"name": coin, "coin": coin, "remainAmount": "0", "chains": [chain]})
    return Answer({"rows": rows}, message="success")


def deposits(ctx: Context) -> Answer:
    """GET /v5/asset/deposit/query-record: what the control interface paid in from outside."""
    params, uid = ctx.params, str(ctx.account.uid)
    start, end = params.integer("startTime"), params.integer("endTime")
    end = ctx.venue.now_ms if end is None else end
    start = end - DAYS_30_MS if start is None else start
    coin = params.text("coin")
    rows, cursor = page(
        within(ctx.venue.deposits, start, end), params, 50, 50,
        lambda row: row.data["memberId"] == uid and (not coin or row.data["coin"] == coin),
    )  # fmt: skip
    shown = [{key: value for key, value in row.data.items() if key != "memberId"} for row in rows]
    return Answer({"rows": shown, "nextPageCursor": cursor}, message="success")


def query_api(ctx: Context) -> Answer:
    """GET /v5/user/query-api: what this key is; never the secret."""
    key, account = ctx.key, ctx.account
    permissions: dict[str, list[str]] = {group: list(key.permissions.get(group, ())) for group in ALL_GROUPS}
    master = next(one for one in ctx.venue.config.accounts if one.is_master) if not account.is_master else None
    result: dict[str, Any] = {
        "id": str(account.uid),
        "note": f"simulated {account.name}",
        "apiKey": key.key,
        "readOnly": 1 if key.read_only else 0,
        "secret": "",
        "permissions": permissions,
        "ips": ["127.0.0.1"],
        "type": 1,
        "deadlineDay": -2,
        "expiredAt": "1970-01-01T00:00:00Z",
        "createdAt": "2020-01-01T00:00:00Z",
        "unified": 0,
        "uta": 1,
        "userID": account.uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": account.is_master,
        "parentUid": "0" if master is None else str(master.uid),
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
        "userIDInt64": str(account.uid),
        "inviterIDInt64": "0",
        "affiliateIDInt64": "0",
    }
    return Answer(result, message="")


def sub_members(ctx: Context) -> Answer:
    """GET /v5/user/query-sub-members: with the master's key."""
    if not ctx.account.is_master:
        raise VenueError(10005, "Permission denied, please check your API key permissions.")
    members = [
        {
            "uid": str(one.uid),
            "username": one.name,
            "memberType": 1,
            "status": 1,
            "remark": "",
            "accountMode": 5,
        }
        for one in ctx.venue.accounts.values()
        if not one.is_master
    ]
    return Answer({"subMembers": members}, message="")
