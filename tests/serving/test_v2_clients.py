"""Clients that others wrote, unmodified, against our server."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from served import Served, mixed, served, sums

pytestmark = [
    pytest.mark.slow,
    # gevent and its client leave sockets to the collector, and warn of their own old code.
    pytest.mark.filterwarnings("ignore"),
]

triton = pytest.importorskip("tritonclient.http", reason="tritonclient[http] is not installed (group `test`)")
ROWS = np.array([[0.25, 2, 3], [0.5, 5, 6]])


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(sums()) as running:
        yield running


# Any: their client has no types.
@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[Any]:
    made = triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=4)
    yield made
    made.close()


def asked(*, is_binary: bool) -> Any:
    tensor = triton.InferInput("input", [2, 3], "FP64")
    tensor.set_data_from_numpy(ROWS, binary_data=is_binary)
    return tensor


def test_tritonclient_is_told_what_there_is(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("m")
    assert client.is_model_ready("m", "2")
    assert not client.is_model_ready("m", "9")
    assert not client.is_model_ready("x")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata("m")["inputs"][0]["shape"] == [-1, 3]
    assert client.get_model_repository_index()[0]["state"] == "READY"
    client.load_model("m")
    with pytest.raises(triton.InferenceServerException, match="release another version"):
        client.unload_model("m")
    assert client.get_inference_statistics("m")["model_stats"][0]["name"] == "m"


@pytest.mark.parametrize("is_binary_in", [True, False])
@pytest.mark.parametrize("is_binary_out", [True, False])
@pytest.mark.parametrize("packing", [None, "gzip", "deflate"])
def test_tritonclient_infers(client: Any, is_binary_in: bool, is_binary_out: bool, packing: str | None) -> None:
    found = client.infer(
        "m",
        [asked(is_binary=is_binary_in)],
        request_id="r-1",
        outputs=[triton.InferRequestedOutput(name, binary_data=is_binary_out) for name in ("probabilities", "label")],
        request_compression_algorithm=packing,
        response_compression_algorithm=packing,
    )
    assert found.as_numpy("label").tolist() == [5.25, 11.5]
    assert found.as_numpy("probabilities").tolist() == [[0.25, 0.75], [0.5, 0.5]]
    assert found.get_response()["id"] == "r-1"


def test_tritonclient_sends_texts_and_many_at_once(client: Any) -> None:
    with served(mixed()) as running:
        other = triton.InferenceServerClient(f"127.0.0.1:{running.port}")
        a, b = triton.InferInput("a", [2], "INT64"), triton.InferInput("b", [2], "BYTES")
        a.set_data_from_numpy(np.array([2, 1]))
        for is_binary in (True, False):
            b.set_data_from_numpy(np.array(["grün", ""], dtype=object), binary_data=is_binary)
            assert [text.decode() for text in other.infer("m", [a, b]).as_numpy("label")] == ["grüngrün", ""]
        other.close()
    waiting = [client.async_infer("m", [asked(is_binary=True)]) for _ in range(20)]
    assert {tuple(one.get_result().as_numpy("label")) for one in waiting} == {(5.25, 11.5)}


def test_tritonclient_can_read_what_is_wrong(client: Any) -> None:
    with pytest.raises(triton.InferenceServerException, match="no model 'x'"):
        client.infer("x", [asked(is_binary=True)])
    wrong = triton.InferInput("input", [1, 2], "FP64")
    wrong.set_data_from_numpy(np.array([[1.0, 2.0]]))
    with pytest.raises(triton.InferenceServerException, match=r"expected input FP64 \[-1, 3\], got \[1, 2\]"):
        client.infer("m", [wrong])
