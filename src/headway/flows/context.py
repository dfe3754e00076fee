"""What stays the same during a run: the ports it was handed, who it is, where it works, what its steps inherit."""

import os
from collections.abc import Mapping
from typing import Protocol

from headway.core import facts as f
from headway.core.ids import RunId
from headway.flows.commands import file_name
from headway.ports import Blobs, Log, Runner

PARAMS = "params.json"
"""The run's parameters, overrides applied, in the run's folder: HEADWAY_PARAMS names it to the steps."""


class Ports(Protocol):
    """What a run needs of the world; `wiring.Parts` is one."""

    @property
    def log(self) -> Log:
        """The facts."""

    @property
    def blobs(self) -> Blobs:
        """The content."""

    @property
    def runner(self) -> Runner:
        """Where steps run."""


class Context:
    """What stays the same during a run: who it is, where it works, what steps inherit."""

    __slots__ = ("environ", "file", "folder", "force", "home", "run_id", "seed", "source")

    def __init__(  # noqa: PLR0913 (these are the run's own coordinates)
        self,
        *,
        run_id: RunId,
        folder: str,
        home: str,
        file: str,
        environ: Mapping[str, str],
        source: f.Source,
        force: bool = False,
        seed: int = 0,
    ) -> None:
        self.run_id = run_id
        self.folder = folder
        self.home = home
        self.file = file
        self.environ = environ
        self.source = source
        self.force = force
        self.seed = seed

    @property
    def workspace(self) -> str:
        """The folder of this run's own files."""
        return os.path.join(self.home, "runs", str(self.run_id))

    def key(self, step: str, attempt: int) -> str:
        """The name of one attempt for the runner."""
        return attempt_key(self.run_id, step, attempt)


def attempt_key(run: RunId, step: str, attempt: int) -> str:
    """The name under which a runner knows one attempt at a step, for ever."""
    return f"run/{run}/{file_name(step)}/{attempt}"
