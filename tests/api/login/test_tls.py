"""TLS of the interface, and proxies before it (DE-3), on a real server."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from api.cli.asking.way import local_calls
from api.cli.doctor import _certificate
from api.client.calls import trusting
from api.client.errors import UnansweredError
from api.client.operations import Operations
from api.client.running_system import Place
from api.http.app import create_app
from api.http.serving import listen, make_server
from api.http.tls import Certificate, CertificateError, certificate_of
from api.service import OperatorService
from api.snapshot import SnapshotCache
from infra.config import EternalConfig
from infra.config.sections import ApiConfig
from infra.database.queries import Queries
from tests.api.access.doors import OWNERS, Doors
from tests.api.login.certificates import make_certificate
from tests.api.login.test_login import NO_DATABASE
from tests.waiting import until

BEARER = {"Authorization": f"Bearer {OWNERS}"}


class Server:
    """A running interface."""

    def __init__(self, folder: Path, certificate: Certificate | None = None, proxies: Sequence[str] = ()) -> None:
        self.doors = Doors(folder)
        service = OperatorService(Queries(NO_DATABASE), SnapshotCache(dict), lambda: "synthetic", True)
        app = create_app(
            service, self.doors.judge.judge, entrance=self.doors.entrance, demands_encryption=bool(proxies)
        )
        listener = listen("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        self.server = make_server(app, certificate, proxies)
        self._thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        until(lambda: self.server.started)

    def close(self) -> None:
        self.server.should_exit = True
        self._thread.join(10)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path / "tls", "console.example")


@pytest.fixture
def server(tmp_path: Path, files: tuple[Path, Path]) -> Iterator[Server]:
    found = Server(tmp_path, certificate_of(*files))
    yield found
    found.close()


def shaken(port: int, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[str | None, bytes | None]:
    """The protocol and the certificate of a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode, context.maximum_version = False, ssl.CERT_NONE, newest
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line, context.wrap_socket(line) as secure:
        return secure.version(), secure.getpeercert(binary_form=True)


def test_the_interface_talks_tls_1_3_and_nothing_older(server: Server) -> None:
    assert shaken(server.port)[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLError):
        shaken(server.port, ssl.TLSVersion.TLSv1_2)
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{server.port}/health", trust_env=False)


def test_a_renewed_certificate_is_taken_without_a_restart_and_a_spoilt_one_is_not(
    server: Server, files: tuple[Path, Path], tmp_path: Path
) -> None:
    first, certificate = shaken(server.port)[1], server.server.certificate
    assert certificate is not None
    files[0].write_text("spoilt")
    certificate.look()
    assert shaken(server.port)[1] == first
    renewed = make_certificate(tmp_path / "renewed", "console.example")
    for old, new in zip(files, renewed, strict=True):
        shutil.copy(new, old)
    certificate.look()
    assert shaken(server.port)[1] not in (None, first)


def test_our_own_command_line_takes_exactly_the_configured_certificate(
    server: Server, files: tuple[Path, Path], tmp_path: Path
) -> None:
    token = tmp_path / "api-token"
    token.write_text(OWNERS)

    def person(certificate: Path) -> str:
        place = Place(tmp_path, token_file=token, certificate=certificate)
        return Operations(local_calls(place, server.port)).standing()["person"]

    assert person(files[0]) == "operator"
    with pytest.raises(UnansweredError, match="certificate verify failed"):
        person(make_certificate(tmp_path / "other", "console.example")[0])
    with pytest.raises(UnansweredError, match="cannot be read"):
        person(tmp_path / "none.pem")


