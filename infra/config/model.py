"""The configuration as one frozen model; every refusal names field, value and what is allowed, before the start."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from infra.config.consistency import contradictions
from infra.config.engines import EnginesConfig
from infra.config.notifications import NotificationsConfig
from infra.config.sections import (
    AddressesConfig,
    ApiConfig,
    DatabaseConfig,
    ExchangeConfig,
    LiveConfig,
    NamedPath,
    RayConfig,
)
from infra.config.shared import in_force, with_sets_in_order, without_shared
from infra.database.retention import RetentionPolicy
from statemachines.deadman.parameters import DeadManParameters
from statemachines.execution.parameters import OrderParameters
from statemachines.limits.parameter_checks import ContradictionError
from statemachines.market_data.parameters import MarketDataParameters
from statemachines.orchestration.parameters import OrchestratorParameters
from statemachines.parameters import section_of
from statemachines.risk.parameters import RiskParameters, with_engine
from statemachines.supervision.policy import SupervisionPolicy

LIVE_RECONCILE_MS = 60_000


class DefaultsSource(PydanticBaseSettingsSource):
    """The defaults as values, so that a section which names one field keeps the other fields of *its* default
    (TREND-2's averages, the risk manager's limits per engine), not those of its class. pydantic-settings merges the
    sources deeply."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        return to_jsonable_python(field.get_default(call_default_factory=True)), field_name, False

    def __call__(self) -> dict[str, Any]:
        return {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}


class Profile(StrEnum):
    """Where the system trades: the simulated exchange, Bybit's demo or test environment, or with real money."""

    PAPER = "paper"
    DEMO = "demo"
    TESTNET = "testnet"
    LIVE = "live"


