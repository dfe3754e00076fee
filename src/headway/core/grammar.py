"""What a person may write in `pipeline.yaml`: one Struct for each mapping, with the words for editors and faults.

The JSON Schema that ships with the package is made from these types (`headway.codec.schema`). `core/resolve` turns a
`File` into the pipeline that runs. What a value means beyond its kind (that a step exists, that a time reads as one)
is checked there. Keys in kebab-case; `x-` keys are free in each of these mappings, and are gone when a `File` is made.
"""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from headway.core.facts import Scalar

DURATION = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)?|([0-9]+(ms|s|m|h|d|w))+)$"
"""A time as text: `90` (seconds), `1.5h`, `1h30m`."""

SIZE = r"^[0-9]+(\.[0-9]+)? *([kKmMgGtTpP][iI]?)?[bB]?$"
"""An amount of memory as text: `512MiB`, `4GiB`, `4Gi`, `2 GB`."""

ID = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
"""The id of a step, as expressions name it."""


def _means(description: str, *examples: object, **schema: object) -> Meta:
    """What editors show about a key. Patterns ride along for them; the reader checks those with better words."""
    return Meta(description=description, examples=list(examples) or None, extra_json_schema=schema or None)


Duration = Annotated[int | float | str, Meta(extra_json_schema={"pattern": DURATION, "minimum": 0})]
Texts = str | list[str]


class Retry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Run a step again after it failed."""

    times: Annotated[int, _means("How often to run the step again at most.", 2, minimum=0)]
    wait: Annotated[Duration, _means("How long to wait before the first new attempt.", "10s")] = 0
    factor: Annotated[float, _means("What each further wait is multiplied with.", 2, minimum=1)] = 1.0


class Resources(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """What a step needs of the machine."""

    cpu: Annotated[float, _means("Processors. The local runner counts them against --jobs.", 2, minimum=0)] = 1.0
    memory: Annotated[
        int | str, _means("Memory: bytes, or a number with its unit.", "4GiB", pattern=SIZE, minimum=0)
    ] = 0
    gpu: Annotated[int, _means("Graphics processors.", 1, minimum=0)] = 0


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One step: a command (`run`) or a built-in step type (`uses`)."""

    name: Annotated[str, _means("What people call the step.", "Train Model")] = ""
    id: Annotated[
        str, _means("The step's name in expressions; made from `name` when missing.", "train", pattern=ID)
    ] = ""
    run: Annotated[str, _means("The command, run by a shell in the file's folder.", "python train.py")] = ""
    uses: Annotated[str, _means("A built-in step type instead of a command.", "gate", "register")] = ""
    # Any: each step type says what it takes, and checks it.
    with_: Annotated[
        dict[str, Any], _means("The values that the step type of `uses` takes.", {"model": "models/model.pkl"})
    ] = field(name="with", default_factory=dict)
    shell: Annotated[
        str, _means("The shell of `run`; bash -eo pipefail when missing. {0} is the script.", "python {0}")
    ] = ""
    if_: Annotated[str | bool, _means("Run the step only when this expression holds.", "always()", "params.deploy")] = (
        field(name="if", default="")
    )
    needs: Annotated[
        Texts | UnsetType, _means("Ids of the steps to wait for; [] waits for none. Missing: all above.", ["train"], [])
    ] = UNSET
    in_: Annotated[
        Texts | UnsetType, _means("Files, folders or globs that the step reads. Makes it cacheable.", ["data/a.csv"])
    ] = field(name="in", default=UNSET)
    out: Annotated[
        Texts | dict[str, str] | UnsetType,
        _means("Files or folders that the step writes, best with a name. Makes it cacheable.", {"model": "m.pkl"}),
    ] = UNSET
    params: Annotated[
        Texts, _means("Dotted names of params whose change makes the step run again.", ["train"], "train.lr")
    ] = []
    env: Annotated[
        dict[str, Scalar], _means("Environment variables of this step; they may hold expressions.", {"LEVEL": "info"})
    ] = {}
    matrix: Annotated[
        dict[str, list[Scalar | dict[str, Scalar]]],
        _means("Run the step once for each combination of these values.", {"lr": [0.1, 0.01]}),
    ] = {}
    retry: Annotated[int | Retry, _means("How often to run the step again after a failure.", 2, minimum=0)] = 0
    timeout: Annotated[Duration | UnsetType, _means("End the step after this time.", "1h30m", 90)] = UNSET
    continue_on_error: Annotated[bool, _means("Go on as if the step had passed.", True)] = False
    resources: Annotated[Resources, _means("What the step needs of the machine.")] = Resources()
    runner: Annotated[Literal["local", "ray", "kubernetes"], _means("Where the step runs.", "local")] = "local"
    metrics: Annotated[str, _means("A JSON file of numbers that the step writes.", "metrics.json")] = ""
    tests: Annotated[str, _means("A JUnit XML file that the step writes.", "report.xml")] = ""


class DataTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A new version of a dataset arrived."""

    dataset: Annotated[
        str, _means("The dataset: a path, its name, or where it lies.", "data/training.csv", "s3://bucket/events/**")
    ]
    new_rows: Annotated[int, _means("Wait for at least so many new rows.", 500, minimum=0)] = 0
    watermark: Annotated[
        str, _means("Of a database: the query whose answer changes with the data.", "select max(id) from orders")
    ] = ""
    every: Annotated[Duration, _means("How often to ask a place that tells of no changes itself.", "5m")] = "5m"


class PushTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """New commits arrived."""

    branches: Annotated[Texts, _means("Only on these branches; globs. Missing: all.", ["main"])] = []
    paths: Annotated[Texts, _means("Only when one of these paths changed; globs.", ["src/**"])] = []
    tags: Annotated[Texts, _means("Also for tags of these names; globs.", ["v*"])] = []
    remote: Annotated[str, _means("Where Git asks for new commits; empty: only here.", "origin")] = "origin"
    pull: Annotated[bool, _means("Take new commits of the branch that is checked out, by fast-forward.", False)] = True
    every: Annotated[Duration, _means("How often to ask the remote.", "1m")] = "1m"


class CronTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """One time table."""

    cron: Annotated[str, _means("Minute, hour, day of month, month, day of week.", "0 3 * * 1")]
    timezone: Annotated[str, _means("Whose clock.", "Europe/Berlin")] = "UTC"


class MonitorTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A monitor saw drift, or lost quality."""

    monitor: Annotated[str, _means("The monitor's name under `monitors`.", "live")]
    windows: Annotated[int, _means("Only after so many windows in a row.", 3, minimum=1)] = 1
    says: Annotated[Literal["retrain", "any"], _means("Only for alarms that say `retrain`, or for any.", "any")] = (
        "retrain"
    )


class ModelAgeTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """The model that serves has become old."""

    model: Annotated[str, _means("Which model, with an alias.", "churn@champion")]
    older_than: Annotated[Duration, _means("How old it may become.", "30d")]


class PipelineTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Another pipeline ended."""

    name: Annotated[str, _means("The other pipeline's name.", "features")]
    outcome: Annotated[Literal["passed", "failed", "any"], _means("How it must have ended.", "passed")] = "passed"


class HttpTrigger(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Somebody called the address that `headway up` answers."""

    path: Annotated[str, _means("The last part of the address.", "retrain")] = ""
    secret: Annotated[str, _means("The environment variable that holds the secret callers sign with.", "KEY")] = ""


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How often all triggers together may start a run."""

    cooldown: Annotated[Duration, _means("The least time between two runs.", "6h")] = 0
    per_day: Annotated[int | UnsetType, _means("At most so many runs a day.", 4, minimum=0)] = UNSET
    per_week: Annotated[int | UnsetType, _means("At most so many runs a week.", 10, minimum=0)] = UNSET


class Triggers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab", omit_defaults=True):
    """What starts a run without a person."""

    data: Annotated[DataTrigger | list[DataTrigger] | UnsetType, _means("A new version of a dataset arrived.")] = UNSET
    push: Annotated[PushTrigger | UnsetType | None, _means("New commits arrived.", {"branches": ["main"]})] = UNSET
    schedule: Annotated[
        str | list[str | CronTrigger] | CronTrigger | UnsetType, _means("A time came.", "0 3 * * 1")
    ] = UNSET
    drift: Annotated[MonitorTrigger | UnsetType, _means("A monitor saw drift.", {"monitor": "live"})] = UNSET
    quality: Annotated[MonitorTrigger | UnsetType, _means("A monitor saw lost quality.", {"monitor": "live"})] = UNSET
    model_age: Annotated[ModelAgeTrigger | UnsetType, _means("The model that serves has become old.")] = UNSET
    pipeline: Annotated[str | PipelineTrigger | UnsetType, _means("Another pipeline ended.", "features")] = UNSET
    http: Annotated[HttpTrigger | bool | UnsetType | None, _means("Somebody called an address.", True)] = UNSET
    limits: Annotated[Limits | UnsetType, _means("How often all of these may start a run.")] = UNSET


class Labels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Where the truth about predictions arrives."""

    path: Annotated[str, _means("The file or folder of labels.", "data/labels/")]
    key: Annotated[str, _means("The column that holds the request's id.", "request_id")] = "request_id"
    delay: Annotated[Duration, _means("How long labels take to arrive.", "7d")] = 0


