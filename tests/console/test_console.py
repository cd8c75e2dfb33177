"""The console as it is served (IF-3): built files equal their sources, both languages are whole, no other host."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from fastapi.testclient import TestClient

from api.access.judge import Judge
from api.http.app import create_app
from api.http.console import BUILT, POLICY, asset_paths
from api.tokens import Token
from tests.console.sources import CONSOLE, DICTIONARY, SOURCES, known, pages, spoken


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(create_app(MagicMock(), Judge(Token("t" * 43)).judge))


def test_the_page_and_its_files_are_open_and_run_nothing_foreign(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and page.headers["Content-Security-Policy"] == POLICY
    assert "unsafe" not in POLICY and "http" not in POLICY
    assert not re.search(r"\son[a-z]+=|\sstyle=|<script>|<style", page.text), "the policy forbids what stands inline"
    named = set(re.findall(r"/console/assets/[\w.-]+", page.text))
    assert named and named <= asset_paths()
    for path in asset_paths():
        answer = client.get(path)
        assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"], path
    assert client.get("/console/assets/other.js").status_code == 401, "what is not there is behind the credential"


def test_no_other_host_is_asked_for_anything() -> None:
    """Addresses occur as links to click, in licences and in messages of libraries; nothing loads from one."""
    for path in sorted((BUILT / "assets").iterdir()):
        if path.suffix in (".js", ".css"):
            text = path.read_text(encoding="utf-8")
            found = set(re.findall(r"https?://([\w.-]+)", text))
            assert found <= {"www.tradingview.com", "svelte.dev", "www.w3.org"}, (path.name, found)
            assert "@import" not in text


def test_every_text_has_its_russian() -> None:
    missing = {(path.name, text) for path in pages() for text in spoken(path.read_text(encoding="utf-8"))} - {
        (path.name, text) for path in pages() for text in known()
    }
    assert missing == set()


def test_a_text_without_russian_is_noticed() -> None:
    """The planted defect."""
    assert not spoken("{t('A text that was added yesterday.')}") <= known()
    assert spoken("t('It\\'s {n}', { n })") == {"It's {n}"}


def test_the_dictionary_holds_nothing_that_is_not_said() -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in pages()).replace("\\'", "'")
    unused = {text for text in known() if f"'{text}'" not in said}
    assert unused == set()


def test_russian_keeps_every_value_of_the_text() -> None:
    """A translation that loses `{n}` would show a sentence without its number."""
    text = DICTIONARY.read_text(encoding="utf-8")
    lines = re.findall(r"^  (?:'((?:[^'\\]|\\.)*)'|(\w+)): '((?:[^'\\]|\\.)*)',$", text, re.MULTILINE)
    assert len(lines) == len(known())
    for quoted, word, russian in lines:
        assert sorted(re.findall(r"{\w+}", quoted or word)) == sorted(re.findall(r"{\w+}", russian)), quoted or word


def test_no_colour_stands_outside_the_tokens() -> None:
    for path in SOURCES.rglob("*.svelte"):
        colours = re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[; }])", path.read_text(encoding="utf-8"))
        assert set(colours) <= {"#0008"}, path.name


@pytest.mark.skipif(shutil.which("npm") is None, reason="without Node the built files cannot be compared with a build")
def test_the_built_files_are_what_the_sources_build_to(tmp_path: Path) -> None:
    console = tmp_path / "console"
    shutil.copytree(CONSOLE.parent / "texts", tmp_path / "texts", ignore=shutil.ignore_patterns("__pycache__"))
    console.mkdir()
    for name in ("src", "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json",
                 "vite.config.ts", ".npmrc"):  # fmt: skip
        source = CONSOLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, console / name)
    install = ["npm", "install", "--no-audit", "--no-fund"]
    installed = subprocess.run(install, check=False, cwd=console, capture_output=True, text=True, timeout=240)
    if installed.returncode:
        pytest.skip(f"the packages of the console cannot be installed here: {installed.stderr[-300:]}")
    subprocess.run(["npx", "vite", "build"], cwd=console, check=True, capture_output=True, timeout=240)
    assert _files(console / "dist") == _files(BUILT), "run `make console`"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
