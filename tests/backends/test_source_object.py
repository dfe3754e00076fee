"""What objects of a bucket become, on SeaweedFS and on moto, also by a network that fails."""

import hashlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import obstore
import pytest
from obstore.store import from_url

from faulty_network import Fault, Network, between
from headway.backends import connect
from headway.backends.source_object import ObjectSource
from headway.errors import NothingMatches, SourceRefused, SourceUnreachable, SystemRefused, UsageMistaken
from headway.ports import Source
from object_servers import BUCKET, Server

CONTENT = {
    "events/2024/a.parquet": b"a" * 10,
    "events/2024/b.parquet": random.Random(1).randbytes(3_000_000),
    "events/2024/notes.txt": b"no",
    "events/2025/05/c d ü.parquet": b"",
    "events/top.parquet": b"top",
    "other.csv": b"id\n1\n",
}


def put(server: Server, url: str, content: Mapping[str, bytes]) -> None:
    config = {name: value for name, value in server.environ().items() if name != "AWS_ALLOW_HTTP"}
    # Any: its types describe no plain dict.
    options: Any = {"allow_http": True}
    store = from_url(url, config=cast("Any", config), client_options=options)
    for name, data in content.items():
        obstore.put(store, name, data, use_multipart=False)


@pytest.fixture(params=["seaweedfs", "moto"])
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue("s3" if request.param == "seaweedfs" else "moto_s3")
    return server


@pytest.fixture
def url(server: Server) -> str:
    url = server.url_of("source")
    put(server, url, CONTENT)
    return url


def take(wanted: str, environ: Mapping[str, str], folder: Path) -> dict[str, bytes]:
    """What a snapshot has, in its order."""
    folder.mkdir()
    names = cast("Source", connect("source", wanted, environ)).snapshot(wanted, str(folder))
    files = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert files == set(names)
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.parametrize(
    ("pattern", "base", "wanted"),
    [
        ("other.csv", "", ["other.csv"]),
        ("events/2024/b.parquet", "events/2024/", ["b.parquet"]),
        ("events/2024/*.parquet", "events/2024/", ["a.parquet", "b.parquet"]),
        ("events/*/?.parquet", "events/", ["2024/a.parquet", "2024/b.parquet"]),
        (
            "events/**/*.parquet",
            "events/",
            ["2024/a.parquet", "2024/b.parquet", "2025/05/c d ü.parquet", "top.parquet"],
        ),
        ("events/2025/**", "events/2025/", ["05/c d ü.parquet"]),
        ("*.csv", "", ["other.csv"]),
        ("ev*/*.parquet", "", ["events/top.parquet"]),
    ],
)
def test_a_pattern_finds_its_objects(
    server: Server, url: str, tmp_path: Path, pattern: str, base: str, wanted: list[str]
) -> None:
    found = take(f"{url}/{pattern}", server.environ(), tmp_path / "out")
    assert list(found) == wanted
    assert found == {name: CONTENT[base + name] for name in wanted}


def test_nothing_that_matches_is_told(server: Server, url: str, tmp_path: Path) -> None:
    with pytest.raises(NothingMatches, match="answers to"):
        take(f"{url}/events/*.csv", server.environ(), tmp_path / "a")
    with pytest.raises(NothingMatches, match="no object") as e:
        take(f"{url}/events/2023", server.environ(), tmp_path / "b")
    assert e.value.remedy == "check the name"
    with pytest.raises(NothingMatches, match="no object") as e:
        take(f"{url}/events/2024", server.environ(), tmp_path / "c")
    assert "events/2024/**" in e.value.remedy


def test_a_bucket_that_is_not_there_is_told(server: Server, tmp_path: Path) -> None:
    for i, pattern in enumerate(("*", "a.csv")):
        with pytest.raises((SourceRefused, NothingMatches)):
            take(f"s3://no-such-bucket/{pattern}", server.environ(), tmp_path / str(i))


def test_names_that_are_no_files_are_refused(s3: Server, moto_s3: Server, tmp_path: Path) -> None:
    url = moto_s3.url_of("names")
    put(moto_s3, url, {"a": b"1", "a/b": b"2"})
    with pytest.raises(SystemRefused, match="cannot be a file"):
        take(f"{url}/**", moto_s3.environ(), tmp_path / "a")
    assert list((tmp_path / "a").iterdir()) == []
    assert take(f"{url}/a/*", moto_s3.environ(), tmp_path / "b") == {"b": b"2"}


@pytest.mark.parametrize("url", ["s3://", "s3:bucket/a", "s3://b*/a"])
def test_a_url_without_a_bucket_is_told(url: str) -> None:
    with pytest.raises(UsageMistaken, match="no bucket"):
        ObjectSource(url, {})


def test_wrong_credentials_are_told_and_not_shown(s3: Server, tmp_path: Path) -> None:
    environ = {**s3.environ(), "AWS_SECRET_ACCESS_KEY": "wrong-secret"}
    for i, pattern in enumerate(("*", "a.csv")):
        with pytest.raises(SourceRefused) as e:
            take(f"{s3.url_of()}/{pattern}", environ, tmp_path / str(i))
        assert "wrong-secret" not in str(e.value)


