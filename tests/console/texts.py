"""The texts that the code composes for people, read from its syntax: what `api/texts/russian.json` must translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from infra.config import EternalConfig
from infra.config.fields import facts_of
from infra.config.policy import SECTIONS

ROOT = Path(__file__).resolve().parents[2]

SPEAKING = (
    *("statemachines", "actors", "orchestrator", "api", "infra/bybit", "infra/feeds", "infra/notifications"),
    *(f"infra/config/{name}.py" for name in ("fields", "errors", "policy", "names", "shared", "load", "consistency")),
)
"""Packages whose texts reach the console: reasons, remarks, alerts, outlooks, refusals, health, problems of the API."""

SILENT = (
    *("api/cli", "api/client", "api/launch", "api/live_table.py"),  # the command line and what it starts
    *("api/reports", "api/telegram", "api/wording/story.py", "api/wording/values.py"),  # texts of their own
    *("api/ledger", "api/machines.py", "api/tokens.py", "api/access/register.py", "api/access/links.py"),  # commands
    *("api/http/tls.py", "api/http/serving.py", "api/http/pages.py", "api/http/console.py", "api/stream/feed.py"),
    *("api/stream/events.py", "api/http/app_document.py", "actors/runtime/metrics", "infra/bybit/admission.py"),
    *("actors/runtime/registry.py", "actors/runtime/routing.py", "actors/runtime/in_process.py"),  # defects of the code
    "actors/runtime/memory_store.py",
    *("infra/bybit/credentials.py", "infra/bybit/lockstep.py", "infra/bybit/endpoints.py"),  # checks before the start
)
"""Not of the console: commands and their files, the generated client, schemas, and the help of metrics."""

DOCUMENTS = {"summary", "help", "comment", "about", "title_of_schema", "instructions"}
"""Keywords of what stands in the interface's document, in a schema or in a help."""

NOT_FOR_PEOPLE = {
    *("HTTPBearer", "Unit", "Field", "Query", "Path", "Header", "Body", "Metric", "Gauge", "Counter", "Histogram"),
    *("Column", "execute", "SQL", "compile", "match", "TypeVar", "getLogger", "Literal"),
}
LOGS = {"debug", "info", "warning", "error", "exception", "critical"}
DEFECTS = {
    "_lacking",
    "UndocumentedFieldError",
    "AssertionError",
    "NotImplementedError",
    "RuntimeError",
    "TypeError",
    "KeyError",
    "LookupError",
}
"""Raised where the code itself is wrong; what a person gave is refused with other errors."""

REFUSES_SETTINGS = re.compile(r"parameters|policy|limits|actions")
"""Files of the core whose ValueErrors answer to what a person gave; elsewhere they are defects of the code."""

DRAWN = re.compile(r"statemachines/(core_hodl|trend|funding|tactical)/machine\.py")
"""The console draws the machines of the engines; the rows of the others stand in docs/machines.md."""

CODE = re.compile(r"\b(SELECT|UPDATE|INSERT|FROM|WHERE)\b|<\w+|^#|{{|}}|^SET |\n\n")
"""SQL, pages, documents."""

PROSE = re.compile(r"[A-Za-z]{2,}[,;:.)]? [A-Za-z0-9(]|[0-9)] [a-z]{2,}|^[;,.:] [a-z]")
WORD = re.compile(r"[a-z][a-z-]+")


FIELD = re.compile(r"{\w+(?::[^{}]*)?}")
"""A gap of a text that is filled by `str.format`."""


class Text(NamedTuple):
    """One text of the code: its template with `{1}`, `{2}` … for what is put in, and where it stands."""

    template: str
    place: str


@cache
def texts() -> tuple[Text, ...]:
    """Every text for people, of the code and of the settings."""
    return (
        *(one for path, name in sources() for one in of_source(path.read_text(encoding="utf-8"), name)),
        *_settings(),
    )


def sources(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """The files that speak, with their names."""
    for package in SPEAKING:
        found = root / package
        for path in [found] if found.is_file() else sorted(found.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(SILENT):
                yield path, name


def _settings() -> Iterator[Text]:
    """What the console says about the settings of a policy: their meaning and unit."""
    for section in facts_of(EternalConfig()).walk():
        for field in section.fields if section.path[:1] and section.path[0] in SECTIONS else ():
            for text in (field.meaning, field.unit):
                if text:
                    yield Text(text, ".".join(field.path))


def of_source(source: str, name: str) -> Iterator[Text]:
    """The texts of one file."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(parents.get(node), ast.JoinedStr | ast.FormattedValue) and not isinstance(node, ast.JoinedStr):
            continue  # a piece of a text that is read whole
        if (
            isinstance(node, ast.JoinedStr)
            and isinstance(parents.get(node), ast.FormattedValue)
            and _is_format(node, parents)
        ):
            continue
        template = _template(node)
        if template is None or CODE.search(template) or not _is_for_people(node, parents, name):
            continue
        is_piece = _is_piece(node, parents)
        if PROSE.search(re.sub(r"{\d+}", "0", template)) or (is_piece and WORD.search(template)):
            yield Text(template, f"{name}:{getattr(node, 'lineno', 0)}")


def _is_format(node: ast.JoinedStr, parents: dict[ast.AST, ast.AST]) -> bool:
    """Of `{value:.2f}`, the part after the colon."""
    parent = parents[node]
    return isinstance(parent, ast.FormattedValue) and parent.format_spec is node


def _template(node: ast.AST) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        names = iter(range(1, 100))
        return FIELD.sub(lambda _: f"{{{next(names)}}}", node.value)
    if not isinstance(node, ast.JoinedStr):
        return None
    parts, gaps = [], 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
        else:
            gaps += 1
            parts.append(f"{{{gaps}}}")
    return "".join(parts)


def _is_piece(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Chosen inside a text: `f"{'sold' if size < 0 else 'bought'} …"`."""
    at, seen = node, False
    while at in parents and not isinstance(at, ast.stmt):
        above = parents[at]
        if isinstance(above, ast.IfExp | ast.BoolOp):
            if isinstance(above, ast.IfExp) and at is above.test:
                return False
            seen = True
        elif isinstance(above, ast.FormattedValue):
            return seen
        else:
            return False
        at = above
    return False


def _is_for_people(node: ast.AST, parents: dict[ast.AST, ast.AST], name: str) -> bool:
    at = node
    if isinstance(parents.get(at), ast.Expr):
        return False  # a docstring
    while at in parents and not isinstance(at, ast.stmt):
        above = parents[at]
        if isinstance(above, ast.keyword) and above.arg in DOCUMENTS:
            return False
        if isinstance(above, ast.Call) and at is not above.func:
            called = above.func.attr if isinstance(above.func, ast.Attribute) else getattr(above.func, "id", "")
            if called == "Allowed":
                return True  # what may stand in a setting
            if called in NOT_FOR_PEOPLE or called in DEFECTS:
                return False
            if called == "ValueError" and name.startswith("statemachines") and not REFUSES_SETTINGS.search(name):
                return False
            if called == "Row" and not DRAWN.search(name):
                return False
            if name.startswith("api/http/routes") and called in {"get", "post", "delete", "reading"}:
                return False  # what a route is called in the interface's document
            if called in LOGS and isinstance(above.func, ast.Attribute) and "log" in ast.unparse(above.func.value):
                return False
        if isinstance(above, ast.Subscript) and at is above.slice:
            return False
        at = above
    return not isinstance(at, ast.Assert)
