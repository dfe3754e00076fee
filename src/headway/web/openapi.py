"""The OpenAPI document of the pages' JSON twins, made from the types that they give."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headway import __version__
from headway.web import downloads, exports
from headway.web.acts import LONGEST_WHY, Act, Done, acts
from headway.web.pages import pages


# Any (here and below): what JSON holds.
@cache
def document() -> dict[str, Any]:
    """The document."""
    schemas, components = msgspec.json.schema_components(
        [*(page.gives for page in pages()), Done], ref_template="#/components/schemas/{name}"
    )
    # JSON has no word for a number that is none, which is sent as null.
    schemas, components = _with_null(schemas), _with_null(components)
    paths: dict[str, dict[str, Any]] = {}
    for page, schema in zip(pages(), schemas, strict=False):
        paths.setdefault(page.twin, {})["get"] = _asked(page.twin, schema, page.asks)
    for act in acts():
        paths.setdefault(act.twin, {})["post"] = {**_asked(act.twin, schemas[-1]), "requestBody": _body(act)}
    exported = paths.setdefault(exports.PATH, {})["get"] = _asked(exports.PATH, {}, exports.ASKS)
    exported["responses"]["200"]["content"] = {kind: {} for kind in exports.KINDS}
    for path, asks in downloads.ASKS.items():
        handed = paths.setdefault(path, {})["get"] = _asked(path, {}, asks)
        handed["responses"]["200"]["content"] = {"application/octet-stream": {}, "text/plain": {}, "image/*": {}}
        handed["responses"]["206"] = {**handed["responses"]["200"], "description": "The part that was asked for"}
        handed["responses"]["416"] = {**handed["responses"]["404"], "description": "There is no such part"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headway", "version": __version__, "description": "What the pages show, as JSON."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _with_null(value: Any) -> Any:  # noqa: ANN401 (as above)
    match value:
        case {"type": "number"}:
            return {**value, "type": ["number", "null"]}
        case dict():
            return {name: _with_null(inner) for name, inner in value.items()}
        case list():
            return [_with_null(inner) for inner in value]
        case _:
            return value


_TEXT = {"type": "string"}

_ERROR = {
    "type": "object",
    "properties": {"error": _TEXT, "problem": _TEXT, "at": _TEXT, "remedy": _TEXT, "faults": {"type": "array"}},
    "required": ["error", "problem", "remedy"],
}
"""As the command line tells it: a code, what is wrong, and what to do."""


def _asked(path: str, schema: dict[str, Any], asks: Mapping[str, str] | None = None) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    text = {"application/json": {"schema": _ERROR}}
    of_path = [{"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}} for name in names]
    of_query = [
        {"name": name, "in": "query", "description": what, "schema": _TEXT} for name, what in (asks or {}).items()
    ]
    return {
        "parameters": of_path + of_query,
        "responses": {
            "200": {"description": "What there is", "content": {"application/json": {"schema": schema}}},
            "400": {"description": "It cannot be asked so", "content": text},
            "401": {"description": "No token, or none of ours", "content": text},
            "403": {"description": "The role does not suffice", "content": text},
            "409": {"description": "Somebody else was first", "content": text},
            "404": {"description": "There is none", "content": text},
            "405": {"description": "It cannot be done there", "content": text},
            "421": {"description": "The name in the address is none of ours", "content": text},
            "429": {"description": "Too many requests", "content": text},
            "500": {"description": "A fault of the server's own", "content": text},
            "503": {"description": "The log or the store cannot be read now", "content": text},
        },
    }


def _body(act: Act) -> dict[str, Any]:
    fields = ("why", *act.takes)
    why = {**_TEXT, "minLength": 1, "maxLength": LONGEST_WHY, "pattern": r"\S"}
    schema = {
        "type": "object",
        "properties": {name: why if name == "why" else {**_TEXT, "minLength": 1} for name in fields},
        "required": list(fields),
        "additionalProperties": {"type": "string"},
    }
    return {
        "required": True,
        "description": f"Takes the role {act.role}",
        "content": {"application/json": {"schema": schema}},
    }


async def handed_out(_request: Request) -> Response:
    """Send it."""
    return Response(msgspec.json.encode(document()), media_type="application/json")
