"""The points of the Open Inference Protocol over REST, R1 to R23, walked against any server that speaks it.

`walk(subject)` gives for each point what is wrong, and nothing where all is well. The tests hold headway to each point,
`bench/serving.py` counts those of the peers. Only the standard library is used. The model takes one matrix of numbers.
Sources: the specification of the protocol (`inference_rest.md`), Triton's extensions for binary tensors, the repository
and statistics, and what its clients were seen to send.
"""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from v2_subject import (
    FORMS,
    HEAD_LENGTH,
    Reply,
    Subject,
    Wrong,
    close,
    expect,
    good,
    outputs,
    read,
    refused,
    same,
    tails,
)

# --- addresses ---------------------------------------------------------------------------------------------------


def r1(s: Subject) -> None:
    """It is live."""
    expect(good(s.ask("GET", "/v2/health/live")).get("live") is True, "no live")


def r2(s: Subject) -> None:
    """It is ready, in the words of the specification and of KServe's client."""
    told = good(s.ask("GET", "/v2/health/ready"))
    expect(told.get("live") is True and told.get("ready") is True, f"{told}")


def r3(s: Subject) -> None:
    """The model is ready, and another is unknown."""
    for path in (s.base, f"{s.base}/versions/{s.version}"):
        told = good(s.ask("GET", f"{path}/ready"))
        expect(told.get("name") == s.model and told.get("ready") is True, f"{told}")
    for path in ("/v2/models/no-such", f"{s.base}/versions/no-such"):
        refused(s.ask("GET", f"{path}/ready"), 404)


def r4(s: Subject) -> None:
    """The server tells of itself under both addresses, and serves the extensions that it lists."""
    for path in ("/v2", "/v2/"):
        told = good(s.ask("GET", path))
        expect(bool(told.get("name")) and bool(told.get("version")), f"{told}")
        extensions = told.get("extensions")
        expect(isinstance(extensions, list), f"extensions are {extensions}")
    if "binary_tensor_data" in extensions:
        same(s.binary({"inputs": [s.sized(s.raw())]}, s.raw()), outputs(s.infer(s.tensor())))
    if "model_repository" in extensions:
        good(s.ask("POST", "/v2/repository/index"))
    if "statistics" in extensions:
        good(s.ask("GET", f"{s.base}/stats"))


def r5(s: Subject) -> None:
    """Metadata have names, datatypes and shapes."""
    for path in (s.base, f"{s.base}/versions/{s.version}"):
        told = good(s.ask("GET", path))
        expect(told.get("name") == s.model and bool(told.get("platform")), f"{told}")
        expect(s.version in (told.get("versions") or []), f"versions are {told.get('versions')}")
        for side in ("inputs", "outputs"):
            expect(bool(told.get(side)), f"{side} are {told.get(side)}")
            for one in told[side]:
                expect({"name", "datatype", "shape"} <= one.keys(), f"{one}")
        expect([one["shape"] for one in told["inputs"]] == [[-1, s.width]], f"inputs are {told['inputs']}")
    for path in ("/v2/models/no-such", f"{s.base}/versions/no-such"):
        refused(s.ask("GET", path), 404)


def r6(s: Subject) -> None:
    """Both addresses infer, an unknown version does not."""
    reference = outputs(s.infer(s.tensor()))
    same(s.infer(s.tensor(), path=f"{s.base}/versions/{s.version}/infer"), reference)
    for path in ("/v2/models/no-such", f"{s.base}/versions/no-such"):
        refused(s.infer(s.tensor(), path=f"{path}/infer"), 404)


def r19(s: Subject) -> None:
    """A wrong method and an unknown path are told by `error`."""
    refused(s.ask("GET", f"{s.base}/infer"), 405)
    refused(s.ask("POST", s.base), 405)
    for path in ("/v2/no-such", f"{s.base}/no-such", "/no-such"):
        refused(s.ask("GET", path), 404)


# --- what is right -----------------------------------------------------------------------------------------------


