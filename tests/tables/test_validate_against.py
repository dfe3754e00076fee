"""Checks that take a reference, another table, a label, a query or a function."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headway.core import validation as v
from headway.core.profile import ColumnProfile, Counted, Histogram, Profile
from headway.errors import FileMissing
from headway.tables.batches import Data, open_data
from headway.tables.validate import validate
from written_tables import write

NOW = dt.datetime(2026, 1, 31, tzinfo=dt.UTC).timestamp()
CHANCE = np.random.default_rng(4)


def found(
    folder: Path,
    table: Mapping[str, object],
    ask: v.Ask,
    *columns: str,
    reference: Mapping[str, object] | Profile | None = None,
    other: Mapping[str, object] | None = None,
    form: str = "parquet",
) -> v.Finding:
    path = write(pl.DataFrame(table), folder, form)
    check = v.DataCheck(asks=ask, columns=columns, at="the check")

    def others(name: str) -> Data:
        raise FileMissing("there is no such table", at=name, remedy="check the path")

    paths = [path]
    for name, one in (("before", reference), ("other", other)):
        paths.append(write(pl.DataFrame(one), folder, "parquet", name) if isinstance(one, Mapping) else path)
    with open_data(paths[:1]) as data, open_data(paths[1:2]) as before, open_data(paths[2:]) as there:
        past = before if isinstance(reference, Mapping) else reference
        verdict = validate(
            data, [check], reference=past, others=(lambda _: there) if other is not None else others, now=NOW
        )
        return verdict.findings[0]


def numbers(n: int, mean: float = 0.0, sd: float = 1.0) -> list[float]:
    return [float(one) for one in CHANCE.normal(mean, sd, n)]


def words(n: int, *shares: float) -> list[str]:
    return [str(one) for one in CHANCE.choice(list("abcdef")[: len(shares)], n, p=shares)]


# --- shifts -------------------------------------------------------------------------------------------------------


def test_the_same_distribution_is_no_shift(tmp_path: Path) -> None:
    def table() -> dict[str, object]:
        return {"x": numbers(3000), "c": words(3000, 0.5, 0.3, 0.2), "b": words(3000, 0.9, 0.1)}

    one = found(tmp_path, table(), v.NoShift(), reference=table())
    assert one.outcome == "pass", one.why


def test_numbers_that_moved_are_told(tmp_path: Path) -> None:
    one = found(tmp_path, {"x": numbers(3000, 0.4)}, v.NoShift(), "x", reference={"x": numbers(9000)})
    assert one.outcome == "fail"
    assert one.value == pytest.approx(0.4, abs=0.06)
    assert "x" in one.why


def test_a_small_move_is_not_told_however_many_rows_show_it(tmp_path: Path) -> None:
    one = found(tmp_path, {"x": numbers(30_000, 0.05)}, v.NoShift(least=0.1), "x", reference={"x": numbers(30_000)})
    assert one.outcome == "pass", one.why


def test_categories_that_moved_are_told_with_what_is_new(tmp_path: Path) -> None:
    one = found(
        tmp_path,
        {"c": words(2000, 0.4, 0.3, 0.3)},
        v.NoShift(),
        "c",
        reference={"c": words(2000, 0.6, 0.4)},
    )
    assert one.outcome == "fail"
    assert "`c` being new" in one.why


def test_missing_values_that_came_up_are_told(tmp_path: Path) -> None:
    holed = [None if i % 4 == 0 else value for i, value in enumerate(numbers(2000))]
    one = found(tmp_path, {"x": holed}, v.NoShift(), "x", reference={"x": numbers(2000)})
    assert one.outcome == "fail"
    assert "missing values of x" in one.why


def test_one_absurd_number_is_no_shift(tmp_path: Path) -> None:
    table = {"x": [*numbers(2000), 1e12, float("inf")]}
    one = found(tmp_path, table, v.NoShift(), "x", reference={"x": numbers(2000)})
    assert one.outcome == "pass", one.why


def test_ids_and_times_shift_only_when_they_are_named(tmp_path: Path) -> None:
    start = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - as files hold them

    def table(first: int) -> dict[str, object]:
        rows = range(first, first + 500)
        times = [start + dt.timedelta(hours=row) for row in rows]
        return {"id": list(rows), "name": [f"n{row}" for row in rows], "at": times, "x": numbers(500)}

    assert found(tmp_path, table(500), v.NoShift(), reference=table(0)).outcome == "pass"
    for name in ("id", "at"):
        assert found(tmp_path, table(500), v.NoShift(), name, reference=table(0)).outcome == "fail"


def test_a_profile_is_a_reference_too(tmp_path: Path) -> None:
    counts, edges = np.histogram(numbers(20_000), bins=60)
    x = ColumnProfile(
        name="x",
        kind="number",
        stored_as="Float64",
        n_rows=20_000,
        histogram=Histogram(edges=tuple(edges.tolist()), counts=tuple(counts.tolist())),
        std=1.0,
        mean=0.0,
        quantiles={"0.25": -0.67, "0.5": 0.0, "0.75": 0.67},
    )
    top = (Counted("a", 12_000), Counted("b", 8000))
    c = ColumnProfile(name="c", kind="string", stored_as="String", n_rows=20_000, top=top)
    past = Profile(n_rows=20_000, columns=(x, c))
    still = {"x": numbers(2000), "c": words(2000, 0.6, 0.4)}
    moved = {"x": numbers(2000, 0.5), "c": words(2000, 0.3, 0.7)}
    assert found(tmp_path, still, v.NoShift(), reference=past).outcome == "pass"
    for name in ("x", "c"):
        assert found(tmp_path, moved, v.NoShift(), name, reference=past).outcome == "fail"
    assert found(tmp_path, {"x": [0.1, 9.0]}, v.NoOutlier(), "x", reference=past).n_bad == 1
    assert found(tmp_path, still, v.RowChange(minimum=0.05), reference=past).value == 0.1


def test_without_a_reference_nothing_can_have_shifted(tmp_path: Path) -> None:
    for ask in (v.NoShift(), v.RowChange(minimum=0.5)):
        assert found(tmp_path, {"x": [1.0]}, ask).outcome == "not-applicable"


def test_a_shift_that_cannot_be_measured_is_an_error(tmp_path: Path) -> None:
    assert found(tmp_path, {"x": [1.0]}, v.NoShift(), "x", reference={"y": [1.0]}).outcome == "error"
    assert found(tmp_path, {"x": ["a"]}, v.NoShift(), "x", reference={"x": [1.0]}).outcome == "error"
    empty = {"x": pl.Series([], dtype=pl.Float64)}
    assert found(tmp_path, empty, v.NoShift(), "x", reference={"x": [1.0]}).outcome == "error"


@pytest.mark.parametrize(("n_now", "outcome"), [(120, "pass"), (40, "fail")], ids=["as-many", "half"])
def test_rows_are_counted_against_the_reference(tmp_path: Path, n_now: int, outcome: str) -> None:
    one = found(tmp_path, {"x": [1] * n_now}, v.RowChange(minimum=0.5), reference={"x": [1] * 100})
    assert (one.outcome, one.value) == (outcome, n_now / 100)


def test_outliers_are_told_by_the_quartiles_of_the_reference(tmp_path: Path) -> None:
    table: dict[str, object] = {"x": [100.0, 101.0, 102.0]}
    assert found(tmp_path, table, v.NoOutlier(), "x").n_bad == 0
    assert found(tmp_path, table, v.NoOutlier(), "x", reference={"x": [1.0, 2.0, 3.0]}).n_bad == 3


# --- the log ------------------------------------------------------------------------------------------------------


def test_rows_are_compared_with_the_log_by_their_key(tmp_path: Path) -> None:
    table = {"id": ["a", "b", "c", "d", "e"], "x": [1.0, 2.0, 3.0, None, 5.0], "y": [1, 1, 1, 1, 1]}
    log = {
        "id": ["e", "b", "a", "d", "z"],
        "x": pl.Series([5.0, 2.5, 1.0 + 1e-9, None, 9.0]),
        "y": pl.Series([1, 1, 1, 2, 1], dtype=pl.Int8),
    }
    one = found(tmp_path, table, v.NoSkew(log="log", key="id"), other=log)
    assert (one.outcome, one.n_bad, one.n_rows) == ("fail", 2, 4)
    assert [example.row for example in one.examples] == [2, 4]
    assert found(tmp_path, table, v.NoSkew(log="log", key="id"), "x", other=log).n_bad == 1


def test_a_log_without_any_of_the_rows_tells_nothing(tmp_path: Path) -> None:
    one = found(tmp_path, {"id": [1], "x": [1]}, v.NoSkew(log="log", key="id"), other={"id": [2], "x": [1]})
    assert one.outcome == "error"


def test_without_a_key_the_log_is_compared_as_a_whole(tmp_path: Path) -> None:
    table: dict[str, object] = {"x": numbers(2000)}
    assert found(tmp_path, table, v.NoSkew(log="log"), "x", other={"x": numbers(2000)}).outcome == "pass"
    assert found(tmp_path, table, v.NoSkew(log="log"), "x", other={"x": numbers(2000, 1.0)}).outcome == "fail"


# --- a label ------------------------------------------------------------------------------------------------------


def labelled(n: int = 4000) -> dict[str, object]:
    y = CHANCE.integers(0, 2, n)
    return {
        "id": [f"c{i}" for i in range(n)],
        "noise": numbers(n),
        "hint": [float(one) for one in y + CHANCE.normal(0, 1, n)],
        "leak": [float(one) for one in y * 10 + CHANCE.normal(0, 0.1, n)],
        "word": ["gone" if one else "there" for one in y],
        "y": y.tolist(),
    }


@pytest.mark.parametrize("name", ["leak", "word"])
def test_a_column_that_tells_the_label_is_found(tmp_path: Path, name: str) -> None:
    one = found(tmp_path, labelled(), v.HidesLabel(label="y"), name)
    assert one.outcome == "fail"
    assert one.value == pytest.approx(1, abs=0.02)
    assert name in one.why


def test_an_id_and_a_hint_tell_no_label(tmp_path: Path) -> None:
    one = found(tmp_path, labelled(), v.HidesLabel(label="y"), "id", "noise", "hint")
    assert one.outcome == "pass"
    assert one.value == pytest.approx(0.2, abs=0.1)


def test_the_worst_of_all_columns_is_told(tmp_path: Path) -> None:
    table = labelled()
    table["price"] = [3.0 * one + 1 for one in table["noise"]]  # type: ignore[attr-defined] # numbers
    one = found(tmp_path, table, v.HidesLabel(label="price"))
    assert one.outcome == "fail"
    assert "noise" in one.why


def test_few_rows_tell_nothing_of_a_label(tmp_path: Path) -> None:
    assert found(tmp_path, {"x": [1, 2], "y": [0, 1]}, v.HidesLabel(label="y")).outcome == "error"


# --- what a person wrote ------------------------------------------------------------------------------------------

TABLE: dict[str, object] = {"a": [1, 2, 3, 4], "c": ["x", "y", "x", None]}


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("query", "n_bad", "rows"),
    [
        ("SELECT * FROM data WHERE a > 2", 2, [3, 4]),
        ("SELECT row FROM data WHERE c = 'y';", 1, [2]),
        ("SELECT c FROM data GROUP BY c HAVING count(*) > 1", 1, []),
        ("FROM data WHERE a > 10", 0, []),
    ],
    ids=["rows", "numbers", "groups", "none"],
)
def test_a_query_gives_the_bad_rows(tmp_path: Path, form: str, query: str, n_bad: int, rows: list[int]) -> None:
    one = found(tmp_path, TABLE, v.SqlFinds(query), form=form)
    assert (one.outcome, one.n_bad) == ("fail" if n_bad else "pass", n_bad), one.why
    assert [example.row for example in one.examples] == rows


@pytest.mark.parametrize(
    "query",
    [
        "SELECT nothing FROM data",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('{here}/secret.txt')",
        "COPY data TO '{here}/out.csv'",
        "INSTALL httpfs",
        "no query",
    ],
)
def test_a_query_that_fails_or_looks_elsewhere_is_an_error(tmp_path: Path, query: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    one = found(tmp_path, TABLE, v.SqlFinds(query.replace("{here}", str(tmp_path))))
    assert one.outcome == "error"
    assert one.remedy
    assert "secret\n" not in one.why
    assert not (tmp_path / "out.csv").exists()


def test_a_query_sees_several_files_as_one_table(tmp_path: Path) -> None:
    paths = [write(pl.DataFrame({"a": [i, i + 1]}), tmp_path, "parquet", f"d{i}") for i in (1, 3)]
    check = v.DataCheck(asks=v.SqlFinds("SELECT * FROM data WHERE a = 4"))
    with open_data(paths) as data:
        (one,) = validate(data, [check], now=NOW).findings
    assert [(example.row, example.file, example.values["a"]) for example in one.examples] == [(4, paths[1], "4")]


FUNCTIONS = """
import polars as pl

