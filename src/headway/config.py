"""The settings: `headway.toml` and the environment, read once, here alone, into one frozen value.

What each wins over: a flag over HEADWAY_… in the environment over headway.toml over the default.
"""

import os
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from msgspec import Struct, field

from headway.codec.addresses import located, remote_url
from headway.core.access import Token
from headway.core.notifier import Notifying
from headway.core.oidc import Oidc
from headway.core.placement import Placement
from headway.core.redact import redacted
from headway.errors import Fault, FileFaulty, FileMissing, UsageMistaken

T = TypeVar("T")

HOME = ".headway"
"""The embedded default's folder: log, blobs, workspaces; ignored by Git."""

MARKS = ("pipeline.yaml", "headway.toml", HOME)
"""What makes a folder a project, looked for here and above."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything a command may depend on besides its own words."""

    folder: str
    """The project's folder, absolute."""
    log_url: str
    """Where the facts are: `sqlite:PATH` or `postgresql://…`. Default: .headway/log.sqlite in the project."""
    store_url: str
    """Where the blobs are: `file:PATH`, or a bucket. Default: .headway/blobs in the project."""
    store_environ: Mapping[str, str]
    """The environment for that store: as it was, with what headway.toml says of its server."""
    remote_url: str
    """Where `headway push` sends to: a bucket, or `bucket:PATH` for a folder. Empty: nowhere, the default."""
    remote_environ: Mapping[str, str]
    """As `store_environ`, of the remote."""
    jobs: int
    """Steps at work at a time. Default: the processors this process may use."""
    environ: Mapping[str, str]
    """The environment as it was at the start; steps inherit it."""
    debug: bool = False
    """Show tracebacks (HEADWAY_DEBUG=1)."""
    trusted_keys: tuple[str, ...] = ()
    """Public keys whose signatures on model versions count, besides the user's own. Default: none."""
    require_signature: bool = False
    """Whether a model version that no trusted key signed is refused. Default: no."""
    may_override: tuple[str, ...] | None = None
    """Who may release a version that no gate let pass. Default: whoever runs the command."""
    kubernetes: str = ""
    """Which cluster `target: kubernetes` means and how versions run there, as JSON. Default: nothing is said."""
    web_url: str = ""
    """Where people reach the pages, behind a proxy. Default: where the server listens."""
    web_tokens: tuple[Token, ...] = ()
    """Who may open the pages with a token, and in which role. Default: nobody."""
    web_oidc: Oidc | None = None
    """The provider that people may sign in with. Default: none."""
    notify: tuple[Notifying, ...] = ()
    """Who is told of alarms, runs and releases. Default: nobody."""
    private: frozenset[str] = frozenset()
    """Columns of data whose values are shown to nobody. Default: none."""

    @property
    def target_environ(self) -> Mapping[str, str]:
        """The environment for targets: as it was, with what headway.toml says of them, and who says it."""
        said = self.environ.get("HEADWAY_KUBERNETES")
        told = {} if said else {"HEADWAY_KUBERNETES": self.kubernetes, "KUBERNETES_SAID_IN": "headway.toml"}
        return {**self.environ, **told}

    @property
    def keys_folder(self) -> str:
        """Where the user's own key pair is, which no project has: HEADWAY_KEYS, or in the user's folder of settings."""
        base = self.environ.get("XDG_CONFIG_HOME") or os.path.join(self.environ.get("HOME") or "~", ".config")
        return self.environ.get("HEADWAY_KEYS") or os.path.join(os.path.expanduser(base), "headway", "keys")

    @property
    def is_log_shared(self) -> bool:
        """Whether other machines may append to the same log, so that leases of the project lie there, too."""
        return self.log_url.startswith("postgresql:")

    @property
    def home(self) -> str:
        """The folder of everything embedded; made by `wiring` when first needed."""
        return os.path.join(self.folder, HOME)


