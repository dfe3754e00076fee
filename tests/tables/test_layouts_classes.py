"""A model of many classes is watched by its answers, of few by their probabilities too; what is not done is said."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from headway.core.ids import Digest
from headway.core.reference import Reference
from headway.core.sketch import Sketch
from headway.core.watch_drift import Levels, ground, moves
from headway.core.watch_estimate import not_estimated
from headway.tables.layouts import count_blocks, lay_out, realised


def answered(seed: int, classes: list[str], *, first: float = 0.0) -> pl.DataFrame:
    """2,000 rows answered with one of the classes, the first so much more often; right in four of five."""
    rng = np.random.default_rng(seed)
    n, k = 2000, len(classes)
    shares = np.full(k, (1 - first) / k) + first * (np.arange(k) == 0)
    said = rng.choice(k, n, p=shares)
    true = np.where(rng.random(n) < 0.8, said, rng.integers(0, k, n))
    chances = rng.dirichlet(np.ones(k), n)
    chances[np.arange(n), said] += 1
    chances /= chances.sum(axis=1, keepdims=True)
    return pl.DataFrame(
        {"feature.x": rng.normal(size=n), "prediction": [classes[at] for at in said]}
        | {f"probability.{name}": chances[:, at] for at, name in enumerate(classes)}
        | {"label": [classes[at] for at in true]}
    )


def whole(frame: pl.DataFrame, layout: object) -> tuple[Sketch, list[Sketch]]:
    blocks = [
        at for at, (a, b) in enumerate(pairwise(np.linspace(0, frame.height, 65).astype(int))) for _ in range(b - a)
    ]
    return count_blocks(frame, blocks, layout)  # type: ignore[arg-type] # as it was laid out


@pytest.mark.parametrize(
    ("k", "counted"), [(3, "answers and probabilities"), (10, "answers and probabilities"), (12, "answers")]
)
def test_of_many_classes_what_comes_out_is_compared_and_what_is_not_estimated_is_said(k: int, counted: str) -> None:
    classes = [f"kind-{at}" for at in range(k)]
    reference = answered(1, classes)
    layout = lay_out(reference, 1, classes)
    of_all, blocks = whole(reference, layout)
    made = Reference(
        model="m", version=1, data="d.csv", n_rows=reference.height, layout=layout, counts=of_all.counts,
        rows=Digest(""), blocks=Digest(""),
    )  # fmt: skip
    on = ground(made, of_all.table, np.stack([one.table for one in blocks]))
    levels = Levels(inputs=1e-4, outputs=1e-4, least=0.05)
    same, other = (moves(on, whole(answered(2, classes, first=first), layout)[0].table, levels) for first in (0.0, 0.2))
    assert [one.of for one in same if one.beyond] == []
    assert "prediction" in [one.of for one in other if one.beyond]
    names = [axis.name for axis in layout.outputs]
    assert names == ["prediction", *([f"probability.{name}" for name in classes] if "prob" in counted else [])]
    words = (
        f"quality is not estimated without labels: {k} classes are told apart, and it is of two; {counted} are compared"
    )
    assert not_estimated(layout) == words
    # What labels prove needs no probabilities.
    assert realised(reference, layout)["accuracy"].value == pytest.approx(0.8 + 0.2 / k, abs=0.03)


def test_of_two_classes_nothing_is_left_out() -> None:
    assert not_estimated(lay_out(answered(1, ["no", "yes"]), 1, ["no", "yes"])) == ""
