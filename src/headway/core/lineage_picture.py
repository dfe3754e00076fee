"""A lineage as boxes in columns with ways between them: what something was made of, and what was made of it.

Decides what stands where; `codec/lineage_svg` draws it. Neighbour: `core/lineage` has the values.
"""

from collections.abc import Sequence

from msgspec import Struct

from headway.core.facts import DatasetVersioned
from headway.core.lineage import DataLineage, ReleaseOf, VersionLineage

MOST = 12
"""Boxes of a column; the others are told as one."""


class Box(Struct, frozen=True, kw_only=True):
    """One thing. `column` counts from 0; `address` leads to its page, empty where it has none."""

    column: int
    title: str
    words: str = ""
    address: str = ""
    look: str = "idle"


class Picture(Struct, frozen=True, kw_only=True):
    """The boxes, column by column from above, and the ways between two of them, by their number."""

    columns: tuple[str, ...]
    boxes: tuple[Box, ...]
    ways: tuple[tuple[int, int], ...]

    @property
    def told(self) -> str:
        """The same in words."""
        return "; ".join(f"{box.title} {box.words}".strip() for box in self.boxes)


_GATE = {"pass": "well", "fail": "trouble", "unsure": "waiting"}


def of_version(of: VersionLineage, gate: str = "") -> Picture:
    """From the data over the run and the gate to releases; `gate` is the address of the gate's page."""
    made = of.card.version
    data = [
        Box(
            column=0,
            title=next(iter(use.versions), use.artifact.path),
            words=use.artifact.digest[:8] if use.made_by is None else f"of run {use.made_by.run}",
            address=_data(use.versions) or ("" if use.made_by is None else f"/runs/{use.made_by.run}"),
        )
        for use in of.data
    ]
    run = Box(
        column=1,
        title="by hand" if made.run is None else f"run {made.run}",
        words="" if of.run is None else of.run.outcome,
        address="" if made.run is None else f"/runs/{made.run}",
    )
    version = Box(column=2, title=of.name, words=", ".join(of.card.aliases), look="running")
    outcome = "no gate judged it" if of.verdict is None else of.verdict.outcome or "not in the store"
    judged = Box(column=3, title="gate", words=outcome, address=gate, look=_GATE.get(outcome, "idle"))
    boxes = [*_few(data), run, version, judged, *_few([_release(4, one) for one in reversed(of.releases)])]
    n_data = sum(box.column == 0 for box in boxes)
    ways = [(i, n_data) for i in range(n_data)] + [(n_data, n_data + 1), (n_data + 1, n_data + 2)]
    ways += [(n_data + 2, i) for i in range(n_data + 3, len(boxes))]
    return Picture(columns=("Data", "Run", "Version", "Gate", "Releases"), boxes=tuple(boxes), ways=tuple(ways))


def of_data(version: DatasetVersioned, reach: DataLineage) -> Picture:
    """From a version of a dataset over the newest model versions to where they were released."""
    boxes = [Box(column=0, title=f"{version.dataset}@{version.version}", words=version.artifact.path, look="running")]
    ways: list[tuple[int, int]] = []
    n_models = MOST if len(reach.touched) <= MOST else MOST - 1
    boxes += _few([_model(one.version, one.aliases) for one in reach.touched])
    ways += [(0, i) for i in range(1, len(boxes))]
    for i, one in enumerate(reach.touched[:n_models], 1):
        for release in reversed(one.releases[-2:]):
            if sum(box.column == 2 for box in boxes) < MOST:
                ways.append((i, len(boxes)))
                boxes.append(_release(2, release))
    return Picture(columns=("Data", "Model versions", "Releases"), boxes=tuple(boxes), ways=tuple(ways))


def _model(name: str, aliases: Sequence[str]) -> Box:
    return Box(column=1, title=name, words=", ".join(aliases), address=f"/models/{name.replace('@', '/')}")


def _release(column: int, of: ReleaseOf) -> Box:
    return Box(
        column=column,
        title=f"{of.endpoint} {of.release}",
        words="serves" if of.is_serving else of.outcome.replace("-", " "),
        address=f"/releases/{of.endpoint}/{of.release}",
        look="well" if of.is_serving else "idle",
    )


def _data(versions: Sequence[str]) -> str:
    return f"/data/{versions[0].replace('@', '/')}" if versions else ""


def _few(boxes: list[Box]) -> list[Box]:
    if len(boxes) <= MOST:
        return boxes
    return [*boxes[: MOST - 1], Box(column=boxes[0].column, title=f"and {len(boxes) - MOST + 1:,} more")]
