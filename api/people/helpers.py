"""What the API's process does for people beside its pages: commands by Telegram, reports by e-mail. Each on threads of
its own, over an operator service of its own: a failure of theirs reaches no request."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Protocol

from api.acknowledging import AcknowledgeRequest, AcknowledgeService
from api.control import CommandService, Send
from api.service import OperatorService
from statemachines.messages.control import ComponentAlert
from statemachines.values import ActorName

if TYPE_CHECKING:
    from api.access.failures import FailureDesk
    from infra.config import EternalConfig
    from infra.config.notifications import TelegramConfig
    from infra.proxy import ProxyAddress


_log = logging.getLogger(__name__)


class Ending(Protocol):
    """What works until it is stopped."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


MakeService = Callable[[], OperatorService]


def helpers(
    config: EternalConfig,
    opened: Mapping[str, Any],
    make_service: MakeService,
    send: Send,
    failures: FailureDesk,
) -> list[Ending]:
    """Those that the configuration asks for. `opened`: the channels that this process uses, with their secrets. One
    that cannot be made is logged and left out: the pages must be there without it."""
    from infra.config.notifications import restored

    channels = restored(opened)
    telegram = channels.telegram
    wanted: dict[str, Callable[[], Ending]] = {}
    if telegram.bot_token is not None and telegram.people:
        wanted["commands by Telegram"] = lambda: telegram_door(
            telegram, make_service(), send, failures, channels.proxy()
        )
    if config.notifications.reports.kinds:
        wanted["reports"] = lambda: report_desk(config, make_service(), send)
    found: list[Ending] = []
    for what, make in wanted.items():
        try:
            found.append(make())
        except Exception:  # noqa: BLE001 - whatever it is, the interface must start
            _log.exception("there are no %s: they could not be begun", what)
    return found


def telegram_door(
    config: TelegramConfig,
    service: OperatorService,
    send: Send,
    failures: FailureDesk,
    proxy: ProxyAddress | None = None,
) -> Ending:
    """The reader of the bot's messages."""
    from api.telegram.desk import Allowed, Desk
    from api.telegram.polling import REPORTED_AFTER_S, Poller, TelegramDoor, make_bot

    assert config.bot_token is not None
    token = config.bot_token.get_secret_value()
    alerts = AcknowledgeService(send, service)

    def acknowledge(alert_id: str, text: str, holder: str) -> str:
        return alerts.acknowledge(alert_id, AcknowledgeRequest(text=text), holder).text

    allowed = Allowed(frozenset(map(int, config.chat_ids or ())), config.people)
    desk = Desk(service, CommandService(send, service), acknowledge, allowed, failures)

    def report(what: str) -> None:
        text = (
            f"No command by Telegram has been read for {REPORTED_AFTER_S / 60:.0f} min: {what}. It is tried on. Use "
            "console or command line meanwhile."
        )
        body = ComponentAlert(component=ActorName.API, severity="warning", text=text)
        call = (body.KIND, body.model_dump(mode="json"), f"telegram:{uuid.uuid4().hex}")
        send(ActorName.ORCHESTRATOR, "command", call)

    return TelegramDoor(lambda: Poller(make_bot(token, config.api_url, proxy), desk, report=report))


def report_desk(config: EternalConfig, service: OperatorService, send: Send) -> Ending:
    """The maker of the reports that are due."""
    from api.reports.desk import ReportDesk, Rules
    from infra.database.reading.reports import MADE, made_of
    from statemachines.notifications.report import Report

    wanted = config.notifications
    rules = Rules(
        kinds=wanted.reports.kinds,
        at=wanted.reports.time_of_day,
        zone=wanted.zone,
        is_wall_time=not config.is_simulated,
        profile=str(config.profile),
    )

    def hand_over(report: Report) -> None:
        send(ActorName.NOTIFIER, "report", (asdict(report),))

    return ReportDesk(service, rules, lambda: made_of(service.reading.queries.rows(MADE)), hand_over)
