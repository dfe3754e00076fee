"""What people do on the pages of a real `headway up`, on a project made by the demo: each act, and what comes of it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.project import HEADWAY, Project, environ
from services import free_port

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page

from browser_world import MARKS, browser, say

__all__ = ["browser"]

pytestmark = [*MARKS, pytest.mark.timeout(900)]

PATIENCE_S = 180.0


class Up:
    """A project whose `headway up` answers at `url`."""

    def __init__(self, project: Project) -> None:
        self.project = project
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        words = [*HEADWAY, "up", "loop.yaml", "--port", str(port)]
        with (project.folder / "up.txt").open("wb") as said:
            self.process = subprocess.Popen(words, cwd=project.folder, env=environ(), stdout=said, stderr=said)
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    # Any: the page's JSON.
    def release(self, page: Page) -> Any:
        """The newest release, as its page tells programs."""
        return page.request.get(f"{self.url}/api/v1/endpoints/flights").json()["looked"]["release"]

    def stage(self, page: Page) -> int:
        """The number of the stage that it is in; -1 before the first."""
        states = [stage["state"] for stage in self.release(page)["stages"]]
        return states.index("now") if "now" in states else -1

    @property
    def version(self) -> int:
        """The version that answers."""
        return int(self.project("endpoints", "--json").json[0]["version"])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    outside = Project(tmp_path)
    outside("init", "demo", "--example", "flights")
    made = Project(tmp_path / "demo")
    for name in ("pipeline.yaml", "loop.yaml"):
        made.write(name, made.read(name).replace("port: 8723", "port: 0"))
    arrive(made)
    made("run", "loop.yaml")
    started = Up(made)
    try:
        yield started
    finally:
        started.close()
        made("endpoints", "--stop", "flights", expect=None)


def arrive(project: Project) -> None:
    """The next month's data arrive."""
    subprocess.run([sys.executable, "fetch_data.py"], cwd=project.folder, env=environ(), check=True)


def wait(is_so: Callable[[], bool]) -> None:
    """Until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.5)


def promote(page: Page, up: Up, why: str) -> None:
    """Have the release go on: to its next stage, or to take over."""
    before = up.stage(page)
    say(page, "Promote", "Promote flights@2", why)
    wait(lambda: up.stage(page) != before or up.version == 2)
    page.goto("/endpoints/flights")


def test_each_act_is_done_by_who_drives(browser: Browser, up: Up) -> None:
    link = json.loads(up.project("ui", "--at", up.url, "--json").out)["link"]
    context = browser.new_context(base_url=up.url, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(link)
    # March arrives, a run begins; what it made is shown copies of requests, of which there are none.
    arrive(up.project)
    wait(lambda: (up.release(page)["version"], up.stage(page)) == (2, 0))
    page.goto("/endpoints/flights")
    say(page, "Pause", "Pause flights@2", "lunch")
    page.get_by_text("paused by root: lunch").first.wait_for()
    say(page, "Resume", "Resume flights@2", "back again")
    page.get_by_text("go on after the pause: back again").first.wait_for()
    for why in ("nobody asks", "still nobody asks"):
        if up.version == 1:
            promote(page, up, why)
    assert up.version == 2
    say(page, "Roll back", "Roll back flights@2", "it was a trial")
    wait(lambda: up.version == 1)
    told = up.project("log", "--since", "1h").out
    for words in ("lunch", "back again", "nobody asks", "it was a trial"):
        assert words in told
    assert faults == []
    context.close()
