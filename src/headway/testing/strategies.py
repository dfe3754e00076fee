"""Hypothesis strategies for what the log and the store hold. Needs hypothesis."""

from types import UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
from hypothesis import strategies as st

from headway.core import facts as f
from headway.core.ids import Digest
from headway.core.tree import Tree, TreeEntry, TreeFile, TreeFolder, TreeLink, tree_of

digests: st.SearchStrategy[Digest] = st.binary(min_size=32, max_size=32).map(lambda data: Digest(data.hex()))
"""Digests; of nothing that is in a store."""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Texts that a fact can hold: anything but stray bytes."""

times = st.floats(min_value=0.0, max_value=4e9)
"""UTC seconds until 2096."""

streams = st.builds(
    "{}/{}".format, st.sampled_from(["run", "model", "endpoint"]), st.sampled_from(["1", "2", "churn", "église"])
)
"""A few streams, so that they are met again."""

_KNOWN: dict[object, st.SearchStrategy[object]] = {
    str: texts,
    int: st.integers(-(2**63), 2**63 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Digest: digests,
}


# Any: a type as it is annotated.
def _of(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 (as above)
    """A strategy for the annotation of a field."""
    if annotation in _KNOWN:
        return _KNOWN[annotation]
    origin, of = get_origin(annotation), get_args(annotation)
    if origin is tuple and of[-1] is not Ellipsis:
        return st.tuples(*(_of(each) for each in of))
    if origin is tuple:
        return st.lists(_of(of[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(_of(of[0]), _of(of[1]), max_size=2)
    if origin in (Union, UnionType):
        return st.one_of([_of(each) for each in of])
    is_struct = isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)
    return _struct(annotation) if is_struct else st.from_type(annotation)


# Any: fields of all types.
def _struct(type_: type[Any]) -> st.SearchStrategy[Any]:
    """Values of a struct, with and without its optional fields."""
    fields = msgspec.structs.fields(type_)
    needed = {field.name: _of(field.type) for field in fields if field.required}
    optional = {field.name: _of(field.type) for field in fields if not field.required}

    # Any: values of any fields.
    def made(values: dict[str, Any]) -> Any:  # noqa: ANN401 (of the type that was given)
        return type_(**values)

    return st.fixed_dictionaries(needed, optional=optional).map(made)


_of_any_kind: st.SearchStrategy[f.Fact] = st.deferred(lambda: st.one_of([_struct(kind) for kind in get_args(f.Fact)]))


@st.composite
def _facts(draw: st.DrawFn) -> f.Fact:
    # By its own name: written out, all fields of all kinds are longer than hypothesis likes to write.
    return draw(_of_any_kind)


facts = _facts()
"""Facts of every kind, with any fields set; a new kind is among them by itself."""

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)
"""Names of files, the odd ones too."""

odd_names = st.one_of(
    names, st.binary(min_size=1, max_size=8).map(lambda data: data.decode("utf-8", "surrogateescape"))
)
"""Names of files that need not be UTF-8; may hold `/` and NUL."""


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees as folders have them: nothing lies below a file, and what is empty is told."""
    taken: dict[str, TreeEntry] = {}
    folders: set[str] = set()
    for parts in draw(st.lists(st.lists(names, min_size=1, max_size=3), max_size=6)):
        path = "/".join(parts)
        above = ["/".join(parts[:i]) for i in range(1, len(parts))]
        if path in taken or path in folders or any(one in taken for one in above):
            continue
        folders.update(above)
        taken[path] = draw(
            st.one_of(
                st.builds(TreeFile, st.just(path), digests, st.integers(0, 2**40), st.booleans()),
                st.builds(TreeLink, st.just(path), names),
                st.just(TreeFolder(path)),
            )
        )
    return tree_of(taken.values())
