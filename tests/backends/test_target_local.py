"""Real endpoints on this machine keep the contract of all targets."""

import http.client
import json
import os
from pathlib import Path

import pytest

from headway.backends.target_local import LocalTarget
from headway.ports import Answer, Target
from headway.testing.target_contract import TargetContract


class TestLocalTarget(TargetContract):
    def make(self, root: str) -> Target:
        return LocalTarget(os.path.join(root, ".headway/endpoints"))

    def call(self, target: Target, url: str, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/predict", body)
            response = connection.getresponse()
            return Answer(status=response.status, body=response.read(), ms=0.0)
        finally:
            connection.close()


@pytest.mark.parametrize("left", [{}, {"pid": 1}, {"port": 0, "url": "http://127.0.0.1:9"}], ids=["none", "pid", "url"])
def test_an_endpoint_whose_file_does_not_say_who_holds_it_is_not_alive_and_can_be_taken_down(
    tmp_path: Path, left: dict[str, object]
) -> None:
    target = LocalTarget(str(tmp_path))
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "endpoint.json").write_text(json.dumps(left))
    state = target.state("e")
    assert state is None if not left else state is not None
    if state is not None:
        assert (state.serving, state.versions, state.healthy) == (None, (), False)
        assert "deploy again" in state.detail
    target.stop("e", None)
    assert target.state("e") is None
