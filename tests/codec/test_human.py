"""Files that people write: every fault at once, each at its line and column."""

import textwrap
import time
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headway.codec import marks
from headway.codec.human import check, plain, read_params, read_pipeline
from headway.codec.kinds import problems_of
from headway.core.grammar import File
from headway.core.pipeline import Pipeline
from headway.errors import Fault, FileFaulty
from tries import tries

TYPES = ("validate-data", "gate", "register", "deploy")
PARAMS = {"params.yaml": b"lr: 0.1\ntrain: {depth: 3}\n"}


def read(text: str | bytes, files: dict[str, bytes] | None = None) -> Pipeline:
    data = textwrap.dedent(text).encode() if isinstance(text, str) else text
    read_file = (PARAMS if files is None else files).get
    return read_pipeline(data, path="pipeline.yaml", known_step_types=TYPES, read_file=read_file)


def faults(text: str | bytes, files: dict[str, bytes] | None = None) -> list[tuple[int, int, str]]:
    with pytest.raises(FileFaulty) as e:
        read(text, files)
    n = len(e.value.faults)
    assert n
    assert e.value.problem == f"pipeline.yaml has {n} fault{'s' * (n > 1)}"
    assert all(f.remedy for f in e.value.faults)
    return [(f.line, f.column, f.problem) for f in e.value.faults]


FOUR = """\
steps:
  - name: Data Validation
    run: python validate_data.py
  - name: Train Model
    run: python train.py
  - name: Test Model
    run: python test_model.py
  - name: Deploy Model
    run: python deploy.py
"""

LOOP = """\
pipeline: churn
triggers:
  data: {dataset: data/training.csv, new-rows: 500}   # a new version of the data arrived
  push: {branches: [main]}
  schedule: "0 3 * * 1"
  drift: {monitor: live}
  quality: {monitor: live}
  limits: {cooldown: 6h, per-day: 4}
params: params.yaml
steps:
  - name: Data Validation
    uses: validate-data
    with: {data: data/training.csv, schema: schemas/training.yaml, reference: last-released}
  - name: Train Model
    run: python train_model.py --data data/training.csv --output models/model.pkl
    in: [data/training.csv, train_model.py]
    params: [train]
    out: {model: models/model.pkl}
  - name: Test Model
    run: pytest tests/test_model_quality.py           # results are read from JUnit XML and shown test by test
  - name: Gate
    uses: gate
    with:
      challenger: ${{ steps.train-model.out.model }}
      champion: churn@champion                        # none yet: only the absolute checks count
      data: data/holdout.csv
      target: churned
      checks:
        - new.accuracy >= 0.80
        - new.accuracy - old.accuracy > -0.01
        - new.recall - old.recall > -0.02 for each region
        - new.latency_p99_ms < 20
      confidence: 0.95
      reuse: {budget: 32, passes: 1}                  # how often this holdout may be asked, and may say yes
      unsure: hold                                    # hold | fail | pass
  - name: Register
    uses: register
    with: {model: "${{ steps.train-model.out.model }}", name: churn}
  - name: Deploy
    uses: deploy
    with:
      endpoint: churn
      target: local                                   # or kubernetes; the strategy text stays the same
      golden: tests/golden.jsonl                      # real requests answered right before any traffic moves
      strategy: [shadow: 100% for 2000 requests, canary: 10% for 10000 requests, promote, bake: 14d]
      rollback: [not-ready, errors, latency, quality]
monitors:
  live:
    endpoint: churn
    reference: training
    labels: {path: data/labels/, key: request_id, delay: 7d}
    false-alarms: 2 per year
"""


def test_the_four_steps_of_the_design_are_a_whole_pipeline() -> None:
    pipeline = read(FOUR)
    assert [(s.id, s.name, s.run, s.line) for s in pipeline.steps] == [
        ("data-validation", "Data Validation", "python validate_data.py", 2),
        ("train-model", "Train Model", "python train.py", 4),
        ("test-model", "Test Model", "python test_model.py", 6),
        ("deploy-model", "Deploy Model", "python deploy.py", 8),
    ]
    assert [s.needs for s in pipeline.steps] == [(), ("data-validation",), ("train-model",), ("test-model",)]


