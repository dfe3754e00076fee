"""Following a prediction log: each entry once, however looks, writing, sealing, kills and deletions fall together."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.codec.prediction_line import PlainLine, encoder
from headway.core.prediction_log import Cursor, Kind, Line, open_name
from headway.serving.journal import Journal
from headway.tables import prediction_log as log
from headway.tables.prediction_log import following, pieces
from tries import tries


def line(request_id: str, at: float, rows: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    rows = [{"x": 1.0}] if rows is None else rows
    return {
        "request_id": request_id, "at": at, "ms": 1.5, "model": "m", "version": 2, "rows": rows,
        "predictions": [0] * len(rows), **more,
    }  # fmt: skip


def label(request_id: str, received_at: float, row: int = 0) -> dict[str, Any]:
    return {"request_id": request_id, "row": row, "label": 1, "at": received_at, "received_at": received_at}


def write(folder: Path, token: str, lines: list[dict[str, Any]], kind: Kind = "predictions") -> str:
    path = folder / open_name(kind, token)
    with path.open("a") as f:
        f.writelines(json.dumps(one) + "\n" for one in lines)
    return str(path)


def all_new(folder: Path, cursor: Cursor, most: int = 20_000, since: float = 0.0) -> tuple[list[Any], Cursor]:
    """All entries behind a cursor, which goes through JSON between looks."""
    found: list[Any] = []
    while True:
        told = log.follow(str(folder), cursor, most=most, since=since)
        cursor = msgspec.json.decode(msgspec.json.encode(told.cursor), type=Cursor)
        if not told.lines and not told.labels:
            return found, cursor
        found += [*told.lines, *told.labels]


def ids(found: list[Any]) -> list[str]:
    return [one.request_id for one in found]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 500)
    monkeypatch.setattr(pieces, "PIECE_ROWS", 4)
    monkeypatch.setattr(pieces, "BACK_BYTES", 300)


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
def test_requests_are_told_as_they_were_logged(tmp_path: Path, is_sealed: bool) -> None:
    rows: list[dict[str, Any]] = [{"x": 1, "name": "a"}, {"x": 2, "name": "b"}]
    chances = {"classes": ["no", "yes"], "probabilities": [[0.1, 0.9], [0.8, 0.2]]}
    wanted = [
        line("a", 1.0, rows, **chances),
        line("b", 2.0, [], status=400),
        line("c", 3.0, [{"x": 3}], predictions=[], status=500),
        line("d", 4.0, [{"x": 4}], is_shadow=True, outputs={"score": [0.5]}),
        line("e", 5.0, [{"x": 5}], predictions=[None]),
        line("f", 6.0, [{"x": 6}] * 9, instead_of=3),
        line("g", 7.0, rows),
    ]
    path = write(tmp_path, "aa", wanted)
    if is_sealed:
        log.seal(path)
    found, _ = all_new(tmp_path, Cursor())
    assert found == [msgspec.convert(one, Line) for one in wanted]


def test_models_with_several_outputs_are_told_so(tmp_path: Path) -> None:
    wanted = [line("a", 1.0, predictions=[[1, 0.5]]), line("b", 2.0, [], status=500)]
    log.seal(write(tmp_path, "aa", wanted))
    assert [one.predictions for one in all_new(tmp_path, Cursor())[0]] == [[[1, 0.5]], []]


def test_a_look_that_gives_nothing_has_come_to_the_end_also_behind_much_that_is_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "MOST_BYTES", 1000)
    write(tmp_path, "aa", [line(f"old{i}", float(i)) for i in range(100)])
    write(tmp_path, "aa", [line(f"new{i}", 500.0 + i) for i in range(20)])
    assert ids(all_new(tmp_path, Cursor(), since=400.0)[0]) == [f"new{i}" for i in range(20)]


def test_a_file_that_is_sealed_between_two_looks_goes_on_where_it_was(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line(f"a{i}", float(i), [{"x": 1}] * (i % 3)) for i in range(1, 10)])
    first, cursor = all_new(tmp_path, Cursor())
    write(tmp_path, "aa", [line(f"b{i}", 10.0 + i, [{"x": 1}] * 2) for i in range(10)])
    with open(path, "a") as f:
        f.write('{"request_id": "cut')
    log.seal(path)
    second, cursor = all_new(tmp_path, cursor)
    # One without rows is none in a segment; the server takes no such request.
    assert ids(first) == [f"a{i}" for i in range(1, 10)]
    assert ids(second) == [f"b{i}" for i in range(10)]
    assert all_new(tmp_path, cursor)[0] == []


def test_an_unfinished_line_is_told_once_it_is_whole_and_a_damaged_one_never(tmp_path: Path) -> None:
    path = write(tmp_path, "aa", [line("a", 1.0)])
    text = json.dumps(line("b", 2.0)) + "\n"
    with open(path, "a") as f:
        f.write("\0\0\n" + text[:20])
    first, cursor = all_new(tmp_path, Cursor())
    with open(path, "a") as f:
        f.write(text[20:])
    second, cursor = all_new(tmp_path, cursor)
    log.seal(path)
    assert (ids(first), ids(second), all_new(tmp_path, cursor)[0]) == (["a"], ["b"], [])


def test_a_log_is_followed_from_a_time_on(tmp_path: Path) -> None:
    log.seal(write(tmp_path, "aa", [line("old", 1.0)]))
    log.seal(write(tmp_path, "bb", [line("before", 9.0), line("from", 10.0)]))
    write(tmp_path, "cc", [line("late", 5.0), line("after", 11.0)])
    write(tmp_path, "dd", [label("old", 12.0), label("older", 3.0)], "labels")
    found, cursor = all_new(tmp_path, Cursor(), since=10.0)
    assert sorted(ids(found)) == ["after", "from", "old"]
    write(tmp_path, "cc", [line("later", 5.0), line("last", 12.0)])
    assert ids(all_new(tmp_path, cursor)[0]) == ["last"]
    assert sorted(ids(all_new(tmp_path, Cursor(since=12.0))[0])) == ["last", "old"]


def test_a_look_gives_no_more_than_a_piece_above_what_was_asked_for(tmp_path: Path) -> None:
    for token in ("aa", "bb"):
        log.seal(write(tmp_path, token, [line(f"{token}{i}", float(i)) for i in range(300)]))
    write(tmp_path, "cc", [line(f"c{i}", float(i)) for i in range(300)])
    cursor = Cursor()
    sizes = []
    while (told := log.follow(str(tmp_path), cursor, most=50)).lines:
        sizes.append(len(told.lines))
        cursor = told.cursor
    assert sum(sizes) == 900
    assert max(sizes) <= 60
    assert len(msgspec.json.encode(cursor)) < 400


def test_a_request_of_many_rows_stays_whole(tmp_path: Path) -> None:
    big = line("big", 1.0, [{"x": float(i)} for i in range(100)])
    log.seal(write(tmp_path, "aa", [big, line("small", 2.0)]))
    found, _ = all_new(tmp_path, Cursor(), most=1)
    assert [(one.request_id, len(one.rows)) for one in found] == [("big", 100), ("small", 1)]


def test_lines_of_all_versions_are_roughly_in_order_of_time(tmp_path: Path) -> None:
    for token, version in (("aa", 1), ("bb", 2)):
        write(tmp_path, token, [line(f"{version}-{i}", float(i), version=version) for i in range(200)])
    found, _ = all_new(tmp_path, Cursor())
    behind = [max(one.at for one in found[: i + 1]) - one.at for i, one in enumerate(found)]
    assert max(behind) < 20


def test_a_cursor_stays_small_while_segments_come_and_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    cursor, told = Cursor(), 0
    for hour in range(60):
        path = write(tmp_path, f"{hour:x}", [line(f"{hour}-{i}", clock.now + i) for i in range(3)])
        found, cursor = all_new(tmp_path, cursor)
        told += len(found)
        clock.seal(path)
        clock.now += 3600
        if hour > 40:
            oldest = min(name for name in os.listdir(tmp_path) if name.endswith(".parquet"))
            os.unlink(tmp_path / oldest)
        assert len(msgspec.json.encode(cursor)) < 400
    assert told == 180
    assert all_new(tmp_path, cursor)[0] == []


def test_a_file_that_comes_late_is_told_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    clock.seal(write(tmp_path, "aa", [line("a", clock.now)]))
    clock.now += 7200
    found, cursor = all_new(tmp_path, Cursor())
    assert cursor.places == ()
    # What a pod logged hours ago, and could not be brought until now.
    clock.seal(write(tmp_path, "bb", [line("b", clock.now - 7100)]))
    write(tmp_path, "cc", [line("a", clock.now - 7200), line("c", clock.now - 7000)])
    late, cursor = all_new(tmp_path, cursor)
    assert (ids(found), sorted(ids(late))) == (["a"], ["b", "c"])


def test_files_from_before_failures_were_logged_are_followed(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"request_id": ["a", "a", "b"], "row": [0, 1, 0], "at": [1.0, 1.0, 2.0], "ms": [0.5] * 3, "model": ["m"] * 3,
         "version": [2] * 3, "feature.x": [1, 2, None], "prediction": [True, False, True]}
    )  # fmt: skip
    frame.write_parquet(tmp_path / "predictions-0000000001000-0000000002001-v2-aa.parquet")
    (tmp_path / "predictions-bb.jsonl").write_text(
        '{"request_id":"order-17","at":1763980000.5,"ms":1.2346,"model":"churn","version":3,'
        '"rows":[{"age":44,"plan":"b"}],"predictions":[1],"classes":[0,1],"probabilities":[[0.2,0.8]]}\n'
    )
    one, two, three = all_new(tmp_path, Cursor())[0]
    assert one == Line(
        request_id="a", at=1.0, ms=0.5, model="m", version=2, rows=[{"x": 1}, {"x": 2}], predictions=[True, False]
    )
    assert (two.rows, two.predictions, two.is_failed) == ([{}], [True], False)
    assert (three.rows, three.probabilities, three.is_failed) == ([{"age": 44, "plan": "b"}], [[0.2, 0.8]], False)


@pytest.mark.parametrize("is_sealed", [True, False], ids=["sealed", "open"])
def test_the_lines_of_requests_are_found_with_shadows_and_failures(tmp_path: Path, is_sealed: bool) -> None:
    mine = [line("a", 1.0), line("a", 1.5, version=3, is_shadow=True), line("b", 2.0, [], status=503)]
    path = write(tmp_path, "aa", [line("z", 0.5), *mine, line("y", 3.0)])
    write(tmp_path, "bb", [line("b", 2.0, [], status=503), line("a", 9.0)])
    write(tmp_path, "cc", [label("a", 5.0)], "labels")
    if is_sealed:
        log.seal(path)
    found = log.of_requests(str(tmp_path), {"a", "b", "nobody"}, since=0.0)
    assert found == [msgspec.convert(one, Line) for one in [*mine, line("a", 9.0)]]
    assert [one.at for one in log.of_requests(str(tmp_path), ["a"], since=1.2)] == [1.5, 9.0]
    assert log.of_requests(str(tmp_path), [], since=0.0) == []
    assert log.of_requests(str(tmp_path / "nowhere"), ["a"], since=0.0) == []


# --- whatever happens, in whatever order ------------------------------------------------------------------------


class Clock:
    """The time that cursors and files are told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1_000_000.0
        patch.setattr(following, "time", self)

    def time(self) -> float:
        return self.now

    def seal(self, path: str) -> str | None:
        sealed = log.seal(path)
        if sealed is not None:
            os.utime(sealed, (self.now, self.now))
        return sealed


