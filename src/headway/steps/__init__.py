"""The step types of `uses:`, one file each, found by the file's name; what a step is given and what it may use.

A step type is a file with a class `Step`: a frozen `msgspec.Struct` whose fields are the keys of `with:` (spelt with
hyphens there) and whose `run(bench)` does the work and returns the exit code (design, section 6). It runs in a process
of its own (`flows/step`), so it may import what it likes inside `run`. `docs/add-a-step.md` shows how to write one.
Steps do not know back-ends, formats or each other: all they can reach is their `Bench`.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import fields

from headway.core.facts import Metric, Scalar, Source
from headway.core.ids import Artifact, RunId
from headway.core.problem import Path, Problem
from headway.errors import Fault, FileFaulty, NameUnknown, UsageMistaken

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

    # Named by `Bench` alone: `headway run` reads the list of step types and needs none of them.
    from headway.core.dataset import DatasetRef
    from headway.core.examined import Examined
    from headway.core.facts import HoldoutAnswered, HoldoutAsked, ModelRegistered
    from headway.core.holdout import Asked, Asking, Ledger
    from headway.core.ids import Digest, ModelRef
    from headway.core.prediction import LoadedModel
    from headway.core.registry import Registered, Registration
    from headway.core.rollout import Order, Released
    from headway.ports import Blobs, Leases, Log, Target

ENTRY_POINTS = "headway.steps"
"""The group under which an installed package offers step types: `name = module` with a class `Step` in it."""


class StepTask(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that a step's own process must know; written by the run, read by `headway perform`.

    `with_values` has its expressions filled in. `outputs` are the artifacts that earlier steps of the run made, by
    path; `values` what they reported, by step id; `data` the run's inputs; `metrics` those reported so far.
    `scratch` is a folder of the step's own, made when first needed. `file` and `line` are its place, for messages.
    """

    folder: str
    run_id: RunId
    step_id: str
    uses: str
    # Any: checked against the step's own type before anything is done.
    with_values: dict[str, Any] = {}
    scratch: str = ""
    file: str = "pipeline.yaml"
    line: int = 0
    source: Source = Source()
    params: dict[str, Scalar] = {}
    data: tuple[Artifact, ...] = ()
    metrics: tuple[Metric, ...] = ()
    outputs: dict[str, Artifact] = {}
    values: dict[str, dict[str, str]] = {}
    by: str = ""

    @property
    def key(self) -> str:
        """The same for every attempt at this step of this run, and for no other: `run/12/register`."""
        return f"run/{self.run_id}/{self.step_id}"


