"""What a model answered to some rows before it was released, and whether a server of it answers the same.

A gate keeps them of its holdout, `register` of the `data` it is given; a release asks the started version for the same
rows before any traffic reaches it (`flows/vetting`). Rows and answers are as JSON has them, since that is how a server
is asked. Neighbours: `golden` holds answers to what a person expects; `tables/kept_answers` chooses the rows.
"""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct

from headway.core.golden import GoldenReply, Row

TOLERANCE = 1e-5
"""How far numbers may lie apart (above 1: in parts of them): what other processors and sums in 32 bits make of the
same model. Another model, another column or another version of a library is seldom below 1e-3."""

BY: dict[str, str] = {"gate": "at its gate", "file": "in the file its gate read", "register": "when it was registered"}
"""When a model answered, in words."""


class KeptAnswers(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Rows of data and what a model answered to them; `by` says to whom.

    `classes` are what the columns of `probabilities` stand for: perhaps only some of the model's. Without rows, `why`
    says why none could be kept.
    """

    by: Literal["gate", "file", "register"] = "gate"
    rows: list[Row] = []
    # Any: labels and classes are whatever the model was trained on.
    predictions: list[Any] = []
    classes: list[Any] = []
    probabilities: list[list[float | None]] = []
    why: str = ""

    def some(self, first: int, n_rows: int) -> "KeptAnswers":
        """These rows of it alone."""
        return KeptAnswers(
            by=self.by,
            rows=self.rows[first : first + n_rows],
            predictions=self.predictions[first : first + n_rows],
            classes=self.classes,
            probabilities=self.probabilities[first : first + n_rows],
        )

    def evenly(self, n_rows: int) -> "KeptAnswers":
        """At most so many rows of it, from all over."""
        have = len(self.rows)
        if n_rows >= have:
            return self
        places = [at * have // n_rows for at in range(n_rows)]
        return KeptAnswers(
            by=self.by,
            rows=[self.rows[at] for at in places],
            predictions=[self.predictions[at] for at in places],
            classes=self.classes,
            probabilities=[self.probabilities[at] for at in places] if self.probabilities else [],
        )


class Compared(Struct, frozen=True, kw_only=True):
    """What a served version answered to kept rows: `unlike` tells of each row that differs, in a sentence."""

    n_rows: int
    max_difference: float = 0.0
    unlike: tuple[str, ...] = ()

    def with_(self, other: "Compared") -> "Compared":
        """Both together."""
        return Compared(
            n_rows=self.n_rows + other.n_rows,
            max_difference=max(self.max_difference, other.max_difference),
            unlike=self.unlike + other.unlike,
        )


def compare(kept: KeptAnswers, reply: GoldenReply, *, first: int = 0, tolerance: float = TOLERANCE) -> Compared:
    """Hold an answer to what was answered before: labels are equal, numbers apart by `tolerance` at most.

    Rows are told by their number, counted from `first`. Two classes that are equally likely within the tolerance may
    each be the label.

    >>> kept = KeptAnswers(rows=[{"a": 1}, {"a": 2}], predictions=["no", "yes"])
    >>> compare(kept, GoldenReply(predictions=["no", "no"])).unlike
    ("row 1 {'a': 2}: answered no, and yes at its gate",)
    """
    n_rows = len(kept.rows)
    if len(reply.predictions) != n_rows:
        whole = f"rows {first} to {first + n_rows - 1}: {len(reply.predictions)} answers came for {n_rows} rows"
        return Compared(n_rows=n_rows, unlike=(whole,))
    places, lacking = _places(kept, reply)
    most, unlike = 0.0, list[str]()
    for at, row in enumerate(kept.rows):
        chances = [] if lacking else _chances(reply, at, places)
        told, apart = lacking, 0.0
        if not told:
            told, apart = _row(kept, at, reply.predictions[at], chances, tolerance)
        most = max(most, apart)
        if told:
            unlike.append(f"row {first + at} {_short(row)}: {told} {BY[kept.by]}")
    return Compared(n_rows=n_rows, max_difference=most, unlike=tuple(unlike))


def _places(kept: KeptAnswers, reply: GoldenReply) -> tuple[list[int], str]:
    """Where in an answer the probabilities of the kept classes stand; what is lacking, if something is."""
    if not kept.classes:
        return [], ""
    there = reply.classes or []
    places = [next((n for n, name in enumerate(there) if is_same_label(name, of)), -1) for of in kept.classes]
    said = reply.probabilities or []
    if -1 in places or len(said) != len(kept.rows) or any(len(row) != len(there) for row in said):
        asked = ", ".join(map(str, kept.classes))
        return [], f"gave no probabilities of {asked} (its classes: {_listed(there)}), which it gave"
    return places, ""


def _chances(reply: GoldenReply, at: int, places: Sequence[int]) -> list[float | None]:
    return [] if reply.probabilities is None else [reply.probabilities[at][place] for place in places]


# Any: a label.
def _row(
    kept: KeptAnswers,
    at: int,
    got: Any,  # noqa: ANN401 (as above)
    chances: list[float | None],
    tolerance: float,
) -> tuple[str, float]:
    """What is wrong with a row, and how far its numbers are apart."""
    was, were = kept.predictions[at], kept.probabilities[at] if kept.classes else []
    apart = max((_apart(one, other) for one, other in zip(chances, were, strict=True)), default=0.0)
    if apart > tolerance:
        told = f"gave {_of_classes(kept, chances)}, and {_of_classes(kept, were)}"
        return told if is_same_label(got, was) else f"answered {got} and {told}", apart
    if _is_fraction(got) or _is_fraction(was):
        distance = _apart(got, was)
        return (f"answered {got}, and {was}" if distance > tolerance else ""), max(apart, distance)
    if isinstance(got, list) and isinstance(was, list) and len(got) == len(was):
        parts = [_label(one, other, tolerance) for one, other in zip(got, was, strict=True)]
        same, distance = all(is_same for is_same, _ in parts), max((far for _, far in parts), default=0.0)
        return ("" if same else f"answered {_short(got)}, and {_short(was)}"), max(apart, distance)
    if is_same_label(got, was) or _is_tie(kept, chances, got, was, tolerance):
        return "", apart
    return f"answered {_short(got)}, and {_short(was)}", apart


# Any: as above.
def _label(got: Any, was: Any, tolerance: float) -> tuple[bool, float]:  # noqa: ANN401 (as above)
    """Whether one of several outputs is the same, and how far apart it is."""
    if _is_fraction(got) or _is_fraction(was):
        distance = _apart(got, was)
        return distance <= tolerance, distance
    return is_same_label(got, was), 0.0


# Any: as above.
def is_same_label(one: Any, other: Any) -> bool:  # noqa: ANN401 (as above)
    """Whether two labels are one, also where a file wrote a number or a truth as a text.

    >>> is_same_label(1, 1.0), is_same_label("1", 1), is_same_label("yes", "no")
    (True, True, False)
    """
    return bool(one == other) or str(one).lower() == str(other).lower()


# Any: as above.
def _is_tie(kept: KeptAnswers, chances: list[float | None], got: Any, was: Any, tolerance: float) -> bool:  # noqa: ANN401 (as above)
    named = [
        next((chance for name, chance in zip(kept.classes, chances, strict=False) if is_same_label(name, label)), None)
        for label in (got, was)
    ]
    return None not in named and _apart(named[0], named[1]) <= 2 * tolerance


# Any: as above.
def _apart(one: Any, other: Any) -> float:  # noqa: ANN401 (as above)
    """How far two numbers are apart, in parts of what is above 1; without end when only one of them is a number."""
    if one is None and other is None:
        return 0.0
    if not (_is_number(one) and _is_number(other)):
        return float("inf")
    return float(abs(one - other) / max(1.0, abs(other)))


# Any: as above.
def _is_number(value: Any) -> bool:  # noqa: ANN401 (as above)
    return isinstance(value, int | float)


# Any: as above.
def _is_fraction(value: Any) -> bool:  # noqa: ANN401 (as above)
    return isinstance(value, float)


def _of_classes(kept: KeptAnswers, chances: Sequence[float | None]) -> str:
    told = [f"{name}: {chance:.6g}" for name, chance in zip(kept.classes, chances, strict=True) if chance is not None]
    return _short(f"the chances {', '.join(told)}")


# Any: classes.
def _listed(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names)) or "none"


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _MOST_TOLD else f"{text[:_MOST_TOLD]} …"


_MOST_TOLD = 120
"""Characters of a row, or of an answer, that are told."""
