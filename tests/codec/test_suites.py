"""Suites of pandera, Great Expectations and TFDV mean here what they mean there; what does not map is listed."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codec.test_schema_file import read
from core.naive import broken
from headway.codec.human import plain
from headway.codec.schema_text import schema_text
from headway.codec.suites.draft import Suite, kind_named, whole
from headway.codec.suites.read import read_any, read_suite
from headway.codec.suites.text_format import read_message
from headway.core import validation as v
from headway.core.schema_checks import checks_of
from headway.errors import FileFaulty
from tries import tries

FOLDER = Path(__file__).parent / "suites"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".md")


def suite(name: str) -> Suite:
    return read_suite((FOLDER / name).read_bytes(), path=name)


def said(name: str) -> list[str]:
    return schema_text(suite(name).schema).splitlines()


def left(name: str) -> list[tuple[str, str]]:
    return [(one.what, one.at) for one in suite(name).unmapped]


@pytest.mark.parametrize("name", FILES)
def test_what_a_suite_means_is_a_schema_that_reads_back(name: str) -> None:
    found = suite(name)
    assert read(schema_text(found.schema)) == found.schema
    assert checks_of(found.schema)
    assert all(one.why and one.at for one in found.unmapped)


PANDERA = [
    "  id: {type: integer, nulls: 0, unique: true, about: the flight}",
    "  carrier: {type: string, nulls: 0, values: [UA, B6]}",
    "  temp: {type: number, min: -40, max: 130}",
    '  tail: {type: string, required: false, matches: "N[0-9]+(?s:.*)", length: 2..6}',
    '  note: {type: string, nulls: 0, matches: "(?s:.*)x(?s:.*)"}',
    "  date: {type: datetime, nulls: 0, min: 2013-01-01}",
    "  late: {type: boolean, nulls: 0}",
    "checks:",
    "  - {columns: temp, each: {above: -50}}",
    "  - {columns: temp, each: {below: 200}}",
    '  - {columns: tail, each: {required: false, matches: "N(?s:.*)"}}',
    '  - {columns: note, each: {matches: "(?s:.*)y"}}',
    '  - {row: "\\"note\\" NOT IN (\'bad\')"}',
    '  - {row: "\\"note\\" <> \'z\'"}',
    "  - {unique: [id, date]}",
]


@pytest.mark.parametrize("name", ["pandera_0.35_pandas.yaml", "pandera_0.35_pandas.json", "pandera_0.20_pandas.yaml"])
def test_pandera_is_read_in_all_its_spellings(name: str) -> None:
    lines = said(name)
    assert [line for line in PANDERA if line not in lines] == []
    assert ("coerce", "columns.late") in left(name)
    assert ("regex", "columns.^x_.*") in left(name)
    assert ("strict", "strict") in left(name)
    assert ("ordered", "ordered") in left(name)


def test_pandera_for_polars_is_read_too() -> None:
    lines = said("pandera_0.35_polars.yaml")
    assert "  temp: {type: number, min: 0, below: 1}" in lines
    assert "  when: {type: datetime, nulls: 0}" in lines


def test_a_warning_of_pandera_warns() -> None:
    assert "  hour: {type: integer, nulls: 0, min: 0, max: {is: 23, severity: warn}}" in said(
        "pandera_0.35_pandas.json"
    )


def test_great_expectations_1_is_read() -> None:
    name = "great_expectations_1.24.json"
    lines = said(name)
    for line in (
        "rows: {min: 100, max: 1000}",
        "extra-columns: error",
        "  carrier: {values: {are: [UA, B6], severity: warn}, length: 2, distinct: {min: 1, max: 20}}",
        "    min: {is: -40, tolerate: 0.1%}",
        "    below: {is: 130, tolerate: 0.1%}",
        "    nulls: 1%",
        '    quantiles: {"0.05": {min: 10, max: 40}, "0.95": {max: 100}}',
        "  - {unique: [id, date]}",
        '  - {row: "\\"arrival\\" >= \\"departure\\""}',
        '  - {name: no flight to itself, sql: "SELECT * FROM data WHERE origin = dest"}',
        '  - {row: "\\"note\\" IS NULL"}',
    ):
        assert line in lines
    assert [what for what, _ in left(name)] == [
        "expect_table_column_count_to_equal",
        "expect_column_kl_divergence_to_be_less_than",
        "expect_table_row_count_to_equal",
    ]


def test_great_expectations_0_is_read() -> None:
    name = "great_expectations_0.18.json"
    lines = said(name)
    assert '  date: {date-format: "%Y-%m-%d", increasing: strictly}' in lines
    assert '  - {row: "\\"a\\" + \\"b\\" = 3"}' in lines
    assert ("expect_column_values_to_be_between", "expectations[4] temp") in left(name)
    assert ("expect_column_values_to_be_dateutil_parseable", "expectations[5] date") in left(name)


def test_tfdv_is_read() -> None:
    name = "tensorflow_metadata_1.21.pbtxt"
    assert said(name) == [
        "rows: 100..",
        "row-change: {min: 0.5, max: 2}",
        "extra-columns: error",
        "columns:",
        "  id: {type: integer, nulls: 0, distinct: 1..10}",
        "  carrier: {type: string, nulls: 0, values: [UA, B6], other: 1%}",
        "  temp: {type: number, nulls: 1%, min: -40, max: 130, finite: true}",
        "  hour: {type: integer, min: 0, max: 23}",
        "  old: {required: false}",
        '  origin: {type: string, required: false, values: [EWR, "café \\"x\\""]}',
        "  late: {type: integer, required: false, values: [0, 1]}",
        "  text: {type: list, required: false, length: {max: 5}}",
        '  when: {type: string, required: false, date-format: "%Y-%m-%d"}',
        "  s: {type: struct, required: false}",
        "shift: {columns: [temp]}",
    ]
    assert ("struct_domain", "feature s") in left(name)
    assert ("not_in_environment", "feature late") in left(name)


def of_expectations(*expectations: dict[str, Any]) -> Suite:
    return read_suite(json.dumps({"expectations": expectations}).encode(), path="a.json")


@pytest.mark.parametrize(
    ("kind", "kwargs", "column"),
    [
        ("expect_column_value_lengths_to_equal", {"value": 2}, "{length: {min: 2, max: 2, severity: warn}}"),
        (
            "expect_column_value_lengths_to_be_between",
            {"min_value": 1, "max_value": 9, "strict_max": True, "mostly": 0.9},
            "{length: {min: 1, max: 8, tolerate: 10%, severity: warn}}",
        ),
        (
            "expect_column_proportion_of_non_null_values_to_be_between",
            {"min_value": 0.9},
            "{nulls: {max: 10%, severity: warn}}",
        ),
        (
            "expect_column_distinct_values_to_equal_set",
            {"value_set": [1, 2]},
            "{values: {are: [1, 2], severity: warn}, distinct: {min: 2, max: 2, severity: warn}}",
        ),
    ],
)
def test_what_only_warns_there_only_warns_here(kind: str, kwargs: dict[str, Any], column: str) -> None:
    found = of_expectations({"type": kind, "severity": "warning", "kwargs": {"column": "a", **kwargs}})
    assert schema_text(found.schema).splitlines() == ["columns:", f"  a: {column}"]
    assert found.unmapped == ()


def test_a_column_whose_absence_warns_there_is_told_to_be_an_error_here() -> None:
    found = of_expectations({"type": "expect_column_to_exist", "severity": "warning", "kwargs": {"column": "a"}})
    assert [one.why for one in found.unmapped] == ["a column that is missing is an error; write required: warn"]


def test_a_length_that_warns_in_pandera_warns_here() -> None:
    checks = {"str_length": {"min_value": 1, "options": {"raise_warning": True}}}
    written = {"schema_type": "dataframe", "columns": {"a": {"nullable": True, "checks": checks}}}
    found = read_suite(json.dumps(written).encode(), path="a.json")
    assert schema_text(found.schema).splitlines()[1] == "  a: {length: {min: 1, severity: warn}}"


def test_what_is_asked_of_a_column_there_is_asked_here() -> None:
    """The verdicts agree on data that break one check of pandera's at a time."""
    good = pl.DataFrame({"id": [1, 2], "carrier": ["UA", "B6"], "temp": [1.0, None], "tail": ["N1", "N22"]})
    checks = [check for check in checks_of(suite("pandera_0.35_pandas.yaml").schema) if check.columns[:1] != ()]
    asked = [
        check
        for check in checks
        if check.columns[0] in good.columns and len(check.columns) == 1 and not isinstance(check.asks, v.RowHolds)
    ]
    assert not any(broken(check, good) for check in asked)
    faults: dict[str, list[Any]] = {"id": [1, 1], "carrier": ["UA", "XX"], "temp": [1.0, 131.0], "tail": ["N1", "XN2"]}
    for column, bad in faults.items():
        frame = good.with_columns(pl.Series(column, bad))
        assert [check.columns for check in asked if broken(check, frame)] != []
        assert {check.columns[0] for check in asked if broken(check, frame)} == {column}


