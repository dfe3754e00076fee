"""Pages in a real browser: nothing that a screen reader stumbles over, wide and narrow, light and dark, by keyboard.

Chromium of the system, driven by Playwright; axe (in `vendor`) looks for what keeps people out.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from headway import wiring
from headway.config import Settings, load
from headway.core import facts as f
from headway.core.ids import RunId
from web_world import TOKENS, Visitor, served, write

pytest.importorskip("playwright")

from playwright.sync_api import Browser

from browser_world import MARKS, browser, looked_at, opened, violations

__all__ = ["browser"]

pytestmark = MARKS

PATHS = [
    "/", "/runs", "/compare?runs=1,2", "/runs/2", "/runs/3", "/runs/2/steps/gate", "/runs/2/steps/gate/log", "/models",
    "/models/m", "/models/m/2", "/releases", "/releases/e/2", "/releases/e/1", "/story", "/audit", "/audit?verify=1",
    "/monitors", "/monitors/live", "/data", "/data/training", "/data/training/2",
    "/models?sort=-registered", "/monitors?sort=state",
]  # fmt: skip

LOOKS = [(360, "dark"), (1280, "light"), (2560, "dark")]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        yield found


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
def test_every_page_is_open_to_everybody_and_fits(browser: Browser, visitor: Visitor, width: int, scheme: str) -> None:
    window = opened(browser, visitor, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for path in PATHS:
        looked_at(window.page, path)
    assert window.faults == []
    window.context.close()


def test_the_page_that_asks_for_a_token_lets_in_who_has_one(browser: Browser, visitor: Visitor) -> None:
    window = opened(browser, visitor, role=None)
    page = window.page
    page.goto("/runs")
    assert page.title() == "Come in · Headway"
    assert violations(page) == []
    page.get_by_label("Use a token").fill("hw_nothing")
    page.get_by_role("button", name="Come in").click()
    assert "not one of ours" in page.get_by_role("alert").inner_text()
    page.get_by_label("Use a token").fill(TOKENS["operator"])
    page.get_by_role("button", name="Come in").click()
    assert page.get_by_text("operator-1", exact=True).is_visible()
    page.get_by_role("button", name="Sign out").click()
    assert page.get_by_label("Use a token").is_visible()
    page.goto("/runs")
    assert page.title() == "Come in · Headway"
    window.context.close()


def test_an_open_page_changes_by_itself_and_keeps_its_place(browser: Browser, tmp_path: Path) -> None:
    settings = write(tmp_path)
    with served(settings) as visitor:
        window = opened(browser, visitor)
        page = window.page
        page.goto("/runs/3")
        page.evaluate("window.isTheSame = true")
        page.get_by_role("link", name="train-model").focus()
        with wiring.open(settings) as parts:
            done = f.StepFinished(step="gate", outcome="failed", exit_code=1, seconds=2.0, why="no champion")
            parts.log.append("run/3", [done], expect=4, at=visitor.site.now())
        page.get_by_text("no champion").wait_for(timeout=60_000)
        assert page.evaluate("window.isTheSame") is True
        assert page.evaluate("document.activeElement.textContent") == "train-model"
        assert window.faults == []
        window.context.close()


def test_what_is_ticked_stays_so_when_a_run_comes_in_above_it(browser: Browser, tmp_path: Path) -> None:
    settings = write(tmp_path)
    with served(settings) as visitor:
        window = opened(browser, visitor)
        page = window.page
        page.goto("/runs")
        page.get_by_label("Compare run 2").check()
        with wiring.open(settings) as parts:
            first = parts.log.read("run/3")[0].fact
            assert isinstance(first, f.RunStarted)
            another = msgspec.structs.replace(first, run=RunId(4))
            parts.log.append("run/4", [another], expect=0, at=visitor.site.now())
        page.get_by_label("Compare run 4").wait_for(timeout=60_000)
        ticked = page.evaluate("[...document.querySelectorAll('input[name=runs]:checked')].map(one => one.value)")
        assert ticked == ["2"]
        row = page.locator("tr", has=page.get_by_label("Compare run 2"))
        assert "2 churn" in row.inner_text()
        window.context.close()


def test_pages_can_be_read_without_scripts(browser: Browser, visitor: Visitor) -> None:
    window = opened(browser, visitor, java_script_enabled=False)
    page = window.page
    page.goto("/")
    page.get_by_role("link", name="Runs", exact=True).click()
    page.get_by_role("link", name="2 churn").click()
    assert page.get_by_role("heading", name="Run 2").is_visible()
    page.get_by_role("link", name="gate", exact=True).click()
    assert page.get_by_text("<script>alert(2)</script>").first.is_visible()
    window.context.close()


def test_the_keyboard_suffices(browser: Browser, visitor: Visitor) -> None:
    window = opened(browser, visitor)
    page = window.page
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.get_by_text("Skip to content").bounding_box() is not None
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    # The first stage of the loop leads to the data.
    page.wait_for_url("**/data/training")
    window.context.close()


def test_runs_are_found_by_the_form(browser: Browser, visitor: Visitor) -> None:
    window = opened(browser, visitor)
    page = window.page
    page.goto("/runs")
    page.get_by_label("Outcome").select_option("refused")
    page.get_by_role("button", name="Show").click()
    assert page.locator("tbody tr").count() == 1
    assert "outcome=refused" in page.url
    page.goto("/runs")
    page.get_by_label("Compare run 1").check()
    page.get_by_label("Compare run 3").check()
    page.get_by_role("button", name="Compare").click()
    assert page.get_by_role("heading", name="2 runs side by side").is_visible()
    window.context.close()


def test_an_empty_project_says_what_to_do(browser: Browser, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(load(folder=str(tmp_path)), environ={})
    with served(settings, reading=True) as visitor:
        window = opened(browser, visitor)
        for path in ("/", "/runs", "/models", "/releases"):
            window.page.goto(path)
            assert violations(window.page) == [], path
        assert window.faults == []
        window.context.close()
