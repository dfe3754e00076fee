"""What a step left behind when it ended: outputs into the store, reports into the fact, what it printed into a blob."""

import fcntl
import os
import re
from collections.abc import Mapping
from contextlib import suppress

from headway.codec import reports, wire
from headway.core import facts as f
from headway.core import run as r
from headway.core.ids import Artifact, Digest
from headway.core.plan import flat
from headway.errors import DiskFull, FileMissing, HeadwayError
from headway.flows.commands import PROGRESS, file_name
from headway.flows.context import Context, Ports
from headway.flows.prepare import Prepared, Preparer
from headway.flows.store import keep
from headway.flows.surroundings import user
from headway.ports import Exit

_SIGNALS = 128
"""Exit codes from here on tell of a signal."""

_LAST_BYTES = 64 * 1024
"""Of a failed step's log, in which its error is looked for."""

_LONG = 400
"""Bytes of a line that are told at most."""

_ERROR = "headway: "
"""What the line begins with in which `headway perform` tells an error."""

_FAULTS = re.compile(r" has \d+ faults?$")

_BUILT_IN: dict[int, f.Outcome] = {3: "refused", 4: "invalid", 6: "held", 7: "rolled-back"}


class Files:
    """Where one attempt at a step writes; none of them exists before somebody writes to it, but `log`."""

    __slots__ = ("env", "junit", "log", "metrics", "output", "scratch", "summary", "task")

    def __init__(self, base: str) -> None:
        self.log = base + ".log"
        self.output = base + ".output"
        self.metrics = base + ".metrics"
        self.summary = base + ".summary"
        self.junit = base + ".junit.xml"
        self.task = base + ".task"
        self.scratch = base + ".files"
        self.env = {
            "HEADWAY_OUTPUT": self.output,
            "HEADWAY_METRICS": self.metrics,
            "HEADWAY_SUMMARY": self.summary,
        }


class Collector:
    """Turns the end of a process into the fact that a step finished."""

    def __init__(self, context: Context, ports: Ports, preparer: Preparer) -> None:
        """Works for one run."""
        self._context = context
        self._ports = ports
        self._preparer = preparer
        os.makedirs(context.workspace, exist_ok=True)

    def files(self, step: str, attempt: int) -> Files:
        """The files of an attempt."""
        return Files(os.path.join(self._context.workspace, f"{file_name(step)}-{attempt}"))

    def step_task(self, prepared: Prepared, machine: r.Run, files: Files) -> bytes:
        """The task file of a `uses:` step: all it must know of the run so far."""
        from headway.steps import StepTask

        results = machine.results()
        context = self._context
        data = {p.name: p for done in results.values() for p in done.parts if p.kind == "in"}
        outputs = {a.path: a for done in results.values() for a in done.outputs.values()}
        return wire.encode(
            StepTask(
                folder=context.folder,
                run_id=context.run_id,
                step_id=prepared.spec.id,
                uses=prepared.spec.uses or "",
                with_values=prepared.with_values,
                scratch=files.scratch,
                file=context.file,
                line=prepared.spec.line,
                source=context.source,
                params=scalars(machine.pipeline.params),
                data=tuple(
                    Artifact(path=p.name, digest=Digest(p.value)) for p in data.values() if p.name not in outputs
                ),
                metrics=tuple(m for done in results.values() for m in done.metrics),
                outputs=outputs,
                values={step: done.values for step, done in results.items() if done.values},
                by=user(context.environ),
            )
        )

    def finished(self, one: Exit, prepared: Prepared, attempt: int, machine: r.Run) -> f.StepFinished:
        """Everything there is to say about a step that ended. Never raises for what a script did wrong."""
        spec = prepared.spec
        files = self.files(spec.id, attempt)
        stopped = machine.why_stopped(spec.id)
        outcome, why = _outcome(one, builtin=spec.uses is not None, stopped=stopped, timeout_s=spec.timeout_s)
        reported = _Reported(files, spec.id)
        try:
            reported.read(
                spec.metrics and os.path.join(self._context.folder, spec.metrics), self._junit(spec.tests, files)
            )
            outputs = self._outputs(prepared) if outcome == "passed" else {}
        except DiskFull:
            raise
        except HeadwayError as e:
            outputs = {}
            if outcome == "passed":
                outcome, why = "failed", str(e)
        failed = [t for t in reported.tests if t.outcome in ("failed", "error")]
        if outcome == "failed" and failed:
            first = failed[0].message.splitlines()[0][:120] if failed[0].message else ""
            why = f"{len(failed)} of {len(reported.tests)} tests failed: {failed[0].name}: {first}"
        key, note = self._key(prepared, machine) if outcome == "passed" else (None, "")
        if spec.uses is not None and outcome in ("failed", "rolled-back") and 0 < one.code < _SIGNALS:
            why = _reason(files.log) or why
        elif spec.uses is not None:
            # What a built-in step says first is its result in one line.
            why = why or note or _first_said(files.log)
        log, size = self._log(files.log)
        return f.StepFinished(
            step=spec.id,
            outcome=outcome,
            exit_code=one.code,
            attempt=attempt,
            seconds=round(one.seconds, 4),
            why=why or note,
            cache_key=key,
            # Of a failed one too: what it read is half of why it failed, and `headway diff` shows it.
            parts=prepared.parts,
            outputs=outputs,
            values=reported.values,
            metrics=reported.metrics,
            tests=reported.tests,
            summary=self._ports.blobs.put(reported.summary) if reported.summary else None,
            log=log,
            log_bytes=size,
        )

    def _junit(self, declared: str | None, files: Files) -> str:
        return os.path.join(self._context.folder, declared) if declared else files.junit

    def _outputs(self, prepared: Prepared) -> dict[str, Artifact]:
        spec = prepared.spec
        kept = {}
        for name, path in spec.outputs.items():
            try:
                kept[name] = keep(self._ports.blobs, self._context.folder, path, self._preparer.workspace.stats)
            except FileMissing:
                raise FileMissing(
                    f"it ended well, but its declared output {path} is not there",
                    at=f"step {spec.id}: out",
                    remedy="let the step write it, or take it out of `out`",
                ) from None
        return kept

    def _key(self, prepared: Prepared, machine: r.Run) -> tuple[str | None, str]:
        """The key under which the result may be used again: none if what it read changed while it ran."""
        spec = prepared.spec
        if prepared.key is None:
            return None, ""
        after = self._preparer.digests(spec, machine.scope(spec))
        own = set(spec.outputs.values())
        changed = [path for path, digest in prepared.inputs.items() if after.get(path) != digest and path not in own]
        if changed:
            return None, f"not to be reused: {changed[0]} changed while it ran"
        return prepared.key, ""

    def _log(self, path: str) -> tuple[Digest | None, int]:
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            return None, 0
        try:
            # By what the step left in the background: neither the store nor the next step's log may be that file.
            is_written_to = _is_written_to(fd)
            if os.fstat(fd).st_size:
                digest, size = self._ports.blobs.put_file(path, move=not is_written_to)
            else:
                # The runner may make the next task's log of it; `launch` removes what is left.
                digest, size = None, 0
        finally:
            os.close(fd)
        if is_written_to:
            os.unlink(path)
        return digest, size


