"""The reference of a version that serves: rows of data, asked of it past its traffic, counted, and kept.

Neighbours: `reference_data` has the rows, `vetting` asks a version whether it may serve; `tables/layouts` counts.
"""

from collections.abc import Sequence
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, structs

from headway.core.facts import ModelRegistered, ReleaseStarted
from headway.core.golden import GoldenReply
from headway.core.ids import Digest, ModelRef
from headway.core.reference import CELL_ROWS, PREDICTION, PROBABILITY, Reference
from headway.errors import DataUnreadable, NameUnknown
from headway.flows import reference_data, registry
from headway.flows.delivery import ASK_S, Delivery, stream
from headway.flows.reference_data import Rows
from headway.flows.vetting import AT_ONCE, Ask
from headway.ports import Answer

if TYPE_CHECKING:
    import polars as pl

PACE = 1.0
"""Between two requests as much time goes by as the last one took, so that live traffic has half of the version."""

MOST_TRIES = 20
REFUSED = 400
BUSY = 503
BUSY_S = 0.25

LEAST_ROWS = 500
ALL_MS = 60_000.0
"""How long all of it may take: of a slow model fewer rows are asked, of every block the first ones."""

MOST_REFUSED = 0.5
"""When a version refuses more of the rows than this share, they are not what it is asked about."""


HOUR_ROWS = 2**31
"""More rows than a file of the log has: its sketches are those of whole hours."""


def made(
    world: Delivery, endpoint: str, version: int, source: str, target: str, window_rows: int | None = None
) -> Reference:
    """The reference of a version that an endpoint serves, with its rows and blocks in the store.

    `source`: `training` (the table among the data of the run that made the version), `holdout` (the data of the gate
    that judged it), a dataset (`train`, `train@7`), or a path of the project. `target`: the column of the truth; empty
    for the one that the gate named, or the only column that is no input; without labels nothing is realised and nothing
    calibrated. `window_rows`: live predictions are watched in windows of so many rows, or with 0 of whole hours, for
    which one sketch an hour is enough; None where both may be asked for. Columns that the prediction log leaves out or
    hashes are neither counted nor kept here. Takes seconds to a minute: the version answers up to 20,000 rows, besides
    its traffic.
    Raises NameUnknown, FileMissing, TableUnreadable, ColumnMissing, DataUnreadable, VersionNotReady, TargetUnavailable,
    BlobMissing, BlobDamaged, Unmeasurable.
    """
    release = _release(world, endpoint, version)
    registered = registry.resolve(world.log, ModelRef(name=release.model, version=version))
    if registered is None:
        raise NameUnknown(
            f"{release.model}@{version} is not registered, so that what it takes is not known",
            at=f"endpoint: {endpoint}",
            remedy="register the model and release that version",
        )
    rows = reference_data.rows(world, registered, source, target)
    ask = partial(world.target(release.target).ask, endpoint, version, timeout_s=ASK_S)
    if not registered.signature.columns:
        rows = structs.replace(rows, inputs=_taken(world, rows.inputs, ask))
    held = _affordable(rows.blocks, _row_ms(world, rows.inputs, ask))
    rows = structs.replace(
        rows,
        inputs=rows.inputs[held],
        label=None if rows.label is None else rows.label[held],
        blocks=[rows.blocks[at] for at in held],
    )
    answers = _answers(world, rows, ask)
    unlogged = {*release.recording.leave_out, *release.recording.hashed}
    kept = [name for name in rows.inputs.columns if name not in unlogged]
    found = _counted(world, registered, structs.replace(rows, inputs=rows.inputs.select(kept)), answers)
    cell_rows = CELL_ROWS if window_rows is None else min(window_rows, CELL_ROWS) or HOUR_ROWS
    return structs.replace(found, layout=structs.replace(found.layout, cell_rows=cell_rows))


def _release(world: Delivery, endpoint: str, version: int) -> ReleaseStarted:
    """The newest release of that version there. Raises NameUnknown."""
    for entry in reversed(world.log.read(stream(endpoint))):
        if isinstance(entry.fact, ReleaseStarted) and entry.fact.version == version:
            return entry.fact
    raise NameUnknown(
        f"version {version} was never released to {endpoint}",
        at=f"endpoint: {endpoint}",
        remedy="`headway status` shows what it serves",
    )


# --- what the version answers -----------------------------------------------------------------------------------


class _Answers(Struct):
    """What came back: an answer for each row, None where it was refused."""

    # Any: what models answer.
    predictions: list[Any]
    chances: list[list[float | None] | None]
    classes: list[Any] = []
    trouble: str = ""


class _Fault(Struct):
    field: str = ""
    problem: str = ""


class _Refusal(Struct):
    """What a version says of columns that it does not take."""

    fields: list[_Fault] = []


def _taken(world: Delivery, rows: "pl.DataFrame", ask: Ask) -> "pl.DataFrame":
    """Without the columns that the version does not know: of a model without a signature only itself can tell them."""
    while rows.width:
        answer = _answer(world, ask, rows.head(1).to_dicts())
        try:
            faults = msgspec.json.decode(answer.body, type=_Refusal).fields if answer.status == REFUSED else []
        except msgspec.MsgspecError:
            break
        unknown = {one.field for one in faults if one.problem.startswith("unknown")} & set(rows.columns)
        if not unknown:
            break
        rows = rows.drop(unknown)
    return rows


def _row_ms(world: Delivery, rows: "pl.DataFrame", ask: Ask) -> float:
    """How long a row takes: the quicker of two requests, for the first may have to make something ready."""
    told = rows.head(AT_ONCE).to_dicts()
    return max(1e-3, min(_answer(world, ask, told).ms for _ in range(2)) / len(told))


