"""What every target must do: subclass the suite here in a test file, and say how your target is made.

The versions it serves are Python files that answer each row with their number. Needs pytest.
"""

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest
from blake3 import blake3

from headway.core.ids import Digest
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.routing import Chooser, Route, Shadow, Sticky, Table
from headway.errors import UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target
from headway.testing.processes import write

ROW = b'{"x": 1}'
ENDPOINT = "flights"
SILENT = Recording(is_on=False)
READY_S = 60.0
"""How long a version of the suite may take to start: it imports little, but the machine may be busy."""


def serving(root: str, version: int, *, text: str = "", endpoint: str = ENDPOINT) -> Serving:
    """A version to serve; `text` is its program (default: answers its number)."""
    program = text or f"def predict(rows): return [{version}] * len(rows)"
    path = os.path.join(root, f"models/{version}-{len(text)}/model.py")
    write(path, program)
    digest = Digest(blake3(program.encode()).hexdigest())
    return Serving(endpoint=endpoint, model="m", version=version, path=path, format="function", digest=digest)


class TargetContract(ABC):
    """What holds for every target. Override `make` and `call`; and `broken`, where versions are no Python files."""

    @abstractmethod
    def make(self, root: str) -> Target:
        """A new target whose endpoints live under `root`; the same `root` gives the same endpoints."""

    @abstractmethod
    def call(self, target: Target, url: str, body: bytes) -> Answer:
        """What a client gets that posts to the endpoint."""

    def broken(self, root: str, version: int) -> Serving:
        """A version that cannot start."""
        return serving(root, version, text="1 / 0")

    @pytest.fixture
    def root(self, tmp_path: "os.PathLike[str]") -> str:
        """The folder of one test."""
        return os.path.realpath(tmp_path)

    @pytest.fixture
    def target(self, root: str) -> Iterator[Target]:
        """A target whose endpoints are taken down after the test."""
        made = self.make(root)
        yield made
        for endpoint in (ENDPOINT, "other"):
            made.stop(endpoint, None)

    def start(self, target: Target, serving: Serving) -> str:
        """Start a version, with the suite's patience."""
        return target.start(serving, port=0, timeout_s=READY_S)

    def state(self, target: Target, endpoint: str = ENDPOINT) -> EndpointState:
        """The state of an endpoint that is there."""
        state = target.state(endpoint)
        assert state is not None
        return state

    def serves(self, target: Target, url: str) -> object:
        """Which version a client is answered by."""
        answer = self.call(target, url, ROW)
        assert answer.status == 200, answer.body
        return msgspec.json.decode(answer.body)["predictions"][0]

    def limited(self, target: Target, url: str) -> int:
        """The status of the answer to a request of more than 20 bytes."""
        return self.call(target, url, b'{"inputs": [{"x": 1}, {"x": 2}]}').status

    # --- the suite ----------------------------------------------------------------------------------------------

    def test_an_endpoint_nobody_started_is_unknown_and_stopping_it_is_harmless(self, target: Target) -> None:
        assert target.state(ENDPOINT) is None
        target.stop(ENDPOINT, 1)
        target.stop(ENDPOINT, None)
        assert target.state(ENDPOINT) is None

    def test_a_started_version_answers_when_asked_but_does_not_serve(self, target: Target, root: str) -> None:
        assert self.start(target, serving(root, 1))
        answers = target.ask(ENDPOINT, 1, [ROW, b'{"inputs": [{"x": 1}, {"x": 2}]}', b"{"], timeout_s=30)
        assert [a.status for a in answers] == [200, 200, 400]
        assert [msgspec.json.decode(a.body)["predictions"] for a in answers[:2]] == [[1], [1, 1]]
        state = self.state(target)
        assert (state.serving, state.versions, state.healthy) == (None, (1,), False)
        assert state.held == (1,)

    def test_starting_and_switching_twice_changes_nothing(self, target: Target, root: str) -> None:
        one = serving(root, 1)
        assert self.start(target, one) == self.start(target, one)
        url = target.switch(ENDPOINT, 1)
        assert target.switch(ENDPOINT, 1) == url
        self.start(target, one)
        state = self.state(target)
        assert (state.url, state.serving, state.versions, state.healthy) == (url, 1, (1,), True)
        assert self.serves(target, url) == 1

    def test_a_version_that_serves_goes_on_with_other_limits(self, target: Target, root: str) -> None:
        one = serving(root, 1)
        self.start(target, one)
        url = target.switch(ENDPOINT, 1)
        self.start(target, msgspec.structs.replace(one, limits=Limits(max_body_bytes=20), recording=SILENT))
        assert self.serves(target, url) == 1
        assert self.limited(target, url) == 413
        self.start(target, one)
        assert self.limited(target, url) == 200
        state = self.state(target)
        assert (state.url, state.serving, state.versions, state.healthy) == (url, 1, (1,), True)

    def test_after_a_switch_the_new_version_answers_at_the_same_url(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        url = target.switch(ENDPOINT, 1)
        self.start(target, serving(root, 2))
        assert self.serves(target, url) == 1
        assert target.switch(ENDPOINT, 2) == url
        assert self.serves(target, url) == 2
        state = self.state(target)
        assert (state.serving, state.versions) == (2, (1, 2))
        assert target.switch(ENDPOINT, 1) == url
        assert self.serves(target, url) == 1

    def test_a_version_that_cannot_start_leaves_no_trace(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        url = target.switch(ENDPOINT, 1)
        with pytest.raises(VersionNotReady):
            self.start(target, self.broken(root, 2))
        state = self.state(target)
        assert (state.serving, state.versions, state.healthy) == (1, (1,), True)
        assert self.serves(target, url) == 1

    def test_what_was_not_started_cannot_be_asked_or_switched_to(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        url = target.switch(ENDPOINT, 1)
        with pytest.raises(VersionNotReady):
            target.ask(ENDPOINT, 2, [ROW], timeout_s=5)
        with pytest.raises(VersionNotReady):
            target.switch(ENDPOINT, 2)
        assert self.serves(target, url) == 1

    def test_stopping_a_version_leaves_the_others(self, target: Target, root: str) -> None:
        for version in (1, 2):
            self.start(target, serving(root, version))
        url = target.switch(ENDPOINT, 2)
        target.stop(ENDPOINT, 1)
        target.stop(ENDPOINT, 1)
        state = self.state(target)
        assert (state.serving, state.versions, state.healthy) == (2, (2,), True)
        assert state.held == (2,)
        assert self.serves(target, url) == 2

    def test_a_stopped_endpoint_is_gone_and_comes_back_at_its_url(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        url = target.switch(ENDPOINT, 1)
        target.stop(ENDPOINT, None)
        target.stop(ENDPOINT, None)
        assert target.state(ENDPOINT) is None
        self.start(target, serving(root, 2))
        assert self.state(target).versions == (2,)
        assert target.switch(ENDPOINT, 2) == url
        assert self.serves(target, url) == 2

    def test_endpoints_know_nothing_of_each_other(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        url = target.switch(ENDPOINT, 1)
        self.start(target, serving(root, 2, endpoint="other"))
        other = target.switch("other", 2)
        assert other != url
        target.stop("other", None)
        assert self.serves(target, url) == 1
        assert target.state("other") is None

    def test_collecting_what_was_logged_may_be_done_at_any_time(self, target: Target, root: str) -> None:
        assert target.collect(ENDPOINT) == []
        url = self.up(target, root, 1, 2)
        self.told(target, url)
        assert target.collect(ENDPOINT) == target.collect(ENDPOINT) == []
        target.stop(ENDPOINT, 2)
        assert target.collect(ENDPOINT) == []

    # --- several versions at once -------------------------------------------------------------------------------

    def up(self, target: Target, root: str, *versions: int) -> str:
        """Start these; the first one serves. Returns the endpoint's URL."""
        for version in versions:
            self.start(target, serving(root, version))
        return target.switch(ENDPOINT, versions[0])

    def told(self, target: Target, url: str, *, n: int = 60) -> Counter[object]:
        """Who answered how many of so many requests."""
        return Counter(self.serves(target, url) for _ in range(n))

    def test_the_versions_of_a_table_answer_their_shares_until_a_switch(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        table = Table(routes=(Route(version=1, weight=50), Route(version=2, weight=50)))
        target.route(ENDPOINT, table)
        target.route(ENDPOINT, table)
        state = self.state(target)
        assert (state.serving, state.versions, state.table, state.url) == (1, (1, 2), table, url)
        n = self.told(target, url, n=200)
        # Chance alone gives less once in ten million times.
        assert n[1] + n[2] == 200
        assert min(n[1], n[2]) > 60
        target.route(ENDPOINT, Table(routes=(Route(version=1, weight=0), Route(version=2, weight=1))))
        assert self.told(target, url) == {2: 60}
        target.switch(ENDPOINT, 1)
        assert self.state(target).table is None
        assert self.told(target, url) == {1: 60}

    def test_without_a_table_the_version_that_serves_answers_alone(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        target.route(ENDPOINT, Table(routes=(Route(version=1, weight=0), Route(version=2, weight=1))))
        target.route(ENDPOINT, None)
        target.route(ENDPOINT, None)
        assert self.state(target).table is None
        assert self.told(target, url) == {1: 60}

    def test_a_key_stays_with_its_version(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        routes = (Route(version=1, weight=1), Route(version=2, weight=1))
        table = Table(routes=routes, sticky=Sticky(place="field", name="x"))
        target.route(ENDPOINT, table)
        chooser = Chooser(ENDPOINT, table)
        for key in range(40):
            answer = self.call(target, url, b'{"x": %d}' % key)
            assert msgspec.json.decode(answer.body)["predictions"] == [chooser.version(str(key))]

    def test_a_version_that_is_stopped_leaves_the_table(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2, 3)
        routes = tuple(Route(version=v, weight=1) for v in (1, 2, 3))
        target.route(ENDPOINT, Table(routes=routes))
        target.stop(ENDPOINT, 2)
        assert self.state(target).table == Table(routes=(routes[0], routes[2]))
        assert set(self.told(target, url)) == {1, 3}
        target.stop(ENDPOINT, 3)
        assert self.state(target).table is None
        assert self.told(target, url) == {1: 60}

    def test_a_shadow_answers_nobody(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        table = Table(routes=(Route(version=1, weight=1),), shadow=Shadow(version=2))
        target.route(ENDPOINT, table)
        assert self.state(target).table == table
        assert self.told(target, url) == {1: 60}

    def test_a_table_that_cannot_be_is_refused_and_changes_nothing(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        two = Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1)))
        with pytest.raises(VersionNotReady):
            target.route(ENDPOINT, Table(routes=(Route(version=1, weight=1),)))
        url = target.switch(ENDPOINT, 1)
        for wrong in (two, Table(routes=two.routes[:1], shadow=Shadow(version=2))):
            with pytest.raises(VersionNotReady):
                target.route(ENDPOINT, wrong)
        self.start(target, serving(root, 2))
        good = Table(routes=two.routes, sticky=Sticky(place="header", name="x-user"))
        target.route(ENDPOINT, good)
        for wrong in (Table(routes=two.routes[1:]), Table(routes=(Route(version=1, weight=0),))):
            with pytest.raises(UsageMistaken):
                target.route(ENDPOINT, wrong)
        assert self.state(target).table == good
        assert set(self.told(target, url)) == {1, 2}
