"""The lines of a run that stay: one for each end of a step, known steps together, at the end what failing ones said.

This is all there is where nobody watches a screen; `live` draws under these lines what is at work.
"""

from collections.abc import Callable
from typing import Self

from headway.terminal.paint import Paint, colour_of
from headway.terminal.tail import Tail, clean
from headway.terminal.width import cells, padded
from headway.terminal.words import took

NAMED = 12
"""Steps that were not run and are named, each on a line; more are counted: nobody reads a thousand names."""

EXCERPT = 15
"""Lines of a failing step's output that are shown."""

EXCERPTS = 3
"""Failing steps whose output is shown; the others are named."""

_UNFAILING = ("passed", "interrupted")


class Step:
    """A step at work."""

    __slots__ = ("index", "tail", "title", "total")

    def __init__(self, title: str, index: int, total: int) -> None:
        self.title = title
        self.index = index
        self.total = total
        self.tail: Tail | None = None


class Lines:
    """Tells a run in lines. `write` takes each, without its end.

    With `announce` beginnings are told too, and each line begins with a word instead of a sign. `at_work`, `n_done` (by
    what happened) and `n_total` (0 before the first step was started) are there to be read.
    """

    __slots__ = (
        "_announce",
        "_ended",
        "_failing",
        "_named",
        "_paint",
        "_waiting",
        "_why",
        "_write",
        "at_work",
        "n_done",
        "n_total",
    )

    def __init__(self, write: Callable[[str], None], paint: Paint, *, why: bool, announce: bool = True) -> None:
        self._write = write
        self._paint = paint
        self._why = why
        self._announce = announce
        self.at_work: dict[str, Step] = {}
        self.n_done: dict[str, int] = {}
        self.n_total = 0
        # What was not run since the last line, by what happened: how many, and the first of them.
        self._waiting: dict[str, _Unrun] = {}
        self._named = 0
        self._ended: dict[str, str] = {}
        self._failing: dict[str, tuple[str, list[str]]] = {}

    def started(self, step_id: str, name: str, index: int, total: int, why: str) -> None:
        """A step was started, perhaps again."""
        self._tell_waiting()
        step = self.at_work[step_id] = Step(clean(name), index, total)
        if before := self._ended.pop(step_id, None):
            self.n_done[before] -= 1
        self.n_total = total
        if self._announce or (self._why and why):
            self._tell("started", step, clean(why) if self._why else "")

    def output_at(self, step_id: str, log_path: str) -> None:
        """From here on its output can be read."""
        self.at_work[step_id].tail = Tail(log_path)

    def ended(self, step_id: str, outcome: str, seconds: float, note: str) -> None:
        """It ended; a failure's last output is kept for the end of the run."""
        self._tell_waiting()
        step = self.at_work.pop(step_id)
        self._failing.pop(step_id, None)
        if outcome not in _UNFAILING:
            self._failing[step_id] = (step.title, step.tail.lines(EXCERPT) if step.tail else [])
        if step.tail:
            step.tail.close()
        self._ended[step_id] = outcome
        self._count(outcome)
        self._tell(outcome, step, clean(note), took(seconds))

    def reused(self, step_id: str, note: str) -> None:
        """It was not run: its result was known."""
        self._wait("reused", step_id, note)

    def skipped(self, step_id: str, why: str) -> None:
        """It was not run: its condition was not met."""
        self._wait("skipped", step_id, why)

    def tick(self, now: float) -> None:
        """Time went by, which lines do not tell."""

    def close(self) -> None:
        """Tell what is left to be told: last of all, what failing steps said."""
        self._tell_waiting(last=True)
        for step in self.at_work.values():
            if step.tail:
                step.tail.close()
        failing = list(self._failing.values())
        for title, lines in failing[:EXCERPTS]:
            if lines:
                self._write("")
                self._write(self._paint(f"{title}, the end of its output:", "bold"))
                for line in lines:
                    self._write(f"  | {line}".rstrip())
        if rest := [title for title, _ in failing[EXCERPTS:]]:
            self._write("")
            more = f" and {len(rest) - NAMED} more" if len(rest) > NAMED else ""
            self._write(f"not passed either: {', '.join(rest[:NAMED])}{more}")
        if any(lines for _, lines in failing):
            self._write("")
        self._failing.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _count(self, happened: str) -> None:
        self.n_done[happened] = self.n_done.get(happened, 0) + 1

    def _tell(self, happened: str, step: Step, note: str, duration: str = "") -> None:
        paint = self._paint
        if self._announce:
            head = f"{paint(f'{happened:<8}', colour_of(happened))} [{step.index}/{step.total}] {step.title}"
            self._write(head + (f" ({duration})" if duration else "") + (f": {note}" if note else ""))
        elif happened == "started":
            self._write(paint(f"  {step.title}: {note}", "dim"))
        else:
            title = padded(step.title, max(24, cells(step.title)))
            self._write(f"{paint.sign(happened)} {title} {duration:>8}  {note}".rstrip())

    def _wait(self, happened: str, step_id: str, note: str) -> None:
        self._count(happened)
        unrun = self._waiting.get(happened)
        if unrun is None:
            unrun = self._waiting[happened] = _Unrun()
        unrun.add(step_id, note)

    def _tell_waiting(self, *, last: bool = False) -> None:
        """Tell of steps that were not run: by name while they are few, else how many."""
        for happened, unrun in list(self._waiting.items()):
            if unrun.n == len(unrun.first) and self._named + unrun.n <= NAMED:
                self._named += unrun.n
                for step_id, note in unrun.first:
                    self._tell_unrun(happened, clean(step_id), clean(note))
            elif unrun.n > NAMED or last:
                why = f": {clean(unrun.first[0][1])}" if happened == "skipped" else ""
                self._tell_unrun(happened, f"{unrun.n} step{'s' * (unrun.n > 1)} {happened}{why}", "")
            else:
                continue  # a few among others that run: counted with the next
            del self._waiting[happened]

    def _tell_unrun(self, happened: str, what: str, note: str) -> None:
        paint = self._paint
        colour = colour_of(happened)
        if not self._announce:
            self._write(f"{paint.sign(happened)} {paint(what, colour)}" + (f"  {note}" if note else ""))
        else:
            self._write(f"{paint(f'{happened:<8}', colour)} {what}" + (f": {note}" if note else ""))


class _Unrun:
    """Steps that were not run: how many, and the first few with their reasons."""

    __slots__ = ("first", "n")

    def __init__(self) -> None:
        self.n = 0
        self.first: list[tuple[str, str]] = []

    def add(self, step_id: str, note: str) -> None:
        self.n += 1
        if len(self.first) < NAMED:
            self.first.append((step_id, note))
