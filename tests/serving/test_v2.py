"""The Open Inference Protocol over REST, point by point, against a server that runs. R1 and so on: docs/serving.md."""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.signature import DTYPES, Field, Kind, Signature
from headway.serving.limits import Limits
from served import KINDS, Made, OfArrays, Reply, Served, echo, mixed, served, sums

INFER = "/v2/models/m/infer"
ROWS = [[0.25, 2, 3], [0.5, 5, 6]]
NAN = float("nan")


@pytest.fixture(scope="module")
def matrix() -> Iterator[Served]:
    with served(sums()) as running:
        yield running


@pytest.fixture(scope="module")
def columns() -> Iterator[Served]:
    with served(mixed()) as running:
        yield running


def tensor(**other: object) -> dict[str, object]:
    """An input of two rows of three numbers, changed as told; None takes a member out."""
    made = {"name": "input", "shape": [2, 3], "datatype": "FP64", "data": ROWS, **other}
    return {name: value for name, value in made.items() if value is not None}


def infer(server: Served, *inputs: object, path: str = INFER, **more: object) -> Reply:
    return server.post(path, {"inputs": inputs, **more})


def binary(server: Served, request: Mapping[str, object], *chunks: bytes, path: str = INFER) -> Reply:
    head = json.dumps(request).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return server.ask("POST", path, head + b"".join(chunks), headers)


