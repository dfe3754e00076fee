"""How a cluster is reached: its address, whom to trust there, and who one is; from a kubeconfig or from inside a pod.

Reads what kubectl reads: contexts, certificates as files or data, tokens as text or files, passwords, and the programs
that clouds give out tokens with (`exec`). Does not know what is asked of a cluster.
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct, field

from headway.codec.manifests import read
from headway.errors import FileFaulty, FileMissing, NameUnknown, TargetUnavailable, UsageMistaken

if TYPE_CHECKING:
    import ssl

INSIDE = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its own token."""

EXEC_S = 60.0
"""How long a program may take that gives out a token: it may have to ask a cloud."""

T = TypeVar("T")


class _Said(Struct, frozen=True, kw_only=True, rename="kebab"):
    """A part of a kubeconfig, of which only what is used here is named."""


class _Variable(_Said, frozen=True, kw_only=True):
    name: str
    value: str = ""


class _Program(_Said, frozen=True, kw_only=True):
    command: str
    args: tuple[str, ...] = ()
    env: tuple[_Variable, ...] = ()
    api_version: str = field(default="client.authentication.k8s.io/v1", name="apiVersion")


class _Context(_Said, frozen=True, kw_only=True):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _Cluster(_Said, frozen=True, kw_only=True):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""


class _User(_Said, frozen=True, kw_only=True):
    token: str = ""
    token_file: str = field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: _Program | None = None


class _NamedContext(_Said, frozen=True, kw_only=True):
    name: str
    context: _Context = _Context()


class _NamedCluster(_Said, frozen=True, kw_only=True):
    name: str
    cluster: _Cluster = _Cluster()


class _NamedUser(_Said, frozen=True, kw_only=True):
    name: str
    user: _User = _User()


class _Config(_Said, frozen=True, kw_only=True):
    current_context: str = ""
    contexts: tuple[_NamedContext, ...] = ()
    clusters: tuple[_NamedCluster, ...] = ()
    users: tuple[_NamedUser, ...] = ()


class Access(Struct, frozen=True, kw_only=True):
    """An API server, and how to speak to it. `token_file` is read anew for each token; `command` gives one out."""

    server: str
    namespace: str = ""
    ca: bytes = b""
    is_insecure: bool = False
    name: str = ""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    token_file: str = ""
    basic: str = ""
    command: _Program | None = None


def said_at(environ: Mapping[str, str], key: str) -> str:
    """Where a setting of the cluster was written: in headway.toml, or in the variable that goes before it.

    >>> said_at({"KUBERNETES_SAID_IN": "headway.toml"}, "api"), said_at({}, "api")
    ('headway.toml: kubernetes.api', 'HEADWAY_KUBERNETES: api')
    """
    return f"headway.toml: kubernetes.{key}" if environ.get("KUBERNETES_SAID_IN") else f"HEADWAY_KUBERNETES: {key}"


def find(environ: Mapping[str, str], *, api: str = "", context: str = "") -> Access:
    """The cluster that is meant: that of `api`, of KUBECONFIG, of ~/.kube/config, else the one around this pod.

    Raises UsageMistaken when there is none, or its address is none; FileMissing, FileFaulty and NameUnknown for a
    kubeconfig that is no use.
    """
    if api:
        return Access(server=_address(api, said_at(environ, "api")), token=environ.get("HEADWAY_KUBERNETES_TOKEN", ""))
    named = [path for path in environ.get("KUBECONFIG", "").split(os.pathsep) if path]
    usual = os.path.join(environ.get("HOME", ""), ".kube", "config")
    for path in named or [usual]:
        if os.path.exists(path):
            return of_file(path, context)
    if named:
        raise FileMissing(f"there is no file {named[0]}", at="KUBECONFIG", remedy="name the kubeconfig of the cluster")
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if host and os.path.exists(f"{INSIDE}/token"):
        host = f"[{host}]" if ":" in host else host
        return Access(
            server=f"https://{host}:{port}",
            namespace=_bytes(f"{INSIDE}/namespace").decode().strip(),
            ca=_bytes(f"{INSIDE}/ca.crt"),
            token_file=f"{INSIDE}/token",
        )
    raise UsageMistaken(
        "no cluster is known",
        at="target: kubernetes",
        remedy="set KUBECONFIG to the cluster's kubeconfig, or write `api` into headway.toml: kubernetes",
    )


