"""The benchmarks of the store: their data is what they say, and a keeper that is wrong gets no number."""

import dataclasses
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

import environments
import harness
import rest
import store_bucket
import store_files
import store_large
import store_peers
import store_remote
import store_space
import table_worker
from harness import Stage, take_turns
from projects.tool import Tool
from store_data import Files, is_same, size_of, write_large
from store_peers import COPY, DVC, GIT_ITSELF, HEADWAY, SCAN, Keeper, fault
from store_projects import Project, projects

FILES = Files(n=40)


@pytest.fixture(autouse=True)
def _disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk, on which others may be at work: no seconds are looked at here."""
    monkeypatch.setattr(os, "sync", lambda: None)


def stage(tmp_path: Path, peers: str = "none") -> Stage:
    options = harness.Options(n=1, peers=peers, cache=tmp_path, results=tmp_path / "results", timeout_s=60)
    at = Stage(name="try", promise="Promise: none.", options=options)
    # headway of this environment instead of a wheel's, which takes a minute to build and install.
    here = environments.Environment(bin=Path(sys.executable).parent, versions={})
    at.installed.update({"headway": here, "python": here})
    return at


def found(at: Stage, keepers: list[Keeper], folder: Path) -> dict[str, Project]:
    others = [keeper for keeper in keepers if keeper.tool.name not in at.installed]
    known = {
        keeper.name: Project(stage=at, keeper=keeper, folder=folder / keeper.name.replace(" ", "-"))
        for keeper in keepers
        if keeper.tool.name in at.installed
    }
    return {**known, **projects(at, others, folder)}


def test_files_are_what_they_were_written_as(tmp_path: Path) -> None:
    FILES.write(tmp_path / "data")
    assert FILES.fault(tmp_path / "data") is None
    assert size_of(tmp_path / "data") == 40 * 4096


def test_a_changed_a_missing_and_an_added_file_are_each_seen(tmp_path: Path) -> None:
    FILES.write(tmp_path)
    FILES.change(tmp_path, [7], version=2)
    assert FILES.fault(tmp_path) == "000/000007.bin holds other bytes"
    assert FILES.fault(tmp_path, second={7}) is None
    (tmp_path / "more").touch()
    assert FILES.fault(tmp_path, second={7}) == "there are 41 files instead of 40"
    (tmp_path / FILES.name(3)).unlink()
    assert FILES.fault(tmp_path, second={7}) == "000/000003.bin is missing"


def test_some_files_are_as_many_as_asked_for_and_lie_apart() -> None:
    assert len(Files(n=100_000).some(100, 5)) == 100
    assert not {*Files(n=100_000).some(100, 3)} & {*Files(n=100_000).some(100, 7)}


def test_large_files_come_out_the_same_and_differ_from_others(tmp_path: Path) -> None:
    for name, size in (("a", 3_000_000), ("b", 3_000_000), ("c", 3_000_001)):
        write_large(tmp_path / name, size)
    assert is_same(tmp_path / "a", tmp_path / "b")
    assert not is_same(tmp_path / "a", tmp_path / "c")
    with (tmp_path / "b").open("r+b") as f:
        f.seek(2_999_999)
        f.write(b"\0\0")
    assert not is_same(tmp_path / "a", tmp_path / "b")


def test_the_size_of_a_folder_leaves_out_what_is_named_at_its_top_alone(tmp_path: Path) -> None:
    for path in ("data/one", "kept/data/two", ".git/three"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_bytes(b"12345")
    assert size_of(tmp_path, {"data", ".git"}) == 5


@pytest.mark.parametrize(
    ("keeper", "said", "seen"),
    [
        ("headway", '[{"n_added": 1, "n_removed": 0, "n_changed": 2}]', 3),
        ("dvc", "a warning\n{}\n", False),
        ("dvc", '{"data.dvc": [{"changed outs": {"data": "modified"}}]}', True),
        ("dvc data status", "{}", frozenset()),
        ("dvc data status", '{"uncommitted": {"modified": ["data/", "data/000/1.bin"]}}', frozenset({"000/1.bin"})),
        ("oxen", '["data/000/1.bin"]', frozenset({"000/1.bin"})),
        ("git", " M data/000/1.bin\0?? other\0", frozenset({"000/1.bin"})),
        ("restic", "anything", None),
    ],
)
def test_what_a_keeper_says_of_changes_is_read(keeper: str, said: str, seen: store_peers.Seen | None) -> None:
    (one,) = (each for each in store_peers.ALL if each.name == keeper)
    assert one.seen(said) == seen


@pytest.mark.parametrize(
    ("keeper", "said"),
    [
        ("headway", '{"before": "a", "paths": [{"path": "data", "files": [{"path": "000/1.bin"}]}]}'),
        ("dvc", '{"added": [], "modified": [{"path": "data/"}, {"path": "data/000/1.bin"}]}'),
        ("git", "data/000/1.bin\n"),
        (
            "borg",
            (
                '{"changes": [{"type": "modified"}, {"type": "mtime"}], "path": "data/000/1.bin"}\n'
                '{"changes": [{"type": "mtime"}], "path": "data/000/2.bin"}\n'
            ),
        ),
    ],
)
def test_the_files_that_a_diff_names_are_read(keeper: str, said: str) -> None:
    (one,) = (each for each in store_peers.ALL if each.name == keeper)
    assert one.differing(said) == frozenset({"000/1.bin"})


def test_a_wrong_answer_is_told_as_far_as_the_keeper_goes() -> None:
    assert fault(None, ["a"]) is None
    assert fault(False, []) is None
    assert fault(False, ["a"]) == "says changed: False of 1 changed files"
    assert fault(2, ["a", "b"]) is None
    assert fault(1, ["a", "b"]) == "counts 1 changed files instead of 2"
    assert fault(frozenset({"a", "b"}), ["a", "b"]) is None
    assert fault(frozenset({"a", "c"}), ["a", "b"]) == "is wrong about 2 of 2 changed files: b"


@pytest.mark.slow
def test_headway_git_and_cp_do_all_the_cases(tmp_path: Path) -> None:
    at = stage(tmp_path)
    keepers = found(at, [HEADWAY, GIT_ITSELF, COPY, SCAN], tmp_path / "work")
    series = store_files.all_cases(keepers, FILES, 1)
    assert [(one.tool, one.case, one.fault) for one in series if one.fault] == []
    done = {(one.tool, one.case) for one in series if len(one.samples) == 1}
    cases = [
        store_files.SNAPSHOT,
        store_files.SAME,
        store_files.TOUCHED,
        store_files.CHANGED,
        store_files.DIFF,
        store_files.RESTORE,
    ]
    assert done == {
        *(("headway", case) for case in cases),
        *(("git", case) for case in cases),
        ("cp -r", store_files.SNAPSHOT),
        ("cp -r", store_files.RESTORE),
        ("scandir + stat", store_files.SAME),
    }


def test_nothing_is_deleted_between_what_is_measured_but_all_when_the_stage_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rest, "FREED_S", 0)
    at, scratch = stage(tmp_path), tmp_path / "scratch"
    scratch.mkdir()
    made = 0
    with pytest.raises(KeyboardInterrupt), at.aside(scratch) as aside:  # noqa: PT012 - it must end within the stage
        keepers = {name: dataclasses.replace(one, aside=aside) for name, one in found(at, [COPY], scratch).items()}
        monkeypatch.setattr(shutil, "rmtree", lambda folder, **_: pytest.fail(f"{folder} is deleted"))
        store_files.all_cases(keepers, FILES, 2)
        # The empty projects of three repetitions, with what was kept in two of them, and the data of three restores.
        made = len(list(aside.rglob("*.bin")))
        monkeypatch.undo()
        raise KeyboardInterrupt
    assert made == 2 * 40 + 3 * 40
    assert not (scratch / "aside").exists()
    assert at.rest.startswith("file system ")


def test_a_clone_and_a_project_that_are_taken_away_lie_aside(tmp_path: Path) -> None:
    (project,) = found(stage(tmp_path), [COPY], tmp_path / "work").values()
    project = dataclasses.replace(project, aside=tmp_path / "aside")
    (tmp_path / "aside").mkdir()
    project.renew()
    FILES.write(project.data)
    FILES.write(project.clone().data)
    project.clone().remove()
    project.remove()
    assert not project.folder.exists()
    assert len(list((tmp_path / "aside").rglob("*.bin"))) == 80


@pytest.mark.parametrize(
    ("best_s", "costs", "said"),
    [
        (0.01, [0.2, 0.2, 0.019], "file system at rest after 4 s (500 new files cost 19 ms, at best 10 ms)"),
        (None, [0.01, 0.2, 0.2, 0.2, 0.01], "file system at rest after 8 s (500 new files cost 10 ms, at best 10 ms)"),
        (0.01, [0.2] * 9, "file system NOT at rest after 16 s (500 new files cost 200 ms, at best 10 ms)"),
    ],
    ids=["until it costs as little as it did once", "some time when no best is known", "but not for ever"],
)
def test_a_stage_waits_until_new_files_cost_little(
    best_s: float | None, costs: list[float], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda pause_s: now.__setitem__(0, now[0] + pause_s))
    monkeypatch.setattr(rest, "FREED_S", 8)
    monkeypatch.setattr(rest, "LONGEST_S", 16)
    known = tmp_path / "at-rest.json"
    if best_s is not None:
        known.write_text(json.dumps({"files": rest.N_FILES, "best_s": best_s}))
    left = iter(costs)
    assert rest.wait(lambda: next(left), known) == said
    assert list(left) == []
    assert json.loads(known.read_text())["best_s"] == 0.01


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"keep": ("true",)}, "bytes are stored of"),
        ({"keep": ("sh", "-c", "cp -r data kept1; cp -r data kept2; exit 3")}, "ended with 3"),
        ({"status": ("true",), "seen": lambda _: frozenset({"000/000001.bin"})}, "is wrong about 1 of 0"),
        ({"diff": ("true",), "differing": lambda _: frozenset()}, "is wrong about 1 of 1"),
        ({"restore": ("cp", "-r", "kept1", "data")}, "holds other bytes"),
        ({"prepare": (("false",),)}, "not measured, but needed"),
    ],
    ids=["stores nothing", "fails", "sees too much", "sees too little", "restores another version", "is not set up"],
)
def test_a_keeper_that_does_not_do_the_work_gets_no_number(wrong: dict[str, object], said: str, tmp_path: Path) -> None:
    # Any: fields by name, for each of the cases.
    keeper = dataclasses.replace(COPY, **wrong)  # type: ignore[arg-type]
    series = store_files.all_cases(found(stage(tmp_path), [keeper], tmp_path / "work"), FILES, 1)
    assert [said in str(one.fault) for one in series if one.fault] == [True]


def test_an_unknown_peer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no peer is called frob"):
        store_peers.chosen(stage(tmp_path, "frob").options, [HEADWAY, DVC, COPY])
    assert store_peers.chosen(stage(tmp_path, "dvc").options, [HEADWAY, DVC, COPY]) == [HEADWAY, DVC]
    assert store_peers.chosen(stage(tmp_path).options, [HEADWAY, DVC, COPY]) == [HEADWAY]
    assert store_peers.chosen(stage(tmp_path, "default").options, [HEADWAY, COPY]) == [HEADWAY, COPY]


def test_a_tool_without_a_version_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mute").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "mute").chmod(0o755)
    (tmp_path / "late").write_text('#!/bin/sh\ntest "$1" = version && echo late 2\n')
    (tmp_path / "late").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    at = stage(tmp_path)
    assert [tool.name for tool in at.bring([Tool(name="mute"), Tool(name="late")])] == ["late"]
    assert at.skipped == {"mute": "mute does not tell its version"}
    assert at.installed["late"].versions == {"late": "late 2"}
    assert shutil.which("late") == str(tmp_path / "late")


def test_headway_and_cp_keep_and_restore_one_file(tmp_path: Path) -> None:
    at = stage(tmp_path)
    write_large(tmp_path / "data.bin", 700_000)
    keepers = [dataclasses.replace(one, path="data.bin") for one in found(at, [HEADWAY, COPY], tmp_path / "w").values()]
    series = take_turns([store_large.one_file(project, tmp_path / "data.bin") for project in keepers], 1)
    assert [(one.tool, one.case, one.fault, len(one.samples)) for one in series] == [
        (tool, case, None, 1) for tool in ("headway", "cp -r") for case in (store_large.SNAPSHOT, store_large.RESTORE)
    ]
    assert (tmp_path / "data.bin").stat().st_size == 700_000


def test_a_file_that_comes_back_otherwise_gets_no_number(tmp_path: Path) -> None:
    write_large(tmp_path / "data.bin", 70_000)
    keeper = dataclasses.replace(COPY, restore=("dd", "if=kept1", "of={path}", "bs=69999", "count=1"))
    (project,) = found(stage(tmp_path), [keeper], tmp_path / "w").values()
    one = store_large.one_file(dataclasses.replace(project, path="data.bin"), tmp_path / "data.bin")
    _, restored = take_turns([one], 1)
    assert restored.fault == "what was restored is another file"


def test_tables_differ_by_the_rows_put_into_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.chdir(tmp_path)
    table_worker.main("1000", "500", "0")
    before = (tmp_path / "data.csv").read_text().splitlines()
    table_worker.main("1000", "500", "11")
    after = (tmp_path / "data.csv").read_text().splitlines()
    assert (len(before), len(after)) == (1001, 1012)
    assert before == after[:501] + after[512:]
    assert len(set(after)) == 1012
    ours, plain = pq.read_table("data.parquet"), pq.read_table("plain.parquet")
    assert ours.equals(plain)
    assert ours.column("id").to_pylist() == [int(line.partition(",")[0]) for line in after[1:]]


@pytest.mark.parametrize(
    ("keep", "extra_mb", "said"),
    [
        (("cp", "{path}", "kept{version}"), 0.101, None),
        (("sh", "-c", "cp {path} kept1"), None, "only 1,000 bytes were added"),
    ],
    ids=["keeps both", "keeps the newest only"],
)
def test_what_a_version_adds_is_counted(
    keep: tuple[str, ...], extra_mb: float | None, said: str | None, tmp_path: Path
) -> None:
    for version, size in (("1", 10_000_000 if said else 100_000), ("2", 10_001_000 if said else 101_000)):
        (tmp_path / "tables" / version).mkdir(parents=True)
        write_large(tmp_path / "tables" / version / "data.csv", size)
    keeper = dataclasses.replace(COPY, keep=keep)
    (project,) = found(stage(tmp_path), [keeper], tmp_path / "w").values()
    project = dataclasses.replace(project, path="data.csv")
    (one,) = take_turns([store_space.two_versions(project, tmp_path / "tables")], 1)
    assert one.fault == said
    if extra_mb is not None:
        assert one.samples[0].counts == {"extra %": 100.0, "extra MB": extra_mb, "stored MB": 0.201}


def test_what_is_pulled_into_a_clone_is_compared(tmp_path: Path) -> None:
    remote = tmp_path / "remote"
    remote.mkdir()
    keeper = dataclasses.replace(
        COPY,
        prepare=(("git", "init", "-q", "."),),
        keep=None,
        seal=(("git", "commit", "-qm", "one", "--allow-empty"),),
        tool=dataclasses.replace(COPY.tool, variables=store_peers.GIT),
    )
    good = store_remote.Sender(
        keeper=keeper, push=("cp", "-r", "{path}", str(remote)), pull=("cp", "-r", str(remote / "data"), ".")
    )
    bucket = store_bucket.Bucket(endpoint="http://127.0.0.1:1")
    for sender, wrong in ((good, None), (dataclasses.replace(good, pull=("true",)), "000/000000.bin is missing")):
        (project,) = found(stage(tmp_path), [keeper], tmp_path / "w").values()
        FILES.write(project.folder / "data")
        work = store_remote.Work.of_files(project, FILES)
        series = take_turns([store_remote.there_and_back(sender, project, bucket, work)], 1)
        assert [(one.case, one.fault) for one in series] == [(store_remote.PUSH, None), (store_remote.PULL, wrong)]
        assert FILES.fault(project.folder / "data") is None
        project.remove()
