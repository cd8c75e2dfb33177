"""Credentials, sessions and links with clocks that stand still until they are moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from api.access.answers import Granted, Presented, Refused
from api.access.entrance import Clocks, open_access
from api.access.links import Links
from api.access.register import REGISTER, AccessRegister
from api.access.sessions import Begun, Sessions, csrf_of
from api.access.state import state_file
from api.access.totp import STEP_S, code_at
from api.tokens import Token
from tests.api.access.hashing import QUICK

OWNERS = "the-owners-own-token-0123456789abcdef"
NOW = datetime(2100, 11, 29, 12, tzinfo=UTC)
"""Far ahead: a client that keeps cookies judges their end by its own clock."""
IDLE, LONGEST = timedelta(minutes=30), timedelta(hours=12)
ADDRESS = "192.0.2.1"


class Doors:
    """One installation's doors; `again` opens them as a restarted interface does."""

    def __init__(self, folder: Path, token: str = OWNERS) -> None:
        self.folder, self.now, self.clock_s = folder, NOW, 0.0
        self.token = Token(token)
        self.register = AccessRegister(folder / REGISTER, QUICK, lambda: self.now)
        self.file = state_file(folder / "sessions.json")
        self.links = Links(self.file, lambda: self.now)
        self.sessions = Sessions(self.file, IDLE, LONGEST, lambda: self.now)
        self.again()

    def again(self) -> None:
        clocks = Clocks(lambda: self.now, lambda: self.clock_s)
        self.access = open_access(
            self.token, self.register, state_file(self.file.path), IDLE, LONGEST, clocks, burst=1_000_000
        )
        self.judge, self.entrance = self.access.judge, self.access.entrance

    def wait(self, **time: float) -> None:
        """Let time pass, by both clocks."""
        self.now += timedelta(**time)
        self.clock_s += timedelta(**time).total_seconds()

    def code(self, person: str, steps: int = 0) -> str:
        """The code that the person's device shows now."""
        active = {one.person: one.totp for one in self.register.all() if one.state(self.now) == "active"}
        secret = active[person]
        assert secret is not None
        return code_at(secret, int(self.now.timestamp()) // STEP_S + steps)

    def log_in(self, token: str, code: str | None = None, address: str = ADDRESS) -> Begun:
        """Log in; it must succeed."""
        begun = self.entrance.log_in(token, code, Presented(address))
        assert isinstance(begun, Begun), begun
        return begun

    def ask(self, cookie: str, *, is_change: bool = False, csrf: str | None = "right") -> Granted | Refused:
        """What a request with this cookie is granted; its csrf value is right unless another one is given."""
        value = csrf_of(cookie) if csrf == "right" else csrf
        return self.judge.judge(Presented(ADDRESS, cookie=cookie, csrf=value, is_change=is_change))

    def status(self, cookie: str) -> int:
        """200, or the status of the refusal."""
        found = self.ask(cookie)
        return 200 if isinstance(found, Granted) else found.status
