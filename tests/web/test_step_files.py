"""What steps print and make, of a project that really ran: any line of it, searched, followed, and taken along."""

import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from end_to_end.project import Project
from headway.config import Settings, load
from headway.core.ids import RunId
from headway.flows.history import run_view
from headway.web import downloads
from headway.web.pages import Asked
from headway.wiring import look
from headway.wiring import open as open_settings
from web_world import Visitor, served, with_tokens

PIPELINE = """
    pipeline: churn
    order: graph
    steps:
      - name: Fetch
        run: mkdir -p data && seq 9 > data/raw.csv && python print.py
        out: {raw: data/raw.csv}
      - name: Features
        run: sh features.sh
        in: [data/raw.csv, features.sh]
        out: {features: feat}
      - name: Check
        run: test -s data/raw.csv
        in: [data/raw.csv]
      - name: Report
        run: cp roc.template roc.svg && wc -l feat/a.csv
        in: [feat, data/raw.csv]
        out: {plot: roc.svg}
"""

FEATURES = r"""
mkdir -p feat/sub feat/none
cp data/raw.csv feat/a.csv
printf 'x\0y' > 'feat/sub/b & c.bin'
ln -s a.csv feat/l
"""

PRINTS = r"""
for i in range(1, 1001):
    colour = "\x1b[1;31mERROR\x1b[0m <b>" if i % 250 == 0 else "fine"
    print(f"row {i}: {colour}")
print("x" * 50_000)
print("\r".join(f"{i} %" for i in range(101)))
"""

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("project"))
    made.pipeline(PIPELINE)
    made.write("print.py", PRINTS)
    made.write("features.sh", FEATURES)
    made.write("roc.template", SVG)
    made("run")
    made("run")
    return made


@pytest.fixture(scope="module")
def settings(project: Project) -> Settings:
    return with_tokens(load(folder=str(project.folder)))


@pytest.fixture(scope="module")
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings, now=time.time) as found:
        found.enter()
        yield found


FETCH = "/runs/1/steps/fetch"


@pytest.fixture(scope="module")
def printed(settings: Settings) -> bytes:
    """What the step printed, as the store has it."""
    with look(settings) as parts:
        digest = run_view(RunId(1), parts.log).steps["fetch"].log
        assert digest is not None
        return parts.blobs.get(digest)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < until, path
        time.sleep(0.01)


def page(visitor: Visitor, path: str) -> str:
    answer, text = visitor.page(path)
    assert answer.status == 200, text
    return text


def raw(visitor: Visitor, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(visitor.server.url).netloc, timeout=60)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Cookie": visitor.cookie, "Accept-Encoding": "gzip", **sent})
    answer = connection.getresponse()
    found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return found


# --- lines ----------------------------------------------------------------------------------------------------------


def test_a_step_shows_the_end_of_what_it_printed(visitor: Visitor) -> None:
    text = page(visitor, FETCH)
    assert "1,002 lines" in text
    assert 'id="L1002"' in text
    assert 'id="L702"' not in text
    # Of a bar that was written over a hundred times one line is left, and of a long one its beginning.
    assert "<span>100 %</span>" in text
    assert '<em class="soft">and 32.8 KiB more</em>' in text
    # Colours are classes, and what it printed is no page of ours.
    assert '<span class="bold ink-1">ERROR</span><span class=""> &lt;b&gt;</span>' in text
    assert "data-live" not in text


def test_any_line_can_be_gone_to(visitor: Visitor) -> None:
    text = page(visitor, f"{FETCH}/log?line=500")
    assert '<li id="L500" class="marked" aria-current="true">' in text
    assert 'href="/runs/1/steps/fetch/log?line=499#L499"' in text
    numbers = [line["number"] for line in visitor.json(f"/api/v1{FETCH}/log?line=500")["log"]["lines"]]
    assert numbers == list(range(480, 780))
    for query, first, last in (("before=500", 200, 499), ("before=5", 1, 4), ("after=990", 991, 1002), ("", 703, 1002)):
        lines = visitor.json(f"/api/v1{FETCH}/log?{query}")["log"]["lines"]
        assert (lines[0]["number"], lines[-1]["number"]) == (first, last), query
    beyond = visitor.json(f"/api/v1{FETCH}/log?after=1002")["log"]
    assert (beyond.get("lines", []), beyond["n_lines"]) == ([], 1002)
    assert "There are no such lines" in page(visitor, f"{FETCH}/log?line=5000")
    assert visitor.page(f"{FETCH}/log?line=x")[0].status == 400


