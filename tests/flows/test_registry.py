"""Writing to the registry beside others."""

from collections.abc import Sequence

import msgspec
import pytest

from headway.backends import connect
from headway.core.facts import (
    AliasMoved,
    Fact,
    ModelRegistered,
    ModelSigned,
    ModelTagged,
    Place,
    RunOptions,
    RunStarted,
    StepFinished,
)
from headway.core.ids import Artifact, Digest, RunId, parse_model_ref
from headway.core.registry import Registration
from headway.errors import AppendConflict, NameUnknown
from headway.flows import registry
from headway.ports import Log


@pytest.fixture
def log() -> Log:
    return connect("log", "memory:")  # type: ignore[return-value] # connect answers by name


def asked(content: str, key: str, *, model: str = "churn", alias: str | None = None) -> Registration:
    artifact = Artifact(path="m.pkl", digest=Digest(content * 64))
    return Registration(model=model, artifact=artifact, key=key, alias=alias)


def test_a_version_is_found_again_by_number_and_alias(log: Log) -> None:
    registry.register(log, asked("a", "run/1/register", alias="challenger"), now=3.0)
    for text in ("churn@1", "churn@challenger"):
        found = registry.resolve(log, parse_model_ref(text))
        assert found is not None
        assert found.key == "run/1/register"
    assert registry.resolve(log, parse_model_ref("churn@champion")) is None
    assert registry.read(log, "churn").registered_at(1) == 3.0


def test_registering_twice_appends_once(log: Log) -> None:
    first = registry.register(log, asked("a", "k"), now=1.0)
    again = registry.register(log, asked("a", "k"), now=2.0)
    assert again.version == first.version
    assert len(log.read("model/churn")) == 1


class Overtaken:
    """A log to which somebody else appends just before us, a few times."""

    def __init__(self, log: Log, rivals: Sequence[Sequence[Fact]]) -> None:
        self._log = log
        self._rivals = list(rivals)
        self.conflicts = 0

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        if self._rivals:
            rival = self._rivals.pop(0)
            self._log.append(stream, rival, expect=expect, at=at)
        try:
            return self._log.append(stream, facts, expect=expect, at=at)
        except AppendConflict:
            self.conflicts += 1
            raise

    def __getattr__(self, name: str) -> object:
        return getattr(self._log, name)


def rival(version: int) -> ModelRegistered:
    artifact = Artifact(path="m.pkl", digest=Digest(str(version) * 64))
    return ModelRegistered(model="churn", version=version, artifact=artifact, key=f"rival/{version}")


def test_a_number_that_a_rival_took_is_not_given_again(log: Log) -> None:
    overtaken = Overtaken(log, [[rival(1)], [rival(2)]])
    made = registry.register(overtaken, asked("a", "k"), now=1.0)  # type: ignore[arg-type] # it stands in for a log
    assert made.version.version == 3
    assert overtaken.conflicts == 2
    assert [v.version for v in registry.read(log, "churn").versions] == [1, 2, 3]


def test_an_alias_that_a_rival_moved_is_moved_from_where_it_is(log: Log) -> None:
    for content in "abc":
        registry.register(log, asked(content, content), now=1.0)
    overtaken = Overtaken(log, [[AliasMoved(model="churn", alias="champion", version=2)]])
    moved = registry.move_alias(overtaken, "churn", "champion", 3, now=2.0)  # type: ignore[arg-type] # as above
    assert moved == AliasMoved(model="churn", alias="champion", version=3, previous=2)


def test_moving_an_alias_to_where_it_is_appends_nothing(log: Log) -> None:
    registry.register(log, asked("a", "k", alias="champion"), now=1.0)
    assert registry.move_alias(log, "churn", "champion", 1, now=2.0) is None
    assert len(log.read("model/churn")) == 2


def test_names_are_those_with_a_version_and_an_unknown_one_gets_the_nearest(log: Log) -> None:
    registry.register(log, asked("a", "k"), now=1.0)
    registry.register(log, asked("a", "l", model="flights"), now=1.0)
    assert registry.names(log) == ("churn", "flights")
    with pytest.raises(NameUnknown) as raised:
        registry.known(log, "chrun")
    assert raised.value.remedy == "did you mean churn?"


def test_what_the_registry_or_a_run_made_is_known_here(log: Log) -> None:
    registry.register(log, asked("a", "k"), now=1.0)
    output = Artifact(path="n.pkl", digest=Digest("b" * 64))
    log.append("run/1", [StepFinished(step="s", outcome="passed", outputs={"model": output})], expect=0, at=1.0)
    assert registry.made_here(log, Digest("a" * 64))
    assert registry.made_here(log, Digest("b" * 64))
    assert not registry.made_here(log, Digest("c" * 64))


def test_what_was_imported_is_not_made_here_until_somebody_vouches_for_it(log: Log) -> None:
    imported = msgspec.structs.replace(asked("a", "import/a"), origin=Digest("f" * 64))
    registry.register(log, imported, now=1.0)
    assert not registry.made_here(log, Digest("a" * 64))
    assert registry.trust(log, "churn", 1, now=2.0, by="ann") is not None
    assert registry.trust(log, "churn", 1, now=3.0) is None
    assert registry.made_here(log, Digest("a" * 64))


def test_a_version_says_what_its_run_ran_on(log: Log) -> None:
    place = Place(python="3.11.7", packages=Digest("9" * 64))
    started = RunStarted(
        run=RunId(1), name="p", file="p.yaml", pipeline=Digest("8" * 64), options=RunOptions(), place=place
    )
    log.append("run/1", [started], expect=0, at=1.0)
    made = registry.register(log, msgspec.structs.replace(asked("a", "k"), run=RunId(1)), now=1.0)
    assert made.version.place == place
    assert registry.register(log, asked("b", "l"), now=1.0).version.place == Place()


def signed(made: ModelRegistered) -> ModelSigned:
    return ModelSigned(model=made.model, version=made.version, key="ed25519:k", signature=made.artifact.digest)


def test_a_version_and_its_signature_appear_together_and_once(log: Log) -> None:
    for _ in range(2):
        registry.register(log, asked("a", "k", alias="challenger"), now=1.0, sign=signed)
    kinds = [type(entry.fact).__name__ for entry in log.read("model/churn")]
    assert kinds == ["ModelRegistered", "ModelSigned", "AliasMoved"]
    assert registry.sign(log, "churn", 1, signed, now=2.0) is None


def test_a_number_that_a_rival_took_is_signed_anew(log: Log) -> None:
    overtaken = Overtaken(log, [[rival(1)]])
    registry.register(overtaken, asked("a", "k"), now=1.0, sign=signed)  # type: ignore[arg-type] # as above
    assert [one.version for one in registry.read(log, "churn").signatures_of(2)] == [2]
    assert registry.read(log, "churn").signatures_of(1) == ()


def test_a_tag_is_set_where_a_rival_writes_at_the_same_time(log: Log) -> None:
    registry.register(log, asked("a", "k"), now=1.0)
    overtaken = Overtaken(log, [[ModelTagged(model="churn", version=1, name="stage", value="trial")]])
    assert registry.tag(overtaken, "churn", 1, "stage", "trial", now=2.0) is None  # type: ignore[arg-type] # as above
    assert registry.tag(log, "churn", 1, "stage", None, now=2.0) is not None
    assert registry.read(log, "churn").tags_of(1) == {}
