"""Every fault of plain values against a msgspec type, where `msgspec.convert` would stop at the first.

It is asked only when `convert` refused, so it may take its time. It says the same as `convert`, a test sees to it,
but that keys led by `x-` are free in each mapping of known keys.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from operator import ge, gt, le, lt
from typing import Any

import msgspec
from msgspec import inspect as mi

from headway.core.expression_syntax import OPEN
from headway.core.grammar import FOREIGN, Step
from headway.core.problem import MANY, Path, Problem, close_to

_GONE = object()
"""Stands for a value that was faulty and is left out of what is given back."""

_NAMES: dict[type, str] = {
    mi.StrType: "a text", mi.IntType: "a whole number", mi.FloatType: "a number", mi.BoolType: "true or false",
    mi.NoneType: "nothing", mi.ListType: "a list", mi.DictType: "a mapping", mi.StructType: "a mapping",
    mi.AnyType: "anything", mi.VarTupleType: "a list",
}  # fmt: skip


# Any (here and below): plain values of YAML, TOML or JSON.
def problems_of(
    value: Any,  # noqa: ANN401 (as above)
    kind: Any,  # noqa: ANN401 (as above)
    foreign: Mapping[str, str] = FOREIGN,
) -> tuple[list[Problem], Any]:
    """All that is wrong with `value` as a `kind`, and what is left of it without the faulty parts and `x-` keys.

    `foreign` are keys of other tools, and what says the same here. With no problems what is left converts; with some
    it does too, unless a part that must be there was faulty.
    """
    walker = _Walker(foreign)
    left = walker.walk(value, _inspected(kind), ())
    return walker.problems, None if left is _GONE else left


# Any: types of any kind can be asked about.
@cache
def _inspected(kind: Any) -> mi.Type:  # noqa: ANN401 (as above)
    return mi.type_info(kind)


def _bare(kind: mi.Type) -> mi.Type:
    while isinstance(kind, mi.Metadata):
        kind = kind.type
    return kind


def kind_of(value: Any) -> str:  # noqa: ANN401 (as above)
    """What a value is, in a reader's words."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text `{value if len(value) <= 30 else value[:27] + '…'}`"
    return "a mapping" if isinstance(value, Mapping) else "a list"


class _Walker:
    """Goes down values and types together; made, used once, dropped."""

    __slots__ = ("foreign", "problems")

    def __init__(self, foreign: Mapping[str, str]) -> None:
        self.foreign = foreign
        self.problems: list[Problem] = []

    def fault(self, path: Path, problem: str, remedy: str, *, at_key: bool = False) -> None:
        self.problems.append(Problem(path=path, problem=problem, remedy=remedy, at_key=at_key))

    def walk(self, value: Any, written: mi.Type, path: Path) -> Any:  # noqa: ANN401 (as above)
        """What is left of the value, or `_GONE`."""
        kind = _bare(written)
        fitting = next((k for k in _options(kind) if _fits(value, k)), None)
        if fitting is None:
            problem, remedy = _mismatch(value, kind, path)
            self.fault(path, problem, _in_percent(value, written) or remedy or _example(written, path))
            return _GONE
        if limit := _beyond(value, fitting):
            self.fault(path, f"`{_key(path)}` {limit}", _example(written, path, _span(fitting)))
            return _GONE
        if isinstance(fitting, mi.StructType):
            return self.struct(value, fitting, path)
        if isinstance(fitting, mi.DictType):
            return self.mapping(value, fitting, path)
        if isinstance(fitting, mi.ListType | mi.VarTupleType):
            return self.items(value, fitting.item_type, path)
        return value

    def items(self, values: Sequence[Any], kind: mi.Type, path: Path) -> Any:  # noqa: ANN401 (as above)
        """The list, if every item keeps its place: a mapping that went becomes an empty one, else all of it goes."""
        left = [self.walk(below, kind, (*path, i)) for i, below in enumerate(values)]
        if any(one is _GONE for one in left):
            bare = _bare(kind)
            if not isinstance(bare, mi.StructType) or any(f.required for f in bare.fields):
                return _GONE
            left = [{} if one is _GONE else one for one in left]
        return left

    def mapping(self, value: Mapping[str, Any], kind: mi.DictType, path: Path) -> dict[str, Any]:
        left = {key: self.walk(below, kind.value_type, (*path, key)) for key, below in value.items()}
        return {key: below for key, below in left.items() if below is not _GONE}

    def struct(self, value: Mapping[str, Any], kind: mi.StructType, path: Path) -> Any:  # noqa: ANN401 (as above)
        fields = {f.encode_name: f for f in kind.fields}
        left: dict[str, Any] = {}
        is_whole = True
        for key, below in value.items():
            known = fields.get(key)
            if known is not None:
                kept = self.walk(below, known.type, (*path, key))
                if kept is not _GONE:
                    left[key] = kept
                elif known.required:
                    is_whole = False
            elif not str(key).startswith("x-") and kind.cls.__struct_config__.forbid_unknown_fields:
                is_few = len(self.problems) < MANY
                remedy = _known(key, fields, value, self.foreign) if is_few else _keys(fields)
                self.fault((*path, key), f"the key `{key}` is not known here", remedy, at_key=True)
        for name, known in fields.items():
            if known.required and name not in value:
                is_whole = False
                self.fault(path, f"`{name}` is missing", _example(known.type, (name,)))
        return left if is_whole else _GONE


