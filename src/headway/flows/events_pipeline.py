"""Another pipeline's end: its runs as the log has them, the newest that ended as asked for."""

from collections.abc import Sequence

from headway.core import facts as f
from headway.core.event_memory import Remembered
from headway.core.grammar import PipelineTrigger, Triggers
from headway.core.ids import RunId
from headway.flows.event_pace import Pace
from headway.flows.events import Event, Source, Told, World

EVERY_S = 5.0
"""Whoever reads the log anyway touches the source when a run ends; this is for everybody else."""

NONE = "none"
"""The key of a pipeline that has not run."""


class PipelineSource:
    """The ends of one pipeline's runs."""

    __slots__ = ("_log", "_newest", "_seq", "_told", "_trigger", "name", "pace", "paths")

    def __init__(self, trigger: PipelineTrigger, told: Told, world: World) -> None:
        self.name = f"pipeline: {trigger.name}"
        self.pace = Pace()
        self.paths: Sequence[str] = ()
        self._trigger = trigger
        self._told = told
        self._log = world.log
        self._seq: int | None = None
        self._newest: tuple[RunId, f.RunFinished] | None = None

    def look(self, now: float) -> list[Event]:
        """The newest run that ended as asked for, if it was not told."""
        self.pace.begin()
        before = self._told.newest(self.name)
        if before is None:
            return [self._begun(now)]
        self._read(before)
        if self._newest is None:
            self.pace.well(now, EVERY_S, f"no run of it {_ENDED[self._trigger.outcome]} since")
            return []
        run, end = self._newest
        self.pace.well(now, EVERY_S, f"run {run} {_said(end.outcome)}")
        if any(one.key == str(run) for one in self._told.states(self.name)):
            return []
        why = f"run {run} of {self._trigger.name} {_said(end.outcome)}"
        return [f.EventSeen(source=self.name, key=str(run), why=why)]

    def due_at(self, now: float) -> float:
        """Every few seconds, or when it is touched."""
        return self.pace.due_at(now)

    def _begun(self, now: float) -> f.SourceWatched:
        self.pace.well(now, EVERY_S, "is watched from now on")
        for entry in self._log.scan(("RunFinished",), newest_first=True):
            run = self._of_it(entry)
            if run is not None:
                return f.SourceWatched(source=self.name, key=str(run))
        return f.SourceWatched(source=self.name, key=NONE)

    def _read(self, before: Remembered) -> None:
        """Take in the runs that ended since it was told of one, or was watched first."""
        if self._seq is None:
            # Not from where that was told: a run that ended meanwhile lies before it in the log.
            ended = self._log.read(f"run/{before.key}")
            self._seq = ended[-1].seq if ended else 0
        for entry in self._log.scan(("RunFinished",), after_seq=self._seq):
            self._seq = entry.seq
            run = self._of_it(entry)
            if run is not None and isinstance(entry.fact, f.RunFinished):
                self._newest = run, entry.fact

    def _of_it(self, entry: f.Entry) -> RunId | None:
        """The run whose end this is, if it is of the pipeline and as asked for."""
        end = entry.fact
        # A run that was interrupted can be taken up again: it has not ended.
        if not isinstance(end, f.RunFinished) or end.outcome == "interrupted":
            return None
        wanted = self._trigger.outcome
        if wanted != "any" and (end.outcome == "passed") != (wanted == "passed"):
            return None
        started = self._log.read(entry.stream)[0].fact
        is_it = isinstance(started, f.RunStarted) and started.name == self._trigger.name
        return started.run if is_it and isinstance(started, f.RunStarted) else None


_: type[Source] = PipelineSource

_ENDED = {"passed": "passed", "failed": "failed", "any": "ended"}


def _said(outcome: str) -> str:
    return outcome if outcome in ("passed", "failed") else f"ended: {outcome}"


def sources(triggers: Triggers, told: Told, world: World) -> list[Source]:
    """The one pipeline."""
    asked = triggers.pipeline
    if isinstance(asked, str):
        asked = PipelineTrigger(name=asked)
    return [PipelineSource(asked, told, world)] if isinstance(asked, PipelineTrigger) else []
