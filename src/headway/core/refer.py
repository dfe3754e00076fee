"""The names that a step's expressions use, checked before anything runs.

Which step, output, param or matrix value a name stands for is known from the file, all but the values that scripts
write to HEADWAY_OUTPUT. Whether the step named comes before is for `core/resolve`, which knows the order.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from headway.core import expression_names as names
from headway.core.expression_syntax import OPEN
from headway.core.grammar import Step
from headway.core.problem import MANY, Path, Problem, close_to, did_you_mean
from headway.errors import ExpressionUnreadable

OUTCOMES = frozenset(
    {"passed", "reused", "failed", "refused", "held", "invalid", "timeout", "lost", "interrupted", "skipped"}
)
"""What `steps.ID.outcome` can be."""

_GITHUB = {"success": "passed", "failure": "failed", "cancelled": "interrupted"}


class Use(Struct, frozen=True):
    """A step's expression names what another step makes: the nodes named, and where the expression stands."""

    nodes: range
    path: Path
    offset: int


class Known(Struct, frozen=True, kw_only=True):
    """What names can stand for. `params` is None when it is not known; `groups` are the nodes of a step's id.

    Without a `params_file` the `params` are those of the command line.
    `damaged` steps have faults already; `has_unnamed` when one of those lost its name, so that any id may be its.
    """

    # Any: a user's own nested numbers and texts.
    params: Mapping[str, Any] | None
    params_file: str
    damaged: Collection[int] = ()
    has_unnamed: bool = False
    groups: Mapping[str, range]
    outputs: Sequence[Mapping[str, str]]
    runs: Sequence[str]
    problems: Sequence[Problem] = ()

    def of(self, names: Iterable[str]) -> Iterable[str]:
        """The names among which a slip is looked up: none when there are too many faults for that."""
        return names if len(self.problems) < MANY else ()


def uses_of(step: Step, group: range, at: Path, known: Known, problems: list[Problem]) -> list[Use]:
    """The steps that this one's expressions name; what is wrong with any expression is added to `problems`."""
    found: list[Use] = []
    for kind, path, text in _texts(step, at):
        try:
            if kind == "run":
                references = names.in_run(text, step.shell or None)
            elif kind == "if":
                references = names.in_condition(text)
            else:
                references = names.in_text(text)
            for reference in references:
                use = _checked(reference, step, group, path, known)
                if use is not None:
                    found.append(use)
            for word, offset in names.compared_outcomes(text, is_condition=kind == "if"):
                if word.lower() not in OUTCOMES:
                    problems.append(_no_outcome(word, path, offset))
        except ExpressionUnreadable as e:
            problems.append(Problem(path=path, problem=e.problem, remedy=e.remedy, offset=e.offset))
    return found


def _no_outcome(word: str, path: Path, offset: int) -> Problem:
    near = _GITHUB.get(word.lower()) or close_to(word, OUTCOMES)
    return Problem(
        path=path,
        problem=f"no step ever ends as '{word}'",
        remedy=f"did you mean '{near}'?" if near else "a step ends as " + ", ".join(sorted(OUTCOMES)),
        offset=offset,
    )


def _texts(step: Step, at: Path) -> Iterator[tuple[str, Path, str]]:
    """The texts of a step that may hold expressions: what it is, where it stands, the text."""
    if OPEN in step.run:
        yield "run", (*at, "run"), step.run
    if isinstance(step.if_, str) and step.if_:
        yield "if", (*at, "if"), step.if_
    for key, value in (
        ("env", step.env), ("with", step.with_), ("in", step.in_), ("out", step.out), ("metrics", step.metrics),
        ("tests", step.tests),
    ):  # fmt: skip
        if value:
            yield from texts_in(value, (*at, key))


# Any: whatever a person wrote under `with`.
def texts_in(value: Any, path: Path) -> Iterator[tuple[str, Path, str]]:  # noqa: ANN401 (as above)
    """The texts with expressions in a value, however deep."""
    if isinstance(value, str):
        if OPEN in value:
            yield "text", path, value
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from texts_in(below, (*path, key))
    elif isinstance(value, list):
        for i, below in enumerate(value):
            yield from texts_in(below, (*path, i))


def _checked(reference: names.Reference, step: Step, group: range, path: Path, known: Known) -> Use | None:
    """Check one name. Raises ExpressionUnreadable."""
    at_step = path[1]
    if path[2] in ("out", "metrics", "tests"):
        _check_early(reference)
    match reference.root:
        case "steps":
            return _step(reference, group, path, known)
        case "params":
            _param(reference, known)
        case "matrix":
            if at_step not in known.damaged:
                _matrix(reference, step)
        case "run":
            if reference.is_whole:
                names.check_run_path(reference.path, reference.offset)
        case "env":
            pass
        case _:
            raise names.unknown_root(reference.root, reference.offset)
    return None


