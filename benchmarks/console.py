"""The console over 2,000 orders and 5,000 candles, in Debian's chromium: first view, opening of pages, smoothness.

The interface runs in this process on a free port, its database in a temporary folder; the rows are synthetic. The first
view is counted from the navigation of a new browser context (nothing cached, the session's cookie is there) until the
engines' cards and the drawn curve are on the screen. Smoothness: frames and long tasks (more than 50 ms on the page's
main thread, as the browser reports them) while all orders are scrolled through and all candles are panned. Ends with
status 1 past a limit. `--planted-ms N` keeps the page busy for N ms ten times a second: the limits must notice.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from benchmarks.common import print_machine, print_table, spread, temporary_folder
from infra.database.migrations import upgrade
from infra.database.roles import ROLES, secure
from infra.database.server.embedded import EmbeddedPostgres
from tests.api.access.doors import OWNERS
from tests.browser.place import CHROMIUM, Place

ORDERS, CANDLES, DAYS = 2_000, 5_000, 1_500
FIRST_VIEW_LIMIT_S = 1.0
"""Issue 11: "first view under 1 s"; of the median."""
OPEN_LIMIT_S = 1.0
"""Opening a page of a console that is there already must not take longer than the first view."""
LONG_TASKS_LIMIT_A_SECOND = 1.0
FRAME_LIMIT_MS = 50.0
"""Issue 11: "smooth". Of 95 in 100 frames; the browser draws without a graphics card here."""
WAIT_MS = 60_000
REST_S = 3.0
"""Before each run: what the page before had asked for is answered."""
SCROLL_S = 4.0

ROWS = (
    """INSERT INTO orders SELECT 'bench' || n, 'i' || n, 'trend-1', 'TREND-1', 'linear', 'BTCUSDT',
       CASE WHEN n %% 2 = 0 THEN 'Buy' ELSE 'Sell' END, 'market', 0.281, NULL, NULL, n %% 2 = 1, 'FILLED', 'v' || n,
       0.281, 50000 + n, 'TR-8: 0.281 from equity 58210 USDT, ATR 955.03, factor 1, portfolio ' || n,
       1700000000000 + n * 60000, 1700000000000 + n * 60000, 'bench' FROM generate_series(1, %(orders)s) AS n""",
    """INSERT INTO executions SELECT 'TREND-1', 'be' || n, 'bench' || n, 'v' || n, 'trend-1', 'linear', 'BTCUSDT',
       CASE WHEN n %% 2 = 0 THEN 'Buy' ELSE 'Sell' END, 0.281, 50000 + n, 7.73, 'USDT', false, (n %% 7) - 3,
       1700000000000 + n * 60000 FROM generate_series(1, %(orders)s) AS n""",
    """INSERT INTO bars SELECT 'linear', 'BTCUSDT', 'D', n * 86400000::bigint, 20000 + 9000 * sin(n / 90.0),
       20600 + 9000 * sin(n / 90.0), 19500 + 9000 * sin(n / 90.0), 20000 + 9000 * sin((n + 3) / 90.0), 1000
       FROM generate_series(16000 - %(candles)s, 15999) AS n ON CONFLICT DO NOTHING""",
    """INSERT INTO performance SELECT n * 86400000::bigint, name, 100000 + 20000 * sin(n / 60.0), 0,
       0.001 * sin(n / 9.0), 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 FROM generate_series(20000 - %(days)s, 19999) AS n,
       unnest(ARRAY['total', 'core-hodl', 'trend-1', 'trend-2', 'funding', 'tactical']) AS name
       ON CONFLICT DO NOTHING""",
)

MEASURE = """
window.measured = { frames: [], long: [] }
const seen = (list) => { for (const one of list.getEntries()) window.measured.long.push(one.duration) }
new PerformanceObserver(seen).observe({ type: 'longtask' })
window.begin = () => {
  window.measured.frames = []; window.measured.long = []
  let last = performance.now()
  const next = (now) => {
    window.measured.frames.push(now - last)
    last = now
    if (window.measuring) requestAnimationFrame(next)
  }
  window.measuring = true
  requestAnimationFrame(next)
}
"""
PLANTED = """setInterval(() => { const end = performance.now() + %d; while (performance.now() < end); }, 100)"""


class Smoothness(NamedTuple):
    """While something was moved: seconds, frames, their 95th percentile in ms, and long tasks."""

    what: str
    seconds: float
    frames: int
    p95_ms: float
    long_tasks: int
    longest_ms: float

    @property
    def is_smooth(self) -> bool:
        """Within the limits."""
        return self.p95_ms <= FRAME_LIMIT_MS and self.long_tasks <= LONG_TASKS_LIMIT_A_SECOND * self.seconds


def main() -> None:
    """Measure, print, and end with 1 past a limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.console", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--planted-ms", type=int, default=0, help="keep the page busy for so long ten times a second")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("This benchmark needs chromium: apt-get install chromium.")
    print_machine(f"Console: {ORDERS:,} orders with fills, {CANDLES:,} candles, {DAYS:,} days of equity")
    print(f"browser   {_version(CHROMIUM)}\n")
    with temporary_folder() as folder, place(folder) as found, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        state = log_in(browser, found.address, folder / "cookie.json")
        planted = PLANTED % options.planted_ms if options.planted_ms else ""
        times: dict[str, list[float]] = {}
        moved: list[Smoothness] = []
        for _ in range(options.runs):
            time.sleep(REST_S)
            with opened(browser, state, planted) as page:
                times.setdefault("first view of Overview", []).append(first_view(page, found.address))
                times.setdefault("open Orders & fills", []).append(open_page(page, "orders", "table tbody tr"))
                times.setdefault("open TREND-1", []).append(open_page(page, "engine/trend-1", ".chart canvas"))
        with opened(browser, state, planted) as page:
            first_view(page, found.address)
            moved.append(scroll_orders(page))
            moved.append(pan_candles(page))
        browser.close()
    sys.exit(0 if report(times, moved) else 1)


