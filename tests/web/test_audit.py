"""The audit: who did what, found by what is known of it, taken along as a file, and proven to be as it was written."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway import wiring
from headway.codec import wire
from headway.config import Settings
from headway.core import facts as f
from headway.flows import audit_trail
from web_world import AT, Visitor, served, write


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = write(tmp_path)
    with wiring.open(found) as parts:
        facts: list[f.Fact] = [
            f.ModelTagged(model="m", version=1, name="stage", value="trial", by="bob"),
            f.AliasMoved(model="m", alias="champion", version=2, by="eve", why="=HYPERLINK(1)"),
        ]
        n = len(parts.log.read("model/m"))
        parts.log.append("model/m", facts, expect=n, at=AT + 7000)
    return found


@pytest.fixture
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        found.enter()
        yield found


def deeds(visitor: Visitor, query: str = "") -> list[dict[str, object]]:
    return [one["deed"] for one in visitor.json(f"/api/v1/audit{query}")["deeds"]]


def test_who_did_what_is_told_newest_first_with_the_reason(visitor: Visitor) -> None:
    found = deeds(visitor)
    assert [one["by"] for one in found[:2]] == ["eve", "bob"]
    assert [one["seq"] for one in found] == sorted((one["seq"] for one in found), reverse=True)  # type: ignore[type-var] # numbers
    assert found[0]["about"] == "model m"
    assert found[0]["why"] == "=HYPERLINK(1)"
    # Each is a fact of the log, in its place in the chain.
    with visitor.site.looking() as parts:
        hashes = {row.seq: row.hash for row in parts.log.raw()}
    assert all(hashes[one["seq"]] == one["hash"] for one in found)  # type: ignore[index] # as above
    _, text = visitor.page("/audit")
    assert 'href="/audit?by=eve"' in text
    assert 'href="/models/m"' in text


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("?by=bob", {"bob"}),
        ("?kind=AliasMoved&by=eve", {"eve"}),
        ("?about=endpoint", {"ann"}),
        ("?about=model/m&since=30m", {"bob", "eve"}),
        ("?by=nobody", set()),
    ],
)
def test_deeds_are_found_by_what_is_known_of_them(visitor: Visitor, query: str, who: set[str]) -> None:
    assert {one["by"] for one in deeds(visitor, query)} == who


@pytest.mark.parametrize("query", ["?kind=Nothing", "?since=soon", "?before=x", "?before=-1"])
def test_what_cannot_be_meant_is_a_bad_request(visitor: Visitor, query: str) -> None:
    answer, _ = visitor.ask(f"/api/v1/audit{query}")
    assert answer.status == 400


def test_older_ones_are_a_link_away(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    every = deeds(visitor)
    monkeypatch.setattr("headway.web.page_audit.MOST", 2)
    seen, before = [], 0
    while True:
        page = visitor.json(f"/api/v1/audit?before={before}")
        seen += [one["deed"] for one in page["deeds"]]
        before = page["before"]
        if not before:
            break
    assert seen == every
    assert "Older ones" in visitor.page("/audit")[1]


def test_a_part_at_a_time_everything_is_taken_along(visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_trail, "PART", 3)
    answer, text = visitor.ask("/api/v1/audit/export?format=jsonl")
    assert answer.getheader("content-disposition") == 'attachment; filename="headway-audit.jsonl"'
    lines = [json.loads(line) for line in text.splitlines()]
    assert [one["seq"] for one in lines] == [one["seq"] for one in reversed(deeds(visitor))]
    assert lines[-1]["at"] == "2026-09-21T16:10:00.000+00:00"
    # A sheet takes what begins so for a formula.
    rows = list(csv.DictReader(io.StringIO(visitor.ask("/api/v1/audit/export?format=csv&by=eve")[1])))
    assert [(row["by"], row["about"], row["why"]) for row in rows] == [("eve", "model m", "'=HYPERLINK(1)")]


def test_the_log_that_is_taken_along_can_be_verified_by_anybody(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "PART", 4)
    head = wire.GENESIS
    for line in visitor.ask("/api/v1/audit/export?format=log")[1].splitlines():
        row = json.loads(line)
        place = {name: row[name] for name in ("seq", "stream", "n", "at")}
        head = wire.chain(head, body=row["body"].encode(), **place)
        assert head == row["hash"]
    assert visitor.json("/api/v1/audit?verify=1")["proof"]["head"] == head


def test_a_format_that_is_none_is_a_bad_request(visitor: Visitor) -> None:
    answer, text = visitor.ask("/api/v1/audit/export?format=xlsx")
    assert answer.status == 400
    assert "jsonl" in text


def test_what_somebody_changed_is_told_with_what_to_do(visitor: Visitor, settings: Settings) -> None:
    assert "as it was written" in visitor.page("/audit?verify=1")[1]
    with sqlite3.connect(Path(settings.home) / "log.sqlite") as db:
        db.execute("drop trigger facts_never_change")
        db.execute("update facts set body = replace(body, 'bob', 'joe')")
    proof = visitor.json("/api/v1/audit?verify=1")["proof"]
    assert proof["problem"].endswith("is not what was written")
    assert "restore the log from a copy" in visitor.page("/audit?verify=1")[1]
