"""Alerts and reports by e-mail (IF-4)."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import aiosmtplib

from infra.config.notifications import EmailConfig
from infra.notifications.asynchronous import finished
from infra.notifications.text import footing, heading, left_out, paragraph, subject
from statemachines.notifications.message import Delivered, Message, Outcome, RefusedForGood, TryAgain
from statemachines.notifications.plain import one_line, shortened

TIMEOUT_S = 20.0
MOST_OF_SUBJECT = 180
PERMANENT = range(500, 600)
NAME = "Eternal Engine"
MOST_CAUSES = 8
"""Errors behind an error that are looked at."""


class EmailChannel:
    """One connection per message: alerts are rare. `installation` is part of the messages' ids."""

    def __init__(self, config: EmailConfig) -> None:
        self._config = config

    def __repr__(self) -> str:
        return "EmailChannel()"

    def send(self, message: Message) -> Outcome:
        """Send one message to all recipients."""
        return finished(self._send(message))

    async def _send(self, message: Message) -> Outcome:
        config = self._config
        assert config.host is not None and config.sender is not None
        password = None if config.password is None else config.password.get_secret_value()
        try:
            refused, answer = await aiosmtplib.send(
                as_mail(message, config),
                sender=config.sender,
                recipients=list(config.to or ()),
                hostname=config.host,
                port=config.port,
                use_tls=config.tls == "tls",
                start_tls=config.tls == "starttls",
                username=config.user,
                password=password,
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPAuthenticationError as error:
            return TryAgain(f"{config.host} refuses the login of {config.user} (code {error.code})")
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = sorted({one.code for one in error.recipients})
            return _by_code(codes[0], f"{config.host} refuses every recipient ({_listed(codes)})", of_message=False)
        except aiosmtplib.SMTPSenderRefused as error:
            return TryAgain(f"{config.host} refuses the sender {config.sender} (code {error.code})")
        except aiosmtplib.SMTPDataError as error:
            return _by_code(error.code, f"{config.host} refuses the message (code {error.code})", of_message=True)
        except aiosmtplib.SMTPTimeoutError:
            return TryAgain(f"{config.host} did not answer in time; whether the message arrived is not known")
        except aiosmtplib.SMTPResponseException as error:
            return TryAgain(f"{config.host} answered with code {error.code}")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return TryAgain(f"{config.host}{_unusable(error, config.port)}")
        taken = len(config.to or ()) - len(refused)
        return Delivered(shortened(f"{taken} of {len(config.to or ())} recipients; {answer}", 200))


def _unusable(error: Exception, port: int) -> str:
    """Why there was no connection, or none that is encrypted with a good certificate: then nothing was sent."""
    causes: list[BaseException] = [error]
    while len(causes) < MOST_CAUSES and (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)
    for one in causes:
        if isinstance(one, ssl.SSLCertVerificationError):
            return f": its certificate is refused ({one.verify_message.rstrip('.')}); nothing was sent"
    for one in causes:
        if isinstance(one, ssl.SSLError):
            why = (one.reason or "TLS").replace("_", " ").lower()
            return f": the connection cannot be encrypted ({why}); nothing was sent"
    if "STARTTLS" in str(error):
        return ": the connection cannot be encrypted (it does not offer STARTTLS); nothing was sent"
    return f":{port} cannot be used ({type(error).__name__})"


def _by_code(code: int, reason: str, *, of_message: bool) -> Outcome:
    """A permanent refusal of this very message is for good; one of an address may be a setting."""
    return RefusedForGood(reason) if of_message and code in PERMANENT else TryAgain(reason)


def _listed(codes: list[int]) -> str:
    return "code " + ", ".join(map(str, codes))


def as_mail(message: Message, config: EmailConfig) -> EmailMessage:
    """The mail. No text of an alert can become a header: a title is one line, and the library refuses line breaks."""
    assert config.sender is not None
    mail = EmailMessage(policy=SMTP)
    mail["Subject"] = shortened(subject(message), MOST_OF_SUBJECT)
    mail["From"] = Address(NAME, addr_spec=config.sender)
    mail["To"] = [Address(addr_spec=one) for one in config.to or ()]
    mail["Date"] = format_datetime(datetime.now(UTC))
    # The same when it is sent again after a crash: mail programs show it once.
    mail["Message-ID"] = f"<{message.message_id}@{config.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.kind == "alert":
        mail["X-Eternal-Alert"] = ", ".join(one_line(part.alert_id) for part in message.parts)[:500]
    mail.set_content(as_text(message))
    if message.html is not None:
        mail.add_alternative(message.html, subtype="html")
    return mail


def as_text(message: Message) -> str:
    """The plain text of a mail."""
    if message.kind == "report":
        return paragraph(message.parts[0].text) + "\n"
    blocks = [f"{heading(part)}\n\n{paragraph(part.text)}\n\n({footing(part)})" for part in message.parts]
    return ("\n\n" + "-" * 60 + "\n\n").join([*blocks, *([left_out(message)] if message.omitted else [])]) + "\n"
