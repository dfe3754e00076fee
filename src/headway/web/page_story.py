"""The story: all that happened in the project, newest first, by what it is about."""

from msgspec import Struct

from headway.core.facts import Fact, ReleaseDirected, StepFinished
from headway.core.story import Line
from headway.flows.story import ABOUT, since_of, story
from headway.flows.story import Asked as Wanted
from headway.web.pages import Asked, Page

MOST = 500
"""Lines of a page."""


class StoryLine(Struct, frozen=True, kw_only=True):
    """A line, the number of its fact in the log, and the page of what it is about, where there is one.

    `is_part`: another line tells the same: a step of a run that ended, or why headway took a release back.
    """

    line: Line
    seq: int
    link: str = ""
    is_part: bool = False


class StoryPage(Struct, frozen=True, kw_only=True):
    """What happened, newest first; `is_whole` unless older lines were left out."""

    lines: tuple[StoryLine, ...]
    is_whole: bool
    about: str = ""
    since: str = ""
    every: bool = False
    abouts: tuple[str, ...] = ABOUT


def link_of(about: str) -> str:
    """The page of what a line is about.

    >>> link_of("run 7"), link_of("endpoint churn"), link_of("holdout 4f1e")
    ('/runs/7', '/endpoints/churn', '')
    """
    kind, _, name = about.partition(" ")
    if kind == "dataset" and name:
        return f"/data/{name}"
    return f"/{kind}s/{name}" if kind in ("run", "model", "endpoint", "monitor") and name else ""


def _is_part(fact: Fact) -> bool:
    return isinstance(fact, StepFinished) or (isinstance(fact, ReleaseDirected) and not fact.by)


def newest(asked: Asked, wanted: Wanted) -> tuple[tuple[StoryLine, ...], bool]:
    """The lines that are wanted, newest first, and whether they are all."""
    found = story(asked.parts.log, wanted)
    lines = [
        StoryLine(
            line=one.line,
            seq=one.entry.seq,
            link=link_of(one.line.about),
            is_part=_is_part(one.entry.fact),
        )
        for one in reversed(found.told)
    ]
    return tuple(lines), found.is_whole


def view(asked: Asked) -> StoryPage:
    """The story as it is asked for."""
    about, since = asked.query.get("about", "").strip(), asked.query.get("since", "").strip()
    every = asked.query.get("every", "") not in ("", "0")
    at = since_of(since, asked.now) if since else 0.0
    lines, is_whole = newest(asked, Wanted(since=at, about=about, every=every, last=MOST))
    return StoryPage(lines=lines, is_whole=is_whole, about=about, since=since, every=every)


PAGES = (
    Page(
        path="/story",
        asks={
            "about": "what it is of: run, endpoint/churn",
            "since": "so long ago (7d), or a date",
            "every": "1: the small things, too",
        },
        template="story.html",
        section="/story",
        gives=StoryPage,
        view=view,
        title=lambda _: "What happened",
        command=lambda found: f"headway log --about {found.about}" if found.about else "headway log",
        way="Story",
    ),
)
