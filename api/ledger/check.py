"""`eternal ledger check`: balances, positions, fees, funding and equity of every account against the exchange."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from api.ledger.beancount import instant
from infra.bybit.errors import GatewayError
from infra.bybit.parsing.fields import UnparsableError
from infra.bybit.readers.ledger_reading import AccountRecord, ExchangeRecords
from infra.database.ledger_rows import LedgerRows, reading
from infra.faults import OperatorError
from statemachines.earn.terms import EarnYield
from statemachines.execution.reconciliation.positions import AVERAGE_TOLERANCE
from statemachines.ledger.check import (
    Difference,
    Figure,
    LedgerEntry,
    Traded,
    check_account,
    compare_earn,
    compare_positions,
    earn_at,
    opened_ms,
    positions_at,
    read_from_ms,
)
from statemachines.ledger.exact import add
from statemachines.portfolio.equity import USDT, Holdings, MissingPriceError, equity_usdt, spot_key
from statemachines.values import LINEAR, Account, Side

TRIES = 4
"""A running system books while it is read: a difference counts when two readings in a row show it."""

PAUSE_S = 1.0
MAX_DIFFERENCES = 500
LIVE_LAG_MS = 60_000
"""The ledger of a live system is compared as of this long ago: by then what happened is booked."""

ZERO = Decimal(0)


class ExchangeUnreadableError(OperatorError):
    """The exchange cannot be read, so that nothing is proven."""


@dataclass(slots=True)
class Report:
    """The result. `as_of_ms` is the instant up to which entries were compared; `notes` say what was left out."""

    as_of_ms: int = 0
    entries: int = 0
    figures: list[Figure] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        """JSON values; at most `MAX_DIFFERENCES` differences."""
        shown = self.differences[:MAX_DIFFERENCES]
        return {
            "as_of_ms": self.as_of_ms,
            "entries": self.entries,
            "figures": [
                {**_texts(one), "ledger": f"{one.ledger:f}", "exchange": f"{one.exchange:f}", "ok": one.is_equal}
                for one in self.figures
            ],
            "differences": [one._asdict() for one in shown],
            "differences_in_all": len(self.differences),
            "notes": list(self.notes),
        }


def check_ledger(
    database_url: str,
    exchange: ExchangeRecords,
    accounts: Iterable[Account],
    from_ms: int = 0,
    *,
    lag_ms: int,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Compare every account; one that differs is read again until two readings in a row agree on what differs.

    Raises:
        LedgerUnreadableError: the database cannot be read.
        ExchangeUnreadableError: the exchange cannot be read.
    """
    report = Report()
    try:
        for account in accounts:
            _check_until_settled(report, database_url, exchange, account, from_ms, lag_ms, pause)
    except (GatewayError, UnparsableError) as error:
        raise ExchangeUnreadableError(f"The exchange cannot be read: {error}") from None
    return report


def _check_until_settled(
    report: Report,
    database_url: str,
    exchange: ExchangeRecords,
    account: Account,
    from_ms: int,
    lag_ms: int,
    pause: Callable[[float], None],
) -> None:
    earlier: set[tuple[str, ...]] | None = None
    for number in range(TRIES):
        found = _check_once(database_url, exchange, account, from_ms, lag_ms)
        names = {_identity(one) for one in found.differences}
        if not names or names == earlier:
            break
        if number + 1 < TRIES:
            earlier = names
            pause(PAUSE_S)
    else:
        found.differences = [one for one in found.differences if _identity(one) in (earlier or set())]
    report.as_of_ms = found.as_of_ms
    report.entries += found.entries
    report.figures += found.figures
    report.differences += found.differences
    report.notes += found.notes


def _check_once(database_url: str, exchange: ExchangeRecords, account: Account, from_ms: int, lag_ms: int) -> Report:
    as_of_ms = exchange.now_ms() - lag_ms
    with reading(database_url) as rows:
        entries, traded = _entries(rows, account)
        held = {row["symbol"]: (row["quantity"], row["average_price"]) for row in rows.positions()
                if row["account"] == account}  # fmt: skip
        prices = rows.prices()
    # An opening within the lag: before it there is nothing to compare, and what it took over has no row.
    as_of_ms = max(as_of_ms, opened_ms(entries))
    # Never from later on than the instant compared: what moved since is taken off the wallet, whatever `from_ms` is.
    record = exchange.read(account, min(read_from_ms(entries, from_ms) or as_of_ms, as_of_ms), as_of_ms)
    checked = check_account(account, entries, record.rows, record.balances, as_of_ms, from_ms)
    report = Report(as_of_ms, checked.entries, checked.figures, checked.differences)
    figures, differences = compare_positions(
        account,
        positions_at(as_of_ms, _quantities(held), traded),
        positions_at(as_of_ms, _quantities(record.positions), record.traded),
    )
    report.figures += figures
    report.differences += differences
    if record.in_earn is not None:
        booked = [one for one in entries if one.posted_ms <= as_of_ms]
        in_earn = earn_at(as_of_ms, record.in_earn, record.rows, record.yields)
        paid = [one for one in record.yields if one.paid_ms <= as_of_ms]
        earn = compare_earn(account, booked, in_earn, paid, as_of_ms)
        report.figures += earn.figures
        report.differences += earn.differences
        report.notes += [_unread_yield(account, one) for one in earn.unread]
    moved = sorted({one.symbol for one in (*traded, *record.traded) if one.time_ms > as_of_ms})
    if moved:
        report.notes.append(
            f"{account}: its equity is not compared, since {', '.join(moved)} was traded after the instant compared."
        )
    else:
        _compare_equity(report, account, held, record, prices)
    return report


