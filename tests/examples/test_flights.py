"""The example `flights`, used by hand as its README tells; the README's numbers are measured here again."""

import ast
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from headway.codec.golden import read_golden
from headway.codec.schema_file import read_schema
from headway.core.golden import GoldenReply, judge
from headway.core.schema_checks import checks_of
from headway.core.validation import DataCheck
from headway.stats.answers import Answers
from headway.stats.metrics import measure
from headway.tables.review import Asked, review

SHIPPED = {
    ".gitignore",
    "README.md",
    "data/README.md",
    "data/flights_2013.parquet",
    "deployment.yaml",
    "fetch_data.py",
    "loop.yaml",
    "params.yaml",
    "pipeline.yaml",
    "pytest.ini",
    "replay.py",
    "requirements.txt",
    "schemas/flights.yaml",
    "schemas/holdout.yaml",
    "tests/golden.jsonl",
    "tests/test_model_quality.py",
    "train_model.py",
}
TRAIN = ["train_model.py", "--data", "data/training.csv", "--output"]
KNOWN_TOO_LATE = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}


def copy_to(folder: Path) -> Path:
    with as_file(files("headway") / "examples" / "flights") as source:
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def call(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=project, text=True, capture_output=True, check=False)


def run(project: Path, *command: str) -> str:
    done = call(project, *command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def read(project: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(project / "data" / name, infer_schema_length=None)


# Any: a scikit-learn pipeline.
def load(project: Path, name: str) -> Any:
    return pickle.loads((project / "models" / name).read_bytes())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_to(tmp_path / "flights")


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project after March arrived, with February's model beside March's."""
    project = copy_to(tmp_path_factory.mktemp("march") / "flights")
    with pytest.MonkeyPatch.context() as env:
        # On a busy machine OpenMP's threads wait for each other longer than one of them needs alone.
        env.setenv("OMP_NUM_THREADS", "1")
        for model in ("february.pkl", "model_v1.pkl"):
            run(project, "fetch_data.py")
            run(project, *TRAIN, f"models/{model}")
        yield project


def test_the_example_ships_exactly_its_files() -> None:
    with as_file(files("headway") / "examples" / "flights") as source:
        found = {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()}
    assert {name for name in found if "__pycache__" not in name} == SHIPPED


def test_the_warehouse_holds_the_whole_year_and_fits_into_the_package(project: Path) -> None:
    warehouse = project / "data/flights_2013.parquet"
    flights = pl.read_parquet(warehouse)
    assert len(flights) == 336_776
    assert flights["date"].dt.month().n_unique() == 12
    assert warehouse.stat().st_size < 3_000_000


@pytest.mark.slow
def test_each_fetch_brings_one_month_more_and_then_nothing_new(project: Path) -> None:
    newest = []
    for _ in range(3):
        run(project, "fetch_data.py")
        newest.append(str(read(project, "holdout.csv")["date"].max()))
    assert newest == ["2013-02-28", "2013-03-31", "2013-04-30"]

    run(project, "fetch_data.py", "--through", "2013-12")
    before = (project / "data/training.csv").read_bytes()
    assert "nothing new" in run(project, "fetch_data.py")
    assert (project / "data/training.csv").read_bytes() == before


def test_fetch_refuses_a_month_there_is_not(project: Path) -> None:
    done = call(project, "fetch_data.py", "--through", "2013-01")
    assert done.returncode == 2
    assert "2013-02" in done.stderr


def test_the_holdout_is_later_than_all_training_data_and_nothing_tells_the_future(project: Path) -> None:
    run(project, "fetch_data.py", "--through", "2013-05")
    training, holdout = read(project, "training.csv"), read(project, "holdout.csv")
    assert str(training["date"].max()) == "2013-04-30"
    assert str(holdout["date"].min()) == "2013-05-01"
    assert training.columns == holdout.columns
    assert not KNOWN_TOO_LATE & set(training.columns)


def broken(project: Path, name: str, *schemas: str) -> list[str]:
    """What is told of a file that the example's schemas do not let pass."""
    checks: list[DataCheck] = []
    for schema in schemas:
        checks += checks_of(read_schema((project / "schemas" / schema).read_bytes(), path=schema))
    asked = Asked(paths=(str(project / "data" / name),), checks=tuple(checks))
    found = review(asked, paths_of=lambda path: (str(project / path),), now=0.0)
    return [one.why for one in found.verdict.findings if one.outcome in ("fail", "error")]


def broken_holdout(project: Path) -> list[str]:
    return broken(project, "holdout.csv", "flights.yaml", "holdout.yaml")


@pytest.mark.slow
def test_every_month_is_sound(project: Path) -> None:
    for month in ("2013-02", "2013-12"):
        run(project, "fetch_data.py", "--through", month)
        assert broken(project, "training.csv", "flights.yaml") == []
        assert broken_holdout(project) == []


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        pytest.param(lambda rows: rows.drop("dest"), "dest", id="column lost"),
        pytest.param(lambda rows: rows.head(10), "10", id="rows lost"),
        pytest.param(lambda rows: rows.vstack(rows.head(5)), "flight_id must be different in each row", id="doubled"),
        pytest.param(
            lambda rows: rows.with_columns(wind_speed=pl.lit(1048)),
            "wind_speed must be at most 150: 1,861 of 1,861 rows",
            id="out of range",
        ),
        pytest.param(lambda rows: rows.with_columns(hour=pl.lit("noon")), "hour must be", id="text"),
        pytest.param(lambda rows: rows.with_columns(late=pl.lit(0)), "the mean of late must", id="labels broken"),
        pytest.param(lambda rows: rows.with_columns(carrier=pl.lit(None)), "carrier must have a value", id="missing"),
        pytest.param(lambda rows: rows.with_columns(date=pl.lit("2013-02-28")), "date must be later", id="not newer"),
        pytest.param(
            lambda rows: rows.with_columns(wind_speed=pl.col("late") * 10), "late", id="the label hidden in a feature"
        ),
    ],
)
def test_damaged_data_are_refused_with_the_reason(project: Path, damage: Any, complaint: str) -> None:
    run(project, "fetch_data.py", "--through", "2013-03")
    damage(read(project, "holdout.csv")).write_csv(project / "data/holdout.csv")
    assert any(complaint in why for why in broken_holdout(project)), broken_holdout(project)