def _check_early(reference: names.Reference) -> None:
    """Raise for a name in a path to write whose value is known only while the run is under way."""
    is_output = reference.root == "steps" and reference.path[1:2] == ("out",)
    if reference.root in ("env", "run") or (reference.root == "steps" and not is_output):
        raise _fault(
            f"a path to write must be known before the run, and `{reference.root}` is not",
            "use params or matrix values in it",
            reference.offset,
        )


def check_global(text: str, path: Path, known: Known) -> Problem | None:
    """What is wrong with a text that belongs to no step (the `env` of the whole file)."""
    try:
        for reference in names.in_text(text):
            if reference.root == "params":
                _param(reference, known)
            elif reference.root not in ("run", "env"):
                raise _fault(f"`{reference.root}` cannot be used here", "use it in a step's own env", reference.offset)
    except ExpressionUnreadable as e:
        return Problem(path=path, problem=e.problem, remedy=e.remedy, offset=e.offset)
    return None


def _fault(problem: str, remedy: str, offset: int) -> ExpressionUnreadable:
    return ExpressionUnreadable(problem, at="expression", remedy=remedy, offset=offset)


def _step(reference: names.Reference, group: range, path: Path, known: Known) -> Use | None:
    if reference.is_whole:
        names.check_step_path(reference.path, reference.offset)
    if not reference.path:
        return None
    name = str(reference.path[0])
    nodes = known.groups.get(name)
    if nodes is None and known.has_unnamed:
        return None
    if nodes is None:
        raise _fault(
            f"there is no step `{name}`",
            did_you_mean(name, known.of(known.groups), "write the id of a step above"),
            reference.offset,
        )
    if nodes.start < group.stop and group.start < nodes.stop:
        raise _fault("a step cannot use what it makes itself", "use it in a later step", reference.offset)
    if len(nodes) > 1:
        raise _fault(
            f"`{name}` is a matrix of {len(nodes)}, so it is not clear which is meant",
            "name one: " + next(f"steps['{i}']" for i, r in known.groups.items() if r == nodes[:1] and i != name),
            reference.offset,
        )
    if reference.is_whole and len(reference.path) == 3:
        _output(name, str(reference.path[2]), nodes.start, reference.offset, known)
    return Use(nodes, path, reference.offset)


def _output(step: str, name: str, node: int, offset: int, known: Known) -> None:
    """Raise for an output that was not declared and looks like a slip of the pen for one that was.

    Any other may be a value that the script writes to HEADWAY_OUTPUT.
    """
    declared = known.outputs[node]
    if not declared or name in declared or name in known.runs[node]:
        return
    near = close_to(name, declared, cutoff=0.8)
    if near:
        raise _fault(f"step `{step}` declares no output `{name}`", f"did you mean `{near}`?", offset)


def _param(reference: names.Reference, known: Known) -> None:
    if known.params is None:
        return
    # Any: walks down a user's own values.
    value: Any = known.params
    for depth, part in enumerate(reference.path):
        is_there = isinstance(value, Mapping) and part in value
        if is_there or (isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)):
            value = value[part]
        else:
            dotted = ".".join(str(p) for p in reference.path[: depth + 1])
            params = known.params if len(known.problems) < MANY else {}
            raise _fault(*missing_param(dotted, params, known.params_file), reference.offset)


def missing_param(dotted: str, params: Mapping[str, Any], file: str) -> tuple[str, str]:
    """Problem and remedy for a param that is not there; `file` is that of the params, empty when none is named."""
    if file:
        return f"{file} has no `{dotted}`", did_you_mean(dotted, _names(params, ""), "add it there")
    remedy = f"name one at the top, as in params: params.yaml, or give the value with -p {dotted}=…"
    return f"there is no `params.{dotted}`: no file of params is named", remedy


# Any: the same values.
def _names(value: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, below in value.items():
        yield before + name
        if isinstance(below, Mapping):
            yield from _names(below, f"{before}{name}.")


def param_exists(dotted: str, params: Mapping[str, Any]) -> bool:
    """Whether there is a value or a group of that dotted name."""
    # Any: the same values.
    value: Any = params
    for word in dotted.split("."):
        if not isinstance(value, Mapping) or word not in value:
            return False
        value = value[word]
    return True


def _matrix(reference: names.Reference, step: Step) -> None:
    if not reference.path:
        return
    name = str(reference.path[0])
    known = {n for n in step.matrix if n not in ("include", "exclude")}
    for extra in step.matrix.get("include", ()):
        if isinstance(extra, Mapping):
            known |= extra.keys()
    if name in known:
        return
    if not known:
        raise _fault("the step has no `matrix`", "give it one, or use params", reference.offset)
    raise _fault(
        f"the matrix has no `{name}`",
        did_you_mean(name, known, "it has " + ", ".join(sorted(known))),
        reference.offset,
    )
