"""Messages as signed JSON to an address of the operator's (IF-4).

The signature is HMAC-SHA256 with the signing secret over `TIMESTAMP.BODY`, in hex, in the header `X-Eternal-Signature`
as `v1=HEX`; `X-Eternal-Timestamp` has the seconds since 1970. A receiver computes it anew over the body as it came,
compares in constant time, and refuses a timestamp that is more than five minutes old. `X-Eternal-Message` names the
message: one that comes twice has the same name, and its alerts always have the same numbers.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

import orjson

from infra.config.notifications import WebhookConfig
from infra.notifications.http import post, secrets_of
from infra.notifications.text import paragraph
from infra.proxy import ProxyAddress
from statemachines.notifications.message import Message, Outcome
from statemachines.notifications.plain import one_line

VERSION = 1


class WebhookChannel:
    """One request per message."""

    def __init__(
        self,
        config: WebhookConfig,
        installation: str,
        now_s: Callable[[], float] = time.time,
        proxy: ProxyAddress | None = None,
    ) -> None:
        assert config.url is not None and config.signing_secret is not None
        self._url = config.url.get_secret_value()
        secret = config.signing_secret.get_secret_value()
        self._secret, self._secrets = secret.encode(), [*secrets_of(self._url), secret]
        self._installation = installation
        self._now_s, self._proxy = now_s, proxy

    def __repr__(self) -> str:
        return "WebhookChannel()"

    def send(self, message: Message) -> Outcome:
        """Send it, signed at this moment."""
        body, stamp = as_json(message, self._installation), str(int(self._now_s()))
        headers = {
            "content-type": "application/json",
            "x-eternal-timestamp": stamp,
            "x-eternal-signature": signature(self._secret, stamp, body),
            "x-eternal-message": message.message_id,
        }
        outcome, _ = post(self._url, body, headers, "the webhook", self._secrets, self._proxy)
        return outcome


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """`v1=` and the HMAC-SHA256 over timestamp, a full stop and body, in hex."""
    return f"v1={hmac.new(secret, stamp.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def as_json(message: Message, installation: str) -> bytes:
    """The body of a request."""
    return orjson.dumps(
        {
            "version": VERSION,
            "installation": installation,
            "message": message.message_id,
            "kind": message.kind,
            "alerts": [
                {
                    "alert_id": part.alert_id,
                    "dedup_key": part.dedup_key,
                    "action": part.action,
                    "severity": part.severity,
                    "title": one_line(part.title),
                    "text": paragraph(part.text),
                    "actor": part.actor,
                    "market_ms": part.market_ms,
                }
                for part in message.parts
            ],
        }
    )
