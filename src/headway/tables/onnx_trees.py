"""Trees of scikit-learn in ONNX: where they compare in another precision than the rest, and where they split.

scikit-learn's trees turn numbers into 32 bits before they compare them, whatever went before, and have learned where a
gap goes; those that work on histograms compare in 64 bits. skl2onnx heeds neither. Neighbour: `onnx_convert` makes
the graph. Does not ask it.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    # Any: numbers of any precision.
    Numbers = np.ndarray[Any, np.dtype[Any]]

_TREES = "TreeEnsemble"


# Any: a graph of the package onnx, which ships types of its own that are not worth an import here.
def as_learned(model: Any, estimator: Any, *, is_double: bool) -> None:  # noqa: ANN401 (as above; a fitted estimator)
    """Let the trees in a graph compare in the precision in which the estimator's do, and send gaps as they do.

    `is_double`: the graph's other numbers have 64 bits.
    """
    last = estimator.steps[-1][1] if getattr(estimator, "steps", None) else estimator
    nodes = [node for node in model.graph.node if node.op_type.startswith(_TREES)]
    if hasattr(last, "_predictors") and is_double and len(nodes) == 1:
        _compare_in_64(model, nodes[0], list(_splits(last)))
    elif is_double:
        _compare_in_32(model)
    # Anew: nodes that were put into a graph again are copies.
    nodes = [node for node in model.graph.node if node.op_type.startswith(_TREES)]
    trees = _trees(last)
    if len(nodes) == 1 and trees:
        _send_gaps(nodes[0], trees)
        if len(trees) > 1 and nodes[0].op_type == "TreeEnsembleClassifier":
            _add_whole_votes(model, nodes[0], len(trees))
    if is_double:
        # What skl2onnx believed of the values in between is not true any more.
        del model.graph.value_info[:]
        _single_outputs(model)


# Any: as above.
def _compare_in_32(model: Any) -> None:  # noqa: ANN401 (as above)
    from onnx import TensorProto, helper

    # Any: nodes.
    nodes: list[Any] = []
    for node in model.graph.node:
        if node.op_type.startswith(_TREES):
            cast = f"{node.input[0]}_in_32_{len(nodes)}"
            nodes.append(helper.make_node("Cast", [node.input[0]], [cast], name=cast, to=TensorProto.FLOAT))
            node.input[0] = cast
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


# Any: as above.
def _single_outputs(model: Any) -> None:  # noqa: ANN401 (as above)
    """Trees give 32 bits whatever they take: the graph's outputs that come from them are told so."""
    from onnx import TensorProto

    single = set[str]()
    for node in model.graph.node:
        if node.op_type.startswith(_TREES) or (node.op_type in _PASSING and node.input[0] in single):
            single.update(node.output)
    for output in model.graph.output:
        if output.name in single and output.type.tensor_type.elem_type == TensorProto.DOUBLE:
            output.type.tensor_type.elem_type = TensorProto.FLOAT


# Any: a graph, and its node.
def _compare_in_64(model: Any, node: Any, splits: "Sequence[tuple[Numbers, Numbers]]") -> None:  # noqa: ANN401 (as above)
    """Give an ensemble the values of the splits as they were learned, in place of those rounded to 32 bits."""
    import numpy as np
    from onnx import helper, numpy_helper

    learned: dict[int, set[float]] = {}
    for columns, values in splits:
        for column, value in zip(columns.tolist(), values.tolist(), strict=True):
            learned.setdefault(column, set()).add(value)
    ordered = {column: np.array(sorted(values)) for column, values in learned.items()}
    old = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    values = np.array(old["nodes_values"], dtype=np.float64)
    for at, column in enumerate(old["nodes_featureids"]):
        if old["nodes_modes"][at] != b"LEAF" and column in ordered:
            of = ordered[column]
            values[at] = of[np.argmin(np.abs(of - values[at]))]
    doubles = {name: old[name] for name in _NUMBERS if name in old} | {"nodes_values": values}
    kept = [one for one in node.attribute if one.name not in doubles]
    del node.attribute[:]
    node.attribute.extend(kept)
    for name, what in doubles.items():
        tensor = numpy_helper.from_array(np.array(what, dtype=np.float64), name=f"{name}_as_tensor")
        node.attribute.append(helper.make_attribute(f"{name}_as_tensor", tensor))
    for used in model.opset_import:
        if used.domain == "ai.onnx.ml":
            used.version = max(used.version, 3)


_PASSING = ("Div", "Identity", "Reshape")
"""Nodes that give numbers of the kind that they take."""

_NUMBERS = ("nodes_values", "nodes_hitrates", "class_weights", "target_weights", "base_values")


