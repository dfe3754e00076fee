"""The store in a bucket: in a folder, on SeaweedFS and on moto; what two see of each other, and what gc leaves alone."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from headway.backends import connect
from headway.backends.blobs_object import ObjectBlobs
from headway.backends.blobs_object.bucket import Bucket
from headway.backends.blobs_object.index import RemoteIndex
from headway.core.ids import Digest
from headway.errors import HeadwayError, StoreNewer
from headway.ports import Blobs
from headway.testing.blobs_contract import LATER, NOISE, BlobsContract


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
