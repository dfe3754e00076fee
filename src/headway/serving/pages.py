"""What the server tells people and tools of itself: `GET /openapi.json`, made from the signature, and `GET /docs`.

Neighbour: `v2` has the metadata of the Open Inference Protocol. Does not know HTTP.
"""

import html

import msgspec

from headway.core.signature import Field, Kind, Signature
from headway.serving.about import About
from headway.serving.page_schemas import ANYTHING, HEADERS, SCHEMAS, STATUSES, Json, listed
from headway.serving.protocol import LARGEST, bounds_of


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


# JSON Schema's `boolean` stands beside numbers because a truth value is taken for 0 or 1, as Python does.
def _value(field: Field) -> Json:
    """The schema of one value of a row. A gap is `null`; whether the model takes one it says itself."""
    kind = field.kind
    if kind is None:
        return {"type": ["number", "string", "boolean", "null"], **_bounded(-LARGEST, LARGEST)}
    if kind == "BOOL":
        return {"enum": [True, False, 0, 1, None]}
    if kind == "BYTES":
        return {"type": ["string", "null"]}
    if kind[0] == "F":
        return {"type": ["number", "boolean", "null"], **_bounded(-LARGEST, LARGEST)}
    return {"type": ["integer", "boolean", "null"], **_bounded(*bounds_of(kind))}


def _bounded(least: float, most: float) -> Json:
    return {"minimum": least, "maximum": most}


def openapi(about: About, signature: Signature) -> bytes:
    """The OpenAPI document (3.1), as JSON: every path with what it takes and all that it may answer."""
    rows = {"oneOf": [_ref("Row"), listed(_ref("Row"), 1)]}
    paths: Json = {
        "/": {"get": _get("What is served", "About")},
        "/predict": {"post": _post("Predict for rows", rows, "Predicted", (400, 413, 415, 500, 503, 504))},
        "/labels": {"post": _post("Tell the truth, later", _ref("Labels"), "Accepted", (400, 409, 413, 415, 503))},
        "/health/live": {"get": _get("Whether the process answers", "Live")},
        "/health/ready": {"get": _get("Whether the model answers", "Ready", _ref("Ready"))},
        "/metrics": {"get": _page("Counts for Prometheus", "text/plain")},
        "/docs": {"get": _page("What the model takes, for people", "text/html")},
        "/openapi.json": {"get": _page("This document", "application/json")},
        **_v2(about),
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": f"{about.endpoint}: {about.name}", "version": str(about.version)},
        "paths": paths,
        "components": {"schemas": {"Row": _row(signature), **SCHEMAS}, "headers": HEADERS},
    }
    return msgspec.json.encode(document)


def _row(signature: Signature) -> Json:
    row: Json = {"type": "object", "example": example_row(signature)}
    if signature.columns:
        row["properties"] = {field.name: _value(field) for field in signature.inputs}
        row["required"] = list(signature.columns)
        row["additionalProperties"] = False
        return row
    matrix = signature.matrix or Field(name="")
    row["additionalProperties"] = _value(Field(name="", kind=matrix.kind))
    row["minProperties"] = 1
    if matrix.width is not None and matrix.width > 0:
        row["minProperties"] = row["maxProperties"] = matrix.width
    return row


def _v2(about: About) -> Json:
    """The paths of the Open Inference Protocol."""
    base, index = f"/v2/models/{about.model}", "/v2/repository"
    found: Json = {
        "/v2": {"get": _get("The server and its extensions", "Server")},
        "/v2/health/live": {"get": _get("Whether the process answers", "Live")},
        "/v2/health/ready": {"get": _get("Whether the model answers", "Ready", _ref("Ready"))},
        f"{index}/index": {"post": {"summary": "The models there are", "responses": _answers("Index", ())}},
        f"{index}/models/{about.model}/load": {
            "post": {"summary": "Nothing: it is loaded", "responses": {"200": _told("It is", _json(ANYTHING))}}
        },
        f"{index}/models/{about.model}/unload": {
            "post": {"summary": "Refused: release another version", "responses": {"400": _refused(400)}}
        },
    }
    for path in (base, f"{base}/versions/{about.version}"):
        infer = _post("Infer", _ref("InferRequest"), "Inferred", (400, 413, 415, 500, 503, 504))
        infer["responses"]["200"]["content"]["application/octet-stream"] = {"schema": {}}
        found |= {
            path: {"get": _get("Inputs and outputs of the model", "Model")},
            f"{path}/ready": {"get": _get("Whether the model is ready", "ModelReady")},
            f"{path}/stats": {"get": _get("How often it was asked", "Statistics")},
            f"{path}/infer": {"post": infer},
        }
    return found


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _told(description: str, content: Json, *more: str) -> Json:
    names = ("X-Request-Id", "X-Headway-Version", *more)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    return {"description": description, "headers": headers, "content": content}


def _refused(status: int) -> Json:
    return _told(STATUSES[status], _json(_ref("Refused")), *(["Retry-After"] if status in (503, 504) else []))


def _answers(good: str, bad: tuple[int, ...]) -> Json:
    return {"200": _told("The answer", _json(_ref(good))), **{str(status): _refused(status) for status in bad}}


def _get(summary: str, good: str, unready: Json | None = None) -> Json:
    answers = _answers(good, ())
    if unready is not None:
        answers["503"] = _told("Not ready", _json(unready))
    return {"summary": summary, "responses": answers}


def _page(summary: str, kind: str) -> Json:
    return {"summary": summary, "responses": {"200": _told("The page", {kind: {"schema": {}}})}}


def _post(summary: str, asked: Json, good: str, bad: tuple[int, ...]) -> Json:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(asked)},
        "responses": _answers(good, bad),
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
