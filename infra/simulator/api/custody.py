"""Endpoints about coins that come in from outside or leave: coins and their chains, deposits, withdrawals."""

from __future__ import annotations

from typing import Any

from infra.simulator.api.account import member_coins
from infra.simulator.api.context import Answer, Context
from infra.simulator.api.members.rights import denied, of_master, sub_account
from infra.simulator.api.paging import page, within
from infra.simulator.venue.errors import params_error
from infra.simulator.venue.model import Account
from infra.simulator.venue.money import text
from infra.simulator.venue.surroundings import custody
from infra.simulator.venue.surroundings.custody import CHAIN, CHAIN_TYPE, CHAINS, WithdrawalRequest

DAYS_30_MS = 30 * 86_400_000
ALL_WALLETS = ("FUND", "UTA", "EARN", "SPOT")
"""SPOT and EARN hold nothing that can be withdrawn: a unified account has no wallet of the one, and redeems the other
first."""


def coin_info(ctx: Context) -> Answer:
    """GET /v5/asset/coin/query-info: one chain a coin; chainWithdraw "0" while withdrawals are suspended."""
    rows = []
    for coin in member_coins(ctx.params.text("coin")):
        terms = CHAINS[coin]
        chain = {
            "chain": CHAIN, "chainType": CHAIN_TYPE, "confirmation": "1", "withdrawFee": text(terms.fee),
            "depositMin": "0", "withdrawMin": text(terms.least), "minAccuracy": "8",
            "chainDeposit": "1",
            "chainWithdraw": "0" if ctx.venue.conditions.is_suspended(coin) else "1",
            "withdrawPercentageFee": "0", "contractAddress": "", "safeConfirmNumber": "1",
            "withdrawMax": text(terms.largest),
        }  # fmt: skip
        rows.append({"name": coin, "coin": coin, "remainAmount": text(terms.largest), "chains": [chain]})
    return Answer({"rows": rows}, message="success")


def deposits(ctx: Context) -> Answer:
    """GET /v5/asset/deposit/query-record: what the control interface paid in from outside."""
    return _deposits_of(ctx, ctx.account)


def sub_deposits(ctx: Context) -> Answer:
    """GET /v5/asset/deposit/query-sub-member-record: those of a sub-account, with the master's key."""
    of_master(ctx)
    return _deposits_of(ctx, sub_account(ctx, "subMemberId"))


def _deposits_of(ctx: Context, account: Account) -> Answer:
    params, uid = ctx.params, str(account.uid)
    start, end = _window(ctx)
    wanted = {name: params.text(name) for name in ("id", "txID", "coin") if params.text(name)}
    rows, cursor = page(
        within(ctx.venue.deposits, start, end), params, 50, 50,
        lambda row: row.data["memberId"] == uid and all(row.data[name] == value for name, value in wanted.items()),
    )  # fmt: skip
    shown = [{key: value for key, value in row.data.items() if key != "memberId"} for row in rows]
    return Answer({"rows": shown, "nextPageCursor": cursor}, message="success")


def _window(ctx: Context) -> tuple[int, int]:
    """The window of a query of deposits or withdrawals: less than 30 days, by default the last 30."""
    start, end = ctx.params.integer("startTime"), ctx.params.integer("endTime")
    end = ctx.venue.now_ms if end is None else end
    start = end - DAYS_30_MS if start is None else start
    if end < start:
        raise params_error("startTime should be less than endTime.")
    if end - start > DAYS_30_MS:
        raise params_error("The time range between startTime and endTime cannot exceed 30 days.")
    return start, end


def withdrawable(ctx: Context) -> Answer:
    """GET /v5/asset/withdraw/withdrawable-amount: by wallet."""
    coin = member_coins(ctx.params.required("coin"))[0]
    amounts: dict[str, Any] = {}
    for wallet in ALL_WALLETS:
        amount = text(custody.available(ctx.venue, ctx.account, coin, wallet)) if wallet in ("FUND", "UTA") else "0"
        amounts[wallet] = {"coin": coin, "withdrawableAmount": amount, "availableBalance": amount}
    limit = text(custody.MAXIMUM_USD)
    return Answer({"limitAmountUsd": limit, "withdrawableAmount": amounts}, message="success")


