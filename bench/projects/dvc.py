"""DVC: stages with deps and outs; it has no parallel run."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph


def write(folder: Path, graph: Graph, _workers: int) -> None:
    lines = ["stages:"]
    for node in graph.nodes:
        lines += [f"  {node.name}:", f"    cmd: cp {node.reads[0]} {node.writes}", "    deps:"]
        lines += [f"      - {path}" for path in node.reads]
        lines += ["    outs:", f"      - {node.writes}"]
    (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")


TOOL = Tool(
    name="dvc",
    requirements=("dvc==3.67.1",),
    help=("dvc", "--help"),
    version=("dvc", "--version"),
    write=write,
    prepare=(
        ("dvc", "init", "-q", "--no-scm"),
        ("dvc", "config", "core.analytics", "false"),
        ("dvc", "config", "core.check_update", "false"),
    ),
    run=lambda _workers: ("dvc", "repro"),
    most_steps=200,
    why_not_more="its first run is quadratic: 400 stages took 192 s, 1,000 did not finish in 900 s",
    # The site cache is outside the project by default, and would hand one repetition's work to the next.
    variables={"DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": "{home}/site"},
    note="shell steps, one at a time",
)
