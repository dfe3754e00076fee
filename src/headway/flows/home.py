"""The folder of everything embedded, `.headway/`, which ignores itself so that a user's repository stays clean."""

import os


def make(path: str) -> None:
    """Make the folder if it is not there. To be called before anything is written into it.

    A run asks Git what differs from the commit; a `.headway/` without its `.gitignore` would be told as a change.
    """
    ignore = os.path.join(path, ".gitignore")
    if not os.path.exists(ignore):
        os.makedirs(path, exist_ok=True)
        fd = os.open(ignore, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, b"*\n")
        os.close(fd)
