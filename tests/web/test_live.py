"""Streams that tell open pages how far the log has come: to whom, how many, from when, and until when."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from headway import config, wiring
from headway.config import Settings
from headway.core import facts as f
from headway.core.ids import Artifact, Digest
from headway.web import live, passes
from headway.web.serve import Server
from web_world import NOW, TOKENS, Visitor, served, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write(tmp_path)


def append(settings: Settings, dataset: str = "fresh", n: int = 1) -> int:
    """Some facts more; returns how far the log has come."""
    with wiring.open(settings) as parts:
        expect = len(parts.log.read(f"dataset/{dataset}"))
        for i in range(expect, expect + n):
            artifact = Artifact(path="x.csv", digest=Digest(f"{i:064x}"), size_bytes=1)
            fact = f.DatasetVersioned(dataset=dataset, version=i + 1, artifact=artifact, by="ann")
            parts.log.append(f"dataset/{dataset}", [fact], expect=i, at=NOW)
        return live.last_seq(parts.log)


@contextmanager
def listening(visitor: Visitor, after: int | str, **headers: str) -> Iterator[HTTPResponse]:
    connection = HTTPConnection(urlsplit(visitor.server.url).netloc, timeout=60)
    try:
        connection.request("GET", f"/live?after={after}", headers={"Cookie": visitor.cookie, **headers})
        answer = connection.getresponse()
        yield answer
        answer.close()
    finally:
        connection.close()


def told(answer: HTTPResponse) -> int:
    """The next number that a stream tells; -1 when it ended."""
    for line in iter(answer.readline, b""):
        if line.startswith(b"data: "):
            return int(line[6:])
    return -1


def until(is_so: object) -> None:
    """Wait until it is so; the test's own limit ends it otherwise."""
    assert callable(is_so)
    while not is_so():
        time.sleep(0.01)


def watchers() -> int:
    return sum(one.name == "live" for one in threading.enumerate())


def test_a_page_is_told_of_what_was_appended_since_it_was_made_and_of_what_comes(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        shown = append(settings)
        since = append(settings)
        with listening(visitor, shown) as answer:
            assert told(answer) == since
            later = append(settings, n=3)
            while (found := told(answer)) < later:
                assert found > since
            assert found == later


def test_proxies_are_asked_to_hand_on_every_word_at_once(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, 0, **{"Accept-Encoding": "gzip"}) as answer:
            assert answer.status == 200
            assert answer.getheader("content-type", "").startswith("text/event-stream")
            assert answer.getheader("x-accel-buffering") == "no"
            assert "no-transform" in answer.getheader("cache-control", "")
            assert answer.getheader("content-encoding") is None
            assert answer.getheader("content-length") is None
            assert answer.readline() == b"retry: 2000\n"


def test_nothing_is_told_to_strangers_nor_from_a_number_that_is_none(settings: Settings) -> None:
    with served(settings) as visitor:
        with listening(visitor, 0) as answer:
            assert answer.status == 401
        visitor.enter()
        for after in ("", "x", "-1", "1" * 30):
            with listening(visitor, after) as answer:
                assert answer.status == 400, after


def test_a_stream_ends_with_its_session(settings: Settings) -> None:
    now = [NOW]
    with served(settings, now=lambda: now[0]) as visitor:
        visitor.enter()
        with listening(visitor, 0) as answer:
            told(answer)
            now[0] += passes.SESSION_S + 1
            append(settings)
            assert told(answer) == -1
        with listening(visitor, 0) as answer:
            assert answer.status == 401


def test_a_stream_is_never_silent_for_long(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_S", 0.05)
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, append(settings)) as answer:
            assert [answer.readline() for _ in range(6)][2:] == [b":\n", b"\n", b":\n", b"\n"]


def test_a_session_has_few_streams_and_gets_another_when_one_is_left(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        held = [listening(visitor, 0) for _ in range(live.STREAMS_OF_ONE)]
        for one in held:
            assert told(one.__enter__()) > 0
        with listening(visitor, 0) as answer:
            assert answer.status == 429
        with listening(visitor, 0, Authorization=f"Bearer {TOKENS['viewer']}") as answer:
            assert answer.status == 200
        held[0].__exit__(None, None, None)

        def is_free() -> bool:
            with listening(visitor, 0) as answer:
                return answer.status == 200

        until(is_free)
        for one in held[1:]:
            one.__exit__(None, None, None)


def test_there_is_an_end_to_all_streams_together(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STREAMS", 1)
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, 0) as first:
            told(first)
            with listening(visitor, 0, Authorization=f"Bearer {TOKENS['viewer']}") as answer:
                assert answer.status == 503


def test_one_looks_at_the_log_for_all_who_listen_and_nobody_when_nobody_does(settings: Settings) -> None:
    until(lambda: watchers() == 0)
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, 0) as one, listening(visitor, 0) as another:
            assert told(one) == told(another) > 0
            assert watchers() == 1
        until(lambda: watchers() == 0)


def test_streams_end_in_order_when_the_server_does_and_begin_anew_with_the_next(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, 0) as answer:
            told(answer)
            visitor.server.stop()
            # A stream that is cut off raises IncompleteRead here.
            assert answer.read() == b"\n"
        again = Server(visitor.site, port=int(visitor.server.url.rpartition(":")[2]))
        again.start()
        try:
            shown = append(settings)
            with listening(visitor, shown - 1) as answer:
                assert told(answer) == shown
        finally:
            again.stop()


def test_a_log_that_is_made_later_is_seen(tmp_path: Path) -> None:
    settings = config.load(folder=str(tmp_path))
    with served(settings) as visitor:
        visitor.enter()
        with listening(visitor, 0) as answer:
            until(lambda: watchers() == 1)
            last = append(settings)
            assert told(answer) == last


def test_a_page_says_how_far_the_log_had_come_when_it_was_made(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        last = append(settings)
        _, text = visitor.page("/runs")
        assert f'data-seq="{last}" data-refresh="5"' in text


def test_a_stream_ends_where_the_log_cannot_be_read(settings: Settings) -> None:
    with served(settings) as visitor:
        visitor.enter()
        path = Path(settings.log_url.partition(":")[2])
        path.write_bytes(b"no log " * 1000)
        with listening(visitor, 0) as answer:
            assert answer.status == 200
            assert told(answer) == -1
        assert visitor.page("/health")[0].status == 200