@pytest.mark.parametrize(
    ("pattern", "from_start", "texts", "others"),
    [
        ("^a$", False, ["a"], ["ba", "ab"]),
        ("a", False, ["xay", "a\n"], ["b"]),
        ("a|^b$", False, ["xa", "b"], ["bb"]),
        ("a", True, ["ab"], ["ba"]),
        (r"a\$", False, ["a$", "xa$x"], ["a"]),
    ],
)
def test_a_pattern_that_is_looked_for_becomes_one_for_whole_texts(
    pattern: str, from_start: bool, texts: list[str], others: list[str]
) -> None:
    asks = v.Matches(whole(pattern, from_start=from_start))
    for text in [*texts, *others]:
        check = v.DataCheck(asks=asks, columns=("a",))
        assert broken(check, pl.DataFrame({"a": [text]})) is (text in others), text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("int64", "integer"), ("Int32Dtype", None), ("UInt8", "integer"), ("BIGINT", "integer"),
        ("IntegerType", "integer"),
        ("float64", "number"), ("DoubleType", "number"), ("DOUBLE PRECISION", "number"),
        ("Decimal(10, 2)", "decimal"), ("NUMERIC", "decimal"), ("boolean", "boolean"), ("bool", "boolean"),
        ("str", "string"), ("string[pyarrow]", "string"), ("VARCHAR(10)", "string"), ("Utf8", "string"),
        ("datetime64[ns, UTC]", "datetime"), ("Datetime(time_unit='us', time_zone=None)", "datetime"),
        ("TIMESTAMP", "datetime"), ("date", "date"), ("Date", "date"), ("timedelta64[ns]", "duration"),
        ("List(Int64)", "list"), ("Struct({'a': Int64})", "struct"), ("object", None), ("category", None),
    ],
)  # fmt: skip
def test_types_are_known_by_every_tools_name(name: str, kind: str | None) -> None:
    assert kind_named(name) == kind