def unpacked(reply: Reply) -> dict[str, Any]:
    """The outputs of an answer in the binary form: values, or bytes where they are binary."""
    assert reply.status == 200, reply.body
    length = int(reply.headers["inference-header-content-length"])
    head, tail = json.loads(reply.body[:length]), reply.body[length:]
    found: dict[str, Any] = {}
    for output in head["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        found[output["name"]] = output["data"] if size is None else tail[:size]
        tail = tail if size is None else tail[size:]
    assert tail == b""
    return found


# --- R1 to R6, R19: addresses -------------------------------------------------------------------------------------


def test_r1_r2_health_says_live_and_ready(matrix: Served) -> None:
    assert (matrix.get("/v2/health/live").status, matrix.get("/v2/health/live").json["live"]) == (200, True)
    assert matrix.get("/v2/health/ready").json == {"live": True, "ready": True}


def test_r2_a_version_that_ends_is_not_ready() -> None:
    with served(sums()) as running:
        running.app.is_draining = True
        reply = running.get("/v2/health/ready")
        assert (reply.status, reply.json) == (503, {"live": True, "ready": False})
        assert running.get("/v2/health/live").status == 200


@pytest.mark.parametrize("path", ["/v2/models/m/ready", "/v2/models/m/versions/2/ready"])
def test_r3_a_model_is_ready(matrix: Served, path: str) -> None:
    assert matrix.get(path).json == {"name": "m", "version": "2", "ready": True}


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_r4_the_server_tells_its_extensions(matrix: Served, path: str) -> None:
    told = matrix.get(path).json
    assert told["name"] == "headway"
    assert told["version"]
    assert told["extensions"] == ["binary_tensor_data", "model_repository", "statistics"]


@pytest.mark.parametrize("path", ["/v2/models/m", "/v2/models/m/versions/2"])
def test_r5_metadata_comes_from_the_signature(matrix: Served, columns: Served, path: str) -> None:
    told = matrix.get(path).json
    assert (told["name"], told["versions"], told["platform"]) == ("m", ["2"], "fake")
    assert told["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 3]}]
    assert told["outputs"] == [
        {"name": "label", "datatype": "FP64", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP64", "shape": [-1, 2]},
    ]
    assert told["parameters"]["classes"] == [0, 1]
    assert columns.get(path).json["inputs"] == [
        {"name": "a", "datatype": "INT64", "shape": [-1]},
        {"name": "b", "datatype": "BYTES", "shape": [-1]},
    ]


@pytest.mark.parametrize("tail", ["", "/ready", "/stats", "/infer"])
@pytest.mark.parametrize(
    ("base", "says"), [("/v2/models/x", "no model 'x'"), ("/v2/models/m/versions/9", "no version '9'")]
)
def test_r3_r5_r6_unknown_models_and_versions_are_404(matrix: Served, base: str, tail: str, says: str) -> None:
    reply = matrix.post(base + tail, {"inputs": [tensor()]}) if tail == "/infer" else matrix.get(base + tail)
    assert reply.status == 404
    assert says in reply.error
    assert "m@2" in reply.error


@pytest.mark.parametrize("path", [INFER, "/v2/models/m/versions/2/infer"])
def test_r6_r14_both_forms_answer_whole(matrix: Served, path: str) -> None:
    reply = infer(matrix, tensor(), path=path)
    assert reply.json["id"] == reply.headers["x-request-id"]
    assert reply.json["model_name"] == "m"
    assert reply.json["model_version"] == "2"
    assert reply.json["outputs"] == [
        {"name": "label", "datatype": "FP64", "shape": [2], "data": [5.25, 11.5]},
        {"name": "probabilities", "datatype": "FP64", "shape": [2, 2], "data": [0.25, 0.75, 0.5, 0.5]},
    ]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", INFER, 405),
        ("POST", "/v2/models/m", 405),
        ("DELETE", "/v2", 405),
        ("GET", "/v2/models/m/nothing", 404),
        ("GET", "/v2/nothing", 404),
        ("GET", "/v2/models/", 404),
        ("GET", "/v2/models/m/versions/", 404),
    ],
)
def test_r19_wrong_methods_and_paths_are_told(matrix: Served, method: str, path: str, status: int) -> None:
    reply = matrix.ask(method, path)
    assert reply.status == status
    assert reply.error
    assert ("allow" in reply.headers) == (status == 405)


# --- R7, R8, R11, R13: what is right ------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", ["a", "", "Ünï¢ode \n", "x" * 1000])
def test_r7_an_id_comes_back_unchanged(matrix: Served, id_: str) -> None:
    assert infer(matrix, tensor(), id=id_).json["id"] == id_


def test_r8_flat_and_nested_data_are_the_same(matrix: Served) -> None:
    flat = [value for row in ROWS for value in row]
    assert infer(matrix, tensor(data=flat)).json["outputs"] == infer(matrix, tensor()).json["outputs"]


def test_columns_go_in_tensors_of_their_own_in_any_order(columns: Served) -> None:
    a = {"name": "a", "shape": [2], "datatype": "INT64", "data": [1, 3]}
    b = {"name": "b", "shape": [2, 1], "datatype": "BYTES", "data": [["x"], ["yz"]]}
    for inputs in ([a, b], [b, a]):
        assert infer(columns, *inputs).json["outputs"] == [
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["x", "yzyzyz"]}
        ]


VALUES: dict[Kind, list[Any]] = {
    "BOOL": [True, False],
    "FP16": [1.5, -0.25],
    "FP32": [1.5, -(2.0**100)],
    "FP64": [0.1, -1e300],
    **{kind: [np.iinfo(DTYPES[kind]).min, np.iinfo(DTYPES[kind]).max] for kind in KINDS if "INT" in kind},
    "BYTES": ["", "grün\0\n"],
}


@pytest.mark.parametrize("kind", VALUES)
def test_r11_r16_each_datatype_round_trips_in_json_and_in_bytes(kind: Kind) -> None:
    values = VALUES[kind]
    values = [int(value) if "INT" in kind else value for value in values]
    if kind == "BYTES":
        raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in values)
    else:
        raw = np.array(values, dtype=DTYPES[kind]).astype(np.dtype(DTYPES[kind]).newbyteorder("<")).tobytes()
    spec: dict[str, Any] = {"name": "x", "shape": [2], "datatype": kind}
    with served(echo(kind)) as server:
        assert server.get("/v2/models/m").json["inputs"][0]["datatype"] == kind
        plain = infer(server, {**spec, "data": values})
        assert plain.json["outputs"] == [{"name": "label", "datatype": kind, "shape": [2], "data": values}]
        sized = {**spec, "parameters": {"binary_data_size": len(raw)}}
        assert binary(server, {"inputs": [sized]}, raw).json["outputs"] == plain.json["outputs"]
        request = {"inputs": [sized], "parameters": {"binary_data_output": True}}
        assert unpacked(binary(server, request, raw)) == {"label": raw}


