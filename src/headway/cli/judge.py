"""Let the monitors that come on the standard input look once; started by `headway monitor run`, not by people.

Group: hidden
"""

import argparse
import signal
import sys

from headway import wiring
from headway.config import Settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing of its own: what is to be done comes on the standard input."""


def run(args: argparse.Namespace, settings: Settings) -> int:  # noqa: ARG001 (as above)
    """Say a line of JSON for each as soon as it was judged."""
    from headway.flows.watch_apart import answer
    from headway.flows.watch_here import Here

    # A Ctrl-C is meant for whoever started this, who ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with wiring.open(settings) as parts:
        answer(sys.stdin.buffer.read(), Here(parts.delivery()), _say)
    return 0


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