def test_a_holdout_that_the_model_was_trained_on_is_refused(project: Path) -> None:
    run(project, "fetch_data.py", "--through", "2013-03")
    read(project, "training.csv").tail(2_000).write_csv(project / "data/holdout.csv")
    assert any("2,000 of 2,000 rows" in why for why in broken_holdout(project))


def test_a_broken_delivery_is_refused_and_the_next_one_is_whole(project: Path) -> None:
    run(project, "fetch_data.py")
    run(project, "fetch_data.py", "--broken")
    found = broken(project, "training.csv", "flights.yaml")
    assert len(found) == 2
    assert "`-999`" in found[0]
    run(project, "fetch_data.py")
    assert str(read(project, "holdout.csv")["date"].max()) == "2013-03-31"
    assert broken(project, "training.csv", "flights.yaml") == []


@pytest.mark.slow
def test_the_three_quality_tests_pass_for_the_default_model_and_the_one_named(march: Path) -> None:
    assert "3 passed" in run(march, "-m", "pytest", "-q", "tests/test_model_quality.py")
    with pytest.MonkeyPatch.context() as env:
        env.setenv("MODEL", "models/february.pkl")
        assert "3 passed" in run(march, "-m", "pytest", "-q", "tests/test_model_quality.py")


@pytest.mark.slow
def test_quality_tests_fail_for_a_model_that_learned_nothing(march: Path) -> None:
    training = read(march, "training.csv")
    training.with_columns(pl.col("late").shuffle(seed=0)).write_csv(march / "data/shuffled.csv")
    run(march, "train_model.py", "--data", "data/shuffled.csv", "--output", "models/nothing.pkl")
    with pytest.MonkeyPatch.context() as env:
        env.setenv("MODEL", "models/nothing.pkl")
        assert call(march, "-m", "pytest", "-q", "tests/test_model_quality.py").returncode == 1


