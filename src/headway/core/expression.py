"""What expressions `${{ … }}` stand for: conditions, texts of `with:` and `env:`, and the shell's texts of `run:`.

The grammar is `core/expression_syntax`, the shell's quoting `core/expression_shell`. GitHub Actions' rules hold where
GitHub has them: texts compare without regard to case, unlike kinds as numbers, `&&` and `||` give one of their values,
and a name that stands for nothing is null. One rule is stricter, because an empty word in a command can delete the
wrong folder: an expression that is nothing but such a name is an error outside conditions.

>>> scope = Scope(params={"lr": 0.1}, run_id="7")
>>> evaluate("params.lr < 0.5 && run.id == '7'", scope)
True
>>> bind("python train.py --lr ${{ params.lr }}", scope)
('python train.py --lr "${HEADWAY_EXPR_1}"', {'HEADWAY_EXPR_1': '0.1'})
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from headway.core.expression_names import check_run_path, check_step_path, is_outcome, unknown_root
from headway.core.expression_shell import BARE, COMMENT, slots
from headway.core.expression_syntax import CLOSE, OPEN, Tree, condition, end_of, parse, template, walk
from headway.core.expression_tokens import unreadable
from headway.core.expression_values import CALLS, compare, text_of, truth
from headway.errors import ExpressionUnreadable

VARIABLE = "HEADWAY_EXPR_"
"""What the environment variables begin with that carry values into a shell's text."""

_MISSING = object()


class StepScope(Struct, frozen=True, kw_only=True):
    """What a step gave: `out` holds declared outputs (their paths) and values it wrote; `outcome` how it ended."""

    out: Mapping[str, str] = {}
    outcome: str = "waiting"


class Scope(Struct, frozen=True, kw_only=True):
    """What the names of an expression stand for. `failed`: a step before did not pass; `interrupted`: it is ending."""

    # Any: a user's own nested numbers and texts.
    params: Mapping[str, Any] = {}
    steps: Mapping[str, StepScope] = {}
    env: Mapping[str, str] = {}
    # Any: the same.
    matrix: Mapping[str, Any] = {}
    run_id: str = ""
    run_name: str = ""
    failed: bool = False
    interrupted: bool = False


