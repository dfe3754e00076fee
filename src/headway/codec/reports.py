"""What a step reports about itself: the three files of the HEADWAY_… variables, and JUnit XML. Bytes in, values out.

Raises OutputUnreadable, naming the line, for anything that is not in its form: a value that was meant to be reported
and silently is not would be worse than a failed step.
"""

from typing import Any

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
    lines = data.decode("utf-8", "replace").splitlines()
    i = 0
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.strip():
            continue
        name, equals, value = line.partition("=")
        heredoc, shift, end = line.partition("<<")
        if shift and (not equals or len(heredoc) < len(name)):
            if end not in lines[i:]:
                raise _unreadable("HEADWAY_OUTPUT", step, i, f"{heredoc}<<{end} has no closing line {end}")
            stop = lines.index(end, i)
            name, value = heredoc, "\n".join(lines[i:stop])
            i = stop + 1
        elif not equals:
            raise _unreadable("HEADWAY_OUTPUT", step, i, f"{line[:60]!r} is not key=value")
        values[name.strip()] = value
    return values


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
            except (msgspec.DecodeError, TypeError, ValueError) as e:
                raise _unreadable("HEADWAY_METRICS", step, number, str(e)) from e
    return tuple(found)


def read_metrics_file(data: bytes, *, path: str, step: str) -> tuple[Metric, ...]:
    """The JSON file of a step's `metrics:` key: numbers under names; groups become dotted names."""
    try:
        return tuple(_metrics_of(msgspec.json.decode(data)))
    except (msgspec.DecodeError, TypeError, ValueError) as e:
        raise _unreadable(path, step, 1, str(e)) from e


# Any: JSON that a person's script wrote.
def _metrics_of(value: Any, prefix: str = "") -> list[Metric]:  # noqa: ANN401 (as above)
    if not isinstance(value, dict):
        raise TypeError("expected an object with names and numbers")
    if not prefix and {"name", "value"} <= value.keys():
        return [Metric(name=str(value["name"]), value=float(value["value"]), at_step=value.get("step"))]
    found = []
    for name, number in value.items():
        if isinstance(number, dict):
            found += _metrics_of(number, f"{prefix}{name}.")
        elif isinstance(number, int | float):
            found.append(Metric(name=prefix + name, value=float(number)))
    return found


def read_junit(data: bytes, *, path: str, step: str) -> tuple[TestResult, ...]:
    """The tests of a JUnit XML file, in its order."""
    from xml.etree import ElementTree as ET

    try:
        root = ET.fromstring(data)  # noqa: S314 (as above; expat limits entity expansion)
    except ET.ParseError as e:
        raise _unreadable(path, step, e.position[0], str(e)) from e
    return tuple(_test(case) for case in root.iter("testcase"))


# Any: an Element; its module is imported only when there is something to read.
def _test(case: Any) -> TestResult:  # noqa: ANN401 (as above)
    name = "::".join(part for part in (case.get("classname"), case.get("name")) if part)
    seconds = float(case.get("time") or 0)
    for tag, outcome in (("error", "error"), ("failure", "failed"), ("skipped", "skipped")):
        found = case.find(tag)
        if found is not None:
            message = (found.get("message") or found.text or "").strip()[:LONGEST_MESSAGE]
            return TestResult(name=name, outcome=outcome, seconds=seconds, message=message)
    return TestResult(name=name, outcome="passed", seconds=seconds)


def _unreadable(what: str, step: str, line: int, problem: str) -> OutputUnreadable:
    return OutputUnreadable(
        f"what step {step} wrote cannot be read: {problem}",
        at=f"{what}, line {line}",
        remedy="HEADWAY_OUTPUT takes key=value lines, HEADWAY_METRICS JSON lines with name and value; docs/pipeline.md",
    )
