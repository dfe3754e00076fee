"""What every store of blobs must do: subclass `BlobsContract` in a test file, and say how yours is made. Needs pytest.

`stateful` adds a machine that compares a store with a plain dict over many random steps.
"""

import os
import time

import pytest

from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, HeadwayError
from headway.ports import Blobs

ABSENT = Digest("0" * 64)
"""Nobody knows content of this digest."""

CONTENTS = [b"", b"\0", b"abc\n", "é".encode(), bytes(range(256)) * 17, b"x" * (1 << 20), b"y" * ((1 << 21) + 1)]


def _written(path: str, data: bytes) -> str:
    with open(path, "wb") as f:
        f.write(data)
    return path


def _read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


class BlobsContract:
    """What holds for every store of blobs. Override `make`; and `damage`, where one can."""

    def make(self, root: str) -> Blobs:
        """A store; those made with the same `root` are the same store, met by another process as it were."""
        raise NotImplementedError

    def damage(self, blobs: Blobs, root: str, digest: Digest) -> None:
        """Change the last byte of a blob behind the store's back."""
        pytest.skip("this suite does not know how to damage such a store")

    @pytest.fixture
    def folder(self, tmp_path: "os.PathLike[str]") -> str:
        """A folder for the test's own files."""
        path = os.path.join(os.path.realpath(tmp_path), "files")
        os.mkdir(path)
        return path

    @pytest.fixture
    def root(self, tmp_path: "os.PathLike[str]") -> str:
        """The place of one test's store."""
        return os.path.join(os.path.realpath(tmp_path), "blobs")

    @pytest.fixture
    def blobs(self, root: str) -> Blobs:
        """An empty store."""
        return self.make(root)

    def test_a_new_store_is_empty(self, blobs: Blobs) -> None:
        assert list(blobs.list()) == []
        assert blobs.has([ABSENT]) == set()
        assert blobs.sweep(before=time.time() + 1) == 0
        blobs.sync()

    @pytest.mark.parametrize("data", CONTENTS, ids=len)
    def test_content_comes_back_as_it_was_under_its_digest(self, blobs: Blobs, data: bytes) -> None:
        digest = blobs.put(data)
        assert digest == digest_of(data)
        assert blobs.get(digest) == data
        assert blobs.has([digest, ABSENT]) == {digest}

    @pytest.mark.parametrize("move", [False, True], ids=["copied", "moved"])
    @pytest.mark.parametrize("data", CONTENTS, ids=len)
    def test_a_file_is_stored_as_its_content(self, blobs: Blobs, folder: str, data: bytes, move: bool) -> None:
        path = _written(os.path.join(folder, "f"), data)
        assert blobs.put_file(path, move=move) == (digest_of(data), len(data))
        assert blobs.get(digest_of(data)) == data
        assert move or _read(path) == data

    @pytest.mark.parametrize("data", CONTENTS, ids=len)
    def test_content_is_written_to_a_file(self, blobs: Blobs, folder: str, data: bytes) -> None:
        path = os.path.join(folder, "f")
        blobs.fetch(blobs.put(data), path)
        assert _read(path) == data
        assert os.listdir(folder) == ["f"]

    def test_storing_twice_is_harmless(self, blobs: Blobs, folder: str) -> None:
        digest = blobs.put(b"abc")
        assert blobs.put(b"abc") == digest
        assert blobs.put_file(_written(os.path.join(folder, "f"), b"abc"))[0] == digest
        assert blobs.put_file(os.path.join(folder, "f"), move=True)[0] == digest
        assert [(b.digest, b.size_bytes) for b in blobs.list()] == [(digest, 3)]

    def test_the_list_tells_size_and_time_of_all(self, blobs: Blobs) -> None:
        before = time.time()
        digests = {blobs.put(data): len(data) for data in CONTENTS}
        found = list(blobs.list())
        assert {b.digest: b.size_bytes for b in found} == digests
        # Clocks of file systems are some milliseconds behind.
        assert all(before - 1.0 <= b.at <= time.time() + 1.0 for b in found)

    def test_a_moved_file_counts_as_stored_now(self, blobs: Blobs, folder: str) -> None:
        path = _written(os.path.join(folder, "f"), b"old")
        os.utime(path, (1.0, 1.0))
        blobs.put_file(path, move=True)
        assert next(blobs.list()).at > time.time() - 60

    def test_a_fetched_file_is_the_callers_own(self, blobs: Blobs, folder: str) -> None:
        digest, path = blobs.put(b"abc"), os.path.join(folder, "f")
        blobs.fetch(digest, path)
        with open(path, "r+b") as f:
            f.write(b"XYZ")
        assert blobs.get(digest) == b"abc"

    @pytest.mark.parametrize("move", [False, True], ids=["copied", "moved"])
    def test_changing_a_stored_file_does_not_change_the_blob(self, blobs: Blobs, folder: str, move: bool) -> None:
        path = _written(os.path.join(folder, "f"), b"abc")
        os.link(path, os.path.join(folder, "second name"))
        digest, _ = blobs.put_file(path, move=move)
        _written(os.path.join(folder, "second name"), b"XYZ")
        assert blobs.get(digest) == b"abc"

    @pytest.mark.parametrize("executable", [False, True])
    def test_a_fetched_file_is_executable_when_asked(self, blobs: Blobs, folder: str, executable: bool) -> None:
        path = os.path.join(folder, "f")
        blobs.fetch(blobs.put(b"abc"), path, executable=executable)
        assert bool(os.stat(path).st_mode & 0o100) is executable
        assert os.stat(path).st_mode & 0o200

    def test_fetching_replaces_what_is_there_and_follows_no_link(self, blobs: Blobs, folder: str) -> None:
        outside, path = _written(os.path.join(folder, "outside"), b"keep me"), os.path.join(folder, "f")
        os.symlink(outside, path)
        blobs.fetch(blobs.put(b"abc"), path)
        assert _read(path) == b"abc"
        assert _read(outside) == b"keep me"

    def test_what_is_not_there_is_said_to_be_missing(self, blobs: Blobs, folder: str) -> None:
        with pytest.raises(BlobMissing):
            blobs.get(ABSENT)
        with pytest.raises(BlobMissing):
            blobs.fetch(ABSENT, os.path.join(folder, "f"))
        assert os.listdir(folder) == []

    def test_a_file_that_is_not_there_cannot_be_stored(self, blobs: Blobs, folder: str) -> None:
        with pytest.raises(HeadwayError):
            blobs.put_file(os.path.join(folder, "none"))
        assert list(blobs.list()) == []

    def test_fetching_into_no_folder_says_so(self, blobs: Blobs, folder: str) -> None:
        with pytest.raises(HeadwayError):
            blobs.fetch(blobs.put(b"abc"), os.path.join(folder, "none", "f"))

    def test_deleting_forgets_and_may_be_done_twice(self, blobs: Blobs) -> None:
        digest, kept = blobs.put(b"abc"), blobs.put(b"other")
        blobs.delete(digest)
        blobs.delete(digest)
        assert blobs.has([digest, kept]) == {kept}
        with pytest.raises(BlobMissing):
            blobs.get(digest)
        blobs.sync()
        assert blobs.put(b"abc") == digest
        assert blobs.get(digest) == b"abc"

    def test_another_process_sees_what_was_stored(self, blobs: Blobs, root: str) -> None:
        digest = blobs.put(b"abc")
        assert self.make(root).get(digest) == b"abc"

    def test_storing_more_than_a_few_is_made_durable_too(self, blobs: Blobs) -> None:
        digests = {blobs.put(b"%d" % i) for i in range(200)}
        blobs.sync()
        blobs.sync()
        assert blobs.has(list(digests)) == digests

    def test_a_sweep_leaves_whole_blobs_alone(self, blobs: Blobs) -> None:
        digest = blobs.put(b"abc")
        blobs.sweep(before=time.time() + 3600)
        assert blobs.get(digest) == b"abc"

    @pytest.mark.parametrize("how", ["get", "fetch"])
    def test_damage_is_seen_told_and_mended_by_storing_again(
        self, blobs: Blobs, root: str, folder: str, how: str
    ) -> None:
        digest = blobs.put(b"abc")
        self.damage(blobs, root, digest)
        with pytest.raises(BlobDamaged):
            blobs.get(digest) if how == "get" else blobs.fetch(digest, os.path.join(folder, "f"))
        assert os.listdir(folder) == []
        assert blobs.has([digest]) == set()
        blobs.put(b"abc")
        assert blobs.get(digest) == b"abc"