def _options(kind: mi.Type) -> Iterator[mi.Type]:
    if isinstance(kind, mi.UnionType):
        for one in kind.types:
            yield from _options(_bare(one))
    else:
        yield kind


def _fits(value: Any, kind: mi.Type) -> bool:  # noqa: ANN401 (as above)
    """Whether the value is of this kind, its parts apart. A kind that is not known here is left to `convert`."""
    if isinstance(kind, mi.LiteralType):
        return any(type(value) is type(known) and value == known for known in kind.values)
    if isinstance(kind, mi.StructType) and kind.tag_field is not None and isinstance(value, Mapping):
        return bool(value.get(kind.tag_field, kind.tag) == kind.tag)
    taken = _TAKES.get(type(kind))
    return taken is None or (isinstance(value, taken) and not (isinstance(value, bool) and bool not in taken))


_TAKES: dict[type, tuple[type, ...]] = {
    mi.BoolType: (bool,), mi.IntType: (int,), mi.FloatType: (int, float), mi.StrType: (str,),
    mi.NoneType: (type(None),),
    mi.ListType: (list, tuple), mi.VarTupleType: (list, tuple), mi.DictType: (Mapping,), mi.StructType: (Mapping,),
}  # fmt: skip


def _beyond(value: Any, kind: mi.Type) -> str:  # noqa: ANN401 (as above)
    """Which limit of its kind the value breaks, or nothing."""
    said = ""
    if isinstance(kind, mi.IntType | mi.FloatType):
        for limit, breaks, words in (
            (kind.ge, lt, "at least"), (kind.gt, le, "more than"), (kind.le, gt, "at most"), (kind.lt, ge, "less than"),
        ):  # fmt: skip
            if limit is not None and breaks(value, limit):
                said = f"must be {words} {limit}, not {value}"
    elif isinstance(kind, mi.StrType | mi.ListType | mi.VarTupleType | mi.DictType):
        unit = "characters" if isinstance(kind, mi.StrType) else "entries"
        if kind.min_length is not None and len(value) < kind.min_length:
            said = f"must have at least {kind.min_length} {unit}"
        elif kind.max_length is not None and len(value) > kind.max_length:
            said = f"must have at most {kind.max_length} {unit}"
        elif isinstance(kind, mi.StrType) and kind.pattern and not re.search(kind.pattern, value):
            said = f"must be of the form {kind.pattern}"
    return said


def _mismatch(value: Any, kind: mi.Type, path: Path) -> tuple[str, str]:  # noqa: ANN401 (as above)
    """Problem and remedy for a value that is of no kind that may stand here."""
    options = list(_options(kind))
    wanted = dict.fromkeys(_name(k) for k in options)
    found = kind_of(value)
    what = f"each of `{_key(path)}`" if path and isinstance(path[-1], int) else f"`{_key(path)}`"
    problem = f"{what} must be {_either(wanted)}, not {found}"
    literals = [str(v) for k in options if isinstance(k, mi.LiteralType) for v in k.values]
    if isinstance(value, str) and any(isinstance(k, mi.StructType) and k.cls is Step for k in options):
        return problem, f"write run: {value}"
    return problem, _remedy(value, {type(k) for k in options}, literals)


