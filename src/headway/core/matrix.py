"""A matrix spread into instances: every combination of the values, less `exclude`, plus `include`, as on GitHub."""

from collections.abc import Mapping, Sequence
from typing import Any

from headway.core.expression_values import text_of
from headway.core.facts import Scalar
from headway.core.problem import Path, Problem

MOST = 1000
"""Instances of one step (GitHub takes 256); more is a slip of the pen, and two such steps in a row a million edges."""

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
_LONGEST = 40


# Any: the values of the lists are scalars, and mappings under `include` and `exclude`.
def spread(matrix: Mapping[str, Sequence[Any]], path: Path) -> tuple[list[dict[str, Scalar]], list[Problem]]:
    """Every combination in the order written, the last name changing fastest, and what is wrong with the matrix.

    >>> spread({"lr": [0.1, 0.01], "depth": [3]}, ())[0]
    [{'lr': 0.1, 'depth': 3}, {'lr': 0.01, 'depth': 3}]
    """
    problems = _problems(matrix, path)
    if problems:
        return [], problems
    axes = {name: values for name, values in matrix.items() if name not in ("include", "exclude")}
    n = 1
    for values in axes.values():
        n *= len(values)
    if n > MOST:
        return [], [Problem(path=path, problem=f"the matrix has {n} combinations", remedy=f"keep it to {MOST}")]
    found: list[dict[str, Scalar]] = [{}] if axes else []
    for name, values in axes.items():
        found = [{**one, name: value} for one in found for value in values]
    excluded = matrix.get("exclude", ())
    found = [one for one in found if not any(_agrees(one, rule) for rule in excluded)]
    found += _included(found, matrix.get("include", ()), axes)
    if not found:
        problems.append(Problem(path=path, problem="the matrix has no combination", remedy="give each name values"))
    return found, problems


def _problems(matrix: Mapping[str, Sequence[Any]], path: Path) -> list[Problem]:
    problems = []
    for name, values in matrix.items():
        is_rule = name in ("include", "exclude")
        for i, value in enumerate(values):
            if isinstance(value, Mapping) is not is_rule:
                problems.append(
                    Problem(
                        path=(*path, name, i),
                        problem=f"`{name}` holds {'mappings' if is_rule else 'single values'}",
                        remedy="write {name: value, …}" if is_rule else "write single values: [0.1, 0.01]",
                    )
                )
        if not values and not is_rule:
            problems.append(
                Problem(path=(*path, name), problem=f"`{name}` has no values", remedy="give it one, or take it out")
            )
    return problems


def _agrees(one: Mapping[str, Scalar], rule: Mapping[str, Scalar]) -> bool:
    return all(name in one and one[name] == value for name, value in rule.items())


def _included(
    found: Sequence[dict[str, Scalar]], extras: Sequence[Mapping[str, Scalar]], axes: Mapping[str, Any]
) -> list[dict[str, Scalar]]:
    """Add each extra's values to the combinations they do not contradict; those that fit none become new ones."""
    alone = []
    for extra in extras:
        fitting = [one for one in found if all(one[name] == extra[name] for name in axes if name in extra)]
        for one in fitting:
            one.update(extra)
        if not fitting:
            alone.append(dict(extra))
    return alone


def instance_ids(base: str, combinations: Sequence[Mapping[str, Scalar]]) -> list[str]:
    """`train[lr=0.1,depth=3]` for each; signs that no file name should have become `_`, twins get a number.

    >>> instance_ids("train", [{"data": "a/b"}, {"data": "a:b"}])
    ['train[data=a_b]', 'train[data=a_b]~2']
    """
    seen: dict[str, int] = {}
    ids = []
    for one in combinations:
        inside = ",".join(f"{name}={_safe(text_of(value))}" for name, value in one.items())
        made = f"{base}[{inside[:160]}]"
        seen[made] = n = seen.get(made, 0) + 1
        ids.append(made if n == 1 else f"{made}~{n}")
    return ids


def _safe(text: str) -> str:
    return "".join(c if c in _PLAIN else "_" for c in text[:_LONGEST])
