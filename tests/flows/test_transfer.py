"""Content goes from store to store: only what is lacking, what names the rest last, damage and loss told by name."""

import os
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self, cast

import pytest

from headway.backends import connect
from headway.backends.blobs_file import FileBlobs
from headway.backends.blobs_memory import MemoryBlobs
from headway.core.ids import Artifact, Digest
from headway.errors import BlobMissing, RemoteUnreachable
from headway.flows import transfer
from headway.flows.needed import Needed
from headway.flows.statcache import StatCache
from headway.flows.store import keep, missing, restore, tree_in
from headway.flows.verify import verify
from headway.ports import Batch, Blobs, Piece
from headway.testing.folders import Content, write_folder

NOISE = random.Random(5).randbytes(3_000_000)

SHAPE: Content = {"a.bin": NOISE, "few": {f"{i}": b"%d" % i for i in range(300)}, "same": b"7", "empty": b"", "dir": {}}


def memory(_root: Path) -> Blobs:
    return MemoryBlobs()


def file(root: Path) -> Blobs:
    return FileBlobs(str(root))


def bucket(root: Path) -> Blobs:
    return cast("Blobs", connect("blobs", f"bucket:{root}", {}))


Make = Callable[[Path], Blobs]
STORES = [memory, file, bucket]


def kept(blobs: Blobs, folder: Path, name: str = "data", shape: Content | None = None) -> Artifact:
    write_folder(str(folder / name), SHAPE if shape is None else shape)
    artifact = keep(blobs, str(folder), name, StatCache())
    blobs.sync()
    return artifact


def wanted(*artifacts: Artifact, digests: Sequence[Digest] = ()) -> Needed:
    found = transfer.artifacts((artifact, f"dataset {artifact.path}@1") for artifact in artifacts)
    for digest in digests:
        found.digest(digest, "how run 1 came about")
    return found


def content(blobs: Blobs, artifact: Artifact) -> dict[str, bytes]:
    return {one.path: blobs.get(one.digest) for one in tree_in(blobs, artifact.digest).files}


@pytest.mark.parametrize("remote", STORES)
@pytest.mark.parametrize("local", STORES)
def test_what_was_sent_comes_back_byte_for_byte(local: Make, remote: Make, tmp_path: Path) -> None:
    here, there, other = local(tmp_path / "here"), remote(tmp_path / "there"), local(tmp_path / "other")
    artifact = kept(here, tmp_path)
    plan = here.put(b"plan")
    sent = transfer.send(here, there, wanted(artifact, digests=[plan]))
    assert (sent.n_artifacts, sent.n_new, sent.lost) == (1, 1, ())
    assert content(there, artifact) == content(here, artifact)
    brought = transfer.bring(there, other, wanted(artifact, digests=[plan]))
    assert brought.lost == ()
    assert content(other, artifact) == content(here, artifact)
    assert other.get(plan) == b"plan"
    assert list(other.check([blob.digest for blob in other.list()])) == []


@pytest.mark.parametrize("remote", STORES)
def test_nothing_goes_twice(remote: Make, tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), remote(tmp_path / "there")
    artifact = kept(here, tmp_path)
    transfer.send(here, there, wanted(artifact))
    again = transfer.send(here, there, wanted(artifact))
    assert (again.n_artifacts, again.n_new, again.n_pieces, again.n_bytes) == (1, 0, 0, 0)


