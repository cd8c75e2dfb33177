"""Ten wrong behaviours planted in the production code: the simulation is worth something only if it finds each."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from actors.runtime.durable_actor import DurableActor
from actors.runtime.exchange_dispatcher import ExchangeDispatcher
from actors.runtime.ports import Commit, EnvelopeDict
from statemachines.execution import fills, responses, submission, transfers
from statemachines.execution.context import ExecutionContext
from statemachines.execution.orders.child_order import ChildOrder
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.order_ids import client_order_id
from statemachines.execution.orders.parent_order import ParentOrder
from statemachines.execution.orders.request_keys import Topic
from statemachines.execution.orders.transfer_order import TransferWork
from statemachines.execution.records.seen_ids import SeenIds
from statemachines.facts import PostingFact
from statemachines.requests import ExchangeResponse, OrderFound, TransferFunds, Unknown
from statemachines.values import Account

Defect = Callable[[], AbstractContextManager[Any]]


def executions_are_not_recognised_as_known() -> AbstractContextManager[Any]:
    """EX-2 off: an execution that comes twice is booked twice."""
    return patch.object(SeenIds, "__contains__", lambda _self, _identity: False)


def an_order_that_was_found_counts_as_absent() -> AbstractContextManager[Any]:
    """EX-1 off: the answer to a look-up is not read."""

    def wrong(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, _found: OrderFound) -> None:
        responses._absent(context, parent, order)

    return patch.object(responses, "_found", wrong)


def requests_leave_without_a_check_of_the_epoch() -> AbstractContextManager[Any]:
    """Fencing off: a twin that was replaced goes on writing to the exchange."""
    return patch.object(ExchangeDispatcher, "_confirm", lambda _self, calls: [None] * len(calls))


def cursors_are_not_committed() -> AbstractContextManager[Any]:
    """What was taken of a peer is forgotten with the incarnation."""
    right = DurableActor._commit_of

    def wrong(self: DurableActor, batch: Any) -> Commit:
        commit = right(self, batch)
        commit.cursors = {}
        return commit

    return patch.object(DurableActor, "_commit_of", wrong)


def messages_are_acknowledged_before_the_commit() -> AbstractContextManager[Any]:
    """A delivery counts as committed when it is in the inbox."""
    right = DurableActor.deliver

    def wrong(self: DurableActor, batch: Sequence[EnvelopeDict]) -> None:
        right(self, batch)
        self.cursors.update(self.accepted)

    return patch.object(DurableActor, "deliver", wrong)


def settlements_are_not_posted() -> AbstractContextManager[Any]:
    """OR-6 off for funding: the money moves, the ledger does not."""
    right = fills.post

    def wrong(context: ExecutionContext, posting: PostingFact) -> None:
        if posting.kind != "funding":
            right(context, posting)

    return patch.object(fills, "post", wrong)


def a_stop_is_not_sent_again() -> AbstractContextManager[Any]:
    """TR-5 off after a failed request: the stop is taken for sent."""
    right = submission.place_again

    def wrong(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, why: str) -> bool:
        return True if order.is_conditional else right(context, parent, order, why)

    return patch.object(submission, "place_again", wrong)


def another_order_is_sent_while_the_first_is_unknown() -> AbstractContextManager[Any]:
    """EX-5 off: an unknown outcome is answered with the next client id instead of a look-up."""
    right = responses._on_place

    def wrong(context: ExecutionContext, parent: ParentOrder, order: ChildOrder, outcome: ExchangeResponse) -> None:
        if not isinstance(outcome, Unknown) or order.state is not OrderState.SENT:
            right(context, parent, order, outcome)
            return
        order.child += 1
        order.client_order_id = client_order_id(context.installation, order.intent_id, order.child)
        context.notes([order.fire("lose", "planted", context.now_ms)])
        submission.place_again(context, parent, order, "planted")

    return patch.object(responses, "_on_place", wrong)


def known_executions_are_forgotten_at_a_restart() -> AbstractContextManager[Any]:
    """EX-2 off across restarts: the rows are read, their ids are not."""
    right = SeenIds.restore

    def wrong(self: SeenIds, index: int, data: Any) -> None:
        right(self, index, data)
        self._ids.clear()

    return patch.object(SeenIds, "restore", wrong)


def a_transfer_is_repeated_under_another_id() -> AbstractContextManager[Any]:
    """OR-6's idempotency off: an unknown outcome is answered with a second transfer."""

    def wrong(context: ExecutionContext, work: TransferWork, why: str) -> None:
        ordered = work.ordered
        request = TransferFunds(
            transfer_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{ordered.transfer_id}:{work.requests}")),
            coin=ordered.coin,
            amount=ordered.amount,
            from_account=ordered.from_account,
            to_account=ordered.to_account,
        )
        transfers._move(context, work, "resend", why)
        context.call_exchange(context.transfers.next_key(work, Topic.TRANSFER), Account.MASTER, request)

    return patch.object(transfers, "_look_up_later", wrong)


DEFECTS: tuple[Defect, ...] = (
    executions_are_not_recognised_as_known,
    an_order_that_was_found_counts_as_absent,
    requests_leave_without_a_check_of_the_epoch,
    cursors_are_not_committed,
    messages_are_acknowledged_before_the_commit,
    settlements_are_not_posted,
    a_stop_is_not_sent_again,
    another_order_is_sent_while_the_first_is_unknown,
    known_executions_are_forgotten_at_a_restart,
    a_transfer_is_repeated_under_another_id,
)
