"""What holds for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

import object_servers
from object_servers import Server

# How long an example takes depends on who else is at work on the machine: time is measured in bench/, never here.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


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
