"""The console's own logic without a page: its lists, run as they are written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.console.sources import CONSOLE, SOURCES

TYPESCRIPT = CONSOLE / "node_modules" / "typescript"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not TYPESCRIPT.exists(),
    reason="without Node and the console's packages its logic cannot be run",
)


def ran(name: str, expression: str) -> Any:
    """The value of an expression over the exports of a source that imports nothing at run time."""
    script = f"""
const ts = require({json.dumps(str(TYPESCRIPT))}), fs = require('fs')
const source = fs.readFileSync({json.dumps(str(SOURCES / "lib" / name))}, 'utf8')
const module_ = {{ exports: {{}} }}
const made = ts.transpileModule(source, {{ compilerOptions: {{ module: 'CommonJS', target: 'ES2022' }} }}).outputText
new Function('module', 'exports', made)(module_, module_.exports)
const it = module_.exports
console.log(JSON.stringify({expression}))
"""
    done = subprocess.run(["node", "-e", script], check=True, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)


def test_a_row_that_comes_twice_is_shown_once() -> None:
    """One key twice broke the page Orders & fills."""
    orders = [{"client_order_id": "a", "state": "NEW"}, {"client_order_id": "b"}, {"client_order_id": "a"}]
    assert ran("unique.ts", f"it.unique('orders', {json.dumps(orders)})") == orders[:2]
    fills = [{"account": one, "execution_id": "e"} for one in ("TREND-1", "TREND-2", "TREND-1")]
    assert ran("unique.ts", f"it.unique('executions', {json.dumps(fills)})") == fills[:2], "two accounts may share an id"


def test_every_list_in_pages_has_its_key() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (SOURCES / "pages").glob("*.svelte")]
    lists = {name for text in sources for name in re.findall(r"new Paged\('([^']+)'", text)}
    assert lists and lists <= set(ran("unique.ts", "Object.keys(it.KEYS)"))


@pytest.mark.parametrize(
    ("now", "heard", "broken", "is_unheard"),
    [
        (19_999, 10_000, 0, False),
        (20_001, 10_000, 0, True),
        (13_000, 10_000, 11_000, False),
        (13_001, 10_000, 11_000, True),  # a dead server's figures stood as good for ten seconds
        (13_001, 12_900, 11_000, False),  # the stream is held back, and the overview is read
    ],
)
def test_a_broken_stream_makes_the_page_old_within_seconds(now: int, heard: int, broken: int, is_unheard: bool) -> None:
    assert ran("unheard.ts", f"it.isUnheard({now}, {heard}, 1, {broken})") is is_unheard