def test_the_whole_loop_of_the_design_is_read() -> None:
    pipeline = read(LOOP)
    assert pipeline.name == "churn"
    assert [s.uses for s in pipeline.steps] == ["validate-data", None, None, "gate", "register", "deploy"]
    assert pipeline.steps[3].with_values["checks"][0] == "new.accuracy >= 0.80"
    assert pipeline.steps[5].with_values["strategy"][0] == {"shadow": "100% for 2000 requests"}
    assert pipeline.triggers["limits"] == {"cooldown": "6h", "per-day": 4}
    assert pipeline.monitors["live"]["false-alarms"] == "2 per year"
    assert pipeline.params == {"lr": 0.1, "train": {"depth": 3}}


TEN = """\
pipeline: my churn
ordr: list
params: params.yaml
steps:
  - name: Train Model
    run: python train.py --lr ${{ params.lrr }}
    depz: [data]
    timeout: soon
  - name: Test Model
    retry: twice
    run: |
      set -e
      pytest -k '${{ run.id }}'
    needs: [trian-model]
  - name: Ship It
    uses: actions/checkout@v4
    if: "steps.test-model.outcome = 'passed'"
  - name: Ship It
    run: cp ${{ steps.train-model.outputs.model }} /srv
    out: ../elsewhere
"""


def test_ten_faults_are_all_shown_each_in_its_place() -> None:
    with pytest.raises(FileFaulty) as e:
        read(TEN)
    shown = [(f.line, f.column, f.where, f.problem, f.remedy) for f in e.value.faults]
    assert shown == [
        (1, 11, "pipeline", "`my churn` cannot name a pipeline", "use letters, digits, - _ and ."),
        (2, 1, "ordr", "the key `ordr` is not known here", "did you mean `order`?"),
        (6, 35, 'steps[0] "Train Model" . run', "params.yaml has no `lrr`", "did you mean `lr`?"),
        (7, 5, 'steps[0] "Train Model" . depz', "the key `depz` is not known here", "here it is called `in`"),
        (
            8,
            14,
            'steps[0] "Train Model" . timeout',
            "`soon` is not a time",
            "write 90 (seconds), 30s, 10m, 1h30m or 7d",
        ),
        (
            10,
            12,
            'steps[1] "Test Model" . retry',
            "`retry` must be a whole number or a mapping, not the text `twice`",
            "write it like this: retry: 2",
        ),
        (
            13,
            18,
            'steps[1] "Test Model" . run',
            "an expression inside single quotes reaches the shell as it stands",
            'use double quotes: "…${{ … }}…"',
        ),
        (
            14,
            13,
            'steps[1] "Test Model" . needs[0]',
            "there is no step `trian-model`",
            "did you mean `train-model`?",
        ),
        (
            16,
            11,
            'steps[2] "Ship It" . uses',
            "`actions/checkout@v4` is a GitHub action, and Headway runs none",
            "run the command behind it with `run:`; in a GitHub workflow, call `headway run` after that action",
        ),
        (
            17,
            35,
            'steps[2] "Ship It" . if',
            "`=` is not part of the language of expressions",
            "compare with `==`",
        ),
        (
            18,
            11,
            'steps[3] "Ship It" . name',
            "two steps have the id `ship-it`: this one and steps[2]",
            "give this one an id of its own, as in id: ship-it-2",
        ),
        (
            19,
            17,
            'steps[3] "Ship It" . run',
            "`steps.train-model.outputs.model` names nothing of a step",
            "write steps.train-model.out.model",
        ),
        (
            20,
            10,
            'steps[3] "Ship It" . out',
            "`../elsewhere` may lead out of the project's folder",
            "write it without `..`",
        ),
    ]
    lines = TEN.splitlines()
    assert all(f.excerpt == lines[f.line - 1] for f in e.value.faults)
    assert e.value.at == "pipeline.yaml:1:11"


