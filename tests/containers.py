"""Podman with a store and settings of its own, and a base image made of this machine's Python: nothing is pulled.

Some machines lack cgroups of version 2 or the right to raise limits, so that podman's usual settings cannot start a
container there; the settings here ask for little. Nothing of the system's own podman is read or changed.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

_CONTAINERS = """[containers]
# Root may lack the right to raise limits.
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "host"
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
infra_image = "localhost/base:1"
"""

BASE = "localhost/base:1"
"""Python on Debian, as its official image is; it also holds a pod together, where it only waits."""

_PACKAGES = ("python3-venv", "dash", "coreutils", "libstdc++6")
"""What Python's official image has of what is needed here."""


class Containers(NamedTuple):
    """A podman of the test's own."""

    folder: Path
    environ: Mapping[str, str]

    def run(self, *words: str, timeout_s: float = 300) -> "subprocess.CompletedProcess[str]":
        """Run a command with it."""
        return subprocess.run(
            words, env=dict(self.environ), capture_output=True, text=True, timeout=timeout_s, check=False
        )


@contextmanager
def containers(folder: Path) -> Iterator[Containers]:
    """Podman with the base image in it; skips loudly where podman cannot start a container. All is gone at the end."""
    programs = ("podman", "runc", "slirp4netns", "dpkg-query")
    if sys.platform != "linux" or os.getuid() != 0 or not all(map(shutil.which, programs)):
        _skip(f"{', '.join(programs)} are needed, as root: apt-get install podman runc slirp4netns")
    made = _settings(folder, "overlay")
    try:
        if made.run("podman", "info").returncode:
            made = _settings(folder, "vfs")
        _base(made)
        done = made.run("podman", "run", "--rm", BASE, "python3", "-c", "import venv, ssl; print('starts')")
        if done.stdout != "starts\n":
            _skip(f"podman cannot start a container here: {done.stderr}")
        yield made
    finally:
        made.run("podman", "rm", "-af", "-t", "0")
        made.run("podman", "rmi", "-af")
        made.run("umount", str(folder / "graph" / "overlay"))
        shutil.rmtree(folder, ignore_errors=True)


def _skip(why: str) -> None:
    sys.__stderr__.write(f"\nNO IMAGE IS BUILT: {why}\n")  # type: ignore[union-attr] # pytest has one
    pytest.skip(why)


def _settings(folder: Path, driver: str) -> Containers:
    (folder / "containers.conf").write_text(_CONTAINERS)
    store = f'[storage]\ndriver = "{driver}"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n'
    (folder / "storage.conf").write_text(store)
    own = {"CONTAINERS_CONF": str(folder / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}
    return Containers(folder, {**os.environ, **own})  # noqa: TID251 (what a command inherits)


def _base(made: Containers) -> None:
    """Import Debian's files of a few packages and of all that those need, as they are installed here."""
    archive = made.folder / "base.tar"
    with tarfile.open(archive, "w") as packed:
        for top in ("bin", "sbin", "lib", "lib64"):
            if os.path.islink(f"/{top}"):
                packed.add(f"/{top}", recursive=False)
        for path in sorted(_files(_PACKAGES)):
            packed.add(path, recursive=False)
        for name in ("tmp", "var/tmp"):
            one = tarfile.TarInfo(name)
            one.type, one.mode = tarfile.DIRTYPE, 0o1777
            packed.addfile(one)
    done = made.run("podman", "import", "--change", 'CMD ["/usr/bin/sleep", "infinity"]', str(archive), BASE)
    assert done.returncode == 0, done.stderr
    archive.unlink()


def _files(packages: tuple[str, ...]) -> set[str]:
    """All that these Debian packages and those that they need have put on this machine."""
    waiting, seen, found = list(packages), set[str](), {"/etc"}
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        asked = ["dpkg-query", "-W", "-f", "${Pre-Depends}, ${Depends}", name]
        needs = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        # Of alternatives the first that is installed here is as good.
        waiting += re.findall(r"[a-z0-9][a-z0-9.+-]+", re.sub(r"\([^)]*\)|:any", "", needs))
        listed = subprocess.run(["dpkg-query", "-L", name], capture_output=True, text=True, check=False).stdout
        found |= {path for path in listed.splitlines() if not path.startswith(("/usr/share/doc", "/usr/share/man"))}
    # Some links are made when a package is configured, `python3` is one of its own; paths through /lib are /usr/lib's.
    found |= {os.path.join("/usr", path.lstrip("/")) if _is_of_usr(path) else path for path in found}
    return {path for path in found if os.path.lexists(path) and not _is_of_usr(path) and path != "/."}


def _is_of_usr(path: str) -> bool:
    top = "/" + path.lstrip("/").partition("/")[0]
    return os.path.islink(top)
