"""docs/validation.md: every example is read, every key and every kind of check is there; so the JSON Schema."""

import re
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import jsonschema
import msgspec
import pytest

from codec.test_schema_file import WHOLE, read
from headway.codec import schema
from headway.codec.human import plain
from headway.core import validation as v
from headway.core.schema_checks import checks_of

PAGE = (Path(__file__).parents[2] / "docs" / "validation.md").read_text()
EXAMPLES = [block.partition("```")[0] for block in PAGE.split("```yaml\n")[1:]]
ROWS = re.findall(r"^\| `.*\|$", PAGE, re.MULTILINE)
CELLS = [text for row in ROWS for text in re.findall(r"`([^`]+)`", row) if re.match(r"[a-z-]+: ", text)]
FULL = schema.data_schema()


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_read(text: str) -> None:
    assert checks_of(read(text))


@pytest.mark.parametrize("cell", CELLS)
def test_every_way_of_writing_a_key_in_a_table_is_read(cell: str) -> None:
    """Of a column, of the table, of its label or of its shift, whichever has the key."""
    tried = (
        f"columns:\n  a: {{values: [UA, B6], {cell}}}\n",
        f"columns:\n  a: {{{cell}}}\n",
        cell,
        f"label: {{column: a, {cell}}}\n",
        f"label: {{{cell}}}\n",
        f"shift: {{{cell}}}\n",
    )
    assert any(_is_read(text) for text in tried), cell


def _is_read(text: str) -> bool:
    try:
        read(text)
    except Exception:  # noqa: BLE001 (whatever is wrong with it, it is not read)
        return False
    return True


@pytest.mark.parametrize("name", FULL["$defs"])
def test_every_key_is_described(name: str) -> None:
    keys = FULL["$defs"][name]["properties"]
    assert [key for key in keys if f"`{key}`" not in PAGE and f"{key}: " not in PAGE] == []


def test_every_kind_of_check_is_on_the_page() -> None:
    tags = [kind.__struct_config__.tag for kind in get_args(v.Ask)]
    table = PAGE.partition("| kinds |")[2].partition("\n\n")[0]
    assert [tag for tag in tags if f"`{tag}`" not in table] == []


def test_every_type_is_on_the_page() -> None:
    assert [kind for kind in get_args(v.Kind) if f"`{kind}`" not in PAGE] == []


# --- the JSON Schema --------------------------------------------------------------------------------------------------


def test_the_shipped_json_schema_is_made_from_the_types_of_today() -> None:
    shipped = msgspec.json.decode(files("headway.codec").joinpath(schema.DATA_FILE).read_bytes())
    assert _ordered(shipped) == _ordered(msgspec.json.decode(schema.shipped_bytes(schema.DATA_FILE))), (
        "run python -m headway.codec.schema data > src/headway/codec/data.schema.json"
    )


def _ordered(value: Any) -> Any:
    """Versions of msgspec name the kinds of a union in different orders, which means the same."""
    if isinstance(value, dict):
        return {
            k: sorted(map(_ordered, v), key=str) if k in ("anyOf", "enum") else _ordered(v) for k, v in value.items()
        }
    return [_ordered(v) for v in value] if isinstance(value, list) else value


def test_every_key_has_a_description_and_examples_that_are_valid() -> None:
    for name, definition in FULL["$defs"].items():
        assert definition["description"], name
        for key, described in definition["properties"].items():
            assert described.get("description") or "$ref" in described, f"{name}.{key}"
            for one in described.get("examples", ()):
                of_key = {**FULL, "$ref": f"#/$defs/{name}/properties/{key}"}
                assert list(jsonschema.Draft202012Validator(of_key).iter_errors(one)) == [], f"{name}.{key}: {one}"


@pytest.mark.parametrize("text", [*EXAMPLES, WHOLE], ids=range(len(EXAMPLES) + 1))
def test_editors_take_what_the_reader_takes(text: str) -> None:
    value = plain(text.encode(), path="x")
    assert list(jsonschema.Draft202012Validator(FULL).iter_errors(value)) == []


@pytest.mark.parametrize("text", ["columns: {a: nummer}", "colums: {}", "columns: {a: {uniqe: true}}", "rows: []"])
def test_editors_refuse_what_the_reader_refuses(text: str) -> None:
    assert not _is_read(text)
    assert list(jsonschema.Draft202012Validator(FULL).iter_errors(plain(text.encode(), path="x")))