def r7(s: Subject) -> None:
    """An id comes back unchanged; none, or one that was made, when none was sent."""
    for name in ("a-1", "Ünï \n", "x" * 300):
        expect(good(s.infer(s.tensor(), id=name)).get("id") == name, f"the id {name[:9]!r} did not come back")
    expect(isinstance(good(s.infer(s.tensor())).get("id", ""), str), "an id that is no text")


def r8(s: Subject) -> None:
    """Flat and nested data are the same."""
    same(s.infer(s.tensor(data=[s.row, s.row])), outputs(s.infer(s.tensor())))


def r11(s: Subject) -> None:
    """Every datatype of numbers is taken, in JSON and in bytes; BF16 in bytes only."""
    reference = outputs(s.infer(s.tensor()))
    for name, form in FORMS.items():
        values: list[Any] = [bool(value) for value in s.row * 2] if name == "BOOL" else s.row * 2
        plain = s.infer(s.tensor(datatype=name, data=values))
        if name == "FP16" and plain.status == 400:
            refused(plain, 400, names="binary")
        else:
            same(plain, reference)
        same(s.binary({"inputs": [s.sized(s.raw(form), datatype=name)]}, s.raw(form)), reference)
    half = b"".join(struct.pack("<f", value)[2:] for value in s.row * 2)
    same(s.binary({"inputs": [s.sized(half, datatype="BF16")]}, half), reference)
    refused(s.infer(s.tensor(datatype="BF16")), 400)


def r13(s: Subject) -> None:
    """Outputs are chosen, and ordered; an unknown one is told."""
    for names in (s.outputs, s.outputs[::-1], s.outputs[-1:]):
        found = outputs(s.infer(s.tensor(), outputs=[{"name": name} for name in names]))
        expect(tuple(found) == names, f"{list(found)} for {names}")
    refused(s.infer(s.tensor(), outputs=[{"name": "no-such"}]), 400)


def r14(s: Subject) -> None:
    """The answer is whole, and its shapes hold its values; a label for a row is a vector."""
    told = good(s.infer(s.tensor()))
    expect(told.get("model_name") == s.model and told.get("model_version") == s.version, f"{told}")
    for output in told["outputs"]:
        n = 1
        for size in output["shape"]:
            n *= size
        expect(n == len(output["data"]), f"{output['name']} has {len(output['data'])} values for {output['shape']}")
    expect(told["outputs"][0]["shape"] == [2], f"the labels' shape is {told['outputs'][0]['shape']}")


def r15(s: Subject) -> None:
    """The Content-Type of JSON does not matter."""
    body = json.dumps({"inputs": [s.tensor()]}).encode()
    for kind in (None, "application/json", "application/octet-stream", "text/plain"):
        good(s.ask("POST", f"{s.base}/infer", body, {"Content-Type": kind} if kind else {}))


def r16(s: Subject) -> None:
    """Tensors go both ways in the binary form, and an output's own flag wins over the request's."""
    reference = outputs(s.infer(s.tensor()))
    request: dict[str, Any] = {"inputs": [s.sized(s.raw())], "parameters": {"binary_data_output": True}}
    same(s.binary({"inputs": request["inputs"]}, s.raw()), reference)
    every = s.binary(request, s.raw())
    for name, raw in tails(every).items():
        kind = outputs(every)[name]["datatype"]
        form = f"<{len(reference[name]['data'])}{FORMS[kind]}"
        expect(len(raw) == struct.calcsize(form), f"{name} has {len(raw)} bytes")
        expect(close(list(struct.unpack(form, raw)), reference[name]["data"]), f"{name} differs in the binary form")
    expect(tails(every).keys() == reference.keys(), "not all outputs are in the binary form")
    first, rest = s.outputs[0], s.outputs[1:]
    wanted = [{"name": first, "parameters": {"binary_data": False}}, *({"name": name} for name in rest)]
    one = s.binary({**request, "outputs": wanted}, s.raw())
    expect("data" in outputs(one)[first], f"the flag of {first} is not heeded")
    if rest:
        expect(tails(one).keys() == {*rest}, "the flag of the request is not heeded")
    wanted = [{"name": first, "parameters": {"binary_data": True}}]
    expect(tails(s.infer(s.tensor(), outputs=wanted)).keys() == {first}, f"the flag of {first} is not heeded")


