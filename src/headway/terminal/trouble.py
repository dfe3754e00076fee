"""How an error is told: problem, place and remedy, each on its line; the faults of a file with their excerpts."""

import errno
import os
from typing import Any

from headway.errors import DiskFull, Fault, FileFaulty, HeadwayError, SystemRefused


# Any: what JSON holds.
def document(error: HeadwayError) -> dict[str, Any]:
    """For machines."""
    return {
        "error": error.code,
        "problem": error.problem,
        "at": error.at,
        "remedy": error.remedy,
        "faults": [{k: getattr(f, k) for k in f.__slots__} for f in _faults(error)],
    }


def told(error: HeadwayError) -> str:
    """For people, with its line breaks."""
    lines = []
    for f in _faults(error):
        file = f.file or error.at.partition(":")[0]
        place = f"{file}:{f.line}:{f.column}" if f.line else error.at
        lines.append(f"{place}: {f.problem}" + (f" (in {f.where})" if f.where else ""))
        if f.excerpt:
            lines += [f"    {f.excerpt}", "    " + " " * max(f.column - 1, 0) + "^"]
        if f.remedy:
            lines.append(f"    {f.remedy}")
    return "\n".join([*lines, f"headway: {error.problem}", f"  at: {error.at}", f"  do: {error.remedy}", ""])


def _faults(error: HeadwayError) -> tuple[Fault, ...]:
    return error.faults if isinstance(error, FileFaulty) else ()


def translated(error: Exception) -> HeadwayError:
    """What nobody expected: the system refused something that no port is answerable for, or headway is wrong."""
    if isinstance(error, OSError) and error.strerror is not None:
        place = str(error.filename) if error.filename is not None else "the operating system"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return DiskFull("no space is left", at=place, remedy="free some, then run again")
        remedy = "see that it is there and may be read and written; HEADWAY_DEBUG=1 shows who asked for it"
        return SystemRefused(error.strerror.lower(), at=place, remedy=remedy)
    import traceback

    last = traceback.extract_tb(error.__traceback__)[-1]
    return HeadwayError(
        f"this is a fault in headway itself: {type(error).__name__}: {error}",
        at=f"{os.path.basename(last.filename)}:{last.lineno} in {last.name}",
        remedy="nothing recorded is lost; run again with HEADWAY_DEBUG=1 for the traceback and report it",
    )
