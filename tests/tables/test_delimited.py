"""What is no CSV is refused before it takes up the memory, or waits for somebody: rows without end, pipes."""

import os
from pathlib import Path

import pytest

from headway.errors import TableUnreadable
from headway.tables.batches import open_data


def refusal(path: Path) -> TableUnreadable:
    with pytest.raises(TableUnreadable) as caught, open_data([str(path)]) as data:
        list(data.batches())
    return caught.value


@pytest.mark.parametrize(("row", "said"), [(b"1", "a row has no end"), (b'1,"', "a quote is opened")])
def test_a_row_without_an_end_is_refused_before_all_of_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: bytes, said: str
) -> None:
    monkeypatch.setattr("headway.tables.delimited.ROW_BYTES_MOST", 10 << 20)
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n" + row + b"x" * (30 << 20))
    error = refusal(path)
    assert said in error.problem
    assert error.at == f"{path}:3"


def test_a_table_of_one_column_is_told_in_the_singular(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1,2\n")
    assert "a row has 2 values, and there is 1 column" in refusal(tmp_path / "a.csv").problem


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.csv")
    error = refusal(tmp_path / "a.csv")
    assert "pipe" in error.problem
    assert "file first" in error.remedy
