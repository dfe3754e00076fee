"""What a model takes, told from the rows it learned from: the name and kind of each column.

Neighbour: `core/signature` has the words. A table with gaps in a column of whole numbers gives the kind of the numbers
that are there: whether a gap may be sent is the model's matter.
"""

from typing import TYPE_CHECKING

from headway.core.signature import Field, Kind, Signature, outputs_of
from headway.core.signature import kind_of as numpys_kind

if TYPE_CHECKING:
    import polars as pl


def infer(frame: "pl.DataFrame", *, target: str | None = None) -> Signature:
    """The signature of a model that takes the columns of `frame`; `target` is what it answers, if it stands there.

    A column of dates, lists or nothing but gaps has no kind. Columns of categories are texts, decimals numbers. The
    classes of the target are those that are there, in order, if it holds texts, truth values or few whole numbers
    (at most 100 and at most half of the rows): else it is a number to be foretold.
    """
    inputs = tuple(Field(name=c.name, kind=kind_of(c)) for c in frame if c.name != target)
    if target is None:
        return Signature(inputs=inputs)
    label = frame[target].drop_nulls()
    kind = kind_of(label)
    found = label.unique().sort().to_list() if kind not in (None, "FP16", "FP32", "FP64") else []
    is_classes = kind in ("BYTES", "BOOL") or len(found) <= min(100, label.len() // 2)
    classes = tuple(found) if is_classes else ()
    return Signature(inputs=inputs, outputs=outputs_of(label=kind, n_classes=len(classes)), classes=classes)


def kind_of(column: "pl.Series") -> Kind | None:
    """The kind of a column's values; None for what the protocol has no word for."""
    import polars as pl

    kind = column.dtype
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Binary):
        return "BYTES"
    if kind == pl.Decimal:
        return "FP64"
    # Polars calls its numbers as NumPy does, but for the first letter; `Boolean` is the one that it does not shorten.
    return numpys_kind("bool" if kind == pl.Boolean else str(kind).lower())
