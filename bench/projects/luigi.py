"""luigi: one parametrised Task, the local scheduler."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph

TASKS = """import shutil

import luigi

STEPS = {steps!r}


class Copy(luigi.Task):
    name = luigi.Parameter()

    def requires(self):
        return [Copy(name=need) for need in STEPS[self.name][2]]

    def output(self):
        return luigi.LocalTarget(STEPS[self.name][1])

    def run(self):
        shutil.copyfile(*STEPS[self.name][:2])


class All(luigi.WrapperTask):
    def requires(self):
        return [Copy(name=name) for name in {last!r}]
"""


def write(folder: Path, graph: Graph, _workers: int) -> None:
    steps = {node.name: (node.reads[0], node.writes, list(node.needs)) for node in graph.nodes}
    (folder / "tasks.py").write_text(TASKS.format(steps=steps, last=[node.name for node in graph.last]))


TOOL = Tool(
    name="luigi",
    requirements=("luigi==3.8.1",),
    help=("luigi", "--help"),
    write=write,
    run=lambda workers: ("luigi", "--module", "tasks", "All", "--local-scheduler", "--workers", str(workers)),
    variables={"PYTHONPATH": "."},
    note="Python functions; asks only whether the last outputs exist",
)
