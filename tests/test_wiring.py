"""Settings become parts: a store that lies elsewhere has the embedded one in front of it."""

import shutil
from pathlib import Path

import pytest

from headway import config, wiring
from headway.backends.blobs_file import FileBlobs
from headway.backends.target_local import LocalTarget


def test_what_a_store_elsewhere_gave_once_is_kept_nearby(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, far = tmp_path / "project", tmp_path / "far"
    project.mkdir()
    monkeypatch.setenv("HEADWAY_STORE_URL", f"bucket:{far}")
    with wiring.open(config.load(folder=str(project))) as parts:
        digest = parts.blobs.put(b"abc")
    assert FileBlobs(str(project / ".headway" / "blobs")).get(digest) == b"abc"
    shutil.rmtree(project / ".headway" / "blobs")
    with wiring.open(config.load(folder=str(project))) as parts:
        assert parts.blobs.get(digest) == b"abc"
    shutil.rmtree(far)
    with wiring.open(config.load(folder=str(project))) as parts:
        assert parts.blobs.get(digest) == b"abc"


def test_a_store_in_a_folder_has_nothing_in_front_of_it(tmp_path: Path) -> None:
    with wiring.open(config.load(folder=str(tmp_path))) as parts:
        assert isinstance(parts.blobs, FileBlobs)


def test_one_who_looks_where_nothing_was_begun_keeps_nothing_nearby(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, far = tmp_path / "project", tmp_path / "far"
    project.mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("HEADWAY_STORE_URL", f"bucket:{far}")
    with wiring.open(config.load(folder=str(tmp_path / "other"))) as parts:
        digest = parts.blobs.put(b"abc")
    with wiring.look(config.load(folder=str(project))) as parts:
        assert parts.blobs.get(digest) == b"abc"
        assert list(parts.blobs.list())
    assert list(project.iterdir()) == []


def test_a_host_that_a_shell_has_does_not_say_where_endpoints_listen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.setenv("TETHER", "me")
    with wiring.open(config.load(folder=str(tmp_path))) as parts:
        made = parts.target("local")
        assert isinstance(made, LocalTarget)
        assert (made._host, made._tether) == ("127.0.0.1", None)
