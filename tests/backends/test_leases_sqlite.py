"""Leases in SQLite end by time and are seen by everyone who has the file."""

import os

import pytest

from headway.backends import connect
from headway.backends.leases_sqlite import SqliteLeases
from headway.errors import StoreTrouble
from headway.ports import Leases
from headway.testing.leases_contract import LeasesByTimeContract


class TestSqliteLeases(LeasesByTimeContract):
    def make(self, root: str) -> Leases:
        leases = connect("leases", f"sqlite:{root}")
        assert isinstance(leases, SqliteLeases)
        return leases


def test_a_file_that_is_no_database_is_told(tmp_path: "os.PathLike[str]") -> None:
    path = os.path.join(tmp_path, "leases")
    with open(path, "wb") as f:
        f.write(b"not a database" * 100)
    with pytest.raises(StoreTrouble, match="not a database"):
        SqliteLeases(path)
