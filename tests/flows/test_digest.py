"""What is in the workspace, by digest: read once, never trusted longer than it is safe."""

import os
import socket
import time

import pytest

from headway.codec.wire import digest_of
from headway.core.tree import TreeFile, TreeFolder, TreeLink, digest_of_tree, tree_of
from headway.errors import FileMissing, OutputUnreadable
from headway.flows import digest as flow
from headway.flows.digest import digest_path
from headway.flows.listing import changed_ns, list_folder, look_of, seen
from headway.flows.statcache import RACY_NS, StatCache
from headway.testing.folders import write_folder


@pytest.fixture
def root(tmp_path: "os.PathLike[str]") -> str:
    path = os.path.join(os.path.realpath(tmp_path), "project")
    os.mkdir(path)
    return path


@pytest.fixture
def cache(root: str) -> StatCache:
    return StatCache(os.path.join(root, ".headway", "cache", "stat"))


def _write(root: str, path: str, data: bytes, *, old: bool = True) -> str:
    """A file, written long enough ago to be remembered unless `old` is false."""
    place = os.path.join(root, path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    with open(place, "wb") as f:
        f.write(data)
    if old:
        time.sleep(RACY_NS / 1e9 + 0.01)
    return place


class Reads:
    """Counts how often content is really read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        real = flow._hash

        def counted(path: str) -> str:
            self.paths.append(path)
            return real(path)

        monkeypatch.setattr(flow, "_hash", counted)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(monkeypatch)


def test_a_file_is_named_by_its_content(root: str, cache: StatCache) -> None:
    _write(root, "data/a.csv", b"a,b\n", old=False)
    artifact = digest_path(root, "data/a.csv", cache)
    assert (artifact.path, artifact.digest, artifact.kind) == ("data/a.csv", digest_of(b"a,b\n"), "file")
    assert (artifact.size_bytes, artifact.n_files, artifact.executable) == (4, 1, False)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 24) + 1])
def test_files_of_any_size_are_read_whole(root: str, cache: StatCache, size: int) -> None:
    data = os.urandom(size)
    _write(root, "f", data, old=False)
    assert digest_path(root, "f", cache).digest == digest_of(data)


@pytest.mark.parametrize("path", ["./out/", "out", "out/.", "x/../out"])
def test_a_path_is_written_in_one_way(root: str, cache: StatCache, path: str) -> None:
    write_folder(os.path.join(root, "out"), {"f": b"1"})
    assert digest_path(root, path, cache).path == "out"


@pytest.mark.parametrize("path", ["none", "none/f", "f/below a file"])
def test_what_is_not_there_is_missing(root: str, cache: StatCache, path: str) -> None:
    _write(root, "f", b"", old=False)
    with pytest.raises(FileMissing):
        digest_path(root, path, cache)


def test_a_folder_is_named_by_its_tree(root: str, cache: StatCache) -> None:
    write_folder(os.path.join(root, "out"), {"b": b"#!2", "a": {"c": b"1", "empty": {}}, "link": "a/c"})
    artifact = digest_path(root, "out", cache)
    tree = tree_of(
        [
            TreeFile("a/c", digest_of(b"1"), 1),
            TreeFolder("a/empty"),
            TreeFile("b", digest_of(b"#!2"), 3, executable=True),
            TreeLink("link", "a/c"),
        ]
    )
    assert (artifact.digest, artifact.kind) == (digest_of_tree(tree), "tree")
    assert (artifact.size_bytes, artifact.n_files) == (4, 2)


def test_what_tools_leave_beside_the_content_is_passed_over(root: str, cache: StatCache) -> None:
    write_folder(os.path.join(root, "src"), {"a.py": b"1", "below": {}})
    before = digest_path(root, "src", cache)
    for name in ("__pycache__", "below/__pycache__", ".git", ".headway", ".ipynb_checkpoints"):
        _write(root, f"src/{name}/x", b"x", old=False)
    _write(root, "src/.headway-0123.tmp", b"x", old=False)
    assert digest_path(root, "src", cache) == before


@pytest.mark.parametrize("change", ["content", "name", "executable", "new", "gone", "empty folder", "link"])
def test_any_change_of_a_folder_changes_its_digest(root: str, cache: StatCache, change: str) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {"a": b"1", "sub": {"b": b"2"}, "link": "a"})
    before = digest_path(root, "out", cache).digest
    match change:
        case "content":
            _write(root, "out/sub/b", b"3", old=False)
        case "name":
            os.rename(f"{out}/a", f"{out}/c")
        case "executable":
            os.chmod(f"{out}/a", 0o755)
        case "new":
            _write(root, "out/sub/c", b"", old=False)
        case "gone":
            os.unlink(f"{out}/a")
        case "empty folder":
            os.mkdir(f"{out}/sub/c")
        case "link":
            os.unlink(f"{out}/link")
            os.symlink("sub", f"{out}/link")
    assert digest_path(root, "out", cache).digest != before


# --- links and what is neither file nor folder ----------------------------------------------------------------------


def test_a_link_to_a_file_or_folder_is_followed_where_it_is_named(root: str, cache: StatCache) -> None:
    write_folder(os.path.join(root, "real"), {"f": b"1"})
    os.symlink("real", os.path.join(root, "data"))
    os.symlink("real/f", os.path.join(root, "file"))
    assert digest_path(root, "data", cache).digest == digest_path(root, "real", cache).digest
    assert digest_path(root, "file", cache).digest == digest_of(b"1")


def test_content_behind_a_link_that_leads_out_is_part_of_the_digest(root: str, cache: StatCache) -> None:
    write_folder(os.path.join(root, "raw"), {"f": b"1", "more": {"g": b"2"}})
    write_folder(os.path.join(root, "data"), {"f": "../raw/f", "more": "../raw/more", "gone": "../nowhere"})
    before = digest_path(root, "data", cache)
    assert (before.n_files, before.size_bytes) == (2, 2)
    _write(root, "raw/f", b"3", old=False)
    between = digest_path(root, "data", cache)
    _write(root, "raw/more/g", b"4", old=False)
    after = digest_path(root, "data", cache)
    assert len({before.digest, between.digest, after.digest}) == 3


@pytest.mark.parametrize("target", ["..", "../..", "../other"], ids=["above", "far above", "by a detour"])
def test_a_link_to_a_folder_that_holds_it_is_told(root: str, cache: StatCache, target: str) -> None:
    write_folder(os.path.join(root, "other"), {"back": "../data/sub"})
    write_folder(os.path.join(root, "data"), {"sub": {}})
    os.symlink(target, os.path.join(root, "data", "loop"))
    if target == "../other":
        # The way back leads into the folder itself, where links stay links: no loop.
        assert digest_path(root, "data", cache).n_files == 0
        return
    with pytest.raises(OutputUnreadable, match="a link to a folder that holds it"):
        digest_path(root, "data", cache)


@pytest.mark.parametrize("path", ["pipe", "folder"])
def test_a_pipe_is_neither_waited_for_nor_passed_over(root: str, cache: StatCache, path: str) -> None:
    write_folder(os.path.join(root, "folder"), {"f": b"1"})
    os.mkfifo(os.path.join(root, "pipe"))
    os.mkfifo(os.path.join(root, "folder", "pipe"))
    with pytest.raises(OutputUnreadable, match="pipe is a pipe, a socket or a device"):
        digest_path(root, path, cache)


def test_a_socket_is_refused(root: str, cache: StatCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        with pytest.raises(OutputUnreadable, match="s is a pipe, a socket or a device"):
            digest_path(root, "s", cache)


def test_a_device_is_refused(cache: StatCache) -> None:
    with pytest.raises(OutputUnreadable, match="device"):
        digest_path("/", "dev/null", cache)


# --- what is remembered ---------------------------------------------------------------------------------------------


def test_a_file_that_did_not_change_is_read_once(root: str, cache: StatCache, reads: Reads) -> None:
    _write(root, "f", b"1")
    first = digest_path(root, "f", cache)
    assert digest_path(root, "f", cache) == first
    assert len(reads.paths) == 1


def test_of_a_folder_only_what_changed_is_read_again(root: str, cache: StatCache, reads: Reads) -> None:
    write_folder(os.path.join(root, "out"), {str(i): b"%d" % i for i in range(50)})
    _write(root, "out/7", b"x")
    digest_path(root, "out", cache)
    assert len(reads.paths) == 50
    _write(root, "out/7", b"y")
    digest_path(root, "out", cache)
    assert reads.paths[50:] == [os.path.join(root, "out/7")]


def test_a_file_that_was_just_written_is_read_again(root: str, cache: StatCache, reads: Reads) -> None:
    _write(root, "f", b"1", old=False)
    digest_path(root, "f", cache)
    digest_path(root, "f", cache)
    assert len(reads.paths) == 2


def test_a_change_within_one_tick_of_the_clock_is_seen(root: str, cache: StatCache) -> None:
    place = _write(root, "f", b"0", old=False)
    for i in range(200):
        data = b"%d" % (i % 10)
        with open(place, "r+b") as f:
            f.write(data)
        assert digest_path(root, "f", cache).digest == digest_of(data)


@pytest.mark.parametrize("how", ["same time", "same time and size", "another file in its place"])
def test_a_change_that_hides_is_seen(root: str, cache: StatCache, how: str) -> None:
    place = _write(root, "f", b"before")
    digest_path(root, "f", cache)
    status = os.stat(place)
    data = b"hidden" if how != "same time" else b"longer than before"
    if how == "another file in its place":
        os.replace(_write(root, "g", data), place)
    else:
        _write(root, "f", data)
    os.utime(place, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert digest_path(root, "f", cache).digest == digest_of(data)


def test_a_file_whose_time_lies_ahead_is_not_trusted(root: str, cache: StatCache, reads: Reads) -> None:
    place = _write(root, "f", b"1")
    os.utime(place, (time.time() + 3600, time.time() + 3600))
    digest_path(root, "f", cache)
    digest_path(root, "f", cache)
    assert len(reads.paths) == 2


def test_what_was_remembered_is_there_in_the_next_process(root: str, cache: StatCache, reads: Reads) -> None:
    names = ["f", "new\nline", "é", os.fsdecode(b"stray\xff")]
    for name in names:
        _write(root, name, name.encode(errors="surrogateescape"), old=name == names[-1])
    first = [digest_path(root, name, cache) for name in names]
    cache.save()
    again = StatCache.load(os.path.join(root, ".headway", "cache", "stat"))
    assert [digest_path(root, name, again) for name in names] == first
    assert len(reads.paths) == len(names)


def test_nothing_is_written_when_nothing_is_new(root: str, cache: StatCache) -> None:
    cache.save()
    assert not os.path.exists(os.path.join(root, ".headway"))


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "other", "folder"])
def test_a_damaged_memory_is_forgotten(root: str, cache: StatCache, reads: Reads, damage: str) -> None:
    _write(root, "f", b"1")
    artifact = digest_path(root, "f", cache)
    cache.save()
    place = os.path.join(root, ".headway", "cache", "stat")
    with open(place, "rb") as f:
        data = f.read()
    # The digest itself: wrong, a changed file would look unchanged.
    flipped = data.replace(bytes.fromhex(artifact.digest), bytes(32))
    assert flipped != data
    os.unlink(place)
    if damage == "folder":
        os.mkdir(place)
    else:
        with open(place, "wb") as f:
            f.write({"flipped": flipped, "cut": data[:-5], "empty": b"", "other": b"x" * 200}[damage])
    again = StatCache.load(place)
    assert digest_path(root, "f", again) == artifact
    assert len(reads.paths) == 2
    again.save()
    assert os.listdir(os.path.dirname(place)) == ["stat"]


@pytest.mark.parametrize("change", ["content", "time", "right", "name", "new", "gone", "new folder", "moved below"])
def test_any_change_of_a_folder_is_seen_from_outside(root: str, change: str) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {"a": b"1", "sub": {"b": b"2"}})
    before = list_folder(out).mark
    assert before is not None
    assert list_folder(out).mark == before
    match change:
        case "content":
            _write(root, "out/sub/b", b"22", old=False)
        case "time":
            os.utime(f"{out}/sub/b", ns=(0, 0))
        case "right":
            os.chmod(f"{out}/a", 0o755)
        case "name":
            os.rename(f"{out}/a", f"{out}/c")
        case "new":
            _write(root, "out/sub/c", b"", old=False)
        case "gone":
            os.unlink(f"{out}/a")
        case "new folder":
            os.mkdir(f"{out}/sub/c")
        case "moved below":
            os.rename(f"{out}/a", f"{out}/sub/a")
    assert list_folder(out).mark != before


def test_a_folder_with_anything_but_files_has_no_mark(root: str) -> None:
    out = os.path.join(root, "out")
    write_folder(out, {"a": b"1", "link": "a"})
    assert list_folder(out).mark is None


@pytest.mark.parametrize("at_ns", [-(10**18), 15 * 10**18], ids=["before 1970", "after 2262"])
def test_files_of_far_times_are_read(at_ns: int) -> None:
    plain = (0o100644, 1, 0, 1, 0, 0, 7, 0, 0, 0)
    look = look_of(os.stat_result(plain, {"st_mtime_ns": at_ns, "st_ctime_ns": 0}))
    assert seen(look) == (0o100644, 7)
    assert changed_ns(look) == max(0, min(at_ns, 2**63 - 1))


def test_what_nobody_asks_for_any_more_is_dropped_in_time(root: str, cache: StatCache) -> None:
    place = _write(root, "f", b"1")
    look = look_of(os.stat(place))
    for i in range(5000):
        cache.put(f"gone/{i}", look, digest_of(b""), read_ns=time.time_ns())
    cache.save()
    file = os.path.join(root, ".headway", "cache", "stat")
    size = os.path.getsize(file)
    again = StatCache.load(file)
    digest_path(root, "f", again)
    again.save()
    assert os.path.getsize(file) < size / 100


def test_a_file_that_keeps_changing_is_told(root: str, cache: StatCache, monkeypatch: pytest.MonkeyPatch) -> None:
    place = _write(root, "f", b"1", old=False)
    real = flow._hash

    def hash_while_written(path: str) -> str:
        found = real(path)
        with open(place, "ab") as f:
            f.write(b"more")
        return found

    monkeypatch.setattr(flow, "_hash", hash_while_written)
    with pytest.raises(OutputUnreadable, match="f keeps changing while it is read"):
        digest_path(root, "f", cache)


def test_a_file_that_changed_once_is_read_as_it_is_then(
    root: str, cache: StatCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = _write(root, "f", b"1", old=False)
    real = flow._hash
    seen: list[str] = []

    def hash_while_written(path: str) -> str:
        found = real(path)
        if not seen:
            with open(place, "ab") as f:
                f.write(b" more")
        seen.append(found)
        return found

    monkeypatch.setattr(flow, "_hash", hash_while_written)
    artifact = digest_path(root, "f", cache)
    assert (artifact.digest, artifact.size_bytes) == (digest_of(b"1 more"), 6)
