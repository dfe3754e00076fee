"""Traffic, errors and times of a window beside those of the windows before."""

from collections.abc import Sequence

import numpy as np
import pytest

from headway.core import facts as f
from headway.core.facts import Reading
from headway.core.watch_detail import Traffic
from headway.core.watch_spans import Span
from headway.core.watch_traffic import traffic_of, traffic_readings
from monitored import DAY_S, layout, sketch, table

ALPHA = 0.001
DAY = Span(since=0.0, until=DAY_S, cells=())


def before(
    requests: Sequence[int] = (980, 1010, 1030, 995, 1005, 1000, 990),
    failed: Sequence[int] = (1, 2, 0, 1, 3, 2, 1),
    p95: float = 12.0,
) -> list[f.WindowClosed]:
    """The days before, each judged in its turn."""
    found: list[f.WindowClosed] = []
    for number, (n, n_failed) in enumerate(zip(requests, failed, strict=True), 1):
        traffic = Traffic(n_requests=n, n_failed=n_failed, p95_ms=p95)
        found.append(
            f.WindowClosed(
                monitor="live",
                number=number,
                version=1,
                since=0.0,
                until=DAY_S,
                n_requests=n,
                n_rows=n - n_failed,
                n_failed=n_failed,
                readings=traffic_readings(traffic, DAY, found, alpha=ALPHA),
            )
        )
    return found


def now(n: int = 1000, n_failed: int = 2, p95: float | None = 12.0) -> dict[str, Reading]:
    traffic = Traffic(n_requests=n, n_failed=n_failed, p95_ms=p95)
    return {one.of: one for one in traffic_readings(traffic, DAY, before(), alpha=ALPHA)}


def test_a_day_like_the_others_is_usual() -> None:
    found = now()
    assert list(found) == ["requests", "errors", "latency"]
    assert not any(one.is_beyond for one in found.values())
    assert found["requests"].was == pytest.approx(1000 / 24, rel=0.01)
    assert found["errors"].value == 0.002


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        ({"n": 200, "n_failed": 0}, "requests"),
        ({"n": 0, "n_failed": 0, "p95": None}, "requests"),
        ({"n": 9000, "n_failed": 9}, "requests"),
        ({"n_failed": 80}, "errors"),
        ({"p95": 60.0}, "latency"),
    ],
)
def test_what_changed_much_is_told_alone(changed: dict[str, float], of: str) -> None:
    found = now(**changed)  # type: ignore[arg-type] # numbers all
    assert [one.of for one in found.values() if one.is_beyond] == [of]
    assert all(one.about == "traffic" for one in found.values())


@pytest.mark.parametrize(
    "changed",
    [{"n": 900}, {"n_failed": 9}, {"n_failed": 0}, {"p95": 15.0}, {"p95": 3.0}],
    ids=["a few less", "a few errors more", "none", "a cell slower", "quicker"],
)
def test_what_nobody_would_call_a_change_is_none(changed: dict[str, float]) -> None:
    assert not any(one.is_beyond for one in now(**changed).values())  # type: ignore[arg-type] # numbers all


def test_nothing_is_usual_in_the_first_windows() -> None:
    found = traffic_readings(Traffic(n_requests=0), DAY, before()[:3], alpha=ALPHA)
    assert [(one.of, one.is_beyond, one.p) for one in found] == [("requests", False, None)]


def test_days_that_differ_widely_leave_room() -> None:
    wild = before((50, 5000, 700, 90, 8000, 1500, 300), (0,) * 7)
    found = traffic_readings(Traffic(n_requests=20), DAY, wild, alpha=ALPHA)
    assert not any(one.is_beyond for one in found)


def test_times_and_failures_come_from_the_cells() -> None:
    rows = table(np.random.default_rng(0), 100)
    found = traffic_of(sketch(layout(rows), rows, ms=8.0, failed=3))
    assert (found.n_requests, found.n_failed, found.failures) == (103, 3, {500: 3})
    assert found.p50_ms is not None
    assert found.p50_ms == found.p95_ms == pytest.approx(10.0, abs=2.1)
    assert traffic_of(None) == Traffic()
