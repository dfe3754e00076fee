"""Looking back: lists, what steps printed, and an audit that finds whatever was changed in a real log."""

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from headway.backends.blobs_memory import MemoryBlobs
from headway.backends.log_memory import MemoryLog
from headway.backends.log_sqlite import SqliteLog
from headway.codec import wire
from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.errors import HeadwayError, LogDamaged, LogNewer, NameUnknown
from headway.flows import history
from headway.ports import Log
from tries import tries


def started(run: int, **changed: object) -> f.RunStarted:
    fact = f.RunStarted(
        run=RunId(run), name="churn", file="pipeline.yaml", pipeline=Digest("p" * 64), options=f.RunOptions()
    )
    return msgspec.structs.replace(fact, **changed)


def append(log: Log, stream: str, *facts: f.Fact) -> None:
    log.append(stream, facts, expect=len(log.read(stream)), at=100.0)


PASSED = f.RunFinished(outcome="passed", exit_code=0, seconds=2.0)
FAILED = f.RunFinished(outcome="failed", exit_code=1, seconds=1.0, why="train: exit code 1")

# --- one run ----------------------------------------------------------------------------------------------------


def test_an_unknown_run_is_refused() -> None:
    with pytest.raises(NameUnknown, match="there is no run 9"):
        history.run_view(RunId(9), MemoryLog())


# --- what steps printed -----------------------------------------------------------------------------------------


def printed(fact: f.Fact, home: Path, *, blobs: MemoryBlobs | None = None, skip: int = 0, step: str = "train") -> bytes:
    """What is shown of a step with this fact."""
    log = MemoryLog()
    append(log, "run/1", started(1), fact)
    view = history.run_view(RunId(1), log)
    return b"".join(history.printed(blobs or MemoryBlobs(), str(home), view, step, skip=skip))


def test_what_an_ended_step_printed_comes_from_the_store(tmp_path: Path) -> None:
    blobs = MemoryBlobs()
    fact = f.StepFinished(step="train", outcome="passed", log=blobs.put(b"x" * (history.BLOCK + 1)))
    assert printed(fact, tmp_path, blobs=blobs) == b"x" * (history.BLOCK + 1)
    assert printed(fact, tmp_path, blobs=blobs, skip=history.BLOCK) == b"x"
    assert os.listdir(tmp_path) == []


def test_what_a_step_at_work_has_printed_comes_from_its_file(tmp_path: Path) -> None:
    path = history.log_path(str(tmp_path), RunId(1), "train", 2)
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(b"epoch 1\n")
    assert printed(f.StepStarted(step="train", attempt=2), tmp_path) == b"epoch 1\n"
    assert printed(f.StepStarted(step="train", attempt=2), tmp_path, skip=6) == b"1\n"


@pytest.mark.parametrize(
    "fact",
    [
        f.StepStarted(step="train"),
        f.StepFinished(step="train", outcome="passed"),
        f.StepSkipped(step="train", why="x"),
        f.StepReused(step="train", cache_key="k", of_run=RunId(7)),
    ],
    ids=f.kind_of,
)
def test_a_step_that_printed_nothing_shows_nothing(fact: f.Fact, tmp_path: Path) -> None:
    assert printed(fact, tmp_path) == b""


def test_an_unknown_step_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NameUnknown) as caught:
        printed(f.StepStarted(step="train"), tmp_path, step="trian")
    assert caught.value.remedy == "its steps are train"


# --- the audit --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in a file, with facts of three kinds of streams."""
    path = tmp_path_factory.mktemp("log") / "log.sqlite"
    with closing(SqliteLog(str(path))) as log:
        for run in range(1, 4):
            append(log, f"run/{run}", started(run), f.StepStarted(step="train", why="it never passed before"))
            done = f.StepFinished(
                step="train", outcome="passed", cache_key=f"{run}" * 64, metrics=(f.Metric(name="auc", value=0.7),)
            )
            append(log, f"run/{run}", done, PASSED)
        artifact = Artifact(path="m.pkl", digest=Digest("d" * 64))
        append(log, "model/churn", f.ModelRegistered(model="churn", version=1, artifact=artifact, key="run/1/register"))
        append(log, "endpoint/churn", f.EndpointStopped(why="over"))
    return path


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path))


def audited(path: Path, noted: str | None = None) -> history.Audited:
    with closing(SqliteLog(str(path))) as log:
        return history.audit(log, noted=noted)


