"""All movements that have not ended (OR-6): never lost, never made twice.

A transfer that failed on the exchange's evidence goes back to its origin: an engine still owes the amount and requests
it again in time for the next cycle, the treasury decides anew. Every retry has a single owner, so nothing
is transferred twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from statemachines.actor_logic import StateRow
from statemachines.commands import Alert, AlertEnded, Commands, JournalEntry, Remark, Send
from statemachines.conditions import ONCE
from statemachines.messages.accounts import CapitalFreed, FreeCapital, TransferEnded, TransferOrdered, TransferWanted
from statemachines.orchestration.transfers.movement import Movement, MovementState
from statemachines.portfolio.release import request_id_of
from statemachines.values import ACCOUNT_OF, ENGINES, Account, ActorName, floor_to_step

SCHEMA = 2
FINISHED_KEPT = 500
"""Number of finished requests kept, so that a repeated request changes nothing."""

REQUESTS = "transfer-requests"
"""The name under which remarks about requests that are no movement stand in the journal."""

ZERO = Decimal(0)


def with_states(row: StateRow) -> StateRow:
    """Schema 1 knew two states of an open request: it was owed, or its transfer had been ordered."""
    moved = [
        {name: value for name, value in one.items() if name != "transfer_id"}
        | {"release_id": "", "state": "FREE" if one["transfer_id"] is None else "SENT"}
        for one in row.data["open"]
    ]
    return row._replace(schema=2, data={**row.data, "open": moved, "answers": []})


class TransferRequests:
    """All open movements, in the order in which they were requested. `step_usdt` is the step to which the parts of a
    release are rounded down."""

    def __init__(self, installation: str, step_usdt: Decimal = Decimal("0.0001")) -> None:
        self._installation = installation
        self._step_usdt = step_usdt
        self._open: dict[str, Movement] = {}
        self._finished: list[str] = []
        self._failed: dict[str, int] = {}
        self._answers: list[CapitalFreed] = []

    # --- requests ---

    def take_wanted(self, body: TransferWanted) -> Commands:
        """An engine requests a transfer: it is made in the capital stage of the next NORMAL cycle."""
        accounts = (body.from_account, body.to_account)
        return self._request(body.request_id, accounts, body.coin, body.amount, body.purpose, str(body.engine))

    def take_contribution(self, request_id: str, to_account: Account, amount_usdt: Decimal, purpose: str) -> Commands:
        """OR-5: what lies in the master account goes to an engine; it is free already."""
        return self._request(request_id, (Account.MASTER, to_account), "USDT", amount_usdt, purpose, "the treasury")

    def release(
        self,
        release_id: str,
        giver: ActorName,
        parts: Sequence[tuple[Account, Decimal]],
        least_usdt: Decimal,
        purpose: str,
    ) -> Commands:
        """OR-2, OR-4: ask an engine to free the sum of `parts`, of which each account is to receive its part."""
        if any(one.release_id == release_id for one in self._open.values()):
            return [_remark(release_id, "repeat", f"release {release_id} is already known")]
        total = sum((amount for _, amount in parts), ZERO)
        commands: Commands = []
        for to_account, amount in parts:
            request_id, accounts = request_id_of(release_id, to_account), (ACCOUNT_OF[giver], to_account)
            movement = Movement.requested(
                self._installation, request_id, accounts, "USDT", amount, purpose, release_id=release_id
            )
            self._open[request_id] = movement
            commands.append(movement.fire("ask", f"{movement.way} ({purpose}): {giver} is asked to free it"))
        reason = f"{purpose}: {total:f} USDT are to be given to {', '.join(account for account, _ in parts)}"
        asked = FreeCapital(
            release_id=release_id, engine=giver, amount_usdt=total, least_usdt=least_usdt, reason=reason
        )
        return [*commands, Send(asked)]

    def is_freeing(self, giver: ActorName) -> bool:
        """Whether an engine has been asked to free capital and has not answered."""
        account = ACCOUNT_OF[giver]
        return any(one.state is MovementState.FREEING and one.from_account is account for one in self._open.values())

    def take_answer(self, body: CapitalFreed) -> None:
        """An engine has answered. Answers of one instant are judged together in the next tick, in the engines' order,
        whatever the order in which they arrive."""
        self._answers.append(body)

    def judge_answers(self) -> tuple[list[str], Commands]:
        """Take what has been answered; returns the releases that were answered."""
        answers = sorted(self._answers, key=lambda body: (ENGINES.index(body.engine), body.release_id))
        self._answers = []
        commands = [command for body in answers for command in self.take_freed(body)]
        return [body.release_id for body in answers], commands

    def take_freed(self, body: CapitalFreed) -> Commands:
        """The engine's answer: what was asked for, or less of it, which reduces the receivers pro rata (C10)."""
        asked = [m for m in self._of_release(body.release_id) if m.state is MovementState.FREEING]
        wanted = sum((movement.amount for movement in asked), ZERO)
        if not asked or body.freed_usdt < 0:
            text = f"{body.engine} reports {body.freed_usdt:f} USDT free for {body.release_id}, which is not expected"
            return [_remark(body.release_id, "stray_freed", text)]
        freed = min(body.freed_usdt, wanted)
        commands: Commands = []
        for movement in asked:
            part = floor_to_step(movement.amount * freed / wanted, self._step_usdt)
            commands.append(self._set_free(movement, movement.amount if freed == wanted else part, body.reason))
        return commands

    def _set_free(self, movement: Movement, part: Decimal, why: str) -> JournalEntry:
        if part <= 0:
            self._end(movement)
            return movement.fire("nothing_free", f"{movement.way}: nothing of it could be freed: {why}")
        if part == movement.amount:
            return movement.fire("freed", f"{movement.way}: it is free: {why}")
        whole, movement.amount = movement.amount, part
        return movement.fire("freed_in_part", f"{movement.way}, of {whole:f} that were asked for: {why}")

    def _of_release(self, release_id: str) -> list[Movement]:
        return [one for one in self._open.values() if one.release_id == release_id]

    def _request(
        self, request_id: str, accounts: tuple[Account, Account], coin: str, amount: Decimal, purpose: str, who: str
    ) -> Commands:
        if request_id in self._open or request_id in self._finished:
            return [_remark(request_id, "repeat", f"request {request_id} is already known")]
        attempt = 1 + self._failed.get(request_id, 0)
        movement = Movement.requested(self._installation, request_id, accounts, coin, amount, purpose, attempt)
        if amount <= 0 or accounts[0] == accounts[1]:
            reason = f"{who} requests {movement.way}: refused, the amount must be above 0 and the accounts must differ"
            text = f"{reason}. Nothing was moved. No action is required; check the engine's log if it repeats."
            return [movement.fire("refuse", reason), Alert("warning", "A transfer was refused", text)]
        self._failed.pop(request_id, None)
        self._open[request_id] = movement
        return [movement.fire("want", f"{movement.way}: {purpose}")]

    # --- transfers ---

    def due(self) -> list[str]:
        """Requests whose amount is free and that are not under way, in the order in which they were made."""
        return [m.request_id for m in self._open.values() if m.state is MovementState.FREE]

    def due_of(self, release_id: str) -> list[str]:
        """Those of a release."""
        return [m.request_id for m in self._of_release(release_id) if m.state is MovementState.FREE]

    def order(self, requests: Sequence[str]) -> Commands:
        """Order the transfers of these requests."""
        commands: Commands = []
        for movement in (self._open[request_id] for request_id in requests):
            ordered = TransferOrdered(
                transfer_id=movement.transfer_id,
                request_id=movement.request_id,
                from_account=movement.from_account,
                to_account=movement.to_account,
                coin=movement.coin,
                amount=movement.amount,
                purpose=movement.purpose,
            )
            commands += [movement.fire("order", f"{movement.way} ({movement.purpose})"), Send(ordered)]
        return commands

    def take_ended(self, body: TransferEnded) -> Commands:
        """A transfer has ended: confirmed and booked, or back to its origin.

        What an engine still owes stays an open condition until it has moved. The treasury owes nothing and may never
        move anything along this way again: its failure is an event."""
        movement = self._open.get(body.request_id)
        if movement is None or movement.transfer_id != body.transfer_id or movement.state is not MovementState.SENT:
            return [_remark(body.request_id, "ended", f"transfer {body.transfer_id} is not under way")]
        condition = f"transfer:{body.coin}:{body.from_account}:{body.to_account}"
        if body.succeeded:
            self._end(movement)
            done = movement.fire("done", f"{movement.way}: the exchange has made the transfer {body.transfer_id}")
            booked = movement.fire("book", f"{movement.way}: posted to the ledger")
            return [done, booked, AlertEnded(condition, f"{movement.way} was transferred")]
        del self._open[body.request_id]
        self._failed[body.request_id] = movement.attempt
        while len(self._failed) > FINISHED_KEPT:
            del self._failed[next(iter(self._failed))]
        is_owed = not movement.is_of_the_treasury
        whose = "the engine still owes it and asks again" if is_owed else "the treasury decides anew"
        reason = f"attempt {movement.attempt} failed: {body.reason}; {whose}"
        text = (
            f"{movement.way} ({movement.purpose}): {reason}. No action is required; check the master's key and its "
            "right to transfer if it repeats."
        )
        return [
            movement.fire("failed", reason),
            Alert("warning", "A transfer between accounts failed", text, condition if is_owed else ONCE),
        ]

    def _end(self, movement: Movement) -> None:
        del self._open[movement.request_id]
        self._finished = [*self._finished, movement.request_id][-FINISHED_KEPT:]

    # --- views ---

    def are_under_way(self, requests: Sequence[str]) -> bool:
        """Whether the transfer of any of these requests has not ended."""
        return any(r in self._open and self._open[r].state is MovementState.SENT for r in requests)

    @property
    def under_way(self) -> int:
        """Ordered transfers that have not ended."""
        return sum(movement.state is MovementState.SENT for movement in self._open.values())

    def open(self) -> list[Movement]:
        """Every movement that has not ended."""
        return list(self._open.values())

    def owed(self) -> dict[str, str]:
        """Amounts that are to move and are not under way, as text per request."""
        return {
            m.request_id: f"{m.amount} {m.coin} {m.from_account} → {m.to_account}"
            for m in self._open.values()
            if m.state is not MovementState.SENT
        }

    # --- durability ---

    def to_data(self) -> dict[str, Any]:
        """The durable state."""
        return {
            "open": [m.to_data() for m in self._open.values()],
            "finished": self._finished,
            "failed": dict(self._failed),
            "answers": [body.model_dump(mode="json") for body in self._answers],
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Restore from the result of `to_data`."""
        for row in data["open"]:
            self._open[row["request_id"]] = Movement.from_data(self._installation, row)
        self._finished = list(data["finished"])
        self._answers = [CapitalFreed.model_validate(body) for body in data["answers"]]
        self._failed = {request_id: int(attempts) for request_id, attempts in data["failed"].items()}


def _remark(request_id: str, trigger: str, reason: str) -> Remark:
    return Remark(REQUESTS, trigger, reason, {"request_id": request_id})
