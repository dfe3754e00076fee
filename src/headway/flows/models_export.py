"""Hand a model version to another project, as a folder or a .zip: all there is of it, each part named by its digest.

`codec/model_export` has the manifest. What comes in is believed in nothing: every file is held to its digest,
signatures to trusted keys, nothing is run, and what would run code is not trusted until somebody says so by its digest.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import msgspec
from msgspec import Struct

from headway import formats
from headway.codec import bom, model_export
from headway.codec.model_export import FORM, Manifest, read_manifest, write_manifest
from headway.core.card import markdown
from headway.core.facts import ModelRegistered
from headway.core.ids import Artifact, Digest
from headway.core.registry import Model, Registration
from headway.core.signing import Trust, envelope, judged
from headway.core.tree import TreeFile, decode_tree
from headway.errors import (
    BlobDamaged,
    BlobMissing,
    Conflict,
    ModelUnreadable,
    SystemRefused,
    UsageMistaken,
)
from headway.flows import lineage, models_trust, registry, store
from headway.flows.models_archive import Find, opened
from headway.ports import Blobs, Log

_MODEL, _TREE = "model", "model.tree"

_BESIDE = {"verdict.json": "verdict", "packages.txt": "packages", "code.diff": "diff", "answers.json": "answers"}
"""Files of an export that are blobs of a version's record."""

_ONNX = "converted.onnx"
"""The file of a conversion that was made with the version."""

MAX_TEXT_BYTES = 2**28
"""What is read into memory: the manifest, or the list of a folder (of some two million files)."""

_LEAST = 12
"""Digits of a digest by which somebody vouches for what it names."""


class Exported(Struct, frozen=True, kw_only=True):
    """What was written, and where."""

    version: str
    path: str
    files: tuple[str, ...]
    size_bytes: int


class Imported(Struct, frozen=True, kw_only=True):
    """The version that was made (or found) of what came, and what it was called where it came from.

    `said` is what its signatures are worth here; `is_trusted` whether it may run code when it is loaded.
    """

    version: ModelRegistered
    came_from: str
    said: str
    is_trusted: bool
    runs_code: bool
    why: str = ""


def export(log: Log, blobs: Blobs, text: str, to: str) -> Exported:
    """Write a version to `to`, a folder or a name that ends in .zip; whole or not at all.

    A version that was imported goes on as it came, with the signatures it had. Raises UsageMistaken, NameUnknown,
    Conflict when something is there, BlobMissing, BlobDamaged, SystemRefused.
    """
    model, made = registry.named(log, text)
    if os.path.lexists(to):
        raise Conflict("something is there already", at=to, remedy="name another place, or move it away")
    with _fresh(to) as folder:
        _lay_out(log, blobs, model, made, folder)
        files = tuple(sorted(_files_below(folder)))
        size = sum(os.path.getsize(os.path.join(folder, name)) for name in files)
        try:
            if to.endswith(".zip"):
                _zip(folder, files, f"{folder}.zip")
                os.rename(f"{folder}.zip", to)
            else:
                os.rename(folder, to)
        except OSError as e:
            raise SystemRefused(f"it cannot be written: {e.strerror}", at=to, remedy="name another place") from e
    return Exported(version=f"{made.model}@{made.version}", path=to, files=files, size_bytes=size)


