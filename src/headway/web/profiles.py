"""Profiles of versions of data, each made once by a process that ends, so that the server stays small.

The process is `headway profile`; of what it told the newest few are remembered, by the content they tell of.
"""

import subprocess
import sys
import threading

import msgspec
from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.core.profile import Profile
from headway.errors import TableUnreadable

KEPT = 8
"""Profiles that are remembered."""

MOST_BYTES = 512 << 20
"""What is larger is not read because somebody opened a page."""

PATIENCE_S = 120.0


class _Said(Struct):
    """What the process says where it does not tell a profile."""

    problem: str = "the profile could not be made"
    at: str = ""
    remedy: str = "see what `headway profile` says"


class Profiles:
    """Makes them one after the other: whoever opens two pages waits for the first."""

    __slots__ = ("_known", "_lock")

    def __init__(self) -> None:
        self._known: dict[Digest, Profile] = {}
        self._lock = threading.Lock()

    def of(self, folder: str, name: str, artifact: Artifact) -> Profile:
        """The profile of what `name` (`training@2`) means in that project, whose content is `artifact`.

        Raises TableUnreadable where it is too large, takes too long or is no table.
        """
        with self._lock:
            found = self._known.pop(artifact.digest, None)
            if found is None:
                found = _made(folder, name, artifact)
            # What was asked for last goes last.
            self._known[artifact.digest] = found
            if len(self._known) > KEPT:
                del self._known[next(iter(self._known))]
            return found


def _made(folder: str, name: str, artifact: Artifact) -> Profile:
    words = [sys.executable, "-P", "-m", "headway", "profile", name, "--json", "-C", folder]
    remedy = f"headway profile {name} --html profile.html"
    if artifact.size_bytes > MOST_BYTES:
        raise TableUnreadable(f"it is larger than {MOST_BYTES >> 20} MiB", at=name, remedy=remedy)
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise TableUnreadable(f"it took more than {PATIENCE_S:.0f} s to read", at=name, remedy=remedy) from e
    try:
        if done.returncode == 0:
            return msgspec.json.decode(done.stdout, type=Profile)
        said = msgspec.json.decode(done.stdout or done.stderr, type=_Said)
    except msgspec.MsgspecError:
        said = _Said()
    raise TableUnreadable(said.problem, at=said.at or name, remedy=said.remedy)
