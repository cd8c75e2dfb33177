"""What must hold whatever fails: some of it at every instant, all of it at rest. Each violation is a sentence.

The exchange is the judge: its own books say what was executed. Limits are asked of the production functions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal

from actors.runtime.registry import MACHINES, START_ORDER, table_of
from infra.config import EternalConfig
from infra.simulator.venue import earn
from infra.simulator.venue.instruments import INSTRUMENTS
from infra.simulator.venue.margin import margin
from infra.simulator.venue.model import Account as VenueAccount
from infra.simulator.venue.money import ZERO
from statemachines.commands import JournalEntry
from statemachines.conditions import KEY as CONDITIONS_KEY
from statemachines.execution.orders.child_order_machine import OrderState
from statemachines.execution.orders.order_ids import parse_client_order_id
from statemachines.facts import AlertFact, ExecutionFact, OrderFact, PostingFact, SwitchFact
from statemachines.funding.rules import leg_room_usdt
from statemachines.ledger.postings import EARN, UNEXPLAINED, WALLET
from statemachines.limits.leverage import Exposure, liquidation_buffer
from statemachines.policy.held import KEY as POLICY_KEY
from statemachines.state_store import UnreadableRowError
from statemachines.trend.position import STOP_REPAIRS
from statemachines.values import ACCOUNT_OF, DAY_MS, LINEAR, ActorName
from tests.kit.restoring import restore_logic
from tests.simulation.books import books_in_memory
from tests.simulation.faults.points import Fault, Point
from tests.simulation.faults.world import World
from tests.simulation.whole import INSTALLATION

TRENDS = (ActorName.TREND_1, ActorName.TREND_2)
NAKED_MS = 60_000
"""FU-4: naked exposure never outlasts this without an alert."""

DUST_USDT = Decimal(10)

_OF_THE_EXCHANGE = "fills of order , which is not known"
"""What the exchange forces upon an account has no order of ours."""


class ViolationError(AssertionError):
    """An invariant does not hold; `name` is the invariant's, by which a shrunk trace is known to fail alike."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name = name