def bring(  # noqa: PLR0913 (what came, what it is to be called, and who vouches for it)
    log: Log,
    blobs: Blobs,
    path: str,
    trust: Trust,
    *,
    now: float,
    by: str = "",
    name: str = "",
    alias: str = "",
    vouched: str = "",
    scratch: str,
) -> Imported:
    """Take a version from an export into this project's registry; doing it twice is harmless.

    `vouched` are at least 12 digits of the digest of the model's content: with it the version may be loaded here.
    Raises FileMissing, ModelUnreadable, BlobDamaged (a file is not what its digest says), SignatureRefused,
    UsageMistaken (`vouched` is of other content), ExtraMissing.
    """
    with opened(path, scratch) as find:
        data = _bytes(find(model_export.NAME), path)
        came = read_manifest(data, at=path)
        made = came.version
        if vouched and (len(vouched) < _LEAST or not made.artifact.digest.startswith(vouched.lower())):
            raise UsageMistaken(
                f"{vouched} is not what {path} holds",
                at="--trust",
                remedy=f"vouch for what you know: its content is {made.artifact.digest}",
            )
        called = f"{made.model}@{made.version}"
        checked = models_trust.checked(made, came.signatures, trust)
        said = judged(called, checked, trust)
        here = _kept(blobs, made.artifact, find)
        # What is not known to be the conversion of this very model is done without: it can be made here.
        is_signed = any(one.is_right and one.is_trusted for one in checked)
        onnx = made.onnx if is_signed and made.onnx is not None and _came(blobs, find, made.onnx.digest) else None
        kept = {what: _record(blobs, find, file, _digests(made)[what]) for file, what in _BESIDE.items()}
        found = formats.detect(here)
        runs_code = formats.runs_code(found, here)
    origin = blobs.put(data)
    blobs.sync()
    asked = Registration(
        model=name or made.model,
        artifact=made.artifact,
        key=f"import/{origin}",
        format=found,
        source=msgspec.structs.replace(made.source, diff=kept["diff"]),
        data=made.data,
        params=made.params,
        metrics=made.metrics,
        verdict=kept["verdict"],
        by=by,
        place=msgspec.structs.replace(made.place, packages=kept["packages"]),
        origin=origin,
        signature=made.signature,
        onnx=onnx,
        latency=made.latency,
        answers=kept["answers"],
        alias=alias or None,
    )
    done = registry.register(log, asked, now=now, sign=models_trust.signer(trust, by=by) if vouched else None)
    if vouched:
        registry.trust(log, asked.model, done.version.version, now=now, by=by)
    return Imported(
        version=done.version,
        came_from=called,
        said=said,
        is_trusted=registry.made_here(log, made.artifact.digest),
        runs_code=runs_code,
        why=done.why,
    )


# --- out --------------------------------------------------------------------------------------------------------


def _lay_out(log: Log, blobs: Blobs, model: Model, made: ModelRegistered, folder: str) -> None:
    manifest = Manifest(
        form=FORM,
        version=made,
        signatures=model.signatures_of(made.version),
        tags=model.tags_of(made.version),
        at=model.registered_at(made.version),
    )
    if made.origin is not None:
        with suppress(BlobMissing):
            manifest = read_manifest(blobs.get(made.origin), at=made.model)
    told = manifest.version
    store.materialize(blobs, made.artifact, os.path.join(folder, _MODEL, _name(told.artifact)))
    files: dict[str, Digest] = {}
    if made.artifact.kind == "tree":
        tree = blobs.get(made.artifact.digest)
        _write(folder, _TREE, tree)
        files = {one.path: one.digest for one in decode_tree(tree).files}
    for file, what in _BESIDE.items():
        digest = _digests(made)[what]
        if digest is not None:
            with suppress(BlobMissing):
                _write(folder, file, blobs.get(digest))
    onnx = made.onnx.digest if made.onnx is not None else None
    if onnx is not None:
        with suppress(BlobMissing):
            _write(folder, _ONNX, blobs.get(onnx))
    of = lineage.lineage_of(log, blobs, model, made)
    _write(folder, "card.md", markdown(of).encode())
    _write(folder, "bom.cdx.json", bom.bom(of, files))
    _write(folder, "statement.dsse.json", envelope(told, manifest.signatures))
    _write(folder, model_export.NAME, write_manifest(manifest))


