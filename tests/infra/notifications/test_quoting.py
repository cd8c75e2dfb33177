"""What a receiver says is passed on without the secrets that it quotes (IF-4), against a real local server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from aiohttp import web

from infra.notifications.http import hidden, secrets_of
from statemachines.notifications.message import Delivered
from tests.infra.notifications.receivers import ROUTING_KEY, Receiver, Request, receiving, status
from tests.infra.notifications.test_channels import SECRETS, SIGNING, message, outcome_of, pagerduty, webhook


@pytest.mark.parametrize(
    "said",
    [
        lambda request: f"Cannot POST {request.path}",
        lambda request: f"Cannot POST {request.path.upper()}",
        lambda request: f"no hook {request.path.rpartition('/')[2]} here",
        lambda request: f"http://{request.headers['Host']}{request.path} is unknown",
        lambda request: "x" * 130 + request.path,
        lambda request: f"signed with {SIGNING}",
    ],
)
@pytest.mark.parametrize("code", [400, 403, 404, 502])
def test_a_receiver_that_quotes_the_address_is_not_quoted(code: int, said: Callable[..., str]) -> None:
    """The usual 404 of many frameworks has the path in its message; the path of a webhook is a secret."""

    def usual(request: Request) -> web.StreamResponse | float:
        return status(code, {"message": said(request), "errors": [said(request)]})(request)

    with receiving(Receiver(usual)) as hook:
        found = outcome_of(webhook(hook).send(message()))
    assert not isinstance(found, Delivered)
    assert "***" in found.reason
    assert not [secret for secret in SECRETS if secret[:8].lower() in found.reason.lower()]


def test_secrets_of_an_address() -> None:
    found = secrets_of("https://ada:pass%20word@example.org/hooks/T0K-%31N?key=s3cr3t-x&v=1")
    assert {"T0K-%31N", "T0K-1N", "pass%20word", "pass word", "s3cr3t-x"} <= set(found)
    assert hidden("bad s3cr3t-x at /hooks/t0k-1n", found) == "bad *** at ***"
    assert secrets_of("https://example.org/") == ["https://example.org/"] * 2
    assert hidden("a text", []) == "a text"


@pytest.mark.parametrize("code", [202, 400, 502])
def test_pagerduty_that_quotes_the_key_is_not_quoted(code: int) -> None:
    key = ROUTING_KEY
    answer = {"status": "success", "dedup_key": f"x{key}", "message": f"no {key}", "errors": [f"{key} is unknown"]}
    with receiving(Receiver(status(code, answer))) as events_api:
        assert "***" in repr(outcome_of(pagerduty(events_api).send(message())))
