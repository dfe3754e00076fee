"""Clients of HTTP/2 that are slow, broken or mean: each costs its own connection, and the server answers others."""

import random
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import h2.events
import h2.exceptions
import numpy as np
import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame, PingFrame, SettingsFrame

from headway.core.prediction import Prediction
from headway.serving.grpc_messages import messages
from headway.serving.grpc_wire import FREE_FRAMES, FREE_RESETS, MAX_STREAMS, WINDOW_BYTES
from headway.serving.limits import PREFACE, Limits
from http2_client import INFER, LIVE_ANSWER, Caller, calling
from served import Made, OfArrays, Served, served, sums

QUICK = Limits(receive_s=0.4, idle_s=0.4)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with served(sums()) as running:
        yield running


def is_well(server: Served) -> bool:
    """Whether another client is answered, over both protocols, and nothing is held for those that went."""
    with calling(server.port) as caller:
        number = caller.call()
        caller.flush()
        return caller.told(number).messages == [LIVE_ANSWER] and server.get("/v2/health/ready").status == 200


def rows(n: int = 2) -> bytes:
    asked = messages("inference").of["ModelInferRequest"](model_name="m")
    asked.inputs.add(name="input", datatype="FP64", shape=[n, 3])
    asked.raw_input_contents.append(np.ones((n, 3)).tobytes())
    made: bytes = asked.SerializeToString()
    return made


def until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- what is no HTTP/2 --------------------------------------------------------------------------------------------


