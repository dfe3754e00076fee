"""The pages of the project that the demo makes, in a real browser: every address leads somewhere, and every page fits.

Two months of real flights: runs, a gate with intervals, two versions, two releases that really answer. The loop that
goes round by itself takes minutes more, and its pages are looked at in `test_browser` on facts that are written.
"""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from end_to_end.project import Project, environ
from headway.config import load
from web_world import Visitor, served

pytest.importorskip("playwright")

from playwright.sync_api import Browser

from browser_world import MARKS, browser, looked_at, opened

__all__ = ["browser"]

pytestmark = MARKS

LINK = re.compile(r'(?:href|src|srcset)="([/?][^"#]*)')

LINE = re.compile(r"/log\?(?:line|before|after)=(\d+)$")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """The example as `headway init` makes it, but for its port, after two months."""
    outside = Project(tmp_path_factory.mktemp("outside"))
    outside("init", "demo", "--example", "flights")
    made = Project(outside.folder / "demo")
    for name in ("pipeline.yaml", "loop.yaml"):
        made.write(name, made.read(name).replace("port: 8723", "port: 0"))
    try:
        for _ in range(2):
            subprocess.run([sys.executable, "fetch_data.py"], cwd=made.folder, env=environ(), check=True)
            made("run", expect=None)
        yield made
    finally:
        made("endpoints", "--stop", "flights", expect=None)


@pytest.fixture(scope="module")
def visitor(demo: Project) -> Iterator[Visitor]:
    with served(load(folder=str(demo.folder)), files=("pipeline.yaml", "loop.yaml"), now=time.time) as found:
        found.enter("admin")
        yield found


def addresses(visitor: Visitor) -> dict[str, str]:
    """All that is reached from the first page by links, each with the page where it was found."""
    found, waiting = {"/": ""}, ["/"]
    while waiting:
        path = waiting.pop()
        answer, text = visitor.page(path)
        assert answer.status == 200, f"{path} on {found[path]}"
        if not (answer.getheader("content-type") or "").startswith("text/html"):
            continue
        for link in LINK.findall(text):
            there = (path.partition("?")[0] if link.startswith("?") else "") + link.replace("&amp;", "&")
            # Each line of what was printed has an address; one of them stands for all.
            line = LINE.search(there)
            if there not in found and (line is None or line[1] == "1"):
                found[there] = path
                waiting.append(there)
    return found


def kind_of(path: str) -> str:
    """Which page an address is of: names and numbers left out.

    >>> kind_of("/runs/8/gates/gate?x=1")
    'runs/*/gates/*'
    """
    parts = path.partition("?")[0].strip("/").split("/")
    is_of_version = len(parts) == 3 and parts[0] in ("models", "releases", "data")
    return "/".join(part if i % 2 == 0 and not (is_of_version and i) else "*" for i, part in enumerate(parts))


def test_every_address_leads_somewhere_and_every_page_fits_and_keeps_nobody_out(
    browser: Browser, visitor: Visitor
) -> None:
    found = addresses(visitor)
    taken = {path for path in found if path.partition("?")[0].endswith("/file")}
    assert len(taken) > 10
    shown = {kind_of(path): path for path in reversed(found) if not path.startswith(("/static", "/api"))}
    for path in taken:
        shown.pop(kind_of(path), None)
    pictures = {"releases/*/evidence", "monitors/*/picture"}
    assert {"runs/*/steps/*/log", "runs/*/steps/*/outputs/*"} <= set(shown)
    assert {"", "runs/*", "runs/*/gates/*", "runs/*/steps/*", "models/*/*", "releases/*/*", "story"} <= set(shown)
    for width, scheme in ((360, "dark"), (1280, "light"), (2560, "dark")):
        window = opened(browser, visitor, role="admin", viewport={"width": width, "height": 900}, color_scheme=scheme)
        for kind, path in shown.items():
            if kind not in pictures and not kind.endswith("/evidence"):
                looked_at(window.page, path)
        assert window.faults == []
        window.context.close()


def test_the_first_page_says_that_production_answers_and_what_was_gated(browser: Browser, visitor: Visitor) -> None:
    window = opened(browser, visitor)
    page = window.page
    page.goto("/")
    said = page.get_by_role("heading", level=1).inner_text()
    assert re.fullmatch(r"Production answers: flights@[12] on flights; no monitor has judged it yet", said)
    page.goto("/endpoints/flights")
    assert page.get_by_text(re.compile(r"^\d+ of \d+ answered right")).is_visible()
    assert window.faults == []
    window.context.close()
