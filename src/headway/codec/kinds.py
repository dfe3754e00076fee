"""Every fault of plain values against a msgspec type, where `msgspec.convert` would stop at the first.

It is asked only when `convert` refused, so it may take its time. It says the same as `convert`, a test sees to it,
but that keys led by `x-` are free in each mapping of known keys.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect as mi

from headway.core.grammar import FOREIGN
from headway.core.problem import Path, Problem, close_to

_GONE = object()
"""Stands for a value that was faulty and is left out of what is given back."""

_NAMES: dict[type, str] = {
    mi.StrType: "a text", mi.IntType: "a whole number", mi.FloatType: "a number", mi.BoolType: "true or false",
    mi.NoneType: "nothing", mi.ListType: "a list", mi.DictType: "a mapping", mi.StructType: "a mapping",
    mi.AnyType: "anything", mi.VarTupleType: "a list",
}  # fmt: skip


# Any (here and below): plain values of YAML, TOML or JSON.
def problems_of(value: Any, kind: Any) -> tuple[list[Problem], Any]:  # noqa: ANN401 (as above)
    """All that is wrong with `value` as a `kind`, and what is left of it without the faulty parts and `x-` keys.

    With no problems what is left converts; with some it does too, unless a part that must be there was faulty.
    """
    walker = _Walker()
    left = walker.walk(value, _bare(_inspected(kind)), ())
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

    __slots__ = ("problems",)

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def fault(self, path: Path, problem: str, remedy: str, *, at_key: bool = False) -> None:
        self.problems.append(Problem(path=path, problem=problem, remedy=remedy, at_key=at_key))

    def walk(self, value: Any, kind: mi.Type, path: Path) -> Any:  # noqa: ANN401 (as above)
        """What is left of the value, or `_GONE`."""
        fitting = next((k for k in _options(kind) if _fits(value, k)), None)
        if fitting is None:
            self.fault(path, *_mismatch(value, kind, path))
            return _GONE
        if isinstance(fitting, mi.StructType):
            return self.struct(value, fitting, path)
        if isinstance(fitting, mi.DictType):
            return self.mapping(value, fitting, path)
        if isinstance(fitting, mi.ListType | mi.VarTupleType):
            left = [self.walk(below, _bare(fitting.item_type), (*path, i)) for i, below in enumerate(value)]
            return [one for one in left if one is not _GONE]
        return value

    def mapping(self, value: Mapping[str, Any], kind: mi.DictType, path: Path) -> dict[str, Any]:
        inner = _bare(kind.value_type)
        left = {key: self.walk(below, inner, (*path, key)) for key, below in value.items()}
        return {key: below for key, below in left.items() if below is not _GONE}

    def struct(self, value: Mapping[str, Any], kind: mi.StructType, path: Path) -> Any:  # noqa: ANN401 (as above)
        fields = {f.encode_name: f for f in kind.fields}
        left: dict[str, Any] = {}
        is_whole = True
        for key, below in value.items():
            known = fields.get(key)
            if known is not None:
                kept = self.walk(below, _bare(known.type), (*path, key))
                if kept is not _GONE:
                    left[key] = kept
                elif known.required:
                    is_whole = False
            elif not str(key).startswith("x-") and kind.cls.__struct_config__.forbid_unknown_fields:
                self.fault((*path, key), f"the key `{key}` is not known here", _known(key, fields, value), at_key=True)
        for name, known in fields.items():
            if known.required and name not in value:
                is_whole = False
                remedy = f"add `{name}:`"
                self.fault(path, f"`{name}` is missing", remedy)
        return left if is_whole else _GONE


def _options(kind: mi.Type) -> Iterator[mi.Type]:
    if isinstance(kind, mi.UnionType):
        for one in kind.types:
            yield from _options(_bare(one))
    else:
        yield kind


def _fits(value: Any, kind: mi.Type) -> bool:  # noqa: ANN401, PLR0911 (as above; one line a kind)
    if isinstance(kind, mi.AnyType):
        return True
    if isinstance(kind, mi.LiteralType):
        return any(type(value) is type(known) and value == known for known in kind.values)
    if isinstance(kind, mi.BoolType):
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if isinstance(kind, mi.IntType):
        return isinstance(value, int) or isinstance(value, float) and value.is_integer() and abs(value) < 2**63
    if isinstance(kind, mi.FloatType):
        return isinstance(value, int | float)
    if isinstance(kind, mi.StrType):
        return isinstance(value, str)
    if isinstance(kind, mi.NoneType):
        return value is None
    if isinstance(kind, mi.ListType | mi.VarTupleType):
        return isinstance(value, list | tuple)
    return isinstance(kind, mi.DictType | mi.StructType) and isinstance(value, Mapping)


def _mismatch(value: Any, kind: mi.Type, path: Path) -> tuple[str, str]:  # noqa: ANN401 (as above)
    """Problem and remedy for a value that is of no kind that may stand here."""
    options = list(_options(kind))
    key = next((str(part) for part in reversed(path) if isinstance(part, str)), "the file")
    wanted = dict.fromkeys(_name(k) for k in options)
    found = kind_of(value)
    problem = f"`{key}` must be {_either(wanted)}, not {found}"
    literals = [str(v) for k in options if isinstance(k, mi.LiteralType) for v in k.values]
    if literals and isinstance(value, str):
        near = close_to(value, literals)
        return problem, f"did you mean `{near}`?" if near else "write " + " or ".join(literals)
    if value is None:
        return problem, "write a value, or take the key out"
    kinds = {type(k) for k in options}
    if isinstance(value, int | float) and mi.StrType in kinds:
        return problem, f'put it in quotes: "{str(value).lower()}"'
    if isinstance(value, str) and mi.ListType in kinds:
        return problem, f"write [{value}]"
    if isinstance(value, str) and mi.BoolType in kinds and value.lower() in ("yes", "no", "on", "off"):
        return problem, f"write {'true' if value.lower() in ('yes', 'on') else 'false'}"
    if isinstance(value, str) and "${{" in value:
        return problem, "write the value itself; expressions are not replaced here"
    return problem, "see docs/pipeline.md"


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
    return f"{', '.join(most)} or {last}" if most else last


def _known(key: str, fields: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """The key that was probably meant, not one that is there already."""
    free = [name for name in fields if name not in given] or list(fields)
    word = str(key).lower().replace("_", "-")
    if word in free:
        return f"did you mean `{word}`?"
    if FOREIGN.get(word) in free:
        return f"here it is called `{FOREIGN[word]}`"
    near = close_to(word, free)
    return f"did you mean `{near}`?" if near else "the keys here are " + ", ".join(fields)


def converts(value: Any, kind: Any) -> Any:  # noqa: ANN401 (as above)
    """`msgspec.convert`, with None where it refuses."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