# --- YAML 1.2 -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("on", "on"), ("yes", "yes"), ("No", "No"), ("off", "off"), ("y", "y"),
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("tRue", "tRue"),
        ("null", None), ("~", None), ("", None), ("Null", None), ("nULL", "nULL"),
        ("012", 12), ("0o14", 12), ("0xC", 12), ("0XC", "0XC"), ("0o9", "0o9"), ("0b1", "0b1"), ("1_000", "1_000"),
        ("12:30", "12:30"), ("12:30:45", "12:30:45"), ("-3", -3), ("+3", 3), ("--3", "--3"), ("3-", "3-"),
        ("1.10", 1.1), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("1.5E-3", 0.0015), (".", "."), ("1.2.3", "1.2.3"),
        (".inf", float("inf")), ("-.INF", -float("inf")), ("inf", "inf"), ("nan", "nan"), ("e3", "e3"),
        ("2026-11-23", "2026-11-23"), ("'1'", "1"), ('"true"', "true"), ("!!str 1", "1"), ("!!int 1", 1),
        ("!!float 1", 1), ("!!bool true", True), ("!!null null", None), ("=", "="), ("<", "<"),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    got = read_params(f"v: {written}\n".encode(), path="p.yaml")["v"]
    assert got == value
    assert type(got) is type(value)


def test_on_is_a_spelling_of_triggers() -> None:
    assert read("on: {push: }\nsteps: [run: a]\n").triggers == {"push": None}
    assert faults("on: {push: }\ntriggers: {push: }\nsteps: [run: a]\n") == [
        (1, 1, "both `triggers` and `on` are given")
    ]


def test_free_keys_are_free_wherever_keys_are_known() -> None:
    pipeline = read(
        """\
        x-top: {a: [1, 2]}
        steps:
          - run: a
            x-note: {b: 1}
            retry: {times: 1, x-why: flaky}
          - uses: gate
            with: {x-own: kept}
        monitors: {m: {endpoint: e, x-o: 1}}
        """
    )
    assert pipeline.steps[0].retry.times == 1
    assert pipeline.steps[1].with_values == {"x-own": "kept"}


def test_anchors_and_merges_share_what_steps_have_in_common() -> None:
    pipeline = read(
        """\
        x-common: &common
          retry: 2
          env: &env {A: 1.10, B: 007}
        steps:
          - {<<: *common, run: a}
          - <<: [{shell: dash}, *common]
            run: b
            retry: 3
          - run: c
            env: *env
        """
    )
    assert [s.retry.times for s in pipeline.steps] == [2, 3, 0]
    assert [s.env for s in pipeline.steps] == [{"A": "1.10", "B": "007"}] * 3
    assert pipeline.steps[1].shell == "dash"


def test_environment_variables_are_what_was_written() -> None:
    text = "env: {T: 12:30, V: 1.10}\nsteps:\n- run: a\n  env: {A: 0x1F, B: true, C: , D: 'x', E: 1e3, F: False}\n"
    pipeline = read(text)
    assert pipeline.env == {"T": "12:30", "V": "1.10"}
    assert pipeline.steps[0].env == {"A": "0x1F", "B": "true", "C": "", "D": "x", "E": "1e3", "F": "False"}


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("steps:\n- run: a\n  run: b\n", (3, 3), "`run` is given twice, first in line 2"),
        ("steps:\n- run: a\nsteps: []\n", (3, 1), "`steps` is given twice, first in line 1"),
        ("steps:\n- run: a\n  env: {A: 1, A: 2}\n", (3, 15), "`A` is given twice, first in line 3"),
        ("steps:\n- run: a\n  ? [b]\n  : c\n", (3, 5), "a key must be a text"),
        ("steps:\n- run: !py a\n", (2, 8), "the tag !py is not known"),
        ("steps:\n- run: a\n  if: !cancelled()\n", (3, 7), "the tag !cancelled() is not known"),
        ("steps:\n- run: a\n  retry: !!int x\n", (3, 10), "`x` is not of the kind !!int"),
        ("steps:\n- run: a\n  retry: 99999999999999999999\n", (3, 10), "the number does not fit into 64 bits"),
        (f"steps:\n- run: a\n  retry: {'9' * 5000}\n", (3, 10), "the number does not fit into 64 bits"),
        ('steps:\n- run: "a\\0b"\n', (2, 8), "the text holds a NUL"),
        ('steps:\n- run: a\n  env: {"a\\0": 1}\n', (3, 8), "a key holds a NUL"),
        ("steps:\n- run: a\n  with: &a [*a]\n", (3, 9), "an alias stands inside what it stands for"),
        ("steps:\n- {<<: 3, run: a}\n", (2, 4), "`<<` takes a mapping, or a list of them"),
    ],
)
def test_faults_of_values_have_their_place(text: str, at: tuple[int, int], problem: str) -> None:
    assert (*at, problem) in faults(text)