def test_of_a_large_file_only_what_changed_goes(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    transfer.send(here, there, wanted(kept(here, tmp_path)))
    (tmp_path / "data" / "a.bin").write_bytes(NOISE[:1_500_000] + b"one more row" + NOISE[1_500_000:])
    changed = keep(here, str(tmp_path), "data", StatCache())
    sent = transfer.send(here, there, wanted(changed))
    assert sent.n_bytes < 600_000
    assert content(there, changed) == content(here, changed)


def test_a_single_file_goes_as_well(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    for name, data in (("small", b"x"), ("large", NOISE)):
        (tmp_path / name).write_bytes(data)
        artifact = keep(here, str(tmp_path), name, StatCache())
        transfer.send(here, there, wanted(artifact))
        assert there.get(artifact.digest) == data


@pytest.mark.parametrize("is_here", [True, False], ids=["what is here", "what a colleague sent"])
def test_what_a_push_relies_on_is_young_again(is_here: bool, tmp_path: Path) -> None:
    here, there, other = file(tmp_path / "here"), bucket(tmp_path / "there"), file(tmp_path / "other")
    artifact = kept(here, tmp_path)
    transfer.send(here, there, wanted(artifact))
    grow_old(tmp_path / "there")
    stored = {blob.digest for blob in there.list()}
    again = transfer.send(here if is_here else other, bucket(tmp_path / "there"), wanted(artifact))
    assert (again.n_pieces, again.lost) == (0, ())
    collector = bucket(tmp_path / "there")
    assert collector.delete(stored, before=time.time() - 3600) == 0
    assert collector.has(sorted(stored)) == stored


def test_without_a_push_old_content_is_collected(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    artifact = kept(here, tmp_path)
    transfer.send(here, there, wanted(artifact))
    grow_old(tmp_path / "there")
    stored = {blob.digest for blob in there.list()}
    assert transfer.bring(there, file(tmp_path / "other"), wanted(artifact)).lost == ()
    assert bucket(tmp_path / "there").delete(stored, before=time.time() - 3600) > 0


def test_pushes_on_one_day_make_nothing_younger(tmp_path: Path) -> None:
    here = file(tmp_path / "here")
    artifact = kept(here, tmp_path)
    transfer.send(here, bucket(tmp_path / "there"), wanted(artifact))
    objects = sorted((tmp_path / "there").rglob("*"))
    transfer.send(here, bucket(tmp_path / "there"), wanted(artifact))
    assert sorted((tmp_path / "there").rglob("*")) == objects


def grow_old(root: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (1.0, 1.0))


class Watched:
    """A store that notes what is put into it, and can fail."""

    def __init__(self, blobs: Blobs, *, fails_at: int = 10**9) -> None:
        self._blobs = blobs
        self._fails_at = fails_at
        self.noted: list[Piece] = []
        self.n_batches = 0

    # Any: whatever the store has.
    def __getattr__(self, name: str) -> object:
        return getattr(self._blobs, name)

    def batch(self) -> "_Noting":
        self.n_batches += 1
        return _Noting(self)


class _Noting:
    def __init__(self, store: Watched) -> None:
        self._store = store
        self._context = store._blobs.batch()

    def __enter__(self) -> Self:
        self._batch: Batch = self._context.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(*error)  # type: ignore[arg-type] # handed through

    def add(self, piece: Piece) -> None:
        if len(self._store.noted) == self._store._fails_at:
            raise RemoteUnreachable("the line broke", at="test", remedy="try again")
        self._batch.add(piece)
        self._store.noted.append(piece)


def test_pieces_go_before_lists_and_the_list_of_a_folder_last(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), Watched(MemoryBlobs())
    artifact = kept(here, tmp_path)
    transfer.send(here, cast("Blobs", there), wanted(artifact))
    kinds = [piece.is_list for piece in there.noted[:-1]]
    assert kinds == sorted(kinds)
    assert sum(kinds) == 1
    assert there.noted[-1].digest == artifact.digest


@pytest.mark.parametrize("at", [0, 1, 100, 320])
def test_what_broke_off_is_not_seen_and_goes_on_where_it_was(at: int, tmp_path: Path) -> None:
    here, store = file(tmp_path / "here"), bucket(tmp_path / "there")
    artifact = kept(here, tmp_path)
    with pytest.raises(RemoteUnreachable):
        transfer.send(here, cast("Blobs", Watched(store, fails_at=at)), wanted(artifact))
    assert missing(store, [artifact])
    rest = Watched(store)
    transfer.send(here, cast("Blobs", rest), wanted(artifact))
    whole = transfer.send(here, memory(tmp_path), wanted(artifact))
    assert len(rest.noted) == whole.n_pieces - at
    assert content(store, artifact) == content(here, artifact)


def test_a_batch_ends_every_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "EVERY_BYTES", 1_000_000)
    here, there = file(tmp_path / "here"), Watched(bucket(tmp_path / "there"))
    transfer.send(here, cast("Blobs", there), wanted(kept(here, tmp_path)))
    assert there.n_batches == 3


def test_many_artifacts_are_looked_at_a_group_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_AT_ONCE", 250)
    here, there = file(tmp_path / "here"), Watched(bucket(tmp_path / "there"))
    found = [kept(here, tmp_path, f"d{i}", {f"{j}": b"%d of %d" % (j, i) for j in range(100)}) for i in range(7)]
    sent = transfer.send(here, cast("Blobs", there), wanted(*found))
    assert (sent.n_new, sent.n_pieces, there.n_batches) == (7, 707, 1)
    assert all(content(bucket(tmp_path / "there"), one) == content(here, one) for one in found)


def test_progress_is_told_up_to_the_end(tmp_path: Path) -> None:
    here, told = file(tmp_path / "here"), list[transfer.Progress]()
    sent = transfer.send(here, memory(tmp_path), wanted(kept(here, tmp_path)), told.append)
    assert [one.n_done for one in told] == list(range(1, sent.n_pieces + 1))
    assert {one.n_due for one in told} == {sent.n_pieces}
    assert told[-1].n_bytes == sent.n_bytes


# --- loss and damage --------------------------------------------------------------------------------------------


def forget(blobs: Blobs, *digests: Digest) -> None:
    blobs.delete(digests, before=4e9)


def test_what_neither_has_is_told_and_all_else_is_sent(tmp_path: Path) -> None:
    here, there = MemoryBlobs(), bucket(tmp_path / "there")
    good, bad = kept(here, tmp_path, "good"), kept(here, tmp_path, "bad", {"x": b"lost", "y": b"kept"})
    gone = next(one.digest for one in tree_in(here, bad.digest).files if one.path == "x")
    forget(here, gone)
    sent = transfer.send(here, there, wanted(bad, good))
    assert [(one.path, one.digest) for one in sent.lost] == [("bad", gone)]
    assert content(there, good)
    assert there.has([bad.digest]) == set()
    with pytest.raises(BlobMissing, match="bad"):
        transfer.see_whole(sent, remedy="try elsewhere")


def test_what_the_remote_has_need_not_be_here(tmp_path: Path) -> None:
    here, there = MemoryBlobs(), bucket(tmp_path / "there")
    theirs, ours = kept(here, tmp_path, "theirs"), kept(here, tmp_path, "ours", {"new": b"new"})
    transfer.send(here, there, wanted(theirs))
    clone = MemoryBlobs()
    transfer.bring(here, clone, wanted(ours))
    sent = transfer.send(clone, there, wanted(theirs, ours))
    assert (sent.n_new, sent.lost) == (1, ())


def test_a_lost_list_of_a_folder_is_told(tmp_path: Path) -> None:
    here = MemoryBlobs()
    artifact = kept(here, tmp_path)
    forget(here, artifact.digest)
    (lost,) = transfer.send(here, bucket(tmp_path / "there"), wanted(artifact)).lost
    assert (lost.path, lost.digest) == ("data", artifact.digest)


def test_a_damaged_piece_is_told_and_all_else_is_sent(tmp_path: Path) -> None:
    here, there = MemoryBlobs(), bucket(tmp_path / "there")
    good, bad = kept(here, tmp_path, "good"), kept(here, tmp_path, "bad", {f"{i}": b"bad %d" % i for i in range(50)})
    wrong = next(one.digest for one in tree_in(here, bad.digest).files if one.path == "31")
    here.damage(wrong)
    sent = transfer.send(here, there, wanted(bad, good))
    assert [(one.path, one.digest) for one in sent.lost] == [("bad", wrong)]
    assert content(there, good)
    assert there.has([bad.digest]) == set()
    assert len(there.has([one.digest for one in tree_in(here, bad.digest).files])) == 49


def test_a_damaged_chunk_here_comes_back_with_the_next_fetch(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    artifact = kept(here, tmp_path)
    transfer.send(here, there, wanted(artifact))
    clone = file(tmp_path / "clone")
    transfer.bring(there, clone, wanted(artifact))
    (pack,) = [path for path in (tmp_path / "clone" / "packs").iterdir() if path.stat().st_size > 1_000_000]
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o644)
    pack.write_bytes(data)
    assert list(clone.check([blob.digest for blob in clone.list()]))
    healed = transfer.bring(there, clone, wanted(artifact))
    assert 0 < healed.n_pieces < 10
    assert content(clone, artifact) == content(here, artifact)


class Lying:
    """A store whose lists name something else, the first so many times."""

    def __init__(self, blobs: Blobs, times: int) -> None:
        self._blobs = blobs
        self._times = times

    def __getattr__(self, name: str) -> object:
        return getattr(self._blobs, name)

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        for piece in self._blobs.pieces(digests):
            if piece.is_list and self._times:
                self._times -= 1
                yield Piece(piece.digest, piece.data[36:72] + piece.data[:36] + piece.data[72:], piece.size_bytes, True)
            else:
                yield piece


def test_a_list_that_was_changed_on_its_way_is_asked_for_again(tmp_path: Path) -> None:
    there, here = file(tmp_path / "there"), file(tmp_path / "here")
    artifact = kept(there, tmp_path)
    assert transfer.bring(cast("Blobs", Lying(there, 2)), here, wanted(artifact)).lost == ()
    assert content(here, artifact) == content(there, artifact)


def test_a_list_that_stays_wrong_is_never_kept(tmp_path: Path) -> None:
    there, here = file(tmp_path / "there"), file(tmp_path / "here")
    artifact = kept(there, tmp_path)
    (lost,) = transfer.bring(cast("Blobs", Lying(there, 10**9)), here, wanted(artifact)).lost
    assert lost.path == "data"
    assert here.has([lost.digest, artifact.digest]) == set()


def test_nothing_is_asked_of_a_remote_when_all_is_here(tmp_path: Path) -> None:
    here = file(tmp_path / "here")
    artifact = kept(here, tmp_path)
    # No such port: asked anything, it would take a minute and fail.
    there = cast("Blobs", connect("blobs", "s3://nowhere/x", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}))
    assert transfer.bring(there, here, wanted(artifact)).n_pieces == 0


def test_a_flipped_bit_is_healed_by_the_chunk_that_it_is_in(tmp_path: Path) -> None:
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    artifact = kept(here, tmp_path)
    transfer.send(here, there, wanted(artifact))
    (large,) = [p for p in (tmp_path / "here").rglob("*") if p.is_file() and p.stat().st_size == len(NOISE)]
    data = bytearray(large.read_bytes())
    data[1_000_000] ^= 4
    large.chmod(0o644)
    large.write_bytes(data)
    (fault,) = verify(here, wanted(artifact), remote=there).faults
    assert (fault.what, fault.is_healed) == ("damaged", True)
    assert verify(here, wanted(artifact)).faults == ()
    restore(here, artifact, str(tmp_path / "out"), StatCache())
    assert (tmp_path / "out" / "data" / "a.bin").read_bytes() == NOISE


def test_faults_are_told_also_when_the_remote_does_not_answer(tmp_path: Path) -> None:
    class Silent(MemoryBlobs):
        def has(self, digests: Sequence[Digest]) -> set[Digest]:
            raise RemoteUnreachable("nobody answers", at="s3://team", remedy="see the network")

    here = MemoryBlobs()
    artifact = kept(here, tmp_path)
    forget(here, artifact.digest)
    done = verify(here, wanted(artifact), remote=Silent())
    assert [(fault.digest, fault.is_healed) for fault in done.faults] == [(artifact.digest, False)]
    assert "nobody answers" in done.trouble


@pytest.mark.slow
def test_memory_is_bounded_whatever_the_size(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as f:
        for _ in range(20):
            f.write(os.urandom(50 << 20))
    here, there = file(tmp_path / "here"), bucket(tmp_path / "there")
    artifact = keep(here, str(tmp_path), "large", StatCache())
    tracemalloc.start()
    try:
        transfer.send(here, there, wanted(artifact))
        transfer.bring(there, file(tmp_path / "other"), wanted(artifact))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 << 20
