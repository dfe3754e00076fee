"""What people do on the pages in a real browser: dialogs that ask, by keyboard, and without scripts."""

from pathlib import Path

import msgspec
import pytest

from headway import wiring
from headway.config import Settings, load
from headway.core import facts as f
from web_world import served, write

pytest.importorskip("playwright")

from playwright.sync_api import Browser

from browser_world import MARKS, browser, looked_at, opened, say, violations

__all__ = ["browser"]

pytestmark = MARKS

FOCUSED = "document.activeElement.id || document.activeElement.textContent"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write(tmp_path)


def directed(settings: Settings) -> list[f.Fact]:
    """What was said to releases, and claimed."""
    with wiring.look(settings) as parts:
        facts = [e.fact for name in ("e", "g") for e in parts.log.read(f"endpoint/{name}")]
    return [one for one in facts if isinstance(one, f.ReleaseDirected) or getattr(one, "cause", "") == "rollback"]


def test_an_approver_promotes_with_a_reason_while_the_page_is_looked_at_anew(
    browser: Browser, settings: Settings
) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver")
        page = window.page
        page.goto("/releases/e/2")
        page.get_by_role("button", name="Promote…").click()
        assert page.get_by_role("dialog", name="Promote m@2 on e?").is_visible()
        page.keyboard.type("the numbers are good")
        assert violations(page) == []
        # What is being typed stays while the page changes around it.
        with wiring.open(settings) as parts:
            n = parts.log.read("endpoint/e")[-1].n
            held = f.ReleaseHeld(release=2, stage=0, why="still not enough")
            parts.log.append("endpoint/e", [held], expect=n, at=visitor.site.now())
        page.get_by_text("still not enough", exact=True).wait_for(timeout=60_000)
        assert page.locator("#why-promote").input_value() == "the numbers are good"
        page.get_by_role("button", name="Promote m@2", exact=True).click()
        page.get_by_text("ann says of m@2: go on: the numbers are good").wait_for(timeout=60_000)
        assert window.faults == []
        window.context.close()
    assert directed(settings) == [f.ReleaseDirected(release=2, act="promote", by="ann", why="the numbers are good")]


def test_a_dialog_keeps_the_keyboard_and_gives_it_back(browser: Browser, settings: Settings) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver")
        page = window.page
        page.goto("/releases/e/2")
        page.locator("#ask-abort").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog", name="Roll back m@2 on e?").wait_for()
        assert page.get_by_text("m@1 answers everything again.").is_visible()
        places = []
        for _ in range(8):
            places.append(page.evaluate(FOCUSED))
            page.keyboard.press("Tab")
        # The reason, what does it, what does not; beyond them the browser's own bar, and never the page below.
        assert places[:3] == ["why-abort", "Roll back m@2", "Cancel"]
        assert set(places) <= {"why-abort", "Roll back m@2", "Cancel", page.evaluate("document.body.textContent")}
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        assert page.evaluate(FOCUSED) == "ask-abort"
        # Without a reason nothing is sent.
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Roll back m@2", exact=True).click()
        assert page.evaluate("document.querySelector('#why-abort').validity.valueMissing")
        page.get_by_role("button", name="Cancel").click()
        assert page.evaluate(FOCUSED) == "ask-abort"
        assert window.faults == []
        window.context.close()
    assert directed(settings) == []


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_a_release_is_paused_resumed_and_taken_back(browser: Browser, settings: Settings, scripts: bool) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver", java_script_enabled=scripts)
        page = window.page
        page.goto("/releases/e/2")
        say(page, "Pause", "Pause m@2", "lunch")
        page.get_by_text("paused by ann: lunch").wait_for()
        assert page.get_by_role("button", name="Promote…").count() == 0
        say(page, "Resume", "Resume m@2", "back")
        page.get_by_text("ann says of m@2: go on after the pause: back").wait_for()
        say(page, "Roll back", "Roll back m@2", "never mind")
        page.get_by_text("ann says of m@2: take it back: never mind").wait_for()
        assert window.faults == []
        window.context.close()
    told = [(one.act, one.by, one.why) for one in directed(settings) if isinstance(one, f.ReleaseDirected)]
    assert told == [("pause", "ann", "lunch"), ("resume", "ann", "back"), ("abort", "ann", "never mind")]


def test_what_took_over_is_rolled_back(browser: Browser, settings: Settings) -> None:
    with wiring.open(settings) as parts:
        for n in (1, 2):
            facts: list[f.Fact] = [
                f.ReleaseStarted(endpoint="g", release=n, model="m", version=n, key=f"{n}"),
                f.EndpointSwitched(release=n, url=""),
                f.ReleaseFinished(release=n, outcome="released"),
            ]
            parts.log.append("endpoint/g", facts, expect=3 * (n - 1), at=0.0)
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver")
        page = window.page
        page.goto("/releases/g/2")
        say(page, "Roll back", "Roll back m@2", "it is slow")
        page.wait_for_url("**/releases/g/3")
        assert page.get_by_text("it is slow").first.is_visible()
        window.context.close()
    (claim,) = directed(settings)
    assert isinstance(claim, f.ReleaseStarted)
    assert (claim.version, claim.by, claim.why) == (1, "ann", "it is slow")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
