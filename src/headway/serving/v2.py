"""The Open Inference Protocol (V2) over REST: its addresses, what they tell of the model, and how answers are written.

    GET  /v2, /v2/                                        the server and its extensions
    GET  /v2/models/{m}[/versions/{v}]                    names, kinds and shapes of inputs and outputs
    GET  /v2/models/{m}[/versions/{v}]/ready, …/stats
    POST /v2/models/{m}[/versions/{v}]/infer              see `v2_request`
    POST /v2/repository/index, /v2/repository/models/{m}/load, …/unload

Binary tensors go both ways. One process has one version of one model: others are unknown to it, and what serves is
changed by a release, not by `load` and `unload`. Does not know HTTP's transport nor how the model is asked.
"""

from typing import Any

import msgspec
from msgspec import Struct

import headway
from headway.core.prediction import Prediction
from headway.core.signature import LABEL, PROBABILITIES, Field, Signature
from headway.serving.about import About
from headway.serving.protocol import Refusal
from headway.serving.v2_request import UNTOLD, Asked
from headway.serving.v2_tensors import BY_LETTER, datatype_of, to_bytes, to_values

EXTENSIONS = ("binary_tensor_data", "model_repository", "statistics")

HEAD_LENGTH = b"inference-header-content-length"
"""The header that says how much of a body is JSON; what follows are binary tensors."""


class Size(Struct, frozen=True, kw_only=True):
    """The parameters of an output in the binary form."""

    binary_data_size: int


# Any: numbers, truth values or texts.
class Output(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tensor of an answer."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: Size | None = None


class Answer(Struct, frozen=True, kw_only=True):
    """The JSON of an answer to an inference request."""

    model_name: str
    model_version: str
    id: str
    outputs: list[Output]


_encoder = msgspec.json.Encoder(enc_hook=str)


class Addresses:
    """The paths of one model version: `documents` are fixed answers to GET, `infer` the paths that take requests."""

    __slots__ = ("_about", "_bases", "documents", "infer", "load", "ready", "stats", "unload")

    def __init__(self, about: About, signature: Signature) -> None:
        base = f"/v2/models/{about.model}"
        self._about = about
        self._bases = (base, f"{base}/versions/{about.version}")
        server = _encoder.encode({"name": "headway", "version": headway.__version__, "extensions": EXTENSIONS})
        told = _encoder.encode(metadata(about, signature))
        self.documents = {"/v2": server, "/v2/": server, **dict.fromkeys(self._bases, told)}
        self.ready, self.infer, self.stats = (
            tuple(f"{path}/{word}" for path in self._bases) for word in ("ready", "infer", "stats")
        )
        self.load, self.unload = (f"/v2/repository/models/{about.model}/{word}" for word in ("load", "unload"))

    def index(self) -> bytes:
        """The models there are, as the repository extension lists them."""
        about = self._about
        return _encoder.encode(
            [{"name": about.model, "version": str(about.version), "state": "READY", "reason": ""}],
        )

    def model_ready(self) -> bytes:
        """That the model is ready."""
        return _encoder.encode({"name": self._about.model, "version": str(self._about.version), "ready": True})

    def lost(self, path: str) -> Refusal:
        """Why there is nothing at a path under /v2."""
        about = self._about
        parts = path.split("/")
        if path.startswith("/v2/repository/models/") and len(parts) == 6 and parts[5] in ("load", "unload"):
            return Refusal(status=404, error=f"there is no model {parts[4]!r} here; {about.name} is served")
        if not path.startswith("/v2/models/"):
            return Refusal(status=404, error=f"there is nothing at {path}")
        if parts[3] != about.model:
            return Refusal(status=404, error=f"there is no model {parts[3]!r} here; {about.name} is served")
        if len(parts) > 5 and parts[4] == "versions" and parts[5] != str(about.version):
            return Refusal(status=404, error=f"there is no version {parts[5]!r} of {about.model} here; {about.name} is")
        return Refusal(status=404, error=f"there is nothing at {path}; a model has ready, infer and stats")


# Any: a JSON object.
def metadata(about: About, signature: Signature) -> dict[str, Any]:
    """What the protocol's model metadata says. A number of unknown kind is told as `UNTOLD`."""
    told: dict[str, Any] = {
        "name": about.model,
        "versions": [str(about.version)],
        "platform": about.format,
        "inputs": [_field(field) for field in signature.inputs],
        "outputs": [_field(field) for field in outputs_of(signature)],
        "parameters": {"digest": about.digest},
    }
    if signature.classes:
        told["parameters"]["classes"] = list(signature.classes)
    return told


def outputs_of(signature: Signature) -> tuple[Field, ...]:
    """The outputs that can be asked for: every model gives labels."""
    return signature.outputs or (Field(name=LABEL),)


# Any: as above.
def _field(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": field.kind or UNTOLD, "shape": field.shape}


def write(asked: Asked, prediction: Prediction, about: About, request_id: str) -> tuple[bytes, int | None]:
    """The body of an answer, and how much of it is JSON: None when all of it is."""
    outputs, tail = [], []
    for name, is_binary in asked.outputs:
        array = prediction.probabilities if name == PROBABILITIES else prediction.labels
        if array is None:
            continue
        datatype = BY_LETTER.get(array.dtype.char) or datatype_of(array)
        shape = list(array.shape)
        if is_binary:
            tail.append(to_bytes(array, datatype))
            size = Size(binary_data_size=len(tail[-1]))
            outputs.append(Output(name=name, datatype=datatype, shape=shape, parameters=size))
        else:
            values = array.tolist() if len(shape) == 1 and datatype != "BYTES" else to_values(array, datatype)
            outputs.append(Output(name=name, datatype=datatype, shape=shape, data=values))
    head = _encoder.encode(
        Answer(
            model_name=about.model,
            model_version=str(about.version),
            id=request_id if asked.id is None else asked.id,
            outputs=outputs,
        )
    )
    return (b"".join((head, *tail)), len(head)) if tail else (head, None)
