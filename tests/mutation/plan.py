"""Which code is changed and which tests must notice: the quick ones nearest to it, then wider ones."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Part(NamedTuple):
    """Modules (folders or files) and the tests that are run for a change in them, in this order until one fails."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


PARTS = (
    Part(
        ("statemachines/trend",),
        (
            "tests/statemachines/test_trend_rules.py",
            "tests/statemachines/test_trend_brain.py",
            "tests/statemachines/test_trend_orders.py",
            "tests/statemachines/test_trend_machine.py",
            "tests/statemachines/test_trend_oracle.py",
            "tests/statemachines/test_trend_properties.py",
        ),
    ),
    Part(
        ("statemachines/core_hodl",),
        (
            "tests/statemachines/core_hodl/test_rules.py",
            "tests/statemachines/core_hodl/test_rebalancing.py",
            "tests/statemachines/core_hodl/test_tranches.py",
            "tests/statemachines/core_hodl/test_outflow.py",
            "tests/statemachines/core_hodl/test_brain.py",
            "tests/statemachines/core_hodl/test_machine.py",
            "tests/statemachines/core_hodl/test_oracle.py",
        ),
    ),
    Part(
        ("statemachines/funding",),
        (
            "tests/statemachines/funding/test_rules.py",
            "tests/statemachines/funding/test_faults.py",
            "tests/statemachines/funding/test_machine.py",
            "tests/statemachines/funding/test_oracle.py",
        ),
    ),
    Part(
        ("statemachines/tactical",),
        (
            "tests/statemachines/tactical/test_rules.py",
            "tests/statemachines/tactical/test_machine.py",
            "tests/statemachines/tactical/test_properties.py",
            "tests/statemachines/tactical/test_oracle.py",
        ),
    ),
    Part(("statemachines/risk", "actors/risk_manager"), ("tests/statemachines/risk", "tests/actors/risk_manager")),
    Part(
        ("statemachines/order", "actors/order_manager"),
        ("tests/statemachines/order", "tests/actors/order_manager"),
    ),
    Part(
        ("statemachines/ledger", "statemachines/portfolio", "statemachines/reconciliation", "statemachines/component"),
        (
            "tests/statemachines/ledger",
            "tests/statemachines/portfolio",
            "tests/statemachines/reconciliation",
            "tests/statemachines/component",
            "tests/orchestrator",
            "tests/actors/order_manager/test_money.py",
            "tests/actors/risk_manager",
        ),
    ),
    Part(
        (
            "statemachines/backoff.py",
            "statemachines/refusals.py",
            "statemachines/conditions.py",
            "statemachines/unusable.py",
            "statemachines/plausibility.py",
            "statemachines/indicators",
        ),
        (
            "tests/statemachines/test_backoff.py",
            "tests/statemachines/test_conditions.py",
            "tests/statemachines/test_plausibility.py",
            "tests/statemachines/test_indicators.py",
            "tests/actors/order_manager/test_retries.py",
            "tests/actors/test_shell.py",
            "tests/actors/market_data/test_unusable.py",
        ),
    ),
    Part(("actors/market_data",), ("tests/actors/market_data",)),
    Part(
        ("actors/shell.py", "actors/lanes.py", "actors/host.py", "actors/courier.py"),
        (
            "tests/actors/test_shell.py",
            "tests/actors/test_lanes.py",
            "tests/actors/test_host.py",
            "tests/actors/test_host_quotes.py",
            "tests/actors/test_outages.py",
            "tests/actors/test_routing.py",
        ),
    ),
    Part(("orchestrator",), ("tests/orchestrator",)),
    Part(("infra/database/store.py", "infra/database/statements.py"), ("tests/infra/database/test_store.py",)),
    Part(
        (
            "infra/bybit/account.py",
            "infra/bybit/market.py",
            "infra/bybit/parse.py",
            "infra/bybit/exchange.py",
            "infra/bybit/errors.py",
            "infra/bybit/limits.py",
            "infra/bybit/fields.py",
            "infra/bybit/envelope.py",
            "infra/bybit/judging.py",
            "infra/bybit/listing.py",
            "infra/bybit/lookups.py",
            "infra/bybit/topics.py",
        ),
        (
            "tests/infra/bybit/test_exchange.py",
            "tests/infra/bybit/test_parse.py",
            "tests/infra/bybit/test_errors.py",
            "tests/infra/bybit/test_limits.py",
            "tests/infra/bybit/test_fields.py",
            "tests/infra/bybit/test_entrance.py",
            "tests/infra/bybit/test_questions.py",
            "tests/infra/bybit/test_failure_branches.py",
            "tests/infra/bybit/test_against_simulator.py",
        ),
    ),
    Part(
        ("infra/simulator/venue",),
        (
            "tests/infra/simulator/venue/test_money.py",
            "tests/infra/simulator/venue/test_orders.py",
            "tests/infra/simulator/venue/test_own_word.py",
            "tests/infra/simulator/venue/test_sleep.py",
            "tests/infra/simulator/venue/test_lockstep.py",
            "tests/infra/simulator/venue/test_passing.py",
        ),
    ),
)


def modules(root: Path, part: Part) -> list[str]:
    """The modules of a part, by their paths below `root`."""
    found: list[str] = []
    for source in part.sources:
        place = root / source
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        found += [str(file.relative_to(root)) for file in files if file.name != "__init__.py"]
    return found
