"""Models: all of them, one with its versions, one version with all that led to it and came of it, two side by side."""

from contextlib import suppress
from typing import Any

from msgspec import Struct

from headway.codec import lineage_svg
from headway.core import lineage_picture
from headway.core.card import markdown
from headway.core.facts import AliasMoved
from headway.core.gate_picture import WORDS, Shown, plots
from headway.core.history import view
from headway.core.lineage import VersionLineage
from headway.core.loop import State
from headway.core.model_compare import Comparison
from headway.core.registry import ModelSummary, VersionCard, cards, summary
from headway.core.signature import taken
from headway.errors import BlobDamaged, BlobMissing, UsageMistaken
from headway.flows import gate_show, lineage, models_compare, registry
from headway.web import sorting
from headway.web.pages import Asked, Page


class ModelsPage(Struct, frozen=True, kw_only=True):
    """All models, by name. `sort` is a name of `SORTS`, with a minus before it for the other way round."""

    models: tuple[ModelSummary, ...]
    sort: str = ""


class Moved(Struct, frozen=True, kw_only=True):
    """How an alias moved, and when."""

    move: AliasMoved
    at: float


class ModelPage(Struct, frozen=True, kw_only=True):
    """A model: its newest versions first, and how its aliases moved, the last move first."""

    name: str
    aliases: dict[str, int]
    versions: tuple[VersionCard, ...]
    moves: tuple[Moved, ...]
    n_versions: int


class Harmed(Struct, frozen=True, kw_only=True):
    """All rows, or a slice of them, as a check of the gate judged it."""

    check: str
    of: str
    outcome: str
    state: State
    told: str
    rows: str


class GateOf(Struct, frozen=True, kw_only=True):
    """The gate that judged a version: each check, and slices with what harms them most first.

    `asked` says how often the holdout may be asked still; `address` is the page of the gate, if a run of here made it.
    """

    address: str
    lines: tuple[Harmed, ...]
    asked: str


class VersionPage(Struct, frozen=True, kw_only=True):
    """A version; `card` is its model card in Markdown, `graph` an SVG of its lineage.

    `takes` says what goes in, empty where nobody knows; `n_packages` were installed where it was made, None where that
    is not recorded, or not in the store any more. `others` are versions that it can be set beside, the champion and the
    one before first.
    """

    of: VersionLineage
    card: str
    graph: str
    takes: str = ""
    n_packages: int | None = None
    others: tuple[int, ...] = ()
    gate: GateOf | None = None


class BesidePage(Struct, frozen=True, kw_only=True):
    """Two versions of a model side by side; `same` counts what is the same in both."""

    name: str
    a: int
    b: int
    found: Comparison
    same: int


MOST = 200
"""Versions and moves of a page."""

SLICES = 5
"""Slices of a check that are told on the page of a version, the worst first; the gate's page has them all."""


SORTS: dict[str, sorting.By] = {
    "model": lambda one: (one.name,),
    "newest": lambda one: (one.newest,),
    "versions": lambda one: (one.n_versions,),
    "registered": lambda one: (one.at,),
}
"""By what models are sorted."""


def _models(asked: Asked) -> ModelsPage:
    log, sort = asked.parts.log, asked.query.get("sort", "").strip()
    found = [summary(registry.read(log, name)) for name in registry.names(log)]
    return ModelsPage(models=sorting.ordered(found, SORTS, sort), sort=sort)


def _model(asked: Asked) -> ModelPage:
    model = registry.known(asked.parts.log, asked.path["name"])
    found = cards(model)
    moves = [Moved(move=entry.fact, at=entry.at) for entry in model.moves() if isinstance(entry.fact, AliasMoved)]
    return ModelPage(
        name=model.name,
        aliases=model.aliases,
        versions=found[::-1][:MOST],
        moves=tuple(moves[::-1][:MOST]),
        n_versions=len(found),
    )


