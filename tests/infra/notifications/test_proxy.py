"""DE-3: Telegram, PagerDuty and the webhook go by the configured proxy, encrypted from end to end (CONNECT)."""

from __future__ import annotations

import base64
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra.config.notifications import NotificationsConfig, restored
from infra.config.sections import LiveConfig
from infra.notifications.channels import channels_of
from statemachines.notifications.message import ChannelName, Message, Part, TryAgain
from tests.infra.notifications.receivers import BOT_TOKEN, ROUTING_KEY

USER, WORD = "operator", "a-planted-password"
SIGNING = "0123456789abcdef-planted"
MESSAGE = Message("m-1", "alert", (Part("a-1", "k", "raise", "critical", "A title", "A planted text", "w"),))
HTTP = (ChannelName.TELEGRAM, ChannelName.PAGERDUTY, ChannelName.WEBHOOK)
HOST_OF = {
    ChannelName.TELEGRAM: b"api.telegram.org",
    ChannelName.PAGERDUTY: b"events.pagerduty.com",
    ChannelName.WEBHOOK: b"hooks.example.org",
}
SECRETS = [one.encode() for one in (BOT_TOKEN, ROUTING_KEY, SIGNING, "a-secret-path", "A planted text")]


class Proxy:
    """Takes CONNECT, and records the request and what the client writes into the tunnel first; `port`."""

    def __init__(self, *, is_refusing: bool) -> None:
        self.heads: list[bytes] = []
        self.firsts: list[bytes] = []
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = b""
                while line := self.rfile.readline():
                    head += line
                    if line == b"\r\n":
                        break
                outer.heads.append(head)
                if is_refusing:
                    self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
                    return
                self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                outer.firsts.append(self.connection.recv(65_536))

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = int(self.server.server_address[1])


@contextmanager
def proxying(*, is_refusing: bool = False) -> Iterator[Proxy]:
    proxy = Proxy(is_refusing=is_refusing)
    thread = threading.Thread(target=proxy.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join(5)


def config(**more: object) -> NotificationsConfig:
    return NotificationsConfig.model_validate(
        {
            "telegram": {"bot_token": BOT_TOKEN, "chat_ids": ["5"]},
            "pagerduty": {"routing_key": ROUTING_KEY},
            "webhook": {"url": "https://hooks.example.org/a-secret-path", "signing_secret": SIGNING},
            **more,
        }
    )


@pytest.mark.parametrize("source", ["notifications.proxy_url", "live.proxy_url"])
@pytest.mark.parametrize("name", HTTP)
def test_a_channel_goes_by_the_proxy_encrypted_from_end_to_end(name: ChannelName, source: str) -> None:
    with proxying() as proxy:
        url = f"http://{USER}:{WORD}@127.0.0.1:{proxy.port}"
        of_live = LiveConfig.model_validate({"proxy_url": url}).proxy_url if source == "live.proxy_url" else None
        own = config() if of_live is not None else config(proxy_url=url)
        channel = channels_of(restored(own.opened(*HTTP, proxy=of_live)), "i")[name]
        outcome = channel.send(MESSAGE)
    assert isinstance(outcome, TryAgain), "what answers in the tunnel is no server"
    login = base64.b64encode(f"{USER}:{WORD}".encode())
    assert proxy.heads and proxy.heads[0].startswith(b"CONNECT " + HOST_OF[name] + b":443 ")
    assert b"Basic " + login in proxy.heads[0]
    assert proxy.firsts[0][:2] == b"\x16\x03" and HOST_OF[name] in proxy.firsts[0], "TLS, to that host"
    assert not any(secret in head for head in (*proxy.heads, *proxy.firsts) for secret in SECRETS)
    assert WORD not in outcome.reason


@pytest.mark.parametrize("name", HTTP)
def test_a_proxy_that_refuses_is_said_without_its_login(name: ChannelName) -> None:
    with proxying(is_refusing=True) as proxy:
        own = config(proxy_url=f"http://{USER}:{WORD}@127.0.0.1:{proxy.port}")
        outcome = channels_of(restored(own.opened(*HTTP)), "i")[name].send(MESSAGE)
    assert isinstance(outcome, TryAgain) and "reached" in outcome.reason and WORD not in outcome.reason
    assert len(proxy.heads) >= 1 and not proxy.firsts


def test_nothing_on_this_machine_goes_by_it() -> None:
    with proxying() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        webhook = {"url": "http://127.0.0.1:9/hook", "signing_secret": SIGNING}
        own = NotificationsConfig.model_validate({"webhook": webhook, "proxy_url": url})
        channels_of(own, "i")[ChannelName.WEBHOOK].send(MESSAGE)
    assert not proxy.heads


def test_the_proxys_login_is_in_no_repr_and_travels_only_with_a_channel() -> None:
    own = config(proxy_url=f"http://{USER}:{WORD}@proxy.example:3128")
    assert WORD not in repr(own) and WORD not in own.model_dump_json()
    assert own.opened() == {} and NotificationsConfig().opened(*HTTP, proxy=own.proxy_url) == {}
    assert own.without_channels().proxy_url is None
