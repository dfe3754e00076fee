"""The script of the docs gives back what a store holds, without headway."""

import os
import subprocess
import sys
from pathlib import Path

from headway.backends.blobs_file import FileBlobs
from headway.flows.statcache import StatCache
from headway.flows.store import keep
from headway.testing.blobs_contract import NOISE
from headway.testing.folders import Content, read_folder, write_folder

SCRIPT = Path(__file__).parents[2] / "docs" / "formats" / "restore_without_headway.py"


def _restored(root: str, digest: str, target: str, *words: str) -> None:
    subprocess.run([sys.executable, str(SCRIPT), f"{root}/blobs", digest, target, *words], check=True)


def test_a_folder_with_odd_names_comes_back(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.realpath(tmp_path)
    content: Content = {
        "a": b"1",
        "100%": b"per cent",
        "stray\udcffbyte": b"2",
        "new\nline": b"3",
        "sub": {"run": b"#!/bin/sh\n", "deep": {"large": NOISE, "text": b"again and again " * 4000}},
        "empty": {},
        "link": "sub/run",
    }
    write_folder(os.path.join(root, "data"), content)
    blobs = FileBlobs(os.path.join(root, "blobs"))
    artifact = keep(blobs, root, "data", StatCache())
    _restored(root, artifact.digest, os.path.join(root, "out"), "tree")
    assert read_folder(os.path.join(root, "out")) == read_folder(os.path.join(root, "data"))


def test_files_of_each_kind_come_back(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.realpath(tmp_path)
    blobs = FileBlobs(os.path.join(root, "blobs"))
    for i, data in enumerate([b"", b"small", NOISE, NOISE[:1000] + b"changed" + NOISE[1000:]]):
        digest = blobs.put(data)
        _restored(root, digest, os.path.join(root, str(i)))
        assert Path(root, str(i)).read_bytes() == data


def test_it_is_as_short_as_promised() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 60
