"""The settings: `headway.toml` and the environment, read once, here alone, into one frozen value.

What each wins over: a flag over HEADWAY_… in the environment over headway.toml over the default.
"""

import os
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from headway.errors import FileFaulty, FileMissing

HOME = ".headway"
"""The embedded default's folder: log, blobs, workspaces; ignored by Git."""

MARKS = ("pipeline.yaml", "headway.toml", HOME)
"""What makes a folder a project, looked for here and above."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a command may depend on besides its own words."""

    folder: str
    """The project's folder, absolute."""
    log_url: str
    """Where the facts are: `sqlite:PATH`. Default: .headway/log.sqlite in the project."""
    store_url: str
    """Where the blobs are: `file:PATH`. Default: .headway/blobs in the project."""
    jobs: int
    """Steps at work at a time. Default: the processors this process may use."""
    environ: Mapping[str, str]
    """The environment as it was at the start; steps inherit it."""
    debug: bool = False
    """Show tracebacks (HEADWAY_DEBUG=1)."""

    @property
    def home(self) -> str:
        """The folder of everything embedded; made by `wiring` when first needed."""
        return os.path.join(self.folder, HOME)


def load(*, folder: str | None = None) -> Settings:
    """Read the settings of the project in `folder`, or of the one around the working directory.

    Raises FileMissing when `folder` does not exist, FileFaulty with all faults of headway.toml.
    """
    environ = dict(os.environ)  # noqa: TID251 (the one place)
    root = _project(os.getcwd()) if folder is None else os.path.abspath(folder)
    if not os.path.isdir(root):
        raise FileMissing(f"there is no folder {folder}", at="--folder", remedy="name the project's folder")
    file = _file(os.path.join(root, "headway.toml"))
    return Settings(
        folder=root,
        log_url=_located(root, environ.get("HEADWAY_LOG_URL") or file.log.url or f"sqlite:{HOME}/log.sqlite"),
        store_url=_located(root, environ.get("HEADWAY_STORE_URL") or file.store.url or f"file:{HOME}/blobs"),
        jobs=_jobs(environ.get("HEADWAY_JOBS")) or file.run.jobs or _processors(),
        environ=environ,
        debug=environ.get("HEADWAY_DEBUG", "") not in ("", "0"),
    )


class _Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = ""


class _Run(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    jobs: int = 0


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """headway.toml as a person may write it."""

    log: _Place = _Place()
    store: _Place = _Place()
    run: _Run = _Run()


def _file(path: str) -> _File:
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return _File()
    import tomllib

    import msgspec

    from headway.codec.human import check

    try:
        # Any: TOML holds whatever a person wrote; `check` says what is wrong with it.
        values: dict[str, Any] = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise FileFaulty(f"headway.toml is not TOML: {e}", at="headway.toml", remedy="mend the line named") from e
    faults = check(values, _File)
    if faults:
        n = len(faults)
        raise FileFaulty(
            f"headway.toml has {n} fault{'s' * (n > 1)}",
            at="headway.toml",
            remedy="mend what is listed; docs/configuration.md has every setting",
            faults=tuple(faults),
        )
    return msgspec.convert(values, _File)


def _project(start: str) -> str:
    folder = start
    while True:
        if any(os.path.exists(os.path.join(folder, mark)) for mark in MARKS):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return start
        folder = above


def _located(root: str, url: str) -> str:
    """Make the path in `scheme:path` absolute; URLs with `//` are left as they are."""
    scheme, colon, path = url.partition(":")
    if not colon or path.startswith("//") or not path:
        return url
    return f"{scheme}:{os.path.join(root, path)}"


def _jobs(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
