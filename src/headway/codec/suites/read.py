"""Whose suite a file is, by what stands in it, and what it means here."""

from typing import Any

import msgspec

from headway.codec.human import decoded, plain
from headway.codec.suites import expectations, pandera, tfdv
from headway.codec.suites.draft import Suite
from headway.errors import Fault, FileFaulty

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


# Any: values of whatever was written.
def _values(data: bytes, path: str) -> dict[str, Any]:
    if decoded(data, path).lstrip()[:1] != "{":
        return plain(data, path=path)
    try:
        return msgspec.json.decode(decoded(data, path), type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError) as e:
        fault = Fault(f"not JSON: {e}", remedy="mend the place named")
        raise FileFaulty(f"{path} has 1 fault", at=path, remedy="mend what is listed", faults=(fault,)) from e
