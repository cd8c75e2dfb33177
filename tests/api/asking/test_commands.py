"""Each command: one JSON document, a table within 80 columns, an exit code of its own for each way to fail."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.cli.exits import ExitCode
from api.cli.main import ASKING
from api.client.models import Alert
from tests.api.asking.conftest import Line
from tests.api.records import ENTRY, STOP

ROOT = Path(__file__).parents[3]
INTERRUPTED = 130
COMMANDS: dict[str, tuple[list[str], set[str]]] = {
    "status": (["status"], {"health", "market", "engines", "components", "source"}),
    "why": (["why", STOP], {"id", "chain", "fills", "decisions"}),
    "equity": (
        ["equity", "--range", "all"],
        {"engine", "days", "drawdown", "return_without_flows"},
    ),
    "orders": (["orders"], {"rows", "next"}),
    "fills": (["fills"], {"rows", "next"}),
    "decisions": (["decisions"], {"rows", "next"}),
    "alerts": (["alerts"], {"rows", "next"}),
    "alerts list": (["alerts", "list"], {"rows", "next"}),
    "ledger": (["ledger", "show"], {"trial_balance", "balances", "postings"}),
    "top": (["top"], {"overview", "positions", "orders", "alerts"}),
    "control history": (["control", "history"], {"rows", "next"}),
}
ESCAPE = re.compile(r"\x1b")


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_document(line: Line, name: str) -> None:
    arguments, keys = COMMANDS[name]
    result = line(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert keys <= set(json.loads(result.stdout))


def test_what_is_held_is_coins_and_cash_as_well_as_derivatives(line: Line) -> None:
    """README said that it shows holdings, and it showed derivatives only."""
    told = json.loads(line("positions", "--json").stdout)
    assert [one["symbol"] for one in told["positions"]] == ["BTCUSDT"]
    assert [(one["account"], one["coin"]) for one in told["holdings"]] == [("TREND-1", "USDT")]
    shown = line("positions").stdout
    assert "BTCUSDT" in shown and "15,000.10" in shown and "Coins and cash at the prices of" in shown


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("columns", [80, 160])
def test_the_text_fits_the_terminal_and_has_no_colour_where_it_is_none(line: Line, name: str, columns: int) -> None:
    result = line(*COMMANDS[name][0], columns=columns)
    assert result.exit_code == 0, result.output
    wide = [one for one in result.stdout.splitlines() if len(one) > columns and "--before" not in one]
    assert not wide and result.stdout.strip() and not ESCAPE.search(result.stdout)


def test_a_list_says_which_time_it_shows_and_how_to_go_on(line: Line) -> None:
    shown = line("orders", "--limit", "1").stdout
    assert "market time, UTC" in shown and "There are older ones: --before" in shown
    cursor = shown.split()[-1]
    first, second = (
        json.loads(line("orders", "--limit", "1", *more, "--json").stdout) for more in ([], ["--before", cursor])
    )
    assert first["rows"][0]["client_order_id"] != second["rows"][0]["client_order_id"]


def test_why_tells_from_the_bar_to_the_fill_and_with_all_shows_the_numbers(line: Line) -> None:
    told = " ".join(line("why", ENTRY).stdout.split())
    for part in ("bar BTCUSDT linear", "close 58,420.5 above SMA200: entry", "fill Buy 0.5 BTCUSDT", "effect", ENTRY):
        assert part in told, told
    assert "no_signal" not in told and "trace" not in told, "of another coin; raw"
    whole = " ".join(line("why", ENTRY, "--all").stdout.split())
    assert "1. bar" in whole and "close 58420.50" in whole and "Fills" in whole


def test_why_takes_a_trace_too(line: Line) -> None:
    trace = json.loads(line("decisions", "--json").stdout)["rows"][0]["trace"]
    told = json.loads(line("why", trace, "--json").stdout)
    assert told["decisions"] and not told["chain"]


def test_an_alert_is_acknowledged_by_its_number_or_not_found(line: Line) -> None:
    rows: list[Alert] = json.loads(line("alerts", "--json").stdout)["rows"]
    refused = line("alerts", "ack", rows[0]["alert_id"], token=line.reader)
    assert refused.exit_code == ExitCode.REFUSED and "scope" in refused.stderr
    assert line("alerts", "ack", "no-such-alert").exit_code == ExitCode.NOT_FOUND


FAILURES: list[tuple[list[str], ExitCode, str]] = [
    (["why", "nonsense"], ExitCode.NOT_FOUND, "neither an order nor a decision"),
    (["why", "'; DROP TABLE orders"], ExitCode.NOT_FOUND, "neither an order nor a decision"),
    (["orders", "--engine", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed: core-hodl"),
    (["orders", "--state", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed:"),
    (["orders", "--before", "nonsense"], ExitCode.BAD_ARGUMENT, "before 'nonsense'"),
    (["orders", "--from", "yesterday"], ExitCode.BAD_ARGUMENT, "from 'yesterday'"),
    (["orders", "--limit", "0"], ExitCode.BAD_ARGUMENT, "--limit"),
    (["orders", "--no-such-option"], ExitCode.BAD_ARGUMENT, "no-such-option"),
    (["equity", "--range", "forever"], ExitCode.BAD_ARGUMENT, "allowed: 7d"),
    (["equity", "--engine", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed:"),
    (["decisions", "--actor", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed: api, core-hodl"),
    (["alerts", "--severity", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed: critical"),
    (["ledger", "show", "--kind", "nonsense"], ExitCode.BAD_ARGUMENT, "allowed:"),
    (["control", "explode", "--reason", "abc"], ExitCode.BAD_ARGUMENT, "does not exist"),
    (["control", "reset", "--scope", "nonsense", "--reason", "abc", "--yes"], ExitCode.BAD_ARGUMENT, "nonsense"),
    (["stop", "--data", "none"], ExitCode.NOTHING_RUNS, "No system runs"),
    (["status", "--data", "none"], ExitCode.NOTHING_RUNS, "No system runs"),
    (["top", "--data", "none"], ExitCode.NOTHING_RUNS, "No system runs"),
    (["orders", "--url", "http://127.0.0.1:1"], ExitCode.UNANSWERED, "nothing listens there"),
    (["status", "--url", "http://127.0.0.1:1"], ExitCode.UNANSWERED, "nothing listens there"),
    (["orders", "--token", "of-a-stranger"], ExitCode.REFUSED, "Nothing opens this"),
    (["orders", "--token", "of a stranger"], ExitCode.BAD_ARGUMENT, "no header carries"),
    (["orders", "--url", "http://example.com"], ExitCode.BAD_ARGUMENT, "over https:// only"),
    (["orders", "--url", "example"], ExitCode.BAD_ARGUMENT, "https://HOST:PORT is required"),
    (["orders", "--url", "https://user:word@example.com"], ExitCode.BAD_ARGUMENT, "is required"),
    (["orders", "--credentials", "none.toml"], ExitCode.BAD_ARGUMENT, "none.toml"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), FAILURES)
def test_every_way_to_fail_has_its_code_and_sentence_as_text_and_as_json(
    line: Line, arguments: list[str], code: ExitCode, said: str
) -> None:
    result = line(*arguments)
    assert (result.exit_code, result.stdout) == (code, ""), result.output
    plain = " ".join(result.stderr.replace("│", " ").split())
    assert said in plain and "Traceback" not in plain, plain
    if arguments[0] == "stop":
        return
    as_json = line(*arguments, "--json")
    told: dict[str, Any] = json.loads(as_json.stderr)
    assert (as_json.exit_code, as_json.stdout, told["exit_code"], told["kind"]) == (code, "", code, code.name.lower())
    assert said in told["error"]


def test_a_reader_may_not_command(line: Line) -> None:
    given = ["control", "halt", "--reason", "a test", "--yes", "--json"]
    result = line(*given, token=line.reader)
    assert result.exit_code == ExitCode.REFUSED and "scope" in json.loads(result.stderr)["error"]
    assert line.place.taken == []


def test_a_command_is_carried_out_with_its_id_and_an_unavailable_actor_says_how_to_repeat_it(line: Line) -> None:
    given = ["control", "pause", "--scope", "trend-1", "--reason", "a test", "--yes", "--json"]
    told = json.loads(line(*given).stdout)
    assert (told["accepted"], told["door"]) == (True, "interface")
    again = json.loads(line(*given, "--command-id", told["command_id"]).stdout)
    assert again["command_id"] == told["command_id"] and len(line.place.taken) == 1, "carried out once"
    line.place.is_busy = True
    try:
        busy = line(*given)
    finally:
        line.place.is_busy = False
    assert busy.exit_code == ExitCode.UNANSWERED and "--command-id" in json.loads(busy.stderr)["error"]


def test_a_question_is_asked_on_the_error_output_so_that_json_stays_one_document(line: Line) -> None:
    result = line("control", "pause", "--scope", "trend-2", "--reason", "a test", "--json")
    assert result.exit_code == ExitCode.FOUND and result.stdout.strip() == ""
    assert "no new risk" in result.stderr


def test_the_operations_manual_has_every_exit_code_and_command() -> None:
    """One place says what a script may rely on."""
    manual = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    codes = manual.partition("### Exit codes")[2].partition("\n### ")[0]
    listed = [int(code) for code in re.findall(r"^\| (\d+) \|", codes, re.MULTILINE)]
    assert listed == [*map(int, ExitCode), INTERRUPTED]
    section = manual.partition("## Command line")[2].partition("\n### ")[0]
    names = [one.__name__ for one in ASKING]
    assert all(re.search(rf"\b{name}[` ]", section) for name in names)


def test_ctrl_c_ends_a_command_with_its_code_and_without_a_traceback() -> None:
    program = (
        "import sys\n"
        "from api.cli import main\n"
        "def interrupt(*_): raise KeyboardInterrupt\n"
        "import api.cli.asking.look as look\n"
        "look.look = interrupt\n"
        "sys.argv = ['eternal', 'status']\n"
        "main.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == INTERRUPTED and "Traceback" not in done.stderr, done.stderr


def test_a_reader_that_has_seen_enough_ends_a_list_quietly(line: Line) -> None:
    program = "from api.cli.main import main; main()"
    environment = {**os.environ, "ETERNAL_URL": line.place.address, "ETERNAL_TOKEN": line.reader}
    command = f"{sys.executable} -c '{program}' orders | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("orders --json > /dev/full", ExitCode.UNWRITTEN),
        ("status > /dev/full", ExitCode.UNWRITTEN),
        ("--help > /dev/full", ExitCode.UNWRITTEN),
        ("why nothing --json > /dev/full", ExitCode.NOT_FOUND),
        ("status >&- <&-", ExitCode.DONE),
        ("top >&- <&- 2>&-", ExitCode.DONE),
    ],
)
def test_an_output_that_takes_nothing_is_no_bad_argument(line: Line, words: str, code: ExitCode) -> None:
    """A script that reads 2 would correct its arguments. Planted: a traceback, 120 at the program's end."""
    environment = {**os.environ, "ETERNAL_URL": line.place.address, "ETERNAL_TOKEN": line.reader}
    command = f"{sys.executable} -c 'from api.cli.main import main; main()' {words}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == code and "Traceback" not in done.stderr, (done.returncode, done.stderr)
    assert ("The output cannot be written" in done.stderr) == (code == ExitCode.UNWRITTEN), done.stderr


@pytest.mark.parametrize(
    ("typed", "at", "offered"),
    [("eternal eq", 1, ["equity"]), ("eternal control fl", 2, ["flatten"]), ("eternal orders --engine tr", 3,
     ["trend-1", "trend-2"])],
)  # fmt: skip
def test_the_shell_completes_commands_and_values(typed: str, at: int, offered: list[str]) -> None:
    environment = {**os.environ, "_ETERNAL_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(at)}
    program = "import sys; sys.argv[0] = 'eternal'; from api.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.stdout.split() == offered, (done.stdout, done.stderr)
