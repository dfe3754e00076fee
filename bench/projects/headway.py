"""headway: a pipeline.yaml whose steps declare what they read and write, so that each is cacheable."""

from __future__ import annotations

import json
from pathlib import Path

from projects.tool import Tool
from shapes import Graph


def write(folder: Path, graph: Graph, _workers: int) -> None:
    # A chain needs no graph: the order of the list is the order of the steps.
    lines = [] if graph.shape == "chain" else ["order: graph"]
    lines.append("steps:")
    for node in graph.nodes:
        lines += [
            f"  - name: {node.name}",
            f"    run: cp {node.reads[0]} {node.writes}",
            f"    in: {json.dumps(node.reads)}",
            f"    out: [{node.writes}]",
        ]
    (folder / "pipeline.yaml").write_text("\n".join(lines) + "\n")


TOOL = Tool(
    name="headway",
    help=("headway", "--help"),
    version=("headway", "--version"),
    write=write,
    run=lambda workers: ("headway", "run") if workers == 1 else ("headway", "run", "--jobs", str(workers)),
    note="shell steps",
)
