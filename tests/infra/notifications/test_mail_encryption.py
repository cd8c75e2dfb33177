"""DE-3: mail leaves this machine encrypted, and only to a server whose certificate is good: STARTTLS and implicit TLS
against a server with a certificate of an authority that is made here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from infra.config.notifications import EmailConfig
from infra.notifications.email import EmailChannel
from infra.processes.ports import free_port
from statemachines.notifications.message import Delivered, Message, Part, TryAgain
from tests.infra.notifications.authority import Authority
from tests.infra.notifications.receivers import PASSWORD, USER, Mailbox, mail_server

TLS = Literal["starttls", "tls"]
HOST = "localhost"
SECRETS = (PASSWORD.encode(), b"A planted text")
MESSAGE = Message("m-1", "alert", (Part("a-1", "k", "raise", "critical", "A planted title", "A planted text", "w"),))


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    found = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(found.file))  # as the operating system's own authorities
    return found


def channel(port: int, tls: TLS) -> EmailChannel:
    return EmailChannel(
        EmailConfig.model_validate(
            {
                "host": HOST, "port": port, "tls": tls, "user": USER, "password": PASSWORD,
                "sender": "engine@example.org", "to": ["operator@example.org"],
            }
        )
    )  # fmt: skip


@contextmanager
def server(mailbox: Mailbox, port: int, tls: TLS, certificate: Any) -> Iterator[None]:
    """A mail server with this certificate that demands login and encryption."""
    with mail_server(mailbox, port, needs_login=True, **{"ssl" if tls == "tls" else "starttls": certificate}):
        yield


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_good_certificate_takes_the_mail_encrypted(authority: Authority, tls: TLS) -> None:
    mailbox, port = Mailbox(), free_port(0)
    with server(mailbox, port, tls, authority.context(HOST)):
        assert isinstance(channel(port, tls).send(MESSAGE), Delivered)
    assert len(mailbox.mails) == 1 and mailbox.were_encrypted == [True]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("host", "changes", "said"),
    [
        (HOST, {"is_self_signed": True}, "self-signed certificate"),
        (HOST, {"is_expired": True}, "certificate has expired"),
        ("other.example.org", {}, "not valid for 'localhost'"),
    ],
    ids=["self-signed", "expired", "wrong host"],
)
def test_a_bad_certificate_is_refused_with_its_reason_and_nothing_is_sent(
    authority: Authority, tls: TLS, host: str, changes: dict[str, bool], said: str
) -> None:
    mailbox, port = Mailbox(), free_port(0)
    with server(mailbox, port, tls, authority.context(host, **changes)):
        outcome = channel(port, tls).send(MESSAGE)
    assert isinstance(outcome, TryAgain) and said in outcome.reason.lower(), outcome
    assert outcome.reason.startswith("localhost: its certificate is refused") and "nothing was sent" in outcome.reason
    assert not mailbox.mails and not mailbox.logins


def test_an_authority_that_is_not_trusted_is_refused(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(Authority(tmp_path / "other").file))
    mailbox, port = Mailbox(), free_port(0)
    with server(mailbox, port, "starttls", authority.context(HOST)):
        outcome = channel(port, "starttls").send(MESSAGE)
    assert isinstance(outcome, TryAgain) and "its certificate is refused" in outcome.reason and not mailbox.logins


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_server_without_encryption_gets_neither_login_nor_message(tls: TLS) -> None:
    """What is written to it is recorded byte by byte: neither the password nor a word of the alert."""
    seen = bytearray()
    with _plain_server(seen) as port:
        outcome = channel(port, tls).send(MESSAGE)
    assert isinstance(outcome, TryAgain) and "encrypt" in outcome.reason, outcome
    assert not any(secret in seen for secret in SECRETS) and b"AUTH" not in seen and b"DATA" not in seen
    assert b"\x16\x03" in seen if tls == "tls" else b"EHLO" in seen, "it was spoken to"


@contextmanager
def _plain_server(seen: bytearray) -> Iterator[int]:
    """Speaks SMTP in clear and offers no STARTTLS."""
    loop, port, started = asyncio.new_event_loop(), free_port(0), threading.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 plain\r\n")
        while data := await reader.read(1_000):
            seen.extend(data)
            writer.write(b"250 AUTH LOGIN PLAIN\r\n")
        writer.close()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", port))
        loop.call_soon(started.set)
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
