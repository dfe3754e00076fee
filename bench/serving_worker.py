"""One part of `bench/serving.py`, run in this folder; prints a line of JSON at the end.

make                            the models
measure SERVER MODEL SECONDS    start to first answer, then loads of so many seconds each
log SECONDS                     headway with and without its prediction log, in turns
swaps SECONDS                   headway's versions changed under load
points SERVER                   which points of the Open Inference Protocol hold
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import serving_servers
from serving_load import LONG_S, Load, Request, cpu_s, first, pss_bytes, tree, under_load
from serving_servers import MODEL, N_ROWS, WIDTH, Endpoint, Running, headway, label, server
from v2_points import POINTS, walk
from v2_subject import Subject

#: Models and what is done to them: the case, connections, rows.
LOADS: dict[str, tuple[tuple[str, int, int], ...]] = {
    "light": (("1", 1, 1), ("64", 64, 1), ("rows", 4, N_ROWS)),
    "forest": (("1", 1, 1), ("16", 16, 1)),
}
N_SWAPS = 20
SWAP_CONNECTIONS = 32

# Any: what is told of one server.
Told = dict[str, Any]


def make() -> Told:
    """The models."""
    serving_servers.make()
    return {}


def measure(name: str, model: str, seconds: str) -> Told:
    """A server alone: its start, what it answered, and each load."""
    with server(name, model) as running:
        body = first(running.port, running.request())
        found: Told = {"start": {"s": time.monotonic() - running.began, "cpu_s": cpu_s(), "pss_bytes": pss_bytes()}}
        if name != "hello":
            found["label"] = label(body)
        under_load(running.port, running.request(), n_connections=4, seconds=1)
        for case, n_connections, n_rows in LOADS[model] if name != "hello" else LOADS["light"][:2]:
            request = running.request(n_rows)
            found[case] = under_load(running.port, request, n_connections=n_connections, seconds=int(seconds))
        if name in ("onnx", "pickle") and model == "light":
            request = running.request(N_ROWS, is_binary=True)
            found["binary"] = under_load(running.port, request, n_connections=4, seconds=int(seconds))
    return found


def log(seconds: str) -> Told:
    """Loads in turns on an endpoint that logs and on one that does not; what the log lost."""
    found: Told = {"logged": [], "not logged": []}
    with headway("light.onnx", "onnx") as logged, headway("light.onnx", "onnx", is_logged=False, name="f") as bare:
        sides = {"logged": logged, "not logged": bare}
        for running in sides.values():
            first(running.port, running.request())
            under_load(running.port, running.request(), n_connections=4, seconds=1)
        for at in range(2 * max(1, int(seconds))):
            # Who is first changes, too.
            for side in sorted(sides, reverse=at % 2 == 0):
                running = sides[side]
                found[side].append(under_load(running.port, running.request(), n_connections=64, seconds=1))
        found["counts"] = _settled(logged)
    return found


def _settled(running: Running) -> Told:
    """What the prediction log counted, once nothing is under way any more."""
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        told = {}
        for line in lines:
            name, _, rest = line.partition("{")
            if name.startswith("headway_prediction_log_"):
                told[name.removeprefix("headway_prediction_log_").removesuffix("_total")] = float(rest.split("} ")[1])
        if told["noted"] == told["written"] + told["dropped"] or time.monotonic() > deadline:
            return told
        time.sleep(0.2)


def swaps(seconds: str) -> Told:
    """A steady load, one while two versions that are there take turns, one while each is started anew."""
    n = N_SWAPS if int(seconds) > 1 else 3
    endpoint = Endpoint("light.onnx", "onnx")
    try:
        endpoint.start(1)
        port = endpoint.switch(1)
        request = Running(port=port, began=0, input="X").request()
        first(port, request)
        under_load(port, request, n_connections=SWAP_CONNECTIONS, seconds=1)
        found = {"steady": under_load(port, request, n_connections=SWAP_CONNECTIONS, seconds=2 * int(seconds))}
        endpoint.start(2)

        def swap(at: int) -> None:
            endpoint.switch(2 - at % 2)
            time.sleep(0.2)

        def hand_over(at: int) -> None:
            endpoint.start(3 + at)
            endpoint.switch(3 + at)
            endpoint.stop(2 + at if at else 1)

        found["swaps"] = _while(port, request, swap, range(1, n + 1))
        endpoint.switch(1)
        found["handovers"] = _while(port, request, hand_over, range(n))
    finally:
        endpoint.stop()
    return found


def _while(port: int, request: Request, act: Callable[[int], None], numbers: range) -> Told:
    """The load while all that is done."""
    load = Load(port, request, n_connections=SWAP_CONNECTIONS, seconds=600)
    time.sleep(0.5)
    for number in numbers:
        act(number)
    time.sleep(0.5)
    load.cut()
    told = load.end()
    return {"n": told["n"], "failed": told["failed"], "p50_ms": told["p50_us"] / 1000, "p99_ms": told["p99_us"] / 1000}


def points(name: str) -> Told:
    """The points of the protocol that hold, and why the others do not."""
    with server(name, "light") as running:
        first(running.port, running.request())
        outputs = ("label", "probabilities") if name == "onnx" else ("predict",)
        subject = Subject(
            port=running.port, model=MODEL, version="1", width=WIDTH, outputs=outputs, input=running.input
        )
        wrong = {point: said for point, said in walk(subject) if said}
    return {"n": len(POINTS) - len(wrong), "of": len(POINTS), "wrong": wrong}


def main(task: str, *words: str) -> None:
    tasks: dict[str, Callable[..., Told]] = {
        "make": make, "measure": measure, "log": log, "swaps": swaps, "points": points,
    }  # fmt: skip
    _alone()
    print(json.dumps(tasks[task](*words)))


def _alone() -> None:
    """Wait for what the server before left at work: a log is sealed once its server has ended."""
    deadline = time.monotonic() + LONG_S
    while tree() and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    main(*sys.argv[1:])