def session(rng: random.Random) -> bytes:
    """What a good client sends in a few calls."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = Caller(listener.getsockname()[1])
        caller.h2.initiate_connection()
        for _ in range(rng.randrange(1, 4)):
            caller.call(INFER, rows(rng.randrange(1, 5)), {"x-key": "k" * rng.randrange(50)})
        caller.socket.close()
        return caller.h2.data_to_send()


def bombard(server: Served, seed: int, n: int) -> None:
    rng = random.Random(seed)
    good = [session(rng) for _ in range(5)]
    for _ in range(n):
        sent = bytearray(rng.choice(good))
        for _ in range(rng.choice([0, 1, 1, 2, 10])):
            at = rng.randrange(len(PREFACE) if rng.random() < 0.95 else 0, len(sent))
            if rng.random() < 0.7:
                sent[at] = rng.randrange(256)
            else:
                sent[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
        if rng.random() < 0.2:
            sent = bytearray(PREFACE + rng.randbytes(rng.randrange(300)))
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            cut = rng.randrange(len(sent) + 1)
            connection.sendall(sent[:cut])
            if rng.random() < 0.3:
                time.sleep(0.001)
            connection.sendall(sent[cut:])
            if rng.random() < 0.5:
                connection.settimeout(0.02)
                try:
                    while connection.recv(1 << 16):
                        pass
                except OSError:
                    pass
    assert is_well(server)


# A broken call for a model that does not take it is the client's fault, and is told without a traceback.
def test_malformed_frames_break_nothing(server: Served, capfd: pytest.CaptureFixture[str]) -> None:
    bombard(server, 1, 150)
    err = capfd.readouterr().err
    assert "Traceback" not in err
    assert "Fatal" not in err


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_malformed_frames_break_nothing_ten_thousand_times(
    server: Served, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    bombard(server, seed, 1700)
    assert "Traceback" not in capfd.readouterr().err


def test_a_preface_in_parts_is_understood(server: Served) -> None:
    caller = Caller(server.port)
    caller.h2.initiate_connection()
    number = caller.call()
    for byte in caller.h2.data_to_send():
        caller.socket.sendall(bytes([byte]))
    assert caller.told(number).status == 0
    caller.socket.close()


def test_methods_of_http_that_begin_as_the_preface_are_no_http2(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        for part in (b"P", b"OST /v2/repository/index HTTP/1.1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"):
            connection.sendall(part)
            time.sleep(0.02)
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


# --- too slow -----------------------------------------------------------------------------------------------------


def test_a_preface_that_never_ends_is_closed() -> None:
    with served(sums(), limits=QUICK) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(PREFACE[:10])
            assert connection.recv(100) == b""
        assert is_well(server)


def test_a_call_that_never_ends_is_refused_and_its_neighbour_answered() -> None:
    with served(sums(), limits=QUICK) as server, calling(server.port) as caller:
        slow = caller.begin()
        caller.h2.send_data(slow, b"\0\0")
        caller.flush()
        assert caller.told(slow).status == 4
        assert "not whole in 0.4 s" in caller.told(slow).headers["grpc-message"]
        good = caller.call()
        caller.flush()
        assert caller.told(good).status == 0


def test_an_idle_connection_is_ended_with_a_word() -> None:
    with served(sums(), limits=QUICK) as server, calling(server.port) as caller:
        number = caller.call()
        caller.flush()
        assert caller.told(number).status == 0
        caller.until_closed()
        assert caller.last_words() == [(2**31 - 1, 0), (number, 0)]


def test_half_a_frame_is_idle() -> None:
    with served(sums(), limits=QUICK) as server, calling(server.port) as caller:
        caller.flush()
        began = time.monotonic()
        try:
            while time.monotonic() - began < 60:
                caller.socket.sendall(b"\0")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - began < 60
        assert is_well(server)


def test_an_answer_that_is_not_taken_is_given_up() -> None:
    with served(sums(), limits=QUICK) as server, calling(server.port) as caller:
        caller.h2.update_settings({4: 0})  # INITIAL_WINDOW_SIZE
        number = caller.call(INFER, rows())
        caller.flush()
        while not caller.has_ended(number):
            assert caller.receive()
        assert any(isinstance(e, h2.events.StreamReset) for e in caller.events)
        assert is_well(server)


class Wide(OfArrays):
    """Answers with more than it is asked."""

    def predict_arrays(self, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> Prediction:
        n = len(next(iter(arrays.values())))
        return Prediction(labels=np.zeros(n), probabilities=np.zeros((n, 20)), classes=tuple(range(20)))


def test_a_client_that_reads_nothing_is_closed() -> None:
    model = Wide(sums().answer, sums().signature)
    with served(model, limits=Limits(receive_s=0.5)) as server, calling(server.port) as caller:
        caller.h2.increment_flow_control_window(2**30)
        caller.h2.update_settings({4: 2**30})
        caller.flush()
        caller.receive()
        caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            for _ in range(60):
                caller.call(INFER, rows(2000))
                caller.flush()
        except OSError:
            # It was closed while we still sent.
            pass
        until(lambda: 'code="408"' in server.get("/metrics").body.decode())
        until(lambda: is_well(server))


# --- too much -----------------------------------------------------------------------------------------------------


def test_a_client_is_told_how_many_calls_it_may_make_and_more_end_its_connection(server: Served) -> None:
    with calling(server.port) as caller:
        while caller.h2.remote_settings.max_concurrent_streams != MAX_STREAMS:
            caller.receive()
        caller.h2.remote_settings[3] = 2**20  # MAX_CONCURRENT_STREAMS: it does not care
        caller.h2.remote_settings.acknowledge()
        for _ in range(MAX_STREAMS + 1):
            caller.begin()
        caller.flush()
        caller.until_closed()
    assert is_well(server)


def test_calls_that_are_taken_back_at_once_end_the_connection_and_are_not_computed() -> None:
    n_computed = []
    model = sums()
    answer = model.answer

    def counted(given: Any) -> Prediction:
        n_computed.append(1)
        return answer(given)

    with served(Made(counted, model.signature)) as server, calling(server.port) as caller:
        try:
            for _ in range(20 * FREE_RESETS):
                caller.h2.reset_stream(caller.call(INFER, rows()))
                caller.flush()
        # On a quick machine the window is used up before the end has come: that was enough of them.
        except (OSError, h2.exceptions.FlowControlError):
            pass
        safely(caller)
        assert {code for _, code in caller.last_words()} <= {0xB}
        assert is_well(server)
        assert 'code="429"' in server.get("/metrics").body.decode()
        assert len(n_computed) <= 2 * FREE_RESETS


def safely(caller: Caller) -> list[h2.events.Event]:
    try:
        return caller.until_closed()
    except ConnectionError:
        return caller.events


@pytest.mark.parametrize(
    "frame",
    [
        PingFrame(0, opaque_data=b"12345678").serialize(),
        SettingsFrame(0, settings={4: 70_000}).serialize(),
        b"\0\0\4\x08\0\0\0\0\0\0\0\0\1",
        b"\0\0\5\2\0\0\0\0\1\0\0\0\0\x10",
    ],
    ids=["ping", "settings", "window", "priority"],
)
def test_a_flood_of_frames_without_content_ends_the_connection(server: Served, frame: bytes) -> None:
    with calling(server.port) as caller:
        try:
            for _ in range(100):
                caller.socket.sendall(frame * (FREE_FRAMES // 10))
        except OSError:
            pass
        safely(caller)
        assert is_well(server)


def test_a_flood_of_empty_data_ends_the_connection(server: Served) -> None:
    with calling(server.port) as caller:
        number = caller.begin()
        caller.flush()
        try:
            for _ in range(100):
                caller.socket.sendall((b"\0\0\0\0\0" + number.to_bytes(4, "big")) * (FREE_FRAMES // 10))
        except OSError:
            pass
        safely(caller)
        assert is_well(server)


def test_broken_connections_are_counted_and_do_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with served(sums()) as server:
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
                connection.sendall(PREFACE + b"\0\0\4\4\0\0\0\0\0....")
                while connection.recv(1000):
                    pass
        assert 'headway_requests_total{code="400",model="m",route="grpc",version="2"} 50.0' in (
            server.get("/metrics").body.decode()
        )
    assert capsys.readouterr().err.count("a client broke HTTP/2") == 1


def test_headers_that_never_end_or_unpack_to_much_end_the_connection(server: Served) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with calling(server.port) as caller:
        try:
            caller.socket.sendall(HeadersFrame(1, data=b"").serialize())
            for _ in range(5000):
                caller.socket.sendall(ContinuationFrame(1, data=b"\x00\x01a\x7f\x80\x40" + b"b" * 8191).serialize())
        except OSError:
            pass
        safely(caller)
    with calling(server.port) as caller:
        # One long header, put into the table, and named 20,000 times by a byte each.
        block = b"\x40\x01a\x7f\x81\x1e" + b"b" * 3999 + b"\xbe" * 12_000
        caller.socket.sendall(HeadersFrame(1, data=block, flags=["END_HEADERS"]).serialize())
        safely(caller)
    assert is_well(server)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_a_frame_that_says_it_is_huge_is_not_waited_for(server: Served) -> None:
    n_sent = 0
    with calling(server.port) as caller:
        caller.socket.sendall(b"\xff\xff\xff\0\0\0\0\0\1")
        try:
            while n_sent < 2**23:
                caller.socket.sendall(b"x" * 2**14)
                n_sent += 2**14
                # So that the server has its turn.
                time.sleep(0.005)
        except OSError:
            pass
    assert n_sent < 2**21
    assert is_well(server)


def test_calls_that_are_not_whole_hold_no_more_than_they_may() -> None:
    limits = Limits(max_gathered_bytes=200_000)
    with served(sums(), limits=limits) as server, calling(server.port) as caller:
        while caller.h2.remote_settings.initial_window_size < WINDOW_BYTES:
            caller.receive()
        numbers = [caller.begin(INFER) for _ in range(20)]
        for number in numbers:
            caller.h2.send_data(number, b"\0\0\1\0\0" + b"x" * 15_000)
            caller.flush()
        caller.receive()
        good = caller.call(INFER, rows())
        caller.flush()
        told = [caller.told(number) for number in numbers[14:]]
        assert {one.status for one in told} == {8}
        assert "too much is being sent" in told[0].headers["grpc-message"]
        for number in numbers[:13]:
            caller.h2.reset_stream(number)
        assert caller.told(good).status in (0, 8)
        last = caller.call(INFER, rows())
        caller.flush()
        assert caller.told(last).status == 0


def test_a_message_that_says_it_is_huge_is_refused_at_once(server: Served) -> None:
    with calling(server.port) as caller:
        number = caller.begin(INFER)
        caller.h2.send_data(number, b"\0\xff\xff\xff\xff")
        caller.flush()
        assert caller.told(number).status == 8
        more = caller.begin(INFER)
        caller.h2.send_data(more, b"\0\0\0\0\1xy", end_stream=True)
        caller.flush()
        assert caller.told(more).status == 3


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    gate = threading.Event()

    def answer(given: Any) -> Prediction:
        assert gate.wait(20)
        return Prediction(labels=np.zeros(len(given)))

    with served(Made(answer, sums().signature)) as server:
        with calling(server.port) as caller:
            for _ in range(5):
                caller.call(INFER, rows())
            caller.begin(INFER)
            caller.flush()
            until(lambda: server.app._batcher.n_waiting == 4)
        until(lambda: server.app._meter.n_running == 0)
        gate.set()
        assert is_well(server)


# --- without the extra --------------------------------------------------------------------------------------------


def test_without_the_extra_a_client_is_told_and_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "headway.serving.grpc_wire")
    monkeypatch.setitem(sys.modules, "h2.config", None)
    with served(sums()) as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
            connection.sendall(PREFACE)
            told = b""
            while part := connection.recv(1000):
                told += part
        assert b"install headway[grpc]" in told
        assert 'code="505"' in server.get("/metrics").body.decode()
        assert server.get("/v2/health/ready").status == 200
    assert "h2 is not installed" in capsys.readouterr().err
