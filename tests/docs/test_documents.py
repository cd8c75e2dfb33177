"""P5: the documents are part of what can be traced: every ID, link and command in them exists."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import MagicMock

import pytest
import typer.main

from api.cli.main import app
from api.http.app import create_app
from infra.backtest.report.rules import UNBUILT
from infra.config import EternalConfig
from statemachines.limits.operator_actions import EFFECTS, HISTORY
from tests.docs.citations import (
    anchors,
    broken_links,
    cited_ids,
    cited_ids_of_code,
    commands,
    defined_ids,
    machine_places,
    spans,
    without_code,
)

if TYPE_CHECKING:
    from api.http.gate import Judged

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
SOURCE = ROOT / "docs" / "specification.ru.md"
"""The source as it was given: its link to a further document that is not part of it stays."""
PACKAGES = ("actors", "api", "benchmarks", "infra", "orchestrator", "statemachines", "tests")
OTHER_TEXTS = ("Makefile", "ray_cluster.yaml")


def _known() -> set[str]:
    texts = (ROOT / "docs" / name for name in ("specification.md", "rulings.md"))
    return {known for text in texts for known in defined_ids(text.read_text(encoding="utf-8"))}


def _cited() -> Iterator[tuple[str, str]]:
    """Every ID cited in code, tests, documents and build files, with its place."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if path != Path(__file__):
                for named in cited_ids_of_code(path.read_text(encoding="utf-8")):
                    yield named.what, f"{path.relative_to(ROOT)}:{named.line}"
    for path in (*DOCUMENTS, *(ROOT / name for name in OTHER_TEXTS)):
        if path != SOURCE:
            for named in cited_ids(path.read_text(encoding="utf-8")):
                yield named.what, f"{path.relative_to(ROOT)}:{named.line}"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_what_is_not_built_is_marked_in_the_specification_alone() -> None:
    """README, architecture and the backtest's report once named three different sets."""
    rows = (ROOT / "docs" / "specification.md").read_text(encoding="utf-8").splitlines()
    marked = {row.split("|")[1].strip() for row in rows if row.startswith("|") and "**Not built" in row}
    assert marked == UNBUILT and "P4" in marked


def test_every_cited_id_is_defined() -> None:
    """A reader who meets TR-9 or T8 finds it in the specification or the rulings."""
    known, cited = _known(), list(_cited())
    assert len({what for what, _ in cited}) > 100, "hardly any ID was found: the search is broken"
    unknown = [f"{place} cites {what}" for what, place in cited if what not in known]
    assert unknown == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_resolve(document: Path) -> None:
    if document == SOURCE:
        assert broken_links(document, document.read_text(encoding="utf-8")) == ["./04-trading-strategies.md"]
        return
    assert broken_links(document, document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_no_document_names_a_path_of_one_machine(document: Path) -> None:
    own = (str(ROOT), str(Path.home()))
    assert machine_places(document.read_text(encoding="utf-8"), (one for one in own if len(one) > 1)) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_commands_of_the_documents_exist(document: Path) -> None:
    """A runbook names no command, option, action or make target that does not exist."""
    text = document.read_text(encoding="utf-8")
    assert [problem for words in commands(text, "eternal") if (problem := _problem(words))] == []
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert [words for words in commands(text, "make") if words and words[0] not in targets] == []


def test_the_runbooks_show_commands() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    shown = {words[0] for words in commands(text, "eternal") if words}
    assert {"run", "status", "stop", "control", "doctor", "reset"} <= shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_settings_and_paths_of_the_documents_exist(document: Path) -> None:
    """`live.proxy_url` is a setting, `/api/v1/orders/{client_order_id}/chain` a path of the HTTP interface."""
    named = spans(document.read_text(encoding="utf-8"))
    assert [span for span in named if _is_unknown_setting(span) or _is_unknown_path(span)] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    pages = [path for path in folder.glob("*.md") if path.name != "README.md"]
    assert [path.name for path in pages if f"({path.name})" not in index] == []
    sections = ("Status", "Context", "Decision", "Consequences")
    lacking = [path.name for path in pages if not all(f"\n## {one}\n" in path.read_text("utf-8") for one in sections)]
    assert lacking == []


def _is_unknown_setting(span: str) -> bool:
    section, _, field = span.partition(".")
    model = getattr(EternalConfig.model_fields.get(section), "annotation", None)
    return bool(re.fullmatch(r"\w+\.\w+", span)) and model is not None and field not in model.model_fields


def _is_unknown_path(span: str) -> bool:
    return bool(re.fullmatch(r"/[\w{}/-]*", span)) and not span.startswith("/var/") and _shape(span) not in _paths()


@functools.cache
def _paths() -> frozenset[str]:
    """The paths of the HTTP interface; making it asks nothing of its service."""
    routes: Any = create_app(MagicMock(), cast("Judged", None)).routes
    return frozenset(_shape(route.path) for route in routes)


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


@functools.cache
def _command_line() -> Any:
    """Made once: it takes longer than everything that is asked of it."""
    return typer.main.get_command(app)


def _problem(words: list[str]) -> str:
    """Why a command line of `eternal` would be refused; "" when it would not."""
    command: Any = _command_line()
    told, rest = f"eternal {' '.join(words)}", list(words)
    while hasattr(command, "commands"):
        if not rest or rest == ["--help"]:
            return ""
        if command.invoke_without_command and rest[0].startswith("--"):
            break
        if rest[0] not in command.commands:
            return f"{told}: there is no command {rest[0]!r}"
        command = command.commands[rest.pop(0)]
    allowed = {"--help"} | {option for one in command.params for option in one.opts}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in allowed]
    if unknown:
        return f"{told}: there is no option {unknown[0]!r}"
    if command.name == "control" and rest and rest[0] not in (*EFFECTS, HISTORY):
        return f"{told}: there is no action {rest[0]!r}"
    return ""


