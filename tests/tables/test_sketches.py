"""Sketches: what is counted of lines is what is counted of tables and by hand, and no row counts twice."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter as Tally
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zstandard import ZstdDecompressor

from headway.codec import prediction_line
from headway.codec.wire import digest_of
from headway.core.prediction_log import open_name, segment, sketch_name
from headway.core.reference import MISSING, OTHER, Axis, Calibration, Layout, layout_id
from headway.core.sketch import UNIT, Sketch, merge, ms_edges
from headway.stats.estimate import estimate
from headway.tables import prediction_log as log
from headway.tables import sketches
from headway.tables.sketches import Known, files
from headway.tables.sketches.counter import Counter
from headway.tables.sketches.files import write_layout
from tries import tries

AGE = Axis(name="age", kind="number", edges=(0.0, 10.0, 10.5, 1e6))
PLAN = Axis(name="plan", kind="category", values=("a", 1, True, 2.5))
CALIBRATION = Calibration(
    at=(0.1, 0.4, 0.6, 0.9), chances=(0.0, 0.3, 0.3, 1.0), blocks=(0, 1, 1, 2), variances=(0.01, 0.02, 0.03)
)
LAYOUT = Layout(
    version=2,
    inputs=(AGE, PLAN),
    outputs=(
        Axis(name="prediction", kind="category", values=(0, 1)),
        Axis(name="probability.1", kind="number", edges=(0.25, 0.5, 0.75)),
    ),
    yes=1,
    calibration=CALIBRATION,
    cell_rows=4,
)
HOUR = 3600.0


def line(request_id: str, at: float, rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    rows = [{"age": 5.0, "plan": "a"}] if rows is None else rows
    return {
        "request_id": request_id, "at": at, "ms": 1.5, "model": "m", "version": 2, "rows": rows,
        "predictions": [1] * len(rows), "classes": [0, 1], "probabilities": [[0.2, 0.8]] * len(rows), **more,
    }  # fmt: skip


def write(folder: Path, token: str, lines: list[dict[str, Any]]) -> Path:
    path = folder / open_name("predictions", token)
    with path.open("a") as f:
        f.writelines(json.dumps(one) + "\n" for one in lines)
    return path


def seal(path: Path) -> Path:
    sealed = log.seal(str(path))
    assert sealed is not None
    return Path(sealed)


def counted(folder: Path, layout: Layout = LAYOUT, known: Known | None = None) -> Known:
    return sketches.read(str(folder), layout, known)


def n_requests(known: Known) -> int:
    return sum(cell.n_requests for cell in known.cells)


# --- counting -------------------------------------------------------------------------------------------------------

CELLS = (
    st.none()
    | st.booleans()
    | st.integers(-5, 20)
    | st.sampled_from(
        [2**70, -(2**70), 10.0, 10.25, 10.5, 2.5, 1e300, 1.0, "a", "b", "10", "1", "true", "-0.5e1", " 5"]
    )
    | st.lists(st.integers(0, 2), max_size=2)
)
REQUESTS = st.tuples(
    st.lists(st.dictionaries(st.sampled_from(["age", "plan", "more"]), CELLS), min_size=1, max_size=6),
    st.sampled_from([0.0, 1.0, HOUR, 5 * HOUR]),
    st.sampled_from([0.01, 1.5, 100.0, 1e6]),
    st.sampled_from(["usual", "usual", "usual", "failed", "unreadable", "shadow", "no chances", "short"]),
)


def entry(i: int, request: tuple[list[dict[str, Any]], float, float, str]) -> dict[str, Any]:
    """A line of any kind; answers are made of the number of the request and row."""
    rows, later, ms, kind = request
    at, n = 1e9 + later + i / 1000, len(rows)
    chances = [[1 - p, p] for p in (((7 * i + 3 * k) % 11) / 10 for k in range(n))]
    more: dict[str, Any] = {"ms": ms, "probabilities": chances, "predictions": [(i + k) % 3 for k in range(n)]}
    if kind in ("failed", "unreadable"):
        more = {"predictions": [], "classes": [], "probabilities": [], "status": 400 if i % 2 else 503}
        rows = rows if kind == "failed" else []
    elif kind == "shadow":
        more["is_shadow"] = True
    elif kind == "no chances":
        more |= {"classes": [], "probabilities": []}
    elif kind == "short":
        rows = rows[:-1]
    return line(f"r{i}", at, rows, **more)


def cell_of_age(value: Any) -> int:
    if value is None:
        return MISSING
    if isinstance(value, bool | list) or value in ("a", "b", "true", " 5"):
        return OTHER
    return 2 + sum(float(value) > edge for edge in AGE.edges)


def cell_of(value: Any, values: tuple[Any, ...]) -> int:
    if value is None:
        return MISSING
    names = ["a", "1", "true", "2.5"] if values == PLAN.values else ["0", "1"]
    is_whole = isinstance(value, float) and value.is_integer()
    name = value if isinstance(value, str) else json.dumps(int(value) if is_whole else value)
    return 2 + names.index(name) if name in names else OTHER


def by_hand(entries: list[dict[str, Any]]) -> tuple[int, Tally[int], list[Tally[int]], list[tuple[float, bool]]]:
    """Requests, failures, the cells of each axis, and each row's score with whether it says yes."""
    n, failures = 0, Tally[int]()
    cells, scored = [Tally[int]() for _ in range(4)], list[tuple[float, bool]]()
    for one in entries:
        if one.get("is_shadow"):
            continue
        n += 1
        if "status" in one:
            failures[one["status"]] += 1
            continue
        for i, told in enumerate(one["predictions"]):
            row = one["rows"][i] if i < len(one["rows"]) else {}
            chance = one["probabilities"][i][1] if one["probabilities"] else None
            cells[0][cell_of_age(row.get("age"))] += 1
            cells[1][cell_of(row.get("plan"), PLAN.values)] += 1
            cells[2][cell_of(told, (0, 1))] += 1
            cells[3][MISSING if chance is None else 2 + sum(chance > edge for edge in (0.25, 0.5, 0.75))] += 1
            if chance is not None:
                scored.append((chance, told == 1))
    return n, failures, cells, scored


