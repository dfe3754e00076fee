"""The store in a folder: whole after SIGKILL, nothing left behind by a full disk, honest about what it cannot do."""

import os
import random
import stat
import tempfile
import time
from collections.abc import Callable

import pytest

from headway.backends import connect
from headway.backends.blobs_file import EMPTY, FileBlobs, files
from headway.backends.blobs_file.index import Index
from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, FileMissing, StoreTrouble
from headway.ports import Blobs, Piece
from headway.testing.blobs_contract import LATER, NOISE, BlobsContract
from headway.testing.stateful import BRIEFLY, BlobsMachine


def _open(root: str) -> FileBlobs:
    blobs = connect("blobs", f"file:{root}")
    assert isinstance(blobs, FileBlobs)
    return blobs


def _place(root: str, digest: str) -> str:
    return os.path.join(root, digest[:2], digest)


class TestFileBlobs(BlobsContract):
    def make(self, root: str) -> Blobs:
        return _open(root)

    def damage(self, blobs: Blobs, root: str, digest: Digest) -> None:
        found = Index(root).find(digest)
        path, last = (
            (_place(root, digest), -1) if found is None else (found[0], found[1].offset + found[1].stored_bytes - 1)
        )
        os.chmod(path, 0o644)
        with open(path, "r+b") as f:
            f.seek(last, os.SEEK_END if last < 0 else os.SEEK_SET)
            f.write(b"!")


class Machine(BlobsMachine):
    def place(self) -> Callable[[], Blobs]:
        self.root = tempfile.TemporaryDirectory()
        return lambda: _open(self.root.name)

    def teardown(self) -> None:
        super().teardown()
        self.root.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = BRIEFLY


@pytest.fixture
def root(tmp_path: "os.PathLike[str]") -> str:
    return os.path.join(os.path.realpath(tmp_path), "blobs")


@pytest.fixture
def blobs(root: str) -> FileBlobs:
    return _open(root)


def _written(path: str, data: bytes) -> str:
    with open(path, "wb") as f:
        f.write(data)
    return path


def test_a_blob_is_one_read_only_file_of_its_name(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"hello\n")
    path = _place(root, digest)
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o222 == 0
    with open(path, "rb") as f:
        assert f.read() == b"hello\n"
    assert os.listdir(os.path.join(root, "tmp")) == []


def test_making_a_store_touches_nothing(root: str) -> None:
    blobs = _open(root)
    blobs.has([EMPTY])
    list(blobs.list())
    blobs.sync()
    assert not os.path.exists(root)


def test_the_digest_of_nothing_is_that_of_nothing(blobs: FileBlobs) -> None:
    assert blobs.put(b"") == digest_of(b"") == EMPTY
    assert blobs.has([EMPTY]) == {EMPTY}


def test_a_blob_cut_to_nothing_by_a_power_failure_is_not_there_and_is_mended(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"abc")
    os.chmod(_place(root, digest), 0o644)
    os.truncate(_place(root, digest), 0)
    assert blobs.has([digest]) == set()
    blobs.put(b"abc")
    assert blobs.get(digest) == b"abc"


def test_a_blob_cut_short_is_mended_by_storing_it_again(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"abc" * 1000)
    os.chmod(_place(root, digest), 0o644)
    os.truncate(_place(root, digest), 1000)
    blobs.put(b"abc" * 1000)
    assert blobs.get(digest) == b"abc" * 1000


def test_storing_again_makes_a_blob_young(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"abc")
    os.utime(_place(root, digest), (1.0, 1.0))
    blobs.put(b"abc")
    assert next(blobs.list()).at > time.time() - 60


def test_a_moved_file_is_renamed_not_copied(blobs: FileBlobs, root: str) -> None:
    os.makedirs(root)
    path = _written(os.path.join(root, "..", "f"), b"abc")
    inode = os.stat(path).st_ino
    digest, _ = blobs.put_file(path, move=True)
    assert os.stat(_place(root, digest)).st_ino == inode
    assert not os.path.exists(path)


