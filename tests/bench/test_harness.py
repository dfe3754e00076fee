"""The benchmark harness itself: what it measures is real, and work that was not done gets no number."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import environments
import harness
import pipelines
import projects.make
import run_all
from harness import Contender, Place, Stage
from projects.tool import Tool
from report import Promise, Result, Sample, Series
from shapes import Graph, chain, independent, layers

GRAPHS = [chain(4), independent(5), layers(3, 4)]


def sample(wall_s: float = 1.0) -> Sample:
    return Sample(wall_s=wall_s, cpu_s=wall_s, rss_bytes=1)


def place(folder: Path) -> Place:
    project = folder / "project"
    project.mkdir()
    where = environments.Environment(bin=Path(sys.executable).parent, versions={})
    return Place(folder=project, home=folder, environment=where)


def copy_all(graph: Graph, folder: Path) -> None:
    graph.write_sources(folder)
    for node in graph.nodes:
        shutil.copyfile(folder / node.reads[0], folder / node.writes)


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.shape)
def test_a_graph_that_was_copied_in_order_has_no_fault(graph: Graph, tmp_path: Path) -> None:
    copy_all(graph, tmp_path)
    assert graph.fault(tmp_path) is None


def test_a_missing_and_a_wrong_output_are_named(tmp_path: Path) -> None:
    graph = chain(4)
    copy_all(graph, tmp_path)
    (tmp_path / "s3.txt").write_text("else")
    assert "s3.txt holds 'else'" in str(graph.fault(tmp_path))
    (tmp_path / "s2.txt").unlink()
    assert graph.fault(tmp_path) == "s2.txt is missing"


def test_each_step_of_a_layer_needs_two_of_the_layer_below() -> None:
    graph = layers(3, 4)
    assert [len(node.needs) for node in graph.nodes] == [0] * 4 + [2] * 8
    assert len(graph.last) == 4


def test_a_process_is_measured_with_what_its_children_took(tmp_path: Path) -> None:
    child = "sum(range(3_000_000))"
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    measured = harness.once(["python", "-c", program], place(tmp_path), 60)
    assert measured.fault is None
    assert measured.cpu_s > 0.03
    assert measured.rss_bytes > 1_000_000


def test_a_failed_process_gives_its_status_and_its_words_and_no_number(tmp_path: Path) -> None:
    measured = harness.once(["python", "-c", "raise SystemExit('no such data')"], place(tmp_path), 60)
    assert "ended with 1: no such data" in str(measured.fault)


def test_a_worker_is_counted_in_an_empty_folder(tmp_path: Path) -> None:
    where = place(tmp_path)
    (where.folder / "left").touch()
    program = "import json, os; json.dump({'facts': 7, 'left': len(os.listdir())}, open('counts.json', 'w'))"
    assert harness.counted(["python", "-c", program], where, 60).counts == {"facts": 7.0, "left": 0.0}


def test_a_process_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    measured = harness.once(["sleep", "50"], place(tmp_path), 1)
    assert "did not end in 1 s" in str(measured.fault)


def test_what_is_measured_does_not_see_this_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    program = "import os; raise SystemExit('PYTHONDONTWRITEBYTECODE' in os.environ)"
    assert harness.once(["python", "-c", program], place(tmp_path), 60).fault is None


def test_contenders_take_turns_and_the_first_round_is_thrown_away() -> None:
    played: list[str] = []

    def contender(name: str) -> Contender:
        def play(repetition: int) -> Iterator[tuple[str, Sample]]:
            played.append(f"{name}{repetition}")
            yield "run", sample(repetition)

        return Contender(tool=name, play=play)

    series = harness.take_turns([contender("a"), contender("b")], 2)
    assert played == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert [one.values("wall_s") for one in series] == [[1.0, 2.0], [1.0, 2.0]]


def test_a_contender_that_fails_is_out_and_shows_no_number() -> None:
    def play(repetition: int) -> Iterator[tuple[str, Sample]]:
        yield "run", sample() if repetition < 2 else Sample.broken("s3.txt is missing")

    (series,) = harness.take_turns([Contender(tool="a", play=play)], 5)
    assert series.fault == "s3.txt is missing"
    assert not series.is_good


@pytest.mark.parametrize(
    ("peer_s", "verdict", "status"), [(5.0, "kept", 0), (4.9, "BROKEN", 1)], ids=["at the bound", "below it"]
)
def test_a_promise_is_judged_by_the_ratio_of_medians(peer_s: float, verdict: str, status: int) -> None:
    series = [
        Series(tool="headway", case="run", samples=[sample(0.1), sample(1.0), sample(9.0)]),
        Series(tool="dvc", case="run", samples=[sample(peer_s)]),
    ]
    promise = Promise(text="5 x", of=("dvc", "run"), over=("headway", "run"), least=5.0)
    assert promise.judged(series) == (verdict, peer_s)
    assert result(series, promise).status() == status


def test_a_promise_without_its_peer_is_unmeasured() -> None:
    promise = Promise(text="5 x", of=("dvc", "run"), over=("headway", "run"), least=5.0)
    assert promise.judged([Series(tool="headway", case="run", samples=[sample()])]) == ("unmeasured", None)


def result(series: list[Series], promise: Promise, hidden: tuple[str, ...] = ()) -> Result:
    return Result(
        name="try",
        promise="Promise: none.",
        series=series,
        promises=[promise],
        skipped={"zenml": "it does not install"},
        versions={},
        installer="pip",
        commit="abc",
        load=(0.0, 0.0),
        floor_bytes=10_000_000,
        hidden=hidden,
    )


def test_a_result_names_what_is_missing_and_hides_this_machines_folders(tmp_path: Path) -> None:
    series = [Series(tool="headway", case="run", fault="/home/me/cache/x failed")]
    promise = Promise(text="fast", of=("headway", "run"), most=1.0)
    shown = result(series, promise, hidden=("/home/me",))
    markdown = shown.markdown()
    assert "- FAILED headway, run: …/cache/x failed" in markdown
    assert "- skipped zenml: it does not install" in markdown
    assert "- promise unmeasured: fast" in markdown
    assert shown.status() == 1
    written = shown.write(tmp_path).read_text()
    assert "/home/me" not in written
    assert json.loads(written)["cases"][0]["fault"] == "…/cache/x failed"


def stage(tmp_path: Path) -> Stage:
    options = harness.Options(n=1, peers="make", cache=tmp_path, results=tmp_path / "results", timeout_s=60)
    return Stage(name="try", promise="Promise: none.", options=options)


@pytest.mark.skipif(shutil.which("make") is None, reason="GNU make is not installed")
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.shape)
def test_make_does_the_work_and_then_nothing(graph: Graph, tmp_path: Path) -> None:
    at = stage(tmp_path)
    (tool,) = at.bring([projects.make.TOOL])
    series = harness.take_turns([pipelines.contender(at, tool, tmp_path / "make", (graph, 2))], 1)
    assert [(one.case, one.fault, len(one.samples)) for one in series] == [("first run", None, 1), ("no-op", None, 1)]


def test_a_second_run_that_repeats_a_step_is_no_no_op(tmp_path: Path) -> None:
    at = stage(tmp_path)
    at.installed["sh"] = environments.Environment(bin=Path("/bin"), versions={})
    tool = Tool(
        name="sh", write=lambda *_: None, run=lambda _: ("sh", "-c", "for f in *source.txt; do cp $f s0.txt; done")
    )
    # Only "warm-source.txt" or "s-source.txt" is there, so that one `cp` does either graph's single step.
    series = harness.take_turns([pipelines.contender(at, tool, tmp_path / "sh", (chain(1), 1))], 1)
    assert [one.fault for one in series] == [None, "a step ran again"]


def test_a_tool_that_is_missing_is_named(tmp_path: Path) -> None:
    at = stage(tmp_path)
    assert at.bring([Tool(name="no-such-tool")]) == []
    assert at.skipped == {"no-such-tool": "no-such-tool is not on the PATH"}


def test_the_cache_may_not_lie_in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["startup.py", "--cache", str(environments.REPOSITORY / "cache")])
    with pytest.raises(SystemExit):
        harness.options("Promise: none.", n=1)


def test_every_benchmark_is_run_by_run_all_and_told_of_in_the_docs() -> None:
    folder = environments.REPOSITORY / "bench"
    found = {path.stem for path in folder.glob("*.py") if "Promise:" in path.read_text().partition("\n")[0]}
    assert found == set(run_all.ALL)
    page = (environments.REPOSITORY / "docs" / "benchmarks.md").read_text()
    assert [name for name in run_all.ALL if f"bench/{name}.py" not in page] == []
    assert run_all.BEGIN in page
    assert run_all.END in page


def test_tables_are_put_between_the_marks_of_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{run_all.BEGIN}\nold\n{run_all.END}\nafter\n")
    run_all.fill(page, "new")
    assert page.read_text() == f"before\n{run_all.BEGIN}\n\nnew\n\n{run_all.END}\nafter\n"
