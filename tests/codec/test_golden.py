"""Files of golden requests."""

from pathlib import Path

import pytest

from headway.codec.golden import read_golden
from headway.errors import FileFaulty


def test_each_line_is_a_request_and_remarks_are_left_out() -> None:
    requests = read_golden(b'# late\n{"inputs": {"a": 1}, "expect": 1}\n\n{"inputs": [{"a": 2}]}\n', file="g.jsonl")
    assert [r.inputs for r in requests] == [{"a": 1}, [{"a": 2}]]


def test_all_faults_are_told_with_their_lines() -> None:
    with pytest.raises(FileFaulty, match="have 3 faults") as caught:
        read_golden(b'{"inputs": 1}\n{"inputs": {}}\n{"expect": 1}\n{"inputs": {}, "expct": 1}\n', file="g.jsonl")
    assert [fault.line for fault in caught.value.faults] == [1, 3, 4]


@pytest.mark.parametrize("data", [b"", b"\n# nothing\n"], ids=["empty", "remarks"])
def test_a_file_without_requests_is_no_check_and_is_refused(data: bytes) -> None:
    with pytest.raises(FileFaulty, match="1 fault"):
        read_golden(data, file="g.jsonl")


@pytest.mark.parametrize("within", ["0", "-1", '"50ms"'])
def test_a_bound_that_is_no_time_is_a_fault(within: str) -> None:
    with pytest.raises(FileFaulty, match="1 fault"):
        read_golden(f'{{"inputs": {{}}, "within_ms": {within}}}'.encode(), file="g.jsonl")


def test_the_examples_of_the_docs_are_golden_requests() -> None:
    text = (Path(__file__).parents[2] / "docs/serving.md").read_text()
    (block,) = [part.partition("```")[0] for part in text.split("```json\n")[1:]]
    assert len(read_golden(block.encode(), file="docs/serving.md")) == 5
