"""Incidents of PagerDuty, Events API v2 (IF-4): one per alert, by its `dedup_key`, so that a repeat is harmless."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from infra.config.notifications import PagerDutyConfig
from infra.notifications.http import hidden, post
from infra.notifications.text import footing, paragraph
from infra.proxy import ProxyAddress
from statemachines.notifications.message import Action, Delivered, Message, Outcome, Part, TryAgain
from statemachines.notifications.plain import one_line, shortened

PATH = "/v2/enqueue"
EVENTS: Mapping[Action, str] = {
    "raise": "trigger",
    "change": "trigger",
    "repeat": "trigger",
    "acknowledge": "acknowledge",
    "resolve": "resolve",
}
SEVERITIES = {"info": "info", "warning": "warning", "critical": "critical"}
MOST_OF_SUMMARY, MOST_OF_KEY, MOST_OF_TEXT = 1_024, 255, 8_000


class PagerDutyChannel:
    """One event per message (`message.GROUPS`)."""

    def __init__(self, config: PagerDutyConfig, proxy: ProxyAddress | None = None) -> None:
        assert config.routing_key is not None
        self._key = config.routing_key.get_secret_value()
        self._url, self._proxy = config.url + PATH, proxy

    def __repr__(self) -> str:
        return "PagerDutyChannel()"

    def send(self, message: Message) -> Outcome:
        """Send the event of its one alert."""
        (part,) = message.parts
        body = orjson.dumps(event(part, self._key))
        outcome, answer = post(
            self._url, body, {"content-type": "application/json"}, "PagerDuty", [self._key], self._proxy
        )
        if not isinstance(outcome, Delivered):
            return outcome
        # A proxy's page of HTML with status 200 is no acceptance.
        if not isinstance(answer, dict) or answer.get("status") != "success":
            return TryAgain("PagerDuty's answer is not that of its Events API; whether the event arrived is not known")
        return Delivered(shortened(hidden(str(answer.get("dedup_key", "")), [self._key]), 200))


def event(part: Part, routing_key: str) -> dict[str, object]:
    """The event as the API takes it. `acknowledge` and `resolve` need no payload."""
    found: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": EVENTS[part.action],
        "dedup_key": part.dedup_key[:MOST_OF_KEY],
    }
    if found["event_action"] == "trigger":
        found["payload"] = {
            "summary": shortened(one_line(part.title), MOST_OF_SUMMARY) or "alert",
            "source": one_line(part.actor) or "eternal-engine",
            "severity": SEVERITIES[part.severity],
            "component": one_line(part.actor),
            "custom_details": {
                "alert": part.alert_id,
                "text": shortened(paragraph(part.text), MOST_OF_TEXT),
                "raised": footing(part),
            },
        }
    return found