@pytest.mark.parametrize("path", ["/", "/runs"])
def test_a_run_is_started(browser: Browser, settings: Settings, path: str, scripts: bool) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="operator", java_script_enabled=scripts)
        page = window.page
        page.goto(path)
        page.get_by_role("button", name="Start a run…").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog", name="Start a run of churn?").wait_for()
        if scripts:
            assert violations(page) == []
        page.keyboard.type("new labels came")
        page.keyboard.press("Enter")
        page.get_by_text("A run of churn is due: new labels came.").wait_for()
        assert window.faults == []
        window.context.close()
    with wiring.look(settings) as parts:
        (event,) = [entry.fact for entry in parts.log.read("trigger/churn")]
    assert isinstance(event, f.EventSeen)
    assert (event.by, event.why) == ("ann", "new labels came")


def test_who_may_not_act_is_told_what_it_takes(browser: Browser, settings: Settings) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="operator")
        window.page.goto("/releases/e/2")
        assert window.page.get_by_role("button", name="Promote…").count() == 0
        told = window.page.get_by_text("You are here as operator").inner_text()
        assert "to promote, pause, roll back takes an approver" in told
        window.context.close()
    with served(settings, reading=True) as visitor:
        window = opened(browser, visitor, role="admin")
        window.page.goto("/releases/e/2")
        assert "open those of headway up" in window.page.get_by_text("These pages only show").inner_text()
        window.context.close()


def test_releases_are_sorted_and_chosen_by_keyboard(browser: Browser, settings: Settings) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor)
        page = window.page
        page.goto("/releases")
        rows = page.locator("tbody th")
        assert rows.all_inner_texts() == ["e 2", "e 1"]
        page.get_by_role("link", name="Release", exact=True).focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**sort=release&**")
        assert rows.all_inner_texts() == ["e 1", "e 2"]
        assert page.get_by_role("columnheader", name="Release").get_attribute("aria-sort") == "ascending"
        assert violations(page) == []
        page.get_by_label("State").select_option("released")
        page.get_by_role("button", name="Show").press("Enter")
        page.wait_for_url("**state=released**")
        assert rows.all_inner_texts() == ["e 1"]
        assert window.faults == []
        window.context.close()


def test_a_command_is_copied_and_that_is_said(browser: Browser, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(load(folder=str(tmp_path)), environ={})
    with served(settings, reading=True) as visitor:
        window = opened(browser, visitor, permissions=["clipboard-read", "clipboard-write"])
        page = window.page
        page.goto("/")
        page.get_by_role("button", name="Copy headway init", exact=True).click()
        page.get_by_role("status").get_by_text("Copied: headway init").wait_for(state="attached")
        assert page.evaluate("navigator.clipboard.readText()") == "headway init"
        assert window.faults == []
        window.context.close()


@pytest.mark.parametrize(
    "looks",
    [{"forced_colors": "active"}, {"reduced_motion": "reduce"}, {"contrast": "more"}],
    ids=["forced colours", "less motion", "more contrast"],
)
def test_what_somebody_asked_of_their_system_is_kept(
    browser: Browser, settings: Settings, looks: dict[str, str]
) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver", viewport={"width": 360, "height": 800}, **looks)
        for path in ("/", "/releases/e/2", "/runs/2"):
            looked_at(window.page, path)
        # Where colours are the system's, states are still told apart by their shapes, and by a line around them.
        if "forced_colors" in looks:
            edges = "getComputedStyle(document.querySelector('.state')).borderTopStyle"
            assert window.page.evaluate(edges) == "solid"
        moves = "getComputedStyle(document.querySelector('main')).transitionDuration"
        assert window.page.evaluate(moves) in ("0s", "")
        window.context.close()


def test_on_paper_there_is_no_button_and_no_dark(browser: Browser, settings: Settings) -> None:
    with served(settings) as visitor:
        window = opened(browser, visitor, role="approver", color_scheme="dark")
        page = window.page
        page.goto("/releases/e/2")
        paper = "getComputedStyle(document.body).backgroundColor"
        on_screen = page.evaluate(paper)
        page.emulate_media(media="print")
        assert page.evaluate(paper) == "rgb(255, 255, 255)" != on_screen
        assert not page.get_by_role("button", name="Promote…").is_visible()
        assert not page.get_by_role("navigation").is_visible()
        assert page.locator(".copy:visible").count() == 0
        assert page.get_by_role("heading", name="m@2 on e").is_visible()
        window.context.close()
