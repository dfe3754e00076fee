"""An export of a model version as it came: a folder, or an archive of which only what is asked for is unpacked.

Neighbour: `models_export` says what is asked for, and believes none of it. Here an archive is kept from harm: what it
unpacks to is counted, and what cannot be counted is not unpacked.
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from headway.errors import FileMissing, ModelUnreadable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from zipfile import ZipInfo

MAX_TIMES = 20
"""An archive may unpack to so many times its size: exports are not packed at all, and weights pack little."""

ROOM_BYTES = 2**30
"""But any archive to so much: a small model that somebody packed may shrink to nothing."""

Find = Callable[[str], str | None]
"""The path of a file of an export, by its name there; None when it has none."""


@contextmanager
def opened(path: str, scratch: str) -> Iterator[Find]:
    """An export to be read. Only what is asked for by name is ever taken out of an archive."""
    if os.path.isdir(path):

        def find(name: str) -> str | None:
            here = os.path.join(path, name)
            return here if os.path.isfile(here) and not os.path.islink(here) else None

        yield find
        return
    if not os.path.isfile(path):
        raise FileMissing(f"there is no {path}", at=path, remedy="name the folder or .zip that was exported")
    from shutil import rmtree
    from zipfile import ZipFile

    folder = os.path.join(scratch, os.urandom(8).hex())
    with _whole(path):
        packed = ZipFile(path)
    left = max(ROOM_BYTES, MAX_TIMES * os.path.getsize(path))
    try:
        names = set(packed.namelist())

        def taken(name: str) -> str | None:
            nonlocal left
            if name not in names:
                return None
            here = os.path.join(folder, name)
            os.makedirs(os.path.dirname(here), exist_ok=True)
            with _whole(path), packed.open(name) as source, open(here, "wb") as target:
                _see_packing(packed.getinfo(name), path)
                # Counted here: what an archive says of its sizes need not be so.
                while block := source.read(1 << 20):
                    left -= len(block)
                    if left < 0:
                        raise _too_large(path)
                    target.write(block)
            return here

        yield taken
    finally:
        packed.close()
        rmtree(folder, ignore_errors=True)


def _see_packing(member: "ZipInfo", path: str) -> None:
    """Refuses a way of packing that zipfile unpacks into memory, whatever comes of it. Raises ModelUnreadable."""
    from zipfile import ZIP_DEFLATED, ZIP_STORED

    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        raise ModelUnreadable(
            f"the archive cannot be unpacked: {member.filename} is packed by a method other than deflate",
            at=path,
            remedy="unpack it and import the folder, or pack it with deflate",
        )


def _too_large(path: str) -> ModelUnreadable:
    return ModelUnreadable(
        f"the archive unpacks to more than {MAX_TIMES} times its size, as one that is made to fill a disk",
        at=path,
        remedy="do not use it, unless you made it: then unpack it and import the folder; nothing was registered",
    )


@contextmanager
def _whole(path: str) -> Iterator[None]:
    """Tells all that zipfile raises for a damaged archive as what it is."""
    from zipfile import BadZipFile
    from zlib import error

    try:
        yield
    except RuntimeError as e:
        # It wants a password, or is packed in a way that zipfile does not know.
        raise ModelUnreadable(f"the archive cannot be unpacked: {e}", at=path, remedy="copy or export it again") from e
    except (BadZipFile, EOFError, ValueError, error) as e:
        raise ModelUnreadable(f"the archive is damaged: {e}", at=path, remedy="copy or export it again") from e
    except OSError as e:
        # A place in the file that cannot be one.
        if e.errno != errno.EINVAL:
            raise
        raise ModelUnreadable("the archive is damaged", at=path, remedy="copy or export it again") from e
