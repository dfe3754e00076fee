"""headway.lock: written after a good run, with stable bytes, and small differences for people who review it."""

import difflib

import pytest

from end_to_end.project import Project

THREE = """
    params: params.yaml
    steps:
      - {id: clean, run: cp raw clean, in: raw, out: clean}
      - {id: train, run: cat clean beside > model, in: [clean, beside], params: [train], out: {model: model}}
      - {id: deploy, run: echo deployed}
"""


@pytest.fixture
def three(project: Project) -> Project:
    """Two cacheable steps and one that is not, run once."""
    project.write("raw", "1\n")
    project.write("beside", "2\n")
    project.write("params.yaml", "train: {lr: 0.1, depth: 3}\n")
    project.pipeline(THREE)
    project("run")
    return project


def changed(before: str, after: str) -> list[str]:
    """The lines that differ, as a reviewer sees them."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if line[0] in "+-" and not line.startswith(("+++", "---"))]


def test_a_good_run_pins_what_it_read_and_made_for_people_to_read(three: Project) -> None:
    lock = three.read("headway.lock")
    assert lock.startswith("# Made by `headway run`")
    for part in ("clean:", "train:", "raw:", 'train.lr: "0.1"', "path: model"):
        assert part in lock
    # What always runs has nothing to pin.
    assert "deploy" not in lock


def test_the_same_run_writes_the_same_bytes(three: Project) -> None:
    lock = three.folder / "headway.lock"
    before = lock.read_bytes()
    written = lock.stat().st_mtime_ns
    three("run")
    three("run", "--force")
    assert lock.read_bytes() == before
    assert lock.stat().st_mtime_ns == written
    lock.unlink()
    three("run")
    assert lock.read_bytes() == before


def test_one_changed_input_changes_the_lines_of_what_follows_from_it(three: Project) -> None:
    before = three.read("headway.lock")
    three.write("beside", "3\n")
    three("run")
    lines = changed(before, three.read("headway.lock"))
    # The input's digest and the digest of what is made of it; sizes stayed.
    assert len(lines) == 4
    assert [line[0] for line in lines] == ["-", "+", "-", "+"]
    assert "beside:" in lines[0]
    assert "beside:" in lines[1]


def test_one_changed_param_changes_one_line(three: Project) -> None:
    before = three.read("headway.lock")
    three("run", "-p", "train.lr=0.2")
    assert [line.split() for line in changed(before, three.read("headway.lock"))] == [
        ["-", "train.lr:", '"0.1"'],
        ["+", "train.lr:", '"0.2"'],
    ]


def test_a_run_that_fails_leaves_the_lock_as_it_was(three: Project) -> None:
    before = three.read("headway.lock")
    three.write("raw", "changed\n")
    three.pipeline(THREE.replace("echo deployed", "exit 1"))
    three("run", expect=1)
    assert three.read("headway.lock") == before
    three.pipeline(THREE)
    three("resume", expect=1)
    assert three.read("headway.lock") == before


def test_a_run_of_a_part_keeps_the_pins_of_the_others(three: Project) -> None:
    before = three.read("headway.lock")
    three.write("beside", "3\n")
    three("run", "--only", "train")
    after = three.read("headway.lock")
    assert len(changed(before, after)) == 4
    assert after.index("  clean:") < after.index("  train:")


def test_pins_of_steps_that_are_no_more_go_with_the_next_whole_run(three: Project) -> None:
    three.pipeline("steps:\n  - {id: clean, run: cp raw clean, in: raw, out: clean}\n")
    three("run")
    assert "train" not in three.read("headway.lock")
    three.pipeline("steps:\n  - run: echo nothing declared\n")
    three("run")
    assert "clean" not in three.read("headway.lock")


def test_a_project_that_declares_nothing_has_no_lock(project: Project) -> None:
    project.pipeline("steps:\n  - run: echo hi\n")
    project("run")
    assert not (project.folder / "headway.lock").exists()


def test_in_a_fresh_clone_the_lock_tells_what_changed_since(three: Project) -> None:
    import shutil

    shutil.rmtree(three.home)
    three.write("raw", "2\n")
    assert three.plan()["clean"] == ("run", "raw changed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "version: 99\nsteps: {}\n",
        "version: 1\nsteps: [1, 2]\n",
        "<<<<<<< HEAD\nversion: 1\n=======\nversion: 1\n>>>>>>> theirs\n",
        "version: 1\nsteps:\n  train: {command: 3, in: [1]}\n",
        "steps: {clean: {out: {a: {path: 3}}}}\n",
        "a: *b\n",
        "\x00\x01",
    ],
)
def test_a_lock_broken_by_hand_is_mended_by_the_next_good_run(three: Project, text: str) -> None:
    good = three.read("headway.lock")
    (three.folder / "headway.lock").write_text(text)
    three.write("raw", "1\n")
    three("run", "--why", "--force")
    assert three.read("headway.lock") == good
    (three.folder / "headway.lock").write_text(text)
    three.pipeline(THREE.replace("cp raw clean", "cat raw > clean"))
    assert three.plan()["clean"][0] == "run"
    three("run", "--why", "--only", "clean")
    three("run")
    assert "train:" in three.read("headway.lock")


def test_a_folder_in_the_place_of_the_lock_is_said_and_resume_writes_it_when_it_is_gone(three: Project) -> None:
    lock = three.folder / "headway.lock"
    lock.unlink()
    lock.mkdir()
    ended = three("run", "--why", "--force", expect=1)
    assert "headway: headway.lock cannot be written: Is a directory" in ended.err
    lock.rmdir()
    three("resume")
    assert lock.read_text().startswith("# Made by")


def test_a_lock_that_is_a_link_becomes_a_file(three: Project) -> None:
    lock = three.folder / "headway.lock"
    lock.unlink()
    lock.symlink_to("nowhere/at/all")
    three("run")
    assert lock.read_text().startswith("# Made by")
