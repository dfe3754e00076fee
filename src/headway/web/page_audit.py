"""The audit: who did what and why, with a proof that nobody changed it since.

Neighbour: `exports` hands the same out as files.
"""

from msgspec import Struct, structs

from headway.core.audit_trail import KINDS, Deed, Sought
from headway.errors import LogDamaged, UsageMistaken
from headway.flows import audit_trail, history
from headway.flows.story import ABOUT, since_of
from headway.web.page_story import link_of
from headway.web.pages import Asked, Page

MOST = 200
"""Lines of a page."""


class DeedLine(Struct, frozen=True, kw_only=True):
    """A deed, and the page of what it was done to, where there is one."""

    deed: Deed
    link: str = ""


class Proof(Struct, frozen=True, kw_only=True):
    """The log was read through: `problem` is what does not fit, empty where all of it does."""

    n_facts: int = 0
    n_streams: int = 0
    head: str = ""
    problem: str = ""
    at: str = ""
    remedy: str = ""


class AuditPage(Struct, frozen=True, kw_only=True):
    """Deeds, newest first; `before` leads to older ones, 0: none. `proof` where it was asked for."""

    deeds: tuple[DeedLine, ...]
    before: int
    by: str = ""
    about: str = ""
    kind: str = ""
    since: str = ""
    proof: Proof | None = None
    kinds: tuple[str, ...] = KINDS
    abouts: tuple[str, ...] = ABOUT


def sought(query: dict[str, str], now: float) -> Sought:
    """What is asked for in an address. Raises UsageMistaken."""
    since = query.get("since", "").strip()
    by, about, kind = (query.get(name, "").strip() for name in ("by", "about", "kind"))
    return Sought(by=by, about=about, kind=kind, since=since_of(since, now) if since else 0.0)


def view(asked: Asked) -> AuditPage:
    """The deeds that are asked for; `?verify=1` reads the whole log through."""
    before = asked.query.get("before", "") or "0"
    if not (before.isascii() and before.isdigit() and len(before) < 16):
        raise UsageMistaken(f"{before!r} is no number of a fact", at="before", remedy="follow the link to older lines")
    wanted = sought(asked.query, asked.now)
    found = audit_trail.newest(asked.parts.log, wanted, most=MOST, before=int(before))
    lines = tuple(DeedLine(deed=one, link=link_of(one.about)) for one in found.deeds)
    page = AuditPage(
        deeds=lines,
        before=found.before,
        by=wanted.by,
        about=wanted.about,
        kind=wanted.kind,
        since=asked.query.get("since", "").strip(),
    )
    return structs.replace(page, proof=_proof(asked)) if asked.query.get("verify") == "1" else page


def _proof(asked: Asked) -> Proof:
    try:
        found = history.audit(asked.parts.log)
    except LogDamaged as e:
        return Proof(problem=e.problem, at=e.at, remedy=e.remedy)
    return Proof(n_facts=found.n_facts, n_streams=found.n_streams, head=found.head)


PAGES = (
    Page(
        path="/audit",
        asks={
            "by": "who did it",
            "about": "what it was done to: model, endpoint/churn",
            "kind": "a kind of fact",
            "since": "so long ago (7d), or a date",
            "before": "older than the fact of this number",
            "verify": "1: read the whole log through",
        },
        template="audit.html",
        section="/audit",
        gives=AuditPage,
        view=view,
        title=lambda _: "Who did what",
        command=lambda _: "headway audit",
        way="Audit",
        # To verify reads the whole log, and who looks for something does not want it to move.
        refresh_s=0,
    ),
)