class Invariants:
    """Watches one run: `at_each_write` after every step that changed something at the exchange, `at_each_instant` after
    every settled instant, `at_rest` at its end."""

    def __init__(self) -> None:
        config = EternalConfig()
        self._limits = {name: config.in_force("risk").engines[name].exposure_limits for name in TRENDS}
        self._tolerance = config.in_force("risk").limit_tolerance
        self._funding = config.in_force("engines.funding")
        self._held: dict[tuple[str, str], Decimal] = {}
        self._naked_since: dict[str, int] = {}
        self._approved: dict[str, Decimal] = {}
        self._lines_read = 0

    def at_each_write(self, world: World) -> None:
        """Raises ViolationError."""
        raise_first("one live child", _children(world))
        raise_first("executed once", self._doubled(world))
        raise_first("fencing", (f"a fenced incarnation reached the exchange: {one}" for one in world.fenced_writes))
        raise_first("limits", self._beyond_limits(world))

    def at_each_instant(self, world: World) -> None:
        """Raises ViolationError."""
        self.at_each_write(world)
        raise_first("naked leg", self._naked(world))

    def at_rest(self, world: World) -> None:
        """Raises ViolationError."""
        raise_first("healthy", _unhealthy(world))
        self.in_order(world)

    def in_order(self, world: World) -> None:
        """All but health: also while a component is FAULTED. Raises ViolationError."""
        self.at_each_instant(world)
        raise_first("executions", _executions(world))
        raise_first("orders", _orders(world))
        raise_first("ledger", _ledger(world))
        raise_first("protection", _unprotected(world))
        raise_first("tables", _off_table(world))
        raise_first("rows", _unreadable(world))

    def _beyond_limits(self, world: World) -> Iterator[str]:
        """TR-9, FU-7: whatever was enlarged is within the limits; prices may move a position out of them later."""
        for engine, limits in self._limits.items():
            account = _account(world, engine)
            has_grown = any([self._has_grown(world, account, symbol) for symbol in account.positions])
            if not has_grown or world.is_unseen(account.name):
                continue
            equity, exposures = margin(world.exchange.venue, account).equity, _exposures(world, account)
            total = sum((one.notional_usdt for one in exposures), ZERO)
            for one in exposures:
                if not limits.allows_asset(one.notional_usdt, equity * (1 + self._tolerance)):
                    yield f"{engine}: {one.notional_usdt} USDT in one asset at an equity of {equity}"
            if not limits.allows_total(total, equity * (1 + self._tolerance)):
                yield f"{engine}: {total} USDT in all at an equity of {equity}"
            if not limits.allows_buffer(liquidation_buffer(equity, exposures)):
                yield f"{engine}: the liquidation buffer is too small at an equity of {equity}"
        account = _account(world, ActorName.FUNDING)
        for symbol in tuple(account.positions):
            if self._has_grown(world, account, symbol) and not world.is_unseen(account.name):
                equity = margin(world.exchange.venue, account).equity
                # F7: at order time, which is at the price that the engine knows; the market may have left it.
                known = Decimal(world.rows(ActorName.FUNDING)[symbol.removesuffix("USDT")].data["perp_price"])
                held = abs(account.positions[symbol].size) * min(known, world.exchange.venue.prices.mark(symbol))
                if held > leg_room_usdt(equity, ZERO, Decimal(1), self._funding) * (1 + self._tolerance):
                    yield f"funding: {held} USDT short in {symbol} at an equity of {equity}"

    def _doubled(self, world: World) -> Iterator[str]:
        """EX-1, X4: the orders of one intent execute no more than was approved, or than one of them was amended to."""
        lines = world.store.memory.journal(ActorName.RISK_MANAGER)
        for line in lines[self._lines_read :]:
            if line.note.trigger == "approve":
                self._approved[line.note.data["intent_id"]] = Decimal(line.note.data["quantity"])
        self._lines_read = len(lines)
        for account in world.exchange.venue.accounts.values():
            most: dict[str, Decimal] = defaultdict(Decimal)
            executed: dict[str, Decimal] = defaultdict(Decimal)
            for order in account.orders.values():
                parts = parse_client_order_id(INSTALLATION, order.link_id)
                if parts is not None:
                    most[parts.intent_id] = max(most[parts.intent_id], order.qty)
                    executed[parts.intent_id] += order.filled
            for intent, quantity in executed.items():
                limit = max(most[intent], self._approved.get(intent, ZERO))
                if most[intent] and quantity > limit:
                    yield f"{intent}: {quantity} executed of {limit}"

    def _has_grown(self, world: World, account: VenueAccount, symbol: str) -> bool:
        size, key = abs(account.positions[symbol].size), (account.name, symbol)
        before, self._held[key] = self._held.get(key, size), size
        return size > before

    def _naked(self, world: World) -> Iterator[str]:
        account, now_ms = _account(world, ActorName.FUNDING), world.now_ms()
        for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT"):
            coin = symbol.removesuffix("USDT")
            short = account.positions[symbol].size if symbol in account.positions else ZERO
            mark = world.exchange.venue.prices.mark(symbol)
            naked = abs(account.balance(coin) + short) * mark
            # Who is away decides nothing; that it is away is the supervisor's alert.
            is_anyone_away = bool(world.scheduler.down)
            if is_anyone_away or naked <= max(DUST_USDT, self._funding.delta_tolerance * abs(short) * mark):
                self._naked_since.pop(symbol, None)
                continue
            since = self._naked_since.setdefault(symbol, now_ms)
            if now_ms - since > NAKED_MS and not _open_alerts(world, ActorName.FUNDING):
                yield f"{naked} USDT of {symbol} are naked for {(now_ms - since) // 1000} s without an alert"


def is_healthy(world: World) -> bool:
    """Whether everything rests, no alert is open and trading is allowed."""
    return next(_unhealthy(world), None) is None


def raise_first(name: str, found: Iterable[str]) -> None:
    """Raises ViolationError with the first thing found."""
    first = next(iter(found), None)
    if first is not None:
        raise ViolationError(name, first)


def _account(world: World, engine: ActorName) -> VenueAccount:
    return world.exchange.venue.accounts[ACCOUNT_OF[engine].value]


