"""`log:` and `limits:` as a person writes them: read, or every fault told with its remedy."""

from typing import Any

import pytest

from headway.core.keyed import read_words
from headway.core.limits import KEYS, Limits, read_limits
from headway.core.problem import Problem
from headway.core.recording import KEYS as LOG_KEYS
from headway.core.recording import Recording, read_recording
from headway.errors import UsageMistaken


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ({}, Limits()),
        ({"body": "4MiB", "arriving": "1GB"}, Limits(max_body_bytes=4 * 2**20, max_gathered_bytes=10**9)),
        ({"queue": 1, "queue-rows": "5000"}, Limits(max_waiting=1, max_waiting_rows=5000)),
        ({"answer": "500ms", "request": 10}, Limits(answer_s=0.5, receive_s=10.0)),
        ({"idle": "6m", "headers": "16KiB"}, Limits(idle_s=360.0, max_head_bytes=16384)),
    ],
)
def test_limits_are_read_as_people_write_them(value: dict[str, Any], limits: Limits) -> None:
    assert read_limits(value) == limits


@pytest.mark.parametrize(
    ("value", "path", "said"),
    [
        ({"queue": 0}, ("queue",), "queue: 0 is not it"),
        ({"queue": True}, ("queue",), "queue: True is not it"),
        ({"queue": 1.5}, ("queue",), "queue: 1.5 is not it"),
        ({"queue-rows": "²"}, ("queue-rows",), "queue-rows: '²' is not it"),
        ({"body": 0}, ("body",), "body: 0 is not it"),
        ({"body": "much"}, ("body",), "body: 'much' is not it"),
        ({"headers": 100}, ("headers",), "headers: 100 is not it"),
        ({"answer": 0}, ("answer",), "answer: 0 is not it"),
        ({"answer": -1}, ("answer",), "answer: -1 is not it"),
        ({"answer": float("nan")}, ("answer",), "answer: nan is not it"),
        ({"rows": 10}, ("rows",), "there is no key 'rows'"),
        ([1], (), "[1] says nothing of limits"),
        (None, (), "None says nothing of limits"),
    ],
)
def test_what_is_no_limit_is_told_with_what_to_write(value: object, path: tuple[str, ...], said: str) -> None:
    faults = read_limits(value)
    assert isinstance(faults, list)
    (fault,) = faults
    assert (fault.path, fault.problem) == (path, said)
    assert fault.remedy


def test_all_faults_of_a_log_are_told_at_once_and_a_slip_gets_its_word() -> None:
    faults = read_recording({"share": 10, "leave_out": ["a"], "hash": "id", "keep": "long", "keep-size": "5GB"})
    assert isinstance(faults, list)
    assert [fault.path for fault in faults] == [("leave_out",), ("share",), ("hash",), ("keep",)]
    assert faults[0] == Problem(
        path=("leave_out",), problem="there is no key 'leave_out'", remedy="did you mean `leave-out`?", at_key=True
    )


def test_words_of_a_command_are_read_by_the_same_keys() -> None:
    told = read_words(["share=0.1", "leave-out=email,phone", "hash=id", "keep-size=5GB"], LOG_KEYS, at="--log")
    assert Recording(**told) == Recording(share=0.1, leave_out=("email", "phone"), hashed=("id",), keep_bytes=5 * 10**9)
    assert read_words(["queue=256"], KEYS, at="--limit") == {"max_waiting": 256}


@pytest.mark.parametrize(
    ("word", "said"), [("queue", "is no KEY=VALUE"), ("queue=no", "queue: 'no' is not it"), ("que=1", "no key 'que'")]
)
def test_a_mistaken_word_is_refused_by_the_name_of_its_option(word: str, said: str) -> None:
    with pytest.raises(UsageMistaken, match=said) as caught:
        read_words([word], KEYS, at="--limit")
    assert caught.value.at == "--limit"
    assert caught.value.remedy
