"""What Git knows: which paths it tracks, what headway.lock says in other commits. Git is asked, never told anything.

`flows/surroundings` asks of a run's own commit. A project may lie below the top of its repository, or in none.
"""

import os
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from headway.errors import NameUnknown

_AT_ONCE = 1000
"""Paths in one question: a command line has an end."""

RECENT = 1000
"""Commits that changed headway.lock and whose locks are looked at, the newest first: some years of a busy project."""


class Held(Struct, frozen=True, kw_only=True):
    """A file as some commit has it: `refs` are the branches, tags and other names that stand on it, maybe none."""

    data: bytes
    commits: tuple[str, ...]
    refs: tuple[str, ...] = ()


def in_repository(folder: str) -> bool:
    """Whether a folder lies in a working tree of Git, judged by the file system alone."""
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above
    return True


def tracked(folder: str, paths: Sequence[str]) -> set[str] | None:
    """The files that Git tracks at or below these paths of `folder`; None when there is no Git that could tell."""
    if not in_repository(folder):
        return None
    found: set[str] = set()
    for start in range(0, len(paths), _AT_ONCE):
        told = _ask(folder, "--literal-pathspecs", "ls-files", "-z", "--", *paths[start : start + _AT_ONCE])
        if told is None:
            return None
        found.update(os.fsdecode(name) for name in told.split(b"\0") if name)
    return found


def is_ignored(folder: str, path: str) -> bool:
    """Whether Git passes over an untracked path."""
    return in_repository(folder) and _ask(folder, "check-ignore", "-q", "--", path) is not None


def commit(folder: str, name: str) -> str | None:
    """The commit that a name means (a branch, a tag, `HEAD~1`, a hash); None when it means none."""
    if not in_repository(folder):
        return None
    told = _ask(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return told.decode().strip() if told else None


def branch(folder: str) -> str | None:
    """The branch that is checked out; None without a repository, and where no branch is."""
    told = _ask(folder, "symbolic-ref", "--quiet", "--short", "HEAD") if in_repository(folder) else None
    return told.decode("utf-8", "replace").strip() if told else None


def file_at(folder: str, name: str, path: str) -> bytes | None:
    """A file of `folder` as a commit has it; None when it has none. Raises NameUnknown when there is no such commit."""
    found = commit(folder, name)
    if found is None:
        raise NameUnknown(f"Git knows no commit {name!r}", at=name, remedy="name a commit, a branch or a tag")
    return _ask(folder, "cat-file", "blob", f"{found}:./{path}")


def difference(folder: str, a: str, b: str, *, full: bool) -> str | None:
    """What differs below `folder` between two commits: a line for each file, or with `full` each line of text.

    headway.lock is left out, which every run writes. None when Git has not both.
    """
    before, after = commit(folder, a), commit(folder, b)
    if before is None or after is None:
        return None
    words = ("--no-ext-diff", "--no-color", *(() if full else ("--stat=100",)))
    told = _ask(folder, "diff", "--relative", *words, before, after, "--", ".", ":(exclude)headway.lock")
    return None if told is None else told.decode("utf-8", "replace").rstrip("\n")


def held(folder: str, path: str, *, recent: int = RECENT) -> list[Held]:
    """All that a file was: in the index, on every ref (stashes too), and in commits of late, also abandoned ones.

    Each content once; those that a ref or the index has come first.
    """
    told = _ask(folder, "for-each-ref", "--format=%(refname)") if in_repository(folder) else None
    if told is None:
        return []
    named = [*told.decode().split(), "HEAD"]
    stashed = (_ask(folder, "rev-list", "--walk-reflogs", "refs/stash") or b"").decode().split()
    past = ("rev-list", "--all", "--reflog", "--full-history", f"--max-count={recent}", "--", path)
    commits = (_ask(folder, *past) or b"").decode().split()
    # Nothing before the colon: what would be committed now.
    on_refs = [*named, "", *stashed]
    found: dict[bytes, tuple[list[str], list[str]]] = {}
    contents = _contents(folder, [f"{name}:./{path}" for name in (*on_refs, *commits)])
    for i, (name, data) in enumerate(zip((*on_refs, *commits), contents, strict=True)):
        if data is not None:
            found.setdefault(data, ([], []))[i >= len(on_refs)].append(name or "the index")
    return [Held(data=data, refs=tuple(refs), commits=tuple(past)) for data, (refs, past) in found.items()]


def _contents(folder: str, names: Iterable[str]) -> Iterator[bytes | None]:
    """The files of these names, `<commit>:./<path>`, all from one process."""
    import subprocess

    names = list(names)
    done = subprocess.run(
        ("git", "-C", folder, "cat-file", "--batch"),  # noqa: S607 (the git of PATH)
        input="".join(f"{name}\n" for name in names).encode(),
        capture_output=True,
        check=False,
    )
    told, at = done.stdout, 0
    for _ in names:
        end = told.find(b"\n", at)
        head = told[at:end].rsplit(b" ", 2)
        at = end + 1
        if len(head) != 3 or head[1] != b"blob":
            yield None
            continue
        size = int(head[2])
        yield told[at : at + size]
        at += size + 1


def _ask(folder: str, *words: str) -> bytes | None:
    """What Git answers; None when it says no, or is not there."""
    import subprocess

    try:
        done = subprocess.run(("git", "-C", folder, *words), capture_output=True, check=False)  # noqa: S607 (as above)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
