"""Faults in the running exchange, through its control interface."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

CUT = ({"kind": "disconnect"},)
"""Every stream breaks once, and may come back at once."""

AWAY = ({"kind": "lost-request"}, {"kind": "stream-outage"})
"""Nothing is answered, and no stream lives."""

HOLD_DATA = ({"kind": "stale-market-data"},)
"""Market data stand still on living connections."""

SKEW = ({"kind": "clock-skew", "offset_ms": 1_500},)
"""The exchange's clock is off."""

Faults = Iterable[dict[str, Any]]


class ExchangeFaults:
    """The faults of the exchange at `url`, whose folder has the token."""

    def __init__(self, url: str, folder: Path) -> None:
        token = json.loads((folder / "keys.json").read_text())["sim_token"]
        self._client = httpx.Client(base_url=url, headers={"X-Sim-Token": token}, trust_env=False, timeout=10)

    def inject(self, fault: dict[str, Any], for_s: float | None = None) -> dict[str, Any]:
        """Make a fault active; the answer with its `id` and `hits`."""
        body = {"fault": fault} if for_s is None else {"fault": fault, "for_s": for_s}
        answer = self._client.post("/sim/faults", json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def cut(self) -> int:
        """Break every stream once; how many there were."""
        return sum(int(self.inject(fault)["hits"]) for fault in CUT)

    @contextmanager
    def active(self, faults: Faults) -> Iterator[None]:
        """The faults within the block, and none of them after it."""
        made = [self.inject(fault)["id"] for fault in faults]
        try:
            yield
        finally:
            for identity in made:
                assert self._client.delete(f"/sim/faults/{identity}").status_code == 200

    def hits(self) -> int:
        """How often the active faults have struck."""
        return sum(int(one["hits"]) for one in self._client.get("/sim/faults").json()["faults"])

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
