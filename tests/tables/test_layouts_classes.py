"""A model of many classes is watched by its answers, of few by probabilities and estimates; what is not is said."""

import io
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from headway.core.ids import Digest
from headway.core.reference import Reference
from headway.core.sketch import Sketch
from headway.core.watch_drift import Levels, ground, moves
from headway.core.watch_estimate import Asked, guesses, not_estimated
from headway.core.watch_quality import Promise
from headway.tables.explaining import explaining
from headway.tables.labelled import held
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
    words = f"quality is not estimated without labels: {k} classes are told apart, and no probabilities are counted; "
    assert not_estimated(layout) == ("" if "prob" in counted else words + "answers are compared")
    # What labels prove needs no probabilities.
    assert realised(reference, layout)["accuracy"].value == pytest.approx(0.8 + 0.2 / k, abs=0.03)


def test_of_two_classes_nothing_is_left_out() -> None:
    assert not_estimated(lay_out(answered(1, ["no", "yes"]), 1, ["no", "yes"])) == ""


def sure(seed: int, k: int, *, clear: float, n: int = 6000) -> pl.DataFrame:
    """Rows that come true as often as their probabilities say, which differ the more the clearer they are."""
    rng = np.random.default_rng(seed)
    logits = clear * rng.normal(size=(n, k))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = (rng.random((n, 1)) > chances.cumsum(axis=1)).sum(axis=1).clip(max=k - 1)
    columns = {f"probability.kind-{at}": chances[:, at] for at in range(k)}
    said = chances.argmax(axis=1)
    return pl.DataFrame(
        {"feature.x": rng.normal(size=n) + clear, "prediction": [f"kind-{at}" for at in said]}
        | columns
        | {"label": [f"kind-{at}" for at in true]}
    )


def share_right(frame: pl.DataFrame) -> float:
    return float((frame["prediction"] == frame["label"]).cast(pl.Float64).to_numpy().mean())


@pytest.mark.parametrize("k", [3, 5, 10])
def test_accuracy_of_many_classes_is_estimated_without_labels(k: int) -> None:
    """Overconfident, as classifiers are: it is the calibration that makes the estimate right."""
    classes = [f"kind-{at}" for at in range(k)]

    def bold(frame: pl.DataFrame) -> pl.DataFrame:
        names = [f"probability.{name}" for name in classes]
        raised = frame.select(names).to_numpy()
        top = raised.max(axis=1, keepdims=True)
        raised = np.where(raised == top, top**0.5, raised * (1 - top**0.5) / (1 - top))
        return frame.with_columns([pl.Series(name, raised[:, at]) for at, name in enumerate(names)])

    reference = bold(sure(1, k, clear=2.0))
    layout = lay_out(reference, 1, classes)
    of_all, blocks = whole(reference, layout)
    made = Reference(
        model="m", version=1, data="d.csv", n_rows=reference.height, layout=layout, counts=of_all.counts,
        rows=Digest(""), blocks=Digest(""),
    )  # fmt: skip
    on = ground(made, of_all.table, np.stack([one.table for one in blocks]))
    promise = Promise(metric="accuracy", value=share_right(reference), low=share_right(reference) - 0.01)
    asked = Asked(metric="f1_macro", was={"accuracy": promise}, alpha=1e-4, least_loss=0.02)
    for seed, clear, is_lost in ((2, 2.0, False), (3, 1.2, True)):
        live = bold(sure(seed, k, clear=clear))
        (guess,) = guesses(whole(live.drop("label"), layout)[0], layout, on, asked)
        assert guess.metric == "accuracy"
        assert guess.low <= share_right(live) <= guess.high
        assert guess.is_beyond is is_lost
    # Of what moved it is said how much of that it explains.
    found = explaining(_parquet(reference), layout, layout.inputs)
    assert found is not None
    assert found.right.mean() == pytest.approx(share_right(reference), abs=0.005)
    # And labels say whether the largest probability can be trusted: it says more than holds.
    scores, came_true = held(reference, layout) or (None, None)
    assert scores is not None
    assert came_true is not None
    assert scores.mean() - came_true.mean() > 0.03


def _parquet(frame: pl.DataFrame) -> bytes:
    file = io.BytesIO()
    frame.write_parquet(file)
    return file.getvalue()


def test_rows_without_probabilities_are_left_out_of_an_estimate() -> None:
    classes = ["a", "b", "c"]
    reference = (
        sure(1, 3, clear=2.0)
        .with_columns(
            pl.Series("prediction", [classes[int(one[-1])] for one in sure(1, 3, clear=2.0)["prediction"]]),
            pl.Series("label", [classes[int(one[-1])] for one in sure(1, 3, clear=2.0)["label"]]),
        )
        .rename({f"probability.kind-{at}": f"probability.{name}" for at, name in enumerate(classes)})
    )
    layout = lay_out(reference, 1, classes)
    half = reference.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col(name)).alias(name) for name in layout.largest
    )
    cells, _ = whole(half, layout)
    assert (cells.n_rows, cells.sums[0], cells.sums[3]) == (reference.height, reference.height // 2, 0)