def test_a_server_that_is_not_there_is_told(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.backends.source_object._PAUSES_S", (0.0,))
    monkeypatch.setattr("headway.backends.source_object.RETRY", {"max_retries": 0})
    with pytest.raises(SourceUnreachable, match="does not answer"):
        take(f"s3://{BUCKET}/*", s3.environ("http://127.0.0.1:1"), tmp_path / "a")


# --- by a network that fails ------------------------------------------------------------------------------------


@pytest.fixture
def network(s3: Server) -> Iterator[Network]:
    with between(s3.endpoint) as it:
        yield it


@pytest.mark.parametrize("kind", ["drop", "cut", "shrink", "flip", "delay", "refuse", "lose"])
def test_a_network_that_fails_now_and_then_changes_nothing(
    s3: Server, network: Network, tmp_path: Path, kind: Any
) -> None:
    url = s3.url_of("network")
    content = {f"{i}.bin": random.Random(i).randbytes(200_000 + i) for i in range(8)}
    put(s3, url, content)
    network.fault = Fault(kind=kind, methods=("GET",), every=3, times=6)
    assert take(f"{url}/*.bin", s3.environ(network.endpoint), tmp_path / "out") == content
    assert network.n_faults > 0


def test_a_network_that_always_lies_is_not_believed(s3: Server, network: Network, tmp_path: Path) -> None:
    url = s3.url_of("network")
    put(s3, url, {"a.bin": random.Random(1).randbytes(300_000)})
    network.fault = Fault(kind="flip", methods=("GET",), within="a.bin")
    with pytest.raises(SourceUnreachable, match="changes or goes away"):
        take(f"{url}/a.bin", s3.environ(network.endpoint), tmp_path / "out")


def test_an_object_that_changes_is_read_as_it_is_then(s3: Server, tmp_path: Path) -> None:
    url = s3.url_of("changes")
    put(s3, url, {"a.bin": b"old" * 999})

    class Slow(ObjectSource):
        def _found(self, store: Any, pattern: str) -> Any:
            found = super()._found(store, pattern)
            put(s3, url, {"a.bin": b"newer"})
            return found

    (tmp_path / "out").mkdir()
    assert Slow(url, s3.environ()).snapshot(f"{url}/*", str(tmp_path / "out")) == ["a.bin"]
    assert (tmp_path / "out/a.bin").read_bytes() == b"newer"


def test_an_object_that_goes_away_is_told(s3: Server, tmp_path: Path) -> None:
    url = s3.url_of("gone")
    put(s3, url, {"a.bin": b"1", "b.bin": b"2"})

    class Slow(ObjectSource):
        def _found(self, store: Any, pattern: str) -> Any:
            found = super()._found(store, pattern)
            obstore.delete(store, found[1].path)
            return found

    (tmp_path / "out").mkdir()
    with pytest.raises(SourceUnreachable, match=r"b\.bin"):
        Slow(url, s3.environ()).snapshot(f"{url}/*", str(tmp_path / "out"))


def test_tags_that_are_no_digests_are_seen_as_such(s3: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = s3.url_of("tags")
    content = {"a.bin": b"1" * 5000, "b.bin": b"2" * 5000}
    put(s3, url, content)

    def other(data: bytes = b"", *, usedforsecurity: bool = True) -> Any:
        return hashlib.blake2b(data, digest_size=16)

    # The same as if the tags were another digest: none of them is what is worked out here.
    monkeypatch.setattr("headway.backends.source_object.hashlib.md5", other)
    assert take(f"{url}/*", s3.environ(), tmp_path / "out") == content


def test_the_state_of_a_prefix_changes_with_its_objects_and_with_nothing_else(server: Server, tmp_path: Path) -> None:
    url = server.url_of("state")
    put(server, url, {"in/a.csv": b"1", "in/b.csv": b"2", "other/c.csv": b"3"})
    source = cast("Source", connect("source", url, server.environ()))
    before = source.state(f"{url}/in/*.csv")
    assert before.n_things == 2
    assert source.state(f"{url}/in/").key == source.state(f"{url}/in").key == source.state(f"{url}/in/**").key
    put(server, url, {"other/d.csv": b"4", "in/a.csv": b"1"})
    assert source.state(f"{url}/in/*.csv") == before
    put(server, url, {"in/b.csv": b"5"})
    changed = source.state(f"{url}/in/*.csv")
    assert (changed.n_things, changed.key == before.key) == (2, False)
    put(server, url, {"in/c.csv": b"6"})
    assert source.state(f"{url}/in/*.csv").n_things == 3
    one, other = source.state(f"{url}/in/a.csv"), source.state(f"{url}/in/c.csv")
    assert (one.n_things, other.n_things, one.key == other.key) == (1, 1, False)
    nothing = source.state(f"{url}/nothing/**")
    assert (nothing.n_things, nothing) == (0, source.state(f"{url}/nowhere.csv"))
