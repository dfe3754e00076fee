"""Write a page for a person, whole or not at all. What is on it is made by `codec/page_…`."""

import os
from collections.abc import Iterable

from headway.errors import SystemRefused


def write_page(path: str, parts: Iterable[str]) -> None:
    """Write these texts, one after the other, in place of what is at `path`. Raises SystemRefused."""
    # By this name it is part of no folder's content, should we be killed here.
    fresh = os.path.join(os.path.dirname(path), f".headway-{os.urandom(8).hex()}.tmp")
    try:
        with open(fresh, "w", encoding="utf-8", errors="replace") as f:
            f.writelines(parts)
        os.replace(fresh, path)
    except OSError as e:
        raise SystemRefused(f"the page cannot be written: {e.strerror}", at=path, remedy="name another file") from e
    finally:
        if os.path.exists(fresh):
            os.unlink(fresh)
