"""The outside world behind the ports: one file for each port and scheme, `<port>_<scheme>.py`, found by its name.

Such a file has `connect(url)`, which gives the port; `connect(url, environ)` where credentials and settings come from
the environment, too. Another package adds one by an entry point of the group `headway.backends` named
`<port>_<scheme>`, which names a function of that kind. Nothing here is a list.
"""

from collections.abc import Callable, Mapping
from importlib import import_module

from headway.core.redact import redacted
from headway.errors import NameUnknown, UsageMistaken


def connect(port: str, url: str, environ: Mapping[str, str] | None = None, *, looking: bool = False) -> object:
    """The back-end that answers to a URL `<scheme>:<place>` of a port (`log`, `blobs`, `leases`, `source`, …).

    `environ` reaches those whose function has a parameter of that name. For one who is `looking`, the back-end's
    `look` is called where it has one: it makes nothing, and needs no right to write. Raises NameUnknown for a scheme
    nobody answers to, and whatever the back-end raises.

    >>> type(connect("blobs", "memory:")).__name__
    'MemoryBlobs'
    """
    scheme, colon, _ = url.partition(":")
    if colon and scheme.isidentifier():
        wanted = f"{__name__}.{port}_{scheme}"
        try:
            module = import_module(wanted)
            make = getattr(module, "look", module.connect) if looking else module.connect
            return _call(make, url, environ)
        except ModuleNotFoundError as e:
            if e.name != wanted:
                raise
    return _call(_foreign(port, scheme, url), url, environ)


def wrap(name: str, *parts: object) -> object:
    """Parts behind one that works on them: `wrap("cache", near, far)` is what `wrap_cache` makes of two stores.

    >>> type(wrap("cache", connect("blobs", "memory:"), connect("blobs", "memory:"))).__name__
    'CachedBlobs'
    """
    made: object = import_module(f"{__name__}.wrap_{name}").wrap(*parts)
    return made


def path_of(url: str) -> str:
    """The path in `<scheme>:<path>`, also when written `<scheme>:///path`. Raises UsageMistaken when there is none.

    >>> path_of("file:/srv/blobs"), path_of("file:///srv/blobs")
    ('/srv/blobs', '/srv/blobs')
    """
    path = url.partition(":")[2]
    if not path:
        raise UsageMistaken(f"{url!r} names no place", at=url, remedy="write the path behind the colon")
    return path[2:] if path.startswith("///") else path


def _call(make: Callable[..., object], url: str, environ: Mapping[str, str] | None) -> object:
    if "environ" in getattr(make, "__annotations__", ()):
        return make(url, environ or {})
    return make(url)


def _foreign(port: str, scheme: str, url: str) -> Callable[..., object]:
    from importlib.metadata import entry_points

    found = {entry.name: entry for entry in entry_points(group="headway.backends")}
    entry = found.get(f"{port}_{scheme}")
    if entry is None:
        prefix = port + "_"
        known = sorted({*_built_in(prefix), *(name.removeprefix(prefix) for name in found if name.startswith(prefix))})
        raise NameUnknown(
            f"no {port} answers to {scheme!r}",
            at=f"{port}: {redacted(url)}",
            remedy=f"use one of {', '.join(known)}, or install a package that brings it",
        )
    make: Callable[..., object] = entry.load()
    return make


def _built_in(prefix: str) -> list[str]:
    from pkgutil import iter_modules

    return [m.name.removeprefix(prefix) for m in iter_modules(__path__) if m.name.startswith(prefix)]
