"""What a step reports about itself: the three files of the HEADWAY_… variables, and JUnit XML. Bytes in, values out.

Raises OutputUnreadable, naming the line, for anything that is not in its form: a value that was meant to be reported
and silently is not would be worse than a failed step.
"""

from typing import Any, Literal

import msgspec

from headway.core.facts import Metric, TestResult
from headway.errors import OutputUnreadable

LONGEST_MESSAGE = 500
"""Characters of a failed test's message that go into the log; the whole text is in the step's output."""


def read_values(data: bytes, *, step: str) -> dict[str, str]:
    r"""HEADWAY_OUTPUT: `key=value` lines, or `key<<END`, lines, `END` for a value of several lines. The last one wins.

    >>> read_values(b"version=churn@3\nnote<<X\na\nb\nX\n", step="s")
    {'version': 'churn@3', 'note': 'a\nb'}
    """
    values: dict[str, str] = {}
    # Not splitlines, which also cuts at form feeds and the like: those may be part of a value.
    lines = [line.removesuffix("\r") for line in _text(data, step).split("\n")]
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        heredoc, shift, end = line.partition("<<")
        if shift and (not equals or len(heredoc) < len(name)):
            name, number = heredoc, i
            if not end or end not in lines[i:]:
                missing = f"has no closing line {end}" if end else "names no closing line"
                raise _unreadable(_VALUES, step, number, f"{line[:60]!r} {missing}")
            stop = lines.index(end, i)
            value = "\n".join(lines[i:stop])
            i = stop + 1
        elif not equals:
            raise _unreadable(_VALUES, step, i, f"{line[:60]!r} is not key=value")
        if not name.strip():
            raise _unreadable(_VALUES, step, i, f"{line[:60]!r} has no key")
        values[name.strip()] = value
    return values


def _text(data: bytes, step: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as e:
        raise _unreadable(_VALUES, step, data.count(b"\n", 0, e.start) + 1, "it is not UTF-8 text") from e


def read_metrics(data: bytes, *, step: str) -> tuple[Metric, ...]:
    """HEADWAY_METRICS: JSON lines, each `{"name": …, "value": …}` (and `"step": n`), or plain `{"auc": 0.7, …}`.

    >>> read_metrics(b'{"name": "auc", "value": 0.7}', step="s")[0].value
    0.7
    """
    found: list[Metric] = []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            try:
                found += _metrics_of(msgspec.json.decode(line))
            except (TypeError, ValueError, RecursionError) as e:
                raise _unreadable(_METRICS, step, number, str(e)) from e
    return tuple(found)


def read_metrics_file(data: bytes, *, path: str, step: str) -> tuple[Metric, ...]:
    """The JSON file of a step's `metrics:` key: numbers under names; groups become dotted names.

    What is neither (texts, lists) is somebody else's business and left out.
    """
    try:
        return tuple(_grouped(msgspec.json.decode(data), strict=False))
    except (TypeError, ValueError, RecursionError) as e:
        raise _unreadable(path, step, 1, str(e)) from e


# Any (here and below): JSON that a person's script wrote.
def _metrics_of(value: Any) -> list[Metric]:  # noqa: ANN401 (as above)
    if isinstance(value, dict) and {"name", "value"} <= value.keys():
        at_step = value.get("step")
        if not (at_step is None or (type(at_step) is int and abs(at_step) < 2**63)):
            raise TypeError(f"step is {at_step!r}, not a whole number")
        name = str(value["name"])
        return [Metric(name=name, value=_number(name, value["value"]), at_step=at_step)]
    return _grouped(value, strict=True)


def _grouped(group: Any, prefix: str = "", *, strict: bool) -> list[Metric]:  # noqa: ANN401 (as above)
    if not isinstance(group, dict):
        raise TypeError("expected an object with names and numbers")
    found = []
    for name, value in group.items():
        if isinstance(value, dict):
            found += _grouped(value, f"{prefix}{name}.", strict=strict)
        elif strict or isinstance(value, int | float):
            found.append(Metric(name=prefix + name, value=_number(prefix + name, value)))
    return found


def _number(name: str, value: Any) -> float:  # noqa: ANN401 (as above)
    """A number that the log can hold: finite."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as e:
        raise TypeError(f"{name} is {str(value)[:40]!r}, not a number") from e
    # Its difference from itself is 0 for a finite number alone.
    if number - number != 0:
        raise ValueError(f"{name} is {number}; only finite numbers can be recorded")
    return number


def read_junit(data: bytes, *, path: str, step: str) -> tuple[TestResult, ...]:
    """The tests of a JUnit XML file, in its order."""
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(data)  # noqa: S314 (expat limits entity expansion, and external ones are not fetched)
    except ET.ParseError as e:
        raise _unreadable(path, step, e.position[0], str(e)) from e
    except (LookupError, ValueError) as e:
        # An encoding that Python or expat does not know.
        raise _unreadable(path, step, 1, str(e)) from e
    if root.tag not in ("testsuites", "testsuite"):
        raise _unreadable(path, step, 1, f"its outermost element is {root.tag}, not testsuites")
    return tuple(_test(case) for case in root.iter("testcase"))


# Any: an Element; its module is imported only when there is something to read.
def _test(case: Any) -> TestResult:  # noqa: ANN401 (as above)
    name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
    seconds = _seconds(case.get("time"))
    for tag, outcome in _TAGS:
        found = case.find(tag)
        if found is not None:
            message = (found.get("message") or found.text or "").strip()[:LONGEST_MESSAGE]
            return TestResult(name=name, outcome=outcome, seconds=seconds, message=message)
    return TestResult(name=name, outcome="passed", seconds=seconds)


_TAGS: tuple[tuple[str, Literal["error", "failed", "skipped"]], ...] = (
    ("error", "error"),
    ("failure", "failed"),
    ("skipped", "skipped"),
)


def _seconds(written: str | None) -> float:
    """A test's time: some writers put commas between thousands; what is no time at all is no reason to fail a step."""
    try:
        seconds = float((written or "0").replace(",", ""))
    except ValueError:
        return 0.0
    return seconds if 0 <= seconds < float("inf") else 0.0


_VALUES, _METRICS = "HEADWAY_OUTPUT", "HEADWAY_METRICS"

_REMEDIES = {
    _VALUES: "write key=value lines; a value of several lines as key<<END, the lines, END",
    _METRICS: 'write a line of JSON for each: {"name": "auc", "value": 0.71}',
}


def _unreadable(what: str, step: str, line: int, problem: str) -> OutputUnreadable:
    return OutputUnreadable(
        f"what step {step} wrote cannot be read: {problem}",
        at=f"{what}, line {line}",
        remedy=_REMEDIES.get(
            what, "see that the step writes it whole, in the form it is declared as: docs/pipeline.md"
        ),
    )
