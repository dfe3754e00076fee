"""A model's versions and aliases, folded from the facts of its stream; what registering or moving an alias would add.

Decides only: `flows/registry` reads and appends. Does not know what is in a model's file, nor where it serves.
"""

from msgspec import Struct

from headway.core.facts import (
    AliasMoved,
    Conversion,
    Entry,
    Latency,
    Metric,
    ModelConverted,
    ModelJudged,
    ModelRegistered,
    ModelSigned,
    ModelTagged,
    ModelTrusted,
    Place,
    Scalar,
    Source,
)
from headway.core.ids import Artifact, Digest, ModelRef, RunId, is_name
from headway.core.signature import Signature
from headway.errors import NameUnknown, UsageMistaken


class Registration(Struct, frozen=True, kw_only=True):
    """What is asked for: everything of a version but its number (see `ModelRegistered`), and an alias to mean it."""

    model: str
    artifact: Artifact
    key: str
    format: str = ""
    run: RunId | None = None
    step: str | None = None
    source: Source = Source()
    data: tuple[Artifact, ...] = ()
    params: dict[str, Scalar] = {}
    metrics: tuple[Metric, ...] = ()
    verdict: Digest | None = None
    by: str = ""
    place: Place = Place()
    origin: Digest | None = None
    signature: Signature = Signature()
    onnx: Conversion | None = None
    latency: tuple[Latency, ...] = ()
    answers: Digest | None = None
    alias: str | None = None


class Registered(Struct, frozen=True, kw_only=True):
    """The version that answers a request; `facts` are what must be appended for it, none when all of it was done.

    `why` says what made a new version needless; it is empty for a new one.
    """

    version: ModelRegistered
    facts: tuple[ModelRegistered | ModelJudged | AliasMoved, ...] = ()
    why: str = ""


