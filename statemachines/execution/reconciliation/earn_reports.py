"""CH-10: what the readings show of Earn: for the engine that stakes and, if coins there are not seen, the operator."""

from __future__ import annotations

from statemachines.earn.terms import EarnReading
from statemachines.execution.context import ExecutionContext
from statemachines.messages.accounts import EarnKnown
from statemachines.requests import (
    AccountSnapshot,
)
from statemachines.values import Account


class EarnReports:
    """The newest reading of Earn, in memory only: every start and every market day reads it anew."""

    def __init__(self, context: ExecutionContext) -> None:
        self._context = context
        self._failures = 0
        self._is_alerted = False
        self._news: EarnKnown | None = None

    def take(self, snapshot: AccountSnapshot) -> None:
        """One reading of an account; those without Earn are ignored."""
        reading = snapshot.earn
        if reading is None:
            return
        self._failures = 0 if reading.positions is not None else self._failures + 1
        self._report_unseen(snapshot.account, reading)
        if reading.products is None and not reading.products_problem and reading.access == "granted":
            return  # the offers were not asked for
        self._news = EarnKnown(
            account=snapshot.account,
            market_ms=snapshot.market_ms,
            has_access=reading.access == "granted",
            problem=reading.problem or reading.products_problem,
            products=reading.products or (),
            positions=reading.positions or (),
        )

    def publish(self) -> None:
        """Send what the pass has found, once."""
        if self._news is not None:
            self._context.send(self._news)
            self._news = None

    def _report_unseen(self, account: Account, reading: EarnReading) -> None:
        """Coins that the ledger has in Earn while the exchange does not show them: not missing, but not seen either."""
        context, condition = self._context, f"earn:{account}"
        held = context.books[account].book.in_earn()
        is_persistent = reading.access == "denied" or self._failures >= context.parameters.loop_limit
        if reading.positions is not None or not held:
            if self._is_alerted:
                context.end_alert(condition, "its Earn positions are read again")
            self._is_alerted = False
        elif is_persistent and not self._is_alerted:
            self._is_alerted = True
            named = ", ".join(f"{amount} {coin}" for coin, amount in held.items())
            context.alert(
                "warning",
                f"Earn positions of {account} cannot be read",
                f"{reading.problem} The ledger has {named} there, which still counts as held but is not compared; "
                "nothing is staked. Check the key's permission Earn.Earn and the exchange's Earn page.",
                condition,
            )
