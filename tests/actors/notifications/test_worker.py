"""The notifier's loop on a real database (RM-5): commit, send, commit; crashes, outages, fencing, late commits, real
receivers that are away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from actors.notifications.ports import ChannelPort, NotifierParts
from actors.notifications.worker import NotifierWorker, UnknownAlertError
from actors.runtime.ports import Commit, FencedError, StoreUnavailableError
from infra.config.notifications import WebhookConfig
from infra.database.notifications.book import PostgresBook
from infra.database.queries import Queries
from infra.database.store import PostgresStore
from infra.notifications.webhook import WebhookChannel
from statemachines.notifications.acknowledging import Acknowledgement
from statemachines.notifications.message import ChannelName, Delivered, Message, Outcome
from statemachines.notifications.parameters import NotificationRules
from statemachines.notifications.report import Report
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.infra.notifications.receivers import Receiver, receiving, status
from tests.kit.rows import ALERT, Pen

TELEGRAM, EMAIL = ChannelName.TELEGRAM, ChannelName.EMAIL
EARLIER = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


class Played:
    """A channel that answers as it is set; `gate` holds a message back."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.answer: Callable[[], Outcome] = lambda: Delivered("r")
        self.gate = threading.Event()
        self.gate.set()

    def send(self, message: Message) -> Outcome:
        self.gate.wait(10)
        self.received.append(message)
        return self.answer()


class House:
    """A database, the notifier in this thread, channels that are played."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.store, self.book, self.queries = PostgresStore(url), PostgresBook(url), Queries(url)
        self.pen = Pen(self.store, "risk-manager")
        self.channels: dict[ChannelName, Any] = {TELEGRAM: Played(), EMAIL: Played()}
        self.now = EARLIER
        self.fenced: list[str] = []
        self.begin()
        self.worker.turn()

    def begin(self, rules: NotificationRules | None = None) -> None:
        """A new incarnation; the one before is simply dropped, as by a kill."""
        parts = NotifierParts(
            self.book, rules or NotificationRules(), "abc123", UTC, dict[ChannelName, ChannelPort](self.channels)
        )
        epoch = self.store.grant("notifier", "test")
        self.worker = NotifierWorker(self.store, parts, epoch, self.fenced.append, lambda: self.now)

    def alert(self, alert_id: str, **changes: Any) -> None:
        self.pen.write(facts=[ALERT.model_copy(update={"alert_id": alert_id, "severity": "critical", **changes})])

    def settle(self, condition: Callable[[], object]) -> None:
        """Turns until it holds: outcomes come back from the channels' threads."""
        pause = threading.Event()
        for _ in range(400):
            self.worker.turn()
            if condition():
                return
            pause.wait(0.02)
        raise AssertionError("it did not come to that")

    def states(self) -> dict[str, str]:
        return {row["delivery_id"]: row["state"] for row in self.queries.deliveries()}

    def is_quiet(self) -> bool:
        return all(state not in ("WAITING", "SENDING", "RETRY") for state in self.states().values())

    def close(self) -> None:
        self.worker.stop()
        for part in (self.store, self.book, self.queries):
            part.close()


@pytest.fixture
def house(database_url: str) -> Iterator[House]:  # noqa: F811
    made = House(database_url)
    yield made
    made.close()


def test_an_alert_is_delivered_and_every_step_is_on_record(house: House) -> None:
    house.alert("a:1:0")
    house.settle(house.is_quiet)
    assert house.states() == {"a:1:0/raise.0/telegram": "DELIVERED", "a:1:0/raise.0/email": "DELIVERED"}
    (message,) = house.channels[TELEGRAM].received
    assert message.parts[0].dedup_key == "abc123:a:1:0"
    rows = house.queries.transitions("notifier", "a:1:0/raise.0/telegram")
    assert [(row["source"], row["dest"]) for row in reversed(rows)] == [
        ("WAITING", "SENDING"), ("SENDING", "DELIVERED"),
    ]  # fmt: skip


def test_what_is_sent_is_committed_before(house: House) -> None:
    """While the message is under way its delivery is SENDING in the database."""
    house.channels[TELEGRAM].gate.clear()
    house.alert("a:1:0")
    house.worker.turn()
    assert house.states()["a:1:0/raise.0/telegram"] == "SENDING"
    house.channels[TELEGRAM].gate.set()
    house.settle(house.is_quiet)


