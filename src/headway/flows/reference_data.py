"""Where the rows of a reference are, and what they are: inputs as requests bring them, labels, blocks.

`training` is the table that a version was made of, `holdout` what its gate measured on; else a dataset or a path of the
project. Neighbour: `reference` asks the version for its answers.
"""

import os
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from headway.core.dataset import parse_dataset_ref
from headway.core.facts import ModelRegistered
from headway.core.ids import Artifact
from headway.core.telling import listed
from headway.errors import BlobDamaged, BlobMissing, ColumnMissing, DataUnreadable, FileMissing, HeadwayError
from headway.flows import dataset, gate_show, registry
from headway.flows.delivery import Delivery
from headway.flows.store import materialize

if TYPE_CHECKING:
    import polars as pl

MOST_ROWS = 20_000
"""Rows of a reference: its noise is that of as many, and a version that answers them is busy for some seconds."""

TRAINING = "training"
HOLDOUT = "holdout"


class Rows(Struct, frozen=True, kw_only=True):
    """Rows to ask a version about: `label` is the truth of each where it is known, `blocks` says which it belongs to.

    `called` is where they come from; `is_in_sample`: the version learned from them.
    """

    called: str
    # polars.DataFrame and polars.Series, which are not imported before a table is read.
    inputs: Any
    label: Any
    blocks: list[int]
    is_in_sample: bool = False


def rows(world: Delivery, registered: ModelRegistered, source: str, target: str) -> Rows:
    """The rows of a source (see `reference.made`), at most 20,000 of them.

    Raises NameUnknown, FileMissing, TableUnreadable, ColumnMissing, DataUnreadable, BlobMissing, BlobDamaged.
    """
    with tempfile.TemporaryDirectory(prefix="headway-reference-") as folder:
        return _rows(world, registered, _source(world, registered, source, folder), target)


class _Source(Struct, frozen=True, kw_only=True):
    """Where the rows of a reference are: files, what these are called, and whether the version learned from them."""

    paths: tuple[str, ...]
    called: str
    is_in_sample: bool = False


def _source(world: Delivery, registered: ModelRegistered, source: str, folder: str) -> _Source:
    if source == TRAINING:
        return _training(world, registered, folder)
    if source == HOLDOUT:
        return _holdout(world, registered, folder)
    ref = parse_dataset_ref(source)
    if ref is not None and ref.kind in ("newest", "version"):
        known = dataset.read(world.log, ref.name)
        if known.newest is not None:
            one = known.newest if ref.version is None else known.version(ref.version)
            return _seen(_laid_out(world, one.artifact, f"{ref.name}@{one.version}", folder))
    path = os.path.join(os.path.dirname(os.path.abspath(world.home)), source)
    if os.path.exists(path):
        return _seen(_Source(paths=(path,), called=source))
    for artifact in registered.data:
        if artifact.path == source.rstrip("/"):
            return _seen(_laid_out(world, artifact, source, folder))
    raise FileMissing(
        f"there is no {source} to compare live data with",
        at="monitors: reference",
        remedy=f"write {TRAINING}, {HOLDOUT}, a dataset of `headway data list`, or a path of the project",
    )


def _seen(source: _Source) -> _Source:
    """The same; what is called after training was learned from, so that nothing is promised by it."""
    return structs.replace(source, is_in_sample=_says_training(source.called))


def _says_training(path: str) -> bool:
    return "train" in os.path.basename(path).lower()


def _laid_out(world: Delivery, artifact: Artifact, called: str, folder: str) -> _Source:
    path = os.path.join(folder, artifact.digest[:16], os.path.basename(artifact.path))
    materialize(world.blobs, artifact, path)
    return _Source(paths=(path,), called=called)


