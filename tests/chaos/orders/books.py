"""Reads what the verdict compares: the engines' tallies and our orders from the database, the exchange's own lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import httpx
import psycopg
from pybit.unified_trading import HTTP

from api.launch.ledger_desk import check_running
from api.launch.simulator_process import TIME_PATH
from benchmarks.order_books import session_of
from infra.bybit.credentials import from_simulator
from statemachines.intent_ids import intent_id, parse_intent_id
from statemachines.values import ACCOUNT_OF, LINEAR, ActorName
from tests.chaos.orders.engine import COUNTER, LOTS
from tests.chaos.orders.verdict import End, Execution, KeptOrder, Records, TheirOrder
from tests.chaos.rig import Drill

OK = 200
ANSWER_S = 1.0
PAGE_ORDERS, PAGE_EXECUTIONS = 50, 100
MOST_ROWS, LONGEST_LINE = 40, 220
CLOCKS_APART_MS = 60_000
"""Our orders carry our clock's time: so much earlier ones are read too, and told apart by their numbers."""


class Tally(NamedTuple):
    """What an engine has on record: signals, intents and ends so far, intents whose end it was told twice, and the ends
    of its newest signals."""

    signals: int = 0
    intents: int = 0
    ended: int = 0
    repeated: tuple[str, ...] = ()
    ends: Mapping[str, End] = {}