def test_r11_bf16_comes_in_bytes_only(matrix: Served) -> None:
    raw = b"".join(struct.pack("<f", value)[2:] for row in ROWS for value in row)
    sized = tensor(datatype="BF16", data=None, parameters={"binary_data_size": len(raw)})
    assert binary(matrix, {"inputs": [sized]}, raw).json["outputs"][0]["data"] == [5.25, 11.5]
    reply = infer(matrix, tensor(datatype="BF16"))
    assert (reply.status, "binary" in reply.error) == (400, True)


def test_r13_outputs_are_chosen_and_ordered(matrix: Served) -> None:
    def named(*names: str) -> Reply:
        return infer(matrix, tensor(), outputs=[{"name": name} for name in names])

    for names in (["probabilities"], ["label"], ["probabilities", "label"]):
        assert [output["name"] for output in named(*names).json["outputs"]] == names
    assert len(infer(matrix, tensor(), outputs=[]).json["outputs"]) == 2
    assert named("lable").status == named("label", "label").status == 400
    assert "'lable': unknown; did you mean label?" in named("lable").error


# --- R9, R10, R12, R18: what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"shape": [2, 4], "data": [1, 2, 3, 4, 5, 6]}, "[2, 4] holds 8 values, and 6 were sent"),
        ({"shape": [10**12, 10**12], "data": [1.0]}, "and 1 were sent"),
        ({"shape": [-1, 3]}, "none that can be sent"),
        ({"shape": [1] * 70, "data": [1.0]}, "none that can be sent"),
        ({"shape": [3, 2], "data": [1, 2, 3, 4, 5, 6]}, "expected input FP64 [-1, 3], got [3, 2]"),
        ({"shape": [6], "data": [1, 2, 3, 4, 5, 6]}, "got [6]"),
        ({"shape": [1, 2, 3]}, "lists"),
        ({"shape": [1, 2, 3], "data": [1, 2, 3, 4, 5, 6]}, "got [1, 2, 3]"),
        ({"shape": [0, 3], "data": []}, "no row to predict"),
        ({"shape": [], "data": [1.0]}, "got []"),
        ({"shape": [], "data": [[1.0]]}, "begins with 1 lists"),
        ({"data": [[1, 2, 3], [4, 5]]}, "do not lie in one another"),
        ({"data": [[1, 2, 3], 4]}, "do not lie in one another"),
        ({"data": [[[[]]]]}, "begins with 1 lists"),
        ({"data": 5}, "no list"),
        ({"data": None}, "neither"),
        ({"data": ["a"] * 6}, "'a' is no FP64"),
        ({"data": [True] * 6}, "True is no FP64"),
        ({"datatype": "INT8", "data": [300] * 6}, "300 is no INT8: it goes from -128 to 127"),
        ({"datatype": "UINT64", "data": [-1] * 6}, "-1 is no UINT64"),
        ({"datatype": "INT64", "data": [1.5] * 6}, "1.5 is no INT64"),
        ({"datatype": "INT64", "data": [None] * 6}, "null is no INT64"),
        ({"datatype": "FP16", "data": [1e6] * 6}, "too large for FP16"),
        ({"datatype": "FP64", "data": [10**400] * 6}, ""),
        ({"datatype": "BOOL", "data": [1] * 6}, "1 is no BOOL"),
        ({"datatype": "BYTES", "data": ["x"] * 6}, "'input' is FP64, and BYTES was sent"),
        ({"datatype": "FP128"}, "no datatype 'FP128'"),
        ({"datatype": None}, "missing required field `datatype`"),
        ({"shape": None}, "missing required field `shape`"),
        ({"name": None}, "missing required field `name`"),
        ({"shape": ["2", 3]}, "Expected `int`"),
        ({"shape": "2"}, "Expected `array`"),
        ({"parameters": {"shared_memory_region": "x"}}, "shared memory"),
        ({"parameters": {"binary_data_size": 8}}, "both"),
        ({"data": None, "parameters": {"binary_data_size": 8}}, "0 bytes are left"),
        ({"data": None, "parameters": {"binary_data_size": -8}}, "negative"),
    ],
)
def test_r9_r10_r12_a_wrong_tensor_is_named_and_400(matrix: Served, changes: dict[str, object], says: str) -> None:
    reply = infer(matrix, tensor(**changes))
    assert reply.status == 400
    assert says in reply.error
    if "name" not in changes and "required" not in says and "Expected" not in says and says:
        assert "input 'input'" in reply.error


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([("a", "INT64", [1])], "input 'b': missing"),
        ([("a", "INT64", [1]), ("a", "INT64", [1])], "input 'b': missing"),
        ([("a", "INT64", [1]), ("b", "BYTES", ["x"]), ("c", "INT64", [1])], "input 'c': unknown"),
        ([("a", "INT64", [1]), ("b", "BYTES", ["x"]), ("a", "INT64", [1])], "input 'a': sent twice"),
        ([("a", "INT64", [1]), ("b", "BYTES", ["x", "y"])], "input 'b': has 2 rows, and 'a' has 1"),
        ([("a", "FP64", [1.5]), ("b", "BYTES", ["x"])], "'a' is INT64, and FP64 was sent"),
        ([("a", "INT64", [1]), ("b", "INT64", [1])], "'b' is BYTES, and INT64 was sent"),
        ([("a", "INT64", []), ("b", "BYTES", [])], "no row to predict"),
        ([], "there is no input"),
    ],
)
def test_r10_a_wrong_column_is_named(columns: Served, inputs: list[tuple[str, str, list[object]]], says: str) -> None:
    sent = [{"name": n, "datatype": d, "shape": [len(data)], "data": data} for n, d, data in inputs]
    reply = infer(columns, *sent)
    assert reply.status == 400
    assert says in reply.error


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, ""),
        (b'{"inputs": ' + b"[" * 100_000, ""),
        (b"[]", "Expected `object`"),
        (b"{}", "missing required field `inputs`"),
        (b'{"inputs": 1}', "Expected `array`"),
        (b'{"inputs": [], "id": 7}', "Expected `str | null`"),
        (b'{"inputs": [{"name": "input", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', "binary form"),
    ],
)
def test_r12_r20_a_body_that_is_no_request_is_400(matrix: Served, body: bytes, says: str) -> None:
    reply = matrix.ask("POST", INFER, body)
    assert reply.status == 400
    assert says in reply.error


