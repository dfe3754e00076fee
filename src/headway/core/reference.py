"""What a version's live data is compared with: the reference, and the layout on which both are counted.

A layout says for each column how its values fall into at most 64 cells; it is fixed once, by the reference, so that
counts of any time, server and size can be added. Values only: `stats/sketch` makes and counts, `tables/sketches` reads
and writes the files, `flows/reference` makes a reference. Neighbour: `sketch` is what is counted of live predictions.
"""

import re
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Struct

from headway.core.ids import Digest
from headway.core.scalar import Scalar

if TYPE_CHECKING:
    from headway.stats.isotonic import Isotonic

MISSING = 0
"""The cell of what is missing: null, a column that is not there, a number that is none (NaN)."""

OTHER = 1
"""The cell of what cannot be counted: a value of another type, a category that the reference did not have, or one of
those that were too many to have a cell each (then the reference's own count of this cell is not 0)."""

FIRST = 2
"""The first cell of bins or values."""

PREDICTION = "prediction"
"""The output axis of the answer; of a model with several outputs there are `prediction.0`, `prediction.1` and so on."""

PROBABILITY = "probability."
"""What stands before a class in the name of the output axis of its probability."""

CELL_ROWS = 1_000
CELL_S = 3_600.0
"""What one sketch covers at most, where a layout does not say otherwise."""


