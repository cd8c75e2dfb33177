"""The ways in (IF-4, P5): the token, clear refusals, pages that never hang, instant help, current documents."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from api.access.judge import Judge
from api.cli.report import collect, lines, problems
from api.http.app import create_app
from api.machines import MACHINES, markdown
from api.service import OperatorService
from api.snapshot import SnapshotCache
from api.tokens import Token, read_or_make_token
from infra.database.queries import Queries
from tests.database import database_url, postgres_server  # noqa: F401 - fixtures

ROOT = Path(__file__).parents[2]
STATUS: dict[str, Any] = {
    "booted": True,
    "boot_error": "",
    "orchestrator": {"state": "RUNNING", "pid": 1},
    "components": [],
    "all_up": True,
    "lockstep": {"state": "RUNNING", "why": "", "market_ms": 1_735_689_600_000, "step": 7},
}
SECRET = "a-very-secret-token"


def _client(url: str, fetch: Any) -> TestClient:
    service = OperatorService(Queries(url), SnapshotCache(fetch, patience_s=0.3), lambda: "synthetic, seed 2", True)
    return TestClient(create_app(service, Judge(Token(SECRET)).judge))


@pytest.fixture
def client(database_url: str) -> Iterator[TestClient]:  # noqa: F811
    with _client(database_url, lambda: STATUS) as found:
        found.headers["Authorization"] = f"Bearer {SECRET}"
        yield found


PATHS = (
    "/api/v1/overview",
    "/api/v1/actors",
    "/api/v1/actors/funding",
    "/api/v1/actors/funding/transitions",
    "/api/v1/actors/funding/remarks",
    "/api/v1/machines",
    "/api/v1/orders",
    "/api/v1/executions",
    "/api/v1/positions",
    "/api/v1/portfolio",
    "/api/v1/ledger",
    "/api/v1/transfers",
    "/api/v1/events",
    "/api/v1/alerts",
    "/api/v1/summaries",
    "/api/v1/equity",
    "/api/v1/performance",
    "/api/v1/policies",
    "/api/v1/discrepancies",
    "/api/v1/switch-trips",
    "/api/v1/switches",
)


def test_every_page_answers_with_the_token_and_none_without(client: TestClient) -> None:
    for path in PATHS:
        assert client.get(path).status_code == 200, path
        refused = client.get(path, headers={"Authorization": "Bearer wrong"})
        assert refused.status_code in (401, 429), path  # wrong ones are slowed
        assert SECRET not in refused.text
    assert client.get("/", headers={"Authorization": ""}).status_code == 200


def test_nonsense_is_refused_with_field_value_and_what_is_allowed(client: TestClient) -> None:
    answer = client.get("/api/v1/actors/nobody")
    assert answer.status_code == 404
    assert answer.json()["field"] == "actor"
    assert "trend-1" in answer.json()["allowed"]
    answer = client.get("/api/v1/orders", params={"state": "DREAMING"})
    assert answer.status_code == 422
    assert answer.json()["value"] == "DREAMING"
    assert client.get("/api/v1/orders", params={"limit": 0}).status_code == 422
    assert client.get("/api/v1/orders/no-such-order/chain").status_code == 404
    assert client.get("/api/v1/machines/perpetuum/diagram").status_code == 404


def test_a_hung_orchestrator_hangs_no_page_and_health_fails(database_url: str) -> None:  # noqa: F811
    released = threading.Event()

    def hang() -> Mapping[str, Any]:
        released.wait(30)
        return STATUS

    with _client(database_url, hang) as client:
        try:
            health = client.get("/health")
            assert health.status_code == 503
            assert any("orchestrator" in reason for reason in health.json()["reasons"])
            assert client.get("/api/v1/orders", headers={"Authorization": f"Bearer {SECRET}"}).status_code == 200
        finally:
            released.set()


def test_a_dead_database_is_said_and_nothing_crashes() -> None:
    with _client("postgresql://nobody:x@127.0.0.1:1/none", lambda: STATUS) as client:
        assert client.get("/health").status_code == 503
        answer = client.get("/api/v1/orders", headers={"Authorization": f"Bearer {SECRET}"})
        assert answer.status_code == 503
        assert "database" in answer.json()["error"]


def test_diagrams_name_every_state_in_both_languages(client: TestClient) -> None:
    for name, machine in MACHINES.items():
        table = machine.table()
        text = client.get(f"/api/v1/machines/{name}/diagram").text
        for state in table.states:
            assert table.russian[state] in text


def test_a_diagram_is_documented_as_the_text_that_it_is(client: TestClient) -> None:
    """It was documented as JSON; who generated a client from the description could not read a single diagram."""
    documented = client.get("/api/v1/openapi.json").json()["paths"]["/api/v1/machines/{name}/diagram"]["get"][
        "responses"
    ]["200"]
    assert {"text/plain", "text/html"} <= set(documented["content"])
    for form, kind in (("mermaid", "text/plain"), ("html", "text/html")):
        answer = client.get("/api/v1/machines/order/diagram", params={"format": form})
        assert answer.headers["content-type"].partition(";")[0] == kind


def test_the_documents_are_current() -> None:
    assert (ROOT / "docs" / "machines.md").read_text(encoding="utf-8") == markdown(), "run `eternal diagrams`"


def test_the_token_is_made_once_closed_to_others_and_never_shown(tmp_path: Path) -> None:
    token = read_or_make_token(tmp_path / "token")
    text = (tmp_path / "token").read_text().strip()
    assert (tmp_path / "token").stat().st_mode & 0o077 == 0
    assert token.matches(text) and not token.matches("x")
    assert text not in repr(token) + str(token)
    assert read_or_make_token(tmp_path / "token").matches(text)


def test_a_run_without_a_trade_is_called_unsound(database_url: str) -> None:  # noqa: F811
    report = collect(Queries(database_url))
    assert any("NOTHING WAS TRADED" in problem for problem in problems(report))
    assert lines(report)


def test_help_imports_nothing_heavy() -> None:
    """`--help` answers in under half a second because it loads none of these."""
    loaded = "print([m for m in ('ray','pydantic','numpy','sqlalchemy','fastapi') if m in sys.modules])"
    code = f"import sys, api.cli.main; {loaded}"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_a_wrong_setting_is_a_sentence_not_a_traceback(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from api.cli.main import main; main()", "run", "--set", "exchange.pace_s=-1"]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert answer.returncode == 2
    assert "exchange.pace_s = '-1'" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_cluster_file_is_valid_for_ray() -> None:
    """DE-1: ray_cluster.yaml, checked against Ray's own schema without a cloud."""
    from ray.autoscaler._private.util import prepare_config, validate_config

    cluster = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())
    validate_config(prepare_config(cluster))
    assert cluster["provider"]["region"] == "ap-southeast-1"
    assert cluster["provider"]["use_internal_ips"] is True
    starts = [command for group in ("head", "worker") for command in cluster[f"{group}_start_ray_commands"]]
    starts = [command for command in starts if "ray start" in command]
    assert len(starts) == 2 and all("RAY_AUTH_MODE=token" in command for command in starts)
    assert any("requirements.lock" in command for command in cluster["setup_commands"])


def test_the_overview_is_shared_by_all_ways_in(database_url: str) -> None:  # noqa: F811
    service = OperatorService(Queries(database_url), SnapshotCache(lambda: STATUS), lambda: "synthetic", True)
    overview = asyncio.run(service.overview())
    assert [engine["name"] for engine in overview["engines"]] == [
        "core-hodl",
        "trend-1",
        "trend-2",
        "funding",
        "tactical",
    ]
    service.close()
