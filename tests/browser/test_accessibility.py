"""What axe finds on every page, in both themes, wide and narrow: nothing (IF-3, WCAG 2 A and AA)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.place import NEEDS_BROWSER, Place
from tests.browser.test_console import PAGES, browser, place
from tests.database import postgres_server

__all__ = ["browser", "place", "postgres_server"]

pytestmark = NEEDS_BROWSER
SIZES = (("dark", 1440), ("light", 390))


def problems(page: Page) -> list[str]:
    """One sentence per rule that the page breaks, with the first place."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found]


@pytest.fixture(params=SIZES, ids=lambda one: f"{one[0]} {one[1]} px")
def page(request: pytest.FixtureRequest, browser: Browser, place: Place) -> Iterator[Page]:
    theme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, locale="en", reduced_motion="reduce")
    context.add_init_script(f"localStorage.setItem('theme', '{theme}')")
    found = context.new_page()
    found.goto(f"{place.address}/#link={place.doors.links.make()}")
    found.locator(".sentence").wait_for()
    yield found
    context.close()


def test_no_page_breaks_a_rule(page: Page) -> None:
    broken = {}
    for name in PAGES:
        page.evaluate("name => { location.hash = `#/${name}` }", name)
        page.locator("main section.panel").first.wait_for()
        expect(page.locator("[aria-busy=true]")).to_have_count(0)
        if found := problems(page):
            broken[name] = found
    assert broken == {}


def test_a_page_that_breaks_one_is_noticed(page: Page) -> None:
    """The planted defect: a button without a name."""
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert any(one.startswith("button-name") for one in problems(page))


def test_the_dialog_of_a_dangerous_command_breaks_none(page: Page) -> None:
    page.keyboard.press("Shift+H")
    page.locator("dialog").wait_for()
    assert problems(page) == []
