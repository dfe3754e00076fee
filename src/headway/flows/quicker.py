"""A version as it is served: under the signature it was registered with, by its conversion where one was proven.

Neighbour: `convert` makes conversions; `rollout` and `serve` lay versions out.
"""

import os
from contextlib import suppress

import msgspec

from headway.core.facts import Conversion, ModelRegistered
from headway.core.ids import Digest
from headway.core.signing import Trust
from headway.errors import BlobDamaged, BlobMissing
from headway.flows import registry
from headway.ports import Blobs, Log, Serving


def conversion(log: Log, made: ModelRegistered, trust: Trust) -> Conversion | None:
    """The proven conversion by which a version is served; None where the version itself is.

    Where signatures are asked for, only one that was made with the version counts: the signature is of that alone.
    """
    onnx = made.onnx if trust.is_required else registry.read(log, made.model).conversion(made.version)
    return onnx if onnx is not None and onnx.digest is not None else None


def as_served(serving: Serving, log: Log, blobs: Blobs, models: str, made: ModelRegistered, trust: Trust) -> Serving:
    """The same with the version's signature, and its conversion laid out below `models` where it has one.

    A conversion that the store has lost is done without: the version itself serves then.
    """
    found = msgspec.structs.replace(serving, signature=made.signature)
    onnx = conversion(log, made, trust)
    if onnx is None or onnx.digest is None:
        return found
    with suppress(BlobMissing, BlobDamaged):
        path = _laid_out(blobs, models, onnx.digest)
        return msgspec.structs.replace(found, onnx=path, onnx_digest=onnx.digest)
    return found


def _laid_out(blobs: Blobs, models: str, digest: Digest) -> str:
    """The path of the graph, named by its content."""
    folder = os.path.join(models, digest[:32])
    path = os.path.join(folder, "model.onnx")
    if not os.path.exists(path):
        data = blobs.get(digest)
        os.makedirs(folder, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "wb") as file:
            file.write(data)
        os.replace(f"{path}.{os.getpid()}", path)
    return path