def test_over_tls_the_cookie_is_secure(server: Server, files: tuple[Path, Path]) -> None:
    with httpx.Client(verify=trusting(files[0]), trust_env=False) as client:
        answer = client.post(f"https://127.0.0.1:{server.port}/api/v1/session", json={"token": OWNERS})
    assert answer.headers["set-cookie"].startswith(f"__Host-eternal-{server.port}=")
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        ("no certificate", r"api\.tls_certificate .*console\.example\.pem cannot be read: No such file"),
        ("no key", r"api\.tls_key .*console\.example\.key cannot be read: No such file"),
        ("empty", r"api\.tls_certificate .* is empty; a file in PEM is required"),
        ("another key", r"cannot be used together \(key values mismatch\)"),
        ("no PEM", r"cannot be used together"),
        ("password", r"cannot be used together .*without a password"),
    ],
)
def test_files_that_do_not_fit_are_refused_before_anything_is_started(
    tmp_path: Path, files: tuple[Path, Path], spoil: str, sentence: str
) -> None:
    certificate, key = files
    match spoil:
        case "no certificate":
            certificate.unlink()
        case "no key":
            key.unlink()
        case "empty":
            certificate.write_text("\n")
        case "another key":
            shutil.copy(make_certificate(tmp_path / "other", "other")[1], key)
        case "no PEM":
            certificate.write_text("no certificate at all")
        case "password":
            certificate, key = make_certificate(tmp_path / "locked", "locked", b"word")
    with pytest.raises(CertificateError, match=sentence):
        certificate_of(certificate, key)
    config = EternalConfig(data_folder=tmp_path / "data", api=ApiConfig(tls_certificate=certificate, tls_key=key))
    finding = _certificate(config)
    assert (not finding.ok and "required" in finding.text) or "cannot be read" in finding.text
    from api.cli.run import show_run

    with pytest.raises(CertificateError):
        show_run(config, until_end=False)
    assert not (tmp_path / "data").exists()


def test_a_key_that_others_may_read_is_closed_to_them(files: tuple[Path, Path]) -> None:
    files[1].chmod(0o644)
    certificate_of(*files)
    assert files[1].stat().st_mode & 0o077 == 0


def test_without_a_certificate_there_is_none() -> None:
    assert certificate_of(None, None) is None
    assert _certificate(EternalConfig()).ok


# --- proxies ---


def login_address(server: Server, headers: dict[str, str]) -> tuple[int, str]:
    """The status of a login with these headers, and the address it came from as it is kept."""
    answer = httpx.post(
        f"http://127.0.0.1:{server.port}/api/v1/session", json={"token": OWNERS}, headers=headers, trust_env=False
    )
    found = server.doors.sessions.all()
    return answer.status_code, found[-1].address if answer.status_code == 200 else json.dumps(answer.json())


HTTPS = {"X-Forwarded-Proto": "https"}


@pytest.mark.parametrize(
    ("headers", "status", "address"),
    [
        ({}, 200, "127.0.0.1"),
        ({"X-Forwarded-For": "192.0.2.9", **HTTPS}, 200, "192.0.2.9"),
        ({"X-Forwarded-For": "127.0.0.1, 192.0.2.9", **HTTPS}, 200, "192.0.2.9"),
        ({"X-Forwarded-For": "192.0.2.9, 127.0.0.1", **HTTPS}, 200, "192.0.2.9"),
        ({"X-Forwarded-For": "192.0.2.9"}, 403, "X-Forwarded-Proto"),
        ({"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "http"}, 403, "over TLS only"),
    ],
)
def test_what_a_declared_proxy_says_of_its_client_is_believed(
    tmp_path: Path, headers: dict[str, str], status: int, address: str
) -> None:
    server = Server(tmp_path, proxies=("127.0.0.1",))
    try:
        found = login_address(server, headers)
        assert found[0] == status and address in found[1]
    finally:
        server.close()


@pytest.mark.parametrize("proxies", [(), ("10.0.0.7",), ("10.0.0.0/8",)])
def test_what_others_say_is_ignored(tmp_path: Path, proxies: tuple[str, ...]) -> None:
    """uvicorn believes every program on this machine unless it is told otherwise: a guesser could have changed his
    address with each guess."""
    server = Server(tmp_path, proxies=proxies)
    try:
        assert login_address(server, {"X-Forwarded-For": "192.0.2.9", **HTTPS}) == (200, "127.0.0.1")
        statuses = [
            httpx.get(
                f"http://127.0.0.1:{server.port}/api/v1/machines",
                headers={"Authorization": f"Bearer wrong-{n}", "X-Forwarded-For": f"192.0.2.{n}"},
                trust_env=False,
            ).status_code
            for n in range(7)
        ]
        assert statuses == [401] * 5 + [429] * 2
    finally:
        server.close()
