"""Projects for tests of sharing: clones of one Git repository, the words typed in them, and what their folders hold."""

import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ENVIRON = {
    "PATH": os.environ.get("PATH", os.defpath),  # noqa: TID251 (where git is)
    "HOME": os.devnull,
    "USER": "ann",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
}
"""A user's environment: a tester's own settings of Git and Headway do not count."""


class Clone:
    """A working tree; `environ` is added to the user's."""

    def __init__(self, folder: Path, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environ = {**ENVIRON, **(environ or {})}

    def git(self, *words: str) -> str:
        """What Git says."""
        words = ("git", "-C", str(self.folder), *words)
        done = subprocess.run(words, capture_output=True, text=True, env=self.environ, check=False)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Headway at work, as in a terminal of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "headway", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.environ,
            start_new_session=True,
        )

    def headway(self, *words: str, expect: int = 0) -> str:
        """What Headway prints, on both ways."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=100)
        assert process.returncode == expect, (words, process.returncode, out, err)
        return out + err

    def commit(self, note: str) -> str:
        """A commit of all that Git does not pass over; its hash."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", note)
        return self.git("rev-parse", "HEAD")


def first(folder: Path, remote: str, environ: Mapping[str, str] | None = None) -> Clone:
    """A new repository whose headway.toml names the remote."""
    folder.mkdir()
    clone = Clone(folder, environ)
    clone.git("init", "-q", "-b", "main")
    (folder / "headway.toml").write_text(f'[remote]\nurl = "{remote}"\n')
    clone.commit("begin")
    return clone


def another(one: Clone, folder: Path) -> Clone:
    """A clone of it, in which nothing was pulled yet."""
    one.git("clone", "-q", str(one.folder), str(folder))
    return Clone(folder, one.environ)


def content(folder: Path) -> dict[str, tuple[str, bytes]]:
    """All that is in a folder: kinds (f, x, l, d) and bytes by path."""
    found: dict[str, tuple[str, bytes]] = {}
    for at, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(at, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                kind = "l", os.fsencode(os.readlink(path))
            elif stat.S_ISDIR(mode):
                kind = "d", b""
            else:
                kind = "x" if mode & 0o100 else "f", Path(path).read_bytes()
            found[os.path.relpath(path, folder)] = kind
    return found