def withdraw(ctx: Context) -> Answer:
    """POST /v5/asset/withdraw/create: with the master's key and permission Withdraw, to a whitelisted address."""
    _may_withdraw(ctx)
    params = ctx.params
    if params.integer("timestamp") is None:
        raise params_error("params error: timestamp is required.")
    force = params.integer("forceChain") or 0
    if force not in (0, 1):
        raise params_error(f"params error: forceChain {force} is not simulated; 0 and 1 are: a transfer on the chain.")
    fee_type = params.integer("feeType") or 0
    if fee_type not in (0, 1):
        raise params_error(f"params error: feeType {fee_type} is not one of 0, 1.")
    request = WithdrawalRequest(
        params.required("coin"), params.required("chain"), params.required("address"), params.text("tag"),
        params.required_decimal("amount"), params.choice("accountType", ("FUND", "UTA")), bool(fee_type),
        params.text("requestId"),
    )  # fmt: skip
    row = custody.withdraw(ctx.venue, ctx.account, request)
    return Answer({"id": row.data["withdrawId"]}, message="success")


def cancel_withdrawal(ctx: Context) -> Answer:
    """POST /v5/asset/withdraw/cancel: status 1 when it is cancelled, 0 when it is too late for that."""
    _may_withdraw(ctx)
    return Answer({"status": int(custody.cancel(ctx.venue, ctx.account, ctx.params.required("id")))}, message="success")


def withdrawals(ctx: Context) -> Answer:
    """GET /v5/asset/withdraw/query-record: withdrawType 0 (on the chain, as all here are), 1 (none) or 2 (all)."""
    params, uid = ctx.params, str(ctx.account.uid)
    kind = params.integer("withdrawType") or 0
    if kind not in (0, 1, 2):
        raise params_error(f"params error: withdrawType {kind} is not one of 0, 1, 2.")
    wanted, transaction, coin = params.text("withdrawID"), params.text("txID"), params.text("coin")
    rows, cursor = page(
        within(ctx.venue.registry.withdrawals, *_window(ctx)), params, 50, 50,
        lambda row: row.data["memberId"] == uid and kind != 1 and wanted in ("", row.data["withdrawId"])
        and coin in ("", row.data["coin"]) and transaction in ("", custody.shown(ctx.venue, row)["txID"]),
    )  # fmt: skip
    shown = [custody.shown(ctx.venue, row) for row in rows]
    return Answer({"rows": shown, "nextPageCursor": cursor}, message="success")


def withdrawal_addresses(ctx: Context) -> Answer:
    """GET /v5/asset/withdraw/query-address: the whitelist, one address a coin."""
    coin = ctx.params.text("coin")
    rows = [
        {
            "coin": one, "chain": CHAIN, "address": custody.outside_address(ctx.account, one), "tag": "",
            "remark": "simulated", "status": 0, "addressType": 0, "verified": 1, "createdAt": "1577836800",
        }
        for one in member_coins(coin)
    ]  # fmt: skip
    return Answer({"rows": rows, "nextPageCursor": ""}, message="success")


def deposit_addresses(ctx: Context) -> Answer:
    """GET /v5/asset/deposit/query-address: of this account."""
    coin = member_coins(ctx.params.required("coin"))[0]
    chain = {
        "chainType": CHAIN_TYPE, "addressDeposit": custody.deposit_address(ctx.account, coin), "tagDeposit": "",
        "chain": CHAIN, "batchReleaseLimit": "-1", "contractAddress": "",
    }  # fmt: skip
    return Answer({"coin": coin, "chains": [chain]}, message="success")


def _may_withdraw(ctx: Context) -> None:
    ctx.key.require("Wallet", "Withdraw")
    if not ctx.account.is_master:
        raise denied()
