"""Wrong behaviours planted in the production code, one at least per invariant of `outside.invariants`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from statemachines.commands import Commands, Send
from statemachines.execution import transfers
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.transfer_order import TransferWork
from statemachines.execution.reconciliation import transactions
from statemachines.ledger.postings import DEPOSITS, WITHDRAWALS
from statemachines.ledger.transactions import Attribution, attribute
from statemachines.messages.accounts import TransferEnded
from statemachines.messages.control import OperatorCommand
from statemachines.messages.orders import Approved, Intent
from statemachines.orchestration.allocation import tracker
from statemachines.orchestration.allocation.weights import Weights, paced
from statemachines.portfolio.holdings import AccountHoldings
from statemachines.risk import intent_gate
from statemachines.risk.order_view import Refusal
from statemachines.risk.parameters import RiskParameters
from statemachines.risk.risk_states import RiskStates
from statemachines.transaction_log.row import TransactionRow
from tests.simulation.operator.defects import halted_calms_down, switches_are_not_tested

Defect = Callable[[], AbstractContextManager[Any]]


def a_deposit_is_booked_to_withdrawals() -> AbstractContextManager[Any]:
    """OR-5 off: what came from outside is booked to the wrong account of the ledger."""

    def wrong(row: TransactionRow) -> Attribution:
        found = attribute(row)
        return found._replace(ledger_account=WITHDRAWALS) if found.ledger_account == DEPOSITS else found

    return patch.object(transactions, "attribute", wrong)


def weights_jump_to_their_goal() -> AbstractContextManager[Any]:
    """O2 off: the whole way in one day."""

    def wrong(_now: Weights, aim: Weights, _max_shift: object) -> Weights:
        return dict(aim)

    return patch.object(tracker, "paced", wrong)


def weights_add_up_to_more_than_one() -> AbstractContextManager[Any]:
    """OR-1 off: what one sleeve gets, no other gives."""

    def wrong(now: Weights, aim: Weights, max_shift: Any) -> Weights:
        after = paced(now, aim, max_shift)
        return {sleeve: max(weight, now[sleeve]) for sleeve, weight in after.items()}

    return patch.object(tracker, "paced", wrong)


def a_transfer_leaves_the_view_twice() -> AbstractContextManager[Any]:
    """The risk manager's view counts a transfer although the balances in its message contain it already."""
    right = AccountHoldings.take_transfer

    def wrong(self: AccountHoldings, body: TransferEnded, _cause: str) -> None:
        right(self, body, "")
        right(self, body, "")

    return patch.object(AccountHoldings, "take_transfer", wrong)


def a_lost_answer_counts_as_a_failed_transfer() -> AbstractContextManager[Any]:
    """OR-6 off: the outcome is not looked up; the origin decides anew."""

    def wrong(context: ExecutionContext, work: TransferWork, why: str) -> None:
        transfers._failed(context, work, why)

    return patch.object(transfers, "_look_up_later", wrong)


def a_denied_order_is_approved_all_the_same() -> AbstractContextManager[Any]:
    """RM-1 off: the refusal is journalled, and the order manager gets the order."""
    right = intent_gate.denied

    def wrong(intent: Intent, refusals: Sequence[Refusal]) -> Commands:
        approved = Approved(
            intent=intent,
            max_quantity=intent.quantity,
            price_limit=None,
            slippage_limit=RiskParameters().slippage_limit,
            expires_ms=intent.expires_ms,
            portfolio_version=0,
        )
        return [right(intent, refusals)[0], Send(approved)]

    return patch.object(intent_gate, "denied", wrong)


def a_repeated_command_is_carried_out_again() -> AbstractContextManager[Any]:
    """RM-5 off: the risk manager keeps no ids of commands."""
    right = RiskStates.operate

    def wrong(self: RiskStates, command: OperatorCommand, now_ms: int) -> Commands:
        self.commands_seen = []
        return right(self, command, now_ms)

    return patch.object(RiskStates, "operate", wrong)


OUTSIDE_DEFECTS: tuple[Defect, ...] = (
    a_deposit_is_booked_to_withdrawals,
    weights_jump_to_their_goal,
    weights_add_up_to_more_than_one,
    a_transfer_leaves_the_view_twice,
    a_lost_answer_counts_as_a_failed_transfer,
    a_denied_order_is_approved_all_the_same,
    a_repeated_command_is_carried_out_again,
    halted_calms_down,
    switches_are_not_tested,
)
