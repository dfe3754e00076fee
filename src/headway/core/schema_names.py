"""Columns that a schema names in its keys, labels and checks, and that it does not list or names twice."""

from collections.abc import Iterator

from msgspec import UNSET

from headway.core import schema as s
from headway.core.problem import Path, Problem, did_you_mean
from headway.core.schema_checks import splits_of


def misnamed_columns(schema: s.Schema) -> Iterator[Problem]:
    """Columns that are named twice in one place, or named somewhere and listed nowhere, if the schema lists any."""
    for written, path in _named(schema):
        several = [written] if isinstance(written, str) else written
        for i, name in enumerate(several):
            at = path if isinstance(written, str) else (*path, i)
            if name in several[:i]:
                yield Problem(path=at, problem=f"`{name}` is named twice", remedy="name it once")
            elif name and schema.columns and name not in schema.columns:
                remedy = did_you_mean(name, schema.columns, f"add `{name}:` below columns")
                yield Problem(path=at, problem=f"there is no column `{name}` below `columns`", remedy=remedy)


def _named(schema: s.Schema) -> Iterator[tuple[s.Names, Path]]:
    if schema.key is not UNSET:
        yield (schema.key.columns, ("key", "columns")) if isinstance(schema.key, s.Key) else (schema.key, ("key",))
    if isinstance(schema.no_duplicates, s.Duplicates):
        yield schema.no_duplicates.columns, ("no-duplicates", "columns")
    if isinstance(schema.label, s.Label):
        yield schema.label.column, ("label", "column")
        for one, key in ((schema.label.one_label, "one-label"), (schema.label.no_target_leak, "no-target-leak")):
            if isinstance(one, s.Duplicates | s.Leak):
                yield one.columns, ("label", key, "columns")
    elif schema.label is not UNSET:
        yield schema.label, ("label",)
    if isinstance(schema.shift, s.Shift):
        yield schema.shift.columns, ("shift", "columns")
        yield schema.shift.except_, ("shift", "except")
    if isinstance(schema.skew, s.Skew):
        yield schema.skew.columns, ("skew", "columns")
    yield from _named_in_lists(schema)


def _named_in_lists(schema: s.Schema) -> Iterator[tuple[s.Names, Path]]:
    for path, split in splits_of(schema):
        yield split.columns, (*path, "columns")
    for i, key in enumerate(schema.foreign_keys):
        yield key.columns, ("foreign-keys", i, "columns")
    for i, custom in enumerate(schema.checks):
        yield custom.columns, ("checks", i, "columns")
        yield custom.unique, ("checks", i, "unique")
