"""Settings to parts: the only place that chooses back-ends. Each part is made when first asked for."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from headway.backends import connect, wrap
from headway.codec.addresses import located, remote_url
from headway.config import Settings
from headway.errors import FileMissing, NameUnknown, UsageMistaken
from headway.flows import home
from headway.ports import Blobs, Leases, Log, Notifier, Runner, Source, Target

if TYPE_CHECKING:
    from headway.core.notifier import Notifying
    from headway.core.signing import Trust
    from headway.flows.dataset import Project
    from headway.flows.notify import Post
    from headway.flows.rollout import Delivery


_HERE = ("file:", "memory:")
"""Schemes of stores that are as near as a cache would be."""


class Parts:
    """The ports of one project, opened lazily; `close` lets go of all that was opened.

    For one who is `looking` nothing is made: what is not there is empty.
    """

    __slots__ = ("_looking", "_opened", "settings")

    def __init__(self, settings: Settings, *, looking: bool = False) -> None:
        self.settings = settings
        self._looking = looking
        self._opened: dict[str, object] = {}

    def _open(self, port: str, url: str, environ: Mapping[str, str] | None = None) -> object:
        if port not in self._opened:
            if not self._looking:
                home.make(self.settings.home)
            try:
                self._opened[port] = connect(port, url, environ, looking=self._looking)
            except FileMissing:
                # Only a `look` says so: nothing was ever recorded here.
                self._opened[port] = connect(port, "memory:")
        return self._opened[port]

    @property
    def log(self) -> Log:
        """The log of facts."""
        return self._open("log", self.settings.log_url)  # type: ignore[return-value] # connect answers by name

    @property
    def blobs(self) -> Blobs:
        """The store of content; one that lies elsewhere has the embedded one in front of it, as a cache."""
        url, environ = self.settings.store_url, self._with_cache(self.settings.store_environ)
        if url.startswith(_HERE) or self._is_bare:
            return self._open("blobs", url, environ)  # type: ignore[return-value] # connect answers by name
        if "cached" not in self._opened:
            near = connect("blobs", f"file:{self.settings.home}/blobs")
            far = self._open("blobs", url, environ)
            self._opened["cached"] = wrap("cache", near, far)
        return self._opened["cached"]  # type: ignore[return-value] # as above

    def remote(self, url: str | None = None) -> Blobs:
        """The store that content is pushed to and pulled from: that of `url`, else of the settings.

        Nothing is asked of it yet. Raises UsageMistaken when there is none, and what its back-end raises.
        """
        settings = self.settings
        there = remote_url(os.getcwd(), url, at="--remote") if url else settings.remote_url
        if not there:
            raise UsageMistaken(
                "no remote is configured",
                at="headway.toml: remote.url",
                remedy='write [remote] and url = "s3://BUCKET/FOLDER" (or gs://, az://, file:///FOLDER) there, each on '
                "a line of its own; or give --remote URL",
            )
        # Not kept open: a command asks once.
        return connect("blobs", there, self._with_cache(settings.remote_environ))  # type: ignore[return-value] # as above

    @property
    def _is_bare(self) -> bool:
        """Whether there is no place for copies, and none is made."""
        return self._looking and not os.path.isdir(self.settings.home)

    def _with_cache(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        if self._is_bare:
            return environ
        return {**environ, "HEADWAY_CACHE": environ.get("HEADWAY_CACHE") or os.path.join(self.settings.home, "cache")}

    @property
    def leases(self) -> Leases:
        """Who may act: what is about this working tree lies in it; all else where the log is, if that is shared."""
        near: Leases = self._open("leases", f"file:{self.settings.home}/leases")  # type: ignore[assignment] # as above
        if not self.settings.is_log_shared:
            return near
        if "shared" not in self._opened:
            # Not by `_open`: one who looks keeps no connection for it.
            self._opened["far"] = connect("leases", self.settings.log_url, looking=self._looking)
            self._opened["shared"] = wrap("shared", near, self._opened["far"])
        return self._opened["shared"]  # type: ignore[return-value] # as above

    @property
    def runner(self) -> Runner:
        """What runs steps."""
        return self._open("runner", f"local:{self.settings.home}/runs")  # type: ignore[return-value] # as above

    @property
    def children(self) -> Runner:
        """What starts processes that are to outlive this one: `close` leaves them alone."""
        if "children" not in self._opened:
            home.make(self.settings.home)
            self._opened["children"] = connect("runner", f"local:{self.settings.home}/up")
        return self._opened["children"]  # type: ignore[return-value] # connect answers by name

    def target(self, name: str) -> Target:
        """Where endpoints live; `name` is the scheme of a target back-end. Raises NameUnknown."""
        kept = f"target_{name}"
        if kept not in self._opened:
            if not self._looking:
                home.make(self.settings.home)
            url = f"{name}:{self.settings.home}/endpoints"
            # Many a shell has a HOST, and it does not say where endpoints listen: `target_for_a_while` alone does.
            environ = {**self.settings.target_environ, "HOST": "", "TETHER": ""}
            self._opened[kept] = connect("target", url, environ, looking=self._looking)
        return self._opened[kept]  # type: ignore[return-value] # as above

    def target_for_a_while(self, host: str, tether: int) -> Target:
        """Endpoints of this machine on `host`, which end when nobody holds the other end of the pipe `tether`."""
        environ = {"HOST": host, "TETHER": str(tether)}
        return connect("target", f"local:{self.settings.home}/endpoints", environ)  # type: ignore[return-value] # as above

    def source(self, url: str) -> Source:
        """Where data is snapshotted from; the scheme of `url` says how. Raises NameUnknown, SourceUnreachable."""
        # Not kept open: each snapshot names a place of its own. A bucket is looked for where the remote's server is.
        return connect("source", url, self.settings.remote_environ)  # type: ignore[return-value] # connect answers by name

    def notifier(self, written: "Notifying") -> Notifier:
        """Somebody who is told. Raises UsageMistaken when a variable is empty, NameUnknown for a kind nobody brings."""
        import msgspec

        from headway.core.notifier import Ready

        settings = self.settings
        ready = Ready(
            written=written,
            secret=self._variable(written, "secret-env", written.secret_env) if written.secret_env else "",
            links=settings.web_url,
            project=os.path.basename(settings.folder),
            folder=settings.folder,
        )
        to = written.to or self._variable(written, "to-env", written.to_env)
        environ = {**settings.environ, "NOTIFIER": msgspec.json.encode(ready).decode()}
        try:
            return connect("notifier", f"{written.kind}:{to}", environ)  # type: ignore[return-value] # connect answers by name
        except NameUnknown as e:
            # Its own words have the whole address, which may open doors.
            at = f"headway.toml: notify.{written.called}.kind"
            raise NameUnknown(e.problem, at=at, remedy=e.remedy) from None

    def _variable(self, written: "Notifying", field: str, name: str) -> str:
        value = self.settings.environ.get(name, "")
        if not value:
            raise UsageMistaken(
                f"the variable {name} is empty",
                at=f"headway.toml: notify.{written.called}.{field}",
                remedy=f"set {name} where `headway up` is started",
            )
        return value

    def post(self) -> "Post":
        """What a courier of notices works with."""
        import time
        from functools import partial

        from headway.flows.notify import Member, Post

        return Post(
            log=self.log,
            leases=self.leases,
            members=tuple(Member(written=one, connect=partial(self.notifier, one)) for one in self.settings.notify),
            now=time.time,
            holder=f"process {os.getpid()} on {os.uname().nodename}",
        )

    @property
    def private(self) -> frozenset[str]:
        """Columns whose values are shown to nobody."""
        return self.settings.private

    @property
    def trust(self) -> "Trust":
        """Whose signatures on model versions count here."""
        from headway.core.signing import Trust

        settings = self.settings
        return Trust(keys=settings.trusted_keys, is_required=settings.require_signature, folder=settings.keys_folder)

    def project(self) -> "Project":
        """What commands about data work with."""
        import time

        from headway.flows.dataset import Project
        from headway.flows.surroundings import user

        settings = self.settings
        return Project(settings.folder, settings.home, self, by=user(settings.environ), now=time.time)

    def delivery(self, *, by: str = "") -> "Delivery":
        """What a release works with, asked for by `by` (default: whoever runs this)."""
        import time

        from headway.flows.rollout import Delivery
        from headway.flows.surroundings import user

        return Delivery(
            log=self.log,
            blobs=self.blobs,
            leases=self.leases,
            target=self.target,
            models=os.path.join(self.settings.home, "models"),
            now=time.time,
            trust=self.trust,
            may_override=self.settings.may_override,
            by=by or user(self.settings.environ),
            environ=self.settings.environ,
        )

    def recorded(self) -> Log:
        """The log to be looked at, which must be there. Raises FileMissing. Whoever asks closes it."""
        return connect("log", self.settings.log_url, looking=True)  # type: ignore[return-value] # as above

    def close(self) -> None:
        """Let go of the log, the runner and shared leases; the others hold nothing open."""
        self._opened.pop("shared", None)
        for name in ("runner", "far", "log"):
            part = self._opened.pop(name, None)
            if part is not None:
                part.close()  # type: ignore[attr-defined] # all three have it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(settings: Settings) -> Parts:  # noqa: A001 (`wiring.open` reads as what it does)
    """The parts that these settings ask for; nothing is touched yet."""
    return Parts(settings)


def look(settings: Settings) -> Parts:
    """The parts for a command that only looks: it may be in any folder, and another user's."""
    return Parts(settings, looking=True)


def log_at(url: str) -> Log:
    """A log that the settings do not name, made if need be: to copy into. Whoever asks closes it."""
    return connect("log", located(os.getcwd(), url))  # type: ignore[return-value] # connect answers by name
