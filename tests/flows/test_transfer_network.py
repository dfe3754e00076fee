"""Push and pull over a network that drops, cuts, delays, changes and refuses: all ends right, or says clearly what is.

Nothing wrong is ever kept, on either side.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import faulty_network
from faulty_network import Fault, Network
from headway.backends import connect
from headway.backends.blobs_file import FileBlobs
from headway.core.ids import Artifact
from headway.errors import BlobDamaged, BlobMissing, RemoteUnreachable, StoreTrouble
from headway.flows import transfer
from headway.flows.needed import Needed
from headway.flows.statcache import StatCache
from headway.flows.store import keep, missing, tree_in
from headway.ports import Blobs
from headway.testing.folders import write_folder
from object_servers import Server

NOISE = random.Random(13).randbytes(3_000_000)


@pytest.fixture
def network(s3: Server) -> Iterator[Network]:
    with faulty_network.between(s3.endpoint) as network:
        yield network


@pytest.fixture
def here(tmp_path: Path) -> FileBlobs:
    return FileBlobs(str(tmp_path / "here"))


@pytest.fixture
def artifact(here: FileBlobs, tmp_path: Path) -> Artifact:
    write_folder(str(tmp_path / "data"), {"large": NOISE, "few": {f"{i}": b"%d" % i for i in range(500)}})
    found = keep(here, str(tmp_path), "data", StatCache())
    here.sync()
    return found


def wanted(artifact: Artifact) -> Needed:
    return transfer.artifacts([(artifact, "dataset data@1")])


def opened(server: Server, url: str, network: Network | None = None) -> Blobs:
    return cast("Blobs", connect("blobs", url, server.environ(network.endpoint if network else "")))


def see_same(one: Blobs, other: Blobs, artifact: Artifact) -> None:
    files = [file.digest for file in tree_in(one, artifact.digest).files]
    files += [part for _, parts in other.parts(files) for part in parts]
    # Many at once: from a server one by one, they would take seconds.
    found = [{piece.digest: piece.data for piece in store.pieces(files)} for store in (one, other)]
    assert found[0] == found[1]


PASSING = {
    "dropped answers": Fault(kind="drop", every=2, times=3),
    "answers cut short": Fault(kind="cut", methods=("GET",), every=2, times=2),
    "answers that lie about their length": Fault(kind="shrink", methods=("GET",), every=3, times=1),
    "flipped bits": Fault(kind="flip", methods=("GET",), every=3, times=3),
    "late answers": Fault(kind="delay", methods=("GET", "PUT", "HEAD"), seconds=0.03),
    "refused for a while": Fault(kind="refuse", methods=("GET", "PUT", "HEAD"), times=2),
    "too many requests": Fault(kind="refuse", methods=("PUT",), status=429, times=2),
    "lost answers": Fault(kind="lose", methods=("PUT",), times=1),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_what_passes_is_got_over(
    fault: Fault, s3: Server, network: Network, here: FileBlobs, artifact: Artifact, tmp_path: Path
) -> None:
    url = s3.url_of("network")
    network.fault = fault
    assert transfer.send(here, opened(s3, url, network), wanted(artifact)).lost == ()
    n_faults = network.n_faults
    see_same(opened(s3, url), here, artifact)
    network.fault = fault
    other = FileBlobs(str(tmp_path / "other"))
    assert transfer.bring(opened(s3, url, network), other, wanted(artifact)).lost == ()
    assert n_faults + network.n_faults > 0
    see_same(other, here, artifact)
    assert list(other.check([blob.digest for blob in other.list()])) == []


WRONG = {
    "every answer has a flipped bit": Fault(kind="flip", methods=("GET",), within="/packs/"),
    "every answer is half of itself": Fault(kind="shrink", methods=("GET",), within="/packs/"),
}


@pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG)
def test_what_stays_wrong_is_told_and_never_kept(
    fault: Fault, s3: Server, network: Network, here: FileBlobs, artifact: Artifact, tmp_path: Path
) -> None:
    url = s3.url_of("network")
    transfer.send(here, opened(s3, url), wanted(artifact))
    network.fault = fault
    other = FileBlobs(str(tmp_path / "other"))
    try:
        moved = transfer.bring(opened(s3, url, network), other, wanted(artifact))
    except StoreTrouble as e:
        assert isinstance(e, (RemoteUnreachable, BlobDamaged, BlobMissing))  # noqa: PT017 (either way is right)
    else:
        assert [lost.path for lost in moved.lost] == ["data"]
    assert missing(other, [artifact])
    assert list(other.check([blob.digest for blob in other.list()])) == []
    # With the network well again, it goes on.
    network.fault = None
    assert transfer.bring(opened(s3, url, network), other, wanted(artifact)).lost == ()
    see_same(other, here, artifact)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["drop", "refuse"])
def test_a_network_that_stays_down_is_told(
    kind: faulty_network.Kind, s3: Server, network: Network, here: FileBlobs, artifact: Artifact
) -> None:
    url = s3.url_of("network")
    network.fault = Fault(kind=kind, methods=("GET", "PUT", "HEAD"))
    with pytest.raises(RemoteUnreachable):
        transfer.send(here, opened(s3, url, network), wanted(artifact))
    network.fault = None
    assert transfer.send(here, opened(s3, url, network), wanted(artifact)).lost == ()
    see_same(opened(s3, url), here, artifact)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_any_mixture_of_faults_is_got_over(
    seed: int, s3: Server, network: Network, here: FileBlobs, artifact: Artifact, tmp_path: Path
) -> None:
    chance, url = random.Random(seed), s3.url_of("network")
    other = FileBlobs(str(tmp_path / "other"))
    for _ in range(5):
        network.fault = chance.choice(list(PASSING.values()))
        transfer.send(here, opened(s3, url, network), wanted(artifact))
        network.fault = chance.choice(list(PASSING.values()))
        transfer.bring(opened(s3, url, network), other, wanted(artifact))
        see_same(other, here, artifact)
        other = FileBlobs(str(tmp_path / f"other{chance.random()}"))
        url = s3.url_of("network")