@pytest.mark.parametrize(
    ("text", "at", "remedy"),
    [
        ("steps:\n\t- run: a\n", (2, 1), "use blanks, not tabs"),
        ("steps:\n- run: echo a: b\n", (2, 14), "put texts that hold `: ` in quotes"),
        ("steps:\n- with: {model: ${{ steps.a.out.b }}, name: c}\n", (2, 18), "put expressions inside { } in quotes"),
        ("steps:\n- run: a\n name: b\n", (3, 2), "check the indentation"),
        ("steps:\n- run: @a\n", (2, 8), "put texts that begin with %, @"),
        ("steps:\n- run: *a\n", (2, 8), "put texts that begin with it in quotes"),
        ("steps:\n- run: 'a\n", (3, 1), "close the quote"),
        ("steps: []\n---\nsteps: []\n", (2, 1), "keep one document"),
        ("steps:\n- run: a\x07b\n", (2, 9), "check this line"),
    ],
)
def test_what_is_not_yaml_is_told_with_a_cure(text: str, at: tuple[int, int], remedy: str) -> None:
    with pytest.raises(FileFaulty) as e:
        read(text)
    assert len(e.value.faults) == 1
    fault = e.value.faults[0]
    assert (fault.line, fault.column) == at
    assert remedy in fault.remedy
    assert fault.problem.startswith("not YAML: ")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", (1, 1, "the file is empty")),
        (b"# only this\n", (1, 1, "the file is empty")),
        (b"steps:\n- run: \xff\n", (2, 8, "the file is not UTF-8 text")),
        (b"[]", (1, 1, "`the file` must be a mapping, not a list")),
        (b"steps", (1, 1, "`the file` must be a mapping, not the text `steps`")),
        (b"{}", (1, 1, "`steps` is missing")),
        (b"steps:", (1, 7, "`steps` must be a list of mappings, not nothing")),
        (b"steps: []", (1, 8, "there are no steps")),
        (b"steps: [python a.py]", (1, 9, "each of `steps` must be a mapping, not the text `python a.py`")),
        (b"\xef\xbb\xbfsteps: [{rn: a}]", (1, 10, "the key `rn` is not known here")),
        (b"steps:\r\n- rn: a\r\n", (2, 3, "the key `rn` is not known here")),
        ("steps:\n- name: 'x\u2028y'\n  rn: a".encode(), (4, 3, "the key `rn` is not known here")),
        (b"[" * 100_000, None),
        (b"steps: " + b"[" * 3000 + b"]" * 3000, None),
    ],
)
def test_odd_files_have_a_defined_end(data: bytes, found: tuple[int, int, str] | None) -> None:
    shown = faults(data)
    assert len(shown) == 1
    assert found is None or shown[0] == found


def test_a_bomb_of_aliases_is_refused_before_it_goes_off() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    # Spread out it would be 10^12 values: that this ends at all is the test.
    assert "aliases repeat values more than" in faults("\n".join(lines))[0][2]


def test_a_step_that_lost_its_name_takes_no_others_along() -> None:
    text = "steps:\n- name: 5\n  run: a\n  matrix: x\n- run: ${{ steps.five.out.x }} ${{ matrix.x }}\n  needs: five\n"
    assert [line for line, *_ in faults(text)] == [2, 4, 5]


@pytest.mark.parametrize(
    ("line", "block"),
    [
        (4, "run: echo ${{ params.no }}"),
        (4, 'run: "echo \\"${{ params.no }}\\""'),
        (4, "run: 'echo ${{ params.lr }} ${{ params.no }}'"),
        (6, "run: |\n      echo ${{ params.lr }}\n      echo ${{ params.no }}"),
        (6, "run: >-\n      echo\n      ${{ params.no }}"),
        (6, "run:\n      echo\n      ${{ params.no }}"),
        (5, "run: a\n    if: params.lr == params.no"),
        (5, "run: a\n    if: ${{ params.lr == params.no }}"),
    ],
)
def test_a_fault_in_an_expression_points_at_the_name(line: int, block: str) -> None:
    text = f"params: params.yaml\nsteps:\n  - name: A\n    {block}\n    needs: []\n"
    found = faults(text)
    assert [at for at, *_ in found] == [line]
    assert text.splitlines()[line - 1][found[0][1] - 1 :].startswith("params.no")


