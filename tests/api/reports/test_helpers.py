"""IF-4: what runs beside the pages for people, by the configuration; and who may command by Telegram."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import Any

import pytest

from actors.notifier import Notifier
from api.access.failures import FailureDesk
from api.assembly import CHANNELS_OF
from api.people.helpers import helpers
from api.reports.desk import ReportDesk
from api.telegram.polling import TelegramDoor
from infra.config import EternalConfig
from infra.config.load import load_config
from infra.database.queries import Queries
from infra.database.reading.reports import MADE, made_of
from infra.database.store import PostgresStore
from infra.faults import ConfigurationError
from statemachines.notifications.message import ChannelName
from statemachines.notifications.outbox import Outbox
from statemachines.notifications.report import Report
from statemachines.reports.schedule import ReportKind, Sent, sent_of
from statemachines.values import ActorName
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures
from tests.kit.rows import Pen

TELEGRAM = {"bot_token": "123456789:AAExampleExampleExampleExample_12345", "chat_ids": ["-100123"]}
EMAIL = {"host": "smtp.example.org", "sender": "engine@example.org", "to": ["operator@example.org"]}


def config_of(**channels: Any) -> EternalConfig:
    return load_config({"notifications": channels})


def kinds_of(config: EternalConfig) -> list[type]:
    """As the API's process does it: with the configuration without secrets, and what it fetched."""
    opened = config.notifications.opened(*CHANNELS_OF[ActorName.API])
    services: list[Any] = []

    def make_service() -> Any:
        services.append(_Service())
        return services[-1]

    found = helpers(config.without_secrets(), opened, make_service, _send, FailureDesk())
    assert len(services) == len(found), "one of its own for each"
    return [type(one) for one in found]


class _Service:
    """It is asked for nothing before a helper is started."""

    reading = None


def _send(*_: Any) -> None:
    raise AssertionError("nothing is sent before a helper is started")


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({}, []),
        ({"telegram": TELEGRAM}, []),
        ({"telegram": {**TELEGRAM, "user_ids": ["alice:42"]}}, [TelegramDoor]),
        ({"email": EMAIL}, [ReportDesk]),
        ({"email": EMAIL, "reports": {"daily": False, "monthly": False}}, []),
        ({"email": EMAIL, "telegram": {**TELEGRAM, "user_ids": ["42"]}}, [TelegramDoor, ReportDesk]),
    ],
    ids=["nothing", "alerts only", "commands", "reports", "no reports", "both"],
)
def test_what_is_configured_is_started(channels: dict[str, Any], expected: list[type]) -> None:
    assert kinds_of(config_of(**channels)) == expected


def test_one_that_cannot_be_made_harms_neither_the_pages_nor_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ImportError("the library is broken")

    monkeypatch.setattr("api.people.helpers.telegram_door", broken)
    config = config_of(email=EMAIL, telegram={**TELEGRAM, "user_ids": ["42"]})
    opened = config.notifications.opened(*CHANNELS_OF[ActorName.API])
    services: Any = _Service
    found = helpers(config.without_secrets(), opened, services, _send, FailureDesk())
    assert [type(one) for one in found] == [ReportDesk]


def test_the_process_of_the_pages_gets_no_login_of_the_mail_server() -> None:
    email = {**EMAIL, "user": "engine", "password": "planted-password"}
    config = config_of(email=email, telegram={**TELEGRAM, "user_ids": ["42"]})
    assert config.notifications.opened(*CHANNELS_OF[ActorName.API]).keys() == {"telegram"}
    assert "planted" not in repr(config.without_secrets()) and config.without_secrets().notifications.reports.daily


def test_a_person_has_the_name_of_the_configuration() -> None:
    people = config_of(telegram={**TELEGRAM, "user_ids": ["alice:42", "43", 44]}).notifications.telegram.people
    assert people == {42: "alice", 43: "Telegram user 43", 44: "Telegram user 44"}


@pytest.mark.parametrize(
    "user_ids", [["alice"], ["alice:"], [":42"], ["-42"], ["alice:42", "bob:42"], ["\u202ealice:42"]]
)
def test_an_unclear_person_is_refused(user_ids: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="user_ids"):
        config_of(telegram={**TELEGRAM, "user_ids": user_ids})


def test_the_notifier_gets_the_report_as_it_was_made() -> None:
    """What the API's process sends is what the notifier's outbox records, for e-mail alone."""
    report = Report("daily:2026-11-28", "Daily report", "text", "<html></html>", 5)
    recorded: list[tuple[Report, ChannelName]] = []

    class Worker:
        def report(self, given: Report, channel: ChannelName) -> None:
            recorded.append((given, channel))

    notifier = Notifier(None, "notifier")  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="not been started"):
        notifier.report(asdict(report))
    vars(notifier)["_worker"] = Worker()
    notifier.report(asdict(report))
    assert recorded == [(report, ChannelName.EMAIL)]


def test_what_was_handed_over_is_read_from_the_deliveries(database_url: str) -> None:  # noqa: F811
    """The key in the delivery's id is the one that the schedule reads."""
    now = datetime(2026, 11, 29, 8, tzinfo=UTC)
    outbox = Outbox("abc123", 0)
    for key in ("daily:2026-11-28", "monthly:2026-10", "daily:2026-11-20..2026-11-27"):
        outbox.add_report(Report(key, "t", "x", None, 5), ChannelName.EMAIL, now)
    store, queries = PostgresStore(database_url), Queries(database_url)
    try:
        Pen(store, "notifier").write(facts=outbox.taken()[0])
        made = made_of(queries.rows(MADE))
    finally:
        store.close()
        queries.close()
    assert sent_of(ReportKind.DAILY, made, now) == Sent(date(2026, 11, 28), now)
    assert sent_of(ReportKind.MONTHLY, made, now) == Sent(date(2026, 10, 31), now)