@pytest.mark.parametrize("path", ["a.json", "a.yaml"])
def test_a_schema_of_ours_may_be_json_and_a_suite_may_be_called_anything(path: str) -> None:
    ours, unmapped = read_any(b'{"columns": {"expectations": "integer"}}', path=path)
    assert (ours.columns, unmapped) == ({"expectations": "integer"}, ())
    theirs, _ = read_any((FOLDER / "great_expectations_1.24.json").read_bytes(), path=path)
    assert theirs == suite("great_expectations_1.24.json").schema


# --- files that are broken --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "path", "problem"),
    [
        (b"{}", "a.json", "no suite"),
        (b"a: 1", "a.yaml", "no suite"),
        (b"{", "a.json", "1 fault"),
        (b"[1]", "a.yaml", "1 fault"),
        (b"", "a.json", "no suite"),
        (b"\xff", "a.pbtxt", "1 fault"),
        (b"feature {", "a.pbtxt", "1 fault"),
    ],
)
def test_what_is_no_suite_is_refused(data: bytes, path: str, problem: str) -> None:
    with pytest.raises(FileFaulty, match=problem):
        read_suite(data, path=path)


@pytest.mark.parametrize(
    ("text", "line", "column", "problem"),
    [
        ("feature {\n  name: \n}", 3, 1, "a value is missing here"),
        ("feature {\n  name \n}", 3, 1, "a `:` or a `{` is missing before this"),
        ('a: "x', 1, 4, "this is no text format"),
        ("a {\n b: 1", 2, 6, "a message does not end"),
        ("}", 1, 1, "`}` is no name of a field"),
        ("a {" * 200, 1, 300, "messages nest deeper than 100"),
    ],
)
def test_a_fault_of_a_text_format_has_its_place(text: str, line: int, column: int, problem: str) -> None:
    with pytest.raises(FileFaulty) as caught:
        read_message(text, path="a.pbtxt")
    (fault,) = caught.value.faults
    assert problem in fault.problem
    assert (fault.line, fault.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", {}),
        ("# all\na: 1 # one\nb: -2.5e3, c: 0x1F; d: 017", {"a": [1], "b": [-2500.0], "c": [31], "d": [15]}),
        ("a < b: true > a { b: X }", {"a": [{"b": [True]}, {"b": ["X"]}]}),
        ("a: [1, 2] a: 3", {"a": [1, 2, 3]}),
        ("a: { b: 1 }", {"a": [{"b": [1]}]}),
        (r"""a: "x" 'y\n\"' b: "\303\251\x41\u00e9" """, {"a": ['xy\n"'], "b": ["éAé"]}),
        ("a: inf b: - 3 c: 1.5f", {"a": [float("inf")], "b": [-3], "c": [1.5]}),
        ("[type.googleapis.com/x.Y] { a: 1 }", {"[type.googleapis.com/x.Y]": [{"a": [1]}]}),
    ],
)
def test_the_text_format_is_read(text: str, message: dict[str, Any]) -> None:
    assert read_message(text, path="x") == message