def in_order(cells: Iterable[Sketch]) -> list[Sketch]:
    """Cells of disordered rows have no order of their own."""
    return sorted(cells, key=lambda cell: (cell.first_at, cell.last_at))


@settings(max_examples=tries(25), deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=8), st.integers(1, 9))
def test_lines_tables_and_hands_count_the_same(tmp_path_factory: Any, requests: list[Any], at_once: int) -> None:
    entries = [entry(i, one) for i, one in enumerate(requests)]
    n, failures, cells, scored = by_hand(entries)
    folder = tmp_path_factory.mktemp("log")
    path = write(folder, "aa", entries)
    from_open = counted(folder).cells
    sealed = seal(path)
    from_sealed = files.count(str(sealed), LAYOUT).cells
    assert in_order(from_open) == in_order(from_sealed)
    counter = Counter(LAYOUT)
    lines = [prediction_line.opened(prediction_line.decode(json.dumps(one).encode())) for one in entries]
    for begins in range(0, len(lines), at_once):
        counter.add(lines[begins : begins + at_once])
        counter.cells()
    assert in_order(counter.cells()) == in_order(from_open)
    if not n:
        assert from_open == ()
        return
    whole = merge(from_open)
    assert (whole.n_requests, whole.failures) == (n, dict(failures))
    assert whole.n_rows == sum(cells[0].values())
    for axis, own in zip(whole.table, cells, strict=True):
        assert {cell: int(n) for cell, n in enumerate(axis) if n} == dict(own)
    chances = CALIBRATION.isotonic(np.array([chance for chance, _ in scored]))
    for at, says_yes in ((0, True), (3, False)):
        told = [p for p, (_, yes) in zip(chances, scored, strict=True) if yes == says_yes]
        assert whole.sums[at] == len(told)
        assert whole.sums[at + 1] / UNIT == pytest.approx(sum(told), abs=1e-9)
        assert whole.sums[at + 2] / UNIT == pytest.approx(sum(p * (1 - p) for p in told), abs=1e-9)
    assert whole.blocks.sum(axis=1).tolist() == pytest.approx([whole.sums[0], whole.sums[3]])
    assert (whole.blocks @ [0.0, 0.3, 1.0]).sum() == pytest.approx(sum(chances), abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.lists(REQUESTS, min_size=1, max_size=8))
