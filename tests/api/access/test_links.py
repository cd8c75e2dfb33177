"""One-time links (DE-3): once, within a minute, on this machine; an end is named."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from api.access.answers import Granted, Presented, Refused
from api.access.document import AccessError
from api.access.links import LINK_S, Redeemed, link_to
from api.access.scopes import Scope
from api.access.sessions import Begun
from infra.addresses import is_loopback
from tests.api.access.doors import Doors

HERE = Presented("127.0.0.1")


@pytest.fixture
def doors(tmp_path: Path) -> Doors:
    return Doors(tmp_path)


def redeem(doors: Doors, link: str, presented: Presented = HERE, is_forwarded: bool = False) -> Begun | Refused:
    return doors.entrance.redeem(link, presented, is_forwarded=is_forwarded)


def refusal(found: Begun | Refused) -> tuple[int, str]:
    assert isinstance(found, Refused)
    return found.status, found.sentence


def test_a_link_logs_the_operator_in_with_control_once(doors: Doors) -> None:
    link = doors.links.make()
    assert link not in doors.file.path.read_text()
    begun = redeem(doors, link)
    assert isinstance(begun, Begun)
    assert doors.ask(begun.cookie) == Granted("operator", Scope.CONTROL, begun.session.session_id)
    status, sentence = refusal(redeem(doors, link))
    assert status == 401 and "used before" in sentence and "eternal access link" in sentence


@pytest.mark.parametrize(("age_s", "found"), [(LINK_S - 1, ""), (LINK_S, "has expired"), (LINK_S + 60, "has expired")])
def test_a_link_is_valid_for_a_minute(doors: Doors, age_s: int, found: str) -> None:
    link = doors.links.make()
    doors.wait(seconds=age_s)
    answer = redeem(doors, link)
    if not found:
        assert isinstance(answer, Begun)
        return
    status, sentence = refusal(answer)
    assert status == 401 and found in sentence and "eternal access link" in sentence


def test_an_old_or_altered_link_is_not_known(doors: Doors) -> None:
    link = doors.links.make()
    assert "is not known" in refusal(redeem(doors, f"{link}x"))[1]
    doors.wait(minutes=12)
    doors.links.make()
    assert "is not known" in refusal(redeem(doors, link))[1]


@pytest.mark.parametrize("address", ["192.0.2.1", "10.0.0.1", "fe80::1", "unknown", "::ffff:192.0.2.1"])
def test_a_link_opens_nothing_from_elsewhere_and_stays_for_its_owner(doors: Doors, address: str) -> None:
    link = doors.links.make()
    assert refusal(redeem(doors, link, Presented(address)))[0] == 403
    assert refusal(redeem(doors, link, is_forwarded=True))[0] == 403
    assert refusal(redeem(doors, link, Presented("127.0.0.1", is_foreign=True)))[0] == 403
    assert isinstance(redeem(doors, link, Presented("::ffff:127.0.0.1")), Begun)


def test_of_two_who_use_a_link_at_once_one_is_let_in(doors: Doors) -> None:
    link, begin, found = doors.links.make(), threading.Barrier(8), []

    def use() -> None:
        begin.wait(10)
        found.append(redeem(doors, link))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sum(isinstance(one, Begun) for one in found) == 1 and len(found) == 8


@pytest.mark.parametrize(
    ("host", "start"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/#link="),
        ("localhost", "http://localhost:8080/#link="),
        ("0.0.0.0", "http://127.0.0.1:8080/#link="),
        ("::", "http://[::1]:8080/#link="),
        ("::1", "http://[::1]:8080/#link="),
        ("127.0.0.7", "http://127.0.0.7:8080/#link="),
    ],
)
def test_the_secret_stands_where_no_server_sees_it(host: str, start: str) -> None:
    assert link_to("http", host, 8080, "S") == f"{start}S"


def test_an_interface_that_loopback_does_not_reach_has_no_links() -> None:
    with pytest.raises(AccessError, match=r"api\.host = 10\.0\.0\.5 is another one"):
        link_to("https", "10.0.0.5", 8080, "S")


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "localhost"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)
    assert not any(is_loopback(one) for one in ("128.0.0.1", "0.0.0.0", "::", "", "localhost.example", "::2"))


def test_every_end_of_a_link_has_a_sentence() -> None:
    assert len({one.sentence for one in Redeemed if one is not Redeemed.OPENED}) == 3