class EternalConfig(BaseSettings):
    """Everything that can be set. Made by `load_config`; later sources override: the specification's defaults,
    the TOML file, environment variables (ETERNAL__SECTION__NAME, DATABASE_URL), the command line."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True
    )

    profile: Profile = Profile.PAPER
    """Where the system trades: on the simulated exchange, in Bybit's demo or test environment, or with real money."""

    data_folder: NamedPath = Path(".eternal")
    """The folder with all state: embedded database, simulated exchange, archives, tokens, log (DA-5)."""

    database: DatabaseConfig = DatabaseConfig()
    """The database (DA-5)."""

    exchange: ExchangeConfig = ExchangeConfig()
    """The simulated exchange of profile paper."""

    addresses: AddressesConfig = AddressesConfig()
    """Other addresses than those of the profile, in profiles demo and testnet."""

    api: ApiConfig = ApiConfig()
    """Page and HTTP interface (IF-4)."""

    ray: RayConfig = RayConfig()
    """Ray, which runs the actors (DE-1)."""

    live: LiveConfig = LiveConfig()
    """Guards of profile live and the proxy."""

    notifications: NotificationsConfig = NotificationsConfig()
    """Messages to people: Telegram, e-mail, PagerDuty, a webhook (IF-4)."""

    retention: RetentionPolicy = RetentionPolicy()
    """How long rows stay in the database, in market time (P5)."""

    engines: EnginesConfig = Field(default_factory=lambda: EnginesConfig.model_validate({}))
    """The engines, one section each (P1)."""

    risk: RiskParameters = Field(default_factory=RiskParameters)
    """Limits of the risk manager (RM-1 to RM-6)."""

    orders: OrderParameters = Field(default_factory=OrderParameters)
    """How orders are worked (EX-1 to EX-8)."""

    orchestrator: OrchestratorParameters = Field(default_factory=OrchestratorParameters)
    """The daily cycle and the weights of the engines (OR-1, OR-3)."""

    market_data: MarketDataParameters = Field(default_factory=MarketDataParameters)
    """What is read from the exchange and how it is judged (DA-1, DA-3)."""

    dead_man: DeadManParameters = Field(default_factory=DeadManParameters)
    """The dead-man switch (RM-4)."""

    supervision: SupervisionPolicy = Field(default_factory=SupervisionPolicy)
    """How often and how fast a component is restarted (OR-8)."""

    @model_validator(mode="after")
    def _fits_the_profile(self) -> EternalConfig:
        replay = {name: getattr(self.exchange, name) for name in ("history", "from_day", "to_day")}
        given = [f"exchange.{name} {str(value)!r}" for name, value in replay.items() if value is not None]
        if self.profile is not Profile.PAPER and given:
            raise ContradictionError([f"{one} is only for profile paper; profile is {self.profile}" for one in given])
        if self.profile not in (Profile.DEMO, Profile.TESTNET):
            others = {name: value for name, value in self.addresses if value is not None}
            if others:
                raise ContradictionError(
                    [
                        f"addresses.{name} {value!r} is only for profiles demo and testnet; profile is {self.profile}"
                        for name, value in others.items()
                    ]
                )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> EternalConfig:
        """What no section can check alone, and each part's parameters as they will apply."""
        if problems := contradictions(self):
            raise ContradictionError(problems)
        _ = self.risk_in_force, self.orders_in_force
        _ = [self.in_force(f"engines.{name}") for name in ("core_hodl", "tactical")]
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What `load_config` has gathered, over the defaults. The library's own environment source is not used, since
        it ignores names that it does not know: a misspelt `ETERNAL__PROFIL=live` must be refused."""
        return init_settings, DefaultsSource(settings_cls)

    # --- places ---

    @property
    def database_folder(self) -> Path:
        """The embedded database."""
        return self.data_folder / "database"

    @property
    def exchange_folder(self) -> Path:
        """The simulated exchange's state."""
        return self.data_folder / "exchange"

    @property
    def archive_folder(self) -> Path:
        """Where retention writes its archives."""
        return self.data_folder / "archive"

    @property
    def backtests_folder(self) -> Path:
        """The backtests that were started from the console."""
        return self.data_folder / "backtests"

    @property
    def token_file(self) -> Path:
        """The API's token."""
        return self.api.token_file or self.data_folder / "api-token"

    @property
    def access_file(self) -> Path:
        """The register of persons' credentials."""
        return self.data_folder / "access.json"

    @property
    def sessions_file(self) -> Path:
        """What is kept of the console's sessions and one-time links."""
        return self.data_folder / "sessions.json"

    # --- what follows from the profile ---

    @property
    def is_simulated(self) -> bool:
        """Whether the exchange is ours (lockstep, no keys)."""
        return self.profile is Profile.PAPER

    @property
    def capital_limit_usdt(self) -> Decimal | None:
        """The most capital the engines may use together; None without a limit (every profile but live)."""
        return self.live.canary_limit_usdt if self.profile is Profile.LIVE else None

    @property
    def risk_in_force(self) -> RiskParameters:
        """The risk parameters with the limits that the engines' own parameters set, and the capital limit of the
        profile; of two capital limits the smaller one rules."""
        engines = {
            name: with_engine(one, getattr(self.engines, section_of(name), None), name)
            for name, one in self.risk.engines.items()
        }
        risk = in_force(self.risk, self)
        fund = in_force(risk.switches.insurance_fund, self)
        switches = risk.switches.model_copy(update={"insurance_fund": fund})
        limits = [one for one in (self.capital_limit_usdt, self.risk.capital_limit_usdt) if one is not None]
        return risk.model_copy(
            update={"engines": engines, "switches": switches, "capital_limit_usdt": min(limits, default=None)}
        )

    @property
    def market_data_in_force(self) -> MarketDataParameters:
        """In lockstep the age of quotes says nothing: they come when something can happen (DESIGN 3), and a reading a
        minute would let no hour pass in one step."""
        lockstep: dict[str, Any] = {"stale_quote_ms": None, "solvency_every_ms": None}
        return self.market_data.model_copy(update=lockstep) if self.is_simulated else self.market_data

    def in_force(self, section: str) -> Any:
        """The parameters of a section as they apply in this profile; `section` is its path, as `engines.trend_1`."""
        match section:
            case "risk":
                return self.risk_in_force
            case "market_data":
                return self.market_data_in_force
            case "orders":
                return self.orders_in_force
            case "engines.core_hodl" | "engines.tactical":
                return in_force(reduce(getattr, section.split("."), self), self)
        return reduce(getattr, section.split("."), self)

    @property
    def orders_in_force(self) -> OrderParameters:
        """The order manager's parameters: on a real exchange books are compared all the time, in lockstep they are
        compared at every start (nothing can go missing in between)."""
        orders = in_force(self.orders, self)
        if self.is_simulated or orders.reconcile_every_ms:
            return orders
        return orders.model_copy(update={"reconcile_every_ms": LIVE_RECONCILE_MS})

    def without_secrets(self) -> EternalConfig:
        """For processes that fetch what is secret, as far as they need it (DE-3)."""
        plain = {"database": DatabaseConfig(port=self.database.port)}
        return self.model_copy(update={**plain, "notifications": self.notifications.without_channels()})

    def public(self) -> dict[str, Any]:
        """The configuration as JSON values without any secret, for `config_versions` and the API."""
        document: dict[str, Any] = self.model_dump(mode="json", exclude={"database": {"url", "owner_url"}})
        document = with_sets_in_order(self, document)
        document["database"]["embedded"] = self.database.url is None
        return without_shared(self, document)
