"""The desk of the bot's commands over an operator service that answers from memory, and what it carried out."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

from api.access.failures import FailureDesk
from api.control import CommandService, ControlUnavailableError
from api.telegram.codes import Codes
from api.telegram.desk import Allowed, Desk, Incoming
from api.views.reading import DatabaseAwayError
from statemachines.values import ActorName

CHAT, USER, OTHER = 7, 42, 43
ALLOWED = Allowed(frozenset({CHAT}), {USER: "alice", OTHER: "bob"})
OVERVIEW: dict[str, Any] = {
    "expected": {
        "urgency": "act",
        "items": [
            {"urgency": "act", "text": "trend-1 is HALTED: by alice", "alert_id": None},
            {"urgency": "act", "text": "Stop missing. It is gone.", "alert_id": "a:1:1"},
        ],
    },
    "health": {"ok": False, "reasons": ["trend-1 is HALTED: by alice"]},
    "market": {"label": "synthetic, seed 2", "market_ms": 1_735_689_600_000},
    "equity_usdt": "100000.5",
    "engines": [
        {
            "name": "trend-1",
            "equity_usdt": "15000",
            "risk_state": "HALTED",
            "component": "RUNNING",
            "state": "BTC SCANNING",
        },
        {
            "name": "funding",
            "equity_usdt": None,
            "risk_state": "NORMAL",
            "component": "FAILED",
            "state": "not begun",
        },
    ],
}


class World:
    """`sent`: what reached the actors. `down`: who does not answer."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, Any]] = []
        self.register: dict[str, dict[str, Any]] = {}
        self.down: set[ActorName] = set()
        self.acknowledged: list[tuple[str, str, str]] = []
        self.alerts: list[dict[str, Any]] = []
        self.is_database_away = self.is_notifier_away = False
        self.failures = FailureDesk()
        self.now_s = time.time()
        self.draws = iter(f"{number:06d}" for number in range(111_111, 999_999))
        self.desk = self.restarted()

    def restarted(self) -> Desk:
        """A desk as after a restart of its process: only what was committed is still known."""
        self.desk = Desk(
            self._service(),
            CommandService(self._send, SimpleNamespace(operator_command=self.register.get, switches=list)),
            self._acknowledge,
            ALLOWED,
            self.failures,
            Codes(lambda: next(self.draws)),
            lambda: self.now_s,
        )
        self.desk.introduce(99, "eternal_bot")
        return self.desk

    async def ask(self, text: str, update_id: int = 1, chat: int = CHAT, user: int = USER, age_s: float = 0.0) -> str:
        """The answer to a message of a person who is answered."""
        answer = await self.desk.answer(Incoming(update_id, chat, user, text, self.now_s - age_s))
        assert answer is not None
        return answer

    @property
    def commands(self) -> list[tuple[str, str, str, str]]:
        """What was committed: action, scope, reason, person."""
        return [(one["action"], one["scope"], one["reason"], one["who"]) for one in self.register.values()]

    def _send(self, actor: ActorName, method: str, arguments: tuple[Any, ...]) -> None:
        if actor in self.down:
            raise ControlUnavailableError(f"There is no {actor} just now.")
        body = arguments[1]
        self.sent.append((str(actor), method, body))
        self.register[body["command_id"]] = body

    def _acknowledge(self, alert_id: str, text: str, holder: str) -> str:
        if self.is_notifier_away:
            raise ControlUnavailableError("There is no notifier just now. The alert may not be acknowledged.")
        self.acknowledged.append((alert_id, text, holder))
        return f"Alert {alert_id} is acknowledged by {holder}."

    def _service(self) -> Any:
        async def overview() -> dict[str, Any]:
            return OVERVIEW

        async def alerts(*_: Any, **__: Any) -> dict[str, Any]:
            self._look()
            return {"rows": self.alerts}

        async def effect(action: str, scope: str) -> dict[str, Any]:
            self._look()
            states = [{"scope": scope, "before": "NORMAL", "after": "HALTED"}]
            return {"orders_cancelled": [1, 2], "positions_closed": [1], "states": states}

        return SimpleNamespace(
            overview=overview,
            operator_command=self.register.get,
            lists=SimpleNamespace(alerts=alerts),
            preview=SimpleNamespace(control=effect),
        )

    def _look(self) -> None:
        if self.is_database_away:
            raise DatabaseAwayError("the database did not answer within 6 s")
