"""Read a small mapping that a person wrote, such as `log:` or `limits:` of an endpoint: all faults at once, or a value.

Each key says how its value is read and what to write instead. Neighbour: `codec/kinds` holds a whole file to a type;
here a time may be `30d` and an amount `5GB`. Does not know what the keys mean.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from msgspec import Struct

from headway.core.problem import Problem, did_you_mean
from headway.core.units import duration_s, size_bytes
from headway.errors import UsageMistaken


class Key(Struct, frozen=True):
    """A key: the field it becomes, what reads its value (None: it cannot be read), and what to write instead."""

    field: str
    # Any: what a person wrote, and what the field holds.
    reader: Callable[[Any], Any]
    remedy: str


# Any: what a person wrote; what the fields hold.
def read_keys(value: Any, keys: Mapping[str, Key], *, form: str, of: str) -> dict[str, Any] | list[Problem]:  # noqa: ANN401 (as above)
    """The values of a mapping by field. `form` is how all of it is written, `of` what it is about ("a log").

    >>> keys = {"keep": Key("keep_s", duration, "write a time: 30d")}
    >>> read_keys({"keep": "1d"}, keys, form="write a mapping", of="a log")
    {'keep_s': 86400.0}
    >>> [fault.problem for fault in read_keys({"keep": "soon", "kep": 1}, keys, form="write a mapping", of="a log")]
    ["there is no key 'kep'", "keep: 'soon' is not it"]
    """
    if not isinstance(value, Mapping):
        return [Problem(path=(), problem=f"{value!r} says nothing of {of}", remedy=form)]
    faults = [
        Problem(
            path=(str(key),),
            problem=f"there is no key {key!r}",
            remedy=did_you_mean(str(key), keys, f"use of: {', '.join(keys)}"),
            at_key=True,
        )
        for key in value
        if key not in keys
    ]
    read: dict[str, Any] = {}
    for name, key in keys.items():
        if name in value:
            read[key.field] = key.reader(value[name])
            if read[key.field] is None:
                faults.append(Problem(path=(name,), problem=f"{name}: {value[name]!r} is not it", remedy=key.remedy))
    return faults or read


# Any: what the fields hold.
def read_words(words: Iterable[str], keys: Mapping[str, Key], *, at: str) -> dict[str, Any]:
    """The values of `share=0.1` and the like by field, as an option `at` of a command was given them.

    A list is written with commas: `leave-out=email,phone`. Raises UsageMistaken.
    """
    value: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageMistaken(f"{word!r} is no KEY=VALUE", at=at, remedy=f"use of: {', '.join(keys)}")
        is_list = name in keys and keys[name].reader is names
        value[name] = text.split(",") if is_list else text
    read = read_keys(value, keys, form="", of="")
    if isinstance(read, list):
        raise UsageMistaken(read[0].problem, at=at, remedy=read[0].remedy)
    return read


# Any: what a person wrote.
def duration(value: Any) -> float | None:  # noqa: ANN401 (as above)
    """Seconds of `30d` or of a number; None when it is no time."""
    return duration_s(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None


# Any: as above.
def size(value: Any) -> int | None:  # noqa: ANN401 (as above)
    """Bytes of `5GB` or of a whole number; None when it is no amount."""
    return size_bytes(value) if isinstance(value, int | str) and not isinstance(value, bool) else None


# Any: as above.
def names(value: Any) -> tuple[str, ...] | None:  # noqa: ANN401 (as above)
    """A list of names; None when it is none."""
    is_list = isinstance(value, list | tuple) and all(isinstance(name, str) for name in value)
    return tuple(value) if is_list else None


# Any: as above.
def share(value: Any) -> float | None:  # noqa: ANN401 (as above)
    """A number from 0 to 1, also as a text, which is what an expression gives; None when it is none."""
    with suppress(ValueError):
        value = float(value) if isinstance(value, str) else value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= 1 else None