# --- params ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("p.yaml", b"lr: 0.1\ntrain: {depth: 3, on: yes}\n"),
        ("p.json", b'{"lr": 0.1, "train": {"depth": 3, "on": "yes"}}'),
        ("p.toml", b'lr = 0.1\n[train]\ndepth = 3\non = "yes"\n'),
    ],
)
def test_params_are_read_by_the_files_name(path: str, data: bytes) -> None:
    assert read_params(data, path=path) == {"lr": 0.1, "train": {"depth": 3, "on": "yes"}}
    assert read(f"params: {path}\nsteps: [run: a]\n", {path: data}).params["lr"] == 0.1


def test_a_date_in_toml_is_a_text() -> None:
    assert read_params(b"d = 2026-11-23\n", path="p.toml") == {"d": "2026-11-23"}


@pytest.mark.parametrize(
    ("path", "data", "problem"),
    [
        ("p.yaml", b"a: 1\na: 2\n", "2:1: `a` is given twice, first in line 1"),
        ("p.yaml", b"- 1\n", "1:1: its top is not a mapping"),
        ("p.json", b"{", "p.json: not JSON"),
        ("p.json", b"[1]", "1:1: its top is not a mapping"),
        ("p.toml", b"a", "1:2: not TOML"),
        ("p.yaml", b"\xff", "1:1: the file is not UTF-8 text"),
        ("q.yaml", b"", "there is no file p.yaml"),
    ],
)
def test_a_faulty_params_file_is_a_fault_of_the_pipeline_too(path: str, data: bytes, problem: str) -> None:
    name = "p.yaml" if path == "q.yaml" else path
    found = faults(f"steps:\n- run: a ${{{{ params.x }}}}\n  params: y\nparams: {name}\n", {path: data})
    assert len(found) == 1
    if problem[0].isdigit():
        # Told at its own place, in its own file.
        assert f"{found[0][0]}:{found[0][1]}: {found[0][2]}".startswith(problem)
    else:
        assert found[0][:2] == (4, 9)
        assert found[0][2].startswith(problem)


def test_empty_params_are_no_params() -> None:
    assert read_params(b"# nothing yet\n", path="p.yaml") == {}
    assert plain(b"", path="x.yaml") == {}


# --- the checker for other files ------------------------------------------------------------------------------------


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    max_age: int = 0


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    url: str
    inner: Inner = Inner()
    share: float | None = None
    tags: tuple[str, ...] = ()
    jobs: Annotated[int, msgspec.Meta(ge=1, examples=[2], extra_json_schema={"examples": [2]})] = 1


def test_check_finds_all_faults_of_settings() -> None:
    found = check({"inner": {"max-agee": 3}, "share": "x", "tags": [1, "a"], "x-free": 1, "jobs": 0}, Settings, "store")
    assert [(f.where, f.problem, f.remedy) for f in found] == [
        ("store.inner.max-agee", "the key `max-agee` is not known here", "did you mean `max-age`?"),
        ("store.share", "`share` must be a number or nothing, not the text `x`", "write `share: …`"),
        ("store.tags[0]", "each of `tags` must be a text, not the number 1", 'put it in quotes: "1"'),
        ("store.jobs", "`jobs` must be at least 1, not 0", "write it like this: jobs: 2"),
        ("store", "`url` is missing", "write `url: …`"),
    ]
    assert check({"url": "x"}, Settings) == []


# --- laws -----------------------------------------------------------------------------------------------------------

SOME_KEYS = """steps name id run uses with if needs in out env matrix retry timeout params triggers on monitors order
version x-free nmae resources memory times push schedule limits cooldown endpoint labels path continue-on-error"""
KEYS = st.sampled_from(SOME_KEYS.split())
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    # JSON Schema takes 2.0 for a whole number; the reader does not.
    | st.floats(-2, 2).filter(lambda x: not x.is_integer())
    | st.sampled_from(["a", "list", "graph", "10m", "always()", "${{ params.lr }}", "${{", "a/b", "local", "1"])
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=3) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)
STEP_LIKE = st.dictionaries(KEYS, VALUES, max_size=5).map(lambda step: {"run": "x", **step})
FILE_LIKE = st.dictionaries(KEYS, VALUES, max_size=3).flatmap(
    lambda top: st.lists(STEP_LIKE | VALUES, max_size=3).map(lambda steps: {**top, "steps": steps})
)


