"""What registering and moving an alias would add, and what the fold tells."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.facts import AliasMoved, Entry, Fact, ModelJudged, ModelRegistered, ModelSigned, ModelTagged
from headway.core.ids import Artifact, Digest, ModelRef, parse_model_ref
from headway.core.registry import Model, Registered, Registration, cards, summary
from headway.errors import NameUnknown, UsageMistaken


def asked(content: str, key: str, alias: str | None = None) -> Registration:
    artifact = Artifact(path="models/m.pkl", digest=Digest(content * 64))
    return Registration(model="churn", artifact=artifact, key=key, alias=alias, format="sklearn")


class Told:
    """A model and its stream: what is decided is taken in at once."""

    def __init__(self) -> None:
        self.model = Model("churn")
        self.facts: list[Fact] = []

    def register(self, content: str, key: str, alias: str | None = None) -> Registered:
        decided = self.model.register(asked(content, key, alias))
        for fact in decided.facts:
            self.take(fact)
        return decided

    def take(self, fact: Fact) -> None:
        self.facts.append(fact)
        n = len(self.facts)
        self.model.after(Entry(seq=n, stream="model/churn", n=n, at=float(n), fact=fact))


def test_the_first_version_is_1_and_the_next_2() -> None:
    told = Told()
    assert told.register("a", "run/1/register").version.version == 1
    assert told.register("b", "run/2/register").version.version == 2
    assert [v.version for v in told.model.versions] == [1, 2]


def test_the_same_key_again_gives_the_same_version_and_no_fact() -> None:
    told = Told()
    told.register("a", "run/1/register")
    told.register("b", "run/2/register")
    again = told.register("a", "run/1/register")
    assert (again.version.version, again.facts) == (1, ())
    assert "before" in again.why


def test_the_content_of_the_newest_version_makes_no_new_one() -> None:
    told = Told()
    told.register("a", "run/1/register")
    again = told.register("a", "run/2/register")
    assert (again.version.version, again.facts) == (1, ())
    assert "content" in again.why


def test_the_content_of_an_older_version_makes_a_new_one() -> None:
    told = Told()
    for key, content in enumerate("aba"):
        told.register(content, f"run/{key}/register")
    assert [v.artifact.digest[0] for v in told.model.versions] == ["a", "b", "a"]


def test_version_and_alias_come_together() -> None:
    decided = Told().register("a", "run/1/register", alias="challenger")
    version, move = decided.facts
    assert isinstance(version, ModelRegistered)
    assert isinstance(move, AliasMoved)
    assert (move.version, move.previous) == (version.version, None)


def test_an_alias_that_was_not_moved_yet_is_moved_when_the_version_exists() -> None:
    told = Told()
    told.register("a", "run/1/register")
    decided = told.register("a", "run/1/register", alias="challenger")
    assert [type(f) for f in decided.facts] == [AliasMoved]


def test_a_second_fact_of_the_same_version_changes_nothing() -> None:
    told = Told()
    first = told.register("a", "run/1/register").version
    told.take(ModelRegistered(model="churn", version=1, artifact=asked("b", "k").artifact, key="k"))
    assert told.model.versions == (first,)
    assert told.model.registered_at(1) == 1.0


def test_moving_an_alias_tells_what_it_meant_before() -> None:
    told = Told()
    for key in "ab":
        told.register(key, key)
    first = told.model.move_alias("champion", 1)
    assert first is not None
    told.take(first)
    assert told.model.move_alias("champion", 1) is None
    second = told.model.move_alias("champion", 2, why="better", by="ann")
    assert second == AliasMoved(model="churn", alias="champion", version=2, previous=1, why="better", by="ann")


def test_an_alias_cannot_mean_a_version_that_is_not_there() -> None:
    with pytest.raises(NameUnknown, match="no version 7"):
        Told().model.move_alias("champion", 7)


@pytest.mark.parametrize("alias", ["", "3", "a b", "-x"])
def test_an_alias_that_would_not_read_as_one_is_refused(alias: str) -> None:
    told = Told()
    told.register("a", "k")
    with pytest.raises(UsageMistaken, match="alias"):
        told.model.move_alias(alias, 1)


def test_a_reference_resolves_by_number_and_by_alias() -> None:
    told = Told()
    told.register("a", "k", alias="champion")
    told.register("b", "l")
    resolve = told.model.resolve
    assert (found := resolve(parse_model_ref("churn@2"))) is not None
    assert found.version == 2
    assert (found := resolve(parse_model_ref("churn@champion"))) is not None
    assert found.version == 1
    assert resolve(parse_model_ref("churn@9")) is None
    assert resolve(parse_model_ref("churn@nobody")) is None


def test_views_tell_versions_aliases_and_times() -> None:
    told = Told()
    told.register("a", "k", alias="champion")
    told.register("b", "l", alias="challenger")
    line = summary(told.model)
    assert (line.newest, line.n_versions, line.aliases) == (2, 2, {"champion": 1, "challenger": 2})
    assert [(c.version.version, c.aliases, c.at) for c in cards(told.model)] == [
        (1, ("champion",), 1.0),
        (2, ("challenger",), 3.0),
    ]


steps = st.lists(
    st.one_of(
        st.tuples(st.just("register"), st.sampled_from("abc"), st.sampled_from("123456"), st.sampled_from(["c", None])),
        st.tuples(st.just("alias"), st.sampled_from(["x", "y"]), st.integers(1, 4)),
    ),
    max_size=20,
)


@given(steps)
def test_numbers_have_no_gaps_keys_are_unique_and_aliases_point_somewhere(
    acts: list[tuple[str, str, str, str | None] | tuple[str, str, int]],
) -> None:
    told = Told()
    for act in acts:
        if len(act) == 4:
            _, content, key, alias = act
            told.register(content, key, alias)
        elif act[2] <= len(told.model.versions) and (move := told.model.move_alias(act[1], act[2])):
            told.take(move)
    model = told.model
    assert [v.version for v in model.versions] == list(range(1, len(model.versions) + 1))
    assert len({v.key for v in model.versions}) == len(model.versions)
    for alias in model.aliases:
        assert model.resolve(ModelRef(name="churn", alias=alias)) is not None
    again = Model("churn")
    for n, fact in enumerate(told.facts, 1):
        again.after(Entry(seq=n, stream="model/churn", n=n, at=float(n), fact=fact))
    assert (again.versions, again.aliases, again.length) == (model.versions, model.aliases, model.length)


def test_a_gate_that_judges_the_same_content_later_is_recorded_once_and_stands() -> None:
    told = Told()
    made = told.register("a", "k").version
    assert told.model.judged(1) == made
    with_verdict = msgspec.structs.replace(
        asked("a", "l"), verdict=Digest("v" * 64), answers=Digest("w" * 64), by="ann"
    )
    for n_facts in (1, 0):
        found = told.model.register(with_verdict)
        assert (found.version, len(found.facts)) == (made, n_facts)
        for fact in found.facts:
            told.take(fact)
    assert told.model.judged(1) == ModelJudged(
        model="churn", version=1, verdict=Digest("v" * 64), answers=Digest("w" * 64), by="ann"
    )


def test_a_tag_is_set_changed_and_taken_off_and_never_twice() -> None:
    told = Told()
    told.register("a", "k")
    first = told.model.tag(1, "stage", "trial", by="ann")
    assert first == ModelTagged(model="churn", version=1, name="stage", value="trial", by="ann")
    told.take(first)
    assert told.model.tag(1, "stage", "trial") is None
    for value, after in (("live", {"stage": "live"}), (None, {})):
        fact = told.model.tag(1, "stage", value)
        assert fact is not None
        told.take(fact)
        assert told.model.tags_of(1) == after == cards(told.model)[0].tags
    assert told.model.tag(1, "stage", None) is None
    with pytest.raises(NameUnknown):
        told.model.tag(2, "stage", "x")
    with pytest.raises(UsageMistaken):
        told.model.tag(1, "my stage", "x")


def test_signatures_stay_with_their_version() -> None:
    told = Told()
    told.register("a", "k")
    told.register("b", "l")
    signed = ModelSigned(model="churn", version=2, key="ed25519:k", signature="s")
    told.take(signed)
    assert (told.model.signatures_of(1), told.model.signatures_of(2)) == ((), (signed,))


def test_what_came_from_elsewhere_is_trusted_once_somebody_says_so() -> None:
    told = Told()
    told.register("a", "k")
    decided = told.model.register(msgspec.structs.replace(asked("b", "import/b"), origin=Digest("f" * 64)))
    for fact in decided.facts:
        told.take(fact)
    assert (told.model.is_trusted(1), told.model.is_trusted(2)) == (True, False)
    assert told.model.trust(1) is None
    trusted = told.model.trust(2, by="ann")
    assert trusted is not None
    assert trusted.digest == "b" * 64
    told.take(trusted)
    assert told.model.is_trusted(2)
    assert told.model.trust(2) is None
