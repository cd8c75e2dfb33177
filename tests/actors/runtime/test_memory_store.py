"""The memory store does what every store must do (DESIGN 1)."""

from __future__ import annotations

import pytest

from actors.runtime.memory_store import MemoryStore
from tests.actors.runtime.lease_suite import LeaseSuite, OpenBoth
from tests.actors.runtime.store_suite import OpenStore, StoreSuite


class TestMemoryStore(StoreSuite):
    @pytest.fixture
    def open_store(self) -> OpenStore:
        store = MemoryStore()
        return lambda: store


class TestMemoryLease(LeaseSuite):
    @pytest.fixture
    def open_both(self) -> OpenBoth:
        store = MemoryStore()
        return lambda: (store, store)
