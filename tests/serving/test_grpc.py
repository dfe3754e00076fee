"""The Open Inference Protocol over gRPC, point by point (G1 to G10), asked by tritonclient and grpcio, unmodified."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.prediction_log import Label
from headway.core.recording import Recording
from headway.serving.entries import Scribe
from headway.serving.grpc_messages import messages
from headway.serving.grpc_tensors import to_body
from headway.serving.limits import Limits
from headway.serving.record import Answered
from http2_client import INFER, LIVE, LIVE_ANSWER, calling
from served import KINDS, Made, Served, echo, mixed, served, sums

triton = pytest.importorskip("tritonclient.grpc", reason="tritonclient[grpc] is not installed (group `test`)")
grpc = pytest.importorskip("grpc", reason="grpcio is not installed (group `test`)")

ROWS = np.array([[0.25, 2, 3], [0.5, 5, 6]])
INFERENCE = messages("inference")
value = INFERENCE.of["InferParameter"]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(sums()) as running:
        yield running


# Any: their client has no types, here and below.
@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[Any]:
    made = triton.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield made
    made.close()


@pytest.fixture(scope="module")
def channel(server: Served) -> Iterator[Any]:
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as made:
        yield made


def method(channel: Any, name: str) -> Any:
    """A method by grpcio and our own messages, which send what tritonclient would not."""
    told = INFERENCE.methods[name]
    return channel.unary_unary(
        told.path, request_serializer=told.takes.SerializeToString, response_deserializer=told.gives.FromString
    )


def request(**more: Any) -> Any:
    """Rows of `sums` by contents, unless told otherwise."""
    asked = INFERENCE.of["ModelInferRequest"](model_name="m", **more)
    if not asked.inputs:
        asked.inputs.add(name="input", datatype="FP64", shape=[2, 3], contents={"fp64_contents": ROWS.ravel().tolist()})
    return asked


def refused(code: str, words: str, call: Callable[[], object]) -> Any:
    with pytest.raises(grpc.RpcError) as e:
        call()
    assert e.value.code().name == code, e.value
    assert words in e.value.details()
    return e.value


def tensor(rows: np.ndarray[Any, Any] = ROWS) -> Any:
    made = triton.InferInput("input", list(rows.shape), "FP64")
    made.set_data_from_numpy(rows)
    return made


# --- G1 -----------------------------------------------------------------------------------------------------------


def test_g1_tritonclient_is_told_what_there_is(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("m")
    assert client.is_model_ready("m", "2")
    assert client.get_server_metadata().name == "headway"
    assert client.get_model_metadata("m", "2").inputs[0].shape == [-1, 3]
    assert client.get_model_repository_index().models[0].state == "READY"
    client.load_model("m")
    with pytest.raises(triton.InferenceServerException, match="release another version"):
        client.unload_model("m")
    client.infer("m", [tensor()])
    stats = client.get_inference_statistics("m").model_stats[0]
    assert (stats.name, stats.version) == ("m", "2")
    assert stats.inference_stats.success.count >= 1


@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_g1_tritonclient_infers(client: Any, packing: str | None) -> None:
    outputs = [triton.InferRequestedOutput(name) for name in ("probabilities", "label")]
    found = client.infer(
        "m", [tensor()], model_version="2", request_id="r-1", outputs=outputs, compression_algorithm=packing
    )
    assert found.as_numpy("label").tolist() == [5.25, 11.5]
    assert found.as_numpy("probabilities").tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert [one.name for one in found.get_response().outputs] == ["probabilities", "label"]
    assert found.get_response().id == "r-1"


def test_g1_rest_and_grpc_answer_on_one_port_in_one_batch() -> None:
    """Requests that wait while the model computes go into its next batch together, by whichever protocol they came."""
    gate = threading.Event()
    sizes = []

    def answer(rows: Any) -> Prediction:
        sizes.append(len(rows))
        if len(sizes) == 1:
            assert gate.wait(20)
        return Prediction(labels=np.array([float(len(rows))] * len(rows)))

    model = Made(answer, sums().signature)
    with served(model) as running, triton.InferenceServerClient(f"127.0.0.1:{running.port}") as other:
        body = {"inputs": [{"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
        asked = [lambda: running.post("/v2/models/m/infer", body), lambda: other.infer("m", [tensor(ROWS[:1])])]
        threads = [threading.Thread(target=asked[at % 2]) for at in range(5)]
        threads[0].start()
        until(lambda: bool(sizes))
        for thread in threads[1:]:
            thread.start()
        until(lambda: running.app._batcher.n_waiting == 4)
        gate.set()
        for thread in threads:
            thread.join(20)
    assert sizes == [1, 4]


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- G2, G3, G4 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "FP16"])
def test_g2_contents_of_each_datatype_go_there_and_back(kind: str) -> None:
    dtype = {"BOOL": "?", "FP32": "f4", "FP64": "f8"}.get(kind, kind.lower())
    if kind == "BOOL":
        values: list[Any] = [True, False]
    elif kind[0] == "F":
        values = [1.5, -0.0, float("nan"), float("inf"), 1e-45 if kind == "FP32" else 5e-324]
    else:
        values = [np.iinfo(dtype).min, np.iinfo(dtype).max, 7]
    field = CONTENTS[kind]
    with served(echo(kind)) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:  # type: ignore[arg-type] # one of KINDS
        asked = INFERENCE.of["ModelInferRequest"](model_name="m")
        asked.inputs.add(name="x", datatype=kind, shape=[len(values)], contents={field: values})
        told = method(channel, "ModelInfer")(asked)
        sent = np.array(values, dtype=dtype)
        assert told.outputs[0].datatype == kind
        assert np.array(list(getattr(told.outputs[0].contents, field)), dtype=dtype).tobytes() == sent.tobytes()
        assert not told.raw_output_contents
        # G3: raw goes back as raw.
        asked.inputs[0].ClearField("contents")
        asked.raw_input_contents.append(sent.tobytes())
        told = method(channel, "ModelInfer")(asked)
        assert list(told.raw_output_contents) == [sent.tobytes()]
        assert not told.outputs[0].HasField("contents")


CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


def test_g2_texts_go_there_and_back_in_contents_and_raw() -> None:
    with served(mixed()) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        asked = INFERENCE.of["ModelInferRequest"](model_name="m")
        asked.inputs.add(name="a", datatype="INT64", shape=[2], contents={"int64_contents": [2, 1]})
        texts = {"bytes_contents": ["grün".encode(), b""]}
        asked.inputs.add(name="b", datatype="BYTES", shape=[2, 1], contents=texts)
        told = method(channel, "ModelInfer")(asked)
        assert list(told.outputs[0].contents.bytes_contents) == ["grüngrün".encode(), b""]
        with triton.InferenceServerClient(f"127.0.0.1:{running.port}") as other:
            a, b = triton.InferInput("a", [2], "INT64"), triton.InferInput("b", [2], "BYTES")
            a.set_data_from_numpy(np.array([2, 1]))
            b.set_data_from_numpy(np.array(["grün", ""], dtype=object))
            found = other.infer("m", [a, b]).as_numpy("label")
            assert [text.decode() for text in found] == ["grüngrün", ""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"raw_input_contents": [ROWS.tobytes()]}, "raw_input_contents is there as well"),
        ({"raw_input_contents": [b"", b""]}, "2 parts for 1 inputs"),
    ],
    ids=["both", "too many"],
)
def test_g2_contents_and_raw_at_once_are_refused(channel: Any, change: dict[str, Any], words: str) -> None:
    refused("INVALID_ARGUMENT", words, lambda: method(channel, "ModelInfer")(request(**change)))


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_g4_halves_go_as_raw_only(datatype: str) -> None:
    raw = np.array([1.5, 2.0], dtype="f2").tobytes() if datatype == "FP16" else b"\xc0\x3f\x00\x40"
    with served(echo("FP16")) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        asked = INFERENCE.of["ModelInferRequest"](model_name="m")
        asked.inputs.add(name="x", datatype=datatype, shape=[2], contents={"fp32_contents": [1.5, 2.0]})
        refused("INVALID_ARGUMENT", "raw_input_contents only", lambda: method(channel, "ModelInfer")(asked))
        asked.inputs[0].ClearField("contents")
        asked.raw_input_contents.append(raw)
        told = method(channel, "ModelInfer")(asked)
        assert np.frombuffer(told.raw_output_contents[0], dtype="f2").tolist() == [1.5, 2.0]
        # Halves have no contents: they come raw for whoever sent contents, too.
        asked.ClearField("raw_input_contents")
        asked.inputs[0].datatype = "FP32"
        asked.inputs[0].contents.fp32_contents.extend([1.5, 2.0])
        told = method(channel, "ModelInfer")(asked)
        assert np.frombuffer(told.raw_output_contents[0], dtype="f2").tolist() == [1.5, 2.0]


# --- G5 -----------------------------------------------------------------------------------------------------------


def of_input(**change: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "input", "datatype": "FP64", "shape": [2, 3], **change}]}


NUMBERS = {"fp64_contents": [1.0] * 6}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"model_version": "9"}, "NOT_FOUND", "no version '9'"),
        ({**of_input(contents={"fp64_contents": [1.0] * 5})}, "INVALID_ARGUMENT", "holds 6 values, and 5 were sent"),
        ({**of_input(), "raw_input_contents": [b"\0" * 40]}, "INVALID_ARGUMENT", "takes 48 bytes, and 40 were sent"),
        ({**of_input(shape=[3, 2], contents=NUMBERS)}, "INVALID_ARGUMENT", "[-1, 3], got [3, 2]"),
        ({**of_input(shape=[-1, 3], contents=NUMBERS)}, "INVALID_ARGUMENT", "none that can be sent"),
        ({**of_input(shape=[2**40, 3], contents=NUMBERS)}, "INVALID_ARGUMENT", "6 were sent"),
        ({**of_input(datatype="FP128", contents=NUMBERS)}, "INVALID_ARGUMENT", "use one of BOOL"),
        ({**of_input(contents={"fp32_contents": [1.0] * 6})}, "INVALID_ARGUMENT", "go in fp64_contents"),
        ({**of_input(datatype="INT8", contents={"int_contents": [300] * 6})}, "INVALID_ARGUMENT", "300 is no INT8"),
        ({**of_input(datatype="BYTES", contents={"bytes_contents": [b"x"] * 6})}, "INVALID_ARGUMENT", "BYTES was sent"),
        ({"outputs": [{"name": "lable"}]}, "INVALID_ARGUMENT", "did you mean label"),
        (
            {"outputs": [{"name": "label", "parameters": {"classification": value(int64_param=2)}}]},
            "INVALID_ARGUMENT", "classification and shared memory",
        ),
        (
            of_input(parameters={"shared_memory_region": value(string_param="r")}, contents=NUMBERS),
            "INVALID_ARGUMENT", "shared memory is not offered",
        ),
    ],
)  # fmt: skip
def test_g5_what_is_wrong_is_told(channel: Any, change: dict[str, Any], code: str, words: str) -> None:
    refused(code, words, lambda: method(channel, "ModelInfer")(request(**change)))


def test_g5_an_unknown_model_is_not_found(client: Any) -> None:
    calls: list[Callable[[], object]] = [
        lambda: client.infer("x", [tensor()]),
        lambda: client.is_model_ready("x"),
        lambda: client.is_model_ready("m", "9"),
        lambda: client.get_model_metadata("x"),
        lambda: client.get_model_metadata("m/versions/2"),
        lambda: client.get_inference_statistics("x"),
        lambda: client.load_model("x"),
    ]
    for call in calls:
        with pytest.raises(triton.InferenceServerException, match="NOT_FOUND"):
            call()


def test_g5_an_unknown_method_and_no_message_are_told(server: Served) -> None:
    with calling(server.port) as caller:
        unknown = caller.call("/inference.GRPCInferenceService/ModelStreamInfer")
        broken = caller.call(INFER, b"\xff\xff\xff")
        empty = caller.begin(LIVE, end=True)
        rest = caller.begin("/v2", {":method": "GET", "content-type": "text/html"}, end=True)
        packed = caller.call(LIVE, b"", {"grpc-encoding": "br"}, flag=1)
        torn = caller.call(LIVE, b"xx", {"grpc-encoding": "gzip"}, flag=1)
        good = caller.call()
        caller.flush()
        assert caller.told(unknown).status == 12
        assert caller.told(broken).status == 3
        assert "ModelInferRequest" in caller.told(broken).headers["grpc-message"]
        assert caller.told(empty).status == 3
        assert caller.told(rest).headers[":status"] == "415"
        assert caller.told(packed).status == 12
        assert caller.told(torn).status == 3
        assert caller.told(good) == ({**caller.told(good).headers}, [LIVE_ANSWER])
        assert caller.told(good).status == 0


def test_g5_too_many_are_told_to_come_back_and_a_hanging_model_is_unavailable() -> None:
    gate = threading.Event()

    def answer(rows: Any) -> Prediction:
        assert gate.wait(20)
        return Prediction(labels=np.zeros(len(rows)))

    model = Made(answer, sums().signature)
    limits = Limits(max_waiting=1, answer_s=1.0)
    with served(model, limits=limits) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        infer = method(channel, "ModelInfer")
        first = infer.future(request())
        until(lambda: running.app._batcher._busy_since is not None)
        second = infer.future(request())
        until(lambda: running.app._batcher.n_waiting == 1)
        full = refused("RESOURCE_EXHAUSTED", "try again soon", lambda: infer(request()))
        assert ("grpc-retry-pushback-ms", "1000") in [tuple(pair) for pair in full.trailing_metadata()]
        refused("DEADLINE_EXCEEDED", "no answer in 1 s", first.result)
        third = infer.future(request())
        refused("UNAVAILABLE", "try again soon", lambda: [infer(request()) for _ in range(3)])
        assert not method(channel, "ServerReady")(INFERENCE.of["ServerReadyRequest"]()).ready
        assert method(channel, "ServerLive")(INFERENCE.of["ServerLiveRequest"]()).live
        gate.set()
        for one in (second, third):
            one.exception(timeout=20)


def test_g5_a_model_that_raises_is_the_servers_fault(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(rows: Any) -> Prediction:
        raise RuntimeError("secret")

    model = Made(answer, sums().signature)
    with served(model) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        fault = refused("INTERNAL", "RuntimeError", lambda: method(channel, "ModelInfer")(request()))
        assert "secret" not in fault.details()
    assert "secret" in capsys.readouterr().err


def test_g5_a_deadline_that_has_passed_is_told_and_what_had_not_begun_is_not_computed() -> None:
    gate = threading.Event()
    n_computed = []

    def answer(rows: Any) -> Prediction:
        n_computed.append(len(rows))
        assert gate.wait(20)
        return Prediction(labels=np.zeros(len(rows)))

    with served(Made(answer, sums().signature)) as running, calling(running.port) as caller:
        numbers = [caller.call(INFER, request().SerializeToString(), {"grpc-timeout": "200m"}) for _ in range(5)]
        caller.flush()
        assert [caller.told(number).status for number in numbers] == [4] * 5
        wrong = caller.call(INFER, b"", {"grpc-timeout": "soon"})
        caller.flush()
        assert caller.told(wrong).status == 3
        gate.set()
        good = caller.call(INFER, request().SerializeToString(), {"grpc-timeout": "20S"})
        caller.flush()
        assert caller.told(good).status == 0
    assert n_computed == [2, 2]


# --- G6, G7 -------------------------------------------------------------------------------------------------------


def test_g6_id_and_parameters_come_back(channel: Any) -> None:
    given = {
        "a": value(bool_param=True), "b": value(int64_param=-(2**63)), "c": value(string_param="ü"),
        "d": value(double_param=0.1), "e": value(uint64_param=2**64 - 1),
    }  # fmt: skip
    asked = request(id="mine / 1", parameters=given)
    told, call = method(channel, "ModelInfer").with_call(asked)
    assert told.id == "mine / 1"
    assert dict(told.parameters) == dict(asked.parameters)
    assert (told.model_name, told.model_version) == ("m", "2")
    metadata = dict(call.initial_metadata())
    assert metadata["x-headway-version"] == "m@2"
    # That one has a space, and is none that can be logged as it stands.
    assert metadata["x-request-id"] != "mine / 1"
    assert method(channel, "ModelInfer")(request()).id


def test_g6_parameters_are_those_of_the_same_request_over_rest() -> None:
    """A key to stick by may be among them."""
    given = {"customer": value(int64_param=7), "binary_data_output": value(bool_param=False), "n": value()}
    body = to_body(request(parameters=given), 1000)
    assert isinstance(body, tuple)
    told = json.loads(body[0][: body[1]])
    assert told["parameters"] == {"customer": 7, "binary_data_output": True, "n": False}


def test_g6_the_prediction_log_has_grpc_predictions_under_their_request_id() -> None:
    class Kept:
        def __init__(self) -> None:
            self.entries: list[Answered] = []

        def note(self, entry: Answered) -> None:
            self.entries.append(entry)

        def label(self, labels: tuple[Label, ...]) -> bool:
            return False

    kept = Kept()
    model = sums()
    with served(model) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        running.app._recorder = kept
        method(channel, "ModelInfer")(request(id="order-17"))
        method(channel, "ModelInfer")(request(), metadata=[("x-request-id", "order-18")])
        raw = request()
        raw.inputs[0].ClearField("contents")
        raw.raw_input_contents.append(ROWS.tobytes())
        method(channel, "ModelInfer")(raw)
        until(lambda: len(kept.entries) == 3)
    scribe = Scribe("m", 2, model.signature, Recording(), b"k" * 32)
    lines = json.loads(msgspec.json.encode(scribe.lines(kept.entries, lambda _, why: pytest.fail(str(why)))))
    assert [line["request_id"] for line in lines][:2] == ["order-17", "order-18"]
    assert [line["predictions"] for line in lines] == [[5.25, 11.5]] * 3
    assert all([list(row.values()) for row in line["rows"]] == ROWS.tolist() for line in lines)


@pytest.mark.parametrize("made", [sums, mixed, lambda: echo("UINT8")], ids=["matrix", "columns", "one"])
def test_g7_metadata_is_that_of_rest(made: Callable[[], Made]) -> None:
    with served(made()) as running, grpc.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        for version in ("", "2"):
            asked = INFERENCE.of["ModelMetadataRequest"](name="m", version=version)
            told = method(channel, "ModelMetadata")(asked)
            rest = running.get("/v2/models/m").json
            assert (told.name, list(told.versions), told.platform) == (rest["name"], rest["versions"], rest["platform"])
            for side in ("inputs", "outputs"):
                found = [{"name": f.name, "datatype": f.datatype, "shape": list(f.shape)} for f in getattr(told, side)]
                assert found == rest[side]
        told = method(channel, "ServerMetadata")(INFERENCE.of["ServerMetadataRequest"]())
        rest = running.get("/v2").json
        assert (told.name, told.version, list(told.extensions)) == (rest["name"], rest["version"], rest["extensions"])


# --- G8, G9, G10 --------------------------------------------------------------------------------------------------


def test_g8_health_is_what_kubernetes_asks(server: Served, channel: Any) -> None:
    health = messages("health")
    told = health.methods["Check"]
    assert told.path == "/grpc.health.v1.Health/Check"
    check = channel.unary_unary(told.path, told.takes.SerializeToString, told.gives.FromString)
    assert check(told.takes()).status == 1
    assert check(told.takes(service="inference.GRPCInferenceService")).status == 1
    refused("NOT_FOUND", "'x'", lambda: check(told.takes(service="x")))
    server.app.is_draining = True
    try:
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as other:
            ending = other.unary_unary(told.path, told.takes.SerializeToString, told.gives.FromString)
            assert ending(told.takes()).status == 2
    finally:
        server.app.is_draining = False


def test_g9_the_size_of_a_message_is_limited_as_configured() -> None:
    with served(sums(), limits=Limits(max_body_bytes=50_000)) as running:
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(f"127.0.0.1:{running.port}", options) as channel:
            infer = method(channel, "ModelInfer")

            def asked(n_rows: int) -> Any:
                made = request(**of_input(shape=[n_rows, 3]))
                made.raw_input_contents.append(bytes(n_rows * 24))
                return made

            assert len(infer(asked(2000)).raw_output_contents[0]) == 2000 * 8
            refused("RESOURCE_EXHAUSTED", "larger than 50000 bytes", lambda: infer(asked(3000)))
            refused("RESOURCE_EXHAUSTED", "larger than 50000 bytes", lambda: infer(asked(400_000)))
            # Packed bytes are held to it unpacked.
            gzip = grpc.Compression.Gzip
            refused("RESOURCE_EXHAUSTED", "larger", lambda: infer(asked(400_000), compression=gzip))
            # Small numbers take a byte in a message, and eight in an array.
            many = request(**of_input(datatype="INT64", shape=[15_000, 3], contents={"int64_contents": [1] * 45_000}))
            refused("RESOURCE_EXHAUSTED", "", lambda: infer(many))
            assert infer(request()).outputs[0].contents.fp64_contents == [5.25, 11.5]


def test_g9_megabytes_go_both_ways() -> None:
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with (
        served(sums(), limits=Limits(max_body_bytes=40 * 2**20)) as running,
        grpc.insecure_channel(f"127.0.0.1:{running.port}", options) as channel,
    ):
        rows = np.random.default_rng(1).random((200_000, 3))
        asked = request(**of_input(shape=[200_000, 3]))
        asked.raw_input_contents.append(rows.tobytes())
        told = method(channel, "ModelInfer")(asked)
        assert np.frombuffer(told.raw_output_contents[0]).tolist() == rows.sum(axis=1).tolist()
        assert len(told.raw_output_contents[1]) == 200_000 * 16


@pytest.mark.parametrize("package", [None, "grpc.reflection.v1alpha"], ids=["v1", "v1alpha"])
def test_g10_reflection_tells_a_tool_all_it_needs(channel: Any, package: str | None) -> None:
    from google.protobuf import descriptor_pb2, descriptor_pool

    told = messages("reflection", package).methods["ServerReflectionInfo"]
    ask = channel.stream_stream(told.path, told.takes.SerializeToString, told.gives.FromString)
    symbol = "inference.GRPCInferenceService"
    answers = list(
        ask(
            iter(
                [
                    told.takes(list_services=""),
                    told.takes(file_containing_symbol=symbol),
                    told.takes(file_containing_symbol=symbol + ".ModelInfer"),
                    told.takes(file_by_filename="inference.proto"),
                    told.takes(file_containing_symbol="x.Y"),
                ]
            )
        )
    )
    names = [service.name for service in answers[0].list_services_response.service]
    assert {symbol, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} < set(names)
    files = {answer.file_descriptor_response.file_descriptor_proto[0] for answer in answers[1:4]}
    assert len(files) == 1
    pool = descriptor_pool.DescriptorPool()
    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(files.pop()))
    assert len(pool.FindServiceByName(symbol).methods) == 10
    assert answers[4].error_response.error_code == 5


# --- the messages -------------------------------------------------------------------------------------------------


def fields(message: Any, prefix: str = "") -> dict[str, tuple[int, int, int]]:
    from google.protobuf import descriptor_pb2

    if not prefix:
        message.CopyToProto(told := descriptor_pb2.DescriptorProto())
        message = told
    found = {f"{prefix}.{f.name}": (f.number, f.type, f.label) for f in message.field}
    for inner in message.nested_type:
        found |= fields(inner, f"{prefix}.{inner.name}")
    return found


def test_messages_are_those_of_another_implementation() -> None:
    """Field by field as in tritonclient's generated code; both live in one process."""
    theirs = triton.service_pb2.DESCRIPTOR
    for name, ours in INFERENCE.of.items():
        known = fields(theirs.message_types_by_name[name])
        assert fields(ours.DESCRIPTOR).items() <= known.items(), name
    service = theirs.services_by_name["GRPCInferenceService"]
    methods = {m.name: (m.input_type.name, m.output_type.name) for m in service.methods}
    for name, told in INFERENCE.methods.items():
        assert (told.takes.DESCRIPTOR.name, told.gives.DESCRIPTOR.name) == methods[name]
