"""How each tool keeps one path of a project: which commands, and how to read what they say.

A `Keeper` has a command for each thing that is measured, or none where it cannot do it. In commands `{path}` stands for
what is kept and `{version}` for the number of the version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Options
from projects.tool import Command, Tool

HERE = Path(__file__).resolve().parent
#: What a tool said about changes: the files by name, how many, or only whether there are any.
Seen = frozenset[str] | int | bool
GIT = {
    "GIT_AUTHOR_NAME": "bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}


def nothing(_said: str) -> Seen | None:
    """A tool that does not tell changes."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """A tool as a keeper of data: its commands in a project, run in this order."""

    name: str
    tool: Tool
    #: Once, in the project before there is data.
    prepare: tuple[Command, ...] = ()
    #: Take a version of the path; this is measured.
    keep: Command | None = None
    #: What belongs to it and is not measured: the commit of a small file to Git.
    seal: tuple[Command, ...] = ()
    status: Command | None = None
    seen: Callable[[str], Seen | None] = nothing
    #: Names the changed files where `status` only counts them; not measured.
    named: Command | None = None
    #: What differs between versions 1 and 2.
    diff: Command | None = None
    differing: Callable[[str], Seen | None] = nothing
    #: Bring back the newest version of a path that is not there.
    restore: Command | None = None
    #: `status` is asked in this other keeper's project.
    within: str = ""
    variables: dict[str, str] = field(default_factory=dict)


def fill(command: Command, path: str, version: int = 1) -> Command:
    """A command for a path and a version."""
    return tuple(word.replace("{path}", path).replace("{version}", str(version)) for word in command)


def fault(seen: Seen | None, changed: Collection[str]) -> str | None:
    """What is wrong with what a tool said about changes, given those there are; None when it is right."""
    match seen:
        case None:
            return None
        case bool():
            return None if seen == bool(changed) else f"says changed: {seen} of {len(changed)} changed files"
        case int():
            return None if seen == len(changed) else f"counts {seen} changed files instead of {len(changed)}"
        case _:
            wrong = sorted(seen ^ frozenset(changed))
            return None if not wrong else f"is wrong about {len(wrong)} of {len(changed)} changed files: {wrong[0]}"


# Any: JSON of other tools.
def _json(said: str) -> Any:  # noqa: ANN401
    """The last line that is JSON: warnings of tools are in the same stream."""
    lines = [line for line in said.splitlines() if line[:1] in {"[", "{"}]
    return json.loads(lines[-1]) if lines else None


def _below(paths: Collection[str]) -> frozenset[str]:
    """Paths in the project to paths in the kept folder; folders (`data/`) left out."""
    return frozenset(path.partition("/")[2] for path in paths if not path.endswith("/"))


# --- headway ----------------------------------------------------------------------------------------------------


def _headway_seen(said: str) -> Seen | None:
    (state,) = _json(said)
    return int(state["n_added"] + state["n_removed"] + state["n_changed"])


def _headway_files(said: str) -> Seen | None:
    return frozenset(str(file["path"]) for path in _json(said)["paths"] for file in path["files"])


HEADWAY = Keeper(
    name="headway",
    tool=Tool(name="headway", variables=GIT),
    prepare=(("git", "init", "-q", "."),),
    keep=("headway", "data", "add", "{path}"),
    seal=(("git", "add", "-A"), ("git", "commit", "-qm", "version {version}")),
    status=("headway", "data", "status", "--json"),
    seen=_headway_seen,
    named=("headway", "data", "diff", "data@lock", "data@work", "--json"),
    diff=("headway", "data", "diff", "data@1", "data@2", "--json"),
    differing=_headway_files,
    restore=("headway", "checkout"),
)

# --- DVC --------------------------------------------------------------------------------------------------------


def _dvc_seen(said: str) -> Seen | None:
    return bool(_json(said))


def _dvc_data_seen(said: str) -> Seen | None:
    return _below(_json(said).get("uncommitted", {}).get("modified", []))


def _dvc_files(said: str) -> Seen | None:
    return _below([one["path"] for one in _json(said)["modified"]])


DVC = Keeper(
    name="dvc",
    # The same variables as in projects/dvc.py: no telemetry, and no work handed from one repetition to the next.
    tool=Tool(
        name="dvc",
        requirements=("dvc==3.67.1",),
        variables={**GIT, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": "{home}/site"},
    ),
    prepare=(
        ("git", "init", "-q", "."),
        ("dvc", "init", "-q"),
        ("dvc", "config", "core.analytics", "false"),
        ("dvc", "config", "core.check_update", "false"),
        ("git", "add", "-A"),
        ("git", "commit", "-qm", "project"),
    ),
    keep=("dvc", "add", "-q", "{path}"),
    seal=(("git", "add", "-A"), ("git", "commit", "-qm", "version {version}")),
    status=("dvc", "status", "--json"),
    seen=_dvc_seen,
    diff=("dvc", "diff", "HEAD~1", "HEAD", "--json"),
    differing=_dvc_files,
    restore=("dvc", "checkout", "-q"),
)
#: `dvc status` says only that something changed; this names the files.
DVC_DATA = Keeper(
    name="dvc data status",
    tool=DVC.tool,
    status=("dvc", "data", "status", "--granular", "--json"),
    seen=_dvc_data_seen,
    within="dvc",
)

# --- others -----------------------------------------------------------------------------------------------------


def _oxen_seen(said: str) -> Seen | None:
    return _below(_json(said))


OXEN = Keeper(
    name="oxen",
    tool=Tool(name="oxen", requirements=("oxenai==0.65.1",)),
    prepare=(("python", str(HERE / "oxen_worker.py"), "init"),),
    keep=("python", str(HERE / "oxen_worker.py"), "keep", "{path}", "version {version}"),
    status=("python", str(HERE / "oxen_worker.py"), "status"),
    seen=_oxen_seen,
    restore=("python", str(HERE / "oxen_worker.py"), "restore", "{path}"),
)
RESTIC = Keeper(
    name="restic",
    tool=Tool(name="restic", variables={"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": "kept"}),
    prepare=(("restic", "init", "-q"),),
    keep=("restic", "backup", "-q", "{path}"),
    restore=("restic", "restore", "latest", "-q", "--target", "."),
)


def _borg_files(said: str) -> Seen | None:
    changed = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    # It also tells of files that have another time and the same content.
    return _below([one["path"] for one in changed if any(change["type"] == "modified" for change in one["changes"])])


BORG = Keeper(
    name="borg",
    tool=Tool(name="borg", variables={"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}),
    prepare=(("borg", "init", "-e", "none", "kept"),),
    keep=("borg", "create", "kept::v{version}", "{path}"),
    diff=("borg", "diff", "--json-lines", "kept::v1", "v2"),
    differing=_borg_files,
    restore=("borg", "extract", "kept::v{version}"),
)


def _git_seen(said: str) -> Seen | None:
    return _below([line[3:] for line in said.splitlines() if line.startswith(" M ")])


def _git_files(said: str) -> Seen | None:
    return _below(said.splitlines())


GIT_ITSELF = Keeper(
    name="git",
    tool=Tool(name="git", variables=GIT),
    # No gc in the background, which would run into what is measured next.
    prepare=(("git", "init", "-q", "."), ("git", "config", "gc.auto", "0")),
    keep=("git", "add", "{path}"),
    seal=(("git", "commit", "-qm", "version {version}"),),
    status=("git", "status", "--porcelain", "-z"),
    seen=lambda said: _git_seen(said.replace("\0", "\n")),
    diff=("git", "diff", "--name-only", "HEAD~1", "HEAD"),
    differing=_git_files,
    restore=("git", "checkout", "-q", "--", "{path}"),
)
COPY = Keeper(
    name="cp -r",
    tool=Tool(name="cp"),
    keep=("cp", "-r", "{path}", "kept{version}"),
    restore=("cp", "-r", "kept{version}", "{path}"),
)
SCAN = Keeper(
    name="scandir + stat",
    tool=Tool(name="python"),
    status=("python", str(HERE / "scan_worker.py"), "{path}"),
)

ALL = (HEADWAY, DVC, DVC_DATA, OXEN, RESTIC, BORG, GIT_ITSELF, COPY, SCAN)


def chosen(options: Options, able: Sequence[Keeper]) -> list[Keeper]:
    """Headway and the peers that `--peers` asks for, of those able; an unknown name ends the program."""
    named = {keeper.name: keeper for keeper in able}
    if options.peers in {"default", "all"}:
        return list(able)
    wanted = [] if options.peers == "none" else options.peers.split(",")
    unknown = [name for name in wanted if name not in named]
    if unknown:
        raise SystemExit(f"--peers: no peer is called {', '.join(unknown)}; there are {', '.join(named)}")
    return [keeper for keeper in able if keeper.name in {HEADWAY.name, *wanted}]
