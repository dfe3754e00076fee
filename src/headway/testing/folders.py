"""Folders of the file system as plain values: written, read and made up. Needs hypothesis."""

import os
import shutil
import stat

from hypothesis import strategies as st

from headway.flows.listing import is_passed_over
from headway.testing.strategies import names as any_names

Content = dict[str, "bytes | str | Content"]
"""What a folder holds by name: bytes are a file (executable when they begin with `#!`), a text is a link, the rest
folders."""

names = any_names.filter(lambda name: not is_passed_over(name))
"""Names of what counts as content."""

contents: st.SearchStrategy[Content] = st.recursive(
    st.dictionaries(names, st.one_of(st.binary(max_size=20), st.just(b"#!run"), st.sampled_from(["a", "../x"]))),
    lambda below: st.dictionaries(names, st.one_of(st.binary(max_size=20), below), max_size=4),
    max_leaves=6,
)
"""Folders, also empty and nested ones; the links in them lead nowhere."""


def write_folder(path: str, content: Content) -> None:
    """Make the folder at `path` hold this and nothing else."""
    if os.path.lexists(path):
        shutil.rmtree(path)
    os.mkdir(path)
    for name, value in content.items():
        place = os.path.join(path, name)
        match value:
            case bytes():
                with open(place, "wb") as f:
                    f.write(value)
                if value.startswith(b"#!"):
                    os.chmod(place, 0o755)  # noqa: S103 (as any program)
            case str():
                os.symlink(value, place)
            case _:
                write_folder(place, value)


def read_folder(path: str) -> Content:
    """What the folder at `path` holds. Fails when the executable bit of a file is not as `Content` says."""
    content: Content = {}
    for entry in os.scandir(path):
        if entry.is_symlink():
            content[entry.name] = os.readlink(entry.path)
        elif entry.is_dir():
            content[entry.name] = read_folder(entry.path)
        else:
            with open(entry.path, "rb") as f:
                data = f.read()
            executable = bool(stat.S_IMODE(entry.stat().st_mode) & 0o100)
            assert executable == data.startswith(b"#!"), entry.path
            content[entry.name] = data
    return content
