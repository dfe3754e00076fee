"""Whoever seals a segment counts it, whatever it is killed at; sketches go with the segments that are too old."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headway.core.prediction_log import open_name, sketch_name
from headway.core.recording import Recording
from headway.core.reference import Axis, Layout
from headway.serving import seal
from headway.serving.log_writer import Begin, Writer
from headway.tables import sketches
from headway.tables.sketches.files import write_layout

LAYOUT = Layout(
    version=3,
    inputs=(Axis(name="x", kind="number", edges=(0.0, 1.0)),),
    outputs=(Axis(name="prediction", kind="category", values=(0, 1)),),
)


def write(folder: Path, token: str, n: int = 5, at: float = 1e9) -> Path:
    lines = [
        {"request_id": f"{token}{i}", "at": at + i, "ms": 1.0, "model": "m", "version": 3, "rows": [{"x": i}],
         "predictions": [i % 2]} for i in range(n)
    ]  # fmt: skip
    path = folder / open_name("predictions", token)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.suffix for path in folder.iterdir())


def n_requests(folder: Path) -> int:
    return sum(cell.n_requests for cell in sketches.read(str(folder), LAYOUT, keep=False).cells)


def sealed_by_itself(folder: Path, *paths: Path) -> str:
    """What the process says that seals."""
    argv = [sys.executable, "-P", "-m", "headway.serving.seal", seal.HURRY, *map(str, paths)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, cwd=folder).stderr


def test_a_sealed_segment_has_its_sketches_beside_it(tmp_path: Path) -> None:
    write_layout(str(tmp_path), LAYOUT)
    assert sealed_by_itself(tmp_path, write(tmp_path, "aa")) == ""
    assert names(tmp_path) == [".json", ".parquet", ".sketch"]
    (segment,) = tmp_path.glob("*.parquet")
    # What lies beside is enough.
    segment.write_bytes(b"")
    assert n_requests(tmp_path) == 5


@pytest.mark.parametrize("layout", [None, "{", '{"version": 3}'], ids=["none", "no JSON", "no layout"])
def test_without_a_layout_segments_are_sealed_all_the_same(tmp_path: Path, layout: str | None) -> None:
    if layout is not None:
        (tmp_path / "layout-v3.json").write_text(layout)
    assert seal.main([seal.HURRY, str(write(tmp_path, "aa"))]) == 0
    assert [name for name in names(tmp_path) if name != ".json"] == [".parquet"]


def test_a_folder_without_room_for_sketches_keeps_its_segments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_layout(str(tmp_path), LAYOUT)
    path = write(tmp_path, "aa")
    real = os.rename

    def full(source: str, target: str) -> None:
        if target.endswith(".sketch"):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "rename", full)
    assert seal.main([seal.HURRY, str(path)]) == 0
    assert names(tmp_path) == [".json", ".parquet"]
    assert "could not be counted: [Errno 28] No space left on device" in capsys.readouterr().err
    assert n_requests(tmp_path) == 5


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("is_before", [True, False], ids=["before", "after"])
def test_whatever_sealing_is_killed_at_each_request_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_before: bool
) -> None:
    write_layout(str(tmp_path), LAYOUT)
    left = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def act(*given: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0 and is_before:
                raise Killed
            told = real(*given, **more)
            if left == 0:
                raise Killed
            return told

        return act

    n_done = 0
    for kill_at in range(1, 40):
        folder = tmp_path / str(kill_at)
        folder.mkdir()
        write_layout(str(folder), LAYOUT)
        path = write(folder, "aa")
        known = sketches.read(str(folder), LAYOUT)
        left = kill_at
        with monkeypatch.context() as patched:
            for name in ("rename", "unlink", "fsync"):
                patched.setattr(os, name, dying(getattr(os, name)))
            try:
                seal.main([seal.HURRY, str(path)])
            except Killed:
                pass
            else:
                n_done = kill_at - 1
        left = -1
        assert sum(cell.n_requests for cell in sketches.read(str(folder), LAYOUT, known, keep=False).cells) == 5
        assert n_requests(folder) == 5
        # The next writer does the rest; a reader makes the sketches that are lacking.
        assert seal.main([seal.HURRY, str(path)]) == 0
        assert sum(cell.n_requests for cell in sketches.read(str(folder), LAYOUT, known).cells) == 5
        assert {".parquet", ".sketch"} <= set(names(folder))
        assert ".jsonl" not in names(folder)
        if n_done:
            break
    # Two files are written, synced and shown, and one is deleted.
    assert n_done == 5


def test_sketches_go_with_segments_that_are_too_old(tmp_path: Path) -> None:
    write_layout(str(tmp_path), LAYOUT)
    for token, at in (("aa", 1e9), ("bb", 4e9)):
        seal.main([seal.HURRY, str(write(tmp_path, token, at=at))])
    assert names(tmp_path) == [".json", ".parquet", ".parquet", ".sketch", ".sketch"]
    source, end = os.pipe()
    os.close(end)
    begin = Begin(folder=str(tmp_path), model="m", version=3, recording=Recording(keep_s=1000.0))
    Writer(begin, sys.stderr.fileno()).serve(source)
    os.close(source)
    (left,) = tmp_path.glob("*.parquet")
    assert left.name.endswith("-v3-bb.parquet")
    assert [path.name for path in tmp_path.glob("*.sketch")] == [sketch_name(left.name)]
