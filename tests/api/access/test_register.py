"""DE-3: credentials of persons: made, kept as hashes, ended; several programs at once; a spoilt file."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from api.access.document import AccessError
from api.access.register import REGISTER, AccessRegister, parts_of
from api.access.scopes import Scope
from tests.api.access.hashing import QUICK

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def register(tmp_path: Path, clock: Clock) -> AccessRegister:
    return AccessRegister(tmp_path / REGISTER, QUICK, clock)


def test_a_credential_is_kept_as_a_hash_that_only_the_owner_can_read(register: AccessRegister) -> None:
    made = register.add("alice", Scope.READ, "root, command line")
    parts = parts_of(made.token)
    assert parts is not None and parts[0] == made.credential.credential_id
    text = register.path.read_text()
    assert parts[1] not in text and made.credential.hash.startswith("$argon2id$")
    assert QUICK.verify(made.credential.hash, parts[1])
    assert register.path.stat().st_mode & 0o777 == 0o600
    assert "argon2" not in repr(made.credential) and parts[1] not in repr(register)


def test_the_shipped_hash_is_argon2id_at_the_strength_of_rfc_9106(tmp_path: Path) -> None:
    made = AccessRegister(tmp_path / REGISTER).add("alice", Scope.READ, "test")
    assert "$argon2id$v=19$m=65536,t=3,p=4$" in made.credential.hash
    assert PasswordHasher().verify(made.credential.hash, (parts_of(made.token) or ("", ""))[1])


@pytest.mark.parametrize("name", ["operator", "Alice", "a b", "", "x" * 31, "-a", "al.ice", "алиса"])
def test_names_that_are_none_are_refused(register: AccessRegister, name: str) -> None:
    with pytest.raises(AccessError, match="small letters, digits and hyphens"):
        register.add(name, Scope.READ, "test")
    assert not register.path.exists() or register.all() == ()


@pytest.mark.parametrize(("days", "is_allowed"), [(0, False), (1, True), (3_650, True), (3_651, False), (-1, False)])
def test_the_days_of_a_credential_have_limits(register: AccessRegister, days: int, is_allowed: bool) -> None:
    if is_allowed:
        assert register.add("alice", Scope.READ, "test", days).credential.expires_at == NOW + timedelta(days=days)
        return
    with pytest.raises(AccessError, match=f"--days {days} is not allowed"):
        register.add("alice", Scope.READ, "test", days)
    assert register.all() == ()


def test_a_person_has_one_credential_and_its_end_is_kept(register: AccessRegister, clock: Clock) -> None:
    register.add("alice", Scope.CONTROL, "test")
    with pytest.raises(AccessError, match="alice has a credential already"):
        register.add("alice", Scope.ADMIN, "test")
    second = register.rotate("alice", "test", 30)
    assert [one.state(NOW) for one in register.all()] == ["revoked", "active"]
    assert second.credential.scope is Scope.CONTROL
    clock.now += timedelta(days=30)
    assert register.all()[-1].state(clock.now) == "expired"
    with pytest.raises(AccessError, match="alice has no credential that is active"):
        register.revoke("alice", "test")
    register.add("alice", Scope.READ, "test")
    assert register.revoke("alice", "bob").revoked_by == "bob"
    assert len(register.all()) == 3


def test_a_change_of_another_program_is_seen_at_once(register: AccessRegister, tmp_path: Path) -> None:
    made = register.add("alice", Scope.READ, "test")
    assert register.find(made.credential.credential_id) is not None
    AccessRegister(tmp_path / REGISTER, QUICK).revoke("alice", "elsewhere")
    found = register.find(made.credential.credential_id)
    assert found is not None and found.revoked_by == "elsewhere"


def test_two_changes_at_once_are_both_kept(tmp_path: Path) -> None:
    names = [f"person-{number}" for number in range(16)]
    begin = threading.Barrier(len(names))

    def add(name: str) -> None:
        begin.wait(10)
        AccessRegister(tmp_path / REGISTER, QUICK).add(name, Scope.READ, "test")

    threads = [threading.Thread(target=add, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(one.person for one in AccessRegister(tmp_path / REGISTER).all()) == sorted(names)


def _spoil(document: dict[str, Any], how: str) -> str:
    one = document["credentials"][0]
    match how:
        case "scope":
            one["scope"] = "everything"
        case "hash":
            one["hash"] = "plain"
        case "twice":
            document["credentials"].append(one)
        case "schema":
            document["schema"] = 2
        case "unknown":
            one["password"] = "x"
        case "naive":
            one["made_at"] = "2026-11-29T12:00:00"
    return json.dumps(document)


@pytest.mark.parametrize("how", ["scope", "hash", "twice", "schema", "unknown", "naive", "no JSON"])
def test_a_spoilt_register_is_refused_by_field_without_its_hashes_and_not_overwritten(
    register: AccessRegister, how: str
) -> None:
    made = register.add("alice", Scope.READ, "test")
    text = "{" if how == "no JSON" else _spoil(json.loads(register.path.read_text()), how)
    register.path.write_text(text)
    for use in (
        register.all,
        lambda: register.add("bob", Scope.READ, "test"),
        lambda: register.revoke("alice", "test"),
    ):
        with pytest.raises(AccessError, match="cannot be read") as refused:
            use()
        assert made.credential.hash not in str(refused.value)
    assert register.path.read_text() == text
