"""Ctrl-C at any line of a batch: what others can see of it is whole, and done again all is there.

An interrupt is raised at every third line of what a back-end's batch is made of, some time between the first and the
last that it is passed; among the slow tests at each line of the back-end, the first and the last time, too. SIGKILL is
`test_blobs_file_killed`; whole commands are `test_transfer_killed`.
"""

import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

import headway
from headway.backends import connect
from headway.backends.blobs_file import batch as file_batch
from headway.backends.blobs_file import index as file_index
from headway.backends.blobs_object import batch as object_batch
from headway.codec import pack
from headway.core.ids import Digest
from headway.ports import Blobs

NOISE = random.Random(3).randbytes(400_000)

#: Small ones that compress or do not, one kept whole, and one that shares much with it and so becomes a list.
CONTENT = (
    *(b"%d " % i * 30 for i in range(20)),
    NOISE[:300_000],
    *(NOISE[i * 20_000 : (i + 1) * 20_000] for i in range(15, 20)),
    NOISE[:150_000] + b"between" + NOISE[150_000:300_000],
    *(b"at the end %d" % i for i in range(5)),
)

Line = tuple[str, int]
#: The files of each back-end that a batch is made of.
BATCHES = {"file": (file_batch.__file__, file_index.__file__), "bucket": (object_batch.__file__,)}


@pytest.fixture(autouse=True)
def _early(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that happens now and then in a large batch happens in this one."""
    monkeypatch.setattr(pack, "FULL_BYTES", 50_000)
    monkeypatch.setattr(object_batch, "PACK_BYTES", 50_000)
    monkeypatch.setattr(file_batch, "_FLUSH_BYTES", 20_000)
    monkeypatch.setattr(file_index, "_LOOSE", 10)


def store(url: str) -> list[Digest]:
    blobs: Blobs = connect("blobs", url)  # type: ignore[assignment] # connect answers by name
    with blobs.batch() as batch:
        return [batch.put(data) for data in CONTENT]


def traced(files: tuple[str, ...], work: Callable[[], object], heard: Callable[[Line], None]) -> None:
    """Do the work; `heard` is told of each line that is executed in files whose paths begin so, and may raise there."""
    before = sys.gettrace()

    # Any: what a trace function is given and gives.
    def at_line(frame: FrameType, event: str, _arg: object) -> Any:
        if event == "line":
            heard((frame.f_code.co_filename, frame.f_lineno))
        return at_line

    def at_call(frame: FrameType, _event: str, _arg: object) -> Any:
        # What is raised in `__del__` nobody hears of: Python goes on.
        is_heard = frame.f_code.co_filename.startswith(files) and frame.f_code.co_name != "__del__"
        return at_line if is_heard else None

    sys.settrace(at_call)
    try:
        work()
    finally:
        sys.settrace(before)


def interrupt(url: str, line: Line, passage: int) -> None:
    """Store, interrupted when this line is passed for the so many-th time."""
    n = 0

    def heard(here: Line) -> None:
        nonlocal n
        if here == line:
            n += 1
            if n == passage:
                sys.settrace(None)
                raise KeyboardInterrupt

    # A thread of its own: what is raised while an `except` ends leaves its thread with that error as the one at hand.
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(traced, (line[0],), lambda: store(url), heard)
    # What is raised is sometimes what cleaning up met on its way: `headway.cli` sees the interrupt behind it.
    with pytest.raises(BaseException) as raised:
        done.result()
    assert any(isinstance(error, KeyboardInterrupt) for error in chain(raised.value)), (line, raised.value)


def chain(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__context__


def see_whole(url: str, line: Line, passage: int) -> None:
    where = f"{os.path.relpath(line[0], os.path.dirname(headway.__file__))}:{line[1]}, passage {passage}"
    blobs: Blobs = connect("blobs", url)  # type: ignore[assignment] # connect answers by name
    for digest, parts in blobs.parts([blob.digest for blob in blobs.list()]):
        assert blobs.has(parts) == set(parts), (where, digest)
    # What is taken for stored already can be had.
    assert store(url) == WANTED, where
    again: Blobs = connect("blobs", url)  # type: ignore[assignment] # as above
    assert [again.get(digest) for digest in WANTED] == list(CONTENT), where
    assert list(again.check(list({blob.digest for blob in again.list()}))) == [], where


WANTED = store("memory:")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["batch", "everywhere"])
@pytest.mark.parametrize("scheme", BATCHES)
def test_an_interrupt_at_any_line_of_a_batch_harms_nothing(scheme: str, everywhere: bool, tmp_path: Path) -> None:
    files = (os.path.dirname(BATCHES[scheme][0]),) if everywhere else BATCHES[scheme]
    lines: Counter[Line] = Counter()
    traced(files, lambda: store(f"{scheme}:{tmp_path}/whole"), lambda line: lines.update([line]))
    assert len(lines) > 60
    for number, (line, n) in list(enumerate(lines.items()))[:: 1 if everywhere else 3]:
        for passage in {1, n // 3 + 1, n} if everywhere else {n // 3 + 1}:
            url = f"{scheme}:{tmp_path}/{number}-{passage}"
            interrupt(url, line, passage)
            see_whole(url, line, passage)
