"""Who sent a web hook, and whether a push is meant: headers and a secret in, a sender or nothing out.

GitHub, Gitea (and Forgejo) sign the body with HMAC-SHA256, GitLab sends the secret itself, everybody else sends it as a
bearer token or signs as GitHub does. What a body says is read by `codec/hook`.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from msgspec import Struct

from headway.core.pattern import matcher

BRANCH, TAG = "refs/heads/", "refs/tags/"


class Sender(Struct, frozen=True, kw_only=True):
    """Who sent a hook, as its signature or secret proved.

    `forge` is github, gitea or gitlab; empty for anybody else. `event` is what the forge calls it (`push`, `ping`).
    `key` is the same when the same is delivered again; empty when the sender did not say.
    """

    forge: str
    event: str
    key: str


class Push(Struct, frozen=True, kw_only=True):
    """What a forge says was pushed. `paths` are what the commits changed; None: the forge did not name them all."""

    ref: str
    commit: str
    n_commits: int = 0
    paths: tuple[str, ...] | None = None
    by: str = ""
    is_deleted: bool = False


class Wanted(Struct, frozen=True, kw_only=True):
    """Which pushes a trigger asks for, as it is written: globs, all of them possibly empty."""

    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def sender(headers: Mapping[str, str], body: bytes, secret: str) -> Sender | None:
    """Who sent this, if whoever it was knows the secret; None otherwise. Names of headers in small letters.

    The time it takes tells nothing of the secret. A body that was signed is known again by itself, since the name that
    a forge gives to a delivery is not under the signature.

    >>> signed = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    >>> sender({"x-hub-signature-256": signed}, b"Hello, World!", "It's a Secret to Everybody").forge
    'github'
    """
    if not secret:
        return None
    key = hashlib.sha256(body).hexdigest()
    # Gitea sends what GitHub would send as well, so that it is asked for first.
    if "x-gitea-signature" in headers:
        known = _is_signed(headers["x-gitea-signature"], body, secret)
        return Sender(forge="gitea", event=headers.get("x-gitea-event", ""), key=key) if known else None
    if "x-hub-signature-256" in headers:
        kind, _, signature = headers["x-hub-signature-256"].partition("=")
        known = kind == "sha256" and _is_signed(signature, body, secret)
        return Sender(forge="github", event=headers.get("x-github-event", ""), key=key) if known else None
    if "x-gitlab-token" in headers:
        known = _is_same(headers["x-gitlab-token"], secret)
        delivery = headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid") or key
        return (
            Sender(forge="gitlab", event=_GITLAB.get(headers.get("x-gitlab-event", ""), ""), key=delivery)
            if known
            else None
        )
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and _is_same(token.strip(), secret):
        return Sender(forge="", event="", key=headers.get("idempotency-key", ""))
    return None


_GITLAB = {"Push Hook": "push", "Tag Push Hook": "push", "System Hook": ""}


def _is_signed(signature: str, body: bytes, secret: str) -> bool:
    return _is_same(signature.strip().lower(), hmac.new(secret.encode(), body, hashlib.sha256).hexdigest())


def _is_same(given: str, known: str) -> bool:
    # Of bytes: of texts that are not ASCII it takes none.
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), known.encode("utf-8", "surrogateescape"))


def is_wanted(push: Push, wanted: Wanted) -> bool:
    """Whether a trigger asks for this push: commits of one of its branches (or any), or a tag that it names.

    >>> push = Push(ref="refs/heads/main", commit="4fd1", paths=("notes/a.md",))
    >>> [is_wanted(push, Wanted(branches=("ma*",))), is_wanted(push, Wanted(paths=("src/**",)))]
    [True, False]
    """
    if push.is_deleted:
        return False
    if push.ref.startswith(TAG):
        return _answers(push.ref.removeprefix(TAG), wanted.tags)
    if not push.ref.startswith(BRANCH):
        return False
    if wanted.branches and not _answers(push.ref.removeprefix(BRANCH), wanted.branches):
        return False
    return not wanted.paths or push.paths is None or any(_answers(path, wanted.paths) for path in push.paths)


def _answers(name: str, patterns: Sequence[str]) -> bool:
    return any(matcher(pattern)(name) for pattern in patterns)