class Model:
    """All versions of one model, and where its aliases point. Owned by one reader."""

    __slots__ = (
        "_aliases", "_converted", "_judged", "_moves", "_registered_at", "_signed", "_tags", "_trusted", "_versions",
        "length", "name",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.length = 0
        """Facts taken in: what the next append must expect."""
        self._versions: dict[int, ModelRegistered] = {}
        self._registered_at: dict[int, float] = {}
        self._aliases: dict[str, int] = {}
        self._moves: list[Entry] = []
        self._tags: dict[int, dict[str, str]] = {}
        self._signed: dict[int, list[ModelSigned]] = {}
        self._trusted: set[Digest] = set()
        self._converted: dict[int, list[ModelConverted]] = {}
        self._judged: dict[int, ModelJudged] = {}

    def after(self, entry: Entry) -> None:
        """Take in the next fact of this model's stream. A version's first fact stands: it never changes."""
        self.length = entry.n
        match entry.fact:
            case ModelRegistered() as fact:
                self._versions.setdefault(fact.version, fact)
                self._registered_at.setdefault(fact.version, entry.at)
            case AliasMoved() as fact:
                self._aliases[fact.alias] = fact.version
                self._moves.append(entry)
            case ModelTagged(version=version, name=name, value=None):
                self._tags.get(version, {}).pop(name, None)
            case ModelTagged(version=version, name=name, value=str(value)):
                self._tags.setdefault(version, {})[name] = value
            case ModelSigned() as fact:
                self._signed.setdefault(fact.version, []).append(fact)
            case ModelTrusted(digest=digest):
                self._trusted.add(digest)
            case ModelConverted() as fact:
                self._converted.setdefault(fact.version, []).append(fact)
            case ModelJudged() as fact:
                self._judged[fact.version] = fact
            case _:
                pass

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def versions(self) -> tuple[ModelRegistered, ...]:
        """All versions, oldest first."""
        return tuple(self._versions[n] for n in sorted(self._versions))

    @property
    def newest(self) -> ModelRegistered | None:
        """The version with the highest number."""
        return self._versions[max(self._versions)] if self._versions else None

    @property
    def aliases(self) -> dict[str, int]:
        """Each alias and the version it means now."""
        return dict(self._aliases)

    def aliases_of(self, version: int) -> tuple[str, ...]:
        """The aliases that mean this version now, sorted."""
        return tuple(sorted(a for a, v in self._aliases.items() if v == version))

    def tags_of(self, version: int) -> dict[str, str]:
        """The tags of a version, by name."""
        return dict(sorted(self._tags.get(version, {}).items()))

    def signatures_of(self, version: int) -> tuple[ModelSigned, ...]:
        """Who vouched for a version, oldest first; whether a signature is right is not known here."""
        return tuple(self._signed.get(version, ()))

    def conversion(self, version: int) -> Conversion | None:
        """The newest conversion of a version that was proven; else the newest that was not, None without any."""
        tried = [one.onnx for one in reversed(self._converted.get(version, ()))]
        own = self.version(version).onnx
        tried += [] if own is None else [own]
        return next((one for one in tried if one.digest is not None), tried[0] if tried else None)

    def latency(self, version: int) -> tuple[Latency, ...]:
        """How long the version and its conversion took for a row: those measured last."""
        measured = [one.latency for one in self._converted.get(version, ()) if one.latency]
        return measured[-1] if measured else self.version(version).latency

    def judged(self, version: int) -> ModelRegistered | ModelJudged:
        """The fact with the newest verdict on a version, and with what it answered. Raises NameUnknown."""
        made = self.version(version)
        return self._judged.get(version, made)

    def is_trusted(self, version: int) -> bool:
        """Whether a version was made here, or somebody here vouched for what it holds."""
        made = self.version(version)
        return made.origin is None or made.artifact.digest in self._trusted

    def moves(self, alias: str | None = None) -> tuple[Entry, ...]:
        """How aliases (or this one) moved, oldest first: entries of `AliasMoved`."""
        return tuple(e for e in self._moves if alias is None or getattr(e.fact, "alias", None) == alias)

    def registered_at(self, version: int) -> float:
        """When a version was made, in UTC seconds. Raises NameUnknown."""
        return self._registered_at[self.version(version).version]

    def resolve(self, ref: ModelRef) -> ModelRegistered | None:
        """The version that a number or an alias means now; None when there is none."""
        number = ref.version if ref.version is not None else self._aliases.get(ref.alias or "")
        return None if number is None else self._versions.get(number)

    def version(self, number: int) -> ModelRegistered:
        """A version by its number. Raises NameUnknown."""
        found = self._versions.get(number)
        if found is None:
            have = ", ".join(str(n) for n in sorted(self._versions)[-5:]) or "none"
            raise NameUnknown(
                f"{self.name} has no version {number}",
                at=f"model: {self.name}@{number}",
                remedy=f"use one of its versions (newest: {have}); `headway models` lists them",
            )
        return found

    # --- deciding -----------------------------------------------------------------------------------------------

    def register(self, asked: Registration) -> Registered:
        """The version that a registration gives: a new number, or the version that is already this one.

        The same key again is the same request. The same content as the newest version's is that version: a run that
        made the same model again (or took it from the cache) makes no new one.
        """
        version, why = self._already(asked)
        facts: list[ModelRegistered | ModelJudged | AliasMoved] = []
        if version is None:
            version = self._made(asked)
            facts.append(version)
        elif asked.verdict not in (None, self.judged(version.version).verdict) and asked.origin is None:
            # Of the same content, which a gate of this project has judged since: not what others say of it.
            facts.append(self._judgement(asked, version.version))
        if asked.alias is not None and self._aliases.get(asked.alias) != version.version:
            facts.append(self._moved(asked.alias, version.version, why="registered", by=asked.by))
        return Registered(version=version, facts=tuple(facts), why=why)

    def _already(self, asked: Registration) -> tuple[ModelRegistered | None, str]:
        for version in self._versions.values():
            if version.key == asked.key:
                return (
                    version,
                    "this step of this run registered it before" if asked.run else "it was registered before",
                )
        newest = self.newest
        if newest is not None and newest.artifact.digest == asked.artifact.digest:
            return newest, "the newest version has this very content"
        return None, ""

    def _made(self, asked: Registration) -> ModelRegistered:
        return ModelRegistered(
            model=self.name,
            version=max(self._versions, default=0) + 1,
            artifact=asked.artifact,
            key=asked.key,
            format=asked.format,
            run=asked.run,
            step=asked.step,
            source=asked.source,
            data=asked.data,
            params=asked.params,
            metrics=asked.metrics,
            verdict=asked.verdict,
            by=asked.by,
            place=asked.place,
            origin=asked.origin,
            signature=asked.signature,
            onnx=asked.onnx,
            latency=asked.latency,
            answers=asked.answers,
        )

    def _judgement(self, asked: Registration, version: int) -> ModelJudged:
        assert asked.verdict is not None, "asked by `register`"
        return ModelJudged(
            model=self.name,
            version=version,
            verdict=asked.verdict,
            answers=asked.answers,
            run=asked.run,
            by=asked.by,
        )

    def move_alias(self, alias: str, version: int, *, why: str = "", by: str = "") -> AliasMoved | None:
        """The fact that lets `alias` mean `version`; None when it does already. Raises NameUnknown, UsageMistaken."""
        self.version(version)
        if not is_name(alias) or alias.isdigit():
            raise UsageMistaken(
                f"{alias!r} cannot be an alias",
                at=f"model: {self.name}@{version}",
                remedy="use letters, digits and -_. (not digits alone: those are versions)",
            )
        if self._aliases.get(alias) == version:
            return None
        return self._moved(alias, version, why=why, by=by)

    def tag(self, version: int, name: str, value: str | None, *, by: str = "") -> ModelTagged | None:
        """The fact that sets a tag, or with a None takes it off; None when it is so.

        Raises NameUnknown, UsageMistaken.
        """
        self.version(version)
        if not is_name(name):
            raise UsageMistaken(
                f"{name!r} cannot be a tag's name",
                at=f"model: {self.name}@{version}",
                remedy="write NAME=VALUE, the name of letters, digits and -_.",
            )
        if self._tags.get(version, {}).get(name) == value:
            return None
        return ModelTagged(model=self.name, version=version, name=name, value=value, by=by)

    def trust(self, version: int, *, by: str = "") -> ModelTrusted | None:
        """The fact by which what a version holds may be loaded here; None when it may be. Raises NameUnknown."""
        if self.is_trusted(version):
            return None
        return ModelTrusted(model=self.name, version=version, digest=self.version(version).artifact.digest, by=by)

    def _moved(self, alias: str, version: int, *, why: str, by: str) -> AliasMoved:
        previous = self._aliases.get(alias)
        return AliasMoved(model=self.name, alias=alias, version=version, previous=previous, why=why, by=by)


# --- views ------------------------------------------------------------------------------------------------------


class ModelSummary(Struct, frozen=True, kw_only=True):
    """A model in a list: its newest version and when that was registered (UTC seconds)."""

    name: str
    newest: int
    n_versions: int
    aliases: dict[str, int]
    at: float


class VersionCard(Struct, frozen=True, kw_only=True):
    """A version, the aliases that mean it now, its tags, and when it was registered (UTC seconds)."""

    version: ModelRegistered
    aliases: tuple[str, ...]
    at: float
    tags: dict[str, str] = {}
    signatures: tuple[ModelSigned, ...] = ()
    onnx: Conversion | None = None
    latency: tuple[Latency, ...] = ()


def summary(model: Model) -> ModelSummary:
    """A model in a line. Raises NameUnknown when it has no version."""
    newest = model.versions[-1].version if model.versions else 1
    return ModelSummary(
        name=model.name,
        newest=newest,
        n_versions=len(model.versions),
        aliases=model.aliases,
        at=model.registered_at(newest),
    )


def cards(model: Model) -> tuple[VersionCard, ...]:
    """All versions, oldest first."""
    return tuple(card(model, v.version) for v in model.versions)


def card(model: Model, version: int) -> VersionCard:
    """One version. Raises NameUnknown."""
    return VersionCard(
        version=model.version(version),
        aliases=model.aliases_of(version),
        at=model.registered_at(version),
        tags=model.tags_of(version),
        signatures=model.signatures_of(version),
        onnx=model.conversion(version),
        latency=model.latency(version),
    )
