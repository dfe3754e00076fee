"""What bench/web.py runs in a process of its own: `headway ui` on a project with a long history, asked as by a browser.

    python web_worker.py 100000        so many runs, ten facts each

Writes counts.json into the working directory. The history is written by headway's own log; the server is asked by the
standard library.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

TICKS = os.sysconf("SC_CLK_TCK")
N_ASKED = 40
N_VERSIONS = 1000
PAGES = {
    "first page": "/",
    "runs": "/runs",
    "a run": "/runs/7",
    "runs compared": "/compare?runs=1,2,3,4,5,6,7,8",
    "models": "/models",
    "a model": "/models/m",
    "a version": "/models/m/500",
    "data": "/data",
    "a version of data": "/data/training/1",
    "releases": "/releases",
    "monitors": "/monitors",
    "story": "/story",
    "a log's end": "/runs/{log}/steps/say/log",
    "a log's middle": "/runs/{log}/steps/say/log?line=6250000",
}
LOG_LINES = 12_500_000
"""Of 80 bytes each."""

N_TOLD = 20


def main() -> None:
    n_runs = int(sys.argv[1])
    write(n_runs)
    began = time.monotonic()
    command = [sys.executable, "-m", "headway", "ui", "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            told = json.loads(server.stdout.readline())
            counts = {
                "s to answer": time.monotonic() - began,
                **measured(server.pid, told["url"], told["link"], n_runs + 1),
            }
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    Path("counts.json").write_text(json.dumps(counts))


def write(n_runs: int) -> None:
    """A project with so many runs of ten facts each that read one file, and a model with a thousand versions."""
    from headway import config, wiring
    from headway.core import facts as f
    from headway.core.ids import Artifact, Digest, RunId

    Path("pipeline.yaml").write_text("pipeline: p\nsteps:\n  - {id: train, run: 'true'}\n")
    digest, data = Digest("0" * 64), Artifact(path="data/training.csv", digest=Digest("e" * 64))
    with wiring.open(config.load(folder=".")) as parts:
        for n in range(1, n_runs + 1):
            steps = [f.StepReused(step=f"s{i}", of_run=RunId(1), cache_key="k") for i in range(6)]
            facts: list[f.Fact] = [
                f.RunStarted(
                    run=RunId(n), name="p", file="pipeline.yaml", pipeline=digest, options=f.RunOptions(),
                    params={"lr": n % 10},
                ),
                f.StepStarted(step="train"),
                f.StepFinished(
                    step="train", outcome="passed", exit_code=0, seconds=1.0,
                    metrics=(f.Metric(name="auc", value=0.5 + (n % 100) / 250),),
                    parts=(f.KeyPart(kind="in", name=data.path, value=data.digest),),
                    outputs={"model": Artifact(path="m.pkl", digest=Digest(f"{n:064x}"))},
                ),
                *steps,
                f.RunFinished(outcome="passed" if n % 9 else "failed", exit_code=0, seconds=2.0),
            ]  # fmt: skip
            parts.log.append(f"run/{n}", facts, expect=0, at=1_700_000_000.0 + n)
        taken = f.DatasetVersioned(dataset="training", version=1, artifact=data)
        parts.log.append("dataset/training", [taken], expect=0, at=1_690_000_000.0)
        for version in range(1, N_VERSIONS + 1):
            made = f.ModelRegistered(
                model="m",
                version=version,
                artifact=Artifact(path="m.pkl", digest=Digest(f"{version:064x}")),
                key=str(version),
                run=RunId(version),
                data=(data,),
            )
            parts.log.append("model/m", [made], expect=version - 1, at=1_790_000_000.0 + version)
        with open("log", "wb") as file:
            file.writelines(b"line %012d %s\n" % (n, b"." * 61) for n in range(LOG_LINES))
        printed, size = parts.blobs.put_file("log", move=True)
        said: list[f.Fact] = [
            f.RunStarted(
                run=RunId(n_runs + 1),
                name="p",
                file="pipeline.yaml",
                pipeline=digest,
                options=f.RunOptions(),
                params={},
            ),
            f.StepStarted(step="say"),
            f.StepFinished(step="say", outcome="passed", exit_code=0, seconds=1.0, log=printed, log_bytes=size),
            f.RunFinished(outcome="passed", exit_code=0, seconds=2.0),
        ]
        parts.log.append(f"run/{n_runs + 1}", said, expect=0, at=1_790_000_000.0)


def told_after(url: str, cookie: str) -> float:
    """Seconds until an open page is told that a fact was appended, the median."""
    from headway import config, wiring
    from headway.core import facts as f

    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection.request("GET", "/live?after=0", headers={"Accept": "text/event-stream", "Cookie": cookie})
    answer = connection.getresponse()
    seen: list[float] = []
    with wiring.open(config.load(folder=".")) as parts:
        for n in range(N_TOLD + 1):
            moved = f.AliasMoved(model="m", alias="a", version=1 + n % 2)
            began = time.monotonic()
            parts.log.append("model/m", [moved], expect=N_VERSIONS + n, at=1_790_100_000.0 + n)
            last = next(parts.log.scan(newest_first=True, limit=1)).seq
            while True:
                line = answer.readline().decode()
                if line.startswith("data:") and int(line[5:]) >= last:
                    break
            seen.append(time.monotonic() - began)
    connection.close()
    return statistics.median(seen[1:])


def measured(pid: int, url: str, link: str, log: int) -> dict[str, float]:
    """What pages cost the server and the wire. Of each page the first answer is thrown away, but for a log's."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=600)
    cookie = ""

    def ask(path: str) -> tuple[bytes, int]:
        connection.request("GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip", "Cookie": cookie})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status in (200, 303), (path, answer.status)
        given = answer.getheader("set-cookie")
        if given:
            return given.partition(";")[0].encode(), 0
        return (gzip.decompress(body) if answer.getheader("content-encoding") == "gzip" else body), len(body)

    cookie = ask(link.removeprefix(url))[0].decode()
    found: dict[str, float] = {}
    for name, page in PAGES.items():
        path = page.format(log=log)
        began = time.monotonic()
        text, n_bytes = ask(path)
        if name == "a log's end":
            found["s: a log's end, the first time"] = time.monotonic() - began
        if name == "first page":
            assets = set(re.findall(rb'"(/static/[^"]+)"', text))
            sizes = {asset.decode(): ask(asset.decode())[1] for asset in assets}
            found["KB cold"] = (n_bytes + sum(sizes.values())) / 1000
            found["KB of scripts"] = sum(size for asset, size in sizes.items() if asset.endswith(".js")) / 1000
        before, there = cpu_s(pid), []
        for _ in range(N_ASKED):
            began = time.monotonic()
            ask(path)
            there.append((time.monotonic() - began) * 1000)
        found[f"ms: {name}"] = (cpu_s(pid) - before) * 1000 / N_ASKED
        found[f"ms there, p95: {name}"] = statistics.quantiles(there, n=20)[-1]
    began, line = time.monotonic(), "1"
    while line:
        text, _ = ask(f"/runs/{log}/steps/say/log?q=nowhere&from={line}")
        line = next(iter(re.findall(rb"&amp;from=(\d+)\">Go on", text)), b"").decode()
    found["s: a log searched to its end"] = time.monotonic() - began
    found["s until told"] = told_after(url, cookie)
    status = Path(f"/proc/{pid}/status").read_text()
    found["MB"] = int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024
    connection.close()
    return found


def cpu_s(pid: int) -> float:
    """Seconds of the processor that a process took, with what it spent in the system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    main()
