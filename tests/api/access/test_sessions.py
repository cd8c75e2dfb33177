"""DE-3: sessions of the console: begun, kept as hashes across restarts, ended by time, by people, with what opened
them."""

from __future__ import annotations

import json
import logging
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from api.access.answers import Granted, Presented, Refused
from api.access.document import AccessError
from api.access.scopes import Scope
from api.access.sessions import MOST_OF_PERSON, TOUCH, csrf_of
from api.tokens import Token
from tests.api.access.doors import ADDRESS, IDLE, LONGEST, OWNERS, Doors

TICK = timedelta(seconds=1)


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def test_a_login_opens_a_session_of_the_same_reach_and_keeps_no_secret(doors: Doors) -> None:
    token = doors.register.add("alice", Scope.CONTROL, "test").token
    begun = doors.log_in(token)
    session_id, secret = begun.cookie.split(".")
    assert doors.ask(begun.cookie) == Granted("alice", Scope.CONTROL, session_id)
    text = doors.file.path.read_text()
    assert secret not in text and token not in text and csrf_of(begun.cookie) not in text
    assert doors.file.path.stat().st_mode & 0o777 == 0o600
    for shown in (repr(begun), repr(begun.session), repr(Presented(ADDRESS, token, begun.cookie, "c", "d"))):
        assert secret not in shown and token not in shown and begun.session.hash not in shown


def test_a_restart_of_the_interface_logs_no_one_out(doors: Doors) -> None:
    cookies = [doors.log_in(OWNERS).cookie, doors.log_in(doors.register.add("bob", Scope.READ, "test").token).cookie]
    doors.again()
    assert [doors.status(one) for one in cookies] == [200, 200]


@pytest.mark.parametrize(("quiet", "status"), [(IDLE - TICK, 200), (IDLE, 401), (IDLE + TICK, 401)])
def test_a_session_ends_when_it_is_idle(doors: Doors, quiet: timedelta, status: int) -> None:
    cookie = doors.log_in(OWNERS).cookie
    doors.wait(minutes=10)
    assert doors.status(cookie) == 200, "a request begins the time anew"
    doors.wait(seconds=quiet.total_seconds())
    assert doors.status(cookie) == status


@pytest.mark.parametrize(("age", "status"), [(LONGEST - TICK, 200), (LONGEST, 401)])
def test_a_session_ends_in_any_case_after_its_longest_time(doors: Doors, age: timedelta, status: int) -> None:
    cookie, begun = doors.log_in(OWNERS).cookie, doors.now
    while doors.now - begun < age - IDLE:
        doors.wait(minutes=20)
        assert doors.status(cookie) == 200
    doors.wait(seconds=(age - (doors.now - begun)).total_seconds())
    assert doors.status(cookie) == status


def test_a_request_writes_the_file_once_a_minute_at_most(doors: Doors) -> None:
    cookie = doors.log_in(OWNERS).cookie
    stamps = set()
    for _ in range(30):
        doors.wait(seconds=2)
        assert doors.status(cookie) == 200
        stamps.add(doors.file.path.stat().st_mtime_ns)
    assert len(stamps) == 2 and TOUCH.total_seconds() == 60
    doors.again()
    doors.wait(seconds=IDLE.total_seconds() - 2)
    assert doors.status(cookie) == 200, "what was written keeps it alive across a restart"