def test_it_can_be_searched(visitor: Visitor) -> None:
    found = visitor.json(f"/api/v1{FETCH}/log?q=error")["found"]
    assert [(hit["number"], hit["text"]) for hit in found["hits"]] == [
        (n, f"row {n}: ERROR <b>") for n in (250, 500, 750, 1000)
    ]
    text = page(visitor, f"{FETCH}/log?q=error")
    assert "4 lines with “error”" in text
    assert "<mark>ERROR</mark> &lt;b&gt;" in text
    assert 'href="/runs/1/steps/fetch/log?line=250&amp;q=error#L250"' in text
    many = visitor.json(f"/api/v1{FETCH}/log?q=row")["found"]
    assert (len(many["hits"]), many["next"]) == (200, 201)
    assert visitor.json(f"/api/v1{FETCH}/log?q=row&from=201")["found"]["hits"][0]["number"] == 201
    assert "No line has it" in page(visitor, f"{FETCH}/log?q=nowhere%3Cb%3E")
    assert visitor.page(f"{FETCH}/log?q={'x' * 201}")[0].status == 400


def test_a_step_that_was_not_run_again_leads_to_the_run_that_printed_it(visitor: Visitor) -> None:
    for path in ("/runs/2/steps/fetch", "/runs/2/steps/fetch/log"):
        assert 'href="/runs/1/steps/fetch' in page(visitor, path)
    assert visitor.json("/api/v1/runs/2/steps/fetch/log")["log"]["of_run"] == 1


