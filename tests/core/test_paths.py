"""Paths with params in them, made final when the run's params are known."""

from typing import Any

import pytest

from core.test_resolve import bad, good, run
from headway.core.paths import settled
from headway.core.pipeline import Pipeline
from headway.core.plan import overridden
from headway.errors import ExpressionUnreadable, UsageMistaken


def with_params(pipeline: Pipeline, **params: Any) -> Pipeline:
    from msgspec.structs import replace

    return settled(replace(pipeline, params=overridden(pipeline.params, params)))


def test_params_and_matrix_values_stand_in_paths_to_write() -> None:
    pipeline = good(
        [
            run("a", out={"m": "m/${{ params.name }}/"}, metrics="${{ params.name }}.json"),
            run("b", matrix={"x": [1]}, out="b/${{ matrix.x }}", tests="${{ matrix.x }}-${{ params.name }}.xml"),
            run("c", out="c/${{ steps.a.out.m }}", in_="${{ steps.a.out.m }}"),
        ],
        {"name": "n"},
    )
    a, b, c = with_params(pipeline, name="z").steps
    assert (a.outputs, a.metrics) == ({"m": "m/z"}, "z.json")
    assert (b.outputs, b.tests) == ({"b": "b/1"}, "1-z.xml")
    assert list(c.outputs.values()) == ["c/m/z"]


def test_a_pipeline_without_open_paths_is_the_same_object() -> None:
    pipeline = good([run("a", out="x"), run("b", in_="${{ params.p }}")], {"p": "q"})
    assert settled(pipeline) is pipeline


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("../..", "may lead out"),
        ("/etc", "does not lie"),
        ("", "is no file"),
        ("*", "is a glob"),
        ("x", "both write x"),
    ],
)
def test_a_param_cannot_make_a_path_unusable(value: str, problem: str) -> None:
    pipeline = good([run("a", out="x"), run("b", out="${{ params.p }}")], {"p": "ok"})
    with pytest.raises(UsageMistaken, match=problem) as e:
        with_params(pipeline, p=value)
    assert e.value.at == "step b: out"


def test_a_param_without_a_value_is_told_of() -> None:
    with pytest.raises(ExpressionUnreadable, match="has no value") as e:
        settled(good([run("a", out="${{ params.p }}")]))
    assert e.value.at == "step a: out"


@pytest.mark.parametrize(
    "out", ["${{ run.id }}", "${{ env.X }}", "${{ steps.z.outcome }}", "a/${{ params.p || run.id }}"]
)
def test_a_path_to_write_must_be_known_before_the_run(out: str) -> None:
    for key in ("out", "metrics", "tests"):
        assert "must be known before the run" in bad([run("z"), run("a", **{key: out})])[0][1]
