"""A small file of the project's own folder, replaced as a whole: headway.lock, a .gitignore."""

import errno
import os
import stat
from contextlib import suppress

from headway.errors import DiskFull, StoreTrouble


def content(path: str) -> bytes:
    """A file's bytes; none when it is not there or is no file that can be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def rewrite(path: str, data: bytes, *, again: str) -> None:
    """Let the file at `path` hold `data`, atomically and durably; its rights stay. `again` is what to do after a fault.

    Raises DiskFull, StoreTrouble.
    """
    folder, name = os.path.split(path)
    # By this name it is part of no folder's content, should we be killed here.
    fresh = os.path.join(folder, f".headway-{os.getpid()}.tmp")
    try:
        try:
            with open(fresh, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                os.chmod(fresh, stat.S_IMODE(os.stat(path).st_mode))
            os.replace(fresh, path)
        except OSError:
            with suppress(OSError):
                os.unlink(fresh)
            raise
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space is left", at=path, remedy=f"free some, then {again}") from e
        raise StoreTrouble(
            f"{name} cannot be written: {e.strerror}",
            at=path,
            remedy=f"see that it is a file of yours in a folder that can be written to, then {again}",
        ) from e
