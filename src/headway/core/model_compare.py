"""What differs between two model versions: metrics, parameters, data, packages, size, latency, code.

Decides only: `flows/models_compare` looks both up and asks Git.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from headway.core.facts import Scalar
from headway.core.ids import SHORT
from headway.core.lineage import VersionLineage

Kind = Literal[
    "metric", "latency", "param", "data", "package", "size", "format", "signature", "onnx", "environment", "verdict",
    "code",
]  # fmt: skip


class Difference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that both versions have or only one has; None: this one has none. `change` is of numbers alone."""

    kind: Kind
    name: str
    a: Scalar = None
    b: Scalar = None
    change: float | None = None

    @property
    def is_same(self) -> bool:
        """Whether there is no difference at all; a number and a text are never the same."""
        return type(self.a) is type(self.b) and self.a == self.b


class Comparison(Struct, frozen=True, kw_only=True):
    """Two versions side by side. `rows` has what is in either, also what is the same.

    `code` is what Git says of the files that differ between both commits; None when it could not be asked, and
    `why_no_code` says why.
    """

    a: str
    b: str
    rows: tuple[Difference, ...]
    code: str | None = None
    why_no_code: str = ""

    @property
    def differing(self) -> tuple[Difference, ...]:
        """The rows that are not the same."""
        return tuple(row for row in self.rows if not row.is_same)


def compare(
    a: VersionLineage, b: VersionLineage, *, timed_a: Mapping[str, float], timed_b: Mapping[str, float]
) -> tuple[Difference, ...]:
    """All that can be set side by side. `timed_…`: latencies that were measured, in milliseconds by name."""
    found: list[Difference] = []
    sides: list[tuple[Kind, Mapping[str, Scalar], Mapping[str, Scalar]]] = [
        ("metric", _metrics(a), _metrics(b)),
        ("latency", timed_a, timed_b),
        ("size", _sizes(a), _sizes(b)),
        ("format", {"format": a.version.format}, {"format": b.version.format}),
        ("signature", _signature(a), _signature(b)),
        ("onnx", _onnx(a), _onnx(b)),
        ("param", a.version.params, b.version.params),
        ("data", _data(a), _data(b)),
        ("verdict", _verdict(a), _verdict(b)),
        ("code", _code(a), _code(b)),
        ("environment", _place(a), _place(b)),
        ("package", _packages(a), _packages(b)),
    ]
    for kind, of_a, of_b in sides:
        for name in sorted(of_a.keys() | of_b.keys()):
            one, other = of_a.get(name), of_b.get(name)
            found.append(Difference(kind=kind, name=name, a=one, b=other, change=_change(one, other)))
    return tuple(found)


def _change(a: Scalar, b: Scalar) -> float | None:
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    return float(b) - float(a) if is_number else None  # type: ignore[arg-type] # seen to be numbers


def _sizes(of: VersionLineage) -> dict[str, Scalar]:
    onnx = of.card.onnx
    found: dict[str, Scalar] = {"bytes": of.size_bytes}
    if onnx is not None and onnx.digest is not None:
        found["bytes of ONNX"] = onnx.size_bytes
    return found


def _signature(of: VersionLineage) -> dict[str, Scalar]:
    """Each input and output by its kind; the classes in their order."""
    signature = of.version.signature
    sides = (("input", signature.inputs), ("output", signature.outputs))
    found: dict[str, Scalar] = {
        f"{side} {field.name}": f"{field.kind or 'any kind'} {field.shape}"
        for side, fields in sides
        for field in fields
    }
    if signature.classes:
        found["classes"] = ", ".join(map(str, signature.classes))
    return found


def _onnx(of: VersionLineage) -> dict[str, Scalar]:
    onnx = of.card.onnx
    if onnx is None:
        return {}
    return {"proven": onnx.digest is not None} | ({"max difference": onnx.max_difference} if onnx.digest else {})


def _metrics(of: VersionLineage) -> dict[str, Scalar]:
    return {metric.name: metric.value for metric in of.version.metrics}


def _data(of: VersionLineage) -> dict[str, Scalar]:
    return {use.artifact.path: "".join(f"{v} " for v in use.versions) + use.artifact.digest[:SHORT] for use in of.data}


def _verdict(of: VersionLineage) -> dict[str, Scalar]:
    return {"gate": of.verdict.outcome or of.verdict.digest[:SHORT]} if of.verdict is not None else {}


def _code(of: VersionLineage) -> dict[str, Scalar]:
    source = of.version.source
    found: dict[str, Scalar] = {}
    if source.commit:
        found["commit"] = source.commit[:SHORT]
    if source.diff:
        found["uncommitted changes"] = source.diff[:SHORT]
    return found


def _place(of: VersionLineage) -> dict[str, Scalar]:
    said = {"python": of.place.python.partition(" ")[0], "platform": of.place.platform, "headway": of.place.headway}
    return {name: value for name, value in said.items() if value}


def _packages(of: VersionLineage) -> dict[str, Scalar]:
    return {name: version for name, _, version in (one.partition("==") for one in of.packages)}