def _quantities(positions: Mapping[str, tuple[Decimal, Decimal]]) -> dict[str, Decimal]:
    return {symbol: quantity for symbol, (quantity, _average) in positions.items()}


def _unread_yield(account: Account, one: EarnYield) -> str:
    return (
        f"{account}: yield {one.yield_id} of {one.amount:f} {one.coin}, paid into Earn at {instant(one.paid_ms)}, is "
        "not read yet and left out of the exchange's figure; yield is read once a day, with the transaction log."
    )


def _entries(rows: LedgerRows, account: Account) -> tuple[list[LedgerEntry], list[Traded]]:
    """All postings of the account, and what its fills added to its positions."""
    found, traded = [], []
    for posting in rows.postings(account=account):
        lines: dict[tuple[str, str], Decimal] = {}
        for owner, name, coin, amount in posting.lines:
            if owner == account:
                lines[name, coin] = lines.get((name, coin), ZERO) + amount
        is_unread = not posting.lines and posting.posting_id.startswith(f"log:{account}:")
        if lines or is_unread:
            found.append(LedgerEntry(posting.posting_id, posting.kind, posting.posted_ms, lines))
        fill = posting.execution
        if fill and fill["category"] == LINEAR:
            quantity = Side(fill["side"]).sign * Decimal(fill["quantity"])
            traded.append(Traded(fill["symbol"], quantity, posting.posted_ms))
    return found, traded


def _compare_equity(
    report: Report,
    account: Account,
    held: Mapping[str, tuple[Decimal, Decimal]],
    record: AccountRecord,
    prices: Mapping[str, Decimal],
) -> None:
    """Equity by the one definition, at the same prices on both sides (DESIGN 7)."""
    balances = [one for one in report.figures if one.what == "balance" or (one.what == "earn" and one.unit != USDT)]
    unpriced = sorted(one.unit for one in balances if one.unit != USDT and spot_key(one.unit) not in prices)
    if unpriced:
        report.notes.append(f"{account}: {', '.join(unpriced)} has no price here and is left out of equity.")
    positions = dict(record.positions)
    for symbol, (quantity, average) in held.items():
        shown = positions.get(symbol)
        if shown and shown[0] == quantity and abs(shown[1] - average) <= average * AVERAGE_TOLERANCE:
            positions[symbol] = (quantity, average)  # the exchange rounds its average for display
    ours = _sums((one.unit, one.ledger) for one in balances if one.unit not in unpriced)
    theirs = _sums((one.unit, one.exchange) for one in balances if one.unit not in unpriced)
    try:
        figure = Figure(
            account,
            "equity",
            USDT,
            equity_usdt(Holdings(ours, held), prices),
            equity_usdt(Holdings(theirs, positions), prices),
        )
    except MissingPriceError as error:
        report.notes.append(f"{account}: its equity is not compared, since {error}.")
        return
    report.figures.append(figure)
    if not figure.is_equal:
        text = (
            f"equity {USDT}: the ledger's is {figure.ledger:f}, the exchange's holdings are worth {figure.exchange:f}"
        )
        report.differences.append(
            Difference(account, "total", "", 0, f"{figure.ledger:f}", f"{figure.exchange:f}", text)
        )


def _sums(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for coin, amount in amounts:
        found[coin] = add(found.get(coin, ZERO), amount)
    return found


def _identity(one: Difference) -> tuple[str, ...]:
    """What two readings must agree on: a sum may have moved on meanwhile, an entry may not."""
    return (one.account, one.fault, one.entry, one.text.partition(":")[0])


def _texts(figure: Figure) -> dict[str, str]:
    return {"account": figure.account, "what": figure.what, "unit": figure.unit}
