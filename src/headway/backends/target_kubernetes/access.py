"""How a cluster is reached: its address, whom to trust there, and who one is; from a kubeconfig or from inside a pod.

Reads what kubectl reads: contexts, certificates as files or data, tokens as text or files, passwords, and the programs
that clouds give out tokens with (`exec`). Does not know what is asked of a cluster.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from headway.codec.manifests import read
from headway.errors import FileFaulty, FileMissing, NameUnknown, TargetUnavailable, UsageMistaken

if TYPE_CHECKING:
    import ssl

INSIDE = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a pod finds its own token."""

EXEC_S = 60.0
"""How long a program may take that gives out a token: it may have to ask a cloud."""

# Any: a kubeconfig is open YAML.
Words = dict[str, Any]


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
    command: Words | None = None


def find(environ: Mapping[str, str], *, api: str = "", context: str = "") -> Access:
    """The cluster that is meant: that of `api`, of KUBECONFIG, of ~/.kube/config, else the one around this pod.

    Raises UsageMistaken when there is none, FileMissing, FileFaulty and NameUnknown for a kubeconfig that is no use.
    """
    if api:
        return Access(server=api.rstrip("/"), token=environ.get("HEADWAY_KUBERNETES_TOKEN", ""))
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
    """What a kubeconfig says of a context (empty: its current one). Raises FileFaulty, FileMissing, NameUnknown."""
    documents = read(_bytes(path), path)
    config = documents[0] if documents else {}
    wanted = context or config.get("current-context") or ""
    if not wanted:
        raise FileFaulty(f"{path} has no current context", at=path, remedy="set one: kubectl config use-context NAME")
    chosen = _named(config, "contexts", wanted, path)
    cluster = _named(config, "clusters", chosen.get("cluster", ""), path)
    user = _named(config, "users", chosen["user"], path) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise FileFaulty(f"{path} has no server for {wanted}", at=path, remedy="write `server:` for its cluster")
    base = os.path.dirname(os.path.abspath(path))
    password = f"{user.get('username', '')}:{user.get('password', '')}"
    token_file = user.get("tokenFile", "")
    return Access(
        server=str(cluster["server"]).rstrip("/"),
        namespace=chosen.get("namespace") or "",
        ca=_content(cluster, "certificate-authority", base, path),
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        name=cluster.get("tls-server-name") or "",
        certificate=_content(user, "client-certificate", base, path),
        key=_content(user, "client-key", base, path),
        token="" if token_file else user.get("token") or "",
        token_file=os.path.join(base, token_file) if token_file else "",
        basic=base64.b64encode(password.encode()).decode() if user.get("username") else "",
        command=user.get("exec"),
    )


def _named(config: Words, kind: str, name: str, path: str) -> Words:
    known = {str(one.get("name")): one for one in config.get(kind) or []}
    if name not in known:
        what = kind.removesuffix("s")
        remedy = f"it has {', '.join(sorted(known)) or 'none'}; see `kubectl config view`"
        raise NameUnknown(f"{path} has no {what} {name!r}", at=path, remedy=remedy)
    found: Words = known[name].get(kind.removesuffix("s")) or {}
    return found


def _content(of: Words, key: str, base: str, path: str) -> bytes:
    if of.get(f"{key}-data"):
        try:
            return base64.b64decode(of[f"{key}-data"], validate=True)
        except (binascii.Error, TypeError) as e:
            remedy = "copy the kubeconfig anew"
            raise FileFaulty(f"{path}: {key}-data is no base64", at=path, remedy=remedy) from e
    return _bytes(os.path.join(base, of[key])) if of.get(key) else b""


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
        return f"Bearer {_given(access)}"
    token = _bytes(access.token_file).decode().strip() if access.token_file else access.token
    return f"Bearer {token}" if token else ""


def _given(access: Access) -> str:
    import subprocess

    command: Words = access.command or {}
    words = [str(command.get("command", "")), *map(str, command.get("args") or [])]
    environ = {**os.environ, **{one["name"]: one["value"] for one in command.get("env") or []}}  # noqa: TID251 (inherited, not read)
    version = command.get("apiVersion", "client.authentication.k8s.io/v1")
    asked = {"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": False}}
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
    token = told.get("status", {}).get("token") if isinstance(told, dict) else None
    if not token:
        raise TargetUnavailable(
            f"{words[0]} gives no token for the cluster{': ' + said.splitlines()[-1] if said else ''}",
            at=f"target: {access.server}",
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
