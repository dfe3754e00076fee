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

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from headway.core.expression_shell import BARE, COMMENT, SHELLS, slots
from headway.core.expression_syntax import (
    CLOSE,
    OPEN,
    Tree,
    condition,
    end_of,
    nearest,
    parse,
    template,
    unreadable,
    walk,
)
from headway.errors import ExpressionUnreadable

VARIABLE = "HEADWAY_EXPR_"
"""What the environment variables begin with that carry values into a shell's text."""

ROOTS = ("params", "steps", "env", "matrix", "run")
"""The names that an expression may begin with."""

# Names of GitHub's that people paste, and where the same thing is found here.
_FOREIGN = {
    "secrets": "secrets come in environment variables: use $NAME in the script",
    "github": "Headway is not GitHub: use run.id or run.name, or an environment variable",
    "inputs": "values that may be set from outside are params: params.NAME, and `headway run -p NAME=…`",
    "vars": "values that may be set from outside are params: params.NAME, and `headway run -p NAME=…`",
    "needs": "write steps.ID.out.NAME",
    "strategy": "write matrix.NAME",
    "job": "write run.id or steps.ID.outcome",
    "runner": "use an environment variable of the machine: $NAME in the script",
}
_NAN = float("nan")
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


class Reference(Struct, frozen=True, kw_only=True):
    """A name an expression uses: `steps`, (`train`, `out`, `model`), and the offset in the whole text.

    The path ends before the first part that is itself computed; `is_whole` says whether none is.
    """

    root: str
    path: tuple[str | int, ...]
    offset: int
    is_whole: bool = True


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
    return _truth(_value(condition(text)[0], scope))


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
    pieces = []
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
        tree, _ = template(whole)[0]
        names = [node for node in walk(tree) if node[0] == "ref"]
        if names and all(_is_settled(node, scope) for node in names):
            return text_of(_given(tree, scope))
    except ExpressionUnreadable:
        pass
    return whole


def _is_settled(node: Tree, scope: Scope) -> bool:
    """Whether a name has its final value before anything runs: how a step ended is never known by then."""
    if node[1] not in ("matrix", "steps") or _is_outcome(node):
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
    pieces = []
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


# --- what is used, for the checks before anything runs --------------------------------------------------------------


def references(text: str) -> list[Reference]:
    """The names used by the `${{ … }}` in a text. Raises ExpressionUnreadable."""
    if OPEN not in text:
        return []
    return [r for part in template(text) if not isinstance(part, str) for r in _names(part[0], part[1])]


def references_of_condition(text: str) -> list[Reference]:
    """The names used by a condition. Raises ExpressionUnreadable."""
    tree, begin = condition(text)
    return _names(tree, begin)


def references_of_run(text: str, shell: str | None) -> list[Reference]:
    """The names used by a step's `run:`. Raises ExpressionUnreadable, also for a place where no value may go.

    `shell` is the step's, or None for the default; expressions are understood in POSIX shells alone.
    """
    if OPEN not in text:
        return []
    if shell is not None and not quotes_are_known(shell):
        raise unreadable(
            f"expressions cannot be put into the text of shell `{shell}`",
            "hand the value over with env: {NAME: ${{ … }}} and read the variable NAME",
            text.find(OPEN),
        )
    found: list[Reference] = []
    for slot in slots(text):
        if slot.kind != COMMENT:
            inside = slot.inside(text)
            # Parsed through `template` so that an offset is one of the whole text.
            found += [
                Reference(root=r.root, path=r.path, offset=r.offset + slot.start, is_whole=r.is_whole)
                for r in _located(inside, text[slot.start : slot.end], slot.start)
            ]
    return found


def _located(_inside: str, whole: str, start: int) -> list[Reference]:
    try:
        return references(whole)
    except ExpressionUnreadable as e:
        raise unreadable(e.problem, e.remedy, e.offset + start) from e