def test_what_the_store_has_lost_is_told(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.pipeline("pipeline: churn\nsteps:\n  - {name: Say, run: echo hello}\n")
    made("run")
    settings = with_tokens(load(folder=str(made.folder)))
    with open_settings(settings) as parts:
        digest = run_view(RunId(1), parts.log).steps["say"].log
        assert digest is not None
        parts.blobs.delete([digest], before=time.time() + 60)
    with served(settings, now=time.time) as visitor:
        visitor.enter()
        assert "not in the store any more" in page(visitor, "/runs/1/steps/say/log")
        assert "not in the store any more" in page(visitor, "/runs/1/steps/say")
        assert raw(visitor, "/runs/1/steps/say/log/file")[0] == 503


def test_what_is_still_printed_is_followed(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.write(
        "say.py",
        """
        import os, sys, time
        print("one\\ntwo", end="", flush=True)
        open("began", "w").close()
        while not os.path.exists("go"): time.sleep(0.01)
        print(" and a half\\nthree", flush=True)
        open("went", "w").close()
        while not os.path.exists("end"): time.sleep(0.01)
        """,
    )
    made.pipeline("pipeline: churn\nsteps:\n  - {name: Say, run: python say.py}\n")
    settings = with_tokens(load(folder=str(made.folder)))
    with made.start("run") as running, served(settings, now=time.time) as visitor:
        visitor.enter()

        def told(after: int) -> tuple[list[str], bool]:
            log = visitor.json(f"/api/v1/runs/1/steps/say/log?after={after}")["log"]
            return [line["text"] for line in log["lines"]], log["is_live"]

        try:
            wait_for(tmp_path / "began")
            assert "data-live" in page(visitor, "/runs/1/steps/say")
            assert told(0) == (["one", "two"], True)
            assert raw(visitor, "/runs/1/steps/say/log/file")[2] == b"one\ntwo"
            (tmp_path / "go").touch()
            wait_for(tmp_path / "went")
            # The line that had no end is asked for again.
            assert told(1) == (["two and a half", "three"], True)
            with visitor.site.looking() as parts:
                asked = Asked(site=visitor.site, parts=parts, now=time.time(), path={"run": "1", "step": "say"})
                begun = downloads.log(asked)
            (tmp_path / "end").touch()
            assert running.wait(60) == 0
            # A download that began before goes on, though the file has gone into the store.
            with visitor.site.looking() as parts:
                asked = msgspec.structs.replace(asked, parts=parts)
                assert begun.read(asked, 0, begun.size) == b"one\ntwo and a half\nthree\n"
            assert told(2) == (["three"], False)
            assert "data-live" not in page(visitor, "/runs/1/steps/say")
        finally:
            running.kill()


# --- files ----------------------------------------------------------------------------------------------------------


def test_what_was_printed_is_taken_along_whole_or_in_parts(visitor: Visitor, printed: bytes) -> None:
    path = f"{FETCH}/log/file"
    status, headers, body = raw(visitor, path)
    assert (status, body) == (200, printed)
    assert headers["content-length"] == str(len(printed))
    assert headers["content-disposition"] == "attachment; filename*=utf-8''run-1-fetch.log"
    n, tag = len(printed), headers["etag"]
    for asked, start, end in (("0-9", 0, 10), (f"{n - 5}-", n - 5, n), ("-7", n - 7, n), (f"100-{2 * n}", 100, n)):
        status, headers, body = raw(visitor, path, Range=f"bytes={asked}")
        assert (status, body) == (206, printed[start:end]), asked
        assert headers["content-range"] == f"bytes {start}-{end - 1}/{n}"
        assert raw(visitor, path, Range=f"bytes={asked}", If_Range=tag)[0] == 206
        assert raw(visitor, path, Range=f"bytes={asked}", If_Range='"another"')[0] == 200
    for asked in ("bytes=5-3", "bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x-"):
        assert raw(visitor, path, Range=asked)[0] == 200, asked
    for asked in (f"bytes={n}-", "bytes=-0"):
        status, headers, _ = raw(visitor, path, Range=asked)
        assert (status, headers["content-range"]) == (416, f"bytes */{n}"), asked
    assert raw(visitor, path, If_None_Match=tag)[::2] == (304, b"")


def test_a_large_file_is_sent_part_by_part(tmp_path: Path) -> None:
    made = Project(tmp_path)
    made.pipeline(
        "pipeline: churn\nsteps:\n  - {name: Make, run: head -c 9000001 /dev/urandom > big, out: {big: big}}\n"
    )
    made("run")
    with served(load(folder=str(made.folder)), now=time.time) as visitor:
        visitor.enter()
        path = "/runs/1/steps/make/outputs/big/file"
        data = (tmp_path / "big").read_bytes()
        assert raw(visitor, path)[2] == data
        assert raw(visitor, path, Range="bytes=4194300-8400000")[2] == data[4194300:8400001]


def test_what_a_step_made_is_shown_and_nothing_of_it_is_a_page_of_ours(visitor: Visitor) -> None:
    text = page(visitor, "/runs/1/steps/features/outputs/features")
    assert 'href="/runs/1/steps/features/outputs/features?path=sub/b%20%26%20c.bin"' in text
    assert "a link to a.csv" in text
    assert "an empty folder" in text
    assert "1\n2\n3" in page(visitor, "/runs/1/steps/features/outputs/features?path=a.csv")
    unread = page(visitor, "/runs/1/steps/features/outputs/features?path=sub/b%20%26%20c.bin")
    assert "no text and no picture" in unread
    assert raw(visitor, "/runs/1/steps/features/outputs/features/file?path=sub/b%20%26%20c.bin")[2] == b"x\0y"
    text = page(visitor, "/runs/1/steps/report/outputs/plot")
    assert '<img class="shown" src="/runs/1/steps/report/outputs/plot/file" alt="roc.svg">' in text
    assert "alert(1)" not in text
    _, headers, body = raw(visitor, "/runs/1/steps/report/outputs/plot/file")
    assert body.decode().strip() == SVG
    assert headers["content-type"] == "image/svg+xml"
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-content-type-options"] == "nosniff"


def test_where_columns_are_private_nothing_of_files_is_shown(settings: Settings) -> None:
    private = msgspec.structs.replace(settings, private=frozenset({"email"}))
    with served(private, now=time.time) as visitor:
        visitor.enter()
        text = page(visitor, "/runs/1/steps/features/outputs/features?path=a.csv")
        assert "1\n2\n3" not in text
        assert "data.private" in text
        twin = visitor.json("/api/v1/runs/1/steps/features/outputs/features?path=a.csv")
        assert (twin["text"], twin["is_private"]) == (None, True)
        # A picture has no columns.
        assert 'class="shown"' in page(visitor, "/runs/1/steps/report/outputs/plot")


@pytest.mark.parametrize(
    "path",
    [
        "/runs/1/steps/features/outputs/no",
        "/runs/1/steps/features/outputs/features?path=no",
        "/runs/1/steps/features/outputs/features/file",
        "/runs/1/steps/features/outputs/features/file?path=../../secret",
        "/runs/1/steps/features/outputs/features/file?path=l",
        "/runs/1/steps/no/log",
        "/runs/9/steps/fetch/log/file",
    ],
)
def test_what_is_not_there_is_said_to_be_missing(visitor: Visitor, path: str) -> None:
    assert visitor.page(path)[0].status == 404


# --- the graph ------------------------------------------------------------------------------------------------------


def test_a_run_is_drawn_as_what_waits_for_what(visitor: Visitor) -> None:
    graph = visitor.json("/api/v1/runs/1")["graph"]
    assert graph.count('<g class="box well">') == 4
    # Fetch leads to two; that the report reads what was fetched follows from its features.
    assert graph.count('class="way"') == 3
    assert 'href="/runs/1/steps/features"' in graph
    assert "What waits for what" in page(visitor, "/runs/1")
