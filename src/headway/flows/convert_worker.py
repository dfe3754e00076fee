"""The process that looks at a model: what it takes and gives, whether it can be ONNX, and whether that answers alike.

Run as `python -m headway.flows.convert_worker TASK` (see `convert_task`) by `convert`, which ends it when it takes too
long. It loads the model and so runs what is in it: whoever starts it has asked for trust.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from headway import formats
from headway.core.facts import Conversion, Latency
from headway.core.ids import Digest
from headway.core.prediction import LoadedModel, Prediction
from headway.core.problem import did_you_mean
from headway.core.signature import ANY_WIDTH, Signature, completed
from headway.core.telling import listed
from headway.errors import HeadwayError
from headway.flows.convert_task import (
    MOST_ROWS,
    READ_ROWS,
    TIMED_ROWS,
    TIMED_S,
    Found,
    Task,
)
from headway.stats.parity import NOTHING, Parity, parity
from headway.tables import asked, edge_rows, kept_answers

if TYPE_CHECKING:
    import polars as pl

    from headway.tables.onnx_convert import Refusals

_UNPROVEN = "nothing can be proven on these rows"

CHUNK = 256
"""Rows that both models are asked about at once."""


def main(words: Sequence[str]) -> int:
    """Do the task in the file; returns 0 when it could be told what was found."""
    with open(words[0], "rb") as f:
        task = msgspec.json.decode(f.read(), type=Task)
    with suppress(ValueError, OSError):  # a lower limit stands
        resource.setrlimit(resource.RLIMIT_AS, (task.memory_bytes, task.memory_bytes))
    # A model may need the project's own code; behind everything installed, so that it hides nothing.
    sys.path.append(os.getcwd())
    try:
        model = formats.load(task.model, format=task.format, digest=task.digest, trusted=(task.digest,), threads=1)
        frame = read_rows(task.rows)
        signature = signature_of(model, frame, task.target)
    except HeadwayError as e:
        _tell(task, Found(trouble=f"{e.problem}; {e.remedy}"))
        return 0
    rows, lacking = _rows(frame, signature, task.target)
    if rows:
        _keep(task.answers, model, frame.select(list(rows[0])))
    times = _timed(model, rows)
    if not task.wants_onnx:
        _tell(task, Found(signature=signature, latency=times))
        return 0
    # Told before the conversion begins, so that whatever becomes of that the signature stands.
    _tell(task, Found(signature=signature, onnx=Conversion(why="the conversion was ended from outside"), latency=times))
    onnx, more = _converted(task, model, signature, rows, lacking)
    _tell(task, Found(signature=signature, onnx=onnx, latency=(*times, *more)))
    return 0


def read_rows(path: str) -> "pl.DataFrame":
    """At most MOST_ROWS rows of a table, evenly taken of its first ones. Raises FileMissing, TableUnreadable."""
    import polars as pl

    from headway.tables.batches import open_data

    frames, n = list[pl.DataFrame](), 0
    with open_data([path]) as data:
        for batch in data.batches():
            frames.append(batch.frame)
            n += batch.frame.height
            if n >= READ_ROWS:
                break
    frame = pl.concat(frames) if frames else pl.DataFrame()
    return frame.gather_every(max(1, -(-frame.height // MOST_ROWS)))


def signature_of(model: LoadedModel, frame: "pl.DataFrame", target: str) -> Signature:
    """What the model says of itself, and where it does not, what the rows show."""
    from headway.tables.signature import infer

    seen = infer(frame, target=target if target in frame.columns else None)
    if not model.signature.inputs and target not in frame.columns:
        # Which of the columns are the model's is not known: one may be the truth.
        seen = msgspec.structs.replace(seen, inputs=())
    if model.signature.matrix is not None:
        seen = msgspec.structs.replace(seen, inputs=())
    return completed(model.signature, seen)


# Any: rows as requests have them.
def _rows(frame: "pl.DataFrame", signature: Signature, target: str) -> tuple[list[dict[str, Any]], str]:
    """The rows with the model's columns alone, as JSON would bring them; none, and why, when those are not there."""
    if not frame.height:
        return [], "there are none"
    names = list(signature.columns) or [name for name in frame.columns if name != target]
    if missing := [name for name in names if name not in frame.columns]:
        return [], f"they lack {listed(missing)}, which the model takes"
    width = ANY_WIDTH if signature.matrix is None else signature.matrix.width
    if width not in (ANY_WIDTH, len(names)):
        others = f"the model takes {width} columns, and they have {len(names)}"
        if target in frame.columns:
            return [], f"{others} beside {target}"
        otherwise = "`target` names the one that is no input"
        return [], f"{others}; {did_you_mean(target, frame.columns, otherwise) if target else otherwise}"
    return frame.select(names).to_dicts(), ""


