"""Places in TOML files, which the standard library's reader does not keep."""

import tomllib

import pytest

from headway.codec import toml
from headway.errors import Fault

TEXT = """\
# Where things are.
top = 1
[store]  # the content
  url = "file:x"
"remote" . url = 3

[[hooks]]
a.b = 1
[[hooks]]
c = 2
a.b = 3
"""


@pytest.mark.parametrize(
    ("where", "line", "column"),
    [
        ("top", 2, 1), ("store", 3, 1), ("store.url", 4, 3), ("store.url[2]", 4, 3), ("store.missing", 3, 1),
        ("store.remote.url", 5, 1), ("hooks.a.b", 8, 1), ("hooks[0].a", 7, 1), ("hooks[0].a.b", 8, 1),
        ("hooks[1].a.b", 11, 1), ("hooks[1].c", 10, 1), ("hooks[1].gone", 9, 1), ("hooks[2].c", 7, 1),
        ("elsewhere", 0, 0), ("", 0, 0),
    ],
)  # fmt: skip
def test_a_fault_is_placed_where_its_key_or_what_is_above_it_stands(where: str, line: int, column: int) -> None:
    (fault,) = toml.place([Fault("odd", where=where)], TEXT)
    assert (fault.line, fault.column) == (line, column)
    assert fault.excerpt == (TEXT.splitlines()[line - 1] if line else "")


def test_faults_come_in_the_order_of_the_file() -> None:
    faults = [Fault("b", where="store.url"), Fault("a", where="top")]
    assert [fault.problem for fault in toml.place(faults, TEXT)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("a = 1\nb = \n", 2, 5, "not TOML: invalid value"),
        ("a", 1, 2, "not TOML: expected '=' after a key in a key/value pair"),
        ('a = "x', 1, 7, "not TOML: unterminated string"),
    ],
)
def test_the_library_says_where_a_text_is_no_toml(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    fault = toml.syntax(str(caught.value), text)
    assert (fault.line, fault.column, fault.problem) == (line, column, problem)
    assert fault.excerpt == text.splitlines()[line - 1]