@settings(max_examples=tries(200), deadline=None)
@given(VALUES | FILE_LIKE)
@example({"steps": [{"run": "x", "retry": 1.0}], "version": 1.0})
@example({"steps": [{"run": "x", "retry": True}], "version": True})
@example({"steps": [{"run": "x", "retry": {"times": 2.5}}]})
@example({"steps": [{"run": "x", "with": {"x-free": 1}, "env": {"x-free": [1]}}]})
@example({"steps": [], "monitors": {"x-free": {"endpoint": "e", "x-free": 1}}})
def test_the_walker_and_msgspec_say_the_same(value: Any) -> None:
    problems, left = problems_of(value, File)
    free = _without_free_keys(value)
    try:
        msgspec.convert(free, File)
        converts = True
    except msgspec.ValidationError:
        converts = False
    assert converts is not bool(problems), (problems, value)
    if not problems:
        assert msgspec.convert(left, File) == msgspec.convert(free, File)


def _without_free_keys(value: Any, key: str = "") -> Any:
    """The value without the `x-` keys of mappings whose keys are known: those of `env` and the like are the user's."""
    if isinstance(value, dict) and key in ("with", "env", "matrix"):
        return value
    if isinstance(value, dict):
        own = key == "monitors"
        return {k: _without_free_keys(v, "" if own else k) for k, v in value.items() if own or not k.startswith("x-")}
    if isinstance(value, list):
        return [_without_free_keys(v) for v in value]
    return value


def faults_of(data: bytes) -> tuple[Fault, ...]:
    """The faults of a file, none when it is good."""
    try:
        read(data)
    except FileFaulty as e:
        return e.faults or (Fault("a faulty file without faults"),)
    return ()


@settings(max_examples=tries(200), deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_give_a_pipeline_or_faults(data: bytes) -> None:
    for text in (data, b"steps:\n- run: a\n  env: {A: " + data + b"}\n", FOUR.encode()[:90] + data):
        assert all(f.line >= 1 and f.column >= 1 for f in faults_of(text))


@settings(max_examples=tries(200), deadline=None)
@given(FILE_LIKE)
def test_any_file_gives_a_pipeline_or_faults_in_order(value: Any) -> None:
    try:
        pipeline = read(msgspec.json.encode(value))
    except FileFaulty as e:
        places = [(f.line, f.column) for f in e.faults]
        assert places == sorted(places)
        assert places[0] >= (1, 1)
        return
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(pipeline), type=Pipeline)
    assert again == pipeline


@settings(max_examples=tries(200), deadline=None)
@given(
    st.integers(0, len(LOOP)),
    st.integers(0, 8),
    st.sampled_from(["", " ", "\n", "x", ":", "- ", "${{", "'", "\t", "&a ", "*a"]),
)
def test_a_good_file_broken_anywhere_gives_faults_with_places(at: int, cut: int, put: str) -> None:
    broken = (LOOP[:at] + put + LOOP[at + cut :]).encode()
    assert all(f.line and f.column and f.remedy for f in faults_of(broken))


@settings(max_examples=tries(200), deadline=None)
@given(VALUES)
def test_json_is_yaml(value: Any) -> None:
    assert plain(msgspec.json.encode({"v": value}), path="x.yaml") == {"v": value}


def test_the_pure_composer_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    with_libyaml = read(LOOP)
    monkeypatch.setattr(marks, "_loader", None)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert read(LOOP) == with_libyaml
    assert [place[:2] for place in faults(TEN)][:3] == [(1, 11), (2, 1), (6, 35)]


@pytest.mark.slow
def test_large_files_are_read_fast() -> None:
    def text(n: int) -> bytes:
        steps = (
            f"  - name: Step {i}\n    run: cat x > out/{i}\n    in: [src/a.py]\n    out: out/{i}\n" for i in range(n)
        )
        return ("steps:\n" + "".join(steps)).encode()

    read(text(10))
    start = time.process_time()
    read(text(10_000))
    # 0.4 s on the machine this was written on; the promise is 0.9 s.
    assert time.process_time() - start < 3
