"""What is known is not done again: keys, restored outputs, and results that are no longer in the store."""

import json
import os
import shutil
import time
from collections.abc import Callable

import pytest

from end_to_end.project import Project
from headway.codec.wire import digest_of

TRAIN = """
    params: params.yaml
    steps:
      - id: train
        run: cat data.csv > model && echo train >> ledger
        in: data.csv
        params: train.lr
        env: {LEVEL: info}
        out: {model: model}
"""


@pytest.fixture
def train(project: Project) -> Project:
    """One cacheable step that has run once."""
    project.write("data.csv", "1,2\n")
    project.write("params.yaml", "train: {lr: 0.1}\nother: 1\n")
    project.pipeline(TRAIN)
    project("run")
    assert project.ledger() == ["train"]
    return project


def test_a_known_step_is_reused_and_says_of_which_run(train: Project) -> None:
    ended = train("run")
    assert train.ledger() == ["train"]
    assert "reused   train: as in run 1" in ended.err
    assert train.plan() == {"train": ("reuse", "as in run 1")}


def changed_input(project: Project) -> None:
    project.write("data.csv", "1,3\n")


def changed_param(project: Project) -> None:
    project.write("params.yaml", "train: {lr: 0.2}\nother: 1\n")


def changed_command(project: Project) -> None:
    project.pipeline(TRAIN.replace("cat data.csv", "cat ./data.csv"))


def changed_env(project: Project) -> None:
    project.pipeline(TRAIN.replace("LEVEL: info", "LEVEL: debug"))


