"""Files and folders go into the store and come back as they were, and nothing else is touched."""

import os
import tempfile
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings

from headway.backends.blobs_file import FileBlobs
from headway.backends.blobs_memory import MemoryBlobs
from headway.codec.wire import digest_of
from headway.core.ids import Artifact, Digest
from headway.core.tree import HEAD
from headway.errors import BlobDamaged, BlobMissing, FileMissing, OutputUnreadable
from headway.flows.listing import list_folder
from headway.flows.statcache import RACY_NS
from headway.flows.store import StatCache, digest_path, keep, missing, present, restore
from headway.ports import Tell
from headway.testing.folders import Content, contents, read_folder, write_folder
from tries import tries


class Counting(MemoryBlobs):
    """A store that tells what it was given."""

    __slots__ = ("asked", "stored")

    def __init__(self) -> None:
        super().__init__()
        self.stored: list[bytes] = []
        self.asked = 0

    def put(self, data: bytes) -> Digest:
        if not data.startswith(HEAD):
            self.stored.append(data)
        return super().put(data)

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        self.asked += 1
        return super().has(digests)


@pytest.fixture
def root(tmp_path: "os.PathLike[str]") -> str:
    path = os.path.join(os.path.realpath(tmp_path), "project")
    os.mkdir(path)
    return path


@pytest.fixture
def blobs() -> Counting:
    return Counting()


@pytest.fixture
def cache() -> StatCache:
    return StatCache()


def _write(path: str, data: bytes) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def _read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


FOLDER: Content = {"a": b"1", "sub": {"b": b"#!2", "deep": {"c": b"3"}}, "empty": {}, "link": "sub/b"}


def test_a_file_is_kept_and_restored(root: str, blobs: Counting, cache: StatCache) -> None:
    path = os.path.join(root, "models", "m.pkl")
    _write(path, b"model")
    artifact = keep(blobs, root, "models/m.pkl", cache)
    assert artifact == Artifact(path="models/m.pkl", digest=digest_of(b"model"), size_bytes=5)
    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    assert restore(blobs, artifact, root, cache) == 1
    assert _read(path) == b"model"
    assert restore(blobs, artifact, root, cache) == 0


def test_a_folder_is_kept_and_restored(root: str, blobs: Counting, cache: StatCache) -> None:
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    artifact = keep(blobs, root, "out", cache)
    assert artifact == digest_path(root, "out", cache)
    assert (artifact.kind, artifact.n_files, artifact.size_bytes) == ("tree", 3, 5)
    write_folder(out, {})
    assert restore(blobs, artifact, root, cache) == 5
    assert read_folder(out) == FOLDER
    assert restore(blobs, artifact, root, cache) == 0


@settings(max_examples=tries(25), deadline=None)
@given(contents, contents)
def test_whatever_was_there_a_restored_folder_is_as_it_was_kept(kept: Content, there: Content) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, cache, blobs = os.path.join(folder, "project"), StatCache(), FileBlobs(os.path.join(folder, "blobs"))
        os.mkdir(root)
        out = os.path.join(root, "out")
        write_folder(out, kept)
        artifact = keep(blobs, root, "out", cache)
        write_folder(out, there)
        restore(blobs, artifact, root, cache)
        assert read_folder(out) == kept
        assert digest_path(root, "out", cache) == artifact
        assert os.listdir(root) == ["out"]


@pytest.mark.parametrize("name", [b"new\nline", b"tab\t", b"stray\xff\xfe", b"50%", b"%FF", b"\xc3\xa9", b" ", b"-rf"])
def test_odd_names_come_back(root: str, blobs: Counting, cache: StatCache, name: bytes) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {os.fsdecode(name): b"1", "below": {os.fsdecode(name): {os.fsdecode(name): b"2"}}})
    os.symlink(name, os.path.join(os.fsencode(out), b"link"))
    before = read_folder(out)
    artifact = keep(blobs, root, "out", cache)
    write_folder(out, {})
    restore(blobs, artifact, root, cache)
    assert read_folder(out) == before


def test_only_what_is_not_in_the_store_is_stored(root: str, blobs: Counting, cache: StatCache) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {str(i): b"%d" % i for i in range(20)})
    os.utime(out)
    time.sleep(0.07)
    keep(blobs, root, "out", cache)
    blobs.stored.clear()
    keep(blobs, root, "out", cache)
    assert blobs.stored == []
    _write(os.path.join(out, "7"), b"new")
    keep(blobs, root, "out", cache)
    assert blobs.stored == [b"new"]


def test_the_store_is_asked_once_for_a_whole_folder(root: str, blobs: Counting, cache: StatCache) -> None:
    write_folder(os.path.join(root, "out"), {str(i): b"%d" % i for i in range(20)})
    keep(blobs, root, "out", cache)
    assert blobs.asked == 0
    os.unlink(os.path.join(root, "out", "7"))
    keep(blobs, root, "out", cache)
    assert blobs.asked <= 1


