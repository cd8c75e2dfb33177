"""Rows of the transaction log. Each is money that has moved, so that none is refused: what cannot be read of one is
named in it, and the row is preserved as it came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

from infra.bybit.parsing.fields import Row, UnparsableError, shown_text
from infra.bybit.parsing.rows import extra_fees
from statemachines.ledger.exact import add
from statemachines.ledger.transaction_types import is_booked_by_execution
from statemachines.transaction_log.row import TransactionRow
from statemachines.values import Account

T = TypeVar("T")
LONGEST_RAW = 4_000
"""Characters of a row as it came; the longest recorded one has 700."""

ZERO = Decimal(0)


def parse_transaction(account: Account, data: Any, not_after_ms: int | None = None) -> TransactionRow:
    """A row of `/v5/account/transaction-log`. Only one that is no JSON object at all raises UnparsableError.

    "" stands for zero in `funding`, `fee` and `cashFlow`, where it means that the row has none.
    """
    row = Row(data, "transaction log row")
    problems: list[str] = []

    def read(field: Callable[[], T], otherwise: T) -> T:
        try:
            return field()
        except UnparsableError as error:
            problems.append(str(error))
            return otherwise

    def part(key: str) -> Decimal:
        return ZERO if not row.has(key) else row.decimal_or_none(key) or ZERO

    whole = shown_text(json.dumps(data, sort_keys=True, ensure_ascii=False), LONGEST_RAW)
    transaction_type = read(lambda: row.text("type"), "")
    change = read(lambda: row.decimal("change"), None)
    parts = [read(lambda key=key: part(key), None) for key in ("cashFlow", "funding", "fee")]  # type: ignore[misc]
    cash_flow, funding, fee = (amount or ZERO for amount in parts)
    extra = read(lambda: extra_fees(row), dict[str, Decimal]()).get(_told(row, "currency"), ZERO)
    if change is not None and extra and change == add(add(cash_flow, funding), add(fee, extra).copy_negate()):
        fee = add(fee, extra)  # taken beside the fee, in the same change
    if change is not None and None not in parts and change != add(add(cash_flow, funding), fee.copy_negate()):
        problems.append(
            f"{row.what}: field 'change' is {change:f}; cashFlow + funding - fee = "
            f"{add(add(cash_flow, funding), fee.copy_negate()):f} is required."
        )
    identity = read(lambda: row.text("id"), "") or f"unnamed-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"
    made = TransactionRow(
        account=account,
        transaction_id=identity,
        transaction_type=transaction_type,
        coin=read(lambda: row.coin("currency"), ""),
        change=change,
        cash_flow=cash_flow,
        funding=funding,
        fee=fee,
        symbol=_told(row, "symbol"),
        order_id=_told(row, "orderId"),
        trade_id=_told(row, "tradeId"),
        time_ms=read(lambda: row.instant("transactionTime", not_after_ms), None),
    )
    is_ordinary = not problems and is_booked_by_execution(transaction_type)
    return made if is_ordinary else made.model_copy(update={"problem": " ".join(problems), "raw": whole})


def _told(row: Row, key: str) -> str:
    """A text that explains the row but moves nothing: one that cannot be read is left out."""
    try:
        return row.text_or_empty(key)
    except UnparsableError:
        return ""
