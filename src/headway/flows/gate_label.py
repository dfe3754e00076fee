"""Write just the rows worth labelling: those on which two models differ, be they models or files of predictions.

Neighbours: `tables/disagreements` chooses and writes, `core/gate_labels` says what labels are worth. Records nothing.
"""

import os
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.gate_labels import Labelling, needed, smallest_gain
from headway.core.ids import parse_model_ref
from headway.errors import DataUnreadable, FileMissing, ModelUnreadable, NameUnknown, UsageMistaken
from headway.flows import models_trust, registry
from headway.flows.dataset import Project
from headway.flows.digest import digest_path
from headway.flows.review import path_of
from headway.flows.statcache import StatCache
from headway.flows.store import materialize

if TYPE_CHECKING:
    import polars as pl

    from headway.core.prediction import LoadedModel


class Asked(Struct, frozen=True, kw_only=True):
    """What was typed: paths as seen from `base`, models also as `name@alias`. `target` is the column for the label."""

    new: str
    old: str
    data: str
    key: str
    out: str
    base: str
    target: str = "label"
    labels: tuple[str, ...] = ()
    most: int | None = None
    confidence: float = 0.95
    force: bool = False


def label(project: Project, asked: Asked, *, scratch: str) -> Labelling:
    """Ask both models, choose and write; `scratch` is a folder for what must be laid out to be read.

    Raises UsageMistaken (what would be overwritten, numbers out of range), and as models and tables do.
    """
    out = _out(asked)
    # Polars takes a while to import.
    from headway.tables import disagreements as table

    data = path_of(project, asked.data, scratch, base=asked.base)
    if any(os.path.exists(out) and os.path.samefile(out, path) for path in (data, *_paths(asked))):
        raise UsageMistaken(f"{asked.out} is read from, too", at="--out", remedy="name another file")
    keys = table.keys_of([data], asked.key, asked.target)
    sides = []
    for option, text in (("--new", asked.new), ("--old", asked.old)):
        sides.append(_answers(project, asked, (option, text), keys.texts, (data, scratch)))
    labels = [path_of(project, path, scratch, base=asked.base) for path in asked.labels]
    done = table.labelled_in(labels, asked.key, asked.target) if labels else keys.texts.clear()
    sorted_out = table.sort_out(keys, table.differing(*sides), done, asked.most)
    if sorted_out.rows:
        table.write([data], sorted_out.rows, asked.target, out)
    differ = sorted_out.n_differ / max(sorted_out.n_rows, 1)
    return Labelling(
        n_rows=sorted_out.n_rows,
        n_differ=sorted_out.n_differ,
        n_labelled=sorted_out.n_labelled,
        n_written=len(sorted_out.rows),
        key=asked.key,
        target=asked.target,
        out=asked.out,
        confidence=asked.confidence,
        needed=needed(differ, asked.confidence),
        smallest_gain=smallest_gain(sorted_out.n_labelled + len(sorted_out.rows), differ, asked.confidence),
    )


def _out(asked: Asked) -> str:
    """Where to write, seen to be possible before anything is read."""
    path = os.path.join(asked.base, asked.out)
    if not asked.out.lower().endswith((".csv", ".parquet")):
        raise UsageMistaken(
            f"{asked.out} is neither CSV nor Parquet by its name", at="--out", remedy="end it in .csv or .parquet"
        )
    if os.path.lexists(path) and not asked.force:
        raise UsageMistaken(
            f"{asked.out} is there already, perhaps with labels in it",
            at="--out",
            remedy="name another file (and that one under --labels), or give --force",
        )
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise FileMissing(f"there is no folder for {asked.out}", at="--out", remedy="make the folder first")
    if asked.most is not None and asked.most < 1:
        raise UsageMistaken(f"{asked.most} rows cannot be written", at="--most", remedy="give a number from 1")
    if not 0.5 < asked.confidence < 1:
        raise UsageMistaken(
            f"{asked.confidence:g} is no confidence", at="--confidence", remedy="give one between 0.5 and 1: 0.95"
        )
    if asked.target == asked.key:
        raise UsageMistaken(
            f"the column {asked.key} cannot be both key and label", at="--target", remedy="name another column"
        )
    return path


