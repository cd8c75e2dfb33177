"""One running system for all tests that look at it or hit it, and the webhook that receives its alerts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infra.notifications.receivers import Receiver, receiving, status
from tests.life.system import Started, started

SIGNING = "signing-secret-of-these-tests"
WEBHOOK = "ETERNAL__NOTIFICATIONS__WEBHOOK__"


@pytest.fixture(scope="package")
def hook() -> Iterator[Receiver]:
    """Receives every alert of the system."""
    with receiving(Receiver(status(204))) as found:
        yield found


@pytest.fixture(scope="package")
def system(hook: Receiver) -> Iterator[Started]:
    """Up and well; whoever hits it waits until it is well again. Its webhook is set by the environment."""
    with started(environment={f"{WEBHOOK}URL": f"{hook.url}/hook", f"{WEBHOOK}SIGNING_SECRET": SIGNING}) as found:
        yield found
