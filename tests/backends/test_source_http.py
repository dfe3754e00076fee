"""What a file on the web becomes; the server is a real one of the standard library."""

from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar, cast

import pytest

from headway.backends import connect, source_http
from headway.core.source_state import SourceState
from headway.errors import NothingMatches, SourceRefused, SourceUnreachable, UsageMistaken
from headway.ports import Source
from services import free_port

BODY = bytes(range(256)) * 9000


class Web(BaseHTTPRequestHandler):
    """Answers by path; the first answers to a path may fail."""

    failures: ClassVar[dict[str, list[str]]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        left = self.failures.get(self.path, [])
        how = left.pop(0) if left else "whole"
        if self.path.startswith("/secret") and self.headers["Authorization"] != f"Basic {b64encode(b'u:p w').decode()}":
            how = "401"
        if how.isdigit():
            self.send_response(int(how))
            if how == "302":
                self.send_header("Location", "/data.bin")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if how != "endless":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if how == "short" else BODY)
        self.close_connection = True

    def do_HEAD(self) -> None:
        self.asked.append(f"HEAD {self.path}")
        left = self.failures.get(f"HEAD {self.path}", [])
        how = left.pop(0) if left else "200"
        self.send_response(int(how) if how.isdigit() else 200)
        if not how.isdigit():
            self.send_header("ETag", how)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(source_http, "_PAUSES_S", (0.0, 0.0))
    Web.failures.clear()
    Web.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def take(wanted: str, folder: Path) -> dict[str, bytes]:
    folder.mkdir(exist_ok=True)
    names = cast("Source", connect("source", wanted)).snapshot(wanted, str(folder))
    assert names == [p.name for p in folder.iterdir()]
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/data.bin", "data.bin"),
        ("/a/data.bin?part=1&x=*", "data.bin"),
        ("/a/d%20%C3%BC.bin", "d ü.bin"),
        ("/a/%2e%2e", "download"),
        ("/a/..%2Fb", "_b"),
        ("/", "download"),
        ("", "download"),
    ],
)
def test_a_file_is_named_as_in_its_url(web: str, tmp_path: Path, path: str, name: str) -> None:
    assert take(web + path, tmp_path / "out") == {name: BODY}
    assert Web.asked == [path or "/"]


@pytest.mark.parametrize("failures", [["short"], ["503", "429"], ["short", "500"], ["302"], ["endless"]])
def test_an_answer_that_fails_is_asked_for_again(web: str, tmp_path: Path, failures: list[str]) -> None:
    Web.failures["/x.bin"] = list(failures)
    assert take(f"{web}/x.bin", tmp_path / "out") == {"x.bin": BODY}


@pytest.mark.parametrize("failure", ["short", "503"])
def test_an_answer_that_always_fails_is_told(web: str, tmp_path: Path, failure: str) -> None:
    Web.failures["/x.bin"] = [failure] * 9
    with pytest.raises(SourceUnreachable):
        take(f"{web}/x.bin", tmp_path / "out")
    assert len(Web.asked) == 3


@pytest.mark.parametrize(("code", "kind"), [("404", NothingMatches), ("403", SourceRefused), ("400", SourceRefused)])
def test_a_refusal_is_told_at_once(web: str, tmp_path: Path, code: str, kind: type[Exception]) -> None:
    Web.failures["/x.bin"] = [code] * 9
    with pytest.raises(kind):
        take(f"{web}/x.bin", tmp_path / "out")
    assert len(Web.asked) == 1


def test_user_and_password_are_sent_and_not_shown(web: str, tmp_path: Path) -> None:
    assert take(f"{web.replace('//', '//u:p%20w@')}/secret.bin", tmp_path / "out") == {"secret.bin": BODY}
    with pytest.raises(SourceRefused) as e:
        take(f"{web.replace('//', '//u:wrong@')}/secret.bin", tmp_path / "no")
    assert "wrong" not in str(e.value)


def test_https_is_the_web_too() -> None:
    assert isinstance(connect("source", "https://example.org/a"), source_http.HttpSource)


def test_a_server_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_http, "_PAUSES_S", ())
    with pytest.raises(SourceUnreachable, match="does not answer"):
        take(f"http://127.0.0.1:{free_port()}/a", tmp_path / "out")
    with pytest.raises(UsageMistaken, match="no host"):
        take("http:///a", tmp_path / "out")


def state(web: str, path: str) -> SourceState:
    return cast("Source", connect("source", web)).state(f"{web}{path}")


def test_the_state_is_what_the_server_says_of_the_file(web: str) -> None:
    Web.failures["HEAD /data.bin"] = ['"one"', '"one"', '"two"']
    one, same, two = (state(web, "/data.bin") for _ in range(3))
    assert one == same != two
    assert Web.asked == ["HEAD /data.bin"] * 3


def test_where_the_server_says_nothing_the_file_is_read(web: str) -> None:
    Web.failures["HEAD /data.bin"] = ["200", "405", "501"]
    Web.failures["/data.bin"] = []
    plain, without, again = (state(web, "/data.bin") for _ in range(3))
    assert without == again
    assert plain.n_things == 1
    assert Web.asked.count("/data.bin") == 3


def test_a_file_that_is_not_there_is_a_state_and_one_that_may_not_be_read_is_not(web: str) -> None:
    Web.failures["HEAD /data.bin"] = ["404", "403", "503", "503", "503"]
    assert state(web, "/data.bin").n_things == 0
    with pytest.raises(SourceRefused):
        state(web, "/data.bin")
    with pytest.raises(SourceUnreachable):
        state(web, "/data.bin")
