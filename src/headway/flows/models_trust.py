"""Keys and signatures of model versions: the user's own pair, signing, looking at signatures before a version is used.

`core/signing` says what is signed and what a signature is worth; `codec/ed25519` reckons. A private key is read and
written here alone, and never told to anybody.
"""

import os
from collections.abc import Iterable
from contextlib import suppress

from msgspec import Struct

from headway import formats
from headway.codec import ed25519, model_export
from headway.core.facts import ModelRegistered, ModelSigned
from headway.core.ids import Digest
from headway.core.signing import Checked, Trust, enveloped, judged, read_key, statement, written_key
from headway.errors import (
    BlobDamaged,
    BlobMissing,
    Conflict,
    ModelUntrusted,
    SignatureRefused,
    SystemRefused,
    UsageMistaken,
)
from headway.flows import registry
from headway.flows.registry import Sign
from headway.flows.store import materialize, tree_in
from headway.ports import Blobs, Log

_PRIVATE, _PUBLIC = "signing.key", "signing.pub"

ONNX = "(onnx)"
"""What a version's conversion is called among its files."""


class Keys(Struct, frozen=True, kw_only=True):
    """Whose signatures count: the user's own public key, if there is one, and those of headway.toml."""

    own: str = ""
    folder: str = ""
    trusted: tuple[str, ...] = ()
    is_required: bool = False


def keys(trust: Trust) -> Keys:
    """The keys there are. The private one is not read."""
    return Keys(own=_own(trust), folder=trust.folder, trusted=trust.keys, is_required=trust.is_required)


def make(trust: Trust) -> Keys:
    """Make the user's own key pair. Raises Conflict when there is one, ExtraMissing, SystemRefused."""
    private = os.path.join(trust.folder, _PRIVATE)
    pem = ed25519.new_key()
    public = written_key(ed25519.public_of(pem, at=private))
    try:
        os.makedirs(trust.folder, mode=0o700, exist_ok=True)
        # Made for its owner alone from its first byte on; never in place of another.
        for path, mode, data in ((private, 0o600, pem), (_public(trust), 0o644, f"{public}\n".encode())):
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_EXCL if path == private else os.O_TRUNC), mode)
            with open(fd, "wb") as file:
                file.write(data)
    except FileExistsError as e:
        raise Conflict(
            "there is a key already", at=private, remedy="use it, or move it away: what it signed stays signed by it"
        ) from e
    except OSError as e:
        raise SystemRefused(
            f"the key cannot be written: {e.strerror}", at=trust.folder, remedy="name another folder in HEADWAY_KEYS"
        ) from e
    return keys(trust)


def signer(trust: Trust, *, by: str) -> Sign | None:
    """What signs versions with the user's own key; None when there is none, or not what reckons signatures."""
    private = os.path.join(trust.folder, _PRIVATE) if trust.folder else ""
    pem = _read(private) if private else b""
    if not pem:
        return None

    def sign(made: ModelRegistered) -> ModelSigned:
        public = written_key(ed25519.public_of(pem, at=private))
        signature = ed25519.sign(pem, enveloped(statement(made)), at=private)
        return ModelSigned(
            model=made.model, version=made.version, key=public, signature=model_export.text_of(signature), by=by
        )

    return sign


def sign(log: Log, text: str, trust: Trust, *, now: float, by: str) -> ModelSigned | None:
    """Vouch for a version that is registered; None when the user's key did before.

    Raises UsageMistaken without a key, NameUnknown, ExtraMissing.
    """
    model, made = registry.named(log, text)
    with_own = signer(trust, by=by)
    if with_own is None:
        raise UsageMistaken(
            "you have no key to sign with", at=trust.folder or "HEADWAY_KEYS", remedy="headway models keys --make"
        )
    return registry.sign(log, model.name, made.version, with_own, now=now)


def look(log: Log, blobs: Blobs, made: ModelRegistered, trust: Trust) -> tuple[Checked, ...]:
    """All signatures of a version, and of what it came from, each looked at. Raises ExtraMissing."""
    found = checked(made, registry.read(log, made.model).signatures_of(made.version), trust)
    if made.origin is not None:
        with suppress(BlobMissing):
            origin = model_export.read_manifest(blobs.get(made.origin), at=f"{made.model}@{made.version}")
            # Of other content it would say nothing of this one.
            if origin.version.artifact.digest == made.artifact.digest:
                found += checked(origin.version, origin.signatures, trust)
    return found


def checked(made: ModelRegistered, signatures: Iterable[ModelSigned], trust: Trust) -> tuple[Checked, ...]:
    """These signatures, each looked at as one of this version. Raises ExtraMissing."""
    known = {key for key in (*trust.keys, _own(trust)) if key}
    return tuple(_checked(made, one, known) for one in signatures)


