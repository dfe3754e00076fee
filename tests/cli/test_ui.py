"""`headway ui`: a link that works once, pages that end with Ctrl-C, tokens that are known by their digest."""

import json
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from pathlib import Path

import pytest

from headway import config
from headway.cli import dispatch
from headway.web import passes
from web_world import served


def test_it_prints_a_link_serves_and_ends_when_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ann")
    (tmp_path / "pipeline.yaml").write_text("steps:\n  - run: 'true'\n")
    command = [sys.executable, "-m", "headway", "ui", "--no-browser", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            told = json.loads(running.stdout.readline())
            assert told["link"].startswith(told["url"] + "/enter?key=")
            with urllib.request.urlopen(told["url"] + "/health", timeout=60) as answer:
                assert json.load(answer)["status"] == "ok"
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
            opener.addheaders = [("Accept", "text/html")]
            with opener.open(told["link"], timeout=60) as answer:
                assert b">ann<" in answer.read()
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pipeline.yaml"]


def test_a_link_into_the_pages_of_another_process_lets_its_user_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("USER", "ann")
    (tmp_path / "pipeline.yaml").write_text("steps:\n  - run: 'true'\n")
    settings = config.load(folder=str(tmp_path))
    with served(settings, keys=passes.KeptKeys(settings.home), now=time.time) as visitor:
        assert dispatch(["ui", "--at", visitor.server.url + "/"]) == 0
        path = capsys.readouterr().out.strip().removeprefix(visitor.server.url)
        assert visitor.page(path)[0].status == 303
        assert 'title="admin">ann<' in visitor.page("/")[1]
        assert visitor.page(path)[0].status == 401
    assert dispatch(["ui", "--at", "here"]) == 2


def test_a_token_is_printed_once_and_known_by_what_the_file_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["ui", "--token", "ann", "--role", "approver"]) == 0
    first, _, line = capsys.readouterr().out.splitlines()
    assert tomllib.loads(line)["tokens"][0]["role"] == "approver"
    (tmp_path / "headway.toml").write_text(f"[web]\n{line}\n")
    known = config.load(folder=str(tmp_path)).web_tokens
    found = passes.of_token(first.removeprefix("token: "), known)
    assert found is not None
    assert (found.name, found.role) == ("ann", "approver")


@pytest.mark.parametrize("port", ["-1", "65536"])
def test_a_port_that_is_none_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], port: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["ui", "--no-browser", "--port", port]) == 2
    told = capsys.readouterr().err
    assert f"{port} is no port" in told
    assert "at: --port" in told


def test_a_token_needs_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert dispatch(["ui", "--token", "a b"]) == 2
    assert "cannot be a name" in capsys.readouterr().err


def test_a_digest_that_is_none_is_a_fault_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "headway.toml").write_text('[web]\ntokens = [{name = "ann", role = "viewer", digest = "hw_secret"}]\n')
    assert dispatch(["ui", "--token", "bob"]) == 2
    told = capsys.readouterr().err
    assert "this is no digest of a token (in web.tokens[0].digest)" in told
    assert "headway ui --token NAME" in told
