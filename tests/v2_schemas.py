"""JSON Schemas of what a server of the Open Inference Protocol answers, written from its REST specification.

Where the specification leaves a member open (`$parameters`), any object is let be; members that it does not name are
allowed, as it says of extensions. Of the two keys of readiness see R2 in `v2_points`.
"""

import re
from typing import Any

# Any: JSON.
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": -1}}
WHOLE_SHAPE: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}
DATATYPE: Schema = {
    "enum": [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
        "FP16", "FP32", "FP64", "BYTES", "BF16",
    ]
}  # fmt: skip


def of_object(required: tuple[str, ...], **properties: Schema) -> Schema:
    """An object with these members, of which some must be there."""
    return {"type": "object", "required": list(required), "properties": properties}


def of_list(items: Schema, least: int = 0) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": items, "minItems": least}


ERROR = of_object(("error",), error={"type": "string", "minLength": 1})
LIVE = of_object(("live",), live={"type": "boolean"})
READY = of_object(("live", "ready"), live={"type": "boolean"}, ready={"type": "boolean"})
MODEL_READY = of_object(("name", "ready"), name=TEXT, ready={"type": "boolean"})
SERVER = of_object(("name", "version", "extensions"), name=TEXT, version=TEXT, extensions=of_list(TEXT))
TENSOR = of_object(("name", "datatype", "shape"), name=TEXT, datatype=DATATYPE, shape=SHAPE)
MODEL = of_object(
    ("name", "platform", "inputs", "outputs"),
    name=TEXT,
    versions=of_list(TEXT),
    platform=TEXT,
    inputs=of_list(TENSOR, 1),
    outputs=of_list(TENSOR, 1),
    parameters={"type": "object"},
)
VALUES: Schema = of_list({"type": ["number", "string", "boolean", "null", "array"]})
OUTPUT: Schema = {
    **of_object(
        ("name", "shape", "datatype"),
        name=TEXT,
        shape=WHOLE_SHAPE,
        datatype=DATATYPE,
        data=VALUES,
        parameters=of_object((), binary_data_size={"type": "integer", "minimum": 0}),
    ),
    # The values are here or behind the JSON, not both.
    "oneOf": [
        {"required": ["data"]},
        {"required": ["parameters"], "properties": {"parameters": {"required": ["binary_data_size"]}}},
    ],
}
INFERRED = of_object(
    ("model_name", "outputs"),
    model_name=TEXT,
    model_version=TEXT,
    id=TEXT,
    parameters={"type": "object"},
    outputs=of_list(OUTPUT, 1),
)
INDEX = of_list(
    of_object(("name",), name=TEXT, version=TEXT, state={"enum": ["UNKNOWN", "READY", "UNAVAILABLE", "LOADING"]})
)
COUNTED = of_object(("count", "ns"), count={"type": "integer", "minimum": 0}, ns={"type": "integer", "minimum": 0})
STATISTICS = of_object(
    ("model_stats",),
    model_stats=of_list(
        of_object(
            ("name", "version", "inference_count", "execution_count", "inference_stats"),
            name=TEXT,
            version=TEXT,
            inference_count={"type": "integer"},
            execution_count={"type": "integer"},
            inference_stats=of_object(("success",), success=COUNTED, compute_infer=COUNTED),
        ),
        1,
    ),
)

_MODEL = r"/v2/models/[^/]+(/versions/[^/]+)?"
GOOD = (
    ("GET", "/v2/health/live", LIVE),
    ("GET", "/v2/health/ready", READY),
    ("GET", "/v2/?", SERVER),
    ("GET", _MODEL, MODEL),
    ("GET", _MODEL + "/ready", MODEL_READY),
    ("GET", _MODEL + "/stats", STATISTICS),
    ("POST", _MODEL + "/infer", INFERRED),
    ("POST", "/v2/repository/index", INDEX),
    ("POST", "/v2/repository/models/[^/]+/(un)?load", {"type": "object"}),
)


def schema_of(method: str, path: str, status: int) -> Schema:
    """The schema that an answer has; KeyError when the protocol has no such good answer."""
    if status != 200:
        return ERROR
    for known, pattern, schema in GOOD:
        if known == method and re.fullmatch(pattern, path):
            return schema
    raise KeyError(f"{method} {path}")
