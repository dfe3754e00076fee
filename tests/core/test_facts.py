"""Facts: each has a kind of its own, some have a key, and older ones must stay readable."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given

from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId
from headway.testing import strategies

DIGEST = Digest("d" * 64)
KINDS = get_args(f.Fact)


def _started(*, firing: str) -> f.RunStarted:
    return f.RunStarted(run=RunId(1), name="n", file="f", pipeline=DIGEST, options=f.RunOptions(firing=firing))


@given(strategies.facts)
def test_the_kind_of_a_fact_is_the_name_of_its_type(fact: f.Fact) -> None:
    assert f.kind_of(fact) == type(fact).__name__ == msgspec.json.decode(msgspec.json.encode(fact))["kind"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fact_never_changes_and_compares_by_value(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen
    assert kind.__struct_config__.omit_defaults
    assert kind.__struct_config__.tag == kind.__name__


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fact_says_what_it_means(kind: type[msgspec.Struct]) -> None:
    assert kind.__doc__


@pytest.mark.parametrize(
    ("fact", "key"),
    [
        (f.StepFinished(step="s", outcome="passed", cache_key="k"), "k"),
        (f.StepFinished(step="s", outcome="passed"), None),
        (f.StepFinished(step="s", outcome="failed", cache_key="k"), None),
        (
            f.ModelRegistered(model="m", version=1, key="k", artifact=Artifact(path="m.pkl", digest=DIGEST)),
            "k",
        ),
        (f.ReleaseStarted(endpoint="e", release=1, model="m", version=1, key="k"), "k"),
        (f.LabelsAdded(endpoint="e", source="s", digest=DIGEST, key="k"), "k"),
        (f.NoticeSent(key="", notifier="team"), "team"),
        (f.NoticeSent(key="run/1#2", notifier="team"), None),
        (f.StepReused(step="s", cache_key="k", of_run=RunId(1)), None),
        (f.StepStarted(step="s"), None),
        (_started(firing="churn/3"), "churn/3"),
        (_started(firing=""), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, msgspec.Struct) else str(value),
)
def test_what_can_be_found_again_has_a_key(fact: f.Fact, key: str | None) -> None:
    assert f.key_of(fact) == key


# One body of each kind as version 0.1 writes it, required fields only. Never edit a line: a log may hold it. A new kind
# gets a new line.
WRITTEN = [
    '{"kind":"RunStarted","run":1,"name":"n","file":"pipeline.yaml","pipeline":"d","options":{}}',
    '{"kind":"RunResumed"}',
    '{"kind":"StepStarted","step":"s"}',
    '{"kind":"StepFinished","step":"s","outcome":"passed"}',
    '{"kind":"StepReused","step":"s","cache_key":"k","of_run":1}',
    '{"kind":"StepSkipped","step":"s","why":"w"}',
    '{"kind":"StepLost","step":"s"}',
    '{"kind":"RunFinished","outcome":"passed","exit_code":0}',
    '{"kind":"DatasetVersioned","dataset":"d","version":1,"artifact":{"path":"d.csv","digest":"d"}}',
    '{"kind":"DatasetForgotten","dataset":"d","version":1}',
    '{"kind":"ModelRegistered","model":"m","version":1,"artifact":{"path":"p","digest":"d"},"key":"k"}',
    '{"kind":"ModelConverted","model":"m","version":1,"onnx":{"why":"w"}}',
    '{"kind":"ModelJudged","model":"m","version":1,"verdict":"d"}',
    '{"kind":"AliasMoved","model":"m","alias":"champion","version":1}',
    '{"kind":"ModelTagged","model":"m","version":1,"name":"stage"}',
    '{"kind":"ModelSigned","model":"m","version":1,"key":"ed25519:k","signature":"s"}',
    '{"kind":"ModelTrusted","model":"m","version":1,"digest":"d"}',
    '{"kind":"ReleaseStarted","endpoint":"e","release":1,"model":"m","version":1,"key":"k"}',
    '{"kind":"VersionStarted","release":1}',
    '{"kind":"GoldenAnswered","release":1,"n_requests":3}',
    '{"kind":"EndpointSwitched","release":1,"url":"u"}',
    '{"kind":"ReleaseFinished","release":1,"outcome":"released"}',
    '{"kind":"EndpointStopped"}',
    '{"kind":"StageBegan","release":1,"stage":0}',
    '{"kind":"StageLooked","release":1,"stage":0}',
    '{"kind":"ReleaseDirected","release":1,"act":"abort"}',
    '{"kind":"ReleaseHeld","release":1,"stage":0}',
    '{"kind":"HoldoutAsked","holdout":"h","path":"p","ask":1,"question":"q","key":"k","confidence":0.95}',
    '{"kind":"HoldoutAnswered","ask":1,"question":"q","outcome":"pass","reveal":"all","verdict":"d"}',
    '{"kind":"EventSeen","source":"hand","key":"k","why":"w"}',
    '{"kind":"SourceWatched","source":"push","key":"k"}',
    '{"kind":"TriggerFired","firing":1,"sources":["hand"],"why":"w"}',
    '{"kind":"FiringEnded","firing":1,"outcome":"passed"}',
    (
        '{"kind":"MonitorBegan","monitor":"m","endpoint":"e","model":"m","version":1,"reference":"d","layout":"l",'
        '"window":"1d","false_alarms_per_year":2.0}'
    ),
    '{"kind":"WindowClosed","monitor":"m","number":1,"version":1,"since":0.0,"until":1.0,"n_requests":1,"n_rows":1}',
    (
        '{"kind":"QualitySeen","monitor":"m","number":1,"metric":"accuracy","value":0.5,"low":0.0,"high":1.0,"n_labelled":1,'
        '"n_rows":1}'
    ),
    '{"kind":"AlarmRaised","monitor":"m","alarm":1,"about":"drift","says":"look","since_window":1,"why":"w"}',
    '{"kind":"AlarmEnded","monitor":"m","alarm":1,"why":"w"}',
    '{"kind":"NoticeSent","key":"k","notifier":"n"}',
    '{"kind":"NoticeFailed","key":"k","notifier":"n","why":"w"}',
    '{"kind":"LabelsAdded","endpoint":"e","source":"s","digest":"d","key":"k"}',
]


@pytest.mark.parametrize("body", WRITTEN)
def test_what_was_once_written_can_be_read_for_ever(body: str) -> None:
    fact = msgspec.json.decode(body, type=f.Fact)
    assert msgspec.json.encode(fact).decode() == body


def test_every_kind_is_among_those_written() -> None:
    assert [msgspec.json.decode(body)["kind"] for body in WRITTEN] == [kind.__name__ for kind in KINDS]
