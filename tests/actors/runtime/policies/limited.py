"""A toy under policies: it judges facts by a limit and asks the exchange, while it dies and its database goes away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random
from typing import Any, NamedTuple

from actors.runtime.durable_actor import DurableActor
from actors.runtime.memory_store import MemoryStore
from actors.runtime.policies.ports import Document, UnusablePolicyError
from actors.runtime.ports import EnvelopeDict, Loaded, StoreUnavailableError
from statemachines.actor_logic import HistoryNeed, StateRow
from statemachines.commands import Commands, ExchangeCall, Remark
from statemachines.facts import BarFact
from statemachines.messages.control import ParametersChanged
from statemachines.messages.envelope import Envelope
from statemachines.messages.market import FundingSettled
from statemachines.messages.orders import ResponseReceived
from statemachines.policy.held import KEY
from statemachines.requests import Accepted, LookUpTransfer, Unknown
from statemachines.values import ActorName
from tests.actors.runtime.toy import Toy

NAME = ActorName.TACTICAL
STARTED = 1
UNUSABLE = "unusable"


def limit_of(version: int) -> int:
    return 10 * version


class Limited(Toy):
    """Counts facts, and writes the limit that it judges each of them by; every third one is asked at the exchange."""

    name = NAME

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.total, self._last = 0, 0
        self._asked: set[str] = set()
        self._dirty = False

    def history_needed(self) -> Sequence[HistoryNeed]:
        return (HistoryNeed("spot", "BTCUSDT", "D", 1),)

    def restore(self, rows: Mapping[str, StateRow]) -> None:
        if "limited" in rows:
            self.total, self._last = int(rows["limited"].data["total"]), int(rows["limited"].data["limit"])

    def handle(self, message: Envelope) -> Commands:
        match message.body:
            case FundingSettled(settle_ms=number):
                self.total, self._last, self._dirty = self.total + 1, self.limit, True
                line = Remark("limited", "judged", f"fact {number} by limit {self.limit}", {"limit": self.limit})
                if number % 3:
                    return [line]
                self._asked.add(f"{number}:1")
                return [line, ExchangeCall(f"{number}:1", "MASTER", LookUpTransfer(transfer_id=str(number)))]
            case ResponseReceived(key=key, outcome=outcome):
                is_ours = key in self._asked or isinstance(outcome, Unknown)
                return [Remark("limited", "answered" if is_ours else "stray", key, {"limit": self.limit})]
        return []

    def dirty(self) -> Sequence[StateRow]:
        rows = self.rows() if self._dirty else ()
        self._dirty = False
        return rows

    def rows(self) -> Sequence[StateRow]:
        return (StateRow("limited", "", 1, {"total": self.total, "limit": self._last}),)


class LimitPort:
    """The policies of the toy: `{"limit": n}`."""

    version = STARTED

    def logic(self, actor: ActorName, policy: Document) -> Limited:
        return Limited(self._limit(policy))

    def concerns(self, actor: ActorName, before: Document, after: Document) -> bool:
        return self._limit(before) != self._limit(after)

    def _limit(self, policy: Document) -> int:
        if policy is None:
            return limit_of(STARTED)
        if policy["limit"] == UNUSABLE:
            raise UnusablePolicyError("limit is no number")
        return int(policy["limit"])


class Death(BaseException):
    """The process ends here."""


class Scenario(NamedTuple):
    """`events` in their order: fact, policy, answer or die; `deaths` and `outages`: at which commits, before or after,
    and at which reads the process dies or the database is away, by their number."""

    events: Sequence[str]
    deaths: Collection[int] = ()
    outages: Collection[int] = ()


def scenarios(seed: int, count: int) -> list[Scenario]:
    random = Random(seed)
    found = []
    for _ in range(count):
        events = random.choices(("fact", "policy", "answer", "die"), (6, 3, 3, 1), k=random.randint(4, 14))
        deaths, outages = (frozenset(random.sample(range(60), random.randint(0, 6))) for _ in range(2))
        found.append(Scenario(events, deaths, outages))
    return found


class _Store(MemoryStore):
    def __init__(self, life: Life) -> None:
        super().__init__()
        self._life = life

    def load(self, actor: str, epoch: int) -> Loaded:
        self._life.at_a_point()
        return super().load(actor, epoch)

    def closed_bars(
        self, category: str, symbol: str, interval: str, last_start_ms: int, count: int
    ) -> Sequence[BarFact]:
        self._life.at_a_point()
        return super().closed_bars(category, symbol, interval, last_start_ms, count)


class Life:
    """Plays a scenario. `faults` says what was wrong with what was committed."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._points = 0
        self._is_calm = False
        self._facts = 0
        self._versions: list[EnvelopeDict] = []
        self._asked: list[str] = []
        self.faults: list[str] = []
        self.store = _Store(self)
        self.durable = self._begin()

    def play(self) -> list[str]:
        """Every event, then everything that is left in peace; returns the faults."""
        for event in self._scenario.events:
            match event:
                case "fact":
                    self._facts += 1
                case "policy":
                    self._record()
                case "answer" if self._asked:
                    self._answer()
                case "die":
                    self.durable = self._begin()
            self._pump()
        self._is_calm = True
        while self._asked or self.durable.has_work:
            self._pump()
            if self._asked:
                self._answer()
        self._judge()
        return self.faults

    def at_a_point(self) -> None:
        """Before and after every commit and before every read."""
        if self._is_calm:
            return
        self._points += 1
        if self._points in self._scenario.deaths:
            raise Death
        if self._points in self._scenario.outages:
            raise StoreUnavailableError("is away")

    def _begin(self) -> DurableActor:
        """A new incarnation: what was not committed is gone, and what others have is sent again."""
        self._asked = []
        while True:
            epoch = self.store.grant(NAME, "test")
            durable = DurableActor(Limited(limit_of(STARTED)), self.store, epoch, self._probe, policies=LimitPort())
            try:
                durable.start(0)
            except (Death, StoreUnavailableError):
                continue
            if durable.policy.version != self._committed_version():
                self.faults.append(f"restarted with {durable.policy.version}, committed {self._committed_version()}")
            return durable

    def _probe(self, point: str) -> None:
        if point == "before commit":
            self.at_a_point()

    def _pump(self) -> None:
        while True:
            try:
                for number in range(1, self._facts + 1):
                    fact = FundingSettled(settle_ms=number, rates={}, predicted={}, interval_min={})
                    self.durable.take_fact(fact, f"fact-{number}", number)
                self.durable.deliver(self._versions)
                while self.durable.has_work:
                    try:
                        self._asked += [call.key for call in self.durable.step().calls]
                        self.at_a_point()
                    except StoreUnavailableError:
                        continue
                return
            except Death:
                self.durable = self._begin()

    def _record(self) -> None:
        number = len(self._versions) + 1
        version = STARTED + number
        body = ParametersChanged(version=version, policy={"limit": limit_of(version)}, who="ada", reason="a test")
        self._versions.append(envelope(number, body))

    def _answer(self) -> None:
        key = self._asked.pop(0)
        self.durable.answer(key, ResponseReceived(key=key, account="MASTER", outcome=Accepted()))

    def _committed_version(self) -> int:
        applied = [line.note.data["version"] for line in self.store.journal(NAME) if line.note.trigger == "apply"]
        return int(applied[-1]) if applied else STARTED

    def _judge(self) -> None:
        lines = [line.note for line in self.store.journal(NAME)]
        own = [line for line in lines if line.machine == "limited"]
        newest = STARTED + len(self._versions)
        for line in own:
            if line.data["limit"] != limit_of(line.data["policy_version"]):
                self.faults.append(f"a mix: limit {line.data['limit']} under version {line.data['policy_version']}")
        quoted = [line.data["policy_version"] for line in own]
        if quoted != sorted(quoted):
            self.faults.append(f"versions went back: {quoted}")
        applied = [line.data["version"] for line in lines if line.trigger == "apply"]
        if applied != sorted(set(applied)):
            self.faults.append(f"applied more than once: {applied}")
        if (self.durable.policy.version, self._committed_version()) != (newest, newest):
            self.faults.append(f"version {self.durable.policy.version} at the end, {newest} was recorded")
        if any(line.trigger == "stray" for line in own):
            self.faults.append("an answer reached a logic that had not asked")
        states = self.store.load(NAME, self.store.grant(NAME, "judge")).states
        if self._facts and states["limited"].data["total"] != self._facts:
            self.faults.append(f"{states['limited'].data['total']} facts counted of {self._facts}")
        row = states.get(KEY)
        if row is None or row.state != "IN_FORCE":
            self.faults.append(f"the policy's row is {row}")


def envelope(number: int, body: ParametersChanged) -> EnvelopeDict:
    """The orchestrator's message of this number."""
    sent: dict[str, Any] = {
        "id": f"orchestrator:{number}",
        "sender": "orchestrator",
        "seq": number,
        "prev": {str(NAME): number - 1},
        "to": [str(NAME)],
        "kind": body.KIND,
        "version": body.VERSION,
        "market_time": number,
        "cause": f"tick-{number}",
        "trace": f"tick-{number}",
        "body": body.model_dump(mode="json"),
    }
    return sent
