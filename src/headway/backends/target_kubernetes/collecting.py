"""Copies the prediction logs of an endpoint's pods into its folder here: bytes as they are, each once.

Open files grow by what is new behind what is here already; a segment is copied whole beside, renamed, and the open file
of its token goes then, as where a log is sealed at home. So a copy that was killed anywhere goes on where it was, and
readers see what they would see in the pod. Does not know what a line says.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from msgspec import Struct

from headway.backends.target_kubernetes.client import Response
from headway.core.prediction_log import COPY, Segment, expired, segment, segments, sketch_name
from headway.core.recording import Recording
from headway.errors import TargetUnavailable

ASK_S = 5.0
"""How long a pod may take to give some of its log: whoever judges a release waits for it."""

Get = Callable[[str, str, int], Response]
"""A pod's answer: its name, the path below /log, and the first byte that is wanted."""


class Held(Struct, frozen=True):
    """A file of a pod's log."""

    name: str
    size_bytes: int


def copied_name(one: Segment) -> str:
    """What a pod's file is called here."""
    stem, dot, ending = one.name.rpartition(".")
    return f"{stem.removesuffix(one.token)}{COPY}{one.token}{dot}{ending}"


def collect(get: Get, pods: Sequence[str], folder: str) -> tuple[list[str], set[str]]:
    """Copy what is new in these pods; what could not be had, in words, and the names here of all that the pods hold."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    untold: list[str] = []
    names: set[str] = set()
    with _alone(folder):
        for pod in pods:
            try:
                names |= _of_pod(get, pod, folder)
            except _NotGiven as e:
                untold.append(f"the log of pod {pod} cannot be had: {e}")
    return untold, names


def expire(folder: str, recording: Recording, kept: set[str], *, now: float) -> None:
    """Delete copies that are not kept any longer, but those that a pod still has: they would only come again."""
    sizes = []
    for one in segments(os.listdir(folder)):
        if not one.token.startswith(COPY) or one.name in kept:
            continue
        path = os.path.join(folder, one.name)
        with suppress(FileNotFoundError):
            about = os.stat(path)
            if one.is_open and about.st_mtime < now - recording.keep_s:
                # Its pod ended without a word, and nobody else seals it.
                os.unlink(path)
            sizes.append((one, about.st_size))
    for one in expired(sizes, recording, now=now):
        # What was counted of it goes first: without its segment nobody would find it any more.
        for name in (sketch_name(one.name), one.name):
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))


class _NotGiven(Exception):
    """What a pod says instead of its log."""


@contextmanager
def _alone(folder: str) -> Iterator[None]:
    """Two who copied at the same time would each append the same bytes."""
    fd = os.open(os.path.join(folder, "collect.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _of_pod(get: Get, pod: str, folder: str) -> set[str]:
    names = set()
    try:
        listed = msgspec.json.decode(_given(get, pod, "", 0), type=list[Held])
    except msgspec.DecodeError as e:
        raise _NotGiven(f"it gives no list of files: {e}") from e
    held = [(one, segment(one.name)) for one in listed]
    sealed = {known.token for _, known in held if known is not None and not known.is_open}
    for one, known in held:
        if known is None or (known.is_open and known.token in sealed):
            continue
        name = copied_name(known)
        names.add(name)
        path = os.path.join(folder, name)
        if known.is_open:
            _follow(get, pod, one, path)
        elif not os.path.exists(path):
            _whole(get, pod, one, path)
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, f"{known.kind}-{COPY}{known.token}.jsonl"))
    return names


def _follow(get: Get, pod: str, one: Held, path: str) -> None:
    """Append what is new of an open file: whole lines, which is all that a pod gives."""
    if (os.stat(path).st_size if os.path.exists(path) else 0) >= one.size_bytes:
        return
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        begins = os.fstat(fd).st_size
        # Sealed meanwhile: the next time its segment comes.
        while begins < one.size_bytes and (content := _given(get, pod, one.name, begins, is_gone_well=True)):
            _append(fd, content)
            begins += len(content)
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _whole(get: Get, pod: str, one: Held, path: str) -> None:
    """Copy a segment, which never changes, and show it when it is whole."""
    fd = os.open(f"{path}.part", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        begins = os.fstat(fd).st_size
        while begins < one.size_bytes:
            content = _given(get, pod, one.name, begins)
            if not content:
                raise _NotGiven(f"{one.name} ends before its end")
            _append(fd, content)
            begins += len(content)
        os.fsync(fd)
    finally:
        os.close(fd)
    # Whoever follows a log passes over segments that are older than the last look: to them it is made now.
    os.utime(f"{path}.part")
    os.rename(f"{path}.part", path)


def _append(fd: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(fd, left) :]


def _given(get: Get, pod: str, name: str, begins: int, *, is_gone_well: bool = False) -> bytes:
    try:
        said = get(pod, name, begins)
    except TargetUnavailable as e:
        raise _NotGiven(e.problem) from e
    if said.status == 404 and is_gone_well:
        return b""
    if said.status != 200:
        told = said.json()
        raise _NotGiven(str(told.get("message") or said.status) if isinstance(told, dict) else str(said.status))
    return said.body
