"""From what a person wrote to the pipeline that runs: ids, order, paths, matrices, names."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.grammar import File
from headway.core.pipeline import Pipeline, Resources, Retry
from headway.core.problem import Problem
from headway.core.resolve import Around, resolve
from tries import tries

TYPES = ("validate-data", "gate", "register", "deploy")


def read(steps: list[dict[str, Any]], params: Mapping[str, Any] | None = None, **top: Any) -> tuple[Any, list[Problem]]:
    around = Around(params=params, step_types=TYPES)
    top |= {} if params is None else {"params": "p.yaml"}
    return resolve(msgspec.convert({"steps": steps, **top}, File), around)


def good(steps: list[dict[str, Any]], params: Mapping[str, Any] | None = None, **top: Any) -> Pipeline:
    pipeline, problems = read(steps, params, **top)
    assert problems == []
    assert isinstance(pipeline, Pipeline)
    return pipeline


def bad(steps: list[dict[str, Any]], params: Mapping[str, Any] | None = None, **top: Any) -> list[tuple[str, str, str]]:
    pipeline, problems = read(steps, params, **top)
    assert pipeline is None
    return [(".".join(str(p) for p in one.path), one.problem, one.remedy) for one in problems]


def needs(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    return {step.id: step.needs for step in pipeline.steps}


def run(name: str, /, **keys: Any) -> dict[str, Any]:
    return {"id": name, "run": f"echo {name}", **{k.rstrip("_").replace("_", "-"): v for k, v in keys.items()}}


# --- ids ------------------------------------------------------------------------------------------------------------


def test_ids_come_from_names_commands_and_places() -> None:
    steps = [
        {"name": "Train Model", "run": "a"},
        {"run": "python train.py --lr 0.1 --depth 3"},
        {"run": "python train.py --lr 0.2"},
        {"name": "Test", "id": "check_it", "run": "a"},
        {"uses": "gate"},
        {"name": "训练", "run": "a"},
        {"run": "'"},
    ]
    ids = ["train-model", "python-train-py-lr", "python-train-py-lr-2", "check_it", "gate", "step-6", "step-7"]
    pipeline = good(steps)
    assert [step.id for step in pipeline.steps] == ids
    assert [step.name for step in pipeline.steps][:3] == ["Train Model", *ids[1:3]]


def test_two_steps_of_one_name_are_refused() -> None:
    steps = [{"name": "A B", "run": "a"}, {"name": "a-b", "run": "b"}, {"id": "a-b", "run": "c"}]
    assert [(where, problem) for where, problem, _ in bad(steps)] == [
        ("steps.1.name", "two steps have the id `a-b`: this one and steps[0]"),
        ("steps.2.id", "two steps have the id `a-b`: this one and steps[0]"),
    ]


@pytest.mark.parametrize("made", ["a b", "-a", "a.b", "ä", "a[0]"])
def test_an_id_is_letters_digits_and_hyphens(made: str) -> None:
    assert bad([{"id": made, "run": "a"}])[0][:2] == ("steps.0.id", f"`{made}` cannot be an id")


# --- shape ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "where", "problem", "remedy"),
    [
        ({}, "steps.0", "the step does nothing", "give it `run:`"),
        ({"name": "A"}, "steps.0", "the step does nothing", "give it `run:`"),
        ({"run": " \n"}, "steps.0", "the step does nothing", "give it `run:`"),
        ({"run": "a", "uses": "gate"}, "steps.0.uses", "the step has both `run` and `uses`", "make it two steps"),
        ({"uses": "gat"}, "steps.0.uses", "there is no step type `gat`", "did you mean `gate`?"),
        ({"uses": "xyz"}, "steps.0.uses", "there is no step type `xyz`", "there are deploy, gate, register"),
        ({"uses": "actions/checkout@v4"}, "steps.0.uses", "is a GitHub action", "run the command behind it"),
        ({"uses": "./steps/mine"}, "steps.0.uses", "is a path", "run the command behind it"),
        ({"run": "a", "with": {"b": 1}}, "steps.0.with", "`with` goes with `uses`", "with env:"),
        ({"uses": "gate", "shell": "sh"}, "steps.0.shell", "`shell` goes with `run`", "take it out"),
        ({"run": "a", "env": {"A=B": 1}}, "steps.0.env.A=B", "cannot name an environment variable", "letters"),
        ({"run": "a", "timeout": "soon"}, "steps.0.timeout", "`soon` is not a time", "write 90"),
        ({"run": "a", "timeout": 0}, "steps.0.timeout", "no step can end in no time", "write 90"),
        ({"run": "a", "retry": -1}, "steps.0.retry", "-1 attempts make no sense", "write 0"),
        ({"run": "a", "retry": {"times": 1, "wait": "x"}}, "steps.0.retry.wait", "`x` is not a time", "write 90"),
        ({"run": "a", "retry": {"times": 1, "factor": 0}}, "steps.0.retry.factor", "from 1 to 1000", "2 doubles"),
        ({"run": "a", "resources": {"memory": "big"}}, "steps.0.resources.memory", "not an amount", "4GiB"),
        ({"run": "a", "resources": {"cpu": -1}}, "steps.0.resources.cpu", "make no sense", "write 0.5"),
        ({"run": "a", "resources": {"gpu": -1}}, "steps.0.resources.gpu", "make no sense", "write 0"),
    ],
)
def test_what_a_step_cannot_be(step: dict[str, Any], where: str, problem: str, remedy: str) -> None:
    found = bad([step])
    assert len(found) == 1
    assert found[0][0] == where
    assert problem in found[0][1]
    assert remedy in found[0][2]


def test_terms_are_put_into_seconds_and_bytes() -> None:
    step = good(
        [
            run(
                "a",
                timeout="1h30m",
                retry={"times": 2, "wait": "10s", "factor": 2},
                resources={"cpu": 2, "memory": "4GiB", "gpu": 1},
                continue_on_error=True,
                if_=False,
                env={"A": 1, "B": True, "C": "x", "D": None},
                metrics="./m.json",
                tests="report.xml",
                shell="dash",
                runner="ray",
            )
        ]
    ).steps[0]
    assert step.timeout_s == 5400.0
    assert step.retry == Retry(times=2, wait_s=10.0, factor=2.0)
    assert step.resources == Resources(cpu=2.0, memory_bytes=4 << 30, gpu=1)
    assert step.condition == "false"
    assert step.env == {"A": "1", "B": "true", "C": "x", "D": ""}
    assert (step.metrics, step.tests, step.shell, step.runner) == ("m.json", "report.xml", "dash", "ray")
    assert step.continue_on_error
    assert not step.cacheable


@pytest.mark.parametrize(
    ("step", "is_cacheable"),
    [({}, False), ({"params": ["a"]}, False), ({"in": "a"}, True), ({"out": "b"}, True), ({"in": []}, True)],
)
def test_declaring_in_or_out_makes_a_step_cacheable(step: dict[str, Any], is_cacheable: bool) -> None:
    assert good([run("a", **step)]).steps[0].cacheable is is_cacheable


# --- paths ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "named"),
    [
        ("models/model.pkl", {"model": "models/model.pkl"}),
        ("./models//a.b.c/", {"a": "models/a.b.c"}),
        (["a/x.csv", "a/y.csv"], {"x": "a/x.csv", "y": "a/y.csv"}),
        (["a/x.csv", "b/x.csv"], {"a/x.csv": "a/x.csv", "b/x.csv": "b/x.csv"}),
        ({"best": "m.pkl"}, {"best": "m.pkl"}),
        ("m/best-${{ params.x }}.pkl", {"best": "m/best-${{ params.x }}.pkl"}),
        ("m/${{ params.x }}.pkl", {"m": "m/${{ params.x }}.pkl"}),
        ("${{ params.x }}", {"out": "${{ params.x }}"}),
        ("out/.hidden", {".hidden": "out/.hidden"}),
        ([], {}),
    ],
)
def test_outputs_are_named_after_their_files(out: Any, named: dict[str, str]) -> None:
    assert good([run("a", out=out)]).steps[0].outputs == named


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/etc/passwd", "does not lie in the project's folder"),
        ("~/x", "does not lie in the project's folder"),
        ("../x", "may lead out of the project's folder"),
        ("a/../../x", "may lead out of the project's folder"),
        ("../${{ params.x }}", "may lead out of the project's folder"),
        ("/${{ params.x }}", "does not lie in the project's folder"),
        ("", "is no file or folder of the project"),
        ("./", "is no file or folder of the project"),
        (".headway/log", "belongs to Headway or Git"),
        (".git", "belongs to Headway or Git"),
        ("s3://bucket/x", "is an address, not a path"),
        ("a\\b", "has a backslash"),
    ],
)
def test_paths_stay_in_the_project(path: str, problem: str) -> None:
    found = bad([run("a", in_=path, out=["ok", path], metrics=path or "/", tests=path or "/")])
    assert [where for where, *_ in found] == ["steps.0.out.1", "steps.0.in", "steps.0.metrics", "steps.0.tests"]
    assert problem in found[0][1]
    assert problem in found[1][1]


def test_hidden_files_and_parents_inside_are_no_fault() -> None:
    assert good([run("a", in_=[".env", ".dvc/config", "a..b"])]).steps[0].inputs == (".env", ".dvc/config", "a..b")


def test_an_output_cannot_be_a_glob() -> None:
    assert bad([run("a", out="out/*.csv")])[0][1] == "`out/*.csv` is a glob"


@pytest.mark.parametrize("order", ["list", "graph"])
def test_two_steps_cannot_write_the_same_path(order: str) -> None:
    found = bad([run("a", out="x/y"), run("b", out=["z", "./x/y"]), run("c", out="x")], order=order)
    assert ("steps.1.out.1", "`a` and `b` both write `x/y`", "let each step write paths of its own") in found
    assert any(problem == "`a` and `c` write into one another: `x/y` lies in `x`" for _, problem, _ in found)


# --- order of the list ----------------------------------------------------------------------------------------------


def test_steps_run_in_list_order() -> None:
    assert needs(good([run("a"), run("b"), run("c")])) == {"a": (), "b": ("a",), "c": ("b",)}


def test_a_plain_step_waits_for_all_that_is_above_it() -> None:
    steps = [run("a"), run("b", needs=[]), run("c", needs="a"), run("d", needs=["a"]), run("e"), run("f")]
    assert needs(good(steps)) == {
        "a": (),
        "b": (),
        "c": ("a",),
        "d": ("a",),
        "e": ("b", "c", "d"),
        "f": ("e",),
    }


def test_a_step_may_need_one_that_is_written_below_it() -> None:
    pipeline = good([run("late", needs="early"), run("early", needs=[]), run("last")])
    assert [step.id for step in pipeline.steps] == ["early", "late", "last"]
    assert set(needs(pipeline)["last"]) == {"late", "early"}


def test_needs_that_cannot_be_met_are_told_apart() -> None:
    found = bad([run("train"), run("test", needs=["trian", "test"]), run("a", needs="b"), run("b", needs="a")])
    assert found == [
        ("steps.1.needs.0", "there is no step `trian`", "did you mean `train`?"),
        ("steps.1.needs.1", "a step cannot wait for itself", "take it out, or name another step"),
        ("steps.2.needs", "steps wait for each other: a -> b -> a", "take one of these out of `needs`, `in` or `out`"),
    ]


def test_an_input_that_a_later_step_writes_is_a_fault() -> None:
    found = bad([run("use", in_=["a", "data/x.csv"]), run("make", out="data")])
    assert found == [("steps.0.in.1", "`use` reads `data/x.csv`, which `make` makes later", "move `make` above it")]


def test_an_input_of_a_step_that_is_not_waited_for_is_a_fault() -> None:
    found = bad([run("make", out="x"), run("use", in_="x", needs=[])])
    assert found == [
        ("steps.1.in", "`use` reads `x`, which `make` makes, but does not wait for it", "add `make` to its `needs`")
    ]
    good([run("make", out="x"), run("mid", needs="make"), run("use", in_="x", needs="mid")])


def test_a_step_cannot_read_what_it_writes() -> None:
    assert bad([run("a", in_=["y", "x"], out="x")])[0][:2] == ("steps.0.in.1", "`a` reads and writes `x`")


# --- order of the graph ---------------------------------------------------------------------------------------------


def test_the_graph_follows_from_paths_folders_and_globs() -> None:
    steps = [
        run("report", in_=["models/model.pkl", "metrics/*.json"], out="report.html"),
        run("prepare", in_="raw", out="clean"),
        run("train", in_=["clean/train.csv", "train.py"], out={"model": "models/model.pkl"}),
        run("measure", in_=["models", "clean/**/*.csv"], out="metrics/a.json"),
        run("other", in_="elsewhere/*.json", out="metrics/deep/b.json"),
        run("free", needs=[]),
        run("also", in_="raw", out="also", needs="free"),
    ]
    pipeline = good(steps, order="graph")
    assert {step: set(some) for step, some in needs(pipeline).items()} == {
        "report": {"train", "measure"},
        "prepare": set(),
        "train": {"prepare"},
        "measure": {"train", "prepare"},
        "other": set(),
        "free": set(),
        "also": {"free"},
    }
    position = {step.id: i for i, step in enumerate(pipeline.steps)}
    assert all(position[n] < position[step.id] for step in pipeline.steps for n in step.needs)


def test_a_step_that_declares_nothing_is_a_barrier() -> None:
    steps = [run("a", out="a"), run("b", out="b"), run("wall"), run("c", out="c"), run("d", in_="c"), run("wall-2")]
    assert needs(good(steps, order="graph")) == {
        "a": (),
        "b": (),
        "wall": ("a", "b"),
        "c": ("wall",),
        "d": ("wall", "c"),
        "wall-2": ("d",),
    }


def test_an_expression_that_uses_a_step_makes_the_graph_wait_for_it() -> None:
    steps = [
        run("use", in_="${{ steps.make.out.x }}"),
        {"id": "show", "run": "echo ${{ steps.make.out.value }}", "in": "y"},
        run("make", out="x"),
    ]
    pipeline = good(steps, order="graph")
    assert needs(pipeline) == {"make": (), "use": ("make",), "show": ("make",)}
    assert next(step for step in pipeline.steps if step.id == "use").inputs == ("x",)


def test_a_ring_is_told_by_its_members() -> None:
    steps = [run("a", in_="z", out="x"), run("b", in_="x", out="y"), run("c", in_="y", out="z"), run("d", in_="z")]
    assert bad(steps, order="graph") == [
        ("steps.0", "steps wait for each other: a -> c -> b -> a", "take one of these out of `needs`, `in` or `out`")
    ]


# --- matrices -------------------------------------------------------------------------------------------------------


def test_a_matrix_is_spread_into_instances() -> None:
    steps = [
        run("data"),
        run(
            "train",
            name="Train",
            matrix={"lr": [0.1, 0.01], "depth": [3]},
            out={"model": "models/${{ matrix.lr }}-${{ params.x }}.pkl"},
        ),
        run("best", run="cat ${{ steps['train[lr=0.1,depth=3]'].out.model }}"),
    ]
    pipeline = good(steps, {"x": 1})
    assert needs(pipeline) == {
        "data": (),
        "train[lr=0.1,depth=3]": ("data",),
        "train[lr=0.01,depth=3]": ("data",),
        "best": ("train[lr=0.1,depth=3]", "train[lr=0.01,depth=3]"),
    }
    first = pipeline.steps[1]
    assert first.name == "Train (0.1, 3)"
    assert first.matrix == {"lr": 0.1, "depth": 3}
    assert first.outputs == {"model": "models/0.1-${{ params.x }}.pkl"}


def test_needing_a_matrix_is_needing_all_of_it() -> None:
    steps = [run("a", matrix={"x": [1, 2]}), run("b", needs="a[x=2]"), run("c", needs=["a"])]
    assert needs(good(steps))["b"] == ("a[x=2]",)
    assert needs(good(steps))["c"] == ("a[x=1]", "a[x=2]")


def test_instances_must_write_different_paths() -> None:
    assert bad([run("a", matrix={"x": [1, 2]}, out="m.pkl")]) == [
        (
            "steps.0.out",
            "every instance of the matrix writes `m.pkl`",
            "put a matrix value into the path: models/${{ matrix.x }}.pkl",
        )
    ]


def test_a_matrix_value_may_not_lead_out_of_the_project() -> None:
    assert bad([run("a", matrix={"x": ["../..", "b"]}, out="${{ matrix.x }}")])[0][0] == "steps.0.out"


def test_include_and_exclude_work_as_on_github() -> None:
    # The example of GitHub's own page.
    matrix = {
        "fruit": ["apple", "pear"],
        "animal": ["cat", "dog"],
        "include": [
            {"color": "green"},
            {"color": "pink", "animal": "cat"},
            {"fruit": "apple", "shape": "circle"},
            {"fruit": "banana"},
            {"fruit": "banana", "animal": "cat"},
        ],
    }
    assert [step.matrix for step in good([run("a", matrix=matrix)]).steps] == [
        {"fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle"},
        {"fruit": "apple", "animal": "dog", "color": "green", "shape": "circle"},
        {"fruit": "pear", "animal": "cat", "color": "pink"},
        {"fruit": "pear", "animal": "dog", "color": "green"},
        {"fruit": "banana"},
        {"fruit": "banana", "animal": "cat"},
    ]
    matrix = {"x": [1, 2], "y": [1, 2], "exclude": [{"x": 1, "y": 2}, {"x": 2}]}
    assert [step.matrix for step in good([run("a", matrix=matrix)]).steps] == [{"x": 1, "y": 1}]


@pytest.mark.parametrize(
    ("matrix", "where", "problem"),
    [
        ({"x": []}, "steps.0.matrix.x", "`x` has no values"),
        ({"x": [1], "exclude": [{"x": 1}]}, "steps.0.matrix", "the matrix has no combination"),
        ({"x": [{"a": 1}]}, "steps.0.matrix.x.0", "`x` holds single values"),
        ({"x": [1], "include": [1]}, "steps.0.matrix.include.0", "`include` holds mappings"),
        ({"x": [0] * 200, "y": [0] * 200}, "steps.0.matrix", "the matrix has 40000 combinations"),
    ],
)
def test_what_a_matrix_cannot_be(matrix: dict[str, Any], where: str, problem: str) -> None:
    assert bad([run("a", matrix=matrix)])[0][:2] == (where, problem)


def test_instances_have_ids_that_files_can_be_named_by() -> None:
    matrix = {"data": ["a/b", "a:b", "x" * 100]}
    ids = [step.id for step in good([run("t", matrix=matrix)]).steps]
    assert ids == ["t[data=a_b]", "t[data=a_b]~2", f"t[data={'x' * 40}]"]


# --- names in expressions -------------------------------------------------------------------------------------------

TRAIN = run("train", out={"model": "m.pkl"})


@pytest.mark.parametrize(
    ("step", "where", "problem", "remedy"),
    [
        ({"run": "x ${{ steps.trian.out.model }}"}, "run", "there is no step `trian`", "did you mean `train`?"),
        ({"run": "${{ steps.train.out.modle }}"}, "run", "declares no output `modle`", "did you mean `model`?"),
        ({"run": "${{ steps.train.outputs.model }}"}, "run", "names nothing of a step", "write steps.train.out.model"),
        ({"run": "${{ steps.me.out.x }}"}, "run", "what it makes itself", "in a later step"),
        ({"run": "${{ steps.late.out.x }}"}, "run", "`me` uses what `late` makes later", "move `late` above it"),
        ({"run": "${{ params.train.lrr }}"}, "run", "p.yaml has no `train.lrr`", "did you mean `train.lr`?"),
        ({"run": "${{ params.zzz }}"}, "run", "p.yaml has no `zzz`", "add it there"),
        ({"run": "${{ matrix.x }}"}, "run", "the step has no `matrix`", "or use params"),
        ({"run": "${{ run.number }}"}, "run", "names nothing of a run", "run.id and run.name"),
        ({"run": "${{ param.x }}"}, "run", "there is nothing named `param`", "did you mean `params`?"),
        ({"run": "'${{ params.x }}'"}, "run", "inside single quotes", "use double quotes"),
        ({"run": "x", "if": "contain('a', 'b')"}, "if", "no function `contain`", "did you mean `contains`?"),
        ({"run": "x", "if": "steps.train.outcome == 'failure'"}, "if", "ever ends as 'failure'", "mean 'failed'?"),
        ({"run": "x", "if": "'pased' == steps.train.outcome"}, "if", "ever ends as 'pased'", "mean 'passed'?"),
        ({"run": "x", "env": {"A": "${{ steps.trian.outcome }}"}}, "env.A", "no step `trian`", "mean `train`?"),
        ({"run": "x", "in": ["${{ params.zzz }}"]}, "in.0", "p.yaml has no `zzz`", "add it"),
        ({"run": "x", "params": ["train.lrr"]}, "params.0", "p.yaml has no `train.lrr`", "did you mean `train.lr`?"),
        ({"run": "x", "params": "trian"}, "params", "p.yaml has no `trian`", "did you mean `train`?"),
        ({"run": "print(${{ params.x }})", "shell": "python"}, "run", "of shell `python`", "env: {NAME:"),
        ({"uses": "gate", "with": {"a": [{"b": "${{ params.zzz }}"}]}}, "with.a.0.b", "no `zzz`", "add it"),
    ],
)
def test_names_are_checked_before_anything_runs(step: dict[str, Any], where: str, problem: str, remedy: str) -> None:
    found = bad([TRAIN, {"id": "me", **step}, run("late")], {"x": 1, "train": {"lr": 0.1}})
    assert len(found) == 1, found
    assert found[0][0] == f"steps.1.{where}"
    assert problem in found[0][1]
    assert remedy in found[0][2]


def test_values_that_only_the_script_knows_are_left_alone() -> None:
    good([TRAIN, run("b", run="${{ steps.train.out.auc }} ${{ steps.train.outcome }} ${{ env.ANY }}")])
    good(
        [
            run("a", run="echo models=3 >> $HEADWAY_OUTPUT", out={"model": "x"}),
            run("b", run="${{ steps.a.out.models }}"),
        ]
    )


def test_params_are_not_checked_when_they_are_not_known() -> None:
    good([run("a", run="${{ params.x }}", params=["y"])])


def test_a_step_beside_cannot_be_used_without_being_waited_for() -> None:
    found = bad([TRAIN, run("b", needs=[], run="${{ steps.train.out.model }}")])
    assert found[0][1:] == ("`b` uses what `train` makes, but does not wait for it", "add `train` to its `needs`")


def test_one_instance_of_a_matrix_must_be_named() -> None:
    found = bad([run("a", matrix={"x": [1, 2]}), run("b", run="${{ steps.a.outcome }}")])
    assert found[0][1] == "`a` is a matrix of 2, so it is not clear which is meant"
    assert found[0][2] == "name one: steps['a[x=1]']"


def test_the_offset_of_a_fault_in_an_expression_is_kept() -> None:
    _, problems = read([run("a", run="echo ok\necho ${{ params.lr == nothing }}")], {"lr": 1})
    assert problems[0].offset == len("echo ok\necho ${{ params.lr == ")


# --- the top --------------------------------------------------------------------------------------------------------


def test_the_top_of_the_file() -> None:
    pipeline = good(
        [run("a")],
        {"lr": 1},
        pipeline="churn",
        env={"A": 1, "B": "${{ params.lr }} ${{ run.id }}"},
        on={"push": None, "schedule": ["0 3 * * 1"], "drift": {"monitor": "live"}, "limits": {"per-day": 4}},
        monitors={"live": {"endpoint": "churn", "window": "1d", "labels": {"path": "l", "delay": "7d"}}},
    )
    assert (pipeline.name, pipeline.params_file, pipeline.params) == ("churn", "p.yaml", {"lr": 1})
    assert pipeline.env == {"A": "1", "B": "${{ params.lr }} ${{ run.id }}"}
    assert pipeline.triggers == {
        "push": None,
        "schedule": ["0 3 * * 1"],
        "drift": {"monitor": "live", "windows": 1, "says": "retrain"},
        "limits": {"cooldown": 0, "per-day": 4},
    }
    assert pipeline.monitors["live"]["labels"] == {"path": "l", "key": "request_id", "delay": "7d"}


def test_faults_of_triggers_say_what_cannot_be_meant() -> None:
    found = bad(
        [run("a")],
        pipeline="churn",
        triggers={
            "data": [{"dataset": "a.csv", "every": 0}, {"dataset": " ", "new-rows": -1}],
            "push": {"every": "x"},
            "schedule": ["0 0 31 2 *", {"cron": "61 * * * *", "timezone": "Europe/Berlin"}],
            "model-age": {"model": "m", "older-than": 0},
            "pipeline": "churn",
        },
    )
    assert [(where, problem) for where, problem, *_ in found] == [
        ("triggers.model-age.older-than", "every model is older than 0"),
        ("triggers.schedule.0", "`0 0 31 2 *` is not a time table: it names a day that no month of it has"),
        ("triggers.schedule.1.cron", "`61 * * * *` is not a time table: it says `61`, which is no minute"),
        ("triggers.data.0.every", "to ask without a pause is too often"),
        ("triggers.data.1.new-rows", "-1 rows cannot be new"),
        ("triggers.data.1.dataset", "no dataset is named"),
        ("triggers.push.every", "`x` is not a time"),
        ("triggers.pipeline", "a pipeline that runs when it has ended never stops"),
    ]


@pytest.mark.parametrize("path", ["data/out/a.csv", "data/out/a.csv/", "./data", "data/out"])
def test_data_that_the_pipeline_itself_writes_cannot_start_it(path: str) -> None:
    steps = [run("a", out={"data": "data/out/a.csv"}), run("b", out="${{ params.x }}")]
    triggers = {"data": [{"dataset": "other"}, {"dataset": path}]}
    ((where, problem, *_),) = bad(steps, {"x": "x.csv"}, triggers=triggers)
    assert where == "triggers.data.1.dataset"
    assert problem == "`a` writes `data/out/a.csv`, so that each run would start the next one"
    others = {"data": [{"dataset": "data/out/a.csv2"}, {"dataset": "s3://data"}]}
    assert len(good(steps, {"x": "x.csv"}, triggers=others).triggers["data"]) == 2


def test_time_zones_are_asked_for() -> None:
    triggers = {"schedule": {"cron": "0 3 * * 1", "timezone": "Europe/Berlinn"}}
    file = msgspec.convert({"steps": [run("a")], "triggers": triggers}, File)
    _, problems = resolve(file, Around(is_zone=lambda name: name == "Europe/Berlin"))
    assert [(one.path, one.problem) for one in problems] == [
        (("triggers", "schedule", "timezone"), "there is no time zone `Europe/Berlinn`")
    ]


def test_faults_of_the_top_are_told_together() -> None:
    found = bad(
        [run("a")],
        {},
        pipeline="my pipe",
        env={"B": "${{ steps.a.outcome }}", "C": "${{ params.x }}"},
        triggers={
            "drift": {"monitor": "liv"},
            "schedule": "daily",
            "limits": {"cooldown": "x"},
            "model-age": {"model": "m@champion", "older-than": "x"},
        },
        on={"schedule": [{"cron": "x"}]},
        monitors={"live": {"endpoint": "churn", "window": "x", "labels": {"path": "l", "delay": "x"}}},
    )
    assert [where for where, *_ in found] == [
        "pipeline",
        "on",
        "triggers.drift.monitor",
        "triggers.limits.cooldown",
        "triggers.model-age.older-than",
        "triggers.schedule",
        "on.schedule.0.cron",
        "monitors.live.labels.delay",
        "monitors.live.window",
        "env.B",
        "env.C",
    ]
    assert bad([])[0][:2] == ("steps", "there are no steps")


# --- laws -----------------------------------------------------------------------------------------------------------

PATHS = st.sampled_from(["a", "b", "a/x", "a/y", "b/x", "c/*", "a/*", "**/x", "d"])
IDS = st.sampled_from([f"s{i}" for i in range(6)])


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    steps = []
    for i in range(draw(st.integers(1, 6))):
        step: dict[str, Any] = {"id": f"s{i}", "run": draw(st.sampled_from(["x", "${{ steps.s0.out.v }}"]))}
        if draw(st.booleans()):
            step["in"] = draw(st.lists(PATHS, max_size=2))
        if draw(st.booleans()):
            step["out"] = draw(st.lists(PATHS.filter(lambda p: "*" not in p), max_size=1))
        if draw(st.integers(0, 3)) == 0:
            step["needs"] = draw(st.lists(IDS, max_size=2))
        if draw(st.integers(0, 5)) == 0:
            step["matrix"] = {"m": [1, 2]}
        steps.append(step)
    return {"steps": steps, "order": draw(st.sampled_from(["list", "graph"]))}


@settings(max_examples=tries(200), deadline=None)
@given(files())
def test_whatever_is_accepted_can_be_run_in_the_order_given(file: dict[str, Any]) -> None:
    pipeline, problems = resolve(msgspec.convert(file, File), Around())
    assert (pipeline is None) is bool(problems)
    if pipeline is None:
        return
    seen: set[str] = set()
    for step in pipeline.steps:
        assert seen.issuperset(step.needs)
        assert step.id not in seen
        seen.add(step.id)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(pipeline), type=Pipeline) == pipeline
    assert msgspec.json.decode(msgspec.json.encode(pipeline), type=Pipeline) == pipeline


@settings(max_examples=tries(200), deadline=None)
@given(files())
def test_in_list_order_a_plain_step_comes_after_all_above_it(file: dict[str, Any]) -> None:
    for step in file["steps"]:
        step.pop("in", None), step.pop("out", None)
        step["run"] = "x"
    pipeline, _ = resolve(msgspec.convert({**file, "order": "list"}, File), Around())
    if pipeline is None:
        return
    above: dict[str, set[str]] = {}
    for step in pipeline.steps:
        above[step.id] = set(step.needs).union(*(above[n] for n in step.needs))
    written = [step["id"] for step in file["steps"]]
    for i, one in enumerate(file["steps"]):
        if "needs" not in one:
            mine = {
                step.id.partition("[")[0] for step in pipeline.steps if step.id in above[_first(pipeline, one["id"])]
            }
            assert mine >= set(written[:i])


def _first(pipeline: Pipeline, base: str) -> str:
    return next(step.id for step in pipeline.steps if step.id.partition("[")[0] == base)


@pytest.mark.parametrize("order", ["list", "graph"])
def test_the_work_grows_with_the_number_of_steps_and_no_faster(order: str) -> None:
    def work(n: int) -> int:
        steps = [
            run(f"s{i}", in_=[f"out/{i - 10}/x" if i >= 10 else "src", "src/a.py"], out=f"out/{i}") for i in range(n)
        ]
        file = msgspec.convert({"steps": steps, "order": order}, File)
        with counted() as lines:
            assert resolve(file, Around())[1] == []
        return lines[0]

    # Ten times the steps; a quadratic part would cost a hundred times.
    assert work(1000) < 15 * work(100)


@contextmanager
def counted() -> Iterator[list[int]]:
    """How many lines of Python were run meanwhile: unlike the time, the same on every machine and under any load."""
    n = [0]

    def line(_frame: FrameType, event: str, _arg: object) -> Any:  # typeshed has no better word
        n[0] += event == "line"
        return line

    before = sys.gettrace()
    sys.settrace(line)
    try:
        yield n
    finally:
        sys.settrace(before)
