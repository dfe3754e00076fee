"""The rules of pipeline.yaml through the real command line: order, conditions, shells, ids, time, parallel work."""

import json
import time
from pathlib import Path

import pytest

from end_to_end.project import Project

FOUR_STEPS = """
    steps:
      - name: Data Validation
        run: python validate_data.py
      - name: Train Model
        run: python train.py
      - name: Test Model
        run: python test_model.py
      - name: Deploy Model
        run: python deploy.py
"""
SCRIPTS = ("validate_data", "train", "test_model", "deploy")


@pytest.fixture
def four(project: Project) -> Project:
    """The four-step file and its four scripts, and nothing else."""
    project.pipeline(FOUR_STEPS)
    for name in SCRIPTS:
        project.write(f"{name}.py", f"open('ledger', 'a').write('{name}\\n')\nprint('this is {name}')\n")
    return project


def test_the_four_step_file_runs_with_nothing_else_in_the_folder(four: Project) -> None:
    four("run")
    assert four.ledger() == list(SCRIPTS)
    assert four.states() == dict.fromkeys(("data-validation", "train-model", "test-model", "deploy-model"), "passed")


def test_a_step_that_declares_nothing_always_runs(four: Project) -> None:
    four("run")
    four("run")
    assert four.ledger() == [*SCRIPTS, *SCRIPTS]
    assert four.plan()["train-model"] == ("run", "declares no `in` or `out`: always runs")


def test_a_run_leaves_nothing_in_the_folder_that_git_would_see(four: Project) -> None:
    four("run")
    left = {path.name for path in four.folder.iterdir()} - {f"{name}.py" for name in SCRIPTS}
    assert left == {"pipeline.yaml", "ledger", ".headway"}
    assert four.read(".headway/.gitignore") == "*\n"


def test_a_failing_step_stops_the_pipeline_and_later_steps_are_skipped(four: Project) -> None:
    four.write("train.py", "print('out of memory')\nraise SystemExit(3)\n")
    ended = four("run", expect=1)
    assert four.ledger() == ["validate_data"]
    assert four.states() == {
        "data-validation": "passed",
        "train-model": "failed",
        "test-model": "skipped",
        "deploy-model": "skipped",
    }
    # Why, what it said, and what to do next.
    assert "exit code 3" in ended.err
    assert "| out of memory" in ended.err
    assert "next: headway logs 1 train-model" in ended.err


def test_steps_run_in_the_folder_of_the_file_wherever_headway_was_called(project: Project) -> None:
    project.write("sub/pipeline.yaml", "steps:\n  - run: pwd > where\n")
    project("run", "sub/pipeline.yaml")
    assert project.read("sub/where").strip() == str(project.folder / "sub")


def test_the_project_is_found_from_a_folder_below(project: Project) -> None:
    project.pipeline("steps:\n  - run: pwd > where\n")
    (project.folder / "a" / "b").mkdir(parents=True)
    project("run", "-C", ".")
    below = Project(project.folder / "a" / "b")
    below("run")
    assert project.read("where").strip() == str(project.folder)
    assert project.shown()["run"] == 2


# --- failures that are allowed, conditions ------------------------------------------------------------------------


def test_continue_on_error_lets_the_run_go_on_and_pass(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: lint, run: exit 1, continue-on-error: true}
          - {id: train, run: echo train >> ledger}
    """)
    project("run")
    assert project.states() == {"lint": "failed", "train": "passed"}


def test_always_and_failure_run_after_a_failure_and_the_run_still_fails(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: train, run: exit 1}
          - {id: next, run: echo next >> ledger}
          - {id: tell, run: echo tell >> ledger, if: failure()}
          - {id: clean, run: echo clean >> ledger, if: "${{ always() }}"}
    """)
    project("run", expect=1)
    assert project.ledger() == ["tell", "clean"]


