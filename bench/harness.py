"""How everything here is measured: contenders take turns, each turn is one process tree, each answer is checked.

`Contender.play` yields the samples of one repetition. The first repetition of each is a warm-up that is thrown away
(unless it took longer than `LONG_S`: then it is the only one, and the table says n = 1). A fault in a sample takes the
contender out and into the list of failures, loudly; there is no number for work that was not done.

What is measured runs in an environment of variables made here from nothing, so that neither this shell's
PYTHONDONTWRITEBYTECODE nor its PYTHONPATH reaches it. Only the standard library is used: these scripts run from any
Python, without headway's development environment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import environments
import report
import rest
from projects.tool import Command, Tool, Unfit

LAUNCHER = Path(__file__).resolve().parent / "launch.py"
#: A contender whose warm-up took this long is measured once.
LONG_S = 60.0
#: What the launcher itself may take beyond the time limit of what it starts.
GRACE_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked on the command line, the same for every benchmark."""

    n: int
    peers: str
    cache: Path
    results: Path
    timeout_s: int
    #: How much work there is, for benchmarks that take a `Size`.
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """An option that makes a benchmark smaller for a trial: `--files 1000`."""

    name: str
    default: int
    help: str


@dataclass(slots=True, kw_only=True)
class Place:
    """Where one command runs: its working directory, its tool's HOME, and the variables that it sees."""

    folder: Path
    home: Path
    environment: environments.Environment
    variables: dict[str, str] = field(default_factory=dict)

    def seen(self) -> dict[str, str]:
        """All the variables of the process: nothing of this shell's but the language."""
        given = {name: value.replace("{home}", str(self.home)) for name, value in self.variables.items()}
        path = f"{self.environment.bin}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "NO_COLOR": "1", **given}


