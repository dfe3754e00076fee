"""Prefect: tasks of one flow against the temporary local server that it starts, results kept and cached by inputs."""

from __future__ import annotations

from pathlib import Path

from projects.tool import Tool
from shapes import Graph

FLOW = """import shutil

from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.task_runners import ThreadPoolTaskRunner

STEPS = {steps!r}


@task(cache_policy=INPUTS, persist_result=True)
def copy(reads, writes):
    shutil.copyfile(reads, writes)
    return writes


@flow(task_runner=ThreadPoolTaskRunner(max_workers={workers}))
def copies():
    futures = {{}}
    for name, reads, writes, needs in STEPS:
        futures[name] = copy.submit(reads, writes, wait_for=[futures[need] for need in needs])
    for future in futures.values():
        future.result()


if __name__ == "__main__":
    copies()
"""


def write(folder: Path, graph: Graph, workers: int) -> None:
    steps = [(node.name, node.reads[0], node.writes, list(node.needs)) for node in graph.nodes]
    (folder / "copies.py").write_text(FLOW.format(steps=steps, workers=workers))


TOOL = Tool(
    name="prefect",
    # FastAPI 0.165, which Prefect 3.8.8 allows, breaks its server at import; 0.139 is the oldest that it accepts.
    requirements=("prefect==3.8.8", "fastapi==0.139.*"),
    help=("prefect", "--help"),
    version=("prefect", "--version"),
    write=write,
    run=lambda _workers: ("python", "copies.py"),
    most_steps=100,
    why_not_more="the temporary server takes seconds for a hundred",
    variables={"PREFECT_HOME": "{home}/prefect", "PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"},
    note="Python functions, threads",
)