class Books:
    """The records of a running system."""

    def __init__(self, drill: Drill) -> None:
        self._drill = drill
        self._installation = drill.installation()

    def tallies(self) -> dict[ActorName, Tally]:
        """Per engine. Raises psycopg.OperationalError while the database is away."""
        found = dict.fromkeys(LOTS, Tally())
        with self._drill.database() as connection:
            rows = connection.execute(
                "SELECT actor, key, data FROM machine_states WHERE actor = ANY(%s)", (list(LOTS),)
            ).fetchall()
        for actor, key, data in rows:
            name = ActorName(actor)
            tally = found[name]
            if key == COUNTER:
                found[name] = tally._replace(**{**data, "repeated": tuple(data["repeated"])})
            else:
                ends = {one: End(outcome, Decimal(filled), why) for one, (outcome, filled, why) in data["ends"].items()}
                found[name] = tally._replace(ends={**tally.ends, **ends})
        return found

    def exchange_answers(self) -> bool:
        """Whether the exchange says its time."""
        exchange = self._drill.system.exchange
        assert exchange is not None
        try:
            return httpx.get(f"{exchange.url}{TIME_PATH}", timeout=ANSWER_S, trust_env=False).status_code == OK
        except httpx.HTTPError:
            return False

    def database_answers(self) -> bool:
        """Whether the database answers."""
        try:
            self.counts()
        except psycopg.OperationalError:
            return False
        return True

    def counts(self) -> tuple[int, int]:
        """Intents and ends so far, over all engines. Raises psycopg.OperationalError while the database is away."""
        with self._drill.database() as connection:
            rows = connection.execute(
                "SELECT data FROM machine_states WHERE actor = ANY(%s) AND key = %s", (list(LOTS), COUNTER)
            ).fetchall()
        return sum(data["intents"] for (data,) in rows), sum(data["ended"] for (data,) in rows)

    def exchange_ms(self) -> int:
        """The exchange's time now."""
        exchange = self._drill.system.exchange
        assert exchange is not None
        answer = httpx.get(f"{exchange.url}{TIME_PATH}", timeout=ANSWER_S, trust_env=False).raise_for_status()
        return int(answer.json()["time"])

    def created_ms(self, since_ms: int) -> list[int]:
        """When each order of the bursting engines was created at the exchange, by its own lists."""
        return [
            int(row["createdTime"])
            for name in LOTS
            for ask in (self._session(name).get_order_history, self._session(name).get_open_orders)
            for row in _pages(ask, since_ms, PAGE_ORDERS)
            if int(row["createdTime"]) >= since_ms
        ]

    def approved(self) -> int:
        """Intents that the risk manager has approved so far."""
        with self._drill.database() as connection:
            row = connection.execute(
                "SELECT count(*) FROM journal WHERE trigger = 'approve' AND machine_table = 'intent'"
            ).fetchone()
        assert row is not None
        return int(row[0])

    def commands(self) -> list[tuple[str, str]]:
        """Action and reason of the operator's commands that the risk manager has carried out, in their order."""
        with self._drill.database() as connection:
            query = "SELECT action, reason FROM operator_commands WHERE scope = 'GLOBAL' ORDER BY given_ms"
            return [(action, reason) for action, reason in connection.execute(query).fetchall()]

    def held(self) -> list[str]:
        """The reasons of the commands that the orchestrator has accepted."""
        with self._drill.database() as connection:
            return [reason for (reason,) in connection.execute("SELECT reason FROM held_commands").fetchall()]

    def records(self, name: ActorName, before: Tally, now: Tally, since_ms: int) -> Records:
        """Everything about the intents of one engine since an earlier tally, taken at `since_ms` of the exchange."""
        issued = [intent_id(name, number) for number in range(before.intents + 1, now.intents + 1)]
        session = self._session(name)
        ours, booked = self._ours(name, before.intents, since_ms)
        return Records(
            installation=self._installation,
            quantity=LOTS[name].quantity,
            issued=issued,
            ends={one: end for one, end in now.ends.items() if parse_intent_id(one).number > before.intents},
            repeated=now.repeated[len(before.repeated) :],
            our_orders=ours,
            our_executions=booked,
            their_orders=[
                TheirOrder(row["orderId"], row["orderLinkId"], Decimal(row["cumExecQty"]))
                for ask in (session.get_order_history, session.get_open_orders)
                for row in _pages(ask, since_ms, PAGE_ORDERS)
            ],
            their_executions=[
                Execution(row["execId"], row["orderLinkId"], Decimal(row["execQty"]))
                for row in _pages(session.get_executions, since_ms, PAGE_EXECUTIONS)
                if row["execType"] == "Trade"
            ],
        )

    def story(self, sentence: str) -> list[str]:
        """What the journal has on the intents and orders that a sentence names, oldest first."""
        named = [word.strip(",;:'") for word in sentence.split()]
        with self._drill.database() as connection:
            rows = connection.execute(
                "SELECT recorded_at, actor, machine, trigger, source, dest, reason FROM journal"
                " WHERE machine = ANY(%s) ORDER BY id LIMIT %s",
                (named, MOST_ROWS),
            ).fetchall()
        return [f"{at:%H:%M:%S.%f} {' '.join(words)}"[:LONGEST_LINE] for at, *words in rows]

    def ledger_differences(self, from_ms: int) -> list[str]:
        """`eternal ledger check`, over all accounts."""
        system = self._drill.system
        assert system.exchange is not None
        keys = from_simulator(system.exchange.keys_file)
        report = check_running(system.config, keys, system.exchange, system.database, from_ms)
        return [str(one["text"]) for one in report["differences"]]

    def _session(self, name: ActorName) -> HTTP:
        exchange = self._drill.system.exchange
        assert exchange is not None
        return session_of(exchange.url, exchange.keys_file, ACCOUNT_OF[name])

    def _ours(self, name: ActorName, after: int, since_ms: int) -> tuple[list[KeptOrder], list[Execution]]:
        """Orders of the engine's intents with a number above `after`; the account's executions since an instant,
        whatever they belong to."""
        with self._drill.database() as connection:
            orders = connection.execute(
                "SELECT client_order_id, intent_id, state, filled_quantity FROM orders"
                " WHERE engine = %s AND created_ms >= %s",
                (name, since_ms - CLOCKS_APART_MS),
            ).fetchall()
            executions = connection.execute(
                "SELECT execution_id, client_order_id, quantity FROM executions"
                " WHERE account = %s AND executed_ms >= %s",
                (ACCOUNT_OF[name], since_ms),
            ).fetchall()
        kept = [KeptOrder(*row) for row in orders if parse_intent_id(row[1]).number > after]
        return kept, [Execution(*row) for row in executions]


def _pages(ask: Callable[..., Any], since_ms: int, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        asked: dict[str, Any] = {"category": LINEAR, "settleCoin": "USDT", "limit": limit, "startTime": since_ms}
        result = ask(**asked, **({"cursor": cursor} if cursor else {}))["result"]
        found += result["list"]
        cursor = result["nextPageCursor"]
        if not cursor:
            return found
