"""The shipped JSON Schema says what the reader says, and an editor can explain every key with it."""

from importlib.resources import files
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.test_human import FILE_LIKE, FOUR, LOOP, TYPES, VALUES
from headway.codec import schema
from headway.codec.human import plain, read_pipeline
from headway.codec.kinds import problems_of
from headway.core.grammar import File
from headway.errors import Fault, FileFaulty
from tries import tries

FULL = schema.pipeline_schema()
# What is beyond the kinds of values: the reader says these in words of its own, when names and paths are looked at.
BEYOND = {"oneOf", "pattern", "minimum", "minItems"}


def _kinds_only(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _kinds_only(v) for k, v in value.items() if k not in BEYOND}
    return [_kinds_only(v) for v in value] if isinstance(value, list) else value


KINDS = jsonschema.Draft202012Validator(_kinds_only(FULL))
ALL = jsonschema.Draft202012Validator(FULL)


def test_the_shipped_schema_is_made_from_the_types_of_today() -> None:
    shipped = msgspec.json.decode(files("headway.codec").joinpath(schema.FILE).read_bytes())
    assert _ordered(shipped) == _ordered(msgspec.json.decode(schema.shipped_bytes())), (
        "run python -m headway.codec.schema > src/headway/codec/pipeline.schema.json"
    )


def _ordered(value: Any) -> Any:
    """Versions of msgspec name the kinds of a union in different orders, which means the same."""
    if isinstance(value, dict):
        return {k: sorted(_ordered(v), key=str) if k == "anyOf" else _ordered(v) for k, v in value.items()}
    return [_ordered(v) for v in value] if isinstance(value, list) else value


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(FULL)


def test_every_key_is_described_and_its_examples_are_valid() -> None:
    for name, definition in FULL["$defs"].items():
        assert definition["description"], name
        for key, described in definition.get("properties", {}).items():
            if "$ref" not in described:
                assert described.get("description"), f"{name}.{key}"
            for one in described.get("examples", ()):
                of_key = {**FULL, "$ref": f"#/$defs/{name}/properties/{key}"}
                assert list(jsonschema.Draft202012Validator(of_key).iter_errors(one)) == [], f"{name}.{key}: {one}"


@pytest.mark.parametrize("text", [FOUR, LOOP], ids=["four steps", "whole loop"])
def test_the_files_of_the_design_are_valid(text: str) -> None:
    assert list(ALL.iter_errors(plain(text.encode(), path="pipeline.yaml"))) == []


@settings(max_examples=tries(200), deadline=None)
@given(FILE_LIKE | VALUES)
def test_schema_and_reader_agree_on_kinds(value: Any) -> None:
    problems, _ = problems_of(value, File)
    assert KINDS.is_valid(value) is not bool(problems), (problems, value)


# Any: a step as JSON has it.
STEPS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "run": st.just("x"),
        "uses": st.just("gate"),
        "id": st.text(st.sampled_from("ab-_.0 ä"), min_size=1, max_size=3),
        "timeout": st.integers(-1, 2) | st.text(st.sampled_from("019.smhdw "), min_size=1, max_size=5),
        "retry": st.integers(-1, 2)
        | st.fixed_dictionaries(
            {"times": st.integers(-1, 1)}, optional={"wait": st.sampled_from(["1s", "s", "1x", -1, 0.5])}
        ),
        "resources": st.fixed_dictionaries(
            {},
            optional={
                "memory": st.integers(-1, 1) | st.text(st.sampled_from("12.kMGiB "), min_size=1, max_size=5),
                "cpu": st.floats(-1, 1),
                "gpu": st.integers(-1, 1),
            },
        ),
        "x-free": st.none(),
    },
)


@settings(max_examples=tries(200), deadline=None)
@given(st.lists(STEPS, max_size=2, unique_by=lambda step: str(step.get("id", id(step)))), st.integers(0, 2))
def test_schema_and_reader_agree_on_times_sizes_and_ids(steps: list[dict[str, Any]], version: int) -> None:
    file = {"steps": steps, "version": version}
    faults: tuple[Fault, ...] = ()
    try:
        read_pipeline(msgspec.json.encode(file), path="p", known_step_types=TYPES, read_file=lambda _: None)
    except FileFaulty as e:
        faults = e.faults
    # No step can end in no time: that a text says 0 is not for a pattern to see.
    if not faults or any("no step can end in no time" not in f.problem for f in faults):
        assert ALL.is_valid(file) is not bool(faults), (list(ALL.iter_errors(file)), faults)
