"""What every end-to-end test begins with."""

from pathlib import Path

import pytest

from end_to_end.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project in a folder of its own."""
    return Project(tmp_path / "project")