# --- R15 to R18: binary --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [{}, {"Content-Type": "application/octet-stream"}, {"Content-Type": "text/plain"}])
def test_r15_any_content_type_will_do_for_json(matrix: Served, kind: dict[str, str]) -> None:
    body = json.dumps({"inputs": [tensor()]}).encode()
    assert matrix.ask("POST", INFER, body, kind).status == 200


def test_r16_an_outputs_own_flag_wins_over_the_requests(matrix: Served) -> None:
    outputs = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "probabilities"}]
    request = {"inputs": [tensor()], "outputs": outputs, "parameters": {"binary_data_output": True}}
    found = unpacked(matrix.post(INFER, request))
    assert found["label"] == [5.25, 11.5]
    assert np.frombuffer(found["probabilities"]).tolist() == [0.25, 0.75, 0.5, 0.5]
    outputs = [{"name": "probabilities", "parameters": {"binary_data": True}}, {"name": "label"}]
    reply = infer(matrix, tensor(), outputs=outputs)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert unpacked(reply)["label"] == [5.25, 11.5]


def test_r16_several_tensors_stand_in_the_body_in_their_order(columns: Served) -> None:
    a, b = struct.pack("<qq", 2, 1), b"\x02\0\0\0hi\x01\0\0\0!"
    inputs = [
        {"name": "b", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(b)}},
        {"name": "a", "shape": [2], "datatype": "INT64", "parameters": {"binary_data_size": len(a)}},
    ]
    assert binary(columns, {"inputs": inputs}, b, a).json["outputs"][0]["data"] == ["hihi", "!"]


