"""Environments for what others wrote: made on first use in the cache of the benchmarks, outside the repository."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

import environments
from projects.tool import Tool

CACHE = Path("~/.cache/headway-bench").expanduser()


def environment(tool: Tool) -> Path:
    """Its folder of executables, made by one test process at a time; without a registry the test is skipped."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, (CACHE / f"{tool.name}.making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The test group has uv, which need not be on the PATH.
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        try:
            return environments.peer(CACHE, tool.name, tool.requirements).bin
        except environments.Missing as e:
            pytest.skip(f"{tool.name} cannot be installed here: {e}")
