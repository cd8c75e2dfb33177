"""DE-3: a second factor for what reaches beyond reading: needed, once each, guesses slowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.access.answers import Granted, Presented, Refused
from api.access.document import AccessError
from api.access.pace import MAX_ADDRESSES
from api.access.scopes import Scope
from api.access.sessions import Begun
from tests.api.access.doors import ADDRESS, Doors


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


@pytest.fixture
def token(doors: Doors) -> str:
    made = doors.register.add("alice", Scope.CONTROL, "test").token
    doors.register.set_totp("alice", is_on=True)
    return made


def bearer(doors: Doors, token: str, code: str | None, address: str = ADDRESS) -> Granted | Refused:
    return doors.judge.judge(Presented(address, bearer=token, code=code))


def test_a_bearer_reads_without_a_code_and_commands_with_one_once(doors: Doors, token: str) -> None:
    assert bearer(doors, token, None) == Granted("alice", Scope.READ, withheld=Scope.CONTROL)
    code = doors.code("alice")
    assert bearer(doors, token, code) == Granted("alice", Scope.CONTROL)
    again = bearer(doors, token, code)
    assert isinstance(again, Refused) and again.status == 401 and "counts once" in again.sentence
    doors.again()
    assert isinstance(bearer(doors, token, code), Refused), "a restart does not make it new"
    doors.wait(seconds=30)
    assert bearer(doors, token, doors.code("alice")) == Granted("alice", Scope.CONTROL)


def test_a_session_reads_until_a_code_comes(doors: Doors, token: str) -> None:
    first = doors.log_in(token)
    session_id = first.session.session_id
    assert doors.ask(first.cookie) == Granted("alice", Scope.READ, session_id, Scope.CONTROL)
    wrong = doors.entrance.confirm(session_id, "000000", ADDRESS)
    assert isinstance(wrong, Refused) and wrong.status == 401
    further = doors.entrance.confirm(session_id, doors.code("alice"), ADDRESS)
    assert isinstance(further, Begun)
    assert doors.ask(further.cookie) == Granted("alice", Scope.CONTROL, further.session.session_id)
    assert doors.status(first.cookie) == 401, "what reaches further has another cookie"
    assert further.session.ends_at == first.session.ends_at, "and ends when it would have"
    needless = doors.entrance.confirm(further.session.session_id, doors.code("alice", 1), ADDRESS)
    assert isinstance(needless, Refused) and needless.status == 409


def test_a_login_with_a_code_reaches_as_far_as_the_credential(doors: Doors, token: str) -> None:
    found = doors.ask(doors.log_in(token, doors.code("alice")).cookie)
    assert isinstance(found, Granted) and (found.scope, found.withheld) == (Scope.CONTROL, None)
    wrong = doors.entrance.log_in(token, "000000", Presented(ADDRESS))
    assert isinstance(wrong, Refused) and wrong.status == 401
    assert len(doors.entrance.all()) == 1, "a wrong code opens no session"


def test_a_second_factor_that_is_made_anew_asks_every_session_again(doors: Doors, token: str) -> None:
    """A device was stolen: who was in with its codes must not stay in control."""
    cookie = doors.log_in(token, doors.code("alice")).cookie
    doors.register.set_totp("alice", is_on=True)
    found = doors.ask(cookie)
    assert isinstance(found, Granted) and (found.scope, found.withheld) == (Scope.READ, Scope.CONTROL)
    doors.register.set_totp("alice", is_on=False)
    found = doors.ask(cookie)
    assert isinstance(found, Granted) and (found.scope, found.withheld) == (Scope.CONTROL, None)


def test_a_rotated_credential_keeps_its_second_factor(doors: Doors, token: str) -> None:
    rotated = doors.register.rotate("alice", "test").token
    assert isinstance(bearer(doors, token, None), Refused)
    assert bearer(doors, rotated, None) == Granted("alice", Scope.READ, withheld=Scope.CONTROL)
    assert bearer(doors, rotated, doors.code("alice")) == Granted("alice", Scope.CONTROL)


def test_wrong_codes_are_slowed_from_wherever_they_come(doors: Doors, token: str) -> None:
    assert isinstance(bearer(doors, token, None), Granted)
    found = [bearer(doors, token, "000000", f"192.0.2.{number}") for number in range(10, 17)]
    assert [one.status for one in found if isinstance(one, Refused)] == [401] * 5 + [429] * 2
    right = bearer(doors, token, doors.code("alice"), "192.0.2.99")
    assert isinstance(right, Refused) and right.status == 429
    doors.wait(seconds=2)
    assert bearer(doors, token, doors.code("alice")) == Granted("alice", Scope.CONTROL)
    assert bearer(doors, token, None) == Granted("alice", Scope.READ, withheld=Scope.CONTROL)


def test_strangers_from_everywhere_do_not_push_the_count_of_wrong_codes_out(doors: Doors, token: str) -> None:
    assert isinstance(bearer(doors, token, None), Granted)
    for number in range(6):
        bearer(doors, token, "000000", f"192.0.2.{number}")
    for number in range(MAX_ADDRESSES + 1):
        doors.judge.judge(Presented(f"198.51.{number // 250}.{number % 250}", bearer="wrong"))
    found = bearer(doors, token, doors.code("alice"), "192.0.2.99")
    assert isinstance(found, Refused) and found.status == 429


def test_a_code_that_cannot_be_used_up_does_not_count(
    doors: Doors, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("api.access.document.write_secret", full)
    found = bearer(doors, token, doors.code("alice"))
    assert isinstance(found, Refused) and found.status == 503


def test_only_what_reaches_beyond_reading_has_a_second_factor(doors: Doors) -> None:
    doors.register.add("bob", Scope.READ, "test")
    with pytest.raises(AccessError, match="bob's scope is read"):
        doors.register.set_totp("bob", is_on=True)
    with pytest.raises(AccessError, match="carol has no credential that is active"):
        doors.register.set_totp("carol", is_on=True)
    with pytest.raises(AccessError, match="'operator', who holds the file api-token, has no second factor"):
        doors.register.set_totp("operator", is_on=True)