def _version(asked: Asked) -> VersionPage:
    name = f"{asked.path['name']}@{asked.path['version']}"
    found = lineage.of_version(asked.parts.log, asked.parts.blobs, name, steps=asked.site.steps)
    gate = _gate(asked, found)
    made = found.card.version
    model = registry.read(asked.parts.log, made.model)
    nearest = [model.aliases.get("champion", 0), made.version - 1, made.version + 1]
    return VersionPage(
        of=found,
        card=markdown(found),
        graph=lineage_svg.drawn(lineage_picture.of_version(found, "" if gate is None else gate.address)),
        takes=taken(made.signature),
        n_packages=len(found.packages) or None,
        others=tuple(
            dict.fromkeys(one for one in nearest if one != made.version and 0 < one <= (model.newest or made).version)
        ),
        gate=gate,
    )


_STATES: dict[Shown, State] = {"pass": "well", "fail": "trouble", "unsure": "waiting", "error": "trouble"}


def _gate(asked: Asked, of: VersionLineage) -> GateOf | None:
    if of.verdict is None:
        return None
    with suppress(BlobMissing, BlobDamaged):
        kept = gate_show.read(of.verdict.digest, asked.parts.blobs)
        if kept is not None:
            lines = [
                Harmed(
                    check=plot.check,
                    of=line.name,
                    outcome=WORDS[line.outcome],
                    state=_STATES.get(line.outcome, "idle"),
                    told=line.told,
                    rows=line.rows,
                )
                for plot in plots(kept.verdict)
                for line in plot.lines[: 1 + SLICES]
            ]
            told = gate_show.asked_of(kept, asked.parts.log)
            return GateOf(address=_address(asked, of), lines=tuple(lines), asked=told)
    return None


def _address(asked: Asked, of: VersionLineage) -> str:
    """The page of the gate, where a step of the version's own run was that gate."""
    made = of.card.version
    run = None if made.run is None or of.verdict is None else view(asked.parts.log.read(f"run/{made.run}"))
    for step in () if run is None else run.steps.values():
        if of.verdict is not None and step.values.get("verdict") == of.verdict.digest:
            return f"/runs/{made.run}/gates/{step.step}"
    return ""


def _beside(asked: Asked) -> BesidePage:
    name = asked.path["name"]
    one, other = (
        lineage.of_version(asked.parts.log, asked.parts.blobs, f"{name}@{_number(asked, side)}", steps=asked.site.steps)
        for side in ("a", "b")
    )
    found = models_compare.beside(one, other, asked.parts.blobs, asked.site.settings.folder)
    n_same = len(found.rows) - len(found.differing)
    return BesidePage(name=name, a=one.version.version, b=other.version.version, found=found, same=n_same)


def _number(asked: Asked, side: str) -> str:
    text = asked.query.get(side, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 12):
        remedy = "give two versions: ?a=1&b=2"
        raise UsageMistaken(f"{text!r} is no version of {asked.path['name']}", at=side, remedy=remedy)
    return text


# Any (here and below): the view's own value.
def _name(view: Any) -> str:  # noqa: ANN401 (as above)
    return str(view.of.name)


PAGES = (
    Page(
        path="/models",
        asks=sorting.asks(SORTS),
        template="models.html",
        section="/models",
        gives=ModelsPage,
        view=_models,
        title=lambda _: "Models",
        command=lambda _: "headway models",
        way="Models",
    ),
    Page(
        path="/models/{name}",
        template="model.html",
        section="/models",
        gives=ModelPage,
        view=_model,
        title=lambda view: f"Model {view.name}",
        command=lambda view: f"headway models show {view.name}",
    ),
    Page(
        path="/models/{name}/compare",
        asks={
            "a": "a version",
            "b": "another one",
        },
        template="versions.html",
        section="/models",
        gives=BesidePage,
        view=_beside,
        title=lambda view: f"{view.name}@{view.a} and @{view.b}",
        command=lambda view: f"headway models compare {view.name}@{view.a} {view.name}@{view.b}",
        refresh_s=0,
    ),
    Page(
        path="/models/{name}/{version}",
        template="version.html",
        section="/models",
        gives=VersionPage,
        view=_version,
        title=_name,
        command=lambda view: f"headway models show {_name(view)}",
        refresh_s=0,
    ),
)
