"""Benchmarks whose tools are scripts: one script for all of them, run in each one's environment, answers in JSON.

Neighbour: `harness` measures a process and takes turns; here is what is asked of such a script, and what it said.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import environments
from harness import Options, Stage, once
from projects.tool import Tool
from report import Promise, Sample

HEADWAY = Tool(name="headway")


def chosen(options: Options, peers: Sequence[str]) -> set[str]:
    """Those of the peers that `--peers` asks for; an unknown name ends the program."""
    if options.peers in {"default", "all"}:
        return {*peers}
    wanted = set() if options.peers == "none" else {*options.peers.split(",")}
    if unknown := sorted(wanted - {*peers}):
        raise SystemExit(f"--peers: no peer is called {', '.join(unknown)}; there are {', '.join(peers)}")
    return wanted


def less_cpu(case: str, goals: Mapping[str, float]) -> list[Promise]:
    """That headway takes so many times less CPU than each of these peers."""
    return [
        Promise(
            text=f"{case}: at least {goal:.0f} x less CPU than {peer}",
            of=(peer, case),
            over=("headway", case),
            measure="cpu_s",
            least=goal,
        )
        for peer, goal in goals.items()
    ]


def unless(fault: str | None, sample: Sample) -> Sample:
    """The sample, or no numbers when what it said has a fault."""
    return sample if sample.fault or fault is None else Sample.broken(fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A script, `python SCRIPT WORDS…`, which runs in a folder and prints a line of JSON at the end."""

    stage: Stage
    script: Path

    def make(self, folder: Path, *words: str) -> None:
        """Let headway's own environment make the data in a folder that is emptied; what fails ends the program."""
        environments.empty(folder)
        made = self._run(HEADWAY, folder, words)
        if made.fault:
            raise SystemExit(f"the data in {folder.name} could not be made: {made.fault}")

    # Any: what a tool says.
    def ask(self, tool: Tool, folder: Path, *words: str) -> tuple[Sample, dict[str, Any]]:
        """What it cost, and what it said: nothing when there is a fault, which it is when that is no object."""
        sample = self._run(tool, folder, words)
        if sample.fault:
            return sample, {}
        lines = (folder.parent / f"{folder.name}.log").read_text(errors="replace").strip().splitlines()
        try:
            return sample, dict(json.loads(lines[-1]))
        except (IndexError, TypeError, ValueError):
            return Sample.broken(f"`{' '.join(words)}` gave no answer: {' '.join(lines[-2:])[-200:]}"), {}

    def _run(self, tool: Tool, folder: Path, words: Sequence[str]) -> Sample:
        place = self.stage.place(tool, folder, folder)
        return once(["python", str(self.script), *words], place, self.stage.options.timeout_s)
