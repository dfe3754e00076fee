"""Requests that wait together are predicted together; nobody waits for others to come.

There is no time window. A request that finds the model free is computed in this turn of the event loop, with whatever
else arrived in the same turn; while a slow model computes, the next batch gathers. So one client alone pays nothing,
and many together share what a call of the model costs.

A quick model (under a millisecond a call) is asked on the event loop itself, since a thread costs more than it; a slow
one in a thread, so that health stays answerable. Requests go together only if the model cannot tell: rows of the same
columns with values of the same sorts, arrays of the same kinds. When a batch fails its requests are asked one by one:
only who is wrong is told.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from headway.core.prediction import LoadedModel, Prediction, TakesArrays
from headway.serving.limits import Limits
from headway.serving.pace import Pace
from headway.serving.protocol import Refusal, Row, is_of_floats
from headway.serving.trace import Spans

if TYPE_CHECKING:
    from headway.serving.v2_tensors import Array

MAX_ROWS = 512
"""Rows of a batch; a request with more goes alone. More in one call gain nothing and make the first one wait."""

MAX_QUICK_ROWS = 256
"""Larger batches always go to the thread: what they take is not what small ones took."""

_SORTS: dict[type, str] = {bool: "b", int: "n", float: "n", str: "s", type(None): "0"}

Outcome = Prediction | Refusal | BaseException


Tell = Callable[[Outcome], None]


class Ask:
    """What one request asks, and who is told. `key` is equal for requests that may go together.

    `tell` is None once it was called, or when nobody waits any more.
    """

    __slots__ = ("key", "n_rows", "since", "span", "table", "tell")

    def __init__(self, table: "Sequence[Row] | dict[str, Array]", n_rows: int, tell: Tell, since: float) -> None:
        self.table = table
        self.n_rows = n_rows
        self.key: Hashable = None
        self.tell: Tell | None = tell
        self.since = since
        self.span: object = None


class Counts(Struct, kw_only=True):
    """What the batcher did, for `/metrics`."""

    n_batches: int = 0
    n_rows: int = 0
    model_s: float = 0.0
    n_full: int = 0
    n_late: int = 0


class Batcher:
    """The one place that calls the model. Lives on the event loop; `shares`: whether requests may go together."""

    __slots__ = (
        "_busy_since", "_by_arrays", "_is_due", "_model", "_n_rows_waiting", "_pace", "_pool", "_running", "_shares",
        "_waiting", "_watch", "counts", "limits", "note_batch", "spans", "takes_arrays",
    )  # fmt: skip

    def __init__(self, model: LoadedModel, limits: Limits, *, shares: bool = True) -> None:
        self._model = model
        self.limits = limits
        self._shares = shares
        # Asked once: what a protocol has is looked up anew each time, which costs as much as a small model.
        self._by_arrays = model.predict_arrays if isinstance(model, TakesArrays) else None
        self.takes_arrays = self._by_arrays is not None
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
        self._waiting: deque[Ask] = deque()
        self._n_rows_waiting = 0
        self._running: list[Ask] = []
        self._is_due = False
        self._busy_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._pace = Pace()
        self.counts = Counts()
        self.note_batch: Callable[[int], None] | None = None
        self.spans: Spans | None = None

    @property
    def n_waiting(self) -> int:
        """Requests that have not begun."""
        return len(self._waiting)

    def is_stuck(self, now: float) -> bool:
        """Whether the model has been computing for longer than a request may take."""
        return self._busy_since is not None and now - self._busy_since > self.limits.answer_s

    async def ask(self, table: "Sequence[Row] | dict[str, Array]") -> Outcome:
        """The model's answer, a refusal, or what the model raised. Arrays only if it `takes_arrays`."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        ask = self.put(table, partial(_settle, answer))
        if isinstance(ask, Refusal):
            return ask
        try:
            return await answer
        finally:
            # When the one who waited was cancelled, nothing is computed for it.
            ask.tell = None

    def put(self, table: "Sequence[Row] | dict[str, Array]", tell: Tell) -> Ask | Refusal:
        """Ask without waiting: `tell` is called with what `ask` gives, once, in a later turn of the loop.

        A refusal is given at once, and `tell` is not called then. `tell` must not raise.
        """
        n_waiting = len(self._waiting)
        n_own = len(next(iter(table.values()))) if isinstance(table, dict) else len(table)
        n_rows = self._n_rows_waiting + n_own
        if n_waiting and (n_waiting >= self.limits.max_waiting or n_rows > self.limits.max_waiting_rows):
            self.counts.n_full += 1
            return Refusal(status=503, error=f"{n_waiting} requests wait for the model already; try again soon")
        self._n_rows_waiting = n_rows
        loop = asyncio.get_running_loop()
        ask = Ask(table, n_own, tell, loop.time())
        if self._shares:
            ask.key = _key_of_arrays(table) if isinstance(table, dict) else _key(table)
        if self.spans is not None:
            ask.span = self.spans.asked(n_own)
        self._waiting.append(ask)
        if self._busy_since is not None:
            # All others may have been told already: then nobody watches any more.
            if self._watch is None:
                self._watch = loop.call_later(self.limits.answer_s, self._expire)
        elif not self._is_due:
            self._is_due = True
            loop.call_soon(self._turn)
        return ask

    def _turn(self) -> None:
        self._is_due = False
        batch = self._taken()
        if not batch:
            return
        loop = asyncio.get_running_loop()
        n_rows = sum(ask.n_rows for ask in batch)
        if self._pace.is_quick and n_rows <= MAX_QUICK_ROWS:
            outcomes, wall_s = self._computed(batch)
            self._pace.on_loop(wall_s)
            self._given(batch, outcomes, wall_s)
            self._go_on(loop)
            return
        self._running = batch
        self._busy_since = loop.time()
        if self._watch is None:
            self._watch = loop.call_later(self.limits.answer_s, self._expire)
        done = loop.run_in_executor(self._pool, self._computed_apart, batch)
        done.add_done_callback(self._finished)

    def _finished(self, done: "asyncio.Future[tuple[list[Outcome], float, float]]") -> None:
        batch, self._running, self._busy_since = self._running, [], None
        outcomes, wall_s, cpu_s = done.result()
        if sum(ask.n_rows for ask in batch) <= MAX_QUICK_ROWS:
            self._pace.in_thread(cpu_s)
        self._given(batch, outcomes, wall_s)
        self._go_on(asyncio.get_running_loop())

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting:
            self._is_due = True
            loop.call_soon(self._turn)

    def _taken(self) -> list[Ask]:
        """The requests of the next batch: the one that waited longest, and those that may go with it."""
        waiting = self._waiting
        batch: list[Ask] = []
        others: list[Ask] = []
        n_rows = 0
        while waiting and n_rows < MAX_ROWS:
            ask = waiting.popleft()
            if ask.tell is None:
                # It waited too long, and was told so.
                self._n_rows_waiting -= ask.n_rows
            elif not batch or (ask.key == batch[0].key and ask.key is not None):
                batch.append(ask)
                n_rows += ask.n_rows
                if ask.key is None:
                    break
            else:
                others.append(ask)
        waiting.extendleft(reversed(others))
        self._n_rows_waiting -= n_rows
        return batch

    def _computed(self, batch: list[Ask]) -> tuple[list[Outcome], float]:
        """The outcome of each, and what it took by the wall clock."""
        began = time.perf_counter()
        outcomes = self._asked(batch)
        return outcomes, time.perf_counter() - began

    def _computed_apart(self, batch: list[Ask]) -> tuple[list[Outcome], float, float]:
        """The same in the thread, and what it took of that one's processor."""
        spent = time.thread_time()
        outcomes, wall_s = self._computed(batch)
        return outcomes, wall_s, time.thread_time() - spent

    def _asked(self, batch: list[Ask]) -> list[Outcome]:
        n_rows = sum(ask.n_rows for ask in batch)
        try:
            whole = self._predicted([ask.table for ask in batch])
            if len(whole.labels) != n_rows:
                raise ValueError(f"{len(whole.labels)} answers to {n_rows} rows")  # noqa: TRY301 (told as any other)
        except (Exception, SystemExit) as e:  # noqa: BLE001 (a model's code may raise anything; the server goes on)
            if len(batch) == 1:
                return [e]
            return [outcome for ask in batch for outcome in self._asked([ask])]
        return [whole] if len(batch) == 1 else _parts(whole, batch)

    def _predicted(self, tables: "list[Sequence[Row] | dict[str, Array]]") -> Prediction:
        """The model's answer to tables of one form, put together."""
        first = tables[0]
        if not isinstance(first, dict):
            rows = first if len(tables) == 1 else [row for table in tables for row in table]
            return self._model.predict(rows)  # type: ignore[arg-type] # rows have a key of their own: none is a dict
        assert self._by_arrays is not None
        if len(tables) == 1:
            return self._by_arrays(first)
        import numpy as np

        arrays = {name: np.concatenate([table[name] for table in tables]) for name in first}  # type: ignore[call-overload] # as above
        return self._by_arrays(arrays)

    def _given(self, batch: list[Ask], outcomes: list[Outcome], took_s: float) -> None:
        for ask, outcome in zip(batch, outcomes, strict=True):
            tell, ask.tell = ask.tell, None
            if tell is not None:
                tell(outcome)
        n_rows = sum(ask.n_rows for ask in batch)
        counts = self.counts
        counts.n_batches += 1
        counts.n_rows += n_rows
        counts.model_s += took_s
        if self.note_batch is not None:
            self.note_batch(n_rows)
        if self.spans is not None:
            for ask, outcome in zip(batch, outcomes, strict=True):
                is_failed = isinstance(outcome, BaseException)
                self.spans.computed(ask.span, n_rows, len(batch), took_s, failed=is_failed)

    def _expire(self) -> None:
        """Tell those that waited too long, and look again when the next one will have."""
        self._watch = None
        loop = asyncio.get_running_loop()
        oldest = loop.time() - self.limits.answer_s
        left = []
        for ask in (*self._running, *self._waiting):
            tell = ask.tell
            if tell is None:
                continue
            if ask.since <= oldest:
                self.counts.n_late += 1
                ask.tell = None
                tell(Refusal(status=504, error=f"the model gave no answer in {self.limits.answer_s:g} s"))
            else:
                left.append(ask.since)
        if left:
            self._watch = loop.call_at(min(left) + self.limits.answer_s, self._expire)


