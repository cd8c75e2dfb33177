"""What `eternal run` shows: addresses, warnings, the live table. It shows and does nothing else: whatever fails in it,
the system that it shows keeps running."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import webbrowser
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

from api.access.document import AccessError
from api.access.links import ANOTHER, LINK_S, Links, link_to
from api.access.state import state_file
from api.health import limits_for
from api.launch.system import System
from api.live_table import money, render
from api.service import OperatorService
from api.snapshot import STARTING, Snapshot
from infra.database.queries import Queries
from statemachines.values import ActorName

_log = logging.getLogger(__name__)

TURN_S = 0.7
HINT = "Ctrl-C ends everything; the next start resumes from here."
PLAIN_EVERY = 15
"""Without a terminal one line is printed every so many turns."""

FAILURES = (Exception, SystemExit)
"""All that showing may raise; the second is what rich raises for an output that is no longer read."""


def say(console: Console, sentence: str, style: str = "") -> None:
    """Print it if that is possible: the terminal may be gone, or unable to show a character."""
    try:
        console.print(sentence, style=style or None, soft_wrap=True)
    except FAILURES as error:
        _log.warning("%r could not be shown: %r", sentence, error)


class _Source:
    """The launch's own newest status in the service's form."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def snapshot(self) -> Snapshot:
        status = self._system.status
        age_s = status.pop("age_s")
        return Snapshot(status, age_s if status else None, "" if status else STARTING)


class Display:
    """Shows the system until `over`. `run` never raises; after a failure it begins anew."""

    def __init__(self, system: System, console: Console, over: threading.Event) -> None:
        self._system = system
        self._console = console
        self._over = over
        self._addresses: dict[str, str] = {}
        self._told = ""
        self._turn = 0
        self._is_link_shown = False

    def run(self) -> None:
        """Show the system until it is over."""
        greeted = False
        while not self._over.is_set():
            try:
                if not greeted:
                    greeted = True
                    self._greet()
                asyncio.run(self._show())
            except FAILURES as error:
                self._note(error)
            self._over.wait(TURN_S)

    def _greet(self) -> None:
        system = self._system
        token = system.ray.token_file
        self._addresses = {
            "Page and API": f"{system.api_url}/",
            "API documents": f"{system.api_url}/docs",
            "Ray dashboard": system.dashboard_url,
            "Token": str(system.config.token_file),
            "Ray token": str(token) if token is not None else "the cluster's, in RAY_AUTH_TOKEN",
        }
        for name, address in self._addresses.items():
            say(self._console, f"{name}: {address}")
        for sentence in system.database.warnings:
            say(self._console, f"WARNING: {sentence}", "bold yellow")
        say(self._console, "The Ray dashboard asks for the Ray token once (paste what the file holds).")

    async def _show(self) -> None:
        system, config = self._system, self._system.config
        limits = limits_for(config.is_simulated, float(config.exchange.pace_s))
        queries = Queries(system.database_url)
        service = OperatorService(queries, _Source(system), lambda: system.market_label, config.is_simulated, limits)
        try:
            with Live(console=self._console, auto_refresh=False, transient=False) as live:
                while not self._over.is_set():
                    try:
                        overview = await service.overview()
                        system.publish(overview)
                        self._offer_link(overview)
                        self._draw(live, overview)
                        self._told = ""
                    except Exception as error:  # noqa: BLE001 - it is shown in place of the table
                        if (sentence := self._note(error)) or self._console.is_terminal:
                            live.update(Text(sentence or self._told, "red"), refresh=True)
                    self._turn += 1
                    await asyncio.to_thread(self._over.wait, TURN_S)
        finally:
            service.close()

    def _offer_link(self, overview: Mapping[str, Any]) -> None:
        """A one-time link to the console, once the interface answers: to a terminal alone, since whatever else takes
        the output may keep it."""
        is_up = any(one["name"] == ActorName.API and one["state"] == "RUNNING" for one in overview["components"])
        if self._is_link_shown or not is_up:
            return
        self._is_link_shown = True
        if not self._console.is_terminal:
            say(self._console, f"Log in to the console with a token, or: {ANOTHER}")
            return
        config = self._system.config
        try:
            url = link_to(config.api.scheme, config.api.host, self._system.api_port, "")
            secret = Links(state_file(config.sessions_file)).make()
        except (AccessError, OSError) as error:
            say(self._console, str(error))
            return
        say(self._console, f"Console, logged in, once and within {LINK_S} s: {url}{secret}", "bold")
        say(self._console, f"After that: {ANOTHER}")
        if has_screen(os.environ):
            threading.Thread(target=webbrowser.open, args=(f"{url}{secret}",), name="browser", daemon=True).start()

    def _draw(self, live: Live, overview: Mapping[str, Any]) -> None:
        if self._console.is_terminal:
            live.update(render(overview, self._addresses, self._system.notices.shown(), HINT), refresh=True)
        elif self._turn % PLAIN_EVERY == 0:
            live.console.print(_line(overview), soft_wrap=True)

    def _note(self, error: BaseException) -> str:
        """Keep a failure in the log when it is a new one; its sentence then, else ""."""
        sentence = (
            f"The table cannot be shown now ({type(error).__name__}: {' '.join(str(error).split())}). The system goes "
            "on, and it is tried again at once. `eternal status` and the page show the same."
        )
        if sentence == self._told:
            return ""
        self._told = sentence
        _log.warning("the display failed and begins anew", exc_info=error)
        return sentence


def has_screen(environment: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser with windows can be started here: a text browser would take the terminal from the table."""
    return platform in ("darwin", "win32") or any(environment.get(one) for one in ("DISPLAY", "WAYLAND_DISPLAY"))


def _line(overview: Mapping[str, Any]) -> str:
    market, health = overview["market"], overview["health"]
    engines = "; ".join(f"{e['name']} {e['state']} {money(e['equity_usdt'])}" for e in overview["engines"])
    verdict = "all is well" if health["ok"] else " ".join(health["reasons"])
    return f"market day {market['day'] or '–'}: equity {money(overview['equity_usdt'])} USDT; {engines}; {verdict}"
