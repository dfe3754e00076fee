"""A log is copied with its chain, goes on where it was interrupted, and is never mixed with another."""

import pytest

from headway.backends.log_memory import MemoryLog
from headway.errors import Conflict
from headway.flows.log_copy import copy
from headway.testing.log_contract import finished, one_of_each, started


def _filled() -> MemoryLog:
    log = MemoryLog()
    log.append("run/1", one_of_each(), expect=0, at=1.0)
    log.append("run/2", [started("a"), finished("k")], expect=0, at=2.0)
    for i in range(3):
        log.append("run/1", [started(str(i))], expect=4 + i, at=3.0 + i)
    log.append("run/3", [started(str(i)) for i in range(1201)], expect=0, at=9.0)
    return log


def test_a_copy_has_the_same_rows_and_hashes() -> None:
    log, to = _filled(), MemoryLog()
    assert copy(log, to) == 1210
    assert list(to.raw()) == list(log.raw())


def test_a_copy_is_gone_on_with() -> None:
    log, to = _filled(), MemoryLog()
    to.append("run/1", one_of_each(), expect=0, at=1.0)
    assert copy(log, to) == 1206
    assert copy(log, to) == 0
    log.append("run/4", [started()], expect=0, at=10.0)
    assert copy(log, to) == 1
    assert list(to.raw()) == list(log.raw())


def test_another_log_is_not_mixed_with_it() -> None:
    log, to = _filled(), MemoryLog()
    to.append("run/7", [started()], expect=0, at=1.0)
    before = list(to.raw())
    with pytest.raises(Conflict, match="not of this one"):
        copy(log, to)
    with pytest.raises(Conflict, match="not of this one"):
        copy(MemoryLog(), to)
    assert list(to.raw()) == before


def test_who_appended_to_the_copy_is_found_out() -> None:
    log, to = _filled(), MemoryLog()
    copy(log, to)
    to.append("run/9", [started()], expect=0, at=1.0)
    with pytest.raises(Conflict, match="let nobody append"):
        copy(log, to)
    log.append("run/4", [started()], expect=0, at=10.0)
    with pytest.raises(Conflict, match="let nobody append"):
        copy(log, to)