def _span(kind: mi.Type) -> str:
    """The remedy for a number beyond its limits, or nothing for what is no number."""
    if not isinstance(kind, mi.IntType | mi.FloatType):
        return ""
    low = f"more than {kind.gt}" if kind.gt is not None else f"at least {kind.ge}" if kind.ge is not None else ""
    high = f"less than {kind.lt}" if kind.lt is not None else f"at most {kind.le}" if kind.le is not None else ""
    return f"write {_NAMES[type(kind)]}: " + " and ".join(filter(None, (low, high)))


def _examples(kind: mi.Type) -> list[Any]:
    """Those that a key's own description holds, which editors show too."""
    described = (kind.extra_json_schema or {}) if isinstance(kind, mi.Metadata) else {}
    return described.get("examples") or []


def _in_percent(value: Any, kind: mi.Type) -> str:  # noqa: ANN401 (as above)
    """The remedy for a share that is written as a number where texts such as `5%` stand."""
    takes_shares = any(isinstance(one, str) and one.endswith("%") for one in _examples(kind))
    return f"write {value * 100:.12g}%" if takes_shares and isinstance(value, float) and 0 <= value <= 1 else ""


def _example(kind: mi.Type, path: Path, otherwise: str = "") -> str:
    """The remedy that an example makes."""
    examples = _examples(kind)
    if not examples:
        return otherwise or f"write `{_key(path)}: …`"
    return f"write it like this: {_key(path)}: {msgspec.json.encode(examples[0]).decode()}"


def _remedy(value: Any, kinds: set[type], literals: list[str]) -> str:  # noqa: ANN401 (as above)
    remedy = ""
    if literals and isinstance(value, str):
        near = close_to(value, literals)
        remedy = f"did you mean `{near}`?" if near else "write " + " or ".join(literals)
    elif value is None:
        remedy = "write a value, or take the key out"
    elif isinstance(value, int | float) and mi.StrType in kinds:
        remedy = f'put it in quotes: "{str(value).lower()}"'
    elif isinstance(value, str) and OPEN in value:
        remedy = "write the value itself; expressions are not replaced here"
    elif isinstance(value, str | int | float) and mi.ListType in kinds:
        remedy = f"write [{value}]"
    elif isinstance(value, str) and mi.BoolType in kinds and value.lower() in _YES | _NO:
        remedy = "write true" if value.lower() in _YES else "write false"
    return remedy


_YES, _NO = frozenset({"yes", "on", "y"}), frozenset({"no", "off", "n"})


def _key(path: Path) -> str:
    return next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")


def _name(kind: mi.Type) -> str:
    if isinstance(kind, mi.LiteralType):
        return _either([f"`{v}`" for v in kind.values])
    if isinstance(kind, mi.ListType):
        inner = [_name(k) for k in _options(_bare(kind.item_type))]
        plural = {"a text": "texts", "a mapping": "mappings"}
        return f"a list of {plural[inner[0]]}" if len(inner) == 1 and inner[0] in plural else "a list"
    return _NAMES.get(type(kind), "another kind of value")


def _either(words: Any) -> str:  # noqa: ANN401 (any iterable of texts)
    *most, last = words
    if " or " in last:
        return ", ".join([*most, last])
    return f"{', '.join(most)} or {last}" if most else last


def _known(key: str, fields: Mapping[str, Any], given: Mapping[str, Any], foreign: Mapping[str, str]) -> str:
    """The key that was probably meant, not one that is there already; other tools' words count as near."""
    free = [name for name in fields if name not in given] or list(fields)
    words = {name: name for name in free}
    words |= {other: name for other, name in foreign.items() if name in free and other not in words}
    near = close_to(str(key).replace("_", "-"), words) or close_to(str(key), words)
    if near in free:
        return f"did you mean `{near}`?"
    if near:
        return f"here it is called `{words[near]}`"
    if foreign.get(str(key)) in given:
        return f"here it is called `{foreign[str(key)]}`, which is given already"
    return _keys(fields)


def _keys(fields: Mapping[str, Any]) -> str:
    return "the keys here are " + ", ".join([*list(fields)[:12], *["…"] * (len(fields) > 12)])
