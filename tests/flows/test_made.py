"""Who made what: remembered while the log grows, it is what reading all of it says; and each fact is read once."""

from hypothesis import given
from hypothesis import strategies as st

from headway.backends import connect
from headway.core import facts as f
from headway.core.ids import Artifact, Digest
from headway.flows.made import Remembered, Scanned
from headway.ports import Log

CONTENT = [Digest(sign * 64) for sign in "abcdef"]

steps = st.builds(
    lambda read, made: f.StepFinished(
        step="s",
        outcome="passed",
        parts=tuple(f.KeyPart(kind="in", name="x", value=one) for one in read),
        outputs={str(i): Artifact(path="y", digest=one) for i, one in enumerate(made)},
    ),
    st.lists(st.sampled_from(CONTENT), max_size=3),
    st.lists(st.sampled_from(CONTENT), max_size=2),
)


def empty() -> Log:
    return connect("log", "memory:")  # type: ignore[return-value] # connect answers by name


@given(batches=st.lists(st.lists(steps, min_size=1, max_size=5), max_size=4), asked=st.sets(st.sampled_from(CONTENT)))
def test_what_is_remembered_is_what_the_whole_log_says(batches: list[list[f.Fact]], asked: set[Digest]) -> None:
    log, remembered, scanned = empty(), Remembered(), Scanned()
    for number, batch in enumerate(batches, 1):
        log.append(f"run/{number}", batch, expect=0, at=1.0)
        assert remembered.makers(log, CONTENT) == scanned.makers(log, CONTENT)
        assert remembered.made_of(log, asked) == scanned.made_of(log, asked)


def test_what_was_read_is_not_read_again() -> None:
    log, remembered = empty(), Remembered()
    done = f.StepFinished(step="s", outcome="passed", outputs={"o": Artifact(path="y", digest=CONTENT[0])})
    log.append("run/1", [done] * 3, expect=0, at=1.0)
    assert remembered.makers(log, CONTENT[:1])[CONTENT[0]].run == 1
    # A log that lost all that was read would still be known.
    assert remembered.made_of(empty(), CONTENT[:1]) == {CONTENT[0]}
    log.append("run/2", [done], expect=0, at=1.0)
    assert remembered.makers(log, CONTENT[:1])[CONTENT[0]].run == 1
