"""The data that the benchmarks of the store keep: many small files, or a large one, with content that can be checked.

Content is random by a fixed seed, so that nothing is gained by compressing it and each file can be made again to
compare what was restored.
"""

from __future__ import annotations

import os
import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

FILE_BYTES = 4096
#: Files in one folder.
PER_FOLDER = 1_000
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """`n` files of 4 KiB below a folder, known by their numbers from 0."""

    n: int

    def name(self, number: int) -> str:
        """The path of a file below the folder."""
        return f"{number // PER_FOLDER:03}/{number:06}.bin"

    def names(self, numbers: Iterable[int]) -> frozenset[str]:
        """The paths of several files."""
        return frozenset(self.name(number) for number in numbers)

    def some(self, count: int, offset: int = 0) -> list[int]:
        """`count` files spread evenly over all folders; another `offset`, other files."""
        apart = max(1, self.n // max(1, count))
        return sorted({(number * apart + offset) % self.n for number in range(max(1, count))})

    def write(self, folder: Path) -> None:
        """Make all files in their first version."""
        for number in range(self.n):
            if number % PER_FOLDER == 0:
                (folder / self.name(number)).parent.mkdir(parents=True)
            (folder / self.name(number)).write_bytes(_content(number, 1))

    def change(self, folder: Path, numbers: Iterable[int], version: int) -> None:
        """Overwrite files in place with another version of the same size."""
        for number in numbers:
            with (folder / self.name(number)).open("r+b") as f:
                f.write(_content(number, version))

    def touch(self, folder: Path, numbers: Iterable[int]) -> None:
        """Set the time of files to now, and leave what is in them."""
        for number in numbers:
            os.utime(folder / self.name(number))

    def fault(self, folder: Path, second: Collection[int] = ()) -> str | None:
        """What is wrong with the folder, byte by byte, or None; `second` are the files in their second version."""
        for number in range(self.n):
            try:
                found = (folder / self.name(number)).read_bytes()
            except FileNotFoundError:
                return f"{self.name(number)} is missing"
            if found != _content(number, 2 if number in second else 1):
                return f"{self.name(number)} holds other bytes"
        n_files = sum(len(names) for _, _, names in os.walk(folder))
        return None if n_files == self.n else f"there are {n_files} files instead of {self.n}"


def write_large(path: Path, size_bytes: int) -> None:
    """One file of random bytes, whose blocks all differ."""
    chance = random.Random(size_bytes)
    with path.open("wb") as f:
        for start in range(0, size_bytes, BLOCK_BYTES):
            f.write(chance.randbytes(min(BLOCK_BYTES, size_bytes - start)))


def is_same(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes; read in blocks, so that memory stays small."""
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(BLOCK_BYTES):
            if block != second.read(BLOCK_BYTES):
                return False
    return True


def size_of(folder: Path, without: Collection[str] = ()) -> int:
    """Bytes of all files below a folder but in the entries named, which lie directly in it."""
    total = 0
    for at, folders, names in os.walk(folder):
        if at == str(folder):
            folders[:] = [name for name in folders if name not in without]
            names = [name for name in names if name not in without]  # noqa: PLW2901 - only at the top
        total += sum(os.lstat(os.path.join(at, name)).st_size for name in names)
    return total


def _content(number: int, version: int) -> bytes:
    return random.Random(number * 8 + version).randbytes(FILE_BYTES)
