"""Back-ends are found by their file's name, or by an entry point; nobody keeps a list."""

import os
import sys

import pytest

from headway.backends import connect, path_of
from headway.backends.blobs_file import FileBlobs
from headway.errors import NameUnknown, UsageMistaken


def test_a_scheme_finds_the_file_of_its_name(tmp_path: "os.PathLike[str]") -> None:
    assert isinstance(connect("blobs", f"file:{os.fspath(tmp_path)}"), FileBlobs)


@pytest.mark.parametrize("url", ["s4:bucket", "", "file", "../blobs:x", "a.b:c"])
def test_an_unknown_scheme_is_told_with_those_that_are_there(url: str) -> None:
    with pytest.raises(NameUnknown) as unknown:
        connect("leases", url)
    assert "file, memory, postgresql, sqlite" in unknown.value.remedy


def test_the_schemes_of_a_port_are_its_own() -> None:
    with pytest.raises(NameUnknown) as unknown:
        connect("log", "nothing:")
    assert "memory, postgresql, sqlite" in unknown.value.remedy
    assert "file" not in unknown.value.remedy


def test_another_package_adds_one_by_an_entry_point(
    tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    info = os.path.join(tmp_path, "foreign-1.dist-info")
    os.mkdir(info)
    with open(os.path.join(info, "entry_points.txt"), "w") as f:
        f.write("[headway.backends]\nblobs_attic = foreign_blobs:open_attic\n")
    with open(os.path.join(info, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: foreign\nVersion: 1\n")
    with open(os.path.join(tmp_path, "foreign_blobs.py"), "w") as f:
        f.write("def open_attic(url):\n    return 'attic of ' + url\n")
    monkeypatch.syspath_prepend(os.fspath(tmp_path))
    try:
        assert connect("blobs", "attic:here") == "attic of attic:here"
        with pytest.raises(NameUnknown) as unknown:
            connect("blobs", "cellar:here")
        assert {"attic", "file", "memory", "s3"} <= {word.strip(",") for word in unknown.value.remedy.split()}
    finally:
        sys.modules.pop("foreign_blobs", None)


@pytest.mark.parametrize(
    ("signature", "made"),
    [("url", "('here', None)"), ("url: str, environ: dict", "('here', {'KEY': '1'})")],
    ids=["url only", "with the environment"],
)
def test_the_environment_reaches_those_that_ask_for_it(
    signature: str, made: str, tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    import headway.backends

    name = "asking" if "environ" in signature else "plain"
    with open(os.path.join(tmp_path, f"blobs_{name}.py"), "w") as f:
        f.write(f"def connect({signature}):\n    return repr((url.partition(':')[2], locals().get('environ')))\n")
    monkeypatch.setattr(headway.backends, "__path__", [*headway.backends.__path__, os.fspath(tmp_path)])
    try:
        assert connect("blobs", f"{name}:here", {"KEY": "1"}) == made
    finally:
        sys.modules.pop(f"headway.backends.blobs_{name}", None)


def test_a_back_end_that_lacks_a_package_is_not_taken_for_an_unknown_one(
    tmp_path: "os.PathLike[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    import headway.backends

    with open(os.path.join(tmp_path, "blobs_broken.py"), "w") as f:
        f.write("import a_package_that_is_not_installed\n")
    monkeypatch.setattr(headway.backends, "__path__", [*headway.backends.__path__, os.fspath(tmp_path)])
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_installed"):
        connect("blobs", "broken:")


@pytest.mark.parametrize(
    ("url", "path"),
    [("file:/a/b", "/a/b"), ("file:///a/b", "/a/b"), ("file:a/b", "a/b"), ("sqlite:/a b/%20", "/a b/%20")],
)
def test_the_path_of_a_url(url: str, path: str) -> None:
    assert path_of(url) == path


def test_a_url_without_a_path_is_told() -> None:
    with pytest.raises(UsageMistaken, match="names no place"):
        connect("blobs", "file:")
