"""Monitors in letters: alarms first, charts that fit, words that tell all."""

import numpy as np
import pytest
from msgspec.structs import replace

from headway.codec.monitor_svg import drawn
from headway.core import facts as f
from headway.core.ids import Digest
from headway.core.watch import Watch
from headway.core.watch_detail import Detail, Measured, Moved, Proven, SliceMeasured
from headway.core.watch_view import MonitorView, Newest, Point, view_of
from headway.terminal.monitors import listed, spark, status
from headway.terminal.paint import Paint
from headway.terminal.width import cells
from monitored import DAY_S, START

PLAIN, SIGNS = Paint(colours=False, unicode=False), Paint(colours=False, unicode=True)
BEGAN = f.MonitorBegan(
    monitor="live",
    endpoint="churn",
    model="churn",
    version=13,
    reference=Digest("r"),
    layout="l",
    window="1 day",
    false_alarms_per_year=2.0,
    metric="accuracy",
    promised=0.84,
    promised_by="gate",
    back_test=f.BackTest(n_windows=56, n_alarms=0, allowed=0.31),
)
DETAIL = Detail(
    moved=(
        Moved(of="age", side="input", psi=0.3, psi_usual=0.02, share=0.2, p=1e-9, where="up to 40", before=0.5,
              after=0.3, beyond=("values",)),
        Moved(of="plan", side="input", psi=0.01, psi_usual=0.02, share=0.0, p=0.5),
    ),
    causes=(f.Cause(of="age", moved=0.3, explains=0.6),),
    notes=("a note",),
)  # fmt: skip
PROVEN = Proven(
    slices=(
        SliceMeasured(column="region", value="north", measured=Measured(metric="accuracy", value=0.9, n_rows=100)),
        SliceMeasured(
            column="region",
            value="south",
            measured=Measured(metric="accuracy", value=0.7, low=0.6, high=0.8, n_rows=50),
        ),
    )
)


def watch(n: int = 20, *, alarm: bool = True, usual_high: float | None = None) -> Watch:
    found = Watch()
    found.after(BEGAN, START)
    rng = np.random.default_rng(1)
    for i in range(n):
        psi = 0.01 if i < n - 2 else 0.3
        readings = (
            f.Reading(
                of="requests",
                measure="an hour",
                value=40 + float(rng.normal()),
                about="traffic",
                was=40.0,
                usual_low=0.0,
                usual_high=usual_high,
            ),
            f.Reading(of="age", measure="psi", value=psi, usual_high=0.02, is_beyond=psi > 0.1),
            f.Reading(of="prediction", measure="psi", value=0.01, usual_high=0.02),
            f.Reading(
                of="quality", measure="accuracy", value=0.81, low=0.79, high=0.83, was=0.84, about="estimate"
            ),
        )  # fmt: skip
        window = f.WindowClosed(
            monitor="live",
            number=i + 1,
            version=13,
            since=START + i * DAY_S,
            until=START + (i + 1) * DAY_S,
            n_requests=1000,
            n_rows=1000,
            readings=readings,
        )
        found.after(window, START + (i + 1) * DAY_S)
    if alarm:
        raised = f.AlarmRaised(
            monitor="live",
            alarm=1,
            about="drift",
            says="look",
            since_window=n - 1,
            window=n - 1,
            why="Age moved (PSI 0.3, usually up to 0.02) since 2025-12-19.\nThis monitor raises at most 2.",
            causes=(f.Cause(of="age", moved=0.3, words="age moved (PSI 0.3)"),),
            endpoint="churn",
        )
        found.after(raised, START + n * DAY_S)
    return found


def view(*, alarm: bool = True, n: int = 20, most: int = 30) -> MonitorView:
    return view_of(
        "live", watch(n, alarm=alarm), Newest(detail=DETAIL, proven=PROVEN), now=START + (n + 0.5) * DAY_S, most=most
    )


def told(shown: MonitorView, columns: int = 100, paint: Paint = SIGNS) -> list[str]:
    return [plain for plain, _ in status(shown, columns=columns, paint=paint)]


def test_an_alarm_leads_and_everything_is_told() -> None:
    lines = told(view())
    assert lines[0].startswith("live: churn@13 on churn, by windows of 1 day; 20 judged, the last one ended 2025-12-21")
    assert lines[1] == "  ALARM 2025-12-21: Age moved (PSI 0.3, usually up to 0.02) since 2025-12-19."
    assert lines[2:5] == ["    age moved (PSI 0.3)", "    This monitor raises at most 2.", "    look at what changed"]
    names = [line[2:23].rstrip() for line in lines[5:9]]
    assert names == ["requests an hour", "the predictions, PSI", "age, PSI", "estimated accuracy"]
    assert lines[8].endswith("81.0 (79.0 to 83.0), was 84.0")
    assert lines[9] == "  worst of its slices is region=south: accuracy 0.7 (0.6 to 0.8), 50 rows"
    assert "0 of 56 windows, 0.31 may be" in " ".join(lines[10:])
    assert lines[-1] == "  a note"


