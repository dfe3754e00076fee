"""Delete from the store what nothing needs any more.

Group: Housekeeping

    headway gc --dry-run       say what is kept and why, and what would go
    headway gc                 delete it
    headway gc --keep-runs 5   keep what fewer runs made (default: 20)
    headway gc --target        what endpoints hold of versions that no release needs, instead

Kept always: every registered model version, what headway.lock of this workspace and of any branch or tag pins, golden
requests, and how each run came about. What was stored within the last hour is left alone: somebody may be at work. The
remote is left alone: docs/remotes.md says why. With --target nothing goes from the store: processes and objects of
versions that neither serve, nor are gone back to, nor are being released.
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

KEEP_RUNS = 20
GRACE_S = 3600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--dry-run", action="store_true", help="delete nothing; say why things are kept")
    parser.add_argument("--keep-runs", type=int, metavar="N", help=f"newest runs kept whole (default: {KEEP_RUNS})")
    parser.add_argument(
        "--target",
        nargs="?",
        const="",
        default=None,
        metavar="TARGET",
        help="what endpoints hold and nobody needs, on this target (default: on all that were released to)",
    )
    grace = f"leave younger blobs alone (default: {GRACE_S:g})"
    parser.add_argument("--grace", type=float, metavar="SECONDS", help=grace)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Collect, with the lease of the workspace, so that no run of it is at work; to look takes none."""
    for name, value in (("--keep-runs", args.keep_runs), ("--grace", args.grace)):
        if value is not None and not 0 <= value < math.inf:
            raise UsageMistaken(f"{value:g} makes no sense", at=name, remedy="give a number from 0")
        if value is not None and args.target is not None:
            problem = "what endpoints hold is found by their releases, neither by runs nor by age"
            raise UsageMistaken(
                problem, at=name, remedy=f"leave {name} away, or collect the store first, without --target"
            )
    if args.target is not None:
        return _of_targets(args, settings)
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
    roots = needed(parts.log, settings.folder, keep_runs=KEEP_RUNS if args.keep_runs is None else args.keep_runs)
    done = collect(
        parts.blobs,
        [artifact for artifact, _ in roots.artifacts.values()],
        roots.digests,
        now=time.time(),
        grace_s=GRACE_S if args.grace is None else args.grace,
        dry_run=args.dry_run,
    )
    return roots, done


def _of_targets(args: argparse.Namespace, settings: Settings) -> int:
    from headway.flows.leftovers import leftovers, remove

    with wiring.look(settings) if args.dry_run else wiring.open(settings) as parts:
        world = parts.delivery()
        found = leftovers(world, args.target) if args.dry_run else remove(world, args.target)
    if args.json:
        print_json({"dry_run": args.dry_run, "leftovers": found})
        return 0
    for one in found:
        if one.folder:
            what = f"the files of a model in .headway/models/{one.folder}"
        else:
            version = "" if one.version is None else f"version {one.version} of "
            what = f"{version}{one.endpoint} on {one.target}"
        verb = f"left alone ({one.kept})" if one.kept else "would go" if args.dry_run else "removed"
        print(f"{verb}: {what}")
    if not found:
        print("nothing is left over")
    return 0
