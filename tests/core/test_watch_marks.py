"""What is marked on a monitor's axis of time, and how far its columns moved."""

import pytest

from headway.core import facts as f
from headway.core.watch import Alarm
from headway.core.watch_detail import Detail, Moved
from headway.core.watch_marks import COLUMNS, MOST_MARKS, heat, marks


def window(number: int) -> f.WindowClosed:
    since = 1000.0 * number
    return f.WindowClosed(
        monitor="live", number=number, version=1, since=since, until=since + 1000, n_requests=1, n_rows=1
    )


def alarm(at: float) -> Alarm:
    raised = f.AlarmRaised(monitor="live", alarm=1, about="drift", says="look", since_window=1, why="moved\nmore")
    return Alarm(raised=raised, at=at)


def release(number: int, outcome: str, at: float) -> list[f.Entry]:
    started = f.ReleaseStarted(endpoint="e", release=number, model="m", version=number, key=str(number))
    ended = f.ReleaseFinished(release=number, outcome=outcome, why="slow")  # type: ignore[arg-type] # one of four
    return [f.Entry(seq=1, stream="endpoint/e", n=1, at=at, fact=fact) for fact in (started, ended)]


WINDOWS = [window(n) for n in (1, 2, 3)]


def test_releases_and_alarms_stand_at_the_window_that_had_begun() -> None:
    found = marks(WINDOWS, [alarm(3900.0)], release(2, "rolled-back", 2500.0))
    assert [(one.kind, one.place, one.words, one.why) for one in found] == [
        ("release", 1, "m@2 rolled back", "slow"),
        ("alarm", 2, "drift: look", "moved"),
    ]


def test_what_was_before_the_first_window_is_not_marked_and_what_came_after_the_last_stands_at_it() -> None:
    found = marks(WINDOWS, [alarm(999.0), alarm(9000.0)], [])
    assert [one.place for one in found] == [2]
    assert marks([], [alarm(1.0)], []) == ()


def test_of_many_the_newest_are_marked() -> None:
    found = marks(WINDOWS, [alarm(1000.0 + i) for i in range(MOST_MARKS + 5)], [])
    assert [one.at for one in found] == [1005.0 + i for i in range(MOST_MARKS)]


def moved(of: str, psi: float, usual: float = 0.1) -> Moved:
    beyond = ("reference",) if psi > usual else ()
    return Moved(of=of, side="in", psi=psi, psi_usual=usual, share=0.0, p=1.0, beyond=beyond)  # type: ignore[arg-type] # a literal


@pytest.mark.parametrize(("psi", "level"), [(0.04, 0), (0.05, 1), (0.1, 2), (0.25, 3), (0.4, 4), (9.0, 4)])
def test_a_cell_is_as_dark_as_the_column_moved_beside_what_is_usual_for_it(psi: float, level: int) -> None:
    found = heat(WINDOWS[:1], {1: Detail(moved=(moved("age", psi),))})
    assert [cell.level for row in found.rows for cell in row.cells if cell] == [level]


def test_columns_that_moved_furthest_stand_first_and_what_was_not_measured_is_no_cell() -> None:
    details = {
        1: Detail(moved=(moved("age", 0.1), moved("fare", 5.0, usual=10.0))),
        3: Detail(moved=(moved("age", 0.3),)),
    }
    found = heat(WINDOWS, details)
    assert [row.of for row in found.rows] == ["age", "fare"]
    assert [cell and cell.psi for cell in found.rows[0].cells] == [0.1, None, 0.3]
    assert found.rows[0].cells[2] is not None
    assert found.rows[0].cells[2].told.startswith("age, window 3 to 1970-01-01")


def test_of_a_thousand_columns_those_that_moved_furthest_are_mapped() -> None:
    found = heat(WINDOWS, {1: Detail(moved=tuple(moved(f"c{i}", i / 100) for i in range(1000)))})
    assert (len(found.rows), found.rows[0].of) == (COLUMNS, "c999")