class Skew(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """Features of recorded requests, made anew from raw data and compared with what was served."""

    run: Annotated[str, _means("The command that makes features anew.", "python features.py --requests")]
    key: Annotated[str, _means("The column that names a row, here and there.", "customer")] = "request_id"
    columns: Annotated[Texts, _means("The columns to compare. Missing: all that both have.", ["visits"])] = []
    rows: Annotated[int, _means("So many requests are looked at, once a day.", 500, minimum=1)] = 500
    tolerate: Annotated[float, _means("The share of rows that may differ.", 0.01, minimum=0, exclusiveMaximum=1)] = 0.01
    timeout: Annotated[Duration, _means("How long the command may take.", "10m")] = "10m"


class Monitor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A standing watch over an endpoint."""

    endpoint: Annotated[str, _means("The endpoint to watch.", "churn")]
    reference: Annotated[str, _means("What live data is compared with.", "training")] = "training"
    target: Annotated[str, _means("The column of the reference that holds the truth.", "churned")] = ""
    labels: Annotated[str | Labels | UnsetType, _means("Where the truth arrives.", {"path": "data/labels/"})] = UNSET
    window: Annotated[int | str | UnsetType, _means("Predictions, or the time, in one window.", 1000, "1d")] = UNSET
    metric: Annotated[str, _means("What quality is measured by.", "accuracy", "auc", "mae")] = ""
    slices: Annotated[Texts, _means("Columns whose values are also looked at each by itself.", ["region"])] = []
    least_effect: Annotated[
        float, _means("The least share of rows that must have moved for an alarm.", 0.05, minimum=0, maximum=1)
    ] = 0.05
    least_loss: Annotated[
        float, _means("The least loss of quality for an alarm, as a part of what was promised.", 0.02, minimum=0)
    ] = 0.02
    skew: Annotated[
        str | Skew | UnsetType,
        _means("How features are made anew, to be compared with what was served.", {"run": "python features.py"}),
    ] = UNSET
    false_alarms: Annotated[str, _means("How many false alarms are acceptable.", "2 per year")] = ""


class File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """A Headway pipeline: only `steps` is required."""

    steps: Annotated[list[Step], _means("What is done, in this order.", minItems=1)]
    version: Annotated[int, _means("The version of this file's format.", 1, enum=[1])] = 1
    pipeline: Annotated[str, _means("The pipeline's name.", "churn")] = ""
    order: Annotated[
        Literal["list", "graph"],
        _means("`list`: steps run in the order written. `graph`: the order follows from `in` and `out`.", "graph"),
    ] = "list"
    params: Annotated[str, _means("A YAML, JSON or TOML file of parameters.", "params.yaml")] = ""
    env: Annotated[dict[str, Scalar], _means("Environment variables of every step.", {"LEVEL": "info"})] = {}
    triggers: Annotated[Triggers | UnsetType, _means("What starts a run without a person.")] = UNSET
    on: Annotated[Triggers | UnsetType, _means("Another spelling of `triggers`.")] = UNSET
    monitors: Annotated[dict[str, Monitor], _means("Standing watches over endpoints, by name.")] = {}


FOREIGN = {
    "cmd": "run",
    "command": "run",
    "script": "run",
    "commands": "run",
    "deps": "in",
    "inputs": "in",
    "outs": "out",
    "outputs": "out",
    "depends": "needs",
    "depends_on": "needs",
    "depends-on": "needs",
    "dependencies": "needs",
    "environment": "env",
    "when": "if",
    "condition": "if",
    "timeout-minutes": "timeout",
    "retries": "retry",
    "foreach": "matrix",
    "strategy": "matrix",
    "runs-on": "runner",
    "action": "uses",
    "stages": "steps",
    "jobs": "steps",
    "tasks": "steps",
    "parameters": "params",
    "vars": "params",
    "schedule": "triggers",
    "monitoring": "monitors",
    "stage": "name",
}
"""Keys that other tools use, and what says the same here."""