def _affordable(blocks: Sequence[int], row_ms: float) -> list[int]:
    """The places of rows that can be asked in time: all of them, or the first ones of each block."""
    n_rows = max(LEAST_ROWS, int(ALL_MS / row_ms / (1 + PACE)))
    most = n_rows // (blocks[-1] + 1)
    if n_rows >= len(blocks):
        return list(range(len(blocks)))
    begins: dict[int, int] = {}
    return [at for at, block in enumerate(blocks) if at - begins.setdefault(block, at) < max(most, 1)]


def _answers(world: Delivery, rows: Rows, ask: Ask) -> _Answers:
    """Ask the version some rows at a time, and those one by one of which some are refused. Raises DataUnreadable."""
    found = _Answers([], [])
    n_refused = 0
    for part in rows.inputs.iter_slices(AT_ONCE):
        told = part.to_dicts()
        if not _take(found, _answer(world, ask, told), len(told)):
            for row in told:
                if not _take(found, _answer(world, ask, [row]), 1):
                    found.predictions.append(None)
                    found.chances.append(None)
                    n_refused += 1
        if n_refused > MOST_REFUSED * max(len(found.predictions), 8 * AT_ONCE):
            break
    if n_refused > MOST_REFUSED * len(found.predictions):
        raise DataUnreadable(
            f"the version refuses {n_refused:,} of {len(found.predictions):,} rows of {rows.called}: {found.trouble}",
            at="monitors: reference",
            remedy="name data like those that clients ask about",
        )
    return found


def _answer(world: Delivery, ask: Ask, rows: list[dict[str, Any]]) -> Answer:
    """One answer; a version that is full is asked again in a while."""
    body = msgspec.json.encode({"inputs": rows})
    for _ in range(MOST_TRIES):
        answer = ask([body])[0]
        world.sleep(PACE * answer.ms / 1000)
        if answer.status != BUSY:
            break
        world.sleep(BUSY_S)
    return answer


def _take(found: _Answers, answer: Answer, n_rows: int) -> bool:
    """Put an answer behind the others, if it is one."""
    if answer.status != 200:
        found.trouble = found.trouble or f"{answer.status}, {answer.body[:200].decode('utf-8', 'replace')}"
        return False
    try:
        reply = msgspec.json.decode(answer.body, type=GoldenReply)
    except msgspec.MsgspecError as e:
        found.trouble = found.trouble or f"its answer is not understood: {e}"
        return False
    if len(reply.predictions) != n_rows:
        found.trouble = found.trouble or f"{len(reply.predictions)} answers came for {n_rows} rows"
        return False
    found.predictions += reply.predictions
    found.chances += reply.probabilities or [None] * n_rows
    found.classes = found.classes or reply.classes or []
    return True


# --- what is kept -----------------------------------------------------------------------------------------------


def _counted(world: Delivery, registered: ModelRegistered, rows: Rows, answers: _Answers) -> Reference:
    import numpy as np

    from headway.stats.alarm import design_effect
    from headway.tables.labelled import LABEL
    from headway.tables.layouts import count_blocks, lay_out, realised

    frame, blocks = _joined(rows, answers)
    # Not every classifier gives probabilities, and with them its classes.
    layout = lay_out(frame, registered.version, answers.classes or registered.signature.classes)
    whole, parts = count_blocks(frame, blocks, layout)
    tables = np.stack([part.table for part in parts])
    return Reference(
        model=registered.model,
        version=registered.version,
        data=rows.called,
        n_rows=whole.n_rows,
        layout=layout,
        counts=whole.counts,
        rows=_put(world, frame),
        blocks=world.blobs.put(msgspec.msgpack.encode([part.counts for part in parts])),
        n_blocks=len(parts),
        inflation=tuple(design_effect(tables[:, axis, :]) for axis in range(tables.shape[1])),
        realised=realised(frame, layout),
        is_in_sample=rows.is_in_sample,
        label=rows.label.name if LABEL in frame.columns else "",
    )


def _joined(rows: Rows, answers: _Answers) -> "tuple[pl.DataFrame, list[int]]":
    """The rows that were answered, as the prediction log has them, with labels and the order in which they came."""
    import polars as pl

    from headway.tables.labelled import LABEL
    from headway.tables.prediction_lines import FEATURE

    inputs = rows.inputs.rename({name: FEATURE + name for name in rows.inputs.columns})
    columns = [*inputs.get_columns(), *_told(answers)]
    if rows.label is not None:
        columns.append(rows.label.alias(LABEL))
    columns.append(pl.Series("at", range(len(rows.blocks)), dtype=pl.Float64))
    held = [at for at, one in enumerate(answers.predictions) if one is not None]
    return pl.DataFrame(columns)[held], [rows.blocks[at] for at in held]


def _told(answers: _Answers) -> "list[pl.Series]":
    """The answers as columns: one, or one for each output; and the chance of each class."""
    import polars as pl

    columns: list[pl.Series] = []
    several = next((one for one in answers.predictions if isinstance(one, list)), None)
    if several is None:
        columns.append(pl.Series(PREDICTION, answers.predictions, strict=False))
    else:
        for at in range(len(several)):
            each = [one[at] if isinstance(one, list) and at < len(one) else None for one in answers.predictions]
            columns.append(pl.Series(f"{PREDICTION}.{at}", each, strict=False))
    for at, name in enumerate(answers.classes):
        chances = [None if one is None or at >= len(one) else one[at] for one in answers.chances]
        columns.append(pl.Series(f"{PROBABILITY}{name}", chances, dtype=pl.Float64))
    return columns


def _put(world: Delivery, frame: "pl.DataFrame") -> Digest:
    held = BytesIO()
    frame.write_parquet(held, compression="zstd", compression_level=3)
    return world.blobs.put(held.getvalue())
