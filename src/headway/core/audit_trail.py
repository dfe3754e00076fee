"""Who did what: the facts that somebody answers for, each as a line with a name, a reason, and its place in the chain.

Neighbours: `core/story` has the words; `flows/audit_trail` reads the log.
"""

from typing import get_args

from msgspec import Struct

from headway.core import facts as f
from headway.core.story import Releases, line_of

KINDS = tuple(kind.__name__ for kind in get_args(f.Fact) if "by" in kind.__struct_fields__ or kind is f.RunStarted)
"""The kinds of facts that can have a name."""

BY_HAND = "person"
"""How a run says that nobody but a person started it."""


class Deed(Struct, frozen=True, kw_only=True):
    """What somebody did: `by` whom, when (UTC seconds), and `why` if they said so.

    `about` is what it was done to (`run 7`, `endpoint churn`), `hash` that of its fact, as it stands in the chain.
    """

    seq: int
    at: float
    by: str
    about: str
    kind: str
    text: str
    why: str = ""
    hash: str = ""


class Sought(Struct, frozen=True, kw_only=True):
    """Which deeds are meant: of somebody, about something, of a kind, from `since` (UTC seconds) on; empty: any."""

    by: str = ""
    about: str = ""
    kind: str = ""
    since: float = 0.0


def deed_of(entry: f.Entry, releases: Releases) -> Deed | None:
    """What a fact says that somebody did; None where nobody answers for it.

    >>> deed = deed_of(f.Entry(seq=4, stream="run/7", n=2, at=0.0, fact=f.RunResumed(by="ann")), {})
    >>> deed.by, deed.about, deed.text
    ('ann', 'run 7', 'taken up again by ann')
    """
    fact = entry.fact
    by = _starter(fact) if isinstance(fact, f.RunStarted) else getattr(fact, "by", "")
    if not by:
        return None
    line = line_of(entry, releases)
    stream, _, name = entry.stream.partition("/")
    return Deed(
        seq=entry.seq,
        at=entry.at,
        by=by,
        about=line.about if line else f"{stream} {name}".rstrip(),
        kind=f.kind_of(fact),
        text=line.text if line else f.kind_of(fact),
        why=getattr(fact, "override", "") or getattr(fact, "why", "") or getattr(fact, "note", "") or "",
        hash=entry.hash,
    )


def _starter(fact: f.RunStarted) -> str:
    return fact.place.user if fact.trigger == BY_HAND else ""


def is_sought(deed: Deed, sought: Sought) -> bool:
    """Whether a deed is one of those.

    >>> deed = Deed(seq=1, at=5.0, by="ann", about="endpoint churn", kind="ReleaseDirected", text="")
    >>> [is_sought(deed, Sought(about=about)) for about in ("endpoint", "endpoint/churn", "endpoint/c")]
    [True, True, False]
    """
    about = sought.about.replace("/", " ", 1)
    return (
        deed.at >= sought.since
        and (not sought.by or deed.by == sought.by)
        and (not sought.kind or deed.kind == sought.kind)
        and (not about or deed.about == about or deed.about.partition(" ")[0] == about)
    )
