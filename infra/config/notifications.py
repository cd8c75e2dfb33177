"""The sections of the configuration about messages to people. A channel whose address or secret is not set is off."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from infra.addresses import is_loopback
from infra.config.sections import HttpAddress, ProxyUrl, Section, ServerHost
from infra.proxy import ProxyAddress, proxy_address
from statemachines.limits.parameter_checks import Distinct
from statemachines.notifications.message import ChannelName
from statemachines.notifications.parameters import ZONE_FORM, NotificationRules
from statemachines.parameters import Allowed, Unit
from statemachines.reports.parameters import NONE, ReportRules

_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"\[\]\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,255}")
_BOT_TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{16,64}")
_CHAT = re.compile(r"-?\d{1,19}")
_USER = re.compile(r"(?:([A-Za-z][A-Za-z0-9 ._-]{0,39}):)?(\d{1,19})")


def _mail_address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError("a plain mail address is required, for example operator@example.org")
    return text


def _chat(text: str) -> str:
    if not _CHAT.fullmatch(text):
        raise ValueError("the number of a chat or user is required, for example 123456789 or -1001234567890")
    return text


def _person(text: str) -> str:
    if not _USER.fullmatch(text):
        raise ValueError("a person's name and number are required, for example alice:123456789, or the number alone")
    return text


def _shaped(pattern: re.Pattern[str], form: str) -> AfterValidator:
    def check(secret: SecretStr) -> SecretStr:
        if not pattern.fullmatch(secret.get_secret_value()):
            raise ValueError(f"{form} is required")
        return secret

    return AfterValidator(check)


def _target(secret: SecretStr) -> SecretStr:
    """An address with its path, which may hold a token: it is never shown."""
    form = "https://HOST[:PORT]/PATH is required, without login; http:// on this machine"
    text = secret.get_secret_value()
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(form) from None
    is_plain = parts.scheme == "http" and host is not None and is_loopback(host)
    if not host or parts.username or parts.fragment or not text.isprintable() or " " in text:
        raise ValueError(form)
    if parts.scheme != "https" and not is_plain:
        raise ValueError(form)
    return secret


MailAddress = Annotated[str, Allowed("a mail address"), AfterValidator(_mail_address)]
ChatId = Annotated[
    str, Field(coerce_numbers_to_str=True), Allowed("the number of a chat or user"), AfterValidator(_chat)
]
Person = Annotated[
    str,
    Field(coerce_numbers_to_str=True),
    Allowed("NAME:NUMBER of a user, or the number alone"),
    AfterValidator(_person),
]
BotToken = Annotated[SecretStr, Allowed("the token of a bot, NUMBER:TEXT"), _shaped(_BOT_TOKEN, "NUMBER:TEXT")]
RoutingKey = Annotated[
    SecretStr,
    Allowed("an integration key of Events API v2"),
    _shaped(_ROUTING_KEY, "an integration key of 16 to 64 letters and digits"),
]
SigningSecret = Annotated[SecretStr, Field(min_length=16, max_length=256), Allowed("a text of 16 to 256 characters")]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1_000), Allowed("a text of 1 to 1000 characters")]
User = Annotated[str, Field(min_length=1, max_length=320, pattern=r"^[^\x00-\x1f\x7f]+$"), Allowed("a login name")]
WebhookUrl = Annotated[SecretStr, Allowed("https://HOST[:PORT]/PATH; http:// on this machine"), AfterValidator(_target)]


class TelegramConfig(Section):
    """Messages by a bot of Telegram; off without `bot_token`."""

    bot_token: BotToken | None = Field(default=None, examples=["123456789:AAExampleExampleExampleExample_12345"])
    """The token that BotFather gave; better in ETERNAL__NOTIFICATIONS__TELEGRAM__BOT_TOKEN (IF-4)."""

    chat_ids: Annotated[tuple[ChatId, ...], Field(min_length=1, max_length=20), Distinct()] | None = Field(
        default=None, examples=[["123456789"]]
    )
    """The chats that receive alerts, and from which commands are taken (IF-4)."""

    user_ids: Annotated[tuple[Person, ...], Field(max_length=50), Distinct()] = ()
    """The users from whom commands are taken, in one of `chat_ids`, with the name in which they are recorded; none: the
    bot takes no commands (IF-4)."""

    api_url: HttpAddress = "https://api.telegram.org"
    """The Bot API; another address for a server of your own, or for tests (IF-4)."""

    @model_validator(mode="after")
    def _is_whole(self) -> TelegramConfig:
        if self.bot_token is None and (self.chat_ids or self.user_ids):
            raise ValueError("chat_ids and user_ids need bot_token, without which Telegram is off")
        if self.bot_token is not None and not self.chat_ids:
            raise ValueError("bot_token needs chat_ids: at least one chat that receives alerts")
        if len(self.people) < len(self.user_ids):
            raise ValueError("user_ids has one user twice: the record of a command names one person")
        return self

    @property
    def people(self) -> Mapping[int, str]:
        """The persons from whom commands are taken: Telegram's number of each, and the name for the record."""
        found = [matched.groups() for one in self.user_ids if (matched := _USER.fullmatch(one))]
        return {int(number): name or f"Telegram user {number}" for name, number in found}

    @property
    def is_on(self) -> bool:
        """Whether the channel is in use."""
        return self.bot_token is not None