def r17(s: Subject) -> None:
    """A body of nothing but values is the one input."""
    headers = {HEAD_LENGTH: "0", "Content-Type": "application/octet-stream"}
    good(s.ask("POST", f"{s.base}/infer", s.raw(), headers))
    refused(s.ask("POST", f"{s.base}/infer", s.raw()[:-1], headers), 400)


# --- what is wrong -----------------------------------------------------------------------------------------------


def r9(s: Subject) -> None:
    """A shape that does not hold the values is told."""
    for shape in ([3, s.width], [1, s.width], [10**9, 10**9], [-2, -s.width]):
        refused(s.infer(s.tensor(shape=shape)), 400)


def r10(s: Subject) -> None:
    """A shape that the model does not take is told, with the tensor and both shapes."""
    width = s.width + 1
    for shape, n in (([2, width], 2 * width), ([2 * s.width], 2 * s.width), ([1, 2, s.width], 2 * s.width)):
        wrong = s.infer(s.tensor(shape=shape, data=[1.0] * n))
        refused(wrong, 400, names=s.input)
        expect(str(shape) in wrong.told["error"], f"{wrong.told['error']!r} does not tell {shape}")


def r12(s: Subject) -> None:
    """What is no request is told by 400."""
    for member in ("name", "shape", "datatype", "data"):
        refused(s.infer(s.tensor(**{member: None})), 400)
    refused(s.infer(s.tensor(datatype="FP128")), 400)
    refused(s.infer(s.tensor(data=["a"] * 2 * s.width)), 400)
    refused(s.infer(s.tensor(data=[0.5] * 2 * s.width, datatype="INT64")), 400)
    refused(s.infer(s.tensor(data=[300] * 2 * s.width, datatype="INT8")), 400)
    for body in (b"", b"{", b"[]", b"{}", b'{"inputs": 1}', b'{"inputs": []}', b"\xff\xfe", b"[" * 50_000):
        refused(s.ask("POST", f"{s.base}/infer", body), 400)


def r18(s: Subject) -> None:
    """Sizes that do not fit the body are told."""
    raw = s.raw()
    for size, sent in (
        (len(raw), raw[:-1]),
        (len(raw) - 1, raw[:-1]),
        (len(raw), raw + b"\0"),
        (10**12, raw),
        (-8, b""),
    ):
        tensor = s.tensor(data=None, parameters={"binary_data_size": size})
        refused(s.binary({"inputs": [tensor]}, sent), 400)
    for length in ("-1", "x", "999999"):
        refused(s.ask("POST", f"{s.base}/infer", b'{"inputs":[]}', {HEAD_LENGTH: length}), 400)


def r20(s: Subject) -> None:
    """NaN is no JSON: told with the way out; in bytes it is for the model to judge."""
    body = json.dumps({"inputs": [s.tensor(data=[float("nan")] * 2 * s.width)]}).encode()
    refused(s.ask("POST", f"{s.base}/infer", body), 400, names="binary")
    raw = struct.pack(f"<{2 * s.width}d", *[float("nan")] * 2 * s.width)
    reply = s.binary({"inputs": [s.sized(raw)]}, raw)
    if reply.status == 200:
        json.loads(reply.body, parse_constant=_no_constant)
    else:
        refused(reply, 400)


def _no_constant(name: str) -> None:
    raise Wrong(f"{name} in an answer, which is no JSON")


# --- bodies, repository, statistics ------------------------------------------------------------------------------


