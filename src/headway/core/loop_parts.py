"""What is known of the loop of a project, and what a person is shown of it: values only.

`core/loop` makes the one of the other; `core/loop_words` says it in a sentence.
"""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from headway.core.history import RunView
from headway.core.rollout_view import ReleaseView
from headway.core.watch import Watch

State = Literal["well", "running", "waiting", "trouble", "idle"]
"""`waiting`: a person is asked. `idle`: nothing has happened there yet."""


class Stop(Struct, frozen=True, kw_only=True):
    """One stage of the loop: what it says in a few words, since when (UTC seconds), and the page that says more.

    `label` is what people are shown, where the name alone does not say of what it is.
    """

    kind: Literal["data", "step", "release", "watch"]
    name: str
    state: State
    words: str
    at: float | None = None
    link: str = ""
    label: str = ""

    @property
    def shown(self) -> str:
        """What it is called in a picture or a list."""
        return self.label or self.name


class Todo(Struct, frozen=True, kw_only=True):
    """Something that waits for a person: what, why, the one command to act, and the page to look at."""

    what: str
    why: str
    command: str
    link: str
    at: float
    state: State = "waiting"


class Doing(Struct, frozen=True, kw_only=True):
    """Something that runs now, or ran last: what it is, where it is, since when, how far (0 to 1; below 0: unknown)."""

    what: str
    where: str
    link: str
    at: float
    state: State = "running"
    share: float = -1.0


class Data(Struct, frozen=True, kw_only=True):
    """The newest version of any dataset."""

    name: str
    version: int
    at: float


class Served(Struct, frozen=True, kw_only=True):
    """An endpoint: the version that answers there (None: none does), and whether its target says that it is well."""

    endpoint: str
    model: str = ""
    version: int | None = None
    since: float = 0.0
    is_healthy: bool = False
    detail: str = ""
    url: str = ""


class Known(Struct, frozen=True, kw_only=True):
    """All that is looked at. `steps` are those of the pipeline, id and name; `outcome` is how the newest run stands.

    `due` says in a sentence what waits to start a run.
    """

    steps: Sequence[tuple[str, str]] = ()
    run: RunView | None = None
    outcome: str = ""
    data: Data | None = None
    served: Sequence[Served] = ()
    releases: Sequence[ReleaseView] = ()
    watches: Sequence[tuple[str, Watch]] = ()
    due: str = ""
    has_pipeline: bool = False


class Loop(Struct, frozen=True, kw_only=True):
    """The loop as it stands: `headline` says in a sentence whether production is well and why, `word` in a word.

    `said` is what else is so; `running` is at work now; `last` is the newest run where none is.
    """

    state: State
    headline: str
    said: tuple[str, ...]
    stops: tuple[Stop, ...]
    waiting: tuple[Todo, ...]
    next: str
    word: str = ""
    has_pipeline: bool = False
    running: tuple[Doing, ...] = ()
    last: Doing | None = None
