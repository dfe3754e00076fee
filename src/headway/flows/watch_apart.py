"""Monitors judged in a process of its own, which ends when it is done: what reckons takes 300 MB, and is seldom needed.

`Apart` starts it and hears what it says, `answer` is what it does: plans come on its standard input, a line for each
monitor goes out as soon as that was judged. Killed anywhere it has told nothing twice: what it did not come to is asked
for again. Neighbour: `watch_here` judges.
"""

import os
import select
import subprocess
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct

from headway.core.monitor_grammar import Plan
from headway.errors import HeadwayError, SystemRefused
from headway.flows.labels import Swept
from headway.flows.watch_news import Looked
from headway.flows.watch_run import Heard, Judge

_GRACE_S = 5.0
"""So long after it was asked to end the process is let, and then killed: nothing is lost by that."""

_BLOCK = 1 << 16


class Task(Struct, frozen=True, kw_only=True):
    """Which monitors are to look, and what time it is (UTC seconds)."""

    plans: tuple[Plan, ...]
    now: float


class _Said(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of the process: what came of one monitor; with a `problem` it could not look."""

    monitor: str
    looked: Looked | None = None
    swept: Swept | None = None
    problem: str = ""
    at: str = ""
    remedy: str = ""


class Apart:
    """Has monitors judged by `words`, a command that does `answer`. What it did is lost to memory with it."""

    __slots__ = ("_stop", "_words")

    def __init__(self, words: Sequence[str], *, stop: int) -> None:
        """`stop` is a descriptor that can be read from as soon as everything is to end."""
        self._words = tuple(words)
        self._stop = stop

    def __call__(self, plans: Sequence[Plan], now: float) -> Iterator[Heard]:
        """See `watch_run.Judge`. Where the process dies, the first monitor that it told nothing of is in trouble."""
        told: set[str] = set()
        with subprocess.Popen(self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                _ask(process, Task(plans=tuple(plans), now=now))
                for line in self._lines(process):
                    said = msgspec.json.decode(line, type=_Said)
                    told.add(said.monitor)
                    yield _heard(said)
            except BaseException:
                process.kill()
                raise
            is_stopped = self._is_stopped()
            code = _stopped(process) if is_stopped else process.wait()
        left = [plan.name for plan in plans if plan.name not in told]
        if left and code and not is_stopped:
            yield Heard(monitor=left[0], trouble=_died(code))

    def _lines(self, process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
        """What it says, line by line, until it ends or everything is to end."""
        assert process.stdout is not None
        out, rest = process.stdout.fileno(), b""
        while True:
            ready, _, _ = select.select([out, self._stop], [], [])
            if self._stop in ready:
                return
            block = os.read(out, _BLOCK)
            if not block:
                return
            *lines, rest = (rest + block).split(b"\n")
            yield from lines

    def _is_stopped(self) -> bool:
        return bool(select.select([self._stop], [], [], 0.0)[0])


def answer(task: bytes, judge: Judge, say: Callable[[bytes], object]) -> None:
    """Let the monitors of a task look; each is said as soon as it was judged. Raises what `say` raises."""
    asked = msgspec.json.decode(task, type=Task)
    for heard in judge(asked.plans, asked.now):
        e = heard.trouble
        told = {} if e is None else {"problem": e.problem, "at": e.at, "remedy": e.remedy}
        said = _Said(monitor=heard.monitor, looked=heard.looked, swept=heard.swept, **told)
        say(msgspec.json.encode(said) + b"\n")


def _ask(process: "subprocess.Popen[bytes]", task: Task) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(task))
        process.stdin.close()
    except BrokenPipeError:
        # It is gone already: that shows when it says nothing.
        return


def _heard(said: _Said) -> Heard:
    if not said.problem:
        return Heard(monitor=said.monitor, looked=said.looked, swept=said.swept)
    return Heard(monitor=said.monitor, trouble=HeadwayError(said.problem, at=said.at, remedy=said.remedy))


def _stopped(process: "subprocess.Popen[bytes]") -> int:
    """Ask it to end, and see to it."""
    process.terminate()
    try:
        return process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _died(code: int) -> SystemRefused:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    return SystemRefused(
        f"the process that judges {how}",
        at="headway monitor run",
        remedy="see what it printed, and whether there is memory enough; it is tried again",
    )
