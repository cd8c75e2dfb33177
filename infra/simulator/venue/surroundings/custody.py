"""Coins that leave the exchange: chains, addresses, withdrawals, which are through after a while of market time.

Everything outside is invented: one chain a coin, one whitelisted address a coin and account.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from infra.simulator.venue.errors import VenueError, params_error
from infra.simulator.venue.margin import transferable
from infra.simulator.venue.model import Account, Row
from infra.simulator.venue.money import ZERO, text, to_unit
from infra.simulator.venue.records import post
from infra.simulator.venue.state import Venue

CHAIN, CHAIN_TYPE = "SIM", "Simulated"
CONFIRMED_AFTER_MS = 300_000
PAUSE_MS = 10_000
"""The least time between two withdrawals of a coin on one chain."""

PENDING, DONE, CANCELLED = "Pending", "success", "CancelByUser"
MAXIMUM_USD = Decimal(2_000_000)
"""What an account may withdraw in total at once, by its level."""


@dataclass(frozen=True, slots=True)
class ChainTerms:
    """What a withdrawal of a coin costs and its least and largest amount, in the coin."""

    fee: Decimal
    least: Decimal
    largest: Decimal


CHAINS: Mapping[str, ChainTerms] = MappingProxyType(
    {
        "USDT": ChainTerms(Decimal(1), Decimal(10), Decimal(2_000_000)),
        "BTC": ChainTerms(Decimal("0.0001"), Decimal("0.0005"), Decimal(30)),
        "ETH": ChainTerms(Decimal("0.001"), Decimal("0.005"), Decimal(600)),
        "SOL": ChainTerms(Decimal("0.01"), Decimal("0.1"), Decimal(15_000)),
    }
)


@dataclass(frozen=True, slots=True)
class WithdrawalRequest:
    """A withdrawal as asked for; ``inclusive``: the fee is part of ``amount`` instead of on top of it."""

    coin: str
    chain: str
    address: str
    tag: str
    amount: Decimal
    wallet: str
    inclusive: bool
    request_id: str


def outside_address(account: Account, coin: str) -> str:
    """The one whitelisted address of the account for the coin."""
    return f"sim-outside-{coin.lower()}-{account.uid}"


def deposit_address(account: Account, coin: str) -> str:
    """Where deposits of the coin to the account come in."""
    return f"sim-inside-{coin.lower()}-{account.uid}"


def withdraw(venue: Venue, account: Account, request: WithdrawalRequest) -> Row:
    """Accept a withdrawal: its amount and fee leave the wallet at once. ``VenueError`` refuses it without effect."""
    coin, terms = request.coin, CHAINS.get(request.coin)
    if terms is None:
        raise params_error(f"params error: coin {coin} is not one of {', '.join(CHAINS)}.")
    if request.chain != CHAIN:
        raise params_error(f"params error: chain {request.chain} of {coin} is not {CHAIN}.")
    if venue.conditions.is_suspended(coin):
        raise VenueError(131097, "Withdrawal of this currency has been closed")
    if request.address != outside_address(account, coin):
        raise VenueError(131093, "The withdrawal address is not in the whitelist")
    net = request.amount - terms.fee if request.inclusive else request.amount
    if to_unit(coin, request.amount) != request.amount or not terms.least <= net <= terms.largest:
        raise VenueError(131096, "Withdraw amount does not satisfy the lower limit or upper limit")
    _check_repetition(venue, account, request)
    taken = net + terms.fee
    if taken > available(venue, account, coin, request.wallet):
        raise VenueError(131212, "Insufficient balance")
    if request.wallet == "FUND":
        account.fund[coin] = account.fund.get(coin, ZERO) - taken
    else:
        post(venue, account, coin, "TRANSFER_OUT", cash_flow=-taken, qty=taken)
    seq = venue.next_seq()
    data = {
        "coin": coin, "chain": CHAIN, "amount": text(net), "txID": "", "status": PENDING, "toAddress": request.address,
        "tag": request.tag, "withdrawFee": text(terms.fee), "createTime": str(venue.now_ms),
        "updateTime": str(venue.now_ms), "withdrawId": str(seq), "withdrawType": 0, "fee": "", "tax": "",
        "taxRate": "", "taxType": "", "memberId": str(account.uid), "requestId": request.request_id,
    }  # fmt: skip
    row = Row(seq, venue.now_ms, data)
    venue.registry.withdrawals.append(row)
    return row


def _check_repetition(venue: Venue, account: Account, request: WithdrawalRequest) -> None:
    uid = str(account.uid)
    for row in reversed(venue.registry.withdrawals):
        if row.data["memberId"] != uid:
            continue
        if request.request_id and row.data["requestId"] == request.request_id:
            raise VenueError(10014, "Invalid duplicate request.")
        if row.data["coin"] == request.coin and row.time_ms > venue.now_ms - PAUSE_MS:
            raise VenueError(10006, "Too many visits. One withdrawal per coin and chain in 10 seconds.")


def available(venue: Venue, account: Account, coin: str, wallet: str) -> Decimal:
    """What a withdrawal may take out of a wallet (``FUND`` or ``UTA``)."""
    return account.fund.get(coin, ZERO) if wallet == "FUND" else transferable(venue, account, coin)


def cancel(venue: Venue, account: Account, withdraw_id: str) -> bool:
    """Cancel a pending withdrawal; its amount and fee return to the funding wallet. False when it is too late or there
    is none of this id."""
    uid = str(account.uid)
    for row in venue.registry.withdrawals:
        if row.data["withdrawId"] == withdraw_id and row.data["memberId"] == uid and _status(row, venue) == PENDING:
            coin, back = row.data["coin"], Decimal(row.data["amount"]) + Decimal(row.data["withdrawFee"])
            account.fund[coin] = account.fund.get(coin, ZERO) + back
            row.data.update({"status": CANCELLED, "updateTime": str(venue.now_ms)})
            return True
    return False


def shown(venue: Venue, row: Row) -> dict[str, Any]:
    """A withdrawal as the records show it now."""
    hidden = ("memberId", "requestId")
    data = {key: value for key, value in row.data.items() if key not in hidden}
    if _status(row, venue) == DONE:
        data |= {"status": DONE, "txID": f"sim-w{row.seq}", "updateTime": str(row.time_ms + CONFIRMED_AFTER_MS)}
    return data


def _status(row: Row, venue: Venue) -> str:
    """A pending withdrawal is through after a fixed time."""
    known = str(row.data["status"])
    return DONE if known == PENDING and venue.now_ms >= row.time_ms + CONFIRMED_AFTER_MS else known
