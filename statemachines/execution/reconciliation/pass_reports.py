"""What a pass reports: its differences, positions that are none of ours, and money that it left uncompared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set

from statemachines.execution.context import ExecutionContext
from statemachines.execution.reconciliation.findings import Finding
from statemachines.execution.reconciliation.moving import moving_money
from statemachines.values import Account

MAX_DETAILS = 100


def report_pass(context: ExecutionContext, reason: str, findings: Sequence[Finding]) -> None:
    """The end of a pass: a line in the journal, and an alert where a person must look."""
    mismatches = [finding for finding in findings if finding.is_mismatch]
    context.remark(
        "reconciliation",
        reason,
        f"{len(Account)} accounts compared: {len(mismatches)} differences, {len(explained(findings))} late bookings",
    )
    external = [finding.sentence() for finding in findings if finding.kind == "external_position"]
    if external:
        text = f"{'; '.join(external)}. They are shown and left unchanged. Find out who trades in these accounts."
        context.alert("critical", f"{len(external)} positions are none of ours", text)
    if mismatches:
        context.alert(
            "critical",
            f"reconciliation found {len(mismatches)} differences",
            "; ".join(finding.sentence() for finding in mismatches[:MAX_DETAILS])
            + ". Our accounts were corrected to the exchange's figures; find out why they differed.",
        )


def report_uncompared(context: ExecutionContext, account: Account) -> None:
    """OR-9: a start does not wait without end for one transfer: every other account would wait with it."""
    text = f"Under way, with an unknown outcome: {', '.join(moving_money(context, account))}"
    context.remark(str(account), "uncompared", text)
    context.alert(
        "warning",
        f"money of {account} is not compared yet",
        f"The exchange shows other balances than the ledger, and money of the account is moving. {text}. The system "
        "starts without comparing what is moved and repeats the comparison until the outcome is known. If it stays "
        "unknown for hours, ask the exchange for the state of the transfer.",
    )


def by_account(left: Set[Account], findings: Sequence[Finding]) -> dict[Account, int]:
    """The differences of each account; one that has some counts even if the rest of it could not be compared."""
    counts = Counter(finding.account for finding in findings if finding.is_mismatch)
    return {account: counts[account] for account in Account if counts[account] or account not in left}


def explained(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that are no differences."""
    return [finding for finding in findings if not finding.is_mismatch]
