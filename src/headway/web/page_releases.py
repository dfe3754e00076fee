"""Releases: all of them, one with its stages and its evidence, and an endpoint by its newest one."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from headway.codec.rollout_svg import WIDTH, drawn
from headway.core.facts import Act
from headway.core.loop import State
from headway.core.rollout import Rollout
from headway.core.rollout_picture import coming, headline, picture, to_type, told_end, waits_for
from headway.core.rollout_view import ReleaseView
from headway.errors import NameUnknown, UsageMistaken
from headway.flows.release import say
from headway.flows.release_back import ask_back
from headway.flows.rollout import names, read
from headway.flows.rollout_view import Looked, course, history, look
from headway.web import release_shown as shown
from headway.web import sorting
from headway.web.acts import Act as Doable
from headway.web.acts import Doing, Done
from headway.web.pages import Asked, Page

MOST = 200
"""Releases of a page, the newest."""

ROWS = 12
"""Guards that are drawn of one release."""


class ReleaseRow(Struct, frozen=True, kw_only=True):
    """One release of a list, and how it looks."""

    release: ReleaseView
    state: State
    words: str


class ReleasesPage(Struct, frozen=True, kw_only=True):
    """Releases of all endpoints, or of one: those under way first, then the newest first.

    `sort` is a name of `SORTS`, with a minus before it for the other way round; `n_all` are there, of whatever kind.
    """

    rows: tuple[ReleaseRow, ...]
    endpoints: tuple[str, ...]
    endpoint: str = ""
    state: str = ""
    sort: str = ""
    n_all: int = 0
    states: tuple[str, ...] = ()


class Say(Struct, frozen=True, kw_only=True):
    """Something that may be said to a release: what its button says, and what comes of it."""

    act: str
    name: str
    means: str
    is_grave: bool = False


class ReleasePage(Struct, frozen=True, kw_only=True):
    """One release. `said` is how it stands in a sentence, `type` what may be typed to it while it waits.

    `acts` are what may be said to it on this page.
    """

    looked: Looked
    state: State
    words: str
    said: str
    traffic: shown.Traffic | None
    waits: str
    coming: str
    type: tuple[str, ...]
    acts: tuple[Say, ...]
    stages: tuple[shown.StageShown, ...]
    evidence: shown.Evidence | None
    golden: shown.Golden | None
    events: tuple[shown.Event, ...]
    has_course: bool
    others: tuple[ReleaseRow, ...] = ()


class CoursePage(Struct, frozen=True, kw_only=True):
    """How the evidence of a release went, as an SVG."""

    title: str
    svg: str


_ENDED: dict[str, tuple[State, str]] = {
    "released": ("well", "released"),
    "rolled-back": ("trouble", "rolled back"),
    "aborted": ("idle", "called off"),
    "failed": ("trouble", "failed"),
}


def looks(release: ReleaseView) -> tuple[State, str]:
    """The state of a release and a word for it."""
    if release.outcome:
        return _ENDED.get(release.outcome, ("idle", release.outcome))
    if waits_for(release):
        return "waiting", "waits"
    return "running", {"baking": "bakes", "watched": "is tried", "starting": "starts"}.get(release.phase, release.phase)


def _row(release: ReleaseView) -> ReleaseRow:
    state, words = looks(release)
    return ReleaseRow(release=release, state=state, words=words)


SORTS: dict[str, sorting.By] = {
    "release": lambda row: (row.release.endpoint, row.release.release),
    "version": lambda row: (row.release.model, row.release.version),
    "state": lambda row: (row.words,),
    "began": lambda row: (row.release.started_at,),
}
"""By what releases are sorted."""


def _rows(found: Sequence[ReleaseView], sort: str = "") -> tuple[ReleaseRow, ...]:
    newest = sorted(found, key=lambda one: (not one.outcome, one.started_at), reverse=True)
    return sorting.ordered((_row(one) for one in newest), SORTS, sort)[:MOST]


def _releases(asked: Asked) -> ReleasesPage:
    log = asked.parts.log
    known = names(log)
    endpoint, state, sort = (asked.query.get(name, "").strip() for name in ("endpoint", "state", "sort"))
    every = _rows([one for name in known for one in history(log, name)], sort)
    rows = [row for row in every if endpoint in ("", row.release.endpoint) and state in ("", row.words)]
    return ReleasesPage(
        rows=tuple(rows),
        endpoints=tuple(known),
        endpoint=endpoint,
        state=state,
        sort=sort,
        n_all=len(every),
        states=tuple(sorted({row.words for row in every})),
    )


def _number(asked: Asked) -> int:
    text = asked.path["release"]
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 12):
        raise NameUnknown(f"{text!r} is no release", at="release", remedy="give its number; /releases lists them")
    return int(text)


def _release(asked: Asked) -> ReleasePage:
    return _shown(asked, asked.path["endpoint"], _number(asked))


def _endpoint(asked: Asked) -> ReleasePage:
    return _shown(asked, asked.path["endpoint"], None)


def _shown(asked: Asked, endpoint: str, release: int | None) -> ReleasePage:
    now, parts = asked.now, asked.parts
    found = look(parts.log, parts.leases, endpoint, now=now, release=release)
    view = found.release
    state, words = looks(view)
    drawn_now = None
    if found.strategy is not None and found.verdict is not None:
        drawn_now = picture(view, found.strategy, found.verdict, now=now, most=ROWS)
    golden, events = shown.happened(parts.log, view)
    every = history(parts.log, endpoint)
    return ReleasePage(
        looked=found,
        state=state,
        words=words,
        said=told_end(view, now=now) if view.outcome else headline(view, now=now),
        traffic=shown.traffic_of(view),
        waits=waits_for(view),
        coming="" if view.outcome else coming(view, found.verdict, now=now),
        type=to_type(view),
        acts=tuple(_acts_after(view, read(parts.log, endpoint)) if view.outcome else _acts(view)),
        stages=shown.stages(view, drawn_now),
        evidence=shown.evidence(drawn_now),
        golden=golden,
        events=events,
        has_course=bool(view.stages) and view.looked_at > 0,
        others=_rows([one for one in every if one.release != view.release])[:20],
    )


def _acts_after(view: ReleaseView, rollout: Rollout) -> Iterator[Say]:
    """What may be done about a release that ended: where it serves, what served before may come back."""
    serving, before = rollout.serving, rollout.previous
    if before is not None and serving is not None and serving.release == view.release and rollout.open is None:
        to, new = f"{before.model}@{before.version}", f"{view.model}@{view.version}"
        means = f"{to} is started, asked its golden requests, and answers everything in place of {new}."
        yield Say(act="rollback", name="Roll back", means=means, is_grave=True)


def _acts(view: ReleaseView) -> Iterator[Say]:
    """What may be said to a release that is under way, as it stands."""
    if not view.stages:
        return
    old = f"{view.model}@{view.old}"
    if view.is_paused:
        yield Say(act="resume", name="Resume", means="Its stages go on where they were.")
    else:
        means = "It goes on to its next stage, whatever the evidence says so far."
        yield Say(act="promote", name="Promote", means=means)
        yield Say(act="pause", name="Pause", means="Its stages stop and traffic stays; its guards still roll it back.")
    is_on = view.shares[0] > 0
    keeps = f"{old} answers everything again." if is_on else f"{old} goes on answering everything."
    means = keeps if view.old is not None else "Nothing served before it, so that nobody answers."
    yield Say(act="abort", name="Roll back" if is_on else "Abort", means=means, is_grave=True)


def _course(asked: Asked) -> CoursePage:
    endpoint, release = asked.path["endpoint"], _number(asked)
    view = look(asked.parts.log, asked.parts.leases, endpoint, now=asked.now, release=release).release
    title = f"release {release} of {endpoint}: {view.model}@{view.version}"
    said = told_end(view, now=asked.now) if view.outcome else headline(view, now=asked.now)
    found = course(asked.parts.log, endpoint, release=release, now=asked.now)
    width = asked.query.get("width", "")
    if not width:
        return CoursePage(title=title, svg=drawn(found, title=title, said=said))
    # On a page that has the heading already, as wide as there is room.
    wide = min(max(int(width), 320), 1600) if width.isascii() and width.isdecimal() and len(width) < 6 else WIDTH
    return CoursePage(title=title, svg=drawn(found, title=title, said=said, width=wide, bare=True))


ACTS_SAID: dict[str, Act] = {"promote": "promote", "abort": "abort", "pause": "pause", "resume": "resume"}


def _direct(doing: Doing) -> Done:
    """Say what is to become of a release that is under way; who drives it does it."""
    endpoint, number, act = doing.path["endpoint"], doing.path["release"], doing.fields["act"]
    if act not in ACTS_SAID and act != "rollback":
        raise UsageMistaken(f"{act!r} cannot be said", at="act", remedy=f"say {', '.join(ACTS_SAID)} or rollback")
    if not (number.isascii() and number.isdecimal() and 0 < len(number) < 12 and int(number)):
        raise NameUnknown(f"{number!r} is no release", at="release", remedy="give its number; /releases lists them")
    world = doing.parts.delivery(by=doing.by)
    if act == "rollback":
        begun = ask_back(world, endpoint, serving=int(number), why=doing.why)
        return Done(done=f"rollback: release {begun} of {endpoint}", page=f"/releases/{endpoint}/{begun}")
    say(world, endpoint, ACTS_SAID[act], why=doing.why, release=int(number))
    return Done(done=f"{act}: release {number} of {endpoint}", page=f"/releases/{endpoint}/{number}")


ACTS = (Doable(path="/releases/{endpoint}/{release}/act", role="approver", does=_direct, takes=("act",)),)


# Any (here and below): the view's own value.
def _name(view: Any) -> str:  # noqa: ANN401 (as above)
    release = view.looked.release
    return f"{release.model}@{release.version} on {release.endpoint}"


def _command(view: Any) -> str:  # noqa: ANN401 (as above)
    release = view.looked.release
    return f"headway rollout status {release.endpoint} --release {release.release}"


PAGES = (
    Page(
        path="/releases",
        asks={
            "endpoint": "of this endpoint",
            "state": "in this state, in words",
            **sorting.asks(SORTS),
        },
        template="releases.html",
        section="/releases",
        gives=ReleasesPage,
        view=_releases,
        title=lambda _: "Releases",
        command=lambda _: "headway rollout status",
        way="Releases",
    ),
    Page(
        path="/releases/{endpoint}/{release}",
        template="release.html",
        section="/releases",
        gives=ReleasePage,
        view=_release,
        title=_name,
        command=_command,
        refresh_s=1,
    ),
    Page(
        path="/endpoints/{endpoint}",
        template="release.html",
        section="/releases",
        gives=ReleasePage,
        view=_endpoint,
        title=_name,
        command=_command,
        refresh_s=1,
    ),
    Page(
        path="/releases/{endpoint}/{release}/evidence",
        asks={
            "width": "of the picture, in pixels",
        },
        template="evidence.svg",
        section="/releases",
        gives=CoursePage,
        view=_course,
        title=lambda view: str(view.title),
        command=lambda _: "headway rollout status --svg FILE",
        kind="image/svg+xml",
    ),
)
