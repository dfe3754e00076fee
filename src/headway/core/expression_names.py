"""The names that expressions use, found without a run: for the checks of a file and for plans.

What a name stands for when the run is under way is `core/expression`.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from headway.core.expression_shell import COMMENT, SHELLS, Slot, slots
from headway.core.expression_syntax import CLOSE, OPEN, Tree, condition, end_of, shifted, template, walk
from headway.core.expression_tokens import unreadable
from headway.core.expression_values import text_of
from headway.core.problem import close_to
from headway.errors import ExpressionUnreadable

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


class Reference(Struct, frozen=True, kw_only=True):
    """A name an expression uses: `steps`, (`train`, `out`, `model`), and the offset in the whole text.

    The path ends before the first part that is itself computed; `is_whole` says whether none is.
    """

    root: str
    path: tuple[str | int, ...]
    offset: int
    is_whole: bool = True


def in_text(text: str) -> list[Reference]:
    """The names used by the `${{ … }}` in a text. Raises ExpressionUnreadable."""
    if OPEN not in text:
        return []
    return [r for part in template(text) if not isinstance(part, str) for r in _names(part[0], part[1])]


def in_condition(text: str) -> list[Reference]:
    """The names used by a condition. Raises ExpressionUnreadable."""
    return _names(*condition(text))


def in_run(text: str, shell: str | None) -> list[Reference]:
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
    return [name for slot in slots(text) if slot.kind != COMMENT for name in _in_slot(text, slot)]


def _in_slot(text: str, slot: Slot) -> list[Reference]:
    begin = slot.start + len(OPEN)
    return _names(shifted(text[begin : slot.end - len(CLOSE)], begin), begin)


def step_ids(text: str) -> set[str]:
    """The ids of the steps that a text's expressions name, those that cannot be read left out."""
    found: set[str] = set()
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        end = end_of(text, start)
        if end < 0:
            break
        at = end + len(CLOSE)
        try:
            names = in_text(text[start:at])
        except ExpressionUnreadable:
            continue
        found.update(str(name.path[0]) for name in names if name.root == "steps" and name.path)
    return found


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
            path: list[str | int] = []
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
                    if is_outcome(one) and other[0] == "value" and isinstance(other[1], str):
                        yield other[1], one[3] + begin


def is_outcome(node: Tree) -> bool:
    """Whether the tree is `steps.ID.outcome`."""
    return bool(node[0] == "ref" and node[1] == "steps" and len(node[2]) == 2 and node[2][1] == "outcome")


def check_step_path(path: Sequence[object], offset: int) -> None:
    """Raise ExpressionUnreadable unless this is `ID.out.NAME` or `ID.outcome`."""
    if (len(path) == 3 and path[1] == "out") or (len(path) == 2 and path[1] == "outcome"):
        return
    step = text_of(path[0]) if path else "ID"
    remedy = f"write steps.{step}.out.NAME or steps.{step}.outcome"
    if len(path) == 3 and path[1] == "outputs":
        remedy = f"write steps.{step}.out.{text_of(path[2])}"
    dotted = ".".join(["steps", *(text_of(p) for p in path)])
    raise unreadable(f"`{dotted}` names nothing of a step", remedy, offset)


def check_run_path(path: Sequence[object], offset: int) -> None:
    """Raise ExpressionUnreadable unless this is `id` or `name`."""
    if len(path) != 1 or path[0] not in ("id", "name"):
        dotted = ".".join(["run", *(text_of(p) for p in path)])
        raise unreadable(f"`{dotted}` names nothing of a run", "there are run.id and run.name", offset)


def unknown_root(root: str, offset: int) -> Exception:
    """The error for a name that begins with a word no expression knows."""
    near = close_to(root, ROOTS)
    remedy = _FOREIGN.get(root) or (f"did you mean `{near}`?" if near else "names begin with " + ", ".join(ROOTS))
    return unreadable(f"there is nothing named `{root}`", remedy, offset)