NINES = "9" * 5000


@pytest.mark.parametrize(
    ("text", "left_out"),
    [
        (r'feature { name: "\UFFFFFFFF" type: INT }', []),
        ('feature { name: "a" presence { min_fraction: "x" } }', ["presence"]),
        ('feature { name: "a" presence { min_fraction: 1 min_count: "x" } }', ["presence"]),
        ('feature { name: "a" int_domain: [] }', ["int_domain"]),
        (f'feature {{ name: "a" int_domain {{ max: {NINES[:400]} }} }}', ["max"]),
        (f'feature {{ name: "a" int_domain {{ max: {NINES} }} }}', ["max"]),
        ('feature { name: "a" float_domain { min: nan max: inf } }', ["min", "max"]),
    ],
    ids=lambda one: one[:60] if isinstance(one, str) else "",
)
def test_values_that_no_number_holds_are_left_out_and_listed(text: str, left_out: list[str]) -> None:
    found = read_suite(text.encode(), path="a.pbtxt")
    assert [one.what for one in found.unmapped] == left_out
    assert read(schema_text(found.schema)) == found.schema


def test_an_infinite_count_is_left_out_and_listed() -> None:
    text = "expectations:\n  - {type: expect_table_row_count_to_equal, kwargs: {value: .inf}}\n"
    assert [one.what for one in read_suite(text.encode(), path="a.yaml").unmapped] == [
        "expect_table_row_count_to_equal"
    ]


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda below: st.lists(below, max_size=2) | st.dictionaries(st.text(max_size=3), below, max_size=2),
    max_leaves=3,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@settings(max_examples=tries(150), deadline=None)
@given(st.data())
def test_a_damaged_suite_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for name in FILES if not name.endswith("pbtxt")]))
    written = plain((FOLDER / name).read_bytes(), path=name)
    damaged = copy.deepcopy(written)
    path = data.draw(st.sampled_from(list(places(damaged))))
    below = damaged
    for part in path[:-1]:
        below = below[part]
    below[path[-1]] = data.draw(JSON)
    try:
        found = read_suite(json.dumps(damaged).encode(), path="a.json")
    except FileFaulty:
        return
    assert read(schema_text(found.schema)) == found.schema


@settings(max_examples=tries(100), deadline=None)
@given(st.data())
def test_a_damaged_text_format_is_read_as_far_as_it_goes(data: st.DataObject) -> None:
    signs = (FOLDER / "tensorflow_metadata_1.21.pbtxt").read_text().split("\n")
    at = data.draw(st.integers(0, len(signs) - 1))
    with_other = data.draw(
        st.sampled_from(
            ["", "}", "presence: 3", "int_domain: [1]", "type: 5", "name: 7", "value: -1", 'min_fraction: "x"']
        )
    )
    text = "\n".join([*signs[:at], with_other, *signs[at + data.draw(st.integers(0, 2)) :]])
    try:
        found = read_suite(text.encode(), path="a.pbtxt")
    except FileFaulty:
        return
    assert read(schema_text(found.schema)) == found.schema