# Any: as above.
def _send_gaps(node: Any, trees: "Sequence[Any]") -> None:  # noqa: ANN401 (as above)
    """Send a gap at each split to the side to which it goes in the trees."""
    from onnx import helper

    old = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    if "nodes_missing_value_tracks_true" in old and len(old["nodes_missing_value_tracks_true"]) == 0:
        return
    sides = [
        int(mode != b"LEAF" and bool(trees[tree].missing_go_to_left[number]))
        for tree, number, mode in zip(old["nodes_treeids"], old["nodes_nodeids"], old["nodes_modes"], strict=True)
    ]
    kept = [one for one in node.attribute if one.name != "nodes_missing_value_tracks_true"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("nodes_missing_value_tracks_true", sides)])


# Any: a graph, and its node.
def _add_whole_votes(model: Any, node: Any, n_trees: int) -> None:  # noqa: ANN401 (as above)
    """Let a forest divide the sum of its trees' votes, as scikit-learn does, and not add up divided ones.

    Whole votes add up exactly in 32 bits, divided ones do not: where half of the trees stand against half, the label
    would be another in one case of two.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    old = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    weights = np.array(old.get("class_weights", ()), dtype=np.float64) * n_trees
    if not len(weights):
        return
    whole = np.round(weights)
    weights = np.where(np.abs(weights - whole) < 1e-5, whole, weights)
    new = {name: list(old[name]) for name in ("class_treeids", "class_nodeids", "class_ids")}
    if len(set(new["class_ids"])) == 1:
        # Votes for the second of two classes alone, whose label is told by a bound of one half: both are counted.
        n = len(weights)
        new = {name: [*ids, *ids] for name, ids in new.items()} | {"class_ids": [1] * n + [0] * n}
        weights = np.concatenate([weights, 1 - weights])
    changed = {**new, "class_weights": weights.tolist()}
    kept = [one for one in node.attribute if one.name not in changed]
    del node.attribute[:]
    node.attribute.extend([*kept, *(helper.make_attribute(name, what) for name, what in changed.items())])
    votes, divisor = f"{node.output[1]}_votes", f"{node.output[1]}_trees"
    divided = helper.make_node("Div", [votes, divisor], [node.output[1]], name=divisor)
    node.output[1] = votes
    model.graph.initializer.append(numpy_helper.from_array(np.array([n_trees], dtype=np.float32), name=divisor))
    at = next(i for i, one in enumerate(model.graph.node) if one.output[0] == node.output[0])
    model.graph.node.insert(at + 1, divided)
    _take_most_votes(model, node, votes, at + 2)


# Any: as above.
def _take_most_votes(model: Any, node: Any, votes: str, at: int) -> None:  # noqa: ANN401 (as above)
    """Let the label be the class with most votes, the first of those that have as many, as scikit-learn has it.

    The ensemble's own label is told by a bound of zero where it counts the votes for two classes.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    old = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    texts = old.get("classlabels_strings")
    labels = np.array(texts or old["classlabels_int64s"], dtype=object if texts else np.int64)
    label, where, classes = node.output[0], f"{node.output[0]}_at", f"{node.output[0]}_classes"
    node.output[0] = f"{label}_by_bound"
    model.graph.initializer.append(numpy_helper.from_array(labels, name=classes))
    model.graph.node.insert(at, helper.make_node("ArgMax", [votes], [where], name=where, axis=1, keepdims=0))
    model.graph.node.insert(at + 1, helper.make_node("Gather", [classes, where], [label], name=classes))


# Any: fitted estimators.
def _trees(estimator: Any) -> list[Any]:  # noqa: ANN401 (as above)
    """The trees of a forest, or a single one, where these know where gaps go; nothing for others.

    Boosting has its trees in an array, and takes no gaps.
    """
    parts = [estimator] if hasattr(estimator, "tree_") else getattr(estimator, "estimators_", ())
    trees = [getattr(one, "tree_", None) for one in parts] if isinstance(parts, list) else []
    return trees if trees and all(hasattr(one, "missing_go_to_left") for one in trees) else []


# Any: fitted estimators.
def thresholds_of(estimator: Any) -> "list[tuple[int, float]]":  # noqa: ANN401 (as above)
    """Where trees split that look at the columns of rows themselves: the number of the column, and the value.

    Empty for other models, and for trees behind steps that change the columns.
    """
    while getattr(estimator, "steps", None) is not None and len(estimator.steps) == 1:
        estimator = estimator.steps[0][1]
    found = set[tuple[int, float]]()
    for columns, values in _splits(estimator):
        found.update(zip(columns.tolist(), values.tolist(), strict=True))
    return sorted(found)


def _splits(estimator: Any) -> "Iterator[tuple[Numbers, Numbers]]":  # noqa: ANN401 (as above)
    import numpy as np

    trees = [estimator] if hasattr(estimator, "tree_") else getattr(estimator, "estimators_", ())
    for tree in np.ravel(np.asarray(trees, dtype=object)):
        if (inner := getattr(tree, "tree_", None)) is not None:
            is_split = inner.feature >= 0
            yield inner.feature[is_split], inner.threshold[is_split]
    for several in getattr(estimator, "_predictors", ()):
        for one in several:
            nodes = one.nodes[~one.nodes["is_leaf"].astype(bool)]
            yield nodes["feature_idx"], nodes["num_threshold"]
