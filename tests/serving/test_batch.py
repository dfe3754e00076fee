"""Requests that wait together go together, nobody waits for others, and one who is wrong is alone with it."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.signature import Field, Signature
from headway.serving.batch import Batcher, Outcome
from headway.serving.limits import Limits
from headway.serving.protocol import Refusal, Row
from served import Made, OfArrays

Rows = Sequence[Mapping[str, Any]]


class Watched:
    """A doubler that notes how many rows it was asked for each time; it may wait for `gate`, and fails on `bad`."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def model(self) -> Made:
        return Made(self.answer, Signature(inputs=(Field(name="x"),)))

    def answer(self, rows: Rows) -> Prediction:
        self.asked.append(len(rows))
        self.gate.wait(30)
        if any(row["x"] == "bad" for row in rows):
            raise ValueError("bad")
        labels = np.array([row["x"] * 2 for row in rows])
        return Prediction(labels=labels, probabilities=np.column_stack([labels, labels]), classes=("a", "b"))


def run(watched: Watched, work: Callable[[Batcher], Any], *, limits: Limits | None = None, shares: bool = True) -> Any:
    async def main() -> Any:
        return await work(Batcher(watched.model(), limits or Limits(), shares=shares))

    return asyncio.run(main())


async def together(batcher: Batcher, *requests: list[Row]) -> list[Outcome]:
    return list(await asyncio.gather(*(batcher.ask(rows) for rows in requests)))


def labels(outcomes: Sequence[Outcome]) -> list[Any]:
    return [o.labels.tolist() if isinstance(o, Prediction) else type(o).__name__ for o in outcomes]


def test_what_arrives_in_one_turn_is_one_call_and_each_gets_its_own() -> None:
    watched = Watched()
    found = run(watched, lambda b: together(b, *([{"x": n}] for n in range(50))))
    assert labels(found) == [[2 * n] for n in range(50)]
    assert [p.probabilities.tolist() for p in found][7] == [[14, 14]]
    assert watched.asked == [50]


def test_one_client_is_never_kept_waiting() -> None:
    """Without other requests, an answer takes what the model takes: the loop turns a few times and no timer is set."""
    watched = Watched()

    async def work(batcher: Batcher) -> float:
        loop = asyncio.get_running_loop()
        for _ in range(100):
            await batcher.ask([{"x": 1}])
        began = loop.time()
        for _ in range(100):
            await batcher.ask([{"x": 1}])
        return (loop.time() - began) / 100

    # 30 us; a window of a millisecond would show. Generous, as the machine does other things.
    assert run(watched, work) < 0.001
    assert set(watched.asked) == {1}


def test_while_a_slow_model_computes_the_next_batch_gathers() -> None:
    watched = Watched()
    watched.gate.clear()

    async def work(batcher: Batcher) -> list[Outcome]:
        first = asyncio.create_task(batcher.ask([{"x": 1}]))
        while not watched.asked:  # noqa: ASYNC110 (a thread sets it)
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batcher.ask([{"x": n}])) for n in range(20)]
        await asyncio.sleep(0.01)
        assert batcher.n_waiting == 20
        watched.gate.set()
        return [await first, *(await asyncio.gather(*others))]

    assert labels(run(watched, work)) == [[2], *([2 * n] for n in range(20))]
    assert watched.asked == [1, 20]


def test_only_who_is_wrong_is_told_so() -> None:
    watched = Watched()
    found = run(watched, lambda b: together(b, [{"x": 1}], [{"x": "bad"}], [{"x": 2.5}], [{"x": "ok"}]))
    assert labels(found) == [[2], "ValueError", [5.0], ["okok"]]


def test_rows_that_a_model_could_tell_apart_stay_apart() -> None:
    watched = Watched()
    found = run(watched, lambda b: together(b, [{"x": 1}], [{"x": "a"}], [{"x": 2.5}], [{"y": 0, "x": 1}]))
    assert labels(found) == [[2], ["aa"], [5.0], [2]]
    # Whole and other numbers are one sort; a text is another; other columns too.
    assert sorted(watched.asked) == [1, 1, 2]


def test_requests_of_many_rows_and_models_that_look_at_all_rows_stay_alone() -> None:
    watched = Watched()
    found = run(watched, lambda b: together(b, [{"x": 1}, {"x": 2}], [{"x": 3}, {"x": 4}]))
    assert (labels(found), watched.asked) == ([[2, 4], [6, 8]], [2, 2])
    watched = Watched()
    run(watched, lambda b: together(b, [{"x": 1}], [{"x": 2}]), shares=False)
    assert watched.asked == [1, 1]


