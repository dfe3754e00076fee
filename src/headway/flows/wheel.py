"""Headway itself as a wheel, made of the very files that run: an image gets the headway that made it, on no index.

The same files give the same bytes. Only what is installed is packed: its metadata, its commands, its license.
"""

import os
from collections.abc import Iterator
from importlib import metadata

import headway

_LABEL = "Wheel-Version: 1.0\nGenerator: headway\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def name() -> str:
    """Its file's name."""
    return f"headway-{headway.__version__}-py3-none-any.whl"


def write(folder: str) -> str:
    """Write it into a folder; returns its path."""
    import base64
    import hashlib
    from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

    path = os.path.join(folder, name())
    info = f"headway-{headway.__version__}.dist-info"
    record = []
    with ZipFile(path, "w") as packed:
        for file, data in (*_own(), *_about(info)):
            entry = ZipInfo(file)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record.append(f"{file},sha256={digest},{len(data)}\n")
        entry = ZipInfo(f"{info}/RECORD")
        entry.external_attr = 0o644 << 16
        packed.writestr(entry, f"{''.join(record)}{info}/RECORD,,\n")
    return path


def _own() -> Iterator[tuple[str, bytes]]:
    above = os.path.dirname(os.path.dirname(os.path.abspath(headway.__file__)))
    for folder, folders, names in os.walk(os.path.join(above, "headway")):
        folders[:] = sorted(one for one in folders if one != "__pycache__")
        for one in sorted(names):
            path = os.path.join(folder, one)
            with open(path, "rb") as file:
                yield os.path.relpath(path, above).replace(os.sep, "/"), file.read()


def _about(info: str) -> Iterator[tuple[str, bytes]]:
    told = metadata.distribution("headway")
    for one in ("METADATA", "entry_points.txt", "licenses/LICENSE"):
        if text := told.read_text(one):
            yield f"{info}/{one}", text.encode()
    yield f"{info}/WHEEL", _LABEL.encode()
