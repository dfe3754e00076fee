"""The store in a bucket behind a network that fails: what it says it has can be read, and nothing wrong is believed."""

import os
import random
from collections.abc import Iterator, Mapping, Sequence

import pytest

from faulty_network import Fault, Network, between
from headway.backends import connect
from headway.backends.blobs_file import FileBlobs
from headway.backends.blobs_object import ObjectBlobs
from headway.backends.blobs_object.batch import PACK_BYTES
from headway.backends.wrap_cache import CachedBlobs
from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, RemoteRefused, RemoteUnreachable
from headway.testing.blobs_contract import ABSENT, NOISE
from object_servers import Server

SMALL = [b"%d" % i * 99 for i in range(50)]


@pytest.fixture
def network(s3: Server) -> Iterator[Network]:
    with between(s3.endpoint) as it:
        yield it


class Place:
    """A store that can be met by way of the bad network and by the good one; each time as a new process would."""

    def __init__(self, server: Server, network: Network) -> None:
        self._server = server
        self._network = network
        self._url = server.url_of("network")

    def there(self) -> ObjectBlobs:
        return self._made(self._server.environ())

    def by_network(self, **variables: str) -> ObjectBlobs:
        return self._made({**self._server.environ(self._network.endpoint), **variables})

    def _made(self, environ: Mapping[str, str]) -> ObjectBlobs:
        blobs = connect("blobs", self._url, environ)
        assert isinstance(blobs, ObjectBlobs)
        return blobs


@pytest.fixture
def place(s3: Server, network: Network) -> Place:
    return Place(s3, network)


def _store(blobs: ObjectBlobs, contents: Sequence[bytes]) -> list[Digest]:
    with blobs.batch() as batch:
        return [batch.put(data) for data in contents]


def _store_all(blobs: ObjectBlobs) -> list[Digest]:
    return _store(blobs, [*SMALL, NOISE])


@pytest.mark.parametrize("kind", ["drop", "cut", "shrink", "flip", "delay", "refuse", "lose", "spoil"])
def test_a_network_that_fails_now_and_then_costs_only_time(place: Place, network: Network, kind: str) -> None:
    network.fault = Fault(kind=kind, every=3, times=4)  # type: ignore[arg-type] # one of its words
    digests = _store_all(place.by_network())
    assert list(place.there().check(digests)) == []
    network.fault = Fault(kind=kind, every=2, times=4)  # type: ignore[arg-type] # as above
    reader = place.by_network()
    assert [reader.get(digest) for digest in digests] == [*SMALL, NOISE]
    assert network.n_faults > 0


def test_what_arrived_changed_is_sent_again(place: Place, network: Network) -> None:
    network.fault = Fault(kind="spoil", methods=("PUT",), within="/packs/", times=1)
    digests = _store_all(place.by_network())
    assert network.n_faults == 1
    assert list(place.there().check(digests)) == []


def test_what_arrives_changed_each_time_is_told_and_not_named(place: Place, network: Network) -> None:
    network.fault = Fault(kind="spoil", methods=("PUT",), within="/packs/")
    with pytest.raises(RemoteUnreachable):
        _store_all(place.by_network())
    assert list(place.there().list()) == []


@pytest.mark.parametrize(
    "first",
    [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3, 4))],
    ids="pack {} refused".format,
)
def test_a_batch_tells_of_no_pack_that_did_not_arrive_nor_of_later_ones(
    place: Place, network: Network, first: int
) -> None:
    noise = random.Random(4)
    contents = [noise.randbytes(200 << 10) for _ in range(4 * PACK_BYTES // (200 << 10))]
    network.fault = Fault(kind="refuse", status=403, methods=("PUT",), within="/packs/", every=first, times=1)
    with pytest.raises(RemoteRefused):
        _store(place.by_network(), contents)
    digests = [digest_of(data) for data in contents]
    there = place.there()
    found = there.has(digests)
    assert len(found) < len(digests)
    assert list(there.check(sorted(found))) == []
    _store(there, contents)
    assert list(place.there().check(digests)) == []


def test_a_reader_who_is_lied_to_deletes_nothing(place: Place, network: Network) -> None:
    alone, packed = place.there().put(b"alone"), _store_all(place.there())[0]
    network.fault = Fault(kind="flip", methods=("GET",), within="/blobs/")
    with pytest.raises(BlobDamaged):
        place.by_network().get(alone)
    network.fault = Fault(kind="flip", methods=("GET",), within="/packs/")
    with pytest.raises(BlobDamaged):
        place.by_network().get(packed)
    assert place.there().get(alone) == b"alone"
    assert place.there().get(packed) == SMALL[0]


def test_a_list_that_was_changed_on_the_way_is_read_again(
    place: Place, network: Network, tmp_path: "os.PathLike[str]"
) -> None:
    with place.there().batch() as batch:
        digest = batch.put(NOISE)
    root = os.path.join(tmp_path, "near")
    for n in range(1, 4):
        # Each first read of a pack in turn is that of the list.
        network.fault = Fault(kind="flip", methods=("GET",), within="/packs/", every=n, times=1)
        assert dict(place.by_network().parts([digest])) == dict(place.there().parts([digest]))
        network.fault = Fault(kind="flip", methods=("GET",), within="/packs/", every=n, times=1)
        near = FileBlobs(f"{root}-{n}")
        assert CachedBlobs(near, place.by_network()).get(digest) == NOISE
        assert near.get(digest) == NOISE


def test_what_did_not_get_from_the_near_store_to_the_far_one_is_sent_when_asked_for(
    place: Place, network: Network, tmp_path: "os.PathLike[str]"
) -> None:
    root = os.path.join(tmp_path, "near")
    network.fault = Fault(kind="refuse", status=403, methods=("PUT",))
    with pytest.raises(RemoteRefused), CachedBlobs(FileBlobs(root), place.by_network()).batch() as batch:
        batch.put(b"abc")
    digest = digest_of(b"abc")
    assert FileBlobs(root).has([digest]) == {digest}
    with pytest.raises(RemoteRefused):
        CachedBlobs(FileBlobs(root), place.by_network()).has([digest])
    network.fault = None
    assert CachedBlobs(FileBlobs(root), place.by_network()).has([digest, ABSENT]) == {digest}
    assert place.there().get(digest) == b"abc"


@pytest.mark.parametrize("wrong", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_told_at_once_and_never_shown(place: Place, wrong: str) -> None:
    secret = "the-wrong-one-0123456789"
    blobs = place.by_network(**{wrong: secret})
    for ask in (lambda: blobs.get(ABSENT), lambda: blobs.put(b"abc"), lambda: list(blobs.list())):
        with pytest.raises(RemoteRefused) as refused:
            ask()
        assert secret not in str(refused.value)


def test_a_bucket_that_is_not_there_is_told(s3: Server) -> None:
    for ask in (lambda b: b.put(b"abc"), lambda b: b.has([ABSENT]), lambda b: list(b.list())):
        with pytest.raises(RemoteRefused) as refused:
            ask(connect("blobs", "s3://nobody-made-this/x", s3.environ()))
        assert "no such bucket" in refused.value.problem