def _exposures(world: World, account: VenueAccount) -> list[Exposure]:
    mark = world.exchange.venue.prices.mark
    return [
        Exposure(held.size, mark(symbol), INSTRUMENTS[LINEAR, symbol].mm_rate)
        for symbol, held in account.positions.items()
        if held.size
    ]


def _children(world: World) -> Iterator[str]:
    for account in world.exchange.venue.accounts.values():
        live: dict[str, list[str]] = defaultdict(list)
        for order in account.open.values():
            parts = parse_client_order_id(INSTALLATION, order.link_id)
            if parts is not None and order.is_open:
                live[parts.intent_id].append(order.link_id)
        yield from (
            f"{intent} has {children} open at the exchange" for intent, children in live.items() if children[1:]
        )


def halted_by_rule(world: World) -> frozenset[str]:
    """TR-5: engines whose stop the exchange has cancelled, or an actor that was away has left unconfirmed, more often
    than it is replaced; CH-9, R2: CORE-HODL after withdrawals were suspended. Only the operator ends it."""
    was_away = any(one.fault is Fault.DOWN for one in world.chooser.taken)
    cancelled = Counter(one.who for one in world.chooser.taken if one.point is Point.OPEN_ORDER)
    often = {engine for engine in TRENDS if cancelled[ACCOUNT_OF[engine].value] > STOP_REPAIRS}
    switches = (fact for fact in world.store.memory.facts("switches") if isinstance(fact, SwitchFact))
    return frozenset(
        one.scope
        for one in switches
        if one.state == "HALTED"
        if one.reason.startswith("CH-9: withdrawals are suspended")
        or (
            "cannot be held at the exchange" in one.reason
            and (one.scope in often or (was_away and "is not confirmed after" in one.reason))
        )
    )


def _unhealthy(world: World) -> Iterator[str]:
    halted = halted_by_rule(world)
    for name in START_ORDER:
        living = world.living.get(name)
        if living is None:
            yield f"{name} does not run"
            continue
        durable = living.durable
        if durable.has_work or durable.pending or durable.waiting_recipients():
            yield f"{name} does not rest: pending {sorted(durable.pending)}, for {durable.waiting_recipients()}"
        for alert in _open_alerts(world, name):
            if alert.condition.startswith(tuple(world.expected_alerts)):
                continue
            if any(alert.condition == f"state:{engine}" for engine in halted):
                continue
            yield f"{name} still has the alert {alert.condition!r}: {alert.title}: {alert.text}"
    for switch in world.store.memory.facts("switches"):
        if isinstance(switch, SwitchFact) and switch.state != "NORMAL" and switch.scope not in halted:
            yield f"{switch.scope} is {switch.state}: {switch.reason}"


def _open_alerts(world: World, name: ActorName) -> list[AlertFact]:
    alerts = (fact for fact in world.store.memory.facts("alerts") if isinstance(fact, AlertFact))
    return [fact for fact in alerts if fact.actor == name and fact.condition and fact.state != "ended"]


def _executions(world: World) -> Iterator[str]:
    """EX-2: each execution of the exchange is booked exactly once, with its quantity."""
    booked = {
        (fact.account, fact.execution_id): fact.quantity
        for fact in world.store.memory.facts("executions")
        if isinstance(fact, ExecutionFact)
    }
    for account in world.exchange.venue.accounts.values():
        for row in account.executions:
            if row.data["execType"] == "Funding":
                continue
            ours = booked.pop((account.name, row.data["execId"]), None)
            if ours != Decimal(row.data["execQty"]):
                yield f"{account.name}: execution {row.data['execId']} of {row.data['execQty']} is booked as {ours}"
    yield from (f"{account}: execution {identity} is booked, the exchange has none" for account, identity in booked)


def _orders(world: World) -> Iterator[str]:
    """EX-1, EX-5: each order ends and executes here as it does there; none exists on one side alone."""
    theirs = {
        order.link_id: order for account in world.exchange.venue.accounts.values() for order in account.orders.values()
    }
    for fact in world.store.memory.facts("orders"):
        if not isinstance(fact, OrderFact):
            continue
        order = theirs.pop(fact.client_order_id, None)
        if order is None:
            if not OrderState(fact.state).is_terminal:
                yield f"order {fact.client_order_id} is {fact.state}, the exchange has no such order"
            if fact.filled_quantity:
                yield f"order {fact.client_order_id} executed {fact.filled_quantity}, the exchange has no such order"
        elif order.filled != fact.filled_quantity:
            yield f"order {fact.client_order_id} executed {fact.filled_quantity}, at the exchange {order.filled}"
        elif order.is_open == OrderState(fact.state).is_terminal:
            yield f"order {fact.client_order_id} is {fact.state}, at the exchange {order.status}"
    yield from (f"order {link} is not on record" for link in theirs if link)


