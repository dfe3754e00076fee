"""How the rows of a table differ between two sides: its content laid out where `tables/difference` can read it."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from headway.core.ids import Artifact
from headway.errors import UsageMistaken
from headway.flows import home
from headway.flows.contents import Difference, Side
from headway.flows.dataset import Project
from headway.flows.store import materialize
from headway.tables.scratch import scratch

if TYPE_CHECKING:
    from headway.tables.changes import TableDiff

ENDINGS = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
"""Of names of tables, also behind which a compression's ending stands."""


def by_key(
    project: Project, found: Sequence[Difference], key: Sequence[str], *, before: Side, after: Side
) -> "dict[str, TableDiff]":
    """Of each table among what differs: its rows and columns. Raises UsageMistaken without one, and as tables do."""
    tables = [one for one in found if _is_table(one.before) and _is_table(one.after)]
    if found and not tables:
        raise UsageMistaken(
            "nothing that differs is one table on both sides",
            at="--key",
            remedy=f"name a dataset that is a file ending in {', '.join(ENDINGS)}",
        )
    home.make(project.home)
    cache = os.path.join(project.home, "cache")
    os.makedirs(cache, exist_ok=True)
    with scratch(cache, "rows-") as folder:
        return {one.path: _compare(project, one, key, folder, (before, after)) for one in tables}


def _compare(
    project: Project, one: Difference, key: Sequence[str], folder: str, sides: tuple[Side, Side]
) -> "TableDiff":
    # DuckDB takes a while to import.
    from headway.tables.difference import difference

    places = []
    for name, artifact, side in zip(("before", "after"), (one.before, one.after), sides, strict=True):
        path = artifact.path if artifact is not None else one.path
        if side.is_work or artifact is None:
            places.append(os.path.join(project.folder, path))
            continue
        places.append(os.path.join(folder, name, os.path.basename(path)))
        materialize(project.blobs, artifact, places[-1])
    return difference([places[0]], [places[1]], key=key)


def _is_table(artifact: Artifact | None) -> bool:
    if artifact is None or artifact.kind != "file":
        return False
    name = artifact.path.lower()
    return name.endswith(ENDINGS) or os.path.splitext(name)[0].endswith(ENDINGS)
