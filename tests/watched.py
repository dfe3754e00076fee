"""A project in memory whose endpoint is watched: releases by hand, a prediction log by hand, a clock that can jump."""

import io
import os
from collections.abc import Mapping, Sequence
from functools import cache

import msgspec
import numpy as np
import polars as pl

from headway.backends.blobs_memory import MemoryBlobs
from headway.backends.leases_memory import MemoryLeases
from headway.backends.log_memory import MemoryLog
from headway.backends.target_memory import MemoryTarget
from headway.core import facts as f
from headway.core.monitor_grammar import Plan, plan_of
from headway.core.prediction_log import LabelLine, Line, open_name
from headway.core.reference import PREDICTION, Calibration, Realised, Reference, layout_id
from headway.flows.delivery import Delivery, stream
from headway.flows.predictions import folder_of
from headway.flows.watch import Watcher
from headway.flows.watch_news import Looked, read
from headway.flows.watch_news import stream as monitor_stream
from headway.flows.watch_served import Endpoint, key_of
from headway.stats.sketch import packed
from headway.stats.sketch_chances import calibrated
from monitored import DAY_S, START, Column, blocks, layout, reference, table

HOUR_S = 3600.0

Rows = Mapping[str, Column]


class Killed(BaseException):
    """Whoever looked is gone."""


class DyingLog(MemoryLog):
    """A log whose user is killed at the append of a number, before or after it is done."""

    def __init__(self) -> None:
        super().__init__()
        self.kill_at = 0
        self.is_before = False

    def append(self, stream: str, facts: Sequence[f.Fact], *, expect: int, at: float) -> int:
        """See `ports.Log`."""
        self.kill_at -= 1
        if self.kill_at == 0 and self.is_before:
            raise Killed
        length = super().append(stream, facts, expect=expect, at=at)
        if self.kill_at == 0:
            raise Killed
        return length


class Project:
    """One endpoint and one monitor. `now` is the clock; what is logged is written to open files, one for each call."""

    def __init__(self, folder: str, **monitor: object) -> None:
        self.now = START
        self.log = DyingLog()
        self.blobs = MemoryBlobs()
        self.target = MemoryTarget()
        self.home = os.path.join(folder, ".headway")
        self.plan: Plan = plan_of("live", {"endpoint": "churn", "window": "1d", **monitor})
        self.world = Delivery(
            log=self.log,
            blobs=self.blobs,
            leases=MemoryLeases(),
            target=lambda _: self.target,
            models=os.path.join(self.home, "models"),
            now=lambda: self.now,
            by="ann",
        )
        self._n_files = 0
        self._n_requests = 0
        self._n_releases = 0
        self.watcher = Watcher(self.world, self.plan)

    # --- what happens -------------------------------------------------------------------------------------------

    def release(self, version: int) -> None:
        """A version takes over now."""
        self._n_releases += 1
        n = self._n_releases
        facts: list[f.Fact] = [
            f.ReleaseStarted(endpoint="churn", release=n, model="churn", version=version, key=f"k{n}"),
            f.VersionStarted(release=n),
            f.EndpointSwitched(release=n, url="u"),
            f.ReleaseFinished(release=n, outcome="released"),
        ]
        self.log.append(stream("churn"), facts, expect=len(self.log.read(stream("churn"))), at=self.now)

    def begin(self, made_of: Rows, truth: Sequence[int] | None = None, **more: object) -> Reference:
        """The version that serves is watched from now on, with these rows as its reference."""
        endpoint = Endpoint(self.log, "churn")
        served = endpoint.look()
        assert served is not None
        made = _reference(made_of, truth, served.release.version, self.blobs, more)
        watch = read(self.log, "live")
        fact = f.MonitorBegan(
            monitor="live",
            endpoint="churn",
            model="churn",
            version=served.release.version,
            reference=self.blobs.put(msgspec.json.encode(made)),
            layout=layout_id(made.layout),
            window=self.plan.window,
            false_alarms_per_year=self.plan.false_alarms_per_year,
            key=key_of(self.plan, served),
            since=self.now,
            metric=self.plan.metric or "accuracy",
            promised=made.realised["accuracy"].value,
            promised_low=made.realised["accuracy"].low,
            promised_high=made.realised["accuracy"].high,
            promised_by="reference",
            previous=served.previous,
            rows=made.rows,
            blocks=made.blocks,
        )
        n = len(self.log.read(monitor_stream("live")))
        self.log.append(monitor_stream("live"), [fact], expect=n, at=self.now)
        assert watch.n_windows >= 0
        return made

    def answer(self, rows: Rows, *, at: float, version: int = 1, span_s: float = 20 * HOUR_S, failed: int = 0) -> str:
        """Requests of one row each, evenly over a time; gives the id of the first, which the others count up."""
        n = len(rows[PREDICTION])
        first = self._n_requests
        lines = [
            Line(
                request_id=f"r{first + i}",
                at=round(at + span_s * i / n, 3),
                ms=5.0,
                model="churn",
                version=version,
                rows=[{"age": rows["age"][i], "plan": rows["plan"][i]}],
                predictions=[] if i < failed else [rows[PREDICTION][i]],
                classes=[] if i < failed else [0, 1],
                probabilities=[]
                if i < failed
                else [[1 - float(str(rows["probability.1"][i])), float(str(rows["probability.1"][i]))]],
                status=500 if i < failed else 200,
            )
            for i in range(n)
        ]
        self._n_requests += n
        self._write("predictions", lines)
        return f"r{first}"

    def label(self, first: str, truth: Sequence[object], *, at: float) -> None:
        """Labels of the requests from that one on."""
        start = int(first[1:])
        lines = [
            LabelLine(request_id=f"r{start + i}", row=0, label=value, at=at, received_at=at)  # type: ignore[arg-type] # as met
            for i, value in enumerate(truth)
        ]
        self._write("labels", lines)

    def look(self, now: float | None = None) -> Looked:
        """A pass, by a process that remembers what it read."""
        self.now = self.now if now is None else now
        return self.watcher.look(self.now)

    def look_anew(self, now: float | None = None) -> Looked:
        """A pass by a process that was just started."""
        self.watcher = Watcher(self.world, self.plan)
        return self.look(now)

    # --- what is told -------------------------------------------------------------------------------------------

    def facts(self) -> list[f.Fact]:
        """All that the monitor told."""
        return [entry.fact for entry in self.log.read(monitor_stream("live"))]

    def alarms(self) -> list[str]:
        """Alarms and their ends, in short."""
        told = []
        for fact in self.facts():
            if isinstance(fact, f.AlarmRaised):
                told.append(f"{fact.about}: {fact.says} at {fact.window}")
            elif isinstance(fact, f.AlarmEnded):
                told.append(f"ended {fact.alarm}")
        return told

    def windows(self) -> list[f.WindowClosed]:
        """The windows that were judged."""
        return [fact for fact in self.facts() if isinstance(fact, f.WindowClosed)]

    def _write(self, kind: str, lines: Sequence[Line | LabelLine]) -> None:
        self._n_files += 1
        name = open_name("predictions" if kind == "predictions" else "labels", f"{self._n_files:016x}")
        write_lines(folder_of(self.home, "churn"), name, lines)