def test_a_quick_model_moves_to_the_loop_and_a_slow_one_back_to_the_thread() -> None:
    watched = Watched()
    threads = set()
    before = watched.answer

    def answer(rows: Rows) -> Prediction:
        threads.add(threading.current_thread() is threading.main_thread())
        return before(rows)

    async def work(batcher: Batcher) -> None:
        batcher._model = Made(answer, Signature())
        for _ in range(100):
            await batcher.ask([{"x": 1}])

    run(watched, work)
    assert threads == {False, True}


def test_when_too_many_wait_the_next_are_told_to_come_back() -> None:
    watched = Watched()
    limits = Limits(max_waiting=3, max_waiting_rows=100)
    found = run(watched, lambda b: together(b, *([{"x": n}] for n in range(5))), limits=limits)
    assert labels(found) == [[0], [2], [4], "Refusal", "Refusal"]
    assert found[4].status == 503
    many: list[Row] = [{"x": 1}] * 60
    assert labels(run(watched, lambda b: together(b, many, many), limits=limits))[1] == "Refusal"
    # One who asks alone may ask for more.
    assert len(run(watched, lambda b: together(b, many * 3), limits=limits)[0].labels) == 180


def test_who_waits_too_long_is_told_and_not_computed_any_more() -> None:
    watched = Watched()
    watched.gate.clear()

    async def work(batcher: Batcher) -> list[Outcome]:
        first = asyncio.create_task(batcher.ask([{"x": 1}]))
        while not watched.asked:  # noqa: ASYNC110 (a thread sets it)
            await asyncio.sleep(0.001)
        found = [*(await together(batcher, [{"x": 2}])), await first]
        assert batcher.is_stuck(asyncio.get_running_loop().time())
        watched.gate.set()
        return [*found, *(await together(batcher, [{"x": 3}]))]

    found = run(watched, work, limits=Limits(answer_s=0.05))
    assert labels(found) == ["Refusal", "Refusal", [6]]
    assert isinstance(found[0], Refusal)
    assert (found[0].status, found[0].error) == (504, "the model gave no answer in 0.05 s")
    assert watched.asked == [1, 1]


def test_who_asks_a_model_that_hangs_is_told_as_well() -> None:
    watched = Watched()
    watched.gate.clear()

    async def work(batcher: Batcher) -> list[Outcome]:
        first = await batcher.ask([{"x": 1}])
        # Nobody waits now, and the model still computes.
        second = await asyncio.wait_for(batcher.ask([{"x": 2}]), 20)
        watched.gate.set()
        return [first, second]

    found = run(watched, work, limits=Limits(answer_s=0.05))
    assert labels(found) == ["Refusal", "Refusal"]
    assert watched.asked == [1]


def test_arrays_of_one_kind_go_together_and_each_gets_its_own() -> None:
    model = OfArrays(lambda rows: Prediction(labels=np.zeros(len(rows))), Signature())
    sizes: list[int] = []

    async def main() -> list[Outcome]:
        batcher = Batcher(model, Limits())
        batcher.note_batch = sizes.append
        asked = [{"x": np.arange(n, n + 2.0)} for n in range(3)] + [{"x": np.array([7], dtype=np.int64)}]
        return list(await asyncio.gather(*(batcher.ask(arrays) for arrays in asked)))

    assert labels(asyncio.run(main())) == [[0, 1], [1, 2], [2, 3], [7]]
    assert sizes == [6, 1]


@pytest.mark.parametrize("error", [SystemExit(3), MemoryError(), KeyError("k")])
def test_whatever_a_model_raises_is_an_outcome(error: BaseException) -> None:
    def answer(rows: Rows) -> Prediction:
        raise error

    async def main() -> Outcome:
        return await Batcher(Made(answer, Signature()), Limits()).ask([{"x": 1}])

    assert asyncio.run(main()) is error


def test_a_model_that_answers_for_too_few_rows_mixes_up_nobody() -> None:
    model = Made(lambda rows: Prediction(labels=np.zeros(max(1, len(rows) - 1))), Signature())

    async def main() -> list[Outcome]:
        return await together(Batcher(model, Limits()), [{"x": 1}], [{"x": 2}], [{"x": 3}, {"x": 4}])

    assert labels(asyncio.run(main())) == [[0.0], [0.0], "ValueError"]
