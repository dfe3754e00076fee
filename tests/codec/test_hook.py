"""Push payloads in the three forms that forges send them."""

from urllib.parse import quote

import msgspec
import pytest

from headway.codec.hook import pushed
from headway.core.hook import Push
from headway.errors import UsageMistaken

# Shortened from the examples in the forges' documentation; the fields that stay are as they send them.
GITHUB = {
    "ref": "refs/heads/main",
    "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "after": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
    "created": False,
    "deleted": False,
    "forced": False,
    "commits": [
        {
            "id": "59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
            "message": "Train longer",
            "added": ["src/new.py"],
            "removed": [],
            "modified": ["README.md", "src/train.py"],
        }
    ],
    "pusher": {"name": "octocat", "email": "octocat@example.com"},
    "repository": {"full_name": "octocat/churn"},
}
GITLAB = {
    "object_kind": "push",
    "event_name": "push",
    "before": "95790bf891e76fee5e1747ab589903a6a1f80f22",
    "after": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
    "ref": "refs/heads/master",
    "checkout_sha": "da1560886d4f094c3e6c9ef40349f7d38b5d27d7",
    "user_name": "John Smith",
    "user_username": "jsmith",
    "commits": [
        {"id": "b6568db", "added": ["CHANGELOG"], "modified": ["app/controller/application.rb"], "removed": []}
    ],
    "total_commits_count": 4,
}
GITEA = {
    "ref": "refs/heads/develop",
    "before": "28e1879d029cb852e4844d9c718537df08844e03",
    "after": "bffeb74224043ba2feb48d137756c8a9331c449a",
    "commits": [
        {"id": "bffeb74", "message": "Webhooks Yay!", "added": [], "removed": [], "modified": ["data/a.csv"]},
    ],
    "total_commits": 1,
    "repository": {"full_name": "gitea/webhooks"},
    "pusher": {"login": "gitea", "username": "gitea"},
}


def test_github() -> None:
    assert pushed(msgspec.json.encode(GITHUB), "application/json") == Push(
        ref="refs/heads/main",
        commit="59b20b8d5c6ff8d09518454d4dd8b7b30f095ab5",
        n_commits=1,
        paths=("README.md", "src/new.py", "src/train.py"),
        by="octocat",
    )


def test_githubs_form() -> None:
    form = b"payload=" + quote(msgspec.json.encode(GITHUB)).encode()
    of_json = pushed(msgspec.json.encode(GITHUB), "application/json")
    assert pushed(form, "application/x-www-form-urlencoded; charset=utf-8") == of_json


def test_gitlab_which_names_20_commits_at_most_says_then_nothing_of_paths() -> None:
    found = pushed(msgspec.json.encode(GITLAB), "application/json")
    assert (found.by, found.n_commits, found.paths) == ("jsmith", 4, None)
    whole = pushed(msgspec.json.encode({**GITLAB, "total_commits_count": 1}), "application/json")
    assert whole.paths == ("CHANGELOG", "app/controller/application.rb")


def test_gitea() -> None:
    found = pushed(msgspec.json.encode(GITEA), "application/json")
    assert (found.by, found.n_commits, found.paths) == ("gitea", 1, ("data/a.csv",))


def test_a_branch_that_is_no_more() -> None:
    gone = {**GITHUB, "after": "0" * 40, "deleted": True, "commits": []}
    assert pushed(msgspec.json.encode(gone), "application/json").is_deleted
    assert pushed(msgspec.json.encode({**GITLAB, "after": "0" * 64}), "application/json").is_deleted


def test_a_branch_made_of_another_tells_of_no_paths() -> None:
    assert pushed(msgspec.json.encode({**GITHUB, "commits": []}), "application/json").paths is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"after": "a"}', b'{"ref": 5}', b'{"ref": "r", "commits": 1}', b"\xff", b'"text"'],
    ids=["empty", "cut", "list", "no-ref", "number", "no-list", "no-text", "text"],
)
def test_what_is_no_push_is_refused(body: bytes) -> None:
    with pytest.raises(UsageMistaken, match="no push"):
        pushed(body, "application/json")
    with pytest.raises(UsageMistaken, match="no push"):
        pushed(body, "application/x-www-form-urlencoded")
