"""Asset endpoints: transfers between wallets and accounts, balances."""

from __future__ import annotations

from infra.simulator.api.account import member_coins
from infra.simulator.api.context import Answer, Context
from infra.simulator.api.members.rights import denied
from infra.simulator.api.paging import WEEK_MS, page, window, within
from infra.simulator.venue import treasury
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Account, Row
from infra.simulator.venue.money import ZERO, text

KINDS = ("UNIFIED", "FUND")


def universal_transfer(ctx: Context) -> Answer:
    """POST /v5/asset/transfer/universal-transfer: between any two accounts with the master's key; with that of a
    sub-account (permission SubMemberTransferList) from it to the master only."""
    ctx.key.require("Wallet", "SubMemberTransfer" if ctx.account.is_master else "SubMemberTransferList")
    params = ctx.params
    source = ctx.venue.account(params.integer("fromMemberId"))
    target = ctx.venue.account(params.integer("toMemberId"))
    if not ctx.account.is_master and not (source is ctx.account and target.is_master):
        raise denied()
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
    # With an id, too: without a window the exchange lists the past 7 days.
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


def transferable_coins(ctx: Context) -> Answer:
    """GET /v5/asset/transfer/query-transfer-coin-list: every coin moves between the two wallets."""
    source, target = ctx.params.choice("fromAccountType", KINDS), ctx.params.choice("toAccountType", KINDS)
    return Answer({"list": [] if source == target else list(treasury.COINS)}, message="success")


def _member(ctx: Context) -> Account:
    wanted = ctx.params.integer("memberId")
    if wanted is None or wanted == ctx.account.uid:
        return ctx.account
    if not ctx.account.is_master:
        raise denied()
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
