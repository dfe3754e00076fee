"""Values on their way through a run: params, expressions, environment, and what steps report in any language."""

import json
import sys
from pathlib import Path

import pytest

from end_to_end.project import Project

# --- params and expressions -------------------------------------------------------------------------------------------


def test_params_reach_commands_as_written_and_overrides_win(project: Project) -> None:
    project.write("params.yaml", "train: {lr: 0.10, optimizer: adam, layers: [64, 32]}\n")
    project.pipeline("""
        params: params.yaml
        steps:
          - run: echo "${{ params.train.lr }}" ${{ params.train.optimizer }} ${{ params.train.layers[1] }} >> ledger
    """)
    project("run")
    project("run", "-p", "train.lr=1e-3", "-p", "train.optimizer=sgd")
    assert project.ledger() == ["0.1", "adam", "32", "0.001", "sgd", "32"]
    assert project.shown()["started"]["params"]["train.optimizer"] == "sgd"


def test_an_override_of_no_known_param_is_refused_with_the_nearest_name(project: Project) -> None:
    project.write("params.yaml", "train: {lr: 0.1}\n")
    project.pipeline("params: params.yaml\nsteps:\n  - run: echo hi >> ledger\n")
    ended = project("run", "-p", "train.rl=1", expect=2)
    assert "did you mean train.lr?" in ended.err
    assert project.ledger() == []


@pytest.mark.parametrize("words", [("-p", "lr"), ("-p", "=1"), ("-p", "lr=[1,2]")])
def test_a_malformed_override_is_a_usage_error(project: Project, words: tuple[str, ...]) -> None:
    project.write("params.yaml", "lr: 0.1\n")
    project.pipeline("params: params.yaml\nsteps:\n  - run: echo hi\n")
    project("run", *words, expect=2)


def test_scripts_find_the_params_with_overrides_in_a_file(project: Project) -> None:
    project.write("params.yaml", "train: {lr: 0.1, depth: 3}\n")
    project.pipeline("params: params.yaml\nsteps:\n  - run: cat $HEADWAY_PARAMS > seen\n")
    project("run", "-p", "train.lr=0.2")
    assert json.loads(project.read("seen")) == {"train": {"lr": 0.2, "depth": 3}}