def r21(s: Subject) -> None:
    """Bodies come packed and in chunks; one that is too large is refused before it came."""
    body = json.dumps({"inputs": [s.tensor()]}).encode()
    reference = outputs(s.infer(s.tensor()))
    for word, sent in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        same(s.ask("POST", f"{s.base}/infer", sent, {"Content-Encoding": word}), reference)
        refused(s.ask("POST", f"{s.base}/infer", b"no " + sent, {"Content-Encoding": word}), 400)
    long = json.dumps({"inputs": [s.tensor(shape=[3000, s.width], data=s.row * 3000)]}).encode()
    packed = s.ask("POST", f"{s.base}/infer", long, {"Accept-Encoding": "gzip"})
    expect(packed.headers.get("content-encoding") == "gzip", "a long answer is not packed")
    good_body = json.loads(gzip.decompress(packed.body))
    expect(good_body["outputs"][0]["shape"] == [3000], "a packed answer is not whole")
    same(_chunked(s, body), reference)
    refused(_promised(s, 10**11), 413)


def _chunked(s: Subject, body: bytes) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=s.timeout_s)
    connection.request("POST", f"{s.base}/infer", iter([body[:7], body[7:]]), encode_chunked=True)
    reply = read(connection)
    connection.close()
    return reply


def _promised(s: Subject, size: int) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", s.port, timeout=s.timeout_s)
    connection.putrequest("POST", f"{s.base}/infer")
    connection.putheader("Content-Length", str(size))
    connection.endheaders(b"{")
    reply = read(connection)
    connection.close()
    return reply


def r22(s: Subject) -> None:
    """The repository tells its models, whatever the body; an unknown one cannot be loaded."""
    for body in (b"", b"{}", b'{"ready": true}'):
        told = good(s.ask("POST", "/v2/repository/index", body))
        expect(any(one.get("name") == s.model and one.get("state") == "READY" for one in told), f"{told}")
    good(s.ask("POST", f"/v2/repository/models/{s.model}/load"))
    for word in ("load", "unload"):
        refused(s.ask("POST", f"/v2/repository/models/no-such/{word}"), 400, 404)
    good(s.infer(s.tensor()))


def r23(s: Subject) -> None:
    """Statistics count what was inferred."""

    def count() -> int:
        for path in (s.base, f"{s.base}/versions/{s.version}"):
            told = good(s.ask("GET", f"{path}/stats"))["model_stats"][0]
            expect(told.get("name") == s.model and told.get("version") == s.version, f"{told}")
        return int(told["inference_count"])

    before = count()
    good(s.infer(s.tensor()))
    expect(count() >= before + 1, "an inference was not counted")
    refused(s.ask("GET", "/v2/models/no-such/stats"), 404)


Point = Callable[[Subject], None]
_FOUND = (r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15, r16, r17, r18, r19, r20, r21, r22, r23)
POINTS: dict[str, Point] = {point.__name__.upper(): point for point in _FOUND}


def walk(subject: Subject) -> Iterator[tuple[str, str]]:
    """Each point and what is wrong with it; empty when nothing is."""
    for name, point in POINTS.items():
        try:
            point(subject)
        except Wrong as e:
            yield name, str(e)
        except (OSError, KeyError, IndexError, TypeError, ValueError, AttributeError, http.client.HTTPException) as e:
            # A server may answer with anything: what cannot be read as the protocol's is wrong, too.
            yield name, f"{type(e).__name__}: {e}"
        else:
            yield name, ""


def main(port: str, model: str, version: str, width: str, *outputs: str) -> int:
    """Print what is wrong with a server at a port of this machine; 1 when something is."""
    with socket.create_connection(("127.0.0.1", int(port)), timeout=5):
        pass
    subject = Subject(port=int(port), model=model, version=version, width=int(width), outputs=outputs or ("label",))
    wrong = {name: said for name, said in walk(subject) if said}
    for name, said in wrong.items():
        print(f"{name} {POINTS[name].__doc__} WRONG: {said}")
    print(f"{len(POINTS) - len(wrong)} of {len(POINTS)} points hold")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
