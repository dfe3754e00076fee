"""A run as it goes: a line an event where nobody watches live."""

import sys
from collections.abc import Mapping
from typing import Self


class Plain:
    """One line an event, to stderr, without escape codes."""

    def __init__(self, *, why: bool, quiet: bool) -> None:
        self._why = why
        self._quiet = quiet
        self._logs: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def _say(self, line: str) -> None:
        if not self._quiet:
            sys.stderr.write(line + "\n")

    def started(self, step_id: str, name: str, index: int, total: int, why: str) -> None:
        self._say(f"[{index}/{total}] {name}" + (f": {why}" if self._why else ""))

    def output_at(self, step_id: str, log_path: str) -> None:
        self._logs[step_id] = log_path

    def ended(self, step_id: str, outcome: str, seconds: float, note: str) -> None:
        self._say(f"  {outcome} {step_id} {seconds:.2f} s {note}")

    def reused(self, step_id: str, note: str) -> None:
        self._say(f"  reused {step_id} {note}")

    def skipped(self, step_id: str, why: str) -> None:
        self._say(f"  skipped {step_id} {why}")

    def tick(self, now: float) -> None:
        return


def choose(environ: Mapping[str, str], *, why: bool, quiet: bool) -> Plain:
    return Plain(why=why, quiet=quiet)
