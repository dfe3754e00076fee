"""Features made anew beside those that were served: what differs, whatever types and orders files give them."""

import io
from pathlib import Path

import polars as pl
import pytest

from headway.core.prediction_log import Line, open_name
from headway.core.watch_detail import SkewedRow
from headway.errors import TableUnreadable
from headway.tables.labelled import Wanted
from headway.tables.recomputed import Compared, compared, made, sample
from watched import write_lines

WANTED = Wanted(version=1, since=0.0, until=1000.0)


def line(n: int, *, rows: int = 1, version: int = 1, status: int = 200, customer: int | None = None) -> Line:
    asked = [{"customer": n if customer is None else customer, "visits": n + i, "tags": [1]} for i in range(rows)]
    return Line(
        request_id=f"r{n}", at=float(n), ms=1.0, model="m", version=version, rows=asked,
        predictions=[0] * rows if status == 200 else [], status=status,
    )  # fmt: skip


def logged(folder: Path, *lines: Line) -> str:
    write_lines(str(folder), open_name("predictions", "0" * 16), lines)
    return str(folder)


def test_a_sample_has_each_request_once_and_what_was_asked(tmp_path: Path) -> None:
    folder = logged(tmp_path, *(line(n, rows=2) for n in range(20)), line(30, version=2), line(31, status=500))
    found = sample(folder, WANTED, "request_id", most=8)
    assert found.columns == ["request_id", "row", "at", "customer", "visits", "tags"]
    assert found["row"].to_list() == [0] * 8
    assert found["at"].is_sorted()
    assert found["request_id"].n_unique() == 8
    # The same ones, whoever asks again.
    assert sample(folder, WANTED, "request_id", most=8).equals(found)
    assert not sample(folder, Wanted(version=3, since=0.0, until=1000.0), "request_id", most=8).height


def test_of_one_key_there_is_one_row(tmp_path: Path) -> None:
    folder = logged(tmp_path, *(line(n, customer=n % 3) for n in range(30)))
    assert sorted(sample(folder, WANTED, "customer", most=8)["customer"].to_list()) == [0, 1, 2]


SERVED = pl.DataFrame(
    {
        "request_id": ["a", "b", "c", "d"],
        "row": [0, 0, 0, 0],
        "at": [1.0, 2.0, 3.0, 4.0],
        "visits": [1, 2, 3, None],
        "postcode": ["01234", "", "99", "7"],
        "is_new": [True, False, True, True],
    }
)


def of(anew: str, *columns: str) -> Compared:
    found = compared(SERVED, made(anew.encode(), SERVED, "features"), "request_id", columns)
    assert found is not None
    return found


def differing(found: Compared) -> dict[str, int]:
    return {one.of: one.n_differ for one in found.columns}


def test_what_is_made_alike_does_not_differ_however_it_is_written() -> None:
    anew = "request_id,visits,postcode,is_new\nd,,7,true\nc,3.0000000001,99,1\nb,2.0,,False\na,1,01234,True\n"
    found = of(anew)
    assert (found.n_rows, found.n_differ) == (4, 0)
    assert differing(found) == {"visits": 0, "postcode": 0, "is_new": 0}


def test_parquet_is_known_by_its_first_bytes() -> None:
    data = io.BytesIO()
    SERVED.with_columns(visits=pl.col("visits") + 1).write_parquet(data)
    found = compared(SERVED, made(data.getvalue(), SERVED, "features"), "request_id", ())
    assert found is not None
    assert differing(found) == {"visits": 3, "postcode": 0, "is_new": 0}


def test_what_differs_is_told_with_how_far_and_examples() -> None:
    found = of("request_id,visits,postcode\na,1,1234\nb,12,\nc,33,x\nz,1,1\n", "visits", "postcode")
    assert (found.n_rows, found.n_differ) == (3, 3)
    visits, postcode = found.columns
    assert (visits.n_differ, visits.by) == (2, 20.0)
    assert visits.examples[0] == SkewedRow(request_id="b", served="2", anew="12")
    assert (postcode.n_differ, postcode.by) == (2, None)
    assert postcode.examples == (
        SkewedRow(request_id="a", served="01234", anew="1234"),
        SkewedRow(request_id="c", served="99", anew="x"),
    )


def test_a_value_that_only_one_side_has_differs() -> None:
    found = of("request_id,visits\na,\nd,4\n")
    assert found.columns[0].n_differ == 2
    assert [(one.served, one.anew) for one in found.columns[0].examples] == [("1", "nothing"), ("nothing", "4")]


@pytest.mark.parametrize("anew", ["customer,visits\n1,2\n", "request_id,other\na,2\n"])
def test_without_a_key_or_a_column_in_common_nothing_can_be_compared(anew: str) -> None:
    assert compared(SERVED, made(anew.encode(), SERVED, "features"), "request_id", ()) is None


def test_rows_of_no_request_are_none() -> None:
    assert of("request_id,visits\nz,1\n") == Compared(n_rows=0, n_differ=0, columns=())


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(TableUnreadable, match="what it wrote cannot be read"):
        made(b"", SERVED, "what it wrote")