def test_one_channel_that_hangs_keeps_no_other(house: House) -> None:
    house.channels[TELEGRAM].gate.clear()
    house.alert("a:1:0")
    house.settle(lambda: house.states().get("a:1:0/raise.0/email") == "DELIVERED")
    house.now += timedelta(seconds=10)
    house.alert("a:2:0")
    house.settle(lambda: house.states().get("a:2:0/raise.0/email") == "DELIVERED")
    assert house.channels[TELEGRAM].received == []
    house.channels[TELEGRAM].gate.set()


def test_killed_between_send_and_commit_it_repeats_the_same_message(house: House) -> None:
    house.alert("a:1:0")
    house.worker.turn()
    for _ in range(200):
        if house.channels[TELEGRAM].received:
            break
        threading.Event().wait(0.02)
    house.begin()  # the outcome was never committed
    house.settle(house.is_quiet)
    first, again = house.channels[TELEGRAM].received
    assert first == again


def test_the_database_is_away_and_nothing_is_sent_that_is_not_committed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = house.store.commit

    def away(commit: Commit) -> frozenset[str]:
        raise StoreUnavailableError("is away")

    monkeypatch.setattr(house.store, "commit", away)
    other = PostgresStore(house.url)
    Pen(other, "trend-1").write(facts=[ALERT.model_copy(update={"alert_id": "a:1:0"})])
    other.close()
    for _ in range(3):
        with pytest.raises(StoreUnavailableError):
            house.worker.turn()
    with pytest.raises(StoreUnavailableError):
        house.worker.acknowledge(Acknowledgement(alert_id="a:1:0", who="ada"))
    assert house.channels[TELEGRAM].received == []
    monkeypatch.setattr(house.store, "commit", whole)
    house.settle(house.is_quiet)
    assert len(house.channels[TELEGRAM].received) == 1


def test_a_commit_whose_answer_was_lost_is_sent_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, lost = house.store.commit, [True]

    def commit(made: Commit) -> frozenset[str]:
        found = whole(made)
        if lost and made.actor == "notifier":
            lost.clear()
            raise StoreUnavailableError("the answer was lost")
        return found

    monkeypatch.setattr(house.store, "commit", commit)
    house.alert("a:1:0")
    with pytest.raises(StoreUnavailableError):
        house.worker.turn()
    house.settle(house.is_quiet)
    assert len(house.channels[TELEGRAM].received) == 1


def test_an_older_incarnation_is_fenced_and_sends_nothing(house: House) -> None:
    old = house.worker
    house.begin()
    house.alert("a:1:0")
    with pytest.raises(FencedError):
        old.turn()
    assert house.channels[TELEGRAM].received == []
    house.settle(house.is_quiet)
    assert len(house.channels[TELEGRAM].received) == 1


def test_an_acknowledgement_ends_the_repetition(house: House) -> None:
    house.alert("a:1:0")
    house.settle(house.is_quiet)
    house.now += timedelta(seconds=601)
    house.settle(lambda: len(house.channels[TELEGRAM].received) == 2 and house.is_quiet())
    house.worker.acknowledge(Acknowledgement(alert_id="a:1:0", who="ada"))
    house.now += timedelta(seconds=601)
    house.settle(lambda: len(house.channels[TELEGRAM].received) == 3 and house.is_quiet())
    house.now += timedelta(seconds=6_000)
    house.settle(house.is_quiet)
    actions = [part.action for one in house.channels[TELEGRAM].received for part in one.parts]
    assert actions == ["raise", "repeat", "acknowledge"]
    with pytest.raises(UnknownAlertError):
        house.worker.acknowledge(Acknowledgement(alert_id="none", who="ada"))


def test_an_alert_that_commits_late_among_many_is_found(house: House) -> None:
    """Its market time lies before that of the five hundred newest."""
    pen = Pen(house.store, "trend-1")
    many = [
        ALERT.model_copy(update={"alert_id": f"b:{n}:0", "state": "ended", "changed_ms": 1_000 + n, "ended_ms": 9})
        for n in range(600)
    ]
    pen.write(facts=many)
    for _ in range(3):
        house.now += timedelta(minutes=1)
        house.settle(house.is_quiet)
    pen.write(facts=[ALERT.model_copy(update={"alert_id": "late:1:0", "market_ms": 1, "changed_ms": 1})])
    for _ in range(40):
        house.now += timedelta(seconds=10)
        house.worker.turn()
    house.settle(house.is_quiet)
    assert "late:1:0/raise.0/telegram" in {row["delivery_id"] for row in house.queries.deliveries(limit=1_000)}


