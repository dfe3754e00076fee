"""What is done about the run of a firing, by how its process ended and what the log says of its run."""

import pytest

from headway.core import facts as f
from headway.core.daemon import LONGEST_PAUSE_S, MOST_STARTS, Begin, Case, Complaint, decide, pause_s
from headway.core.ids import RunId

FULL = Complaint(error="disk-full", problem="no space is left", at="log.sqlite", remedy="free some")
FAULTY = Complaint(error="file-faulty", problem="2 faults", at="pipeline.yaml:3:1", remedy="mend")
GONE = Complaint(error="blob-missing", problem="the plan is gone", at="run 7", remedy="start anew")


def end(outcome: f.RunOutcome, why: str = "") -> f.RunFinished:
    return f.RunFinished(outcome=outcome, exit_code=1, why=why)


def over(outcome: f.RunOutcome, why: str, run: int | None = 7) -> f.FiringEnded:
    return f.FiringEnded(firing=3, outcome=outcome, run=None if run is None else RunId(run), why=why)


@pytest.mark.parametrize(
    ("case", "decided"),
    [
        (Case(firing=3), Begin()),
        (Case(firing=3, run=RunId(7)), Begin()),
        (Case(firing=3, run=RunId(7), finished=end("held", "unsure")), over("held", "unsure")),
        (Case(firing=3, run=RunId(7), finished=end("passed"), code=137), over("passed", "")),
        (Case(firing=3, run=RunId(7), finished=end("interrupted")), Begin()),
        (
            Case(firing=3, run=RunId(7), finished=end("interrupted"), code=130, n_starts=1),
            over("interrupted", "somebody interrupted it"),
        ),
        (
            Case(firing=3, run=RunId(7), finished=end("interrupted"), code=137, n_starts=1),
            Begin(pause_s=1.0, why="its process was killed by signal 9"),
        ),
        (Case(firing=3, code=1, complaint=FULL), Begin(pause_s=1.0, why="no space is left")),
        (Case(firing=3, code=2, complaint=FAULTY, n_starts=1), over("failed", "2 faults (pipeline.yaml:3:1)", None)),
        (
            Case(firing=3, run=RunId(7), code=1, complaint=GONE, n_starts=2),
            Begin(pause_s=2.0, why="the plan is gone"),
        ),
        (
            Case(firing=3, run=RunId(7), code=1, complaint=GONE, n_starts=MOST_STARTS),
            over("failed", f"the plan is gone, {MOST_STARTS} times"),
        ),
    ],
    ids=[
        "nothing was started", "left by another daemon", "it was held", "killed after its end", "ended with its daemon",
        "interrupted by somebody", "interrupted, and killed", "a full disk", "a faulty file", "a lost plan",
        "lost for good",
    ],
)  # fmt: skip
def test_what_is_done_for_a_firing(case: Case, decided: f.FiringEnded | Begin) -> None:
    assert decide(case) == decided


def test_a_full_disk_is_never_given_up() -> None:
    decided = decide(Case(firing=3, code=1, complaint=FULL, n_starts=1000))
    assert decided == Begin(pause_s=LONGEST_PAUSE_S, why="no space is left")


def test_an_unknown_complaint_is_neither_a_mistake_nor_passing() -> None:
    said = Complaint(error="of-a-later-version", problem="?")
    assert (said.is_mistake, said.is_passing) == (False, False)


def test_pauses_grow_to_their_bound_and_no_further() -> None:
    pauses = [pause_s(n) for n in range(10_000)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_S