def load(*, folder: str | None = None) -> Settings:
    """Read the settings of the project in `folder`, or of the one around the working directory.

    Raises FileMissing when `folder` does not exist, FileFaulty with all faults of headway.toml, UsageMistaken for a
    variable that cannot be meant.
    """
    environ = dict(os.environ)  # noqa: TID251 (the one place)
    root = _project(os.getcwd()) if folder is None else os.path.abspath(folder)
    if not os.path.isdir(root):
        raise FileMissing(f"there is no folder {folder}", at="--folder", remedy="name the project's folder")
    file = _file(os.path.join(root, "headway.toml"))
    links = _one_of("HEADWAY_STORE_LINKS", environ, ("copy", "hard")) or file.store.links
    store_url = located(root, environ.get("HEADWAY_STORE_URL") or file.store.url or f"file:{HOME}/blobs")
    remote = _remote(file.remote, environ)
    return Settings(
        folder=root,
        log_url=located(root, environ.get("HEADWAY_LOG_URL") or file.log.url or f"sqlite:{HOME}/log.sqlite"),
        store_url=f"{store_url}?links=hard" if links == "hard" and store_url.startswith("file:") else store_url,
        store_environ=_environ_of(file.store, environ),
        remote_url=remote_url(root, remote.url) if remote.url else "",
        remote_environ=_environ_of(remote, environ),
        jobs=_jobs(environ.get("HEADWAY_JOBS")) or file.run.jobs or _processors(),
        environ=environ,
        debug=environ.get("HEADWAY_DEBUG", "") not in ("", "0"),
        trusted_keys=file.trust.keys,
        require_signature=file.trust.require_signature,
        may_override=file.release.override,
        kubernetes=_json(file.kubernetes) if file.kubernetes.image else "",
        web_url=file.web.url.rstrip("/"),
        web_tokens=file.web.tokens,
        web_oidc=file.web.oidc if file.web.oidc.issuer else None,
        notify=file.notify,
        private=frozenset(file.data.private),
    )


