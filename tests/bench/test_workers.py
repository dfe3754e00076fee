"""A worker's answer is read, and what is no answer is no measurement."""

import sys
from pathlib import Path

import pytest

import environments
from harness import Options, Stage
from report import Sample
from workers import HEADWAY, Worker, chosen, less_cpu, unless

SCRIPT = """
import sys
from pathlib import Path
task, *words = sys.argv[1:]
if task == "fail":
    raise SystemExit("it broke")
if task == "make":
    Path("made.txt").write_text(words[0])
    print("made")
else:
    print("so it goes")
    print(Path("made.txt").read_text())
"""


def asked(folder: Path, peers: str = "default") -> Options:
    return Options(n=1, peers=peers, cache=folder, results=folder, timeout_s=60)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    where = environments.Environment(bin=Path(sys.executable).parent, versions={})
    stage = Stage(name="x", promise="", options=asked(tmp_path), installed={"headway": where}, commit="")
    (tmp_path / "worker.py").write_text(SCRIPT)
    return Worker(stage=stage, script=tmp_path / "worker.py")


def test_the_last_line_is_the_answer(worker: Worker, tmp_path: Path) -> None:
    worker.make(tmp_path / "data", "make", '{"f0": {"mean": 1.5}}')
    sample, said = worker.ask(HEADWAY, tmp_path / "data", "tell")
    assert said == {"f0": {"mean": 1.5}}
    assert sample.fault is None
    assert sample.cpu_s > 0


@pytest.mark.parametrize("answer", ["", "no JSON", "3", "[1]", "null"])
def test_what_is_no_object_is_no_answer(worker: Worker, tmp_path: Path, answer: str) -> None:
    worker.make(tmp_path / "data", "make", answer)
    sample, said = worker.ask(HEADWAY, tmp_path / "data", "tell")
    assert said == {}
    assert "`tell` gave no answer" in str(sample.fault)


def test_a_worker_that_fails_is_told(worker: Worker, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"the data in data could not be made: .*it broke"):
        worker.make(tmp_path / "data", "fail")
    sample, said = worker.ask(HEADWAY, tmp_path / "data", "fail")
    assert said == {}
    assert "it broke" in str(sample.fault)


@pytest.mark.parametrize(
    ("peers", "found"), [("default", {"a", "b"}), ("all", {"a", "b"}), ("none", set()), ("b", {"b"})]
)
def test_peers_are_those_that_are_asked_for(tmp_path: Path, peers: str, found: set[str]) -> None:
    assert chosen(asked(tmp_path, peers), ["a", "b"]) == found


def test_an_unknown_peer_ends_the_program(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no peer is called c; there are a, b"):
        chosen(asked(tmp_path, "a,c"), ["a", "b"])


def test_a_fault_in_what_was_said_takes_the_numbers() -> None:
    sample = Sample(wall_s=1, cpu_s=1, rss_bytes=1)
    assert unless(None, sample) is sample
    assert unless("wrong", sample).fault == "wrong"
    assert unless("wrong", Sample.broken("dead")).fault == "dead"


def test_promises_of_less_cpu_name_the_case_and_the_peer() -> None:
    (promise,) = less_cpu("report", {"evidently": 20.0})
    assert (promise.of, promise.over) == (("evidently", "report"), ("headway", "report"))
    assert (promise.least, promise.measure) == (20.0, "cpu_s")
