"""A project in which one keeper keeps one path: made anew for each repetition, with the data moved into it.

The data is moved and not copied, so that its files stay where they are on the disk and in the cache of the kernel.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import Place, Stage, once
from projects.tool import Command
from report import Sample
from rest import put_away
from store_data import size_of
from store_peers import HEADWAY, Keeper, fill


class SetUpFailed(Exception):
    """A command that is not measured ended badly; the text says which and how."""


@dataclass(slots=True, kw_only=True)
class Project:
    """A keeper at work: `folder` holds the project, the tool's HOME and, while there is no project, the data."""

    stage: Stage
    keeper: Keeper
    folder: Path
    path: str = "data"
    #: Where what is in the way goes; without one it is deleted.
    aside: Path | None = None

    @property
    def place(self) -> Place:
        """Where commands run."""
        place = self.stage.place(self.keeper.tool, self.folder / "project", self.folder / "home")
        place.variables = {**place.variables, **self.keeper.variables}
        return place

    @property
    def data(self) -> Path:
        """The path that is kept."""
        return self.folder / "project" / self.path

    def renew(self) -> None:
        """An empty project without data and an empty HOME, as the tool's own set-up leaves them."""
        self._empty(self.folder / "project")
        self._empty(self.folder / "home")
        self.set_up(*self.keeper.prepare)

    def set_up(self, *commands: Command, version: int = 1) -> None:
        """Run what is not measured; raises SetUpFailed."""
        for command in commands:
            fault = self._once(command, version).fault
            if fault:
                raise SetUpFailed(f"not measured, but needed: {fault}")

    def measure(self, command: Command, version: int = 1) -> Sample:
        """Run what is measured, with the disk at rest."""
        os.sync()
        return self._once(command, version)

    def said(self) -> str:
        """What the last command printed."""
        return (self.folder / "project.log").read_text(errors="replace")

    def stored_bytes(self) -> int:
        """What lies in the project beside the data and what Git keeps of it; all of it when Git is the keeper."""
        without = {self.path} if self.keeper.name == "git" else {self.path, ".git"}
        return size_of(self.folder / "project", without)

    def is_stored(self, least_bytes: int) -> str | None:
        """What is wrong when less lies there than random bytes can be stored in; None when it may be right."""
        stored = self.stored_bytes()
        return None if stored >= least_bytes else f"{stored:,} bytes are stored of {least_bytes:,}"

    def clone(self) -> Project:
        """What a colleague has who clones the project's repository: no data and no store, and an empty HOME.

        Without a repository it is an empty folder. Raises SetUpFailed.
        """
        clone = replace(self, folder=self.folder / "clone")
        self._empty(clone.folder)
        self._empty(clone.folder / "home")
        if (self.folder / "project" / ".git").exists():
            self.set_up(("git", "clone", "-q", ".", str(clone.folder / "project")))
        else:
            self._empty(clone.folder / "project")
        return clone

    def lose(self) -> None:
        """The data is gone."""
        put_away(self.data, self.aside)

    def remove(self) -> None:
        """All of it is gone; without a place aside the disk is free again."""
        put_away(self.folder, self.aside)

    def _empty(self, folder: Path) -> None:
        put_away(folder, self.aside)
        folder.mkdir(parents=True)

    def _once(self, command: Command, version: int) -> Sample:
        return once(fill(command, self.path, version), self.place, self.stage.options.timeout_s)


def checked(sample: Sample, fault: str | None) -> Sample:
    """The sample, or none when the work was not done right."""
    return sample if sample.fault or fault is None else Sample.broken(fault)


def projects(
    stage: Stage, keepers: Sequence[Keeper], scratch: Path, path: str = "data", aside: Path | None = None
) -> dict[str, Project]:
    """A project for each keeper whose tool is there, by the keeper's name; headway is there or the run ends."""
    tools = {keeper.tool.name: keeper.tool for keeper in keepers}
    found = {tool.name for tool in stage.bring(list(tools.values()))}
    if HEADWAY.name in {keeper.name for keeper in keepers} and not any(name.startswith("headway") for name in found):
        raise SystemExit("headway itself could not be installed")
    return {
        keeper.name: Project(
            stage=stage, keeper=keeper, folder=scratch / keeper.name.replace(" ", "-"), path=path, aside=aside
        )
        for keeper in keepers
        if keeper.tool.name in found
    }
