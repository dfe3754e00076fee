"""`headway data` and `headway checkout` as they are typed: what they print, what they refuse, what they import."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from syrupy.assertion import SnapshotAssertion

from headway import config
from headway.cli import dispatch


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test stands in a folder with some data, outside of any repository, as ann."""
    for name in [name for name in config.load().environ if name.startswith("HEADWAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("USER", "ann")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.csv").write_text("id,x\n1,2\n")
    images = tmp_path / "images"
    images.mkdir()
    for i in range(3):
        (images / f"{i}.png").write_text(f"{i}")
    return tmp_path


class Typed:
    """Types words, gives exit code, stdout and stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str, expect: int = 0) -> tuple[str, str]:
        code = dispatch(list(words))
        out, err = self._capsys.readouterr()
        assert code == expect, (words, out, err)
        return out, err


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    return Typed(capsys)


def test_what_is_shown_to_people(typed: Typed, project: Path, snapshot: SnapshotAssertion) -> None:
    shown = []

    def show(*words: str, expect: int = 0) -> None:
        out, err = typed(*words, expect=expect)
        text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "WHEN", out + err)
        shown.append(f"$ headway {' '.join(words)}\n{text}")

    show("data", "status")
    show("data", "add", "train.csv", "images", "-m", "the first")
    show("data", "add", "train.csv")
    show("data", "status")
    (project / "train.csv").write_text("id,x\n1,2\n3,4\n")
    (project / "images" / "0.png").unlink()
    (project / "images" / "new\nline").write_text("n")
    show("data", "status", "--check", expect=1)
    show("data", "diff")
    show("checkout", expect=5)
    show("data", "add", "train.csv", "images")
    show("data", "diff", "images@1", "images@2")
    show("data", "list")
    show("data", "log")
    show("checkout", "train@1")
    show("data", "forget", "images@1", "--why", "a test")
    show("data", "log", "images")
    show("data", "verify")
    (project / "train.csv").unlink()
    show("data", "status")
    show("checkout")
    assert "\n".join(shown) == snapshot


MISTAKES = {
    "nothing to add": (["data", "add"], 2, "there is nothing to add"),
    "no such path": (["data", "add", "nowhere"], 2, "there is no nowhere"),
    "out of the project": (["data", "add", "/etc/hosts"], 2, "does not lie in the project's folder"),
    "the project itself": (["data", "add", "."], 2, "does not lie in the project's folder"),
    "headway's own": (["data", "add", ".headway/log.sqlite"], 2, "belongs to Headway"),
    "an odd name": (["data", "add", "train.csv", "--name", "a/b"], 2, "cannot name a dataset"),
    "two paths, one name": (["data", "add", "train.csv", "images", "--name", "x"], 2, "one name cannot be of several"),
    "sql without from": (["data", "add", "--sql", "select 1", "--name", "x"], 2, "--sql needs --from URL"),
    "from without sql": (["data", "add", "train.csv", "--from", "sqlite:x"], 2, "--from is where --sql asks"),
    "a url without a name": (["data", "add", "s3://b/x.csv"], 2, "needs --name NAME"),
    "to without a url": (["data", "add", "train.csv", "--to", "x"], 2, "--to is where a snapshot"),
    "an option of another": (["data", "list", "--check"], 2, "`list` does not take --check"),
    "too many words": (["data", "log", "a", "b"], 2, "2 words after `log`"),
    "forget without a version": (["data", "forget", "train"], 2, "names no version"),
    "forget what never was": (["data", "forget", "train@1"], 2, "there is no dataset 'train'"),
    "no such dataset": (["data", "log", "trian"], 2, "there is no dataset 'trian'"),
    "no such reference": (["data", "diff", "nothing"], 2, "'nothing' names no dataset"),
    "checkout without a lock": (["checkout"], 2, "there is no headway.lock"),
}


@pytest.mark.parametrize(("words", "code", "said"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_and_nothing_is_done(
    words: list[str], code: int, said: str, typed: Typed, project: Path
) -> None:
    _, err = typed(*words, expect=code)
    assert said in err
    assert not (project / "headway.lock").exists()


def test_names_and_places_are_not_taken_twice(typed: Typed, project: Path) -> None:
    typed("data", "add", "train.csv")
    _, err = typed("data", "add", "images", "--name", "train", expect=5)
    assert "train is train.csv already" in err
    _, err = typed("data", "add", "images/0.png", "images", "--name", "i", expect=2)
    typed("data", "add", "images")
    _, err = typed("data", "add", "images/0.png", expect=5)
    assert "overlaps images" in err
    _, err = typed("data", "add", "train.csv", "--name", "other", expect=5)
    assert "train.csv is dataset train already" in err


def test_a_dataset_may_move(typed: Typed, project: Path) -> None:
    typed("data", "add", "train.csv")
    os.rename(project / "train.csv", project / "moved.csv")
    out, _ = typed("data", "add", "moved.csv", "--name", "train")
    assert out.startswith("added train@2: moved.csv")
    assert typed("data", "diff", "train@1", "train@2")[0] == "train@1 and train@2 are the same\n"


def test_options_may_stand_between_words(typed: Typed) -> None:
    out, _ = typed("data", "add", "--name", "t", "train.csv", "--json")
    assert msgspec.json.decode(out)[0]["version"]["dataset"] == "t"


def test_paths_count_from_here(typed: Typed, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed("data", "add", "images")
    (project / "images" / "0.png").unlink()
    typed("checkout", "./images/../images")
    assert (project / "images" / "0.png").exists()
    (project / "images" / "0.png").unlink()
    monkeypatch.chdir(project / "images")
    typed("checkout", ".")
    assert (project / "images" / "0.png").exists()


def test_gc_is_the_same_by_both_names(typed: Typed) -> None:
    typed("data", "add", "train.csv")
    assert typed("data", "gc", "--dry-run", "--grace", "0") == typed("gc", "--dry-run", "--grace", "0")


def test_rows_of_a_table_are_compared_by_key(typed: Typed, project: Path) -> None:
    typed("data", "add", "train.csv", "images")
    (project / "train.csv").write_text("id,x\n1,5\n2,7\n")
    out, _ = typed("data", "diff", "train", "--key", "id")
    assert "train.csv, rows by id: 1 added, 0 removed, 1 changed (1 -> 2)" in out
    assert "changed  id 1  x: 2 -> 5" in out
    typed("data", "add", "train.csv")
    table = msgspec.json.decode(typed("data", "diff", "train@1", "train@2", "--key", "id", "--json")[0])["tables"]
    assert table["train.csv"]["n_changed"] == 1
    assert list((project / ".headway" / "cache").glob("rows-*")) == []
    (project / "images" / "0.png").unlink()
    _, err = typed("data", "diff", "images", "--key", "id", expect=2)
    assert "nothing that differs is one table" in err


def test_a_flipped_bit_is_found_and_named(typed: Typed, project: Path) -> None:
    (project / "train.csv").write_bytes(os.urandom(100_000))
    typed("data", "add", "train.csv")
    blobs = [p for p in (project / ".headway" / "blobs").rglob("*") if p.is_file() and p.stat().st_size >= 100_000]
    assert blobs
    for blob in blobs:
        data = bytearray(blob.read_bytes())
        data[50_000] ^= 1
        blob.chmod(0o644)
        blob.write_bytes(data)
    out, _ = typed("data", "verify", "--json", expect=1)
    (fault,) = msgspec.json.decode(out)["faults"]
    assert fault["what"] == "damaged"
    assert any("train.csv" in owner for owner in fault["of"])


def test_status_of_an_empty_project_imports_next_to_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "pipeline.yaml").write_text("steps: []")
    code = "import sys; from headway.cli import dispatch; dispatch({}); print(*sys.modules, file=sys.stderr)"

    def loaded(*words: str) -> tuple[set[str], str]:
        script = code.format(list(words))
        done = subprocess.run([sys.executable, "-c", script], cwd=empty, capture_output=True, text=True, check=True)
        return set(done.stderr.split()), done.stdout

    after, said = loaded("data", "status")
    assert after - loaded("--version")[0] <= {"headway.cli._data"}
    assert said == "nothing is versioned here yet: headway data add PATH\n"
    assert loaded("data", "status", "--json")[1] == "[]\n"
    # Not where the project is another.
    assert "headway.config" in loaded("data", "status", "-C", ".")[0]
    assert not (empty / ".headway").exists()


@pytest.mark.parametrize("words", [("list",), ("log",), ("status",), ("verify",)], ids=" ".join)
def test_looking_where_nothing_was_begun_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert dispatch(["data", *words]) == 0
    assert list(empty.iterdir()) == []
