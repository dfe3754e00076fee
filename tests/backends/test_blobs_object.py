"""The store in a bucket: in a folder, on SeaweedFS and on moto; what two see of each other, what gc leaves alone."""

import os
import random
import time
from pathlib import Path

import pytest

from headway.backends import connect
from headway.backends.blobs_object import ObjectBlobs
from headway.backends.blobs_object.bucket import Bucket
from headway.backends.blobs_object.index import RemoteIndex
from headway.core.ids import Digest
from headway.errors import HeadwayError, RemoteRefused, StoreNewer
from headway.ports import Blobs
from headway.testing.blobs_contract import LATER, NOISE, BlobsContract
from object_servers import Server


def _open(root: str) -> ObjectBlobs:
    blobs = connect("blobs", f"bucket:{root}", {})
    assert isinstance(blobs, ObjectBlobs)
    return blobs


class TestBucketInAFolder(BlobsContract):
    def make(self, root: str) -> Blobs:
        return _open(root)

    def damage(self, blobs: Blobs, root: str, digest: Digest) -> None:
        found = RemoteIndex(Bucket(f"bucket:{root}", {}), None).find(digest)
        path = Path(root, "blobs", digest) if found is None else Path(root, "packs", found[0])
        data = bytearray(path.read_bytes())
        data[-1 if found is None else found[1].offset + found[1].stored_bytes - 1] ^= 1
        path.write_bytes(data)


class _OnS3(BlobsContract):
    server: Server

    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self.places: dict[str, str] = {}

    def make(self, root: str) -> Blobs:
        url = self.places.setdefault(root, self.server.url_of("blobs"))
        blobs = connect("blobs", url, self.server.environ())
        assert isinstance(blobs, ObjectBlobs)
        return blobs

    def damage(self, blobs: Blobs, root: str, digest: Digest) -> None:
        bucket = Bucket(self.places[root], self.server.environ())
        found = RemoteIndex(bucket, None).find(digest)
        path = f"blobs/{digest}" if found is None else f"packs/{found[0]}"
        data = bytearray(bucket.get(path) or b"")
        data[-1 if found is None else found[1].offset + found[1].stored_bytes - 1] ^= 1
        bucket.put(path, bytes(data))


class TestOnSeaweedFS(_OnS3):
    @pytest.fixture(autouse=True)
    def _server(self, s3: Server) -> None:
        self.server = s3


@pytest.mark.slow
class TestOnMoto(_OnS3):
    """A second opinion on what S3 is; by default SeaweedFS speaks for it, and other tests hold both side by side."""

    @pytest.fixture(autouse=True)
    def _server(self, moto_s3: Server) -> None:
        self.server = moto_s3


@pytest.fixture
def root(tmp_path: "os.PathLike[str]") -> str:
    return os.path.join(tmp_path, "bucket")


def _old(root: str) -> None:
    for at, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(at, name), (1.0, 1.0))


def test_two_writers_at_once_are_both_seen(root: str) -> None:
    one, other = _open(root), _open(root)
    with one.batch() as first, other.batch() as second:
        digests = [first.put(b"one"), second.put(b"other"), first.put(NOISE), second.put(NOISE)]
    assert _open(root).has(digests) == set(digests)
    assert list(_open(root).check(digests)) == []


def test_nothing_of_a_batch_is_seen_before_it_ends(root: str) -> None:
    reader, data = _open(root), random.Random(2).randbytes(60 << 20)
    with _open(root).batch() as batch:
        digests = [batch.put(data), batch.put(b"small")]
        assert list(Path(root, "packs").iterdir())
        assert reader.has(digests) == set()
        assert list(reader.list()) == []
    assert reader.has(digests) == set(digests)


def test_a_later_form_is_refused(root: str) -> None:
    os.mkdir(root)
    Path(root, "headway-store.json").write_text('{"form": 2}')
    with pytest.raises(StoreNewer):
        _open(root).put(b"abc")
    with pytest.raises(StoreNewer), _open(root).batch():
        pass


def test_what_somebody_came_to_rely_on_again_is_not_given_up(root: str) -> None:
    with _open(root).batch() as batch:
        digest = batch.put(b"abc")
    _old(root)
    with _open(root).batch() as batch:
        assert batch.put(b"abc") == digest
    assert _open(root).delete([digest], before=time.time() - 3600) == 0
    assert _open(root).get(digest) == b"abc"


def test_a_pack_that_was_given_up_comes_back_when_somebody_relied_on_it_meanwhile(root: str) -> None:
    with _open(root).batch() as batch:
        digest = batch.put(b"abc")
    _old(root)
    with _open(root).batch() as late:
        # It has seen the pack; now gc gives it up.
        assert _open(root).delete([digest], before=time.time() - 3600) > 0
        assert _open(root).has([digest]) == set()
        late.put(b"abc")
    assert _open(root).get(digest) == b"abc"
    assert _open(root).sweep(before=time.time() + 1) == 0
    assert _open(root).get(digest) == b"abc"


def test_a_pack_is_kept_for_two_weeks_after_it_was_given_up(root: str) -> None:
    with _open(root).batch() as batch:
        digest = batch.put(b"abc")
    _open(root).delete([digest], before=LATER)
    assert _open(root).sweep(before=time.time()) == 0
    assert len(os.listdir(os.path.join(root, "packs"))) == 1
    assert _open(root).sweep(before=time.time() + 14 * 86_400) > 0
    assert os.listdir(os.path.join(root, "packs")) == []


def test_other_packs_of_a_batch_stay_when_one_is_given_up(root: str) -> None:
    noise = random.Random(4).randbytes(30 << 20)
    with _open(root).batch() as batch:
        large, small = batch.put(noise), batch.put(b"small")
    needed = {large, *(part for _, parts in _open(root).parts([large]) for part in parts)}
    doomed = [blob.digest for blob in _open(root).list() if blob.digest in needed]
    _open(root).delete(doomed, before=LATER)
    assert _open(root).get(small) == b"small"


def test_index_objects_are_read_once_where_there_is_a_cache(root: str, tmp_path: "os.PathLike[str]") -> None:
    with _open(root).batch() as batch:
        digest = batch.put(b"abc")
    environ = {"HEADWAY_CACHE": os.path.join(tmp_path, "cache")}
    assert connect("blobs", f"bucket:{root}", environ).has([digest]) == {digest}  # type: ignore[attr-defined] # blobs
    for path in Path(root, "index").iterdir():
        path.write_bytes(b"")
    assert connect("blobs", f"bucket:{root}", environ).has([digest]) == {digest}  # type: ignore[attr-defined] # blobs


def test_a_bucket_that_is_not_there_is_told(s3: Server) -> None:
    blobs = ObjectBlobs(Bucket("s3://no-such-bucket-here/x", s3.environ()))
    with pytest.raises(HeadwayError) as told:
        blobs.put(b"abc")
    assert isinstance(told.value, RemoteRefused)
    assert "no such bucket" in str(told.value)


def test_wrong_credentials_are_told_and_not_shown(s3: Server) -> None:
    environ = {**s3.environ(), "AWS_SECRET_ACCESS_KEY": "not-the-secret-at-all"}
    with pytest.raises(RemoteRefused) as told:
        ObjectBlobs(Bucket(s3.url_of(), environ)).put(b"abc")
    assert "not-the-secret" not in str(told.value)
    assert environ["AWS_ACCESS_KEY_ID"] not in str(told.value)