def quotes_are_known(shell: str) -> bool:
    """Whether `shell:` names a shell whose quoting is understood: sh, bash, zsh and their like.

    >>> quotes_are_known("/bin/bash -x {0}"), quotes_are_known("python")
    (True, False)
    """
    words = shell.split()
    return bool(words) and words[0].rpartition("/")[2] in SHELLS


def _names(tree: Tree, begin: int) -> list[Reference]:
    found = []
    for node in walk(tree):
        if node[0] == "ref":
            path = []
            for part in node[2]:
                if isinstance(part, tuple):
                    break
                path.append(part)
            found.append(
                Reference(root=node[1], path=tuple(path), offset=node[3] + begin, is_whole=len(path) == len(node[2]))
            )
    return found


def compared_outcomes(text: str, *, is_condition: bool) -> Iterator[tuple[str, int]]:
    """The texts that `steps.ID.outcome` is compared with, each with an offset: a wrong word there is never true."""
    trees = [condition(text)] if is_condition else [p for p in template(text) if not isinstance(p, str)]
    for tree, begin in trees:
        for node in walk(tree):
            if node[0] == "compare" and node[1] in ("==", "!="):
                for one, other in ((node[2], node[3]), (node[3], node[2])):
                    if _is_outcome(one) and other[0] == "value" and isinstance(other[1], str):
                        yield other[1], one[3] + begin


def _is_outcome(node: Tree) -> bool:
    return bool(node[0] == "ref" and node[1] == "steps" and len(node[2]) == 2 and node[2][1] == "outcome")


# --- values ---------------------------------------------------------------------------------------------------------


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
            return not _truth(_value(tree[1], scope))
        case "compare":
            return _compare(tree[1], _value(tree[2], scope), _value(tree[3], scope))
        case "call":
            return _CALLS[tree[1]](scope, *(_value(a, scope) for a in tree[2]))
    # `and` stops at the first value that is false, `or` at the first that is true; both give that value.
    value = None
    for below in tree[1]:
        value = _value(below, scope)
        if _truth(value) is (tree[0] == "or"):
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


def unknown_root(root: str, offset: int) -> Exception:
    """The error for a name that begins with a word no expression knows."""
    near = nearest(root, ROOTS)
    remedy = _FOREIGN.get(root) or (f"did you mean `{near}`?" if near else "names begin with " + ", ".join(ROOTS))
    return unreadable(f"there is nothing named `{root}`", remedy, offset)


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


def check_step_path(path: list[Any] | tuple[Any, ...], offset: int) -> None:
    """Raise ExpressionUnreadable unless this is `ID.out.NAME` or `ID.outcome`."""
    if (len(path) == 3 and path[1] == "out") or (len(path) == 2 and path[1] == "outcome"):
        return
    step = text_of(path[0]) if path else "ID"
    remedy = f"write steps.{step}.out.NAME or steps.{step}.outcome"
    if len(path) == 3 and path[1] == "outputs":
        remedy = f"write steps.{step}.out.{text_of(path[2])}"
    dotted = ".".join(["steps", *(text_of(p) for p in path)])
    raise unreadable(f"`{dotted}` names nothing of a step", remedy, offset)


def _of_run(path: list[Any], scope: Scope, offset: int) -> str:
    check_run_path(path, offset)
    return scope.run_id if path[0] == "id" else scope.run_name


def check_run_path(path: list[Any] | tuple[Any, ...], offset: int) -> None:
    """Raise ExpressionUnreadable unless this is `id` or `name`."""
    if len(path) != 1 or path[0] not in ("id", "name"):
        dotted = ".".join(["run", *(text_of(p) for p in path)])
        raise unreadable(f"`{dotted}` names nothing of a run", "there are run.id and run.name", offset)


