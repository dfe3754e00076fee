"""What one step declares, checked and put into its final form: id, paths, times, sizes.

Looks at each step alone; how steps hang together is `core/order` and `core/refer`.
"""

from collections.abc import Collection, Sequence

from msgspec import UNSET

from headway.core.expression_syntax import CLOSE, OPEN, end_of
from headway.core.grammar import Retry as WrittenRetry
from headway.core.grammar import Step, Texts
from headway.core.ids import slug
from headway.core.paths import normal
from headway.core.pipeline import Resources, Retry
from headway.core.problem import Path, Problem, close_to
from headway.core.units import duration_s, size_bytes

TIMES = "write 90 (seconds), 30s, 10m, 1h30m or 7d"
SIZES = "write a number of bytes, 512MiB or 4GiB"

_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST_ID = 40


# --- ids ------------------------------------------------------------------------------------------------------------


def ids_of(steps: Sequence[Step]) -> tuple[list[str], list[Problem]]:
    """The id of each step: given, or the slug of its name, or of the first words it runs.

    Given and named ids must be unique; those made from a command get a number where they would not be.
    """
    problems: list[Problem] = []
    taken: dict[str, int] = {}
    ids: list[str] = []
    for i, step in enumerate(steps):
        made = step.id or slug(step.name)
        if step.id and not (_ID.issuperset(step.id) and step.id[0] != "-"):
            problems.append(
                Problem(
                    path=("steps", i, "id"),
                    problem=f"`{step.id}` cannot be an id",
                    remedy=f"use letters, digits, _ and -: {slug(step.id) or f'step-{i + 1}'}",
                )
            )
        elif made and taken.setdefault(made, i) != i:
            problems.append(_taken_twice(made, step, i, taken[made]))
        ids.append(made)
    for i, step in enumerate(steps):
        if not ids[i]:
            ids[i] = _made_up(step, i, taken)
            taken[ids[i]] = i
    return ids, problems


def _taken_twice(made: str, step: Step, i: int, first: int) -> Problem:
    return Problem(
        path=("steps", i, "id" if step.id else "name"),
        problem=f"two steps have the id `{made}`: this one and steps[{first}]",
        remedy=f"give this one an id of its own, as in id: {made}-2",
    )


def _made_up(step: Step, i: int, taken: Collection[str]) -> str:
    words = (step.run or step.uses).split(None, 3)[:3] if not step.name else []
    base = slug(" ".join(words))[:_LONGEST_ID].strip("-") or f"step-{i + 1}"
    made, n = base, 1
    while made in taken:
        n += 1
        made = f"{base}-{n}"
    return made


# --- what it is -----------------------------------------------------------------------------------------------------


def shape_problems(step: Step, i: int, step_types: Collection[str]) -> list[Problem]:
    """Whether the step is a command or a step type, and has no key that belongs to the other."""
    at: Path = ("steps", i)
    found: list[Problem] = []
    if step.run and step.uses:
        found.append(
            Problem(
                path=(*at, "uses"),
                problem="the step has both `run` and `uses`",
                remedy="make it two steps, or take one of them out",
                at_key=True,
            )
        )
    elif not step.run.strip() and not step.uses:
        found.append(
            Problem(path=at, problem="the step does nothing", remedy="give it `run:` a command, or `uses:` a step type")
        )
    elif step.uses:
        if step.uses not in step_types:
            found.append(_unknown_type(step.uses, (*at, "uses"), step_types))
        if step.shell:
            found.append(_misplaced(at, "shell", "run", "a step type has no shell"))
    elif step.with_:
        found.append(_misplaced(at, "with", "uses", "a command takes no `with`"))
    found += [
        Problem(
            path=(*at, "env", name),
            problem=f"`{name}` cannot name an environment variable",
            remedy="use letters, digits and _",
            at_key=True,
        )
        for name in step.env
        if not name or "=" in name
    ]
    return found


def _misplaced(at: Path, key: str, belongs: str, why: str) -> Problem:
    remedy = "hand values to a command with env:" if key == "with" else "take it out"
    return Problem(path=(*at, key), problem=f"`{key}` goes with `{belongs}`: {why}", remedy=remedy, at_key=True)


