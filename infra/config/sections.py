"""The sections of the configuration about the installation; the rules' parameters live beside the rules."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from infra.addresses import in_url, is_loopback, reachable
from infra.database.urls import psycopg_url
from infra.days import day_of_text
from infra.proxy import ProxyAddress, proxy_address
from statemachines.limits.parameter_checks import Distinct
from statemachines.parameters import Allowed, ParameterModel, PositiveUsdt, Unit


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):  # as TOML has it
        return day_of_text(value.isoformat())
    return day_of_text(value if isinstance(value, str) else "")


def _host(text: str) -> str:
    try:
        ip_address(text)
    except ValueError:
        if not _HOST_NAME.fullmatch(text):
            raise ValueError(HOST_FORM) from None
    return text


def _cluster(text: str) -> str:
    host, colon, port = text.rpartition(":")
    is_address = bool(colon) and port.isascii() and port.isdigit() and 0 < int(port[:6]) <= MAX_PORT
    if text != "auto" and not (is_address and _is_host(host.strip("[]"))):
        raise ValueError('"auto" or HOST:PORT is required, for example 10.0.0.7:6379')
    return text


def _network(text: str) -> str:
    try:
        found = ip_network(text)
    except ValueError:
        raise ValueError("an IP address or a network is required, for example 10.0.0.7 or 10.0.0.0/24") from None
    if not found.prefixlen:
        raise ValueError("all addresses together are no proxy; name the address or the network of yours")
    return text


def _is_host(text: str) -> bool:
    try:
        return bool(_host(text))
    except ValueError:
        return False


def _named_path(value: object) -> object:
    """An empty text would be the current folder."""
    if isinstance(value, str) and (not value.strip() or "\0" in value):
        raise ValueError("a path is required, and this is none" if value.strip() else "a path is required; it is empty")
    return value


_LABEL = r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?"
_HOST_NAME = re.compile(rf"(?=.{{1,253}}$)(?!(.*\.)?\d+$){_LABEL}(\.{_LABEL})*", re.IGNORECASE | re.ASCII)
"""A name as in DNS; what ends in a number is an address, and then it must be a valid one."""

HOST_FORM = "a host name or an IP address is required, for example 127.0.0.1 or localhost"
MAX_PORT = 65_535

Host = Annotated[str, Allowed("a host name or an IP address of this machine"), AfterValidator(_host)]
ServerHost = Annotated[str, Allowed("a host name or an IP address"), AfterValidator(_host)]
Cluster = Annotated[str, Allowed('"auto" or HOST:PORT'), AfterValidator(_cluster)]
Network = Annotated[str, Allowed("an IP address or a network"), AfterValidator(_network)]
NamedPath = Annotated[Path, BeforeValidator(_named_path)]
Day = Annotated[date, BeforeValidator(_day)]
Port = Annotated[int, Field(ge=0, le=65_535), Unit("port number")]
"""0 takes a free one."""
PostgresqlUrl = Annotated[SecretStr, Allowed("postgresql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE")]
ProxyUrl = Annotated[SecretStr, Allowed("http://[USER:PASSWORD@]HOST:PORT")]


def _none_is_a_word(value: object) -> object:
    return None if isinstance(value, str) and value.lower() == "none" else value


class Section(ParameterModel):
    """Base of the sections; they never show a secret."""

    model_config = ConfigDict(hide_input_in_errors=True)


class DatabaseConfig(Section):
    """The database. URLs contain passwords: give them as DATABASE_URL and DATABASE_OWNER_URL in the environment."""

    url: PostgresqlUrl | None = Field(default=None, examples=["postgresql://eternal@db.example:5432/eternal"])
    """A database of your own (or DATABASE_URL); not set, the embedded one in the data folder is used (DA-5)."""

    owner_url: PostgresqlUrl | None = Field(default=None, examples=["postgresql://owner@db.example:5432/eternal"])
    """The login that owns the tables (or DATABASE_OWNER_URL), when that is not the one of `url` (DE-3)."""

    port: Port = 0
    """Port of the embedded database on loopback; 0 takes a free one (DA-5)."""

    @model_validator(mode="after")
    def _owner_of_what(self) -> DatabaseConfig:
        if self.owner_url is not None and self.url is None:
            raise ValueError("owner_url (DATABASE_OWNER_URL) needs url (DATABASE_URL): the embedded database has none")
        return self

    @field_validator("url", "owner_url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            psycopg_url(url.get_secret_value())
        return url


class ExchangeConfig(Section):
    """The simulated exchange of profile paper."""

    port: Port = 0
    """Its port on loopback; 0 takes a free one."""

    pace_s: Annotated[Decimal, Field(ge=0, le=86_400)] = Decimal(3)
    """Least wall time per market day; 0: as fast as the system settles."""

    seed: Annotated[int, Field(ge=0, lt=2**32), Unit("none; a seed")] = 2
    """Seed of the synthetic market, which is used when there is no `history`."""

    history: NamedPath | None = Field(default=None, examples=["prices"])
    """Folder of price files that are replayed; only for profile paper (P3)."""

    from_day: Day | None = Field(default=None, examples=["2020-01-01"])
    """First market day of the replay; not set, the first of the files."""

    to_day: Day | None = Field(default=None, examples=["2021-07-01"])
    """End of the replay, itself excluded; not set, the end of the files."""

    @model_validator(mode="after")
    def _in_order(self) -> ExchangeConfig:
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise ValueError(f"from_day {self.from_day} must be before to_day {self.to_day}")
        return self


class ApiConfig(Section):
    """The ways in: page and HTTP interface."""

    host: Host = "127.0.0.1"
    """The address at which the HTTP interface listens (IF-4, DE-3)."""

    port: Port = 0
    """Its port; 0 takes a free one (IF-4)."""

    token_file: NamedPath | None = Field(default=None, examples=["api-token"])
    """The file with the token of the HTTP interface; not set, `api-token` in the data folder, made at the first start
    (DE-3)."""

    tls_certificate: NamedPath | None = Field(default=None, examples=["console.pem"])
    """The interface's certificate, with those in between, as PEM; with it the interface talks TLS 1.3 only (DE-3)."""

    tls_key: NamedPath | None = Field(default=None, examples=["console.key"])
    """The private key of `tls_certificate`, as PEM without a password; readable by its owner only (DE-3)."""

    trusted_proxies: Annotated[tuple[Network, ...], Field(max_length=20), Distinct()] = ()
    """Proxies before the interface: what they say in X-Forwarded-For and X-Forwarded-Proto is believed, what others say
    there is ignored (DE-3)."""

    backtest_history: NamedPath | None = Field(default=None, examples=["prices"])
    """Folder of price history for backtests that are started from the console; not set, that of `exchange.history`
    (IF-3)."""

    session_idle_s: Annotated[int, Field(ge=300, le=86_400)] = 1_800
    """A session of the console ends after so long without a request; an open page sends requests (DE-3)."""

    session_longest_h: Annotated[int, Field(ge=1, le=720)] = 12
    """A session of the console ends so long after its login in any case (DE-3)."""

    @model_validator(mode="after")
    def _is_reached_safely(self) -> ApiConfig:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: give both, or neither")
        if not (is_loopback(self.host) or self.is_encrypted or self.trusted_proxies):
            raise ValueError(
                f"host {self.host} is reached from other machines, and without TLS tokens would pass the network in "
                "clear: give tls_certificate and tls_key, or name the proxy that talks TLS in trusted_proxies, or "
                "listen on 127.0.0.1"
            )
        return self

    @property
    def is_encrypted(self) -> bool:
        """Whether the interface itself talks TLS."""
        return self.tls_certificate is not None

    @property
    def scheme(self) -> str:
        """Of the interface's own addresses."""
        return "https" if self.is_encrypted else "http"

    @property
    def is_reached_from_elsewhere(self) -> bool:
        """Whether other machines reach it, directly or by a proxy."""
        return bool(self.trusted_proxies) or not is_loopback(self.host)

    def url(self, port: int) -> str:
        """The interface's address on this machine, without a path."""
        return f"{self.scheme}://{in_url(reachable(self.host))}:{port}"


