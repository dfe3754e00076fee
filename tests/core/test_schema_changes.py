import pytest

from codec.test_schema_file import WHOLE, read
from headway.core.schema import Schema
from headway.core.schema_changes import changes_between


def told(old: str, new: str) -> list[tuple[str, str]]:
    return [(change.effect, change.says) for change in changes_between(read(old), read(new))]


def test_a_schema_does_not_differ_from_itself_or_from_another_spelling() -> None:
    assert changes_between(read(WHOLE), read(WHOLE)) == ()
    assert told("columns: {a: {min: 0}}", "columns:\n  a:\n    min: {is: 0, severity: error}") == []
    assert told("checks: [{row: a > 1}]", "checks: [{row: a > 1}]") == []
    assert told("columns: {a: {quantiles: {0.95: 4..6}}}", "columns: {a: {quantiles: {95%: 4..6}}}") == []
    assert told("not-in: x.csv", "not-in: [x.csv]") == []


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("a: {max: 3}", "a: {max: 4}", [("looser", "a must be at most 4; before, a must be at most 3")]),
        ("a: {max: 3}", "a: {max: 2}", [("stricter", "a must be at most 2; before, a must be at most 3")]),
        ("a: {min: 3}", "a: {min: 2}", [("looser", "a must be at least 2; before, a must be at least 3")]),
        ("a: {mean: 4..6}", "a: {mean: 5..7}", [("other", None)]),
        ("a: {mean: 4..6}", "a: {mean: 4..}", [("looser", None)]),
        ("a: {max: 3}", "a: {}", [("looser", "no longer asked: a must be at most 3")]),
        ("a: {}", "a: {unique: true}", [("stricter", "asked now: a must be different in each row")]),
        ("a: {values: [x, y]}", "a: {values: [x, z]}", [("looser", "a may be `z` too"), ("stricter", None)]),
        ("a: {type: integer}", "a: {type: number}", [("looser", None)]),
        ("a: {type: number}", "a: {type: integer}", [("stricter", None)]),
        ("a: {type: number}", "a: {type: string}", [("other", None)]),
        ("a: {nulls: 0}", "a: {nulls: 1%}", [("looser", "a must have a value: 1 % may break it now; before, no row")]),
        ("a: {nulls: 3}", "a: {nulls: 0}", [("stricter", None)]),
        (
            "a: {max: 3}",
            "a: {max: {is: 3, severity: warn}}",
            [("looser", "only told of now, where it stopped the training: a must be at most 3")],
        ),
        ("a: {max: {is: 3, severity: warn}}", "a: {max: 3}", [("stricter", None)]),
        ("a: {fresh: 2d}", "a: {fresh: 1d}", [("stricter", None)]),
        ("a: {balanced: 5%}", "a: {balanced: 1%}", [("looser", None)]),
        ("a: {increasing: true}", "a: {increasing: strictly}", [("stricter", None)]),
        ("a: {matches: x}", "a: {matches: y}", [("other", None)]),
        ("a: {values: [1]}", 'a: {values: ["1"]}', [("looser", None), ("stricter", None)]),
        ("a: {values: [x, y]}", "a: {values: [y, x]}", []),
        ("a: {min: 1}", 'a: {min: "2013-01-01"}', [("other", None)]),
        ('"a[0]": {max: 3}', '"a[0]": {max: 4}', [("looser", None)]),
        ("a: {quantiles: {0.95: 4..6}}", "a: {quantiles: {95%: 4..7}}", [("looser", None)]),
    ],
)  # fmt: skip
def test_a_change_of_a_column_is_told(old: str, new: str, changes: list[tuple[str, str | None]]) -> None:
    found = told(f"columns:\n  {old}\n", f"columns:\n  {new}\n")
    assert [effect for effect, _ in found] == [effect for effect, _ in changes]
    assert all(says in (None, words) for (_, words), (_, says) in zip(found, changes, strict=True)), found


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ("columns: {a: , b: }", "columns: {a: , c: }",
         [("looser", "the column b need no longer be there"), ("stricter", "the column c must be there now")]),
        ("rows: 10..", "rows: 5..", [("looser", None)]),
        ("key: [a, b]", "key: a", [("looser", "no longer asked: b must have a value"), ("stricter", None)]),
        ("shift: true", "shift: {least: 0.2}", [("looser", None)]),
        ("shift: true", "shift: {false-alarms: 5%}", [("stricter", None)]),
        ("checks: [{row: a > 1}]", "checks: [{row: b > 1}, {row: a > 1}]",
         [("stricter", "asked now: `b > 1` must hold")]),
        ("checks: [{name: warm, columns: a, each: {min: 0, max: 9}}]",
         "checks: [{name: warm, columns: a, each: {min: -5, max: 9}}]", [("looser", None)]),
    ],
)  # fmt: skip
def test_a_change_of_the_table_is_told(old: str, new: str, changes: list[tuple[str, str | None]]) -> None:
    found = told(old, new)
    assert [effect for effect, _ in found] == [effect for effect, _ in changes]
    assert all(says in (None, words) for (_, words), (_, says) in zip(found, changes, strict=True)), found


def test_what_lets_data_pass_comes_first_and_what_stops_the_training_before_what_warns() -> None:
    old = "columns:\n  a: {max: 3, severity: warn}\n  b: {max: 3}\n  c: {max: 3}\n"
    new = "columns:\n  a: {max: 4, severity: warn}\n  b: {max: 2}\n  c: {max: 4}\n"
    assert [change.at for change in changes_between(read(old), read(new))] == [
        "columns.c.max",
        "columns.a.max",
        "columns.b.max",
    ]


def test_everything_is_new_against_nothing() -> None:
    found = changes_between(Schema(), read(WHOLE))
    assert {change.effect for change in found} == {"stricter"}
    back = changes_between(read(WHOLE), Schema())
    assert {change.effect for change in back} == {"looser"}
    assert len(found) == len(back)
