"""One environment for each tool, in a cache folder outside the repository; headway's is made from a built wheel.

Every environment is made the same way: `python -m venv`, the pinned packages, then all bytecode compiled, because a
shell may have PYTHONDONTWRITEBYTECODE set and the first start would then be slow each time. `uv venv` is not used: it
adds a `.pth` file that costs every interpreter start a millisecond or two.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
STAMP = "headway-bench.json"


class Missing(Exception):
    """A tool could not be found or installed; the text says why, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a tool lives: its folder of executables and the versions of what is in it."""

    bin: Path
    versions: dict[str, str]


def installer() -> str:
    """`uv` and its version when it is on the PATH, else `pip`."""
    uv = shutil.which("uv")
    if uv is None:
        return "pip"
    return subprocess.run([uv, "--version"], capture_output=True, text=True, check=True).stdout.split(" (")[0].strip()


def commit() -> str:
    """The commit that headway is built from, `+` when files differ from it; empty without Git."""
    git = shutil.which("git")
    if git is None:
        return ""
    command = [git, "-C", str(REPOSITORY), "describe", "--always", "--exclude=*", "--dirty=+"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def on_path(executable: str) -> Environment:
    """The environment of a tool that the system has, such as GNU make; raises Missing when it has not."""
    found = shutil.which(executable)
    if found is None:
        raise Missing(f"{executable} is not on the PATH")
    for word in ("--version", "version"):
        done = subprocess.run([found, word], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout:
            return Environment(bin=Path(found).parent, versions={executable: done.stdout.splitlines()[0]})
    raise Missing(f"{executable} does not tell its version")


def peer(cache: Path, name: str, requirements: tuple[str, ...]) -> Environment:
    """The environment of one peer with its pinned packages, made on first use; raises Missing when pip refuses."""
    folder = cache / "environments" / name
    stamp = {"requirements": list(requirements), "python": sys.version}
    if _stamp(folder) != stamp:
        create(folder)
        install(folder, *requirements)
        (folder / STAMP).write_text(json.dumps(stamp))
    return Environment(bin=folder / "bin", versions=versions(folder))


def headway(cache: Path, extras: str = "") -> Environment:
    """Where the wheel built from this source lies with what it depends on; rebuilt when the source changed.

    With extras (`sql`) it is another environment than without.
    """
    folder = cache / "environments" / "-".join(["headway", *extras.split(",")] if extras else ["headway"])
    dependencies = {"pyproject": _digest([REPOSITORY / "pyproject.toml"]), "python": sys.version}
    stamp = {**dependencies, "source": _digest(sorted((REPOSITORY / "src").rglob("*")))}
    known = _stamp(folder)
    if known != stamp:
        wheel = build_wheel(cache / "wheels")
        if {key: known.get(key) for key in dependencies} == dependencies:
            install(folder, str(wheel), again=True)
        else:
            create(folder)
            install(folder, f"{wheel}[{extras}]" if extras else str(wheel))
        (folder / STAMP).write_text(json.dumps(stamp))
    return Environment(bin=folder / "bin", versions=versions(folder))


def build_wheel(folder: Path) -> Path:
    """The wheel of this working tree, built in isolation; raises Missing when it does not build."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uv = shutil.which("uv")
    if uv is None:
        # The repository's own environment may have no pip; a throwaway one always has.
        create(folder / "pip", with_pip=True)
        _command(
            [
                str(folder / "pip/bin/python"),
                "-m",
                "pip",
                "wheel",
                "-q",
                "--no-deps",
                "-w",
                str(folder),
                str(REPOSITORY),
            ]
        )
    else:
        _command([uv, "build", "-q", "--wheel", "--out-dir", str(folder), str(REPOSITORY)])
    return next(folder.glob("*.whl"))


def create(folder: Path, *, with_pip: bool = False) -> None:
    """An empty environment; one that stood there is removed."""
    print(f"making {folder.name}'s environment", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    base = Path(sys.executable).resolve()
    _command([str(base), "-m", "venv", *([] if with_pip else ["--without-pip"]), str(folder)])


def install(folder: Path, *requirements: str, again: bool = False) -> None:
    """Put packages into an environment and compile all that is there; `again` replaces one wheel and nothing else."""
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    if uv is not None:
        command = [uv, "pip", "install", "-q", "--python", python]
        command += ["--reinstall", "--no-deps"] if again else []
    else:
        _command([python, "-m", "ensurepip", "--upgrade"])
        command = [python, "-m", "pip", "install", "-q"]
        command += ["--force-reinstall", "--no-deps"] if again else []
    _command([*command, *requirements])
    # Some packages ship templates that are not Python: compileall then answers 1 and has compiled the rest.
    subprocess.run([python, "-m", "compileall", "-qq", str(folder / "lib")], check=False, capture_output=True)


def executable(environment: Environment, name: str) -> str:
    """The whole path of a command: in the tool's own environment, else in the system's folders."""
    found = shutil.which(name, path=f"{environment.bin}:/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise Missing(f"{name} is not in its environment")
    return found


def empty(folder: Path) -> None:
    """Make a folder, or empty it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def versions(folder: Path) -> dict[str, str]:
    """Name and version of each package in an environment, without the installer."""
    found = {}
    for metadata in sorted(folder.glob("lib/python*/site-packages/*.dist-info")):
        name, _, version = metadata.name.removesuffix(".dist-info").partition("-")
        if name not in {"pip", "setuptools"}:
            found[name.lower().replace("_", "-")] = version
    return found


def _stamp(folder: Path) -> dict[str, object]:
    try:
        read = json.loads((folder / STAMP).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return read if isinstance(read, dict) else {}


def _digest(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.relative_to(REPOSITORY).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()


def _command(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no output"]
        raise Missing(f"`{Path(command[0]).name} {' '.join(command[1:3])}` failed: {said[-1]}")
