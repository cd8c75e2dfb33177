"""DE-3: what a token grants, and what slows who has none."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from api.access.answers import Granted, Presented, Refused
from api.access.judge import Judge
from api.access.pace import FREE_FAILURES
from api.access.register import REGISTER, AccessRegister
from api.access.scopes import Scope
from api.tokens import Token
from tests.api.access.hashing import QUICK

OWNERS = "the-owners-own-token-0123456789abcdef"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Desk:
    """A judge with clocks that stand still until they are moved."""

    def __init__(self, folder: Path, burst: int = 1_000) -> None:
        self.now, self.clock_s = NOW, 0.0
        self.register = AccessRegister(folder / REGISTER, QUICK, lambda: self.now)
        self.judge = Judge(Token(OWNERS), self.register, lambda: self.clock_s, lambda: self.now, per_s=1, burst=burst)

    def ask(self, token: str | None, address: str = "192.0.2.1", is_command: bool = False) -> Granted | Refused:
        return self.judge.judge(Presented(address, token, is_change=is_command))

    def status(self, token: str | None, address: str = "192.0.2.1") -> int:
        found = self.ask(token, address)
        return 200 if isinstance(found, Granted) else found.status


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize("scope", Scope)
def test_a_token_grants_its_person_and_scope(desk: Desk, scope: Scope) -> None:
    token = desk.register.add("alice", scope, "test").token
    assert desk.ask(token) == desk.ask(token) == Granted("alice", scope)
    assert desk.ask(OWNERS) == Granted("operator", Scope.ADMIN)


def test_scopes_include_those_before_them() -> None:
    table = {(one, needed): one.covers(needed) for one in Scope for needed in Scope}
    assert [pair for pair, covers in table.items() if not covers] == [
        (Scope.READ, Scope.CONTROL),
        (Scope.READ, Scope.ADMIN),
        (Scope.CONTROL, Scope.ADMIN),
    ]


def test_expired_revoked_and_altered_tokens_grant_nothing(desk: Desk) -> None:
    token = desk.register.add("alice", Scope.READ, "test", 1).token
    other = desk.register.add("bob", Scope.READ, "test").token
    assert (desk.status(token), desk.status(other)) == (200, 200)
    prefix, identifier, secret = token.split(".")
    for wrong in (
        f"{token}x",
        f"{prefix}.{identifier}.",
        f"{prefix}.{other.split('.')[1]}.{secret}",
        secret,
        "",
        "ключ",
    ):
        assert desk.status(wrong, wrong) == 401, wrong
    desk.now += timedelta(days=1)
    assert desk.status(token) == 401
    desk.register.revoke("bob", "test")
    assert desk.status(other, "192.0.2.9") == 401


def test_argon2_is_paid_once_for_each_credential(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.register.add("alice", Scope.READ, "test").token
    paid: list[str] = []
    real = PasswordHasher.verify

    def verify(self: PasswordHasher, known: str, secret: str) -> bool:
        paid.append(known)
        return bool(real(self, known, secret))

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    assert [desk.status(token) for _ in range(5)] == [200] * 5
    assert len(paid) == 1
    rotated = desk.register.rotate("alice", "test").token
    assert (desk.status(rotated), desk.status(token)) == (200, 401)
    assert len(paid) == 2


def test_who_guesses_is_slowed_and_cannot_slow_who_is_known(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = desk.register.add("alice", Scope.READ, "test").token
    assert desk.status(token) == 200
    wrong = token[:-1] + ("a" if token[-1] != "a" else "b")
    assert [desk.status(wrong, "x") for _ in range(FREE_FAILURES)] == [401] * FREE_FAILURES
    monkeypatch.setattr(PasswordHasher, "verify", lambda *_: pytest.fail("nothing is looked at while it is slowed"))
    found = desk.ask(wrong, "x")
    assert isinstance(found, Refused) and (found.status, found.wait_s) == (429, 1)
    assert (desk.status(token, "x"), desk.status(OWNERS, "x")) == (200, 200)


def test_after_the_wait_the_right_token_is_looked_at_again(desk: Desk) -> None:
    token = desk.register.add("alice", Scope.READ, "test").token
    for _ in range(FREE_FAILURES + 1):
        desk.status("wrong", "x")
    assert desk.status(token, "x") == 429
    desk.clock_s += 1.1
    assert desk.status(token, "x") == 200


def test_a_page_that_asks_too_much_does_not_hold_back_a_command(tmp_path: Path) -> None:
    desk = Desk(tmp_path, burst=2)
    assert [desk.status(OWNERS) for _ in range(3)] == [200, 200, 429]
    assert isinstance(desk.ask(OWNERS, is_command=True), Granted)


def test_no_token_in_a_request_is_no_guess(desk: Desk) -> None:
    assert [desk.status(None) for _ in range(2 * FREE_FAILURES)] == [401] * 2 * FREE_FAILURES


def test_guesses_are_logged_with_their_address_and_without_the_token(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(4):
            desk.status(f"guess-{number}")
    assert "192.0.2.1 (4 so far)" in caplog.text and len(caplog.records) == 3
    assert "guess" not in caplog.text


def test_a_spoilt_register_closes_the_door_to_persons_and_not_to_the_owner(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    token = desk.register.add("alice", Scope.READ, "test").token
    desk.register.path.write_text("{")
    assert (desk.status(token), desk.status(OWNERS)) == (401, 200)
    assert "no credential of a person is taken" in caplog.text