def report(times: dict[str, list[float]], moved: list[Smoothness]) -> bool:
    """Print the figures; whether all are within their limits."""
    limits = {"first view of Overview": FIRST_VIEW_LIMIT_S}
    rows, is_well = [], True
    for name, values in times.items():
        limit = limits.get(name, OPEN_LIMIT_S)
        is_well &= statistics.median(values) < limit
        rows.append([name, *spread(values), f"{limit:.2f}", str(len(values))])
    print_table(["seconds", "min", "median", "max", "limit of the median", "runs"], rows)
    print_table(
        ["moved", "s", "frames", "p95 of a frame, ms", "long tasks", "longest, ms", "within"],
        [
            [one.what, f"{one.seconds:.1f}", str(one.frames), f"{one.p95_ms:.0f}", str(one.long_tasks),
             f"{one.longest_ms:.0f}", "yes" if one.is_smooth else "NO"]
            for one in moved
        ],
    )  # fmt: skip
    print(f"limits: {FRAME_LIMIT_MS:.0f} ms for 95 of 100 frames, {LONG_TASKS_LIMIT_A_SECOND:.0f} long task a second")
    is_well &= all(one.is_smooth for one in moved)
    print("within all limits" if is_well else "PAST A LIMIT")
    return is_well


def _version(chromium: str) -> str:
    return subprocess.run([chromium, "--version"], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """The interface over a database with the rows."""
    server = EmbeddedPostgres(folder / "database")
    upgrade(server.start())
    secure(server.url, {role: server.password_of(role) for role in ROLES})
    try:
        (folder / "doors").mkdir()
        found = Place(folder / "doors", server.url)
        with psycopg.connect(server.url) as connection:
            for one in ROWS:
                connection.execute(one, {"orders": ORDERS, "candles": CANDLES, "days": DAYS})
            connection.commit()
            connection.execute("ANALYZE")
        yield found
        found.close()
    finally:
        server.stop()


def log_in(browser: Browser, address: str, state: Path) -> Path:
    """The file with the session's cookie."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.get_by_label("Token").fill(OWNERS)
    page.get_by_role("button", name="Log in").click()
    page.locator(".sentence").wait_for()
    context.storage_state(path=state)
    context.close()
    return state


@contextmanager
def opened(browser: Browser, state: Path, planted: str) -> Iterator[Page]:
    """A page of a new context."""
    context: BrowserContext = browser.new_context(
        storage_state=state, viewport={"width": 1440, "height": 900}, locale="en"
    )
    context.set_default_timeout(WAIT_MS)
    context.add_init_script(MEASURE + planted)
    yield context.new_page()
    context.close()


def first_view(page: Page, address: str) -> float:
    """Seconds from the navigation."""
    begun = time.monotonic()
    page.goto(address, wait_until="commit")
    page.locator(".card").nth(4).wait_for()
    page.locator(".chart canvas").first.wait_for()
    return time.monotonic() - begun


def open_page(page: Page, name: str, shows: str) -> float:
    """Seconds from the click on a link to what the page is for."""
    begun = time.monotonic()
    page.evaluate("(name) => { location.hash = `#/${name}` }", name)
    page.locator(f"main {shows}").first.wait_for()
    return time.monotonic() - begun


def scroll_orders(page: Page) -> Smoothness:
    """All orders are loaded, then scrolled through."""
    page.evaluate("location.hash = '#/orders'")
    more = page.get_by_role("button", name="Load older ones").first
    rows = page.locator("section", has=page.get_by_role("heading", name="Orders", exact=True)).locator("tbody tr")
    rows.first.wait_for()
    while (count := rows.count()) < ORDERS:
        more.click()
        while rows.count() == count:
            page.wait_for_timeout(20)
    assert rows.count() >= ORDERS, "not all orders are on the page"
    page.evaluate("window.begin()")
    begun = time.monotonic()
    page.mouse.move(700, 500)
    while time.monotonic() - begun < SCROLL_S:
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(16)
    return smoothness(page, "2,000 orders scrolled", time.monotonic() - begun)


def pan_candles(page: Page) -> Smoothness:
    """All candles are loaded, then panned and zoomed."""
    bars: list[int] = []
    page.on("response", lambda one: bars.append(len(one.json()["bars"]["rows"])) if "/candles?" in one.url else None)
    page.evaluate("location.hash = '#/engine/trend-1'")
    page.locator("main .chart canvas").first.wait_for()
    page.locator("main section button", has_text=re.compile("^All$")).first.click()
    until = time.monotonic() + WAIT_MS / 1000
    while sum(bars) < CANDLES:
        page.wait_for_timeout(100)
        assert time.monotonic() < until, f"only {sum(bars)} candles were read"
    page.wait_for_timeout(1000)
    box = page.locator("main .chart canvas").first.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + min(box["height"], 300) / 2
    page.mouse.move(x, y)
    page.evaluate("window.begin()")
    begun = time.monotonic()
    for turn in range(6):
        page.mouse.wheel(0, -300 if turn % 2 == 0 else 300)
        page.mouse.down()
        for step in range(20):
            page.mouse.move(x + (step if turn % 2 else -step) * 12, y)
            page.wait_for_timeout(16)
        page.mouse.up()
        page.mouse.move(x, y)
    return smoothness(page, "5,000 candles panned", time.monotonic() - begun)


def smoothness(page: Page, what: str, seconds: float) -> Smoothness:
    """What the page has measured since `begin`."""
    page.evaluate("window.measuring = false")
    found = page.evaluate("window.measured")
    frames = sorted(found["frames"])
    p95 = frames[int(len(frames) * 0.95)] if frames else float("inf")
    return Smoothness(what, seconds, len(frames), p95, len(found["long"]), max(found["long"], default=0.0))


if __name__ == "__main__":
    main()
