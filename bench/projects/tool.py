"""What the harness must know of a tool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shapes import Graph

Command = tuple[str, ...]


class Unfit(Exception):
    """The tool cannot do this work, or not in any bearable time; the text says which."""


def _writes_nothing(_folder: Path, _graph: Graph, _workers: int) -> None:
    raise Unfit("measured for its start and its size only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool, its pins, its commands and how to write a project for it.

    The first word of a command is looked up in the tool's own environment. `{home}` in `variables` stands for the
    folder that is the tool's HOME, fresh for each repetition.
    """

    name: str
    #: What pip is asked for; empty when the tool comes with the system.
    requirements: tuple[str, ...] = ()
    help: Command | None = None
    version: Command | None = None
    #: Writes the project for a graph and a number of workers; raises Unfit.
    write: Callable[[Path, Graph, int], None] = _writes_nothing
    #: Commands that make the project ready once, before it is copied for each repetition: `dvc init`.
    prepare: Sequence[Command] = ()
    #: The command that runs everything, given the number of workers.
    run: Callable[[int], Command] = lambda _workers: ()
    #: Why a second run is no no-op; empty when the tool skips what is done.
    no_cache: str = ""
    #: The largest graph that it is asked to run, and why not more.
    most_steps: int = 100_000
    why_not_more: str = ""
    variables: dict[str, str] = field(default_factory=dict)
    note: str = ""
