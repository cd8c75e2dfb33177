"""RM-4: what the dead-man switch does at the exchange, against the simulated one and against answers that are odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pybit.exceptions import InvalidRequestError

from infra.bybit.admission import AdmissionError, admit_dead_man
from infra.bybit.caller import Caller
from infra.bybit.credentials import from_simulator
from infra.bybit.session import DirectSessions, HttpSessions
from infra.deadman.desk import OrderDesk
from statemachines.values import ACCOUNT_OF, Account
from tests.conformance.process import SimulatorProcess
from tests.infra.deadman.orders_at_exchange import ACCOUNT, link, open_links, place_all

T1 = Account.TREND_1
TRADING = tuple(ACCOUNT_OF.values())
INSTALLATION = "abc123"


def is_wanted() -> bool:
    return True


# --- the simulated exchange ---


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[SimulatorProcess]:
    found = SimulatorProcess(tmp_path / "state")
    yield found
    found.stop()


def desk_at(exchange: SimulatorProcess) -> OrderDesk:
    keys = from_simulator(exchange.folder / "keys.json", "dead_man")
    desk = OrderDesk(Caller(HttpSessions(keys, exchange.url), None), TRADING)
    desk.installation = INSTALLATION
    return desk


@pytest.mark.slow
def test_rm4_entries_go_and_stops_exits_and_foreign_orders_stay(exchange: SimulatorProcess) -> None:
    http = exchange.http(ACCOUNT)
    entries, others = place_all(http, INSTALLATION)
    desk = desk_at(exchange)
    done = desk.clear(is_wanted)
    assert (set(done.found), set(done.cancelled), done.kept, list(done.left)) == (entries, entries, 3, [])
    assert open_links(http) == others
    again = desk.clear(is_wanted)
    assert (list(again.found), list(again.left), again.kept) == ([], [], 3)
    exchange.kill()
    away = desk.clear(is_wanted)
    assert len(away.left) == 2 * len(TRADING) and not away.cancelled, "an exchange that is away is not an empty one"


@pytest.mark.slow
def test_its_keys_are_its_own_and_can_cancel_and_nothing_else(exchange: SimulatorProcess) -> None:
    keys = from_simulator(exchange.folder / "keys.json", "dead_man")
    systems = from_simulator(exchange.folder / "keys.json")
    assert set(keys.keys) == set(TRADING) and keys.simulator_token is None
    for account in TRADING:
        assert keys.key(account).api_key != systems.key(account).api_key
        assert keys.key(account).uid == systems.key(account).uid
    admit_dead_man(HttpSessions(keys, exchange.url), TRADING, systems.uids())
    with pytest.raises(AdmissionError, match="Dead-man switch, TREND-1: its key belongs to UID"):
        admit_dead_man(HttpSessions(keys, exchange.url), (T1,), {T1: 7})
    session = HttpSessions(keys, exchange.url).session(T1)
    with pytest.raises(InvalidRequestError, match="Permission denied"):
        session.set_leverage(category="linear", symbol="BTCUSDT", buyLeverage="2", sellLeverage="2")


def test_an_exchange_folder_of_an_earlier_version_gets_the_keys(tmp_path: Path) -> None:
    import json

    from infra.simulator.credentials import load_or_create

    load_or_create(tmp_path)
    path = tmp_path / "keys.json"
    before = json.loads(path.read_text())
    made = before.pop("dead_man")
    path.write_text(json.dumps(before))
    load_or_create(tmp_path)
    after = json.loads(path.read_text())
    assert {name: after[name] for name in before} == before, "the system's keys stay what they are"
    assert [one["name"] for one in after["dead_man"]] == [one["name"] for one in made]
    assert path.stat().st_mode & 0o077 == 0
    again = load_or_create(tmp_path)
    assert json.loads(path.read_text()) == after and len(again.keys) == 6 + 2 + 5


# --- odd answers ---


def row(number: int, **changes: Any) -> dict[str, Any]:
    sound = {
        "orderLinkId": link(INSTALLATION, number), "symbol": "BTCUSDT", "orderStatus": "New", "reduceOnly": False,
        "triggerPrice": "", "stopOrderType": "", "closeOnTrigger": False,
    }  # fmt: skip
    return sound | changes


class Scripted:
    """An exchange of one account that shows these perpetual orders and refuses to cancel with this code, if any."""

    def __init__(self, *rows: Any, code: int = 0, list_code: int = 0) -> None:
        self.rows, self.code, self.list_code = rows, code, list_code
        self.cancelled: list[str] = []

    def handle(self, _method: str, path: str, params: Mapping[str, Any], _account: Account | None) -> dict[str, Any]:
        if path.endswith("/cancel"):
            self.cancelled.append(params["orderLinkId"])
            return {"retCode": self.code, "retMsg": "no", "result": {"orderId": "1", "orderLinkId": "x"}}
        shown = list(self.rows) if params["category"] == "linear" else []
        return {"retCode": self.list_code, "retMsg": "no", "result": {"list": shown, "nextPageCursor": ""}}

    def desk(self) -> OrderDesk:
        desk = OrderDesk(Caller(DirectSessions(self.handle), None), (T1,))
        desk.installation = INSTALLATION
        return desk


@pytest.mark.parametrize(
    "odd",
    [
        {"reduceOnly": None},
        {"reduceOnly": "false"},
        {"closeOnTrigger": 0},
        {"triggerPrice": "soon"},
        {"triggerPrice": None},
        {"stopOrderType": None},
        {"orderStatus": ""},
        {"symbol": "bitcoin"},
        {"orderLinkId": None},
        {"orderLinkId": ["x"]},
    ],
)
def test_a_row_that_cannot_be_read_is_not_touched_not_gone_and_harms_no_other(odd: dict[str, Any]) -> None:
    exchange = Scripted(row(1), row(2, **odd), row(3))
    done = exchange.desk().clear(is_wanted)
    assert exchange.cancelled == [link(INSTALLATION, 1), link(INSTALLATION, 3)] == list(done.cancelled)
    (why,) = done.left
    assert "cannot be read and was not touched" in why


@pytest.mark.parametrize("foreign", [{}, 7, None, "x"])
def test_an_odd_row_without_our_id_harms_nothing(foreign: Any) -> None:
    exchange = Scripted(row(1), {"orderLinkId": "", "reduceOnly": 7}, foreign)
    done = exchange.desk().clear(is_wanted)
    assert exchange.cancelled == [link(INSTALLATION, 1)]
    assert len(done.left) == 1, "only the row whose id cannot be read may be ours"


@pytest.mark.parametrize(
    "protecting",
    [
        {"reduceOnly": True},
        {"triggerPrice": "50000"},
        {"stopOrderType": "Stop"},
        {"stopOrderType": "StopLoss"},
        {"stopOrderType": "tpslOrder"},
        {"orderStatus": "Untriggered"},
        {"closeOnTrigger": True},
    ],
)
def test_rm4_never_a_stop(protecting: dict[str, Any]) -> None:
    exchange = Scripted(row(1, **protecting))
    done = exchange.desk().clear(is_wanted)
    assert (exchange.cancelled, done.kept, list(done.left)) == ([], 1, [])


@pytest.mark.parametrize("status", ["Filled", "Cancelled", "Rejected", "PartiallyFilledCanceled", "Deactivated"])
def test_an_order_that_has_ended_is_neither_cancelled_nor_left(status: str) -> None:
    exchange = Scripted(row(1, orderStatus=status))
    done = exchange.desk().clear(is_wanted)
    assert (exchange.cancelled, list(done.found), list(done.left), done.kept) == ([], [], [], 0)


@pytest.mark.parametrize(
    ("code", "is_left"), [(0, False), (110001, False), (170213, False), (10006, True), (10003, True)]
)
def test_a_cancel_that_was_refused_leaves_the_order_unless_it_is_gone(code: int, is_left: bool) -> None:
    done = Scripted(row(1), code=code).desk().clear(is_wanted)
    assert bool(done.left) is is_left and bool(done.cancelled) is not is_left


def test_a_list_that_is_refused_is_not_an_empty_one() -> None:
    done = Scripted(list_code=10003).desk().clear(is_wanted)
    assert len(done.left) == 2


def test_nothing_is_cancelled_before_it_is_known_which_orders_are_ours() -> None:
    exchange = Scripted(row(1))
    desk = exchange.desk()
    desk.installation = None
    done = desk.clear(is_wanted)
    assert exchange.cancelled == [] and "which orders are ours is not known" in done.left[0]


def test_nothing_more_is_cancelled_once_the_system_beats_again() -> None:
    exchange = Scripted(row(1))
    done = exchange.desk().clear(lambda: False)
    assert exchange.cancelled == [] and "has beaten again" in done.left[0]
