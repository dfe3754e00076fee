"""The JSON Schema of `pipeline.yaml`, made from the types of `core/grammar`, so that editors complete and check it.

It ships as `pipeline.schema.json` beside this file; a test sees that it is up to date. To make it anew:
`python -m headway.codec.schema > src/headway/codec/pipeline.schema.json`.
"""

from typing import Any

import msgspec

from headway.core.grammar import File

FILE = "pipeline.schema.json"
"""The name of the shipped copy, beside this module."""

# Any (here and below): JSON.
_EMPTY: tuple[Any, ...] = ("", {}, [])


def pipeline_schema() -> dict[str, Any]:
    """The schema (draft 2020-12). It says all that can be said without looking at two places at once."""
    schema = msgspec.json.schema(File)
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    for definition in definitions.values():
        if definition.get("additionalProperties") is False:
            definition["patternProperties"] = {"^x-": {}}
        for described in definition.get("properties", {}).values():
            # What is empty by default is better left out than completed.
            if "default" in described and described["default"] in _EMPTY:
                del described["default"]
    definitions["Step"]["oneOf"] = [{"required": ["run"]}, {"required": ["uses"]}]
    # Free keys often hold what YAML's anchors name, and `<<` takes it over.
    for name in ("File", "Step"):
        definitions[name]["patternProperties"]["^<<$"] = {}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Headway pipeline", **schema}


def shipped_bytes() -> bytes:
    """The schema as it lies in the package: indented, keys in the order of the types."""
    return msgspec.json.format(msgspec.json.encode(pipeline_schema()), indent=2) + b"\n"


if __name__ == "__main__":
    print(shipped_bytes().decode(), end="")
