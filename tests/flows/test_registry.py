"""Writing to the registry beside others."""

from collections.abc import Sequence

import pytest

from headway.backends import connect
from headway.core.facts import AliasMoved, Fact, ModelRegistered, StepFinished
from headway.core.ids import Artifact, Digest, parse_model_ref
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
