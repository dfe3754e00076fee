"""Whether a step's result is known: its key in the log, its outputs in the store, and the workspace put right."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from headway.core import facts as f
from headway.core.ids import Artifact, RunId
from headway.core.plan import always_runs, why
from headway.errors import BlobDamaged, BlobMissing, FileMissing, OutputUnreadable
from headway.flows.prepare import Prepared
from headway.flows.store import missing, restore
from headway.flows.workspace import Workspace
from headway.ports import Blobs, Log


class Reuse:
    """Looks results up for one run. `before` gives the parts of each step's last good run, read when first needed."""

    def __init__(
        self,
        log: Log,
        blobs: Blobs,
        *,
        workspace: Workspace,
        before: Callable[[], Mapping[str, tuple[f.KeyPart, ...]]],
    ) -> None:
        """Looks in this log and this store, and puts this workspace right."""
        self._log = log
        self._blobs = blobs
        self._workspace = workspace
        self._before = before

    def look(self, ready: Sequence[Prepared], *, force: bool) -> tuple[dict[str, str], list[f.StepReused]]:
        """Divide steps into those that must run (id to why) and those whose result is known.

        Outputs of the known ones are in the workspace afterwards, restored from the store where they were not.
        """
        known = self.known(ready) if not force else {}
        whys: dict[str, str] = {}
        reused: list[f.StepReused] = []
        for prepared in ready:
            spec = prepared.spec
            if prepared.key is None:
                whys[spec.id] = always_runs(prepared.spec)
            elif force:
                whys[spec.id] = "--force"
            elif (entry := known.get(prepared.key)) is None:
                whys[spec.id] = self.explain(prepared)
            else:
                try:
                    reused.append(self._use(prepared, entry))
                except (BlobMissing, BlobDamaged, OutputUnreadable) as e:
                    # Known, but not to be had: the step makes it again, and stores it again.
                    whys[spec.id] = f"its last result cannot be put back: {e.problem}"
        return whys, reused

    def known(self, ready: Sequence[Prepared]) -> dict[str, tuple[RunId, f.StepFinished]]:
        """By key: the run and the fact of a result that is there to be used, outputs and all."""
        found = self._log.find("StepFinished", [p.key for p in ready if p.key is not None])
        wanted = [
            a for entry in found.values() if isinstance(entry.fact, f.StepFinished) for a in entry.fact.outputs.values()
        ]
        gone = missing(self._blobs, wanted)
        usable = {}
        for key, entry in found.items():
            fact = entry.fact
            if isinstance(fact, f.StepFinished) and not any(a.digest in gone for a in fact.outputs.values()):
                usable[key] = (RunId(int(entry.stream.rpartition("/")[2])), fact)
        return usable

    def explain(self, prepared: Prepared) -> str:
        """One line: what changed since this step's last good run."""
        return why(prepared.parts, self._before().get(prepared.spec.id))

    def _use(self, prepared: Prepared, known: tuple[RunId, f.StepFinished]) -> f.StepReused:
        run, fact = known
        restored = put_in_place(self._blobs, fact.outputs.values(), self._workspace)
        return f.StepReused(
            step=prepared.spec.id,
            cache_key=prepared.key or "",
            of_run=run,
            restored=restored,
            outputs=fact.outputs,
            values=fact.values,
            metrics=fact.metrics,
            parts=prepared.parts,
        )


def put_in_place(blobs: Blobs, artifacts: Iterable[Artifact], workspace: Workspace) -> int:
    """Restore those artifacts that are not in the workspace as they were; how many. Raises as `restore`."""
    restored = 0
    for artifact in artifacts:
        if not _is_in_place(artifact, workspace):
            restore(blobs, artifact, workspace.folder, workspace.stats)
            workspace.disturbed(quiet=workspace.quiet)
            restored += 1
    return restored


def _is_in_place(artifact: Artifact, workspace: Workspace) -> bool:
    try:
        here = workspace.look(artifact.path)
    except FileMissing:
        return False
    return here.digest == artifact.digest and here.executable == artifact.executable
