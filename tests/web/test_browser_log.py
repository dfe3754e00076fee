"""What a step prints, in a real browser: followed while it prints, and scrolled where it is a gigabyte."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from end_to_end.project import Project
from headway.config import load
from headway.core import facts as f
from headway.core.ids import RunId
from headway.wiring import open as open_settings
from web_world import served, with_tokens

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page

from browser_world import MARKS, browser, looked_at, opened

__all__ = ["browser"]

pytestmark = MARKS

LINES = 12_500_000
"""Of 80 bytes each: a gigabyte."""

NUMBERS = "[...document.querySelectorAll('#log li')].map(row => Number(row.id.slice(1)))"


TOP = """(() => {
  const log = document.getElementById("log"), top = log.getBoundingClientRect().top;
  return [...log.querySelectorAll("li")].find(row => row.getBoundingClientRect().bottom > top + 1).id;
})()"""
"""The first line that can be seen."""


def numbers(page: Page) -> list[int]:
    """The lines that stand on a page."""
    return list(page.evaluate(NUMBERS))


def until(page: Page, is_so: Callable[[], bool]) -> None:
    """Look again until it is so; the page itself lets nobody evaluate a condition in it."""
    for _ in range(300):
        if is_so():
            return
        page.wait_for_timeout(100)
    raise AssertionError("it never came")


def begins_before(page: Page, number: int) -> bool:
    """Whether an earlier line stands there."""
    return numbers(page)[0] < number


def are_all_there(page: Page) -> bool:
    """Whether no line is left out between the first and the last that stand there."""
    found = numbers(page)
    return found == list(range(found[0], found[-1] + 1))


def test_what_is_printed_appears_by_itself(browser: Browser, tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.write(
        "say.py",
        """
        import os, time
        print("begins", flush=True)
        while not os.path.exists("go"): time.sleep(0.01)
        print("\\n".join(f"line {i}" for i in range(1000)), flush=True)
        print("half", end="", flush=True)
        while not os.path.exists("end"): time.sleep(0.01)
        print(" and whole")
        """,
    )
    made.pipeline("pipeline: churn\nsteps:\n  - {name: Say, run: python say.py}\n")
    settings = load(folder=str(made.folder))
    with made.start("run") as running, served(settings, now=time.time) as visitor:
        try:
            until = time.monotonic() + 60
            while not (made.home / "runs" / "1").exists():
                assert time.monotonic() < until
                time.sleep(0.02)
            window = opened(browser, visitor)
            page = window.page
            page.goto("/runs/1/steps/say")
            page.get_by_text("begins").wait_for(timeout=30_000)
            page.evaluate("window.isTheSame = true")
            (tmp_path / "go").touch()
            page.get_by_text("half", exact=True).wait_for(timeout=30_000)
            assert are_all_there(page)
            assert page.evaluate("log => log.scrollTop > 0", page.query_selector("#log"))
            (tmp_path / "end").touch()
            page.get_by_text("half and whole").wait_for(timeout=30_000)
            page.get_by_text("It still prints").wait_for(state="detached", timeout=30_000)
            assert running.wait(60) == 0
            assert are_all_there(page)
            assert numbers(page)[-1] == 1002
            assert page.evaluate("window.isTheSame") is True
            assert window.faults == []
            window.context.close()
        finally:
            running.kill()


def test_a_gigabyte_scrolls(browser: Browser, tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.pipeline("pipeline: churn\nsteps:\n  - {name: Say, run: echo hello}\n")
    made("run")
    settings = with_tokens(load(folder=str(made.folder)))
    part = 125_000
    with (tmp_path / "log").open("wb") as file:
        for first in range(0, LINES, part):
            file.write(b"".join(b"line %012d %s\n" % (n, b"." * 61) for n in range(first + 1, first + part + 1)))
    assert (tmp_path / "log").stat().st_size == 80 * LINES == 10**9
    with open_settings(settings) as parts:
        digest, size = parts.blobs.put_file(str(tmp_path / "log"), move=True)
        began = next(one.fact for one in parts.log.read("run/1") if isinstance(one.fact, f.RunStarted))
        facts: list[f.Fact] = [
            f.RunStarted(run=RunId(2), name="churn", file=began.file, pipeline=began.pipeline, options=began.options),
            f.StepStarted(step="say"),
            f.StepFinished(step="say", outcome="passed", exit_code=0, seconds=1.0, log=digest, log_bytes=size),
            f.RunFinished(outcome="passed", exit_code=0, seconds=1.0),
        ]
        parts.log.append("run/2", facts, expect=0, at=time.time())
    with served(settings, now=time.time) as visitor:
        window = opened(browser, visitor)
        page = window.page
        looked_at(page, "/runs/2/steps/say/log")
        assert page.get_by_text("12,500,000 lines").is_visible()
        assert numbers(page) == list(range(LINES - 299, LINES + 1))
        assert page.evaluate("log => log.scrollTop > 0", page.query_selector("#log"))
        # Upwards: earlier lines come, and what is looked at stays where it is.
        for _ in range(3):
            before = numbers(page)[0]
            page.evaluate("document.getElementById('log').scrollTop = 0")
            until(page, partial(begins_before, page, before))
            shown = page.evaluate(TOP)
            assert abs(int(shown[1:]) - before) <= 3
            assert are_all_there(page)
        # Into the middle, and on from there.
        page.get_by_label("Line", exact=True).fill("6250000")
        page.get_by_role("button", name="Go").click()
        until(page, lambda: 6_250_000 in numbers(page))
        assert page.locator("#L6250000").inner_text().endswith("line 000006250000 " + "." * 61)
        last = numbers(page)[-1]
        page.evaluate("(() => { const log = document.getElementById('log'); log.scrollTop = log.scrollHeight })()")
        until(page, lambda: numbers(page)[-1] > last)
        assert are_all_there(page)
        page.goto("/runs/2/steps/say/log?q=000012499999")
        assert (
            page.get_by_role("link", name="Line 12499999").is_visible() or page.get_by_text("Go on from").is_visible()
        )
        assert window.faults == []
        window.context.close()
