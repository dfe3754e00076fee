"""Signatures told from tables."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from headway.core.signature import Field, Kind
from headway.tables.signature import infer

TABLE = pl.DataFrame(
    {
        "age": [30, None, 50, 40],
        "city": ["a", "b", None, "a"],
        "share": [0.5, 0.25, None, 1.0],
        "left": [True, False, True, False],
        "grade": ["x", "y", "x", "z"],
    }
)


def test_columns_keep_their_names_order_and_kinds() -> None:
    told = infer(TABLE, target="left")
    assert [(f.name, f.kind) for f in told.inputs] == [
        ("age", "INT64"),
        ("city", "BYTES"),
        ("share", "FP64"),
        ("grade", "BYTES"),
    ]
    assert told.classes == (False, True)
    assert [(f.name, f.kind, f.width) for f in told.outputs] == [("label", "BOOL", None), ("probabilities", "FP64", 2)]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pl.Series([1], dtype=pl.Int8), "INT8"),
        (pl.Series([1], dtype=pl.UInt64), "UINT64"),
        (pl.Series([1], dtype=pl.Float32), "FP32"),
        (pl.Series(["a"], dtype=pl.Categorical), "BYTES"),
        (pl.Series(["a"], dtype=pl.Enum(["a"])), "BYTES"),
        (pl.Series([Decimal("1.5")]), "FP64"),
        (pl.Series([dt.date(2026, 1, 1)]), None),
        (pl.Series([None]), None),
        (pl.Series([[1]]), None),
    ],
    ids=["int8", "uint64", "float32", "categories", "enum", "decimal", "date", "gaps", "list"],
)
def test_each_kind_of_column_has_its_word_or_none(column: pl.Series, kind: Kind | None) -> None:
    assert infer(column.alias("x").to_frame()).inputs == (Field(name="x", kind=kind),)


def test_the_target_of_texts_has_its_classes_in_order() -> None:
    assert infer(TABLE, target="grade").classes == ("x", "y", "z")


@pytest.mark.parametrize(
    ("values", "classes"),
    [([0, 1] * 3, (0, 1)), (list(range(6)), ()), ([0.0, 1.0] * 3, ())],
    ids=["few-whole-numbers", "a-number-each", "fractions"],
)
def test_numbers_are_classes_only_when_few_and_whole(values: list[float], classes: tuple[int, ...]) -> None:
    told = infer(pl.DataFrame({"x": range(6), "y": values}), target="y")
    assert told.classes == classes
    assert len(told.outputs) == (2 if classes else 1)


def test_without_a_target_there_are_only_inputs() -> None:
    told = infer(TABLE)
    assert (told.outputs, told.classes, len(told.inputs)) == ((), (), 5)
