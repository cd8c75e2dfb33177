"""The sections of the configuration about the installation; the rules' parameters live beside the rules."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from infra.database.urls import psycopg_url
from infra.days import day_of_text
from infra.proxy import ProxyAddress, proxy_address


def _day(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):  # as TOML has it
        return day_of_text(value.isoformat())
    return day_of_text(value if isinstance(value, str) else "")


Day = Annotated[date, BeforeValidator(_day)]
Port = Annotated[int, Field(ge=0, le=65_535)]
"""0 takes a free one."""


class Section(BaseModel):
    """Base of the sections: frozen, refuses unknown names, never shows a secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DatabaseConfig(Section):
    """The database. Without `url` (or DATABASE_URL) the embedded one in the data folder is used; `port` is its port.
    `owner_url` (or DATABASE_OWNER_URL) is the login that owns the tables, when that is not the one of `url`."""

    url: SecretStr | None = None
    owner_url: SecretStr | None = None
    port: Port = 0

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
    """The simulated exchange of profile paper.

    `pace_s` is the least wall time per market day in seconds (0: as fast as the system settles). Without `history` (a
    folder of price files) the market is synthetic from `seed`. `from_day` and `to_day` (exclusive) bound the replay.
    """

    port: Port = 0
    pace_s: Annotated[Decimal, Field(ge=0, le=86_400)] = Decimal(3)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 2
    history: Path | None = None
    from_day: Day | None = None
    to_day: Day | None = None

    @model_validator(mode="after")
    def _in_order(self) -> ExchangeConfig:
        if self.from_day and self.to_day and self.from_day >= self.to_day:
            raise ValueError(f"from_day {self.from_day} must be before to_day {self.to_day}")
        return self


class ApiConfig(Section):
    """The ways in. `token_file` None means `api-token` in the data folder, made at the first start."""

    host: str = "127.0.0.1"
    port: Port = 0
    token_file: Path | None = None


class RayConfig(Section):
    """Ray. `address` None starts one here; "auto" or host:port joins a running cluster."""

    address: str | None = None
    dashboard_port: Port = 8265


class LiveConfig(Section):
    """Guards of profile live. The engines together never use more than `canary_limit_usdt` of the account's
    capital until the operator raises it; None (in TOML: "none") lifts the limit.

    `proxy_url` (http://[USER:PASSWORD@]HOST:PORT) is the one way to exchange and feeds through a proxy, for REST and
    streams alike; HTTP_PROXY and its like are ignored, and nothing on this machine is ever reached by a proxy."""

    canary_limit_usdt: Annotated[Decimal, Field(gt=0)] | None = Decimal(1_000)
    proxy_url: SecretStr | None = None

    @field_validator("canary_limit_usdt", mode="before")
    @classmethod
    def _none_is_a_word(cls, value: object) -> object:
        return None if isinstance(value, str) and value.lower() == "none" else value

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            proxy_address(url.get_secret_value())
        return url

    def proxy(self) -> ProxyAddress | None:
        """The configured proxy."""
        return None if self.proxy_url is None else proxy_address(self.proxy_url.get_secret_value())
