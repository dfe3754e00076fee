"""One line that moves while something long goes on: it counts what comes and goes through a store."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from headway.backends.blobs_file import FileBlobs
from headway.core.ids import Digest
from headway.ports import Tell
from headway.terminal import working
from headway.terminal.working import Working


@pytest.fixture
def at_work(monkeypatch: pytest.MonkeyPatch) -> Working:
    """One that believes that it has a screen, and has not begun to draw."""
    monkeypatch.setattr(working, "can_redraw", lambda *_, **__: True)
    return Working({}, "restoring", quiet=False)


@pytest.mark.parametrize("n", [30, 4_000], ids=["by one thread", "by two threads"])
def test_many_files_that_are_written_at_once_are_counted_as_they_come(n: int, at_work: Working, tmp_path: Path) -> None:
    blobs = FileBlobs(str(tmp_path / "store"))
    with blobs.batch() as batch:
        digests = [batch.put(b"%d" % i) for i in range(n)]
    (tmp_path / "out").mkdir()
    lines: list[str] = []

    class Seen(FileBlobs):
        def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
            def both(n_files: int) -> None:
                assert tell is not None
                tell(n_files)
                lines.append(at_work.line())

            super().fetch_all(wanted, both)

    watched = at_work.watch(Seen(str(tmp_path / "store")))
    watched.fetch_all([(digest, str(tmp_path / "out" / digest), False) for digest in digests])
    assert at_work.line() == f"restoring  {n:,} files"
    assert len(lines) >= n // 200
    assert len(list((tmp_path / "out").iterdir())) == n


def test_what_nobody_can_see_is_not_counted(tmp_path: Path) -> None:
    assert not sys.stderr.isatty()
    blobs = FileBlobs(str(tmp_path / "store"))
    assert Working({}, "restoring", quiet=False).watch(blobs) is blobs


def test_rows_that_are_read_are_counted(at_work: Working) -> None:
    at_work.count_rows(1_000_000)
    assert at_work.line() == "restoring  1,000,000 rows"
