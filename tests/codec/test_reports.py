"""What steps report about themselves: read whole, or refused with the line that is wrong."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.codec import wire
from headway.codec.reports import LONGEST_MESSAGE, read_junit, read_metrics, read_metrics_file, read_values
from headway.core import facts as f
from headway.core.facts import Fact, Metric, StepFinished
from headway.errors import OutputUnreadable

# --- HEADWAY_OUTPUT ---------------------------------------------------------------------------------------------

VALUES = {
    "nothing": (b"", {}),
    "a line": (b"version=churn@3\n", {"version": "churn@3"}),
    "no newline at the end": (b"version=3", {"version": "3"}),
    "an empty value": (b"version=\n", {"version": ""}),
    "empty lines between": (b"\n  \na=1\n\nb=2\n", {"a": "1", "b": "2"}),
    "the last one wins": (b"a=1\na=2\n", {"a": "2"}),
    "an equals sign in a value": (b"query=a=b\n", {"query": "a=b"}),
    "blanks around a key": (b" a =1\n", {"a": "1"}),
    "blanks in a value": (b"a= 1 \n", {"a": " 1 "}),
    "line ends of Windows": (b"a=1\r\nb<<X\r\nc\r\nX\r\n", {"a": "1", "b": "c"}),
    "several lines": (b"note<<END\na\n\nb=2\nEND\nc=3\n", {"note": "a\n\nb=2", "c": "3"}),
    "several lines, none": (b"note<<END\nEND\n", {"note": ""}),
    "shift signs in a value": (b"a=b<<c\n", {"a": "b<<c"}),
    "an end with an equals sign": (b"a<<x=y\n1\nx=y\n", {"a": "1"}),
    "signs that are line ends elsewhere": ("a=x\u2028y\x0cz\x85\n".encode(), {"a": "x\u2028y\x0cz\x85"}),
    "not only letters": ("grüße=günstig\n".encode(), {"grüße": "günstig"}),
}


@pytest.mark.parametrize(("written", "values"), VALUES.values(), ids=VALUES.keys())
def test_values_are_read(written: bytes, values: dict[str, str]) -> None:
    assert read_values(written, step="s") == values


UNREADABLE = {
    "no equals sign": (b"a=1\njust a line\n", 2, "'just a line' is not key=value"),
    "no closing line": (b"a<<END\n1\n2\n", 1, "'a<<END' has no closing line END"),
    "no word to close with": (b"a<<\n1\n\n", 1, "'a<<' names no closing line"),
    "no key": (b"\n =3\n", 2, "' =3' has no key"),
    "no key of several lines": (b"<<END\n1\nEND\n", 3, "'<<END' has no key"),
    "no text": (b"a=1\nb=\xff\n", 2, "it is not UTF-8 text"),
}


@pytest.mark.parametrize(("written", "line", "problem"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_values_in_another_form_are_refused_with_their_line(written: bytes, line: int, problem: str) -> None:
    with pytest.raises(OutputUnreadable) as caught:
        read_values(written, step="train")
    assert caught.value.problem == f"what step train wrote cannot be read: {problem}"
    assert caught.value.at == f"HEADWAY_OUTPUT, line {line}"


keys = st.text(st.characters(codec="utf-8", exclude_characters="=<\n\r"), min_size=1).filter(
    lambda key: key.strip() == key
)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"))


@given(st.dictionaries(keys, texts))
def test_every_value_can_be_reported(values: dict[str, str]) -> None:
    written = "".join(f"{key}<<E{key}E\n{value}\nE{key}E\n" for key, value in values.items() if key not in value)
    expected = {key: value for key, value in values.items() if key not in value}
    assert read_values(written.encode(), step="s") == expected


@given(st.binary())
def test_whatever_was_written_is_read_or_refused(written: bytes) -> None:
    for read in (read_values, read_metrics):
        with suppress(OutputUnreadable):
            read(written, step="s")


# --- HEADWAY_METRICS and `metrics:` -----------------------------------------------------------------------------

METRICS = {
    "nothing": (b"", ()),
    "name and value": (b'{"name": "auc", "value": 0.5}\n', (Metric(name="auc", value=0.5),)),
    "with a step": (b'{"name": "loss", "value": 1, "step": 3}', (Metric(name="loss", value=1.0, at_step=3),)),
    "a step of none": (b'{"name": "loss", "value": 1, "step": null}', (Metric(name="loss", value=1.0),)),
    "plain": (b'{"auc": 0.5, "n": 3}\n', (Metric(name="auc", value=0.5), Metric(name="n", value=3.0))),
    "a group": (b'{"test": {"auc": 0.5}}', (Metric(name="test.auc", value=0.5),)),
    "a number as text": (b'{"name": "auc", "value": "0.5"}', (Metric(name="auc", value=0.5),)),
    "truth": (b'{"converged": true}', (Metric(name="converged", value=1.0),)),
    "a metric called name": (b'{"name": 1}', (Metric(name="name", value=1.0),)),
    "empty lines": (b'\n\n{"a": 1}\r\n\r\n', (Metric(name="a", value=1.0),)),
}


@pytest.mark.parametrize(("written", "metrics"), METRICS.values(), ids=METRICS.keys())
def test_metrics_are_read(written: bytes, metrics: tuple[Metric, ...]) -> None:
    assert read_metrics(written, step="s") == metrics


NO_METRICS = {
    "no JSON": (b"auc=0.5", "JSON is malformed"),
    "no object": (b"[0.5]", "expected an object with names and numbers"),
    "a text": (b'{"auc": "good"}', "auc is 'good', not a number"),
    "nothing": (b'{"name": "auc", "value": null}', "auc is 'None', not a number"),
    "a list": (b'{"test": {"auc": [1]}}', "test.auc is '[1]', not a number"),
    "NaN": (b'{"name": "auc", "value": NaN}', "JSON is malformed"),
    "NaN as text": (b'{"name": "auc", "value": "nan"}', "auc is nan; only finite numbers can be recorded"),
    "more than a float": (b'{"auc": %s}' % (b"9" * 400), "not a number"),
    "endless": (b'{"name": "auc", "value": "inf"}', "auc is inf; only finite numbers can be recorded"),
    "a step that is a text": (b'{"name": "auc", "value": 1, "step": "a"}', "step is 'a', not a whole number"),
    "a step that is half": (b'{"name": "auc", "value": 1, "step": 0.5}', "step is 0.5, not a whole number"),
    "a step that is true": (b'{"name": "auc", "value": 1, "step": true}', "step is True, not a whole number"),
    "a step beyond all": (b'{"name": "auc", "value": 1, "step": 9223372036854775808}', "not a whole number"),
    "too deep": (b'{"a":' * 100_000, "recursion"),
}


@pytest.mark.parametrize(("written", "problem"), NO_METRICS.values(), ids=NO_METRICS.keys())
def test_metrics_in_another_form_are_refused_with_their_line(written: bytes, problem: str) -> None:
    with pytest.raises(OutputUnreadable, match=r"what step train wrote cannot be read") as caught:
        read_metrics(b'{"fine": 1}\n' + written, step="train")
    assert problem in caught.value.problem
    assert caught.value.at == "HEADWAY_METRICS, line 2"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
odd_objects = st.dictionaries(st.sampled_from(["name", "value", "step", "auc"]), json_values)


@given(odd_objects)
def test_a_metric_that_was_read_can_be_recorded_and_read_again(value: object) -> None:
    """A value of the wrong kind in a fact would make the whole log unreadable."""
    try:
        metrics = read_metrics(json.dumps(value).encode(), step="s")
    except OutputUnreadable:
        return
    fact: Fact = StepFinished(step="s", outcome="passed", metrics=metrics)
    assert wire.decode_fact(wire.encode_fact(fact), seq=1) == fact
    assert all(math.isfinite(metric.value) for metric in metrics)


def test_a_metrics_file_may_hold_more_than_numbers() -> None:
    data = json.dumps({"auc": 0.5, "model": "forest", "per class": {"a": 1, "names": ["x"]}, "none": None}).encode()
    read = read_metrics_file(data, path="m.json", step="s")
    assert [(m.name, m.value) for m in read] == [("auc", 0.5), ("per class.a", 1.0)]


@pytest.mark.parametrize("data", [b"[1]", b"3", b"{", b"\xff", b'{"a": 1e999}'])
def test_a_metrics_file_in_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(OutputUnreadable, match=r"m\.json"):
        read_metrics_file(data, path="m.json", step="s")


# --- JUnit XML --------------------------------------------------------------------------------------------------

PYTEST = b"""<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests"><testsuite name="pytest" errors="0"
failures="1" skipped="1" tests="3" time="0.1"><testcase classname="tests.test_model" name="test_auc" time="0.012" />
<testcase classname="tests.test_model" name="test_recall" time="1.5"><failure message="assert 0.5 &gt; 0.6">def
test_recall(): ...</failure></testcase><testcase classname="tests.test_model" name="test_gpu" time="0.000"><skipped
type="pytest.skip" message="no GPU">x.py:3: no GPU</skipped></testcase></testsuite></testsuites>"""


def test_the_tests_of_pytest_are_read() -> None:
    assert read_junit(PYTEST, path="r.xml", step="s") == (
        f.TestResult(name="tests.test_model::test_auc", outcome="passed", seconds=0.012),
        f.TestResult(name="tests.test_model::test_recall", outcome="failed", seconds=1.5, message="assert 0.5 > 0.6"),
        f.TestResult(name="tests.test_model::test_gpu", outcome="skipped", message="no GPU"),
    )


def one(inside: str, attributes: str = 'name="t"') -> f.TestResult:
    """The one test of a suite."""
    document = f"<testsuite><testcase {attributes}>{inside}</testcase></testsuite>".encode()
    return read_junit(document, path="r.xml", step="s")[0]


def test_an_error_outweighs_a_failure() -> None:
    assert one("<failure message='f'/><error message='e'/>").outcome == "error"


def test_the_text_stands_in_for_a_message_that_is_not_there() -> None:
    assert one("<failure> it broke \n</failure>").message == "it broke"


def test_a_long_message_is_cut() -> None:
    assert len(one(f"<failure>{'x' * 9999}</failure>").message) == LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("written", "seconds"), [("1,234.5", 1234.5), ("", 0.0), ("soon", 0.0), ("nan", 0.0), ("inf", 0.0), ("-1", 0.0)]
)
def test_an_odd_time_fails_no_step(written: str, seconds: float) -> None:
    assert one("", f'name="t" time="{written}"').seconds == seconds


@pytest.mark.parametrize(
    ("data", "line"),
    [
        pytest.param(b"", 1, id="empty"),
        pytest.param(b"<testsuites>\n<testsuite>", 2, id="cut off"),
        pytest.param(b"<html><testcase name='t'/></html>", 1, id="something else"),
        pytest.param(b'<?xml version="1.0" encoding="nonsense"?><testsuites/>', 1, id="an unknown encoding"),
        pytest.param(b'<?xml version="1.0" encoding="utf-7"?><testsuites/>', 1, id="an encoding expat cannot do"),
    ],
)
def test_what_is_no_junit_is_refused(data: bytes, line: int) -> None:
    with pytest.raises(OutputUnreadable) as caught:
        read_junit(data, path="report.xml", step="test")
    assert caught.value.at == f"report.xml, line {line}"
    assert "HEADWAY" not in caught.value.remedy