def test_a_cell_has_an_hour_and_so_many_rows_at_most(requests: list[Any]) -> None:
    entries = [entry(i, one) for i, one in enumerate(requests)]
    counter = Counter(LAYOUT)
    counter.add([prediction_line.opened(prediction_line.decode(json.dumps(one).encode())) for one in entries])
    cells = counter.cells()
    assert all(cell.n_rows <= LAYOUT.cell_rows for cell in cells)
    assert all(cell.first_at // HOUR == cell.last_at // HOUR for cell in cells)
    by_hour = Tally(cell.first_at // HOUR for cell in cells)
    for hour, n in by_hour.items():
        rows = sum(cell.n_rows for cell in cells if cell.first_at // HOUR == hour)
        # Of each hour only the last one is not full; or it holds nothing but failures.
        assert n in (-(-rows // LAYOUT.cell_rows), rows // LAYOUT.cell_rows + 1)


def test_times_of_answers_lie_in_their_cells() -> None:
    counter = Counter(LAYOUT)
    entries = [line(f"r{i}", 1e9, ms=ms) for i, ms in enumerate((0.01, 0.05, 0.051, 79_000.0, 1e6))]
    entries.append(line("f", 1e9, [], status=500, ms=0.01))
    counter.add([prediction_line.opened(prediction_line.decode(json.dumps(one).encode())) for one in entries])
    times = merge(counter.cells()).times
    assert {cell: int(n) for cell, n in enumerate(times) if n} == {0: 2, 1: 1, 62: 1, 63: 1}
    assert len(times) == len(ms_edges()) + 1


def test_a_model_of_several_outputs_is_counted_output_by_output(tmp_path: Path) -> None:
    layout = Layout(
        version=2,
        inputs=(),
        outputs=tuple(Axis(name=f"prediction.{i}", kind="number", edges=(0.0,)) for i in range(2)),
    )
    path = write(tmp_path, "aa", [line("r", 1e9, [{}, {}], predictions=[[1.0, -1.0], [None, 2.0]])])
    from_open = merge(counted(tmp_path, layout).cells)
    assert from_open.table[:, :4].tolist() == [[1, 0, 0, 1], [0, 0, 1, 1]]
    assert list(files.count(str(seal(path)), layout).cells) == [from_open]


def test_where_the_answer_is_the_chance_the_threshold_says_yes() -> None:
    layout = Layout(
        version=2,
        inputs=(),
        outputs=(Axis(name="prediction", kind="number", edges=(0.5,)),),
        yes=1,
        threshold=0.4,
        calibration=CALIBRATION,
    )
    counter = Counter(layout)
    counter.add_frame(
        pl.DataFrame({"request_id": ["a", "b"], "row": [0, 0], "at": [1.0, 2.0], "ms": 1.0, "prediction": [0.4, 0.39]})
    )
    assert merge(counter.cells()).sums[::3] == (1, 1)


def test_a_window_of_20_features_takes_less_than_8_kilobytes() -> None:
    rng = np.random.default_rng(1)
    n_blocks = 62
    layout = Layout(
        version=1,
        inputs=tuple(
            Axis(name=f"f{i}", kind="number", edges=tuple(np.linspace(-3, 3, 61).tolist())) for i in range(20)
        ),
        outputs=(
            Axis(name="prediction", kind="category", values=(0, 1)),
            Axis(name="probability.1", kind="number", edges=tuple(np.linspace(0.01, 0.99, 61).tolist())),
        ),
        yes=1,
        calibration=Calibration(
            at=tuple(np.linspace(0, 1, n_blocks).tolist()),
            chances=tuple(np.linspace(0, 1, n_blocks).tolist()),
            blocks=tuple(range(n_blocks)),
            variances=(0.01,) * n_blocks,
        ),
    )
    chances = rng.random(5_000)
    frame = pl.DataFrame(
        {f"feature.f{i}": rng.normal(size=5_000) for i in range(20)}
        | {"prediction": (chances > 0.5).astype(int), "probability.1": chances, "at": 1e9 + np.arange(5_000) / 1e3}
        | {"ms": rng.random(5_000), "row": np.zeros(5_000, dtype=int), "request_id": [str(i) for i in range(5_000)]}
    )
    counter = Counter(layout)
    counter.add_frame(frame)
    cells = counter.cells()
    assert [cell.n_rows for cell in cells] == [1000] * 5
    assert max(len(msgspec.msgpack.encode(cell)) for cell in [*cells, merge(cells)]) <= 8 * 1024


def test_sums_give_what_an_estimate_by_rows_gives() -> None:
    rng = np.random.default_rng(5)
    scores = rng.random(3_000)
    says = scores + rng.normal(0, 0.2, 3_000) > 0.5
    counter = Counter(LAYOUT)
    counter.add_frame(
        pl.DataFrame(
            {"request_id": [str(i) for i in range(3_000)], "row": 0, "at": 1e9 + np.arange(3_000.0), "ms": 1.0}
            | {"prediction": says.astype(int), "probability.1": scores}
        )
    )
    whole = merge(counter.cells())
    n_yes, tp, _, n_no, fn, _ = whole.sums
    accuracy = (tp / UNIT + n_no - fn / UNIT) / (n_yes + n_no)
    by_rows = estimate("accuracy", CALIBRATION.isotonic, scores, says)
    assert accuracy == pytest.approx(by_rows.value, abs=1e-9)
    # And its range, both parts of it: that of the labels, that of the calibration.
    moves = np.array([1.0, -1.0]) / 3_000
    labels = (whole.sums[2] + whole.sums[5]) / UNIT / 3_000**2
    fit = float(np.sum((moves @ whole.blocks) ** 2 * np.array(CALIBRATION.variances)))
    assert 1.959963984540054 * np.sqrt(labels + fit) == pytest.approx(by_rows.value - by_rows.low, abs=1e-9)


# --- reading a log ------------------------------------------------------------------------------------------------


def settled(folder: Path) -> None:
    """As if the folder was changed a while ago."""
    then = os.stat(folder).st_mtime - 60
    os.utime(folder, (then, then))


def test_what_is_new_is_counted_once_while_a_file_grows_and_is_sealed(tmp_path: Path) -> None:
    assert counted(tmp_path / "nothing") == Known(layout=LAYOUT, digest=layout_id(LAYOUT))
    path = write(tmp_path, "aa", [line("a", 1e9), line("b", 1e9 + 1)])
    known = counted(tmp_path)
    assert n_requests(known) == 2
    with path.open("a") as f:
        f.write(json.dumps(line("c", 1e9 + 2)) + "\n" + json.dumps(line("d", 1e9 + 3))[:20])
    known = counted(tmp_path, known=known)
    assert n_requests(known) == 3
    with path.open("a") as f:
        f.write(json.dumps(line("d", 1e9 + 3))[20:] + "\n")
    known = counted(tmp_path, known=known)
    as_open = known.cells
    assert n_requests(known) == 4
    seal(path)
    known = counted(tmp_path, known=known)
    assert known.cells == as_open
    assert counted(tmp_path).cells == as_open


def test_looking_when_nothing_is_new_gives_what_was_known(tmp_path: Path) -> None:
    seal(write(tmp_path, "aa", [line("a", 1e9)]))
    path = write(tmp_path, "bb", [line("b", 1e9 + 9)])
    known = counted(tmp_path)
    # A folder that changed just now may change again within the same tick of its clock.
    assert counted(tmp_path, known=known) is not known
    settled(tmp_path)
    known = counted(tmp_path, known=known)
    assert counted(tmp_path, known=known) is known
    assert counted(tmp_path, known=known.from_(known.since)) is known
    with path.open("a") as f:
        f.write(json.dumps(line("c", 1e9 + 10)) + "\n")
    known = counted(tmp_path, known=known)
    assert n_requests(known) == 3
    seal(path)
    known = counted(tmp_path, known=known)
    assert n_requests(known) == 3


def test_sketches_beside_a_segment_are_read_instead_of_its_rows(tmp_path: Path) -> None:
    write_layout(str(tmp_path), LAYOUT)
    path = seal(write(tmp_path, "aa", [line("a", 1e9), line("b", 1e9 + 1)]))
    files.sketch(str(path))
    assert (tmp_path / sketch_name(path.name)).exists()
    path.write_bytes(b"")
    assert n_requests(counted(tmp_path)) == 2


def test_a_segment_without_sketches_gets_them(tmp_path: Path) -> None:
    path = seal(write(tmp_path, "aa", [line("a", 1e9)]))
    sketch = tmp_path / sketch_name(path.name)
    assert n_requests(sketches.read(str(tmp_path), LAYOUT, keep=False)) == 1
    assert not sketch.exists()
    first = counted(tmp_path)
    assert sketch.exists()
    assert counted(tmp_path).cells == first.cells


@pytest.mark.parametrize("fault", ["empty", "cut", "flipped", "of another length", "foreign"])
def test_a_damaged_sketch_is_made_again(tmp_path: Path, fault: str) -> None:
    path = seal(write(tmp_path, "aa", [line(f"r{i}", 1e9 + i) for i in range(9)]))
    right = counted(tmp_path)
    sketch = tmp_path / sketch_name(path.name)
    whole = sketch.read_bytes()
    flipped = whole[:120] + bytes([whole[120] ^ 1]) + whole[121:]
    sketch.write_bytes(
        {"empty": b"", "cut": whole[:-1], "flipped": flipped, "of another length": whole + b"x", "foreign": b"x" * 200}[
            fault
        ]
    )
    assert counted(tmp_path).cells == right.cells
    assert sketch.read_bytes() == whole


@pytest.mark.slow
def test_a_sketch_cut_or_flipped_anywhere_is_made_again(tmp_path: Path) -> None:
    path = seal(write(tmp_path, "aa", [line(f"r{i}", 1e9 + i) for i in range(9)]))
    right = counted(tmp_path)
    sketch = tmp_path / sketch_name(path.name)
    whole = sketch.read_bytes()
    for at in range(len(whole)):
        for content in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]):
            sketch.write_bytes(content)
            assert counted(tmp_path).cells == right.cells
    assert sketch.read_bytes() == whole


def test_on_another_layout_all_is_counted_anew(tmp_path: Path) -> None:
    seal(write(tmp_path, "aa", [line("a", 1e9), line("b", 1e9 + 1)]))
    write(tmp_path, "bb", [line("c", 1e9 + 2)])
    known = counted(tmp_path)
    other = msgspec.structs.replace(LAYOUT, inputs=(AGE,), cell_rows=1)
    changed = counted(tmp_path, other, known)
    assert [cell.n_rows for cell in changed.cells] == [1, 1, 1]
    assert {cell.layout for cell in changed.cells} == {layout_id(other)}
    assert counted(tmp_path, other).cells == changed.cells
    # And back again.
    assert counted(tmp_path, LAYOUT, changed).cells == known.cells


def test_only_the_version_of_the_layout_is_counted(tmp_path: Path) -> None:
    for version, token in ((1, "aa"), (2, "bb"), (3, "cc")):
        path = write(tmp_path, token, [line("a", 1e9, version=version)])
        if version != 3:
            seal(path)
    known = counted(tmp_path)
    assert n_requests(known) == 1
    write(tmp_path, "cc", [line("b", 1e9, version=3)])
    assert n_requests(counted(tmp_path, known=known)) == 1


def test_damaged_lines_are_passed_over_as_where_they_are_sealed(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line("a", 1e9)])
    with path.open("a") as f:
        f.write("not a line\n" + json.dumps(line("b", 1e9 + 1)) + "\n" + json.dumps({"request_id": "c"}) + "\n")
    as_open = counted(tmp_path)
    assert n_requests(as_open) == 2
    seal(path)
    assert counted(tmp_path).cells == as_open.cells


def test_a_damaged_segment_is_told_and_the_others_count(tmp_path: Path) -> None:
    bad = seal(write(tmp_path, "aa", [line("a", 1e9)]))
    seal(write(tmp_path, "bb", [line("b", 1e9 + 1)]))
    bad.write_bytes(bad.read_bytes()[:-30])
    known = counted(tmp_path)
    assert known.unreadable == (bad.name,)
    assert n_requests(known) == 1
    assert counted(tmp_path, known=known).unreadable == (bad.name,)


def test_a_file_that_lost_its_end_is_counted_from_its_beginning(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line(f"r{i}", 1e9 + i) for i in range(5)])
    known = counted(tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]))
    known = counted(tmp_path, known=known)
    assert n_requests(known) == 2
    write(tmp_path, "aa", [line("new", 1e9 + 9)])
    assert n_requests(counted(tmp_path, known=known)) == 3


