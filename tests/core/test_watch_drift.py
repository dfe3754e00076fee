"""Which columns of a window count towards an alarm, and what is said of each."""

from collections.abc import Callable

import numpy as np
import pytest
from msgspec.structs import replace

from headway.core.reference import Axis, Layout
from headway.core.watch_detail import Moved
from headway.core.watch_drift import Ground, Levels, ground, moves, readings, tried
from monitored import Column, Counts, blocks, counted, layout, reference, table

LEVELS = Levels(inputs=1e-4, outputs=1e-4, least=0.05)
N = 2000


def made(rng: np.random.Generator, n: int = 10_000) -> Ground:
    rows = table(rng, n)
    on = layout(rows)
    return ground(reference(on, rows), counted(on, rows), blocks(on, rows))


@pytest.fixture(scope="module")
def usual() -> Ground:
    return made(np.random.default_rng(7))


def window(on: Ground, rows: dict[str, Column]) -> Counts:
    return counted(Layout(version=1, inputs=on.axes[:2], outputs=on.axes[2:]), rows)


def found(on: Ground, rows: dict[str, Column]) -> dict[str, Moved]:
    return {one.of: one for one in moves(on, window(on, rows), LEVELS)}


def test_a_window_like_the_reference_shows_nothing(usual: Ground) -> None:
    told = found(usual, table(np.random.default_rng(1), N))
    assert list(told) == ["age", "plan", "prediction", "probability.1"]
    assert [one.side for one in told.values()] == ["input", "input", "output", "output"]
    assert not any(one.beyond for one in told.values())
    assert all(told[name].psi <= told[name].psi_usual for name in ("age", "probability.1"))


def test_a_number_that_moved_takes_the_answers_with_it(usual: Ground) -> None:
    told = found(usual, table(np.random.default_rng(2), N, age=0.5))
    assert {name: one.beyond for name, one in told.items()} == {
        "age": ("values",),
        "plan": (),
        "prediction": ("values",),
        "probability.1": ("values",),
    }
    assert told["age"].share > 0.1
    assert told["age"].where.startswith("up to ")
    assert told["age"].after < told["age"].before


def test_a_category_that_moved(usual: Ground) -> None:
    told = found(usual, table(np.random.default_rng(3), N, plus=0.45))
    assert told["plan"].beyond == ("values",)
    assert told["plan"].share == pytest.approx(0.15, abs=0.05)
    assert told["prediction"].beyond == ()


def _with(name: str, change: Callable[[int, object], object]) -> dict[str, Column]:
    rows = table(np.random.default_rng(4), N)
    rows[name] = [change(i, value) for i, value in enumerate(rows[name])]
    return rows


def test_missing_values_count_by_themselves(usual: Ground) -> None:
    told = found(usual, _with("age", lambda i, value: None if i % 20 == 0 else value))
    assert (told["age"].beyond, told["age"].missing, told["age"].missing_was) == (("missing",), 0.05, 0.0)
    reading = readings(list(told.values()))[0]
    assert (reading.of, reading.measure, reading.about, reading.value) == ("age", "missing", "schema", 0.05)


def test_values_of_another_type_count_by_themselves(usual: Ground) -> None:
    told = found(usual, _with("age", lambda i, value: str(value) if i % 10 == 0 else value))
    assert (told["age"].beyond, told["age"].unknown) == (("unknown",), 0.1)


def test_a_new_category_is_told_once(usual: Ground) -> None:
    told = found(usual, _with("plan", lambda i, value: "trial" if i % 10 == 0 else value))
    assert (told["plan"].beyond, told["plan"].unknown) == (("unknown",), 0.1)


def test_little_is_no_alarm_however_sure_it_is(usual: Ground) -> None:
    rows = table(np.random.default_rng(5), 50_000, age=0.08)
    told = found(usual, rows)
    assert told["age"].p < 1e-6
    assert told["age"].beyond == ()


def test_few_rows_are_no_alarm_however_much_they_differ(usual: Ground) -> None:
    assert found(usual, table(np.random.default_rng(6), 12, age=1.0))["age"].beyond == ()


def test_a_window_without_rows_shows_nothing(usual: Ground) -> None:
    assert moves(usual, np.zeros((4, 64), dtype=np.int64), LEVELS) == ()