def changed_shell(project: Project) -> None:
    project.pipeline(TRAIN.replace("in: data.csv", "in: data.csv\n        shell: sh"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed_input, "data.csv changed"),
        (changed_param, "params train.lr: 0.1 -> 0.2"),
        (changed_command, "the command changed"),
        (changed_env, "env LEVEL changed"),
        (changed_shell, "the command changed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_step_runs_again_when_what_it_declared_changed_and_says_what(
    train: Project, change: Callable[[Project], None], why: str
) -> None:
    change(train)
    assert train.plan()["train"] == ("run", why)
    ended = train("run", "--why")
    assert f"started  [1/1] train: {why}" in ended.err
    assert train.ledger() == ["train", "train"]


def test_what_was_not_declared_does_not_count(train: Project) -> None:
    train.write("params.yaml", "train: {lr: 0.1}\nother: 2\n")
    train.write("beside.txt", "new")
    os.utime(train.folder / "data.csv")
    train("run", env={"SOMETHING": "else"})
    assert train.ledger() == ["train"]


def test_going_back_to_an_earlier_state_reuses_the_earlier_result(train: Project) -> None:
    train.write("data.csv", "1,3\n")
    train("run")
    train.write("data.csv", "1,2\n")
    train("run")
    assert train.ledger() == ["train", "train"]
    assert train.read("model") == "1,2\n"


def test_force_runs_it_all_the_same(train: Project) -> None:
    assert train.plan("--force")["train"] == ("run", "--force")
    train("run", "--force")
    assert train.ledger() == ["train", "train"]


def test_a_failed_step_is_not_reused(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: 'echo s >> ledger; exit 1', in: data.csv}\n")
    project.write("data.csv", "1")
    project("run", expect=1)
    project("run", expect=1)
    assert project.ledger() == ["s", "s"]


def test_a_missing_input_is_said_and_nothing_is_started(train: Project) -> None:
    (train.folder / "data.csv").unlink()
    assert train.plan()["train"] == ("run", "it would fail: declared input not there: data.csv")
    ended = train("run", expect=1)
    assert "declared input not there: data.csv" in ended.err
    assert train.ledger() == ["train"]


def test_globs_and_folders_are_inputs(project: Project) -> None:
    project.write("data/a.csv", "1\n")
    project.write("data/deep/b.csv", "2\n")
    project.write("schemas/x/y.json", "{}")
    project.pipeline("steps:\n  - {id: s, run: echo s >> ledger, in: ['data/**/*.csv', schemas], out: ledger}\n")
    project("run")
    project("run")
    assert project.ledger() == ["s"]
    project.write("data/deep/c.csv", "3\n")
    assert project.plan()["s"] == ("run", "in data/deep/c.csv is new")
    project("run")
    project.write("schemas/x/z.json", "{}")
    assert project.plan()["s"] == ("run", "schemas changed")


# --- outputs are restored from the store ------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["deleted", "changed", "replaced by a folder"])
def test_an_output_file_is_restored(train: Project, what: str) -> None:
    model = train.folder / "model"
    if what == "changed":
        model.write_text("spoilt")
    else:
        model.unlink()
    if what == "replaced by a folder":
        model.mkdir()
    assert train.plan()["train"][0] == "reuse"
    ended = train("run")
    assert train.ledger() == ["train"]
    assert model.read_text() == "1,2\n"
    assert "as in run 1, 1 output restored" in ended.err


@pytest.mark.parametrize("is_executable", [True, False])
def test_the_executable_bit_belongs_to_an_output(project: Project, is_executable: bool) -> None:
    project.pipeline(f"""
        steps:
          - id: build
            run: echo 'exit 0' > tool && chmod {"+x" if is_executable else "-x"} tool && echo build >> ledger
            out: tool
    """)
    project("run")
    (project.folder / "tool").chmod(0o644 if is_executable else 0o755)
    project("run")
    assert bool((project.folder / "tool").stat().st_mode & 0o100) == is_executable
    (project.folder / "tool").unlink()
    project("run")
    assert bool((project.folder / "tool").stat().st_mode & 0o100) == is_executable
    assert project.ledger() == ["build"]


def test_an_output_folder_is_restored_as_it_was(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: prepare
            run: |
              mkdir -p out/deep out/empty
              echo a > out/a
              echo b > out/deep/b && chmod +x out/deep/b
              ln -s deep/b out/link
              echo prepare >> ledger
            out: {features: out/}
    """)
    project("run")
    out = project.folder / "out"
    (out / "a").write_text("spoilt")
    (out / "deep" / "b").unlink()
    (out / "link").unlink()
    (out / "empty").rmdir()
    (out / "stray").write_text("not of this folder")
    project("run")
    shutil.copytree(out, project.folder / "partly", symlinks=True)
    shutil.rmtree(out)
    project("run")
    assert project.ledger() == ["prepare"]
    for folder in (out, project.folder / "partly"):
        assert sorted(p.name for p in folder.rglob("*")) == ["a", "b", "deep", "empty", "link"]
        assert (folder / "a").read_text() == "a\n"
        assert (folder / "deep" / "b").stat().st_mode & 0o100
        assert os.readlink(folder / "link") == "deep/b"


def test_with_a_link_in_the_place_of_an_output_the_step_runs_and_nothing_behind_it_is_touched(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: mkdir -p out && echo 1 > out/a && echo s >> ledger, out: out}\n")
    project("run")
    shutil.rmtree(project.folder / "out")
    elsewhere = project.folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("mine")
    (project.folder / "out").symlink_to(elsewhere)
    ended = project("run", "--why")
    assert project.ledger() == ["s", "s"]
    assert (elsewhere / "precious").read_text() == "mine"
    assert "out is a link" in ended.err


def test_it_runs_again_when_the_store_no_longer_has_its_output(train: Project) -> None:
    digest = train.shown()["steps"]["train"]["outputs"]["model"]["digest"]
    train.blob(digest).unlink()
    assert train.plan()["train"] == ("run", "its last result is no longer in the log or the store")
    train("run")
    assert train.ledger() == ["train", "train"]
    assert train.blob(digest).exists()


def test_it_runs_again_when_the_store_lacks_one_file_of_its_folder(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: mkdir -p out && echo one > out/a && echo s >> ledger, out: out}\n")
    project("run")
    project.lose(digest_of(b"one\n"))
    project("run")
    assert project.ledger() == ["s", "s"]


def test_what_a_step_reported_comes_back_with_its_result(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: train
            run: |
              echo auc=0.7 >> $HEADWAY_OUTPUT
              echo '{"name": "auc", "value": 0.7}' >> $HEADWAY_METRICS
            out: []
            in: data.csv
          - id: use
            run: echo ${{ steps.train.out.auc }} >> ledger
    """)
    project.write("data.csv", "1")
    project("run")
    project("run")
    shown = project.shown()["steps"]["train"]
    assert shown["state"] == "reused"
    assert shown["values"] == {"auc": "0.7"}
    assert shown["metrics"] == [{"name": "auc", "value": 0.7}]
    assert project.ledger() == ["0.7", "0.7"]


def test_when_an_earlier_step_makes_the_same_again_the_later_one_is_reused(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: clean, run: tr -d ' ' < raw > clean && echo clean >> ledger, in: raw, out: clean}
          - {id: train, run: cp clean model && echo train >> ledger, in: clean, out: model}
    """)
    project.write("raw", "1 2")
    project("run")
    project.write("raw", "1  2")
    assert project.plan() == {
        "clean": ("run", "raw changed"),
        "train": ("depends", "it reads clean, which clean makes"),
    }
    project("run")
    assert project.ledger() == ["clean", "train", "clean"]


def test_equal_steps_of_one_file_are_each_done_once_and_both_outputs_are_there(project: Project) -> None:
    project.write("data", "1")
    project.pipeline("""
        steps:
          - {id: a, run: cp data a, in: data, out: {x: a}}
          - {id: b, run: cp data b, in: data, out: {x: b}}
    """)
    project("run")
    (project.folder / "a").unlink()
    (project.folder / "b").unlink()
    project("run")
    assert (project.read("a"), project.read("b")) == ("1", "1")


def test_a_change_within_the_clocks_tick_is_seen(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: cp data out, in: data, out: out}\n")
    for i in range(4):
        project.write("data", str(i))
        project("run")
        assert project.read("out") == str(i)


def test_results_are_shared_by_no_clock_but_by_content(train: Project) -> None:
    time.sleep(0.01)
    shutil.copy(train.folder / "data.csv", train.folder / "copy")
    shutil.move(train.folder / "copy", train.folder / "data.csv")
    assert train.plan()["train"][0] == "reuse"


def test_a_seed_that_was_chosen_is_part_of_the_key_and_shown(train: Project) -> None:
    train("run", env={"HEADWAY_SEED": "1"})
    ended = train("run", "--why", env={"HEADWAY_SEED": "2"})
    assert "the seed: 1 -> 2" in ended.err
    assert train.ledger() == ["train"] * 3
    train("run", env={"HEADWAY_SEED": "1"})
    assert train.ledger() == ["train"] * 3
    assert "; seed 2\n" in train("show", "3").out
    assert json.loads(train("plan", "--json", env={"HEADWAY_SEED": "3"}).out)["steps"][0]["why"] == "the seed: 1 -> 3"


def test_the_seed_that_nobody_chose_leaves_the_keys_of_before(train: Project) -> None:
    train("run", env={"HEADWAY_SEED": "0"})
    assert train.ledger() == ["train"]
    assert not any("SEED" in part["name"] for fact in train.facts() for part in fact.get("parts", ()))


def test_a_resumed_run_goes_on_with_its_own_seed(project: Project) -> None:
    project.pipeline("steps: [{run: 'test -e go && echo $HEADWAY_SEED > seed', out: seed}]")
    project("run", expect=1, env={"HEADWAY_SEED": "7"})
    project.write("go", "")
    project("resume", "1")
    assert project.read("seed") == "7\n"
