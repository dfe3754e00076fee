"""The bad network does to an S3 client what it says, and a good one does nothing."""

import os
from collections.abc import Iterator

import obstore
import pytest
from obstore.store import S3Store

import faulty_network
from faulty_network import Fault, Kind, Network
from object_servers import Server


@pytest.fixture
def network(s3: Server) -> Iterator[Network]:
    with faulty_network.between(s3.endpoint) as network:
        yield network


def client(server: Server, network: Network, retries: int = 0) -> S3Store:
    env = server.environ(network.endpoint)
    return S3Store.from_url(
        server.url_of("network"),
        access_key_id=env["AWS_ACCESS_KEY_ID"],
        secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        endpoint=env["AWS_ENDPOINT_URL"],
        region=env["AWS_REGION"],
        client_options={"allow_http": True, "timeout": "5s"},
        retry_config={"max_retries": retries},
    )


def test_a_good_network_changes_nothing(s3: Server, network: Network) -> None:
    store, data = client(s3, network), os.urandom(3_000_000)
    obstore.put(store, "a", data, use_multipart=False)
    assert obstore.get(store, "a").bytes().to_bytes() == data
    assert obstore.get_range(store, "a", start=10, end=20).to_bytes() == data[10:20]
    assert [one["path"].rpartition("/")[2] for page in obstore.list(store) for one in page] == ["a"]
    obstore.delete(store, "a")
    assert network.n_faults == 0
    assert network.requests["PUT"] == 1


def test_servers_honour_conditional_puts(s3: Server, moto_s3: Server) -> None:
    for server in (s3, moto_s3):
        with faulty_network.between(server.endpoint) as network:
            store = client(server, network)
            obstore.put(store, "a", b"1", mode="create", use_multipart=False)
            with pytest.raises(obstore.exceptions.AlreadyExistsError):
                obstore.put(store, "a", b"2", mode="create", use_multipart=False)


@pytest.mark.parametrize("kind", ["drop", "cut", "refuse", "lose"])
def test_a_fault_breaks_an_answer(s3: Server, network: Network, kind: Kind) -> None:
    store = client(s3, network)
    obstore.put(store, "a", os.urandom(200_000), use_multipart=False)
    network.fault = Fault(kind=kind, methods=("GET",))
    with pytest.raises(obstore.exceptions.BaseError):
        obstore.get(store, "a").bytes()
    assert network.n_faults >= 1
    network.fault = None
    assert len(obstore.get(store, "a").bytes()) == 200_000


def test_an_answer_that_lost_half_of_itself_looks_whole(s3: Server, network: Network) -> None:
    store, data = client(s3, network), os.urandom(200_000)
    obstore.put(store, "a", data, use_multipart=False)
    network.fault = Fault(kind="shrink", methods=("GET",))
    assert obstore.get(store, "a").bytes().to_bytes() == data[:100_000]


def test_a_flipped_bit_looks_whole(s3: Server, network: Network) -> None:
    store, data = client(s3, network), os.urandom(200_000)
    obstore.put(store, "a", data, use_multipart=False)
    network.fault = Fault(kind="flip", methods=("GET",))
    got = obstore.get(store, "a").bytes().to_bytes()
    assert [i for i in range(len(data)) if got[i] != data[i]] == [100_000]


def test_what_a_server_did_stays_done_when_its_answer_is_lost(s3: Server, network: Network) -> None:
    store = client(s3, network)
    network.fault = Fault(kind="lose", methods=("PUT",), times=1)
    with pytest.raises(obstore.exceptions.BaseError):
        obstore.put(store, "a", b"1", use_multipart=False)
    assert obstore.get(store, "a").bytes().to_bytes() == b"1"


def test_a_fault_ends_after_its_times(s3: Server, network: Network) -> None:
    store = client(s3, network, retries=5)
    network.fault = Fault(kind="refuse", methods=("PUT",), times=2)
    obstore.put(store, "a", b"1", use_multipart=False)
    assert network.n_faults == 2
