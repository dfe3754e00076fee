"""Golden requests: which answers are right."""

import pytest

from headway.core.golden import GoldenReply, GoldenRequest, judge

ROW = {"a": 1}


@pytest.mark.parametrize(
    ("asked", "reply", "fault"),
    [
        (GoldenRequest(inputs=ROW), GoldenReply(predictions=[0]), None),
        (GoldenRequest(inputs=ROW), GoldenReply(predictions=[None]), "answered null: no value at all"),
        (GoldenRequest(inputs=ROW), GoldenReply(predictions=[1, 2]), "answered 2 predictions for 1 rows"),
        (GoldenRequest(inputs=ROW, expect=0), GoldenReply(predictions=[0.0]), None),
        (GoldenRequest(inputs=ROW, expect=0), GoldenReply(predictions=[1]), "answered 1, expected 0"),
        (GoldenRequest(inputs=ROW, expect="no"), GoldenReply(predictions=["no"]), None),
        (GoldenRequest(inputs=ROW, expect=True), GoldenReply(predictions=[False]), "answered False, expected True"),
        (GoldenRequest(inputs=ROW, expect=1.0, tolerance=0.1), GoldenReply(predictions=[1.05]), None),
        (
            GoldenRequest(inputs=ROW, expect=1.0, tolerance=0.1),
            GoldenReply(predictions=[1.5]),
            "answered 1.5, expected 1.0 ± 0.1",
        ),
        (GoldenRequest(inputs=ROW, between=(1, 2)), GoldenReply(predictions=[2.0]), None),
        (
            GoldenRequest(inputs=ROW, between=(1, 2)),
            GoldenReply(predictions=[2.1]),
            "answered 2.1, expected a value from 1 to 2",
        ),
        (
            GoldenRequest(inputs=ROW, between=(1, 2)),
            GoldenReply(predictions=["x"]),
            "answered x, expected a value from 1 to 2",
        ),
        (
            GoldenRequest(inputs=ROW, of=1, between=(0.6, 1)),
            GoldenReply(predictions=[1], classes=[0, 1], probabilities=[[0.3, 0.7]]),
            None,
        ),
        (
            GoldenRequest(inputs=ROW, of=1, between=(0.6, 1)),
            GoldenReply(predictions=[1]),
            "gave no probability of 1; its classes are none",
        ),
        (GoldenRequest(inputs=[ROW, ROW], expect=[1, 2]), GoldenReply(predictions=[1, 2]), None),
        (
            GoldenRequest(inputs=[ROW, ROW], expect=[1, 2]),
            GoldenReply(predictions=[1, 3]),
            "answered 3, expected 2",
        ),
        (
            GoldenRequest(inputs=[ROW, ROW], expect=[1]),
            GoldenReply(predictions=[1, 3]),
            "cannot be judged: `expect` has 1 values for 2 rows",
        ),
    ],
)  # fmt: skip
def test_an_answer_is_judged_in_one_sentence(asked: GoldenRequest, reply: GoldenReply, fault: str | None) -> None:
    assert judge(asked, reply) == fault


def test_a_number_that_is_not_a_number_is_never_within_a_tolerance() -> None:
    asked = GoldenRequest(inputs=ROW, expect=1.0, tolerance=1e9)
    assert judge(asked, GoldenReply(predictions=[float("nan")])) is not None
