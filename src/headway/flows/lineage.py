"""Follow a model version back to its origin and on to its endpoints, and data on to the versions it became part of.

Reads; records nothing. `core/lineage` has the values. The log is read once for each kind of fact.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import cast

from headway.core.dataset import Dataset, digest_prefix, parse_dataset_ref
from headway.core.facts import (
    Entry,
    GoldenAnswered,
    ModelRegistered,
    ReleaseFinished,
    ReleaseStarted,
    RunFinished,
    RunStarted,
    StepFinished,
)
from headway.core.ids import Artifact, Digest
from headway.core.lineage import (
    DataLineage,
    DataUse,
    Maker,
    ReleaseOf,
    RunOf,
    Touched,
    VerdictOf,
    VersionLineage,
)
from headway.core.registry import Model, card
from headway.core.rollout import Rollout
from headway.errors import BlobDamaged, BlobMissing, NameUnknown
from headway.flows import dataset, gate_show, registry
from headway.flows.made import Made, Scanned
from headway.flows.store import tree_in
from headway.ports import Blobs, Log

_SCANNED = Scanned()

_FORMS = "name a version of a dataset (training@7), 8 digits of a digest, or a path that a run read"


def of_version(log: Log, blobs: Blobs, text: str, *, steps: Made = _SCANNED) -> VersionLineage:
    """The lineage of `churn@3` or `churn@champion`. Raises UsageMistaken, NameUnknown."""
    model, made = registry.named(log, text)
    return lineage_of(log, blobs, model, made, steps=steps)


def lineage_of(
    log: Log, blobs: Blobs, model: Model, made: ModelRegistered, *, steps: Made = _SCANNED
) -> VersionLineage:
    """The lineage of a version that was found already; `steps` know who made what."""
    makers = steps.makers(log, {made.artifact.digest, *(one.digest for one in made.data)})
    datasets = dataset.read_all(log).values()
    return VersionLineage(
        card=card(model, made.version),
        data=tuple(_use(one, datasets, makers) for one in made.data),
        run=_run(log, made, makers),
        verdict=_verdict(blobs, model.judged(made.version).verdict),
        packages=packages(blobs, made),
        releases=tuple(_releases(log).get(f"{made.model}@{made.version}", ())),
        size_bytes=made.artifact.size_bytes,
    )


def packages(blobs: Blobs, made: ModelRegistered) -> tuple[str, ...]:
    """`name==version` of what was installed where a version was made; none when that is not kept (any more)."""
    if made.place.packages is None:
        return ()
    with suppress(BlobMissing, BlobDamaged):
        return tuple(blobs.get(made.place.packages).decode("utf-8", "replace").split())
    return ()


def of_data(log: Log, blobs: Blobs, text: str, *, steps: Made = _SCANNED) -> DataLineage:
    """The versions and endpoints that data became part of: `training@7`, `training`, digits of a digest, or a path.

    Of a dataset that is a folder, each file of it counts. Raises NameUnknown.
    """
    versions = [cast("ModelRegistered", entry.fact) for entry in log.scan(("ModelRegistered",))]
    found = _meant(log, blobs, text, versions)
    reached = steps.made_of(log, found)
    releases = _releases(log)
    touched: list[Touched] = []
    models: dict[str, Model] = {}
    for made in versions:
        inputs = (*made.data, made.artifact) if made.origin is None else made.data
        through = tuple(one for one in inputs if one.digest in reached)
        if not through:
            continue
        if made.model not in models:
            models[made.model] = registry.read(log, made.model)
        model = models[made.model]
        name = f"{made.model}@{made.version}"
        touched.append(
            Touched(
                version=name,
                at=model.registered_at(made.version),
                through=through,
                aliases=model.aliases_of(made.version),
                releases=tuple(releases.get(name, ())),
            )
        )
    return DataLineage(of=text, digests=tuple(sorted(found)), touched=tuple(touched))


# --- data -------------------------------------------------------------------------------------------------------


def _read_by(log: Log, versions: Iterable[ModelRegistered]) -> Iterable[tuple[str, Digest]]:
    """Paths and digests of all that any version was made of and any step read."""
    for made in versions:
        yield from ((one.path, one.digest) for one in made.data)
    for entry in log.scan(("StepFinished",)):
        done = cast("StepFinished", entry.fact)
        yield from ((part.name, Digest(part.value)) for part in done.parts if part.kind == "in")


def _meant(log: Log, blobs: Blobs, text: str, versions: Sequence[ModelRegistered]) -> set[Digest]:
    ref = parse_dataset_ref(text)
    if ref is not None and ref.kind in ("newest", "version"):
        named = dataset.read(log, ref.name)
        if named.newest is not None:
            wanted = named.newest if ref.version is None else named.version(ref.version)
            return _with_files(blobs, wanted.artifact)
    read = list(_read_by(log, versions))
    if prefix := digest_prefix(text):
        known = {digest for _, digest in read}
        known |= {v.artifact.digest for one in dataset.read_all(log).values() for v in one.versions}
        if found := {digest for digest in known if digest.startswith(prefix)}:
            return found
    if found := {digest for path, digest in read if path == text.rstrip("/")}:
        return found
    raise NameUnknown(f"{text!r} names no data that this log knows", at="lineage", remedy=_FORMS)


def _with_files(blobs: Blobs, artifact: Artifact) -> set[Digest]:
    found = {artifact.digest}
    if artifact.kind == "tree":
        with suppress(BlobMissing, BlobDamaged):
            # An empty file is in every second folder, and says nothing.
            found |= {file.digest for file in tree_in(blobs, artifact.digest).files if file.size_bytes}
    return found


def _use(artifact: Artifact, datasets: Iterable[Dataset], makers: Mapping[Digest, Maker]) -> DataUse:
    versions = tuple(
        f"{one.name}@{version.version}"
        for one in datasets
        for version in one.versions
        if version.artifact.digest == artifact.digest
    )
    return DataUse(artifact=artifact, versions=versions, made_by=makers.get(artifact.digest))


# --- runs, verdicts, releases -----------------------------------------------------------------------------------


def _run(log: Log, made: ModelRegistered, makers: Mapping[Digest, Maker]) -> RunOf | None:
    if made.run is None:
        return None
    entries = log.read(f"run/{made.run}")
    if not entries or not isinstance(entries[0].fact, RunStarted):
        return None
    started = entries[0].fact
    ends = [entry.fact.outcome for entry in entries if isinstance(entry.fact, RunFinished)]
    return RunOf(
        run=made.run,
        name=started.name,
        file=started.file,
        at=entries[0].at,
        trigger=started.trigger,
        # It is still under way when its own later steps ask.
        outcome=ends[-1] if ends else "running",
        seed=started.seed,
        made_by=makers.get(made.artifact.digest),
    )


def _verdict(blobs: Blobs, digest: Digest | None) -> VerdictOf | None:
    if digest is None:
        return None
    with suppress(BlobMissing, BlobDamaged):
        kept = gate_show.read(digest, blobs)
        if kept is not None:
            return VerdictOf(digest=digest, outcome=kept.verdict.outcome, why=kept.verdict.why)
    return VerdictOf(digest=digest)


def _releases(log: Log) -> dict[str, list[ReleaseOf]]:
    """All releases by the version that they released, oldest first."""
    found: dict[str, list[ReleaseOf]] = {}
    streams = {entry.stream for entry in log.scan(("ReleaseStarted",))}
    for stream in sorted(streams):
        entries = log.read(stream)
        rollout = Rollout(stream.partition("/")[2])
        for entry in entries:
            rollout.after(entry.fact, entry.at)
        serving = rollout.serving
        for entry in entries:
            if isinstance(entry.fact, ReleaseStarted):
                one = _release(entry.fact, entry.at, entries, is_serving=serving == entry.fact)
                found.setdefault(f"{entry.fact.model}@{entry.fact.version}", []).append(one)
    return found


def _release(started: ReleaseStarted, at: float, entries: Sequence[Entry], *, is_serving: bool) -> ReleaseOf:
    outcome, slowest = "under way", None
    n_compared = n_unlike = 0
    for entry in entries:
        match entry.fact:
            case ReleaseFinished(release=started.release) as done:
                outcome = done.outcome
            case GoldenAnswered(release=started.release) as golden:
                slowest = golden.slowest_ms if golden.n_requests else slowest
                n_compared, n_unlike = golden.n_compared, golden.n_unlike
            case _:
                pass
    return ReleaseOf(
        endpoint=started.endpoint,
        release=started.release,
        at=at,
        outcome=outcome,
        is_serving=is_serving,
        slowest_ms=slowest,
        override=started.override,
        by=started.by,
        n_compared=n_compared,
        n_unlike=n_unlike,
    )
