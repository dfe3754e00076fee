"""What a model takes and gives, and its conversion to ONNX, found out in a process of its own and put into the store.

Nothing that this finds, and nothing that becomes of that process, keeps a version from being registered: what could
not be told is told as such. Neighbours: `convert_worker` is the process, `registry` appends.
"""

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress

import msgspec
from msgspec import Struct

from headway import formats
from headway.core.examined import Examined
from headway.core.facts import Conversion, Latency, ModelConverted
from headway.core.ids import Digest
from headway.core.signing import Trust
from headway.errors import ExtraMissing, FileMissing, ModelUntrusted, UsageMistaken
from headway.flows import models_trust, registry, store
from headway.flows.convert_task import LEAST_ROWS, MEMORY_BYTES, TIME_LIMIT_S, TOLERANCE, Found, Task
from headway.flows.digest import digest_path
from headway.flows.statcache import StatCache
from headway.ports import Blobs, Log

CONVERTED = ("sklearn", "skops", "mlflow")
"""Formats whose models may hold an estimator of scikit-learn: others are quick themselves, or cannot be converted."""


class Bounds(Struct, frozen=True, kw_only=True):
    """What examining a model may take, and what counts as proof."""

    time_s: float = TIME_LIMIT_S
    memory_bytes: int = MEMORY_BYTES
    least_rows: int = LEAST_ROWS
    tolerance: float = TOLERANCE


class Subject(Struct, frozen=True, kw_only=True):
    """A model's copy and a copy of rows, with the digests of both.

    `folder` is the project's, whose code the model may need; `target` a column of the rows that is no input.
    """

    model: str
    format: str
    digest: Digest
    rows: str
    rows_digest: Digest | None
    folder: str
    target: str = ""


def is_convertible(kind: str) -> bool:
    """Whether models of a format may become ONNX here: of another, or without the extra, none does."""
    if kind not in CONVERTED:
        return False
    from headway.tables.onnx_convert import is_there

    return is_there()


def examine(blobs: Blobs, subject: Subject, *, wants_onnx: bool, bounds: Bounds | None = None) -> Examined:
    """Look at a model that is trusted; a graph that was proven is in the store when this returns.

    Takes as long as the bounds say, and no longer. Raises nothing that the model's own process does.
    """
    limits = bounds or Bounds()
    with tempfile.TemporaryDirectory(prefix="headway-convert-") as scratch:
        task = Task(
            model=subject.model,
            format=subject.format,
            digest=subject.digest,
            rows=subject.rows,
            target=subject.target,
            wants_onnx=wants_onnx,
            graph=os.path.join(scratch, "model.onnx"),
            answers=os.path.join(scratch, "answers.json"),
            result=os.path.join(scratch, "found.json"),
            memory_bytes=limits.memory_bytes,
            least_rows=limits.least_rows,
            tolerance=limits.tolerance,
        )
        ended = _done(task, scratch, subject.folder, limits.time_s)
        try:
            with open(task.result, "rb") as f:
                found = msgspec.json.decode(f.read(), type=Found)
        except FileNotFoundError:
            found = Found(trouble=f"the process that was to look at the model {ended or 'said nothing'}")
        onnx = found.onnx
        if onnx is not None and ended:
            onnx = Conversion(why=f"the conversion {ended}")
        elif onnx is not None and not onnx.why:
            digest, size = blobs.put_file(task.graph)
            onnx = _judged(msgspec.structs.replace(onnx, digest=digest, size_bytes=size), found.latency)
        if onnx is not None:
            onnx = msgspec.structs.replace(onnx, data=subject.rows_digest)
        answers = blobs.put_file(task.answers)[0] if os.path.exists(task.answers) else None
    return Examined(signature=found.signature, onnx=onnx, latency=found.latency, trouble=found.trouble, answers=answers)


def convert(  # noqa: PLR0913 (what of which log and store, on what rows, when, and who)
    log: Log,
    blobs: Blobs,
    text: str,
    rows: str,
    *,
    trust: Trust,
    folder: str,
    now: float,
    by: str = "",
    target: str = "",
    bounds: Bounds | None = None,
) -> ModelConverted:
    """Convert a version that is registered, and write down what became of it.

    `rows` is a file or folder of real rows. Raises UsageMistaken (it is no model that can be converted), ExtraMissing,
    NameUnknown, FileMissing, OutputUnreadable (of the rows), and as `models_trust.see`.
    """
    model, made = registry.named(log, text)
    name = f"{model.name}@{made.version}"
    if made.format not in CONVERTED:
        raise UsageMistaken(
            f"{name} is of the format {made.format}, which is not converted",
            at=f"model: {text}",
            remedy="deploy it as it is: only models of scikit-learn are converted, others are quick themselves",
        )
    if not is_convertible(made.format):
        raise ExtraMissing(
            "converting a model needs what is not installed", at=f"model: {text}", remedy="pip install 'headway[onnx]'"
        )
    if not os.path.exists(rows):
        raise FileMissing(f"there are no rows at {rows}", at="--data", remedy="name a file of real rows")
    rows = os.path.abspath(rows)
    models_trust.see(log, blobs, made, trust)
    with tempfile.TemporaryDirectory(prefix="headway-convert-") as scratch:
        copy = os.path.join(scratch, os.path.basename(made.artifact.path))
        store.materialize(blobs, made.artifact, copy)
        if formats.runs_code(made.format, copy) and not registry.made_here(log, made.artifact.digest):
            raise ModelUntrusted(
                f"{name} would run code when it is loaded", at=f"model: {name}", remedy="import it again with --trust"
            )
        subject = Subject(
            model=copy,
            format=made.format,
            digest=made.artifact.digest,
            rows=rows,
            rows_digest=digest_path(os.path.dirname(rows), os.path.basename(rows), StatCache()).digest,
            folder=folder,
            target=target,
        )
        found = examine(blobs, subject, wants_onnx=True, bounds=bounds)
    blobs.sync()
    onnx = found.onnx or Conversion(why=found.trouble or "nothing was told")
    fact = ModelConverted(model=model.name, version=made.version, onnx=onnx, latency=found.latency, by=by)
    return registry.converted(log, fact, now=now)


# --- within -----------------------------------------------------------------------------------------------------


def _done(task: Task, scratch: str, folder: str, time_s: float) -> str:
    """Let the process do the task; how it ended, if not well."""
    words = os.path.join(scratch, "task.json")
    with open(words, "wb") as f:
        f.write(msgspec.json.encode(task))
    argv = [sys.executable, "-P", "-W", "ignore", "-m", "headway.flows.convert_worker", words]
    # What it prints is the model's own: of no use here but its last words.
    with open(os.path.join(scratch, "said"), "w+b") as said:
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            code = process.wait(time_s)
        except subprocess.TimeoutExpired:
            return f"took longer than {time_s:g} s"
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        if not code:
            return ""
        said.seek(0)
        lines = said.read()[-4000:].decode("utf-8", "replace").strip().splitlines() or [""]
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return "ran out of memory" if "MemoryError" in lines[-1] or "bad_alloc" in lines[-1] else f"failed: {lines[-1]}"


def _judged(onnx: Conversion, latency: tuple[Latency, ...]) -> Conversion:
    """A proven conversion that is slower than the model itself is of no use."""
    times = {one.format: one.median_ms for one in latency}
    own = next((ms for name, ms in times.items() if name != "onnx"), None)
    quick = times.get("onnx")
    if own is None or quick is None or quick <= own:
        return onnx
    why = f"it answers alike, but takes {quick:g} ms a row, and the model itself {own:g}"
    return msgspec.structs.replace(onnx, digest=None, why=why)