def test_failure_steps_are_skipped_in_a_run_that_passes(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: train, run: echo train >> ledger}
          - {id: tell, run: echo tell >> ledger, if: failure()}
          - {id: clean, run: echo clean >> ledger, if: always()}
    """)
    project("run")
    assert project.ledger() == ["train", "clean"]
    assert project.shown()["steps"]["tell"]["why"] == "its condition is not met: failure()"


def test_a_condition_may_look_at_params_and_at_how_a_step_ended(project: Project) -> None:
    project.write("params.yaml", "deploy: false\n")
    project.pipeline("""
        params: params.yaml
        steps:
          - {id: try, run: exit 1, continue-on-error: true}
          - {id: fallback, run: echo fallback >> ledger, if: steps.try.outcome == 'failed'}
          - {id: deploy, run: echo deploy >> ledger, if: params.deploy}
    """)
    project("run")
    assert project.ledger() == ["fallback"]
    project("run", "-p", "deploy=true")
    assert project.ledger() == ["fallback", "fallback", "deploy"]


# --- shells ---------------------------------------------------------------------------------------------------------


def test_a_failing_pipe_fails_the_step(project: Project) -> None:
    project.pipeline("steps:\n  - id: pipe\n    run: 'false | cat'\n")
    project("run", expect=1)


def test_a_failing_line_ends_the_script(project: Project) -> None:
    project.pipeline("steps:\n  - id: lines\n    run: |\n      false\n      echo on >> ledger\n")
    project("run", expect=1)
    assert project.ledger() == []


def test_without_bash_sh_is_used(project: Project) -> None:
    project.pipeline("steps:\n  - id: a\n    run: |\n      false | cat\n      echo ${BASH_VERSION:-none} >> ledger\n")
    folder = project.folder / "bin"
    folder.mkdir()
    for name in ("cat", "echo"):
        (folder / name).symlink_to(f"/bin/{name}")
    project("run", env={"PATH": str(folder)})
    assert project.ledger() == ["none"]


@pytest.mark.parametrize(
    ("shell", "script", "expected"),
    [
        ("sh", "false | cat && echo $0 >> ledger", ".script"),
        ("bash", "echo ${BASH_VERSION:+bash} >> ledger", "bash"),
        ("python", "import sys; open('ledger', 'a').write(sys.argv[0])", ".script"),
        ("env OF=it bash {0}", "echo $OF >> ledger", "it"),
        ("bash -x", "echo ${BASH_VERSION:+bash} >> ledger", "bash"),
        ('python -c open("ledger","w").write(open("{0}").read())', "whole", "whole"),
    ],
    ids=["sh", "bash", "python", "command", "without a place for the script", "script inside a word"],
)
def test_shell_overrides(project: Project, shell: str, script: str, expected: str) -> None:
    # JSON is YAML.
    project.pipeline(json.dumps({"steps": [{"id": "s", "run": script, "shell": shell}]}))
    project("run")
    assert project.ledger()[0].endswith(expected)


def test_an_unknown_shell_says_which_there_are(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: x, shell: powershell}\n")
    ended = project("run", expect=None)
    assert ended.code in (1, 2)
    assert "powershell" in ended.err
    assert "bash, sh, zsh, python" in ended.err


# --- ids ------------------------------------------------------------------------------------------------------------


def test_ids_come_from_id_name_or_command(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: first, name: The First, run: "true"}
          - {name: "The Second, Größe", run: "true"}
          - {run: "true"}
          - {run: "true"}
    """)
    project("run")
    ids = list(project.states())
    assert ids[0] == "first"
    assert ids[1].startswith("the-second")
    assert len(set(ids)) == 4


def test_two_steps_of_one_name_are_refused(project: Project) -> None:
    project.pipeline("steps:\n  - {name: Train, run: a}\n  - {name: train, run: b}\n")
    ended = project("run", expect=2)
    assert "two steps have the id `train`" in ended.err


# --- order and parallel work ----------------------------------------------------------------------------------------


def test_without_needs_the_order_is_the_lists_even_with_jobs(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: a, run: sleep 0.1 && echo a >> ledger}
          - {id: b, run: echo b >> ledger}
          - {id: c, run: echo c >> ledger}
    """)
    project("run", "--jobs", "3")
    assert project.ledger() == ["a", "b", "c"]


def test_needs_lets_steps_start_as_soon_as_those_are_done(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: slow, run: sleep 0.3 && echo slow >> ledger}
          - {id: free, run: echo free >> ledger, needs: []}
          - {id: after-free, run: echo after-free >> ledger, needs: free}
          - {id: both, run: echo both >> ledger, needs: [slow, after-free]}
    """)
    project("run", "--jobs", "2")
    assert project.ledger() == ["free", "after-free", "slow", "both"]


def test_order_graph_derives_the_order_from_in_and_out(project: Project) -> None:
    project.pipeline("""
        order: graph
        steps:
          - {id: last, run: cat b > c && echo last >> ledger, in: b, out: c}
          - {id: middle, run: cat a > b && echo middle >> ledger, in: a, out: b}
          - {id: first, run: echo 1 > a && echo first >> ledger, out: a}
    """)
    project("run")
    assert project.ledger() == ["first", "middle", "last"]


def test_independent_steps_run_in_parallel_up_to_jobs(project: Project) -> None:
    # Each waits for a file that the other makes: only side by side can both end.
    wait = "for _ in $(seq 200); do [ -e {0} ] && exit 0; sleep 0.02; done; exit 1"
    project.pipeline(f"""
        steps:
          - id: left
            needs: []
            run: touch l; {wait.format("r")}
          - id: right
            needs: []
            run: touch r; {wait.format("l")}
    """)
    project("run", "--jobs", "2")