def see(log: Log, blobs: Blobs, made: ModelRegistered, trust: Trust) -> str:
    """Look at a version before it is loaded; what is to be said of its signatures.

    Where none is asked for and there is none, nothing is read but the log. Raises SignatureRefused, ModelUntrusted (it
    was imported, would run code, and nobody here vouched for it), ExtraMissing (nothing reckons the signatures there
    are).
    """
    name = f"{made.model}@{made.version}"
    if made.origin is not None and not registry.made_here(log, made.artifact.digest) and _runs_code(blobs, made):
        raise ModelUntrusted(
            f"{name} came from another project and would run code when it is loaded",
            at=f"model: {name}",
            remedy=f"if you trust where it came from, import it again with --trust {made.artifact.digest[:12]}",
        )
    is_signed = bool(registry.read(log, made.model).signatures_of(made.version)) or made.origin is not None
    found = look(log, blobs, made, trust) if is_signed else ()
    return judged(name, found, trust)


# --- verifying --------------------------------------------------------------------------------------------------


class FileFault(Struct, frozen=True, kw_only=True):
    """A file of a version that does not hold what its digest says; `where` is the store, or a copy that may serve."""

    path: str
    digest: Digest
    what: str
    where: str = "the store"


class Verified(Struct, frozen=True, kw_only=True):
    """What was seen of a version: its files, and its signatures. `trouble` is why it should not be used."""

    version: str
    n_files: int
    faults: tuple[FileFault, ...] = ()
    signatures: tuple[Checked, ...] = ()
    said: str = ""
    trouble: str = ""

    @property
    def is_right(self) -> bool:
        """Whether nothing speaks against using it."""
        return not self.faults and not self.trouble


def verify(log: Log, blobs: Blobs, made: ModelRegistered, trust: Trust, *, copies: str = "") -> Verified:
    """Read a version whole: each file against its digest, in the store and where it was laid out to be served.

    `copies` is the folder of such copies. Raises ExtraMissing where there are signatures and nothing reckons them.
    """
    name = f"{made.model}@{made.version}"
    files, faults = _files(blobs, made)
    onnx = registry.read(log, made.model).conversion(made.version)
    if onnx is not None and onnx.digest is not None:
        files[ONNX] = onnx.digest
    bad = dict(blobs.check(sorted({*files.values()})))
    faults += [FileFault(path=p, digest=d, what=bad[d]) for p, d in files.items() if d in bad]
    if copies:
        faults += _copies(files, os.path.join(copies, made.artifact.digest[:32]))
    found = look(log, blobs, made, trust)
    said, trouble = "", ""
    try:
        said = judged(name, found, trust)
    except SignatureRefused as e:
        trouble = e.problem
    return Verified(
        version=name, n_files=len(files), faults=tuple(faults), signatures=found, said=said, trouble=trouble
    )


def _files(blobs: Blobs, made: ModelRegistered) -> tuple[dict[str, Digest], list[FileFault]]:
    """The files of a version by path, those of its record too; what is wrong with the list of a folder."""
    artifact, name = made.artifact, os.path.basename(made.artifact.path)
    records = {
        "verdict": made.verdict, "packages": made.place.packages, "origin": made.origin, "answers": made.answers,
    }  # fmt: skip
    files = {f"({what})": digest for what, digest in records.items() if digest is not None}
    if artifact.kind == "file":
        return {name: artifact.digest, **files}, []
    try:
        entries = tree_in(blobs, artifact.digest).files
    except (BlobMissing, BlobDamaged) as e:
        return files, [FileFault(path=f"{name}/", digest=artifact.digest, what=e.code.removeprefix("blob-"))]
    return {**{f"{name}/{one.path}": one.digest for one in entries}, **files}, []


def _copies(files: dict[str, Digest], folder: str) -> list[FileFault]:
    from blake3 import blake3

    found = []
    for path, digest in files.items():
        here = os.path.join(folder, path)
        if os.path.isfile(here) and blake3().update_mmap(here).hexdigest() != digest:
            found.append(FileFault(path=path, digest=digest, what="damaged", where=here))
    return found


# --- within -----------------------------------------------------------------------------------------------------


def _runs_code(blobs: Blobs, made: ModelRegistered) -> bool:
    """Whether loading a version runs what stands in it: of some formats its own content says that."""
    from tempfile import TemporaryDirectory

    if not formats.runs_code(made.format):
        return False
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, os.path.basename(made.artifact.path))
        materialize(blobs, made.artifact, path)
        return formats.runs_code(made.format, path)


def _checked(made: ModelRegistered, one: ModelSigned, known: set[str]) -> Checked:
    public, signature = read_key(one.key), model_export.bytes_of(one.signature)
    right = public is not None and ed25519.is_right(public, signature, enveloped(statement(made)))
    return Checked(key=one.key, is_right=right, is_trusted=one.key in known, by=one.by)


def _public(trust: Trust) -> str:
    return os.path.join(trust.folder, _PUBLIC)


def _own(trust: Trust) -> str:
    text = _read(_public(trust)).decode("ascii", "replace").strip() if trust.folder else ""
    return text if read_key(text) is not None else ""


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(1 << 16)
    except (FileNotFoundError, NotADirectoryError):
        # A home that is no folder holds no key either.
        return b""
    except OSError as e:
        raise SystemRefused(f"the key cannot be read: {e.strerror}", at=path, remedy="see whose file it is") from e
