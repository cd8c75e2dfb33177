"""A host alone in the world: nobody can be reached, and it is always noon."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from actors.runtime.ports import Report


class NoPeers:
    def deliver(self, recipient: str, batch: Any) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def notify(self, recipient: str, envelope: Any) -> Mapping[str, int]:
        raise ConnectionError(recipient)

    def report(self, name: str, report: Report) -> None:
        pass


class Noon:
    def now_ms(self) -> int:
        return 43_200_000
