"""A near store in front of a far one: together they are a store like any other, and the far one holds all."""

import os
import shutil

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.backends.blobs_memory import MemoryBlobs
from headway.backends.blobs_object import ObjectBlobs
from headway.backends.blobs_object.bucket import Bucket
from headway.backends.wrap_cache import CachedBlobs
from headway.ports import Blobs
from headway.testing.blobs_contract import NOISE, BlobsContract


def _far(root: str) -> ObjectBlobs:
    return ObjectBlobs(Bucket(f"bucket:{root}-far", {}))


class TestCachedBlobs(BlobsContract):
    def make(self, root: str) -> Blobs:
        return CachedBlobs(FileBlobs(root), _far(root))


def test_all_that_is_stored_is_far_away_too(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.join(tmp_path, "near")
    blobs = CachedBlobs(FileBlobs(root), _far(root))
    digests = [blobs.put(b"one"), blobs.put(NOISE)]
    with blobs.batch() as batch:
        digests += [batch.put(b"two"), batch.put(NOISE + b"more")]
    shutil.rmtree(root)
    assert [_far(root).get(digest) for digest in digests] == [b"one", NOISE, b"two", NOISE + b"more"]
    again = CachedBlobs(FileBlobs(root), _far(root))
    assert [again.get(digest) for digest in digests] == [b"one", NOISE, b"two", NOISE + b"more"]


def test_what_was_read_once_is_read_nearby(tmp_path: "os.PathLike[str]") -> None:
    far, near = MemoryBlobs(), FileBlobs(os.path.join(tmp_path, "near"))
    digest = far.put(b"abc")
    blobs = CachedBlobs(near, far)
    assert blobs.get(digest) == b"abc"
    far.delete([digest], before=4e9)
    assert blobs.get(digest) == b"abc"


def test_a_damaged_copy_nearby_is_no_loss(tmp_path: "os.PathLike[str]") -> None:
    near, far = MemoryBlobs(), MemoryBlobs()
    blobs = CachedBlobs(near, far)
    digest = blobs.put(b"abc")
    near.damage(digest)
    assert blobs.get(digest) == b"abc"
    near.damage(digest)
    assert list(blobs.check([digest])) == []
    assert blobs.get(digest) == b"abc"


def test_what_a_batch_had_stored_before_it_failed_is_far_away_too(tmp_path: "os.PathLike[str]") -> None:
    near, far = MemoryBlobs(), MemoryBlobs()
    with pytest.raises(KeyboardInterrupt), CachedBlobs(near, far).batch() as batch:  # noqa: PT012 (it is about that)
        digest = batch.put(b"abc")
        raise KeyboardInterrupt
    assert far.get(digest) == b"abc"
