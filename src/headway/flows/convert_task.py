"""What the process that examines a model is told, and what it tells; the bounds it works within.

Neighbours: `convert` starts the process, `convert_worker` is it.
"""

from msgspec import Struct

from headway.core.facts import Conversion, Latency
from headway.core.ids import Digest
from headway.core.signature import Signature

LEAST_ROWS = 100
"""Real rows without which nothing is proven."""

MOST_ROWS = 2000
"""Real rows that both models are asked about: evenly taken from the first READ_ROWS."""

READ_ROWS = 50_000

TOLERANCE = 1e-5
"""How far probabilities may lie apart, and numbers that are foretold (above 1: in parts of them).

Trees add up in 32 bits, which costs some 1e-7 for each number that is added; a difference in a wrong place of a tree is
seldom below 1e-3.
"""

TIME_LIMIT_S = 180.0
"""How long examining may take: a forest of 100 trees takes 5 s on one core."""

MEMORY_BYTES = 8 << 30
"""Addresses that the process may use; what its libraries put aside without using it counts, which is 3 GB and more."""

TIMED_ROWS = 200
"""Rows that are answered one by one to time both models, for TIMED_S at most."""

TIMED_S = 4.0


class Task(Struct, frozen=True, kw_only=True):
    """What is to be examined: a model's copy, and a copy of the rows; `wants_onnx`: whether to convert it as well.

    `target` is a column of the rows that is no input. `graph` is where the proven graph is put, `answers` what the
    model answered to some of the rows, `result` what is told.
    """

    model: str
    format: str
    digest: Digest
    rows: str
    target: str
    wants_onnx: bool
    graph: str
    answers: str
    result: str
    memory_bytes: int = MEMORY_BYTES
    least_rows: int = LEAST_ROWS
    tolerance: float = TOLERANCE


class Found(Struct, frozen=True, kw_only=True):
    """What was found: written once when the signature is known, and again when the conversion is.

    `trouble` is why the model could not be looked at, or the rows not be read.
    """

    signature: Signature = Signature()
    onnx: Conversion | None = None
    latency: tuple[Latency, ...] = ()
    trouble: str = ""