def text_of(value: Any) -> str:  # noqa: ANN401 (as above)
    """A value as text: null is empty, booleans are true and false, groups and lists are JSON.

    >>> text_of(None), text_of(True), text_of(0.1), text_of([1, 2])
    ('', 'true', '0.1', '[1,2]')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return (
            "NaN" if value != value else {float("inf"): "Infinity", -float("inf"): "-Infinity"}.get(value, repr(value))
        )
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else repr(float(value)) if abs(value) < 10**300 else "Infinity"
    return msgspec.json.encode(value).decode()


def _truth(value: Any) -> bool:  # noqa: ANN401 (as above)
    """GitHub's: null, false, 0, NaN and the empty text are false; a group or list is true even when empty."""
    if isinstance(value, Mapping | list | tuple):
        return True
    return bool(value) and value == value  # noqa: PLR0124 (NaN)


def _number(value: Any) -> float | int:  # noqa: ANN401 (as above)
    """GitHub's: null is 0, booleans 0 and 1, the empty text 0, a text its number, all else NaN."""
    if value is None:
        return 0
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return _NAN
    text = value.strip()
    if not text:
        return 0
    if len(text) > 40 or not _NUMERIC.issuperset(text):
        return _NAN
    try:
        return int(text, 0) if text[:2].lower() in ("0x", "0o") else float(text)
    except ValueError:
        return _NAN


_NUMERIC = frozenset("0123456789abcdefABCDEFxXoO.+-")


def _compare(operator: str, left: Any, right: Any) -> bool:  # noqa: ANN401 (as above)
    if isinstance(left, str) and isinstance(right, str):
        left, right = left.upper(), right.upper()
    elif not (left is None and right is None and operator in ("==", "!=")):
        left, right = _number(left), _number(right)
    match operator:
        case "==":
            return bool(left == right)
        case "!=":
            return bool(left != right)
        case "<":
            return bool(left is not None and left < right)
        case "<=":
            return bool(left is not None and left <= right)
        case ">":
            return bool(left is not None and left > right)
    return bool(left is not None and left >= right)


def _contains(_: Scope, where: Any, what: Any) -> bool:  # noqa: ANN401 (as above)
    if isinstance(where, list | tuple):
        return any(_compare("==", item, what) for item in where)
    return text_of(what).upper() in text_of(where).upper()


def _format(_: Scope, pattern: Any, *values: Any) -> str:  # noqa: ANN401 (as above)
    text = text_of(pattern)
    pieces = []
    i = 0
    while i < len(text):
        c = text[i]
        if c in "{}" and text[i + 1 : i + 2] == c:
            pieces.append(c)
            i += 2
            continue
        if c in "{}":
            end = text.find("}", i)
            number = text[i + 1 : end] if c == "{" and end > 0 else ""
            if not (number.isascii() and number.isdigit() and len(number) < 4 and int(number) < len(values)):
                raise unreadable(
                    f"format has no value for `{text[i : end + 1] or c}`",
                    "write {0}, {1}, … for the values that follow, {{ and }} for braces",
                )
            pieces.append(text_of(values[int(number)]))
            i = end + 1
        else:
            pieces.append(c)
            i += 1
    return "".join(pieces)


def _join(_: Scope, values: Any, between: Any = ",") -> str:  # noqa: ANN401 (as above)
    if isinstance(values, list | tuple):
        return text_of(between).join(text_of(v) for v in values)
    return text_of(values)


# Any: each takes a scope and the values of its arguments, whose number the parser checked.
_CALLS: dict[str, Callable[..., Any]] = {
    "success": lambda scope: not scope.failed and not scope.interrupted,
    "failure": lambda scope: scope.failed and not scope.interrupted,
    "always": lambda _scope: True,
    "cancelled": lambda scope: scope.interrupted,
    "contains": _contains,
    "startsWith": lambda _scope, text, start: text_of(text).upper().startswith(text_of(start).upper()),
    "endsWith": lambda _scope, text, end: text_of(text).upper().endswith(text_of(end).upper()),
    "format": _format,
    "join": _join,
}
