"""Money between wallets: opening balances, deposits from outside, transfers within and between accounts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from infra.simulator.venue import earn
from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Account, Row
from infra.simulator.venue.money import ZERO, decimals, text, to_unit
from infra.simulator.venue.records import post
from infra.simulator.venue.state import Venue

COINS = ("USDT", "BTC", "ETH", "SOL")
ACCOUNT_TYPES = ("UNIFIED", "FUND")
FLEXIBLE_STAKING = "FLEXIBLE_STAKING_"


def open_books(venue: Venue) -> None:
    """Post the configured opening balances, so that a wallet is the sum of its log from the first row on."""
    for settings in venue.config.accounts:
        for coin, amount in settings.balances.items():
            if amount:
                account = venue.accounts[settings.name]
                post(venue, account, coin, "TRANSFER_IN", cash_flow=to_unit(coin, amount), qty=amount)
    venue.take_changes()


def deposit(venue: Venue, account: Account, coin: str, amount: Decimal) -> Row:
    """A deposit from outside arrives in the unified wallet."""
    _check_amount(coin, amount)
    post(venue, account, coin, "TRANSFER_IN", cash_flow=amount, qty=amount)
    seq = venue.next_seq()
    data = {
        "coin": coin, "chain": "SIM", "amount": text(amount), "txID": f"sim-{seq}", "status": 3, "toAddress": "",
        "tag": "", "depositFee": "", "successAt": str(venue.now_ms), "confirmations": "1", "txIndex": "0",
        "blockHash": "", "batchReleaseLimit": "-1", "depositType": "0", "fromAddress": "",
        "taxDepositRecordsId": "", "taxStatus": 0, "id": str(seq), "memberId": str(account.uid),
    }  # fmt: skip
    row = Row(seq, venue.now_ms, data)
    venue.deposits.append(row)
    return row


def transact(
    venue: Venue, account: Account, coin: str, kind: str, amount: Decimal, fee: Decimal, shown: Mapping[str, Any]
) -> None:
    """A movement that no request caused (interest, a bonus, a conversion, a withdrawal): the wallet changes by
    ``amount`` - ``fee``; what goes into a flexible Earn product, or comes out of it, changes the position there.
    ``shown`` replaces fields of its row, to show what a client makes of an odd one."""
    if coin not in COINS:
        raise params_error(f"coin {coin!r} is not one of {', '.join(COINS)}.")
    if not kind:
        raise params_error("type is empty; it must be a type of the transaction log.")
    _check_decimals("amount", coin, amount)
    _check_decimals("fee", coin, fee)
    post(venue, account, coin, kind, cash_flow=amount, fee=fee, qty=abs(amount))
    account.log[-1].data.update(shown)
    if kind.startswith(FLEXIBLE_STAKING):
        earn.move_by_hand(venue, account, coin, -amount)


def universal_transfer(
    venue: Venue,
    transfer_id: str,
    coin: str,
    amount: Decimal,
    source: tuple[Account, str],
    target: tuple[Account, str],
) -> Row:
    """Move a coin between (account, UNIFIED | FUND) wallets at once; a ``transfer_id`` is used only once (131214)."""
    row = _transfer(venue, venue.transfers, transfer_id, coin, amount, source, target)
    row.data["fromMemberId"] = str(source[0].uid)
    row.data["toMemberId"] = str(target[0].uid)
    return row


def inter_transfer(
    venue: Venue, transfer_id: str, coin: str, amount: Decimal, account: Account, source: str, target: str
) -> Row:
    """Move a coin between the funding and the unified wallet of one account."""
    row = _transfer(venue, venue.inter_transfers, transfer_id, coin, amount, (account, source), (account, target))
    row.data["memberId"] = str(account.uid)
    return row


def _transfer(
    venue: Venue,
    book: dict[str, Row],
    transfer_id: str,
    coin: str,
    amount: Decimal,
    source: tuple[Account, str],
    target: tuple[Account, str],
) -> Row:
    if not transfer_id:
        raise params_error("transferId is required.")
    if transfer_id in book:
        raise VenueError(131214, "TransferId exists")
    if source == target:
        raise params_error("Source and target of a transfer must differ.")
    for _, kind in (source, target):
        if kind not in ACCOUNT_TYPES:
            raise params_error(f"accountType {kind!r} is not one of {', '.join(ACCOUNT_TYPES)}.")
    _check_amount(coin, amount)
    account, kind = source
    movable = transferable(venue, account, coin) if kind == "UNIFIED" else account.fund.get(coin, ZERO)
    if amount > movable:
        raise VenueError(131228, f"your balance is not enough: {text(movable)} {coin} can be transferred")
    _move(venue, source, coin, -amount)
    _move(venue, target, coin, amount)
    data = {
        "transferId": transfer_id,
        "coin": coin,
        "amount": text(amount),
        "fromAccountType": source[1],
        "toAccountType": target[1],
        "timestamp": str(venue.now_ms),
        "status": "SUCCESS",
    }
    row = Row(venue.next_seq(), venue.now_ms, data)
    book[transfer_id] = row
    return row


def _move(venue: Venue, wallet: tuple[Account, str], coin: str, amount: Decimal) -> None:
    account, kind = wallet
    if kind == "FUND":
        account.fund[coin] = account.fund.get(coin, ZERO) + amount
        return
    post(venue, account, coin, "TRANSFER_IN" if amount > 0 else "TRANSFER_OUT", cash_flow=amount, qty=abs(amount))


def _check_amount(coin: str, amount: Decimal) -> None:
    if coin not in COINS:
        raise params_error(f"coin {coin!r} is not one of {', '.join(COINS)}.")
    if amount <= ZERO:
        raise params_error(f"amount {text(amount)} of {coin} is not above 0.")
    _check_decimals("amount", coin, amount)


def _check_decimals(name: str, coin: str, amount: Decimal) -> None:
    if to_unit(coin, amount) != amount:
        raise params_error(f"{name} {text(amount)} of {coin} has more than {decimals(coin)} decimals.")
