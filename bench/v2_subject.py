"""A server of the Open Inference Protocol over REST, asked anything at all; only the standard library is used.

Neighbour: `v2_points` has what is asked of it, point by point. Does not know which server it is.
"""

from __future__ import annotations

import http.client
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEAD_LENGTH = "inference-header-content-length"
FORMS = {"INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I"}
FORMS |= {"UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d", "BOOL": "?"}


class Wrong(Exception):
    """A point that does not hold; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; `told` is its JSON, None when it is none."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    # Any: JSON.
    told: Any


@dataclass(slots=True, kw_only=True)
class Subject:
    """A server and its model of one matrix, `width` numbers a row; `outputs` as the server calls them.

    `exchanges` collects method, path and reply of all that was asked: others may look at them, too.
    """

    port: int
    model: str
    version: str
    width: int
    outputs: tuple[str, ...] = ("label",)
    input: str = "input"
    timeout_s: float = 5.0
    exchanges: list[tuple[str, str, Reply]] = field(default_factory=list)

    @property
    def base(self) -> str:
        """The path of the model."""
        return f"/v2/models/{self.model}"

    @property
    def row(self) -> list[int]:
        """A row of whole numbers, which every datatype can hold."""
        return [1, 0] * (self.width // 2) + [1] * (self.width % 2)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = {}) -> Reply:
        """One request, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, body or None, dict(headers))
            reply = read(connection)
        finally:
            connection.close()
        self.exchanges.append((method, path, reply))
        return reply

    # Any: members of a request.
    def tensor(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
        """Two rows of the input, changed as told; None takes a member out."""
        made = {"name": self.input, "shape": [2, self.width], "datatype": "FP64", "data": self.row * 2, **changes}
        return {name: value for name, value in made.items() if value is not None}

    def infer(self, tensor: object, path: str = "", **more: object) -> Reply:
        """An inference request in JSON."""
        return self.ask("POST", path or f"{self.base}/infer", json.dumps({"inputs": [tensor], **more}).encode())

    def binary(self, request: Mapping[str, object], *chunks: bytes) -> Reply:
        """An inference request with tensors behind its JSON."""
        head = json.dumps(request).encode()
        sent = {HEAD_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
        return self.ask("POST", f"{self.base}/infer", head + b"".join(chunks), sent)

    def sized(self, raw: bytes, **changes: object) -> dict[str, Any]:
        """The input when its values stand behind the JSON."""
        return self.tensor(data=None, parameters={"binary_data_size": len(raw)}, **changes)

    def raw(self, form: str = "d") -> bytes:
        """Two rows as little-endian numbers."""
        return struct.pack(f"<{2 * self.width}{form}", *self.row * 2)


def read(connection: http.client.HTTPConnection) -> Reply:
    """The answer on a connection; no answer at all is a fault of the server, too."""
    try:
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as e:
        raise Wrong(f"no answer: {e!r}") from e
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        told = json.loads(body[: int(headers.get(HEAD_LENGTH, len(body)))])
    except ValueError:
        told = None
    return Reply(status=response.status, headers=headers, body=body, told=told)


def expect(is_so: object, said: object) -> None:
    """Raise what was said instead, when something is not so."""
    if not is_so:
        raise Wrong(str(said))


def good(reply: Reply) -> Any:  # noqa: ANN401 (JSON)
    """The JSON of a good answer."""
    expect(reply.status == 200 and reply.told is not None, f"{reply.status} {reply.body[:100]!r}")
    return reply.told


def refused(reply: Reply, *statuses: int, names: str = "") -> None:
    """Hold an answer to be one of these statuses with `{"error": string}`."""
    said = f"{reply.status} {reply.body[:100]!r}, not {' or '.join(map(str, statuses))} with an error"
    expect(reply.status in statuses and isinstance(reply.told, dict), said)
    error = reply.told.get("error")
    expect(isinstance(error, str) and names in error, said + (f" that names {names}" if names else ""))


def outputs(reply: Reply) -> dict[str, Any]:
    """The outputs of a good answer by name, in its order."""
    return {one["name"]: one for one in good(reply)["outputs"]}


def close(one: Any, other: Any) -> bool:  # noqa: ANN401 (JSON)
    """Whether two outputs have the same values, but for the last bits of a number."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < 1e-3
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(close(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)


def same(reply: Reply, reference: Mapping[str, Any]) -> None:
    """Hold an answer to have the values of `reference`."""
    found = outputs(reply)
    expect(found.keys() == reference.keys(), f"outputs {list(found)}")
    for name, output in reference.items():
        expect(close(found[name].get("data"), output["data"]), f"{name} is {found[name].get('data')}")


def tails(reply: Reply) -> dict[str, bytes]:
    """The bytes of the outputs that came in the binary form, which must be all that stands behind the JSON."""
    expect(HEAD_LENGTH in reply.headers, "the answer is not in the binary form")
    left = reply.body[int(reply.headers[HEAD_LENGTH]) :]
    found = {}
    for name, output in outputs(reply).items():
        size = output.get("parameters", {}).get("binary_data_size")
        if size is not None:
            expect("data" not in output, f"{name} has both data and bytes")
            found[name], left = left[:size], left[size:]
    expect(not left, f"{len(left)} bytes belong to no output")
    return found