def _unknown_type(uses: str, path: Path, step_types: Collection[str]) -> Problem:
    if "@" in uses or "/" in uses:
        what = "a GitHub action" if "@" in uses else "a path"
        return Problem(
            path=path,
            problem=f"`{uses}` is {what}, and Headway runs none",
            remedy="run the command behind it with `run:`; in a GitHub workflow, call `headway run` after that action",
        )
    near = close_to(uses, step_types)
    known = ", ".join(sorted(step_types))
    remedy = f"did you mean `{near}`?" if near else f"there are {known}" if known else "use `run:`"
    return Problem(path=path, problem=f"there is no step type `{uses}`", remedy=remedy)


# --- paths ------------------------------------------------------------------------------------------------------------


def texts(value: Texts) -> Sequence[str]:
    """A text or a list of texts, as a list."""
    return (value,) if isinstance(value, str) else value


def named_outputs(step: Step) -> list[tuple[str, str, tuple[str | int, ...]]]:
    """Each output's name, its path as written and where that stands below the step.

    Without a name of its own an output is called like its file, less the ending; two that would be called the same
    are called by their paths.
    """
    out = step.out
    if out is UNSET or not out:
        return []
    if isinstance(out, dict):
        return [(name, path, ("out", name)) for name, path in out.items()]
    if isinstance(out, str):
        return [(_stem(out), out, ("out",))]
    stems = [_stem(path) for path in out]
    return [
        (stem if stems.count(stem) == 1 else normal(path), path, ("out", k))
        for k, (stem, path) in enumerate(zip(stems, out, strict=True))
    ]


def _stem(path: str) -> str:
    if OPEN in path:
        # What stays the same whatever the values are: `models/best-${{ matrix.lr }}.pkl` is called best.
        parts = reversed(_without_expressions(path).split("/"))
        return next(filter(None, (part.partition(".")[0].strip("-_ ") for part in parts)), "out")
    name = normal(path).rpartition("/")[2]
    dot = name.find(".", 1)
    return (name[:dot] if dot > 0 else name) or path


def _without_expressions(text: str) -> str:
    while (start := text.find(OPEN)) >= 0:
        end = end_of(text, start)
        text = text[:start] + (text[end + len(CLOSE) :] if end >= 0 else "")
    return text


# --- times and sizes ------------------------------------------------------------------------------------------------


def retry_of(step: Step, i: int, problems: list[Problem]) -> Retry:
    """How often and when the step is run again."""
    written = step.retry
    if not isinstance(written, WrittenRetry):
        if written < 0:
            problems.append(_bad(("steps", i, "retry"), f"{written} attempts make no sense", "write 0, 1, 2, …"))
        return Retry(times=written) if written else Retry()
    at: Path = ("steps", i, "retry")
    if written.times < 0:
        problems.append(_bad((*at, "times"), f"{written.times} attempts make no sense", "write 0, 1, 2, …"))
    if not 1 <= written.factor <= 1000:
        problems.append(_bad((*at, "factor"), "the factor is not from 1 to 1000", "1 waits evenly, 2 doubles"))
    wait = duration_s(written.wait)
    if wait is None:
        problems.append(_bad((*at, "wait"), f"`{written.wait}` is not a time", TIMES))
    return Retry(times=written.times, wait_s=wait or 0.0, factor=written.factor)


def timeout_of(step: Step, i: int, problems: list[Problem]) -> float | None:
    """Seconds after which the step is ended; None when never."""
    if step.timeout is UNSET:
        return None
    seconds = duration_s(step.timeout)
    if not seconds:
        why = "no step can end in no time" if seconds == 0 else f"`{step.timeout}` is not a time"
        problems.append(_bad(("steps", i, "timeout"), why, TIMES))
    return seconds


def resources_of(step: Step, i: int, problems: list[Problem]) -> Resources:
    """What the step needs of the machine, in bytes and numbers."""
    written = step.resources
    at: Path = ("steps", i, "resources")
    if not 0 <= written.cpu <= 100_000:
        problems.append(_bad((*at, "cpu"), f"{written.cpu} processors make no sense", "write 0.5, 1, 2, …"))
    if written.gpu < 0:
        problems.append(_bad((*at, "gpu"), f"{written.gpu} graphics processors make no sense", "write 0, 1, 2, …"))
    memory = size_bytes(written.memory)
    if memory is None:
        problems.append(_bad((*at, "memory"), f"`{written.memory}` is not an amount of memory", SIZES))
    return Resources(cpu=written.cpu, memory_bytes=memory or 0, gpu=written.gpu)


def _bad(path: Path, problem: str, remedy: str) -> Problem:
    return Problem(path=path, problem=problem, remedy=remedy)
