"""GNU make: the floor. It compares times, keeps no log and stores nothing."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph


def write(folder: Path, graph: Graph, _workers: int) -> None:
    lines = [".PHONY: all", "all: " + " ".join(node.writes for node in graph.last)]
    for node in graph.nodes:
        lines += [f"{node.writes}: {' '.join(node.reads)}", f"\tcp {node.reads[0]} {node.writes}"]
    (folder / "Makefile").write_text("\n".join(lines) + "\n")


TOOL = Tool(
    name="make",
    help=("make", "--help"),
    version=("make", "--version"),
    write=write,
    run=lambda workers: ("make",) if workers == 1 else ("make", "-j", str(workers)),
    note="shell steps; compares times, not contents",
)
