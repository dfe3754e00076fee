"""Rows on which two models differ: found by key, put in a fair order, written as they were spelt."""

import os
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.errors import ColumnMissing, DataUnreadable, KeyNotUnique, SystemRefused
from headway.tables.disagreements import Keys, answers_in, differing, keys_of, labelled_in, sort_out, write


def csv(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def keys(*texts: str, labelled: tuple[bool, ...] = ()) -> Keys:
    return Keys(pl.Series(texts, dtype=pl.String), pl.Series(labelled or [False] * len(texts), dtype=pl.Boolean))


def test_keys_are_what_the_file_spells(tmp_path: Path) -> None:
    data = csv(tmp_path, "d.csv", "id,x,label\n007,1,\n8,2,1\n9.50,3,\n")
    found = keys_of([data], "id", "label")
    assert found.texts.to_list() == ["007", "8", "9.50"]
    assert found.labelled.to_list() == [False, True, False]
    assert keys_of([data], "id", "other").labelled.to_list() == [False] * 3


def test_a_number_in_one_file_is_its_text_in_another(tmp_path: Path) -> None:
    path = str(tmp_path / "p.parquet")
    pl.DataFrame({"id": [3, 1, 2, 9], "prediction": [0, 1, 1, 1]}).write_parquet(path)
    assert answers_in([path], "id", keys("1", "2", "3").texts, "p").to_list() == [1, 1, 0]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("id,prediction\n1,1\n", DataUnreadable, "p has no prediction for 2 of 3 rows, such as '2' and '3'"),
        ("id,prediction\n1,1\n2,\n3,1\n", DataUnreadable, "no prediction for 1 of 3 rows, such as '2'"),
        ("id,prediction\n1,1.5\n2,nan\n3,1\n", DataUnreadable, "no prediction for 1 of 3 rows, such as '2'"),
        ("id,prediction\n1,1\n2,1\n3,1\n2,0\n", KeyNotUnique, "1 values of id stand in several rows, such as '2'"),
        ("id,prediction\n1,1\n,1\n", DataUnreadable, "1 of 2 rows have no id"),
        ("ids,prediction\n1,1\n", ColumnMissing, "has no column 'id'"),
        ("id,predicted\n1,1\n", ColumnMissing, "has no column 'prediction'"),
    ],
)
def test_predictions_that_do_not_fit_are_refused(tmp_path: Path, text: str, error: type[Exception], said: str) -> None:
    path = csv(tmp_path, "p.csv", text)
    with pytest.raises(error, match=said):
        answers_in([path], "id", keys("1", "2", "3").texts, "p")


@pytest.mark.parametrize(
    ("new", "old", "differ"),
    [
        ([1, 0, 1], [1.0, 1.0, 1.0], [False, True, False]),
        ([True, False], [1, 1], [False, True]),
        (["a", "b"], ["a", "c"], [False, True]),
        ([], [], []),
    ],
    ids=["numbers", "truths", "texts", "none"],
)
def test_answers_differ_by_their_value(new: list[object], old: list[object], differ: list[bool]) -> None:
    assert differing(pl.Series(new), pl.Series(old)).to_list() == differ


def test_texts_and_numbers_are_never_the_same() -> None:
    with pytest.raises(DataUnreadable, match="no two answers can be the same"):
        differing(pl.Series(["a"]), pl.Series([1]))


def test_what_is_labelled_is_left_out_wherever_it_is_labelled(tmp_path: Path) -> None:
    labels = csv(tmp_path, "l.csv", "id,label\n2,1\n3,\n7,0\n")
    done = labelled_in([labels], "id", "label")
    assert sorted(done.to_list()) == ["2", "7"]
    whole = labelled_in([csv(tmp_path, "k.csv", "id\n2\n3\n")], "id", "label")
    assert sorted(whole.to_list()) == ["2", "3"]
    known = keys("1", "2", "3", "4", "5", labelled=(False, False, False, True, False))
    found = sort_out(known, pl.Series([True, True, True, True, False]), done, None)
    assert (found.n_rows, found.n_differ, found.n_labelled, sorted(found.rows)) == (5, 4, 2, [0, 2])


@given(texts=st.lists(st.text(max_size=4), unique=True, max_size=40), seed=st.randoms(use_true_random=False))
def test_the_order_is_the_keys_own_whatever_the_order_of_the_rows(texts: list[str], seed: object) -> None:
    mixed = list(texts)
    seed.shuffle(mixed)  # type: ignore[attr-defined] # hypothesis calls it a random.Random
    none = pl.Series([], dtype=pl.String)

    def order(these: list[str], most: int | None = None) -> list[str]:
        found = sort_out(keys(*these), pl.Series([True] * len(these), dtype=pl.Boolean), none, most)
        return [these[row] for row in found.rows]

    assert order(texts) == order(mixed)
    assert order(mixed, 3) == order(texts)[:3]
    # What comes later is shuffled in: the others stay in their order.
    assert order(texts[: len(texts) // 2]) == [text for text in order(texts) if text in texts[: len(texts) // 2]]


def test_any_first_part_is_a_fair_sample() -> None:
    """Of 10,000 keys the first 1,000 hold about as many of each tenth: chi-square with 9 degrees, below 1 in 1,000."""
    texts = [str(i) for i in range(10_000)]
    found = sort_out(keys(*texts), pl.Series([True] * 10_000), pl.Series([], dtype=pl.String), 1000)
    counts = [sum(i * 1000 <= row < (i + 1) * 1000 for row in found.rows) for i in range(10)]
    assert sum((count - 100) ** 2 / 100 for count in counts) < 27.9
    assert list(found.rows) != sorted(found.rows)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_rows_are_written_whole_in_their_order_with_room_for_the_label(tmp_path: Path, ending: str) -> None:
    data = csv(tmp_path, "d.csv", 'id,label,note\n007,,"a, b"\n8,1,\n9.50,,c\n')
    out = str(tmp_path / f"out.{ending}")
    write([data], [2, 0], "label", out)
    found = pl.read_csv(out, infer_schema=False) if ending == "csv" else pl.read_parquet(out)
    assert found.columns == ["id", "note", "label"]
    assert found.rows() == [("9.50", "c", None), ("007", "a, b", None)]
    assert sorted(os.listdir(tmp_path)) == ["d.csv", f"out.{ending}"]


def test_typed_columns_stay_what_they_are(tmp_path: Path) -> None:
    path = str(tmp_path / "d.parquet")
    table = pl.DataFrame({"id": range(1000), "x": [i / 7 for i in range(1000)]})
    table.write_parquet(path)
    write([path], [999, 3], "label", str(tmp_path / "o.parquet"))
    found = pl.read_parquet(tmp_path / "o.parquet")
    assert found.schema["id"] == pl.Int64
    assert found["x"].to_list() == [999 / 7, 3 / 7]


def test_where_nothing_can_be_written_nothing_is_left(tmp_path: Path) -> None:
    data = csv(tmp_path, "d.csv", "id\n1\n")
    with pytest.raises(SystemRefused, match="cannot be written"):
        write([data], [0], "label", str(tmp_path / "no" / "o.csv"))
    assert os.listdir(tmp_path) == ["d.csv"]
