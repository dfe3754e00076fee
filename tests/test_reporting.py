"""What Python scripts report, read back by the reader that a run uses."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headway
from headway.codec.reports import read_metrics, read_values
from headway.core.facts import Metric


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The files for metrics and for values, which do not exist yet."""
    metrics, output = tmp_path / "metrics", tmp_path / "output"
    monkeypatch.setenv("HEADWAY_METRICS", str(metrics))
    monkeypatch.setenv("HEADWAY_OUTPUT", str(output))
    return metrics, output


def test_metrics_are_read_back_as_they_were_reported(files: tuple[Path, Path]) -> None:
    headway.log_metrics({"loss": 0.5, "step": 3}, step=1)
    headway.log_metrics(auc=0.7)
    assert read_metrics(files[0].read_bytes(), step="s") == (
        Metric(name="loss", value=0.5, at_step=1),
        Metric(name="step", value=3.0, at_step=1),
        Metric(name="auc", value=0.7),
    )


def test_numbers_of_numpy_are_numbers(files: tuple[Path, Path]) -> None:
    import numpy as np

    headway.log_metrics(a=np.float32(0.5), b=np.array(2), step=np.int64(7))
    assert read_metrics(files[0].read_bytes(), step="s") == (
        Metric(name="a", value=0.5, at_step=7),
        Metric(name="b", value=2.0, at_step=7),
    )


@pytest.mark.parametrize(
    ("value", "error"),
    [("high", TypeError), (None, TypeError), (float("nan"), ValueError), (float("inf"), ValueError)],
)
def test_what_cannot_be_recorded_is_refused_where_it_is_reported(
    files: tuple[Path, Path], value: float, error: type[Exception]
) -> None:
    with pytest.raises(error, match="loss"):
        headway.log_metrics({"auc": 0.7, "loss": value})
    assert not files[0].exists()


NAMES = st.from_regex(r"[a-z][a-z0-9 _.-]{0,8}[a-z]", fullmatch=True)


@given(st.dictionaries(NAMES, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"))))
def test_values_are_read_back_whatever_they_hold(values: dict[str, str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        path = Path(folder) / "output"
        patch.setenv("HEADWAY_OUTPUT", str(path))
        for name, value in values.items():
            headway.set_output(name, value)
        assert read_values(path.read_bytes() if values else b"", step="s") == values


def test_values_are_written_as_text(files: tuple[Path, Path]) -> None:
    headway.set_output("n", 3)
    headway.set_output("path", Path("models/m.pkl"))
    assert read_values(files[1].read_bytes(), step="s") == {"n": "3", "path": "models/m.pkl"}


@pytest.mark.parametrize("name", ["", "a=b", "a\nb", "a<<b", " a"])
def test_a_name_that_could_not_be_read_back_is_refused(files: tuple[Path, Path], name: str) -> None:
    with pytest.raises(ValueError, match="cannot name an output"):
        headway.set_output(name, "x")


def test_outside_of_a_run_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEADWAY_METRICS", raising=False)
    monkeypatch.setenv("HEADWAY_OUTPUT", "")
    headway.log_metrics(auc=0.7)
    headway.set_output("a", "b")


def test_importing_headway_loads_none_of_it_until_asked() -> None:
    script = "import sys, headway; before = set(sys.modules); headway.log_metrics; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "headway.reporting" in done.stdout.split()
    assert not [name for name in done.stdout.split() if name.startswith(("headway.c", "msgspec", "numpy"))]


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'log_metric'"):
        headway.log_metric  # type: ignore[attr-defined] # noqa: B018 # the very point


def test_processes_do_not_cut_into_each_other(files: tuple[Path, Path]) -> None:
    script = "import headway\nfor i in range(200): headway.log_metrics({'loss' * 20: i}, step=i)"
    processes = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [p.wait() for p in processes] == [0, 0, 0]
    assert len(read_metrics(files[0].read_bytes(), step="s")) == 600
