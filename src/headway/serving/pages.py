"""What the server tells people and tools of itself: `GET /openapi.json`, made from the signature, and `GET /docs`.

Neighbour: `v2` has the metadata of the Open Inference Protocol. Does not know HTTP.
"""

import html
from typing import Any

import msgspec

from headway.core.signature import Field, Kind, Signature
from headway.serving.about import About
from headway.serving.v2_tensors import DATATYPES

# Any: JSON.
Json = dict[str, Any]

_ANY: Json = {"type": ["number", "string", "boolean", "null"]}
_TEXT: Json = {"type": "string"}


def example_row(signature: Signature) -> Json:
    """A row that the model can read: its columns, each with a value of its kind; empty when it names none.

    >>> example_row(Signature(inputs=(Field(name="age", kind="INT64"), Field(name="town", kind="BYTES"))))
    {'age': 1, 'town': 'a'}
    """
    if signature.matrix is not None:
        return {str(at): 0.5 for at in range(max(1, signature.matrix.width or 1))}
    return {field.name: _example(field.kind) for field in signature.inputs}


def _example(kind: Kind | None) -> bool | int | float | str:
    if kind == "BOOL":
        return True
    if kind == "BYTES":
        return "a"
    return 1 if kind is not None and kind[0] in "IU" else 0.5


def _value(field: Field) -> Json:
    """The schema of one value of a row. A gap is `null`; whether the model takes one it says itself."""
    kind = field.kind
    if kind is None:
        return _ANY
    if kind == "BOOL":
        return {"type": ["boolean", "null"]}
    if kind == "BYTES":
        return {"type": ["string", "null"]}
    return {"type": ["number", "null"]}


def openapi(about: About, signature: Signature) -> bytes:
    """The OpenAPI document (3.1), as JSON."""
    row: Json = {"type": "object", "example": example_row(signature)}
    if signature.columns:
        row["properties"] = {field.name: _value(field) for field in signature.inputs}
        row["required"] = list(signature.columns)
        row["additionalProperties"] = False
    else:
        row["additionalProperties"] = _ANY
        row["minProperties"] = 1
    base = f"/v2/models/{about.model}"
    rows = {"type": "array", "items": _ref("Row"), "minItems": 1}
    told = {"type": "object", "additionalProperties": True}
    paths: Json = {
        "/predict": {
            "post": _post("Predict for rows", {"oneOf": [_ref("Row"), rows]}, _ref("Predicted"), (400, 413, 503, 504))
        },
        f"{base}/infer": {
            "post": _post("Infer, by the Open Inference Protocol", _ref("InferRequest"), told, (400, 413, 503, 504))
        },
        base: {"get": _get("Inputs and outputs of the model", told)},
        f"{base}/ready": {"get": _get("Whether the model is ready", told)},
        "/v2": {"get": _get("The server and its extensions", told)},
        "/health/live": {"get": _get("Whether the process answers", told)},
        "/health/ready": {"get": _get("Whether the model answers", told, (503,))},
        "/": {"get": _get("What is served", told)},
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": f"{about.endpoint}: {about.name}", "version": str(about.version)},
        "paths": paths,
        "components": {"schemas": {"Row": row, **_SCHEMAS}},
    }
    return msgspec.json.encode(document)


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _answers(good: Json, bad: tuple[int, ...]) -> Json:
    refused = {str(code): {"description": _WORDS[code], "content": _json(_ref("Refused"))} for code in bad}
    return {"200": {"description": "The answer", "content": _json(good)}, **refused}


def _get(summary: str, good: Json, bad: tuple[int, ...] = ()) -> Json:
    return {"summary": summary, "responses": _answers(good, bad)}


def _post(summary: str, asked: Json, good: Json, bad: tuple[int, ...]) -> Json:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(asked)},
        "responses": _answers(good, bad),
    }


_WORDS = {
    400: "The request cannot be used; `fields` says where",
    413: "The body is too large",
    503: "Busy: come back after `Retry-After` seconds",
    504: "The model took too long",
}

_SCHEMAS: Json = {
    "Predicted": {
        "type": "object",
        "required": ["predictions", "model", "request_id"],
        "properties": {
            "predictions": {"type": "array"},
            "model": _TEXT,
            "request_id": _TEXT,
            "classes": {"type": "array"},
            "probabilities": {"type": "array", "items": {"type": "array", "items": {"type": ["number", "null"]}}},
        },
    },
    "Refused": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": _TEXT,
            "request_id": _TEXT,
            "fields": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"row": {"type": "integer"}, "field": _TEXT, "problem": _TEXT},
                },
            },
        },
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": _TEXT,
            "inputs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["name", "shape", "datatype", "data"],
                    "properties": {
                        "name": _TEXT,
                        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                        "datatype": {"enum": list(DATATYPES)},
                        "data": {"type": "array"},
                    },
                },
            },
            "outputs": {
                "type": "array",
                "items": {"type": "object", "required": ["name"], "properties": {"name": _TEXT}},
            },
        },
    },
}


def docs(about: About, signature: Signature, *, host: str) -> bytes:
    """A page that says what the model takes and how to ask it. `host` is how the client reached this server."""
    row = msgspec.json.encode(example_row(signature)).decode()
    curl = f"curl -s http://{host}/predict -d '{row}'"
    fields = "".join(
        f"<tr><td>{html.escape(field.name)}<td>{field.kind or 'any number or text'}<td>{field.shape}"
        for field in signature.inputs
    )
    outputs = "".join(f"<tr><td>{html.escape(f.name)}<td>{f.kind or ''}<td>{f.shape}" for f in signature.outputs)
    model = html.escape(about.model)
    head = "<tr><th>name<th>kind<th>shape"
    page = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(about.name)}</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse}}td,th{{padding:.2rem .8rem;border:1px solid #ccc;text-align:left}}
pre{{background:#f4f4f4;padding:1rem;overflow:auto}}</style>
<h1>{html.escape(about.name)}</h1><p>Serves at the endpoint {html.escape(about.endpoint)}; format {about.format},
content {about.digest[:12]}.<h2>Ask it</h2><pre>{html.escape(curl)}</pre>
<h2>Takes</h2><table>{head}{fields}</table><h2>Gives</h2><table>{head}{outputs}</table>
<p>The Open Inference Protocol is spoken at <a href="/v2/models/{model}">/v2/models/{model}</a>;
see also <a href="/openapi.json">openapi.json</a> and <a href="/metrics">metrics</a>.</html>"""
    return page.encode()