class _Reported:
    """What the step wrote into its report files."""

    __slots__ = ("files", "metrics", "step", "summary", "tests", "values")

    def __init__(self, files: Files, step: str) -> None:
        self.files = files
        self.step = step
        self.values: dict[str, str] = {}
        self.metrics: tuple[f.Metric, ...] = ()
        self.tests: tuple[f.TestResult, ...] = ()
        self.summary = b""

    def read(self, metrics_file: str | None, junit: str) -> None:
        """Read and remove them. Raises OutputUnreadable; what was read before that stays."""
        self.summary = _take(self.files.summary)
        self.values = reports.read_values(_take(self.files.output), step=self.step)
        self.metrics = reports.read_metrics(_take(self.files.metrics), step=self.step)
        if metrics_file and (data := _read(metrics_file)):
            self.metrics += reports.read_metrics_file(data, path=metrics_file, step=self.step)
        if data := _read(junit):
            self.tests = reports.read_junit(data, path=junit, step=self.step)


def _outcome(one: Exit, *, builtin: bool, stopped: str, timeout_s: float | None) -> tuple[f.Outcome, str]:
    if stopped == "interrupted":
        return "interrupted", "interrupted"
    if stopped == "timeout":
        return "timeout", f"it took longer than its timeout of {timeout_s:g} s"
    if one.code == 0:
        return "passed", ""
    if builtin and one.code in _BUILT_IN:
        return _BUILT_IN[one.code], ""
    killed = f" (killed by signal {one.code - 128})" if one.code > 128 else ""
    return "failed", f"exit code {one.code}{killed}"


def _is_written_to(fd: int) -> bool:
    """Whether somebody has the file open for writing; True where the system cannot tell.

    A lease for reading is refused while there is a writer. Nobody else opens a step's log to write, so that the lease,
    given back at once, is in nobody's way.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except (AttributeError, OSError):
        return True
    return False


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _first_said(path: str) -> str:
    """The first line that tells no progress; where all do, the first one."""
    first = ""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        while line := file.readline(_LONG):
            told = line.decode("utf-8", "replace")
            first = first or told.strip()
            if not told.startswith(PROGRESS) and told.strip():
                return told.strip()
    return first


def _reason(path: str) -> str:
    """Why a built-in step failed: the problem of its error, which stands last in its log, else what it said first."""
    with suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - _LAST_BYTES, 0))
        lines = file.read().decode("utf-8", "replace").splitlines()
        said = next((line for line in reversed(lines) if line.startswith(_ERROR)), "")
        if not said or _FAULTS.search(said):
            # Faults of a file are told before their number is.
            return _first_said(path)
        return said.removeprefix(_ERROR)[:400]
    return ""


def _take(path: str) -> bytes:
    data = _read(path)
    if data:
        os.unlink(path)
    return data


def scalars(params: Mapping[str, object]) -> dict[str, f.Scalar]:
    """Nested params under dotted names, for facts; lists as text."""
    return {k: v if isinstance(v, str | int | float | bool | None) else str(v) for k, v in flat(params).items()}
