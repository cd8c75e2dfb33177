"""What must hold whatever people and the market do: issue 10's properties, each in one place.

"The ledger is balanced" and "HALTED is never left by itself" are in `faults.invariants` and `operator.world`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice

from infra.simulator.venue.margin import margin
from infra.simulator.venue.money import ZERO
from statemachines.commands import JournalEntry
from statemachines.execution.orders.order_ids import parse_client_order_id
from statemachines.facts import OperatorCommandFact, PostingFact
from statemachines.ledger.postings import DEPOSITS, WITHDRAWALS
from statemachines.limits.operator_scopes import scopes_for
from statemachines.orchestration.allocation.weights import NEARLY
from statemachines.orchestration.transfers.movement import MOVEMENT_TABLE
from statemachines.risk.machine import RISK_TABLE
from statemachines.values import DAY_MS, PERPETUAL_ACCOUNTS, Account, ActorName, Sleeve
from tests.simulation.faults.invariants import raise_first
from tests.simulation.outside.policies import bounds, max_shift
from tests.simulation.outside.world import OutsideWorld
from tests.simulation.whole import INSTALLATION

USDT = "USDT"


class OutsideInvariants:
    """Watches one run: `at_each_write` after every step that changed something at the exchange, `at_each_instant` after
    every settled instant, `at_rest` at its end."""

    def __init__(self) -> None:
        self._approved: dict[str, Decimal] = {}
        self._denied: set[str] = set()
        self._verdicts_read = 0
        self._orders_read: Counter[str] = Counter()
        self._request_of: dict[str, str] = {}
        self._movements_read = 0
        self._transfers_read = 0
        self._made: Counter[str] = Counter()
        self._states_read = 0
        self._changed_by_operator: Counter[str] = Counter()
        self._weights: dict[Sleeve, Decimal] = {}
        self._weights_day_ms: int | None = None

    def at_each_write(self, world: OutsideWorld) -> None:
        """Raises ViolationError."""
        raise_first("refused orders", self._refused(world))
        raise_first("transfers", self._doubled_transfers(world))

    def at_each_instant(self, world: OutsideWorld) -> None:
        """Raises ViolationError."""
        self.at_each_write(world)
        raise_first("weights", self._out_of_bounds(world))
        raise_first("capital", _negative(world))
        raise_first("commands", self._repeated_commands(world))

    def at_rest(self, world: OutsideWorld) -> None:
        """Raises ViolationError."""
        self.at_each_instant(world)
        raise_first("flows", _unbooked(world))
        raise_first("capital", _unseen(world))

    # --- no refused order reaches the exchange ---

    def _refused(self, world: OutsideWorld) -> Iterator[str]:
        """RM-1: whatever order of ours is at the exchange was approved, with at least its quantity, and not denied."""
        lines = world.store.memory.journal(ActorName.RISK_MANAGER)
        for line in lines[self._verdicts_read :]:
            if line.note.trigger == "approve":
                self._approved[line.note.data["intent_id"]] = Decimal(line.note.data["quantity"])
            elif line.note.trigger == "deny":
                self._denied.add(line.note.data["intent_id"])
        self._verdicts_read = len(lines)
        for account in world.exchange.venue.accounts.values():
            for order in islice(account.orders.values(), self._orders_read[account.name], None):
                parts = parse_client_order_id(INSTALLATION, order.link_id)
                if parts is None:
                    continue
                if parts.intent_id in self._denied:
                    yield f"{order.link_id} is at the exchange although {parts.intent_id} was denied"
                elif parts.intent_id not in self._approved:
                    yield f"{order.link_id} is at the exchange although {parts.intent_id} was not approved"
                elif order.qty > self._approved[parts.intent_id]:
                    yield f"{order.link_id} is of {order.qty}, approved were {self._approved[parts.intent_id]}"
            self._orders_read[account.name] = len(account.orders)

    # --- no transfer is doubled ---

    def _doubled_transfers(self, world: OutsideWorld) -> Iterator[str]:
        """OR-6: whatever transfer the exchange has made was ordered by one request, which is made once."""
        lines = world.store.memory.journal(ActorName.ORCHESTRATOR)
        for line in lines[self._movements_read :]:
            if line.note.table == MOVEMENT_TABLE.name:
                self._request_of[line.note.machine] = str(line.note.data["request_id"])
        self._movements_read = len(lines)
        transfers = world.exchange.venue.transfers
        for identity in islice(transfers, self._transfers_read, None):
            if identity in world.money.by_hand:
                continue
            request = self._request_of.get(identity)
            if request is None:
                yield f"the exchange has made the transfer {identity}, which no request has ordered"
            else:
                self._made[request] += 1
                if self._made[request] > 1:
                    yield f"{request} was transferred {self._made[request]} times, the last time as {identity}"
        self._transfers_read = len(transfers)

    # --- weights are within bounds ---

    def _out_of_bounds(self, world: OutsideWorld) -> Iterator[str]:
        """OR-1, OR-2, O2: weights add up to 1, lie between the extremes of all goals, and move by the pace."""
        row = world.rows(ActorName.ORCHESTRATOR).get("allocation")
        if row is None:
            return
        texts, day_ms = row.data["weights"], row.data["last_day_ms"]
        weights = {sleeve: Decimal(texts.get(sleeve.value, 0)) for sleeve in Sleeve}
        if sum(weights.values()) != 1:
            yield f"the weights {texts} do not add up to 1"
        for sleeve, weight in weights.items():
            least, most = bounds()[sleeve]
            if not least - NEARLY <= weight <= most + NEARLY:
                yield f"the weight of {sleeve} is {weight}, between {least} and {most} is possible"
            before = self._weights.get(sleeve, weight)
            days = _days(self._weights_day_ms, day_ms)
            if abs(weight - before) > max_shift() * days + NEARLY:
                yield f"the weight of {sleeve} went from {before} to {weight} in {days} days"
        self._weights, self._weights_day_ms = weights, day_ms

    # --- a command is carried out once ---

    def _repeated_commands(self, world: OutsideWorld) -> Iterator[str]:
        """RM-5: each command stands on record as it was first given, and changes a state at most once."""
        given, allowed = world.operator.given, Counter[str]()
        for fact in world.store.memory.facts(OperatorCommandFact.TABLE):
            if not isinstance(fact, OperatorCommandFact) or fact.command_id not in given:
                continue
            first = given[fact.command_id]
            if (fact.action, fact.scope) != (first.action, first.scope):
                yield f"{fact.command_id} stands as {fact.action} {fact.scope}, given was {first.action} {first.scope}"
            allowed.update(scopes_for(fact.action, fact.scope))
        lines = world.store.memory.journal(ActorName.RISK_MANAGER)
        for line in lines[self._states_read :]:
            note = line.note
            if isinstance(note, JournalEntry) and note.table == RISK_TABLE.name and note.data["who"] == "operator":
                self._changed_by_operator[note.machine] += 1
        self._states_read = len(lines)
        for scope, changes in self._changed_by_operator.items():
            if changes > allowed[scope]:
                yield f"{scope} was changed {changes} times by {allowed[scope]} commands of the operator"


def _days(before_ms: int | None, day_ms: int | None) -> int:
    """How many closes were judged since; the first cycle may already move (O3)."""
    if day_ms is None:
        return 0
    return 1 if before_ms is None else (day_ms - before_ms) // DAY_MS


# --- no capital is negative ---


def _negative(world: OutsideWorld) -> Iterator[str]:
    """OR-6: no account's equity is below zero, and no coin of one that borrows nothing: at the exchange and in the
    risk manager's and the orchestrator's view, by which capital is allocated."""
    venue, borrowing = world.exchange.venue, frozenset(map(str, PERPETUAL_ACCOUNTS))
    for account in () if venue.queue else venue.accounts.values():
        equity = margin(venue, account).equity
        if equity < 0:
            yield f"{account.name} has an equity of {equity} USDT at the exchange"
        if account.name not in borrowing:
            yield from (f"{account.name} has {held} {coin}" for coin, held in account.wallet.items() if held < 0)
    for name, coins in _seen(world).items():
        if name not in borrowing:
            yield from (f"the view of {name} has {held} {coin}" for coin, held in coins.items() if held < 0)
    portfolio = world.rows(ActorName.ORCHESTRATOR).get("portfolio")
    for name, view in portfolio.data["accounts"].items() if portfolio is not None else ():
        if Decimal(view["equity_usdt"]) < 0:
            yield f"the portfolio has an equity of {view['equity_usdt']} USDT for {name}"


def _seen(world: OutsideWorld) -> dict[str, dict[str, Decimal]]:
    """The risk manager's balances by account and coin, of the accounts that it knows."""
    rows = world.rows(ActorName.RISK_MANAGER)
    known = {name: rows[key].data for name in Account if (key := f"account:{name}") in rows}
    return {
        name.value: {coin: Decimal(held) for coin, held in data["balances"].items()}
        for name, data in known.items()
        if data["known"]
    }


def _unseen(world: OutsideWorld) -> Iterator[str]:
    """At rest the view has the exchange's USDT: what is not seen is not allocated, or allocated twice."""
    seen = _seen(world)
    for account in world.exchange.venue.accounts.values():
        held = seen.get(account.name, {}).get(USDT, ZERO)
        if held != account.balance(USDT):
            yield f"the view of {account.name} has {held} USDT, the exchange {account.balance(USDT)}"


# --- what comes and goes is booked as that ---


def _unbooked(world: OutsideWorld) -> Iterator[str]:
    """OR-5, OR-6: deposits and withdrawals stand in the ledger as external flows, each once."""
    booked: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for posting in world.store.memory.facts("postings"):
        assert isinstance(posting, PostingFact)
        for line in posting.lines:
            if line.ledger_account in (DEPOSITS, WITHDRAWALS):
                booked[line.account, line.ledger_account] -= line.amount
    for key in sorted({*booked, *world.money.flows}):
        if booked[key] != world.money.flows[key]:
            yield f"{key[0]}: {booked[key]} USDT are booked to {key[1]}, {world.money.flows[key]} came or went"
