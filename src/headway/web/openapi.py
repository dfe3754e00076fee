"""The OpenAPI document of the pages' JSON twins, made from the types that they give."""

import re
from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from headway import __version__
from headway.web.acts import Act, Done, acts
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
        paths.setdefault(page.twin, {})["get"] = _asked(page.twin, schema)
    for act in acts():
        paths.setdefault(act.twin, {})["post"] = {**_asked(act.twin, schemas[-1]), "requestBody": _body(act)}
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


def _asked(path: str, schema: dict[str, Any]) -> dict[str, Any]:
    names = re.findall(r"\{(\w+)\}", path)
    text = {"application/json": {"schema": {"type": "object", "properties": {"problem": {"type": "string"}}}}}
    return {
        "parameters": [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names],
        "responses": {
            "200": {"description": "What there is", "content": {"application/json": {"schema": schema}}},
            "400": {"description": "It cannot be asked so", "content": text},
            "401": {"description": "No token, or none of ours", "content": text},
            "403": {"description": "The role does not suffice", "content": text},
            "409": {"description": "Somebody else was first", "content": text},
            "404": {"description": "There is none", "content": text},
            "429": {"description": "Too many requests", "content": text},
            "503": {"description": "The log or the store cannot be read now", "content": text},
        },
    }


def _body(act: Act) -> dict[str, Any]:
    fields = ("why", *act.takes)
    schema = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in fields},
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
