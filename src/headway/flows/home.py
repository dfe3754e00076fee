"""The folder of everything embedded, `.headway/`, which ignores itself so that a user's repository stays clean."""

import errno
import os

from headway.errors import DiskFull, StoreTrouble


def make(path: str) -> None:
    """Make the folder if it is not there. To be called before anything is written into it.

    A run asks Git what differs from the commit; a `.headway/` without its `.gitignore` would be told as a change.
    Raises StoreTrouble, DiskFull.
    """
    ignore = os.path.join(path, ".gitignore")
    if os.path.exists(ignore):
        return
    try:
        os.makedirs(path, exist_ok=True)
        fd = os.open(ignore, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            os.write(fd, b"*\n")
        finally:
            os.close(fd)
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull("no space is left", at=path, remedy="free some, then run again") from e
        raise StoreTrouble(
            f"{os.path.basename(path)} cannot be made: {e.strerror}",
            at=path,
            remedy="see that its folder can be written to, and that nothing else has its name",
        ) from e