@pytest.mark.slow
def test_training_again_gives_the_same_model_and_reports_its_metrics(
    march: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics = tmp_path / "metrics.jsonl"
    monkeypatch.setenv("HEADWAY_METRICS", str(metrics))
    monkeypatch.setenv("OMP_NUM_THREADS", "2")  # the number of threads must not matter
    said = run(march, *TRAIN, "models/again.pkl")
    assert (march / "models/again.pkl").read_bytes() == (march / "models/model_v1.pkl").read_bytes()

    reported = {line["name"]: line["value"] for line in map(json.loads, metrics.read_text().splitlines())}
    assert reported == {"train_auc": pytest.approx(0.739, abs=0.002), "train_log_loss": pytest.approx(0.477, abs=0.002)}
    assert said.startswith("loaded 50,009 flights, 2013-01-01 to 2013-02-28, from data/training.csv")
    assert "saved models/again.pkl" in said


@pytest.mark.slow
@pytest.mark.parametrize("model", ["february.pkl", "model_v1.pkl"])
def test_golden_requests_are_answered_right(march: Path, model: str) -> None:
    asked = read_golden((march / "tests/golden.jsonl").read_bytes(), file="golden.jsonl")
    assert len(asked) == 20
    rows = pl.DataFrame([request.inputs for request in asked], infer_schema_length=None)
    chances = load(march, model).predict_proba(rows)
    for request, pair in zip(asked, chances.tolist(), strict=True):
        reply = GoldenReply(predictions=[int(pair[1] > 0.5)], classes=[0, 1], probabilities=[pair])
        assert judge(request, reply) is None


@pytest.mark.slow
def test_rows_of_pandas_and_of_polars_are_answered_alike(march: Path) -> None:
    pandas = pytest.importorskip("pandas")
    model, rows = load(march, "model_v1.pkl"), read(march, "holdout.csv")
    same = pandas.DataFrame(rows.to_dict(as_series=False))
    assert np.array_equal(model.predict_proba(rows), model.predict_proba(same))


@pytest.mark.slow
def test_the_story_is_true(march: Path) -> None:
    """March: surely better. March, with 500 trees: surely worse, and every test green. April: cannot be told."""
    first, second = load(march, "february.pkl"), load(march, "model_v1.pkl")
    found = compare(second, first, read(march, "holdout.csv"))
    assert (found.new, found.old) == (pytest.approx(0.509, abs=0.002), pytest.approx(0.526, abs=0.002))
    assert found.high is not None
    assert found.high < 0

    april = copy_to(march.parent / "april")
    params = april / "params.yaml"
    run(april, "fetch_data.py", "--through", "2013-03")
    params.write_text(params.read_text().replace("n_trees: 50\n", "n_trees: 500\n"))
    run(april, *TRAIN, "models/model_v1.pkl")
    assert "3 passed" in run(april, "-m", "pytest", "-q", "tests/test_model_quality.py")
    found = compare(load(april, "model_v1.pkl"), second, read(april, "holdout.csv"))
    assert found.low is not None
    assert found.low > 0

    params.write_text(params.read_text().replace("n_trees: 500\n", "n_trees: 50\n"))
    run(april, "fetch_data.py")
    run(april, *TRAIN, "models/model_v1.pkl")
    found = compare(load(april, "model_v1.pkl"), second, read(april, "holdout.csv"))
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


# Any: scikit-learn pipelines, and what the measure gives.
def compare(new: Any, old: Any, holdout: pl.DataFrame) -> Any:
    answers = [
        Answers(labels=model.predict(holdout), chances=model.predict_proba(holdout)[:, 1]) for model in (new, old)
    ]
    return measure("log_loss", holdout["late"].to_numpy(), answers[0], answers[1], confidence=0.95)


def test_params_say_what_the_script_would_take_by_itself(project: Path) -> None:
    script = (project / "train_model.py").read_text()
    defaults = ast.literal_eval(script.partition("DEFAULTS = ")[2].partition("\n")[0])
    assert yaml.safe_load((project / "params.yaml").read_text()) == {"train": defaults}


def test_deployment_and_service_find_the_pods_by_their_label(project: Path) -> None:
    deployment, service = yaml.safe_load_all((project / "deployment.yaml").read_text())
    label = {"app": "ml-model"}
    assert deployment["spec"]["selector"]["matchLabels"] == label
    assert deployment["spec"]["template"]["metadata"]["labels"] == label
    assert service["spec"]["selector"] == label
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert {"startupProbe", "readinessProbe", "livenessProbe", "resources", "securityContext"} <= set(container)
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]


def test_the_pipeline_runs_the_very_commands_that_the_readme_gives_by_hand(project: Path) -> None:
    steps = yaml.safe_load((project / "pipeline.yaml").read_text())["steps"]
    made = {"data/training.csv", "data/holdout.csv", "models/model_v1.pkl"}
    named = {path for step in steps for path in step.get("in", [])}
    assert {path for path in named if not (project / path).is_file()} <= made
    readme = (project / "README.md").read_text()
    for step in steps:
        assert step.get("run", "") in readme


def test_the_loop_does_what_the_pipeline_does_and_is_read_without_faults(project: Path) -> None:
    hand, loop = (yaml.safe_load((project / name).read_text()) for name in ("pipeline.yaml", "loop.yaml"))
    assert set(loop) - set(hand) == {"triggers", "monitors"}
    assert (set(loop["triggers"]), set(loop["monitors"])) == ({"data", "quality"}, {"live"})
    *before, deploy = loop["steps"]
    assert before == hand["steps"][:-1]
    added = {key: deploy["with"].pop(key) for key in ("strategy", "rollback")}
    assert deploy == hand["steps"][-1]
    assert "quality" in added["rollback"]
    done = call(project, "-m", "headway", "plan", "loop.yaml")
    assert done.returncode == 0, done.stderr


def test_what_a_new_warehouse_delivers_breaks_no_rule_and_has_another_unit(project: Path) -> None:
    run(project, "fetch_data.py", "--through", "2013-03")
    before = read(project, "training.csv")
    run(project, "fetch_data.py", "--through", "2013-03", "--migrated")
    after = read(project, "training.csv")
    assert after["humidity"].to_list() == pytest.approx((before["humidity"] / 100).to_list(), nan_ok=True)
    assert after.drop("humidity").equals(before.drop("humidity"))
    for data, schemas in (("training", ["flights"]), ("holdout", ["flights", "holdout"])):
        for name in schemas:
            done = call(project, "-m", "headway", "validate", f"data/{data}.csv", "--schema", f"schemas/{name}.yaml")
            assert done.returncode == 0, done.stdout + done.stderr


def test_its_tests_are_run_by_its_own_settings_wherever_it_lies(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\naddopts = ["--no-such-option"]\n')
    project = copy_to(tmp_path / "demo")
    done = call(project, "-m", "pytest", "--collect-only", "tests/test_model_quality.py")
    assert "no-such-option" not in done.stderr
    assert f"rootdir: {project}\nconfigfile: pytest.ini" in done.stdout
