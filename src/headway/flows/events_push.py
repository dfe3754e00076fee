"""Pushes: the branch that is checked out came to other commits, here or at its remote, from where they are taken.

A run works on the files that are here. So a remote's new commits become an event when they have been taken, which is
done by fast-forward, while no run is at work and only where nothing would be lost. `flows/event_git` knows Git.
"""

import os
from collections.abc import Sequence

from blake3 import blake3

from headway.core import facts as f
from headway.core.declare import texts
from headway.core.grammar import PushTrigger, Triggers
from headway.core.trigger import PUSH, push_key
from headway.core.units import duration_s
from headway.errors import HeadwayError, LeaseHeld
from headway.flows.event_ask import Ask
from headway.flows.event_git import LOCK, Head, Repository, fits
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World, short
from headway.flows.launch import LEASE

EVERY_S = 2.0
"""What is here is looked at so often, by a few statuses of files."""

SOON_S = 0.5
"""While a remote is being asked, somebody looks so often whether it has answered."""

TAGS = "tags"
"""What the keys begin with that name all tags together."""

LATE = "+"
"""What the key of a commit ends with that was told by somebody else, and taken when the run for it had begun."""

Heard = dict[tuple[str, str], tuple[float, str]]
"""By remote and branch: when it was asked last, and the commit that is there."""