def of_file(path: str, context: str = "") -> Access:
    """What a kubeconfig says of a context (empty: its current one). Raises what `find` does."""
    config = _config(path)
    wanted = context or config.current_context
    if not wanted:
        raise FileFaulty(f"{path} has no current context", at=path, remedy="set one: kubectl config use-context NAME")
    chosen = _named("context", {one.name: one.context for one in config.contexts}, wanted, path)
    cluster = _named("cluster", {one.name: one.cluster for one in config.clusters}, chosen.cluster, path)
    users = {one.name: one.user for one in config.users}
    user = _named("user", users, chosen.user, path) if chosen.user else _User()
    if not cluster.server:
        raise FileFaulty(f"{path} has no server for {wanted}", at=path, remedy="write `server:` for its cluster")
    base = os.path.dirname(os.path.abspath(path))
    ca, certificate = cluster.certificate_authority, user.client_certificate
    return Access(
        server=_address(cluster.server, path),
        namespace=chosen.namespace,
        ca=_content("certificate-authority", cluster.certificate_authority_data, ca, base, path),
        is_insecure=cluster.insecure_skip_tls_verify,
        name=cluster.tls_server_name,
        certificate=_content("client-certificate", user.client_certificate_data, certificate, base, path),
        key=_content("client-key", user.client_key_data, user.client_key, base, path),
        token="" if user.token_file else user.token,
        token_file=os.path.join(base, user.token_file) if user.token_file else "",
        basic=base64.b64encode(f"{user.username}:{user.password}".encode()).decode() if user.username else "",
        command=user.exec,
    )


def _address(server: str, at: str) -> str:
    try:
        parts = urlsplit(server)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_one = False
    if not is_one:
        raise UsageMistaken(
            f"{server!r} is no address of a cluster", at=at, remedy="write it as in https://10.0.0.1:6443"
        )
    return server.rstrip("/")


def _config(path: str) -> _Config:
    documents = read(_bytes(path), path)
    try:
        return msgspec.convert(_plain(documents[0] if documents else {}), _Config)
    except msgspec.ValidationError as e:
        remedy = "mend it there; `kubectl config view` shows how kubectl reads it"
        raise FileFaulty(f"{path} is no kubeconfig: {e}", at=path, remedy=remedy) from e


def _plain(value: object) -> object:
    """As kubectl takes it: null, which clouds write (`env: null`), is nothing, and a number is a text of digits."""
    if isinstance(value, dict):
        return {key: _plain(below) for key, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_plain(below) for below in value]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _named(what: str, known: Mapping[str, T], name: str, path: str) -> T:
    if name not in known:
        remedy = f"it has {', '.join(sorted(known)) or 'none'}; see `kubectl config view`"
        raise NameUnknown(f"{path} has no {what} {name!r}", at=path, remedy=remedy)
    return known[name]


def _content(what: str, data: str, file: str, base: str, path: str) -> bytes:
    if data:
        try:
            return base64.b64decode(data, validate=True)
        except ValueError as e:
            remedy = "copy the kubeconfig anew"
            raise FileFaulty(f"{path}: {what}-data is no base64", at=path, remedy=remedy) from e
    return _bytes(os.path.join(base, file)) if file else b""


def _bytes(path: str) -> bytes:
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError as e:
        remedy = "mend the kubeconfig, or the file it names"
        raise FileMissing(f"{path} cannot be read: {e.strerror or e}", at=path, remedy=remedy) from e


def authorization(access: Access) -> str:
    """The header that says who one is, empty for who needs none; asked anew it is a fresh one.

    Raises TargetUnavailable when the program that gives out tokens does not.
    """
    if access.basic:
        return f"Basic {access.basic}"
    if access.command is not None:
        return f"Bearer {_given(access.command, access.server)}"
    token = _bytes(access.token_file).decode().strip() if access.token_file else access.token
    return f"Bearer {token}" if token else ""


def _given(program: _Program, server: str) -> str:
    import subprocess

    words = [program.command, *program.args]
    environ = {**os.environ, **{one.name: one.value for one in program.env}}  # noqa: TID251 (inherited, not read)
    asked = {"kind": "ExecCredential", "apiVersion": program.api_version, "spec": {"interactive": False}}
    try:
        done = subprocess.run(
            words,
            env={**environ, "KUBERNETES_EXEC_INFO": json.dumps(asked)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=EXEC_S,
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace").strip()
        told = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as e:
        said, told = str(e), {}
    status = told.get("status") if isinstance(told, dict) else None
    token = status.get("token") if isinstance(status, dict) else None
    if not token:
        raise TargetUnavailable(
            f"{words[0]} gives no token for the cluster{': ' + said.splitlines()[-1] if said else ''}",
            at=f"target: {server}",
            remedy=f"run `{' '.join(words)}` yourself, and log in where it asks for it",
        )
    return str(token)


def tls(access: Access) -> "ssl.SSLContext":
    """Whom to trust, and the certificate that says who one is. Raises TargetUnavailable for what is no certificate."""
    import ssl
    import tempfile

    try:
        made = ssl.create_default_context(cadata=access.ca.decode() if access.ca else None)
        if access.is_insecure:
            made.check_hostname = False
            made.verify_mode = ssl.CERT_NONE
        if access.certificate:
            # OpenSSL reads certificates of one's own from files only.
            with tempfile.NamedTemporaryFile(suffix=".pem") as f:
                f.write(access.certificate + b"\n" + access.key)
                f.flush()
                made.load_cert_chain(f.name)
    except (ssl.SSLError, ValueError) as e:
        raise TargetUnavailable(
            f"a certificate of the kubeconfig is none: {e}", at=f"target: {access.server}", remedy="copy it anew"
        ) from e
    return made
