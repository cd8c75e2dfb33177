"""What an operator sees happen in the console, as it happens: money, a chain, a pause, a dead actor, no database."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.api.records import ENTRY
from tests.browser.place import NEEDS_BROWSER, Place
from tests.browser.test_console import Watched, browser, place, watched
from tests.database import postgres_server

__all__ = ["browser", "place", "postgres_server", "watched"]

pytestmark = NEEDS_BROWSER


def test_equity_moves_without_a_reload(watched: Watched, place: Place) -> None:
    expect(watched.page.locator(".figures .big")).to_have_text(re.compile(r"^100.000\.00$"))
    place.set_equity("123456.78")
    expect(watched.page.locator(".figures .big")).to_have_text(re.compile(r"^123.456\.78$"))


def test_an_order_opens_its_chain_from_the_bar_on(watched: Watched) -> None:
    page = watched.page
    page.evaluate("location.hash = '#/orders'")
    page.get_by_role("link", name=ENTRY).first.click()
    chain = page.locator("main")
    expect(chain).to_contain_text("close 58,420.5 above SMA200: entry")
    expect(chain).to_contain_text("58,420.5")
    assert ENTRY in page.url


def test_a_pause_is_given_shown_and_taken_back(watched: Watched, place: Place) -> None:
    page = watched.page
    page.evaluate("location.hash = '#/risk'")
    for button, action, state in (("Pause all…", "pause", "PAUSED"), ("Resume all…", "resume", "NORMAL")):
        page.get_by_role("button", name=button).click()
        page.get_by_label("Reason, kept in the audit").fill("drill")
        page.locator("dialog footer button").last.click()
        page.locator("dialog.good").wait_for()
        page.locator("dialog footer button").last.click()
        assert place.taken.pop()["action"] == action
        expect(page.locator(".band").filter(has_text="PAUSED")).to_have_count(1 if state == "PAUSED" else 0)


def test_an_actor_that_died_is_named_until_it_runs_again(watched: Watched, place: Place) -> None:
    sentence = watched.page.locator(".sentence").first
    expect(sentence).to_contain_text("the supervisor is restarting it")  # nothing but TREND-1 runs here
    expect(sentence).not_to_contain_text("trend-1")
    place.set_component("RESTARTING")
    expect(sentence).to_contain_text("trend-1")
    place.set_component("RUNNING")
    expect(sentence).not_to_contain_text("trend-1")


def test_without_the_database_the_last_values_stand_marked_as_old(watched: Watched, place: Place) -> None:
    page = watched.page
    expect(page.locator(".figures .big")).not_to_have_text("–")
    before = page.locator(".figures .big").inner_text()
    place.database.is_away = True
    expect(page.locator(".band")).to_contain_text("database")
    expect(page.locator(".figures .big.old")).to_have_text(before)
    place.database.is_away = False
    expect(page.locator(".band")).to_have_count(0)
    place.set_equity("99.50")
    expect(page.locator(".figures .big")).to_have_text("99.50")
    watched.errors[:] = [one for one in watched.errors if "503" not in one]
