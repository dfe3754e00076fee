"""Dagster: ops of one job, executed in the process, which is its fastest local mode."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph

JOB = """import shutil

from dagster import DagsterInstance, In, Nothing, job, op

STEPS = {steps!r}


def copy(name, reads, writes, needs):
    @op(name=name, ins={{"done": In(Nothing)}} if needs else {{}})
    def run():
        shutil.copyfile(reads, writes)

    return run


@job
def copies():
    outputs = {{}}
    for name, reads, writes, needs in STEPS:
        step = copy(name, reads, writes, needs)
        outputs[name] = step([outputs[need] for need in needs]) if needs else step()


if __name__ == "__main__":
    copies.execute_in_process(instance=DagsterInstance.get())
"""


def write(folder: Path, graph: Graph, _workers: int) -> None:
    steps = [(node.name, node.reads[0], node.writes, list(node.needs)) for node in graph.nodes]
    (folder / "copies.py").write_text(JOB.format(steps=steps))


TOOL = Tool(
    name="dagster",
    requirements=("dagster==1.13.27",),
    help=("dagster", "--help"),
    version=("dagster", "--version"),
    write=write,
    run=lambda _workers: ("python", "copies.py"),
    no_cache="ops have no content cache",
    most_steps=100,
    why_not_more="the definitions alone of 1,000 ops take 3 s to load",
    variables={"DAGSTER_HOME": "{home}", "DAGSTER_DISABLE_TELEMETRY": "yes"},
    note="Python functions in one process, one at a time",
)