def test_r17_a_body_of_values_only_is_the_one_input(matrix: Served, columns: Served) -> None:
    raw = np.array(ROWS).tobytes()
    reply = matrix.ask("POST", INFER, raw, {"Inference-Header-Content-Length": "0"})
    assert np.frombuffer(unpacked(reply)["label"]).tolist() == [5.25, 11.5]
    for server, body in ((columns, raw), (matrix, raw[:-1]), (matrix, b"")):
        assert server.ask("POST", INFER, body, {"Inference-Header-Content-Length": "0"}).status == 400


@pytest.mark.parametrize(
    ("size", "raw", "says"),
    [
        (48, b"\0" * 47, "47 bytes are left"),
        (47, b"\0" * 47, "takes 48 bytes, and 47 were sent"),
        (48, b"\0" * 49, "1 bytes of the body belong to no input"),
        (10**15, b"", "0 bytes are left"),
    ],
)
def test_r18_sizes_that_do_not_match_are_400(matrix: Served, size: int, raw: bytes, says: str) -> None:
    reply = binary(matrix, {"inputs": [tensor(data=None, parameters={"binary_data_size": size})]}, raw)
    assert reply.status == 400
    assert says in reply.error


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"\x05\0\0\0ab\0\0", "end within text 0"),
        (b"\xff\xff\xff\xff\0\0\0\0", "end within text 0"),
        (b"\0\0\0\0\x01\0\0\0\xff", "text 1 is not UTF-8"),
        (b"\0" * 9, "1 bytes are left"),
        (b"\0" * 4, "too few"),
    ],
)
def test_r18_texts_that_are_cut_off_are_400(columns: Served, raw: bytes, says: str) -> None:
    b = {"name": "b", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    reply = binary(columns, {"inputs": [b]}, raw)
    assert reply.status == 400
    assert says in reply.error


@pytest.mark.parametrize("length", ["-1", "x", "9999", "1e3", ""])
def test_r18_a_wrong_header_length_is_400(matrix: Served, length: str) -> None:
    reply = matrix.ask("POST", INFER, b'{"inputs":[]}', {"Inference-Header-Content-Length": length})
    assert reply.status == 400
    assert reply.error


# --- R20 to R23 ----------------------------------------------------------------------------------------------------


def test_r20_nan_comes_and_goes_in_bytes_and_is_null_in_json(matrix: Served) -> None:
    raw = np.array([[NAN, 1, 2], [1, float("inf"), 0]]).tobytes()
    sized = tensor(data=None, parameters={"binary_data_size": len(raw)})
    assert binary(matrix, {"inputs": [sized]}, raw).json["outputs"][0]["data"] == [None, None]
    request = {"inputs": [sized], "parameters": {"binary_data_output": True}}
    labels = np.frombuffer(unpacked(binary(matrix, request, raw))["label"])
    assert np.isnan(labels[0])
    assert labels[1] == float("inf")
    assert infer(matrix, tensor(data=[[None, 1, 2], [1, 2, 3]])).json["outputs"][0]["data"] == [None, 6]


@pytest.mark.parametrize("word", ["gzip", "deflate"])
def test_r21_bodies_are_unpacked_and_answers_packed(matrix: Served, word: str) -> None:
    body = json.dumps({"inputs": [tensor(shape=[2000, 3], data=[0.5] * 6000)]}).encode()
    sent = gzip.compress(body) if word == "gzip" else zlib.compress(body)
    reply = matrix.ask("POST", INFER, sent, {"Content-Encoding": word, "Accept-Encoding": word})
    assert (reply.status, reply.headers["content-encoding"]) == (200, word)
    told = json.loads(zlib.decompress(reply.body, 47))
    assert told["outputs"][0]["data"] == [1.5] * 2000
    assert "content-encoding" not in infer(matrix, tensor()).headers


def test_r21_what_unpacks_to_too_much_or_not_at_all_is_refused() -> None:
    with served(sums(), limits=Limits(max_body_bytes=10_000)) as server:

        def sent(body: bytes, word: str = "gzip") -> int:
            return server.ask("POST", INFER, body, {"Content-Encoding": word}).status

        assert sent(gzip.compress(b"0" * 20_000)) == 413
        assert sent(b"no gzip") == 400
        assert sent(gzip.compress(b"{}")[:-3]) == 400
        assert sent(gzip.compress(b"{}") + b"more") == 400
        assert sent(b"{}", "br") == 415
        assert sent(b"0" * 10_001, "identity") == 413


def test_r21_a_chunked_body_is_read(matrix: Served) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", matrix.port, timeout=30)
    body = json.dumps({"inputs": [tensor()]}).encode()
    connection.request("POST", INFER, iter([body[:10], body[10:]]), encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


def test_r22_the_repository_has_the_one_model(matrix: Served) -> None:
    for body in (b"", b"{}", b'{"ready": true}'):
        reply = matrix.ask("POST", "/v2/repository/index", body)
        assert reply.json == [{"name": "m", "version": "2", "state": "READY", "reason": ""}]
    assert matrix.post("/v2/repository/models/m/load", {}).status == 200
    assert "release another version" in matrix.post("/v2/repository/models/m/unload", {}).error
    for word in ("load", "unload"):
        reply = matrix.post(f"/v2/repository/models/x/{word}", {})
        assert (reply.status, "no model 'x'" in reply.error) == (404, True)


def test_r23_statistics_count_requests_and_rows() -> None:
    with served(sums()) as server:
        for _ in range(3):
            infer(server, tensor())
        told = server.get("/v2/models/m/versions/2/stats").json["model_stats"][0]
        assert (told["inference_count"], told["execution_count"]) == (6, 3)
        assert told["inference_stats"]["success"]["count"] == 3
        assert told["inference_stats"]["success"]["ns"] > 0


def test_plain_and_protocol_answer_alike(matrix: Served, columns: Served) -> None:
    rows = [{"a": 2, "b": "x"}, {"a": 0, "b": "y"}]
    assert columns.post("/predict", rows).json["predictions"] == ["xx", ""]
    named = [dict(zip("xyz", row, strict=True)) for row in ROWS]
    told = matrix.post("/predict", named).json
    assert (told["predictions"], told["probabilities"]) == ([5.25, 11.5], [[0.25, 0.75], [0.5, 0.5]])


@pytest.mark.parametrize(
    "signature",
    [
        Signature(inputs=(Field(name="input", kind="FP64", width=3),)),
        Signature(inputs=tuple(Field(name=name, kind="FP64") for name in "abc")),
    ],
    ids=["matrix", "columns"],
)
def test_a_model_that_takes_arrays_is_given_arrays(signature: Signature) -> None:
    def never(rows: object) -> Prediction:
        raise AssertionError

    with served(OfArrays(never, signature)) as server:
        assert infer(server, tensor()).json["outputs"][0]["data"] == [5.25, 11.5]
        raw = np.array(ROWS).tobytes()
        sized = tensor(data=None, parameters={"binary_data_size": len(raw)})
        assert binary(server, {"inputs": [sized]}, raw).json["outputs"][0]["data"] == [5.25, 11.5]


def test_a_column_of_numbers_may_come_as_a_matrix_and_texts_may_not() -> None:
    from headway.core.signature import Field, Signature

    signature = Signature(inputs=(Field(name="a", kind="FP32"), Field(name="b")))
    model = Made(lambda rows: Prediction(labels=np.array([row["a"] - row["b"] for row in rows])), signature)
    with served(model) as server:
        assert infer(server, tensor(shape=[1, 2], data=[5, 3])).json["outputs"][0]["data"] == [2.0]
        assert "expected [-1, 2]" in infer(server, tensor()).error
        assert "'a' is FP32, and BYTES" in infer(server, tensor(shape=[1, 2], datatype="BYTES", data=["a", "b"])).error
