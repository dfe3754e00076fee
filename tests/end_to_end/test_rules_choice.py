"""What of a pipeline is run, what would be run, and the same for machines: --from, --only, plan, --why, --json."""

import json

import pytest

from end_to_end.project import Project, complaint

CHAIN = """
    steps:
      - {id: clean, run: cp raw clean && echo clean >> ledger, in: raw, out: clean}
      - id: train
        run: cp clean model && echo train >> ledger && echo version=churn@3 >> $HEADWAY_OUTPUT
        in: clean
        out: {model: model}
      - {id: deploy, run: 'echo deploy ${{ steps.train.out.version }} ${{ steps.train.out.model }} >> ledger'}
"""


@pytest.fixture
def chain(project: Project) -> Project:
    """Three steps, none of which has run."""
    project.write("raw", "1")
    project.pipeline(CHAIN)
    return project


def test_from_runs_a_step_and_all_after_it(chain: Project) -> None:
    chain("run")
    chain("run", "--from", "train", "--force")
    assert chain.ledger() == ["clean", "train", "deploy", "churn@3", "model", "train", "deploy", "churn@3", "model"]
    assert list(chain.states()) == ["train", "deploy"]


def test_only_runs_one_step_with_what_the_others_made_last(chain: Project) -> None:
    chain("run")
    chain("run", "--only", "deploy")
    assert chain.ledger()[5:] == ["deploy", "churn@3", "model"]


def test_what_a_left_out_step_never_reported_is_said(chain: Project) -> None:
    ended = chain("run", "--only", "deploy", expect=1)
    assert "steps.train.out.version" in ended.err
    assert chain.ledger() == []


@pytest.mark.parametrize("word", ["--only", "--from"])
def test_an_unknown_step_is_refused_with_the_nearest_name(chain: Project, word: str) -> None:
    lines = complaint(chain("run", word, "trian", expect=2))
    assert lines == [
        "headway: the pipeline has no step 'trian'",
        f"  at: {word}",
        "  do: did you mean train?",
    ]
    assert chain("runs", "--json").json["runs"] == []


