"""`eternal top`: the running system live on the whole screen; one picture where the output is no terminal."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from api.cli.asking.alerts import lines_of
from api.cli.asking.lists import ORDER_COLUMNS, POSITION_COLUMNS, order_cells, position_cells
from api.cli.asking.options import Json, asking
from api.cli.asking.output import UNKNOWN, Column, amount, console, instant, print_json, table
from api.cli.asking.way import Way
from api.cli.exits import sentence_of
from api.client import models
from api.client.errors import RefusedError, UnansweredError
from api.client.operations import Operations
from api.live_table import expected_lines
from infra.faults import OperatorError

T = TypeVar("T")

STALE_S = 5.0
"""From this age on values are shown as old."""

LOOK_S = 0.1
"""How often keys are read."""

ALERTS = 5
ORDERS = 30
QUIT, PAUSE, NOW = ("q", "Q", "\x1b", "\x03"), (" ", "p"), ("r", "R")
ENGINE_COLUMNS = (
    Column("Engine", is_whole=True), Column("Risk"), Column("States"), Column("Equity USDT", True, is_whole=True),
    Column("Open", True), Column("Last change", is_wide=True),
)  # fmt: skip
VIEWS = {"o": "orders", "f": "positions", "a": "alerts"}
HINT = "q quit  p pause  r now  o orders  f positions  a alerts"


@dataclass
class Seen:
    """What was read last and when (`at`, by the monotonic clock); `trouble` says why nothing newer is there."""

    overview: models.Overview | None = None
    positions: list[models.Position] = field(default_factory=list)
    orders: list[models.Order] = field(default_factory=list)
    alerts: list[models.Alert] = field(default_factory=list)
    at: float = 0.0
    trouble: str = ""

    def age_s(self, now: float) -> float:
        """Seconds since it was read."""
        return now - self.at


class Watch:
    """Reads again and again on a thread of its own, so that the screen never waits for the interface."""

    def __init__(self, read: Callable[[], Seen], period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._period_s, self._clock = read, period_s, clock
        self._seen = Seen()
        self._over, self._wake = threading.Event(), threading.Event()
        self.is_paused = False

    @property
    def seen(self) -> Seen:
        """The newest."""
        return self._seen

    def start(self) -> None:
        """Begin to read."""
        threading.Thread(target=self._keep, name="top", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._over.set()
        self._wake.set()

    def now(self) -> None:
        """Read at once."""
        self._wake.set()

    def look(self) -> None:
        """Read once; what was read before stays when nothing answers."""
        try:
            found = self._read()
            found.at = self._clock()
            self._seen = found
        except (UnansweredError, RefusedError, OperatorError, OSError) as error:
            trouble = sentence_of(error)
            before = self._seen
            self._seen = Seen(before.overview, before.positions, before.orders, before.alerts, before.at, trouble)

    def _keep(self) -> None:
        while not self._over.is_set():
            if not self.is_paused or self._wake.is_set():
                self._wake.clear()
                self.look()
            self._wake.wait(self._period_s)


@asking
def top(
    way: Way,
    *,
    every: Annotated[float, typer.Option(min=0.2, max=3600, help="seconds between two readings")] = 1.0,
    as_json: Json = False,
) -> None:
    """Watch the running system live: states, equity, positions, orders, alerts, and the age of the values.

    Keys: q quits, p pauses, r reads now; o, f and a show orders, positions or alerts alone. Without a terminal one
    picture is printed.
    """
    if as_json or not (sys.stdout.isatty() and sys.stdin.isatty()):
        seen = read(way.operations)
        seen.at = time.monotonic()
        if as_json:
            print_json({name: getattr(seen, name) for name in ("overview", "positions", "orders", "alerts")})
        else:
            out = console()
            out.print(frame(seen, seen.at, "", out.width, out.height, is_live=False))
        return
    first = way.operations  # what cannot be used at all is said before the screen is taken
    watch = Watch(lambda: read(first), every)
    watch.look()
    if watch.seen.overview is None:
        read(first)  # raises what ended it
    _show(watch)


def read(operations: Operations) -> Seen:
    """All that the screen shows."""
    overview = operations.overview()
    return Seen(
        overview,
        operations.positions(),
        operations.orders(state="OPEN_ANY", limit=ORDERS)["rows"],
        operations.alerts(limit=ORDERS)["rows"],
    )


def frame(
    seen: Seen, now: float, view: str, width: int, height: int, *, is_live: bool = True, is_paused: bool = False
) -> RenderableType:
    """The whole picture: head and engines, then positions, orders and alerts, or the one of them that was chosen."""
    rows: list[RenderableType] = [_age(seen, now, is_paused=is_paused)] if is_live else []
    if seen.overview is None:
        return Group(*rows, Text(seen.trouble or "Nothing has been read yet."))
    rows += _head(seen.overview)
    room = max(3, height - len(rows) - 4)
    if not view:
        rows += ["", table(ENGINE_COLUMNS, [_engine_cells(one) for one in seen.overview["engines"]], width), ""]
        room = max(3, (height - 20) // 2)
    if view in ("", "positions"):
        rows += _part("Positions", POSITION_COLUMNS, [position_cells(one) for one in seen.positions], width, room)
    if view in ("", "orders"):
        rows += _part("Open orders", ORDER_COLUMNS, [order_cells(one) for one in seen.orders], width, room)
    if view in ("", "alerts"):
        rows += _alerts(seen.alerts, ALERTS if not view else room)
    return Group(*rows)


def _head(overview: models.Overview) -> list[RenderableType]:
    market = overview["market"]
    waits = "" if market["state"] in (None, "RUNNING") else f"   {market['state']}"
    return [
        Text.assemble(
            ("Eternal Engine", "bold"), f"  {market['label']}  market time {instant(market['market_ms'])} UTC{waits}  ",
            (f"equity {amount(overview['equity_usdt'])} USDT", "bold"),
        ),
        *expected_lines(overview["expected"]),
    ]  # fmt: skip


def _engine_cells(one: models.Engine) -> list[str | Text]:
    last = one["last_transition"]
    state = one["state"] if one["component"] == "RUNNING" else f"{one['component']}, {one['state']}"
    risk = Text(one["risk_state"], "" if one["risk_state"] == "NORMAL" else "bold red")
    newest = "" if last is None else f"{instant(last['market_ms'])} {last['machine']} → {last['dest']}"
    orders = UNKNOWN if one["open_orders"] is None else str(one["open_orders"])
    return [one["name"], risk, state, amount(one["equity_usdt"]), orders, newest]


def _age(seen: Seen, now: float, *, is_paused: bool) -> Text:
    if not seen.at:
        return Text(seen.trouble or "reading …", "yellow")
    age = seen.age_s(now)
    paused = "  PAUSED" if is_paused else ""
    if age < STALE_S and not seen.trouble:
        return Text(f"{HINT}   values are {age:.1f} s old{paused}", "dim")
    return Text(f"STALE: values are {age:.0f} s old{paused}. {seen.trouble}".rstrip(), "bold red")


def _part(title: str, columns: Any, rows: list[Any], width: int, room: int) -> list[RenderableType]:
    if not rows:
        return [Text(f"{title}: none", "dim")]
    more = [Text(f"… and {len(rows) - room} more", "dim")] if len(rows) > room else []
    return [Text(title, "bold"), table(columns, rows[:room], width), *more]


def _alerts(alerts: list[models.Alert], most: int) -> list[RenderableType]:
    shown = [one for one in alerts if one["state"] != "ended"][:most]
    if not shown:
        newest = f"; the newest ended {instant(alerts[0]['ended_ms'])} UTC" if alerts else ""
        return [Text(f"Open alerts: none{newest}", "dim")]
    return [Text("Open alerts", "bold"), *(line for one in shown for line in lines_of(one))]


def _show(watch: Watch) -> None:
    from rich.live import Live

    out = console()
    view = ""
    watch.start()
    try:
        with _keys() as pressed, Live(console=out, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            while True:
                picture = frame(watch.seen, time.monotonic(), view, out.width, out.height, is_paused=watch.is_paused)
                live.update(picture, refresh=True)
                key = pressed(LOOK_S * 3)
                if key in QUIT:
                    return
                if key in PAUSE:
                    watch.is_paused = not watch.is_paused
                elif key in NOW:
                    watch.now()
                elif key in VIEWS:
                    view = "" if view == VIEWS[key] else VIEWS[key]
    except KeyboardInterrupt:
        return
    finally:
        watch.stop()


@contextlib.contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Keys one by one, unseen; the terminal is as before afterwards, however this ends."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(patience_s: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], patience_s)
        return os.read(descriptor, 1).decode("utf-8", "replace") if ready else ""

    tty.setcbreak(descriptor)
    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
