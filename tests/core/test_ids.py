"""Names: what may be one, and how they are read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.ids import ModelRef, is_name, parse_model_ref, slug
from headway.errors import UsageMistaken

NAMES = st.text(alphabet="abcXYZ019-_.", min_size=1, max_size=10).filter(is_name)


@pytest.mark.parametrize("name", ["churn", "churn-eu", "a.b_c", "0", "_x", "X9"])
def test_a_name_is_letters_digits_and_a_few_signs(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize("name", ["", "-x", ".x", "a b", "a/b", "é", "a@b", "a\n", "..", "%"])
def test_other_things_are_no_names(name: str) -> None:
    assert not is_name(name)


@given(NAMES, st.integers(1, 10**6))
def test_a_version_is_read_as_it_is_written(name: str, version: int) -> None:
    ref = parse_model_ref(f"{name}@{version}")
    assert (ref.name, ref.version, ref.alias) == (name, version, None)
    assert parse_model_ref(str(ref)) == ref


@given(NAMES, NAMES.filter(lambda name: not name.isdigit()))
def test_an_alias_is_read_as_it_is_written(name: str, alias: str) -> None:
    ref = parse_model_ref(f"{name}@{alias}")
    assert (ref.name, ref.version, ref.alias) == (name, None, alias)
    assert parse_model_ref(str(ref)) == ref


@pytest.mark.parametrize("text", ["", "churn", "@", "churn@", "@1", "a@b@c", "churn@-1", "a b@1"])
def test_what_names_no_version_is_told_how_to(text: str) -> None:
    with pytest.raises(UsageMistaken) as mistake:
        parse_model_ref(text)
    assert "churn@12" in mistake.value.remedy


def test_a_version_goes_before_an_alias() -> None:
    assert str(ModelRef(name="m", version=3, alias="champion")) == "m@3"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Train Model", "train-model"),
        ("  Train  --  Model! ", "train-model"),
        ("train_model", "train_model"),
        ("Étape 1", "tape-1"),
        ("***", ""),
    ],
)
def test_a_slug_is_lower_case_with_single_hyphens(name: str, expected: str) -> None:
    assert slug(name) == expected


@given(st.text(max_size=20))
def test_a_slug_of_a_slug_is_itself(name: str) -> None:
    assert slug(slug(name)) == slug(name)
