"""The second part of `headway demo`: nobody types a command any more, and the loop goes round by itself.

Neighbour: `demo` tells the first part, shows commands and runs them.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Protocol, Self

from headway.config import load
from headway.core import facts as f
from headway.errors import StepNotStarted

LOOP = "loop.yaml"

HOLD = "data/hold"
"""While there is such a file, the passengers' next day does not begin."""

PATIENCE_S = 900.0
"""So long something may take to happen: ten times as long as it takes on a machine with nothing else to do."""

LOOK_S = 0.5
END_S = 20.0


class Story(Protocol):
    """Shows commands and runs them."""

    def say(self, text: str) -> None:
        """Tell what comes now."""

    def headway(self, *words: str) -> None:
        """Run a command of headway."""

    def command(self, *words: str, expect: int = 0) -> None:
        """Run any command."""


def tell(story: Story, folder: str, environ: Mapping[str, str], port: int) -> None:
    """Let the loop go round: drift, an alarm, a better model; bad data that go nowhere, a bad model that comes back."""
    story.say("Up to here somebody typed every command. One file adds what starts a run, what watches, how to release:")
    story.command("diff", "pipeline.yaml", LOOP, expect=1)
    story.say("May is over. From here on nobody touches the model:")
    story.command("python", "fetch_data.py", "--through", "2013-05")
    with ExitStack() as running:
        facts = _Facts(folder)
        running.enter_context(_Beside(folder, environ, ("headway", "up", LOOP)))
        facts.wait("the data being watched", (f.SourceWatched,), lambda _: True)
        story.say(
            "June. Passengers ask, about a day a second (no day begins while a model is trained, which takes longer)."
        )
        story.say("Which flights were late is known two weeks later.")
        asking = ("python", "replay.py", "2013-06", "2013-12", "--endpoint", f"127.0.0.1:{port}")
        running.enter_context(_Beside(folder, environ, asking))
        facts.wait("an alarm", (f.AlarmRaised,), lambda fact: fact.says == "retrain")
        with _held(folder):
            facts.wait("a new model beside the old one", (f.StageBegan,), lambda fact: fact.stage == 0)
        facts.wait("a better model that took over", (f.EndpointSwitched,), lambda _: True)
        story.say("Nobody did anything: a new model serves. Now June's data are delivered, with the faults of April:")
        story.command("python", "fetch_data.py", "--broken")
        facts.wait("a run that refuses the data", (f.RunFinished,), lambda fact: fact.outcome == "invalid")
        story.say(
            "They come again, from a new warehouse: humidity is 0.82 there, and no longer 82. Training data, holdout,"
        )
        story.say("tests, gate: all agree. Only the passengers' requests are as they always were.")
        story.command("python", "fetch_data.py", "--through", "2013-06", "--migrated")
        with _held(folder):
            facts.wait("the next model beside it", (f.StageBegan,), lambda fact: fact.stage == 0)
        facts.wait("a release that is rolled back", (f.ReleaseFinished,), lambda fact: fact.outcome == "rolled-back")
        story.say("Labels showed what no test could, and the model before serves again. The whole story:")
    story.headway("log", "--since", "1h")
    story.headway("monitor", "live", "--file", LOOP)


class _Beside:
    """A command that goes on beside the story; its lines are shown as they come."""

    def __init__(self, folder: str, environ: Mapping[str, str], words: Sequence[str]) -> None:
        real = (sys.executable, "-m", "headway", *words[1:]) if words[0] == "headway" else tuple(words)
        print(f"\n$ {' '.join(words)} &", flush=True)
        self._name = "passengers" if words[0] == "python" else words[1]
        self._process = subprocess.Popen(
            real, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del kind, error, trace
        self._process.terminate()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(END_S)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            print(f"  {self._name}: {line}", end="", flush=True)


@contextmanager
def _held(folder: str) -> Iterator[None]:
    """The passengers' calendar stands still meanwhile: a month of it passes faster than a training."""
    path = os.path.join(folder, HOLD)
    with open(path, "w", encoding="utf-8"):
        pass
    try:
        yield
    finally:
        os.remove(path)


class _Facts:
    """What happens in the project from now on, as its log has it."""

    def __init__(self, folder: str) -> None:
        from headway import wiring

        self._settings = load(folder=os.path.abspath(folder))
        with wiring.look(self._settings) as parts:
            self._seen = max((entry.seq for entry in parts.log.scan(newest_first=True, limit=1)), default=0)

    def wait(self, what: str, kinds: tuple[type[f.Fact], ...], is_it: Callable[..., bool]) -> None:
        """Until such a fact is there that was not waited for before. Raises StepNotStarted when it does not come."""
        from headway import wiring

        until = time.monotonic() + PATIENCE_S
        names = tuple(kind.__name__ for kind in kinds)
        while time.monotonic() < until:
            with wiring.look(self._settings) as parts:
                for entry in parts.log.scan(names, after_seq=self._seen):
                    if is_it(entry.fact):
                        self._seen = entry.seq
                        return
            time.sleep(LOOK_S)
        raise StepNotStarted(
            f"the demo stopped: {what} did not come within {PATIENCE_S:,.0f} s",
            at=self._settings.folder,
            remedy="`headway log` there says what happened",
        )
