"""Which packages a model version needs to be served, each in the version that it was made with.

A run records all that was installed where it ran, tests and notebooks' tools too. Here the few are found that what
the model is made of asks for, directly or through others. What packages ask for is handed in, as their own metadata
words it; `flows/environment` reads it. Markers are not worked out: who was installed is who was meant by them.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from msgspec import Struct

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*([^;]*)(?:;(.*))?", re.DOTALL)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


class Requirement(Struct, frozen=True):
    """What a package asks for: another with some of its extras; `of_extras`: only if one of these of its own is asked.

    `is_certain`: on any machine.
    """

    name: str
    extras: tuple[str, ...] = ()
    of_extras: tuple[str, ...] = ()
    is_certain: bool = True


class Pin(Struct, frozen=True, order=True):
    """A package in one version, and the hashes that its files may have (`sha256:…`); none where they are not known."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


class Needed(Struct, frozen=True, kw_only=True):
    """The packages that are needed, by their plain names, sorted.

    `absent` are needed and have no version: `name, for name`. Of the `unread` nobody knows what they ask for.
    """

    names: tuple[str, ...]
    absent: tuple[tuple[str, str], ...] = ()
    unread: tuple[str, ...] = ()


def plain(name: str) -> str:
    """A package's name as indexes compare it.

    >>> plain("Scikit_Learn"), plain("zope.interface")
    ('scikit-learn', 'zope-interface')
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def versions(lines: Iterable[str]) -> dict[str, str]:
    """The version of each package of a recorded list, by plain name.

    >>> versions(["scikit_learn==1.7.0", "no line of ours"])
    {'scikit-learn': '1.7.0'}
    """
    found = {}
    for line in lines:
        name, equals, version = line.strip().partition("==")
        if equals and name and version:
            found[plain(name)] = version
    return found


def requirement(text: str) -> Requirement | None:
    """Read a requirement as metadata words it; None when it is none.

    >>> requirement('uvicorn[standard] >=0.30 ; extra == "serve"')
    Requirement(name='uvicorn', extras=('standard',), of_extras=('serve',), is_certain=False)
    """
    found = _REQUIREMENT.match(text)
    if found is None:
        return None
    name, extras, _, marker = found.groups()
    return Requirement(
        plain(name),
        tuple(plain(one.strip()) for one in (extras or "").split(",") if one.strip()),
        tuple(plain(one) for one in _EXTRA.findall(marker or "")),
        not (marker or "").strip(),
    )


def needed(
    roots: Collection[Requirement], known: Collection[str], asks: Callable[[str], Sequence[str] | None]
) -> Needed:
    """All that these ask for, directly or through others.

    `known` are the packages that have a version; `asks` says what one asks for, None when nobody can tell. What is
    asked for on some machines only, and is not known, was not for this one.

    >>> asks = {"a": ["b>=2", 'c; extra == "x"', 'd; sys_platform == "win32"'], "b": [], "c": None}
    >>> needed([Requirement("a", ("x",))], {"a", "b", "c"}, asks.get)
    Needed(names=('a', 'b', 'c'), absent=(), unread=('c',))
    """
    seen: set[tuple[str, str]] = set()
    absent: dict[str, str] = {}
    unread: set[str] = set()
    queue = deque((root, "the model") for root in roots)
    while queue:
        one, asker = queue.popleft()
        if one.name not in known:
            if one.is_certain or one.of_extras:
                absent.setdefault(one.name, asker)
            continue
        new = [extra for extra in ("", *one.extras) if (one.name, extra) not in seen]
        if not new:
            continue
        seen |= {(one.name, extra) for extra in new}
        said = asks(one.name)
        if said is None:
            unread.add(one.name)
            continue
        asked = (found for text in said if (found := requirement(text)) is not None)
        queue.extend((found, one.name) for found in asked if not found.of_extras or {*found.of_extras} & {*new})
    return Needed(
        names=tuple(sorted({name for name, _ in seen})),
        absent=tuple(sorted(absent.items())),
        unread=tuple(sorted(unread)),
    )


def listing(pins: Iterable[Pin]) -> str:
    r"""The packages as pip reads them, sorted, one a line; hashes stand below theirs.

    >>> print(listing([Pin("b", "2"), Pin("a", "1", ("sha256:00",))]), end="")
    a==1 \
        --hash=sha256:00
    b==2
    """
    lines = [" \\\n    ".join([str(pin), *(f"--hash={one}" for one in sorted(pin.hashes))]) for pin in sorted(pins)]
    return "".join(f"{line}\n" for line in lines)


def hashed(pins: Iterable[Pin], hashes: Mapping[tuple[str, str], Sequence[str]]) -> tuple[Pin, ...]:
    """The same with their hashes, where any are known of just that version."""
    return tuple(Pin(one.name, one.version, tuple(hashes.get((one.name, one.version), ()))) for one in pins)
