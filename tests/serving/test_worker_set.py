"""A version that serves is told to log otherwise, by a release of the same version, while clients ask."""

import http.client
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec import structs

from headway.backends.target_local import LocalTarget
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.tables import prediction_log as files
from headway.testing.target_contract import ENDPOINT, READY_S, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def target(tmp_path: Path) -> Iterator[LocalTarget]:
    made = LocalTarget(os.path.join(os.path.realpath(tmp_path), ".headway/endpoints"))
    yield made
    made.stop(ENDPOINT, None)


def test_no_request_fails_and_what_is_left_out_is_left_out_from_then_on(target: LocalTarget, tmp_path: Path) -> None:
    one = serving(os.path.realpath(tmp_path), 1)
    target.start(one, port=0, timeout_s=READY_S)
    where = urlsplit(target.switch(ENDPOINT, 1)).netloc
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        connection = http.client.HTTPConnection(where, timeout=30)
        while not is_over.is_set():
            connection.request("POST", "/predict", b'{"x": 1, "email": "ann@example.com"}')
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
        connection.close()

    def asked(n: int) -> None:
        wanted = len(statuses) + n
        deadline = time.monotonic() + 60
        while len(statuses) < wanted and time.monotonic() < deadline:
            time.sleep(0.01)

    client = threading.Thread(target=ask)
    client.start()
    try:
        asked(50)
        for i in range(10):
            shy = Recording(leave_out=("email",), keep_s=1e6 + i)
            changed = structs.replace(one, recording=shy, limits=Limits(max_waiting=10 + i))
            target.start(changed, port=0, timeout_s=READY_S)
            asked(20)
        changed_at = time.time()
        asked(50)
    finally:
        is_over.set()
        client.join()
    target.stop(ENDPOINT, 1)
    assert set(statuses) == {200}
    logged = files.read(os.path.join(tmp_path, ".headway/endpoints", ENDPOINT, "predictions"))
    said = (tmp_path / ".headway/endpoints" / ENDPOINT / "v1.log").read_text()
    assert len(logged) == len(statuses), said
    emails = {is_late: part["feature.email"] for (is_late,), part in logged.group_by(logged["at"] > changed_at)}
    assert emails[True].null_count() == len(emails[True]) >= 40
    assert emails[False][0] == "ann@example.com"
