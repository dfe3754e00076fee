"""`headway up` told by a forge, looked at in a browser's way, and told by people: hooks, pages and acts end to end."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clones import ENVIRON, Clone
from end_to_end.project import HEADWAY, Project, environ, finish

pytestmark = pytest.mark.slow

SECRET = "of the forge"

# The remote is asked once an hour, so that nothing but the hook can be what a run is started by.
PIPELINE = """
pipeline: churn
triggers:
  push: {branches: [main], every: 1h}
steps:
  - run: cat code.txt >> ledger
"""


@pytest.fixture
def other(tmp_path: Path) -> Clone:
    """Somebody else's clone of what the project is a clone of, too."""
    bare = tmp_path / "forge.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True, env=ENVIRON)
    subprocess.run(["git", "clone", "-q", bare, tmp_path / "other"], check=True, env=ENVIRON, capture_output=True)
    clone = Clone(tmp_path / "other")
    clone.git("switch", "-q", "-c", "main")
    (clone.folder / "pipeline.yaml").write_text(PIPELINE)
    (clone.folder / ".gitignore").write_text("ledger\n")
    pushed(clone, "one")
    return clone


def pushed(clone: Clone, code: str) -> str:
    (clone.folder / "code.txt").write_text(f"{code}\n")
    clone.git("add", ".")
    clone.git("commit", "-q", "-m", f"Code {code}")
    clone.git("push", "-q", "origin", "main")
    return clone.git("rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path, other: Clone) -> Project:
    made = Project(tmp_path / "project")
    there = tmp_path / "forge.git"
    subprocess.run(["git", "clone", "-q", there, made.folder], check=True, env=ENVIRON, capture_output=True)
    return made


@pytest.fixture
def url(project: Project) -> Iterator[str]:
    """Where `headway up` answers."""
    process = subprocess.Popen(
        [*HEADWAY, "up", "--port", "0", "--json"],
        cwd=project.folder, env=environ(HEADWAY_HOOK_SECRET=SECRET), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = ""
        while "answers on " not in said:
            line = process.stdout.readline()
            assert line, "it ended"
            said = json.loads(line)["says"]
        # Whatever else it says must not fill the pipe: it is few lines.
        yield said.removeprefix("answers on ").split()[0].rstrip(",;")
        process.send_signal(signal.SIGTERM)
        assert finish(process).code == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def of(project: Project, kind: str) -> list[dict[str, Any]]:
    return [one for one in project.facts() if one["kind"] == kind] if (project.home / "log.sqlite").exists() else []


def eventually(project: Project, kind: str, n: int) -> list[dict[str, Any]]:
    end = time.monotonic() + 90
    while len(found := of(project, kind)) < n:
        assert time.monotonic() < end, f"{len(found)} {kind}, not {n}: {of(project, 'EventSeen')}"
        time.sleep(0.05)
    return found


def hook(url: str, commit: str) -> Any:
    """What GitHub sends of a push."""
    payload = {"ref": "refs/heads/main", "after": commit, "deleted": False, "pusher": {"name": "ann"},
               "commits": [{"id": commit, "added": [], "removed": [], "modified": ["code.txt"]}]}  # fmt: skip
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    with urllib.request.urlopen(urllib.request.Request(f"{url}/hooks/push", body, headers), timeout=60) as answer:
        return json.load(answer)


def test_a_push_that_a_forge_tells_of_is_taken_and_run_once(project: Project, other: Clone, url: str) -> None:
    eventually(project, "SourceWatched", 1)
    commit = pushed(other, "two")
    (heard,) = hook(url, commit)["heard"]
    assert (heard["key"], heard["is_new"]) == (f"main@{commit}", True)
    (ended,) = eventually(project, "FiringEnded", 1)
    assert ended["outcome"] == "passed"
    # It ran on what was pushed, not on what was here before.
    assert (project.folder / "ledger").read_text() == "two\n"
    assert hook(url, commit)["heard"][0]["is_new"] is False
    time.sleep(2)
    assert len(of(project, "TriggerFired")) == 1
    assert len(of(project, "EventSeen")) == 1


def test_its_user_comes_in_by_a_link_and_starts_a_run(project: Project, url: str) -> None:
    link = project("ui", "--at", url, "--json").json["link"]
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    opener.addheaders = [("Accept", "text/html")]
    with opener.open(link, timeout=60) as answer:
        assert b"Nothing is in production yet" in answer.read()
    form = urllib.parse.urlencode({"pipeline": "churn", "why": "to see it run"}).encode()
    with opener.open(f"{url}/runs", form, timeout=60) as answer:
        assert answer.url == f"{url}/"
    eventually(project, "FiringEnded", 1)
    with opener.open(f"{url}/runs/1", timeout=60) as answer:
        assert b"passed" in answer.read()
    (event,) = of(project, "EventSeen")
    assert (event["source"], event["why"]) == ("hand", "to see it run")
    assert os.stat(project.home / "web" / "secret").st_mode & 0o777 == 0o600
