"""Data: all datasets, and one with its versions and what each of them became part of."""

from msgspec import Struct
from msgspec.structs import replace

from headway.codec import lineage_svg
from headway.core import lineage_picture
from headway.core.dataset import VersionCard
from headway.core.lineage import DataLineage
from headway.errors import NameUnknown
from headway.flows import dataset, lineage
from headway.web import sorting
from headway.web.pages import Asked, Page

MOST = 200
"""Versions of a page, the newest first."""


class DataRow(Struct, frozen=True, kw_only=True):
    """A dataset in a list: its newest version."""

    name: str
    n_versions: int
    newest: VersionCard


class DataPage(Struct, frozen=True, kw_only=True):
    """All datasets, by name. `sort` is a name of `SORTS`, with a minus before it for the other way round."""

    rows: tuple[DataRow, ...]
    sort: str = ""


class DatasetPage(Struct, frozen=True, kw_only=True):
    """A dataset: its versions, the newest first."""

    name: str
    versions: tuple[VersionCard, ...]
    n_versions: int


class DataVersionPage(Struct, frozen=True, kw_only=True):
    """A version, and the newest model versions that it is part of, and how many are.

    `graph` is an SVG of it; `is_here`: the store has its content. Of `reach.digests`, what steps made of it, some are
    told: of a version that everything is made of they are many.
    """

    name: str
    card: VersionCard
    reach: DataLineage
    n_touched: int = 0
    graph: str = ""
    is_here: bool = False


SORTS: dict[str, sorting.By] = {
    "dataset": lambda row: (row.name,),
    "newest": lambda row: (row.newest.version.version,),
    "versions": lambda row: (row.n_versions,),
    "path": lambda row: (row.newest.version.artifact.path,),
    "size": lambda row: (row.newest.version.artifact.size_bytes,),
    "taken": lambda row: (row.newest.at,),
}
"""By what datasets are sorted."""


def _all(asked: Asked) -> DataPage:
    found = dataset.read_all(asked.parts.log)
    rows = [DataRow(name=name, n_versions=len(one.cards), newest=one.cards[-1]) for name, one in sorted(found.items())]
    sort = asked.query.get("sort", "").strip()
    return DataPage(rows=sorting.ordered(rows, SORTS, sort), sort=sort)


def _one(asked: Asked) -> DatasetPage:
    found = dataset.known(asked.parts.log, asked.path["name"])
    return DatasetPage(name=found.name, versions=found.cards[::-1][:MOST], n_versions=len(found.cards))


def _version(asked: Asked) -> DataVersionPage:
    found = dataset.known(asked.parts.log, asked.path["name"])
    number = asked.path["version"]
    card = next((one for one in found.cards if str(one.version.version) == number), None)
    if card is None:
        raise NameUnknown(
            f"{found.name} has no version {number!r}", at="version", remedy=f"the page of {found.name} lists them"
        )
    if card.is_forgotten:
        reach = DataLineage(of=f"{found.name}@{number}", digests=())
    else:
        reach = lineage.of_data(asked.parts.log, asked.parts.blobs, f"{found.name}@{number}", steps=asked.site.steps)
    n_touched = len(reach.touched)
    reach = replace(reach, digests=reach.digests[:MOST], touched=reach.touched[::-1][:MOST])
    return DataVersionPage(
        name=found.name,
        card=card,
        reach=reach,
        n_touched=n_touched,
        graph=_graph(card, reach),
        is_here=bool(asked.parts.blobs.has([card.version.artifact.digest])),
    )


def _graph(card: VersionCard, reach: DataLineage) -> str:
    return lineage_svg.drawn(lineage_picture.of_data(card.version, reach)) if reach.touched else ""


PAGES = (
    Page(
        path="/data",
        asks=sorting.asks(SORTS),
        template="data.html",
        section="/data",
        gives=DataPage,
        view=_all,
        title=lambda _: "Data",
        command=lambda _: "headway data list",
        way="Data",
    ),
    Page(
        path="/data/{name}",
        template="dataset.html",
        section="/data",
        gives=DatasetPage,
        view=_one,
        title=lambda found: f"Data {found.name}",
        command=lambda found: f"headway data log {found.name}",
    ),
    Page(
        path="/data/{name}/{version}",
        template="data_version.html",
        section="/data",
        gives=DataVersionPage,
        view=_version,
        title=lambda found: f"{found.name}@{found.card.version.version}",
        command=lambda found: f"headway lineage {found.name}@{found.card.version.version}",
        refresh_s=0,
    ),
)