def text_of(entries: list[dict[str, Any]]) -> bytes:
    """Lines as they stand in a file: every other request as it came."""
    lines = []
    for i, one in enumerate(entries):
        if i % 2 and "status" not in one and "rows" in one:
            answer = json.dumps({"predictions": one["predictions"]}).encode()
            about = (one["request_id"], one["at"], 1.5, one["model"], one["version"])
            plain = PlainLine(*about, msgspec.Raw(json.dumps(one["rows"]).encode()), msgspec.Raw(answer))
            lines.append(encoder.encode(plain) + b"\n")
        else:
            lines.append(json.dumps(one).encode() + b"\n")
    return b"".join(lines)


class World:
    """Writers of some versions and a follower; `logged` counts what should be told, `told` what was."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.clock = Clock(patch)
        self.journals: dict[int, Journal] = {}
        self.last: dict[int, list[dict[str, Any]]] = {}
        self.cursor = Cursor()
        self.logged: set[str] = set()
        self.told: Counter[str] = Counter()
        self.forgotten: set[str] = set()
        self.n = 0

    def entries(self, who: int, n: int) -> list[dict[str, Any]]:
        made = []
        for _ in range(n):
            self.n += 1
            self.clock.now += 0.25
            # Some are a little late.
            at = self.clock.now - (1.0 if self.n % 7 == 0 else 0.0)
            if who == 0:
                made.append(label(f"r{self.n}", at))
            else:
                failed = {"status": 500, "predictions": []} if self.n % 5 == 0 else {}
                made.append(line(f"r{self.n}", at, [{"x": 1.0}] * (1 + self.n % 3), version=who, **failed))
        return made

    def append(self, who: int, entries: list[dict[str, Any]]) -> None:
        if who not in self.journals:
            self.journals[who] = Journal(str(self.folder), "labels" if who == 0 else "predictions")
        self.journals[who].append(text_of(entries), len(entries))
        self.logged |= {one["request_id"] for one in entries}
        self.last[who] = entries

    def write(self, who: int, n: int) -> None:
        self.append(who, self.entries(who, n))

    def kill(self, who: int, n: int) -> None:
        """Killed while it writes: some of the last entries come again in the next one's file."""
        if who in self.journals:
            journal = self.journals.pop(who)
            path = journal.path
            batch = self.entries(who, n)
            text = text_of(batch)
            cut = text[: len(text) * n // 5]
            with open(path, "ab") as f:
                f.write(cut)
            journal.close()
            self.append(who, batch)

    def end(self, who: int, _n: int) -> None:
        if who in self.journals:
            journal = self.journals.pop(who)
            journal.close()
            self.clock.seal(journal.path)

    def seal(self, _who: int, _n: int) -> None:
        """Somebody takes over what is abandoned."""
        mine = {journal.path for journal in self.journals.values()}
        for name in sorted(os.listdir(self.folder)):
            path = str(self.folder / name)
            if name.endswith(".jsonl") and path not in mine:
                self.clock.seal(path)
                break

    def wait(self, _who: int, n: int) -> None:
        self.clock.now += 300.0 * n

    def forget(self, _who: int, _n: int) -> None:
        """The oldest segment is deleted, whether it was followed or not."""
        sealed = sorted(name for name in os.listdir(self.folder) if name.endswith(".parquet"))
        if sealed:
            self.forgotten |= set(pl.read_parquet(self.folder / sealed[0])["request_id"])
            os.unlink(self.folder / sealed[0])

    def look(self, _who: int, n: int) -> None:
        told = log.follow(str(self.folder), self.cursor, most=n * 3)
        self.cursor = msgspec.json.decode(msgspec.json.encode(told.cursor), type=Cursor)
        self.told.update(ids([*told.lines, *told.labels]))

    def finish(self) -> None:
        found, self.cursor = all_new(self.folder, self.cursor, most=5)
        self.told.update(ids(found))


ACTS = ("write", "write", "kill", "end", "seal", "wait", "forget", "look", "look")


@settings(max_examples=tries(60), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 2), st.integers(1, 5)), max_size=40))
def test_each_entry_is_told_once(tmp_path_factory: Any, acts: list[tuple[str, int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(tmp_path_factory.mktemp("log"), patch)
        for act, who, n in acts:
            getattr(world, act)(who, n)
        world.finish()
        for journal in world.journals.values():
            journal.close()
    assert {name: n for name, n in world.told.items() if n > 1 and name not in world.forgotten} == {}
    assert world.logged - set(world.told) <= world.forgotten
    assert set(world.told) <= world.logged
