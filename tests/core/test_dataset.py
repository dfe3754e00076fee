"""What adding and forgetting versions of a dataset would add, what the fold tells, and how references are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.dataset import (
    Dataset,
    Pin,
    Snapshot,
    Versioned,
    checked_name,
    digest_prefix,
    name_of_path,
    parse_dataset_ref,
)
from headway.core.facts import Entry, Fact
from headway.core.ids import Artifact, Digest, is_name
from headway.core.redact import redacted
from headway.errors import NameUnknown, UsageMistaken


def artifact(content: str, path: str = "data/train.csv") -> Artifact:
    return Artifact(path=path, digest=Digest(content * 64), size_bytes=1)


class Told:
    """A dataset and its stream: what is decided is taken in at once."""

    def __init__(self) -> None:
        self.dataset = Dataset("train")
        self.n = 0

    def take(self, fact: Fact) -> None:
        self.n += 1
        self.dataset.after(Entry(seq=self.n, stream="dataset/train", n=self.n, at=float(self.n), fact=fact))

    def add(self, content: str, pinned: Pin | None = None, path: str = "data/train.csv") -> Versioned:
        decided = self.dataset.add(Snapshot(dataset="train", artifact=artifact(content, path)), pinned)
        for fact in decided.facts:
            self.take(fact)
        return decided


def test_versions_count_from_1() -> None:
    told = Told()
    assert [told.add(content).version.version for content in "abc"] == [1, 2, 3]
    assert told.dataset.newest == told.dataset.version(3)
    assert [card.at for card in told.dataset.cards] == [1.0, 2.0, 3.0]


def test_content_that_was_a_version_is_that_version_again() -> None:
    told = Told()
    for content in "ab":
        told.add(content)
    again = told.add("a")
    assert (again.version.version, again.facts) == (1, ())


def test_the_same_content_at_another_path_is_a_new_version() -> None:
    told = Told()
    told.add("a")
    moved = told.add("a", path="data/moved.csv")
    assert (moved.version.version, len(moved.facts)) == (2, 1)


def test_a_clone_goes_on_from_the_number_that_the_lock_has() -> None:
    pinned = Pin(artifact=artifact("a"), version=7)
    assert Told().add("a", pinned).version.version == 7
    assert Told().add("b", pinned).version.version == 8
    told = Told()
    told.add("a", pinned)
    assert told.add("c", pinned).version.version == 8


def test_a_number_of_the_lock_that_is_taken_is_not_taken_twice() -> None:
    told = Told()
    for content in "ab":
        told.add(content)
    assert told.add("c", Pin(artifact=artifact("c"), version=1)).version.version == 3


def test_a_forgotten_version_is_named_no_more_and_its_number_not_used_again() -> None:
    told = Told()
    for content in "ab":
        told.add(content)
    told.take(told.dataset.forget(2, why="wrong"))
    assert [v.version for v in told.dataset.versions] == [1]
    assert [card.is_forgotten for card in told.dataset.cards] == [False, True]
    with pytest.raises(NameUnknown, match="no version 2 any more: it was forgotten"):
        told.dataset.version(2)
    with pytest.raises(NameUnknown):
        told.dataset.forget(2)
    assert told.add("b").version.version == 3


def test_a_version_that_never_was_is_told_with_those_that_are() -> None:
    told = Told()
    told.add("a")
    with pytest.raises(NameUnknown) as caught:
        told.dataset.version(4)
    assert "newest: 1" in caught.value.remedy


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30))
def test_whatever_is_added_and_forgotten_a_number_means_one_content_for_ever(acts: list[tuple[str, bool]]) -> None:
    told = Told()
    meant: dict[int, str] = {}
    for content, forgets in acts:
        if forgets and told.dataset.newest is not None:
            told.take(told.dataset.forget(told.dataset.newest.version))
            continue
        version = told.add(content).version
        assert meant.setdefault(version.version, version.artifact.digest) == content * 64
        assert told.dataset.of(artifact(content)) == version
        # Adding once more is the same request.
        assert told.add(content).facts == ()
    assert told.dataset.length == told.n


# --- references -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "kind", "version"),
    [
        ("train", "train", "newest", None),
        ("train@7", "train", "version", 7),
        ("train@work", "train", "work", None),
        ("train@lock", "train", "lock", None),
        ("train@HEAD~1", "train", "commit", None),
        ("train@feature/x", "train", "commit", None),
        ("12345678", "12345678", "newest", None),
    ],
)
def test_a_reference_says_where_to_look(text: str, name: str, kind: str, version: int | None) -> None:
    ref = parse_dataset_ref(text)
    assert ref is not None
    assert (ref.name, ref.kind, ref.version, str(ref)) == (name, kind, version, text)


@pytest.mark.parametrize("text", ["", "@7", "train@", "data/train.csv", "HEAD~1", "-x", ".x", "a b"])
def test_what_cannot_be_a_datasets_name_is_no_reference(text: str) -> None:
    assert parse_dataset_ref(text) is None


@given(st.text(max_size=80))
def test_a_digest_prefix_is_8_to_64_hexadecimal_digits(text: str) -> None:
    prefix = digest_prefix(text)
    is_one = 8 <= len(text) <= 64 and all(c in "0123456789abcdefABCDEF" for c in text)
    assert (prefix is not None) == is_one
    assert prefix is None or prefix == text.lower()


@given(st.text(max_size=30))
def test_every_path_gives_a_name_that_a_dataset_may_have(path: str) -> None:
    assert is_name(name_of_path(path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/events.csv.zst", "events"),
        ("a/v1.2", "v1"),
        ("a/.hidden", "hidden"),
        ("a/x.verylongending", "x.verylongending"),
    ],
)
def test_a_name_is_the_last_part_without_its_endings(path: str, name: str) -> None:
    assert name_of_path(path) == name


def test_an_odd_name_is_refused() -> None:
    assert checked_name("train.v2") == "train.v2"
    with pytest.raises(UsageMistaken):
        checked_name("a/b")


# --- secrets ----------------------------------------------------------------------------------------------------


@given(
    st.text("abcxyz0189!$%&*()+,;=/?#@:", min_size=1, max_size=12).filter(lambda t: "?" not in t and "#" not in t),
    st.sampled_from(["postgresql://ann:{}@db/shop", "https://ann:{}@host:80/x?y=1", "s3://key:{}@bucket/a/*.csv"]),
)
def test_no_password_is_left_in_a_url(password: str, form: str) -> None:
    marked = f"S3CRET{password}"
    shown = redacted(form.format(marked))
    assert "S3CRET" not in shown
    assert redacted(shown) == shown
