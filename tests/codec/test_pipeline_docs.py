"""docs/pipeline.md: every example is read, every key is there."""

from pathlib import Path

import msgspec
import pytest

from headway.codec.human import read_pipeline
from headway.codec.schema import pipeline_schema
from headway.core.expression_syntax import FUNCTIONS

PAGE = (Path(__file__).parents[2] / "docs" / "pipeline.md").read_text()
EXAMPLES = [block.partition("```")[0] for block in PAGE.split("```yaml\n")[1:]]
PARAMS = msgspec.json.encode({"train": {"lr": 0.1}})


@pytest.mark.parametrize("text", EXAMPLES, ids=range(len(EXAMPLES)))
def test_every_example_is_read(text: str) -> None:
    types = ("register",)
    pipeline = read_pipeline(text.encode(), path="x", known_step_types=types, read_file={"params.yaml": PARAMS}.get)
    assert pipeline.steps


@pytest.mark.parametrize("name", pipeline_schema()["$defs"])
def test_every_key_is_described(name: str) -> None:
    keys = pipeline_schema()["$defs"][name]["properties"]
    assert [key for key in keys if f"`{key}`" not in PAGE] == []


def test_every_function_is_described() -> None:
    assert [name for name in FUNCTIONS if f"{name}(" not in PAGE] == []