def truth(frame): return frame.select(pl.len()).collect().item() == 4
def lie(frame): return False
def expression(frame): return pl.col("a") < 3
def column(frame): return frame.select(pl.col("a") < 3).collect().to_series()
def query(frame): return frame.select(pl.col("a") < pl.col("a").mean())
def null(frame): return pl.col("c") == "x"
def number(frame): return 3
def nothing(frame): return frame.select(pl.lit(None, dtype=pl.Boolean))
def leaves(frame): raise SystemExit(0)
def short(frame): return frame.head(2).select(pl.col("a") < 3)
def broken(frame):
    return frame.no_such_method()
"""


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.parametrize(
    ("name", "outcome", "n_bad"),
    [
        ("truth", "pass", None),
        ("lie", "fail", None),
        ("expression", "fail", 2),
        ("column", "fail", 2),
        ("query", "fail", 2),
        ("null", "fail", 1),
        ("number", "error", None),
        ("nothing", "error", None),
        ("leaves", "error", None),
        ("short", "error", None),
    ],
)
def test_a_function_says_what_is_good(tmp_path: Path, form: str, name: str, outcome: str, n_bad: int | None) -> None:
    (tmp_path / "mine.py").write_text(FUNCTIONS)
    one = found(tmp_path, TABLE, v.FunctionHolds(function=f"{tmp_path}/mine.py:{name}"), form=form)
    assert (one.outcome, one.n_bad) == (outcome, n_bad), one.why
    assert len(one.examples) == (n_bad or 0)


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        (FUNCTIONS, "broken", "mine.py:15: AttributeError"),
        ("x = (\n", "f", "mine.py:1: SyntaxError"),
        ("\nraise ValueError('at once')\n", "f", "mine.py:2: ValueError: at once"),
        ("import sys\nsys.exit(0)\n", "f", "mine.py:2: SystemExit: 0"),
        ("", "f", "no function 'f'"),
    ],
    ids=["in-the-function", "syntax", "at-import", "leaves", "absent"],
)
def test_a_fault_in_a_function_is_told_with_its_line(tmp_path: Path, text: str, name: str, said: str) -> None:
    (tmp_path / "mine.py").write_text(text)
    one = found(tmp_path, TABLE, v.FunctionHolds(function=f"{tmp_path}/mine.py:{name}"))
    assert one.outcome == "error"
    assert said in one.why


@pytest.mark.parametrize(
    "ask",
    [
        v.FunctionHolds(function="nowhere.py:f"),
        v.FunctionHolds(function="f"),
        v.IsKnown(other="nowhere"),
        v.NotShared("x"),
    ],
    ids=["no-file", "no-name", "no-table", "no-split"],
)
def test_what_is_missing_is_an_error_and_no_pass(tmp_path: Path, ask: v.Ask) -> None:
    one = found(tmp_path, TABLE, ask, "a")
    assert one.outcome == "error"
    assert one.remedy
