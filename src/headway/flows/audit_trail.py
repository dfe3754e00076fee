"""Who did what, out of the log: the newest deeds, and all of them in parts that fit into memory.

`core/audit_trail` says what a deed is; `history.audit` verifies the chain. Reads; records nothing.
"""

from collections.abc import Iterator

from msgspec import Struct

from headway.core import facts as f
from headway.core.audit_trail import KINDS, Deed, Sought, deed_of, is_sought
from headway.errors import UsageMistaken
from headway.flows.story import releases
from headway.ports import Log

PART = 2000
"""So many facts are looked at before whoever asks may send what was found."""


class Trail(Struct, frozen=True, kw_only=True):
    """Deeds, newest first; `before`: the number of the fact from which on older ones are, 0 where there are none."""

    deeds: tuple[Deed, ...]
    before: int = 0


class Part(Struct, frozen=True, kw_only=True):
    """Deeds in the order in which they were done, up to the fact `seq`; `is_last`: the log ends with it."""

    deeds: tuple[Deed, ...]
    seq: int
    is_last: bool


def newest(log: Log, sought: Sought, *, most: int, before: int = 0) -> Trail:
    """The newest deeds of those, older than the fact `before` (0: all). Raises UsageMistaken for an unknown kind.

    However far back, it costs what is looked at: facts from `before` on are not.
    """
    known, kinds = releases(log), _kinds(sought)
    found: list[Deed] = []
    for entry in log.scan(kinds, before_seq=before or None, newest_first=True):
        deed = deed_of(entry, known)
        if deed is None or not is_sought(deed, sought):
            continue
        if len(found) == most:
            return Trail(deeds=tuple(found), before=found[-1].seq)
        found.append(deed)
    return Trail(deeds=tuple(found))


def part(log: Log, sought: Sought, *, after: int) -> Part:
    """The deeds in the next facts after `after`. Raises UsageMistaken for an unknown kind."""
    known = releases(log)
    entries = list(log.scan(_kinds(sought), after_seq=after, limit=PART))
    told = [deed for entry in entries if (deed := deed_of(entry, known)) is not None and is_sought(deed, sought)]
    return Part(deeds=tuple(told), seq=entries[-1].seq if entries else after, is_last=len(entries) < PART)


def rows(log: Log, *, after: int) -> Iterator[f.Row]:
    """The next facts as they lie in the log, with their hashes."""
    for n, row in enumerate(log.raw(after_seq=after)):
        if n == PART:
            return
        yield row


def _kinds(sought: Sought) -> tuple[str, ...]:
    if sought.kind and sought.kind not in KINDS:
        raise UsageMistaken(
            f"nobody does {sought.kind!r}", at="kind", remedy=f"choose one of {', '.join(KINDS[:6])}, … or none"
        )
    return (sought.kind,) if sought.kind else KINDS
