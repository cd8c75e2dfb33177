"""`eternal run` on the screen: addresses, the live table, the summary at the end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import signal
import threading
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live

from api.launch import StartBrokenOffError, System
from api.report import collect, lines, problems
from api.running import write_pid
from api.service import OperatorService
from api.snapshot import Snapshot
from api.table import money, render
from api.verdict import limits_for
from infra.config import EternalConfig
from infra.database.queries import Queries
from infra.files import write_text_whole

TURN_S = 0.7
LOOK_S = 0.1
WATCH_END_S = 1.0
PLAIN_EVERY = 15
"""Without a terminal one line is printed every so many turns."""


class _Source:
    """The launch's own newest status as the service wants it."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def snapshot(self) -> Snapshot:
        status = self._system.status
        age_s = status.pop("age_s")
        return Snapshot(status, age_s if status else None, "" if status else "it is starting")


def show_run(config: EternalConfig, *, until_end: bool) -> bool:
    """Run until Ctrl-C (or the market's end) and always end everything that was started. With `until_end` a summary is
    printed; False when it shows that the run was not sound."""
    console = Console()
    system = System(config)
    ended = threading.Event()
    with write_pid(config.data_folder):
        _listen_to_signals(ended)
        console.print("Starting the database, the exchange and Ray …")
        is_up = False
        try:
            if not _aside(system.start, ended, 0.0):
                return True
            is_up = True
            # What is shown may wait for a database that hangs; a signal does not.
            watch = functools.partial(_watch, system, console, ended, until_end=until_end)
            if not _aside(lambda: asyncio.run(watch()), ended, WATCH_END_S):
                return True
            return not until_end or ended.is_set() or _summarise(system, console)
        finally:
            with contextlib.suppress(OSError):  # the terminal may be gone; the processes must go all the same
                console.print("Ending all processes …")
            system.stop()
            with contextlib.suppress(OSError):
                console.print(f"All processes have ended.{' The next start resumes from here.' if is_up else ''}")


def _aside(work: Callable[[], object], ended: threading.Event, end_s: float) -> bool:
    """Do the work on a thread of its own, so that a signal is obeyed at once, whatever the work waits for; False when
    one came and the work has not ended within `end_s` after it.

    Raises what the work raises.
    """
    failures: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name="work", daemon=True).start()
    while not done.wait(LOOK_S):
        if ended.is_set():
            return done.wait(end_s)
    if failures and not isinstance(failures[0], StartBrokenOffError):
        raise failures[0]
    return not failures


def _where_ray_token_is(system: System) -> str:
    path = system.ray.token_file
    return str(path) if path is not None else "the cluster's, in RAY_AUTH_TOKEN"


def _listen_to_signals(ended: threading.Event) -> None:
    """Every way to end the program ends it in order; a second Ctrl-C does not break off the ending."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, lambda _number, _frame: ended.set())


async def _watch(system: System, console: Console, ended: threading.Event, *, until_end: bool) -> None:
    config = system.config
    limits = limits_for(config.is_simulated, float(config.exchange.pace_s))
    queries = Queries(system.database_url)
    service = OperatorService(queries, _Source(system), lambda: system.market_label, config.is_simulated, limits)
    addresses = {
        "Page and API": f"{system.api_url}/",
        "API documents": f"{system.api_url}/docs",
        "Ray dashboard": system.dashboard_url,
        "Token": str(config.token_file),
        "Ray token": _where_ray_token_is(system),
    }
    for name, address in addresses.items():
        console.print(f"{name}: {address}", soft_wrap=True)
    for sentence in system.database.warnings:
        console.print(f"WARNING: {sentence}", style="bold yellow", soft_wrap=True)
    console.print("The Ray dashboard asks for the Ray token once (paste what the file holds).", soft_wrap=True)
    turn = 0
    with Live(console=console, auto_refresh=False, transient=False) as live:
        while not ended.is_set() and not (until_end and system.has_ended):
            overview = await service.overview()
            system.publish(overview)
            if console.is_terminal:
                live.update(render(overview, addresses, system.notices.shown()), refresh=True)
            elif turn % PLAIN_EVERY == 0:
                live.console.print(_line(overview), soft_wrap=True)
            turn += 1
            await asyncio.to_thread(ended.wait, TURN_S)
    service.close()


def _line(overview: Mapping[str, Any]) -> str:
    market, health = overview["market"], overview["health"]
    engines = "; ".join(f"{e['name']} {e['state']} {money(e['equity_usdt'])}" for e in overview["engines"])
    verdict = "all is well" if health["ok"] else " ".join(health["reasons"])
    return f"{market['day'] or '–'}  equity {money(overview['equity_usdt'])} USDT; {engines}; {verdict}"


def _summarise(system: System, console: Console) -> bool:
    """Print the summary and keep it as JSON; whether the run was sound."""
    queries = Queries(system.database_url)
    report = collect(queries)
    queries.close()
    path = system.config.data_folder / "summary.json"
    write_text_whole(path, json.dumps(report, indent=1, ensure_ascii=False))
    console.print("\n".join(lines(report)), soft_wrap=True)
    console.print(f"The same as JSON: {path}", soft_wrap=True)
    if problems(report):
        console.print("The run is NOT sound; see above.", style="bold red")
    return not problems(report)