def test_what_is_remembered_but_gone_from_the_store_is_stored_again(
    root: str, blobs: Counting, cache: StatCache
) -> None:
    _write(os.path.join(root, "f"), b"1")
    time.sleep(0.07)
    artifact = keep(blobs, root, "f", cache)
    blobs.delete([artifact.digest], before=4e9)
    assert keep(blobs, root, "f", cache) == artifact
    assert present(blobs, artifact)


def test_what_is_not_there_cannot_be_kept(root: str, blobs: Counting, cache: StatCache) -> None:
    with pytest.raises(FileMissing, match=r"models/m\.pkl is not there"):
        keep(blobs, root, "models/m.pkl", cache)


def test_a_pipe_in_a_folder_is_not_kept(root: str, blobs: Counting, cache: StatCache) -> None:
    write_folder(os.path.join(root, "out"), FOLDER)
    os.mkfifo(os.path.join(root, "out", "pipe"))
    with pytest.raises(OutputUnreadable, match="out/pipe is a pipe"):
        keep(blobs, root, "out", cache)


# --- only what differs ----------------------------------------------------------------------------------------------


def test_files_that_are_right_are_not_written_again(root: str, blobs: Counting, cache: StatCache) -> None:
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    artifact = keep(blobs, root, "out", cache)
    inode = os.stat(os.path.join(out, "sub", "b")).st_ino
    _write(os.path.join(out, "a"), b"changed")
    _write(os.path.join(out, "extra", "x"), b"")
    assert restore(blobs, artifact, root, cache) == 2
    assert os.stat(os.path.join(out, "sub", "b")).st_ino == inode
    assert read_folder(out) == FOLDER


@pytest.mark.parametrize("path", ["out", "out/sub/b"], ids=["folder", "file"])
def test_a_lost_executable_bit_is_set_without_writing_again(
    root: str, blobs: Counting, cache: StatCache, path: str
) -> None:
    write_folder(os.path.join(root, "out"), FOLDER)
    artifact = keep(blobs, root, path, cache)
    place = os.path.join(root, "out", "sub", "b")
    inode = os.stat(place).st_ino
    os.chmod(place, 0o640)
    assert restore(blobs, artifact, root, cache) == 1
    assert (os.stat(place).st_ino, os.stat(place).st_mode & 0o777) == (inode, 0o750)


def test_an_executable_bit_too_many_is_taken_away(root: str, blobs: Counting, cache: StatCache) -> None:
    path = os.path.join(root, "f")
    _write(path, b"data")
    artifact = keep(blobs, root, "f", cache)
    os.chmod(path, 0o755)
    assert restore(blobs, artifact, root, cache) == 1
    assert os.stat(path).st_mode & 0o111 == 0


def test_a_pipe_in_a_restored_folder_goes_as_all_that_does_not_belong(
    root: str, blobs: Counting, cache: StatCache
) -> None:
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    artifact = keep(blobs, root, "out", cache)
    os.mkfifo(os.path.join(out, "pipe"))
    assert restore(blobs, artifact, root, cache) == 1
    assert read_folder(out) == FOLDER


def test_what_tools_left_stays_but_does_not_stand_in_the_way(root: str, blobs: Counting, cache: StatCache) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {"a": b"1", "b": {}})
    artifact = keep(blobs, root, "out", cache)
    write_folder(out, {"__pycache__": {"x": b"1"}, "gone": {"__pycache__": {"y": b"2"}}, "b": {"__pycache__": {}}})
    restore(blobs, artifact, root, cache)
    assert read_folder(out) == {"a": b"1", "b": {"__pycache__": {}}, "__pycache__": {"x": b"1"}}


# --- what must not be touched ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["", ".", "..", "../x", "/etc/x", "a/../../x", "a/../x", "./a", "a//b", ".git/hooks/x", ".headway/log", "a/.git/x"],
)
@pytest.mark.parametrize("kind", ["file", "tree"])
def test_a_path_that_is_no_place_for_an_output_is_refused(
    root: str, blobs: Counting, cache: StatCache, path: str, kind: str
) -> None:
    digest = blobs.put(b"x" if kind == "file" else HEAD)
    artifact = Artifact(path=path, digest=digest, kind="tree" if kind == "tree" else "file")
    with pytest.raises(OutputUnreadable, match="not a place in the project"):
        restore(blobs, artifact, root, cache)
    assert os.listdir(root) == []
    assert os.listdir(os.path.dirname(root)) == ["project"]


