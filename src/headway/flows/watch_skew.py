"""Features of recorded requests made anew by the user's command, beside what was served: whether both are made alike.

The command is told by `HEADWAY_REQUESTS` which file holds the requests (CSV: `request_id`, `row`, `at` in UTC seconds,
and what was asked), and by `HEADWAY_FEATURES` where it is to write what it makes of them (CSV or Parquet). What cannot
be looked at is told and is no alarm. Neighbours: `core/watch_skew` judges, `tables/recomputed` compares.
"""

import contextlib
import os
import signal
import subprocess
import tempfile
from typing import TYPE_CHECKING

from headway.core.monitor_grammar import DAY_S, SkewPlan
from headway.core.watch_detail import Skewed
from headway.core.watch_skew import skewed
from headway.core.watch_spans import Span
from headway.errors import HeadwayError, SystemRefused
from headway.flows.commands import find
from headway.flows.delivery import Delivery

if TYPE_CHECKING:
    import polars as pl

REQUESTS, FEATURES = "HEADWAY_REQUESTS", "HEADWAY_FEATURES"

RECENT_S = 2 * DAY_S
"""Of windows that ended longer ago nothing is made anew: where many are judged at once, the newest tell enough."""

_SAID = 300
"""So many signs of what a command that failed printed last are told."""


class Skews:
    """What a monitor does to find out how features of one version are made. `note` says what could not be looked at."""

    __slots__ = ("_folder", "_plan", "_version", "_world", "note")

    def __init__(self, world: Delivery, plan: SkewPlan, folder: str, version: int) -> None:
        self._world = world
        self._plan = plan
        self._folder = folder
        self._version = version
        self.note = ""

    def look(self, span: Span, *, alpha: float) -> Skewed | None:
        """Features of a window's requests made anew and judged at that level; None where that cannot be."""
        from headway.tables import recomputed
        from headway.tables.labelled import Wanted

        self.note = ""
        if not span.n_rows or span.until < self._world.now() - RECENT_S - (span.until - span.since):
            return None
        wanted = Wanted(version=self._version, since=span.since, until=span.until)
        served = recomputed.sample(self._folder, wanted, self._plan.key, most=self._plan.rows)
        if not served.height:
            return None
        try:
            anew = self._made(served)
        except HeadwayError as e:
            self.note = f"skew was not looked at: {e.problem}; {e.remedy}"
            return None
        found = recomputed.compared(served, anew, self._plan.key, self._plan.columns)
        if found is None or not found.n_rows:
            self.note = self._nothing_alike(anew, has_rows=found is not None)
            return None
        return skewed(
            found.columns,
            n_rows=found.n_rows,
            n_asked=served.height,
            tolerate=self._plan.tolerate,
            alpha=alpha,
        )

    def _made(self, served: "pl.DataFrame") -> "pl.DataFrame":
        """What the command makes of these requests. Raises SystemRefused, TableUnreadable."""
        from headway.tables import recomputed

        with tempfile.TemporaryDirectory(prefix="headway-skew-") as scratch:
            asked, features = os.path.join(scratch, "requests.csv"), os.path.join(scratch, "features")
            served.write_csv(asked)
            self._run({REQUESTS: asked, FEATURES: features})
            try:
                with open(features, "rb") as file:
                    data = file.read()
            except FileNotFoundError as e:
                raise SystemRefused(
                    f"`{self._plan.run}` wrote no features",
                    at="monitors: skew",
                    remedy=f"let it write a table to the path that ${FEATURES} holds",
                ) from e
        return recomputed.made(data, served, f"what `{self._plan.run}` wrote")

    def _run(self, told: dict[str, str]) -> None:
        """Run the command in the project's folder, with all that it starts. Raises SystemRefused."""
        environ = {**self._world.environ, **told}
        bash = find("bash", environ)
        shell = (bash, "-eo", "pipefail") if bash else ("/bin/sh", "-e")
        # A file, no pipe: what the command leaves running behind it may keep it open.
        with tempfile.TemporaryFile() as printed:
            process = subprocess.Popen(
                [*shell, "-c", "--", self._plan.run],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                cwd=os.path.dirname(self._world.home),
                env=environ,
                start_new_session=True,
            )
            how = self._end_of(process)
            if not how:
                return
            printed.seek(max(printed.seek(0, os.SEEK_END) - _SAID, 0))
            last = printed.read().decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SystemRefused(
            f"`{self._plan.run}` {how}{f': {last}' if last else ''}",
            at="monitors: skew",
            remedy="it runs in the project's folder, as a step does",
        )

    def _end_of(self, process: "subprocess.Popen[bytes]") -> str:
        """How it ended, in words; empty when all went well."""
        with process:
            try:
                code = process.wait(self._plan.timeout_s)
            except subprocess.TimeoutExpired:
                _end_all(process.pid)
                return f"took longer than {self._plan.timeout_s:g} s and was ended"
            except BaseException:
                _end_all(process.pid)
                raise
        if code < 0:
            return f"was killed by signal {-code}"
        return f"ended with exit code {code}" if code else ""

    def _nothing_alike(self, anew: "pl.DataFrame", *, has_rows: bool) -> str:
        if has_rows:
            return f"skew was not looked at: no row that `{self._plan.run}` wrote has a {self._plan.key} of a request"
        names = ", ".join(anew.columns[:5])
        return (
            f"skew was not looked at: what `{self._plan.run}` wrote ({names}) needs the column {self._plan.key} and a "
            f"column that was served"
        )


def _end_all(group: int) -> None:
    # It may have ended just now.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
