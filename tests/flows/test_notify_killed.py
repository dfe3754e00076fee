"""Notices and SIGKILL: whoever tells them is killed at any moment, again and again, and nothing is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from headway import config, wiring
from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.core.notice import FEW

pytestmark = pytest.mark.slow

N_KILLS = 25


class Chat(ThreadingHTTPServer):
    """Takes notices slowly, and fails now and then."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.told: list[str] = []
        self.chance = random.Random(7)


class Answers(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        notice = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = 503 if self.server.chance.random() < 0.1 else 200
        if status == 200:
            self.server.told.append(notice["title"])
        time.sleep(0.01)
        try:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
        except BrokenPipeError:
            # It was killed while it was told.
            return

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def fail(folder: Path, n: int) -> None:
    """A few more runs fail: no more than are told one by one."""
    with wiring.open(config.load(folder=str(folder))) as parts:
        for _ in range(n):
            run = RunId(sum(1 for _ in parts.log.scan(("RunStarted",))) + 1)
            started = f.RunStarted(run=run, name="churn", file="p", pipeline=Digest("d" * 64), options=f.RunOptions())
            finished = f.RunFinished(outcome="failed", exit_code=1, why="train: exit code 1")
            parts.log.append(f"run/{run}", [started, finished], expect=0, at=time.time())


def test_killed_again_and_again_each_notice_is_told_and_is_a_fact_once(tmp_path: Path, chat: Chat) -> None:
    url = f"http://127.0.0.1:{chat.server_port}/x"
    (tmp_path / "headway.toml").write_text(f'[[notify]]\nkind = "webhook"\nname = "chat"\nto = "{url}"\n')
    command = [sys.executable, "-m", "headway", "notify", "-C", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    chance = random.Random(11)
    n_runs = 0
    for _ in range(N_KILLS):
        n = chance.randint(1, FEW)
        fail(tmp_path, n)
        n_runs += n
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            time.sleep(chance.uniform(0.1, 0.6))
            os.kill(process.pid, signal.SIGKILL)
    # What was not taken is tried until it is.
    for _ in range(20):
        if subprocess.run(command, check=False, capture_output=True).returncode == 0:
            break
    with wiring.look(config.load(folder=str(tmp_path))) as parts:
        sent = Counter(one.fact.key for one in parts.log.read("notices") if isinstance(one.fact, f.NoticeSent))
    assert sent == Counter({"": 1, **{f"run/{n}#2": 1 for n in range(1, n_runs + 1)}})
    told = Counter(chat.told)
    single = [n for n in range(1, n_runs + 1) if told[f"run {n} of churn failed"]]
    digests = sum(n for title, n in told.items() if title.endswith("things happened"))
    assert digests or len(single) == n_runs
    # At most one notice is told twice for each kill.
    assert sum(told.values()) - len(told) <= N_KILLS
