"""A step's bench on memory: for tests of steps, here and in packages that add their own.

trial = Trial(str(tmp_path))
assert trial.run("register", {"model": "model.pkl", "name": "churn"}) == 0
assert trial.outputs["version"] == "churn@1"
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from headway.backends import connect
from headway.codec import reports
from headway.core.ids import RunId
from headway.core.signing import Trust
from headway.errors import NameUnknown
from headway.flows import step as flow
from headway.ports import Blobs, Leases, Log, Target
from headway.steps import Bench, StepTask, find, read_with

if TYPE_CHECKING:
    from headway.flows.rollout import Delivery


class MemoryParts:
    """The ports of a project that lives as long as the test. `home` is a folder for what a release lays out there.

    `targets` by name are the test's own; without any there is one called `memory`.
    """

    def __init__(
        self, home: str, *, targets: Mapping[str, Target] | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self.log: Log = connect("log", "memory:")  # type: ignore[assignment] # connect answers by name
        self.blobs: Blobs = connect("blobs", "memory:")  # type: ignore[assignment] # as above
        self.leases: Leases = connect("leases", "memory:")  # type: ignore[assignment] # as above
        memory: Target = connect("target", "memory:")  # type: ignore[assignment] # as above
        self.trust = Trust()
        self.private: frozenset[str] = frozenset()
        self.targets = dict(targets or {"memory": memory})
        self._home = home
        self._now = now

    def target(self, name: str) -> Target:
        """One of the test's targets. Raises NameUnknown."""
        if name not in self.targets:
            raise NameUnknown(f"no target answers to {name!r}", at="target", remedy="give it to MemoryParts")
        return self.targets[name]

    def delivery(self, *, by: str = "") -> "Delivery":
        """What a release works with."""
        from headway.flows.rollout import Delivery

        return Delivery(
            log=self.log,
            blobs=self.blobs,
            leases=self.leases,
            target=self.target,
            models=os.path.join(self._home, "models"),
            now=self._now,
            by=by,
            trust=self.trust,
        )


class Trial:
    """A project's folder, parts on memory, and what steps that were tried there reported.

    `outputs`, `metrics` and `summary` are those of the newest step. Each step is a step of run 1 named by its type,
    unless `task` says otherwise; what it says of the run so far (`outputs`, `values`, `params` …) the steps are told.
    """

    def __init__(self, folder: str, *, parts: MemoryParts | None = None, now: Callable[[], float] = time.time) -> None:
        self.folder = os.path.abspath(folder)
        self._home = os.path.join(self.folder, ".headway")
        self.parts = parts or MemoryParts(self._home, now=now)
        self.task = StepTask(folder=self.folder, run_id=RunId(1), step_id="", uses="")
        self.outputs: dict[str, str] = {}
        self.metrics: dict[str, float] = {}
        self.summary = ""
        self._now = now
        self._n = 0

    # Any: the keys of `with:` as a person writes them.
    def run(self, uses: str, values: Mapping[str, Any]) -> int:
        """Try a step type with these values of `with:`; returns its exit code. Raises what the step raises."""
        step = read_with(find(uses), values, at=f"pipeline.yaml: step {self.task.step_id or uses}")
        files = self._files()
        try:
            return step.run(self.bench(uses, files))
        finally:
            self._read(files)

    def bench(self, uses: str = "step", files: flow.Reports | None = None) -> Bench:
        """The bench alone, for a step that a test has made itself."""
        task = msgspec.structs.replace(
            self.task,
            uses=uses,
            step_id=self.task.step_id or uses,
            scratch=self.task.scratch or os.path.join(self._home, "scratch", str(self._n)),
        )
        return flow.bench(task, self.parts, reports=files or self._files(), now=self._now)

    def _files(self) -> flow.Reports:
        self._n += 1
        base = os.path.join(self._home, "reports", str(self._n))
        os.makedirs(os.path.dirname(base), exist_ok=True)
        return flow.Reports(output=base + ".output", metrics=base + ".metrics", summary=base + ".summary")

    def _read(self, files: flow.Reports) -> None:
        self.outputs = reports.read_values(_bytes(files.output), step="trial")
        self.metrics = {m.name: m.value for m in reports.read_metrics(_bytes(files.metrics), step="trial")}
        self.summary = _bytes(files.summary).decode()


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""
