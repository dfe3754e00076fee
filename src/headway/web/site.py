"""What the server was started for: a project, its pipelines, and whoever wants to hear that something arrived."""

import os
import time
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from headway import wiring
from headway.config import Settings
from headway.core.pipeline import Pipeline
from headway.flows import pipeline
from headway.flows.made import Remembered
from headway.flows.printed import Shelf
from headway.steps import Usable
from headway.web.passes import Keys, OwnKeys
from headway.web.profiles import Profiles


def nobody(_pipeline: str) -> None:
    """Hears of events, and does nothing."""


class Site(Struct, frozen=True, kw_only=True):
    """One project as the server knows it.

    `files` are the pipelines' files, as seen from the project's folder. `heard` is called with a pipeline's name, from
    any thread, when an event of it was written down. `tell` takes a line for whoever runs the server. `keys` let people
    in. Who is `reading` takes no hooks: nothing is ever written then. `steps` remember which step made what,
    `profiles` what data are like, `shelf` where the lines of what steps printed end.
    """

    settings: Settings
    files: tuple[str, ...] = (pipeline.FILE,)
    heard: Callable[[str], None] = nobody
    tell: Callable[[str], None] = nobody
    now: Callable[[], float] = time.time
    keys: Keys = field(default_factory=OwnKeys)
    reading: bool = False
    steps: Remembered = field(default_factory=Remembered)
    profiles: Profiles = field(default_factory=Profiles)
    shelf: Shelf = field(default_factory=Shelf)

    def pipelines(self) -> Iterator[Pipeline]:
        """The pipelines as their files are now, from compiled copies where nothing changed. Raises FileFaulty.

        A file that is gone is passed over: whoever watches the project says so.
        """
        settings = self.settings
        for file in self.files:
            if os.path.exists(os.path.join(settings.folder, file)):
                asked = pipeline.Asked(
                    folder=settings.folder, file=file, home=settings.home, step_types=Usable, keep=False
                )
                yield pipeline.read(asked)

    @property
    def has_pipeline(self) -> bool:
        """Whether any of its files is there."""
        return any(os.path.exists(os.path.join(self.settings.folder, file)) for file in self.files)

    @property
    def name(self) -> str:
        """What people call the project: its folder."""
        return os.path.basename(self.settings.folder)

    def parts(self) -> wiring.Parts:
        """The project's parts, to write; each thread has its own."""
        return wiring.open(self.settings)

    def looking(self) -> wiring.Parts:
        """The project's parts, to look at."""
        return wiring.look(self.settings)
