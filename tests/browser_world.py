"""A browser that looks at pages: Chromium of the system, driven by Playwright, and everything that goes wrong in it.

Files that use it import `browser` as a fixture, and are skipped where Playwright or Chromium is not.
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headway.core.access import Role
from web_world import Visitor

pytest.importorskip("playwright")

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = shutil.which("chromium")

MARKS = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not here"),
]

AXE = Path(__file__).parent / "web" / "vendor" / "axe-4.14.1.min.js"

CUT_OFF = """[...document.querySelectorAll("svg text")].filter(one => one.checkVisibility()).filter(one => {
  const text = one.getBoundingClientRect(), picture = one.closest("svg").getBoundingClientRect();
  return text.left < picture.left - 1 || text.right > picture.right + 1 || text.bottom > picture.bottom + 1;
}).map(one => one.textContent)"""
"""Words of pictures that are not on them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # No sandbox: tests run as root in containers, where Chromium has none.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


class Watched:
    """A browser's window, and everything that went wrong or elsewhere in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context = context
        self.page: Page = context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on(
            "request", lambda asked: None if asked.url.startswith((url, "data:")) else self.faults.append(asked.url)
        )


# Any: what Playwright lets one say of a window.
def opened(browser: Browser, visitor: Visitor, *, role: Role | None = "viewer", **looks: Any) -> Watched:
    """A window, of somebody who came in with that role; None: who has not come in."""
    window = Watched(browser.new_context(base_url=visitor.server.url, **looks), visitor.server.url)
    if role is not None:
        window.page.goto(visitor.server.link("ann", role))
    return window


def looked_at(page: Page, path: str) -> None:
    """A page fits, keeps nobody out and cuts no words off."""
    page.goto(path)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    assert violations(page) == [], path
    assert page.evaluate(CUT_OFF) == [], path


def say(page: Page, button: str, does: str, why: str) -> None:
    """Act in the dialog that a button opens."""
    page.get_by_role("button", name=f"{button}…", exact=True).click()
    page.get_by_role("dialog").get_by_label("Why").fill(why)
    page.get_by_role("dialog").get_by_role("button", name=does, exact=True).click()


def violations(page: Page) -> list[str]:
    """What axe finds, with the first places of each."""
    # Evaluated and not added to the page, which takes no script from elsewhere.
    page.evaluate(AXE.read_text() + ";1")
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(one => one.violations)")
    return [f"{one['id']}: {json.dumps([node['html'][:120] for node in one['nodes'][:3]])}" for one in found]
