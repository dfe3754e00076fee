"""Who sent a hook: the vectors that the forges document, and everything that must not pass."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.hook import Push, Sender, Wanted, is_wanted, sender
from tries import tries

# GitHub, "Validating webhook deliveries", section "Testing the webhook payload validation".
SECRET, BODY = "It's a Secret to Everybody", b"Hello, World!"
SIGNATURE = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_own_example_is_from_github() -> None:
    headers = {"x-hub-signature-256": f"sha256={SIGNATURE}", "x-github-event": "push", "x-github-delivery": "72d3162e"}
    found = sender(headers, BODY, SECRET)
    assert found == Sender(forge="github", event="push", key=hashlib.sha256(BODY).hexdigest())


def test_gitea_signs_the_same_without_a_prefix_and_is_told_from_github_whose_headers_it_sends_too() -> None:
    headers = {
        "x-gitea-signature": SIGNATURE,
        "x-gitea-event": "push",
        "x-hub-signature-256": f"sha256={SIGNATURE}",
        "x-github-event": "push",
    }
    found = sender(headers, BODY, SECRET)
    assert found is not None
    assert (found.forge, found.event) == ("gitea", "push")


def test_gitlab_sends_the_secret_itself_and_names_a_delivery_again() -> None:
    headers = {"x-gitlab-token": SECRET, "x-gitlab-event": "Push Hook", "idempotency-key": "f5e5f430"}
    assert sender(headers, BODY, SECRET) == Sender(forge="gitlab", event="push", key="f5e5f430")


def test_anybody_may_send_a_bearer_token() -> None:
    assert sender({"authorization": f"Bearer {SECRET}"}, b"", SECRET) == Sender(forge="", event="", key="")
    assert sender({"authorization": f"bearer {SECRET}", "idempotency-key": "7"}, b"", SECRET) == Sender(
        forge="", event="", key="7"
    )


WRONG: dict[str, dict[str, str]] = {
    "nothing": {},
    "empty-signature": {"x-hub-signature-256": ""},
    "no-prefix": {"x-hub-signature-256": SIGNATURE},
    "sha1": {"x-hub-signature-256": "sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()},
    "old-header": {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), BODY, "sha1").hexdigest()},
    "another-secret": {"x-hub-signature-256": "sha256=" + hmac.new(b"other", BODY, "sha256").hexdigest()},
    "another-body": {"x-hub-signature-256": "sha256=" + hmac.new(SECRET.encode(), b"Bye", "sha256").hexdigest()},
    "part-of-it": {"x-gitea-signature": SIGNATURE[:-1]},
    "prefix-at-gitea": {"x-gitea-signature": f"sha256={SIGNATURE}"},
    "wrong-token": {"x-gitlab-token": "letmein"},
    "empty-token": {"x-gitlab-token": ""},
    "basic": {"authorization": f"Basic {SECRET}"},
    "bearer-of-nothing": {"authorization": "Bearer "},
    "no-text": {"authorization": "Bearer \udcff\udcfe"},
    # Whoever sends a wrong signature is not asked for another proof.
    "wrong-signature-right-token": {"x-hub-signature-256": "sha256=00", "authorization": f"Bearer {SECRET}"},
}


@pytest.mark.parametrize("headers", WRONG.values(), ids=WRONG.keys())
def test_nobody_else_passes(headers: dict[str, str]) -> None:
    assert sender(headers, BODY, SECRET) is None


@pytest.mark.parametrize("headers", [{"authorization": "Bearer "}, {"x-gitlab-token": ""}], ids=["bearer", "gitlab"])
def test_an_empty_secret_is_known_to_nobody(headers: dict[str, str]) -> None:
    assert sender(headers, b"", "") is None
    assert sender({"x-gitea-signature": hmac.new(b"", b"", "sha256").hexdigest()}, b"", "") is None


@settings(max_examples=tries(30))
@given(st.binary(max_size=64), st.text(min_size=1, max_size=20), st.binary(max_size=64))
def test_a_signature_is_good_for_its_body_alone(body: bytes, secret: str, other: bytes) -> None:
    secret = secret.encode("utf-8", "ignore").decode() or "s"
    headers = {"x-gitea-signature": hmac.new(secret.encode(), body, "sha256").hexdigest()}
    assert sender(headers, body, secret) is not None
    assert (sender(headers, other, secret) is not None) == (other == body)


MAIN = Push(ref="refs/heads/main", commit="4fd1", paths=("docs/a.md", "src/b/c.py"))
TAG = Push(ref="refs/tags/v1.2", commit="4fd1")

CASES = {
    "any-branch": (MAIN, Wanted(), True),
    "this-branch": (MAIN, Wanted(branches=("main",)), True),
    "glob": (Push(ref="refs/heads/release/1", commit="a"), Wanted(branches=("release/*",)), True),
    "another-branch": (MAIN, Wanted(branches=("dev",)), False),
    "a-path": (MAIN, Wanted(paths=("src/**",)), True),
    "no-such-path": (MAIN, Wanted(paths=("models/**",)), False),
    "branch-and-no-path": (MAIN, Wanted(branches=("main",), paths=("models/**",)), False),
    "paths-not-known": (Push(ref="refs/heads/main", commit="a"), Wanted(paths=("models/**",)), True),
    "a-tag-nobody-asked-for": (TAG, Wanted(), False),
    "a-tag": (TAG, Wanted(tags=("v*",)), True),
    "another-tag": (TAG, Wanted(tags=("r*",)), False),
    "a-branch-beside-tags": (MAIN, Wanted(tags=("v*",)), True),
    "gone": (Push(ref="refs/heads/main", commit="", is_deleted=True), Wanted(), False),
    "notes": (Push(ref="refs/notes/x", commit="a"), Wanted(), False),
}


@pytest.mark.parametrize(("push", "wanted", "expected"), CASES.values(), ids=CASES.keys())
def test_which_pushes_a_trigger_asks_for(push: Push, wanted: Wanted, expected: bool) -> None:
    assert is_wanted(push, wanted) is expected
