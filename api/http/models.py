"""What the HTTP interface answers with, for its documents: money is text, `_ms` are milliseconds UTC of market time,
`_s` seconds of wall time. The answers themselves come from the operator service; a test holds them against this."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field


def _decimal(description: str) -> Any:
    return Field(description=description, examples=["58420.50"], json_schema_extra={"format": "decimal"})


Money = Annotated[str, _decimal("an exact decimal as text")]
"""The field's name or its description has the unit."""
Price = Annotated[str, _decimal("USDT for one of the base coin")]
Quantity = Annotated[str, _decimal("in the base coin")]
Count = Annotated[int, Field(description="a count")]
At = Annotated[str, Field(description="wall time, ISO 8601, UTC", examples=["2025-01-31T12:00:00.000+00:00"])]
Ms = Annotated[int, Field(description="milliseconds UTC, market time", examples=[1735689600000])]
Json = Annotated[dict[str, Any], Field(description="the numbers by name; units are part of the names")]
RowT = TypeVar("RowT")


class Model(BaseModel):
    """Base: what is not described does not occur."""

    model_config = ConfigDict(extra="forbid")


class Page(Model, Generic[RowT]):
    """One page of a list, newest row first."""

    rows: list[RowT]
    next: str | None = Field(description="give it as `before` for the page after; null when there is none")


class Health(Model):
    """Whether all is well, that is: everything runs, nothing is stale and trading is allowed. If not, why: one sentence
    per reason."""

    ok: bool
    reasons: list[str]


Urgency = Annotated[
    Literal["act", "read", "none"],
    Field(
        description="act: a person must act now, for something is not well that the system does not repair by itself, "
        "or a critical alert waits; read: to be looked at when there is time; none: nothing is expected"
    ),
]


class Refusal(Model):
    """Why a request was refused."""

    error: str = Field(description="a sentence with field, value and what is allowed")
    field: str | None = None
    value: str | None = None
    allowed: list[str] = []


class Actor(Model):
    """One actor as the supervision and the database know it. UNKNOWN where neither can say."""

    name: str
    state: str = Field(description="of its life cycle (machine `component`)", examples=["RUNNING"])
    russian: str
    since_s: float | None = Field(description="age of this state")
    reason: str
    heartbeat_age_s: float | None = Field(description="age of its last sign of life")
    committed_age_s: float | None = Field(description="age of its newest durable step")
    commit_no: int | None = Field(description="number of its newest durable step")
    epoch: int | None = Field(description="number of its incarnation")
    restarts: int = Field(description="count since the system started")
    recovered_in_ms: int | None = Field(description="wall time from its last fault to healthy")
    last_error: str
    stream_faults: list[str]
    silence_s: dict[str, float] = Field(description="per stream the seconds since it was last known to live (RM-4)")
    data_age_s: dict[str, float] = Field(description="per public stream the seconds since it last brought data (RM-4)")
    pid: int | None = Field(description="id of its process")
    inbox: int | None = Field(description="count of messages waiting")
    pending_requests: int | None = Field(description="count of requests to the exchange without an answer")
    undelivered: int | None = Field(description="count of messages that not every recipient has committed")
    policy_version: int | None = Field(description="the version of the policy that it decides by (RM-6)")
    market_ms: Ms | None


class DurableRecord(Model):
    """A durable row of an actor that is no state machine: books, views, counters."""

    key: str
    version: int = Field(description="number of the commit that wrote it")
    market_ms: Ms
    data: Json


class MachineState(DurableRecord):
    """The durable state of one machine of an actor."""

    machine: str = Field(description="its table, as in `/api/v1/machines`")
    state: str
    russian: str


class ActorDetail(Actor):
    """One actor with its durable rows: those that are state machines, and the others."""

    machines: list[MachineState]
    records: list[DurableRecord]


