"""Whose suite a file is, by what stands in it, and what it means here."""

import re
from typing import Any

import msgspec

from headway.codec.human import decoded, plain
from headway.codec.schema_file import read_schema
from headway.codec.suites import expectations, pandera, tfdv
from headway.codec.suites.draft import Suite, Unmapped
from headway.core.schema import Schema
from headway.errors import Fault, FileFaulty

_HEAD = 1 << 16
_TOP = frozenset(("schema_type", "expectations"))
"""Keys at the top of other tools' files that no schema of ours has."""

_OTHERS = re.compile(rf"^({'|'.join(sorted(_TOP))}):", re.MULTILINE)

_TEXT_FORMAT = (".pbtxt", ".textproto", ".textpb", ".prototxt")


def read_suite(data: bytes, *, path: str) -> Suite:
    """The schema that a suite of pandera (YAML, JSON), Great Expectations (JSON) or TFDV (text format) means.

    What of it means nothing here is listed. Raises FileFaulty if it is none of these.
    """
    if path.lower().endswith(_TEXT_FORMAT):
        return tfdv.read(decoded(data, path), path=path)
    written = _values(data, path)
    if isinstance(written.get("expectations"), list):
        return expectations.read(written)
    if "schema_type" in written and isinstance(written.get("columns"), dict):
        return pandera.read(written)
    remedy = "name a schema that pandera's to_yaml or to_json wrote, a suite of Great Expectations, or a schema.pbtxt"
    fault = Fault("it is no suite of pandera or Great Expectations", line=1, column=1, remedy=remedy)
    raise FileFaulty(f"{path} is no suite that can be read", at=path, remedy=remedy, faults=(fault,))


def read_any(data: bytes, *, path: str) -> tuple[Schema, tuple[Unmapped, ...]]:
    """The schema in a file, be it one of ours or a suite, and what of a suite means nothing here. Raises FileFaulty."""
    if not _is_suite(data, path):
        return read_schema(data, path=path), ()
    suite = read_suite(data, path=path)
    return suite.schema, suite.unmapped


def _is_suite(data: bytes, path: str) -> bool:
    if path.lower().endswith(_TEXT_FORMAT):
        return True
    is_json = path.lower().endswith(".json")
    if data.lstrip()[:1] == b"{":
        try:
            return not _TOP.isdisjoint(msgspec.json.decode(data))
        except (msgspec.MsgspecError, RecursionError):
            return is_json
    return is_json or _OTHERS.search(data[:_HEAD].decode("utf-8", "replace")) is not None


# Any: values of whatever was written.
def _values(data: bytes, path: str) -> dict[str, Any]:
    text = decoded(data, path)
    if text.lstrip()[:1] != "{":
        return plain(data, path=path)
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as e:
        fault = Fault(f"not JSON: {e}", remedy="mend the place named")
        raise FileFaulty(f"{path} has 1 fault", at=path, remedy="mend what is listed", faults=(fault,)) from e
