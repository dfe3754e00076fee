"""An endpoint on memory with clients whose requests come while time goes by, for tests of releases in stages.

The target is the fake that passes the target's contract; the clock jumps; what versions answer is written to a real
prediction log, from which the release's driver counts.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from headway.backends.target_memory import MemoryTarget
from headway.core import facts as f
from headway.core.ids import Artifact, ModelRef
from headway.core.prediction_log import LabelLine, Line
from headway.core.registry import Registration
from headway.core.rollout import Order, Released, Rollout
from headway.core.routing import Chooser
from headway.core.strategy import Strategy
from headway.core.strategy_grammar import read_strategy
from headway.flows import registry
from headway.flows.release import release
from headway.flows.rollout import read
from headway.ports import Answer, Serving
from headway.testing.bench import MemoryParts

ENDPOINT = "flights"

TICK_S = 0.25


def strategy(*stages: object, rollback: tuple[str, ...] = ("not-ready", "errors"), **keys: Any) -> Strategy:
    told = {name.replace("_", "-"): value for name, value in keys.items()}
    found = read_strategy({"strategy": list(stages), "rollback": list(rollback), **told})
    assert found.strategy is not None, found.problems
    return found.strategy


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """How a version answers: these shares of requests fail, are wrong; in so many milliseconds."""

    fails: float = 0.0
    wrong: float = 0.0
    ms: float = 5.0


class Staged:
    """The endpoint `flights` of the model `m`, with versions 1 to 4; 1 is to be released first.

    `rate` requests come in a second. `events` are done once when their second is reached, counted from the start.
    """

    def __init__(self, folder: Path, *, rate: float = 50.0, seed: int = 7) -> None:
        self.home = str(folder / ".headway")
        self.clock = 1_700_000_000.0
        self.began = self.clock
        self.rate = rate
        self.target = MemoryTarget(self.answer)
        self.parts = MemoryParts(self.home, targets={"memory": self.target}, now=lambda: self.clock)
        self.world = msgspec.structs.replace(self.parts.delivery(by="ann"), sleep=self.sleep)
        self.like: dict[int, Behaviour] = {}
        self.label_after_s: float | None = None
        self.said: list[str] = []
        self.answered: dict[int, int] = {}
        self.events: list[tuple[float, Callable[[], None]]] = []
        self.chance = random.Random(seed)
        self.n = 0
        self._due: list[tuple[float, LabelLine]] = []
        self._predictions = os.path.join(self.home, "endpoints", ENDPOINT, "predictions")
        os.makedirs(self._predictions)
        for version in (1, 2, 3, 4):
            self.register(version)

    def register(self, version: int, kind: str = "function") -> None:
        text = f"def predict(rows): return [{version}] * len(rows)".encode()
        artifact = Artifact(path="models/model.py", digest=self.parts.blobs.put(text), size_bytes=len(text))
        asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format=kind)
        registry.register(self.parts.log, asked, now=0.0)

    def answer(self, serving: Serving, _body: bytes) -> Answer:
        """What a version says to a golden request."""
        told = {"predictions": [1], "model": f"m@{serving.version}"}
        return Answer(status=200, body=msgspec.json.encode(told), ms=1.0)

    # --- clients ------------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Time goes by, requests come, and what was to happen happens."""
        until = self.clock + seconds
        while self.clock < until - 1e-9:
            step = min(TICK_S, until - self.clock)
            lines = [self._asked() for _ in range(round(self.rate * step))]
            self.clock += step
            self._write("predictions", [line for pair in lines for line in pair])
            self._label()
            for event in [one for one in self.events if self.clock - self.began >= one[0]]:
                self.events.remove(event)
                event[1]()

    def _asked(self) -> list[Line]:
        """A request: the line of who answered, and of the shadow."""
        self.n += 1
        request_id = f"q{self.n}"
        serving = self.target.serving.get(ENDPOINT)
        if serving is None:
            self.answered[0] = self.answered.get(0, 0) + 1
            return []
        table = self.target.tables.get(ENDPOINT)
        chosen = serving
        lines = []
        truth = self.chance.randrange(2)
        if table is not None:
            chooser = Chooser(ENDPOINT, table)
            chosen = chooser.version(request_id)
            shadow = table.shadow
            if shadow is not None and chooser.is_shadowed(request_id):
                lines.append(self._line(request_id, shadow.version, truth, is_shadow=True))
        is_there = chosen in self.target.live.get(ENDPOINT, {})
        if not is_there and serving not in self.target.live.get(ENDPOINT, {}):
            self.answered[0] = self.answered.get(0, 0) + 1
            return []
        who = chosen if is_there else serving
        self.answered[who] = self.answered.get(who, 0) + 1
        line = self._line(request_id, who, truth)
        lines.append(line if is_there else msgspec.structs.replace(line, instead_of=chosen))
        if self.label_after_s is not None:
            at = self.clock + self.label_after_s
            label = LabelLine(request_id=request_id, row=0, label=truth, at=at, received_at=at)
            self._due.append((at, label))
        return lines

    def _line(self, request_id: str, version: int, truth: int, *, is_shadow: bool = False) -> Line:
        like = self.like.get(version, Behaviour())
        has_failed = self.chance.random() < like.fails
        said = truth if self.chance.random() >= like.wrong else 1 - truth
        return Line(
            request_id=request_id, at=self.clock, ms=like.ms, model="m", version=version, rows=[{"x": self.n}],
            predictions=[] if has_failed else [said], status=500 if has_failed else 200, is_shadow=is_shadow,
        )  # fmt: skip

    def _label(self) -> None:
        due = [label for at, label in self._due if at <= self.clock]
        self._due = [(at, label) for at, label in self._due if at > self.clock]
        self._write("labels", due)

    def _write(self, kind: str, entries: list[Any]) -> None:
        if entries:
            with open(os.path.join(self._predictions, f"{kind}-t1.jsonl"), "ab") as file:
                file.write(b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries))

    # --- releasing ----------------------------------------------------------------------------------------------

    def order(self, version: int, plan: Strategy | None = None, key: str = "") -> Order:
        return Order(
            endpoint=ENDPOINT, model="m", version=version, key=key or f"run/{version}", target="memory", strategy=plan,
            override="a test",
        )  # fmt: skip

    def release(self, version: int, plan: Strategy | None = None, key: str = "") -> Released:
        return release(self.world, self.order(version, plan, key), report=self.report)

    def report(self, line: str, _rollout: Rollout) -> None:
        if line:
            self.said.append(line)

    def at(self, seconds: float, event: Callable[[], None]) -> None:
        """Let something happen so many seconds from now."""
        self.events.append((self.clock - self.began + seconds, event))

    def end(self, version: int) -> None:
        """A version's process ends by itself."""
        del self.target.live[ENDPOINT][version]

    # --- looking ------------------------------------------------------------------------------------------------

    @property
    def facts(self) -> list[f.Fact]:
        return [entry.fact for entry in self.parts.log.read(f"endpoint/{ENDPOINT}")]

    @property
    def n_logged(self) -> int:
        """The lines of the prediction log."""
        with open(os.path.join(self._predictions, "predictions-t1.jsonl"), "rb") as file:
            return sum(1 for _ in file)

    @property
    def n_counted(self) -> int:
        """The requests of all versions that releases counted."""
        windows = [w for fact in self.facts if isinstance(fact, f.StageLooked) for w in fact.windows if not w.slice]
        return sum(w.new.requests + w.old.requests for w in windows)

    @property
    def ended(self) -> f.ReleaseFinished:
        found = read(self.parts.log, ENDPOINT).ended
        assert found is not None
        return found

    @property
    def champion(self) -> int | None:
        found = registry.resolve(self.parts.log, ModelRef(name="m", alias="champion"))
        return None if found is None else found.version

    def assert_alone(self, version: int) -> None:
        """One version answers all, in the log and by its alias too, and nothing of a release is left."""
        said = read(self.parts.log, ENDPOINT)
        assert said.serving is not None
        assert said.open is None
        assert (self.target.serving[ENDPOINT], said.serving.version, self.champion) == (version, version, version)
        assert self.target.tables.get(ENDPOINT) is None
        assert version in self.target.live[ENDPOINT]
        assert set(self.target.live[ENDPOINT]) <= set(said.kept)