def test_a_folder_behind_a_link_is_not_restored(root: str, blobs: Counting, cache: StatCache) -> None:
    shared: Content = {"of": b"others"}
    write_folder(os.path.join(root, "..", "shared"), shared)
    write_folder(os.path.join(root, "out"), FOLDER)
    artifact = keep(blobs, root, "out", cache)
    os.rename(os.path.join(root, "out"), os.path.join(root, "moved"))
    os.symlink("../shared", os.path.join(root, "out"))
    with pytest.raises(OutputUnreadable, match="out is a link"):
        restore(blobs, artifact, root, cache)
    assert read_folder(os.path.join(root, "..", "shared")) == shared


def test_links_in_a_folder_are_replaced_not_followed(root: str, blobs: Counting, cache: StatCache) -> None:
    outside: Content = {"a": b"keep", "b": b"keep", "deep": {"c": b"keep", "mine": b"keep"}}
    write_folder(os.path.join(root, "..", "outside"), outside)
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    artifact = keep(blobs, root, "out", cache)
    write_folder(out, {"a": "../../outside/a", "sub": "../../outside", "empty": "../../outside/deep"})
    restore(blobs, artifact, root, cache)
    assert read_folder(out) == FOLDER
    assert read_folder(os.path.join(root, "..", "outside")) == outside


def test_a_file_behind_a_link_is_replaced_not_written_through(root: str, blobs: Counting, cache: StatCache) -> None:
    _write(os.path.join(root, "m.pkl"), b"model")
    artifact = keep(blobs, root, "m.pkl", cache)
    _write(os.path.join(root, "..", "outside"), b"keep")
    os.unlink(os.path.join(root, "m.pkl"))
    os.symlink("../outside", os.path.join(root, "m.pkl"))
    restore(blobs, artifact, root, cache)
    assert _read(os.path.join(root, "m.pkl")) == b"model"
    assert _read(os.path.join(root, "..", "outside")) == b"keep"


@pytest.mark.parametrize(
    "lines",
    [
        '["file","../evil","{}",1,false]',
        '["file","/tmp/evil","{}",1,false]',
        '["link","a","/tmp"]\n["file","a/evil","{}",1,false]',
        '["file",".git/hooks/evil","{}",1,true]',
        '["file","sub/.headway/evil","{}",1,true]',
    ],
)
def test_a_tree_made_to_do_harm_is_refused_before_anything_is_touched(
    root: str, blobs: Counting, cache: StatCache, lines: str
) -> None:
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    tree = blobs.put(HEAD + lines.format(blobs.put(b"!")).encode() + b"\n")
    with pytest.raises(BlobDamaged):
        restore(blobs, Artifact(path="out", digest=tree, kind="tree"), root, cache)
    assert read_folder(out) == FOLDER


def test_a_folder_of_which_a_file_is_missing_is_left_alone(root: str, blobs: Counting, cache: StatCache) -> None:
    out = os.path.join(root, "out")
    write_folder(out, FOLDER)
    artifact = keep(blobs, root, "out", cache)
    there: Content = {"mine": b"x"}
    write_folder(out, there)
    blobs.delete([digest_of(b"3")], before=4e9)
    with pytest.raises(BlobMissing, match="sub/deep/c"):
        restore(blobs, artifact, root, cache)
    assert read_folder(out) == there


def test_a_damaged_blob_leaves_the_file_that_is_there(root: str, blobs: Counting, cache: StatCache) -> None:
    path = os.path.join(root, "f")
    _write(path, b"kept")
    artifact = keep(blobs, root, "f", cache)
    _write(path, b"there")
    blobs.damage(artifact.digest)
    with pytest.raises(BlobDamaged):
        restore(blobs, artifact, root, cache)
    assert _read(path) == b"there"
    assert os.listdir(root) == ["f"]


def test_a_full_folder_does_not_give_way_to_a_file(root: str, blobs: Counting, cache: StatCache) -> None:
    path = os.path.join(root, "x")
    _write(path, b"1")
    artifact = keep(blobs, root, "x", cache)
    os.unlink(path)
    write_folder(path, {"mine": b"x"})
    with pytest.raises(OutputUnreadable, match="x cannot be put in place"):
        restore(blobs, artifact, root, cache)
    assert read_folder(path) == {"mine": b"x"}
    write_folder(path, {})
    assert restore(blobs, artifact, root, cache) == 1
    assert _read(path) == b"1"


def test_a_file_does_not_give_way_to_a_folder(root: str, blobs: Counting, cache: StatCache) -> None:
    path = os.path.join(root, "x")
    write_folder(path, FOLDER)
    artifact = keep(blobs, root, "x", cache)
    write_folder(path, {})
    os.rmdir(path)
    _write(path, b"mine")
    with pytest.raises(OutputUnreadable, match="x cannot be put in place"):
        restore(blobs, artifact, root, cache)
    assert _read(path) == b"mine"