def _ledger(world: World) -> Iterator[str]:
    """OR-6: every entry balances, wallets and Earn equal the exchange's, nothing is unexplained."""
    books = books_in_memory(world.store.memory)
    differing = [row for row in books.open_discrepancies if row[1] not in world.explained]
    faults = books._replace(open_discrepancies=differing).faults()
    yield from (fault for fault in faults if fault != _OF_THE_EXCHANGE)
    wallets: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    in_earn: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    booked: set[str] = set()
    for posting in world.store.memory.facts("postings"):
        assert isinstance(posting, PostingFact)
        booked.add(posting.posting_id)
        for line in posting.lines:
            if line.ledger_account == EARN:
                in_earn[line.account, line.coin] += line.amount
            if line.ledger_account == WALLET:
                wallets[line.account, line.coin] += line.amount
            elif line.ledger_account == UNEXPLAINED:
                yield f"{line.account}: {line.amount} {line.coin} posted as unexplained: {posting.description}"
    for account in world.exchange.venue.accounts.values():
        # Yield is read once a day, and when something differs: the newest payment may not be booked yet.
        unread = [row for row in account.earn.yields if f"yield:{account.name}:{row.data['id']}" not in booked]
        if any(row.time_ms < world.now_ms() - DAY_MS for row in unread):
            yield f"{account.name}: yield of more than a day ago is not booked"
        paid = sum((Decimal(row.data["amount"]) for row in unread), ZERO)
        for coin, amount in earn.held(account).items():
            ours = in_earn.pop((account.name, coin), ZERO)
            if ours != amount - paid:
                yield f"{account.name}: the ledger has {ours} {coin} in Earn, the exchange {amount}"
    yield from (f"{account}: the ledger has {held} {coin} in Earn" for (account, coin), held in in_earn.items() if held)
    for account in world.exchange.venue.accounts.values():
        for coin, amount in account.wallet.items():
            ours = wallets.pop((account.name, coin), ZERO)
            if ours != amount:
                yield f"{account.name}: the ledger has {ours} {coin}, the exchange {amount}"
    yield from (
        f"{account}: the ledger has {amount} {coin}, the exchange none"
        for (account, coin), amount in wallets.items()
        if amount
    )


def _unprotected(world: World) -> Iterator[str]:
    """TR-5: every position of a trend has its stop at the exchange, over its whole quantity."""
    for engine in TRENDS:
        account = _account(world, engine)
        for symbol, held in account.positions.items():
            covered = sum(
                (one.qty for one in account.open.values() if one.symbol == symbol and one.status == "Untriggered"),
                ZERO,
            )
            if covered != abs(held.size):
                yield f"{engine}: {held.size} {symbol} with stops over {covered}"


def _off_table(world: World) -> Iterator[str]:
    """Every journalled transition is a row of its machine's table."""
    for actor in ActorName:
        for line in world.store.memory.journal(actor)[world.journalled.get(actor, 0) :]:
            note = line.note
            if isinstance(note, JournalEntry) and (note.table, note.trigger, note.source, note.dest) not in _ROWS:
                yield f"{actor}: {note.table} moved by {note.trigger} from {note.source} to {note.dest}"


_ROWS = {(name, row.trigger, row.source.value, row.dest.value) for name in MACHINES for row in table_of(name).rows}


def _unreadable(world: World) -> Iterator[str]:
    memory = world.store.memory
    for name in START_ORDER:
        states = dict(memory.load(name, memory.grant(name, "the invariants")).states)
        for key in (CONDITIONS_KEY, POLICY_KEY):  # of the durable actor itself
            states.pop(key, None)
        try:
            restore_logic(world.factories[name](), states)
        except UnreadableRowError as error:
            yield str(error)