class Bench(Protocol):
    """What a step may use; made for it by `flows/step`, and on memory by `headway.testing.bench`."""

    @property
    def task(self) -> StepTask:
        """What the run said of this step: params, inputs, metrics, where the code came from."""

    @property
    def folder(self) -> str:
        """The project's folder, absolute. Paths in `with:` are relative to it."""

    @property
    def run_id(self) -> RunId:
        """The run this step belongs to."""

    @property
    def step_id(self) -> str:
        """The step's id in the pipeline."""

    @property
    def key(self) -> str:
        """The key that makes a second attempt harmless: `run/<n>/<step>`. Put it into facts and acts on the world."""

    @property
    def log(self) -> "Log":
        """The log of facts."""

    @property
    def blobs(self) -> "Blobs":
        """The store of content."""

    @property
    def leases(self) -> "Leases":
        """Who may act on what."""

    @property
    def private(self) -> frozenset[str]:
        """Columns whose values are shown to nobody (`data.private` in headway.toml); `core/private` hides them."""

    def target(self, name: str) -> "Target":
        """Where endpoints live. Raises NameUnknown."""

    def now(self) -> float:
        """The time, in UTC seconds."""

    def say(self, line: str) -> None:
        """Print a line to the step's log at once."""

    def output(self, name: str, value: str) -> None:
        """Report a value that later steps read as `${{ steps.ID.out.NAME }}`; of one or more lines."""

    def metric(self, name: str, value: float) -> None:
        """Report a number."""

    def summary(self, markdown: str) -> None:
        """Add to what the run's page shows of this step."""

    def path(self, name: str) -> str:
        """The absolute form of a path of the project."""

    def scratch(self, name: str) -> str:
        """The path of a file in a folder of this step's own; the folder exists, the file may not."""

    def artifact(self, path: str) -> Artifact:
        """What an earlier step of this run made at `path`, else the file or folder there now, kept in the store.

        Raises FileMissing when there is neither.
        """

    def materialize(self, artifact: Artifact, path: str) -> None:
        """Write an artifact's content to `path` (absolute), replacing what is there. Raises BlobMissing."""

    def copy_of(self, artifact: Artifact) -> str:
        """The path of a copy of an artifact in a folder of this step's own, under its own name; made once.

        Raises BlobMissing.
        """

    def dataset(self, ref: "DatasetRef") -> Artifact:
        """The content of a dataset's version, or of what the workspace holds of it. Raises NameUnknown, FileMissing."""

    def last_released(self, path: str) -> tuple[Artifact, str] | None:
        """What lay at a path when the version was made that was released last: the content, and `churn@3`.

        None when no version that was released has been made of anything there.
        """

    def resolve(self, ref: "ModelRef | str") -> "ModelRegistered | None":
        """The version that `churn@3` or `churn@champion` means now; None when there is none yet.

        Raises UsageMistaken when a text is not of that form.
        """

    def examine(self, of: Artifact, format: str, rows: Artifact, *, target: str, wants_onnx: bool) -> "Examined":  # noqa: A002 (its name)
        """What a model takes and gives, as it says and as these rows show, and its conversion to ONNX if wanted.

        In a process of its own, bounded in time and memory: nothing that becomes of it raises here. A model that
        neither a run of this project made nor its registry knows is not looked at.
        """

    def register(self, asked: "Registration") -> "Registered":
        """Make a model version, or find the one that this key or this very content made before."""

    def move_alias(self, model: str, alias: str, version: int, *, why: str = "") -> None:
        """Let an alias mean this version. Doing it twice is harmless. Raises NameUnknown."""

    def holdout(self, digest: "Digest") -> "Ledger":
        """How often the rows that have this digest were asked, and what they said."""

    def ask_holdout(self, asking: "Asking") -> "Asked":
        """Claim one more look at a holdout before anything is measured, or find the one of the same question.

        Raises HoldoutSpent, Unmeasurable (the budget leaves each ask too little to ever pass).
        """

    def answer_holdout(self, claim: "HoldoutAsked", answered: "HoldoutAnswered") -> "HoldoutAnswered":
        """Write down what a claimed look showed; the answer that stands, should another be there already."""

    def release(self, order: "Order", *, golden_file: str = "") -> "Released":
        """Put a version on an endpoint, checked by golden requests before it takes over; doing it twice is harmless.

        By a strategy it is judged on the way; how that goes is said line by line. Raises GoldenRefused,
        VersionNotReady, TargetUnavailable, ReleaseTrouble (what served before still serves), LeaseHeld, FileMissing and
        FileFaulty (the golden requests).
        """

    def detect(self, of: Artifact | str) -> str:
        """The format of a model, told without running any of it. Raises ModelUnreadable."""

    def load_model(self, of: "Artifact | ModelRegistered | str") -> "LoadedModel":
        """A model in memory: of an artifact, of a registered version, or of a path of this project (see `artifact`).

        Raises ModelUnreadable, ModelUntrusted (its file would run code and neither a run of this project nor the
        registry knows its digest), ExtraMissing (its library is not installed).
        """


class Step(Protocol):
    """A step type's values, read from `with:`."""

    def run(self, bench: Bench) -> int:
        """Do the work; returns the exit code: 0 done, 1 failed, 3 refused, 4 data invalid, 6 unsure."""


def known() -> tuple[str, ...]:
    """The built-in step types, sorted; read from the folder, nothing is imported."""
    names = [f[:-3].replace("_", "-") for f in os.listdir(os.path.dirname(__file__)) if f.endswith(".py")]
    return tuple(sorted(name for name in names if not name.startswith("-")))


class Usable(Collection[str]):
    """Every step type there is. Going through it gives the built-in ones; `in` asks installed packages too.

    That is slow, but it happens only for a name that is not built in.
    """

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in known() or bool(_offers(name)))

    def __iter__(self) -> Iterator[str]:
        return iter(known())

    def __len__(self) -> int:
        return len(known())


