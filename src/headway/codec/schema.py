"""The JSON Schemas of `pipeline.yaml` and of schemas of data, so that editors complete and check them.

Made from the types of `core/grammar` and `core/schema`. They ship as `pipeline.schema.json` and `data.schema.json`
beside this file; a test sees that they are up to date. To make them anew:
`python -m headway.codec.schema > src/headway/codec/pipeline.schema.json`, and with `data` behind it for the other.
"""

import sys
from typing import Any

import msgspec

from headway.core.grammar import File
from headway.core.schema import Schema

FILE = "pipeline.schema.json"
"""The name of the shipped copy, beside this module."""

DATA_FILE = "data.schema.json"
"""That of schemas of data."""

# Any (here and below): JSON.
_EMPTY: tuple[Any, ...] = ("", {}, [])


def pipeline_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). It says all that can be said without looking at two places at once."""
    schema = _described(File)
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    definitions["Step"]["oneOf"] = [{"required": ["run"]}, {"required": ["uses"]}]
    # Free keys often hold what YAML's anchors name, and `<<` takes it over.
    for name in ("File", "Step"):
        definitions[name]["patternProperties"]["^<<$"] = {}
    return {"$schema": _DRAFT, "title": "Headway pipeline", **schema}


def data_schema() -> dict[str, Any]:
    """The schema of schemas of data."""
    return {"$schema": _DRAFT, "title": "Headway schema of data", **_described(Schema)}


_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def _described(kind: type[msgspec.Struct]) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    for definition in definitions.values():
        if definition.get("additionalProperties") is False:
            definition["patternProperties"] = {"^x-": {}}
        for described in definition.get("properties", {}).values():
            # What is empty by default is better left out than completed.
            if "default" in described and described["default"] in _EMPTY:
                del described["default"]
    return schema


def shipped_bytes(file: str = FILE) -> bytes:
    """A schema as it lies in the package: indented, keys in the order of the types."""
    schema = data_schema() if file == DATA_FILE else pipeline_schema()
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


if __name__ == "__main__":
    print(shipped_bytes(DATA_FILE if sys.argv[1:] == ["data"] else FILE).decode(), end="")
