"""Snakemake: one rule a step."""

from __future__ import annotations

import json
from pathlib import Path

from projects.tool import Tool
from shapes import Graph


def write(folder: Path, graph: Graph, _workers: int) -> None:
    lines = [f"rule all:\n    input: {json.dumps([node.writes for node in graph.last])}"]
    for node in graph.nodes:
        lines += [
            f"rule {node.name}:",
            f"    input: {json.dumps(node.reads)}",
            f"    output: {json.dumps(node.writes)}",
            '    shell: "cp {input[0]} {output}"',
        ]
    (folder / "Snakefile").write_text("\n".join(lines) + "\n")


TOOL = Tool(
    name="snakemake",
    requirements=("snakemake==9.27.1",),
    help=("snakemake", "--help"),
    version=("snakemake", "--version"),
    write=write,
    run=lambda workers: ("snakemake", "--cores", str(workers)),
    most_steps=1_000,
    why_not_more="the first run of 1,000 takes minutes",
    note="shell steps",
)
