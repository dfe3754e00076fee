"""Several versions behind one port until Ctrl-C: what `headway serve` runs when it is given more than one.

Each has a process of its own, as in a released endpoint: the target is handed in, and is one that ends with this
process. Neighbour: `foreground` serves one version in this very process. Does not know how versions are named.
"""

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any
from urllib.request import urlopen

import msgspec

from headway.core.routing import Table
from headway.errors import TargetUnavailable, UsageMistaken
from headway.ports import EndpointState, Serving, Target

READY_S = 300.0
"""How long a version may take to load."""

LOOK_S = 1.0


# Any: a row as JSON has it.
Row = dict[str, Any]


class _Over:
    """Whether a signal said to end; the second one ends at once."""

    def __init__(self) -> None:
        self._is_over = threading.Event()
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, self._heard)

    def _heard(self, _signal: int, _frame: FrameType | None) -> None:
        if self._is_over.is_set():
            # What is left ends with the other end of its tether.
            sys.exit(0)
        self._is_over.set()

    def __bool__(self) -> bool:
        return self._is_over.is_set()

    def wait(self) -> bool:
        """Wait a while; whether it is over."""
        return self._is_over.wait(LOOK_S)


def serve(
    target: Target, servings: Sequence[Serving], table: Table, *, host: str, port: int,
    ready: Callable[[str, Row], None],
) -> None:  # fmt: skip
    """Answer on the port as the table says until SIGINT or SIGTERM; `ready` is told the URL and a row to ask with.

    The versions are of one endpoint, and `target` listens on `host`. Raises UsageMistaken when somebody serves it
    already or the port cannot be had, and as `Target`.
    """
    from headway.serving import foreground

    endpoint = servings[0].endpoint
    over = _Over()
    before = target.state(endpoint)
    if before is not None and before.versions:
        raise UsageMistaken(
            f"{endpoint} is being served already, at {before.url}",
            at="headway serve",
            remedy="end that with Ctrl-C first, or serve one version alone",
        )
    # What a server that was killed left behind must not come back by itself.
    target.stop(endpoint, None)
    # Told as for one version: whoever mistyped a port need not wait for a holder, which knows no command line.
    foreground.listen(host, port).close()
    try:
        for serving in servings:
            target.start(serving, port=port, timeout_s=READY_S)
            port = 0
            if over:
                return
        shares = table.shares
        url = target.switch(endpoint, max(shares, key=lambda version: shares[version]))
        target.route(endpoint, table)
        schema = _row_schema(url)
        _check_key(table, schema)
        ready(url, schema["example"])
        _watched(target, endpoint, over)
    finally:
        target.stop(endpoint, None)


def _watched(target: Target, endpoint: str, over: _Over) -> None:
    """Tell of what goes wrong until it is over."""
    told = ""
    while not over.wait():
        state: EndpointState | None = target.state(endpoint)
        if state is None or not state.held:
            raise TargetUnavailable(
                f"{endpoint} is not served any more: its processes are gone",
                at="headway serve",
                remedy="serve it again; the logs beside its predictions may say why",
            )
        if state.detail not in ("", told):
            print(f"  {state.detail}", file=sys.stderr, flush=True)
        told = state.detail


def _row_schema(url: str) -> Row:
    """What its page tells of a row."""
    with urlopen(f"{url}/openapi.json", timeout=30) as response:  # noqa: S310 (our own server's)
        # Any: as in `Row`.
        schema: Row = msgspec.json.decode(response.read())["components"]["schemas"]["Row"]
    return schema


def _check_key(table: Table, schema: Row) -> None:
    columns = schema.get("required")
    sticky = table.sticky
    if sticky is not None and sticky.place == "field" and columns and sticky.name not in columns:
        raise UsageMistaken(
            f"{sticky.name} is no column of the model, so that rows with it would be refused",
            at="--sticky",
            remedy=f"send it in a header (--sticky header:{sticky.name}), or name one of: {', '.join(columns)}",
        )
