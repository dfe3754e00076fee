"""What holds for every test."""

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import suppress

import pytest
from _pytest.outcomes import Skipped
from _pytest.pathlib import import_path
from hypothesis import settings

import object_servers
from object_servers import Server

# How long an example takes depends on who else is at work on the machine: time is measured in bench/, never here.
# `make test` tries few examples of each property, `make test-slow` tries the same properties with many.
settings.register_profile("house", deadline=None, max_examples=30)
settings.register_profile("full", deadline=None, max_examples=100)
settings.load_profile("house")

# What a shell starts in the background ignores Ctrl-C, and so does all that it starts; tests send it to programs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Share among the workers what it costs to rewrite the asserts of all test files, where nobody did it yet.

    Each of n workers collects all tests. On a fresh checkout each would rewrite all files, for the rewritten ones are
    written down only as they are met, and all meet them in one order: so each imports its part first, as pytest will.
    """
    worker, folder = getattr(session.config, "workerinput", None), session.config.rootpath / "tests"
    if worker is None or str(folder) not in map(os.path.abspath, session.config.args):
        return
    number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted(folder.rglob("test_*.py"))[number::count]:
        # Whatever is wrong with a file is told where it is collected.
        with suppress(Exception, Skipped):
            import_path(path, mode="importlib", root=session.config.rootpath, consider_namespace_packages=False)


def pytest_collection_finish() -> None:
    """Let the garbage collector look no more at what was collected: ten thousand tests, and all that they import.

    A whole collection would take 0.3 s, and there are libraries that ask for one at each call.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def s3() -> Iterator[Server]:
    """A SeaweedFS for the session; take a folder of its bucket with `url_of`."""
    with object_servers.seaweedfs() as server:
        yield server


@pytest.fixture(scope="session")
def moto_s3() -> Iterator[Server]:
    """A moto server for the session; take a folder of its bucket with `url_of`."""
    with object_servers.moto() as server:
        yield server
