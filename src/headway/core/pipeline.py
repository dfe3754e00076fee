"""A pipeline as it will run: every default filled in, ids made, matrices spread, order resolved.

`core/grammar` is what a person may write; `core/resolve` turns that into this. Knows no file and no shell.
"""

from typing import Any

from msgspec import Struct

from headway.core.facts import Scalar


class Retry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Run a step again after a failure: at most `times` more, waiting `wait_s`, then `wait_s * factor`, and so on."""

    times: int = 0
    wait_s: float = 0.0
    factor: float = 1.0


class Resources(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a step needs; the local runner counts `cpu` against `--jobs`, a cluster asks for all three."""

    cpu: float = 1.0
    memory_bytes: int = 0
    gpu: int = 0


class StepSpec(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node of the pipeline.

    Exactly one of `run` and `uses` is set. `needs` are ids of steps that must have ended before this one starts.
    `condition` is an expression (`success()` unless `if:` says otherwise). `inputs` are paths or globs relative to
    the pipeline's folder, `outputs` names to paths. `params` are dotted names whose values go into the cache key.
    `with_values` may hold expressions in its strings. `matrix` holds this instance's values. `line` is its place.
    """

    id: str
    name: str
    run: str | None = None
    uses: str | None = None
    # Any: `with:` holds whatever the step type declares; the step's own type checks it before it runs.
    with_values: dict[str, Any] = {}
    shell: str | None = None
    condition: str = "success()"
    needs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: dict[str, str] = {}
    params: tuple[str, ...] = ()
    env: dict[str, str] = {}
    matrix: dict[str, Scalar] = {}
    retry: Retry = Retry()
    timeout_s: float | None = None
    continue_on_error: bool = False
    resources: Resources = Resources()
    runner: str = "local"
    metrics: str | None = None
    tests: str | None = None
    cacheable: bool = False
    line: int = 0


class Pipeline(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `headway run` runs. `steps` are in the order of the file, which is one valid order to run them in.

    `params` is the parsed params file (nested), before overrides; `params_file` its path or None.
    `triggers` and `monitors` are kept as written for `headway up`.
    """

    name: str
    steps: tuple[StepSpec, ...]
    env: dict[str, str] = {}
    params_file: str | None = None
    # Any: a user's own nested numbers and texts.
    params: dict[str, Any] = {}
    # Any: checked by grammar when read; read again by the triggers' and monitors' own rooms.
    triggers: dict[str, Any] = {}
    monitors: dict[str, Any] = {}
