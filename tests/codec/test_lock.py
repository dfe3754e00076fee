"""headway.lock: read back as it was written, in lines that differ only where something differs."""

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headway.codec.lock import Lock, Pinned, parse, render
from headway.codec.quote import scalar
from headway.core.dataset import Pin
from headway.core.facts import KeyPart
from headway.core.ids import Artifact, Digest
from headway.errors import FileFaulty
from tries import tries

ODD = [
    "", " ", "a b", "a: b", "a #b", "- a", "-", "---", "...", "~", "null", "Null", "yes", "NO", "on", "true", "y",
    "1", "1.5", "1e3", "0x1f", "0o17", "0b11", "1_000", "12:30", ".inf", ".nan", "2026-01-01", "=", "<<", "*a", "&a",
    "!a", "%a", "@a", "`a", "'", '"', "\\", "{a}", "[a]", "a,b", "?", "|", ">", "\n", "a\nb", "\t", "\r\n",
    "\x7f", "\x85", "\xa0", "\u2028", "\ufeff", "\ufffe", "\uffff", "grüße", "日本", "🙂", "9" * 64, "1" * 31 + "e" +
    "2" * 32, "0x" + "1" * 62, "0b" + "1" * 62, "é" * 40,
]  # fmt: skip

# No path, no variable and no text of a pipeline can hold a NUL.
texts = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
digests = st.sampled_from(["0123456789e"]).flatmap(lambda a: st.text(a, min_size=64, max_size=64)) | st.text(
    "0123456789abcdef", min_size=64, max_size=64
)
artifacts = st.builds(
    Artifact,
    path=texts,
    digest=digests.map(Digest),
    kind=st.sampled_from(["file", "tree"]),
    size_bytes=st.integers(0, 2**60),
    n_files=st.just(1),
    executable=st.booleans(),
) | st.builds(Artifact, path=texts, digest=digests.map(Digest), kind=st.just("tree"), n_files=st.integers(0, 10**6))


