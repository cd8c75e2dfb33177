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
from statemachines.backtests import run
from tests.console.sources import CONSOLE, DICTIONARY, SOURCES, known, pages, spoken

SAID_OF_WHAT_COMES_NEXT = {
    "entry long",
    "entry short",
    "stop of the long",
    "stop of the short",
    "exit of the long",
    "exit of the short",
    "drift rebalance",
    "calendar rebalance",
    "sale down to its limit",
    "suspension: no sales",
    "entry of the pair",
    "exit of the pair",
    "exit of all pairs",
    "deployment: level 1",
    "deployment: level 2",
    "deployment: fear",
    "deployment: funding",
    "deployment: volatility",
    "exit: target",
    "exit: fast profit",
    "exit: time limit",
    "price against the stop",
    "close against the slow average",
    "daily closes since the entry",
    "funding paid per 8 h",
    "largest drift from the target weights",
    "days since the last drift rebalance",
    "days since the last deployment",
    "days until the quarter's end",
    "predicted rate per 8 h",
    "settled rate per 8 h",
    "basis",
    "readings above it in a row",
    "negative periods in a row",
    "settlements since the entry",
    "BTC from its high",
    "gain",
    "days since the purchase",
    "points",
    "closes",
    "days",
    "settlements",
    "readings",
    "periods",
}
"""Events, numbers and units of the outlooks; what is composed of names and numbers stays English."""

SAID_OF_BACKTESTS = {
    (
        "This installation has no price history for backtests. Fetch it with `eternal history download "
        "FOLDER`, set api.backtest_history = FOLDER, and start the system again; or run on the synthetic "
        "market."
    ),
    "The price history is being read; a run from it can be started meanwhile.",
    "The whole period was run.",
    "Its turn has come.",
    "The process ended in order and left no report.",
    "The books do not balance; the report names each fault. Do not use its figures.",
    "The interface's process ended while it ran, and the run ended with it. Start it again; nothing of it is kept.",
    "The system was stopped while it ran. Start it again; nothing of it is kept.",
    "It is removed with its report; nothing of it is kept.",
    "A synthetic market is among them: its figures say nothing about what strategies would earn.",
    "The markets or their data differ.",
    "The periods differ: compare figures a year, not those of the whole period.",
    "Different versions of the program ran them.",
    "Not all of them ran to the end of their period.",
}
"""Sentences about runs, their ends and comparisons."""

SAID_BY_THE_SERVER = frozenset(
    {
        *("drawdown", "share of the portfolio", "cash buffer", "leverage", "hedged pair", "net exposure"),
        *("alert only", "CORE-HODL buys no more", "purchases wait", "no further entry", "the entry is refused"),
        "an entry of TREND is refused",
        *("configuration", "rollback"),
        *SAID_OF_WHAT_COMES_NEXT,
        *SAID_OF_BACKTESTS,
    }
)
"""Names and effects of `/api/v1/limits` and of the outlooks, origins of policies, which the console translates."""


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
    assert known() >= SAID_BY_THE_SERVER


def test_what_is_translated_of_the_outlooks_is_said_by_them() -> None:
    """An event whose words have changed would be shown in English only."""
    files = (CONSOLE.parents[1] / "statemachines").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files if path.stem in ("outlook", "rules"))
    composed = {
        one for one in SAID_OF_WHAT_COMES_NEXT if one.split(" ")[0] in ("entry", "exit", "exit:", "deployment:", "stop")
    }
    assert {one for one in SAID_OF_WHAT_COMES_NEXT - composed if f'"{one}"' not in text} == set()


def test_what_is_translated_of_backtests_is_said_by_them() -> None:
    """As above: a sentence whose words have changed would be shown in English only."""
    from api.backtests import desk, keeper, plan

    files = [*Path(desk.__file__).parent.glob("*.py"), Path(run.__file__)]
    said = "\n".join(path.read_text(encoding="utf-8") for path in files)
    constants = {desk.REMOVED, keeper.INTERRUPTED, keeper.STOPPED, plan.NO_HISTORY}
    assert {one for one in SAID_OF_BACKTESTS - constants if f'"{one}"' not in said} == set()


def test_a_text_without_russian_is_noticed() -> None:
    """The planted defect."""
    assert not spoken("{t('A text that was added yesterday.')}") <= known()
    assert spoken("t('It\\'s {n}', { n })") == {"It's {n}"}


def test_the_dictionary_holds_nothing_that_is_not_said() -> None:
    said = "\n".join(path.read_text(encoding="utf-8") for path in pages()).replace("\\'", "'")
    unused = {text for text in known() - SAID_BY_THE_SERVER if f"'{text}'" not in said}
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
    for name in ("src", "index.html", "package.json", "package-lock.json", "svelte.config.js", "tsconfig.json",
                 "vite.config.ts", ".npmrc"):  # fmt: skip
        source = CONSOLE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    install = ["npm", "install", "--no-audit", "--no-fund"]
    installed = subprocess.run(install, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    if installed.returncode:
        pytest.skip(f"the packages of the console cannot be installed here: {installed.stderr[-300:]}")
    subprocess.run(["npx", "vite", "build"], cwd=tmp_path, check=True, capture_output=True, timeout=240)
    assert _files(tmp_path / "dist") == _files(BUILT), "run `make console`"


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