def find(name: str) -> type[Struct]:
    """The `Step` class of a type: built in, else offered by an installed package. Raises NameUnknown."""
    if name in known():
        from importlib import import_module

        module: object = import_module(f"headway.steps.{name.replace('-', '_')}")
    else:
        module = _installed(name)
    step = getattr(module, "Step", None)
    if isinstance(step, type) and issubclass(step, Struct):
        return step
    raise NameUnknown(
        f"the package that offers the step type {name!r} has no class `Step` there",
        at=f"uses: {name}",
        remedy="ask its authors for a msgspec.Struct named Step (docs/add-a-step.md), or remove the package",
    )


def _installed(name: str) -> object:
    """What an installed package offers under this name."""
    for point in _offers(name):
        # Any: whatever the package has put there; `find` looks at it.
        loaded: Any = point.load()
        return loaded
    from difflib import get_close_matches

    close = get_close_matches(name, known(), n=1)
    raise NameUnknown(
        f"there is no step type {name!r}",
        at=f"uses: {name}",
        remedy=f"did you mean {close[0]!r}?" if close else f"use one of: {', '.join(known())}",
    )


def _offers(name: str) -> "EntryPoints":
    """Slow: it reads every installed package's entry points. Called last."""
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINTS, name=name)


# Any: `with:` as a person wrote it, expressions filled in.
def read_with(step: type[Struct], values: Mapping[str, Any], *, at: str = "with") -> Step:
    """The values of `with:` as the step's own type. A text stands for a number where an expression put it.

    Raises FileFaulty with all faults, each with the nearest known name where one is misspelt.
    """
    import msgspec

    given = {key: value for key, value in values.items() if not key.startswith("x-")}
    try:
        return msgspec.convert(given, step, strict=False)  # type: ignore[return-value] # `find` made sure it is a Step
    except msgspec.ValidationError as e:
        from headway.codec.human import where

        faults = tuple(
            Fault(problem.problem, where=where(("with", *problem.path), {"with": given}), remedy=problem.remedy)
            for problem in _of_kind(step, given)
        ) or (Fault(str(e), where="with", remedy="see docs/steps.md"),)
        n = len(faults)
        raise FileFaulty(
            f"`with:` has {n} fault{'s' * (n > 1)}",
            at=at,
            remedy="mend what is listed; docs/steps.md has every step type and its keys",
            faults=faults,
        ) from e


# Any: as above.
def problems_of(step: type[Struct], values: Mapping[str, Any]) -> list[Problem]:
    """All faults of `with:` that can be seen before the run, while some values are expressions yet to be filled in.

    Those of kind, spelling and limits, and what the step type itself says of values that are of the right kind: its
    static `problems(values)`, if it has one. Paths begin below `with`.
    """
    given = {key: value for key, value in values.items() if not key.startswith("x-")}
    found = [problem for problem in _of_kind(step, given) if problem.at_key or not _is_open(_at(given, problem.path))]
    own: Callable[[Mapping[str, Any]], Iterable[Problem]] | None = getattr(step, "problems", None)
    if own is not None:
        told = {problem.path[:1] for problem in found}
        whole = {key: value for key, value in given.items() if (key,) not in told}
        found += [problem for problem in own(whole) if not _is_open(_at(given, problem.path))]
    return found


def refuse(problems: Iterable[Problem], step_id: str) -> None:
    """Raise UsageMistaken for the first, for a step that finds it only when its expressions are filled in."""
    for problem in problems:
        field = ".".join(str(part) for part in problem.path)
        raise UsageMistaken(problem.problem, at=f"step {step_id}: with.{field}", remedy=problem.remedy)


def _at(value: Any, path: Path) -> Any:  # noqa: ANN401 (as above)
    """What stands at a path; a whole list or mapping is not asked whether it is open when a key of it is missing."""
    for part in path:
        if isinstance(value, str):
            # One text may stand for a list of one.
            break
        value = value[part]
    return value if path else None


def _is_open(value: Any) -> bool:  # noqa: ANN401 (as above)
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, Mapping):
        return any(_is_open(below) for below in value.values())
    return isinstance(value, list | tuple) and any(_is_open(below) for below in value)


# Any: as above.
def _of_kind(step: type[Struct], given: dict[str, Any]) -> list[Problem]:
    """All faults of kind, spelling and limits, as in every file; a text stands for a number where it reads as one."""
    import msgspec

    from headway.codec import kinds

    plain = dict(given)
    for field in fields(step):
        key = field.encode_name
        if key in given:
            with suppress(msgspec.ValidationError):
                plain[key] = msgspec.to_builtins(msgspec.convert(given[key], field.type, strict=False))
    return kinds.problems_of(plain, step)[0]
