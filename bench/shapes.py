"""The work that every tool is given: small graphs of `cp` steps, their sources and what must lie there at the end.

A step copies the first file it reads, so that the work itself costs next to nothing and what is measured is the tool.
Each source differs, so that a tool which stores by content cannot store one file a hundred times.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step: reads these files, writes one; `needs` are the steps that write what it reads."""

    name: str
    reads: tuple[str, ...]
    writes: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Steps in an order in which they can run, and the files that lie there before."""

    nodes: tuple[Node, ...]
    sources: tuple[str, ...]
    shape: str

    @property
    def last(self) -> tuple[Node, ...]:
        """The steps whose output nobody reads."""
        read = {need for node in self.nodes for need in node.needs}
        return tuple(node for node in self.nodes if node.name not in read)

    def contents(self) -> dict[str, str]:
        """What each file holds after a good run."""
        held = {name: f"this is {name}\n" for name in self.sources}
        for node in self.nodes:
            held[node.writes] = held[node.reads[0]]
        return held

    def write_sources(self, folder: Path) -> None:
        """Put the sources into a project folder."""
        contents = self.contents()
        for name in self.sources:
            (folder / name).write_text(contents[name])

    def fault(self, folder: Path) -> str | None:
        """What is wrong with the outputs in a folder, or None: each must exist with the right content."""
        for name, content in self.contents().items():
            try:
                found = (folder / name).read_text()
            except FileNotFoundError:
                return f"{name} is missing"
            if found != content:
                return f"{name} holds {found[:40]!r} instead of {content!r}"
        return None

    def written_at(self, folder: Path) -> dict[str, int]:
        """When each output was last written, in ns: the same after a no-op, or it was none."""
        return {node.writes: (folder / node.writes).stat().st_mtime_ns for node in self.nodes}


def chain(length: int, *, prefix: str = "s") -> Graph:
    """Steps in a line, each copying what the one before wrote."""
    names = [f"{prefix}{i}" for i in range(length)]
    source = f"{prefix}-source.txt"
    nodes = [
        Node(
            name=name,
            reads=(f"{names[i - 1]}.txt" if i else source,),
            writes=f"{name}.txt",
            needs=(names[i - 1],) if i else (),
        )
        for i, name in enumerate(names)
    ]
    return Graph(nodes=tuple(nodes), sources=(source,), shape="chain")


def independent(count: int) -> Graph:
    """Steps that have nothing to do with each other, each with a source of its own."""
    nodes = [Node(name=f"s{i:04}", reads=(f"source{i:04}.txt",), writes=f"s{i:04}.txt") for i in range(count)]
    return Graph(nodes=tuple(nodes), sources=tuple(node.reads[0] for node in nodes), shape="independent")


def layers(depth: int, width: int) -> Graph:
    """Layers of steps, each step reading two of the layer below (the lowest: two sources)."""
    sources = tuple(f"source{i:04}.txt" for i in range(width))
    nodes: list[Node] = []
    for layer in range(depth):
        below = nodes[-width:]
        for i in range(width):
            pair = (i, (i + 1) % width)
            name = f"s{layer:03}x{i:04}"
            nodes.append(
                Node(
                    name=name,
                    reads=tuple(below[at].writes if below else sources[at] for at in pair),
                    writes=f"{name}.txt",
                    needs=tuple(below[at].name for at in pair) if below else (),
                )
            )
    return Graph(nodes=tuple(nodes), sources=sources, shape="layers")
