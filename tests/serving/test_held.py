"""A holder's copies of what `core.routing` decides say the same."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from headway.core import routing
from headway.core.routing import Route, Shadow, Table
from headway.serving import held

VERSIONS = st.integers(1, 5)
ROUTES = st.builds(Route, version=VERSIONS, weight=st.sampled_from([0.0, 1.0, 90.0]))
TABLES = st.builds(
    Table,
    routes=st.lists(ROUTES, min_size=1).map(tuple),
    shadow=st.none() | st.builds(Shadow, version=VERSIONS, share=st.floats(0, 1)),
)


@given(TABLES, VERSIONS)
def test_a_holder_takes_a_version_out_of_a_table_as_the_core_does(table: Table, version: int) -> None:
    told = msgspec.to_builtins(table)
    left = held.without(told, version)
    assert (None if left is None else msgspec.convert(left, Table)) == routing.without(table, version)
    assert tuple(held.versions_of(told)) == table.versions
    assert held.versions_of(None) == []


def test_two_versions_are_of_one_file_however_they_are_logged_and_limited() -> None:
    one = {"version": 1, "path": "/m", "recording": {"share": 0.5}}
    assert held.is_same_file(one, {"version": 1, "path": "/m", "limits": {"max_waiting": 5}})
    assert not held.is_same_file(one, {**one, "path": "/other"})
    assert not held.is_same_file(one, {**one, "onnx": "/m.onnx"})
