"""The journal as CSV for taxes: one line per movement of a coin in an account."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from api.ledger.beancount import instant, number
from api.ledger.period import Period
from infra.database.ledger_rows import LedgerRows, PostingRow
from statemachines.ledger.postings import EARN, EARN_LOCKED, FEES, WALLET

COLUMNS: dict[str, str] = {
    "time_utc": "instant of the movement, ISO 8601, UTC, to the millisecond",
    "account": "account at the exchange",
    "type": "kind of movement: fill, funding, transfer, deposit, withdrawal, interest, bonus, earn, conversion, ...",
    "coin": "coin that moved",
    "amount": "signed change of the wallet in this coin, the fee included",
    "fee": "part of it that is a fee: positive was paid, negative was received",
    "earn_amount": "signed change of what is in Earn in this coin: yield paid into it, coins staked or redeemed",
    "price_usdt": "for a fill its price; else the coin's last closed spot price in USDT (1 for USDT); empty if unknown",
    "order_id": "our order id; the exchange's for an order that this system did not place",
    "trade_id": "the exchange's execution id",
    "realized_pnl_usdt": "for a fill of a perpetual: realized profit or loss as recorded by the exchange, before fees",
    "symbol": "for a fill: the market",
    "category": "for a fill: spot or linear (perpetual)",
    "side": "for a fill: Buy or Sell",
    "quantity": "for a fill: quantity in the base coin",
    "posting_id": "id of the entry in the ledger; contains the exchange's own id",
    "description": "what happened, in words; a row in suspense as it came from the exchange",
}
"""The columns in their order, with their meaning."""

_MOVED = {WALLET: 0, FEES: 1, EARN: 2, EARN_LOCKED: 2}
"""The accounts of the ledger that a line shows, and their place in it: amount, fee, amount in Earn."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a text that a spreadsheet would take for a formula."""


class _Line:
    """Takes what `csv` writes, one line at a time."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> int:
        """Called by `csv`."""
        self.text = text
        return len(text)


def table(rows: LedgerRows, period: Period) -> Iterator[str]:
    """The lines of the file, the header first."""
    line = _Line()
    writer = csv.writer(line, lineterminator="")
    writer.writerow(COLUMNS)
    yield line.text

    @lru_cache(maxsize=4_096)
    def price(coin: str, hour: int) -> Decimal | None:
        return rows.closed_price(coin, hour * 3_600_000)

    for posting in rows.postings(period.from_ms, period.until_ms):
        for record in records(posting):
            if not record["price_usdt"] and record["coin"]:
                found = (
                    Decimal(1) if record["coin"] == "USDT" else price(record["coin"], posting.posted_ms // 3_600_000)
                )
                record["price_usdt"] = "" if found is None else number(found)
            writer.writerow([record[name] for name in COLUMNS])
            yield line.text


def records(posting: PostingRow) -> list[dict[str, str]]:
    """The movements of one posting by account and coin; one without a movement still has a line of its own."""
    moved: dict[tuple[str, str], list[Decimal]] = {}
    for account, name, coin, amount in posting.lines:
        if name in _MOVED:
            moved.setdefault((account, coin), [Decimal(0)] * 3)[_MOVED[name]] += amount
    if not moved:
        parts = posting.posting_id.split(":")
        return [_record(posting, parts[1] if len(parts) > 1 else "", "", ("", "", ""))]
    return [_record(posting, account, coin, [number(one) for one in sums]) for (account, coin), sums in moved.items()]


def _record(posting: PostingRow, account: str, coin: str, amounts: Sequence[str]) -> dict[str, str]:
    fill: Any = posting.execution or {}
    is_linear = fill.get("category") == "linear"
    return {
        "time_utc": instant(posting.posted_ms),
        "account": account,
        "type": posting.kind,
        "coin": coin,
        "amount": amounts[0],
        "fee": amounts[1],
        "earn_amount": amounts[2],
        "price_usdt": number(Decimal(fill["price"])) if fill else "",
        "order_id": _text(fill.get("client_order_id") or fill.get("venue_order_id") or ""),
        "trade_id": _text(fill.get("execution_id") or ""),
        "realized_pnl_usdt": number(Decimal(fill["realized_pnl"])) if is_linear else "",
        "symbol": fill.get("symbol", ""),
        "category": fill.get("category", ""),
        "side": fill.get("side", ""),
        "quantity": number(Decimal(fill["quantity"])) if fill else "",
        "posting_id": _text(posting.posting_id),
        "description": _text(posting.description),
    }


def _text(text: str) -> str:
    """A foreign text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
