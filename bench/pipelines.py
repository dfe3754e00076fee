"""The same graph of `cp` steps given to every tool: a first run in a fresh project, then a run with nothing to do.

A repetition copies the tool's prepared project and HOME, so that a first run is one: no log, no cache, no database rows
of an earlier repetition. After the first run every output must hold the right content; after the second none may have
been written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import projects.dagster
import projects.doit
import projects.dvc
import projects.headway
import projects.luigi
import projects.make
import projects.metaflow
import projects.mlflow
import projects.prefect
import projects.snakemake
import projects.zenml
from harness import Contender, Options, Stage, once, take_turns
from projects.tool import Tool, Unfit
from report import Promise, Sample, Series
from shapes import Graph, chain

HEADWAY = projects.headway.TOOL
DEFAULT = (projects.make.TOOL, projects.doit.TOOL, projects.dvc.TOOL, projects.zenml.TOOL, projects.prefect.TOOL)
MORE = (
    projects.luigi.TOOL,
    projects.metaflow.TOOL,
    projects.dagster.TOOL,
    projects.snakemake.TOOL,
    projects.mlflow.TOOL,
)
FIRST = "first run"
AGAIN = "no-op"


def chosen(options: Options) -> list[Tool]:
    """The tools to measure: headway and the peers that `--peers` asks for; an unknown name ends the program."""
    named = {tool.name: tool for tool in (*DEFAULT, *MORE)}
    sets = {"default": DEFAULT, "all": (*DEFAULT, *MORE), "none": ()}
    if options.peers in sets:
        return [HEADWAY, *sets[options.peers]]
    unknown = [name for name in options.peers.split(",") if name not in named]
    if unknown:
        raise SystemExit(f"--peers: no peer is called {', '.join(unknown)}; there are {', '.join(named)}")
    return [HEADWAY, *(named[name] for name in options.peers.split(","))]


def measure(stage: Stage, graph: Graph, workers: int) -> list[Series]:
    """A first run and a no-op of a graph for each tool that can do it."""
    scratch = stage.scratch()
    contenders = []
    for tool in stage.bring(chosen(stage.options)):
        try:
            contenders.append(contender(stage, tool, scratch / tool.name, (graph, workers)))
        except Unfit as unfit:
            stage.skip(tool.name, str(unfit))
    return take_turns(contenders, stage.options.n)


def contender(stage: Stage, tool: Tool, folder: Path, work: tuple[Graph, int]) -> Contender:
    """A tool with its project prepared in a folder; raises Unfit when it cannot do the work."""
    graph, workers = work
    if len(graph.nodes) > tool.most_steps and stage.options.peers in {"default", "all"}:
        raise Unfit(f"not asked for {len(graph.nodes)} steps unless named in --peers: {tool.why_not_more}")
    # The template is made where the copies will lie: some tools (ZenML) write the whole path of their HOME into it.
    fresh, template = folder / "fresh", folder / "template"
    broken = _prepare(stage, tool, fresh, work)
    fresh.rename(template)

    def play(_repetition: int) -> Iterator[tuple[str, Sample]]:
        if broken:
            yield FIRST, Sample.broken(broken)
            return
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.copytree(template, fresh, symlinks=True)
        place = stage.place(tool, fresh / "project", fresh / "home")
        os.sync()
        sample = once(tool.run(workers), place, stage.options.timeout_s)
        yield FIRST, _checked(sample, graph.fault(place.folder))
        if tool.no_cache:
            return
        before = graph.written_at(place.folder)
        os.sync()
        sample = once(tool.run(workers), place, stage.options.timeout_s)
        is_same = graph.written_at(place.folder) == before
        yield AGAIN, _checked(sample, graph.fault(place.folder) or (None if is_same else "a step ran again"))

    return Contender(tool=tool.name, play=play)


def promises(bounds: Sequence[tuple[str, str, float]]) -> list[Promise]:
    """Promises of the kind "at least `times` faster than `peer` in `case`"."""
    return [
        Promise(
            text=f"{case} at least {times:g} x faster than {peer}",
            of=(peer, case),
            over=("headway", case),
            least=times,
        )
        for case, peer, times in bounds
    ]


def _prepare(stage: Stage, tool: Tool, fresh: Path, work: tuple[Graph, int]) -> str | None:
    """Write the project, set the tool up in it, and let it run another tiny one: migrations are no one's first run.

    Gives the fault that a set-up command ended with; raises Unfit.
    """
    # Other names than the graph's, so that nothing which is cached by name and input is known already.
    tiny = chain(2, prefix="warm")
    for name, graph, workers in (("tiny", tiny, 1), ("project", *work)):
        place = stage.place(tool, fresh / name, fresh / "home")
        place.folder.mkdir(parents=True)
        place.home.mkdir(exist_ok=True)
        graph.write_sources(place.folder)
        tool.write(place.folder, graph, workers)
        for command in [*tool.prepare, *([tool.run(1)] if graph is tiny else [])]:
            fault = once(command, place, stage.options.timeout_s).fault
            if fault:
                return f"while it was set up: {fault}"
    shutil.rmtree(fresh / "tiny")
    return None


def _checked(sample: Sample, fault: str | None) -> Sample:
    return sample if sample.fault or fault is None else Sample.broken(fault)
