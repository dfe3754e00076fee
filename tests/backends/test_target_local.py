"""Real endpoints on this machine keep the contract of all targets."""

import http.client
import os

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