class PushSource:
    """New commits of one repository."""

    __slots__ = (
        "_ask", "_asked", "_blocked", "_every_s", "_head", "_late", "_mark", "_remote", "_repository", "_settled",
        "_there", "_told", "_trigger", "_why", "_world", "name", "pace", "paths",
    )  # fmt: skip

    def __init__(self, trigger: PushTrigger, told: Told, world: World) -> None:
        self.name = PUSH
        self.pace = Pace()
        self.paths: Sequence[str] = ()
        self._trigger = trigger
        self._told = told
        self._world = world
        self._every_s = duration_s(trigger.every) or 60.0
        self._repository: Repository | None = None
        self._head = Head(branch="HEAD", commit="")
        self._mark: tuple[object, ...] | None = None
        self._ask: Ask[str] = Ask()
        self._remote = Pace()
        self._there: str | None = None
        self._asked = ""
        self._why = ""
        self._blocked = ""
        self._late = ""
        self._settled: object = None

    def look(self, now: float) -> list[Event]:
        """What came to the branch that is checked out, and to its remote, whence it is taken."""
        # One who was told of a push must not start a run before it was taken.
        touched = self.pace.touched
        self.pace.begin()
        repository = self._opened()
        if not repository.is_there:
            self.pace.well(now, 60.0, "there is no repository of Git here")
            return []
        head = self._here(repository)
        is_meant = not self._branches or fits(head.branch, self._branches)
        if not is_meant or not head.commit:
            what = f"{head.branch} is checked out, which is not meant" if head.commit else "there is no commit yet"
            self.pace.well(now, EVERY_S, what)
            return []
        # What was just told by this very source needs no second question.
        is_behind = touched and not self._is_told(head)
        self._remote.touched |= is_behind
        self._look_there(repository, now, waits=self._world.waits or is_behind)
        head = self._here(repository)
        self.pace.well(now, SOON_S if self._ask.is_asking else EVERY_S, self._said(head))
        self.pace.trouble = self._remote.trouble or self._blocked
        # Looked at in any case once a minute.
        state = (head, self._mark, self._there, now // 60)
        if state == self._settled and not touched:
            return []
        events = [*self._of_branch(repository, head), *self._of_tags(repository)]
        self._settled = None if events or self._ask.is_asking else state
        return events

    def due_at(self, now: float) -> float:
        """Every two seconds for what is here; the remote is asked as often as the file says."""
        return self.pace.due_at(now)

    # --- here ---------------------------------------------------------------------------------------------------

    @property
    def _branches(self) -> Sequence[str]:
        return texts(self._trigger.branches)

    def _opened(self) -> Repository:
        if self._repository is None or not self._repository.is_there:
            self._repository = Repository(self._world.folder, self._world.environ)
        return self._repository

    def _here(self, repository: Repository) -> Head:
        """What is checked out; Git is asked only when something changed."""
        mark = repository.mark(self._head.branch)
        if mark != self._mark or not self._head.commit:
            self._mark = repository.mark(repository.head().branch)
            # Asked again: what changed before the mark was taken does not show in it.
            self._head = repository.head()
        return self._head

    def _of_branch(self, repository: Repository, head: Head) -> list[Event]:
        if self._follows_remote:
            head = Head(branch=head.branch, commit=self._there or "")
        before = self._told.newest(PUSH, push_key(head.branch, ""))
        if not head.commit or (before is None and self._ask.is_asking):
            # What the remote has when it is first asked was there before: it is taken first.
            return []
        key = push_key(head.branch, head.commit)
        if before is None:
            return [f.SourceWatched(source=PUSH, key=key)]
        if before.key == key and self._late == head.commit:
            what = f"{head.branch} was moved to {short(head.commit)} only now"
            return [f.EventSeen(source=PUSH, key=key + LATE, why=what)]
        told = _commit_of(before.key)
        return self._moved(repository, head, told) if self._is_news(repository, head, told) else []

    def _is_news(self, repository: Repository, head: Head, told: str) -> bool:
        """Whether the branch is elsewhere than was told, in a way that counts."""
        if told == head.commit:
            return False
        if told == self._there and repository.is_on(head.commit, told):
            # Somebody told of what is at the remote and could not be taken yet: what is here is older, not newer.
            return False
        changed = repository.changed(told, head.commit)
        return changed is None or self._is_meant(changed)

    def _moved(self, repository: Repository, head: Head, told: str) -> list[Event]:
        subject, author = repository.subject(head.commit)
        n = repository.n_new(told, head.commit)
        what = f"{head.branch} has {n} new commit{'s' * (n != 1)}" if n else f"{head.branch} was moved"
        why = f"{what}, to {short(head.commit)}{f' ({subject})' if subject else ''}"
        return [f.EventSeen(source=PUSH, key=push_key(head.branch, head.commit), why=why, by=author)]

    def _is_told(self, head: Head) -> bool:
        before = self._told.newest(PUSH, push_key(head.branch, ""))
        return before is not None and _commit_of(before.key) == head.commit

    def _is_meant(self, changed: Sequence[str]) -> bool:
        """Whether a change of these paths is one; what a run itself writes is none."""
        wanted = texts(self._trigger.paths)
        others = [path for path in changed if os.path.basename(path) != LOCK]
        if not wanted:
            return bool(others) or not changed
        return any(fits(path, wanted) for path in others)

    def _of_tags(self, repository: Repository) -> list[Event]:
        wanted = texts(self._trigger.tags)
        if not wanted:
            return []
        found = [(name, commit) for name, commit in repository.tags() if fits(name, wanted)]
        state = blake3("\0".join(f"{name} {commit}" for name, commit in sorted(found)).encode()).hexdigest(16)
        key = push_key(TAGS, state)
        before = self._told.newest(PUSH, push_key(TAGS, ""))
        if before is None:
            return [f.SourceWatched(source=PUSH, key=key)]
        if before.key == key or not found:
            return []
        return [f.EventSeen(source=PUSH, key=key, why=f"the tags changed; the newest is {found[-1][0]}")]

    # --- there --------------------------------------------------------------------------------------------------

    @property
    def _follows_remote(self) -> bool:
        """Whether the remote's branch counts and not the one that is checked out here."""
        return bool(self._trigger.remote) and not self._trigger.pull and self._why != NO_REMOTE

    def _look_there(self, repository: Repository, now: float, *, waits: bool) -> None:
        """Ask the remote, if it is time to, and take what it has."""
        remote = self._trigger.remote
        if not remote or (not self._ask.is_asking and self._remote.due_at(now) > now):
            return
        # Several pipelines of one project ask the same, but what was heard before it was touched is old.
        since = now - (0.0 if self._remote.touched else self._every_s / 2)
        self._remote.begin()
        head = self._head
        try:
            answer = self._ask.answer(lambda: self._bring(repository, head, now, since), waits=waits)
        except HeadwayError as e:
            self._remote.failed(now, e)
            return
        if not answer:
            return
        self._remote.well(now, self._every_s, "")
        self._there, self._blocked = answer[0], ""
        self._take(repository, now)

    def _bring(self, repository: Repository, head: Head, now: float, since: float) -> str:
        """The commit that the remote has, brought here; empty when it has none. Runs aside."""
        heard: Heard = self._world.remembered.setdefault(PUSH, {})
        remote = self._trigger.remote
        if not repository.remote_url(remote):
            self._why = NO_REMOTE
            return ""
        branch = self._asked = repository.upstream(remote, head.branch)
        at, commit = heard.get((remote, branch), (0.0, ""))
        if not since <= at <= now:
            commit = repository.there(remote, branch)
            heard[remote, branch] = now, commit
        is_new = bool(commit) and not (repository.has(commit) and repository.is_on(commit, head.commit))
        self._why = f"{remote}/{branch} is at {short(commit)}, which is not here yet" if is_new else ""
        if is_new and not self._world.looking:
            repository.fetch(remote, branch, tags=bool(self._trigger.tags))
        return commit

    def _take(self, repository: Repository, now: float) -> None:
        """Move the branch on to what was brought, while no run is at work."""
        commit = self._there
        if not commit or not self._why or self._world.looking or not self._trigger.pull:
            return
        holder = f"push {os.getpid()}"
        try:
            self._world.leases.acquire(LEASE, holder=holder, ttl_s=60.0, now=now)
        except LeaseHeld:
            self._why = f"{self._trigger.remote}/{self._asked} is ahead, and is taken when the run under way has ended"
            self._remote.well(now, EVERY_S, "")
            return
        try:
            head = repository.head()
            self._why = self._blocked = repository.take(head, self._trigger.remote, self._asked, commit)
            # Somebody told of it, and the run for it began before it was here.
            before = self._told.newest(PUSH, push_key(head.branch, ""))
            is_early = before is not None and _commit_of(before.key) == commit and self._told.is_fired(PUSH)
            self._late = commit if is_early and not self._blocked else ""
        finally:
            self._world.leases.release(LEASE, holder=holder)

    def _said(self, head: Head) -> str:
        here = f"{head.branch} is at {short(head.commit)}"
        return f"{here}; {self._why}" if self._why else here


_: type[Source] = PushSource

NO_REMOTE = "it has no such remote"


def _commit_of(key: str) -> str:
    return key.rpartition("@")[2].removesuffix(LATE)


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one repository; `push:` with nothing behind it means every branch."""
    asked = triggers.push if isinstance(triggers.push, PushTrigger) else PushTrigger()
    return [PushSource(asked, told, world)]
