"""IF-4: the command line's client is the interface's own description, and a wrong field is found before it runs."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import mypy.api
import pytest

from api.client.calls import HttpCalls, in_path
from api.client.errors import RefusedError, StrangeAnswerError, UnansweredError
from api.client.operations import Operations
from tests.api.client.document import openapi
from tests.api.client.generate import FOLDER, ROOT, sources

HEALTHY = {"ok": True, "reasons": []}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi()


@pytest.fixture(scope="module")
def made(document: Mapping[str, Any]) -> dict[str, str]:
    return sources(document)


def test_the_client_is_what_the_interface_describes(made: Mapping[str, str]) -> None:
    """`make client` makes it anew."""
    for name, text in made.items():
        assert (ROOT / FOLDER / name).read_text(encoding="utf-8") == text, f"{FOLDER / name} is old: make client"


def test_a_field_and_a_parameter_that_are_renamed_change_the_client(
    document: Mapping[str, Any], made: Mapping[str, str]
) -> None:
    """The planted defect of the test above."""
    planted = copy.deepcopy(dict(document))
    fields = planted["components"]["schemas"]["Order"]["properties"]
    fields["amount"] = fields.pop("quantity")
    for one in planted["paths"]["/api/v1/orders"]["get"]["parameters"]:
        if one["name"] == "symbol":
            one["name"] = "market"
    changed = sources(planted)
    assert all(changed[name] != made[name] for name in ("models.py", "operations.py"))


@pytest.mark.slow
def test_mypy_finds_a_wrong_field_a_wrong_parameter_and_a_wrong_value(tmp_path: Path) -> None:
    """The types are strict enough for the command line: without the three mistakes the same program is accepted."""
    right = (
        "from api.client.operations import Operations\n"
        "def use(operations: Operations) -> str:\n"
        "    page = operations.orders(engine='trend-1', limit=5)\n"
        "    return page['rows'][0]['client_order_id']\n"
    )
    wrong = right.replace("client_order_id", "order_id").replace("limit=5", "many=5").replace("'trend-1'", "'trend-9'")
    for text, found in ((right, []), (wrong, ["order_id", "many", "trend-9"])):
        (tmp_path / "used.py").write_text(text, encoding="utf-8")
        said, _, _ = mypy.api.run(["--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(tmp_path / "used.py")])
        errors = [line for line in said.splitlines() if ": error:" in line]
        assert bool(errors) is bool(found), said
        assert all(any(one in line for line in errors) for one in found), said


# --- the calls ---


class _Interface(BaseHTTPRequestHandler):
    """Answers what the test says and keeps what came."""

    answer: ClassVar[tuple[int, bytes]] = (200, b"")
    came: ClassVar[list[tuple[str, str, str | None]]] = []

    def do_GET(self) -> None:
        self.came.append((self.command, self.path, self.headers.get("Authorization")))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Interface) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def client(address: str) -> Operations:
    return Operations(HttpCalls(address, lambda: {"Authorization": "Bearer a-token"}, timeout_s=5.0))


def test_a_request_carries_credential_and_parameters_and_leaves_out_what_is_not_given(address: str) -> None:
    _Interface.answer, _Interface.came[:] = (200, b'{"rows": [], "next": null}'), []
    client(address).orders(from_="2025-01-01", symbol="BTC&x=1", limit=7)
    assert _Interface.came == [("GET", "/api/v1/orders?symbol=BTC%26x%3D1&limit=7&from=2025-01-01", "Bearer a-token")]
    assert in_path("../a b") == "..%2Fa%20b", "a part of a path stays one"


def test_fields_that_are_not_known_are_handed_on(address: str) -> None:
    """IF-4: fields are added to answers; `--json` shows them."""
    _Interface.answer = (200, json.dumps({**HEALTHY, "new": 1}).encode())
    assert client(address).health() == {**HEALTHY, "new": 1}
    _Interface.answer = (503, json.dumps({"ok": False, "reasons": ["a reason"]}).encode())
    assert client(address).health()["reasons"] == ["a reason"], "a documented answer too"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, b"<html>a proxy</html>"), "it is not this interface"),
        ((200, b"[]"), "it is not this interface"),
        ((200, b'{"ok": true}'), "reasons: field required"),
        ((200, b'{"ok": true, "reasons": "x"}'), "reasons"),
        ((502, b"bad gateway"), "status 502"),
        ((404, b'{"detail": "none"}'), "status 404"),
    ],
)
def test_an_answer_that_is_not_as_described_is_no_answer(address: str, answer: tuple[int, bytes], said: str) -> None:
    _Interface.answer = answer
    with pytest.raises(StrangeAnswerError, match=said):
        client(address).health()


def test_a_refusal_has_its_status_and_sentence(address: str) -> None:
    _Interface.answer = (422, b'{"error": "engine \'x\' is not allowed.", "field": "engine", "value": "x"}')
    with pytest.raises(RefusedError) as caught:
        client(address).positions()
    assert (caught.value.status, caught.value.sentence, caught.value.field) == (
        422, "engine 'x' is not allowed.", "engine",
    )  # fmt: skip


def test_what_does_not_listen_does_not_answer() -> None:
    with pytest.raises(UnansweredError, match="nothing listens there"):
        client("http://127.0.0.1:1").health()
    assert "a-token" not in repr(HttpCalls("http://127.0.0.1:1", lambda: {"Authorization": "Bearer a-token"}))
