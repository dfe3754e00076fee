"""Tell people of alarms, runs and releases: all that is due, once; or something to see whether it reaches them.

Group: Production

    headway notify                 tell what is due and was not told yet; `headway up` does so all the time
    headway notify test            tell everybody of headway.toml something, and say what came back
    headway notify test on-call    that one alone

docs/notices.md says who can be told of what. Exit codes: 0 everybody was told, 1 somebody was not, 2 nobody is named.
"""

import argparse
import sys
import time

from headway import wiring
from headway.cli import print_json
from headway.config import Settings
from headway.core.telling import listed
from headway.errors import NameUnknown, UsageMistaken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from headway.core.notice import Notice
    from headway.flows.notify import Member, Post, Standing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("word", nargs="?", choices=["test"], metavar="test", help="send something to try it")
    parser.add_argument("name", nargs="*", metavar="NAME", help="to these alone (default: to all)")


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Tell them."""
    from headway.flows.notify import deliver

    if not settings.notify:
        raise UsageMistaken(
            "nobody is named who could be told",
            at="headway.toml: notify",
            remedy="write a table [[notify]] there; docs/notices.md shows how",
        )
    with wiring.open(settings) as parts:
        if args.word == "test":
            return _test(args, settings, parts.post())
        return _told(deliver(parts.post()), as_json=args.json)


def _told(standing: "Standing", *, as_json: bool) -> int:
    if as_json:
        print_json(standing)
    elif standing.elsewhere:
        print(f"{standing.elsewhere} tells them")
    else:
        n, left = standing.n_sent, standing.n_waiting
        wait = f", {left} wait{'s' * (left == 1)}" if left else ""
        gone = f", {standing.n_failed} given up" if standing.n_failed else ""
        print(f"{n} notice{'s' * (n != 1)} sent{gone}{wait}")
        for name, why in standing.trouble.items():
            print(f"  {name}: {why}")
    return 1 if standing.trouble or standing.n_waiting else 0


def _test(args: argparse.Namespace, settings: Settings, post: "Post") -> int:
    from headway.flows.notify import tell

    notice = _try(settings)
    receipts = {one.written.called: tell(one, notice) for one in _asked(args.name, post)}
    if args.json:
        print_json([{"name": name, "told": not one.why, "why": one.why} for name, one in receipts.items()])
    else:
        width = max(map(len, receipts))
        for name, one in receipts.items():
            print(f"{name:<{width}}  {f'NOT told: {one.why}' if one.why else 'told'}")
        if any(one.why for one in receipts.values()):
            sys.stderr.write("mend [[notify]] of headway.toml, or what it names; docs/notices.md says how\n")
    return 1 if any(one.why for one in receipts.values()) else 0


def _asked(names: list[str], post: "Post") -> "list[Member]":
    known = {one.written.called: one for one in post.members}
    for name in names:
        if name not in known:
            remedy = f"those of headway.toml are {listed(list(known))}"
            raise NameUnknown(f"nobody is called {name!r}", at="NAME", remedy=remedy)
    return [known[name] for name in names] if names else list(known.values())


def _try(settings: Settings) -> "Notice":
    import os

    from headway.core.notice import Notice
    from headway.flows.surroundings import user

    now = time.time()
    who = user(settings.environ)
    return Notice(
        key=f"test#{now:.3f}",
        topic="run",
        about="a test",
        title="headway can reach you",
        text=f"{who} tried it with `headway notify test`, in {os.path.basename(settings.folder)}; nothing happened.",
        command="headway log",
        at=now,
        is_good=True,
    )