class RayConfig(Section):
    """Ray, which runs the actors."""

    address: Cluster | None = Field(default=None, examples=["auto"])
    """A running cluster to join; not set, Ray is started on this machine (DE-1)."""

    dashboard_port: Port = 8265
    """Port of Ray's dashboard on loopback; 0 takes a free one."""


def _at(schemes: tuple[str, str]) -> AfterValidator:
    """An address without path, of the first scheme; of the second one, which encrypts nothing, on this machine only."""

    def check(text: str) -> str:
        parts = urlsplit(text)
        try:
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        is_whole = host and not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
        if parts.scheme not in schemes or not is_whole:
            raise ValueError(f"{schemes[0]}://HOST[:PORT] is required, without path and login")
        if parts.scheme == schemes[1] and host not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(
                f"{schemes[1]}:// encrypts nothing and is allowed on this machine only; use {schemes[0]}://"
            )
        return text.rstrip("/")

    return AfterValidator(check)


_HTTP, _WEB_SOCKET = ("https", "http"), ("wss", "ws")
HttpAddress = Annotated[str, Allowed("https://HOST[:PORT]; http:// on this machine"), _at(_HTTP)]
StreamAddress = Annotated[str, Allowed("wss://HOST[:PORT]; ws:// on this machine"), _at(_WEB_SOCKET)]


