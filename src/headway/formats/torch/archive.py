"""What a file of PyTorch is, told from the names in its archive, without PyTorch and without running any of it.

`torch.export.save`, `torch.jit.save` and `torch.save` all write archives, of which only the first two hold a program.
Neighbour: `program` asks one. Does not know tensors.
"""

import pickletools
from typing import Literal
from zipfile import BadZipFile, ZipFile

import msgspec
from msgspec import Struct

from headway.errors import ModelUnreadable

Kind = Literal["exported", "script", "pickled"]

HEAD = b"PK\x03\x04"
OLD_HEAD = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""A number that stands at the beginning of what `torch.save` wrote before it wrote archives."""

_PROGRAMS = ("models/model.json", "serialized_exported_program.json")
"""What only an exported program has, since PyTorch 2.8 and before."""

_EXTRA = ("extra/headway.", "extra_files/headway.")
"""Where the files lie that were given to `extra_files` (before 2.8 the second)."""

_WEIGHTS = ("torch._utils ", "torch.storage ", "torch Size", "collections OrderedDict", "torch._tensor _rebuild")

OUTPUTS = ("probabilities", "logits")


class Said(Struct, frozen=True, kw_only=True):
    """What the file's extra files say that a program cannot: see docs/models.md."""

    columns: tuple[str, ...] = ()
    classes: tuple[bool | int | float | str, ...] = ()
    output: str = ""


def kind_of(path: str) -> Kind | None:
    """What the archive holds; None when it is none of PyTorch's. Raises BadZipFile, OSError, ValueError."""
    with ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith(_PROGRAMS) for name in names):
        return "exported"
    if not any(name.endswith("/data.pkl") for name in names):
        return None
    return "script" if any("/code/" in name for name in names) else "pickled"


def refusal(path: str) -> ModelUnreadable:
    """Why what `torch.save` wrote is no model here, told from what its pickle names; nothing is run."""
    # Its own class is named first, that of its parts after it.
    named = next((name.replace(" ", ".") for name in _named(path) if not _is_of_weights(name)), "")
    if named:
        return ModelUnreadable(
            f"the file is a pickle of {named} by `torch.save`: without that class's code it is nothing",
            at=path,
            remedy="save the program: torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')",
        )
    return ModelUnreadable(
        "the file holds weights by `torch.save` (a state dict), and no model that they belong to",
        at=path,
        remedy="load them into the model, then save it whole: torch.export.save(torch.export.export(model, …), …)",
    )


def said(path: str) -> Said:
    """What the extra files say. Raises ModelUnreadable for one that is not as docs/models.md has it."""
    found: dict[str, object] = {}
    with ZipFile(path) as archive:
        for name in archive.namelist():
            part = next((name.partition(mark)[2] for mark in _EXTRA if mark in name), "")
            if part in Said.__struct_fields__:
                text = archive.read(name)
                found[part] = text.decode("utf-8", "replace").strip() if part == "output" else _listed(text, part, path)
    try:
        told = msgspec.convert(found, Said)
    except msgspec.ValidationError as e:
        raise ModelUnreadable(
            f"an extra file of the model cannot be used: {e}", at=path, remedy='write it as ["a", "b"]'
        ) from e
    if told.output not in ("", *OUTPUTS):
        raise ModelUnreadable(
            f"the model's extra file headway.output says {told.output!r}", at=path, remedy=f"use {' or '.join(OUTPUTS)}"
        )
    return told


def check_whole(path: str) -> None:
    """Raise ValueError or BadZipFile for an archive that was cut or of which a bit flipped: PyTorch does not look."""
    with ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise BadZipFile(f"{damaged} in it is damaged")


def _listed(text: bytes, part: str, path: str) -> object:
    try:
        return msgspec.json.decode(text)
    except msgspec.MsgspecError as e:
        raise ModelUnreadable(
            f"the model's extra file headway.{part} is no JSON: {e}", at=path, remedy='write it as ["a", "b"]'
        ) from e


def _named(path: str) -> list[str]:
    """What the pickle names of other modules, as `module name`, in its order."""
    from io import BytesIO

    found = list[str]()
    try:
        with open(path, "rb") as f:
            data = f.read()
        if data.startswith(HEAD):
            with ZipFile(path) as archive:
                data = archive.read(next(name for name in archive.namelist() if name.endswith("/data.pkl")))
        # Before there were archives, three short pickles stood before the one that counts.
        stream = BytesIO(data)
        while stream.tell() < len(data):
            found += [str(value) for code, value, _ in pickletools.genops(stream) if code.name == "GLOBAL"]
    except Exception:  # noqa: BLE001 (damaged pickles raise anything, as does what follows the last one)
        return found
    return found


def _is_of_weights(name: str) -> bool:
    return name.startswith(_WEIGHTS) or (name.startswith("torch ") and name.endswith("Storage"))
