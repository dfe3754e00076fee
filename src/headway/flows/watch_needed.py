"""Which blobs monitors need: the references that they compare with, and the details of the windows that are shown.

Neighbour: `needed` asks all rooms. What is older is told by its facts alone.
"""

from collections import Counter
from collections.abc import Iterator

from headway.core import facts as f
from headway.core.ids import Digest
from headway.core.watch import KEPT
from headway.ports import Log

BEGUN = 3
"""So many references of a monitor are kept, the newest: of the version that serves, and of those before it."""


def of_monitors(log: Log) -> Iterator[tuple[Digest, str]]:
    """Each blob, and what it is needed for."""
    n_begun, n_windows = Counter[str](), Counter[str]()
    for entry in log.scan(("MonitorBegan", "WindowClosed", "QualitySeen"), newest_first=True):
        match entry.fact:
            case f.MonitorBegan(monitor=name) as began:
                n_begun[name] += 1
                if n_begun[name] <= BEGUN:
                    for digest in (began.reference, began.rows, began.blocks):
                        if digest is not None:
                            yield digest, f"what monitor {name} compares with"
            case f.WindowClosed(monitor=name, detail=detail) | f.QualitySeen(monitor=name, detail=detail):
                n_windows[name] += isinstance(entry.fact, f.WindowClosed)
                if detail is not None and n_windows[name] <= KEPT:
                    yield detail, f"what monitor {name} saw"
            case _:
                pass
