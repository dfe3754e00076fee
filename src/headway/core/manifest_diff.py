"""What applying manifests would change: fields that are new, other, or gone. Knows no cluster."""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from headway.core.manifest import Manifest

_COUNTED = frozenset(("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"))
"""What a server keeps count of, and nobody asked for."""


class Difference(Struct, frozen=True, kw_only=True):
    """One field of an object, before and after, each as JSON; None is none."""

    kind: str
    name: str
    path: str
    before: Any
    after: Any

    def __str__(self) -> str:
        if not self.path:
            return f"{self.kind} {self.name}: {'new' if self.before is None else 'gone'}"
        return f"{self.kind} {self.name}: {self.path}: {_told(self.before)} -> {_told(self.after)}"


# Any (here and below): a value of JSON.
def _told(value: Any) -> str:  # noqa: ANN401 (as above)
    return "nothing" if value is None else str(value)


def differences(before: Manifest | None, after: Manifest) -> list[Difference]:
    """What is other in an object after it was applied; an object that was not there is one difference.

    >>> one = {"kind": "Deployment", "metadata": {"name": "m", "uid": "1"}, "spec": {"replicas": 2}}
    >>> [str(found) for found in differences(one, {**one, "spec": {"replicas": 3}})]
    ['Deployment m: spec.replicas: 2 -> 3']
    >>> [str(found) for found in differences(None, one)]
    ['Deployment m: new']
    """
    kind, name = after["kind"], after["metadata"]["name"]
    if before is None:
        return [Difference(kind=kind, name=name, path="", before=None, after=True)]
    was, now = dict(_leaves(before)), dict(_leaves(after))
    return [
        Difference(kind=kind, name=name, path=path, before=was.get(path), after=now.get(path))
        for path in sorted(was.keys() | now.keys())
        if was.get(path) != now.get(path)
    ]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (as above)
    if isinstance(value, Mapping) and value:
        for key, below in value.items():
            if key not in _COUNTED and (path or key not in ("status", "apiVersion")):
                yield from _leaves(below, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and value:
        for number, below in enumerate(value):
            named = below.get("name") if isinstance(below, Mapping) else None
            yield from _leaves(below, f"{path}[{named or number}]")
    else:
        yield path, value
