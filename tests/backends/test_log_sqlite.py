"""The log in SQLite: whole after SIGKILL, two writers, a full disk, and honest about damage."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from headway.backends import connect, log_sqlite
from headway.backends.log_sqlite import SqliteLog
from headway.codec import wire
from headway.core.facts import StepStarted
from headway.errors import Conflict, LogDamaged, LogNewer, LogTrouble
from headway.ports import Log
from headway.testing.log_contract import LogContract, one_of_each, started
from headway.testing.stateful import BRIEFLY, LogMachine


def _open(path: str) -> SqliteLog:
    log = connect("log", f"sqlite:{path}")
    assert isinstance(log, SqliteLog)
    return log


class TestSqliteLog(LogContract):
    def make(self, root: str) -> Log:
        return _open(root)


class Machine(LogMachine):
    def place(self) -> Callable[[], Log]:
        self.folder = tempfile.TemporaryDirectory()
        return lambda: _open(os.path.join(self.folder.name, "log.sqlite"))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestMachine = Machine.TestCase
TestMachine.settings = BRIEFLY


@pytest.fixture
def path(tmp_path: "os.PathLike[str]") -> str:
    return os.path.join(os.path.realpath(tmp_path), "home", "log.sqlite")


@pytest.fixture
def log(path: str) -> Iterator[SqliteLog]:
    made = _open(path)
    yield made
    made.close()


def _filled(path: str, n: int = 4) -> None:
    log = _open(path)
    for i in range(n):
        log.append("run/1", [started(str(i))], expect=i, at=float(i))
    log.close()


def _change(path: str, sql: str) -> None:
    """Change the file as somebody with a database client would, past the triggers."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DROP TRIGGER facts_never_change")
        db.execute("DROP TRIGGER facts_never_go")
        db.execute(sql)
    db.close()


def test_a_closed_log_is_one_file(path: str) -> None:
    _filled(path)
    assert os.listdir(os.path.dirname(path)) == ["log.sqlite"]


@pytest.mark.parametrize("name", ["with space.sqlite", "50%?#.sqlite", "log'.sqlite", "é.sqlite"])
def test_any_file_name_will_do(tmp_path: "os.PathLike[str]", name: str) -> None:
    path = os.path.join(tmp_path, name)
    _filled(path)
    assert os.listdir(tmp_path) == [name]
    with closing(_open(path)) as log:
        assert len(log.read("run/1")) == 4


def test_a_log_behind_a_link_is_synced_too(tmp_path: "os.PathLike[str]") -> None:
    target = os.path.join(tmp_path, "elsewhere.sqlite")
    _filled(target)
    os.mkdir(os.path.join(tmp_path, "home"))
    link = os.path.join(tmp_path, "home", "log.sqlite")
    os.symlink(target, link)
    log = _open(link)
    log.append("run/1", [started()], expect=4, at=1.0)
    log.sync()
    log.close()
    assert os.listdir(os.path.join(tmp_path, "home")) == ["log.sqlite"]


def test_the_body_is_text_that_sql_can_read(path: str, log: SqliteLog) -> None:
    log.append("run/1", [StepStarted(step="train")], expect=0, at=1.0)
    with closing(sqlite3.connect(path)) as db, db:
        assert db.execute("SELECT json_extract(body, '$.step'), typeof(body) FROM facts").fetchone() == (
            "train",
            "text",
        )
        assert db.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"HDWY", "big"),)
    db.close()


@pytest.mark.parametrize("sql", ["UPDATE facts SET at = 0", "DELETE FROM facts"])
def test_a_slip_of_the_hand_changes_no_fact(path: str, sql: str) -> None:
    _filled(path)
    with closing(sqlite3.connect(path)) as db, db, pytest.raises(sqlite3.IntegrityError, match="facts never"):
        db.execute(sql)
    db.close()


def test_a_closed_log_says_so(log: SqliteLog) -> None:
    log.close()
    with pytest.raises(LogTrouble, match="closed"):
        log.read("run/1")


# --- damage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"", b"not a database at all" * 300, b"SQLite format 3\0" + b"\xff" * 5000],
    ids=["empty", "text", "torn"],
)
def test_a_file_that_is_no_log_is_told(tmp_path: "os.PathLike[str]", content: bytes) -> None:
    path = os.path.join(tmp_path, "log.sqlite")
    with open(path, "wb") as f:
        f.write(content)
    with pytest.raises(LogDamaged) as damaged:
        _open(path)
    assert damaged.value.at == path
    assert damaged.value.remedy


def test_a_database_of_somebody_else_is_told(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "log.sqlite")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE facts (colour)")
        db.execute("PRAGMA user_version = 1")
    db.close()
    log = _open(path)
    with pytest.raises(LogDamaged, match="no such column"):
        log.read("run/1")
    with pytest.raises(LogDamaged, match="no such column"):
        log.append("run/1", [started()], expect=0, at=1.0)
    log.close()


