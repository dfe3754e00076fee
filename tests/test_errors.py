"""What every error carries, and that the room of errors imports nothing."""

import ast
from pathlib import Path

import pytest

from headway import errors
from headway.errors import AppendConflict, DiskFull, ExpressionUnreadable, Fault, FileFaulty, LeaseHeld, NameUnknown


def test_the_room_of_errors_imports_nothing() -> None:
    tree = ast.parse(Path(errors.__file__).read_text())
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_an_error_reads_as_problem_place_and_remedy() -> None:
    error = NameUnknown("there is no run 12", at="RUN", remedy="list them")
    assert (error.problem, error.at, error.remedy) == ("there is no run 12", "RUN", "list them")
    assert str(error) == "there is no run 12 (RUN); list them"


def test_an_error_cannot_be_raised_without_place_and_remedy() -> None:
    with pytest.raises(TypeError):
        NameUnknown("there is no run 12")  # type: ignore[call-arg] # what must not pass


def test_some_errors_carry_more() -> None:
    fault = Fault("no", line=3, column=5, where="steps[0]")
    assert FileFaulty("p", at="a", remedy="r", faults=(fault,)).faults == (fault,)
    assert ExpressionUnreadable("p", at="a", remedy="r", offset=4).offset == 4
    assert LeaseHeld("p", at="a", remedy="r", holder="process 1").holder == "process 1"
    assert repr(fault) == "3:5 steps[0]: no"


def test_whether_to_try_again_is_the_errors_own() -> None:
    assert NameUnknown.retry_after_s is None
    assert AppendConflict.retry_after_s == 0.0
    assert DiskFull.retry_after_s == 60.0
