"""A built-in step (`uses:`) at work in a process of its own: its values read, its bench laid out, its code run.

`flows/run` starts the process with a task file and collects what it reports. Does not know which steps there are.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from headway.core.dataset import DatasetRef
from headway.core.examined import Examined
from headway.core.facts import HoldoutAnswered, HoldoutAsked, ModelRegistered
from headway.core.ids import Artifact, Digest, ModelRef, RunId, parse_model_ref
from headway.core.prediction import LoadedModel
from headway.core.registry import Registered, Registration
from headway.core.rollout import Order, Released
from headway.core.signing import Trust
from headway.errors import FileMissing, HeadwayError, NameUnknown, OutputUnreadable
from headway.flows import models_trust, registry
from headway.flows.commands import PROGRESS
from headway.flows.store import StatCache, keep, restore
from headway.ports import Blobs, Leases, Log, Target
from headway.steps import Bench, StepTask, find, read_with

if TYPE_CHECKING:
    from headway.core.holdout import Asked, Asking, Ledger
    from headway.flows.rollout import Delivery


_COPIES = "models"
"""Where models are laid out to be loaded, in a step's scratch folder."""


class Parts(Protocol):
    """What a step's bench is made of; `wiring.Parts` is one."""

    @property
    def log(self) -> Log:
        """The facts."""

    @property
    def blobs(self) -> Blobs:
        """The content."""

    @property
    def leases(self) -> Leases:
        """Who may act on what."""

    @property
    def trust(self) -> Trust:
        """Whose signatures on model versions count."""

    @property
    def private(self) -> frozenset[str]:
        """Columns whose values are shown to nobody."""

    def target(self, name: str) -> Target:
        """Where endpoints live."""

    def delivery(self, *, by: str = "") -> "Delivery":
        """What a release works with, asked for by `by`."""


class Reports(msgspec.Struct, frozen=True, kw_only=True):
    """The files a step reports through; an empty name drops what is reported."""

    output: str = ""
    metrics: str = ""
    summary: str = ""


def perform(task_file: str, parts: Parts, *, environ: Mapping[str, str]) -> int:
    """Carry out the task in the file; returns the step's exit code.

    Raises FileMissing, OutputUnreadable (the task file), FileFaulty (with all faults of `with:`), NameUnknown (no such
    step type), and whatever the step raises.
    """
    task = read_task(task_file)
    reports = Reports(
        output=environ.get("HEADWAY_OUTPUT", ""),
        metrics=environ.get("HEADWAY_METRICS", ""),
        summary=environ.get("HEADWAY_SUMMARY", ""),
    )
    step = read_with(find(task.uses), task.with_values, at=f"{task.file}: step {task.step_id}")
    try:
        return step.run(bench(task, parts, reports=reports))
    finally:
        _remove_copies(task)


def _remove_copies(task: StepTask) -> None:
    """The models that were laid out to be loaded: the store has them, and each run would leave some behind."""
    copies = os.path.join(task.scratch, _COPIES)
    if task.scratch and os.path.isdir(copies):
        from shutil import rmtree

        rmtree(copies, ignore_errors=True)


def read_task(path: str) -> StepTask:
    """Read a task file. Raises FileMissing, OutputUnreadable."""
    try:
        with open(path, "rb") as f:
            return msgspec.json.decode(f.read(), type=StepTask)
    except FileNotFoundError as e:
        raise FileMissing(
            f"there is no task file {path}",
            at="headway perform",
            remedy="`headway run` writes it: start the run instead",
        ) from e
    except msgspec.MsgspecError as e:
        raise OutputUnreadable(
            f"the task file cannot be read: {e}", at=path, remedy="let the same version of headway write and perform it"
        ) from e


def bench(task: StepTask, parts: Parts, *, reports: Reports, now: Callable[[], float] = time.time) -> Bench:
    """Lay out what a step may use."""
    return _Bench(task, parts, reports, now)


