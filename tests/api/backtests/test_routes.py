"""Backtests over HTTP (IF-4): listed in pages, started, cancelled, removed, compared; a report that can do nothing."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from api.access.judge import Judge
from api.backtests.desk import BacktestConflictError, BacktestDesk
from api.backtests.figures import MAX_POINTS, thinned
from api.backtests.folder import Runs, StoredRun
from api.backtests.models import Backtest, BacktestComparison, BacktestDetail, BacktestOptions
from api.backtests.wanted import BacktestWanted
from api.http import models
from api.http.app import create_app
from api.http.pages import page_policy
from api.tokens import Token
from infra.config import EternalConfig
from infra.config.policy import policy_of
from infra.database.registers import PolicyVersion
from statemachines.backtests.run import MAX_KEPT, MAX_WAITING
from tests.api.backtests.made import FROM_MS, Clock, desk_on, done, request
from tests.waiting import until

TOKEN = "the-token-of-this-test"
LIST = "/api/v1/backtests"
NEW = {"market": "synthetic", "to_day": "2025-01-31"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "backtests"


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[TestClient]:
    yield from _client(desk_on(folder))


@pytest.fixture
def runs(folder: Path) -> Iterator[Runs]:
    yield Runs(folder, Clock())
    shutil.rmtree(folder, ignore_errors=True)


def _client(desk: BacktestDesk | None) -> Iterator[TestClient]:
    app = create_app(MagicMock(), Judge(Token(TOKEN)).judge, desk=desk)
    with TestClient(app, headers={"Authorization": f"Bearer {TOKEN}"}) as found:
        yield found


def begun(runs: Runs, run: StoredRun) -> StoredRun:
    return runs.move(run, "begin", "Its turn has come.")


def test_a_run_is_taken_in_the_name_of_the_credential_and_waits(client: TestClient, runs: Runs) -> None:
    answer = client.post(LIST, json=NEW | {"name": "mine"})
    assert answer.status_code == 200
    found = TypeAdapter(Backtest).validate_python(answer.json(), strict=False)
    assert (found.state, found.who, found.name, found.is_synthetic) == ("QUEUED", "operator", "mine", True)
    assert found.wanted is not None and found.wanted.to_day == "2025-01-31"
    (stored,) = runs.all()
    assert stored.request is not None and "--to=2025-01-31" in stored.request.arguments


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from_day": "x"}, "from_day"),
        ({"market": "moon"}, "market"),
        ({"market": "history"}, "market"),
        ({"engines": "luck"}, "engines"),
        ({"seed": -1}, "seed"),
        ({"luck": 1}, "luck"),
        ({"settings": ["risk.moods=1"]}, "settings"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 81}, "name"),
    ],
)
def test_a_refused_value_is_named_and_nothing_is_written(
    client: TestClient, runs: Runs, body: dict[str, object], field: str
) -> None:
    answer = client.post(LIST, json=NEW | body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["field"] == field and field in answer.json()["error"]
    assert runs.all() == []


def test_pages_follow_each_other_without_loss_whatever_comes_meanwhile(client: TestClient, runs: Runs) -> None:
    made = [runs.create(request(str(number))).run_id for number in range(5)]
    first = client.get(LIST, params={"limit": 2}).json()
    runs.create(request("meanwhile"))
    second = client.get(LIST, params={"limit": 2, "before": first["next"]}).json()
    third = client.get(LIST, params={"limit": 2, "before": second["next"]}).json()
    assert [one["run_id"] for page in (first, second, third) for one in page["rows"]] == made[::-1]
    assert third["next"] is None
    assert client.get(LIST, params={"before": "x"}).status_code == 422
    assert client.get(LIST, params={"state": "DONE"}).json()["rows"] == []
    assert client.get(LIST, params={"state": "ASLEEP"}).json()["field"] == "state"


def test_answers_are_as_documented(client: TestClient, runs: Runs) -> None:
    ended, other = done(runs, "a"), done(runs, "b", 0.9)
    answers: dict[str, Any] = {
        LIST: models.Page[Backtest],
        f"{LIST}/options": BacktestOptions,
        f"{LIST}/{ended.run_id}": Backtest,
        f"{LIST}/{ended.run_id}/figures": BacktestDetail,
        f"{LIST}/compare?runs={ended.run_id},{other.run_id}": BacktestComparison,
    }
    for path, kind in answers.items():
        answer = client.get(path)
        assert answer.status_code == 200, answer.text
        TypeAdapter(kind).validate_json(answer.text)


def test_the_figures_are_the_reports(client: TestClient, runs: Runs) -> None:
    run = done(runs, growth=1.1, days=400)
    found = client.get(f"{LIST}/{run.run_id}/figures").json()
    key = found["figures"]
    assert key["total_return"] == pytest.approx(0.1) and key["annual_return"] == pytest.approx(1.1 ** (365 / 400) - 1)
    assert (key["worst_drawdown"], key["sharpe"], key["trades"], key["fills"]) == (-0.12, 1.25, 9, 18)
    assert (key["capital_usdt"], key["end_equity_usdt"], key["profit_usdt"]) == ("100000.00", "110000.00", "10000.00")
    assert {one["engine"]: (one["trades"], one["funding_usdt"]) for one in found["engines"]} == {
        "TREND-1": (7, "-4.00"),
        "FUNDING": (2, "-4.00"),
    }
    curve = found["curve"]
    assert len(curve) == 401 and curve[0]["at_ms"] == FROM_MS
    assert curve[-1]["growth"] == pytest.approx(1.1) and curve[-1]["equity_usdt"] == "110000.00"
    assert [one["btc_growth"] for one in curve[:3]] == [None, None, None] and curve[4]["btc_growth"] > 1
    assert client.get(LIST).json()["rows"][0]["figures"] == key


@pytest.mark.parametrize("broken", ["", "[]", '{"facts": {}}', '{"facts": {"from_ms": NaN}, "books": {}}'])
def test_figures_that_cannot_be_read_are_none_and_no_failure(client: TestClient, runs: Runs, broken: str) -> None:
    run = done(runs)
    (run.report.parent / "summary.json").write_text(broken)
    assert client.get(LIST).json()["rows"][0]["figures"] is None
    answer = client.get(f"{LIST}/{run.run_id}/figures")
    assert answer.status_code == 404 and "summary.json" in answer.json()["error"]


def test_a_long_curve_is_thinned_and_keeps_its_ends(client: TestClient, runs: Runs) -> None:
    run = done(runs, days=2_000)
    curve = client.get(f"{LIST}/{run.run_id}/figures").json()["curve"]
    assert len(curve) == MAX_POINTS and curve[-1]["growth"] == pytest.approx(1.1)
    assert [len(thinned(list(range(n)))) for n in (0, 1, 600, 601)] == [0, 1, 600, 600]  # type: ignore[arg-type]


def test_a_comparison_says_what_must_be_known_to_read_it(client: TestClient, runs: Runs) -> None:
    a, b = done(runs, "a", is_synthetic=False), done(runs, "b", 0.9, days=300)
    found = client.get(f"{LIST}/compare", params={"runs": f"{b.run_id},{a.run_id}"}).json()
    assert [one["run"]["name"] for one in found["runs"]] == ["b", "a"], "in the order that was asked for"
    assert len(found["differences"]) == 3 and "synthetic" in found["differences"][0]
    c = done(runs, "c", 1.2, is_synthetic=False)
    same = client.get(f"{LIST}/compare", params={"runs": f"{a.run_id},{c.run_id}"}).json()
    assert same["differences"] == []


@pytest.mark.parametrize("names", ["", "a", "{0}", "{0},{0}", "{0},{0},{0},{0},{0}"])
def test_two_to_four_different_runs_can_be_compared(client: TestClient, runs: Runs, names: str) -> None:
    run = done(runs)
    answer = client.get(f"{LIST}/compare", params={"runs": names.format(run.run_id)})
    assert answer.status_code == 422 and "2 to 4 different ids of runs" in answer.json()["error"]


def test_a_run_without_a_report_is_not_compared_and_has_none(client: TestClient, runs: Runs) -> None:
    run, ended = runs.create(request()), done(runs)
    for path in (f"{LIST}/{run.run_id}/report", f"{LIST}/{run.run_id}/figures",
                 f"{LIST}/compare?runs={run.run_id},{ended.run_id}"):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 404 and "is QUEUED and has no report" in answer.json()["error"]


def test_the_report_can_do_nothing_with_the_operators_session(client: TestClient, runs: Runs) -> None:
    """An origin of its own, no request to anything, and only the scripts that it was written with."""
    run = done(runs)
    answer = client.get(f"{LIST}/{run.run_id}/report")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    policy = dict(one.strip().partition(" ")[::2] for one in answer.headers["content-security-policy"].split(";"))
    assert policy["sandbox"] == "allow-scripts", "allow-same-origin would give it the cookie"
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert "connect-src" not in policy, "default-src forbids it"
    own = dict(one.strip().partition(" ")[::2] for one in page_policy(answer.text).split(";"))
    assert policy["script-src"] == own["script-src"] and policy["script-src"].startswith("'sha256-")
    assert answer.headers["x-frame-options"] == "DENY"


def test_cancel_is_a_wish_that_the_keeper_carries_out(client: TestClient, runs: Runs) -> None:
    waiting, ended = begun(runs, runs.create(request())), done(runs)
    first = client.post(f"{LIST}/{waiting.run_id}/cancel")
    assert first.status_code == 200
    assert (first.json()["state"], first.json()["is_cancelling"], first.json()["canceller"]) == (
        "RUNNING",
        True,
        "operator",
    )
    assert client.post(f"{LIST}/{waiting.run_id}/cancel").json() == first.json(), "a repeat changes nothing"
    refused = client.post(f"{LIST}/{ended.run_id}/cancel")
    assert refused.status_code == 409 and "has ended already, in the state DONE" in refused.json()["error"]


def test_only_what_has_ended_is_removed(client: TestClient, runs: Runs) -> None:
    running, ended = begun(runs, runs.create(request())), done(runs)
    refused = client.delete(f"{LIST}/{running.run_id}")
    assert refused.status_code == 409 and "cancel it first" in refused.json()["error"]
    assert client.delete(f"{LIST}/{ended.run_id}").status_code == 200
    assert client.delete(f"{LIST}/{ended.run_id}").status_code == 404
    assert [run.run_id for run in runs.all()] == [running.run_id]


@pytest.mark.parametrize("name", ["x", "20260101-000000-000000", "..%2f..%2fapi-token", "20261399-000000-000000"])
def test_what_is_no_run_is_not_there(client: TestClient, runs: Runs, name: str) -> None:
    runs.create(request())
    for method, path in (("GET", ""), ("GET", "/report"), ("GET", "/figures"), ("POST", "/cancel"), ("DELETE", "")):
        assert client.request(method, f"{LIST}/{name}{path}").status_code == 404


def test_a_full_queue_and_a_full_folder_refuse_another(client: TestClient, runs: Runs) -> None:
    for _ in range(MAX_WAITING - 1):
        runs.create(request())
    assert client.post(LIST, json=NEW).status_code == 200
    refused = client.post(LIST, json=NEW)
    assert refused.status_code == 409 and f"{MAX_WAITING} backtests wait already" in refused.json()["error"]
    assert refused.json()["error"] == client.get(f"{LIST}/options").json()["obstacle"]
    for run in runs.all():
        runs.move(run, "cancel", "Cancelled by anna before it began.")
    for _ in range(MAX_KEPT - MAX_WAITING):
        runs.move(runs.create(request()), "cancel", "Cancelled by anna before it began.")
    assert "are kept already" in client.post(LIST, json=NEW).json()["error"]


def test_starts_at_once_do_not_exceed_the_queue(runs: Runs) -> None:
    """The planted defect is a count that is taken before the lock."""
    desk, outcomes = desk_on(runs.folder), list[str]()

    def start() -> None:
        try:
            desk.start(BacktestWanted(market="synthetic"), "anna")
            outcomes.append("taken")
        except BacktestConflictError:
            outcomes.append("refused")

    threads = [threading.Thread(target=start) for _ in range(MAX_WAITING + 3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (outcomes.count("taken"), outcomes.count("refused")) == (MAX_WAITING, 3)
    assert len(runs.all()) == MAX_WAITING


def test_the_options_say_what_there_is(runs: Runs, tmp_path: Path) -> None:
    config = EternalConfig()
    policy = PolicyVersion(4, Clock()(), "anna", "calmer", "operator", policy_of(config))
    desk = desk_on(runs.folder, lambda: policy, tmp_path)
    assert desk.options().history.state == "READING"
    until(lambda: desk.options().history.state == "READY")
    found = desk.options()
    assert (found.policy_version, found.defaults.market, found.obstacle) == (4, "history", "")
    assert (found.history.earliest_day, found.history.last_day) == ("2018-01-01", "2025-06-30")
    assert found.history.folder == tmp_path.name, "no path of the machine is told"
    (tmp_path / "more.csv").touch()
    assert desk.options().history.state == "READING", "changed files are judged anew"
    none = desk_on(runs.folder).options()
    assert none.history.state == "NONE" and "eternal history download" in none.history.text
    assert none.defaults.market == "synthetic"


def test_a_policy_that_cannot_be_read_starts_nothing(runs: Runs) -> None:
    def away() -> PolicyVersion | None:
        raise OSError("the database is away: password=x")

    for client in _client(desk_on(runs.folder, away)):
        answer = client.post(LIST, json=NEW)
        assert answer.status_code == 503 and "try again" in answer.json()["error"]
        assert "password" not in answer.text
    assert runs.all() == []


def test_an_interface_without_backtests_says_so() -> None:
    for client in _client(None):
        for path in ("", "/options", "/x", "/compare?runs=a,b"):
            assert "runs no backtests" in client.get(f"{LIST}{path}").json()["error"]


def test_a_run_that_is_deleted_by_hand_disturbs_no_list(client: TestClient, runs: Runs) -> None:
    kept, gone = runs.create(request()), runs.create(request())
    shutil.rmtree(gone.folder)
    assert [one["run_id"] for one in client.get(LIST).json()["rows"]] == [kept.run_id]