@contextmanager
def _fresh(to: str) -> Iterator[str]:
    """A folder beside `to` that is gone in the end, whatever happens."""
    from shutil import rmtree

    above = os.path.dirname(os.path.abspath(to))
    folder = os.path.join(above, f".headway-{os.urandom(8).hex()}.tmp")
    try:
        os.makedirs(os.path.join(folder, _MODEL))
    except OSError as e:
        raise SystemRefused(f"nothing can be written there: {e.strerror}", at=above, remedy="name another place") from e
    try:
        yield folder
    finally:
        rmtree(folder, ignore_errors=True)
        with suppress(FileNotFoundError):
            os.unlink(f"{folder}.zip")


def _files_below(folder: str) -> Iterator[str]:
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            # Links are told by the list of the folder, and made again from it.
            if not os.path.islink(path):
                yield os.path.relpath(path, folder).replace(os.sep, "/")


def _zip(folder: str, files: tuple[str, ...], to: str) -> None:
    from zipfile import ZIP_STORED, ZipFile, ZipInfo

    with ZipFile(to, "w", ZIP_STORED) as packed:
        for name in files:
            # Without a date, so that the same version gives the same bytes. Models are compressed, or do not compress.
            with (
                open(os.path.join(folder, name), "rb") as file,
                packed.open(ZipInfo(name), "w", force_zip64=True) as to_,
            ):
                while block := file.read(1 << 20):
                    to_.write(block)


def _write(folder: str, name: str, data: bytes) -> None:
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


# --- in ---------------------------------------------------------------------------------------------------------


def _kept(blobs: Blobs, artifact: Artifact, find: Find) -> str:
    """Put a model's content into the store, each file held to its digest; the path of the file or folder itself."""
    name = f"{_MODEL}/{_name(artifact)}"
    if artifact.kind == "file":
        return _file(blobs, find, name, artifact.digest)
    tree = _bytes(find(_TREE), _TREE)
    if blobs.put(tree) != artifact.digest:
        raise _damaged(_TREE)
    here = ""
    for one in decode_tree(tree).entries:
        if isinstance(one, TreeFile):
            path = _file(blobs, find, f"{name}/{one.path}", one.digest)
            here = path.removesuffix(f"/{one.path}")
    return here


def _file(blobs: Blobs, find: Find, name: str, digest: Digest) -> str:
    path = find(name)
    if path is None:
        raise ModelUnreadable(f"{name} is missing", at=name, remedy="copy or export it again")
    if blobs.put_file(path)[0] != digest:
        raise _damaged(name)
    return path


def _record(blobs: Blobs, find: Find, file: str, digest: Digest | None) -> Digest | None:
    """A blob of the version's record: it is left out of what is registered when the export does not have it."""
    path = find(file) if digest is not None else None
    if path is None or digest is None:
        return None
    return Digest(_file(blobs, find, file, digest) and digest)


def _came(blobs: Blobs, find: Find, digest: Digest | None) -> bool:
    """Whether the conversion came as well: it is put into the store."""
    return digest is not None and _record(blobs, find, _ONNX, digest) is not None


def _digests(made: ModelRegistered) -> dict[str, Digest | None]:
    records = {"verdict": made.verdict, "packages": made.place.packages, "diff": made.source.diff}
    return {**records, "answers": made.answers}


def _damaged(name: str) -> BlobDamaged:
    return BlobDamaged(
        f"{name} does not hold what its digest says", at=name, remedy="copy or export it again; nothing was registered"
    )


def _bytes(path: str | None, at: str) -> bytes:
    if path is None:
        raise ModelUnreadable(
            f"there is no {model_export.NAME} or model in it", at=at, remedy="name what `headway models export` wrote"
        )
    if (size := os.path.getsize(path)) > MAX_TEXT_BYTES:
        raise ModelUnreadable(
            f"its {os.path.basename(path)}, of {size:,} bytes, is larger than any that was exported",
            at=at,
            remedy="copy or export it again",
        )
    with open(path, "rb") as file:
        return file.read()


def _name(artifact: Artifact) -> str:
    return artifact.path.rpartition("/")[2]
