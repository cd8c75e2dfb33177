"""`eternal ledger show`: trial balance, balances and the newest postings (OR-6)."""

from __future__ import annotations

from typing import Annotated, Any, cast

import typer
from rich.text import Text

from api.cli.asking.options import Before, Json, Limit, Since, Until, asking
from api.cli.asking.output import Column, console, exact, instant, print_json, print_list, table
from api.cli.asking.way import Way
from api.client import models

BALANCES = (
    Column("Account"), Column("Ledger account"), Column("Coin"), Column("Balance (debit positive)", True),
    Column("Lines", True, True),
)  # fmt: skip
POSTINGS = (
    Column("Posted"), Column("Kind"), Column("What", is_wide=True), Column("Account"), Column("Ledger account"),
    Column("Amount", True), Column("Coin"),
)  # fmt: skip


@asking
def show(
    way: Way,
    *,
    account: Annotated[str | None, typer.Option(help="an account, e.g. TREND-1; all without it")] = None,
    kind: Annotated[str | None, typer.Option(help="a kind of posting, e.g. fee; all without it")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 10,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """Show the running system's trial balance, balances and newest postings."""
    found = way.operations.ledger(
        account=cast(Any, None if account is None else account.upper()),
        kind=cast(Any, kind),
        before=before,
        limit=limit,
        from_=since,
        to=until,
    )
    if as_json:
        print_json(found)
        return
    out, trial = console(), found["trial_balance"]
    verdict = "balances" if trial["balanced"] else "DOES NOT BALANCE"
    out.print(
        Text(f"The ledger {verdict}: {trial['postings']} postings.", "green" if trial["balanced"] else "bold red")
    )
    for one in trial["unbalanced"]:
        out.print(Text(f"{one['posting_id']}: debits exceed credits by {one['difference']} {one['coin']}.", "red"))
    rows = [
        [one["account"], one["ledger_account"], one["coin"], exact(one["balance"]), str(one["lines"])]
        for one in found["balances"]
    ]
    out.print(table(BALANCES, rows, out.width))
    out.print()
    lines = [cells for one in found["postings"]["rows"] for cells in _cells(one)]
    print_list("Postings, newest first", POSTINGS, lines, found["postings"]["next"])


def _cells(posting: models.Posting) -> list[list[str | Text]]:
    head = [instant(posting["posted_ms"]), posting["kind"], posting["description"]]
    return [
        [
            *(head if not number else ["", "", ""]),
            one["account"],
            one["ledger_account"],
            exact(one["amount"]),
            one["coin"],
        ]
        for number, one in enumerate(posting["lines"])
    ]
