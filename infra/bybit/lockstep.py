"""Client of the simulated exchange's control interface: market time moves only through it (paper, replay)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from pydantic import SecretStr

from actors.runtime.ports import ExchangeAwayError, Step
from infra.bybit.parsing.fields import Row, UnparsableError
from infra.http_limits import ANSWER_S, bound
from statemachines.actor_logic import Lookahead


class SimulatorUnavailableError(ExchangeAwayError):
    """The simulated exchange does not answer; the same step can be asked for again without harm."""


class SimulatorLockstep:
    """Implements `actors.runtime.ports.LockstepPort` over `/sim/*`. Use from one thread."""

    def __init__(self, base_url: str, token: SecretStr, timeout_s: float = 30.0) -> None:
        self._base_url = base_url.rstrip("/")
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        bound(self._session, max(timeout_s, ANSWER_S))
        self._session.headers["X-Sim-Token"] = token.get_secret_value()

    def __repr__(self) -> str:
        return f"SimulatorLockstep({self._base_url})"

    def identity(self) -> tuple[str, str]:
        """Instance id and market label: they bind the database to this exchange."""
        row = self._status()
        return row.text("instance"), row.text("market")

    def period(self) -> tuple[int, int]:
        """First instant and end (exclusive) of the market, ms."""
        row = self._status()
        return row.integer("start"), row.integer("end")

    def status(self) -> Step:
        """Where the exchange stands. Raises SimulatorUnavailableError and UnparsableError."""
        row = self._status()
        return Step(
            step=row.integer("step"), market_ms=row.integer("market_time"), settled=True, ended=row.boolean("ended")
        )

    def _status(self) -> Row:
        return Row(self._call("GET", "/sim/status", None), "status of the simulated exchange")

    def advance(self, step: int, until_ms: int | None, lookahead: Lookahead, handled: Mapping[str, int]) -> Step:
        """One micro-step, if the frames handled are the frames sent. Raises SimulatorUnavailableError and
        UnparsableError; repeating the same `step` after a lost answer changes nothing."""
        body = {
            "step": step,
            "until": until_ms,
            "patient": lookahead.until_ms,
            "max_basis": {symbol: str(limit) for symbol, limit in lookahead.max_basis.items()},
            "handled": dict(handled),
        }
        row = Row(self._call("POST", "/sim/advance", body), "answer of the simulated exchange")
        settled = row.boolean("settled")
        return Step(
            step=row.integer("step"),
            market_ms=row.integer("market_time"),
            settled=settled,
            ended=row.boolean("end") if settled else False,
            sent={str(name): int(count) for name, count in row.raw("sent").items()},
            queued=row.integer("queued"),
        )

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            response = self._session.request(method, self._base_url + path, json=body, timeout=self._timeout_s)
        except requests.exceptions.RequestException as error:
            raise SimulatorUnavailableError(
                f"the simulated exchange at {self._base_url} does not answer {path}: {type(error).__name__}."
            ) from error
        if response.status_code != 200:
            raise SimulatorUnavailableError(
                f"the simulated exchange answered {path} with HTTP status {response.status_code}: {response.text[:200]}"
            )
        try:
            return response.json()
        except (ValueError, RecursionError):
            raise UnparsableError(f"the simulated exchange answered {path} with text that is not JSON.") from None
