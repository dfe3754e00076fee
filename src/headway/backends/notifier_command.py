"""Notices by a command of the user's own: it finds the notice as JSON on its stdin, and its words in its environment.

Nothing of a notice is pasted into the command. Neighbours: `notifier_webhook`, `notifier_smtp`.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping
from tempfile import TemporaryFile

import msgspec

from headway.codec import notices
from headway.core.courier import Receipt
from headway.core.notice import Notice
from headway.core.notifier import Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier

LONGEST_S = 30.0
"""A command that takes longer is ended, with all that it started."""

SAID_BYTES = 300
"""So much of the end of what it printed is told."""


class CommandNotifier:
    """A command, run by the shell in the project's folder."""

    __slots__ = ("_command", "_environ", "_folder", "_links", "_project")

    def __init__(self, command: str, ready: Ready, environ: Mapping[str, str]) -> None:
        self._command = command
        self._links = ready.links
        self._project = ready.project
        self._folder = ready.folder or None
        self._environ = environ

    def send(self, notice: Notice) -> Receipt:
        """Run it; exit code 0: it was told. See `Notifier`."""
        said = {
            "HEADWAY_NOTICE_KEY": notice.key,
            "HEADWAY_NOTICE_TOPIC": notice.topic,
            "HEADWAY_NOTICE_ABOUT": notice.about,
            "HEADWAY_NOTICE_TITLE": notice.title,
            "HEADWAY_NOTICE_TEXT": notice.text,
            "HEADWAY_NOTICE_COMMAND": notice.command,
            "HEADWAY_NOTICE_LINK": notices.linked(notice, self._links),
        }
        # What no variable can hold is left out of it.
        environ = {**self._environ, **{name: value.replace("\0", "") for name, value in said.items()}}
        data = notices.body(notice, "json", project=self._project, links=self._links)
        # Files, no pipes: what the command leaves running behind it may keep them open.
        with TemporaryFile() as given, TemporaryFile() as printed:
            given.write(data)
            given.seek(0)
            try:
                process = subprocess.Popen(
                    ["/bin/sh", "-c", self._command],
                    stdin=given,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=environ,
                    start_new_session=True,
                )
            except OSError as e:
                return Receipt(why=f"the command cannot be started: {e.strerror or e}")
            how = _end_of(process)
            if not how:
                return Receipt()
            printed.seek(max(printed.seek(0, os.SEEK_END) - SAID_BYTES, 0))
            words = notices.line(printed.read().decode("utf-8", "replace"))
        return Receipt(why=f"the command {how}" + (f": {words}" if words else ""))


_: type[Notifier] = CommandNotifier


def _end_of(process: subprocess.Popen[bytes]) -> str:
    """How it ended, in words; empty when all went well."""
    with process:
        try:
            code = process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            _end_all(process.pid)
            return f"took longer than {LONGEST_S:g} s and was ended"
        except BaseException:
            _end_all(process.pid)
            raise
    if code < 0:
        return f"was killed by signal {-code}"
    return f"ended with exit code {code}" if code else ""


def _end_all(group: int) -> None:
    # It may have ended just now.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def connect(url: str, environ: Mapping[str, str]) -> CommandNotifier:
    """The command of `command:WORDS`; nothing is started yet. Raises UsageMistaken.

    `NOTIFIER` has a `Ready` as JSON; the rest is what the command inherits.
    """
    command = url.partition(":")[2].strip()
    ready = msgspec.json.decode(environ["NOTIFIER"], type=Ready)
    if not command:
        raise UsageMistaken(
            "there is no command",
            at=f"headway.toml: notify.{ready.written.called}",
            remedy='write `to = "notify-send \\"$HEADWAY_NOTICE_TITLE\\""`, or whatever tells you',
        )
    inherited = {name: value for name, value in environ.items() if name != "NOTIFIER"}
    return CommandNotifier(command, ready, inherited)
