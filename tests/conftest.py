"""Options of the test run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.budget import Spent
from tests.shared import shared_path

LONGEST = ("tests/simulation/", "tests/golden/", "tests/statemachines/")
WHOLE_SYSTEM = ("tests/simulation/", "tests/golden/", "tests/conformance/")
DATABASE_FIXTURES = {"postgres_server", "database_url"}
SOAK_EXAMPLES = 1_000
NOT_FAST = ("ray", "live", "drill", "database", "recorded", "hypothesis", "slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--fuzz=5000`: how many mutated answers and frames, and how many strange requests, each fuzz test tries.
    `--soak`: as many futures and interruptions as were promised, and the tests with the mark `soak`; without it
    an eighth of the former and none of the latter (`make soak`).
    `--fast`: no Ray, no database, nothing that is marked as slow (`make test-fast`).
    `--spent=FILE`: add the seconds of each test to FILE, for `python -m tests.budget FILE`."""
    parser.addoption("--fuzz", type=int, default=0, help="cases of each fuzz test (default: a quick share)")
    parser.addoption("--soak", action="store_true", help="all cases of the long tests (default: an eighth)")
    parser.addoption("--fast", action="store_true", help="no Ray, no database, nothing slow; shows the time it took")
    parser.addoption("--spent", metavar="FILE", help="add the seconds of each test to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """The time is measured where all reports come together: not in the workers of pytest-xdist. A soak tries more
    examples of each property whose test takes their number from the profile."""
    # How long one example takes says nothing about our code on a machine that others load too.
    settings.register_profile("usual", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("soak", settings.get_profile("usual"), max_examples=SOAK_EXAMPLES)
    settings.load_profile("soak" if config.getoption("--soak") else "usual")
    file = config.getoption("--spent")
    if not hasattr(config, "workerinput") and (file is not None or config.getoption("--fast")):
        config.pluginmanager.register(Spent(None if file is None else Path(file)))


def pytest_itemcollected(item: pytest.Item) -> None:
    """What a test needs is its mark: the embedded database by its fixture, recorded data by what its module imports.
    Tests of the whole system are slow."""
    if DATABASE_FIXTURES & set(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.database)
    if isinstance(item, pytest.Function) and shared_path in vars(item.module).values():
        item.add_marker(pytest.mark.recorded)
    if item.nodeid.startswith(WHOLE_SYSTEM):
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The folders with the longest tests come first: at the end they would keep one core busy and the others idle.
    A fast run leaves out what is marked; hypothesis marks its own tests. Further examples are for the soak alone."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    marks = (*(NOT_FAST if config.getoption("--fast") else ()), *(() if config.getoption("--soak") else ("soak",)))
    left_out = {item for item in items if any(item.get_closest_marker(name) for name in marks)}
    config.hook.pytest_deselected(items=list(left_out))
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session")
def eighth_unless_soaking(pytestconfig: pytest.Config) -> int:
    """What a number of cases is divided by."""
    return 1 if pytestconfig.getoption("--soak") else 8


@pytest.fixture(scope="session", autouse=True)
def _no_services_when_fast(pytestconfig: pytest.Config) -> Iterator[None]:
    """A fast run starts neither database nor Ray: a test that does lacks its mark, and is told so."""
    if not pytestconfig.getoption("--fast"):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        for place, mark in (("infra.database.server.embedded.EmbeddedPostgres.start", "database"), ("ray.init", "ray")):
            patch.setattr(place, refusal(place, mark))
        yield


def refusal(place: str, mark: str) -> Callable[..., None]:
    """What stands in the place of a service that a fast run does not start."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail(
            f"`make test-fast` starts no service, and this test called {place}: mark it with pytest.mark.{mark}."
        )

    return refuse