Play = Callable[[int], Iterator[tuple[str, report.Sample]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A tool in a benchmark: `play(repetition)` yields the name and the sample of each case, in order."""

    tool: str
    play: Play


def options(promise: str, *, n: int, peers: str = "default", size: Size | None = None) -> Options:
    """Read the command line; `n`, `peers` and `size` are this benchmark's defaults."""
    parser = argparse.ArgumentParser(description=promise)
    parser.add_argument("--n", type=int, default=n, help="repetitions, after a warm-up (default %(default)s)")
    parser.add_argument(
        "--peers", default=peers, help="default, all, none, or names with commas between (default %(default)s)"
    )
    parser.add_argument(
        "--cache", type=Path, default=Path("~/.cache/headway-bench"), help="environments and scratch (%(default)s)"
    )
    parser.add_argument("--results", type=Path, default=LAUNCHER.parent / "results", help="folder of the JSON files")
    parser.add_argument("--timeout", type=int, default=900, help="seconds for one process (default %(default)s)")
    if size is not None:
        text = f"{size.help} (default %(default)s)"
        parser.add_argument(f"--{size.name}", dest="size", type=int, default=size.default, help=text)
    read = parser.parse_args()
    cache = read.cache.expanduser().resolve()
    if cache.is_relative_to(environments.REPOSITORY):
        parser.error("--cache: the environments must lie outside the repository")
    return Options(
        n=max(1, read.n),
        peers=read.peers,
        cache=cache,
        results=read.results,
        timeout_s=read.timeout,
        size=0 if size is None else max(1, read.size),
    )


def once(command: Sequence[str], place: Place, timeout_s: int) -> report.Sample:
    """One run of a command: what it cost, and a fault when it ended badly."""
    executable = environments.executable(place.environment, command[0])
    log = place.folder.parent / f"{place.folder.name}.log"
    launcher = [str(Path(sys.executable).resolve()), "-I", "-S", str(LAUNCHER), str(log), str(timeout_s)]
    launched = subprocess.run(
        [*launcher, executable, *command[1:]],
        cwd=place.folder,
        env=place.seen(),
        capture_output=True,
        text=True,
        timeout=timeout_s + GRACE_S,
        check=False,
    )
    if launched.returncode != 0:
        return report.Sample.broken(f"the launcher failed: {launched.stderr.strip()[-200:]}")
    status, wall_s, cpu_s, rss_bytes = launched.stdout.split()
    fault = None
    if status != "0":
        said = log.read_text(errors="replace").strip()
        ended = f"did not end in {timeout_s} s" if float(wall_s) >= timeout_s else f"ended with {status}"
        fault = f"`{' '.join(command)[:80]}` {ended}: {said[-400:]}"
    return report.Sample(wall_s=float(wall_s), cpu_s=float(cpu_s), rss_bytes=int(rss_bytes), fault=fault)


def counted(command: Sequence[str], place: Place, timeout_s: int) -> report.Sample:
    """One run of a worker in an empty folder, with the numbers that it writes into counts.json there."""
    environments.empty(place.folder)
    sample = once(command, place, timeout_s)
    if sample.fault:
        return sample
    told = json.loads((place.folder / "counts.json").read_text())
    return sample.with_counts({str(name): float(number) for name, number in told.items()})


def take_turns(contenders: Sequence[Contender], n: int) -> list[report.Series]:
    """All samples: repetition by repetition, the contenders one after the other in each."""
    series: dict[tuple[str, str], report.Series] = {}
    left = list(contenders)
    for repetition in range(n + 1):
        for contender in list(left):
            started = time.monotonic()
            samples, fault = _turn(contender, repetition, series)
            is_long = repetition == 0 and time.monotonic() - started > LONG_S
            if repetition > 0 or is_long:
                for one, sample in samples:
                    one.samples.append(sample)
            if fault or is_long:
                left.remove(contender)
            said = fault or f"{time.monotonic() - started:.2f} s"
            print(f"{repetition}/{n} {contender.tool}: {said}", file=sys.stderr, flush=True)
    return list(series.values())


def _turn(
    contender: Contender, repetition: int, series: dict[tuple[str, str], report.Series]
) -> tuple[list[tuple[report.Series, report.Sample]], str | None]:
    samples: list[tuple[report.Series, report.Sample]] = []
    for case, sample in contender.play(repetition):
        one = series.setdefault((contender.tool, case), report.Series(tool=contender.tool, case=case))
        if sample.fault:
            one.fault = sample.fault
            return samples, f"{case} FAILED: {sample.fault}"
        samples.append((one, sample))
    return samples, None


@dataclass(slots=True, kw_only=True)
class Stage:
    """One benchmark under way: the tools that were found, and those that were not, by name with the reason."""

    name: str
    promise: str
    options: Options
    installed: dict[str, environments.Environment] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    #: Taken when the run begins, which is when the wheel is built.
    commit: str = field(default_factory=environments.commit)
    load_before: float = field(default_factory=lambda: os.getloadavg()[0])
    #: What came of waiting for the file system; empty when nobody waited.
    rest: str = ""

    def bring(self, tools: Sequence[Tool]) -> list[Tool]:
        """The tools that are there, installing what is not; each missing one is named loudly."""
        found = []
        for tool in tools:
            try:
                self.installed[tool.name] = self._environment(tool)
            except environments.Missing as missing:
                self.skip(tool.name, str(missing))
            else:
                found.append(tool)
        return found

    def skip(self, tool: str, reason: str) -> None:
        """Leave a tool out, and say so."""
        self.skipped[tool] = reason
        print(f"SKIPPED {tool}: {reason}", file=sys.stderr, flush=True)

    def scratch(self) -> Path:
        """An empty folder of this benchmark in the cache, on the disk that the environments are on."""
        folder = self.options.cache / "scratch" / self.name
        environments.empty(folder)
        return folder

    @contextlib.contextmanager
    def aside(self, scratch: Path) -> Iterator[Path]:
        """A folder for what would be deleted between measurements, on a file system at rest; deleted at the end."""
        folder = scratch / "aside"
        folder.mkdir()
        try:
            self.rest = rest.wait(rest.making_files(folder), self.options.cache / "at-rest.json")
            print(self.rest, file=sys.stderr, flush=True)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, tool: Tool, folder: Path, home: Path) -> Place:
        """Where a tool's commands run."""
        return Place(folder=folder, home=home, environment=self.installed[tool.name], variables=tool.variables)

    def finish(self, series: Sequence[report.Series], promises: Sequence[report.Promise]) -> int:
        """Write the JSON, print the table; the exit status: 1 when a promise is broken or headway failed."""
        result = report.Result(
            name=self.name,
            promise=self.promise,
            series=list(series),
            promises=list(promises),
            skipped=self.skipped,
            versions={name: environment.versions for name, environment in self.installed.items()},
            installer=environments.installer(),
            commit=self.commit,
            load=(self.load_before, os.getloadavg()[0]),
            rest=self.rest,
            floor_bytes=self._floor(),
            hidden=(str(self.options.cache), str(environments.REPOSITORY), str(Path.home())),
        )
        path = result.write(self.options.results)
        print(result.markdown())
        print(f"\nwritten to {path}", file=sys.stderr, flush=True)
        # Last: a million files take minutes to go.
        environments.empty(self.options.cache / "scratch" / self.name)
        return result.status()

    def _environment(self, tool: Tool) -> environments.Environment:
        if tool.name in {"headway", "python"}:
            return environments.headway(self.options.cache)
        if tool.name.startswith("headway["):
            return environments.headway(self.options.cache, extras=tool.name.removeprefix("headway[").rstrip("]"))
        if tool.requirements:
            return environments.peer(self.options.cache, tool.name, tool.requirements)
        return environments.on_path(tool.name)

    def _floor(self) -> int:
        """The smallest peak that can be seen: what `true` is said to take."""
        folder = self.options.cache / "scratch" / "floor"
        environments.empty(folder)
        place = Place(folder=folder, home=folder, environment=environments.Environment(bin=folder, versions={}))
        return once(["true"], place, self.options.timeout_s).rss_bytes


__all__ = [
    "Command",
    "Contender",
    "Options",
    "Place",
    "Play",
    "Size",
    "Stage",
    "Unfit",
    "counted",
    "once",
    "options",
    "take_turns",
]