class _Place(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = ""
    """`scheme:path`, a relative path counted from the project's folder; empty: inside `.headway/`."""


class _Server(_Place, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that may be a bucket. Credentials are never written here: they come from the environment."""

    endpoint: str = ""
    """The address of a self-hosted S3, as in http://127.0.0.1:9000; empty: the cloud's own."""
    region: str = ""
    """The bucket's region, where its server wants one."""
    allow_http: bool = field(default=False, name="allow-http")
    """Whether it may be spoken to without encryption."""


class _Store(_Server, frozen=True, kw_only=True, forbid_unknown_fields=True):
    links: Literal["copy", "hard"] = "copy"
    """What files in the workspace are: copies of the store's (clones, where the file system can), or the store's own
    under a second name, read-only, which takes no time and no room."""


class _Run(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    jobs: int = 0
    """Steps at work at a time, from 1; 0 stands for what is not written: the processors."""


class _Trust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keys: tuple[str, ...] = ()
    """Public keys, as `headway models keys` shows them."""
    require_signature: bool = field(default=False, name="require-signature")
    """Whether a model version must be signed by one of them, or by the user's own, before it is loaded."""


class _Release(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    override: tuple[str, ...] | None = None
    """Names of users; an empty list: nobody."""


class _Kubernetes(Placement, frozen=True, kw_only=True, omit_defaults=True):
    """All of `Placement`; the target checks what the values mean."""

    image: str = ""
    """Empty: nothing is said of a cluster."""


class _Data(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    private: tuple[str, ...] = ()
    """Names of columns, as they stand in the data."""


class _Web(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = ""
    """As in https://headway.example.com; empty: the server's own address."""
    tokens: tuple[Token, ...] = ()
    """A name, a role and a digest each, as `headway ui --token` prints them."""
    oidc: Oidc = Oidc()
    """Without an `issuer`: none."""


def _json(value: Struct) -> str:
    import msgspec

    return msgspec.json.encode(value).decode()


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """headway.toml as a person may write it."""

    log: _Place = _Place()
    store: _Store = _Store()
    remote: _Server = _Server()
    run: _Run = _Run()
    trust: _Trust = _Trust()
    release: _Release = _Release()
    kubernetes: _Kubernetes = _Kubernetes()
    web: _Web = _Web()
    data: _Data = _Data()
    notify: tuple[Notifying, ...] = ()


def _file(path: str) -> _File:
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        return _File()
    except IsADirectoryError as e:
        raise FileFaulty("headway.toml is a folder", at="headway.toml", remedy="rename it") from e
    import tomllib

    import msgspec

    from headway.codec import toml
    from headway.codec.human import check, decoded
    from headway.codec.kinds import problems_of

    try:
        # Any: TOML holds whatever a person wrote; `check` says what is wrong with it.
        text = decoded(data, "headway.toml")
        values: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as e:
        faults = [toml.syntax(str(e), text)]
    else:
        faults = toml.place([*check(values, _File), *_limits(values)], _shown(text, values))
    if not faults:
        # Without the `x-` keys, which are a person's own.
        return msgspec.convert(problems_of(values, _File)[1], _File)
    n = len(faults)
    at = f"headway.toml:{faults[0].line}:{faults[0].column}" if faults[0].line else "headway.toml"
    raise FileFaulty(
        f"headway.toml has {n} fault{'s' * (n > 1)}",
        at=at,
        remedy="mend what is listed; docs/configuration.md has every setting",
        faults=tuple(faults),
    )


# Any: as above.
def _secrets(values: dict[str, Any]) -> list[Fault]:
    match values:
        case {"log": {"url": str(url)}} if url != redacted(url):
            remedy = "take it out, for others read this file; set PGPASSWORD or HEADWAY_LOG_URL, or use ~/.pgpass"
            return [Fault("`url` has a password in it", where="log.url", remedy=remedy)]
        case _:
            return []


# Any: as above.
def _shown(text: str, values: dict[str, Any]) -> str:
    """The file as lines of it may be shown."""
    match values:
        case {"log": {"url": str(url)}}:
            text = text.replace(url, redacted(url))
    # Whoever has a client's secret at hand may write it here.
    return re.sub(r"(client-secret[\w-]*[\"']?\s*=\s*).*", r"\1***", text)


# Any: as above.
def _limits(values: dict[str, Any]) -> list[Fault]:
    """What is of the right kind and yet cannot be meant."""
    found = _secrets(values)
    match values:
        case {"run": {"jobs": int(jobs)}} if jobs < 1 and not isinstance(jobs, bool):
            remedy = "write a number from 1, or leave it out"
            found.append(Fault(f"`jobs` is {jobs}", where="run.jobs", remedy=remedy))
    match values:
        case {"trust": {"keys": [*keys]}}:
            from headway.core.signing import read_key

            remedy = "write it as `headway models keys` shows it to its owner: ed25519:…"
            for n, key in enumerate(keys):
                if isinstance(key, str) and read_key(key) is None:
                    found.append(Fault(f"{key!r} is no public key", where=f"trust.keys[{n}]", remedy=remedy))
    if isinstance(web := values.get("web"), dict):
        found += _of_web(web)
    match values:
        case {"notify": [*written]} if written:
            found += _of_notifiers(written)
    return found


def _read(written: object, kind: type[T]) -> T | None:
    """What was written, as far as its values are of the right kinds; else None, and `check` says why."""
    import msgspec

    from headway.codec.kinds import problems_of

    problems, values = problems_of(written, kind)
    return None if problems else msgspec.convert(values, kind)


# Any: as above.
def _of_notifiers(written: list[Any]) -> list[Fault]:
    """What is wrong with those who are told."""
    from headway.core.notifier import wrong

    found = wrong(_read(written, tuple[Notifying, ...]) or ())
    return [Fault(one.problem, where=f"notify[{one.n}].{one.field}", remedy=one.remedy) for one in found]


# Any: as above.
def _of_web(web: dict[str, Any]) -> list[Fault]:
    """What is wrong with those who may open the pages, and with the provider that they sign in with."""
    from headway.core.access import wrong_tokens
    from headway.core.oidc import wrong

    provider = _read(web["oidc"], Oidc) if "oidc" in web else None
    found = wrong(provider, str(web.get("url", ""))) if provider is not None else []
    told = [Fault(one.problem, where=f"web.oidc.{one.field}".rstrip("."), remedy=one.remedy) for one in found]
    return [*wrong_tokens(web.get("tokens")), *told]


def _project(start: str) -> str:
    folder = start
    while True:
        if any(os.path.exists(os.path.join(folder, mark)) for mark in MARKS):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return start
        folder = above


def _remote(file: _Server, environ: Mapping[str, str]) -> _Server:
    """What is said of the remote, with the variables that go before the file."""
    allowed = _one_of("HEADWAY_REMOTE_ALLOW_HTTP", environ, ("0", "1", "false", "true"))
    return _Server(
        url=environ.get("HEADWAY_REMOTE_URL") or file.url,
        endpoint=environ.get("HEADWAY_REMOTE_ENDPOINT") or file.endpoint,
        region=environ.get("HEADWAY_REMOTE_REGION") or file.region,
        allow_http=allowed in ("1", "true") if allowed else file.allow_http,
    )


def _environ_of(server: _Server, environ: Mapping[str, str]) -> Mapping[str, str]:
    """The environment that a back-end reads, in which the usual variables go before the file."""
    said = {
        "AWS_ENDPOINT_URL": "" if environ.get("AWS_ENDPOINT_URL_S3") else server.endpoint,
        "AWS_REGION": "" if environ.get("AWS_DEFAULT_REGION") else server.region,
        "AWS_ALLOW_HTTP": "true" if server.allow_http else "",
    }
    return {**environ, **{name: value for name, value in said.items() if value and not environ.get(name)}}


def _one_of(name: str, environ: Mapping[str, str], known: tuple[str, ...]) -> str:
    """The value of a variable that may have only some; empty when it has none. Raises UsageMistaken."""
    value = environ.get(name, "")
    if value and value not in known:
        raise UsageMistaken(f"{value!r} cannot be meant", at=name, remedy=f"set it to {' or '.join(known)}")
    return value


def _jobs(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise UsageMistaken(
            f"{text!r} steps at a time cannot be", at="HEADWAY_JOBS", remedy="set it to a number from 1"
        )
    return int(text)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