def test_the_first_start_counts_what_is_over(database_url: str) -> None:  # noqa: F811
    store = PostgresStore(database_url)
    facts = [
        ALERT.model_copy(update={"alert_id": f"b:{n}:0", "state": "ended", "changed_ms": n, "ended_ms": n})
        for n in range(1_201)
    ]
    Pen(store, "trend-1").write(facts=[*facts, ALERT.model_copy(update={"alert_id": "stands:1:0"})])
    store.close()
    house = House(database_url)
    house.settle(house.is_quiet)
    (message,) = house.channels[TELEGRAM].received
    assert {part.alert_id for part in message.parts} == {"stands:1:0", "earlier"}
    assert any("1201 alerts began and ended" in part.text for part in message.parts)
    house.close()


def test_a_report_is_sent_once_whatever_happens(house: House) -> None:
    report = Report("daily:2026-11-28", "Day", "plain", "<p>page</p>", 5)
    assert house.worker.report(report, EMAIL)
    assert not house.worker.report(report, EMAIL)
    house.begin()
    assert not house.worker.report(report, EMAIL)
    house.settle(house.is_quiet)
    (message,) = house.channels[EMAIL].received
    assert (message.kind, message.html) == ("report", "<p>page</p>")
    assert not house.worker.report(report, EMAIL)


def test_a_library_that_raises_is_a_failure_of_the_channel_alone(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    def fault() -> Outcome:
        raise ZeroDivisionError(" ".join(["a secret", "in a text"]))

    house.channels[TELEGRAM].answer = fault
    house.alert("a:1:0")
    house.settle(lambda: house.states().get("a:1:0/raise.0/telegram") == "RETRY")
    (row,) = [row for row in house.queries.deliveries() if row["channel"] == "telegram"]
    assert row["reason"] == "ZeroDivisionError in the program; see its log"
    assert "ZeroDivisionError" in caplog.text and "in send" in caplog.text
    assert "a secret in a text" not in "\n".join(record.getMessage() for record in caplog.records)


def test_a_receiver_that_is_away_gets_it_when_it_is_back(house: House) -> None:
    """Over a real socket: refused connections, a 503 with a pause, then taken."""
    receiver = Receiver(status(204), answers=[status(503, None, Retry_After="40")])
    with receiving(receiver):
        pass  # now the port is known, and nothing listens there
    config = WebhookConfig(
        url=SecretStr(f"http://127.0.0.1:{receiver.port}/x"), signing_secret=SecretStr("signing-secret-of-this-test")
    )
    house.channels = {ChannelName.WEBHOOK: WebhookChannel(config, "abc123")}
    house.begin()
    house.alert("a:1:0")
    house.settle(lambda: "RETRY" in house.states().values())
    with receiving(receiver):
        house.now += timedelta(seconds=6)
        house.settle(lambda: len(receiver.requests) == 1 and "RETRY" in house.states().values())
        house.now += timedelta(seconds=39)
        for _ in range(5):
            house.worker.turn()
        assert len(receiver.requests) == 1, "the pause is kept"
        house.now += timedelta(seconds=2)
        house.settle(lambda: "DELIVERED" in house.states().values())
    first, second = receiver.requests
    assert b"abc123:a:1:0" in first.body and b"abc123:a:1:0" in second.body


def test_without_channels_it_reads_no_alert(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(limit: int) -> Any:
        raise AssertionError("it looked")

    house.channels = {}
    house.begin()
    monkeypatch.setattr(house.book, "unseen", refuse)
    monkeypatch.setattr(house.book, "unseen_recent", refuse)
    house.worker.turn()
    (before,) = [row["commit_no"] for row in house.queries.actors() if row["actor"] == "notifier"]
    for _ in range(5):
        house.worker.turn()
    (after,) = [row["commit_no"] for row in house.queries.actors() if row["actor"] == "notifier"]
    assert before == after, "nothing is committed either"
    house.alert("a:1:0")
    house.worker.acknowledge(Acknowledgement(alert_id="a:1:0", who="ada"))
    found = house.queries.alert("a:1:0")
    assert found is not None and found["acknowledged_by"] == "ada"


def test_the_actor_reports_a_loop_that_has_ended(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.worker, "turn", lambda: 1 / 0)
    house.worker.start()
    for _ in range(100):
        if house.worker.has_failed:
            break
        threading.Event().wait(0.02)
    assert house.worker.has_failed
    assert "ZeroDivisionError" in house.worker.last_error
