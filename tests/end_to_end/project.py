"""A user's project for end-to-end tests: real files in a folder, the real command line in processes of its own."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from headway.backends.blobs_file.collect import rewrite
from headway.backends.blobs_file.folder import Folder
from headway.backends.blobs_file.index import Index
from headway.core.ids import Digest

HEADWAY = (sys.executable, "-m", "headway")

LONGEST_COMPLAINT = 6
"""Lines that one mistake may take on stderr."""

_OURS = ("HEADWAY_", "PYTEST_", "GIT_")


def environ(**more: str) -> dict[str, str]:
    """The environment of a user's shell: this one without what tests or an outer run put there; our `python` first."""
    ours = dict(os.environ)  # noqa: TID251 (what children inherit)
    clean = {name: value for name, value in ours.items() if not name.startswith(_OURS)}
    return {**clean, "PATH": f"{os.path.dirname(sys.executable)}:{ours['PATH']}", "NO_COLOR": "1", **more}


class Ended:
    """What a command left: exit code, output, errors. No command may end with a traceback or a fault of our own."""

    def __init__(self, words: tuple[str, ...], code: int, out: str, err: str) -> None:
        self.words = words
        self.code = code
        self.out = out
        self.err = err
        assert "Traceback" not in err.replace("for the traceback", ""), err
        assert "fault in headway itself" not in err, err

    # Any: whatever JSON the command printed.
    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)

    def __repr__(self) -> str:
        return f"{' '.join(self.words)} -> {self.code}\n{self.out}{self.err}"


class Project:
    """One folder with a pipeline. Calling it runs a `headway` command there."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = folder / ".headway"

    # --- files ------------------------------------------------------------------------------------------------------

    def write(self, name: str, text: str, *, executable: bool = False) -> Path:
        """Write a file of the project; its text may be indented as a whole."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"))
        if executable:
            path.chmod(0o755)
        return path

    def pipeline(self, text: str) -> None:
        """Write pipeline.yaml."""
        self.write("pipeline.yaml", text)

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.folder / name).read_text()

    def ledger(self) -> list[str]:
        """The words in the file `ledger`, where steps of tests leave a line each time they really run."""
        path = self.folder / "ledger"
        return path.read_text().split() if path.exists() else []

    # --- commands ---------------------------------------------------------------------------------------------------

    def __call__(self, *words: str, expect: int | None = 0, env: dict[str, str] | None = None) -> Ended:
        """Run `headway` with these words to its end; fails unless the exit code is `expect` (None: any)."""
        done = subprocess.run(
            [*HEADWAY, *words],
            cwd=self.folder,
            env=environ(**(env or {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        ended = Ended(words, done.returncode, done.stdout, done.stderr)
        assert expect is None or ended.code == expect, ended
        return ended

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start `headway` and leave it running, in a session of its own as in a terminal of its own."""
        return subprocess.Popen(
            [*HEADWAY, *words],
            cwd=self.folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    # --- looking in -------------------------------------------------------------------------------------------------

    def states(self, run: str = "latest") -> dict[str, str]:
        """How each step of a run ended."""
        return {step: view["state"] for step, view in self.shown(run)["steps"].items()}

    # Any: the document of `headway show --json`.
    def shown(self, run: str = "latest") -> Any:
        """A run as `headway show --json` tells it."""
        return self("show", run, "--json").json

    def plan(self, *words: str) -> dict[str, tuple[str, str]]:
        """By step: what `headway plan` says would happen, and why."""
        steps = self("plan", "--json", *words).json["steps"]
        return {one["step"]: (one["action"], one["why"]) for one in steps}

    # Any: facts as they lie in the log.
    def facts(self) -> list[dict[str, Any]]:
        """Every fact of the log, read with nothing of headway's."""
        with closing(sqlite3.connect(self.home / "log.sqlite")) as connection, connection:
            rows = connection.execute("select seq, stream, body from facts order by seq").fetchall()
        return [{"seq": seq, "stream": stream, **json.loads(body)} for seq, stream, body in rows]

    def blob(self, digest: str) -> Path:
        """Where the store keeps a blob."""
        return self.home / "blobs" / digest[:2] / digest

    def lose(self, digest: str) -> None:
        """Take a blob out of the pack it lies in, as if it had never been stored."""
        folder = Folder(str(self.home / "blobs"))
        found = folder.index.find(Digest(digest))
        assert found is not None
        rewrite(folder, os.path.basename(found[0]), lambda place: place.digest != digest)

    def damage(self, digest: str) -> None:
        """Change a byte of a blob in the pack it lies in."""
        found = Index(str(self.home / "blobs")).find(Digest(digest))
        assert found is not None
        path, place = found
        os.chmod(path, 0o644)
        with open(path, "r+b") as file:
            file.seek(place.offset)
            byte = file.read(1)[0]
            file.seek(place.offset)
            file.write(bytes([byte ^ 1]))

    def is_usable(self) -> None:
        """The project can go on: the log is whole, and the next run passes when its cause of trouble is gone."""
        if (self.home / "log.sqlite").exists():
            self("audit")
        self("run")
        self("audit")


def complaint(ended: Ended) -> list[str]:
    """The lines of the one mistake that a command complained of: few, with problem, place and remedy."""
    lines = ended.err.splitlines()
    assert 0 < len(lines) <= LONGEST_COMPLAINT, ended
    assert lines[0].startswith("headway: "), ended
    assert lines[1].startswith("  at: "), ended
    assert lines[2].startswith("  do: "), ended
    return lines


def eventually_file(path: Path, *, within_s: float = 60.0) -> str:
    """Wait for a file to be there and not empty; its text."""
    give_up_at = time.monotonic() + within_s
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < give_up_at, f"{path} did not appear within {within_s} s"
        time.sleep(0.01)
    return path.read_text()


def finish(process: subprocess.Popen[bytes], *, within_s: float = 60.0) -> Ended:
    """Wait for a command that was started; kill it when it takes too long."""
    try:
        out, err = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"it did not end within {within_s} s:\n{out!r}{err!r}") from None
    return Ended(("headway",), process.returncode, out.decode(), err.decode())
