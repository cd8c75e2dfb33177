"""The metrics as one table; docs/operations.md lists the same, which a test compares.

Ray puts `ray_` before each name and adds labels of its own (node, session, worker). Names end in their unit, as
Prometheus has it. Every label has few values, known beforehand: actors, engines, states; never an order or an instant.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """How a metric counts."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


class Metric(NamedTuple):
    """One metric. `unit`: of its values, the end of its name where a unit has one. `is_state`: a series has the value 1
    while its label `state` is the present one, and 0 afterwards. Any other gauge that is not known any more is NaN."""

    name: str
    kind: Kind
    unit: str
    help: str
    tags: tuple[str, ...]
    boundaries: tuple[float, ...] = ()
    is_state: bool = False


_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)

COMPONENT_STATE = Metric(
    "eternal_component_state",
    Kind.GAUGE,
    "1 or 0",
    "1: the supervised component is in this state (OR-8). 0: it was in it earlier.",
    ("component", "state"),
    is_state=True,
)
COMPONENT_RESTARTS = Metric(
    "eternal_component_restarts",
    Kind.GAUGE,
    "restarts",
    "Restarts of the component since the orchestrator began.",
    ("component",),
)
COMPONENT_RECOVERY = Metric(
    "eternal_component_recovery_seconds",
    Kind.GAUGE,
    "seconds",
    "How long the component's newest recovery took, from its failure to RUNNING.",
    ("component",),
)
RISK_STATE = Metric(
    "eternal_risk_state",
    Kind.GAUGE,
    "1 or 0",
    "1: the risk state of GLOBAL or of the engine (RM-2) is this one. 0: it was so earlier.",
    ("scope", "state"),
    is_state=True,
)
MACHINES = Metric(
    "eternal_machines",
    Kind.GAUGE,
    "machines",
    "How many machines of this kind (one per asset, pair or deployment) of the actor are in this state.",
    ("actor", "machine", "state"),
    is_state=True,
)
EQUITY = Metric(
    "eternal_equity_usdt",
    Kind.GAUGE,
    "USDT",
    "Equity of an engine's account, of the master account, or of all (total), at the portfolio's newest version.",
    ("engine",),
)
DRAWDOWN = Metric(
    "eternal_drawdown_fraction",
    Kind.GAUGE,
    "fraction of 1",
    "Fall of an engine group's results below their peak at its newest daily close, without flows (RM-3).",
    ("group",),
)
ORDERS = Metric(
    "eternal_orders_ended",
    Kind.COUNTER,
    "orders",
    "Orders of the engine that have ended in this state since the order manager's process began.",
    ("engine", "state"),
)
COMMITS = Metric(
    "eternal_actor_commits",
    Kind.COUNTER,
    "commits",
    "Durable steps of the actor in all its incarnations.",
    ("actor",),
)
STEP = Metric(
    "eternal_actor_step_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "Time of a step, decision and commit together; of each period's steps a bounded sample, the newest.",
    ("actor",),
    boundaries=_SECONDS,
)
ANSWER = Metric(
    "eternal_exchange_answer_seconds",
    Kind.HISTOGRAM,
    "seconds",
    "Time from the commit of a request to the exchange to its answer, waiting for the rate limit included; a sample.",
    ("actor",),
    boundaries=_SECONDS,
)
INBOX = Metric(
    "eternal_actor_inbox_messages",
    Kind.GAUGE,
    "messages",
    "Messages that wait for the actor's decision.",
    ("actor",),
)
OUTBOX = Metric(
    "eternal_actor_outbox_messages",
    Kind.GAUGE,
    "messages",
    "Committed messages of the actor that a recipient has not acknowledged.",
    ("actor",),
)
REQUESTS = Metric(
    "eternal_actor_exchange_requests",
    Kind.GAUGE,
    "requests",
    "Requests of the actor to the exchange without an answer.",
    ("actor",),
)
MARKET_TIME = Metric(
    "eternal_actor_market_time_seconds",
    Kind.GAUGE,
    "seconds",
    "Market time of the actor, since 1970 (UTC).",
    ("actor",),
)
OUTAGE = Metric(
    "eternal_database_outage_seconds",
    Kind.GAUGE,
    "seconds",
    "Wall time since which the actor cannot use the database; 0 while it can.",
    ("actor",),
)
SILENCE = Metric(
    "eternal_stream_silence_seconds",
    Kind.GAUGE,
    "seconds",
    "Wall time since the connection was last known to live; 0 while it does (RM-4).",
    ("actor", "stream"),
)
DATA_AGE = Metric(
    "eternal_stream_data_age_seconds",
    Kind.GAUGE,
    "seconds",
    "Wall time since the connection last brought data (RM-4).",
    ("actor", "stream"),
)

METRICS: tuple[Metric, ...] = (
    COMPONENT_STATE,
    COMPONENT_RESTARTS,
    COMPONENT_RECOVERY,
    RISK_STATE,
    MACHINES,
    EQUITY,
    DRAWDOWN,
    ORDERS,
    COMMITS,
    STEP,
    ANSWER,
    INBOX,
    OUTBOX,
    REQUESTS,
    MARKET_TIME,
    OUTAGE,
    SILENCE,
    DATA_AGE,
)
"""All of them, in the order of the documentation."""
