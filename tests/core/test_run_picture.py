"""Where runs stand on the axes of what differs between them."""

from headway.core.facts import Scalar
from headway.core.ids import RunId
from headway.core.run_picture import AXES, SHADES, Values, picture


def run(number: int, params: dict[str, Scalar], **metrics: float) -> Values:
    return Values(run=RunId(number), params=params, metrics=metrics)


def test_what_is_the_same_in_all_of_them_is_no_axis() -> None:
    found = picture([run(1, {"lr": 0.1, "seed": 1}, auc=0.7), run(2, {"lr": 0.2, "seed": 1}, auc=0.8)])
    assert [(axis.name, axis.kind) for axis in found.axes] == [("lr", "parameter"), ("auc", "metric")]
    assert found.axes[0].marks == ((0.0, "0.1"), (1.0, "0.2"))
    assert [line.places for line in found.lines] == [(0.0, 0.0), (1.0, 1.0)]


def test_words_stand_in_their_order_and_what_is_missing_nowhere() -> None:
    found = picture([run(1, {"kind": "tree"}), run(2, {"kind": "forest"}), run(3, {"kind": True}), run(4, {})])
    assert found.axes[0].marks == ((0.0, "forest"), (0.5, "tree"), (1.0, "true"))
    assert [line.places for line in found.lines] == [(0.5,), (0.0,), (1.0,), (None,)]


def test_the_metric_that_was_chosen_stands_last_and_shades_the_lines() -> None:
    found = picture([run(n, {}, auc=n, loss=-n) for n in range(1, 6)], by="auc")
    assert [axis.name for axis in found.axes] == ["loss", "auc"]
    assert [line.shade for line in found.lines] == list(range(SHADES))


def test_of_many_differences_a_few_are_axes_of_both_kinds_and_the_chosen_metric_among_them() -> None:
    many = [run(n, {f"p{i}": n for i in range(30)}, **{f"m{i}": float(n) for i in range(30)}) for n in (1, 2)]
    found = picture(many, by="m7")
    assert len(found.axes) == AXES
    assert {axis.kind for axis in found.axes} == {"parameter", "metric"}
    assert found.axes[-1].name == "m7"
