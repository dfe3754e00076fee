"""Random stories: events, deaths of daemons and of runs, clocks that are set, two daemons; what must hold holds."""

import random
from pathlib import Path

import pytest

from headway.core import facts as f
from headway.errors import LeaseHeld
from headway.flows.daemon import TTL_S, Daemon
from simulated_daemon import Fatal, Killed, Project, pipeline

NAMES = ("churn", "fares", "flights")
N_QUICK, N_SLOW = 3, 200


class Story:
    """One project's life, by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        kinds = ("passed", "passed", "passed", "failed", "interrupted", 137, 1)
        ends = [self.chance.choice(kinds) for _ in range(30)]
        takes_s = self.chance.choice((0.5, 20.0, 200.0))
        self.project = Project(folder, ends=[*ends, "passed"], takes_s=takes_s)
        self.n_told = 0
        self.daemon = self.fresh()

    def fresh(self, holder: str = "one") -> Daemon:
        fatal = Fatal(
            self.chance.randrange(1, 12) if self.chance.random() < 0.5 else 0, after=self.chance.random() < 0.5
        )
        return self.project.daemon(*map(pipeline, NAMES), fatal=fatal, holder=holder)

    def tell(self) -> None:
        """What happened since the last chapter."""
        for _ in range(self.chance.randrange(4)):
            self.n_told += 1
            # By hand, which no limit holds back: what fails makes others wait for hours.
            self.project.see(str(self.n_told), self.chance.choice(NAMES), "hand")

    def chapter(self) -> None:
        self.tell()
        try:
            self.project.live(self.daemon, self.chance.choice((1.0, 10.0, 100.0)))
        except (Killed, LeaseHeld):
            # Another machine's daemon, or the same one again, when the lease of the dead one is over.
            self.daemon = self.fresh(self.chance.choice(("one", "two")))
            self.project.pause(self.chance.choice((0.1, TTL_S + 1.0)))
        if self.chance.random() < 0.1:
            self.project.machine.now += self.chance.choice((86_400.0, -5.0))

    def end(self) -> None:
        """A daemon that nobody kills does what is left."""
        # A clock that was set back makes the lease of a dead one last as much longer.
        self.project.pause(TTL_S + 300.0)
        self.daemon = self.project.daemon(*map(pipeline, NAMES), holder="last")
        self.project.live(self.daemon, 5000.0)


def holds(project: Project) -> None:
    """No firing has two runs, each has an end, no event is left, and no two runs changed the folder at once."""
    firings = [fact.options.firing for fact in project.facts("RunStarted")]
    assert len(firings) == len(set(firings))
    for name in NAMES:
        facts = [entry.fact for entry in project.log.read(f"trigger/{name}")]
        fired = [fact.firing for fact in facts if isinstance(fact, f.TriggerFired)]
        ended = [fact.firing for fact in facts if isinstance(fact, f.FiringEnded)]
        assert fired == ended == list(range(1, len(fired) + 1))
        kinds = [type(fact) for fact in facts]
        last_seen = max((n for n, kind in enumerate(kinds) if kind is f.EventSeen), default=-1)
        last_fired = max((n for n, kind in enumerate(kinds) if kind is f.TriggerFired), default=-1)
        assert last_fired > last_seen or last_seen == -1


def test_a_few_stories_end_well(tmp_path: Path) -> None:
    for seed in range(N_QUICK):
        _told(tmp_path / str(seed), seed, chapters=8)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_many_stories_end_well(tmp_path: Path) -> None:
    begin = random.SystemRandom().randrange(10**6)
    print(f"from seed {begin}")
    for seed in range(begin, begin + N_SLOW):
        _told(tmp_path / str(seed), seed, chapters=25)


def _told(folder: Path, seed: int, *, chapters: int) -> None:
    story = Story(folder, seed)
    story.project.tick_s = 0.2
    for _ in range(chapters):
        story.chapter()
    story.end()
    try:
        holds(story.project)
    except AssertionError as e:
        raise AssertionError(f"seed {seed}: {e}") from e
