"""Hashes of packages' files, out of the lock files of other tools."""

import pytest

from headway.codec.hashes import read
from headway.errors import FileFaulty

UV = """version = 1
[[package]]
name = "Numpy"
version = "2.1.0"
source = { registry = "x" }
sdist = { url = "u", hash = "sha256:00", size = 1 }
wheels = [{ url = "u", hash = "sha256:22" }, { url = "u", hash = "sha256:11" }]
[[package]]
name = "mine"
version = "0.1"
source = { editable = "." }
"""
PYLOCK = """lock-version = "1.0"
[[packages]]
name = "numpy"
version = "2.1.0"
sdist = { hashes = { sha256 = "00" } }
wheels = [{ hashes = { sha256 = "11" } }, { hashes = { md5 = "33" } }]
"""
POETRY = """[[package]]
name = "numpy"
version = "2.1.0"
files = [{file = "a.whl", hash = "sha256:11"}, {file = "b.whl", hash = "sha256:00"}]
"""
PIP = """# by pip-compile
--index-url https://example.com/simple
numpy[extra]==2.1.0 ; python_version >= "3.11" \\
    --hash=sha256:11 \\
    --hash=sha256:00
    # via scipy
scipy==1.14.0
pandas>=2 --hash=sha256:44
-r other.txt
"""


@pytest.mark.parametrize(
    ("name", "text", "hashes"),
    [
        ("uv.lock", UV, ("sha256:00", "sha256:11", "sha256:22")),
        ("pylock.toml", PYLOCK, ("sha256:00", "sha256:11")),
        ("poetry.lock", POETRY, ("sha256:00", "sha256:11")),
        ("requirements.txt", PIP, ("sha256:00", "sha256:11")),
        ("requirements.txt", PIP.replace("\n", "\r\n"), ("sha256:00", "sha256:11")),
    ],
    ids=["uv", "pylock", "poetry", "pip", "pip on windows"],
)
def test_only_what_is_pinned_and_has_hashes_is_taken(name: str, text: str, hashes: tuple[str, ...]) -> None:
    assert read(text.encode(), name) == {("numpy", "2.1.0"): hashes}


@pytest.mark.parametrize(
    "text", ["package = 3", 'package = ["a"]', "[[package]]\nname = 3\nversion = '1'\nfiles = [{hash = 'x'}]", ""]
)
def test_a_file_of_another_shape_says_nothing(text: str) -> None:
    assert read(text.encode(), "uv.lock") == {}


@pytest.mark.parametrize("data", [b"[[package", b"\xff\xfe"])
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with pytest.raises(FileFaulty):
        read(data, "uv.lock")