# Any (here and below): an expression's value is a Scalar, or a group or list of params.
def evaluate(text: str, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    """The value of one expression, written without its braces.

    Raises ExpressionUnreadable, and nothing else.

    >>> evaluate("steps.train.outcome == 'passed'", Scope(steps={"train": StepScope(outcome="passed")}))
    True
    """
    return _value(parse(text), scope)


def is_met(text: str, scope: Scope) -> bool:
    """Whether a condition holds: an expression with or without `${{ }}`; empty means `success()`.

    One that names no status function holds only while all before it passed, as on GitHub.
    Raises ExpressionUnreadable.

    >>> is_met("params.deploy", Scope(params={"deploy": True})), is_met("true", Scope(failed=True))
    (True, False)
    """
    return truth(_value(condition(text)[0], scope))


def fill(value: Any, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    """The value with every expression in its texts replaced, down through lists and mappings.

    A text that is exactly one expression becomes that value with its type; elsewhere the value is written as text.
    Raises ExpressionUnreadable, also for a name alone that stands for nothing.

    >>> fill({"lr": "${{ params.lr }}", "note": "lr ${{ params.lr }}"}, Scope(params={"lr": 0.1}))
    {'lr': 0.1, 'note': 'lr 0.1'}
    """
    if isinstance(value, str):
        return _filled(value, scope) if OPEN in value else value
    if isinstance(value, Mapping):
        return {key: fill(below, scope) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [fill(below, scope) for below in value]
    return value


def fill_known(text: str, scope: Scope) -> str:
    """The text with those expressions filled in whose every name is of `matrix` or `steps` and has a value in `scope`.

    The others stay as they are written, for `fill` when the run is under way; so does a text that cannot be read.
    """
    pieces: list[str] = []
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        end = end_of(text, start)
        if end < 0:
            break
        end += len(CLOSE)
        pieces += (text[at:start], _known_or(text[start:end], scope))
        at = end
    return "".join(pieces) + text[at:]


def _known_or(whole: str, scope: Scope) -> str:
    try:
        tree = parse(whole[len(OPEN) : -len(CLOSE)])
        names = [node for node in walk(tree) if node[0] == "ref"]
        if names and all(_is_settled(node, scope) for node in names):
            return text_of(_given(tree, scope))
    except ExpressionUnreadable:
        pass
    return whole


def _is_settled(node: Tree, scope: Scope) -> bool:
    """Whether a name has its final value before anything runs: how a step ended is never known by then."""
    if node[1] not in ("matrix", "steps") or is_outcome(node):
        return False
    return _lookup(node, scope) is not _MISSING


def _filled(text: str, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    parts = template(text)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return _given(parts[0][0], scope)
    return "".join(p if isinstance(p, str) else text_of(_given(p[0], scope)) for p in parts)


def bind(text: str, scope: Scope) -> tuple[str, dict[str, str]]:
    """A shell's text with each expression replaced by an environment variable, and those variables.

    The value is never pasted into the text, so it cannot run: it stays one word wherever it stands. Expressions in
    comments are left alone. Raises ExpressionUnreadable.
    """
    found = slots(text)
    if not found:
        return text, {}
    names: dict[str, str] = {}
    env: dict[str, str] = {}
    pieces: list[str] = []
    at = 0
    for slot in found:
        if slot.kind == COMMENT:
            continue
        inside = slot.inside(text).strip()
        name = names.get(inside)
        if name is None:
            name = names[inside] = f"{VARIABLE}{len(names) + 1}"
            env[name] = _carried(text_of(_given(parse(inside), scope)), inside)
        pieces += (text[at : slot.start], f'"${{{name}}}"' if slot.kind == BARE else f"${{{name}}}")
        at = slot.end
    return "".join(pieces) + text[at:], env


def _carried(value: str, inside: str) -> str:
    if "\0" in value or (not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value)):
        raise unreadable(
            f"the value of `{inside}` cannot be put into an environment variable",
            "hand it over in a file: it holds a NUL or half a character",
        )
    return value


# --- what names stand for -------------------------------------------------------------------------------------------


def _given(tree: Tree, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    """The value of a whole expression; a name alone that stands for nothing is an error."""
    if tree[0] != "ref":
        return _value(tree, scope)
    value = _lookup(tree, scope)
    if value is not _MISSING:
        return value
    if tree[1] == "env":
        return None
    dotted = ".".join(str(p) for p in (tree[1], *tree[2]) if not isinstance(p, tuple))
    raise unreadable(f"`{dotted}` has no value", _cure(tree, dotted), tree[3])


def _cure(tree: Tree, dotted: str) -> str:
    match tree[1]:
        case "params":
            return f"give it: -p {dotted.partition('.')[2]}=…, or write it into the params file"
        case "steps":
            return f"let the step write it to HEADWAY_OUTPUT, or allow for its absence: {dotted} || 'default'"
    return f"allow for its absence: {dotted} || 'default'"


def _value(tree: Tree, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    match tree[0]:
        case "value":
            return tree[1]
        case "ref":
            value = _lookup(tree, scope)
            return None if value is _MISSING else value
        case "not":
            return not truth(_value(tree[1], scope))
        case "compare":
            return compare(tree[1], _value(tree[2], scope), _value(tree[3], scope))
        case "call":
            return CALLS[tree[1]](scope, *(_value(a, scope) for a in tree[2]))
    # `and` stops at the first value that is false, `or` at the first that is true; both give that value.
    value = None
    for below in tree[1]:
        value = _value(below, scope)
        if truth(value) is (tree[0] == "or"):
            break
    return value


def _lookup(tree: Tree, scope: Scope) -> Any:  # noqa: ANN401 (as above)
    """What a name stands for, or `_MISSING`. Raises ExpressionUnreadable for one that never stands for anything."""
    root = tree[1]
    path = [_value(p, scope) if isinstance(p, tuple) else p for p in tree[2]]
    if root == "steps":
        return _of_step(path, scope, tree[3])
    if root == "run":
        return _of_run(path, scope, tree[3])
    value: Any
    if root == "params":
        value = scope.params
    elif root == "matrix":
        value = scope.matrix
    elif root == "env":
        value = scope.env
    else:
        raise unknown_root(root, tree[3])
    for part in path:
        value = _below(value, part)
    return value


def _below(value: Any, part: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(value, Mapping):
        if isinstance(part, str):
            return value.get(part, _MISSING)
        return value.get(text_of(part), _MISSING)
    if isinstance(value, list | tuple) and isinstance(part, int) and not isinstance(part, bool):
        return value[part] if 0 <= part < len(value) else _MISSING
    return _MISSING


def _of_step(path: list[Any], scope: Scope, offset: int) -> Any:  # noqa: ANN401 (as above)
    check_step_path(path, offset)
    step = scope.steps.get(text_of(path[0]))
    if step is None:
        return _MISSING
    if path[1] == "outcome":
        return step.outcome
    return step.out.get(text_of(path[2]), _MISSING)


def _of_run(path: list[Any], scope: Scope, offset: int) -> str:
    check_run_path(path, offset)
    return scope.run_id if path[0] == "id" else scope.run_name
