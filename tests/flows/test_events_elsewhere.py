"""Data of a real bucket and a real database as sources, also over a network that fails for a while."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import obstore
import psycopg
import pytest
from obstore.store import from_url

from events_world import Looking
from faulty_network import Fault, between
from headway import ports
from headway.backends import connect
from headway.core.facts import EventSeen
from object_servers import Server
from services import postgresql

pytestmark = pytest.mark.slow


def put(server: Server, url: str, name: str, data: bytes) -> None:
    config = {key: value for key, value in server.environ().items() if key != "AWS_ALLOW_HTTP"}
    # Any: its types describe no plain dict.
    options: Any = {"allow_http": True}
    obstore.put(from_url(url, config=cast("Any", config), client_options=options), name, data, use_multipart=False)


def opener(environ: Mapping[str, str]) -> Any:  # what wiring gives
    return lambda url: cast("ports.Source", connect("source", url, environ))


def test_objects_that_arrive_are_told_once_and_after_a_network_that_failed(moto_s3: Server, tmp_path: Path) -> None:
    url = moto_s3.url_of("arrivals")
    put(moto_s3, url, "in/1.csv", b"id\n1\n")
    triggers = {"data": {"dataset": f"{url}/in/*.csv", "every": "1m"}}
    with between(moto_s3.endpoint) as network:
        looking = Looking(tmp_path, triggers, source=opener(moto_s3.environ(network.endpoint)))
        assert looking.due() == []
        assert looking.source.pace.said == "1 object"
        put(moto_s3, url, "in/2.csv", b"id\n2\n")
        put(moto_s3, url, "other/3.csv", b"id\n3\n")
        looking.now += 60
        assert [one.why for one in looking.due()] == [f"{url}/in/*.csv changed"]
        put(moto_s3, url, "in/2.csv", b"id\n2\n")
        looking.now += 60
        assert looking.due() == []
        network.fault = Fault(kind="refuse", status=403)
        looking.now += 60
        assert looking.due() == []
        assert "does not let you in" in looking.source.pace.trouble
        put(moto_s3, url, "in/3.csv", b"id\n3\n")
        network.fault = None
        looking.now += 600
        assert len(looking.due()) == 1
        assert (looking.source.pace.trouble, looking.source.pace.said) == ("", "3 objects")


def test_rows_of_a_database_are_counted_by_its_watermark(tmp_path: Path) -> None:
    with postgresql() as url:
        triggers = {"data": {"dataset": url, "watermark": "SELECT count(*) FROM orders", "new-rows": 3}}
        looking = Looking(tmp_path, triggers, source=opener({}))
        assert looking.due() == []
        assert "orders" in looking.source.pace.trouble
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE orders (id int)")
            connection.execute("INSERT INTO orders VALUES (1)")
            looking.now += 60
            assert looking.due() == []
            assert (looking.source.pace.trouble, looking.source.pace.said) == ("", "at 1")
            found: list[EventSeen] = []
            for n in range(6):
                connection.execute("INSERT INTO orders VALUES (%s)", (n,))
                looking.now += 300
                found += looking.due()
        assert [(one.n_rows, one.why.endswith("has 3 new rows")) for one in found] == [(4, True), (7, True)]
    looking.now += 300
    began = time.monotonic()
    assert looking.due() == []
    assert "does not answer" in looking.source.pace.trouble
    assert time.monotonic() - began < 60