@st.composite
def pins(draw: st.DrawFn) -> Pinned:
    """A step's part of the lock, its parts in the order of `core/plan.parts_of`."""
    parts = [KeyPart(kind="command", name=draw(texts), value=draw(digests))]
    for kind in ("in", "params", "env", "matrix", "with"):
        found = draw(st.dictionaries(texts, texts, max_size=3))
        parts += [KeyPart(kind=kind, name=name, value=value) for name, value in found.items()]
    outputs = draw(st.dictionaries(texts, artifacts, max_size=3))
    outputs = {name: outputs[name] for name in sorted(outputs)}
    parts += [KeyPart(kind="out", name=name, value=artifact.path) for name, artifact in outputs.items()]
    return Pinned(parts=tuple(parts), outputs=outputs)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Whole files, in the order in which they are written."""
    data = draw(st.dictionaries(texts, st.builds(Pin, artifact=artifacts, version=st.integers(0, 2**60), source=texts)))
    paths = draw(st.none() | st.dictionaries(texts, artifacts, max_size=3))
    inputs = None if paths is None else {p: msgspec.structs.replace(a, path=p) for p, a in sorted(paths.items())}
    steps = draw(st.dictionaries(texts, pins(), max_size=4))
    pipeline = draw(texts) if steps else ""
    return Lock(pipeline=pipeline, data=dict(sorted(data.items())), inputs=inputs, steps=steps)


# A whole file is an example, so a few of them say as much as many texts.
@settings(max_examples=tries(25))
@given(locks())
def test_what_was_written_is_read_back(lock: Lock) -> None:
    data = render(lock)
    again = parse(data)
    assert again == lock
    assert [list(again.steps), list(again.data)] == [list(lock.steps), list(lock.data)]
    assert render(again) == data


# Any YAML 1.1 reader (PyYAML's own resolver is one) takes it for the same.
@given(digests | texts)
@example("1" * 31 + "e" + "2" * 32)
def test_other_readers_of_yaml_see_the_same_text(text: str) -> None:
    assert yaml.safe_load(f"{scalar(text)}: {scalar(text)}\n") == {text: text}


@pytest.mark.parametrize("text", ODD, ids=repr)
def test_odd_texts_survive(text: str) -> None:
    parts = (KeyPart(kind="command", name=text, value=text), KeyPart(kind="in", name=text, value=text))
    steps = {text: Pinned(parts=parts)}
    pinned = Artifact(path=text, digest=Digest("d" * 64))
    lock = Lock(pipeline=text, steps=steps, data={text: Pin(artifact=pinned, source=text)}, inputs={text: pinned})
    assert parse(render(lock)) == lock


def test_common_texts_stand_without_quotes() -> None:
    for plain in ("data/train.csv", "train-model", "a1" * 32, "train.lr"):
        assert scalar(plain) == plain


def step(digest: str) -> Pinned:
    return Pinned(
        parts=(
            KeyPart(kind="command", name="", value="c" * 64),
            KeyPart(kind="in", name="a.csv", value=digest * 64),
            KeyPart(kind="in", name="b.csv", value="b" * 64),
            KeyPart(kind="out", name="model", value="m.pkl"),
        ),
        outputs={"model": Artifact(path="m.pkl", digest=Digest("d" * 64), size_bytes=3)},
    )


def test_a_changed_input_changes_one_line() -> None:
    before = render(Lock(pipeline="churn", steps={"train": step("a"), "test": step("b")})).splitlines()
    after = render(Lock(pipeline="churn", steps={"train": step("f"), "test": step("b")})).splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        (b"      a.csv: " + b"a" * 64, b"      a.csv: " + b"f" * 64)
    ]


def test_a_new_version_of_a_dataset_changes_the_lines_of_its_number_digest_and_size() -> None:
    pin = Pin(artifact=Artifact(path="a.csv", digest=Digest("a" * 64), size_bytes=1), version=1)
    more = Pin(artifact=Artifact(path="a.csv", digest=Digest("b" * 64), size_bytes=2), version=2)
    other = Pin(artifact=Artifact(path="b.csv", digest=Digest("c" * 64), size_bytes=3), version=1)
    before = render(Lock(data={"a": pin, "b": other})).splitlines()
    after = render(Lock(data={"b": other, "a": more})).splitlines()
    assert [a for a, b in zip(before, after, strict=True) if a != b] == [
        b"    version: 1", b"    digest: " + b"a" * 64, b"    size_bytes: 1"
    ]  # fmt: skip


def test_a_lock_without_steps_has_no_pipeline() -> None:
    assert render(Lock()).decode().splitlines()[2:] == ["version: 1", "steps: {}"]


def test_a_lock_of_before_there_were_datasets_is_read() -> None:
    old = b"# Made by `headway run`\nversion: 1\npipeline: churn\nsteps:\n  a:\n    command: c\n"
    lock = parse(old)
    assert (lock.pipeline, list(lock.steps), lock.data, lock.inputs) == ("churn", ["a"], {}, None)


def test_all_that_is_pinned_is_listed_by_path_with_what_it_is() -> None:
    raw, data = Artifact(path="raw", digest=Digest("a" * 64)), Artifact(path="d.csv", digest=Digest("b" * 64))
    lock = Lock(data={"d": Pin(artifact=data)}, inputs={"raw": raw}, steps={"train": step("a")})
    assert {path: what for path, (_, what) in lock.artifacts().items()} == {
        "raw": "input", "m.pkl": "output of train", "d.csv": "dataset d"
    }  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="no text"),
        pytest.param(b"[1, 2]", id="a list"),
        pytest.param(b"version: 2\nsteps: {}\n", id="a later version"),
        pytest.param(b"version: 1\nsteps: [a]\n", id="steps as a list"),
        pytest.param(b"version: 1\nsteps:\n  a:\n", id="a step of nothing"),
        pytest.param(b"version: 1\nsteps:\n  a: {in: {}}\n", id="no command"),
        pytest.param(b"version: 1\nsteps:\n  a: {command: c, in: x}\n", id="inputs as a text"),
        pytest.param(b"version: 1\nsteps:\n  a: {command: c, out: {m: {path: 3}}}\n", id="an artifact of numbers"),
        pytest.param(b"version: 1\ndata: [a]\n", id="datasets as a list"),
        pytest.param(b"version: 1\ndata: {a: {path: a.csv}}\n", id="a dataset without a digest"),
        pytest.param(b"version: 1\ndata: {a: {path: 1, digest: d, version: x}}\n", id="a dataset of numbers"),
        pytest.param(b"version: 1\ninputs: {a.csv: {size_bytes: 3}}\n", id="an input without a digest"),
        pytest.param(b"version: 1\n<<<<<<< HEAD\nsteps: {}\n", id="a merge left undone"),
    ],
)
def test_a_broken_file_is_refused(data: bytes) -> None:
    with pytest.raises(FileFaulty) as caught:
        parse(data)
    assert caught.value.at.startswith("headway.lock")