def test_what_is_deleted_because_it_is_old_still_counts_until_it_is_forgotten(tmp_path: Path) -> None:
    old = seal(write(tmp_path, "aa", [line("a", 1e9)]))
    write(tmp_path, "bb", [line("b", 1e9 + 100)])
    known = counted(tmp_path)
    os.unlink(old)
    known = counted(tmp_path, known=known)
    assert n_requests(known) == 2
    known = counted(tmp_path, known=known.from_(1e9 + 50))
    assert n_requests(known) == 1
    assert list(known.files) == ["bb"]
    # What lies beside it is of no use then.
    (tmp_path / sketch_name(old.name)).unlink()


def test_of_a_time_on_older_segments_are_not_opened(tmp_path: Path) -> None:
    old = seal(write(tmp_path, "aa", [line("a", 1e9)]))
    seal(write(tmp_path, "bb", [line("b", 1e9 + 100)]))
    old.write_bytes(b"")
    known = counted(tmp_path, known=Known(since=1e9 + 50))
    assert (n_requests(known), known.unreadable) == (1, ())


def test_a_segment_that_appears_while_it_is_listed_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "aa", [line("a", 1e9)])
    real = os.listdir
    lists: list[list[str]] = [real(tmp_path)]
    seal(path)
    monkeypatch.setattr(os, "listdir", lambda folder: lists.pop() if lists else real(folder))
    assert n_requests(counted(tmp_path)) == 1
    assert not lists


