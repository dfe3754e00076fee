"""From a gate to a server: what is served answers as what was judged, and what does not moves no traffic.

Real processes: a model that uses code of the project, which is changed between the gate and the release.
"""

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.project import Project

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PIPELINE = """
pipeline: shop
steps:
  - name: Train
    run: python train.py
    in: [train.py, data.csv]
    out: {model: model.pkl}
  - name: Gate
    uses: gate
    with: {challenger: "${{ steps.train.out.model }}", data: holdout.csv, target: late, checks: [new.accuracy >= 0.6]}
  - name: Register
    uses: register
    with: {model: "${{ steps.train.out.model }}", name: shop, data: holdout.csv, target: late}
  - name: Deploy
    uses: deploy
    with: {endpoint: shop, model: "${{ steps.register.out.version }}", golden: golden.jsonl, golden-within: 20s}
"""

TRAIN = """
import pickle
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
import rules

rows = pl.read_csv("data.csv")
model = make_pipeline(FunctionTransformer(rules.scaled), LogisticRegression())
with open("model.pkl", "wb") as file:
    pickle.dump(model.fit(rows.drop("late"), rows["late"]), file)
"""

RULES = """
def scaled(rows):
    return rows * {factor}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Project]:
    project = Project(tmp_path / "shop")
    table = "x,y,late\n" + "".join(f"{n % 17},{n % 5},{int(n % 17 > 8)}\n" for n in range(400))
    files = {"pipeline.yaml": PIPELINE, "train.py": TRAIN, "rules.py": RULES.format(factor=1)}
    files |= {"data.csv": table, "holdout.csv": table, "golden.jsonl": '{"inputs": {"x": 16, "y": 0}, "expect": 1}\n'}
    for name, text in files.items():
        project.write(name, text)
    yield project
    for endpoint in ("shop", "other"):
        project("endpoints", "--stop", endpoint, expect=None)


def asked(url: str, x: int) -> object:
    request = urllib.request.Request(url + "/predict", data=json.dumps({"x": x, "y": 0}).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)["predictions"][0]


def test_what_was_judged_is_what_is_served_and_nothing_else_takes_over(shop: Project) -> None:
    done = shop("run")
    assert "rows answered as at its gate" in done.out + done.err
    (view,) = shop("endpoints", "--json").json
    assert [asked(view["url"], x) for x in (0, 16)] == [0, 1]

    # Code that the model uses is another where it is to serve: its file is the very same.
    shop.write("rules.py", RULES.format(factor=-1))
    refused = shop("deploy", "shop@1", "--endpoint", "other", expect=7)
    assert "rows are answered otherwise than at its gate" in refused.err
    assert "{'x': " in refused.err
    assert "versions of libraries" in refused.err
    views = {view["endpoint"]: view for view in shop("endpoints", "--json").json}
    assert views["other"]["version"] is None
    # What served before has not noticed: its process is the one of before.
    assert [asked(views["shop"]["url"], x) for x in (0, 16)] == [0, 1]

    shop.write("rules.py", RULES.format(factor=1))
    shop("deploy", "shop@1", "--endpoint", "other")


def test_a_golden_bound_that_nobody_keeps_stops_the_release(shop: Project) -> None:
    shop("run")
    began = time.monotonic()
    refused = shop(
        "deploy", "shop@1", "--endpoint", "other", "--golden", "golden.jsonl", "--golden-within", "0.001ms", expect=7
    )
    assert "(the median of 5), and may take 0.001" in refused.err
    assert time.monotonic() - began < 300


def test_a_project_without_a_gate_is_told_what_to_do(shop: Project) -> None:
    lines = PIPELINE.split("  - name: Gate")
    shop.write("pipeline.yaml", lines[0] + "  - name: Register" + lines[1].split("  - name: Register")[1])
    refused = shop("run", expect=3)
    assert "shop@1 is not released: no gate judged it" in refused.out + refused.err
    shop.write("pipeline.yaml", PIPELINE)
    done = shop("run")
    # The same content, which a gate has judged since.
    assert "shop@1 stays" in done.out + done.err
