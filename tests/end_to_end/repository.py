"""A user's project in a real Git repository, for end-to-end tests of what belongs to a commit."""

import os
import subprocess
from pathlib import Path

from end_to_end.project import Project, environ
from headway.testing.folders import Content, read_folder, write_folder


class Repository(Project):
    """A project in a repository of its own, on the branch `main`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.git("init", "-q", "-b", "main")

    def git(self, *words: str, expect: int = 0) -> str:
        """Run Git here; what it printed."""
        identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(
            ["git", *identity, *words], cwd=self.folder, env=environ(), capture_output=True, text=True, check=False
        )
        assert done.returncode == expect, (words, done.stdout, done.stderr)
        return done.stdout

    def commit(self, message: str = "more") -> str:
        """Commit all that Git does not pass over; the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def put(self, name: str, content: bytes | Content) -> None:
        """Let a path of the project hold these bytes, or this folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            write_folder(os.fspath(path), content)

    def holds(self, name: str) -> bytes | Content | None:
        """What a path of the project holds; None when there is nothing."""
        path = self.folder / name
        if path.is_dir():
            return read_folder(os.fspath(path))
        return path.read_bytes() if os.path.lexists(path) else None
