"""`headway notify`: telling what is due, trying whether it reaches people, and what goes wrong with it."""

import json
from pathlib import Path

import pytest

from headway import config, wiring
from headway.cli import dispatch
from headway.codec.notices import body
from headway.core import facts as f
from headway.core.courier import GIVE_UP_S
from headway.core.ids import Digest, RunId
from headway.core.notice import Notice
from headway.errors import FileFaulty
from services import free_port
from sessions import BLOCK

PAGE = Path(__file__).parent.parent.parent / "docs" / "notices.md"

FILE = """
[[notify]]
kind = "command"
name = "book"
to = "cat >> told.jsonl; echo >> told.jsonl"
"""

NOBODY = """
[[notify]]
kind = "webhook"
name = "chat"
to-env = "CHAT_WEBHOOK"

[[notify]]
kind = "pigeon"
to = "https://example.com/T0/hunter2"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "churn"
    folder.mkdir()
    (folder / "headway.toml").write_text(FILE)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("CHAT_WEBHOOK", raising=False)
    return folder


def fail(folder: Path, run: int, *, age_s: float = 0.0) -> None:
    with wiring.open(config.load(folder=str(folder))) as parts:
        started = f.RunStarted(
            run=RunId(run), name="churn", file="p", pipeline=Digest("d" * 64), options=f.RunOptions()
        )
        finished = f.RunFinished(outcome="failed", exit_code=1, why="train: exit code 1")
        parts.log.append(f"run/{run}", [started, finished], expect=0, at=parts.post().now() - age_s)


def told(folder: Path) -> list[str]:
    path = folder / "told.jsonl"
    return [json.loads(line)["title"] for line in path.read_text().splitlines() if line] if path.exists() else []


def test_what_is_due_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["notify"]) == 0
    fail(folder, 1)
    assert dispatch(["notify"]) == dispatch(["notify"]) == 0
    assert capsys.readouterr().out.splitlines() == ["0 notices sent", "1 notice sent", "0 notices sent"]
    assert told(folder) == ["run 1 of churn failed"]


def test_a_test_reaches_everybody_and_says_who_was_not_reached(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "headway.toml").write_text(FILE + NOBODY)
    assert dispatch(["notify", "test"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "book    told",
        "chat    NOT told: the variable CHAT_WEBHOOK is empty (headway.toml: notify.chat.to-env)",
        "pigeon  NOT told: no notifier answers to 'pigeon' (headway.toml: notify.pigeon.kind)",
    ]
    assert "hunter2" not in out + err
    assert told(folder) == ["headway can reach you"]


def test_a_test_can_go_to_one_alone_and_be_read_by_machines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "headway.toml").write_text(FILE + NOBODY)
    assert dispatch(["notify", "test", "book", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "book", "told": True, "why": ""}]
    assert dispatch(["notify", "test", "bok"]) == 2
    assert "book, chat and pigeon" in capsys.readouterr().err


def test_what_cannot_be_told_waits_and_is_said(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "headway.toml").write_text(NOBODY.partition("\n\n")[0])
    assert dispatch(["notify"]) == 0
    fail(folder, 1)
    capsys.readouterr()
    assert dispatch(["notify"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "0 notices sent, 1 waits"
    assert dispatch(["notify", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["n_waiting"] == 1


def test_without_anybody_to_tell_it_says_how_to_name_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "headway.toml").write_text("")
    assert dispatch(["notify"]) == 2
    assert "[[notify]]" in capsys.readouterr().err


def test_faults_of_several_who_are_told_are_placed_where_they_stand(folder: Path) -> None:
    text = FILE + '\n[[notify]]\nkind = "smtp"\nto = "a@b"\nto-env = "X"\nserver = "mail"\n'
    (folder / "headway.toml").write_text(text)
    with pytest.raises(FileFaulty) as caught:
        config.load(folder=str(folder))
    lines = text.splitlines()
    assert [lines[one.line - 1] for one in caught.value.faults] == ['to = "a@b"', 'server = "mail"']


def test_what_the_page_of_notices_shows_is_what_is_read_and_sent(folder: Path) -> None:
    blocks = dict(BLOCK.findall(PAGE.read_text()))
    (folder / "headway.toml").write_text(blocks["toml"])
    read = config.load(folder=str(folder)).notify
    assert [one.called for one in read] == ["team", "on-call", "command"]
    shown = json.loads(blocks["json"])
    notice = Notice(**{name: value for name, value in shown.items() if name not in ("project", "link")}, link="/runs/7")
    sent = body(notice, "json", project=shown["project"], links="https://headway.example.com")
    assert sent.decode() == blocks["json"].strip()


def test_no_secret_is_printed_or_recorded(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "headway.toml").write_text(
        '[[notify]]\nkind = "webhook"\nname = "chat"\nto-env = "CHAT_WEBHOOK"\nsecret-env = "CHAT_KEY"\n'
    )
    # A port that nobody listens to: what the client says of it may repeat the address.
    monkeypatch.setenv("CHAT_WEBHOOK", f"http://127.0.0.1:{free_port()}/services/hunter2?token=hunter2")
    monkeypatch.setenv("CHAT_KEY", "hunter2-key")
    assert dispatch(["notify"]) == 0
    fail(folder, 1, age_s=GIVE_UP_S + 60)
    assert dispatch(["notify"]) == 1
    assert dispatch(["notify", "test"]) == 1
    out, err = capsys.readouterr()
    assert "does not answer" in out
    assert "hunter2" not in out + err
    with wiring.look(config.load(folder=str(folder))) as parts:
        (failed,) = [one.fact for one in parts.log.read("notices") if isinstance(one.fact, f.NoticeFailed)]
    assert "does not answer" in failed.why
    kept = [path for path in (folder / ".headway").rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if b"hunter2" in path.read_bytes()] == []
    assert dispatch(["log", "--about", "notices"]) == 0
    assert "chat was not told of run 1" in capsys.readouterr().out
