"""ZenML: steps of one pipeline on the default local stack, caching on, which runs them one at a time."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph

PIPELINE = """import shutil

from zenml import pipeline, step

STEPS = {steps!r}


@step
def copy(reads: str, writes: str) -> str:
    shutil.copyfile(reads, writes)
    return writes


@pipeline
def copies():
    for name, reads, writes, needs in STEPS:
        copy(reads, writes, id=name, after=needs)


if __name__ == "__main__":
    copies()
"""


def write(folder: Path, graph: Graph, _workers: int) -> None:
    steps = [(node.name, node.reads[0], node.writes, list(node.needs)) for node in graph.nodes]
    (folder / "copies.py").write_text(PIPELINE.format(steps=steps))


TOOL = Tool(
    name="zenml",
    requirements=("zenml[local]==0.98.0",),
    help=("zenml", "--help"),
    version=("zenml", "--version"),
    write=write,
    prepare=(("zenml", "init"),),
    run=lambda _workers: ("python", "copies.py"),
    most_steps=100,
    why_not_more="each step takes 0.1 s, one at a time",
    variables={"ZENML_CONFIG_PATH": "{home}/zenml", "ZENML_ANALYTICS_OPT_IN": "false", "AUTO_OPEN_DASHBOARD": "false"},
    note="Python functions in one process, one at a time",
)
