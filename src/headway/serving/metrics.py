"""What a worker counts, and how Prometheus is told: `GET /metrics`.

Counting is adding to plain numbers, which costs a request less than a microsecond; the text is made by
prometheus-client when somebody asks for it, which is also when that is imported.
"""

import bisect
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import structs

from headway.serving.about import About
from headway.serving.batch import Batcher
from headway.serving.record import Recorder
from headway.serving.route import Counts

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

LATENCY_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0)


class Histogram:
    """How often a value fell between which bounds; the last count is of those above all."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Prometheus's form: how many are at most so large.

        >>> h = Histogram((1.0, 2.0)); h.add(1.0); h.add(5.0); h.buckets()
        [('1.0', 1), ('2.0', 1), ('+Inf', 2)]
        """
        n = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            n += count
            found.append((bound, n))
        return found


class Meter:
    """The counts of one worker: answers by route and status, latencies of predictions, sizes of batches."""

    __slots__ = ("answers", "latency", "n_running", "rows")

    def __init__(self) -> None:
        self.answers: dict[tuple[str, int], int] = {}
        self.latency = Histogram(LATENCY_S)
        self.rows = Histogram(ROWS)
        self.n_running = 0

    def answered(self, route: str, status: int) -> None:
        """Count an answer. `route` is one of the server's own words, never what a client made up."""
        key = (route, status)
        self.answers[key] = self.answers.get(key, 0) + 1


_LOG = {
    "n_noted": "Predictions told to the log.",
    "n_left_out": "Predictions left out by the share that is logged.",
    "n_written": "Predictions written to the log.",
    "n_dropped": "Predictions lost for want of room.",
    "n_unreadable": "Predictions that the log could not read.",
    "n_labels": "Labels written to the log.",
}
_LOG_NOW = {"held_bytes": "What waits to be written.", "failing": "1 while nothing can be written."}


class _Families:
    """A collector, as prometheus-client calls it."""

    # Any: prometheus-client's families.
    def __init__(self, families: list[Any]) -> None:
        self._families = families

    # Any: as above.
    def collect(self) -> Iterator[Any]:
        """All of them."""
        yield from self._families


def render(
    about: About, meter: Meter, batcher: Batcher, log: Mapping[str, float], routed: Counts | None = None
) -> bytes:
    """The text for Prometheus. `log` are the counts of the prediction log by name, if there is one.

    `routed` are those of a version that accepts for others: labels `version` are then the others'.
    """
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    labels = ("model", "version")
    values = (about.model, str(about.version))

    # Any: a family of prometheus-client.
    def one(family: Any, name: str, text: str, value: float) -> Any:  # noqa: ANN401 (as above)
        made = family(f"headway_{name}", text, labels=labels)
        made.add_metric(values, value)
        return made

    answers = CounterMetricFamily("headway_requests", "Answers by route and status.", labels=(*labels, "route", "code"))
    for (route, status), n in sorted(meter.answers.items()):
        answers.add_metric((*values, route, str(status)), n)
    counts = batcher.counts
    families = [
        answers,
        one(GaugeMetricFamily, "requests_running", "Requests under way.", meter.n_running),
        one(GaugeMetricFamily, "requests_waiting", "Requests that wait for the model.", batcher.n_waiting),
        one(CounterMetricFamily, "rows", "Rows that the model was asked for.", counts.n_rows),
        one(CounterMetricFamily, "model_seconds", "Seconds that the model computed.", counts.model_s),
        one(CounterMetricFamily, "requests_refused_full", "Refused because too many waited.", counts.n_full),
        one(CounterMetricFamily, "requests_late", "Given up because the model took too long.", counts.n_late),
    ]
    for name, text, counted in (
        ("routed", "Requests by the version that was chosen, and how it went.", routed and routed.answers),
        ("shadow_copies", "Copies for a shadow, and how it went.", routed and routed.copies),
    ):
        outcomes = CounterMetricFamily(f"headway_{name}", text, labels=(*labels, "outcome"))
        for (version, how), n in sorted((counted or {}).items()):
            outcomes.add_metric((about.model, str(version), how.replace(" ", "_")), n)
        families += [outcomes] if counted else []
    for name, text in _LOG.items():
        if name in log:
            families.append(one(CounterMetricFamily, f"prediction_log_{name.removeprefix('n_')}", text, log[name]))
    for name, text in _LOG_NOW.items():
        if name in log:
            families.append(one(GaugeMetricFamily, f"prediction_log_{name}", text, log[name]))
    for name, text, histogram in (
        ("prediction_seconds", "From the whole request to the answer, of good predictions.", meter.latency),
        ("batch_rows", "Rows that were asked for in one call of the model.", meter.rows),
    ):
        made = HistogramMetricFamily(f"headway_{name}", text, labels=labels)
        made.add_metric(values, histogram.buckets(), histogram.total)
        families.append(made)
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)


def log_counts(recorder: Recorder | None) -> dict[str, float]:
    """What a recorder counts, if it does: a recorder need not."""
    counts = getattr(recorder, "counts", None)
    if counts is None:
        return {}
    told = structs.asdict(counts)
    found: dict[str, float] = {name: value for name, value in told.items() if isinstance(value, int)}
    return found | {"failing": int(bool(told.get("trouble")))}