class _Bench:
    """`steps.Bench` over real parts."""

    __slots__ = ("_now", "_parts", "_reports", "_stats", "folder", "key", "run_id", "step_id", "task")

    def __init__(self, task: StepTask, parts: Parts, reports: Reports, now: Callable[[], float]) -> None:
        self.task = task
        self.folder: str = task.folder
        self.run_id: RunId = task.run_id
        self.step_id: str = task.step_id
        self.key: str = task.key
        self._parts = parts
        self._reports = reports
        self._now = now
        self._stats = StatCache()

    # --- ports --------------------------------------------------------------------------------------------------

    @property
    def log(self) -> Log:
        return self._parts.log

    @property
    def blobs(self) -> Blobs:
        return self._parts.blobs

    @property
    def leases(self) -> Leases:
        return self._parts.leases

    @property
    def private(self) -> frozenset[str]:
        return self._parts.private

    def target(self, name: str) -> Target:
        return self._parts.target(name)

    def now(self) -> float:
        return self._now()

    # --- reporting ----------------------------------------------------------------------------------------------

    def say(self, line: str) -> None:
        print(line, flush=True)

    def output(self, name: str, value: str) -> None:
        if "\n" not in value:
            _append(self._reports.output, f"{name}={value}\n")
            return
        end = "END"
        while end in value.split("\n"):
            end += "_"
        _append(self._reports.output, f"{name}<<{end}\n{value}\n{end}\n")

    def metric(self, name: str, value: float) -> None:
        line = msgspec.json.encode({"name": name, "value": float(value)}).decode()
        _append(self._reports.metrics, line + "\n")

    def summary(self, markdown: str) -> None:
        _append(self._reports.summary, markdown.rstrip("\n") + "\n")

    # --- files --------------------------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self.folder, name))

    def scratch(self, name: str) -> str:
        path = os.path.join(self.task.scratch, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def artifact(self, path: str) -> Artifact:
        named = os.path.relpath(self.path(path), self.folder).replace(os.sep, "/")
        made = self.task.outputs.get(named)
        return made if made is not None else keep(self.blobs, self.folder, named, self._stats)

    def materialize(self, artifact: Artifact, path: str) -> None:
        folder, name = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        # A cache of its own: this folder's names are not the project's.
        restore(self.blobs, msgspec.structs.replace(artifact, path=name), folder, StatCache())

    def copy_of(self, artifact: Artifact) -> str:
        path = self.scratch(os.path.join(_COPIES, artifact.digest[:16], os.path.basename(artifact.path)))
        if not os.path.exists(path):
            self.materialize(artifact, path)
        return path

    def dataset(self, ref: DatasetRef) -> Artifact:
        from headway.flows import dataset

        versions = dataset.known(self.log, ref.name)
        if ref.kind == "work":
            assert versions.newest is not None, "a known dataset has a version"
            return self.artifact(versions.newest.artifact.path)
        if ref.kind == "newest":
            assert versions.newest is not None, "as above"
            return versions.newest.artifact
        if ref.version is None:
            raise NameUnknown(
                f"{ref} names a commit, which a step cannot look into", at=str(ref), remedy=f"name {ref.name}@NUMBER"
            )
        return versions.version(ref.version).artifact

    # --- models -------------------------------------------------------------------------------------------------

    def last_released(self, path: str) -> tuple[Artifact, str] | None:
        return registry.last_released(self.log, path)

    def resolve(self, ref: ModelRef | str) -> ModelRegistered | None:
        return registry.resolve(self.log, parse_model_ref(ref) if isinstance(ref, str) else ref)

    def examine(self, of: Artifact, format: str, rows: Artifact, *, target: str, wants_onnx: bool) -> Examined:  # noqa: A002 (its name)
        from headway import formats
        from headway.flows import convert

        if formats.runs_code(format) and not self._is_trusted(of.digest):
            return Examined(trouble="no step of this run and nothing in the registry made it, so it was not loaded")
        subject = convert.Subject(
            model=self.copy_of(of),
            format=format,
            digest=of.digest,
            rows=self.copy_of(rows),
            rows_digest=rows.digest,
            folder=self.folder,
            target=target,
        )
        return convert.examine(self.blobs, subject, wants_onnx=wants_onnx and convert.is_convertible(format))

    def register(self, asked: Registration) -> Registered:
        # The content first: no fact may name what could still be lost.
        self.blobs.sync()
        sign = models_trust.signer(self._parts.trust, by=self.task.by)
        return registry.register(self.log, asked, now=self.now(), sign=sign)

    def move_alias(self, model: str, alias: str, version: int, *, why: str = "") -> None:
        registry.move_alias(self.log, model, alias, version, now=self.now(), why=why, by=self.task.by)

    def holdout(self, digest: Digest) -> "Ledger":
        from headway.flows import holdouts

        return holdouts.read(self.log, digest)

    def ask_holdout(self, asking: "Asking") -> "Asked":
        from headway.flows import holdouts

        return holdouts.ask(self.log, asking, now=self.now())

    def answer_holdout(self, claim: HoldoutAsked, answered: HoldoutAnswered) -> HoldoutAnswered:
        from headway.flows import holdouts

        return holdouts.answer(self.log, claim, answered, now=self.now())

    def release(self, order: Order, *, golden_file: str = "") -> Released:
        from headway.flows.release import release

        def report(line: str, _: object) -> None:
            if line:
                # Further in than what the step says itself, which is its result.
                self.say(f"{PROGRESS}{line}")

        return release(self._parts.delivery(by=self.task.by), order, golden_file=golden_file, report=report)

    def detect(self, of: Artifact | str) -> str:
        from headway import formats

        artifact = self.artifact(of) if isinstance(of, str) else of
        try:
            return formats.detect(self.copy_of(artifact))
        except HeadwayError as e:
            e.at = artifact.path
            raise

    def load_model(self, of: Artifact | ModelRegistered | str) -> LoadedModel:
        from headway import formats

        version = of if isinstance(of, ModelRegistered) else None
        if version is not None:
            models_trust.see(self.log, self.blobs, version, self._parts.trust)
        artifact = of.artifact if isinstance(of, ModelRegistered) else self.artifact(of) if isinstance(of, str) else of
        try:
            path = self.copy_of(artifact)
            model = formats.load(
                path,
                format=version.format if version is not None and version.format else formats.detect(path),
                digest=artifact.digest,
                trusted=(artifact.digest,) if self._is_trusted(artifact.digest) else (),
            )
        except HeadwayError as e:
            # Its copy's place says nothing to a person.
            e.at = artifact.path
            raise
        for note in model.notes:
            self.say(f"{artifact.path}: {note}")
        return model

    # --- within -------------------------------------------------------------------------------------------------

    def _is_trusted(self, digest: Digest) -> bool:
        made = any(a.digest == digest for a in self.task.outputs.values())
        return made or registry.made_here(self.log, digest)


def _append(path: str, text: str) -> None:
    if path:
        with open(path, "a", encoding="utf-8") as f:
            f.write(text)