INJECTIONS = [
    "x; touch hacked",
    "$(touch hacked)",
    "`touch hacked`",
    "' && touch hacked #",
    '" && touch hacked #',
    "x\ntouch hacked",
    "x | tee hacked",
    "> hacked",
    "*",
    "  two   spaces ",
    "",
    "\\",
    "-n",
    "Größe 🚀",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_value_reaches_the_shell_whole_and_never_as_code(project: Project, text: str) -> None:
    project.write("params.json", json.dumps({"text": text}))
    project.write("show.py", "import json, sys; json.dump(sys.argv[1:], open('seen', 'w'))\n")
    project.pipeline("""
        params: params.json
        steps:
          - run: python show.py ${{ params.text }} "${{ params.text }}" "a${{ params.text }}b" --text=${{ params.text }}
    """)
    project("run")
    assert json.loads(project.read("seen")) == [text, text, f"a{text}b", f"--text={text}"]
    assert not (project.folder / "hacked").exists()


@pytest.mark.parametrize("shell", ["python", "sh"])
def test_expressions_in_other_shells_are_variables_too(project: Project, shell: str) -> None:
    project.write("params.yaml", json.dumps({"text": "'; import os; os.mkdir('hacked') #"}))
    script = {"python": "import os; open('seen', 'w').write(os.environ['TEXT'])", "sh": 'printf "%s" "$TEXT" > seen'}
    step = {"run": script[shell], "shell": shell, "env": {"TEXT": "${{ params.text }}"}}
    project.pipeline(json.dumps({"params": "params.yaml", "steps": [step]}))
    project("run")
    assert project.read("seen") == "'; import os; os.mkdir('hacked') #"


def test_env_of_file_and_step_and_of_the_user(project: Project) -> None:
    project.pipeline("""
        env: {A: file, B: file, VERSION: 1.10}
        steps:
          - run: echo $A $B $C $VERSION ${{ env.B }} ${{ run.id }} >> ledger
            env: {B: step}
    """)
    project("run", env={"C": "user", "A": "user"})
    assert project.ledger() == ["file", "step", "user", "1.10", "step", "1"]


def test_env_declares_what_headway_was_given_and_a_cached_step_depends_on_it(project: Project) -> None:
    project.pipeline("""
        env: {BOTH: "${{ env.GIVEN }}/file"}
        steps:
          - id: s
            run: echo $GIVEN $BOTH $OWN ${{ env.OWN }} -${{ env.UNDECLARED }}- >> ledger
            in: pipeline.yaml
            env: {GIVEN: "${{ env.GIVEN }}", BOTH: "${{ env.BOTH }}/step", OWN: "${{ env.BOTH }}"}
    """)
    given = {"GIVEN": "me", "UNDECLARED": "no"}
    line = ["me", "me/file/step", "me/file/step", "me/file/step", "--"]
    project("run", env=given)
    project("run", env={**given, "UNDECLARED": "other"})
    assert project.ledger() == line
    project("run", env={"GIVEN": ""})
    assert project.ledger() == [*line, "/file/step", "/file/step", "/file/step", "--"]


def test_env_values_that_name_each_other_end(project: Project) -> None:
    project.pipeline("""
        steps:
          - run: echo "<$A> <$B> <$C>" >> ledger
            env: {A: "${{ env.B }}a", B: "${{ env.A }}b", C: "${{ env.C }}"}
    """)
    project("run")
    assert project.ledger() == ["<ba>", "<ab>", "<>"]


def test_a_secret_of_env_is_neither_in_the_log_nor_in_the_lock(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: 'true', in: data, env: {TOKEN: '${{ env.SECRET }}'}}\n")
    project.write("data", "1")
    project("run", env={"SECRET": "hunter2hunter2"})
    assert "hunter2" not in json.dumps(project.facts())
    assert "hunter2" not in project.read("headway.lock")


# --- what steps report ------------------------------------------------------------------------------------------------


def test_values_of_a_step_reach_later_steps(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: train
            run: |
              echo "version=churn@3" >> $HEADWAY_OUTPUT
              printf 'note<<END\\nline one\\nline two\\nEND\\n' >> $HEADWAY_OUTPUT
          - id: use
            if: steps.train.out.version == 'churn@3'
            run: echo "${{ steps.train.out.version }}" >> ledger; echo "${{ steps.train.out.note }}" >> ledger
    """)
    project("run")
    assert project.ledger() == ["churn@3", "line", "one", "line", "two"]
    assert project.shown()["steps"]["train"]["values"] == {"version": "churn@3", "note": "line one\nline two"}


def test_declared_outputs_are_named_by_their_path(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: train, run: mkdir -p models && echo m > models/m, out: {model: models/m}}
          - {id: use, run: 'echo ${{ steps.train.out.model }} >> ledger', in: '${{ steps.train.out.model }}'}
    """)
    project("run")
    assert project.ledger() == ["models/m"]


def test_metrics_and_summary_are_kept_and_shown(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: train
            run: |
              echo '{"name": "loss", "value": 0.9, "step": 1}' >> $HEADWAY_METRICS
              echo '{"name": "loss", "value": 0.5, "step": 2}' >> $HEADWAY_METRICS
              echo '{"auc": 0.7, "valid": {"auc": 0.6}}' >> $HEADWAY_METRICS
              echo '# Well done' >> $HEADWAY_SUMMARY
          - id: file
            run: |
              echo '{"f1": 0.4}' > m.json
            metrics: m.json
    """)
    project("run")
    shown = project("show").out
    for text in ("loss", "0.5", "auc", "0.7", "valid.auc", "0.6", "f1", "0.4", "# Well done"):
        assert text in shown
    metrics = project.shown()["steps"]["train"]["metrics"]
    assert metrics[1] == {"name": "loss", "value": 0.5, "at_step": 2}


def test_python_scripts_report_without_knowing_the_files(project: Project) -> None:
    project.write(
        "train.py",
        """
        import headway

        headway.log_metrics({"loss": 0.9}, step=1)
        headway.log_metrics(auc=0.7)
        headway.set_output("version", "churn@3")
        """,
    )
    project.pipeline(
        "steps:\n  - {id: train, run: python train.py}\n  - run: echo ${{ steps.train.out.version }} >> ledger\n"
    )
    project("run")
    assert project.shown()["steps"]["train"]["metrics"] == [
        {"name": "loss", "value": 0.9, "at_step": 1},
        {"name": "auc", "value": 0.7},
    ]
    assert project.ledger() == ["churn@3"]


def test_the_results_of_pytest_are_read_and_the_first_failure_is_told(project: Project) -> None:
    project.write("test_model.py", "def test_good(): pass\ndef test_bad(): assert 1 == 2, 'recall fell'\n")
    project.pipeline(f"steps:\n  - {{id: tests, run: {sys.executable} -m pytest -q test_model.py}}\n")
    ended = project("run", expect=1)
    assert "1 of 2 tests failed: test_model::test_bad: AssertionError: recall fell" in ended.err
    tests = project.shown()["steps"]["tests"]["tests"]
    assert [(t["name"], t["outcome"]) for t in tests] == [
        ("test_model::test_good", "passed"),
        ("test_model::test_bad", "failed"),
    ]


def test_every_step_knows_its_run_its_name_and_its_seed(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: 'echo $HEADWAY_RUN_ID $HEADWAY_STEP $HEADWAY_SEED >> ledger'}\n")
    project("run", env={"HEADWAY_SEED": "7"})
    assert project.ledger() == ["1", "s", "7"]
    assert project.shown()["started"]["seed"] == 7


def test_a_seed_that_is_no_number_is_said(project: Project) -> None:
    project.pipeline("steps:\n  - run: echo hi\n")
    ended = project("run", env={"HEADWAY_SEED": "abc"}, expect=2)
    assert "HEADWAY_SEED" in ended.err


# --- matrix -----------------------------------------------------------------------------------------------------------


def test_a_matrix_runs_the_step_once_for_each_combination(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: train
            matrix: {lr: [0.1, 0.01], depth: [2, 3], exclude: [{lr: 0.1, depth: 3}]}
            run: echo ${{ matrix.lr }}-${{ matrix.depth }} | tee m-${{ matrix.lr }}-${{ matrix.depth }} >> ledger
            out: {model: "m-${{ matrix.lr }}-${{ matrix.depth }}"}
          - id: best
            run: ls m-* | wc -l >> ledger
    """)
    project("run", "--jobs", "2")
    assert sorted(project.ledger()[:-1]) == ["0.01-2", "0.01-3", "0.1-2"]
    assert project.ledger()[-1] == "3"
    project("run")
    states = project.states()
    assert [state for step, state in states.items() if step != "best"] == ["reused"] * 3


def test_one_value_more_in_a_matrix_runs_that_one_alone(project: Project) -> None:
    text = """
        steps:
          - id: train
            matrix: {lr: [VALUES]}
            run: echo ${{ matrix.lr }} >> ledger && touch m-${{ matrix.lr }}
            out: {model: "m-${{ matrix.lr }}"}
    """
    project.pipeline(text.replace("VALUES", "1, 2"))
    project("run")
    project.pipeline(text.replace("VALUES", "1, 2, 3"))
    project("run")
    assert sorted(project.ledger()) == ["1", "2", "3"]


def test_output_of_headway_itself_in_a_step_is_of_the_step(project: Project, tmp_path: Path) -> None:
    inner = Project(tmp_path / "inner")
    inner.pipeline("steps:\n  - run: echo inner >> ledger\n")
    project.pipeline(f"steps:\n  - {{id: outer, run: {sys.executable} -m headway run -C {inner.folder}}}\n")
    project("run")
    assert inner.ledger() == ["inner"]
    assert "run 1 passed" in project("logs").out
