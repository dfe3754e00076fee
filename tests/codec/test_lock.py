"""headway.lock: read back as it was written, in lines that differ only where something differs."""

import msgspec
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headway.codec.lock import Pinned, parse, render
from headway.codec.quote import scalar
from headway.core.facts import KeyPart
from headway.core.ids import Artifact, Digest
from headway.errors import FileFaulty

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


# A whole file is an example, so a few of them say as much as many texts.
@settings(max_examples=25)
@given(pipeline=texts, steps=st.dictionaries(texts, pins(), max_size=4))
def test_what_was_written_is_read_back(pipeline: str, steps: dict[str, Pinned]) -> None:
    data = render(pipeline, steps)
    assert parse(data) == steps
    assert list(parse(data)) == list(steps)
    assert render(pipeline, parse(data)) == data


# Any YAML 1.1 reader (PyYAML's own resolver is one) takes it for the same.
@given(digests | texts)
@example("1" * 31 + "e" + "2" * 32)
def test_other_readers_of_yaml_see_the_same_text(text: str) -> None:
    assert yaml.safe_load(f"{scalar(text)}: {scalar(text)}\n") == {text: text}


@pytest.mark.parametrize("text", ODD, ids=repr)
def test_odd_texts_survive(text: str) -> None:
    parts = (KeyPart(kind="command", name=text, value=text), KeyPart(kind="in", name=text, value=text))
    steps = {text: Pinned(parts=parts)}
    assert parse(render(text, steps)) == steps


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
    before = render("churn", {"train": step("a"), "test": step("b")}).splitlines()
    after = render("churn", {"train": step("f"), "test": step("b")}).splitlines()
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [
        (b"      a.csv: " + b"a" * 64, b"      a.csv: " + b"f" * 64)
    ]


def test_the_file_looks_like_this() -> None:
    spec = msgspec.structs.replace(step("a"), parts=(KeyPart(kind="command", name="sh", value="c" * 64),))
    assert render("churn", {"train": spec}).decode() == (
        "# Made by `headway run`: what the last good run read and made. Commit it; do not edit it.\n"
        "version: 1\n"
        "pipeline: churn\n"
        "steps:\n"
        "  train:\n"
        f"    command: {'c' * 64}\n"
        "    shell: sh\n"
        "    out:\n"
        "      model:\n"
        "        path: m.pkl\n"
        f"        digest: {'d' * 64}\n"
        "        size_bytes: 3\n"
    )


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
        pytest.param(b"version: 1\n<<<<<<< HEAD\nsteps: {}\n", id="a merge left undone"),
    ],
)
def test_a_broken_file_is_refused(data: bytes) -> None:
    with pytest.raises(FileFaulty) as caught:
        parse(data)
    assert caught.value.at.startswith("headway.lock")