def change(path: Path, *statements: tuple[str, tuple[object, ...]]) -> int:
    """Change a log as somebody would who means to: without its triggers. Returns how many rows were touched."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER IF EXISTS facts_never_change")
        db.execute("DROP TRIGGER IF EXISTS facts_never_go")
        return sum(db.execute(sql, values).rowcount for sql, values in statements)


def rows(path: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT *, typeof(at) FROM facts ORDER BY seq").fetchall()


def test_a_whole_log_is_whole(copy: Path) -> None:
    found = audited(copy)
    assert (found.n_facts, found.n_streams, found.seen) == (14, 5, None)
    assert len(found.head) == 64


def test_releases_that_no_gate_let_pass_are_named_with_who_and_why() -> None:
    log = MemoryLog()
    said = f.ReleaseStarted(
        endpoint="shop", release=1, model="churn", version=2, key="k", override="it is urgent", by="ann"
    )
    plain = f.ReleaseStarted(endpoint="shop", release=2, model="churn", version=3, key="l")
    log.append("endpoint/shop", [said, plain], expect=0, at=7.0)
    assert history.audit(log).overrides == (
        history.Overridden(version="churn@2", endpoint="shop", release=1, at=7.0, by="ann", why="it is urgent"),
    )


def test_an_empty_log_is_whole() -> None:
    assert history.audit(MemoryLog(), noted="12345678") == history.Audited(
        n_facts=0, n_streams=0, head="0" * 64, seen=False
    )


def test_the_hash_stays_in_the_chain_when_the_log_grows(copy: Path) -> None:
    noted = audited(copy).head
    with closing(SqliteLog(str(copy))) as log:
        append(log, "run/9", started(9))
    assert audited(copy, noted).seen is True
    assert audited(copy, noted[:8]).seen is True
    assert audited(copy).head != noted


def test_a_tail_that_was_cut_off_is_missed_by_the_hash_that_was_noted(copy: Path) -> None:
    noted = audited(copy).head
    change(copy, ("DELETE FROM facts WHERE seq > ?", (10,)))
    assert audited(copy).n_facts == 10
    assert audited(copy, noted).seen is False


REPLACEMENTS: dict[str, st.SearchStrategy[object]] = {
    "seq": st.integers(-(2**63) + 2, 2**63 - 1),
    "stream": st.sampled_from(["run/1", "run/3", "model/churn", "", None]) | st.text("abc/12", max_size=6),
    "n": st.integers(-2, 99) | st.text("a1", max_size=2),
    "at": st.floats(allow_nan=False) | st.integers(0, 200) | st.text("a1", max_size=2),
    "kind": st.sampled_from(["RunStarted", "StepFinished", "RunFinished", "Unknown", ""]),
    "key": st.none() | st.text("123", max_size=2),
    "body": st.sampled_from(["{}", "", "null", '{"kind":"RunResumed"}', '{"kind":"Tomorrow"}', b"\xff\x00"]),
    "hash": st.text("0123456789abcdef", min_size=64, max_size=64) | st.just(""),
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(60))
@given(data=st.data())
def test_a_changed_row_is_found(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "log.sqlite"
    shutil.copy(whole, path)
    seq = data.draw(st.integers(1, 14))
    column = data.draw(st.sampled_from(sorted(REPLACEMENTS)))
    value = data.draw(REPLACEMENTS[column])
    before = rows(path)
    # SQLite itself does not let two facts have one place.
    with suppress(sqlite3.IntegrityError):
        change(path, (f"UPDATE facts SET {column} = ? WHERE seq = ?", (value, seq)))
    assume(rows(path) != before)
    with pytest.raises(LogDamaged):
        audited(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(30))
@given(st.sets(st.integers(1, 14), min_size=1, max_size=13).filter(lambda gone: min(gone) < 15 - len(gone)))
def test_rows_that_were_taken_out_are_found(whole: Path, tmp_path: Path, gone: set[int]) -> None:
    path = tmp_path / "log.sqlite"
    shutil.copy(whole, path)
    assert change(path, *(("DELETE FROM facts WHERE seq = ?", (seq,)) for seq in gone)) == len(gone)
    with pytest.raises(LogDamaged, match=r"missing|not what was written"):
        audited(path)


@pytest.mark.parametrize("seq", [1, 2, 7, 13])
def test_a_row_that_was_taken_out_and_the_others_moved_up_is_found(copy: Path, seq: int) -> None:
    change(
        copy,
        ("DELETE FROM facts WHERE seq = ?", (seq,)),
        ("UPDATE facts SET seq = -seq WHERE seq > ?", (seq,)),
        ("UPDATE facts SET seq = -seq - 1 WHERE seq < 0", ()),
    )
    with pytest.raises(LogDamaged, match=f"fact {seq} "):
        audited(copy)


@pytest.mark.parametrize("columns", ["body", "body, hash", "kind, key, body", "stream, n, at, kind, key, body, hash"])
@pytest.mark.parametrize(("a", "b"), [(1, 5), (2, 7), (3, 11), (13, 14)])
def test_rows_that_changed_places_are_found(copy: Path, columns: str, a: int, b: int) -> None:
    names = columns.split(", ")
    with closing(sqlite3.connect(copy)) as db:
        rows = {seq: db.execute(f"SELECT {columns} FROM facts WHERE seq = ?", (seq,)).fetchone() for seq in (a, b)}
    sets = f"UPDATE facts SET {' = ?, '.join(names)} = ? WHERE seq = ?"
    # First out of the way, since no two rows may have one stream and n.
    change(copy, (sets, (*("" for _ in names), a)), (sets, (*rows[a], b)), (sets, (*rows[b], a)))
    with pytest.raises(LogDamaged):
        audited(copy)


@pytest.mark.parametrize("seq", [0, -5, 99])
def test_a_row_that_was_put_in_is_found(copy: Path, seq: int) -> None:
    insert = "INSERT INTO facts SELECT ?, 'run/1', 5, at, kind, key, body, hash FROM facts WHERE seq = 4"
    change(copy, (insert, (seq,)))
    with pytest.raises(LogDamaged):
        audited(copy)


def test_a_fact_of_a_later_version_is_no_damage(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_decoder", msgspec.json.Decoder(f.RunStarted | f.RunFinished))
    with pytest.raises(LogNewer):
        audited(copy)


def everything(path: Path) -> tuple[history.Audited, list[f.Entry]]:
    with closing(SqliteLog(str(path))) as log:
        return history.audit(log), list(log.scan())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=tries(120))
@given(data=st.data())
def test_no_flipped_bit_of_the_file_changes_a_fact_unseen(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    expected = everything(whole)
    path = tmp_path / "log.sqlite"
    content = bytearray(whole.read_bytes())
    # The first page holds the schema, where a bit can do the most.
    at = data.draw(st.integers(0, 4095) | st.integers(0, len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        found = everything(path)
    except HeadwayError:
        return
    # Free space, or a page that only makes reading quicker.
    assert found == expected
