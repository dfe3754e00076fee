"""A cluster is found where kubectl finds it, and one is known there as the kubeconfig says."""

import base64
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from headway.backends.target_kubernetes.access import Access, authorization, find, of_file, tls
from headway.backends.target_kubernetes.client import Client
from headway.errors import FileFaulty, FileMissing, HeadwayError, NameUnknown, TargetUnavailable, UsageMistaken
from headway.testing.kubernetes import FakeKubernetes


def config(
    tmp_path: Path, *, user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **more: Any
) -> str:
    """A kubeconfig of one context, as kubectl writes it."""
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "dev",
        "contexts": [
            {"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "risk"}},
            {"name": "lost", "context": {"cluster": "nowhere", "user": "u"}},
        ],
        "clusters": [{"name": "c", "cluster": {"server": "https://10.0.0.1:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        **more,
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(whole))
    return str(path)


def test_a_context_says_server_namespace_and_certificates_as_data_or_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    data = {"certificate-authority-data": base64.b64encode(b"CA").decode(), "tls-server-name": "kube"}
    user = {"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "key.pem"}
    found = of_file(config(tmp_path, cluster=data, user=user))
    assert found == Access(
        server="https://10.0.0.1:6443", namespace="risk", ca=b"CA", name="kube", certificate=b"CERT", key=b"KEY"
    )


def test_who_one_is_comes_from_a_token_a_file_or_a_password(tmp_path: Path) -> None:
    assert authorization(of_file(config(tmp_path, user={"token": "t"}))) == "Bearer t"
    assert authorization(of_file(config(tmp_path))) == ""
    password = of_file(config(tmp_path, user={"username": "ada", "password": "x"}))
    assert authorization(password) == "Basic " + base64.b64encode(b"ada:x").decode()
    assert authorization(of_file(config(tmp_path, user={"token": 12345}))) == "Bearer 12345"
    (tmp_path / "token").write_text("old\n")
    access = of_file(config(tmp_path, user={"tokenFile": "token", "token": "stale"}))
    assert authorization(access) == "Bearer old"
    (tmp_path / "token").write_text("new\n")
    assert authorization(access) == "Bearer new"


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_clouds_program_gives_the_token_and_is_told_what_is_wanted(tmp_path: Path, version: str) -> None:
    script = (
        "import json, os; asked = json.loads(os.environ['KUBERNETES_EXEC_INFO']);"
        "token = os.environ['WHO'] + asked['apiVersion'][-2:];"
        "print(json.dumps({'kind': 'ExecCredential', 'status': {'token': token}}))"
    )
    command = {
        "apiVersion": f"client.authentication.k8s.io/{version}",
        "command": sys.executable,
        "args": ["-c", script],
        "env": [{"name": "WHO", "value": "me-"}],
    }
    assert authorization(of_file(config(tmp_path, user={"exec": command}))) == f"Bearer me-{version[-2:]}"


def test_what_clouds_write_as_null_is_nothing(tmp_path: Path) -> None:
    user = {"exec": {"command": "aws", "args": None, "env": None, "provideClusterInfo": False}, "token": None}
    found = of_file(config(tmp_path, user=user, cluster={"certificate-authority": None}))
    assert (found.ca, found.token) == (b"", "")
    assert found.command is not None
    assert (found.command.command, found.command.args, found.command.env) == ("aws", (), ())


@pytest.mark.parametrize(
    "script",
    ["import sys; sys.exit('please log in')", "print('no json')", "print('{}')", "print('{\"status\": null}')"],
)
def test_a_program_that_gives_no_token_is_named_with_its_words(tmp_path: Path, script: str) -> None:
    command = {"command": sys.executable, "args": ["-c", script]}
    with pytest.raises(TargetUnavailable, match="gives no token") as e:
        authorization(of_file(config(tmp_path, user={"exec": command})))
    assert ("please log in" in e.value.problem) == ("log in" in script)


def test_the_cluster_is_found_where_kubectl_finds_it(tmp_path: Path) -> None:
    path = config(tmp_path)
    other = tmp_path / "home" / ".kube"
    other.mkdir(parents=True)
    (other / "config").write_text(Path(path).read_text().replace("10.0.0.1", "10.0.0.2"))
    home = {"HOME": str(tmp_path / "home")}
    assert find({"KUBECONFIG": path, **home}).server == "https://10.0.0.1:6443"
    assert find({"KUBECONFIG": f"{tmp_path}/none{os.pathsep}{path}"}).server == "https://10.0.0.1:6443"
    assert find(home).server == "https://10.0.0.2:6443"
    assert find({"KUBECONFIG": path}, api="http://127.0.0.1:8001/").server == "http://127.0.0.1:8001"
    with pytest.raises(UsageMistaken, match="no cluster is known"):
        find({"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("more", "context", "kind", "words"),
    [
        ({"current-context": ""}, "", FileFaulty, "has no current context"),
        ({}, "prod", NameUnknown, "has no context 'prod'"),
        ({}, "lost", NameUnknown, "has no cluster 'nowhere'"),
        ({"users": None}, "", NameUnknown, "has no user 'u'"),
        ({"clusters": [{"name": "c", "cluster": {}}]}, "", FileFaulty, "has no server for dev"),
        ({"contexts": "dev"}, "", FileFaulty, r"is no kubeconfig: .*`\$.contexts`"),
        ({"contexts": [{"name": "dev", "context": ["c"]}]}, "", FileFaulty, r"`\$.contexts\[0\].context`"),
        ({"contexts": [{"name": "dev", "context": {"namespace": []}}]}, "", FileFaulty, "is no kubeconfig"),
        ({"users": [{"name": "u", "user": {"tokenFile": [5]}}]}, "", FileFaulty, "is no kubeconfig"),
        ({"users": [{"name": "u", "user": {"exec": {"command": "x", "env": ["A"]}}}]}, "", FileFaulty, "exec.env"),
    ],
)
def test_a_kubeconfig_that_is_no_use_is_named(
    tmp_path: Path, more: dict[str, Any], context: str, kind: type[HeadwayError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        of_file(config(tmp_path, **more), context)


@pytest.mark.parametrize("server", ["127.0.0.1:6443", "ftp://x", "https://", "http://x:port", "http://[::1"])
def test_what_is_no_address_is_named_where_it_stands(tmp_path: Path, server: str) -> None:
    path = config(tmp_path, cluster={"server": server})
    for at, environ, api in (
        ("headway.toml: kubernetes.api", {"KUBERNETES_SAID_IN": "headway.toml"}, server),
        ("HEADWAY_KUBERNETES: api", {}, server),
        (path, {"KUBECONFIG": path}, ""),
    ):
        with pytest.raises(UsageMistaken, match="is no address of a cluster") as e:
            find(environ, api=api)
        assert e.value.at == at


def test_files_that_are_missing_or_no_certificates_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        find({"KUBECONFIG": str(tmp_path / "none")})
    with pytest.raises(FileMissing, match=r"ca\.pem cannot be read"):
        of_file(config(tmp_path, cluster={"certificate-authority": "ca.pem"}))
    with pytest.raises(FileFaulty, match="is no base64"):
        of_file(config(tmp_path, cluster={"certificate-authority-data": "%%%"}))
    with pytest.raises(TargetUnavailable, match="is none"):
        tls(Access(server="https://x", ca=b"no certificate"))


def test_trust_is_the_kubeconfigs_and_only_waived_when_it_says_so() -> None:
    assert tls(Access(server="https://x")).verify_mode == ssl.CERT_REQUIRED
    waived = tls(Access(server="https://x", is_insecure=True))
    assert (waived.verify_mode, waived.check_hostname) == (ssl.CERT_NONE, False)


def test_a_token_that_has_run_out_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("stale")

    class Strict(FakeKubernetes):
        def handle(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
            if headers.get("Authorization") != "Bearer fresh":
                (tmp_path / "token").write_text("fresh")
                return 401, {"kind": "Status", "message": "Unauthorized"}
            return super().handle(method, target, headers, body)

    with Strict() as cluster:
        client = Client(Access(server=cluster.url, token_file=str(tmp_path / "token")), "default")
        assert client.found("Pod") == []


def test_a_connection_that_broke_is_made_again() -> None:
    with FakeKubernetes() as cluster:
        client = Client(Access(server=cluster.url), "default")
        assert client.get("Pod", "a") is None
        assert client._connection is not None
        client._connection.sock.close()
        assert client.get("Pod", "a") is None


@pytest.mark.parametrize("page", ["<html>Log in</html>", "[1]", "{}"])
def test_a_page_that_is_no_clusters_is_named(page: str) -> None:
    class Portal(FakeKubernetes):
        def handle(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
            return 200, page

    with Portal() as portal:
        client = Client(Access(server=portal.url), "default")
        with pytest.raises(TargetUnavailable, match="what answers is no Kubernetes"):
            client.get("Service", "a")
        with pytest.raises(TargetUnavailable, match="what answers is no Kubernetes"):
            client.found("Deployment")
