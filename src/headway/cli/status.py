"""Say what is live, whether it is well, what ran last and what to do next.

Group: The loop

    headway status
"""

import argparse
import os
import time

from msgspec import Struct

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.core.lease import of_run
from headway.flows import daemon, launch
from headway.flows.endpoints import EndpointView, endpoints
from headway.flows.run_list import Question, RunLine, runs
from headway.terminal import words


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Nothing of its own."""


class Status(Struct, frozen=True, kw_only=True):
    """What `headway status --json` prints."""

    folder: str
    live: tuple[EndpointView, ...]
    last: RunLine | None
    at_work: str | None
    next: str
    watched_by: str | None = None
    """Who leads as `headway up`, if anybody does."""


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print it."""
    with wiring.look(settings) as parts:
        last = next(iter(runs(parts.log, Question(), limit=1).lines), None)
        at_work = parts.leases.holder(launch.LEASE, now=time.time())
        if at_work is None and last is not None and last.outcome == "running":
            at_work = parts.leases.holder(of_run(last.run), now=time.time())
        watched_by = parts.leases.holder(daemon.LEASE, now=time.time())
        live = endpoints(parts.delivery())
    has_pipeline = os.path.exists(os.path.join(settings.folder, "pipeline.yaml"))
    following = _next(last, at_work, live, has_pipeline)
    status = Status(
        folder=settings.folder, live=live, last=last, at_work=at_work, next=following, watched_by=watched_by
    )
    if args.json:
        print_json(status)
        return 0
    for line in (*_live(live), _run(last, at_work)):
        print(line)
    if watched_by is not None:
        print(f"headway up watches the project ({watched_by or 'another process'})")
    print(f"next: {status.next}")
    return 0


def _live(live: tuple[EndpointView, ...]) -> list[str]:
    if not live:
        return ["nothing is in production yet"]
    lines = []
    for view in live:
        if view.version is None:
            lines.append(f"{view.endpoint}: down ({view.detail})")
            continue
        health = "well" if view.is_healthy else f"NOT WELL: {view.detail}"
        since = words.ago(time.time() - view.since)
        lines.append(f"{view.endpoint}: {view.model}@{view.version} at {view.url}, since {since}: {health}")
        if view.stage:
            what = "bakes" if view.is_baking else "is held" if view.is_held else "is tried"
            lines.append(f"  {view.model}@{view.open} {what}: {view.stage}")
    return lines


def _run(last: RunLine | None, at_work: str | None) -> str:
    if last is None:
        return "nothing ran yet"
    outcome = last.outcome
    if outcome == "running":
        outcome = f"at work ({at_work})" if at_work else "left in the middle: its process is gone"
    why = f": {last.why}" if last.why else ""
    return f"run {last.run}, {words.ago(time.time() - last.at)}: {outcome}{why}"


def _next(last: RunLine | None, at_work: str | None, live: tuple[EndpointView, ...], has_pipeline: bool) -> str:  # noqa: FBT001 (one of four facts)
    if not has_pipeline:
        return "headway init"
    if last is None:
        return "headway run"
    if last.outcome == "running":
        return f"headway logs {last.run} -f" if at_work else f"headway resume {last.run}"
    if last.outcome in ("failed", "interrupted"):
        return f"headway show {last.run}, then headway resume {last.run}"
    return _ask_endpoints(live) or (f"headway show {last.run}" if last.outcome != "passed" else "headway plan")


def _ask_endpoints(live: tuple[EndpointView, ...]) -> str:
    """Where one should look first, if something is amiss or under way."""
    if any(view.version is not None and not view.is_healthy for view in live):
        return "headway endpoints"
    return "headway rollout status" if any(view.stage for view in live) else ""
