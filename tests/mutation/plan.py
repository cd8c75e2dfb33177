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
            "tests/statemachines/trend/test_rules.py",
            "tests/statemachines/trend/test_engine.py",
            "tests/statemachines/trend/test_orders.py",
            "tests/statemachines/trend/test_machine.py",
            "tests/statemachines/trend/test_oracle.py",
            "tests/statemachines/trend/test_properties.py",
        ),
    ),
    Part(
        ("statemachines/core_hodl",),
        (
            "tests/statemachines/core_hodl/test_rules.py",
            "tests/statemachines/core_hodl/test_rebalancing.py",
            "tests/statemachines/core_hodl/test_tranches.py",
            "tests/statemachines/core_hodl/test_outflow.py",
            "tests/statemachines/core_hodl/test_engine.py",
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
            "tests/statemachines/tactical/test_inactive_rules.py",
            "tests/statemachines/tactical/test_dust.py",
            "tests/statemachines/tactical/test_machine.py",
            "tests/statemachines/tactical/test_properties.py",
            "tests/statemachines/tactical/test_oracle.py",
        ),
    ),
    Part(("statemachines/risk",), ("tests/statemachines/risk",)),
    Part(("statemachines/deadman",), ("tests/statemachines/deadman",)),
    Part(("statemachines/execution",), ("tests/statemachines/execution",)),
    Part(
        ("statemachines/ledger", "statemachines/portfolio", "statemachines/supervision", "statemachines/orchestration"),
        (
            "tests/statemachines/ledger",
            "tests/statemachines/portfolio",
            "tests/statemachines/supervision",
            "tests/statemachines/orchestration",
            "tests/statemachines/execution/test_money.py",
            "tests/statemachines/risk",
        ),
    ),
    Part(
        (
            "statemachines/backoff.py",
            "statemachines/refusals.py",
            "statemachines/conditions.py",
            "statemachines/unusable_data.py",
            "statemachines/limits/plausibility.py",
            "statemachines/indicators",
        ),
        (
            "tests/statemachines/test_backoff.py",
            "tests/statemachines/test_conditions.py",
            "tests/statemachines/limits/test_plausibility.py",
            "tests/statemachines/test_indicators.py",
            "tests/statemachines/execution/test_responses.py",
            "tests/actors/runtime/test_durable_actor.py",
            "tests/statemachines/market_data/test_unusable.py",
        ),
    ),
    Part(
        (
            "statemachines/limits/leverage.py",
            "statemachines/limits/funding_rates.py",
            "statemachines/limits/entry_gate.py",
            "statemachines/limits/insurance_fund.py",
            "statemachines/intent_ids.py",
            "statemachines/lockstep.py",
            "statemachines/messages",
        ),
        (
            "tests/statemachines/limits/test_shared_rules.py",
            "tests/statemachines/test_order_refusals.py",
            "tests/statemachines/test_lockstep.py",
            "tests/statemachines/trend/test_rules.py",
            "tests/statemachines/funding/test_rules.py",
            "tests/statemachines/risk/test_checks.py",
        ),
    ),
    Part(("statemachines/market_data",), ("tests/statemachines/market_data",)),
    Part(
        (
            "actors/runtime/durable_actor.py",
            "actors/runtime/exchange_dispatcher.py",
            "actors/runtime/actor_runner.py",
            "actors/runtime/outbox_dispatcher.py",
        ),
        (
            "tests/actors/runtime/test_durable_actor.py",
            "tests/actors/runtime/test_exchange_dispatcher.py",
            "tests/actors/runtime/test_actor_runner.py",
            "tests/actors/runtime/test_outages.py",
            "tests/actors/runtime/test_routing.py",
        ),
    ),
    Part(("orchestrator",), ("tests/orchestrator",)),
    Part(("infra/database/store.py", "infra/database/statements.py"), ("tests/infra/database/test_store.py",)),
    Part(
        (
            "infra/bybit/account.py",
            "infra/bybit/market.py",
            "infra/bybit/parsing/rows.py",
            "infra/bybit/exchange.py",
            "infra/bybit/errors.py",
            "infra/bybit/limits.py",
            "infra/bybit/parsing/fields.py",
            "infra/bybit/parsing/envelope.py",
            "infra/bybit/parsing/judging.py",
            "infra/bybit/listing.py",
            "infra/bybit/lookups.py",
            "infra/bybit/streams/topics.py",
        ),
        (
            "tests/infra/bybit/test_exchange.py",
            "tests/infra/bybit/parsing/test_rows.py",
            "tests/infra/bybit/test_errors.py",
            "tests/infra/bybit/test_limits.py",
            "tests/infra/bybit/parsing/test_fields.py",
            "tests/infra/bybit/test_entrance.py",
            "tests/infra/bybit/test_border_of_markets.py",
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
            "tests/infra/simulator/venue/test_idle_accounts.py",
            "tests/infra/simulator/venue/test_lockstep.py",
            "tests/infra/simulator/venue/test_fast_forward.py",
        ),
    ),
)


def modules(root: Path, part: Part) -> list[str]:
    """The modules of a part, by their paths below `root`.

    Raises FileNotFoundError when a source or a test of the part is not there: after a move the plan must follow.
    """
    for named in (*part.sources, *part.tests):
        if not (root / named).exists():
            raise FileNotFoundError(f"the plan of mutation names {named}, which is not there")
    found: list[str] = []
    for source in part.sources:
        place = root / source
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        found += [str(file.relative_to(root)) for file in files if file.name != "__init__.py"]
    return found