def test_the_id_of_a_matrix_stands_for_all_it_makes(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: a, run: "true"}
          - {id: t, run: "true", matrix: {x: [1, 2]}}
          - {id: z, run: "true"}
    """)
    assert list(project.plan("--only", "t")) == ["t[x=1]", "t[x=2]"]
    assert list(project.plan("--only", "t[x=2]")) == ["t[x=2]"]
    assert list(project.plan("--from", "t")) == ["t[x=1]", "t[x=2]", "z"]
    project("run", "--only", "t")
    assert project.states() == {"t[x=1]": "passed", "t[x=2]": "passed"}


def test_a_partial_run_in_the_order_of_a_graph_takes_what_depends(project: Project) -> None:
    project.write("raw", "1")
    project.pipeline("""
        order: graph
        steps:
          - {id: last, run: cp b c && echo last >> ledger, in: b, out: c}
          - {id: beside, run: echo beside >> ledger, out: d}
          - {id: first, run: cp raw b && echo first >> ledger, in: raw, out: b}
    """)
    project("run", "--from", "first")
    assert "last" in project.ledger()
    assert "beside" not in project.ledger()


# --- plan -------------------------------------------------------------------------------------------------------------


def test_a_plan_says_run_depends_and_reuse_and_why(chain: Project) -> None:
    assert chain.plan() == {
        "clean": ("run", "it never passed before"),
        "train": ("depends", "it reads clean, which clean makes"),
        "deploy": ("run", "it reads what train reports"),
    }
    chain("run")
    assert chain.plan() == {
        "clean": ("reuse", "as in run 1"),
        "train": ("reuse", "as in run 1"),
        "deploy": ("run", "declares no `in` or `out`: always runs"),
    }
    chain.pipeline(CHAIN.replace("cp clean model", "cat clean > model"))
    assert chain.plan()["clean"] == ("reuse", "as in run 1")
    assert chain.plan()["train"] == ("run", "the command changed")


def test_a_plan_does_nothing(chain: Project) -> None:
    chain("run")
    (chain.folder / "model").unlink()
    before = chain.facts()
    lock = chain.read("headway.lock")
    chain("plan")
    chain("run", "--dry-run")
    assert chain.facts() == before
    assert chain.read("headway.lock") == lock
    assert not (chain.folder / "model").exists()
    assert chain.ledger().count("clean") == 1


def test_dry_run_says_what_plan_says(chain: Project) -> None:
    assert chain("run", "--dry-run").out == chain("plan").out
    assert "3 of 3 steps would run; nothing was done" in chain("plan").out
    assert chain("run", "--dry-run", "--json").json == chain("plan", "--json").json


def test_a_plan_of_a_part_is_of_that_part(chain: Project) -> None:
    assert list(chain.plan("--from", "train")) == ["train", "deploy"]
    assert list(chain.plan("--only", "clean")) == ["clean"]


def test_a_plan_knows_which_conditions_are_not_met(project: Project) -> None:
    project.write("params.yaml", "deploy: false\n")
    project.pipeline("""
        params: params.yaml
        steps:
          - {id: train, run: "true"}
          - {id: deploy, run: "true", if: params.deploy}
          - {id: tell, run: "true", if: failure()}
    """)
    assert project.plan()["deploy"] == ("skip", "its condition is not met: params.deploy")
    assert project.plan()["tell"] == ("skip", "its condition is not met: failure()")
    assert project.plan("-p", "deploy=true")["deploy"][0] == "run"


def test_why_says_of_each_step_why_it_runs(chain: Project) -> None:
    assert "started  [1/3] clean: it never passed before" in chain("run", "--why").err
    chain.write("raw", "2")
    err = chain("run", "--why").err
    assert "clean: raw changed" in err
    assert "train: clean changed" in err
    assert "deploy: declares no `in` or `out`: always runs" in err


# --- for machines -----------------------------------------------------------------------------------------------------


def test_a_run_as_json(chain: Project) -> None:
    ended = chain("run", "--json")
    assert ended.err == ""
    document = ended.json
    assert document.keys() == {"run", "outcome", "exit_code", "why", "seconds", "steps", "next"}
    assert (document["run"], document["outcome"], document["exit_code"]) == (1, "passed", 0)
    train = document["steps"][1]
    assert train.keys() == {"step", "state", "why", "seconds", "outputs", "values", "metrics"}
    assert train["values"] == {"version": "churn@3"}
    assert train["outputs"]["model"].keys() == {"path", "digest"}
    again = chain("run", "--json").json
    assert [s["state"] for s in again["steps"]] == ["reused", "reused", "passed"]
    assert again["steps"][0]["why"] == "as in run 1"


def test_a_failed_run_as_json_tells_of_every_step(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: a, run: "true"}
          - {id: b, run: exit 3}
          - {id: c, run: "true"}
    """)
    document = project("run", "--json", expect=1).json
    assert (document["outcome"], document["exit_code"], document["why"]) == ("failed", 1, "b: exit code 3")
    assert [(s["step"], s["state"]) for s in document["steps"]] == [("a", "passed"), ("b", "failed"), ("c", "skipped")]
    assert document["steps"][2]["why"] == "an earlier step did not pass: b"


def test_a_plan_as_json(chain: Project) -> None:
    document = chain("plan", "--json").json
    assert document.keys() == {"steps"}
    assert all(one.keys() == {"step", "name", "action", "why"} for one in document["steps"])


@pytest.mark.parametrize("words", [("run", "--only", "x"), ("plan", "nothing.yaml"), ("show", "9"), ("logs", "x")])
def test_a_mistake_as_json(chain: Project, words: tuple[str, ...]) -> None:
    ended = chain(*words, "--json", expect=2)
    assert ended.err == ""
    assert ended.json.keys() == {"error", "problem", "at", "remedy", "faults"}


COMMANDS = [
    ("runs",),
    ("show",),
    ("status",),
    ("audit",),
    ("diff", "1", "1"),
    ("resume",),
    ("models",),
    ("endpoints",),
    ("gc",),
    ("plan",),
    ("run",),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_every_command_prints_one_json_document(chain: Project, words: tuple[str, ...]) -> None:
    chain("run")
    ended = chain(*words, "--json")
    assert ended.err == ""
    json.loads(ended.out)


def test_looking_back_for_people(chain: Project) -> None:
    chain("run")
    assert "run 1 of pipeline: passed" in chain("show").out
    assert "passed" in chain("runs").out
    assert "nothing is in production yet" in chain("status").out
    assert "the log is whole" in chain("audit").out
    chain.write("raw", "2")
    chain("run")
    assert "raw" in chain("diff", "1", "2").out