def _paths(asked: Asked) -> list[str]:
    found = [os.path.join(asked.base, text) for text in (asked.new, asked.old, *asked.labels)]
    return [path for path in found if os.path.exists(path)]


# --- answers -----------------------------------------------------------------------------------------------------


def _answers(
    project: Project, asked: Asked, side: tuple[str, str], keys: "pl.Series", places: tuple[str, str]
) -> "pl.Series":
    """One model's answers in the order of the rows; `side` is the option and what was typed behind it."""
    from headway.tables.disagreements import answers_in

    option, text = side
    data, scratch = places
    model = _model(project, text, asked.base, scratch, option)
    if model is not None:
        return _asked_of(model, asked, keys, data, text)
    return answers_in([path_of(project, text, scratch, base=asked.base)], asked.key, keys, text)


def _model(project: Project, text: str, base: str, scratch: str, option: str) -> "LoadedModel | None":
    """The model that is meant, loaded; None when it is a file of predictions. Raises as `formats.load`, NameUnknown."""
    from headway import formats

    path = os.path.join(base, text)
    if not os.path.exists(path) and text.partition("@")[0] in registry.names(project.log) and "@" in text:
        ref = parse_model_ref(text)
        version = registry.resolve(project.log, ref)
        if version is None:
            raise NameUnknown(
                f"{text} means no version", at=option, remedy=f"`headway models show {ref.name}` lists what there is"
            )
        models_trust.see(project.log, project.blobs, version, project.trust)
        artifact = version.artifact
        laid = os.path.join(scratch, artifact.digest[:16], os.path.basename(artifact.path))
        materialize(project.blobs, artifact, laid)
        kind = version.format or formats.detect(laid)
        return formats.load(laid, format=kind, digest=artifact.digest, trusted=(artifact.digest,))
    if not os.path.exists(path) or _is_table(path):
        return None
    folder, name = os.path.split(os.path.abspath(path))
    digest = digest_path(folder, name, StatCache()).digest
    trusted = (digest,) if registry.made_here(project.log, digest) else ()
    return formats.load(path, format=formats.detect(path), digest=digest, trusted=trusted)


def _is_table(path: str) -> bool:
    """Whether it is predictions: a table by its bytes or name, or a folder that is no model."""
    from headway import formats
    from headway.tables.header import kind_of

    if os.path.isfile(path):
        return kind_of(path) is not None
    try:
        formats.detect(path)
    except ModelUnreadable:
        return True
    return False


def _asked_of(model: "LoadedModel", asked: Asked, keys: "pl.Series", data: str, called: str) -> "pl.Series":
    """The model's labels on the data, which it sees as the gate shows them to it: whole, and without the label."""
    from headway.tables.asked import predicted
    from headway.tables.disagreements import checked

    table = _whole(data, asked.data)
    if table.height != len(keys):
        raise DataUnreadable(
            f"{asked.data} has {len(keys):,} rows, of which {table.height:,} can be shown to a model",
            at="--data",
            remedy="write it as Parquet, or look for empty lines in it",
        )
    labels = predicted(model, table.drop(asked.target, strict=False), called).labels
    if labels.shape != (len(keys),):
        raise DataUnreadable(
            f"{called} gave answers of shape {labels.shape} to {len(keys):,} rows",
            at=called,
            remedy="use a model that answers each row with one value",
        )
    return checked(_series(labels.tolist()), keys, called)


def _series(values: list[object]) -> "pl.Series":
    """Numbers and truths as such, all else as texts."""
    import polars as pl

    if all(isinstance(value, bool | int | float) for value in values):
        return pl.Series(values, strict=False)
    # NaN is the one value that differs from itself.
    texts = [None if value is None or value != value else str(value) for value in values]  # noqa: PLR0124 (as said)
    return pl.Series(texts, dtype=pl.String)


def _whole(path: str, called: str) -> "pl.DataFrame":
    """The data in memory: CSV and Parquet as a gate reads them, which reads nothing else."""
    import polars as pl

    from headway.tables import predictions
    from headway.tables.batches import open_data

    if path.lower().endswith((".csv", ".parquet")):
        return predictions.read(path, called, at="--data")
    with open_data([path]) as data:
        return pl.concat([batch.frame for batch in data.batches()])
