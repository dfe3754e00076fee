"""Verify that nobody rewrote history: every fact of the log and the chain of hashes over them.

Group: Looking back

    headway audit               read the whole log; prints the hash of the last fact, which stands for all
    headway audit --noted HASH  also check that a hash noted down earlier is still in the chain
    headway audit --copy-to URL also copy the log into another one, with its chain: postgresql://…, sqlite:PATH

It also names each release of a version that no gate let pass, with who answered for it and why.

A chain alone cannot show that its end was cut off: note the hash somewhere else from time to time. Exit codes: 0 the
log is whole, 1 it is not.
"""

import argparse
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.errors import LogDamaged, UsageMistaken
from headway.flows import history
from headway.ports import Log


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--noted", metavar="HASH", help="a hash this command printed earlier, or its first digits")
    parser.add_argument("--copy-to", metavar="URL", help="copy the log there: to move it, as into postgresql://…")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Read the log through."""
    if args.noted is not None and len(args.noted) < 8:
        raise UsageMistaken("that is too short to be told apart", at="--noted", remedy="give at least 8 digits of it")
    try:
        log = wiring.look(settings).recorded()
        try:
            found = history.audit(log, noted=args.noted)
            copied = None if args.copy_to is None else _copied(log, args.copy_to)
        finally:
            log.close()
    except LogDamaged as e:
        if "headway audit" not in e.remedy:
            raise
        # Elsewhere the remedy is this command.
        remedy = "restore the log from a copy, or move it away to begin anew; the files of the store stay as they are"
        raise LogDamaged(e.problem, at=e.at, remedy=remedy) from e
    if found.seen is False:
        raise LogDamaged(
            f"no fact has the hash {args.noted}",
            at="log",
            remedy="the log was cut off or replaced after it was noted: restore it from a copy",
        )
    if args.json:
        print_json(found)
    else:
        print(f"the log is whole: {found.n_facts} facts in {found.n_streams} streams")
        print(f"last hash {found.head}")
        if copied is not None:
            print(f"copied {copied} facts; write log.url in headway.toml to use that log from now on")
        for one in found.overrides:
            when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(one.at))
            who = f" by {one.by}" if one.by else ""
            print(f"no gate let pass {one.version}, released on {one.endpoint} {when}{who}: {one.why}")
    return 0


def _copied(log: Log, url: str) -> int:
    from headway.flows.log_copy import copy

    other = wiring.log_at(url)
    try:
        return copy(log, other)
    finally:
        other.close()
