"""A release as it is looked at, made of facts: for tests of how it is shown."""

from headway.core import facts as f
from headway.core.rollout import Rollout
from headway.core.rollout_view import Releases
from headway.core.rollout_window import Counts, Window
from headway.core.strategy_typed import read_typed
from headway.flows.rollout_view import Looked

STAGES = "canary: 10% for 10000 requests, pause: approval by alice, promote, bake: 14d"
CHECKS = ["new.errors / old.errors <= 1.5 for each region", "new.slow <= 0.01"]


def counted(failed: int, *, n: int = 640, place: str = "") -> Window:
    """A minute of 10 % and 90 %, in which so many of the new version's requests failed, and half a percent else."""
    where = (("region", place),) if place else ()
    return Window(
        slice=where, new=Counts(requests=n, failed=failed), old=Counts(requests=9 * n, failed=max(n // 20, 1))
    )


def told(*then: f.Fact, stages: str = STAGES, checks: list[str] | None = None) -> tuple[Looked, Rollout]:
    """The release of version 2 in place of version 1 after what happened then, a minute apart; and its machine."""
    said: dict[str, str | list[str]] = {"strategy": stages, "rollback": "errors,latency", "slower-than": "200ms"}
    strategy = read_typed({**said, "harm": "20", "checks": CHECKS if checks is None else checks}, at="test")
    first = f.ReleaseStarted(endpoint="e", release=1, model="m", version=1, key="1")
    second = f.ReleaseStarted(endpoint="e", release=2, model="m", version=2, key="2", by="ann", strategy=strategy)
    before = (first, f.EndpointSwitched(release=1, url=""), f.ReleaseFinished(release=1, outcome="released"), second)
    releases, rollout = Releases(), Rollout("e")
    at = 0.0
    for at, fact in enumerate((*before, *then)):
        releases.after(fact, 60.0 * at)
        rollout.after(fact, 60.0 * at)
    now = 60.0 * at + 30
    return Looked(
        endpoint="e",
        at=now,
        release=releases.all[-1],
        strategy=strategy,
        verdict=rollout.verdict(now),
        driver="ann (process 1)",
    ), rollout


def began(stage: int) -> f.Fact:
    """A stage begins."""
    return f.StageBegan(release=2, stage=stage)


def looked(*windows: Window) -> f.Fact:
    """So much was counted in the first stage."""
    return f.StageLooked(release=2, stage=0, windows=windows)
