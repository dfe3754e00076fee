"""Leases in PostgreSQL: by the clock of the database alone, alive as long as their process is."""

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import cast

import psycopg
import pytest

from headway.backends import connect, leases_postgresql, wrap
from headway.backends.leases_postgresql import PostgresqlLeases
from headway.errors import LeaseHeld
from headway.ports import Leases
from headway.testing.leases_contract import LeasesContract
from services import postgresql

pytestmark = pytest.mark.slow

SERVER: list[str] = []
MADE: list[PostgresqlLeases] = []


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[str]:
    with postgresql() as url:
        SERVER[:] = [url]
        yield url


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while MADE:
        MADE.pop().close()


def _open(url: str, *, looking: bool = False) -> PostgresqlLeases:
    leases = connect("leases", url, looking=looking)
    assert isinstance(leases, PostgresqlLeases)
    MADE.append(leases)
    return leases


@pytest.fixture
def url() -> str:
    return f"{SERVER[0]}?schema=s{secrets.token_hex(4)}"


def _take(leases: Leases, holder: str) -> None:
    leases.acquire("up", holder=holder, ttl_s=1.0, now=0.0)


class TestPostgresqlLeases(LeasesContract):
    def make(self, root: str) -> Leases:
        return _open(f"{SERVER[0]}?schema={root[-50:].replace('/', '%2F')}")


class TestSharedLeases(LeasesContract):
    """The same, of a folder and of a database at once."""

    def make(self, root: str) -> Leases:
        far = TestPostgresqlLeases().make(root)
        return cast("Leases", wrap("shared", connect("leases", f"file:{root}"), far))


def test_nobody_who_only_looks_makes_anything(url: str) -> None:
    assert _open(url, looking=True).holder("up", now=0.0) is None
    with psycopg.connect(SERVER[0]) as connection:
        found = connection.execute(f"SELECT to_regnamespace('{url.rpartition('=')[2]}')".encode()).fetchone()
    assert found == (None,)


def test_clocks_of_machines_do_not_count(url: str) -> None:
    ours, theirs = _open(url), _open(url)
    ours.acquire("up", holder="us", ttl_s=10, now=0.0)
    with pytest.raises(LeaseHeld, match="us"):
        theirs.acquire("up", holder="them", ttl_s=10, now=4e9)
    ours.renew("up", holder="us", ttl_s=10, now=-4e9)


def test_a_holder_of_the_same_name_on_another_machine_is_somebody_else(url: str) -> None:
    _take(_open(url), "process 7 on host")
    with pytest.raises(LeaseHeld):
        _take(_open(url), "process 7 on host")


def test_a_lease_outlives_the_connection(url: str) -> None:
    ours, theirs = _open(url), _open(url)
    _take(ours, "us")
    with psycopg.connect(SERVER[0], autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headway'")
    with pytest.raises(LeaseHeld):
        _take(theirs, "them")
    ours.renew("up", holder="us", ttl_s=1.0, now=0.0)


def test_a_holder_that_lives_is_believed_for_longer_than_one_that_says_nothing(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_postgresql, "BEAT_S", 0.05)
    ours, theirs = _open(url), _open(url)
    _take(ours, "us")
    until = "SELECT extract(epoch FROM until)::float8 FROM leases"
    before = theirs._db.run(lambda db: db.execute(until.encode()).fetchone())
    deadline = time.monotonic() + 60
    while theirs._db.run(lambda db: db.execute(until.encode()).fetchone()) == before:
        assert time.monotonic() < deadline, "nobody says that the holder lives"
        time.sleep(0.05)


def test_what_ran_out_is_taken_by_who_asks_and_the_former_holder_hears_of_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases_postgresql, "BEAT_S", 3600.0)
    ours, theirs = _open(url), _open(url)
    _take(ours, "us")
    ours._db.run(lambda db: db.execute("UPDATE leases SET until = clock_timestamp()"))
    assert theirs.holder("up", now=0.0) is None
    _take(theirs, "them")
    with pytest.raises(LeaseHeld, match="them"):
        ours.renew("up", holder="us", ttl_s=1.0, now=0.0)
    ours.release("up", holder="us")
    assert ours.holder("up", now=0.0) == "them"


def test_a_killed_process_is_found_out(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import sys; from headway.backends import connect\n"
        "connect('leases', sys.argv[1]).acquire('up', holder='them', ttl_s=600, now=0.0); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    ours = _open(url)
    with pytest.raises(LeaseHeld):
        _take(ours, "us")
    child.send_signal(signal.SIGKILL)
    child.communicate()
    # What the clock would do in ten seconds is done at once; nobody is there to undo it.
    ours._db.run(lambda db: db.execute("UPDATE leases SET until = until - interval '10 s'"))
    _take(ours, "us")
