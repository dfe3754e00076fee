"""Notices by a command: real ones of the shell."""

import json
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from headway.backends import connect, notifier_command
from headway.core.notifier import Notifying, Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier
from headway.testing.notifier_contract import ODD, PLAIN, SECRET, Arrived, NotifierContract
from headway.testing.processes import eventually

APPEND = """
import json, os, sys
if os.path.exists("down"):
    sys.exit("it is down")
with open("told.jsonl", "a") as f:
    words = [os.environ["HEADWAY_NOTICE_" + name] for name in ("TITLE", "TEXT", "COMMAND")]
    f.write(json.dumps({"stdin": json.load(sys.stdin), "words": words}) + "\\n")
"""


def made(command: str, folder: Path, *, environ: dict[str, str] | None = None, links: str = "") -> Notifier:
    written = Notifying(kind="command", to=command)
    ready = Ready(written=written, project="churn", folder=str(folder), links=links)
    inherited = {"PATH": "/usr/bin:/bin", "TOKEN": SECRET, **(environ or {})}
    whole = {**inherited, "NOTIFIER": msgspec.json.encode(ready).decode()}
    return connect("notifier", f"command:{command}", whole)  # type: ignore[return-value] # connect answers by name


class TestCommandNotifier(NotifierContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        (tmp_path / "tell.py").write_text(APPEND)

    def make(self) -> Notifier:
        return made(f"{sys.executable} -S tell.py", self.folder)

    def arrived(self) -> list[Arrived]:
        path = self.folder / "told.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [Arrived(mark=one["stdin"]["key"], words="\n".join(one["words"])) for one in lines]

    def down(self) -> None:
        (self.folder / "down").touch()

    def up(self) -> None:
        (self.folder / "down").unlink()


def test_nothing_of_a_notice_is_run(tmp_path: Path) -> None:
    command = 'echo "$HEADWAY_NOTICE_TITLE" $HEADWAY_NOTICE_TEXT > said; cat > stdin'
    assert made(command, tmp_path).send(ODD).why == ""
    assert sorted(os.listdir(tmp_path)) == ["said", "stdin"]
    assert "$(touch pwned)" in (tmp_path / "said").read_text()


def test_it_finds_all_of_the_notice_and_its_own_environment(tmp_path: Path) -> None:
    command = "env | grep -E '^(HEADWAY_|NOTIFIER|TOKEN)' | sort > said; cat > stdin"
    assert made(command, tmp_path, links="https://h.example.com").send(PLAIN).why == ""
    said = (tmp_path / "said").read_text().splitlines()
    assert f"TOKEN={SECRET}" in said
    assert "HEADWAY_NOTICE_LINK=https://h.example.com/runs/7" in said
    assert "HEADWAY_NOTICE_TOPIC=run" in said
    assert not [line for line in said if line.startswith("NOTIFIER")]
    assert json.loads((tmp_path / "stdin").read_text())["link"] == "https://h.example.com/runs/7"


def test_what_no_variable_can_hold_is_left_out(tmp_path: Path) -> None:
    notice = msgspec.structs.replace(PLAIN, title="a\0b")
    assert made('printf %s "$HEADWAY_NOTICE_TITLE" > said', tmp_path).send(notice).why == ""
    assert (tmp_path / "said").read_text() == "ab"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo no luck >&2; exit 3", "the command ended with exit code 3: no luck"),
        ("kill -9 $$", "the command was killed by signal 9"),
        ("no-such-command-at-all", "the command ended with exit code 127: "),
        ("seq 1 100000; exit 1", "the command ended with exit code 1: "),
    ],
)
def test_how_it_ended_is_told_in_few_words(tmp_path: Path, command: str, why: str) -> None:
    receipt = made(command, tmp_path).send(PLAIN)
    assert receipt.why.startswith(why)
    assert len(receipt.why) < 400
    assert not receipt.is_final


def test_a_command_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifier_command, "LONGEST_S", 0.3)
    receipt = made("sleep 61 & echo $! > pid; wait", tmp_path).send(PLAIN)
    assert "took longer" in receipt.why
    pid = int((tmp_path / "pid").read_text())
    eventually(lambda: not is_running(pid))


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    assert made("sleep 61 & echo $! > pid", tmp_path).send(PLAIN).why == ""
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    assert "cannot be started" in made("true", tmp_path / "gone").send(PLAIN).why


def test_no_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageMistaken, match="no command"):
        made(" ", tmp_path)


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