class Axis(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one column is counted: cell 0 is `MISSING`, cell 1 `OTHER`, then come bins or values.

    `number`: bin i (cell i + 2) holds `edges[i - 1] < x <= edges[i]`, the first and the last are open: `edges` rise, at
    most 61. Truth values are not numbers; a text that reads as a number in JSON is one. `category`: value i (in cell
    i + 2) is `values[i]`, at most 62; values are alike when they read alike (1, 1.0 and "1"; true and "true").
    """

    name: str
    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    values: tuple[Scalar, ...] = ()

    @property
    def n_cells(self) -> int:
        """How many of the 64 cells are in use, the first two included."""
        return FIRST + (len(self.edges) + 1 if self.kind == "number" else len(self.values))

    def told(self, cell: int) -> str:
        """What lies in a cell, in words.

        >>> [Axis(name="age", kind="number", edges=(18.0, 65.0)).told(cell) for cell in range(5)]
        ['missing', 'not a number', 'up to 18', '18 to 65', 'above 65']
        """
        if cell == MISSING:
            return "missing"
        if cell == OTHER:
            return "not a number" if self.kind == "number" else "another value"
        at = cell - FIRST
        if self.kind == "category":
            return str(self.values[at])
        if not self.edges:
            return "any number"
        if at == 0:
            return f"up to {self.edges[0]:g}"
        return f"above {self.edges[-1]:g}" if at == len(self.edges) else f"{self.edges[at - 1]:g} to {self.edges[at]:g}"


class Calibration(Struct, frozen=True, kw_only=True):
    """How often a score's promise held in the reference: `stats/isotonic.Isotonic` as plain values.

    Between the scores `at` (rising) the chance lies on the line between theirs. Each score belongs to a block;
    `variances` has a number for each block, at most 62 of them.
    """

    at: tuple[float, ...]
    chances: tuple[float, ...]
    blocks: tuple[int, ...]
    variances: tuple[float, ...]

    @property
    def isotonic(self) -> "Isotonic":
        """The same, to reckon with."""
        import numpy as np

        from headway.stats.isotonic import Isotonic

        return Isotonic(
            at=np.array(self.at, dtype=np.float64),
            chances=np.array(self.chances, dtype=np.float64),
            blocks=np.array(self.blocks, dtype=np.intp),
            variances=np.array(self.variances, dtype=np.float64),
        )


class Layout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a version's predictions are counted on.

    Axes of `outputs` are called `prediction` and `probability.<class>`, as the columns of the prediction log. Of a
    classifier of two classes `yes` is the positive one, as it names its classes, and `calibration` that of its
    probability; where a model answers with the chance itself (its prediction is the score), rows from `threshold` on
    say yes. Of more classes `calibration` says how often an answer is right whose largest probability (`largest`) is
    the score: each row says that it is. A sketch covers at most `cell_s` seconds, counted from 1970 in UTC, and
    `cell_rows` rows.
    """

    version: int
    inputs: tuple[Axis, ...]
    outputs: tuple[Axis, ...]
    yes: Scalar = None
    threshold: float = 0.5
    calibration: Calibration | None = None
    cell_rows: int = CELL_ROWS
    cell_s: float = CELL_S

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes, in the order of the counts: inputs first."""
        return self.inputs + self.outputs

    @property
    def score(self) -> str:
        """The output that says how likely `yes` is: `probability.<yes>`, or the prediction itself; empty: none does."""
        if self.yes is None:
            return ""
        names = {axis.name: axis.kind for axis in self.outputs}
        own = f"{PROBABILITY}{self.yes}"
        return own if own in names else PREDICTION if names.get(PREDICTION) == "number" else ""

    @property
    def largest(self) -> tuple[str, ...]:
        """Of more than two classes the outputs whose largest says how sure an answer is; empty: none do."""
        names = tuple(axis.name for axis in self.outputs if axis.name.startswith(PROBABILITY))
        return names if self.yes is None and len(names) > 2 else ()

    @property
    def scores(self) -> tuple[str, ...]:
        """The outputs that the score is made of: one of two classes, several of more, none where none says anything."""
        return (self.score,) if self.score else self.largest

    def axis(self, name: str) -> int:
        """Where an axis stands among `axes`. Raises KeyError."""
        for at, axis in enumerate(self.axes):
            if axis.name == name:
                return at
        raise KeyError(name)


class Realised(Struct, frozen=True, kw_only=True):
    """What the labels of the reference say a metric is, with its interval."""

    value: float
    low: float | None
    high: float | None


class Reference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a version's windows are compared with; kept as a blob (JSON).

    `data` says where the rows came from, `n_rows` how many were counted; `is_in_sample`: the version was trained on
    them, so that its answers to them are better than others, and what is estimated from their calibration too high.
    `counts` are a sketch's, of all of these rows. `rows` (Parquet) has at most 20,000 of them in their order: columns
    `feature.<name>`, `prediction`, `probability.<class>`, `label` where it is known, and `at`. `blocks` (MessagePack:
    bytes for each, as `counts`) has the counts of `n_blocks` contiguous blocks of about as many rows each. `inflation`
    has for each axis how many times more the blocks differ than chance makes them (at least 1).
    """

    model: str
    version: int
    data: str
    n_rows: int
    layout: Layout
    counts: bytes
    rows: Digest
    blocks: Digest
    n_blocks: int = 0
    inflation: tuple[float, ...] = ()
    realised: dict[str, Realised] = {}
    is_in_sample: bool = False
    label: str = ""


def layout_id(layout: Layout) -> str:
    """The digest that names a layout: two are one if all of their values are.

    >>> len(layout_id(Layout(version=1, inputs=(), outputs=())))
    32
    """
    return blake2b(msgspec.json.encode(layout, order="deterministic"), digest_size=16).hexdigest()


def layout_name(version: int) -> str:
    """The file of a version's layout, in the folder of its endpoint's predictions."""
    return f"layout-v{version}.json"


NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""A text that reads as a number, as JSON has them."""


def shown(value: object) -> str:
    """A value as it reads: what makes two of them one category, whatever type a file gave them.

    A column of the prediction log that holds values of several types has all of them as texts.

    >>> [shown(value) for value in ("a", 1, 1.0, "1.0", 0.5, True, "true")]
    ['a', '1', '1', '1', '0.5', 'true', 'true']
    """
    if isinstance(value, str):
        if value.isdecimal() or not NUMBER.fullmatch(value):
            return value
        value = float(value) if set(value) & set(".eE") else int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    return msgspec.json.encode(value).decode()


_EXACT = 2.0**63