# --- the checks themselves can fail ---


def test_a_planted_id_is_found() -> None:
    """The story: a rule was renumbered and a docstring went on citing the old number."""
    source = '"""TR-9 and TR-99, T8 and T13."""\nT77 = 1  # EX-44\nURL = "%F0%9F"\nAT = "2020-01-01T00:00"\n'
    known = _known()
    assert [named for named in cited_ids_of_code(source) if named.what not in known] == [
        ("TR-99", 1),
        ("T13", 1),
        ("EX-44", 2),
    ]
    assert [named.what for named in cited_ids("see OR-99\nand T1-T14") if named.what not in known] == ["OR-99", "T14"]


def test_defined_ids_are_those_of_the_tables() -> None:
    assert defined_ids("| P1 | one |\n| L1-L3 | some |\n| TR-9 | two |\nT8 | no row |\n") == {
        "P1",
        "L1",
        "L2",
        "L3",
        "TR-9",
    }


def test_a_planted_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One thing\n\n## Two: things\n")
    text = "[a](page.md) [b](page.md#two-things) [c](page.md#three) [d](none.md) `[e](no.md)` [f](https://x.org/none)"
    assert broken_links(tmp_path / "other.md", text) == ["page.md#three", "none.md"]
    assert anchors("# A\n# A\n") == {"a", "a-1"}
    assert without_code("a `b` c\n```\nd\n```\n") == "a  c\n\n"


def test_a_planted_path_is_found() -> None:
    text = "the file /work/eternal/x, ../shared/spec, and /srv/here; but artwork/x, .eternal/tmp and /var/lib are fine"
    assert machine_places(text, ("/srv/here",)) == ["/work", "../shared", "/srv/here"]


def test_a_planted_command_is_found() -> None:
    shown = [
        "eternal run --profile paper",
        "eternal status --loud  # no",
        "eternal control dance --reason x",
        "eternal",
    ]
    text = "`eternal flatten`, `eternal history check x`\n```\n" + "\n".join(shown) + "\n```\n"
    assert [problem for words in commands(text, "eternal") if (problem := _problem(words))] == [
        "eternal status --loud: there is no option '--loud'",
        "eternal control dance --reason x: there is no action 'dance'",
        "eternal flatten: there is no command 'flatten'",
    ]


def test_a_planted_setting_or_path_is_found() -> None:
    assert _is_unknown_setting("live.canary_limit") and not _is_unknown_setting("live.canary_limit_usdt")
    assert not _is_unknown_setting("architecture.md")
    assert _is_unknown_path("/api/v1/orders/{id}/why") and not _is_unknown_path("/api/v1/orders/{id}/chain")
