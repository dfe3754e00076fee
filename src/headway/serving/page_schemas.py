"""JSON Schemas for the OpenAPI document: of all that is the same for every model.

Neighbour: `pages` puts them together with what the model's signature says. Does not know any model.
"""

from typing import Any

from headway.serving.v2_tensors import DATATYPES

# Any: JSON.
Json = dict[str, Any]

TEXT: Json = {"type": "string"}
TRUTH: Json = {"type": "boolean"}
COUNT: Json = {"type": "integer", "minimum": 0}
ANYTHING: Json = {"type": "object", "additionalProperties": True}


def fields(required: str, **properties: Json) -> Json:
    """An object with such members, of which some are always there: `"name shape"`."""
    return {"type": "object", "required": required.split(), "properties": properties}


def listed(items: Json, least: int = 0) -> Json:
    """A list of such items."""
    return {"type": "array", "items": items, "minItems": least}


_DATATYPE: Json = {"enum": list(DATATYPES)}
_SHAPE = listed({"type": "integer", "minimum": 0})
_TENSOR = fields("name datatype shape", name=TEXT, datatype=_DATATYPE, shape=listed({"type": "integer", "minimum": -1}))
_TIMES = fields("count ns", count=COUNT, ns=COUNT)
_LABEL = {
    **fields(
        "request_id label",
        request_id={"type": "string", "pattern": "^[A-Za-z0-9._:/+=-]{1,128}$"},
        label={"type": ["number", "string", "boolean", "null"]},
        at={"type": ["number", "null"], "minimum": -1e11, "maximum": 1e11},
        row={"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    ),
    "additionalProperties": False,
}

SCHEMAS: Json = {
    "About": fields(
        "endpoint model version digest format",
        endpoint=TEXT, model=TEXT, version={"type": "integer"}, digest=TEXT, format=TEXT, columns=listed(TEXT),
    ),
    "Predicted": fields(
        "predictions model request_id",
        predictions={"type": "array"}, model=TEXT, request_id=TEXT, classes={"type": "array"},
        probabilities=listed(listed({"type": ["number", "null"]})),
    ),
    "Refused": fields(
        "error",
        error=TEXT, request_id=TEXT,
        fields=listed(fields("row field problem", row={"type": "integer"}, field=TEXT, problem=TEXT)),
    ),
    "Labels": {"oneOf": [_LABEL, listed(_LABEL, 1)]},
    "Accepted": fields("accepted", accepted=COUNT),
    "Live": fields("live", live=TRUTH),
    "Ready": fields("live ready", live=TRUTH, ready=TRUTH),
    "ModelReady": fields("name ready", name=TEXT, version=TEXT, ready=TRUTH),
    "Server": fields("name version extensions", name=TEXT, version=TEXT, extensions=listed(TEXT)),
    "Model": fields(
        "name platform inputs outputs",
        name=TEXT, versions=listed(TEXT), platform=TEXT, inputs=listed(_TENSOR), outputs=listed(_TENSOR, 1),
        parameters=ANYTHING,
    ),
    "Statistics": fields(
        "model_stats",
        model_stats=listed(
            fields(
                "name version inference_count execution_count inference_stats",
                name=TEXT, version=TEXT, inference_count=COUNT, execution_count=COUNT,
                inference_stats=fields("success", success=_TIMES, compute_infer=_TIMES),
            )
        ),
    ),
    "Index": listed(fields("name version state", name=TEXT, version=TEXT, state=TEXT, reason=TEXT)),
    "InferRequest": fields(
        "inputs",
        id=TEXT,
        inputs=listed(
            fields("name shape datatype data", name=TEXT, shape=_SHAPE, datatype=_DATATYPE, data={"type": "array"}), 1
        ),
        outputs=listed(fields("name", name=TEXT)),
    ),
    "Inferred": fields(
        "model_name model_version outputs",
        model_name=TEXT, model_version=TEXT, id=TEXT,
        outputs=listed(
            fields(
                "name datatype shape",
                name=TEXT, datatype=_DATATYPE, shape=_SHAPE, data={"type": "array"}, parameters=ANYTHING,
            ),
            1,
        ),
    ),
}  # fmt: skip

HEADERS: Json = {
    "X-Request-Id": {"description": "The client's own id, or one made here", "schema": TEXT},
    "X-Headway-Version": {"description": "Which version answered", "schema": TEXT},
    "Retry-After": {"description": "Seconds after which to come back", "schema": TEXT},
}

STATUSES = {
    400: "The request cannot be used; `fields` says where",
    409: "Predictions are not logged here",
    413: "The body is too large",
    415: "The Content-Encoding is neither gzip nor deflate",
    500: "The model failed",
    503: "Busy: come back after `Retry-After` seconds",
    504: "The model took too long",
}
