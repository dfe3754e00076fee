"""Cache keys and the reasons why a step runs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.facts import KeyPart
from headway.core.pipeline import StepSpec
from headway.core.plan import MISSING, cache_key, differences, overridden, params_of, parts_of, why

SPEC = StepSpec(id="train", name="Train", run="python train.py", outputs={"model": "m.pkl"}, matrix={"lr": 0.1})


def parts(spec: StepSpec = SPEC, **changed: Any) -> tuple[KeyPart, ...]:
    """The parts of one step's key, with some of what goes into it changed."""
    given_: dict[str, Any] = {
        "command": "c" * 64,
        "env": {"LEVEL": "info"},
        "with_values": {"data": "a.csv"},
        "inputs": {"a.csv": "1" * 64},
        "params": {"train.depth": 3},
    }
    return parts_of(spec, **(given_ | changed))


CHANGES = {
    "command": {"command": "d" * 64},
    "input": {"inputs": {"a.csv": "2" * 64}},
    "input renamed": {"inputs": {"b.csv": "1" * 64}},
    "one input more": {"inputs": {"a.csv": "1" * 64, "b.csv": "1" * 64}},
    "no input": {"inputs": {}},
    "param": {"params": {"train.depth": 4}},
    "param as text": {"params": {"train.depth": "3"}},
    "param as nothing": {"params": {"train.depth": None}},
    "env": {"env": {"LEVEL": "debug"}},
    "with": {"with_values": {"data": "b.csv"}},
    "shell": {"spec": StepSpec(id="train", name="Train", shell="sh", outputs={"model": "m.pkl"}, matrix={"lr": 0.1})},
    "matrix": {"spec": StepSpec(id="train", name="Train", outputs={"model": "m.pkl"}, matrix={"lr": 0.2})},
    "output": {"spec": StepSpec(id="train", name="Train", outputs={"model": "n.pkl"}, matrix={"lr": 0.1})},
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES.keys())
def test_whatever_was_declared_changes_the_key(changed: dict[str, Any]) -> None:
    assert cache_key(parts(**changed)) != cache_key(parts())


def test_the_order_of_writing_does_not_change_the_key() -> None:
    one = parts(params={"a": 1, "b": 2}, env={"X": "1", "Y": "2"}, inputs={"p": "1", "q": "2"})
    other = parts(params={"b": 2, "a": 1}, env={"Y": "2", "X": "1"}, inputs={"q": "2", "p": "1"})
    assert cache_key(one) == cache_key(other)


def test_name_and_condition_do_not_change_the_key() -> None:
    renamed = StepSpec(
        id="fit", name="Fit", run="x", outputs={"model": "m.pkl"}, matrix={"lr": 0.1}, condition="always()"
    )
    assert cache_key(parts(renamed)) == cache_key(parts())


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(one=scalars, other=scalars)
def test_two_values_of_a_param_give_two_keys(one: object, other: object) -> None:
    same = type(one) is type(other) and repr(one) == repr(other)
    assert (parts(params={"x": one}) == parts(params={"x": other})) is same


WHYS = {
    "the first time": (None, "it never passed before"),
    "nothing": ({}, "its last result is no longer in the log or the store"),
    "the command": ({"command": "d" * 64}, "the command changed"),
    "the shell": ({"spec": StepSpec(id="t", name="t", shell="sh", outputs=SPEC.outputs, matrix=SPEC.matrix)},
                  "the command changed"),
    "an input": ({"inputs": {"a.csv": "2" * 64}}, "a.csv changed"),
    "an input renamed": ({"inputs": {"old.csv": "1" * 64}}, "in a.csv is new, in old.csv is gone"),
    "a param": ({"params": {"train.depth": 4}}, "params train.depth: 4 -> 3"),
    "a long param": ({"params": {"train.depth": "x" * 50}}, f"params train.depth: {'x' * 21}... -> 3"),
    "a variable, whose value may be secret": ({"env": {"LEVEL": "0123"}}, "env LEVEL changed"),
    "much": ({"inputs": {"x": "", "y": "", "z": ""}}, "in a.csv is new, in x is gone, in y is gone and 1 more"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "said"), WHYS.values(), ids=WHYS.keys())
def test_a_step_says_what_changed_since_its_last_good_run(before: dict[str, Any] | None, said: str) -> None:
    assert why(parts(), None if before is None else parts(**before)) == said


def test_an_input_that_went_away_is_said_to_be_missing() -> None:
    assert why(parts(inputs={"a.csv": MISSING}), parts()) == "a.csv is missing"


def test_the_same_shell_is_no_change_of_the_command() -> None:
    spec = StepSpec(id="t", name="t", shell="python {0}")
    assert differences(parts(spec, inputs={"a": "2"}), parts(spec, inputs={"a": "1"})) == ["a changed"]


@given(st.dictionaries(st.text(), scalars), st.dictionaries(st.text(), scalars))
def test_nothing_differs_exactly_when_the_keys_are_equal(now: dict[str, Any], before: dict[str, Any]) -> None:
    a, b = parts(params=now), parts(params=before)
    assert (differences(a, b) == []) is (cache_key(a) == cache_key(b))


def test_a_group_of_params_stands_for_all_in_it() -> None:
    assert params_of(["train"], {"train": {"lr": 0.1, "net": {"depth": 2}}}) == {"train.lr": 0.1, "train.net.depth": 2}


names = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(".".join)
nested = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3))


@given(values=st.dictionaries(st.sampled_from("abc"), nested), name=names, value=st.integers())
def test_an_override_is_read_back_and_leaves_the_params_as_they_were(
    values: dict[str, Any], name: str, value: int
) -> None:
    before = repr(values)
    result = overridden(values, {name: value})
    assert params_of([name], result) == {name: value}
    assert repr(values) == before
    others = {key: v for key, v in values.items() if key != name[0]}
    assert others.items() <= result.items()
