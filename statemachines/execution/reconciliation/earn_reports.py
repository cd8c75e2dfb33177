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
        self._told: EarnKnown | None = None
        self.wants_offers = False
        """Whether the next reading asks for the offers as well: until they have been answered."""

    def take(self, snapshot: AccountSnapshot) -> None:
        """One reading of an account; those without Earn are ignored."""
        reading = snapshot.earn
        if reading is None:
            return
        self._failures = 0 if reading.positions is not None else self._failures + 1
        self._report_unseen(snapshot.account, reading)
        if reading.access == "unknown":
            return  # what was known before stays so; it has an age limit of its own
        if reading.products is not None or reading.access == "denied":
            self.wants_offers = False
        news = EarnKnown(
            account=snapshot.account,
            market_ms=snapshot.market_ms,
            has_access=reading.access == "granted",
            problem=reading.problem or reading.products_problem,
            products=reading.products,
            positions=reading.positions,
        )
        if news.products is None and self._news is not None:
            news = news.model_copy(update={"products": self._news.products})
        self._news = news

    def publish(self) -> None:
        """Send what the pass has found, once; nothing where it is the same as before and brings no offers."""
        news, self._news = self._news, None
        if news is None:
            return
        is_same = self._told is not None and news.model_copy(update={"market_ms": self._told.market_ms}) == self._told
        if news.products is not None or not is_same:
            self._told = news
            self._context.send(news)

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