def test_a_link_is_followed_and_its_target_kept(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    target = _written(os.path.join(tmp_path, "target"), b"abc")
    os.symlink(target, os.path.join(tmp_path, "link"))
    digest, _ = blobs.put_file(os.path.join(tmp_path, "link"), move=True)
    assert blobs.get(digest) == b"abc"
    assert os.path.exists(target)
    assert not os.path.lexists(os.path.join(tmp_path, "link"))


def test_a_file_that_changes_while_it_is_moved_is_copied_as_it_was_read(
    blobs: FileBlobs, tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _written(os.path.join(tmp_path, "f"), b"before")
    real = files.hash_of

    def hash_while_written(fd: int, size: int) -> tuple[Digest, int]:
        found = real(fd, size)
        with open(path, "ab") as f:
            f.write(b" and after")
        return found

    monkeypatch.setattr(files, "hash_of", hash_while_written)
    digest, size = blobs.put_file(path, move=True)
    assert (digest, size) == (digest_of(b"before and after"), 16)
    assert blobs.get(digest) == b"before and after"


def test_a_damaged_blob_is_put_aside_and_swept_later(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"abc")
    os.chmod(_place(root, digest), 0o644)
    _written(_place(root, digest), b"abd")
    with pytest.raises(StoreTrouble, match="damaged"):
        blobs.get(digest)
    assert os.listdir(os.path.join(root, "damaged")) == [digest]
    assert blobs.sweep(before=time.time() + 60) == 3
    assert os.listdir(os.path.join(root, "damaged")) == []


def test_only_a_sweep_removes_what_killed_writers_left_and_only_if_old(blobs: FileBlobs, root: str) -> None:
    blobs.put(b"abc")
    left = _written(os.path.join(root, "tmp", "99-left"), b"half")
    assert [b.size_bytes for b in blobs.list()] == [3]
    assert blobs.sweep(before=os.stat(left).st_mtime - 1) == 0
    assert blobs.sweep(before=os.stat(left).st_mtime + 1) == 4
    assert os.listdir(os.path.join(root, "tmp")) == []


def test_what_does_not_belong_in_the_store_is_not_listed(blobs: FileBlobs, root: str) -> None:
    digest = blobs.put(b"abc")
    _written(os.path.join(root, "README"), b"")
    _written(os.path.join(root, digest[:2], ".DS_Store"), b"")
    os.mkdir(os.path.join(root, digest[:2], "0" * 64))
    assert [b.digest for b in blobs.list()] == [digest]


def test_a_root_that_is_a_file_is_told(tmp_path: "os.PathLike[str]") -> None:
    blobs = _open(_written(os.path.join(tmp_path, "file"), b""))
    with pytest.raises(StoreTrouble) as trouble:
        blobs.put(b"abc")
    assert trouble.value.remedy


def test_a_folder_cannot_be_stored_as_a_file(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    with pytest.raises(StoreTrouble):
        blobs.put_file(os.fspath(tmp_path))
    assert not list(blobs.list())
    assert not os.path.exists(os.path.join(tmp_path, "blobs", "tmp"))


def test_a_target_that_is_a_folder_is_told_and_nothing_left(blobs: FileBlobs, tmp_path: "os.PathLike[str]") -> None:
    os.makedirs(os.path.join(tmp_path, "out", "target"))
    with pytest.raises(StoreTrouble):
        blobs.fetch(blobs.put(b"abc"), os.path.join(tmp_path, "out", "target"))
    assert os.listdir(os.path.join(tmp_path, "out")) == ["target"]


def test_a_missing_file_is_missing_not_trouble(blobs: FileBlobs) -> None:
    with pytest.raises(FileMissing, match="no-such-file is not there"):
        blobs.put_file("no-such-file")


def test_a_system_without_syncfs_syncs_one_by_one(blobs: FileBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_sync_all", lambda _folder: False)
    digests = [blobs.put(b"%d" % i) for i in range(files.MANY + 1)]
    blobs.delete(digests[:1], before=LATER)
    blobs.sync()
    assert blobs.has(digests) == set(digests[1:])


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002], ids=oct)
def test_a_fetched_file_has_the_rights_of_any_new_file(
    blobs: FileBlobs, tmp_path: "os.PathLike[str]", umask: int
) -> None:
    path, digest = os.path.join(tmp_path, "f"), blobs.put(b"abc")
    before = os.umask(umask)
    try:
        blobs.fetch(digest, path)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o666 & ~umask
        blobs.fetch(digest, path, executable=True)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o777 & ~umask
    finally:
        os.umask(before)


def test_with_hard_links_a_large_file_is_the_stores_own_and_read_only(root: str, tmp_path: "os.PathLike[str]") -> None:
    blobs = connect("blobs", f"file:{root}?links=hard")
    assert isinstance(blobs, FileBlobs)
    digest = blobs.put(NOISE)
    path = os.path.join(tmp_path, "f")
    blobs.fetch(digest, path)
    assert os.path.samefile(path, _place(root, digest))
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o222 == 0
    blobs.fetch(digest, path, executable=True)
    assert not os.path.samefile(path, _place(root, digest))


def test_a_file_changed_through_a_hard_link_is_found_damaged(root: str, tmp_path: "os.PathLike[str]") -> None:
    blobs = FileBlobs(root, hard_links=True)
    digest, path = blobs.put(NOISE), os.path.join(tmp_path, "f")
    blobs.fetch(digest, path)
    os.chmod(path, 0o644)
    with open(path, "r+b") as f:
        f.write(b"!")
    with pytest.raises(BlobDamaged):
        blobs.fetch(digest, os.path.join(tmp_path, "g"))
    assert blobs.put(NOISE) == digest
    assert blobs.get(digest) == NOISE


def test_a_large_blob_that_changes_little_costs_little(root: str, blobs: FileBlobs) -> None:
    blobs.put(NOISE)
    before = _bytes_in(root)
    blobs.put(NOISE[: 1 << 20] + b"inserted" + NOISE[1 << 20 :])
    assert _bytes_in(root) - before < 600_000


def test_a_blob_that_turns_out_to_be_known_is_kept_in_pieces(root: str, blobs: FileBlobs) -> None:
    noise = random.Random(1).randbytes(20 << 20)
    blobs.put(noise[8 << 20 :])
    before = _bytes_in(root)
    digest = blobs.put(noise)
    assert _bytes_in(root) - before < 9 << 20
    assert not os.path.exists(_place(root, digest))
    assert blobs.get(digest) == noise


@pytest.mark.parametrize("n_known", [0, 1 << 20, 7 << 20], ids=["all new", "a little known", "mostly known"])
def test_a_blob_is_what_it_was_whether_kept_whole_or_in_pieces(root: str, blobs: FileBlobs, n_known: int) -> None:
    noise = random.Random(2).randbytes((9 << 20) + 5)
    if n_known:
        blobs.put(noise[:n_known])
    digest = blobs.put(noise)
    assert digest == digest_of(noise)
    assert os.path.exists(_place(root, digest)) == (n_known < len(noise) // 4)
    again = _open(root)
    assert again.get(digest) == noise
    ((_, parts),) = again.parts([digest])
    assert b"".join(again.get(part) for part in parts) == noise


def test_many_records_are_merged_into_the_index_and_found(root: str) -> None:
    blobs = FileBlobs(root)
    digests = []
    for part in range(3):
        with blobs.batch() as batch:
            digests += [batch.put(b"%d" % i) for i in range(part * 20_000, part * 20_000 + 20_000)]
    assert os.path.getsize(os.path.join(root, "index")) > 40_000 * 56
    for store in (blobs, FileBlobs(root)):
        assert len(store.has(digests)) == 60_000
        assert store.get(digests[123]) == b"123"
    blobs.delete(digests[:59_000], before=LATER)
    for store in (blobs, FileBlobs(root)):
        assert store.has(digests) == set(digests[59_000:])


@pytest.mark.parametrize("damage", ["cut", "flip", "gone", "empty"])
def test_a_damaged_index_costs_nothing_but_time(root: str, damage: str) -> None:
    blobs = FileBlobs(root)
    with blobs.batch() as batch:
        digests = [batch.put(b"%d" % i) for i in range(40_000)]
    path = os.path.join(root, "index")
    os.chmod(path, 0o644)
    with open(path, "r+b") as f:
        match damage:
            case "cut":
                f.truncate(1_000_000)
            case "flip":
                # Where the records say that pieces lie.
                for start in range(0, 40_000 * 56, 56):
                    f.seek(start + 39)
                    f.write(b"\xff")
            case "empty":
                f.truncate(0)
            case _:
                os.unlink(path)
    again = FileBlobs(root)
    assert again.get(digests[7]) == b"7"
    assert again.has(digests) == set(digests)
    assert list(again.check(digests[:100])) == []


def _bytes_in(root: str) -> int:
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(root) for name in names)


@pytest.mark.parametrize("size", [20, 1 << 20], ids=["in a pack", "in chunks"])
def test_storing_again_what_lies_in_a_pack_keeps_it_from_being_deleted(root: str, size: int) -> None:
    data = NOISE[:size]
    with FileBlobs(root).batch() as batch:
        digest = batch.put(data)
    for at, _, names in os.walk(root):
        for name in names:
            os.utime(os.path.join(at, name), (1.0, 1.0))
    doomed = [blob.digest for blob in FileBlobs(root).list()]
    with FileBlobs(root).batch() as batch:
        batch.put(data)
    assert FileBlobs(root).delete(doomed, before=time.time() - 60) == 0
    assert FileBlobs(root).get(digest) == data


def test_blocks_are_written_whole_though_the_system_takes_few_at_a_time(
    tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = [b"%d," % i for i in range(2500)]
    real_v, real = os.pwritev, os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda fd, given, at: real_v(fd, [b"".join(given)[:700]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: real(fd, data[:501], at))
    path = _written(os.path.join(tmp_path, "f"), b"head")
    fd = os.open(path, os.O_WRONLY)
    files.write_at(fd, blocks, 4)
    os.close(fd)
    with open(path, "rb") as f:
        assert f.read() == b"head" + b"".join(blocks)


@pytest.mark.parametrize("n_blocks", [0, 1, 2, 5])
def test_what_is_written_and_hashed_at_once_is_the_same(tmp_path: "os.PathLike[str]", n_blocks: int) -> None:
    blocks = [random.Random(i).randbytes(300_000) for i in range(n_blocks)]
    fd = os.open(os.path.join(tmp_path, "f"), os.O_RDWR | os.O_CREAT)
    found = files.write_hashed(blocks, fd)
    data = b"".join(blocks)
    assert found == (digest_of(data), len(data))
    assert os.pread(fd, len(data) + 1, 0) == data
    os.close(fd)


def test_a_piece_that_nobody_verified_is_refused_when_it_is_another(blobs: FileBlobs) -> None:
    right, wrong = digest_of(b"right"), digest_of(b"wrong")
    with blobs.batch() as batch:
        batch.add(Piece(right, b"right", 5, is_verified=True))
        with pytest.raises(BlobDamaged):
            batch.add(Piece(wrong, b"right", 5))
    assert blobs.has([right, wrong]) == {right}
    assert all(piece.is_verified for piece in blobs.pieces([right]))
