"""All that `headway up` does in a project, put together: which duties there are for the files as they are now.

Neighbour: `daemon` does them. To add a duty is to add a line here.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from headway import ports
from headway.core.daemon import Told
from headway.core.telling import listed
from headway.errors import HeadwayError
from headway.flows import events
from headway.flows.daemon import Duty, World
from headway.flows.daemon_files import Files, Watched
from headway.flows.daemon_firings import Starter
from headway.flows.daemon_lookout import Lookout
from headway.flows.daemon_monitors import KEY, Monitors
from headway.flows.daemon_notices import Notices
from headway.flows.daemon_releases import Drivers
from headway.flows.event_waker import Waker
from headway.flows.launch import Where
from headway.flows.notify import Courier, Post

FAREWELL_S = 5.0
"""So long one that ends waits for who is being told something, and as long for who watches."""


class Project(Struct, frozen=True, kw_only=True):
    """The project as its duties know it.

    `source` opens a place where data lies, by its URL; `post` tells people; `ring` ends the loop's wait, in any thread.
    """

    world: World
    where: Where
    source: Callable[[str], ports.Source]
    post: Post
    ring: Callable[[], None]


class Further(Protocol):
    """What more there is to be done that flows know nothing of: a server, say."""

    def duties(self, watched: Sequence[Watched]) -> Sequence[Duty]:
        """The duties, for the files as they are now."""

    def rest(self) -> None:
        """Let go of what only a leader has."""


class ProjectWork:
    """The work of a daemon in one project. `is_asked_to_end` is set by whoever hears the signal."""

    __slots__ = ("_courier", "_files", "_further", "_monitors", "_once", "_project", "_waker", "is_asked_to_end")

    def __init__(self, project: Project, files: Files, further: Further | None = None, *, once: bool = False) -> None:
        """`once`: what is due now is done, and nothing is kept alive."""
        self._project = project
        self._once = once
        self._further = further
        self._monitors = Monitors(children=project.world.children, tell=project.world.tell, once=once)
        self._files = files
        self._courier = Courier(project.post)
        self._waker: Waker | None = None
        self.is_asked_to_end = False

    def begin(self) -> Sequence[Duty]:
        """The duties for the files as they are now, those first that others follow from."""
        world, where = self._project.world, self._project.where
        looked_at = events.World(
            log=world.log,
            leases=world.leases,
            folder=where.folder,
            home=where.home,
            environ=where.environ,
            source=self._project.source,
            waits=self._once,
        )
        lookouts: list[Lookout] = []
        everything: list[events.Source] = []
        for one in self._files.watched:
            sources = events.sources(one.pipeline, looked_at)
            everything += sources
            self._say_what(one, sources)
            lookouts.append(Lookout(one.pipeline.name, sources, log=world.log, tell=world.tell))
        self._wake_for(everything)
        drivers = Drivers(log=world.log, leases=world.leases, children=world.children, tell=world.tell)
        notices = [Notices(self._courier, tell=world.tell)] if self._project.post.members else []
        self._monitors.watch(self._files.watched)
        further = () if self._further is None else self._further.duties(self._files.watched)
        starters = map(self._starter, self._files.watched)
        return [*further, *lookouts, *starters, drivers, self._monitors, *notices]

    def is_other(self, now: float) -> bool:
        """Whether a file was changed so that something else is to be done."""
        return self._files.look(now)

    def is_over(self) -> bool:
        """Whether somebody asked this process to end."""
        return self.is_asked_to_end

    def rest(self) -> None:
        """Let go of what only a leader has: who watches, who answers, who tells. Waits a little for each."""
        self._wake_for(())
        if self._further is not None:
            self._further.rest()
        self._monitors.rest()
        world = self._project.world
        if self._project.post.members:
            try:
                self._courier.wait(FAREWELL_S)
                self._courier.close()
            except HeadwayError as e:
                # Who was told something just now may be told it again; to end is no less needed for that.
                says = f"what was told last could not be written down: {e.problem} ({e.at})"
                world.tell(Told(at=world.now(), kind="trouble", says=says))
        until = world.now() + FAREWELL_S
        while world.children.is_mine(KEY) and world.now() < until:
            world.pause(0.1)
            world.children.ended()

    def _wake_for(self, sources: Sequence[events.Source]) -> None:
        """Let the file system tell when files of these sources change, and of no others any more."""
        if self._waker is not None:
            self._waker.close()
            self._waker = None
        if sources and not self._once:
            self._waker = Waker(sources, self._project.ring)
            self._waker.begin()

    def _starter(self, watched: Watched) -> Duty:
        world = self._project.world
        return Starter(watched, log=world.log, leases=world.leases, children=world.children, tell=world.tell)

    def _say_what(self, watched: Watched, sources: Sequence[events.Source]) -> None:
        """Tell what a pipeline waits for."""
        names = listed([source.name for source in sources]) if sources else "headway trigger"
        says = f"{watched.file}: waits for {names}"
        world = self._project.world
        world.tell(Told(at=world.now(), kind="daemon", says=says, about=watched.pipeline.name))
