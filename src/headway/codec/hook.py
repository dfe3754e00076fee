"""What the body of a web hook says: the push payloads of GitHub, Gitea and GitLab, which are alike where it matters.

Fields that are not needed are passed over, so that a forge may add some. Who sent it is proven by `core/hook`.
"""

from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from headway.core.hook import Push
from headway.errors import UsageMistaken


class _Commit(Struct, frozen=True, kw_only=True):
    added: list[str] | None = None
    modified: list[str] | None = None
    removed: list[str] | None = None


class _Pusher(Struct, frozen=True, kw_only=True):
    name: str = ""
    login: str = ""
    username: str = ""


class _Payload(Struct, frozen=True, kw_only=True):
    """`total_commits` is Gitea's and `total_commits_count` GitLab's; GitHub names up to 2,048 commits and no number."""

    ref: str
    after: str = ""
    deleted: bool = False
    commits: list[_Commit] | None = None
    total_commits: int | None = None
    total_commits_count: int | None = None
    pusher: _Pusher | None = None
    user_username: str | None = None


_MOST_GITHUB = 2048


def pushed(body: bytes, content_type: str) -> Push:
    """What was pushed. Raises UsageMistaken when the body says nothing of the kind.

    >>> pushed(b'{"ref": "refs/heads/main", "after": "4fd1", "commits": []}', "application/json").commit
    '4fd1'
    """
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        # GitHub's other form; what is signed is the form, not the JSON in it.
        body = next(iter(parse_qs(body.decode("utf-8", "replace")).get("payload", [])), "").encode()
    try:
        said = msgspec.json.decode(body, type=_Payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise UsageMistaken(
            f"the body is no push: {e}",
            at="the hook's body",
            remedy="let the forge send pushes, as application/json",
        ) from e
    commits = said.commits or []
    total = said.total_commits if said.total_commits is not None else said.total_commits_count
    is_whole = len(commits) == total if total is not None else len(commits) < _MOST_GITHUB
    # A push without commits (a branch made of another) tells of no paths: it may have changed any.
    named = {path for one in commits for path in (*(one.added or ()), *(one.modified or ()), *(one.removed or ()))}
    pusher = said.pusher or _Pusher()
    return Push(
        ref=said.ref,
        commit=said.after,
        n_commits=len(commits) if total is None else total,
        paths=tuple(sorted(named)) if is_whole and commits else None,
        by=said.user_username or pusher.username or pusher.login or pusher.name,
        # Where a branch is no more, a forge names a commit of zeros.
        is_deleted=said.deleted or not said.after.strip("0"),
    )
