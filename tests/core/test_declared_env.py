"""Which variable a name in a value of `env` means."""

import pytest

from headway.core.declared_env import with_env
from headway.core.expression import Scope
from headway.errors import ExpressionUnreadable


@pytest.mark.parametrize(
    ("file", "step", "expected"),
    [
        ({"A": "f"}, {}, {"A": "f"}),
        ({"A": "f"}, {"A": "s"}, {"A": "s"}),
        ({}, {"G": "${{ env.G }}"}, {"G": "given"}),
        ({"G": "${{ env.G }}-f"}, {"G": "${{ env.G }}-s"}, {"G": "given-f-s"}),
        ({"A": "f"}, {"B": "${{ env.A }}", "A": "s"}, {"A": "s", "B": "s"}),
        ({"A": "f", "B": "${{ env.A }}"}, {"A": "s"}, {"A": "s", "B": "f"}),
        ({}, {"A": "${{ env.B }}", "B": "${{ env.A }}"}, {"A": "", "B": ""}),
        ({}, {"A": "<${{ env.NONE }}>", "B": "${{ env.NONE || 'x' }}"}, {"A": "<>", "B": "x"}),
        ({}, {"A": "${{ params.lr }}"}, {"A": "0.1"}),
    ],
    ids=[
        "of the file", "the step's first", "given", "through both", "a neighbour", "a file sees no step", "a circle",
        "none", "others",
    ],
)  # fmt: skip
def test_a_name_means_the_nearest_other_variable(
    file: dict[str, str], step: dict[str, str], expected: dict[str, str]
) -> None:
    made = with_env(Scope(params={"lr": 0.1}), file, step, {"G": "given", "H": "home"}).env
    assert dict(made) == expected
    assert len(made) == len(expected)
    assert "H" not in made


def test_a_value_that_cannot_be_had_is_told_when_it_is_asked_for() -> None:
    made = with_env(Scope(), {}, {"A": "${{ params.none }}", "B": "b"}, {}).env
    assert made["B"] == "b"
    for _ in range(2):
        with pytest.raises(ExpressionUnreadable, match=r"params\.none"):
            made["A"]