class EmailConfig(Section):
    """Messages by e-mail; off without `host`."""

    host: ServerHost | None = Field(default=None, examples=["smtp.example.org"])
    """The mail server that takes the messages (IF-4)."""

    port: Annotated[int, Field(ge=1, le=65_535), Unit("port number")] = 587
    """Its port: 587 with `starttls`, 465 with `tls` (IF-4)."""

    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; none is allowed to a server on this machine only (DE-3)."""

    user: User | None = Field(default=None, examples=["operator@example.org"])
    """The login; not set, none is used."""

    password: Password | None = Field(default=None, examples=["an-app-password"])
    """The login's password; better in ETERNAL__NOTIFICATIONS__EMAIL__PASSWORD (DE-3)."""

    sender: MailAddress | None = Field(default=None, examples=["engine@example.org"])
    """The address that messages come from."""

    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=20), Distinct()] | None = Field(
        default=None, examples=[["operator@example.org"]]
    )
    """The addresses that receive alerts and reports."""

    @model_validator(mode="after")
    def _is_whole(self) -> EmailConfig:
        if self.host is None:
            if self.user or self.password or self.sender or self.to:
                raise ValueError("user, password, sender and to need host, without which e-mail is off")
            return self
        if self.sender is None or not self.to:
            raise ValueError("host needs sender and to: the address that messages come from, and those that get them")
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together: give both, or neither")
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError(
                f"tls none sends the messages in clear to {self.host}; it is allowed to this machine only: "
                "use starttls or tls"
            )
        return self

    @property
    def is_on(self) -> bool:
        """Whether the channel is in use."""
        return self.host is not None


class PagerDutyConfig(Section):
    """Incidents of PagerDuty (Events API v2); off without `routing_key`."""

    routing_key: RoutingKey | None = Field(default=None, examples=["0123456789abcdef0123456789abcdef"])
    """The integration key of the service; better in ETERNAL__NOTIFICATIONS__PAGERDUTY__ROUTING_KEY (IF-4)."""

    url: HttpAddress = "https://events.pagerduty.com"
    """The Events API; https://events.eu.pagerduty.com for accounts in the EU (IF-4)."""

    @property
    def is_on(self) -> bool:
        """Whether the channel is in use."""
        return self.routing_key is not None


class WebhookConfig(Section):
    """Messages as signed JSON to an address of your own; off without `url`."""

    url: WebhookUrl | None = Field(default=None, examples=["https://hooks.example.org/eternal"])
    """The address that takes them; it may hold a token and is never shown (IF-4)."""

    signing_secret: SigningSecret | None = Field(default=None, examples=["at-least-sixteen-characters"])
    """With it every message is signed: HMAC-SHA256 over time and body (IF-4)."""

    @model_validator(mode="after")
    def _is_whole(self) -> WebhookConfig:
        if (self.url is None) != (self.signing_secret is None):
            raise ValueError("url and signing_secret belong together: messages are always signed")
        return self

    @property
    def is_on(self) -> bool:
        """Whether the channel is in use."""
        return self.url is not None


class NotificationsConfig(Section):
    """Messages to people: alerts and reports."""

    telegram: TelegramConfig = TelegramConfig()
    """Messages by a bot of Telegram (IF-4)."""

    email: EmailConfig = EmailConfig()
    """Messages by e-mail (IF-4)."""

    pagerduty: PagerDutyConfig = PagerDutyConfig()
    """Incidents of PagerDuty (IF-4)."""

    webhook: WebhookConfig = WebhookConfig()
    """Messages as signed JSON (IF-4)."""

    proxy_url: ProxyUrl | None = Field(default=None, examples=["http://proxy.example:3128"])
    """The proxy for Telegram, PagerDuty and webhook; not set, that of live.proxy_url. Mail never goes by a proxy, nor
    does anything on this machine (DE-3)."""

    rules: NotificationRules = NotificationRules()
    """What goes where, when, and how often (RM-5)."""

    reports: ReportRules = ReportRules()
    """Daily and monthly reports by e-mail (IF-4)."""

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            proxy_address(url.get_secret_value())
        return url

    @model_validator(mode="after")
    def _has_a_zone(self) -> NotificationsConfig:
        try:
            _ = self.zone
        except (OSError, ValueError, LookupError):  # a name that is a folder, or one that does not exist
            raise ValueError(f"rules.time_zone {self.rules.time_zone} does not exist; {ZONE_FORM}") from None
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The zone of `rules.time_zone`."""
        return ZoneInfo(self.rules.time_zone)

    @property
    def channels(self) -> tuple[ChannelName, ...]:
        """The channels that are on."""
        return tuple(name for name in ChannelName if getattr(self, name).is_on)

    def opened(self, *channels: ChannelName, proxy: SecretStr | None = None) -> dict[str, Any]:
        """The settings of channels with their secrets in the open, for the process that uses them: never to be stored
        or shown. Channels that are off are left out. `proxy`: the one to use when none of our own is set."""
        found: dict[str, Any] = {str(name): _open(getattr(self, name)) for name in channels if name in self.channels}
        url = self.proxy_url or proxy
        return {**found, "proxy_url": url.get_secret_value()} if found and url is not None else found

    def proxy(self) -> ProxyAddress | None:
        """The configured proxy."""
        return None if self.proxy_url is None else proxy_address(self.proxy_url.get_secret_value())

    def without_channels(self) -> NotificationsConfig:
        """For processes that use no channel. Without e-mail there are no reports."""
        return NotificationsConfig(rules=self.rules, reports=self.reports if self.email.is_on else NONE)


def restored(opened: Mapping[str, Any]) -> NotificationsConfig:
    """What `opened` made of the channels, at the other end."""
    return NotificationsConfig.model_validate(opened)


def _open(section: Section) -> dict[str, Any]:
    values = {name: value for name, value in section if value is not None}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}