def write_lines(folder: str, name: str, lines: Sequence[Line | LabelLine]) -> None:
    """Lines of the log, at the end of an open file."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "ab") as file:
        file.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


def day(number: int) -> float:
    """When a day begins, the first being 0."""
    return START + number * DAY_S


def truth_of(rng: np.random.Generator, rows: Rows, *, flipped: float = 0.0) -> list[int]:
    """Labels that come true as often as the probabilities say, but for a part that is turned round."""
    chances = np.array(rows["probability.1"], dtype=float)
    truth = rng.random(len(chances)) < chances
    turned: list[int] = (truth ^ (rng.random(len(chances)) < flipped)).astype(int).tolist()
    return turned


def _reference(
    rows: Rows, truth: Sequence[int] | None, version: int, blobs: MemoryBlobs, more: Mapping[str, object]
) -> Reference:
    on = layout(dict(rows), version)
    parts = blocks(on, dict(rows))
    calibration = None
    realised = {"accuracy": Realised(value=0.8, low=0.78, high=0.82)}
    if truth is not None:
        scores, answers = np.array(rows["probability.1"], dtype=float), np.array(rows[PREDICTION])
        fit = calibrated(scores, np.array(truth, dtype=bool), most=62)
        calibration = Calibration(
            at=tuple(fit.at.tolist()),
            chances=tuple(fit.chances.tolist()),
            blocks=tuple(fit.blocks.tolist()),
            variances=tuple(fit.variances.tolist()),
        )
        share = float(np.mean(answers == np.array(truth)))
        half = 1.96 * (share * (1 - share) / len(truth)) ** 0.5
        realised = {"accuracy": Realised(value=share, low=share - half, high=share + half)}
    kept = blobs.put(msgspec.msgpack.encode([packed(one.reshape(-1)) for one in parts]))
    columns = {"feature.age": rows["age"], "feature.plan": rows["plan"], PREDICTION: rows[PREDICTION]}
    parquet = io.BytesIO()
    label = {} if truth is None else {"label": truth}
    pl.DataFrame({**columns, "probability.1": rows["probability.1"], **label}).write_parquet(parquet)
    return reference(
        msgspec.structs.replace(on, calibration=calibration),
        dict(rows),
        blocks=kept,
        rows=blobs.put(parquet.getvalue()),
        n_blocks=len(parts),
        realised=realised,
        **more,
    )


@cache
def _rows(seed: int, n: int, more: tuple[tuple[str, float], ...]) -> dict[str, Column]:
    return table(np.random.default_rng(seed), n, **dict(more))


def rows_of(seed: int, n: int = 1000, **more: float) -> dict[str, Column]:
    """Rows of a day, by their seed."""
    return dict(_rows(seed, n, tuple(more.items())))
