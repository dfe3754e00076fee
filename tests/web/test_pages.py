"""Pages and their JSON twins: each is there, says what is so, escapes what people wrote, and is sent once."""

import gzip
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import msgspec
import pytest

from headway.config import Settings, load
from headway.web import downloads, exports, openapi, static
from headway.web.acts import acts
from headway.web.pages import pages
from web_world import TOKENS, Visitor, served, write

PATHS = [
    "/",
    "/runs",
    "/runs?outcome=refused",
    "/runs?before=3&limit=1",
    "/compare?runs=1,2,3",
    "/compare?runs=1&runs=2",
    "/runs/1",
    "/runs/2",
    "/runs/3",
    "/runs/2/steps/gate",
    "/runs/2/steps/gate/log",
    "/models",
    "/models?sort=-registered",
    "/models/m",
    "/models/m/2",
    "/models/m/champion",
    "/models/m/compare?a=1&b=2",
    "/data",
    "/data?sort=size",
    "/data/training",
    "/data/training/2",
    "/monitors",
    "/monitors?sort=-last",
    "/monitors/live",
    "/story",
    "/story?about=endpoint/e&every=1",
    "/audit",
    "/audit?by=ann&verify=1",
    "/releases",
    "/releases?endpoint=e&sort=-state",
    "/releases/e/1",
    "/releases/e/2",
    "/endpoints/e",
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        found.enter()
        yield found


class Outline(HTMLParser):
    """What a page is made of: tags with their attributes, and the words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def links(self) -> set[str]:
        found = {attrs.get("href") or attrs.get("src") or "" for _, attrs in self.tags}
        return {link for link in found if link.startswith("/")}


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_and_holds_nothing_that_runs_or_comes_from_elsewhere(visitor: Visitor, path: str) -> None:
    answer, text = visitor.page(path)
    assert answer.status == 200
    assert answer.getheader("content-type") == "text/html; charset=utf-8"
    outline = Outline(text)
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("h1") == 1
    assert tags.count("main") == 1
    assert "style" not in tags
    for tag, attrs in outline.tags:
        assert "style" not in attrs, tag
        assert not [name for name in attrs if name.startswith("on")], tag
        assert tag != "script" or (attrs.get("src") or "").startswith("/static/")
    assert "://" not in text.replace("http://www.w3.org/", "")


@pytest.mark.parametrize("path", PATHS)
def test_every_link_of_a_page_leads_to_one(visitor: Visitor, path: str) -> None:
    for link in Outline(visitor.page(path)[1]).links():
        assert visitor.ask(link.partition("#")[0])[0].status == 200, link


def test_the_twin_of_a_page_says_the_same_to_a_program(visitor: Visitor) -> None:
    run = visitor.json("/api/v1/runs/2")
    assert (run["outcome"], run["run"]["why"]) == ("refused", "Gate: 1 of 2 checks failed")
    assert visitor.json("/runs/2") == run
    assert [row["line"]["run"] for row in visitor.json("/api/v1/runs")["runs"]] == [3, 2, 1]
    assert visitor.json("/api/v1/models/m")["aliases"] == {"champion": 1}
    assert visitor.json("/api/v1/releases/e/2")["words"] == "waits"
    loop = visitor.json("/api/v1/loop")["loop"]
    assert [stop["name"] for stop in loop["stops"]] == ["Data", "Train Model", "Gate", "e", "live"]


def test_the_first_page_says_what_is_amiss_and_what_waits(visitor: Visitor) -> None:
    _, text = visitor.page("/")
    words = " ".join(Outline(text).words)
    # Nothing of it really runs: the target says so, whatever the log hopes.
    assert "Production is not well: e: its target knows nothing of it; deploy again" in words
    assert "headway resume 3" in words
    assert "headway rollout promote e" in words
    assert "tenure moved, and the estimated accuracy fell" in words


def test_data_are_followed_to_what_they_became_part_of(visitor: Visitor) -> None:
    (row,) = visitor.json("/api/v1/data")["rows"]
    assert (row["name"], row["n_versions"], row["newest"]["version"]["version"]) == ("training", 2, 3)
    reach = visitor.json("/api/v1/data/training/2")["reach"]
    assert {one["version"] for one in reach["touched"]} == {"m@1", "m@2"}
    assert visitor.json("/api/v1/data/training/3")["reach"]["touched"] == []
    _, text = visitor.page("/models/m/2")
    assert '<a href="/data/training/2">training@2</a>' in text


def test_what_a_version_takes_is_said_where_it_is_known(visitor: Visitor) -> None:
    page = visitor.json("/api/v1/models/m/2")
    assert (page["takes"], page["n_packages"]) == ("", None)
    words = " ".join(Outline(visitor.page("/models/m/2")[1]).words)
    assert "packages not recorded" in " ".join(words.split())
    assert "inputs not known" in " ".join(words.split())
    assert visitor.json("/api/v1/models/m/1")["takes"] == "2 by name: age, <b>plan</b>"
    assert "2 by name: age, &lt;b&gt;plan&lt;/b&gt;" in visitor.page("/models/m/1")[1]


def test_the_story_is_told_newest_first_and_by_what_it_is_about(visitor: Visitor) -> None:
    lines = [one["line"] for one in visitor.json("/api/v1/story")["lines"]]
    assert {line["about"] for line in lines} >= {"run 1", "model m", "endpoint e", "monitor live"}
    of_run = visitor.json("/api/v1/story?about=run/2")["lines"]
    assert [one["link"] for one in of_run] == ["/runs/2"] * len(of_run)
    assert of_run[0]["line"]["text"] == "refused by its gate after 16.0 s: Gate: 1 of 2 checks failed"
    assert [one["line"]["at"] for one in of_run] == sorted((one["line"]["at"] for one in of_run), reverse=True)
    assert len(visitor.json("/api/v1/story?about=run/2&every=1")["lines"]) > len(of_run)
    assert visitor.json("/api/v1/story?since=1m")["lines"] == []
    assert visitor.ask("/api/v1/story?about=nothing")[0].status == 400
    assert visitor.ask("/api/v1/story?since=never")[0].status == 400


def test_a_monitor_says_what_it_asks_for_and_why(visitor: Visitor) -> None:
    (row,) = visitor.json("/api/v1/monitors")["rows"]
    assert (row["state"], row["words"], row["serves"]) == ("trouble", "drift: retrain", "m@1")
    _, text = visitor.page("/monitors/live")
    words = " ".join(Outline(text).words)
    assert "tenure moved, and the estimated accuracy fell from 0.91 to 0.85" in words
    assert "tenure explains 60 %" in words
    assert "headway run" in words
    assert "tenure psi 0.31" in words


def test_what_people_wrote_is_shown_as_they_wrote_it(visitor: Visitor) -> None:
    _, text = visitor.page("/runs/2")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(2)&lt;/script&gt;" in text
    _, text = visitor.page('/runs?commit="><script>alert(1)</script>'.replace('"', "%22").replace(">", "%3E"))
    assert "<script>alert" not in text


def test_runs_are_asked_for_by_what_they_are(visitor: Visitor) -> None:
    def found(query: str) -> list[int]:
        return [row["line"]["run"] for row in visitor.json(f"/api/v1/runs?{query}")["runs"]]

    assert found("outcome=passed") == [1]
    assert found("outcome=refused") == [2]
    assert found("trigger=schedule") == [2]
    assert found("commit=3f00") == [3]
    assert found("param=train.lr%3D0.2") == [2]
    assert found("metric=auc%3E0.715") == [3, 2]
    assert found("name=other") == []
    assert found("before=3") == [2, 1]
    page = visitor.json("/api/v1/runs?limit=2")
    assert ([row["line"]["run"] for row in page["runs"]], page["older"]) == ([3, 2], 2)
    assert visitor.json("/api/v1/runs?before=2")["older"] == 0


def test_runs_are_compared_with_the_first_of_them(visitor: Visitor) -> None:
    found = visitor.json("/api/v1/compare?runs=2,1,3")
    assert [one["run"] for one in found["runs"]] == [2, 1, 3]
    rows = {(row["kind"], row["name"]): row["values"] for row in found["rows"]}
    assert rows["params", "train.lr"] == ["0.2", "0.1", "0.3"]
    assert rows["metrics", "auc"] == ["0.72", "0.71", "0.73"]
    assert rows["steps", "gate"] == ["refused", "passed", "running"]
    same = visitor.json("/api/v1/compare?runs=1,3")
    assert all(len(set(row["values"])) == 2 for row in same["rows"])
    for wrong in ("", "1", "1,1", "1,x", "1,2,3,4,5,6,7,8,9"):
        assert visitor.ask(f"/api/v1/compare?runs={wrong}")[0].status == 400, wrong
    assert visitor.ask("/api/v1/compare?runs=1,4")[0].status == 404


def test_numbers_that_were_reported_step_by_step_are_drawn(visitor: Visitor) -> None:
    (curve,) = visitor.json("/api/v1/runs/2")["curves"]
    assert "loss &lt;b&gt;: 0.047619 at the end, between 0.047619 and 0.5" in curve


def test_a_run_that_nobody_is_at_work_on_is_unfinished(visitor: Visitor) -> None:
    assert visitor.json("/api/v1/runs/3")["outcome"] == "unfinished"
    assert visitor.json("/api/v1/runs?limit=1")["runs"][0]["line"]["outcome"] == "unfinished"
    step = visitor.json("/api/v1/runs/3/steps/gate")
    assert (step["step"]["state"], step["state"]) == ("left", "trouble")
    assert visitor.json("/api/v1/runs/3")["run"]["steps"]["gate"]["state"] == "left"


MISSING = [
    "/runs/4", "/runs/x", "/runs/1/steps/no", "/runs/1/gates/gate", "/models/no", "/models/m/9", "/releases/no/1",
    "/releases/e/9", "/releases/e/x", "/endpoints/no", "/monitors/no", "/data/no", "/data/training/9",
    "/nothing", "/api/v1/nothing",
]  # fmt: skip


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_said_to_be_so_in_either_form(visitor: Visitor, path: str) -> None:
    answer, text = visitor.ask(path)
    assert (answer.status, answer.getheader("content-type")) == (404, "application/json")
    said = msgspec.json.decode(text)
    assert said["problem"]
    assert said["remedy"]
    if not path.startswith("/api"):
        answer, text = visitor.page(path)
        assert answer.status == 404
        assert "<h1>" in text


@pytest.mark.parametrize("query", ["limit=x", "before=-1", "limit=1e3"])
def test_a_number_that_is_none_is_a_bad_request(visitor: Visitor, query: str) -> None:
    assert visitor.ask(f"/api/v1/runs?{query}")[0].status == 400


def test_a_page_that_is_as_it_was_is_not_sent_again(visitor: Visitor) -> None:
    answer, _ = visitor.page("/runs/1")
    tag = answer.getheader("etag") or ""
    assert tag.startswith('W/"')
    again, text = visitor.page("/runs/1", If_None_Match=tag)
    assert (again.status, text) == (304, "")
    assert visitor.page("/runs/2", If_None_Match=tag)[0].status == 200
    assert visitor.ask("/runs/1", If_None_Match=tag)[0].status == 200


def test_pages_and_what_they_need_are_sent_compressed_and_assets_for_ever(visitor: Visitor) -> None:
    connection = HTTPConnection(urlsplit(visitor.server.url).netloc, timeout=60)
    sizes = 0
    paths = ["/runs/2", *(link for link in Outline(visitor.page("/")[1]).links() if link.startswith("/static/"))]
    for path in paths:
        connection.request(
            "GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": visitor.cookie}
        )
        answer = connection.getresponse()
        body = answer.read()
        if len(gzip.decompress(body) if answer.getheader("content-encoding") else body) > 1024:
            assert answer.getheader("content-encoding") == "gzip", path
        sizes += len(body)
        if path.startswith("/static/"):
            assert answer.getheader("cache-control") == static.FOR_EVER
    connection.close()
    # What a browser that was never here gets for a page (issue 9: at most 150 KB, of scripts at most 100 KB).
    assert sizes < 30_000


def test_an_asset_has_its_own_name_only(visitor: Visitor) -> None:
    address = static.address("headway.css")
    assert visitor.ask(address)[0].status == 200
    assert visitor.ask(address, If_None_Match=f'"{address.split("/")[2]}"')[0].status == 304
    assert visitor.ask("/static/000000000000/headway.css")[0].status == 404
    assert visitor.ask(address.replace("headway.css", "htmx.LICENSE"))[0].status == 404
    assert visitor.ask(address.replace("headway.css", "..%2f..%2fapp.py"))[0].status == 404


def test_the_document_of_the_api_is_true_of_every_answer(visitor: Visitor) -> None:
    document = visitor.json("/api/v1/openapi.json")
    assert document == msgspec.json.decode(msgspec.json.encode(openapi.document()))
    handed = {exports.PATH, *downloads.ASKS}
    assert set(document["paths"]) == {page.twin for page in pages()} | {act.twin for act in acts()} | handed
    asked = {
        "/api/v1/loop": "/api/v1/loop",
        "/api/v1/runs": "/api/v1/runs",
        "/api/v1/runs/{run}": "/api/v1/runs/2",
        "/api/v1/runs/{run}/steps/{step}": "/api/v1/runs/2/steps/gate",
        "/api/v1/runs/{run}/steps/{step}/log": "/api/v1/runs/2/steps/gate/log?q=x",
        "/api/v1/compare": "/api/v1/compare?runs=1,2",
        "/api/v1/models": "/api/v1/models",
        "/api/v1/models/{name}": "/api/v1/models/m",
        "/api/v1/models/{name}/{version}": "/api/v1/models/m/1",
        "/api/v1/data": "/api/v1/data",
        "/api/v1/data/{name}": "/api/v1/data/training",
        "/api/v1/data/{name}/{version}": "/api/v1/data/training/2",
        "/api/v1/monitors": "/api/v1/monitors",
        "/api/v1/monitors/{monitor}": "/api/v1/monitors/live",
        "/api/v1/monitors/{monitor}/picture": "/api/v1/monitors/live/picture",
        "/api/v1/story": "/api/v1/story?every=1",
        "/api/v1/audit": "/api/v1/audit?verify=1",
        "/api/v1/releases": "/api/v1/releases",
        "/api/v1/releases/{endpoint}/{release}": "/api/v1/releases/e/2",
        "/api/v1/releases/{endpoint}/{release}/evidence": "/api/v1/releases/e/2/evidence",
        "/api/v1/endpoints/{endpoint}": "/api/v1/endpoints/e",
    }
    for path, address in asked.items():
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        assert list(jsonschema.Draft202012Validator(whole).iter_errors(visitor.json(address))) == [], path


def test_a_picture_of_the_evidence_is_one(visitor: Visitor) -> None:
    answer, text = visitor.ask("/releases/e/2/evidence", Accept="image/avif,image/webp,*/*;q=0.8")
    assert answer.getheader("content-type") == "image/svg+xml"
    assert re.match(r"<svg .*</svg>\s*$", text, re.DOTALL)


def test_an_empty_project_says_what_to_do_next(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(load(folder=str(tmp_path)), web_tokens=())
    with served(settings, reading=True) as visitor:
        visitor.enter()
        for path, words in (
            ("/", "headway init"),
            ("/runs", "headway run"),
            ("/models", "register"),
            ("/releases", "deploy"),
            ("/story", "headway run"),
            ("/monitors", "headway up"),
            ("/data", "headway data add"),
        ):
            answer, text = visitor.page(path)
            assert answer.status == 200
            assert words in text
        assert visitor.ask("/hooks/retrain", "POST", Authorization=f"Bearer {TOKENS['admin']}")[0].status == 404
    # Who only looks leaves nothing behind.
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [("/api/v1/runs", "OPTIONS", "GET, HEAD, POST"), ("/runs/1", "DELETE", "GET, HEAD"), ("/leave", "GET", "POST")],
)
def test_an_address_says_in_which_ways_it_may_be_asked(visitor: Visitor, path: str, method: str, allowed: str) -> None:
    answer, text = visitor.ask(path, method)
    assert (answer.status, answer.getheader("allow")) == (405, allowed)
    assert ("POST" in msgspec.json.decode(text)["remedy"]) == ("GET" not in allowed)


WAYS = ["/", "/data", "/runs", "/models", "/releases", "/monitors", "/story", "/audit"]


def led_to(text: str) -> list[str]:
    """Where the top of a page leads."""
    return re.findall(r'<a href="([^"]*)"', text.partition("<nav")[2].partition("</nav>")[0])


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [("/nothing", "GET", 404), ("/runs/99", "GET", 404), ("/runs?limit=x", "GET", 400), ("/runs/1", "DELETE", 405),
     ("/runs", "POST", 403)],
)  # fmt: skip
def test_a_page_that_says_no_leads_where_every_page_does_and_a_stranger_nowhere(
    visitor: Visitor, path: str, method: str, status: int
) -> None:
    assert led_to(visitor.page("/")[1]) == WAYS
    accept = "text/html,application/xhtml+xml,*/*;q=0.8"
    answer, text = visitor.ask(path, method, Accept=accept, Sec_Fetch_Site="same-origin")
    assert (answer.status, led_to(text), text.count("<h1>")) == (status, WAYS, 1)
    assert "ann" in text
    # Nobody is known by a name that somebody else gave to this machine.
    for headers in ({"Cookie": "headway=no"}, {"Host": "evil.example"}):
        answer, text = visitor.ask(path, method, Accept=accept, **headers)
        assert answer.status in (401, 404, 405, 421)
        assert (led_to(text), "Sign out" in text) == ([], False)


def test_a_fault_of_the_server_is_a_page_to_people_and_says_no_more_than_its_number(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    with served(settings, tell=told.append) as visitor:
        visitor.enter()
        monkeypatch.setattr("headway.web.pages._viewed", lambda *_: 1 / 0)
        answer, text = visitor.page("/runs")
        number = answer.getheader("x-request-id") or "none"
        assert (answer.status, answer.getheader("content-type")) == (500, "text/html; charset=utf-8")
        assert answer.getheader("content-security-policy")
        assert f"it is request {number}" in " ".join(Outline(text).words)
        assert led_to(text) == WAYS
        assert "ZeroDivision" not in text
        assert number in told[0]
        answer, text = visitor.ask("/api/v1/runs")
        said = msgspec.json.decode(text.encode())
        assert (answer.status, said["error"], said["at"]) == (
            500, "internal", f"request {answer.getheader('x-request-id')}",
        )  # fmt: skip
