"""Recordings of a real Kubernetes (tests/recordings/kubernetes): their lines, and what a look at a time would see."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from headway.core.cluster import Deployment, Event, Pod, ReplicaSet, View, seconds

FOLDER = Path(__file__).parent / "recordings" / "kubernetes"


@cache
def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{name}.ndjson").read_text().splitlines()]


@cache
def start_at(name: str) -> float:
    """UTC seconds of the recording's 0: from the first thing made, whose time the server rounded down."""
    first = next(line for line in lines(name) if line["resource"] == "deployments")
    made = seconds(first["object"]["metadata"]["creationTimestamp"])
    assert made is not None
    return made + 0.5 - float(first["t"])


def views(name: str) -> Iterator[tuple[float, View]]:
    """After each line of a watch: the seconds since the start, and all that is known by then."""
    held: dict[str, dict[str, Any]] = {kind: {} for kind in ("deployments", "replicasets", "pods", "events")}
    for line in lines(name):
        kind, thing = line["resource"], line["object"]
        if kind not in held:
            continue
        if line["type"] == "DELETED":
            held[kind].pop(thing["metadata"]["name"], None)
        else:
            held[kind][thing["metadata"]["name"]] = thing
        if held["deployments"]:
            yield line["t"], _view(held)


def _view(held: dict[str, dict[str, Any]]) -> View:
    return View(
        deployment=msgspec.convert(next(iter(held["deployments"].values())), Deployment),
        replica_sets=msgspec.convert(list(held["replicasets"].values()), tuple[ReplicaSet, ...]),
        pods=msgspec.convert(list(held["pods"].values()), tuple[Pod, ...]),
        events=msgspec.convert(list(held["events"].values()), tuple[Event, ...]),
    )
