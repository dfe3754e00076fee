"""Copy a whole log into another, as from a file into a database: the same facts, times, numbers and hashes.

Only by appending, so that it goes from any back-end to any other, and is gone on with where it was interrupted. It
does not stop anybody from appending meanwhile, which is found out and told.
"""

from headway.codec import wire
from headway.core.facts import Row
from headway.errors import AppendConflict, Conflict, LogDamaged
from headway.ports import Log

TOGETHER = 500
"""Facts that are appended at once, if they are of one stream and one time."""


def copy(log: Log, to: Log) -> int:
    """Append to the other log what it lacks of this one, whose chain was verified; gives how many facts that was.

    Raises Conflict where the other one has facts that are not of this log, LogDamaged for a fact that cannot be
    written as it was.
    """
    newest = next(iter(to.scan(newest_first=True, limit=1)), None)
    there = 0 if newest is None else newest.seq
    n = before = 0
    together: list[Row] = []
    for row in log.raw():
        before = row.seq
        if newest is not None and row.seq == there and row.hash != newest.hash:
            raise _others()
        if row.seq <= there:
            continue
        if together and (len(together) == TOGETHER or (together[0].stream, together[0].at) != (row.stream, row.at)):
            _append(together, to)
            together = []
        together.append(row)
        n += 1
    if before < there:
        raise _others()
    if together:
        _append(together, to)
    return n


def _append(rows: list[Row], to: Log) -> None:
    facts = [wire.decode_fact(row.body, seq=row.seq) for row in rows]
    for row, fact in zip(rows, facts, strict=True):
        if wire.encode_fact(fact) != row.body:
            raise LogDamaged(
                f"fact {row.seq} was written in another form than this version writes, and would get another hash",
                at=f"log: fact {row.seq}",
                remedy="copy it with the version of headway that wrote it",
            )
    try:
        to.append(rows[0].stream, facts, expect=rows[0].n - 1, at=rows[0].at)
    except AppendConflict as e:
        raise _others() from e
    newest = next(iter(to.scan(newest_first=True, limit=1)), None)
    if newest is None or newest.hash != rows[-1].hash:
        raise _others()


def _others() -> Conflict:
    return Conflict(
        "the other log has facts that are not of this one",
        at="--copy-to",
        remedy="copy into an empty place (another schema=NAME), and let nobody append to it until it is done",
    )
