"""The log in PostgreSQL: one chain for many machines, no fact twice and none lost when connections break."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

from headway.backends import connect
from headway.backends.log_postgresql import PostgresqlLog
from headway.codec import wire
from headway.core.facts import StepStarted
from headway.errors import (
    AppendConflict,
    Conflict,
    ExtraMissing,
    FileMissing,
    LogDamaged,
    LogNewer,
    LogTrouble,
    RemoteRefused,
    RemoteUnreachable,
    UsageMistaken,
)
from headway.ports import Log
from headway.testing.log_contract import LogContract, one_of_each, started
from headway.testing.stateful import BRIEFLY, LogMachine
from services import free_port, postgresql

SERVER: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with postgresql() as url:
        SERVER[:] = [url]
        yield url


def _open(url: str) -> PostgresqlLog:
    log = connect("log", url)
    assert isinstance(log, PostgresqlLog)
    return log


def _new() -> str:
    """The URL of a schema that nobody has used."""
    return f"{SERVER[0]}?schema=s{secrets.token_hex(4)}"


def _schema(url: str) -> str:
    return url.rpartition("=")[2]


def _ask(url: str, *statements: str) -> None:
    """What somebody with a client of the database does, in the schema of a log."""
    with psycopg.connect(url.partition("?")[0], autocommit=True) as connection:
        connection.execute(f"SET search_path TO {_schema(url)}".encode())
        for statement in statements:
            connection.execute(statement.encode())


def _terminate_all() -> None:
    with psycopg.connect(SERVER[0], autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headway'")


class TestPostgresqlLog(LogContract):
    def make(self, root: str) -> Log:
        # Each test's folder is another schema, whose name is none that SQL knows by itself.
        return _open(f"{SERVER[0]}?schema={root[-50:].replace('/', '%2F')}")


class Machine(LogMachine):
    def place(self) -> Callable[[], Log]:
        url = _new()
        return lambda: _open(url)


TestMachine = Machine.TestCase
TestMachine.settings = BRIEFLY
TestMachine = pytest.mark.slow(TestMachine)


@pytest.fixture
def url(server: str) -> str:
    return _new()


@pytest.fixture
def log(url: str) -> Iterator[PostgresqlLog]:
    with closing(_open(url)) as log:
        yield log


# --- connections that break -----------------------------------------------------------------------------------------


def test_one_goes_on_when_the_server_ended_the_connection(log: PostgresqlLog) -> None:
    log.append("run/1", [started("a")], expect=0, at=1.0)
    _terminate_all()
    assert len(log.read("run/1")) == 1
    _terminate_all()
    assert log.append("run/1", [started("b")], expect=1, at=2.0) == 2
    assert wire.verify(log.raw())[0] == 2


class _Breaking:
    """A connection whose server goes away when a statement is sent, before it arrives or before the answer does."""

    def __init__(self, connection: object, *, on: str, arrives: bool) -> None:
        self.connection = connection
        self.on = on
        self.arrives = arrives

    def execute(self, sql: bytes | str, values: object = None) -> object:
        text = sql.decode() if isinstance(sql, bytes) else sql
        if self.on in text and self.arrives:
            self.connection.execute(sql, values)  # type: ignore[attr-defined] # psycopg's own
        if self.on in text:
            _terminate_all()
            return self.connection.execute("SELECT 1")  # type: ignore[attr-defined] # as above
        return self.connection.execute(sql, values)  # type: ignore[attr-defined] # as above

    def __getattr__(self, name: str) -> object:
        return getattr(self.connection, name)


@pytest.mark.parametrize("arrives", [False, True], ids=["question lost", "answer lost"])
@pytest.mark.parametrize("on", ["BEGIN", "INSERT"])
def test_an_append_whose_answer_was_lost_is_done_once(log: PostgresqlLog, on: str, *, arrives: bool) -> None:
    log.append("run/1", [started("a")], expect=0, at=1.0)
    log._db._connection = _Breaking(log._db._connection, on=on, arrives=arrives)  # type: ignore[assignment] # a real one
    assert log.append("run/1", [started("b"), started("c")], expect=1, at=2.0) == 3
    assert [e.fact for e in log.read("run/1")] == [started("a"), started("b"), started("c")]
    assert log.append("run/1", [started("d")], expect=3, at=3.0) == 4
    assert wire.verify(log.raw())[0] == 4


def test_anothers_equal_fact_is_not_taken_for_ones_own(url: str, log: PostgresqlLog) -> None:
    with closing(_open(url)) as other:
        other.append("run/1", [started("a")], expect=0, at=1.0)
    log._db._connection = _Breaking(log._db._connection, on="BEGIN", arrives=True)  # type: ignore[assignment] # as above
    with pytest.raises(AppendConflict):
        log.append("run/1", [started("a")], expect=0, at=1.0)


def test_who_holds_the_lock_for_too_long_is_a_conflict_and_one_goes_on(url: str, log: PostgresqlLog) -> None:
    _short = "SET lock_timeout = '50ms'"
    log._db.run(lambda db: db.execute(_short))
    with psycopg.connect(SERVER[0]) as connection:
        connection.execute(f"SELECT pg_advisory_xact_lock(1212438361, hashtext('{_schema(url)}'))".encode())
        with pytest.raises(Conflict, match="to itself"):
            log.append("run/1", [started()], expect=0, at=1.0)
        assert log.read("run/1") == []
    assert log.append("run/1", [started()], expect=0, at=1.0) == 1


# --- who may come in ------------------------------------------------------------------------------------------------


def test_where_nobody_listens_is_told_without_the_password() -> None:
    with pytest.raises(RemoteUnreachable, match="does not answer") as told:
        _open(f"postgresql://headway:s3cr3t@127.0.0.1:{free_port()}/postgres")
    assert "s3cr3t" not in f"{told.value.problem} {told.value.at} {told.value.remedy}"
    assert told.value.retry_after_s


@pytest.mark.parametrize(
    ("old", "new"), [("secret", "wrong"), ("/postgres", "/nosuch"), ("//headway:", "//nobody:")], ids=str
)
def test_a_refused_login_is_told_without_the_password(url: str, old: str, new: str) -> None:
    with pytest.raises(RemoteRefused, match="does not let you in") as told:
        _open(url.replace(old, new))
    assert "***" in told.value.at
    assert "PGPASSWORD" in told.value.remedy


def test_the_password_may_come_from_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "secret")
    with closing(_open(url.replace(":secret@", "@"))) as log:
        assert log.append("run/1", [started()], expect=0, at=1.0) == 1


def test_encryption_that_is_asked_for_is_not_gone_without(url: str) -> None:
    with pytest.raises(RemoteRefused, match="SSL"):
        _open(f"{url}&sslmode=require")


def test_a_url_that_is_none_is_told_without_the_password() -> None:
    with pytest.raises(UsageMistaken, match="no address") as told:
        _open("postgresql://headway:s3cr3t/x@127.0.0.1:port/postgres")
    assert "s3cr3t" not in f"{told.value.problem} {told.value.at} {told.value.remedy}"


def test_a_missing_extra_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for port in ("log", "leases"):
        with pytest.raises(ExtraMissing) as told:
            connect(port, "postgresql://db/shop")
        assert told.value.remedy == "pip install 'headway[sql]'"


def test_a_user_who_may_only_read_can_look(url: str, log: PostgresqlLog) -> None:
    log.append("run/1", one_of_each(), expect=0, at=1.0)
    name = _schema(url)
    grants = f"GRANT USAGE ON SCHEMA {name} TO {name}; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO {name}"
    _ask(url, f"CREATE ROLE {name} LOGIN PASSWORD 'reader'", grants)
    theirs = url.replace("headway:secret", f"{name}:reader")
    looked = connect("log", theirs, looking=True)
    assert isinstance(looked, PostgresqlLog)
    with closing(looked):
        assert len(looked.read("run/1")) == 4
        with pytest.raises(RemoteRefused):
            looked.append("run/1", [started()], expect=4, at=1.0)


def test_looking_makes_nothing(url: str) -> None:
    with pytest.raises(FileMissing, match="nothing was recorded"):
        connect("log", url, looking=True)
    with psycopg.connect(SERVER[0]) as connection:
        found = connection.execute(f"SELECT to_regnamespace('{_schema(url)}')".encode()).fetchone()
    assert found == (None,)


# --- the tables -----------------------------------------------------------------------------------------------------


def test_the_body_is_text_that_sql_can_read(url: str, log: PostgresqlLog) -> None:
    log.append("run/1", [StepStarted(step="train")], expect=0, at=1.0)
    with psycopg.connect(SERVER[0]) as connection:
        found = connection.execute(f"SELECT body::json ->> 'step' FROM {_schema(url)}.facts".encode()).fetchone()
    assert found == ("train",)


@pytest.mark.parametrize("sql", ["UPDATE facts SET at = 0", "DELETE FROM facts", "TRUNCATE facts"])
def test_a_slip_of_the_hand_changes_no_fact(url: str, log: PostgresqlLog, sql: str) -> None:
    log.append("run/1", [started()], expect=0, at=1.0)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="facts never change"):
        _ask(url, sql)


def test_a_log_of_a_later_form_is_refused(url: str) -> None:
    _open(url).close()
    _ask(url, "UPDATE forms SET version = 2")
    with pytest.raises(LogNewer, match="form 2"):
        _open(url)


def test_a_log_without_its_table_is_told(url: str, log: PostgresqlLog) -> None:
    _ask(url, "DROP TABLE facts")
    with pytest.raises(LogDamaged, match="facts"):
        log.read("run/1")


@pytest.mark.parametrize(
    ("sql", "seq"),
    [
        ("UPDATE facts SET body = replace(body, '1', '7') WHERE seq = 2", 2),
        ("UPDATE facts SET at = at + 1 WHERE seq = 3", 3),
        ("UPDATE facts SET stream = 'run/2', n = 1 WHERE seq = 2", 2),
        ("DELETE FROM facts WHERE seq = 2", 2),
        ("UPDATE facts SET hash = upper(hash) WHERE seq = 4", 4),
    ],
    ids=["body", "time", "stream", "taken out", "hash"],
)
def test_what_was_rewritten_is_found_and_named(url: str, log: PostgresqlLog, sql: str, seq: int) -> None:
    for i in range(4):
        log.append("run/1", [started(str(i))], expect=i, at=float(i))
    _ask(url, "DROP TRIGGER facts_never_change ON facts", sql)
    with pytest.raises(LogDamaged, match=rf"fact {seq} "):
        wire.verify(log.raw())
    if seq == 4:
        with closing(_open(url)) as other, pytest.raises(LogDamaged, match="fact 4"):
            other.append("run/2", [started()], expect=0, at=1.0)


def test_keys_longer_than_an_index_takes_are_found(log: PostgresqlLog) -> None:
    from headway.testing.log_contract import finished

    # Letters at random, for PostgreSQL presses texts together before it finds them too long.
    keys = [f"{letter}{secrets.token_hex(4000)}" for letter in "ab"]
    log.append("run/1", [finished(key) for key in keys], expect=0, at=1.0)
    assert {key: e.seq for key, e in log.find("StepFinished", keys).items()} == {keys[0]: 1, keys[1]: 2}


def test_two_schemas_of_a_database_are_two_logs(log: PostgresqlLog) -> None:
    log.append("run/1", [started()], expect=0, at=1.0)
    with closing(_open(_new())) as other:
        assert list(other.raw()) == []


def test_a_closed_log_says_so(log: PostgresqlLog) -> None:
    log.close()
    with pytest.raises(LogTrouble, match="closed"):
        log.read("run/1")