def test_a_number_that_stands_there_often_is_told_as_itself() -> None:
    rng = np.random.default_rng(13)
    rows = table(rng, 4000)
    rows["age"] = np.where(rng.random(4000) < 0.5, 0.0, 1.0).tolist()
    often = Axis(name="age", kind="number", edges=(-5e-324, 0.0, float(np.nextafter(1.0, 0.0)), 1.0))
    on = replace(layout(rows), inputs=(often, *layout(rows).inputs[1:]))
    there = ground(reference(on, rows), counted(on, rows), blocks(on, rows))
    now = {**table(rng, N), "age": [0.0] * 1800 + [1.0] * 200}
    told = {one.of: one for one in moves(there, counted(on, now), LEVELS)}["age"]
    assert told.where in ("up to 0", "0", "1")
    assert told.beyond == ("values",)


def test_the_weeks_before_are_compared_with_as_well(usual: Ground) -> None:
    rng = np.random.default_rng(8)
    drifted, weeks = window(usual, table(rng, N, age=0.5)), window(usual, table(rng, 5 * N, age=0.5))
    told = {one.of: one for one in moves(usual, drifted, LEVELS, weeks)}
    assert told["age"].psi > 0.1
    assert told["age"].since_weeks is not None
    assert told["age"].since_weeks < 0.03


def test_outputs_may_be_compared_with_a_first_window_instead() -> None:
    rng = np.random.default_rng(9)
    rows = table(rng, 10_000)
    on = layout(rows)
    # Of the rows that it learned from, a model is surer than of others.
    chances = np.array(rows["probability.1"], dtype=float)
    sure: dict[str, Column] = {**rows, "probability.1": np.where(chances > 0.5, 0.9, 0.1).tolist()}
    learned = reference(on, sure)
    first = counted(on, table(rng, 5000))
    plain = ground(learned, counted(on, sure), blocks(on, sure))
    lent = plain.with_outputs(first)
    now = counted(on, table(rng, N))
    assert [one.beyond for one in moves(plain, now, LEVELS) if one.of == "probability.1"] == [("values",)]
    assert [one.beyond for one in moves(lent, now, LEVELS) if one.of == "probability.1"] == [()]
    assert [one.beyond for one in moves(plain.with_outputs(None), now, LEVELS)] == [()] * 4


def test_readings_lead_with_what_counts_and_always_have_the_outputs(usual: Ground) -> None:
    still = readings(moves(usual, window(usual, table(np.random.default_rng(1), N)), LEVELS))
    assert {one.of for one in still} == {"age", "plan", "prediction", "probability.1"}
    moved = readings(moves(usual, window(usual, table(np.random.default_rng(2), N, age=0.5)), LEVELS))
    assert [one.is_beyond for one in moved] == [True, True, True, False]
    assert moved[0].usual_high is not None
    assert moved[0].value > 5 * moved[0].usual_high


def test_the_rule_is_tried_on_the_reference_itself(usual: Ground) -> None:
    levels = Levels(inputs=0.01, outputs=0.01, least=0.0)
    told = tried(usual, levels, n_rows=500)
    assert told is not None
    assert told.n_windows > 20
    assert told.allowed == pytest.approx(told.n_windows * 0.02)
    assert told.n_alarms <= 3


def test_a_reference_that_does_not_stay_as_it_is_alarms_about_itself() -> None:
    rng = np.random.default_rng(11)
    parts = [table(rng, 2500, age=age) for age in (0.0, 0.0, 0.0, 2.0)]
    rows = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    on = layout(rows)
    there = ground(reference(on, rows), counted(on, rows), np.empty((0, 4, 64), dtype=np.int64))
    # As if its rows were independent: nothing is said of blocks.
    alike = Ground(axes=there.axes, against=there.against, n_inputs=2, blocks=blocks(on, rows))
    told = tried(alike, LEVELS, n_rows=500)
    assert told is not None
    assert told.n_alarms > 10 * max(told.allowed, 1)


def test_a_reference_without_blocks_cannot_be_tried() -> None:
    rows = table(np.random.default_rng(12), 300)
    on = layout(rows)
    there = ground(reference(on, rows), counted(on, rows), np.empty((0, 4, 64), dtype=np.int64))
    assert tried(there, LEVELS, n_rows=100) is None