def _keep(path: str, model: LoadedModel, frame: "pl.DataFrame") -> None:
    """Write what it answers to some of the rows; nothing when it refuses one of them."""
    some = frame.gather_every(max(1, frame.height // kept_answers.MOST_ROWS))
    with suppress(HeadwayError):
        data = kept_answers.keep(some, asked.ask(model, some), by="register")
        with open(f"{path}.new", "wb") as f:
            f.write(data)
        os.replace(f"{path}.new", path)


def _tell(task: Task, found: Found) -> None:
    with open(task.result + ".new", "wb") as f:
        f.write(msgspec.json.encode(found))
    os.replace(task.result + ".new", task.result)


# Any: as `_rows`.
def _timed(model: LoadedModel, rows: Sequence[dict[str, Any]]) -> tuple[Latency, ...]:
    """How long it takes for a row that it answers; nothing when it answers none."""
    taken = list[float]()
    end = time.perf_counter() + TIMED_S
    for at in range(TIMED_ROWS if rows else 0):
        row = [rows[at * len(rows) // TIMED_ROWS]]
        began = time.perf_counter()
        with suppress(HeadwayError):
            model.predict(row)
            taken.append((time.perf_counter() - began) * 1000)
        if time.perf_counter() > end:
            break
    if not taken:
        return ()
    # The first ones fill caches.
    kept = sorted(taken[len(taken) // 10 :])
    machine = f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores"
    return (Latency(format=model.format, median_ms=round(kept[len(kept) // 2], 4), n_rows=len(kept), machine=machine),)


# --- converting -------------------------------------------------------------------------------------------------


# Any: as `_rows`.
def _converted(
    task: Task, model: LoadedModel, signature: Signature, rows: list[dict[str, Any]], lacking: str
) -> tuple[Conversion, tuple[Latency, ...]]:
    """The first form of the graph that is proven; else why none is."""
    from headway.tables.onnx_convert import FORMS, convert

    estimator = getattr(model, "estimator", None)
    if estimator is None:
        return Conversion(why="it holds no estimator of scikit-learn, and other models are not converted"), ()
    if why := lacking or _too_few(model, rows, task.least_rows):
        return Conversion(why=f"{_UNPROVEN}: {why}"), ()
    try:
        proof = Proof(model, signature, rows, task.tolerance)
    except HeadwayError as e:
        return Conversion(why=f"{_UNPROVEN}: {e.problem}"), ()
    whys = list[str]()
    for form in FORMS:
        try:
            made = convert(estimator, signature, form, proof.refusals)
            with open(task.graph, "wb") as f:
                f.write(made.data)
            graph = formats.load(task.graph, format="onnx", digest=Digest(""), trusted=(), threads=1)
            found = proof.of(graph)
        except HeadwayError as e:
            whys.append(e.problem)
            continue
        if found.wrong:
            whys.append(f"it answers otherwise, {found.wrong}")
            continue
        onnx = Conversion(
            size_bytes=len(made.data),
            n_rows=len(rows),
            n_edge_rows=found.n_rows - len(rows),
            max_difference=found.max_difference,
            tolerance=task.tolerance,
            opset=made.opset,
            made_with=made.made_with,
        )
        return onnx, _timed(graph, rows)
    # Each form tells something; the last that was asked came nearest.
    asked = [why for why in whys if why.startswith("it answers")]
    return Conversion(why=(asked or whys)[-1], tolerance=task.tolerance, n_rows=len(rows)), ()


def _too_few(model: LoadedModel, rows: Sequence[edge_rows.Row], least: int) -> str:
    """How many rows there are, or are answered, where `least` are needed: two that refuse everything are alike, too."""
    if len(rows) < least:
        return f"{len(rows)} rows are there, and {least} are needed"
    n_answered, refusal = edge_rows.answered(model, rows, least)
    if n_answered < least:
        return f"the model answers {n_answered} of {len(rows)}, and {least} are needed; {refusal}"
    return ""


class Proof:
    """Rows about which a conversion is asked, beside the model that it is one of, and what that one refuses."""

    # Any: as `_rows`.
    def __init__(self, model: LoadedModel, signature: Signature, rows: list[dict[str, Any]], tolerance: float) -> None:
        """Asks the model. Raises DataUnreadable when it refuses what lies between real rows that it answers."""
        self._model, self._tolerance = model, tolerance
        columns = list(rows[0])
        odd = edge_rows.of_columns(rows, columns)
        self.refusals = _refusals(model, signature, rows, odd)
        splits = _splits(model, len(columns))
        self._groups: list[Sequence[edge_rows.Row]] = [rows, *odd.values()]
        self._groups.append(edge_rows.at_splits(rows, columns, splits))
        self._groups.append(edge_rows.at_jumps(model, rows, columns))

    def of(self, graph: LoadedModel) -> Parity:
        """How far apart both are: real rows first, then those at the edges."""
        found = NOTHING
        for at, group in enumerate(self._groups):
            for first in range(0, len(group), CHUNK):
                one = self._chunk(graph, group[first : first + CHUNK])
                where = "of the data" if not at else "made of the data"
                if one.wrong:
                    one = msgspec.structs.replace(one, wrong=f"on rows {where}, {one.wrong}")
                found = found.with_(one)
                if found.wrong:
                    return found
        return found

    # Any: as `_rows`.
    def _chunk(self, graph: LoadedModel, rows: Sequence[edge_rows.Row]) -> Parity:
        found = [NOTHING]

        def compare(one: Prediction, other: Prediction, first: int) -> None:
            told = parity(one.labels, other.labels, one.probabilities, other.probabilities, tolerance=self._tolerance)
            if one.classes != other.classes:
                told = msgspec.structs.replace(told, wrong=f"classes {one.classes}, and {other.classes}")
            if told.wrong and first:
                told = msgspec.structs.replace(told, wrong=f"from row {first} on, {told.wrong}")
            found.append(told)

        wrong = edge_rows.apart(rows, self._model, graph, compare)
        whole = NOTHING
        for one in found:
            whole = whole.with_(one)
        return msgspec.structs.replace(whole, n_rows=len(rows), wrong=whole.wrong or wrong)


def _splits(model: LoadedModel, n_columns: int) -> list[tuple[int, float]]:
    from headway.tables.onnx_trees import thresholds_of

    return [(column, value) for column, value in thresholds_of(getattr(model, "estimator", None)) if column < n_columns]


# Any: as `_rows`.
def _refusals(
    model: LoadedModel,
    signature: Signature,
    rows: Sequence[dict[str, Any]],
    odd: dict[tuple[str, str], list[edge_rows.Row]],
) -> "Refusals":
    """What the model refuses, seen by asking it for each column and each sort of oddity."""
    from headway.tables.onnx_convert import Refusals

    # Columns without names go by their number.
    named = {name: name if signature.columns else str(at) for at, name in enumerate(rows[0])}
    refused = {
        what: tuple(named[name] for (name, its), some in odd.items() if its == what and edge_rows.refusal(model, some))
        for what in ("gap", "infinite", "large", "unseen")
    }
    known: dict[str, tuple[str, ...]] = {}
    for name, called in named.items():
        if called not in refused["unseen"]:
            continue
        seen = {row[name] for row in rows if isinstance(row[name], str)}
        known[called] = tuple(sorted(seen | _categories(getattr(model, "estimator", None), name)))
    return Refusals(gaps=refused["gap"], infinite=refused["infinite"], large=refused["large"], known=known)


# Any: a fitted estimator.
def _categories(estimator: Any, column: str) -> set[str]:  # noqa: ANN401 (as above)
    """The texts that an encoder of the column was taught."""
    found = set[str]()
    for step in [estimator, *(one for _, one in getattr(estimator, "steps", ()))]:
        for _, branch, names in getattr(step, "transformers_", ()):
            if isinstance(names, str) or column not in list(names):
                continue
            for one in [branch, *(inner for _, inner in getattr(branch, "steps", ()))]:
                if (categories := getattr(one, "categories_", None)) is not None:
                    found |= {text for text in categories[list(names).index(column)] if isinstance(text, str)}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