class Transition(Model):
    """A change of state with the reason and the numbers that led to it (P3)."""

    id: int = Field(description="its number in the journal")
    actor: str
    market_ms: Ms
    recorded_at: At
    machine_table: str = Field(
        description='the name in `/api/v1/machines` of the table of which this is a row; "" in old rows'
    )
    machine: str = Field(description="the key of the machine on that table")
    trigger: str
    source: str
    dest: str
    reason: str
    data: Json
    cause: str = Field(description="id of the message, answer or fact that was decided on")
    trace: str = Field(description="id of the first fact of the chain")


class Remark(Model):
    """What an actor decided, measured or noted without a change of state, with the numbers that led to it (P3)."""

    id: int = Field(description="its number in the journal")
    actor: str
    market_ms: Ms
    recorded_at: At
    subject: str = Field(description="what it is about: a machine's key, a coin, `treasury`, `cycle` ...")
    trigger: str
    reason: str
    data: Json
    cause: str = Field(description="id of the message, answer or fact that was decided on")
    trace: str = Field(description="id of the first fact of the chain")


class Decision(Model):
    """A change of state, or a remark (then `machine_table`, `source` and `dest` are ""), of any actor."""

    id: int = Field(description="its number in the journal")
    actor: str
    kind: str = Field(description="transition or remark")
    market_ms: Ms
    recorded_at: At
    machine_table: str = Field(description="the name in `/api/v1/machines` of the table of which this is a row")
    machine: str = Field(description="the machine's key, or the remark's subject")
    trigger: str
    source: str
    dest: str
    reason: str
    data: Json
    cause: str = Field(description="id of the message, answer or fact that was decided on")
    trace: str = Field(description="id of the first fact of the chain")


class MachineView(Model):
    """One machine of an engine."""

    key: str
    state: str
    russian: str
    market_ms: Ms


class LastTransition(Model):
    """The newest change of state of an engine."""

    machine: str
    trigger: str
    source: str
    dest: str
    dest_russian: str | None
    reason: str
    market_ms: Ms
    recorded_at: At


class Engine(Model):
    """An engine as the page shows it."""

    name: str
    component: str = Field(description="state of its actor's life cycle")
    component_russian: str
    machines: list[MachineView]
    state: str
    russian: str
    risk_state: str = Field(
        description="the stricter of GLOBAL and its own: NORMAL, CAUTION, PAUSED, REDUCE_ONLY or HALTED (RM-2)"
    )
    risk_scope: str = Field(description="whose state that is: GLOBAL or the engine")
    risk_reason: str
    equity_usdt: Money | None
    cash_usdt: Money | None
    open_orders: int | None = Field(description="count of orders that have not ended")
    last_transition: LastTransition | None


class MarketView(Model):
    """Which market this is and where its time stands."""

    label: str = Field(examples=["synthetic, seed 2"])
    is_simulated: bool
    market_ms: Ms | None
    day: str | None = Field(description="market day, UTC", examples=["2025-01-31"])
    state: str | None = Field(description="of the lockstep driver; null where the exchange's own time rules")
    why: str
    step: int | None = Field(description="number of the lockstep driver's step")


class OrderCount(Model):
    """How many orders an engine has in a state."""

    engine: str
    state: str
    count: Count


class Expectation(Model):
    """Something that is expected of the operator."""

    urgency: Urgency
    text: str
    alert_id: str | None = Field(description="the alert that says it; null for a state")


class Expected(Model):
    """What is expected of the operator, by the one rule that console, report, Telegram and command line share."""

    urgency: Urgency = Field(description="of the most urgent item")
    items: list[Expectation] = Field(description="the most urgent first")


class Overview(Model):
    """The head of the page from one reading."""

    expected: Expected
    health: Health
    market: MarketView
    engines: list[Engine]
    components: list[Actor]
    equity_usdt: Money | None
    equity_ms: Ms | None = Field(description="the instant of the portfolio that equities and cash come from")
    orders: list[OrderCount]


class StateName(Model):
    """A state and the specification's Russian name of it."""

    state: str
    russian: str


class Arrow(Model):
    """One row of a transition table; `why` names the rule."""

    trigger: str
    source: str
    dest: str
    why: str


class Machine(Model):
    """A state machine."""

    name: str
    about: str
    initial: str
    states: list[StateName]
    transitions: list[Arrow]
