"""doit: tasks with file_dep and targets in a dodo.py."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph

DODO = """STEPS = {steps!r}


def task_copy():
    for name, reads, writes in STEPS:
        yield {{"name": name, "actions": [f"cp {{reads[0]}} {{writes}}"], "file_dep": reads, "targets": [writes]}}
"""


def write(folder: Path, graph: Graph, _workers: int) -> None:
    steps = [(node.name, list(node.reads), node.writes) for node in graph.nodes]
    (folder / "dodo.py").write_text(DODO.format(steps=steps))


TOOL = Tool(
    name="doit",
    requirements=("doit==0.37.0",),
    help=("doit", "help"),
    version=("doit", "--version"),
    write=write,
    run=lambda workers: ("doit",) if workers == 1 else ("doit", "-n", str(workers)),
    note="shell steps",
)
