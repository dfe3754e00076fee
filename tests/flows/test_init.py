"""A project begun from an example, or from the scripts that are there."""

import os
import shlex
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.codec.human import read_pipeline
from headway.core.pipeline import Pipeline
from headway.errors import Conflict, NameUnknown
from headway.flows import init


def touch(folder: Path, *paths: str) -> Path:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
    return folder


def proposed(folder: Path) -> list[tuple[str, str]]:
    """Name and command of each step that is proposed, read back from the file's text."""
    pipeline = read(init.propose(init.scripts(str(folder))))
    return [(step.name, step.run or "") for step in pipeline.steps]


def read(text: str) -> Pipeline:
    return read_pipeline(text.encode(), path="pipeline.yaml", known_step_types=(), read_file=lambda _: None)


# --- from scripts -----------------------------------------------------------------------------------------------


def test_the_four_scripts_everybody_has_become_the_four_steps(tmp_path: Path) -> None:
    touch(tmp_path, "train.py", "deploy.py", "test_model.py", "validate_data.py", "README.md")
    assert proposed(tmp_path) == [
        ("Data Validation", "python validate_data.py"),
        ("Train Model", "python train.py"),
        ("Test Model", "python test_model.py"),
        ("Deploy Model", "python deploy.py"),
    ]


def test_the_text_is_what_a_person_would_write(tmp_path: Path) -> None:
    touch(tmp_path, "train.py", "tests/test_model_quality.py")
    assert init.propose(init.scripts(str(tmp_path))) == (
        "# What runs, in this order; `headway run` runs it. Declare `in:` and `out:` to have steps reused.\n"
        "steps:\n"
        "  - name: Train Model\n"
        "    run: python train.py\n"
        "  - name: Test Model\n"
        "    run: pytest tests\n"
    )


FOUND = {
    "numbers before names": (["02_train.py", "1-fetch_data.py"],
                             ["python 1-fetch_data.py", "python 02_train.py"]),
    "a folder down": (["src/train.py"], ["python src/train.py"]),
    "the top before folders": (["src/train_b.py", "train_a.py"], ["python train_a.py", "python src/train_b.py"]),
    "other languages": (["train.R", "deploy.sh"], ["Rscript train.R", "bash deploy.sh"]),
    "words that only begin alike": (["training_utils.py", "trainer.py", "retrain.py"], ["python training_utils.py"]),
    "two folders down": (["a/b/train.py"], []),
    "not the user's own": ([".venv/train.py", "venv/train.py", "node_modules/train.py", "build/train.py"], []),
    "tests as tests only": (["train.py", "tests/test_a.py", "tests/train.py"], ["python train.py", "pytest tests"]),
    "tests of nothing": (["train.py", "tests/helper.py"], ["python train.py"]),
    "tests without training": (["tests/test_a.py"], ["pytest tests"]),
    "a folder with a script's name": (["train.py/x.txt"], []),
    "an expression in a name": (["train_${{x}}.py"], []),
    "a line break in a name": (["train_\n.py", "x\ny/train.py"], []),
    "a minus": (["-train.py"], ["python ./-train.py"]),
    "nothing": (["notes.txt"], []),
}  # fmt: skip


@pytest.mark.parametrize(("paths", "commands"), FOUND.values(), ids=FOUND.keys())
def test_scripts_are_found_by_their_names(paths: list[str], commands: list[str], tmp_path: Path) -> None:
    assert [one.run for one in init.scripts(str(touch(tmp_path, *paths)))] == commands


def test_two_scripts_of_one_stage_get_two_names(tmp_path: Path) -> None:
    touch(tmp_path, "train_a.py", "train_b.py", "train_c.py")
    assert [name for name, _ in proposed(tmp_path)] == ["Train Model", "Train Model 2", "Train Model 3"]


odd = st.text(st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from(" '\"#:$&*-\\`{}"), max_size=12)


@given(odd)
def test_any_name_of_a_script_comes_through_yaml_and_the_shell(
    tmp_path_factory: pytest.TempPathFactory, end: str
) -> None:
    folder = tmp_path_factory.mktemp("p")
    name = f"train_{end}.py"
    touch(folder, name)
    found = init.scripts(str(folder))
    shutil.rmtree(folder)
    if not name.isprintable() or "${{" in name:
        assert found == []
        return
    (step,) = read(init.propose(found)).steps
    assert shlex.split(step.run or "") == ["python", name]


# --- from an example --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", init.examples())
def test_an_example_is_copied_whole(name: str, tmp_path: Path) -> None:
    target = tmp_path / "new" / "project"
    written = init.copy_example(name, str(target))
    there = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert there == written
    assert {"pipeline.yaml", "README.md", ".gitignore"} <= set(written)
    assert not [path for path in written if path.endswith(".pyc")]


def test_there_is_the_example_that_the_demo_tells() -> None:
    assert "flights" in init.examples()


def test_an_unknown_example_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NameUnknown, match="flights"):
        init.copy_example("flight", str(tmp_path))


def test_no_file_is_ever_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    (tmp_path / "params.yaml").symlink_to("nowhere")
    with pytest.raises(Conflict) as caught:
        init.copy_example("flights", str(tmp_path))
    assert caught.value.problem == "README.md is there already, and 1 more of the example's files"
    assert sorted(os.listdir(tmp_path)) == ["README.md", "params.yaml"]
    assert (tmp_path / "README.md").read_text() == "mine"


def test_files_of_other_names_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text("mine")
    init.copy_example("flights", str(tmp_path))
    assert (tmp_path / "LICENSE").read_text() == "mine"


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(Conflict, match="is no folder"):
        init.copy_example("flights", str(tmp_path / "demo"))
