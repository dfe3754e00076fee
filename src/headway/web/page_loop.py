"""The first page: the loop, whether production is well, and what waits for somebody."""

from functools import partial

from msgspec import Struct

from headway.codec.loop_svg import drawn
from headway.core.loop import Doing, Loop, Stop, Todo
from headway.flows.loop import Looking, read
from headway.flows.story import Asked as Wanted
from headway.web.page_story import StoryLine, newest
from headway.web.pages import Asked, Page
from headway.web.render import ago

DAY_S = 86400.0

MOST, FEW = 60, 6
"""Lines of what happened within a day that are looked at, and of them those that are shown."""


class LoopPage(Struct, frozen=True, kw_only=True):
    """What the page shows; `picture` is an SVG, `changes` what happened within a day, newest first.

    Of the `pipelines` a run may be asked for.
    """

    loop: Loop
    picture: str
    changes: tuple[StoryLine, ...] = ()
    pipelines: tuple[str, ...] = ()

    @property
    def waiting(self) -> tuple[Todo, ...]:
        """What waits for a person, newest first."""
        return self.loop.waiting

    @property
    def running(self) -> tuple[Doing, ...]:
        """What runs now."""
        return self.loop.running

    @property
    def stops(self) -> tuple[Stop, ...]:
        """The stages."""
        return self.loop.stops


def view(asked: Asked) -> LoopPage:
    """The loop of the project."""
    parts = asked.parts
    pipelines = tuple(asked.site.pipelines())
    found = read(
        Looking(
            world=parts.delivery(),
            log=parts.log,
            leases=parts.leases,
            pipelines=pipelines,
            now=asked.now,
        )
    )
    lines, _ = newest(asked, Wanted(since=asked.now - DAY_S, last=MOST))
    changes = [one for one in lines if not one.is_part][:FEW]
    return LoopPage(
        loop=found,
        picture=drawn(found, partial(ago, now=asked.now)),
        changes=tuple(changes),
        pipelines=tuple(one.name for one in pipelines),
    )


PAGES = (
    Page(
        path="/",
        template="loop.html",
        section="/",
        gives=LoopPage,
        view=view,
        title=lambda _: "The loop",
        command=lambda _: "headway status",
        way="Loop",
        refresh_s=3,
    ),
)
