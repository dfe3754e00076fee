"""What was found out of a model before it was registered: the parts of a version that only asking it can tell."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from headway.core.facts import Conversion, Latency
from headway.core.ids import Digest
from headway.core.signature import Signature


class Examined(Struct, frozen=True, kw_only=True):
    """What was found; `onnx` is None when no conversion was asked for. `trouble`: why the model told nothing.

    `answers` is a blob of what it answered to some of the rows (`core/kept_answers`).
    """

    signature: Signature = Signature()
    onnx: Conversion | None = None
    latency: tuple[Latency, ...] = ()
    trouble: str = ""
    answers: Digest | None = None

    @property
    def is_proven(self) -> bool:
        """Whether there is a conversion that answers as the model does."""
        return self.onnx is not None and self.onnx.digest is not None


def latencies(of: Iterable[Latency]) -> Iterator[str]:
    """How long a version and its conversion took for a row, in a line each.

    >>> list(latencies([Latency(format="sklearn", median_ms=1.25, n_rows=180, machine="x86_64, Linux, 2 cores")]))
    ['sklearn: 1.25 ms a row (median of 180, one at a time, on x86_64, Linux, 2 cores)']
    """
    for one in of:
        yield f"{one.format}: {one.median_ms:.3g} ms a row (median of {one.n_rows}, one at a time, on {one.machine})"


def told(onnx: Conversion) -> str:
    """What became of a conversion, in a line.

    >>> told(Conversion(why="nothing can be proven on 3 rows"))
    'not converted to ONNX: nothing can be proven on 3 rows'
    """
    if onnx.digest is None:
        return f"not converted to ONNX: {onnx.why}"
    rows = f"{onnx.n_rows:,} rows of the data and {onnx.n_edge_rows:,} made of them"
    return f"answers as ONNX: equal labels on {rows}, numbers at most {onnx.max_difference:.1g} apart"