def test_sketches_of_a_segment_that_was_deleted_meanwhile_are_not_left(tmp_path: Path) -> None:
    path = seal(write(tmp_path, "aa", [line("a", 1e9)]))
    told = files.count(str(path), LAYOUT)
    one = segment(path.name)
    assert one is not None
    path.unlink()
    files.write(str(tmp_path), one, told)
    assert os.listdir(tmp_path) == []


def test_a_layout_is_written_once_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "predictions"
    assert files.read_layout(str(folder), 2) is None
    write_layout(str(folder), LAYOUT)
    assert files.read_layout(str(folder), 2) == LAYOUT
    before = os.stat(folder / "layout-v2.json").st_ino
    write_layout(str(folder), LAYOUT)
    assert os.stat(folder / "layout-v2.json").st_ino == before
    (folder / "layout-v2.json").write_text("{")
    assert files.read_layout(str(folder), 2) is None
    assert sorted(os.listdir(folder)) == ["layout-v2.json"]


def test_the_page_of_the_format_shows_what_is_written(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats" / "predictions.md").read_text()
    lines = [text for text in page.splitlines() if text.startswith("{")]
    entry = json.loads(next(text for text in lines if '"request_id":"order-17"' in text))
    layout = msgspec.json.decode(next(text for text in lines if '"inputs"' in text and '"kind"' in text), type=Layout)
    told = json.loads(next(text for text in lines if '"n_requests"' in text))
    assert told["layout"] == layout_id(layout)
    write_layout(str(tmp_path), layout)
    path = seal(write(tmp_path, "aa", [entry]))
    files.sketch(str(path))
    content = (tmp_path / sketch_name(path.name)).read_bytes()
    magic, digest, body = content.split(b"\n", 2)
    assert (magic, digest.decode()) == (b"headway-sketch-1", digest_of(body))
    held = msgspec.msgpack.decode(ZstdDecompressor().decompress(body))
    assert {name: "…" if isinstance(value, bytes) else value for name, value in held["cells"][0].items()} == told
    key = blake2b(b"1763980000.5 order-17", digest_size=8).digest()
    assert held["head"] == held["tail"] == [entry["at"], entry["at"], key]
    assert held["n_entries"] == 1


# --- what a killed writer left twice ------------------------------------------------------------------------------

BATCH = [line(f"r{i}", 1e9 + 10 + i / 100) for i in range(3)]


@pytest.mark.parametrize("is_late", [False, True], ids=["in order", "older file comes late"])
@pytest.mark.parametrize("n_sealed", [0, 1, 2, 3])
def test_a_batch_that_a_killed_writer_left_in_two_files_counts_once(
    tmp_path: Path, n_sealed: int, is_late: bool
) -> None:
    before = [line(f"a{i}", 1e9 + i) for i in range(8)]
    after = [line(f"b{i}", 1e9 + 20 + i) for i in range(8)]
    elsewhere, folder = tmp_path / "pod", tmp_path / "log"
    elsewhere.mkdir()
    folder.mkdir()
    old = write(elsewhere if is_late else folder, "ff", [*before, *BATCH[:2]])
    known: Known | None = None
    if not is_late:
        known = counted(folder)
        assert n_requests(known) == 10
    new = write(folder, "aa", [*BATCH, after[0]])
    known = counted(folder, known=known)
    write(folder, "aa", after[1:])
    if n_sealed & 1:
        seal(new)
    known = counted(folder, known=known)
    if is_late:
        assert n_requests(known) == 11
        shutil.move(old, folder)
    if n_sealed & 2:
        seal(folder / old.name)
    known = counted(folder, known=known)
    assert n_requests(known) == 19
    assert n_requests(counted(folder)) == 19
    assert merge(known.cells) == merge(counted(folder).cells)
    for path in folder.glob("*.jsonl"):
        seal(path)
    assert n_requests(counted(folder, known=known)) == 19


def test_what_counted_in_a_file_that_is_forgotten_does_not_count_again(tmp_path: Path) -> None:
    old = write(tmp_path, "aa", BATCH)
    new = write(tmp_path, "bb", [*BATCH, line("later", 1e9 + 60)])
    known = counted(tmp_path)
    assert n_requests(known) == 4
    os.unlink(seal(old))
    # One cell has both: the batch, and what came later.
    known = counted(tmp_path, known=known.from_(1e9 + 30))
    seal(new)
    assert n_requests(counted(tmp_path, known=known)) == 1


def test_copies_from_a_pod_are_counted_open_and_sealed(tmp_path: Path) -> None:
    pod, here = tmp_path / "pod", tmp_path / "here"
    pod.mkdir()
    here.mkdir()
    entries = [line(f"r{i}", 1e9 + i) for i in range(6)]
    path = write(pod, "aa", entries)
    # As it is copied: by and by, under a name of its own, and at last as a segment.
    write(here, "paa", entries[:2])
    known = counted(here)
    write(here, "paa", entries[2:5])
    known = counted(here, known=known)
    assert n_requests(known) == 5
    sealed = seal(path)
    copy = here / sealed.name.replace("-aa.", "-paa.")
    shutil.copy(sealed, copy)
    known = counted(here, known=known)
    assert n_requests(known) == 6
    (here / open_name("predictions", "paa")).unlink()
    assert n_requests(counted(here, known=known)) == n_requests(counted(here)) == 6
    assert (here / sketch_name(copy.name)).exists()


def test_requests_of_the_same_time_in_two_files_are_not_one(tmp_path: Path) -> None:
    write(tmp_path, "aa", [line(f"a{i}", 1e9) for i in range(4)])
    write(tmp_path, "bb", [line(f"b{i}", 1e9) for i in range(4)])
    assert n_requests(counted(tmp_path)) == 8


class World:
    """Writers that are killed, and send again what they had not confirmed; what is sealed, deleted and copied late."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.away = folder, folder / "away"
        self.away.mkdir()
        self.random = Random(seed)
        self.n, self.at = 0, 1e9
        self.tokens: list[str] = []
        self.ids: dict[str, float] = {}
        self.writers: list[tuple[str, list[dict[str, Any]]]] = [("", []), ("", [])]

    def batch(self) -> list[dict[str, Any]]:
        found = []
        self.at += self.random.choice([0.0, 0.0, 3.0, HOUR])
        for _ in range(self.random.randint(1, 5)):
            self.n += 1
            self.at += self.random.choice([0.001, 0.01, 1.0])
            found.append(line(f"r{self.n}", self.at, [{"age": self.n, "plan": "a"}] * self.random.randint(1, 3)))
            self.ids[f"r{self.n}"] = self.at
        return found

    def append(self, which: int) -> None:
        token, _ = self.writers[which]
        batch = self.batch()
        if not token:
            token = f"{self.random.randrange(2**32):08x}"
            self.tokens.append(token)
        write(self.folder if which == 0 else self.away, token, batch)
        self.writers[which] = (token, batch)

    def kill(self, which: int) -> None:
        """Its last batch was written and not confirmed: its successor begins with it."""
        token, batch = self.writers[which]
        if not token:
            return
        token = f"{self.random.randrange(2**32):08x}"
        self.tokens.append(token)
        write(self.folder if which == 0 else self.away, token, batch)
        self.writers[which] = (token, batch)

    def rotate(self, which: int) -> None:
        self.writers[which] = ("", [])

    def seal(self) -> None:
        held = {token for token, _ in self.writers}
        for path in sorted(self.folder.glob("*.jsonl")):
            if path.stem.removeprefix("predictions-") not in held and self.random.random() < 0.5:
                sealed = seal(path)
                if self.random.random() < 0.5:
                    files.sketch(str(sealed))

    def copy(self) -> None:
        """Some of the files of the other server come here, in no order; an open one only once it is closed."""
        held = self.writers[1][0]
        for path in sorted(self.away.glob("*.jsonl")):
            if path.stem.removeprefix("predictions-") != held and self.random.random() < 0.5:
                shutil.move(path, self.folder / path.name)

    def step(self) -> None:
        what = self.random.choice(["append", "append", "append", "kill", "rotate", "seal", "copy"])
        if what in ("append", "kill", "rotate"):
            getattr(self, what)(self.random.randint(0, 1))
        else:
            getattr(self, what)()

    def here(self) -> set[str]:
        """The requests in the folder."""
        return set(log.read(str(self.folder))["request_id"].to_list())


def check_a_world(folder: Path, seed: int, n_steps: int) -> None:
    folder.mkdir()
    world = World(folder, seed)
    write_layout(str(folder), LAYOUT)
    known: Known | None = None
    for _ in range(n_steps):
        world.step()
        if world.random.random() < 0.5:
            known = counted(folder, known=known)
            assert n_requests(known) == len(world.here())
    known = counted(folder, known=known)
    fresh = counted(folder)
    assert n_requests(known) == n_requests(fresh) == len(world.here())
    assert known.cells == fresh.cells
    rows = log.read(str(folder))
    if rows.height:
        naive = Counter(LAYOUT)
        naive.add_frame(rows)
        assert merge(known.cells) == merge(naive.cells())


@pytest.mark.parametrize("seed", range(6))
def test_whatever_is_killed_sealed_and_copied_each_row_counts_once(tmp_path: Path, seed: int) -> None:
    check_a_world(tmp_path / "log", seed, 20)


@pytest.mark.slow
def test_whatever_is_killed_sealed_and_copied_each_row_counts_once_at_length(tmp_path: Path) -> None:
    for seed in range(100, 140):
        check_a_world(tmp_path / str(seed), seed, 60)


def test_looking_imports_no_library_of_arrays(tmp_path: Path) -> None:
    seal(write(tmp_path, "aa", [line("a", 1e9, version=9)]))
    code = (
        "import sys\nfrom headway.core.reference import Layout\nfrom headway.tables import sketches\n"
        f"known = sketches.read({str(tmp_path)!r}, Layout(version=2, inputs=(), outputs=()))\n"
        "print([name for name in ('numpy', 'polars', 'scipy') if name in sys.modules], known.cells)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ()"