@pytest.mark.parametrize("how", ["flag", "environment", "headway.toml"])
def test_one_job_at_a_time_where_that_is_asked_for(project: Project, how: str) -> None:
    project.pipeline("""
        steps:
          - {id: a, needs: [], run: echo a >> ledger && sleep 0.1 && echo a >> ledger}
          - {id: b, needs: [], run: echo b >> ledger && sleep 0.1 && echo b >> ledger}
    """)
    if how == "headway.toml":
        project.write("headway.toml", "[run]\njobs = 1\n")
    project(
        *("run", *(["--jobs", "1"] if how == "flag" else [])), env={"HEADWAY_JOBS": "1"} if how == "environment" else {}
    )
    assert project.ledger() == ["a", "a", "b", "b"]


def test_steps_at_work_are_let_finish_when_another_fails(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: slow, needs: [], run: sleep 0.3 && echo slow >> ledger}
          - {id: bad, needs: [], run: exit 1}
          - {id: never, needs: [slow], run: echo never >> ledger}
    """)
    project("run", "--jobs", "2", expect=1)
    assert project.ledger() == ["slow"]


# --- retry and timeout ----------------------------------------------------------------------------------------------


def test_retry_runs_again_after_a_wait_until_it_passes(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: flaky
            run: echo try >> ledger && [ $(wc -l < ledger) -ge 3 ]
            retry: {times: 3, wait: 100ms, factor: 2}
    """)
    began = time.monotonic()
    project("run")
    assert time.monotonic() - began >= 0.3
    assert project.ledger() == ["try"] * 3
    assert project.shown()["steps"]["flaky"]["attempt"] == 3


def test_retry_gives_up_after_its_number_of_times(project: Project) -> None:
    project.pipeline("steps:\n  - {id: bad, run: echo try >> ledger && exit 7, retry: 2}\n")
    ended = project("run", expect=1)
    assert project.ledger() == ["try"] * 3
    assert "exit code 7" in ended.err


def test_a_step_that_cannot_be_started_is_not_tried_again(project: Project) -> None:
    project.pipeline("steps:\n  - {id: bad, run: cat nothing, in: nothing, retry: {times: 2, wait: 1h}}\n")
    project("run", expect=1)


def test_timeout_ends_the_step_and_all_its_children(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: hangs
            timeout: 200ms
            run: |
              sleep 600 &
              echo $! > child
              wait
    """)
    ended = project("run", expect=1)
    assert "timeout of 0.2 s" in ended.err
    assert project.states() == {"hangs": "timeout"}
    from headway.testing.processes import is_alive

    assert not is_alive(int(project.read("child")))


def test_the_file_may_spell_triggers_on_and_hold_free_x_keys(project: Project) -> None:
    project.pipeline("""
        x-defaults: &defaults {env: {LEVEL: debug}}
        on: {schedule: "0 3 * * 1", push: {branches: [main]}}
        steps:
          - run: echo $LEVEL >> ledger
            <<: *defaults
            x-owner: [us]
    """)
    project("run")
    assert project.ledger() == ["debug"]


def test_a_runner_that_this_version_does_not_have_is_refused_rather_than_run_here(project: Project) -> None:
    project.pipeline("steps:\n  - run: echo here >> ledger\n  - {run: echo there >> ledger, runner: ray}\n")
    ended = project("run", expect=2)
    assert "pipeline.yaml:3:41: there is no runner `ray` in this version" in ended.err
    assert project.ledger() == []


def test_names_of_any_length_and_in_any_encoding_are_shown(project: Project) -> None:
    project.pipeline(f"steps:\n  - {{name: {'x' * 300}, run: 'true'}}\n  - {{name: Größe 🚀, run: echo ü}}\n")
    project("run", env={"PYTHONIOENCODING": "ascii"})
    assert "passed" in project("show", env={"PYTHONIOENCODING": "ascii"}).out
    assert "ü" in project("logs").out


def test_a_folder_of_any_name_will_do(tmp_path: Path) -> None:
    project = Project(tmp_path / 'it\'s a "dir" %20?#&$x')
    project.write("test_a.py", "def test_a(): pass\n")
    project.write("raw", "1")
    project.pipeline("""
        steps:
          - {id: copy, run: cp raw out, in: raw, out: out}
          - {id: test, run: python -m pytest -q test_a.py}
    """)
    project("run")
    assert [test["outcome"] for test in project.shown()["steps"]["test"]["tests"]] == ["passed"]
    project("run")
    assert project.states()["copy"] == "reused"
