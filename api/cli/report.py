"""The summary at the end of a run: what happened, from the database alone; zero activity is said loudly."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from api.json_values import day_of, plain
from infra.database.queries import Queries

Row = dict[str, Any]


def collect(queries: Queries) -> Row:
    """All figures of the run as JSON values."""
    portfolio = queries.portfolio()
    accounts: Mapping[str, Any] = portfolio["data"]["accounts"] if portfolio else {}
    trial = queries.trial_balance()
    counts = queries.counts()
    days = queries.run_days()
    report: Row = {
        "days": days["days"],
        "first_day": day_of(days["first_ms"]),
        "last_day": day_of(days["last_ms"]),
        "transitions": counts["transitions"],
        "orders": counts["orders"],
        "fills": counts["fills"],
        "fees": counts["fees"],
        "funding_usdt": queries.funding_total(),
        "transfers": counts["transfers"],
        "refusals": queries.refusals(),
        "equity": {name: account["equity_usdt"] for name, account in sorted(accounts.items())},
        "idle_cash": {name: account["cash_usdt"] for name, account in sorted(accounts.items())},
        "equity_usdt": portfolio["equity_usdt"] if portfolio else None,
        "ledger_balanced": trial["balanced"],
        "postings": trial["postings"],
        "discrepancies": len(queries.discrepancies(limit=1000)),
    }
    result: Row = plain(report)
    return result


def problems(report: Mapping[str, Any]) -> list[str]:
    """Why the run proves nothing or must not be trusted; empty when it is sound."""
    found: list[str] = []
    if not report["fills"]:
        found.append("NOTHING WAS TRADED: a run without a fill proves nothing.")
    if not report["days"]:
        found.append("NO DAY WAS COMPLETED: the daily cycle has not run.")
    if not report["ledger_balanced"]:
        found.append("THE LEDGER DOES NOT BALANCE.")
    if report["discrepancies"]:
        found.append(f"{report['discrepancies']} DISCREPANCIES between our books and the exchange were recorded.")
    return found


def lines(report: Mapping[str, Any]) -> list[str]:
    """The report as plain text."""
    found = [
        f"Market days completed: {report['days']} ({report['first_day']} to {report['last_day']})",
        "Transitions: " + _listed(f"{r['actor']} {r['machine']} {r['count']}" for r in report["transitions"]),
        "Orders by end state: " + _listed(f"{r['engine']} {r['state']} {r['count']}" for r in report["orders"]),
        "Fills: " + _listed(f"{r['engine']} {r['count']}" for r in report["fills"]),
        "Fees: " + _listed(f"{r['engine']} {_short(r['fee'])} {r['fee_coin']}" for r in report["fees"]),
        f"Funding received less paid: {_short(report['funding_usdt'])} USDT",
        "Transfers: "
        + _listed(f"{r['from_account']} to {r['to_account']} {r['state']} {r['count']}" for r in report["transfers"]),
        "Refusals by reason: " + _listed(f"{r['check']} {r['count']}" for r in report["refusals"]),
        "Equity per account: " + _listed(f"{n} {_short(v)}" for n, v in report["equity"].items()),
        "Idle cash per account: " + _listed(f"{n} {_short(v)}" for n, v in report["idle_cash"].items()),
        f"Equity of the whole: {_short(report['equity_usdt'])} USDT",
        f"Ledger: {'in balance' if report['ledger_balanced'] else 'NOT in balance'}, {report['postings']} postings",
        f"Reconciliation: {report['discrepancies'] or 'no'} discrepancies",
    ]
    return found + problems(report)


def _listed(parts: Any) -> str:
    return "; ".join(parts) or "none"


def _short(value: str | None) -> str:
    if value is None:
        return "–"
    number = Decimal(value)
    return f"{number:,.2f}" if abs(number) >= 1 else f"{number.normalize():f}"
