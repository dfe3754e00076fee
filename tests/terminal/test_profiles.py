"""What people see of a profile: a line for each column, or all of some, in the width that there is."""

import pytest
from syrupy.assertion import SnapshotAssertion

from headway.core.profile import ColumnProfile, Correlation, Counted, Histogram, Lengths, Profile
from headway.core.profile_words import few_digits, measured, remarks, told
from headway.core.validation import Kind
from headway.terminal.profiles import details, sparkline, table
from headway.terminal.width import cells

FARE = ColumnProfile(
    name="fare", kind="number", stored_as="text", n_rows=1000, n_null=100, n_nan=2, n_zero=0, n_distinct=880,
    distinct_error=0.008, minimum=0.5, maximum=12345.678, mean=14.25, std=3.5, n_misfit=3,
    quantiles={"0.01": 1.0, "0.25": 2.0, "0.5": 3.14159, "0.75": 20.0, "0.99": 50.0},
    histogram=Histogram(edges=(0.0, 10.0, 20.0, 30.0, 12345.678), counts=(500, 300, 0, 95)),
    misfits=(Counted("free", 2), Counted("\x1b[31mred", 1)),
)  # fmt: skip
CITY = ColumnProfile(
    name="the city of departure", kind="string", stored_as="String", n_rows=1000, n_distinct=3,
    minimum="Oslo", maximum="东京", lengths=Lengths(minimum=2, maximum=4, mean=3.9),
    top=(Counted("Oslo", 600), Counted("Rome", 390), Counted("东京", 10)),
    patterns=(Counted("Aaaa", 990), Counted("东京", 10)),
)  # fmt: skip
AT = ColumnProfile(
    name="at", kind="datetime", stored_as="Datetime(us, UTC)", n_rows=1000, n_distinct=1000, is_increasing=True,
    minimum="2024-01-01T00:00:00+00:00", maximum="2024-01-02T06:00:00+00:00", mean=1704110400.0, std=7200.0,
    quantiles={"0.5": 1704110400.0},
    histogram=Histogram(edges=(1704067200.0, 1704110400.0, 1704153600.0, 1704196800.0), counts=(400, 400, 200)),
)  # fmt: skip
NOTHING = ColumnProfile(name="note", kind="null", stored_as="text", n_rows=1000, n_null=1000)
WHOLE = Profile(
    n_rows=1000, columns=(FARE, CITY, AT, NOTHING), correlations=(Correlation(one="fare", other="x", r=0.5),)
)


@pytest.mark.parametrize("columns", [200, 60])
def test_a_table_is_shown_in_lines(snapshot: SnapshotAssertion, columns: int) -> None:
    lines = table(WHOLE, called="trips.csv", columns=columns, unicode=True)
    assert all(cells(line) <= columns for line in lines)
    assert not any("\x1b" in line for line in lines)
    assert "\n".join(lines) == snapshot


def test_a_column_is_shown_in_full(snapshot: SnapshotAssertion) -> None:
    shown = [details(column, columns=80, unicode=True) for column in WHOLE.columns]
    assert all(cells(line) <= 80 for lines in shown for line in lines)
    assert "\n\n".join("\n".join(lines) for lines in shown) == snapshot


def test_without_blocks_it_is_shown_in_ascii() -> None:
    lines = table(WHOLE, called="trips.csv", columns=200, unicode=False)
    assert all(line.replace("东京", "").isascii() for line in lines)


def test_bars_are_joined_until_they_fit() -> None:
    histogram = Histogram(edges=tuple(map(float, range(101))), counts=(1,) + (0,) * 49 + (100,) * 50)
    assert sparkline(histogram, 10, unicode=True) == "▁    █████"


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("number", 1234.56, "1,235"),
        ("number", 0.00001234567, "1.235e-05"),
        ("datetime", 1704110461.0, "2024-01-01 12:01:01"),
        ("datetime", 1e18, "1e+18"),
        ("date", 1704110461.0, "2024-01-01"),
        ("time", 3661.0, "01:01:01"),
        ("duration", 1.5, "1.5 s"),
    ],
)
def test_a_measure_is_told_as_its_column_is(kind: Kind, value: float, said: str) -> None:
    assert measured(ColumnProfile(name="x", kind=kind, stored_as="", n_rows=1), value) == said


def test_what_stands_out_is_remarked() -> None:
    def said(**values: object) -> list[str]:
        column: dict[str, object] = {"name": "x", "kind": "integer", "stored_as": "Int64", "n_rows": 1000, **values}
        return remarks(ColumnProfile(**column))  # type: ignore[arg-type] # each test gives what it is about

    assert said(n_distinct=1) == ["always the same"]
    assert said(n_distinct=5, top=(Counted(7, 995),)) == ["99.5 % are 7"]
    assert said(n_distinct=5, n_zero=600) == ["60.0 % zeros"]
    assert said(n_distinct=1000) == ["all different"]
    assert said(n_distinct=1000, distinct_error=0.008) == []
    assert said(n_distinct=9, n_infinite=2, is_increasing=True) == ["2 infinite", "in order"]
    assert said(n_null=1000) == ["no value at all"]
    assert said(n_rows=0) == []


def test_values_are_told_plainly() -> None:
    assert [told(AT, "2024-01-01T00:00:00"), told(FARE, None), told(FARE, True)] == ["2024-01-01 00:00:00", "-", "true"]
    assert few_digits(-1234567.8) == "-1,234,568"