def test_a_disk_that_is_full_does_not_refuse_a_request(
    doors: Doors, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cookie = doors.log_in(OWNERS).cookie
    doors.wait(minutes=5)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("api.access.document.write_secret", full)
    with caplog.at_level(logging.WARNING):
        assert doors.status(cookie) == 200
    assert "could not be kept" in caplog.text
    with pytest.raises(OSError, match="No space"):
        doors.entrance.log_in(OWNERS, None, Presented(ADDRESS))


@pytest.mark.parametrize("how", ["revoke", "rotate", "expire", "narrow"])
def test_what_opened_a_session_ends_it_at_once(doors: Doors, how: str) -> None:
    token = doors.register.add("alice", Scope.ADMIN, "test", 1).token
    doors.log_in(token)
    cookie = doors.log_in(token).cookie
    assert doors.status(cookie) == 200
    match how:
        case "revoke":
            doors.register.revoke("alice", "test")
        case "rotate":
            doors.register.rotate("alice", "test")
        case "expire":
            doors.wait(minutes=20)
            doors.now += timedelta(days=1)
        case "narrow":
            document = json.loads(doors.register.path.read_text())
            document["credentials"][0]["scope"] = "read"
            doors.register.path.write_text(json.dumps(document))
            assert doors.ask(cookie) == Granted("alice", Scope.READ, cookie.split(".")[0])
            return
    assert doors.status(cookie) == 401
    assert [one for one in doors.entrance.all() if one.person == "alice"] == []


def test_another_token_of_the_owner_ends_his_sessions(doors: Doors) -> None:
    cookie = doors.log_in(OWNERS).cookie
    doors.token = Token("another-token-of-the-owner-0123456789")
    doors.again()
    assert doors.status(cookie) == 401
    doors.token = Token(OWNERS)
    doors.again()
    assert doors.status(cookie) == 200


def test_sessions_are_listed_and_ended_also_by_another_program(doors: Doors) -> None:
    first, second = doors.log_in(OWNERS), doors.log_in(OWNERS, address="192.0.2.7")
    assert [(one.session_id, one.address) for one in doors.entrance.all()] == [
        (first.session.session_id, ADDRESS),
        (second.session.session_id, "192.0.2.7"),
    ]
    assert doors.sessions.end(first.session.session_id) is not None
    assert (doors.status(first.cookie), doors.status(second.cookie)) == (401, 200)
    assert doors.entrance.end(second.session.session_id, "test") is not None
    assert doors.entrance.end(second.session.session_id, "test") is None
    assert doors.entrance.end("000000000000", "test") is None
    assert doors.entrance.all() == []


def test_another_program_drops_no_session_that_the_interface_has_seen_lately(doors: Doors) -> None:
    """The time of the last request is written once a minute: by the file this one has been idle for too long."""
    cookie = doors.log_in(OWNERS).cookie
    doors.wait(seconds=59)
    assert doors.status(cookie) == 200
    doors.wait(seconds=IDLE.total_seconds() - 30)
    doors.sessions.end("000000000000")
    assert doors.status(cookie) == 200
    doors.wait(minutes=40)
    doors.sessions.end("000000000000")
    assert doors.file.read().sessions == ()


def test_a_person_has_so_many_sessions_and_the_quietest_ends(doors: Doors) -> None:
    alice = doors.register.add("alice", Scope.READ, "test").token
    other = doors.log_in(alice).cookie
    cookies = []
    for _ in range(MOST_OF_PERSON):
        doors.wait(seconds=10)  # logins have a pace
        cookies.append(doors.log_in(OWNERS).cookie)
    doors.status(cookies[0])
    doors.wait(seconds=10)
    cookies.append(doors.log_in(OWNERS).cookie)
    assert [doors.status(one) for one in cookies] == [200, 401, *[200] * (MOST_OF_PERSON - 1)]
    assert doors.status(other) == 200


@pytest.mark.parametrize("wrong", ["", ".", "x", "{id}", "{id}.", "{id}.x", "x.{secret}", "{id}.{secret}x", "ключ.ж"])
def test_another_cookie_opens_nothing(doors: Doors, wrong: str) -> None:
    session_id, secret = doors.log_in(OWNERS).cookie.split(".")
    assert doors.status(wrong.format(id=session_id, secret=secret)) == 401


@pytest.mark.parametrize("csrf", [None, "", "x", "ключ"])
def test_a_change_by_cookie_needs_its_csrf_value(doors: Doors, csrf: str | None) -> None:
    cookie, other = doors.log_in(OWNERS).cookie, doors.log_in(OWNERS).cookie
    for value in (csrf, csrf_of(other)):
        found = doors.ask(cookie, is_change=True, csrf=value)
        assert isinstance(found, Refused) and found.status == 403 and "X-CSRF-Token" in found.sentence
        assert isinstance(doors.ask(cookie, csrf=value), Granted), "reading needs none"
    assert isinstance(doors.ask(cookie, is_change=True), Granted)


def test_a_change_from_a_page_of_another_origin_is_refused(doors: Doors) -> None:
    cookie = doors.log_in(OWNERS).cookie
    foreign = Presented(ADDRESS, cookie=cookie, csrf=csrf_of(cookie), is_change=True, is_foreign=True)
    found = doors.judge.judge(foreign)
    assert isinstance(found, Refused) and found.status == 403 and "another origin" in found.sentence
    login = doors.entrance.log_in(OWNERS, None, Presented(ADDRESS, is_foreign=True))
    assert isinstance(login, Refused) and login.status == 403


def test_a_wrong_token_slows_the_login_as_it_slows_a_bearer(doors: Doors) -> None:
    statuses = []
    for number in range(7):
        found = doors.entrance.log_in(f"wrong-{number}", None, Presented(ADDRESS))
        assert isinstance(found, Refused)
        statuses.append(found.status)
    assert statuses == [401] * 5 + [429] * 2
    assert isinstance(doors.judge.judge(Presented(ADDRESS, bearer="wrong")), Refused)
    assert doors.log_in(OWNERS), "the right one is not slowed"


def test_logins_have_a_pace(doors: Doors) -> None:
    found = [doors.entrance.log_in(OWNERS, None, Presented(ADDRESS)) for _ in range(11)]
    last = found[-1]
    assert isinstance(last, Refused) and last.status == 429 and not any(isinstance(one, Refused) for one in found[:-1])
    doors.wait(seconds=5)
    assert doors.log_in(OWNERS)


def test_a_spoilt_file_opens_nothing_and_is_not_overwritten(doors: Doors) -> None:
    cookie = doors.log_in(OWNERS).cookie
    doors.file.path.write_text("{")
    assert doors.status(cookie) == 503
    with pytest.raises(AccessError, match="cannot be read"):
        doors.entrance.log_in(OWNERS, None, Presented(ADDRESS))
    assert isinstance(doors.judge.judge(Presented(ADDRESS, bearer=OWNERS)), Granted), "a bearer needs no session"
    assert doors.file.path.read_text() == "{"


def test_logins_at_once_are_all_kept(doors: Doors) -> None:
    tokens = [doors.register.add(f"p-{number}", Scope.READ, "test").token for number in range(12)]
    begin, cookies = threading.Barrier(len(tokens)), []

    def log_in(token: str) -> None:
        begin.wait(10)
        cookies.append(doors.log_in(token).cookie)

    threads = [threading.Thread(target=log_in, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [doors.status(one) for one in cookies] == [200] * len(tokens)
