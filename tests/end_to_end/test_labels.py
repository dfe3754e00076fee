"""Late labels of a real endpoint: posted and from files, corrected, added while whoever adds them is killed."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from headway import wiring
from headway.config import load
from headway.core import facts as f
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.flows import registry
from headway.flows.predictions import folder_of
from headway.tables import prediction_log
from headway.testing.processes import eventually
from headway.testing.verdicts import kept_verdict

pytestmark = pytest.mark.slow

MODEL = "def predict(rows):\n    return [row['x'] % 2 for row in rows]\n"

N_LABELS = 300_000
N_KILLS = 12


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.predictions = folder_of(str(folder / ".headway"), "live")

    def headway(self, *words: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-m", "headway", *words]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    (tmp_path / "headway.toml").touch()
    with wiring.open(load(folder=str(tmp_path))) as parts:
        artifact = Artifact(path="model.py", digest=parts.blobs.put(MODEL.encode()))
        asked = Registration(
            model="m", artifact=artifact, key="k", format="function", verdict=kept_verdict(parts.blobs, artifact)
        )
        registry.register(parts.log, asked, now=0.0)
    yield made
    made.headway("endpoints", "--stop", "live")


def post(url: str, value: object, **headers: str) -> None:
    request = Request(url, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})
    with urlopen(request, timeout=20) as answer:
        assert answer.status == 200


def test_labels_that_were_posted_and_that_came_in_files_are_one(project: Project) -> None:
    deployed = project.headway("deploy", "m@1", "--endpoint", "live")
    assert deployed.returncode == 0, deployed.stderr
    url = next(word for word in deployed.stdout.split() if word.startswith("http://"))
    for n in range(4):
        post(f"{url}/predict", {"x": n}, **{"X-Request-Id": f"order-{n}"})
    post(f"{url}/labels", [{"request_id": "order-0", "label": 0}, {"request_id": "order-1", "label": 0}])
    eventually(lambda: prediction_log.read(project.predictions, "labels").height == 2)
    eventually(lambda: prediction_log.read(project.predictions).height == 4)
    (project.folder / "may.csv").write_text(f"order,truth,at\norder-1,1,{time.time() + 60}\norder-2,1,\norder-9,1,\n")
    added = project.headway("labels", "add", "may.csv", "--key", "order", "--label", "truth")
    assert added.stdout.splitlines() == [
        "may.csv: 2 new, 1 corrected, for live",
        "  1 is of no prediction in the log: it is kept, in case it comes; see that --key names the request's id",
    ]
    joined = prediction_log.joined(project.predictions)
    found = joined.frame.sort("request_id").select("request_id", "prediction", "label").rows()
    assert found == [("order-0", 0, 0), ("order-1", 1, 1), ("order-2", 0, 1), ("order-3", 1, None)]
    lineage = project.headway("lineage", "order-1").stdout
    assert "label     row 0: 0\n  label     row 0: 1" in lineage
    assert "1 corrected, in may.csv" in project.headway("log", "--about", "labels/live").stdout


def test_killed_again_and_again_each_label_is_added_once(project: Project) -> None:
    with wiring.open(load(folder=str(project.folder))) as parts:
        started = f.ReleaseStarted(endpoint="live", release=1, model="m", version=1, key="r")
        parts.log.append("endpoint/live", [started], expect=0, at=0.0)
    with (project.folder / "may.csv").open("w") as file:
        file.write("request_id,label\n")
        file.writelines(f"order-{n},{n % 2}\n" for n in range(N_LABELS))
    chance = random.Random(3)
    argv = [sys.executable, "-m", "headway", "labels", "add", "may.csv"]
    for _ in range(N_KILLS):
        with subprocess.Popen(argv, cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as adding:
            time.sleep(chance.uniform(0.3, 1.5))
            adding.kill()
    ended = project.headway("labels", "add", "may.csv")
    assert ended.returncode == 0, ended.stderr
    found = prediction_log.read(project.predictions, "labels")
    assert found.height == found["request_id"].n_unique() == N_LABELS
    assert [path.name for path in Path(project.predictions).iterdir() if path.suffix != ".parquet"] == []
    with wiring.look(load(folder=str(project.folder))) as parts:
        facts = [one.fact for one in parts.log.read("labels/live") if isinstance(one.fact, f.LabelsAdded)]
    assert len(facts) == 1