# --- what the store has ---------------------------------------------------------------------------------------------


def test_what_lacks_a_part_is_missing_as_a_whole(root: str, blobs: Counting, cache: StatCache) -> None:
    write_folder(os.path.join(root, "one"), {"a": b"1", "b": b"2"})
    write_folder(os.path.join(root, "two"), {"a": b"1"})
    _write(os.path.join(root, "file"), b"3")
    one, two, file = (keep(blobs, root, path, cache) for path in ("one", "two", "file"))
    assert missing(blobs, [one, two, file]) == set()
    blobs.delete([digest_of(b"2")], before=4e9)
    assert missing(blobs, [one, two, file]) == {one.digest}
    blobs.delete([two.digest], before=4e9)
    blobs.delete([file.digest], before=4e9)
    assert missing(blobs, [one, two, file]) == {one.digest, two.digest, file.digest}
    assert not present(blobs, file)


def test_a_damaged_tree_counts_as_missing(root: str, blobs: Counting, cache: StatCache) -> None:
    write_folder(os.path.join(root, "out"), FOLDER)
    artifact = keep(blobs, root, "out", cache)
    blobs.damage(artifact.digest)
    assert missing(blobs, [artifact]) == {artifact.digest}


def test_an_empty_folder_can_be_kept(root: str, blobs: Counting, cache: StatCache) -> None:
    write_folder(os.path.join(root, "out"), {})
    artifact = keep(blobs, root, "out", cache)
    os.rmdir(os.path.join(root, "out"))
    restore(blobs, artifact, root, cache)
    assert read_folder(os.path.join(root, "out")) == {}
    assert present(blobs, artifact)


def test_a_folder_that_was_restored_is_not_read_again(root: str, tmp_path: "os.PathLike[str]") -> None:
    blobs, cache = FileBlobs(os.path.join(tmp_path, "blobs")), StatCache(os.path.join(tmp_path, "stat"))
    write_folder(os.path.join(root, "out"), {str(i): b"%d" % i for i in range(80)})
    artifact = keep(blobs, root, "out", StatCache())
    os.rename(os.path.join(root, "out"), os.path.join(tmp_path, "away"))
    restore(blobs, artifact, root, cache)
    cache.save()
    again = StatCache.load(os.path.join(tmp_path, "stat"))
    listing = list_folder(os.path.join(root, "out"))
    assert listing.mark is not None
    assert again.folder("out", listing.mark) == artifact
    assert again.get("out/7", listing.files["7"]) == digest_of(b"7")
    assert digest_path(root, "out", again) == artifact
    _write(os.path.join(root, "out", "7"), b"8")
    assert digest_path(root, "out", again) != artifact


def test_what_a_killed_restore_left_is_used_and_mended(root: str, blobs: Counting, cache: StatCache) -> None:
    os.mkdir(os.path.join(root, "sub"))
    write_folder(os.path.join(root, "sub", "out"), FOLDER)
    artifact = keep(blobs, root, "sub/out", cache)
    os.rename(os.path.join(root, "sub", "out"), os.path.join(root, "sub", "before"))
    seen: list[str] = []

    class Killed(Counting):
        def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
            super().fetch_all(wanted[:1])
            _write(wanted[1][1], b"half")
            seen.append(os.path.dirname(wanted[0][1]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(_copied(blobs, Killed()), artifact, root, cache)
    assert os.listdir(seen[0])
    assert not os.path.exists(os.path.join(root, "sub", "out"))
    restore(blobs, artifact, root, cache)
    assert read_folder(os.path.join(root, "sub", "out")) == read_folder(os.path.join(root, "sub", "before"))
    assert sorted(os.listdir(os.path.join(root, "sub"))) == ["before", "out"]


def _copied(source: Counting, target: Counting) -> Counting:
    for blob in source.list():
        target.put(source.get(blob.digest))
    return target


@pytest.mark.parametrize("path", ["out", "out/7"], ids=["folder", "file"])
@pytest.mark.parametrize("is_remembered", [True, False])
def test_what_is_relied_on_again_is_young_again(root: str, path: str, is_remembered: bool) -> None:
    blobs, cache = FileBlobs(os.path.join(root, "blobs")), StatCache()
    write_folder(os.path.join(root, "out"), {str(i): b"%d" % i for i in range(80)})
    time.sleep(2 * RACY_NS / 1e9)
    keep(blobs, root, path, cache)
    for at, _, names in os.walk(os.path.join(root, "blobs")):
        for name in names:
            os.utime(os.path.join(at, name), (1, 1))
    assert {blob.at for blob in blobs.list()} == {1}
    keep(FileBlobs(os.path.join(root, "blobs")), root, path, cache if is_remembered else StatCache())
    assert min(blob.at for blob in blobs.list()) > 1