class AddressesConfig(Section):
    """Other addresses than those of the profile, in profiles demo and testnet: a simulated exchange, a gateway."""

    rest: HttpAddress | None = Field(default=None, examples=["http://127.0.0.1:8700"])
    """The exchange's REST interface; not set, that of the profile (IF-2)."""

    public_stream: StreamAddress | None = Field(default=None, examples=["ws://127.0.0.1:8700"])
    """Its public WebSocket streams; not set, those of the profile (IF-2)."""

    private_stream: StreamAddress | None = Field(default=None, examples=["ws://127.0.0.1:8700"])
    """Its private WebSocket streams; not set, those of the profile (IF-2)."""

    fear_greed: HttpAddress | None = Field(default=None, examples=["http://127.0.0.1:8700"])
    """The source of the Fear & Greed index; not set, alternative.me (DA-2)."""

    dvol: HttpAddress | None = Field(default=None, examples=["http://127.0.0.1:8700"])
    """The source of the volatility index; not set, Deribit (DA-2)."""

    @property
    def exchange(self) -> dict[str, str]:
        """The exchange's own, as far as they are set, by their names."""
        return {
            name: value
            for name in ("rest", "public_stream", "private_stream")
            if (value := getattr(self, name)) is not None
        }


class LiveConfig(Section):
    """Guards of profile live."""

    canary_limit_usdt: Annotated[
        PositiveUsdt | None,
        Allowed('a number greater than 0, or "none"'),
        BeforeValidator(_none_is_a_word, json_schema_input_type=PositiveUsdt | Literal["none"] | None),
    ] = Decimal(1_000)
    """Most that the engines together may hold in coins and positions in profile live, until the operator raises it;
    "none" lifts the limit (RM-1)."""

    proxy_url: ProxyUrl | None = Field(default=None, examples=["http://proxy.example:3128"])
    """The proxy for exchange and feeds, REST and streams alike. HTTP_PROXY and its like are ignored, and nothing on
    this machine is ever reached by a proxy (DE-3)."""

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            proxy_address(url.get_secret_value())
        return url

    def proxy(self) -> ProxyAddress | None:
        """The configured proxy."""
        return None if self.proxy_url is None else proxy_address(self.proxy_url.get_secret_value())
