"""A project's repository as pushes are noticed in it: what is checked out, what a remote has, and taking that.

Neighbour: `flows/git` only asks. Here the branch that is checked out may be moved on, and only so that nothing is lost:
where the tree has changes or the branch has commits of its own, it is left alone. Knows no event.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence

from msgspec import Struct

from headway.core.redact import redacted
from headway.errors import HeadwayError, SourceRefused, SourceUnreachable

LOCK = "headway.lock"
"""What every run writes: a difference of it alone is no change of the tree."""

ASK_S = 60.0
FETCH_S = 900.0
"""A remote is given so long to answer, and to hand over what is new."""

_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "SSH_ASKPASS_REQUIRE": "never",
    "LC_ALL": "C",
}
"""Nobody is there to type a password, and what Git says is read."""

_SLOW = ("-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30")
_PASSWORD = re.compile(r"//[^/@\s]*@")
_REFUSED = ("authentication failed", "permission denied", "could not read username", "repository not found", "denied")


class Head(Struct, frozen=True, kw_only=True):
    """What is checked out: a branch (HEAD when it is none) and its commit, empty when there is none yet."""

    branch: str
    commit: str


class Said(Struct, frozen=True, kw_only=True):
    """What Git answered, and what it complained of."""

    code: int
    out: str
    err: str

    @property
    def why(self) -> str:
        """The line of its complaint that says why."""
        lines = [line for line in self.err.strip().splitlines() if not line.startswith("hint:")]
        fatal = [line.partition(": ")[2] for line in lines if line.startswith(("fatal:", "error:"))]
        return _PASSWORD.sub("//***@", (fatal or lines or ["it does not say why"])[0])


class Repository:
    """The repository around a folder; `environ` is the user's."""

    __slots__ = ("_common", "_environ", "_git", "folder")

    def __init__(self, folder: str, environ: Mapping[str, str]) -> None:
        self.folder = folder
        ssh = environ.get("GIT_SSH_COMMAND") or "ssh -oBatchMode=yes -oConnectTimeout=20"
        self._environ = {**environ, **_QUIET, "GIT_SSH_COMMAND": ssh}
        told = self.ask("rev-parse", "--absolute-git-dir", "--git-common-dir")
        places = told.out.splitlines() if told.code == 0 else []
        self._git, self._common = (os.path.join(folder, place) for place in places) if len(places) == 2 else ("", "")

    @property
    def is_there(self) -> bool:
        """Whether the folder lies in a repository, and there is Git."""
        return bool(self._git)

    # --- here ---------------------------------------------------------------------------------------------------

    def mark(self, branch: str) -> tuple[object, ...]:
        """What is another when something else is checked out, or the branch moved, or tags came; no Git is asked."""
        ref = f"refs/heads/{branch}"
        places = (f"{self._git}/HEAD", f"{self._common}/{ref}", f"{self._common}/packed-refs")
        tags = (f"{self._common}/refs/tags", f"{self._common}/reftable/tables.list")
        return tuple(map(_look, (*places, *tags)))

    def head(self) -> Head:
        """What is checked out."""
        branch = self.ask("symbolic-ref", "--quiet", "HEAD").out.strip().removeprefix("refs/heads/") or "HEAD"
        commit = self.ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return Head(branch=branch, commit=commit.out.strip() if commit.code == 0 else "")

    def tags(self) -> list[tuple[str, str]]:
        """All tags with the commits they name, the newest last."""
        form = "%(refname:strip=2) %(objectname) %(*objectname)"
        told = self.ask("for-each-ref", "--sort=creatordate", f"--format={form}", "refs/tags").out
        return [(words[0], words[-1]) for line in told.splitlines() if (words := line.split())]

    def changed(self, before: str, after: str) -> list[str] | None:
        """The paths that differ between two commits, as the project has them; None when `before` is gone."""
        told = self.ask("diff", "--name-only", "-z", "--no-renames", "--relative", before, after, "--", ".")
        return [path for path in told.out.split("\0") if path] if told.code == 0 else None

    def n_new(self, before: str, after: str) -> int | None:
        """How many commits came on top of `before`; None when `after` does not stand on it."""
        if not self.is_on(before, after):
            return None
        return int(self.ask("rev-list", "--count", f"{before}..{after}").out or 0)

    def subject(self, commit: str) -> tuple[str, str]:
        """The first line of a commit's message, and who wrote it."""
        told = self.ask("show", "--no-patch", "--format=%s%x00%an", commit).out.strip()
        subject, _, author = told.partition("\0")
        return subject, author

    def is_on(self, before: str, after: str) -> bool:
        """Whether `after` holds `before`; not, when one of them is not here."""
        return self.ask("merge-base", "--is-ancestor", before, after).code == 0

    def has(self, commit: str) -> bool:
        """Whether a commit is here."""
        return self.ask("cat-file", "-e", f"{commit}^{{commit}}").code == 0

    def is_dirty(self) -> bool:
        """Whether a tracked file differs from the commit, but for the lock."""
        told = self.ask("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames").out
        return any(os.path.basename(line[3:]) != LOCK for line in told.split("\0") if line)

    # --- a remote -----------------------------------------------------------------------------------------------

    def remote_url(self, remote: str) -> str:
        """The address of a remote, without its password; empty when there is no such remote."""
        return redacted(self.ask("remote", "get-url", remote).out.strip())

    def upstream(self, remote: str, branch: str) -> str:
        """The branch of a remote that a branch follows: what Git was told, else the one of its name."""
        of = self.ask("config", "--get", f"branch.{branch}.remote").out.strip()
        told = self.ask("config", "--get", f"branch.{branch}.merge").out.strip()
        return told.removeprefix("refs/heads/") if told and of == remote else branch

    def there(self, remote: str, branch: str) -> str:
        """The commit of a remote's branch; empty when it has none. Raises SourceUnreachable, SourceRefused."""
        told = self._remote(remote, "ls-remote", "--heads", remote, f"refs/heads/{branch}", within_s=ASK_S)
        return told.out.partition("\t")[0].strip()

    def fetch(self, remote: str, branch: str, *, tags: bool) -> None:
        """Bring a remote's branch here, as the branch that follows it. Raises as `there`."""
        spec = f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}"
        words = ("--tags", "--force") if tags else ()
        self._remote(remote, "fetch", "--quiet", *words, remote, spec, within_s=FETCH_S)

    def take(self, head: Head, remote: str, branch: str, commit: str) -> str:
        """Move the branch that is checked out on to a commit of the remote; why not, or empty. Fetch it first.

        Also where the remote's branch was pushed over by force, as long as all that is here came from there.
        """
        where = f"{remote}/{branch}"
        if self.is_dirty():
            return f"{where} is ahead, and files here have changes: commit them, or put them aside (git stash)"
        if self.is_on(head.commit, commit):
            words = ("merge", "--ff-only", "--quiet", commit)
        elif self.ask("merge-base", "--fork-point", f"refs/remotes/{where}", "HEAD").out.strip() == head.commit:
            words = ("reset", "--keep", "--quiet", commit)
        else:
            return f"{head.branch} has commits of its own, and {where} others: bring them together (git pull --rebase)"
        told = self.ask(*words)
        if told.code == 0:
            return ""
        if LOCK in told.err:
            return f"{where} has another {LOCK}: commit the one that is here, or let it go (git checkout {LOCK})"
        return f"{where} is ahead, and Git does not take it: {told.why}"

    def _remote(self, remote: str, *words: str, within_s: float) -> Said:
        told = self.ask(*_SLOW, *words, within_s=within_s)
        if told.code == 0:
            return told
        at = self.remote_url(remote) or remote
        what = f"the remote {remote} does not answer: {told.why}"
        error: type[HeadwayError] = SourceUnreachable
        if any(sign in told.err.lower() for sign in _REFUSED):
            error, what = SourceRefused, f"the remote {remote} does not let you in: {told.why}"
        raise error(what, at=at, remedy=f"see that `git fetch {remote}` works here without a question")

    def ask(self, *words: str, within_s: float = ASK_S) -> Said:
        """What Git answers to a question. One that takes too long is ended with all that it started."""
        argv = ("git", "-C", self.folder, *words)
        try:
            process = subprocess.Popen(
                argv,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            return Said(code=127, out="", err="fatal: there is no git here")
        with process:
            try:
                out, err = process.communicate(timeout=within_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                return Said(code=124, out="", err=f"fatal: no answer within {within_s:g} s")
        return Said(code=process.returncode, out=os.fsdecode(out), err=err.decode("utf-8", "replace"))


def _look(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def fits(name: str, patterns: Sequence[str]) -> bool:
    """Whether a branch, tag or path answers to one of these globs.

    >>> fits("main", ["main"]), fits("release/2", ["release/*"]), fits("src/a/b.py", ["src/**"]), fits("a", [])
    (True, True, True, False)
    """
    from headway.core.pattern import matcher

    return any(matcher(pattern)(name) for pattern in patterns)
