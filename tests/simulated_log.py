"""A release's prediction log, simulated minute by minute: requests, answers and labels of two versions."""

import math
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from headway.core.prediction_log import LabelLine, Line
from logged import NEW, OLD, START


class World(Struct, frozen=True, kw_only=True):
    """What is true: shares of failed, slow and wrong answers, and by how much the new version's are larger.

    In one region `uneven` times as many fail. Labels come after `label_s` seconds on average, 0: never. With `walks`
    the shares walk from minute to minute, both versions alike, and there are outages of both.
    """

    per_minute: int = 120
    share: float = 0.25
    errors: float = 0.01
    slow: float = 0.02
    wrong: float = 0.15
    errors_times: float = 1.0
    slow_times: float = 1.0
    wrong_more: float = 0.0
    walks: bool = True
    uneven: float = 2.0
    label_s: float = 240.0


class Minute(Struct, frozen=True, kw_only=True):
    """What the log gets in one minute; `about` are the lines that labels are about."""

    stage: int
    now: float
    lines: list[Line]
    labels: list[LabelLine]
    about: list[Line]


class _State(Struct, frozen=True, kw_only=True):
    """How things stand in one minute."""

    level: float
    drift: float
    is_out: bool


_REGIONS = [{"region": "north"}, {"region": "south"}, {}]


class _Late:
    """Labels that have not come yet, by the minute in which they do."""

    def __init__(self) -> None:
        self._minutes: dict[int, list[LabelLine]] = {}

    def put(self, label: LabelLine) -> None:
        self._minutes.setdefault(int((label.received_at - START) // 60), []).append(label)

    def due(self, minute: int) -> list[LabelLine]:
        return self._minutes.pop(minute, [])


def simulate(seed: int, world: World, n_shadow: int, n_canary: int) -> Iterator[Minute]:
    """The minutes of a shadow, which is stage 0, and those of a canary, stage 1."""
    rng = np.random.default_rng(seed)
    late, logged = _Late(), dict[str, list[Line]]()
    rate = drift = 0.0
    outage = 0
    for minute in range(n_shadow + n_canary):
        if world.walks:
            rate = 0.9 * rate + float(rng.normal(0, 0.4))
            drift = 0.95 * drift + float(rng.normal(0, 0.15))
            outage = max(outage - 1, 3 * (rng.random() < 1 / 60))
        state, stage = _State(level=math.exp(rate), drift=drift, is_out=outage > 0), int(minute >= n_shadow)
        lines = _lines(rng, world, minute, stage, state, late)
        now = START + 60.0 * (minute + 1)
        for line in lines if world.label_s else []:
            logged.setdefault(line.request_id, []).append(line)
        labels = late.due(minute)
        about = [line for label in labels for line in logged.pop(label.request_id, [])]
        yield Minute(stage=stage, now=now, lines=lines, labels=labels, about=about)


def _lines(rng: np.random.Generator, world: World, minute: int, stage: int, state: _State, late: _Late) -> list[Line]:
    n = int(rng.poisson(world.per_minute))
    after = (np.sort(rng.random(n)) * 60 + 60 * minute + START).tolist()
    region = rng.choice(3, n, p=[0.6, 0.3, 0.1])
    truth = rng.random(n) < 1 / (1 + math.exp(-state.drift))
    is_right = truth == (rng.random(n) < 1 - world.wrong)
    drawn = rng.random(n) < world.share
    lines: list[Line] = []
    for is_new in [drawn] if stage else [np.zeros(n, dtype=bool), np.ones(n, dtype=bool)]:
        # One region fails more, with both versions.
        errors = np.minimum(world.errors * state.level * np.where(region == 1, world.uneven, 1.0), 1.0)
        errors = np.where(is_new, np.minimum(errors * world.errors_times, 1.0), errors)
        failed = rng.random(n) < (np.maximum(errors, 0.3) if state.is_out else errors)
        slow = np.minimum(world.slow * state.level * np.where(is_new, world.slow_times, 1.0), 1.0)
        ms = np.where(rng.random(n) < slow, 300.0, 20.0)
        # Each version turns some answers of its own.
        turned = rng.random(n) < np.where(is_new, 0.03 + world.wrong_more, 0.03)
        columns = (region, np.where(is_new, NEW, OLD), failed, ms, (is_right ^ turned).astype(int))
        for i, (place, version, is_bad, took, answer) in enumerate(zip(*map(np.ndarray.tolist, columns), strict=True)):
            lines.append(
                Line(
                    request_id=f"{minute}-{i}",
                    at=after[i],
                    ms=took,
                    model="m",
                    version=version,
                    rows=[_REGIONS[place]],
                    predictions=[] if is_bad else [answer],
                    is_shadow=not stage and version == NEW,
                    status=500 if is_bad else 200,
                )
            )
    if world.label_s:
        waits = rng.exponential(world.label_s, n).tolist()
        for i, (at, wait, is_true) in enumerate(zip(after, waits, truth.tolist(), strict=True)):
            late.put(LabelLine(request_id=f"{minute}-{i}", row=0, label=int(is_true), at=at, received_at=at + wait))
    return lines
