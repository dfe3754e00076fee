"""Files that are damaged, missing, full or not writable: a few clear lines, an exit code, and the project goes on."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from end_to_end.project import Project, complaint

PIPELINE = """
    steps:
      - {id: clean, run: cp raw clean && echo clean >> ledger, in: raw, out: clean}
      - {id: train, run: mkdir -p m && cp clean m/model && echo train >> ledger, in: clean, out: {model: m}}
"""


@pytest.fixture
def ran(project: Project) -> Project:
    """Two cacheable steps that ran once; the second makes a folder."""
    project.write("raw", "one\n")
    project.pipeline(PIPELINE)
    project("run")
    return project


# --- the file of the pipeline -----------------------------------------------------------------------------------------


def test_without_a_pipeline_it_is_said_how_to_get_one(project: Project) -> None:
    lines = complaint(project("run", expect=2))
    assert "there is no pipeline.yaml" in lines[0]
    assert "headway init" in lines[2]


def test_a_folder_in_the_place_of_the_pipeline(project: Project) -> None:
    (project.folder / "pipeline.yaml").mkdir()
    complaint(project("run", expect=2))


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "steps:\n", "steps: []\n", "just words\n", "- 1\n", "\x00", "a: [\n"]
)
def test_a_pipeline_that_says_nothing(project: Project, text: str) -> None:
    (project.folder / "pipeline.yaml").write_text(text)
    ended = project("run", expect=2)
    assert len(ended.err.splitlines()) <= 7
    assert "pipeline.yaml:1:" in ended.err or "pipeline.yaml:2:" in ended.err
    assert "  do: " in ended.err
    project.pipeline("steps:\n  - run: 'true'\n")
    project("run")


def test_bytes_that_are_no_text(project: Project) -> None:
    (project.folder / "pipeline.yaml").write_bytes(b"steps:\n  - run: \xff\xfe\n")
    ended = project("run", expect=2)
    assert "pipeline.yaml:2:10: the file is not UTF-8 text" in ended.err


TEN = """
    pipline: churn
    params: nowhere.yaml
    steps:
      - name: Train Model
        runs: python train.py
        in: [raw]
      - name: Train Model
        run: python train.py
        timeout: soon
      - id: gate
        uses: gatee
      - id: use
        run: echo ${{ steps.trian.out.model }}
        needs: [nobody]
        retry: often
      - id: last
        run: echo ${{ params.x
        in: /etc/passwd
        continue-on-error: maybe
"""


def test_all_faults_of_a_file_are_shown_at_once_with_place_and_remedy(project: Project) -> None:
    project.pipeline(TEN)
    ended = project("run", expect=2)
    # pipeline.yaml:LINE:COLUMN: problem
    faults = [line for line in ended.err.splitlines() if line.startswith("pipeline.yaml:")]
    places = [tuple(line.split(":")[1:3]) for line in faults]
    assert all(line.isdigit() and column.isdigit() for line, column in places), ended.err
    assert places == sorted(places, key=lambda place: (int(place[0]), int(place[1])))
    assert len(faults) >= 10, ended.err
    assert f"pipeline.yaml has {len(faults)} faults" in ended.err
    for word in ("pipeline", "Train Model", "gate", "nobody", "timeout", "continue-on-error", "nowhere.yaml"):
        assert word in ended.err
    # Each takes at most four lines: place and problem, the line, the caret, the remedy.
    assert len(ended.err.splitlines()) <= 4 * len(faults) + 3
    machine = project("run", "--json", expect=2).json
    assert len(machine["faults"]) == len(faults)


def test_a_broken_params_file_is_told_with_its_own_place(project: Project) -> None:
    project.write("params.yaml", "a: 1\nb: [\n")
    project.pipeline("params: params.yaml\nsteps:\n  - run: 'true'\n")
    ended = project("run", expect=2)
    assert "params.yaml:" in ended.err


def test_faults_of_the_settings_are_shown_at_once(project: Project) -> None:
    project.write("headway.toml", "[run]\njobs = 'many'\n[stor]\nurl = 1\n")
    project.pipeline("steps:\n  - run: 'true'\n")
    ended = project("run", expect=2)
    assert "jobs" in ended.err
    assert "stor" in ended.err


@pytest.mark.parametrize(
    "settings", ["[store]\nurl = 'ftp:x'\n", "[log]\nurl = 'mysql://nowhere/x'\n", "[log]\nurl = 'nonsense'\n"]
)
def test_a_store_or_log_of_an_unknown_kind(project: Project, settings: str) -> None:
    project.write("headway.toml", settings)
    project.pipeline("steps:\n  - run: 'true'\n")
    complaint(project("run", expect=2))


# --- the log ----------------------------------------------------------------------------------------------------------


def log_files(project: Project) -> list[Path]:
    return sorted(project.home.glob("log.sqlite*"))


def damage_flip(project: Project) -> None:
    """Turn bytes in the middle of the content of a fact."""
    path = project.home / "log.sqlite"
    data = bytearray(path.read_bytes())
    at = data.rfind(b'"StepFinished"')
    assert at > 0
    data[at + 4] ^= 0xFF
    path.write_bytes(data)


def damage_page(project: Project) -> None:
    """Overwrite the pages in the middle."""
    path = project.home / "log.sqlite"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[4096:middle] = bytes(b ^ 0x5A for b in data[4096:middle])
    path.write_bytes(data)


def damage_cut(project: Project) -> None:
    path = project.home / "log.sqlite"
    os.truncate(path, path.stat().st_size // 2)


def damage_empty(project: Project) -> None:
    (project.home / "log.sqlite").write_bytes(b"")


def damage_other(project: Project) -> None:
    (project.home / "log.sqlite").write_text("not a database at all\n" * 1000)


@pytest.mark.parametrize("damage", [damage_flip, damage_page, damage_cut, damage_empty, damage_other])
def test_a_damaged_log_is_told_and_a_copy_of_it_mends_everything(ran: Project, damage) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 (a table)
    assert [path.name for path in log_files(ran)] == ["log.sqlite"]
    copy = ran.folder.parent / "copy"
    shutil.copy(ran.home / "log.sqlite", copy)
    damage(ran)
    damaged = (ran.home / "log.sqlite").read_bytes()
    lines = complaint(ran("audit", expect=1))
    assert "headway audit" not in lines[2]
    assert "copy" in lines[2]
    for words in (("run",), ("runs",), ("status",), ("show",), ("plan",), ("resume",), ("gc",)):
        ended = ran(*words, expect=None)
        if ended.code:
            complaint(ended)
    # Nobody makes a new log over one that may be saved.
    assert damaged[:100] == (ran.home / "log.sqlite").read_bytes()[:100]
    for path in log_files(ran):
        path.unlink()
    shutil.copy(copy, ran.home / "log.sqlite")
    ran.is_usable()
    assert ran.ledger() == ["clean", "train"]


def test_without_a_copy_one_may_begin_a_new_log(ran: Project) -> None:
    damage_other(ran)
    complaint(ran("run", expect=1))
    (ran.home / "log.sqlite").rename(ran.folder.parent / "damaged")
    ran.is_usable()
    assert ran.ledger() == ["clean", "train"] * 2


def test_a_log_that_goes_away_while_a_run_is_at_work_is_told(ran: Project) -> None:
    ran.pipeline("steps:\n  - run: rm .headway/log.sqlite*\n  - run: echo next >> ledger\n")
    ended = ran("run", expect=None)
    if ended.code:
        assert len([line for line in ended.err.splitlines() if not line.startswith(("started", "passed"))]) <= 6
    ran("run", expect=None)


# --- the store --------------------------------------------------------------------------------------------------------


def blob_of(project: Project, content: bytes) -> Path:
    return next(path for path in (project.home / "blobs").glob("??/*") if path.read_bytes() == content)


def test_a_missing_blob_is_no_result(ran: Project) -> None:
    blob_of(ran, b"one\n").unlink()
    shutil.rmtree(ran.folder / "m")
    ran("run")
    # The folder's file has the same content: it is there again, and the second step need not run.
    assert ran.ledger() == ["clean", "train", "clean"]
    assert ran.read("m/model") == "one\n"
    ran.is_usable()


@pytest.mark.parametrize("what", ["flipped", "cut", "empty"])
def test_a_damaged_blob_is_no_result_and_is_put_aside(ran: Project, what: str) -> None:
    blob = blob_of(ran, b"one\n")
    blob.chmod(0o644)
    blob.write_bytes({"flipped": b"onE\n", "cut": b"on", "empty": b""}[what])
    shutil.rmtree(ran.folder / "m")
    (ran.folder / "clean").unlink()
    ended = ran("run", "--why")
    assert ran.read("m/model") == "one\n"
    assert ran.read("clean") == "one\n"
    assert "clean" in ran.ledger()[2:]
    if what != "empty":
        assert "is damaged" in ended.err
    # The store is mended by what was made again.
    assert blob.read_bytes() == b"one\n"
    ran.is_usable()


def test_a_damaged_list_of_a_folder_is_no_result(ran: Project) -> None:
    digest = ran.shown()["steps"]["train"]["outputs"]["model"]["digest"]
    ran.damage(digest)
    shutil.rmtree(ran.folder / "m")
    ran("run")
    assert ran.ledger() == ["clean", "train", "train"]
    assert ran.read("m/model") == "one\n"


def test_logs_of_a_step_whose_blob_is_gone_are_told_in_words(project: Project) -> None:
    project.pipeline("steps:\n  - {id: s, run: echo hello}\n")
    project("run")
    blob_of(project, b"hello\n").unlink()
    complaint(project("logs", "1", "s", expect=1))


# --- where nothing can be written -------------------------------------------------------------------------------------


@pytest.fixture
def unwritable(ran: Project) -> Iterator[Project]:
    """A project whose `.headway` cannot be written to, whoever runs this."""
    if os.geteuid() != 0:
        ran.home.chmod(0o555)
        yield ran
        ran.home.chmod(0o755)
        return
    if not mount("--bind", str(ran.home), str(ran.home)):
        pytest.skip("root may not mount here, and permissions do not bind it")
    try:
        mount("-o", "remount,bind,ro", str(ran.home))
        yield ran
    finally:
        unmount(ran.home)


def mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def unmount(path: Path) -> None:
    with suppress(FileNotFoundError):
        subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=False)


@pytest.mark.parametrize("words", [("run",), ("runs",), ("plan",), ("audit",), ("status",), ("resume",), ("gc",)])
def test_a_home_that_cannot_be_written_to(unwritable: Project, words: tuple[str, ...]) -> None:
    ended = unwritable(*words, expect=None)
    if ended.code:
        lines = complaint(ended)
        assert ".headway" in lines[1]
    assert words != ("run",) or ended.code == 1


def test_a_file_in_the_place_of_the_home(project: Project) -> None:
    project.write(".headway", "")
    project.pipeline("steps:\n  - run: 'true'\n")
    complaint(project("run", expect=1))
    (project.folder / ".headway").unlink()
    project("run")


# --- a full disk ------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A project on a disk of 3 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)):
        pytest.skip("only root can mount a small disk: the end of a full disk is NOT tested here")
    try:
        yield Project(disk / "project")
    finally:
        unmount(disk)


FILL = "head -c 100m /dev/zero > ballast || true"


def test_a_disk_that_is_full_when_a_step_ends_is_told_and_resume_goes_on(small: Project) -> None:
    small.pipeline(f"""
        steps:
          - {{id: a, run: echo a >> ledger && echo a > a, out: a}}
          - {{id: b, run: echo b >> ledger && head -c 1000000 /dev/urandom > b && {FILL}, out: b}}
          - {{id: c, run: echo c >> ledger}}
    """)
    ended = small("run", expect=1)
    assert "no space is left" in ended.err
    told = [line for line in ended.err.splitlines() if line.startswith(("headway:", "  at:", "  do:"))]
    assert len(told) == 3, ended.err
    assert small.ledger() == ["a", "b"]
    # Still full: no command crashes.
    for words in (("status",), ("runs",), ("show",), ("plan",), ("audit",), ("run",), ("resume",), ("gc",)):
        again = small(*words, expect=None)
        assert again.code in (0, 1), again
    (small.folder / "ballast").unlink()
    small.write("pipeline.yaml", small.read("pipeline.yaml").replace(FILL, "true"))
    small("audit")
    small("run")
    assert small.ledger()[-2:] == ["b", "c"]
    assert "a" not in small.ledger()[2:]


def test_a_disk_that_is_full_from_the_start(small: Project) -> None:
    small.pipeline("steps:\n  - {id: a, run: echo a >> ledger}\n")
    with suppress(OSError), (small.folder / "ballast").open("wb") as file:
        while True:
            file.write(b"\0" * 65536)
            file.flush()
    complaint(small("run", expect=1))
    (small.folder / "ballast").unlink()
    small.is_usable()
