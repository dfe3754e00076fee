"""What holds for every step type that is found: documented, spelt with hyphens, strict about its keys."""

import importlib
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import inspect

from headway import steps
from headway.errors import FileFaulty, NameUnknown

every = pytest.mark.parametrize("name", steps.known())


# Any: a value of the field's type.
def sample(kind: inspect.Type) -> Any:  # noqa: PLR0911 (one for each kind)
    """Some value that fits the type of a field."""
    if isinstance(kind, inspect.Metadata):
        return sample(kind.type)
    if isinstance(kind, inspect.UnionType):
        return sample(next(t for t in kind.types if not isinstance(t, inspect.NoneType)))
    if isinstance(kind, inspect.FloatType):
        return ((kind.ge or kind.gt or 0.0) + (kind.lt or kind.le or 1.0)) / 2
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return [sample(kind.item_type)]
    if isinstance(kind, inspect.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspect.StructType):
        return {field.encode_name: sample(field.type) for field in kind.fields}
    if isinstance(kind, inspect.DictType):
        return {"some-key": sample(kind.value_type)}
    return {inspect.StrType: "some-text", inspect.BoolType: True, inspect.IntType: 1, inspect.AnyType: "anything"}[
        type(kind)
    ]


def whole(name: str) -> dict[str, Any]:
    """A value for every key of `with:`."""
    return {f.encode_name: sample(f.type) for f in fields(name)}


def fields(name: str) -> tuple[inspect.Field, ...]:
    info = inspect.type_info(steps.find(name))
    assert isinstance(info, inspect.StructType)
    return info.fields


def test_there_are_steps_and_their_names_are_sorted() -> None:
    assert "register" in steps.known()
    assert list(steps.known()) == sorted(steps.known())


@every
def test_it_is_documented_in_a_sentence_that_ends(name: str) -> None:
    module = importlib.import_module(f"headway.steps.{name.replace('-', '_')}")
    step = steps.find(name)
    for doc in (module.__doc__, step.__doc__):
        assert doc
        assert doc.strip().partition("\n\n")[0].endswith(".")


@every
def test_each_of_its_keys_is_documented(name: str) -> None:
    doc = steps.find(name).__doc__ or ""
    for field in fields(name):
        described = isinstance(field.type, inspect.Metadata) and (field.type.extra_json_schema or {}).get("description")
        assert described or f"`{field.encode_name}`" in doc, f"{name}: with.{field.encode_name} says nothing of itself"


@every
def test_its_keys_are_spelt_with_hyphens_and_its_values_are_frozen(name: str) -> None:
    step = steps.find(name)
    assert step.__struct_config__.frozen
    assert step.__struct_config__.forbid_unknown_fields
    assert all("_" not in field.encode_name for field in fields(name))


@every
def test_what_was_written_is_what_is_read(name: str) -> None:
    step = steps.read_with(steps.find(name), whole(name))
    assert msgspec.convert(msgspec.to_builtins(step), type(step)) == step
    assert msgspec.json.decode(msgspec.json.encode(step), type=type(step)) == step


@every
def test_a_key_it_does_not_know_is_refused_with_the_nearest(name: str) -> None:
    real = max((field.encode_name for field in fields(name)), key=len)
    with pytest.raises(FileFaulty) as raised:
        steps.read_with(steps.find(name), {**whole(name), real + "x": 1}, at="pipeline.yaml: step s")
    (fault,) = raised.value.faults
    assert real + "x" in f"{fault.where} {fault.problem}"
    assert real in fault.remedy


@every
def test_all_faults_are_told_at_once(name: str) -> None:
    required = [field.encode_name for field in fields(name) if field.required]
    with pytest.raises(FileFaulty) as raised:
        steps.read_with(steps.find(name), {"no-such-key": 1})
    told = " ".join(f"{fault.where} {fault.problem}" for fault in raised.value.faults)
    assert all(key in told for key in [*required, "no-such-key"])


def test_an_unknown_step_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(NameUnknown) as raised:
        steps.find("regster")
    assert "'register'" in raised.value.remedy
    with pytest.raises(NameUnknown, match="zzz"):
        steps.find("zzz")


def test_numbers_that_an_expression_filled_in_as_text_are_read() -> None:
    class Counted(msgspec.Struct, frozen=True, kw_only=True):
        n: int
        share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5

        def run(self, bench: steps.Bench) -> int:
            return self.n

    read = steps.read_with(Counted, {"n": "3", "share": "0.25", "x-note": "free"})
    assert isinstance(read, Counted)
    assert (read.n, read.share) == (3, 0.25)
    with pytest.raises(FileFaulty) as raised:
        steps.read_with(Counted, {"n": "three", "share": "1.5"})
    assert [fault.where for fault in raised.value.faults] == ["with.n", "with.share"]


@every
def test_an_expression_may_stand_for_any_value_until_the_run_and_a_slip_is_seen_before_it(name: str) -> None:
    step = steps.find(name)
    open_values: dict[str, Any] = dict.fromkeys(whole(name), "${{ params.x }}")
    assert steps.problems_of(step, open_values) == []
    (problem,) = steps.problems_of(step, {**open_values, "no-such-key": "${{ params.x }}"})
    assert problem.path == ("no-such-key",)
