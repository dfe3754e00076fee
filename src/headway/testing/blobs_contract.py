"""What every store of blobs must do: subclass `BlobsContract` in a test file, and say how yours is made. Needs pytest.

`stateful` adds a machine that compares a store with a plain dict over many random steps.
"""

import math
import os
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

import pytest

from headway.codec import pack
from headway.codec.wire import digest_of
from headway.core.ids import Digest
from headway.errors import BlobDamaged, BlobMissing, HeadwayError
from headway.ports import Blobs, Piece

ABSENT = Digest("0" * 64)
"""Nobody knows content of this digest."""

LATER = 4e9
"""A time that no blob of a test is stored after."""

NOISE = random.Random(3).randbytes(3 << 20)  # noqa: S311 (the same in each run)
"""More than one piece, and not to be compressed."""

CONTENTS = [b"", b"\0", b"abc\n", "é".encode(), bytes(range(256)) * 17, b"y" * ((1 << 21) + 1), NOISE]


def _written(path: str, data: bytes) -> str:
    with open(path, "wb") as f:
        f.write(data)
    return path


def _read(path: str) -> bytes:
    with open(path, "rb") as f:
        return f.read()


class BlobsContract(ABC):
    """What holds for every store of blobs. Override `make`; and `damage`, where one can."""

    @abstractmethod
    def make(self, root: str) -> Blobs:
        """A store; those made with the same `root` are the same store, met by another process as it were."""

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

    def test_a_part_of_the_content_can_be_had(self, blobs: Blobs, folder: str) -> None:
        for data in (b"", b"abc" * 999, NOISE):
            for digest in (blobs.put_file(_written(os.path.join(folder, "f"), data), move=True)[0], blobs.put(data)):
                for start, n in ((0, 10), (0, len(data)), (len(data) // 3, len(data) // 2), (len(data), 1)):
                    assert blobs.slice(digest, start, n) == data[start : start + n]

    @pytest.mark.parametrize("data", CONTENTS, ids=len)
    def test_content_is_written_to_a_file(self, blobs: Blobs, folder: str, data: bytes) -> None:
        path = os.path.join(folder, "f")
        blobs.fetch(blobs.put(data), path)
        assert _read(path) == data
        assert os.listdir(folder) == ["f"]

    def test_many_are_written_at_once(self, blobs: Blobs, folder: str) -> None:
        with blobs.batch() as batch:
            wanted = [(batch.put(data), os.path.join(folder, f"{i}"), i % 2 == 1) for i, data in enumerate(CONTENTS)]
        wanted.append((blobs.put(b"alone"), os.path.join(folder, "alone"), False))
        wanted.append((wanted[2][0], os.path.join(folder, "again"), True))
        heard: list[int] = []
        blobs.fetch_all(wanted, heard.append)
        assert sum(heard) == len(wanted)
        assert [_read(path) for _, path, _ in wanted] == [*CONTENTS, b"alone", CONTENTS[2]]
        assert [bool(os.stat(path).st_mode & 0o100) for _, path, _ in wanted] == [it for *_, it in wanted]
        with pytest.raises(BlobMissing):
            blobs.fetch_all([(ABSENT, os.path.join(folder, "absent"), False)], heard.append)
        assert sum(heard) == len(wanted)
        assert not os.path.exists(os.path.join(folder, "absent"))

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
        # Besides, there are the pieces of large ones.
        assert {b.digest: b.size_bytes for b in found}.items() >= digests.items()
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
        for read in (blobs.get, lambda it: blobs.slice(it, 0, 1), lambda it: blobs.fetch(it, f"{folder}/f")):
            with pytest.raises(BlobMissing):
                read(ABSENT)
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
        assert blobs.delete([digest], before=LATER) > 0
        assert blobs.delete([digest, ABSENT], before=LATER) == 0
        assert blobs.has([digest, kept]) == {kept}
        with pytest.raises(BlobMissing):
            blobs.get(digest)
        blobs.sync()
        assert blobs.put(b"abc") == digest
        assert blobs.get(digest) == b"abc"

    def test_what_was_stored_since_is_not_deleted(self, blobs: Blobs) -> None:
        digest = blobs.put(b"abc")
        assert blobs.delete([digest], before=time.time() - 60) == 0
        assert blobs.get(digest) == b"abc"

    def test_what_somebody_relies_on_counts_as_stored_now(self, blobs: Blobs) -> None:
        # Before and after a whole second, as some stores tell no less; a little more, for clocks of files are coarse.
        with blobs.batch() as batch:
            digests = [blobs.put(b"alone"), batch.put(b"in a pack"), batch.put(NOISE)]
        digests += [part for _, parts in blobs.parts(digests) for part in parts]
        mark = math.ceil(time.time() + 0.05)
        time.sleep(mark + 0.05 - time.time())
        assert blobs.renew([*digests, ABSENT], before=mark) == set(digests)
        assert blobs.delete(digests, before=mark) == 0
        assert blobs.get(digests[2]) == NOISE

    def test_what_is_young_enough_is_not_made_younger(self, blobs: Blobs) -> None:
        digest = blobs.put(b"abc")
        with blobs.batch() as batch:
            packed = batch.put(b"other")
        ages = {one.digest: one.at for one in blobs.list()}
        time.sleep(0.01)
        assert blobs.renew([digest, packed], before=time.time() - 60) == {digest, packed}
        assert {one.digest: one.at for one in blobs.list()} == ages

    def test_a_large_blob_goes_with_all_its_pieces(self, blobs: Blobs) -> None:
        digest, kept = blobs.put(NOISE), blobs.put(b"other")
        blobs.delete([b.digest for b in blobs.list() if b.digest != kept], before=LATER)
        assert blobs.has([digest]) == set()
        assert [b.digest for b in blobs.list()] == [kept]

    def test_pieces_that_another_blob_needs_stay(self, blobs: Blobs) -> None:
        one, other = blobs.put(NOISE), blobs.put(NOISE + b"more")
        needed = {other, *(part for _, parts in blobs.parts([other]) for part in parts)}
        blobs.delete([b.digest for b in blobs.list() if b.digest not in needed], before=LATER)
        assert blobs.get(other) == NOISE + b"more"
        assert blobs.put(NOISE) == one
        assert blobs.get(one) == NOISE

    def test_a_batch_is_visible_to_all_when_it_ends(self, blobs: Blobs, root: str, folder: str) -> None:
        with blobs.batch() as batch:
            digests = [batch.put(b"%d" % i) for i in range(300)]
            large = batch.put_file(_written(os.path.join(folder, "large"), NOISE))
            small = batch.put_file(_written(os.path.join(folder, "small"), b"small"))
            again = batch.put(b"7")
        assert large == (digest_of(NOISE), len(NOISE))
        assert small == (digest_of(b"small"), 5)
        assert again == digests[7]
        for store in (blobs, self.make(root)):
            assert store.has([*digests, large[0], small[0], ABSENT]) == {*digests, large[0], small[0]}
            assert [store.get(digest) for digest in digests] == [b"%d" % i for i in range(300)]
            assert store.get(large[0]) == NOISE
        blobs.sync()

    def test_what_a_batch_had_stored_before_it_failed_is_there(self, blobs: Blobs, root: str) -> None:
        with pytest.raises(KeyboardInterrupt), blobs.batch() as batch:  # noqa: PT012 (the exception is what it is about)
            batch.put(b"abc")
            raise KeyboardInterrupt
        assert self.make(root).get(digest_of(b"abc")) == b"abc"

    def test_an_empty_batch_leaves_nothing(self, blobs: Blobs) -> None:
        with blobs.batch():
            pass
        assert list(blobs.list()) == []

    def test_a_batch_says_so_when_a_file_is_not_there(self, blobs: Blobs, folder: str) -> None:
        with pytest.raises(HeadwayError), blobs.batch() as batch:
            batch.put_file(os.path.join(folder, "none"))

    def test_what_was_stored_in_a_batch_can_be_deleted(self, blobs: Blobs) -> None:
        with blobs.batch() as batch:
            digests = [batch.put(b"%d" % i) for i in range(30)]
        assert blobs.delete(digests, before=LATER) > 0
        assert blobs.has(digests) == set()

    def test_half_of_a_batch_can_be_deleted(self, blobs: Blobs) -> None:
        with blobs.batch() as batch:
            digests = [batch.put(b"%d" % i * 50) for i in range(100)]
        blobs.delete(digests[10:], before=LATER)
        assert [blobs.get(digest) for digest in digests[:10]] == [b"%d" % i * 50 for i in range(10)]

    @pytest.mark.parametrize("made", ["put", "put_file", "batch"])
    def test_one_store_can_hand_everything_to_another(self, blobs: Blobs, root: str, folder: str, made: str) -> None:
        contents = [*CONTENTS, NOISE[: 1 << 20] + b"changed" + NOISE[1 << 20 :]]
        digests = []
        for i, data in enumerate(contents):
            path = _written(os.path.join(folder, f"{i}"), data)
            if made == "batch":
                with blobs.batch() as batch:
                    digests.append(batch.put_file(path)[0])
            else:
                digests.append(blobs.put(data) if made == "put" else blobs.put_file(path)[0])
        other = self.make(root + "-other")
        lists = []
        with other.batch() as batch:
            for piece in blobs.pieces(digests):
                lists += [piece] if piece.is_list else []
                if not piece.is_list:
                    assert digest_of(piece.data) == piece.digest
                    batch.add(piece)
            parts = {part for _, parts in blobs.parts([piece.digest for piece in lists]) for part in parts}
            for piece in blobs.pieces(list(parts)):
                batch.add(piece)
            for piece in lists:
                batch.add(piece)
        assert [other.get(digest) for digest in digests] == contents
        assert list(other.check(digests)) == []

    def test_the_parts_of_a_large_blob_are_those_in_its_list(self, blobs: Blobs) -> None:
        digest, small = blobs.put(NOISE), blobs.put(b"small")
        parts = dict(blobs.parts([digest, small, ABSENT]))
        for piece in blobs.pieces([digest]):
            if piece.is_list:
                assert piece.size_bytes == len(NOISE)
                assert parts[digest] == [part.hex() for part, _ in pack.listed(piece.data, at="here")]
        assert small not in parts
        assert ABSENT not in parts

    def test_pieces_of_what_is_not_there_are_missing(self, blobs: Blobs) -> None:
        with pytest.raises(BlobMissing):
            list(blobs.pieces([ABSENT]))

    def test_a_batch_refuses_a_piece_that_is_not_what_it_says(self, blobs: Blobs) -> None:
        with pytest.raises(BlobDamaged), blobs.batch() as batch:
            batch.add(Piece(ABSENT, b"abc", 3))
        assert blobs.has([ABSENT]) == set()

    def test_a_check_tells_what_is_missing(self, blobs: Blobs) -> None:
        with blobs.batch() as batch:
            digests = [batch.put(b"%d" % i) for i in range(30)]
        digests.append(blobs.put(NOISE))
        assert list(blobs.check([*digests, ABSENT])) == [(ABSENT, "missing")]

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

    @pytest.mark.parametrize("how", ["get", "check", "pieces", "fetch_all"])
    def test_damage_in_a_batch_is_told_and_mended_by_storing_again(
        self, blobs: Blobs, root: str, folder: str, how: str
    ) -> None:
        with blobs.batch() as batch:
            digests = [batch.put(b"%d" % i * 9) for i in range(30)]
        self.damage(blobs, root, digests[7])
        if how == "check":
            assert list(blobs.check(digests)) == [(digests[7], "damaged")]
        else:
            ways: dict[str, Callable[[], object]] = {
                "get": lambda: blobs.get(digests[7]),
                "pieces": lambda: list(blobs.pieces(digests)),
                "fetch_all": lambda: blobs.fetch_all([(one, os.path.join(folder, one), False) for one in digests]),
            }
            with pytest.raises(BlobDamaged):
                ways[how]()
        assert blobs.has(digests) == {*digests} - {digests[7]}
        assert [blobs.get(digest) for digest in digests[:7]] == [b"%d" % i * 9 for i in range(7)]
        with blobs.batch() as batch:
            batch.put(b"7" * 9)
        assert blobs.get(digests[7]) == b"7" * 9

    @pytest.mark.parametrize("how", ["get", "fetch", "check"])
    def test_damage_in_a_piece_of_a_large_blob_is_told_and_mended(
        self, blobs: Blobs, root: str, folder: str, how: str
    ) -> None:
        old, digest = blobs.put(NOISE), blobs.put(NOISE + b"more")
        parts = dict(blobs.parts([digest]))
        if not parts:
            pytest.skip("this store keeps large blobs whole")
        part = parts[digest][-1]
        self.damage(blobs, root, part)
        if how == "check":
            assert list(blobs.check([old, digest])) == [(digest, "damaged")]
        else:
            with pytest.raises(BlobDamaged):
                blobs.get(digest) if how == "get" else blobs.fetch(digest, os.path.join(folder, "f"))
        assert os.listdir(folder) == []
        assert blobs.put(NOISE + b"more") == digest
        assert blobs.get(digest) == NOISE + b"more"
        assert blobs.get(old) == NOISE