def _settle(answer: "asyncio.Future[Outcome]", outcome: Outcome) -> None:
    if not answer.done():
        answer.set_result(outcome)


def _key(rows: Sequence[Row]) -> Hashable:
    """Equal for rows whose columns are the same, in the same order, and hold the same sorts of values.

    None, which goes with nothing, for more than one row: looking at all of them costs more than it gains.
    """
    if len(rows) != 1:
        return None
    row = rows[0]
    if is_of_floats(row):
        return tuple(row), _SORTS[float] * len(row)
    sorts = _SORTS
    return tuple(row), "".join([sorts.get(kind, "?") for kind in map(type, row.values())])


def _key_of_arrays(arrays: "dict[str, Array]") -> Hashable:
    """Equal for arrays of the same names, kinds and widths."""
    # The letter of a kind, not the kind: NumPy makes up the hash of one anew each time.
    if len(arrays) == 1:
        [(name, array)] = arrays.items()
        return name, array.dtype.char, array.shape[1:]
    return tuple([(name, array.dtype.char, array.shape[1:]) for name, array in arrays.items()])


def _parts(whole: Prediction, batch: list[Ask]) -> list[Outcome]:
    labels, chances, classes = whole.labels, whole.probabilities, whole.classes
    parts: list[Outcome] = []
    begin = 0
    for ask in batch:
        end = begin + ask.n_rows
        own = None if chances is None else chances[begin:end]
        parts.append(Prediction(labels=labels[begin:end], probabilities=own, classes=classes))
        begin = end
    return parts