def _training(world: Delivery, registered: ModelRegistered, folder: str) -> _Source:
    """The table that the version was made of: of several the one that says so by its name, else the largest."""
    from headway.tables.reference_rows import head

    fit: list[tuple[Artifact, _Source]] = []
    for artifact in registered.data:
        try:
            one = _laid_out(world, artifact, artifact.path, folder)
            is_fit = head(one.paths).has(registered.signature.columns)
        except HeadwayError:
            # Code, a folder of images, or something that went: no table.
            continue
        if is_fit:
            fit.append((artifact, one))
    if not fit:
        name = f"{registered.model}@{registered.version}"
        raise DataUnreadable(
            f"no table with the columns that {name} takes is among the data that it was made of",
            at="monitors: reference",
            remedy="name one: `reference: data/training.csv`, or a dataset; or let the run declare it under `in`",
        )
    _, best = max(fit, key=lambda pair: (_says_training(pair[0].path), pair[0].size_bytes))
    return structs.replace(best, is_in_sample=True)


def _holdout(world: Delivery, registered: ModelRegistered, folder: str) -> _Source:
    kept = _gate_of(world, registered)
    if kept is None or kept[1] is None:
        raise DataUnreadable(
            f"no gate that judged {registered.model}@{registered.version} kept what it measured on",
            at="monitors: reference",
            remedy=f"write `reference: {TRAINING}`, or the path of the holdout",
        )
    return _laid_out(world, kept[1], f"{kept[1].path} (the gate's)", folder)


def _gate_of(world: Delivery, registered: ModelRegistered) -> tuple[str, Artifact | None] | None:
    """The column of true values that the gate named, and its data; None where no verdict can be read."""
    digest = registry.read(world.log, registered.model).judged(registered.version).verdict or registered.verdict
    if digest is None:
        return None
    try:
        kept = gate_show.read(digest, world.blobs)
    except (BlobMissing, BlobDamaged):
        return None
    return None if kept is None else (kept.step.target, kept.data)


def _rows(world: Delivery, registered: ModelRegistered, source: _Source, target: str) -> Rows:
    from headway.tables.reference_rows import head, sample

    have = head(source.paths).columns
    inputs = registered.signature.columns
    lacking = [name for name in (*inputs, *([target] if target else ())) if name not in have]
    if lacking:
        raise ColumnMissing(
            f"{source.called} lacks {listed(lacking)}, which is needed to be a reference",
            at="monitors: reference",
            remedy=f"its columns are {', '.join(have[:20])}",
        )
    label = target or _label(world, registered, have)
    inputs = inputs or tuple(name for name in have if name != label)
    wanted = [*inputs, *([label] if label and label not in inputs else [])]
    frame, blocks = sample(source.paths, wanted, most=MOST_ROWS)
    if not frame.height:
        raise DataUnreadable(
            f"{source.called} has no row", at="monitors: reference", remedy="name a table that holds some"
        )
    truth = frame[label].cast(_as_kept(frame.schema[label])) if label else None
    return Rows(
        called=source.called,
        inputs=frame.select(_as_sent(name, frame.schema[name]) for name in inputs),
        label=None if truth is None or truth.null_count() == truth.len() else truth,
        blocks=blocks,
        is_in_sample=source.is_in_sample,
    )


def _label(world: Delivery, registered: ModelRegistered, have: Sequence[str]) -> str:
    gate = _gate_of(world, registered)
    if gate is not None and gate[0] in have:
        return gate[0]
    others = [name for name in have if name not in registered.signature.columns]
    return others[0] if len(others) == 1 and registered.signature.columns else ""


def _as_kept(dtype: "pl.DataType") -> "pl.DataType":
    """What JSON has for a type: numbers, truth values and texts are themselves, all else is a text."""
    import polars as pl

    plain = dtype.is_integer() or dtype.is_float() or isinstance(dtype, pl.Boolean | pl.String | pl.Null)
    return dtype if plain else pl.Float64() if dtype.is_decimal() else pl.String()


def _as_sent(name: str, dtype: "pl.DataType") -> "pl.Expr":
    import polars as pl

    told = pl.col(name).cast(_as_kept(dtype))
    # JSON has no word for what is infinite or no number.
    return pl.when(told.is_finite()).then(told).alias(name) if _as_kept(dtype).is_float() else told