def test_a_log_without_its_table_is_told(path: str) -> None:
    _filled(path)
    _change(path, "DROP TABLE facts")
    log = _open(path)
    with pytest.raises(LogDamaged, match="no such table: facts"):
        log.read("run/1")
    log.close()


def test_a_log_of_a_later_form_is_refused(path: str) -> None:
    _filled(path)
    _change(path, "PRAGMA user_version = 2")
    with pytest.raises(LogNewer, match="form 2"):
        _open(path)


def test_a_fact_of_a_later_version_is_refused_when_it_is_met(path: str) -> None:
    _filled(path)
    _change(path, """UPDATE facts SET kind = 'Later', body = '{"kind":"Later"}' WHERE seq = 2""")
    log = _open(path)
    with pytest.raises(LogNewer, match="kind of fact"):
        log.read("run/1")
    assert [e.seq for e in log.scan(["StepStarted"])] == [1, 3, 4]
    log.close()


@pytest.mark.parametrize(
    ("sql", "seq"),
    [
        ("UPDATE facts SET body = replace(body, '1', '7') WHERE seq = 2", 2),
        ("UPDATE facts SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE facts SET stream = 'run/2', n = 1 WHERE seq = 2", 2),
        ("DELETE FROM facts WHERE seq = 2", 2),
        ("DELETE FROM facts WHERE seq = 1", 1),
        ("UPDATE facts SET hash = upper(hash) WHERE seq = 4", 4),
    ],
    ids=["body", "time", "stream", "taken out", "first taken out", "hash"],
)
def test_what_was_rewritten_is_found_and_named(path: str, sql: str, seq: int) -> None:
    _filled(path)
    _change(path, sql)
    log = _open(path)
    with pytest.raises(LogDamaged, match=rf"fact {seq} ") as damaged:
        wire.verify(log.raw())
    assert damaged.value.at == f"log: fact {seq}"
    log.close()


def test_a_gap_in_a_stream_is_found_on_reading(path: str) -> None:
    _filled(path)
    _change(path, "DELETE FROM facts WHERE seq = 2")
    log = _open(path)
    with pytest.raises(LogDamaged, match="facts of stream run/1 are missing"):
        log.read("run/1")
    log.close()


@pytest.mark.parametrize(
    "sql", ["UPDATE facts SET body = '{}' WHERE seq = 4", "UPDATE facts SET hash = '' WHERE seq = 3"]
)
def test_nothing_is_built_on_a_damaged_end(path: str, sql: str) -> None:
    _filled(path)
    _change(path, sql)
    log = _open(path)
    with pytest.raises(LogDamaged, match="fact 4"):
        log.append("run/2", [started()], expect=0, at=1.0)
    log.close()


def test_an_end_that_went_while_the_log_was_open_is_missed(path: str, log: SqliteLog) -> None:
    log.append("run/1", [started("a"), started("b")], expect=0, at=1.0)
    _change(path, "DELETE FROM facts WHERE seq = 2")
    with pytest.raises(LogDamaged, match="fact 2 of the log is gone"):
        log.append("run/1", [started()], expect=1, at=1.0)


def test_a_page_of_rubbish_in_the_middle_is_told(path: str) -> None:
    log = _open(path)
    log.append("run/1", [started("x" * 500) for _ in range(500)], expect=0, at=1.0)
    log.close()
    size = os.path.getsize(path)
    with open(path, "r+b") as f:
        f.seek(size // 2 // 4096 * 4096)
        f.write(os.urandom(4096))
    log = _open(path)
    with pytest.raises(LogDamaged):
        wire.verify(log.raw())
    log.close()


# --- trouble ----------------------------------------------------------------------------------------------------------


def test_a_folder_in_its_place_is_told(tmp_path: "os.PathLike[str]") -> None:
    with pytest.raises(LogTrouble, match="cannot be opened"):
        _open(os.fspath(tmp_path))


def test_a_place_below_a_file_is_told(tmp_path: "os.PathLike[str]") -> None:
    with open(os.path.join(tmp_path, "file"), "w"):
        pass
    with pytest.raises(LogTrouble, match="cannot be made"):
        _open(os.path.join(tmp_path, "file", "log.sqlite"))


def test_a_log_that_is_locked_for_too_long_is_a_conflict(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_sqlite.file, "PATIENCE_S", 0.05)
    log = _open(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        with pytest.raises(Conflict, match="to itself"):
            log.append("run/1", [started()], expect=0, at=1.0)
        db.execute("ROLLBACK")
    db.close()
    assert log.append("run/1", [started()], expect=0, at=1.0) == 1
    log.close()


def test_reading_waits_for_no_writer(path: str, log: SqliteLog) -> None:
    log.append("run/1", one_of_each(), expect=0, at=1.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert len(log.read("run/1")) == 4
        db.execute("ROLLBACK")
    db.close()
