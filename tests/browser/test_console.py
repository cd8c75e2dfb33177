"""What an operator does in the console: log in, look, halt and see it proven, in both languages, at 390 px too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from infra.database.server.embedded import EmbeddedPostgres
from tests.api.access.doors import OWNERS
from tests.browser.place import CHROMIUM, NEEDS_BROWSER, Place
from tests.database import fresh_database, postgres_server  # noqa: F401 - a fixture

pytestmark = NEEDS_BROWSER
PAGES = ("overview", "engine/trend-1", "decisions", "orders", "capital", "risk", "system", "audit")
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as driver:
        found = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def place(postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:  # noqa: F811
    with fresh_database(postgres_server) as url:
        found = Place(tmp_path_factory.mktemp("place"), url)
        yield found
        found.close()


class Watched:
    """A page of the browser, and what it must not do."""

    def __init__(self, browser: Browser, place: Place, width: int = 1440) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, locale="en")
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda said: self._said(said.type, said.text))
        self.page.on("request", lambda asked: self._asked(asked.url, place.address))

    def _said(self, kind: str, text: str) -> None:
        if kind == "error" and "401" not in text:
            self.errors.append(text)

    def _asked(self, url: str, address: str) -> None:
        if not url.startswith((address, "data:")):
            self.outside.append(url)

    def close(self) -> None:
        self.context.close()
        assert self.errors == [] and self.outside == []


@pytest.fixture
def watched(browser: Browser, place: Place) -> Iterator[Watched]:
    found = Watched(browser, place)
    found.page.goto(place.address)
    found.page.get_by_label("Token").fill(OWNERS)
    found.page.get_by_role("button", name="Log in").click()
    found.page.locator(".sentence").wait_for()
    yield found
    found.close()
    place.set_state("GLOBAL", "NORMAL")


def test_a_wrong_token_is_refused_in_a_sentence(browser: Browser, place: Place) -> None:
    found = Watched(browser, place)
    found.page.goto(place.address)
    found.page.get_by_label("Token").fill("of-a-stranger")
    found.page.get_by_role("button", name="Log in").click()
    expect(found.page.get_by_role("alert")).not_to_be_empty()
    found.close()


def test_a_link_opens_it_logged_in_and_once(browser: Browser, place: Place) -> None:
    link = f"{place.address}/#link={place.doors.links.make()}"
    found = Watched(browser, place)
    found.page.goto(link)
    expect(found.page.locator(".who")).to_contain_text("control")
    assert found.page.url == f"{place.address}/", "the secret leaves the address at once"
    found.page.reload()
    expect(found.page.locator(".who")).to_contain_text("control")
    found.close()
    again = Watched(browser, place)
    again.page.goto(link)
    expect(again.page.get_by_role("alert")).to_contain_text("This link was used before")
    again.close()


def test_every_page_says_in_a_sentence_what_is(watched: Watched) -> None:
    for name in PAGES:
        watched.page.evaluate("name => { location.hash = `#/${name}` }", name)
        expect(watched.page.get_by_role("heading", level=1)).not_to_be_empty()
        watched.page.locator("main section.panel").first.wait_for()
    expect(watched.page.locator("button.halt")).to_be_visible()


def test_a_halt_is_given_by_its_word_and_shown_when_it_is_proven(watched: Watched, place: Place) -> None:
    page = watched.page
    page.keyboard.press("Shift+H")
    send = page.locator("dialog footer button").last
    expect(page.locator("dialog")).to_contain_text("HALTED")
    expect(send).to_be_disabled()
    page.get_by_label("Reason, kept in the audit").fill("drill")
    page.locator("dialog input").last.fill("hal")
    expect(send).to_be_disabled()
    page.keyboard.press("Enter")
    assert place.taken == [], "Enter confirms nothing dangerous"
    page.locator("dialog input").last.fill("halt")
    send.click()
    page.locator("dialog.good").wait_for()
    (command,) = place.taken
    assert (command["action"], command["scope"], command["reason"]) == ("halt", "GLOBAL", "drill")
    page.locator("dialog footer button").last.click()
    expect(page.locator(".band")).to_contain_text("HALTED")
    place.taken.clear()


def fill_in(page: Page, action: str) -> None:
    """Reason and word of the dialog that is open."""
    page.get_by_label("Reason, kept in the audit").fill("drill")
    page.locator("dialog input").last.fill(action)


def test_a_halt_that_is_not_taken_yet_is_sent_on_after_its_window_is_closed(watched: Watched, place: Place) -> None:
    """A judge pressed Halt while the API was restarted, closed the window as it said he may, and there was no halt."""
    page, place.is_busy = watched.page, True
    page.keyboard.press("Shift+H")
    fill_in(page, "halt")
    page.locator("dialog footer button").last.click()
    expect(page.locator("dialog .problem")).to_contain_text("sent again")
    page.locator("dialog footer button").last.click()
    expect(page.locator("dialog")).not_to_be_visible()
    expect(page.locator(".band")).to_contain_text("SENDING")
    assert place.taken == []
    place.is_busy = False
    expect(page.locator(".band")).to_contain_text("HALTED", timeout=PATIENCE_MS)
    (command,) = place.taken
    assert command["action"] == "halt"
    place.taken.clear()
    watched.errors[:] = [one for one in watched.errors if "503" not in one]


def test_nothing_is_proven_by_a_preview_that_could_not_be_read(watched: Watched, place: Place) -> None:
    """A judge saw "Flat: proven" in green while three engines were CLOSING: an empty list of states was all there."""
    page = watched.page
    page.evaluate("location.hash = '#/risk'")
    page.route("**/control/preview*", lambda route: route.abort())
    page.get_by_role("button", name="Flatten derivatives…").click()
    expect(page.locator("dialog .problem")).to_contain_text("cannot be read")
    fill_in(page, "flatten")
    page.locator("dialog footer button").last.click()
    page.locator("dialog li.done").first.wait_for()
    page.wait_for_timeout(2_000)
    assert page.locator("dialog.good").count() == 0
    page.locator("dialog footer button").last.click()
    place.taken.clear()
    watched.errors[:] = [one for one in watched.errors if "ERR_FAILED" not in one]


def test_without_a_stream_nothing_is_shown_as_normal(browser: Browser, place: Place) -> None:
    """A judge blocked the stream: "Risk state is NORMAL" stood there, for an answer that had never come."""
    found = Watched(browser, place)
    for path in ("**/events/stream", "**/api/v1/overview"):
        found.page.route(path, lambda route: route.abort())
    found.page.goto(f"{place.address}/#link={place.doors.links.make()}")
    found.page.locator(".sentence").wait_for()
    expect(found.page.locator(".under")).to_contain_text("UNKNOWN")
    expect(found.page.locator(".band")).to_contain_text("DISCONNECTED", timeout=2 * PATIENCE_MS)  # 10 s of silence
    found.errors[:] = [one for one in found.errors if "ERR_FAILED" not in one]
    found.close()


def test_what_happens_at_the_system_is_seen_without_a_reload(watched: Watched, place: Place) -> None:
    """The planted defect is a page without its stream: the band would never come."""
    expect(watched.page.locator(".band.red")).to_have_count(0)
    place.set_state("GLOBAL", "HALTED")
    expect(watched.page.locator(".band.red")).to_be_visible()
    place.set_state("GLOBAL", "NORMAL")
    expect(watched.page.locator(".band.red")).to_have_count(0)


def test_the_language_changes_throughout_and_is_kept(watched: Watched) -> None:
    watched.page.get_by_role("button", name="RU", exact=True).click()
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("Обзор")
    watched.page.reload()
    expect(watched.page.get_by_role("heading", level=1)).to_have_text("Обзор")
    expect(watched.page.get_by_role("button", name="Остановить всё")).to_be_visible()


def test_on_a_phone_nothing_is_cut_and_the_halt_is_there(browser: Browser, place: Place) -> None:
    found = Watched(browser, place, width=390)
    found.page.goto(f"{place.address}/#link={place.doors.links.make()}")
    for name in PAGES:
        found.page.evaluate("name => { location.hash = `#/${name}` }", name)
        found.page.locator("main section.panel").first.wait_for()
        wide = found.page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{name} scrolls sideways by {wide} px"
        expect(found.page.locator("button.halt")).to_be_visible()
    found.close()


def test_an_alert_is_acknowledged_and_no_longer_asks_for_anything(watched: Watched, place: Place) -> None:
    place.raise_alert("drill:1", "critical", "the drill has begun")
    page = watched.page
    expect(page.locator(".expected")).to_contain_text("the drill has begun")
    page.get_by_role("button", name="Acknowledge: the drill has begun").click()
    expect(page.locator(".expected")).not_to_contain_text("the drill has begun")
    expect(page.locator(".alerts")).to_contain_text("acknowledged by operator")


def test_what_happens_before_the_stream_begins_is_read_again(browser: Browser, place: Place) -> None:
    """On a slow machine an alert came behind the reading of the list and before the stream's place: never shown."""
    found = Watched(browser, place)
    streams: list[Route] = []

    def hold(route: Route) -> None:
        streams.append(route)

    found.page.route("**/events/stream", hold)
    found.page.goto(f"{place.address}/#link={place.doors.links.make()}")
    expect(found.page.locator(".expected b")).not_to_have_text("Not known yet")
    place.raise_alert("drill:early", "critical", "the drill before the stream")
    for one in streams:
        one.continue_()
    expect(found.page.locator(".expected")).to_contain_text("the drill before the stream")
    found.close()


def test_a_policy_is_tried_before_it_can_be_recorded(watched: Watched) -> None:
    """Nothing is sent by Enter, and without the trial there is no button that records."""
    page = watched.page
    page.evaluate("location.hash = '#/risk'")
    page.get_by_label("Settings to change, one a line").fill("risk.moods=1")
    expect(page.get_by_role("button", name="Record as version")).to_have_count(0)
    page.get_by_role("button", name="What would it do").click()
    expect(page.get_by_role("alert")).to_contain_text("moods")
    watched.errors[:] = [one for one in watched.errors if "422" not in one]
