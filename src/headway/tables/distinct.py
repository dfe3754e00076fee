"""How many different values there are: exactly while that is cheap, then by HyperLogLog; parts may be joined.

Sixty-four bits of each value are looked at. Two values of a million million pairs share them: nothing for a count, and
the reason why nothing is proved by this. Knows no tables.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

Hashes = npt.NDArray[np.uint64]

ERROR = 1.04 / math.sqrt(1 << 14)
"""The relative standard error with 2^14 registers (Flajolet, Fusy, Gandouet, Meunier, 2007)."""

KEYS_MOST = 1 << 22
"""As long as no value has come twice, so many are held: whether a column is a key must be known for sure."""

_BITS = 14


class Distinct:
    """Counts different hashes; `held` are kept one by one before it estimates."""

    __slots__ = ("held", "is_exact", "n_held", "n_values", "pieces", "registers")

    def __init__(self, held: int) -> None:
        self.held = held
        self.pieces: list[Hashes] = []
        self.n_held = 0
        self.n_values = 0
        self.is_exact = True
        self.registers: npt.NDArray[np.uint8] | None = None

    def add(self, hashes: Hashes, n_values: int, *, may_be_key: bool = True) -> None:
        """Different hashes of some rows, and how many values these have."""
        self.n_values += n_values
        if not self.is_exact:
            self._note(hashes)
            return
        self.pieces.append(hashes)
        self.n_held += len(hashes)
        is_key = may_be_key and self.n_held == self.n_values and self.n_held <= KEYS_MOST
        if self.n_held > 2 * self.held and not is_key:
            if len(hashes) <= self.held:
                self._gather()
            if self.n_held > self.held:
                self._estimate()

    def merge(self, other: "Distinct") -> None:
        """Take in what another has seen."""
        if not other.is_exact:
            self._estimate()
            assert self.registers is not None
            assert other.registers is not None
            np.maximum(self.registers, other.registers, out=self.registers)
            self.n_values += other.n_values
            return
        for piece in other.pieces:
            self.add(piece, 0)
        self.n_values += other.n_values

    def count(self) -> tuple[int, float]:
        """How many, and the relative standard error of that; no more than there are values."""
        if self.is_exact:
            self._gather()
            return self.n_held, 0.0
        assert self.registers is not None
        m = len(self.registers)
        # Far more than five times as many as registers, or they would have been held: no correction is needed.
        estimate = 0.7213 / (1 + 1.079 / m) * m * m / float(np.sum(2.0 ** -self.registers.astype(np.float64)))
        return min(round(estimate), self.n_values), ERROR

    def _gather(self) -> None:
        if len(self.pieces) > 1:
            # numpy's own `unique` has a table of hashes since 2.3, which is ten times slower than to sort.
            ordered = np.sort(np.concatenate(self.pieces))
            self.pieces = [ordered[np.concatenate((np.ones(1, dtype=bool), ordered[1:] != ordered[:-1]))]]
        self.n_held = sum(map(len, self.pieces))

    def _estimate(self) -> None:
        self.is_exact = False
        self.registers = np.zeros(1 << _BITS, dtype=np.uint8) if self.registers is None else self.registers
        for piece in self.pieces:
            self._note(piece)
        self.pieces = []
        self.n_held = 0

    def _note(self, hashes: Hashes) -> None:
        assert self.registers is not None
        # The first one among the bits behind the register's number; a one at the end makes sure that there is one.
        rest = ((hashes << np.uint64(_BITS)) | np.uint64(1 << (_BITS - 1))) >> np.uint64(11)
        exponent = rest.astype(np.float64).view(np.int64) >> 52
        np.maximum.at(self.registers, hashes >> np.uint64(64 - _BITS), (1023 + 53 - exponent).astype(np.uint8))


def mixed(values: Hashes) -> Hashes:
    """Numbers of 64 bits, the upper bits of each made of all its bits; different ones stay different."""
    found = values ^ (values >> np.uint64(33))
    found *= np.uint64(0xFF51AFD7ED558CCD)
    found ^= found >> np.uint64(33)
    found *= np.uint64(0xC4CEB9FE1A85EC53)
    return found


def hashes_of_numbers(values: npt.NDArray[np.generic]) -> Hashes:
    """Of numbers of one type; 0.0 and -0.0 are the same."""
    if values.dtype.kind == "f":
        # In double precision, so that a column has the same hashes in every file.
        bits = (values.astype(np.float64) + 0.0).view(np.uint64)
    elif values.dtype.kind == "u":
        bits = values.astype(np.uint64)
    else:
        bits = values.astype(np.int64).view(np.uint64)
    return mixed(bits)


def hashes_of_texts(values: "pl.Series") -> Hashes:
    """Of texts, without nulls."""
    found: Hashes = values.hash(0x9E37, 0x79B9, 0x7F4A, 0x7C15).to_numpy()
    return mixed(found)
