"""The page in a real browser, if there is one: a one-time link logs in, a used one says why it does not."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.login.test_tls import Server

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--virtual-time-budget=4000",
    "--dump-dom",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(tmp_path)
    yield found
    found.close()


def opened(folder: Path, url: str) -> str:
    """The page as it stands once its script has run."""
    command = [str(CHROMIUM), *OPTIONS, f"--user-data-dir={folder / 'browser'}", url]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def test_a_link_opens_the_page_logged_in_and_once(server: Server, tmp_path: Path) -> None:
    place = f"http://127.0.0.1:{server.port}"
    server.doors.now = server.doors.now.replace(year=2100)  # the browser's cookie must not be old by its own clock
    link = f"{place}/#link={server.doors.links.make()}"
    page = opened(tmp_path, link)
    assert "operator (control)" in page and '<button id="out" type="button" class="link">' in page
    (session,) = server.doors.sessions.all()
    assert (session.person, session.way, session.address) == ("operator", "link", "127.0.0.1")
    assert "operator (control)" in opened(tmp_path, f"{place}/"), "the cookie is kept"
    used = opened(tmp_path, link)
    assert "This link was used before" in used and "eternal access link" in used
    assert 'id="login" hidden' not in used and 'id="login" hidden' in page
