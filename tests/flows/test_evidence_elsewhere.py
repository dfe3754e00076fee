"""Logs that are not here: what could not be brought is told beside the result of a stage, and no release ends by it."""

from pathlib import Path

import pytest

from headway.backends.target_memory import MemoryTarget
from headway.errors import TargetUnavailable
from staged import Staged, strategy

CANARY = strategy({"canary": "20% for 500 requests"}, "promote")


@pytest.fixture
def place(tmp_path: Path) -> Staged:
    made = Staged(tmp_path)
    made.release(1)
    return made


def test_a_log_that_cannot_be_had_is_told_with_the_result_of_the_stage(
    place: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "the log of pod flights-v2-x cannot be had: connection refused"
    monkeypatch.setattr(MemoryTarget, "collect", lambda *_: [words])
    assert place.release(2, CANARY).outcome == "released"
    assert f"not counted: {words}" in place.said


def test_a_target_that_cannot_be_asked_for_its_logs_is_told_and_asked_again(
    place: Staged, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def collect(_: MemoryTarget, endpoint: str) -> list[str]:
        asked.append(endpoint)
        if len(asked) == 1:
            return []
        raise TargetUnavailable("the cluster does not answer", at="target", remedy="see whether it is up")

    monkeypatch.setattr(MemoryTarget, "collect", collect)
    assert place.release(2, CANARY).outcome == "released"
    assert "not counted: the cluster does not answer" in place.said
    assert len(asked) > 2