@pytest.mark.parametrize(("usual_high", "is_told"), [(900.0, True), (2.9e27, False)])
def test_what_is_usual_is_told_where_it_is_known(usual_high: float, is_told: bool) -> None:
    shown = view_of("live", watch(usual_high=usual_high), Newest(), now=START + 20.5 * DAY_S, most=30)
    (line,) = [line for line in told(shown) if line.startswith("  requests an hour")]
    assert line.endswith(", usually 0 to 900") == is_told
    assert ("usually" in line) == is_told
    requests = shown.series[0]
    assert requests.points[-1].usual_high == (usual_high if is_told else None)


@pytest.mark.parametrize(("weeks", "said"), [(0.25, "which is new"), (0.01, "so it has been for a while")])
def test_it_is_said_whether_the_weeks_before_were_like_that(weeks: float, said: str) -> None:
    moved = replace(DETAIL.moved[0], since_weeks=weeks)
    lines = told(replace(view(), detail=replace(DETAIL, moved=(moved,))))
    assert f"  beside the four weeks before it age moved by a PSI of {weeks:.2g}, {said}" in lines


def test_without_an_alarm_that_is_said_and_causes_are_told_all_the_same() -> None:
    lines = told(view(alarm=False))
    assert "  no alarm is open" in lines
    assert "it explains 60 % of the estimated loss" in " ".join(line.strip() for line in lines)


@pytest.mark.parametrize("says", ["retrain", "roll back"])
def test_an_alarm_says_what_to_type(says: str) -> None:
    shown = view()
    raised = replace(shown.open[0].raised, says=says)
    lines = told(replace(shown, open=(replace(shown.open[0], raised=raised),)))
    assert {"    retrain: headway run", "    roll back: headway rollback churn"} & set(lines) == {
        f"    {says}: headway {'run' if says == 'retrain' else 'rollback churn'}"
    }


@pytest.mark.parametrize("columns", [40, 60, 100, 200])
@pytest.mark.parametrize("paint", [PLAIN, SIGNS], ids=["ascii", "unicode"])
def test_it_fits_the_screen(columns: int, paint: Paint) -> None:
    lines = told(view(n=200, most=200), columns, paint)
    assert max(map(cells, lines)) <= columns
    if paint is PLAIN:
        assert "".join(lines).isascii()


def test_before_it_watched_anything() -> None:
    shown = MonitorView(monitor="live", at=START)
    assert told(shown) == ["live: it did not watch anything yet; headway monitor live --look"]
    assert "nothing was watched yet" in drawn(shown)


def test_a_chart_shows_heights_gaps_and_what_hardly_changes() -> None:
    points = [Point(value=value) for value in (0.0, 5.0, None, 10.0)]
    assert spark(points, SIGNS) == "▁▅ █"
    assert spark([Point(value=100.0), Point(value=100.5)], SIGNS) == "▄▄"
    assert spark([Point(), Point()], PLAIN) == "  "


def test_all_monitors_a_line_each() -> None:
    lines = listed([view(), MonitorView(monitor="other", at=START)])
    assert lines[1].split("  ")[0] == "live"
    assert "drift: look" in lines[1]
    assert "not yet" in lines[2]


def test_the_picture_tells_in_words_what_it_shows() -> None:
    svg = drawn(view())
    assert svg.count("<circle") == 2
    assert "ALARM 2025-12-21: Age moved" in svg
    assert "estimated accuracy: 81.0 (79.0 to 83.0), was 84.0." in svg
    assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_names_in_a_picture_are_text() -> None:
    shown = view()
    series = replace(shown.series[0], name="<script>alert(1)</script>")
    assert "<script>" not in drawn(replace(shown, series=(series,)))


def test_worst_of_slices_is_the_highest_where_less_is_better() -> None:
    slices = tuple(
        SliceMeasured(column="region", value=value, measured=Measured(metric="mae", value=mae, n_rows=50))
        for value, mae in (("north", 1.0), ("south", 3.0))
    )
    lines = status(
        view_of("live", watch(), Newest(proven=Proven(slices=slices)), now=START, most=9), columns=120, paint=SIGNS
    )
    assert "  worst of its slices is region=south: mae 3, 50 rows" in [plain for plain, _ in lines]
