"""What an operator does with backtests in the console (IF-3): start, cancel, compare, open the report, remove."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.api.backtests.made import done
from tests.browser.place import NEEDS_BROWSER, Place
from tests.browser.test_accessibility import problems
from tests.browser.test_console import Watched, browser, place, watched
from tests.database import postgres_server

__all__ = ["browser", "place", "postgres_server", "watched"]

pytestmark = NEEDS_BROWSER


@pytest.fixture
def opened(watched: Watched, place: Place) -> Iterator[Watched]:
    """The page with two runs that have ended."""
    done(place.runs, "calm", 1.1)
    done(place.runs, "bold", 0.9)
    watched.page.evaluate("location.hash = '#/backtests'")
    watched.page.get_by_role("link", name="bold").wait_for()
    yield watched
    for run in place.runs.all():
        place.runs.remove(run)


def test_a_value_is_refused_at_its_field_and_a_run_is_started_and_cancelled(opened: Watched, place: Place) -> None:
    page = opened.page
    expect(page.get_by_text("This installation has no price history")).to_be_visible()
    expect(page.get_by_text("say nothing about what the strategies would earn")).to_be_visible()
    capital = page.get_by_label("Capital, USDT")
    capital.fill("5")
    page.get_by_role("button", name="Start the backtest").click()
    expect(page.get_by_role("alert")).to_contain_text("allowed is 1000 to")
    expect(capital).to_be_focused()
    expect(capital).to_have_attribute("aria-invalid", "true")
    capital.fill("5000")
    page.get_by_label("Name, to know it again").fill("mine")
    page.get_by_role("button", name="Start the backtest").click()
    expect(page.get_by_role("button", name="Cancel mine")).to_be_visible()
    assert problems(page) == []
    (run,) = (one for one in place.runs.all() if not one.is_ended)
    assert run.request is not None and "--capital=5000" in run.request.arguments
    page.get_by_role("button", name="Cancel mine").click()
    expect(page.get_by_role("button", name="Being cancelled")).to_be_disabled()
    assert run.canceller == "operator"
    opened.errors[:] = [one for one in opened.errors if "422" not in one]


def test_two_runs_are_compared_and_one_is_opened_and_removed(opened: Watched, place: Place) -> None:
    page = opened.page
    for name in ("calm", "bold"):
        page.get_by_label(f"Compare {name}").check()
    page.get_by_role("button", name="Compare 2").click()
    table = page.get_by_role("region", name="Comparison")
    expect(table).to_contain_text("Sharpe ratio")
    expect(table.get_by_role("link", name="bold")).to_be_visible()
    assert page.locator("#backtest-detail canvas").count() > 0
    assert problems(page) == []
    table.get_by_role("link", name="bold").click()
    expect(page.locator("#backtest-detail")).to_contain_text("The whole period was run.")
    page.get_by_role("button", name="Remove…").click()
    page.get_by_role("button", name="Remove for good").click()
    expect(page.get_by_role("link", name="bold")).to_have_count(0)
    assert [run.request.name for run in place.runs.all() if run.request] == ["calm"]


def test_the_report_opens_and_its_scripts_reach_nothing_of_the_operator(opened: Watched, place: Place) -> None:
    """The planted defect is `allow-same-origin` in its policy: then the page could give commands."""
    page = opened.page
    page.get_by_role("link", name="calm").click()
    with page.context.expect_page() as found:
        page.get_by_role("link", name="Open the report").click()
    report = found.value
    expect(report).to_have_title("ran")
    assert report.evaluate("window.origin") == "null"
    assert report.evaluate("(() => { try { return document.cookie } catch (error) { return error.name } })()") == (
        "SecurityError"
    )
    assert report.evaluate("fetch('/api/v1/session').then(() => 'reached', () => 'refused')") == "refused"
    report.close()
