"""What stands where in the picture of a lineage, and where its boxes lead."""

from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.core.lineage import DataLineage, DataUse, Maker, ReleaseOf, RunOf, Touched, VerdictOf, VersionLineage
from headway.core.lineage_picture import MOST, of_data, of_version
from headway.core.registry import Model, card

FILE = Artifact(path="data/training.csv", digest=Digest("a" * 64))


def lineage(data: tuple[DataUse, ...], releases: tuple[ReleaseOf, ...] = ()) -> VersionLineage:
    made = f.ModelRegistered(model="churn", version=1, artifact=FILE, key="k", run=RunId(2))
    model = Model("churn")
    model.after(f.Entry(seq=1, stream="model/churn", n=1, at=1.0, fact=made))
    run = RunOf(run=RunId(2), name="churn", file="p.yaml", at=1.0, trigger="person", outcome="passed")
    verdict = VerdictOf(digest=Digest("b" * 64), outcome="unsure")
    return VersionLineage(card=card(model, 1), data=data, run=run, verdict=verdict, releases=releases)


def release(number: int, *, is_serving: bool = False) -> ReleaseOf:
    return ReleaseOf(endpoint="shop", release=number, at=1.0, outcome="rolled-back", is_serving=is_serving)


def test_a_version_stands_between_its_data_and_its_releases_and_each_leads_on() -> None:
    data = (
        DataUse(artifact=FILE, versions=("training@2",)),
        DataUse(artifact=FILE, made_by=Maker(run=RunId(1), step="features")),
        DataUse(artifact=FILE),
    )
    found = of_version(lineage(data, (release(1), release(2, is_serving=True))), "/runs/2/gates/gate")
    assert [(box.column, box.title, box.address, box.look) for box in found.boxes] == [
        (0, "training@2", "/data/training/2", "idle"),
        (0, "data/training.csv", "/runs/1", "idle"),
        (0, "data/training.csv", "", "idle"),
        (1, "run 2", "/runs/2", "idle"),
        (2, "churn@1", "", "running"),
        (3, "gate", "/runs/2/gates/gate", "waiting"),
        (4, "shop 2", "/releases/shop/2", "well"),
        (4, "shop 1", "/releases/shop/1", "idle"),
    ]
    assert found.ways == ((0, 3), (1, 3), (2, 3), (3, 4), (4, 5), (5, 6), (5, 7))


def test_data_lead_to_versions_and_on_to_where_they_were_released() -> None:
    version = f.DatasetVersioned(dataset="training", version=2, artifact=FILE)
    touched = (
        Touched(version="churn@2", at=1.0, through=(FILE,), aliases=("champion",), releases=(release(2),)),
        Touched(version="churn@1", at=1.0, through=(FILE,)),
    )
    found = of_data(version, DataLineage(of="training@2", digests=(), touched=touched))
    titles = [(box.title, box.words) for box in found.boxes]
    assert titles[1:] == [("churn@2", "champion"), ("churn@1", ""), ("shop 2", "rolled back")]
    assert found.ways == ((0, 1), (0, 2), (1, 3))


def test_of_many_a_few_are_drawn_and_the_others_counted() -> None:
    many = tuple(Touched(version=f"churn@{n}", at=1.0, through=(), releases=(release(n),)) for n in range(100))
    version = f.DatasetVersioned(dataset="training", version=2, artifact=FILE)
    found = of_data(version, DataLineage(of="training@2", digests=(), touched=many))
    models = [box for box in found.boxes if box.column == 1]
    assert (len(models), models[-1].title, models[-1].address) == (MOST, "and 89 more", "")
    assert all(a != found.boxes.index(models[-1]) for a, _ in found.ways)
