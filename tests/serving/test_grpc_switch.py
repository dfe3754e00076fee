"""Versions come and go, and no call over gRPC is lost: clients are asked to connect anew."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from headway.backends.target_local import LocalTarget
from headway.tables import prediction_log as files
from headway.testing.target_contract import ENDPOINT, READY_S, serving
from http2_client import calling
from served import served, sums

triton = pytest.importorskip("tritonclient.grpc", reason="tritonclient[grpc] is not installed (group `test`)")


class Load:
    """Clients that call without a pause; `answers` counts by version, `failed` are all that went wrong."""

    def __init__(self, address: str, name: str, tensor: str, n_clients: int) -> None:
        self.address = address
        self.model = name
        self.tensor = tensor
        self.n_clients = n_clients
        self.answers: Counter[str] = Counter()
        self.failed: list[str] = []
        self._is_over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Load"]:
        threads = [threading.Thread(target=self._run, args=(at,)) for at in range(self.n_clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join(30)

    def _run(self, at: int) -> None:
        # Half of them share one connection, as channels of one process do, the others have one each.
        options: list[tuple[str, Any]] = [("grpc.use_local_subchannel_pool", at % 2), ("grpc.client_id", at)]
        with triton.InferenceServerClient(self.address, channel_args=options) as client:
            one = triton.InferInput(self.tensor, [1, 3] if self.tensor == "input" else [1], "FP64")
            one.set_data_from_numpy(np.ones(one.shape()))
            while not self._is_over.is_set():
                try:
                    told = client.infer(self.model, [one]).get_response()
                except triton.InferenceServerException as e:
                    self.failed.append(str(e))
                    continue
                self.answers[told.model_version] += 1


def test_a_server_that_drains_loses_no_call_and_closes_what_is_open() -> None:
    with served(sums()) as running:
        load = Load(f"127.0.0.1:{running.port}", "m", "input", 4)
        with load.running():
            for _ in range(5):
                time.sleep(0.15)
                running.app.is_draining = True
                time.sleep(0.15)
                running.app.is_draining = False
        with calling(running.port) as idle:
            number = idle.call()
            idle.flush()
            assert idle.told(number).status == 0
            running.app.is_draining = True
            idle.until_closed()
            assert idle.last_words() == [(2**31 - 1, 0), (number, 0)]
        assert load.failed == []
        assert load.answers["2"] > 50


@pytest.mark.slow
def test_calls_under_constant_load_over_twenty_switches_all_succeed(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.realpath(tmp_path)
    target = LocalTarget(os.path.join(root, ".headway/endpoints"))
    target.start(serving(root, 1), port=0, timeout_s=READY_S)
    address = target.switch(ENDPOINT, 1).removeprefix("http://")
    try:
        load = Load(address, "m", "x", 8)
        with load.running():
            for version in range(2, 22):
                target.start(serving(root, version), port=0, timeout_s=READY_S)
                target.switch(ENDPOINT, version)
                target.stop(ENDPOINT, version - 1)
            time.sleep(0.5)
    finally:
        target.stop(ENDPOINT, None)
    assert load.failed == []
    print(f"{load.answers.total():,} calls over 20 switches, 0 failed")
    assert set(load.answers) == {str(version) for version in range(1, 22)}


@pytest.mark.slow
def test_after_a_switch_an_old_connection_is_answered_by_the_new_version(tmp_path: "os.PathLike[str]") -> None:
    root = os.path.realpath(tmp_path)
    target = LocalTarget(os.path.join(root, ".headway/endpoints"))
    for version in (1, 2):
        target.start(serving(root, version), port=0, timeout_s=READY_S)
    address = target.switch(ENDPOINT, 1).removeprefix("http://")
    try:
        with triton.InferenceServerClient(address) as client:
            one = triton.InferInput("x", [1], "FP64")
            one.set_data_from_numpy(np.ones(1))
            told = [client.infer("m", [one]).get_response()]
            target.switch(ENDPOINT, 2)
            told += [client.infer("m", [one]).get_response() for _ in range(20)]
    finally:
        target.stop(ENDPOINT, None)
    assert [one.model_version for one in told] == ["1"] + ["2"] * 20
    logged = files.read(os.path.join(root, ".headway/endpoints", ENDPOINT, "predictions"))
    assert dict(logged.select("request_id", "version").iter_rows()) == {one.id: int(one.model_version) for one in told}
    assert logged["feature.x"].to_list() == [1.0] * 21
