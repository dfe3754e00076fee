"""Metaflow: a linear flow for a chain, a foreach for independent steps; each step is a process of its own."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool, Unfit
from shapes import Graph

HEAD = """import shutil

from metaflow import FlowSpec, step


class Copies(FlowSpec):
"""
STEP = """    @step
    def {name}(self{arguments}):
        {body}

"""
TAIL = """
if __name__ == "__main__":
    Copies()
"""


def write(folder: Path, graph: Graph, _workers: int) -> None:
    if graph.shape == "chain":
        steps = _chain(graph)
    elif graph.shape == "independent":
        steps = _fan_out(graph)
    else:
        raise Unfit("a step of a flow cannot read two arbitrary steps of the layer below")
    written = [
        # A step that joins is handed what it joins.
        STEP.format(name=name, arguments=", inputs" if name == "join" else "", body="\n        ".join(body))
        for name, body in steps.items()
    ]
    (folder / "flow.py").write_text(HEAD + "".join(written) + TAIL)


def _chain(graph: Graph) -> dict[str, list[str]]:
    # A flow begins with `start` and ends with `end`: they are the first and the last of the steps.
    names = ["start", *[node.name for node in graph.nodes[1:-1]], "end"]
    steps = {}
    for at, (name, node) in enumerate(zip(names, graph.nodes, strict=True)):
        steps[name] = [f"shutil.copyfile({node.reads[0]!r}, {node.writes!r})"]
        if name != "end":
            steps[name].append(f"self.next(self.{names[at + 1]})")
    return steps


def _fan_out(graph: Graph) -> dict[str, list[str]]:
    pairs = [(node.reads[0], node.writes) for node in graph.nodes]
    return {
        "start": [f"self.pairs = {pairs!r}", "self.next(self.copy, foreach='pairs')"],
        "copy": ["shutil.copyfile(*self.input)", "self.next(self.join)"],
        "join": ["self.next(self.end)"],
        "end": ["pass"],
    }


TOOL = Tool(
    name="metaflow",
    requirements=("metaflow==2.19.39",),
    help=("metaflow", "--help"),
    write=write,
    run=lambda workers: ("python", "flow.py", "run", "--max-workers", str(max(workers, 2))),
    no_cache="no content cache (`resume` repeats a failed run)",
    most_steps=100,
    why_not_more="each step starts an interpreter: 0.2 s",
    variables={"USERNAME": "bench", "METAFLOW_DATASTORE_SYSROOT_LOCAL": "{home}"},
    note="Python functions, a process each",
)
