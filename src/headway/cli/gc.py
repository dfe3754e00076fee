"""Delete from the store what nothing needs any more.

Group: Housekeeping

    headway gc --dry-run       say what is kept and why, and what would go
    headway gc                 delete it
    headway gc --keep-runs 5   keep what fewer runs made (default: 20)

Kept always: every registered model version, what headway.lock of this workspace and of any branch or tag pins, golden
requests, and how each run came about. What was stored within the last hour is left alone: somebody may be at work. The
remote is left alone: docs/remotes.md says why.
"""

import argparse
import math
import os
import time
from collections import Counter

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import UsageMistaken
from headway.flows import launch
from headway.flows.gc import Collected, collect
from headway.flows.needed import Needed, needed
from headway.terminal import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--dry-run", action="store_true", help="delete nothing; say why things are kept")
    parser.add_argument("--keep-runs", type=int, default=20, metavar="N", help="newest runs kept whole (default: 20)")
    parser.add_argument("--grace", type=float, default=3600.0, metavar="SECONDS", help="leave younger blobs alone")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Collect, with the lease of the workspace, so that no run of it is at work; to look takes none."""
    for name, value in (("--keep-runs", args.keep_runs), ("--grace", args.grace)):
        if not 0 <= value < math.inf:
            raise UsageMistaken(f"{value:g} makes no sense", at=name, remedy="give a number from 0")
    if args.dry_run:
        with wiring.look(settings) as parts:
            roots, done = _collected(args, settings, parts)
    else:
        with wiring.open(settings) as parts:
            holder = f"gc, process {os.getpid()} on {os.uname().nodename}"
            parts.leases.acquire(launch.LEASE, holder=holder, ttl_s=3600.0, now=time.time())
            try:
                roots, done = _collected(args, settings, parts)
            finally:
                parts.leases.release(launch.LEASE, holder=holder)
    if args.json:
        print_json({"dry_run": args.dry_run, **{name: getattr(done, name) for name in done.__struct_fields__}})
        return 0
    if args.dry_run:
        whys = Counter(why for _, why in roots.artifacts.values())
        print("\n".join(f"kept: {n} artifact{'s' * (n > 1)} of {why}" for why, n in sorted(whys.items())))
    verb = "would go" if args.dry_run else "deleted"
    print(f"{verb}: {done.n_removed} blobs, {words.size(done.removed_bytes)}")
    print(f"kept: {done.n_kept} blobs, {words.size(done.kept_bytes)}; left alone for their youth: {done.n_fresh}")
    if done.missing:
        print(f"missing: {len(done.missing)} needed blobs are not in the store, {done.missing[0][:12]} among them")
    return 0


def _collected(args: argparse.Namespace, settings: Settings, parts: wiring.Parts) -> tuple[Needed, Collected]:
    """What is needed, and what became of the rest."""
    roots = needed(parts.log, settings.folder, keep_runs=args.keep_runs)
    done = collect(
        parts.blobs,
        [artifact for artifact, _ in roots.artifacts.values()],
        roots.digests,
        now=time.time(),
        grace_s=args.grace,
        dry_run=args.dry_run,
    )
    return roots, done
