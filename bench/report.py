"""What came out: samples, their median and spread, the promises held against them, as JSON and as a Markdown table."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

MB = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured run: seconds by the clock, seconds of processor of the whole tree, peak of its largest process.

    `counts` holds what a benchmark measures beside time: facts per second, packages, megabytes.
    """

    wall_s: float
    cpu_s: float
    rss_bytes: int
    fault: str | None = None
    counts: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def broken(cls, fault: str) -> Sample:
        """A run that gave no numbers."""
        return cls(wall_s=0, cpu_s=0, rss_bytes=0, fault=fault)

    def with_counts(self, counts: Mapping[str, float]) -> Sample:
        """The same run with what it counted."""
        return replace(self, counts=counts)


@dataclass(slots=True, kw_only=True)
class Series:
    """All samples of one tool in one case, and the fault that ended them, if one did."""

    tool: str
    case: str
    samples: list[Sample] = field(default_factory=list)
    fault: str | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is headway's: `headway`, or `headway, 4 steps`."""
        return self.tool.partition(",")[0] == "headway"

    @property
    def is_good(self) -> bool:
        """Whether there are numbers that may be shown."""
        return self.fault is None and bool(self.samples)

    def median(self, of: str = "wall_s") -> float:
        """The median of `wall_s`, `cpu_s`, `rss_bytes` or one of the counts."""
        return statistics.median(self.values(of))

    def values(self, of: str) -> list[float]:
        """One number of each sample."""
        if of in {"wall_s", "cpu_s", "rss_bytes"}:
            return [float(getattr(sample, of)) for sample in self.samples]
        return [sample.counts[of] for sample in self.samples]

    def spread(self, of: str = "wall_s") -> float:
        """The distance between the quartiles (linear between the samples); 0 for one sample."""
        values = self.values(of)
        if len(values) == 1:
            return 0.0
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return high - low


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """A bound on a number of headway's, or on its ratio to a peer's.

    `of` and `over` are (tool, case); with `over` the number is `of`'s divided by `over`'s. One of `most` and `least`.
    """

    text: str
    of: tuple[str, str]
    over: tuple[str, str] | None = None
    measure: str = "wall_s"
    most: float | None = None
    least: float | None = None

    def judged(self, series: Sequence[Series]) -> tuple[str, float | None]:
        """`kept`, `BROKEN` or `unmeasured`, and the number."""
        known = {(one.tool, one.case): one for one in series if one.is_good}
        if self.of not in known or (self.over is not None and self.over not in known):
            return "unmeasured", None
        # A peak must hold in every run, not in most of them.
        number = (
            max(known[self.of].values("rss_bytes"))
            if self.measure == "rss_bytes"
            else known[self.of].median(self.measure)
        )
        if self.over is not None:
            number /= known[self.over].median(self.measure)
        is_kept = (self.most is None or number <= self.most) and (self.least is None or number >= self.least)
        return "kept" if is_kept else "BROKEN", number


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One benchmark's outcome with everything that one needs to judge it."""

    name: str
    promise: str
    series: list[Series]
    promises: list[Promise]
    skipped: dict[str, str]
    versions: dict[str, dict[str, str]]
    installer: str
    commit: str
    load: tuple[float, float]
    floor_bytes: int
    #: Whether the file system was at rest, where that was looked at.
    rest: str = ""
    #: Folders of this machine that do not belong in a result.
    hidden: tuple[str, ...] = ()

    def status(self) -> int:
        """1 when a promise is broken or something of headway's failed, else 0."""
        broken = any(promise.judged(self.series)[0] == "BROKEN" for promise in self.promises)
        return int(broken or any(one.is_ours and one.fault for one in self.series))

    def write(self, folder: Path) -> Path:
        """Write `<name>-<date>.json`; gives its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{time.strftime('%Y-%m-%d', time.gmtime())}.json"
        path.write_text(self._clean(json.dumps(self._document(), indent=1)) + "\n")
        return path

    def markdown(self) -> str:
        """The tables, and below them what was left out, what failed, and each promise."""
        lines = [f"## {self.name}", "", self.promise, "", self._conditions()]
        for case in dict.fromkeys(one.case for one in self.series):
            lines += ["", *self._table(case)]
        lines += ["", *[f"- FAILED {one.tool}, {one.case}: {one.fault}" for one in self.series if one.fault]]
        lines += [f"- skipped {tool}: {reason}" for tool, reason in self.skipped.items()]
        for promise in self.promises:
            verdict, number = promise.judged(self.series)
            measured = "" if number is None else f" (measured {self._measured(promise, number)})"
            lines.append(f"- promise {verdict}: {promise.text}{measured}")
        return self._clean("\n".join(lines))

    def _measured(self, promise: Promise, number: float) -> str:
        if promise.measure == "rss_bytes":
            return f"{number / MB:.0f} MB"
        if promise.measure != "wall_s":
            return _figure(number)
        if promise.over is not None:
            return f"{_figure(number)} x"
        # A bound in seconds is at the mercy of the machine's other work: the processor's seconds are not.
        cpu_s = next(one.median("cpu_s") for one in self.series if (one.tool, one.case) == promise.of)
        return f"{number:.3f} s, {cpu_s:.3f} s of CPU"

    def _clean(self, text: str) -> str:
        for folder in self.hidden:
            text = text.replace(folder, "…")
        return text

    def _conditions(self) -> str:
        floor = f"A peak of {self.floor_bytes / MB:.0f} MB reads '{self.floor_bytes / MB:.0f} or less'."
        source = f"headway at {self.commit}" if self.commit else "headway at no commit"
        load = f"load {self.load[0]:.1f} before, {self.load[1]:.1f} after"
        load += f", {self.rest}" if self.rest else ""
        return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {_machine()}, {source}, {load}. {floor}"

    def _table(self, case: str) -> list[str]:
        shown = [one for one in self.series if one.case == case and one.is_good]
        if not shown:
            return [f"**{case}**: nothing was measured."]
        ours = next((one for one in shown if one.tool == "headway"), None)
        counted = list(dict.fromkeys(name for one in shown for sample in one.samples for name in sample.counts))
        head = [case, "n", "median s", "min s", "IQR s", "CPU s", "peak MB", "x headway", *counted]
        rows = [head, ["---"] + ["---:"] * (len(head) - 1)]
        for one in sorted(shown, key=Series.median):
            ratio = "" if ours is None else f"{one.median() / ours.median():.2f}"
            row = [one.tool, str(len(one.samples)), f"{one.median():.3f}", f"{min(one.values('wall_s')):.3f}"]
            row += [f"{one.spread():.3f}", f"{one.median('cpu_s'):.3f}", f"{max(one.values('rss_bytes')) / MB:.0f}"]
            row += [ratio, *[_figure(one.median(name)) if name in one.samples[0].counts else "" for name in counted]]
            rows.append(row)
        return ["| " + " | ".join(row) + " |" for row in rows]

    def _document(self) -> dict[str, object]:
        return {
            "name": self.name,
            "promise": self.promise,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "machine": _machine(),
            "installer": self.installer,
            "commit": self.commit,
            "load": {"before": round(self.load[0], 2), "after": round(self.load[1], 2)},
            "file_system": self.rest,
            "rss_floor_bytes": self.floor_bytes,
            "versions": self.versions,
            "cases": [
                {
                    "tool": one.tool,
                    "case": one.case,
                    "fault": one.fault,
                    "n": len(one.samples),
                    "wall_s": [round(value, 5) for value in one.values("wall_s")],
                    "cpu_s": [round(value, 5) for value in one.values("cpu_s")],
                    "rss_bytes": [sample.rss_bytes for sample in one.samples],
                    "counts": [dict(sample.counts) for sample in one.samples if sample.counts],
                }
                for one in self.series
            ],
            "skipped": self.skipped,
            "promises": [
                {"text": promise.text, "verdict": verdict, "measured": number}
                for promise in self.promises
                for verdict, number in [promise.judged(self.series)]
            ],
        }


def _figure(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def _machine() -> str:
    """Processor, cores, memory, system and interpreter, in one line without the machine's name."""
    processor = platform.processor() or platform.machine()
    try:
        with Path("/proc/cpuinfo").open() as lines:
            processor = next(
                (line.partition(": ")[2].strip() for line in lines if line.startswith("model name")), processor
            )
    except FileNotFoundError:
        pass
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    python = ".".join(str(part) for part in sys.version_info[:3])
    return f"{processor}, {os.cpu_count()} cores, {memory_gb:.0f} GB, {platform.system()}, Python {python}"
